//! Registers that will be looked at again in a moment: that of an event's record is, when its write
//! goes out, and once more when that has arrived. Each look else reads it from the store and takes
//! it out of its text.
//!
//! What is kept here is what the store holds. Who takes a register has it alone and gives it back
//! or not; what others wrote meanwhile is forgotten here (see [`Runner::begin`]). Only asked, never
//! listed.

use std::collections::HashMap;

use super::books::recall;
use super::decide::ASKED;
use super::ports::{EntityIx, Stored};
use super::register::Register;
use super::runner::Runner;

/// Registers that are kept at most, and bytes that each has at most as text: a few MB. What waits
/// longest goes first, so that of a greater backlog it is the oldest that are worth keeping.
const KEPT: usize = 4_096;
pub(super) const LONGEST: usize = 2_048;

/// Registers as the store holds them, by entity and key.
#[derive(Default)]
pub(super) struct Recent {
    kept: HashMap<(EntityIx, String), Register>,
    /// How many found no room since there last was none of them.
    refused: usize,
}

impl Recent {
    /// Takes a register out.
    pub fn take(&mut self, entity: EntityIx, key: &str) -> Option<Register> {
        if self.kept.is_empty() {
            return None;
        }
        self.kept.remove(&(entity, key.to_owned()))
    }

    /// The same of a record whose write goes out: there is as much room again, since what is under way
    /// comes back soon.
    pub fn keep_sent(&mut self, entity: EntityIx, key: String, mut register: Register) {
        if self.kept.len() < 2 * KEPT {
            register.drop_empty_views();
            self.kept.insert((entity, key), register);
        }
    }

    /// Keeps a register as it was stored, where there is room.
    pub fn keep(&mut self, entity: EntityIx, key: String, mut register: Register) {
        if self.kept.len() >= KEPT {
            self.refused += 1;
            // Nobody has asked for any of them for long: they are of records whose system is down.
            if self.refused < KEPT {
                return;
            }
            self.clear();
        }
        register.drop_empty_views();
        self.kept.insert((entity, key), register);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.refused = 0;
    }
}

impl Runner<'_> {
    /// Begins a transaction. People decide conflicts and send letters again beside the runner: what
    /// it keeps of registers may be older than what they stored.
    pub(super) fn begin(&mut self) -> Stored<()> {
        self.store.begin()?;
        self.forget_what_people_changed()
    }

    /// Registers that were kept before people asked for something may be older than the store's.
    pub(super) fn forget_what_people_changed(&mut self) -> Stored<()> {
        if !self.recent.kept.is_empty() && self.store.meta(ASKED)? != self.heeded {
            self.recent.clear();
        }
        Ok(())
    }

    /// A record's register, which is not kept at hand any more; in a transaction.
    pub(super) fn register(&mut self, entity: EntityIx, key: &str) -> Stored<Register> {
        let recent = Some(&mut self.recent);
        recall(self.program, &mut *self.store, recent, entity, key)
    }

    /// Takes back what the open transaction did.
    pub(super) fn roll_back(&mut self) -> Stored<()> {
        self.recent.clear();
        self.store.rollback()
    }
}
