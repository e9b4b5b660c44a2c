//! Attempts in vain, until it is known whether the system was up: only those made while it was use
//! up a write's attempts. An outage's first failures look like any other, and count no longer once
//! it shows that it was one.
//!
//! May know ports; must not know what becomes of a write.

use std::collections::BTreeMap;

use super::ports::EntityIx;

/// The attempts of one system that are not yet stored with their writes. Grows with what failed by
/// itself since the system last answered, and shrinks as those writes are tried again.
#[derive(Debug, Clone, Default)]
pub(super) struct Tries(BTreeMap<(EntityIx, String), Tried>);

/// The attempts of one write.
#[derive(Debug, Clone, Copy, Default)]
struct Tried {
    /// Of this version of the record.
    version: u64,
    /// After which the system answered something else.
    proved: u32,
    /// After which nobody knows yet.
    open: u32,
}

impl Tries {
    /// A write failed by itself: gives the attempts before this one that were made while the system
    /// was up and are not stored yet, and those of which nobody knows, this one too.
    pub fn failed(&mut self, (entity, key): (EntityIx, &str), version: u64) -> (u32, u32) {
        let tried = self.0.entry((entity, key.to_owned())).or_default();
        if tried.version != version {
            *tried = Tried {
                version,
                ..Tried::default()
            };
        }
        tried.open = tried.open.saturating_add(1);
        (std::mem::take(&mut tried.proved), tried.open)
    }

    /// The system answered: it was up.
    pub fn answered(&mut self) {
        for tried in self.0.values_mut() {
            tried.proved = tried.proved.saturating_add(std::mem::take(&mut tried.open));
        }
    }

    /// The system is taken to be down, and to have been since it last answered.
    pub fn down(&mut self) {
        self.0.retain(|_, tried| {
            tried.open = 0;
            tried.proved > 0
        });
    }

    /// The write is done with, or another has taken its place.
    pub fn settled(&mut self, entity: EntityIx, key: &str) {
        if !self.0.is_empty() {
            self.0.remove(&(entity, key.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_attempts_on_a_system_that_was_up_count() {
        let mut tries = Tries::default();
        assert_eq!(tries.failed((0, "k"), 1), (0, 1));
        assert_eq!(tries.failed((0, "k"), 1), (0, 2));
        tries.answered();
        assert_eq!(tries.failed((0, "k"), 1), (2, 1));
        tries.down();
        assert_eq!(tries.failed((0, "k"), 1), (0, 1));
        tries.answered();
        assert_eq!(tries.failed((0, "k"), 2), (0, 1), "a newer version");
        tries.settled(0, "k");
        assert_eq!(tries.failed((0, "k"), 1), (0, 1));
    }
}
