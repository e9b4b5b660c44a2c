//! SL03: whether the calls fit the limits, and the runs their windows.

pub(super) mod sl0301_over_daily_quota;
pub(super) mod sl0302_over_burst_limit;
pub(super) mod sl0303_window_too_short;
pub(super) mod sl0304_overlapping_runs;
pub(super) mod sl0305_batch_too_large;
pub(super) mod sl0306_slow_recovery;
pub(super) mod sl0307_never_runs;
pub(super) mod sl0308_clock_change;
pub(super) mod sl0309_loosened_limit;
pub(super) mod sl0310_unknown_volume;

mod limits;

use super::words;
use crate::finding::Edit;
use crate::model::{ModeKind, Scenario, System};
use crate::time::{Schedule, Window};

fn window(scenario: &Scenario) -> Option<&Window> {
    scenario.window.as_ref().map(|w| &w.value)
}

/// A scenario's mode with another schedule, in place of the words that say the one it has: the
/// scenario's own, else the policy's.
fn with_schedule(scenario: &Scenario, schedule: &Schedule) -> Option<(String, Edit)> {
    let mode = match scenario.mode.kind {
        ModeKind::Hybrid(_) => format!("realtime with reconcile {schedule}"),
        _ => schedule.to_string(),
    };
    let edit = Edit {
        span: scenario.mode.span?,
        text: mode.clone(),
    };
    Some((mode, edit))
}

/// What stands before the mode that holds for a scenario.
fn keyword(scenario: &Scenario) -> &'static str {
    if scenario.mode.written {
        "mode"
    } else {
        "unsure"
    }
}

/// Scenarios that a schedule troubles, those together that take it from the policy and are
/// troubled alike: one edit there mends them.
fn by_mode<'a, T: PartialEq>(
    troubled: impl Iterator<Item = (&'a Scenario, T)>,
) -> Vec<(Vec<&'a Scenario>, T)> {
    let mut groups: Vec<(Vec<&Scenario>, T)> = Vec::new();
    for (scenario, trouble) in troubled.filter(|(s, _)| words::mode_is_known(s)) {
        let shares = |group: &&mut (Vec<&Scenario>, T)| {
            let written = group.0.iter().any(|s| s.mode.written);
            !written && !scenario.mode.written && group.1 == trouble
        };
        match groups.iter_mut().find(shares) {
            Some(group) => group.0.push(scenario),
            None => groups.push((vec![scenario], trouble)),
        }
    }
    groups
}

/// What a system's connector is called, with its tier where one is named.
fn vendor(system: &System) -> Option<String> {
    let connector = system.connector.as_ref()?;
    Some(match &system.tier {
        Some(tier) => format!("`{}` in tier `{}`", connector.written, tier.value),
        None => format!("`{}`", connector.written),
    })
}
