//! Instants, durations, zones and the arithmetic of schedules: when the next start comes, how far
//! apart starts lie, what a clock change does to them.
//!
//! Rank 0. May use `terms`. Must not read a clock, a file or the environment: every question is
//! asked about a given instant or date. Must not know the tree, the model or any finding.
//!
//! How schedules meet clock changes, in one place:
//! - `every D` counts elapsed time from 1970-01-01T00:00Z and does not see clock changes.
//! - A fixed time that a spring change skips runs once, when the gap ends; several skipped times
//!   run once together. A fixed time that an autumn change repeats runs on the first pass.
//! - A pattern for every hour (`hourly`, cron with every hour) follows elapsed time: it fires at
//!   each instant whose wall clock matches, so on both passes, and never because of a gap.
//! - A cron pattern that steps through hours or runs every minute of some hours fires on both
//!   passes too, yet does not lose what a gap skips: that runs once when the gap ends.

mod calendar;
mod cron;
mod instant;
mod meeting;
mod millis;
mod passage;
mod plan;
mod schedule;
mod window;
mod zone;

#[cfg(test)]
mod vectors;

pub use calendar::{Calendar, ClockChange, ClockChangeHit, Gaps};
pub use chrono::NaiveDate as Date;
pub use cron::{Cron, CronError, CronField, CronProblem};
pub use instant::{Instant, InstantError};
pub use millis::{DurationError, Millis};
pub use passage::{Leg, Runs, passage};
pub use schedule::{Schedule, Starts, mode_class};
pub use window::Window;
pub use zone::{UnknownZone, Zone};
