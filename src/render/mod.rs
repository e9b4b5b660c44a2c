//! Results in the forms in which people and programs read them: one file for each form.
//!
//! Rank 10. May use everything below. Computes nothing and does no I/O: it is handed what is to be
//! shown and gives back text. Must not know arguments, streams or exit statuses.

pub mod catalog;
pub mod human;
pub mod json;
pub mod outcome;
pub mod page;
pub mod plan;
mod report;
mod snippet;
mod style;

pub use report::{Diagnostic, Edit, Fix, Label, Position, Range, Report, Severity, Summary};
pub use style::{Style, fill};
