//! When a scenario moves records: by event, by the clock, or both.

use crate::model::{AUTO_RUNS_AS, ModeKind, Policy};
use crate::time::{Gaps, Schedule, Window};

/// When a scenario moves records.
#[derive(Debug, Clone, PartialEq)]
pub enum Timing {
    /// By event.
    Realtime,
    /// By the clock, with these gaps between starts.
    Scheduled(Gaps),
    /// By event, with a reconcile by the clock.
    Hybrid(Gaps),
    /// A mode that could not be read.
    Unknown,
    /// A schedule that never starts, or only once.
    Never,
}

impl Timing {
    /// The timing of a mode inside a window.
    pub fn as_mode(policy: &Policy, mode: &ModeKind, window: Option<&Window>) -> Timing {
        let gaps = |schedule: &Schedule| policy.calendar.gaps(schedule, window);
        match mode {
            ModeKind::Realtime => Timing::Realtime,
            ModeKind::Auto => gaps(&AUTO_RUNS_AS).map_or(Timing::Never, Timing::Scheduled),
            ModeKind::Scheduled(Some(s)) => gaps(s).map_or(Timing::Never, Timing::Scheduled),
            // Without a reconcile that ever runs, its events still come.
            ModeKind::Hybrid(Some(s)) => gaps(s).map_or(Timing::Realtime, Timing::Hybrid),
            ModeKind::Hybrid(None) => Timing::Realtime,
            ModeKind::Scheduled(None) | ModeKind::Unknown => Timing::Unknown,
        }
    }

    /// Whether each change moves by itself.
    pub fn is_realtime(&self) -> bool {
        matches!(self, Timing::Realtime | Timing::Hybrid(_))
    }

    /// The gaps between the starts of its schedule.
    pub fn gaps(&self) -> Option<&Gaps> {
        match self {
            Timing::Scheduled(gaps) | Timing::Hybrid(gaps) => Some(gaps),
            Timing::Realtime | Timing::Unknown | Timing::Never => None,
        }
    }
}
