//! Stand-ins for `time::Schedule` and `catalog::Entry` until those branches are merged.

/// A catalog entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry;

/// A schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule;
