//! SL05: what a system's connector can do, and how it is set up.

pub(super) mod sl0501_no_events;
pub(super) mod sl0502_no_upsert;
pub(super) mod sl0503_cannot_write;
pub(super) mod sl0504_literal_secret;
pub(super) mod sl0505_bad_option;

use crate::model::{Mode, Scenario};
use crate::text::Span;

/// Where a scenario's mode is said; its name where it says none.
fn mode_place(scenario: &Scenario) -> Span {
    match &scenario.mode {
        Mode {
            written: true,
            span: Some(span),
            ..
        } => *span,
        _ => scenario.name.span,
    }
}
