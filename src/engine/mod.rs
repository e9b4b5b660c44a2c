//! The runner's rules: registers, resolve rules, routing, checkpoints, schedules, retries.
//!
//! Rank 8. Pure of I/O: clock, store, connectors and randomness come through [`ports`], so that
//! the same code runs live, in tests and under virtual time. May use the plan and what lies below
//! it; must not know source text, a database, a socket or a command.

mod absent;
mod account;
mod batch;
mod books;
mod called;
pub mod cause;
mod chunk;
mod clean;
mod clock;
mod confirm;
mod cursors;
pub mod decide;
mod dispatch;
mod due;
pub mod evaluate;
pub mod expression;
mod filling;
pub mod first_copy;
pub mod freshness;
pub mod handed;
mod heed;
mod intake;
mod job;
mod letters;
mod limits;
mod merge;
mod one_way;
mod outbox;
mod overtaking;
pub mod owed;
pub mod ports;
pub mod program;
mod reading;
mod recent;
pub mod register;
pub mod register_json;
pub mod resolve;
mod resume;
pub mod runner;
mod stage;
mod standing;
pub mod steps;
mod tries;
mod ways;
pub mod why;

pub use outbox::idempotency_key;
