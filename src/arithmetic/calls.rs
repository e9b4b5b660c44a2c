//! Calls by the groups that limits tell apart.

use std::ops::{Add, AddAssign, Mul, Sub};

use crate::catalog;

/// Numbers of calls (a day, a second or a run, as the holder says) by group.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Calls {
    /// Reads and searches.
    pub read: f64,
    /// Writes.
    pub write: f64,
    /// Calls of bulk jobs.
    pub bulk: f64,
    /// Events that are delivered, which are no calls but may have a limit of their own.
    pub events: f64,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counting {
    /// Which calls.
    pub what: catalog::Calls,
    /// What a read, a write and a call of a bulk job count for.
    weights: [f64; 3],
}

impl Counting {
    /// Each call of that kind for one.
    pub fn each(what: catalog::Calls) -> Counting {
        Counting {
            what,
            weights: [1.0; 3],
        }
    }

    /// As a limit of the catalog counts.
    pub fn of(limit: &catalog::Limit) -> Counting {
        let Some(weights) = &limit.weights else {
            return Counting::each(limit.counts);
        };
        let write = f64::from(weights.write.value);
        let bulk = weights.bulk.as_ref();
        Counting {
            what: limit.counts,
            weights: [
                f64::from(weights.read.value),
                write,
                bulk.map_or(write, |b| f64::from(b.value)),
            ],
        }
    }

    /// What one write counts for.
    pub fn of_a_write(self) -> f64 {
        self.weights[1]
    }

    /// What is counted: `calls`, `tokens` or `events`.
    pub fn unit(self) -> &'static str {
        match self.what {
            catalog::Calls::Events => "events",
            _ if self.is_weighted() => "tokens",
            _ => "calls",
        }
    }

    /// Whether calls count for more or less than one.
    pub fn is_weighted(self) -> bool {
        self.weights != [1.0; 3]
    }
}

impl Calls {
    /// No calls.
    pub const NONE: Calls = Calls {
        read: 0.0,
        write: 0.0,
        bulk: 0.0,
        events: 0.0,
    };

    /// Reads only.
    pub fn reads(read: f64) -> Calls {
        Calls {
            read,
            ..Calls::NONE
        }
    }

    /// Writes only.
    pub fn writes(write: f64) -> Calls {
        Calls {
            write,
            ..Calls::NONE
        }
    }

    /// All calls.
    pub fn total(self) -> f64 {
        self.read + self.write + self.bulk
    }

    /// Those that a limit counts.
    pub fn counted(self, by: Counting) -> f64 {
        let [read, write, bulk] = by.weights;
        let (read, write, bulk) = (self.read * read, self.write * write, self.bulk * bulk);
        match by.what {
            catalog::Calls::All => read + write + bulk,
            catalog::Calls::Reads => read,
            catalog::Calls::Writes => write,
            catalog::Calls::Bulk => bulk,
            catalog::Calls::Events => self.events,
        }
    }
}

impl Add for Calls {
    type Output = Calls;

    fn add(self, more: Calls) -> Calls {
        Calls {
            read: self.read + more.read,
            write: self.write + more.write,
            bulk: self.bulk + more.bulk,
            events: self.events + more.events,
        }
    }
}

impl Sub for Calls {
    type Output = Calls;

    /// Never below nothing.
    fn sub(self, less: Calls) -> Calls {
        Calls {
            read: (self.read - less.read).max(0.0),
            write: (self.write - less.write).max(0.0),
            bulk: (self.bulk - less.bulk).max(0.0),
            events: (self.events - less.events).max(0.0),
        }
    }
}

impl AddAssign for Calls {
    fn add_assign(&mut self, more: Calls) {
        *self = *self + more;
    }
}

impl Mul<f64> for Calls {
    type Output = Calls;

    fn mul(self, factor: f64) -> Calls {
        Calls {
            read: self.read * factor,
            write: self.write * factor,
            bulk: self.bulk * factor,
            events: self.events * factor,
        }
    }
}

impl std::iter::Sum for Calls {
    fn sum<I: Iterator<Item = Calls>>(calls: I) -> Calls {
        calls.fold(Calls::NONE, Add::add)
    }
}
