//! An ordered map that can take back what was done to it since a mark.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// A map with an undo log: while a transaction is open, each change first notes what was there.
#[derive(Debug, Clone)]
pub(super) struct Table<K, V> {
    map: BTreeMap<K, V>,
    undo: Option<Vec<(K, Option<V>)>>,
    /// What was there before changes that were committed and are not yet durable.
    behind: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Table {
            map: BTreeMap::new(),
            undo: None,
            behind: Vec::new(),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// Starts to note changes.
    pub(super) fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// Forgets what was noted: the changes stay.
    pub(super) fn commit(&mut self) {
        self.undo = None;
        self.settle();
    }

    /// The changes stay, unless power is lost before they are settled.
    pub(super) fn commit_behind(&mut self) {
        self.behind.extend(self.undo.take().into_iter().flatten());
    }

    /// What was committed stays for good.
    pub(super) fn settle(&mut self) {
        self.behind.clear();
    }

    /// Takes the noted changes back, the latest first.
    pub(super) fn rollback(&mut self) {
        let noted = self.undo.take().unwrap_or_default();
        self.take_back(noted);
    }

    /// Power is lost: what was committed and is not settled is taken back too.
    pub(super) fn lose(&mut self) {
        self.rollback();
        let noted = std::mem::take(&mut self.behind);
        self.take_back(noted);
    }

    fn take_back(&mut self, noted: Vec<(K, Option<V>)>) {
        for (key, before) in noted.into_iter().rev() {
            match before {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }

    /// Sets a value.
    pub(super) fn insert(&mut self, key: K, value: V) {
        match &mut self.undo {
            Some(undo) => {
                let before = self.map.insert(key.clone(), value);
                undo.push((key, before));
            }
            None => {
                self.map.insert(key, value);
            }
        }
    }

    /// Takes a value away; says whether there was one.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        let Some(before) = self.map.remove(key) else {
            return false;
        };
        if let Some(undo) = &mut self.undo {
            undo.push((key.clone(), Some(before)));
        }
        true
    }

    /// Takes away all for which `keep` is false.
    pub(super) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let gone: Vec<K> = self
            .map
            .iter()
            .filter(|(k, v)| !keep(k, v))
            .map(|(k, _)| k.clone())
            .collect();
        for key in &gone {
            self.remove(key);
        }
    }

    /// The value of a key.
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    /// The map, for ordered walks.
    pub(super) fn map(&self) -> &BTreeMap<K, V> {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_restores_what_was_replaced_removed_and_added() {
        let mut table = Table::default();
        table.insert("a", 1);
        table.insert("b", 2);
        let before = table.map().clone();
        table.begin();
        table.insert("a", 10);
        table.insert("a", 11);
        table.remove(&"b");
        table.insert("c", 3);
        table.remove(&"c");
        table.insert("d", 4);
        table.rollback();
        assert_eq!(table.map(), &before);
        table.begin();
        table.retain(|_, v| *v == 2);
        table.commit();
        table.rollback();
        assert_eq!(table.map().keys().collect::<Vec<_>>(), [&"b"]);
        table.begin();
        table.insert("b", 5);
        table.commit_behind();
        table.begin();
        table.insert("b", 6);
        table.rollback();
        assert_eq!(table.get("b"), Some(&5));
        table.lose();
        assert_eq!(table.get("b"), Some(&2));
        table.begin();
        table.insert("b", 7);
        table.commit_behind();
        table.settle();
        table.lose();
        assert_eq!(table.get("b"), Some(&7));
    }
}
