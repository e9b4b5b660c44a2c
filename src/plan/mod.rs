//! The compiled plan: the only format with a promise.
//!
//! Rank 7. Above it nobody knows source text, below it nobody knows the runner. May use the model
//! (to compile it); must not know stores, connectors or any command.

mod compile;
mod digest;
mod read;
mod types;

pub use compile::compile;
pub use digest::digest;
pub use read::{PlanError, read_plan, schema, to_json, to_yaml};
pub use types::*;
