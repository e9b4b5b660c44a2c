//! Reading a stage in key order: its sorted chunks merged, a few rows of each in memory.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::vec;

use rusqlite::{Row, params};

use crate::engine::ports::{Staged, Stored};

use super::super::Db;

/// Rows held in memory over all chunks, about. With many chunks each has few: memory stays flat.
const HELD: usize = 65_536;

/// The fewest and the most rows fetched from a chunk at once.
const FETCH: (usize, usize) = (4, 256);

/// A walk over all chunks at once.
#[derive(Debug)]
pub(super) struct Merge {
    sources: Vec<Source>,
    heads: BinaryHeap<Reverse<Head>>,
    /// The last key given out: where the caller goes on if it asks for what comes next.
    given: Option<String>,
    fetch: usize,
}

/// What is left of a chunk.
#[derive(Debug)]
struct Source {
    next: i64,
    last: i64,
    held: vec::IntoIter<Staged>,
}

/// The first row of a source, ordered by key, order of reading and source.
#[derive(Debug)]
struct Head {
    /// The key's first bytes as a number: most comparisons end here.
    prefix: u64,
    source: usize,
    row: Staged,
}

impl Head {
    fn new(source: usize, row: Staged) -> Self {
        let mut prefix = [0; 8];
        for (to, from) in prefix.iter_mut().zip(row.key.as_bytes()) {
            *to = *from;
        }
        Head {
            prefix: u64::from_be_bytes(prefix),
            source,
            row,
        }
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.prefix.cmp(&other.prefix).then_with(|| {
            let (a, b) = (&self.row, &other.row);
            (&a.key, a.seq, self.source).cmp(&(&b.key, b.seq, other.source))
        })
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

impl Merge {
    /// Starts after a key.
    pub(super) fn start(db: &Db, after: Option<&str>) -> Stored<Self> {
        let sql = "SELECT first, last FROM chunks ORDER BY first";
        let chunks: Vec<(i64, i64)> = db.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let fetch = (HELD / chunks.len().max(1)).clamp(FETCH.0, FETCH.1);
        let mut merge = Merge {
            sources: Vec::with_capacity(chunks.len()),
            heads: BinaryHeap::with_capacity(chunks.len()),
            given: after.map(str::to_owned),
            fetch,
        };
        for (first, last) in chunks {
            let mut source = Source {
                next: match after {
                    Some(key) => seek(db, first, last, key)?,
                    None => first,
                },
                last,
                held: Vec::new().into_iter(),
            };
            if let Some(row) = source.take(db, fetch)? {
                merge
                    .heads
                    .push(Reverse(Head::new(merge.sources.len(), row)));
                merge.sources.push(source);
            }
        }
        Ok(merge)
    }

    /// Whether what comes next is what comes after `key`.
    pub(super) fn stands_after(&self, key: Option<&str>) -> bool {
        self.given.as_deref() == key
    }

    /// The next rows: about `limit`, and all of the last key.
    pub(super) fn next(&mut self, db: &Db, limit: usize) -> Stored<Vec<Staged>> {
        let limit = limit.max(1);
        let mut out: Vec<Staged> = Vec::with_capacity(limit.min(HELD));
        while let Some(mut top) = self.heads.peek_mut() {
            let key = &top.0.row.key;
            if out.len() >= limit && out.last().is_some_and(|last| last.key != *key) {
                break;
            }
            let at = top.0.source;
            let next = match self.sources.get_mut(at) {
                Some(source) => source.take(db, self.fetch)?,
                None => None,
            };
            out.push(match next {
                // In its place: one way down the heap instead of two.
                Some(row) => std::mem::replace(&mut top.0, Head::new(at, row)).row,
                None => PeekMut::pop(top).0.row,
            });
        }
        if let Some(last) = out.last() {
            self.given = Some(last.key.clone());
        }
        Ok(out)
    }
}

impl Source {
    /// The next row, fetching some more where none is held.
    fn take(&mut self, db: &Db, fetch: usize) -> Stored<Option<Staged>> {
        if let Some(row) = self.held.next() {
            return Ok(Some(row));
        }
        if self.next > self.last {
            return Ok(None);
        }
        let mut end = self.last;
        let rows = db.all(
            "SELECT key, seq, system, \"group\", changed_at, payload, pos FROM rows \
             WHERE pos BETWEEN ?1 AND ?2 ORDER BY pos LIMIT ?3",
            params![self.next, self.last, super::super::limit(fetch)],
            |row| {
                end = row.get(6)?;
                staged(row)
            },
        )?;
        self.next = if rows.len() < fetch {
            self.last + 1
        } else {
            end + 1
        };
        self.held = rows.into_iter();
        Ok(self.held.next())
    }
}

/// Where in a chunk the keys after `key` begin. Halves the chunk; positions may have gaps.
fn seek(db: &Db, first: i64, last: i64, key: &str) -> Stored<i64> {
    let sql = "SELECT pos, key > ?3 FROM rows WHERE pos BETWEEN ?1 AND ?2 ORDER BY pos LIMIT 1";
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, bool)> = db.one(sql, params![middle, last, key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        match found {
            Some((pos, false)) => low = pos + 1,
            Some((_, true)) | None => high = middle,
        }
    }
    Ok(low)
}

/// A row from its columns `key, seq, system, group, changed_at, payload`.
pub(super) fn staged(row: &Row<'_>) -> rusqlite::Result<Staged> {
    let key: String = row.get(0)?;
    let group: Option<String> = row.get(3)?;
    Ok(Staged {
        seq: row.get(1)?,
        system: row.get(2)?,
        group: group.unwrap_or_else(|| key.clone()),
        changed_at: row.get(4)?,
        payload: row.get(5)?,
        key,
    })
}
