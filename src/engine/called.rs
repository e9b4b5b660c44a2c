//! Which records a batch of a run is about that is under way: thousands of keys, asked for now and
//! then. May know ports; must not know how calls are let out.

use std::cmp::Ordering;

use super::ports::{EntityIx, Write};

/// A batch of a run that is under way.
#[derive(Debug, Clone)]
pub(super) struct Called {
    /// What they are records of.
    pub entity: EntityIx,
    /// Their keys.
    pub keys: Keys,
    /// When it was handed over (microseconds), where nothing waits for the system: then that need
    /// not be noted record by record (see [`super::handed`]) unless it has to wait after all.
    pub at: Option<i64>,
}

/// Keys of records in one piece of memory, ascending.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    text: String,
    ends: Vec<usize>,
}

impl Keys {
    /// Those of a batch.
    pub fn of(writes: &[Write]) -> Self {
        let mut sorted: Vec<&str> = writes.iter().map(|w| &*w.key).collect();
        // They mostly are.
        if !sorted.is_sorted() {
            sorted.sort_unstable();
        }
        let mut text = String::with_capacity(sorted.iter().map(|k| k.len()).sum());
        let ends = sorted.iter().map(|key| {
            text.push_str(key);
            text.len()
        });
        let ends = ends.collect();
        Keys { text, ends }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, at: usize) -> &str {
        let end = self.ends.get(at).copied().unwrap_or_default();
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before));
        self.text
            .get(start.copied().unwrap_or_default()..end)
            .unwrap_or_default()
    }

    /// Whether it has a key.
    pub fn has(&self, key: &str) -> bool {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return true,
                Ordering::Greater => high = middle,
            }
        }
        false
    }

    /// Whether it has the key of any of these; batches of one run mostly lie wholly apart.
    pub fn has_any(&self, writes: &[Write]) -> bool {
        let (first, last) = (self.get(0), self.get(self.ends.len().saturating_sub(1)));
        let mut near = writes
            .iter()
            .filter(|w| *w.key >= *first && *w.key <= *last);
        near.any(|w| self.has(&w.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::Idempotency;

    fn writes(keys: &[&str]) -> Vec<Write> {
        let write = |key: &&str| Write {
            key: (*key).into(),
            native_key: None,
            locator: None,
            fields: Vec::new(),
            delete: false,
            idempotency: Idempotency::default(),
        };
        keys.iter().map(write).collect()
    }

    #[test]
    fn keys_are_found_whatever_their_order_was() {
        let keys = Keys::of(&writes(&["é", "b", "", "bc", "b"]));
        assert_eq!(keys.len(), 5);
        for there in ["", "b", "bc", "é"] {
            assert!(keys.has(there), "{there}");
        }
        for not in ["a", "c", "bb", "éa"] {
            assert!(!keys.has(not), "{not}");
        }
        assert!(keys.has_any(&writes(&["z", "bc"])));
        assert!(!keys.has_any(&writes(&["a", "c", "zz", "ê"])));
        assert!(!Keys::of(&[]).has("") && !Keys::of(&[]).has_any(&writes(&["", "a"])));
    }
}
