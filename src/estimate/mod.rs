//! Estimates: what a policy will ask of its systems, how fresh its fields will be, what it costs.
//!
//! Rank 8. May use `model`, `graph` and `arithmetic`. Plain data made from a policy; the formulas
//! are `arithmetic`'s, how it looks is `render`'s. What is not known is `None`, never 0.
//!
//! * [`Estimate`]: the JSON object of `estimate --format json`.
//! * [`of`]: makes it; [`what_if`] and [`what_if_of`] add every mode that a scenario could have; [`explain`] lists
//!   every term of one scenario with its inputs.
//! * [`notes_without_money`]: what to know where its calls and ages are held against measured ones.
//! * [`add_ranges`]: what is only guessed, and between what ends the figures therefore lie.
//! * [`explain_scenario`]: why a scenario has its mode, and what would change that.
//! * [`explain_field`]: where a field comes from and goes, and how old it can get.

mod build;
mod candidates;
mod explain;
mod feeds;
pub mod field;
mod fields;
mod formulas;
mod guesses;
mod named;
mod notes;
mod place;
pub mod scenario;
mod types;

pub use build::{Ground, of};
pub use candidates::{better, what_if, what_if_of};
pub use explain::explain;
pub use field::explain_field;
pub use guesses::add_ranges;
pub use named::Named;
pub use notes::notes_without_money;
pub use scenario::explain_scenario;
pub use types::{
    Better, Candidate, Cost, Estimate, Explanation, Feed, FieldAge, GuessEntry, HopEstimate, Input,
    Limit, Old, Place, Range, Ranges, ScenarioEstimate, SystemEstimate, SystemThen, Term, VERSION,
    schema,
};
