//! The runner's rules: registers, resolve rules, routing, checkpoints, schedules, retries.
//!
//! Rank 8. Pure of I/O: clock, store, connectors and randomness come through [`ports`], so that
//! the same code runs live, in tests and under virtual time. May use the plan and what lies below
//! it; must not know source text, a database, a socket or a command.

pub mod ports;
pub mod register;
pub mod resolve;
