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
}

impl Calls {
    /// No calls.
    pub const NONE: Calls = Calls {
        read: 0.0,
        write: 0.0,
        bulk: 0.0,
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

    /// All of them.
    pub fn total(self) -> f64 {
        self.read + self.write + self.bulk
    }

    /// Those that a limit counts.
    pub fn counted(self, by: catalog::Calls) -> f64 {
        match by {
            catalog::Calls::All => self.total(),
            catalog::Calls::Reads => self.read,
            catalog::Calls::Writes => self.write,
            catalog::Calls::Bulk => self.bulk,
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
        }
    }
}

impl std::iter::Sum for Calls {
    fn sum<I: Iterator<Item = Calls>>(calls: I) -> Calls {
        calls.fold(Calls::NONE, Add::add)
    }
}
