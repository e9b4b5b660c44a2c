//! A record in an emulated system, and what a read by cursor shows of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::columns::Columns;

use crate::time::Instant;

/// The changes of a table: when, in microseconds, and of which record.
pub(super) type Changes = BTreeSet<(i64, Arc<str>)>;

/// A record as a system holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// Columns, in the system's own terms.
    pub cells: Columns,
    /// When it last changed, in microseconds.
    pub changed: i64,
    /// From when on a read by cursor shows that change.
    pub visible: Instant,
    /// Whether it was deleted, where the system keeps such records.
    pub deleted: bool,
    /// What a read by cursor shows until that change is visible: a change that is hidden does not
    /// hide the one before it.
    before: Option<Box<Before>>,
}

/// A record as it was before a change that is hidden.
#[derive(Debug, Clone, PartialEq)]
struct Before {
    cells: Columns,
    changed: i64,
}

impl Native {
    /// A record without columns.
    pub(super) fn new(changed: i64, visible: Instant) -> Self {
        Native {
            cells: Columns::default(),
            changed,
            visible,
            deleted: false,
            before: None,
        }
    }

    /// Takes the record's changes out of what is read by cursor.
    pub(super) fn leave(&mut self, changes: &mut Changes, key: &Arc<str>) {
        let before = self.before.take().map(|b| b.changed);
        for changed in before.into_iter().chain([self.changed]) {
            changes.remove(&(changed, Arc::clone(key)));
        }
    }

    /// The columns that a read by cursor shows of a change of this time.
    pub(super) fn shown_of(&self, changed: i64, now: Instant) -> Option<&Columns> {
        if self.changed == changed {
            return (self.visible <= now).then_some(&self.cells);
        }
        let before = self.before.as_deref().filter(|_| self.visible > now)?;
        (before.changed == changed).then_some(&before.cells)
    }

    /// Makes room for a change: what was shown until now is kept where the change is hidden.
    pub(super) fn make_way(
        &mut self,
        changes: &mut Changes,
        key: &Arc<str>,
        now: Instant,
        hides: bool,
    ) {
        let shown = self.visible <= now;
        if shown && let Some(before) = self.before.take() {
            changes.remove(&(before.changed, Arc::clone(key)));
        }
        match shown && hides {
            true => {
                self.before = Some(Box::new(Before {
                    cells: self.cells.clone(),
                    changed: self.changed,
                }));
            }
            false => {
                changes.remove(&(self.changed, Arc::clone(key)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_change_does_not_hide_the_one_before_it() {
        let mut changes = Changes::new();
        let mut held = Native::new(1, Instant(10));
        let mut change = |held: &mut Native, value: i64, at: i64| {
            held.make_way(&mut changes, &Arc::from("k"), Instant(at), true);
            held.cells.set(&Arc::from("n"), value.into());
            (held.changed, held.visible) = (value, Instant(at + 10));
            changes.insert((value, "k".into()));
            changes.clone()
        };
        change(&mut held, 1, 0);
        assert_eq!(held.shown_of(1, Instant(9)), None);
        let both = change(&mut held, 2, 20);
        assert_eq!(both.len(), 2);
        let number = |held: &Native, changed, at| {
            let shown = held.shown_of(changed, Instant(at));
            shown.and_then(|cells| cells.get("n")?.as_i64())
        };
        assert_eq!(number(&held, 1, 29), Some(1));
        assert_eq!(number(&held, 2, 29), None);
        assert_eq!(number(&held, 1, 30), None);
        assert_eq!(number(&held, 2, 30), Some(2));
        // One that comes while the last is hidden takes its place.
        let both = change(&mut held, 3, 25);
        assert_eq!(number(&held, 1, 29), Some(1));
        assert_eq!(both.len(), 2);
    }
}
