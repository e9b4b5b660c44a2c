//! Reading a stage in key order: its sorted chunks merged, one block of each in memory.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use rusqlite::{Row, params};

use crate::engine::ports::{Staged, Stored};

use super::super::Db;
use super::block::Block;

/// Rows for which room is made at once.
const ROOM: usize = 65_536;

/// A walk over all chunks at once.
#[derive(Debug)]
pub(super) struct Merge {
    sources: Vec<Source>,
    heads: BinaryHeap<Reverse<Head>>,
    /// The last key given out: where the caller goes on if it asks for what comes next.
    given: Option<String>,
}

/// What is left of a chunk.
#[derive(Debug)]
struct Source {
    /// Where its next block begins, at least.
    next: i64,
    last: i64,
    block: Block,
    /// The position of the block's next row.
    pos: i64,
    /// Positions of the block whose rows were dropped, ascending from the next on.
    dropped: Vec<i64>,
    /// Whether any row of the stage was dropped.
    drops: bool,
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
        let sql = "SELECT EXISTS (SELECT 1 FROM dropped)";
        let drops = db.one(sql, [], |row| row.get(0))?.unwrap_or(false);
        let mut merge = Merge {
            sources: Vec::with_capacity(chunks.len()),
            heads: BinaryHeap::with_capacity(chunks.len()),
            given: after.map(str::to_owned),
        };
        for (first, last) in chunks {
            let mut source = Source {
                next: match after {
                    Some(key) => seek(db, first, last, key)?,
                    None => first,
                },
                last,
                block: Block::default(),
                pos: first,
                dropped: Vec::new(),
                drops,
            };
            let mut row = source.take(db)?;
            // The block in which the keys after `after` begin may begin before them.
            while row
                .as_ref()
                .is_some_and(|r| after.is_some_and(|after| r.key.as_str() <= after))
            {
                row = source.take(db)?;
            }
            if let Some(row) = row {
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
        let mut out: Vec<Staged> = Vec::with_capacity(limit.min(ROOM));
        while let Some(mut top) = self.heads.peek_mut() {
            let key = &top.0.row.key;
            if out.len() >= limit && out.last().is_some_and(|last| last.key != *key) {
                break;
            }
            let at = top.0.source;
            let next = match self.sources.get_mut(at) {
                Some(source) => source.take(db)?,
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
    /// The next row.
    fn take(&mut self, db: &Db) -> Stored<Option<Staged>> {
        loop {
            if let Some(row) = self.block.next() {
                let pos = self.pos;
                self.pos += 1;
                if self.dropped.last() == Some(&pos) {
                    self.dropped.pop();
                    continue;
                }
                return Ok(Some(row));
            }
            if self.next > self.last || !self.fetch(db)? {
                return Ok(None);
            }
        }
    }

    /// Fetches the next block; says whether there was one.
    fn fetch(&mut self, db: &Db) -> Stored<bool> {
        let sql = "SELECT first, last, body FROM blocks WHERE first BETWEEN ?1 AND ?2 \
                   ORDER BY first LIMIT 1";
        let found: Option<(i64, i64, Vec<u8>)> =
            db.one(sql, params![self.next, self.last], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let Some((first, last, body)) = found else {
            self.next = self.last + 1;
            return Ok(false);
        };
        self.block =
            Block::new(body).ok_or_else(|| db.spoilt("a block is not as it was written"))?;
        self.pos = first;
        self.next = last + 1;
        self.dropped.clear();
        if self.drops {
            let sql = "SELECT pos FROM dropped WHERE pos BETWEEN ?1 AND ?2 ORDER BY pos DESC";
            self.dropped = db.all(sql, [first, last], |row| row.get(0))?;
        }
        Ok(true)
    }
}

/// Where in a chunk the block begins that has the first key after `key`. Halves the chunk.
fn seek(db: &Db, first: i64, last: i64, key: &str) -> Stored<i64> {
    let sql = "SELECT last, last_key > ?3 FROM blocks WHERE first BETWEEN ?1 AND ?2 \
               ORDER BY first LIMIT 1";
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, bool)> = db.one(sql, params![middle, last, key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        match found {
            Some((end, false)) => low = end + 1,
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
