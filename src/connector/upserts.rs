//! The writes of a call against a file: which the file has, which are new, which are refused.

use std::collections::HashMap;

use super::codec::{Binding, Raw};
use super::event::hashed_id;
use crate::engine::ports::{Write, WriteReport};

/// The writes of a call and what became of them.
pub(super) struct Upserts<'a> {
    binding: &'a Binding,
    writes: &'a [Write],
    by_key: HashMap<&'a str, usize>,
    /// How many records of each locator are to go.
    doomed: HashMap<&'a str, usize>,
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
        let mut by_key = HashMap::with_capacity(writes.len());
        let mut doomed = HashMap::new();
        for (at, write) in writes.iter().enumerate() {
            match write.locator.as_deref().filter(|_| write.delete) {
                Some(locator) => *doomed.entry(locator).or_insert(0) += 1,
                None => {
                    by_key.insert(write.key.as_str(), at);
                }
            }
        }
        Upserts {
            binding,
            writes,
            by_key,
            doomed,
            seen: vec![false; writes.len()],
            rejected: Vec::new(),
        }
    }

    /// The binding that the writes are of.
    pub(super) fn binding(&self) -> &'a Binding {
        self.binding
    }

    /// What happens to the record of that key, which the file has; none: nobody writes it. Its
    /// locator is asked for only where some record is to go by that.
    pub(super) fn meet(
        &mut self,
        key: &str,
        locator: impl FnOnce() -> String,
    ) -> Option<Change<'a>> {
        if !self.doomed.is_empty()
            && let Some(left) = self.doomed.get_mut(locator().as_str())
            && *left > 0
        {
            *left -= 1;
            return Some(Change::Delete);
        }
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

/// Tells a record from others of its key by what it holds: of two that hold the same, either may
/// go for the other. Stays the same wherever the record moves within its file.
pub(super) fn locator<'a>(cells: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut bytes = Vec::new();
    for cell in cells {
        bytes.extend_from_slice(&(cell.len() as u64).to_be_bytes());
        bytes.extend_from_slice(cell);
    }
    let hash = hashed_id("locator", &bytes);
    // Half of it is more than enough to tell records of one key apart.
    hash.chars().skip("sha256:".len()).take(32).collect()
}
