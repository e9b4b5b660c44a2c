//! Virtual worlds: the engine under a clock that leaps, with systems that are emulated in memory.
//!
//! Rank 10, without I/O. A [`World`] is the engine's outside in one value: its clock stands until
//! nothing can happen before the next moment, and then leaps there; its systems ([`Emulated`]) hold
//! records in their own terms and answer calls as their plan and their catalog entry say
//! ([`Manner`]). What people and programs do there in the meantime comes from a [`Driver`]: the
//! steps of a test, generated load, a search for faults. Everything that is left to chance comes
//! from one seed, so a world runs the same way each time.
//!
//! May use the plan, the engine, the codec between columns and fields, the store in memory, and all
//! below them. Must not know a real clock, file or socket, nor how anything is shown.

mod columns;
mod emulated;
mod limits;
mod manner;
mod native;
mod shared;
pub mod simulation;
mod systems;
pub mod trial;
mod world;

use crate::engine::runner::{Observer, Progress};
use crate::time::{Date, Instant, Zone};

pub use columns::Columns;
pub use emulated::{Emulated, Maps, Native};
pub use limits::{Meter, Metered};
pub use manner::{Manner, Wants};
pub use shared::{Cut, SharedStore};
pub use systems::{Applied, Asked, Driver, Outcome, Systems};
pub use world::World;

/// The date on which virtual time begins where nothing else is said: a Monday.
pub fn first_day() -> Date {
    Date::from_ymd_opt(2026, 1, 5).unwrap_or_default()
}

/// Midnight of that day in a zone.
pub fn start_in(zone: Zone) -> Instant {
    zone.start_of(first_day())
}

/// Hears nothing of what a runner does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &Progress<'_>) {}
}
