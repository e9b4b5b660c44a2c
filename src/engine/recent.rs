//! Records that will be looked at again in a moment: the register of an event's record is, when its
//! write goes out, and once more when that has arrived; what waits is, when it goes out. Each look
//! else reads it from the store and takes it out of its text.
//!
//! What is kept here is what the store holds. Who takes a register has it alone and gives it back
//! or not; who changes what waits for a record takes its register. What others wrote meanwhile is
//! forgotten here (see [`Runner::begin`]). Only asked, never listed.

use std::collections::HashMap;

use super::books::recall;
use super::decide::ASKED;
use super::ports::{EntityIx, Stored, Waiting};
use super::register::Register;
use super::runner::Runner;

/// Bytes of registers as text that are kept at most, and that each has at most; in memory they take
/// about ten times that with what waits for them. What waits longest goes first, so that of a greater
/// backlog it is the oldest that are worth keeping.
const KEPT: usize = 4 << 20;
const LONGEST: usize = 2_048;
/// For so many that find no room one after the other all is forgotten: nobody has asked for any of
/// what is kept for long, which is of records whose system is down.
const REFUSED: usize = 4_096;

/// Records as the store holds them, by entity and key.
#[derive(Default)]
pub(super) struct Recent {
    kept: HashMap<(EntityIx, String), Kept>,
    /// Bytes of all of them as text.
    bytes: usize,
    /// How many found no room since one of them was asked for.
    refused: usize,
}

struct Kept {
    register: Register,
    /// That it has as text.
    bytes: usize,
    /// What waits for it, as far as that is known here.
    waiting: Vec<Waiting>,
}

impl Recent {
    /// Takes a register out; what waits for its record is not known here any more.
    pub fn take(&mut self, entity: EntityIx, key: &str) -> Option<Register> {
        self.take_sized(entity, key).map(|(register, _)| register)
    }

    /// The same with the bytes that it has as text.
    pub fn take_sized(&mut self, entity: EntityIx, key: &str) -> Option<(Register, usize)> {
        if self.kept.is_empty() {
            return None;
        }
        let kept = self.kept.remove(&(entity, key.to_owned()))?;
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        self.refused = 0;
        Some((kept.register, kept.bytes))
    }

    /// Takes out what waits for a system, where that is known; the register stays.
    pub fn take_waiting(&mut self, system: &str, entity: EntityIx, key: &str) -> Option<Waiting> {
        if self.kept.is_empty() {
            return None;
        }
        let kept = self.kept.get_mut(&(entity, key.to_owned()))?;
        let at = kept.waiting.iter().position(|w| w.system == system)?;
        Some(kept.waiting.swap_remove(at))
    }

    /// Keeps the register of a record whose write goes out: there is as much room again, since what
    /// is under way comes back soon.
    pub fn keep_sent(&mut self, record: (EntityIx, String), sized: (Register, usize)) {
        self.insert(record, sized, Vec::new(), 2 * KEPT);
    }

    /// Keeps a register as it was stored, with what was entered for its record, where there is room.
    pub fn keep(
        &mut self,
        record: (EntityIx, String),
        sized: (Register, usize),
        waiting: Vec<Waiting>,
    ) {
        if self.refused >= REFUSED {
            self.clear();
        }
        let short = sized.1 <= LONGEST;
        if !self.insert(record, sized, waiting, KEPT) && short {
            self.refused += 1;
        }
    }

    /// Says whether it is kept.
    fn insert(
        &mut self,
        record: (EntityIx, String),
        (mut register, bytes): (Register, usize),
        waiting: Vec<Waiting>,
        most: usize,
    ) -> bool {
        if bytes > LONGEST || self.bytes + bytes > most {
            // An older one is not what the store holds.
            self.take(record.0, &record.1);
            return false;
        }
        register.drop_empty_views();
        self.bytes += bytes;
        let kept = Kept {
            register,
            bytes,
            waiting,
        };
        if let Some(before) = self.kept.insert(record, kept) {
            self.bytes = self.bytes.saturating_sub(before.bytes);
        }
        true
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
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

    /// Has the reads from here on share one look at the store, unless they do already. What is kept
    /// is as new as that look.
    pub(super) fn look(&mut self) -> Stored<()> {
        match self.store.read_together()? {
            true => self.forget_what_people_changed(),
            false => Ok(()),
        }
    }

    /// Registers that were kept before people asked for something may be older than the store's.
    fn forget_what_people_changed(&mut self) -> Stored<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Priority;
    use crate::time::Instant;

    fn record(n: usize) -> (EntityIx, String) {
        (0, n.to_string())
    }

    fn waiting(system: &str) -> Waiting {
        Waiting {
            system: system.to_owned(),
            entity: "contact".to_owned(),
            key: "0".to_owned(),
            scenario: "signup".to_owned(),
            fields: vec!["name".to_owned()],
            delete: false,
            version: 1,
            since: Instant(1),
            due: Instant(1),
            attempts: 0,
            error: None,
            priority: Priority::Normal,
        }
    }

    /// As many of the longest as there is room for.
    const FULL: usize = KEPT / LONGEST;

    fn keep(recent: &mut Recent, n: usize) {
        recent.keep(record(n), (Register::default(), LONGEST), Vec::new());
    }

    fn fill(recent: &mut Recent, upto: usize) {
        (0..upto).for_each(|n| keep(recent, n));
    }

    fn known(recent: &mut Recent, n: usize) -> bool {
        recent.take(0, &n.to_string()).is_some()
    }

    #[test]
    fn what_waits_is_known_until_its_record_is_taken() {
        let mut recent = Recent::default();
        let rows = vec![waiting("crm"), waiting("desk")];
        recent.keep(record(0), (Register::default(), 9), rows.clone());
        assert_eq!(recent.take_waiting("mail", 0, "0"), None);
        assert_eq!(recent.take_waiting("crm", 1, "0"), None);
        assert_eq!(recent.take_waiting("crm", 0, "0"), Some(waiting("crm")));
        // Once: it goes out, and whoever wants it again reads the store.
        assert_eq!(recent.take_waiting("crm", 0, "0"), None);
        assert!(known(&mut recent, 0));
        assert_eq!(recent.take_waiting("desk", 0, "0"), None);
    }

    #[test]
    fn of_more_than_there_is_room_for_the_oldest_are_kept() {
        let mut recent = Recent::default();
        fill(&mut recent, FULL + 100);
        assert!(!known(&mut recent, FULL));
        assert!(known(&mut recent, 0) && known(&mut recent, FULL - 1));
        // There is room again for as many as were taken out.
        fill(&mut recent, 1);
        assert!(known(&mut recent, 0));
        known(&mut recent, 1);
        let long = (Register::default(), LONGEST + 1);
        recent.keep(record(1), long, Vec::new());
        assert!(!known(&mut recent, 1));
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_in_the_end() {
        let mut recent = Recent::default();
        let refused = |recent: &mut Recent, count: usize| {
            (0..count).for_each(|n| keep(recent, 2 * FULL + n));
        };
        fill(&mut recent, FULL);
        refused(&mut recent, REFUSED - 1);
        // One is asked for: all are worth keeping.
        assert!(known(&mut recent, 1));
        fill(&mut recent, 2);
        refused(&mut recent, REFUSED - 1);
        assert!(known(&mut recent, 2));
        keep(&mut recent, 2);
        refused(&mut recent, REFUSED + 1);
        assert!(!known(&mut recent, 0));
        assert!(known(&mut recent, 2 * FULL + REFUSED));
    }
}
