//! The writes of a call against a file: which the file has, which are new, which are refused.

use std::collections::HashMap;

use super::codec::{Binding, Raw};
use crate::engine::ports::{Write, WriteReport};

/// The writes of a call and what became of them.
pub(super) struct Upserts<'a> {
    binding: &'a Binding,
    writes: &'a [Write],
    by_key: HashMap<&'a str, usize>,
    seen: Vec<bool>,
    rejected: Vec<(usize, String)>,
}

/// What a write does to a record that the file has.
pub(super) enum Change<'a> {
    /// Nothing: the write was refused.
    Keep,
    /// Takes it away.
    Delete,
    /// Sets these columns, by position among the wanted ones.
    Set(Vec<(usize, Raw<'a>)>),
}

impl<'a> Upserts<'a> {
    /// An index over the writes by key.
    pub(super) fn new(binding: &'a Binding, writes: &'a [Write]) -> Upserts<'a> {
        let by_key = writes.iter().enumerate();
        Upserts {
            binding,
            writes,
            by_key: by_key.map(|(at, w)| (w.key.as_str(), at)).collect(),
            seen: vec![false; writes.len()],
            rejected: Vec::new(),
        }
    }

    /// The binding that the writes are of.
    pub(super) fn binding(&self) -> &'a Binding {
        self.binding
    }

    /// What happens to the record of that key, which the file has; none: nobody writes it.
    pub(super) fn meet(&mut self, key: &str) -> Option<Change<'a>> {
        let at = *self.by_key.get(key)?;
        let write = self.writes.get(at)?;
        if let Some(seen) = self.seen.get_mut(at) {
            *seen = true;
        }
        if write.delete {
            return Some(Change::Delete);
        }
        Some(match self.binding.encode(write) {
            Ok(cells) => Change::Set(cells),
            Err(why) => {
                self.rejected.push((at, why));
                Change::Keep
            }
        })
    }

    /// The cells of the first record from `from` on that the file did not have, key columns first,
    /// with the position after it.
    pub(super) fn next_new(&mut self, from: usize) -> Option<(Vec<(usize, Raw<'a>)>, usize)> {
        for (at, write) in self.writes.iter().enumerate().skip(from) {
            if write.delete || self.seen.get(at).is_some_and(|s| *s) {
                continue;
            }
            let encoded = self
                .binding
                .encode_key(write)
                .and_then(|key| Ok((key, self.binding.encode(write)?)));
            match encoded {
                Ok((key, cells)) => {
                    let keys = self.binding.key_columns().zip(key);
                    return Some((keys.chain(cells).collect(), at + 1));
                }
                Err(why) => self.rejected.push((at, why)),
            }
        }
        None
    }

    /// The report of one call.
    pub(super) fn report(mut self) -> WriteReport {
        // A record that stands in a file twice is refused once.
        self.rejected.sort();
        self.rejected.dedup();
        WriteReport {
            rejected: self.rejected,
            calls: 1,
        }
    }
}
