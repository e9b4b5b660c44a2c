//! Results in the forms in which people and programs read them: one file for each form.
//!
//! Rank 10. May use everything below. Computes nothing and does no I/O: it is handed what is to be
//! shown and gives back text. Must not know arguments, streams or exit statuses.

pub mod catalog;
pub mod concise;
pub mod diff;
pub mod estimate;
pub mod explain;
mod fingerprint;
pub mod freshness;
pub mod github;
pub mod gitlab;
pub mod graph;
pub mod html;
pub mod human;
pub mod json;
pub mod junit;
mod mend;
pub mod optimize;
pub mod outcome;
pub mod page;
pub mod plan;
mod report;
pub mod sarif;
pub mod simulation;
mod snippet;
mod style;
pub mod suppressions;
pub mod trials;
pub mod why;

pub use report::{
    Accepted, Diagnostic, Edit, Fix, Label, Position, Range, Report, Severity, Summary, place,
};
pub use style::{Style, fill};
