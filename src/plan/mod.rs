//! The compiled plan: the only format with a promise.
//!
//! Rank 7. Above it nobody knows source text, below it nobody knows the runner. May use the model
//! (to compile it); must not know stores, connectors or any command.

mod types;

pub use types::*;
