//! Reading a stage in key order: its sorted chunks merged. Of each chunk that has begun and is not
//! over, one block is in memory: of rows that were read in key order, one or two.

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
    /// Chunks that have not begun, the one with the least first key last.
    waiting: Vec<Waiting>,
    sources: Vec<Source>,
    heads: BinaryHeap<Reverse<Head>>,
    /// Whether any row of the stage was dropped.
    drops: bool,
    /// The last key given out: where the caller goes on if it asks for what comes next.
    given: Option<String>,
    /// After which key it began.
    start: Option<String>,
}

/// A chunk of which no row was needed yet.
#[derive(Debug)]
struct Waiting {
    first_key: String,
    first: i64,
    last: i64,
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
        // Of chunks with one first key the earlier comes first.
        let sql = "SELECT first, last, first_key FROM chunks ORDER BY first_key DESC, first DESC";
        let waiting = db.all(sql, [], |row| {
            Ok(Waiting {
                first: row.get(0)?,
                last: row.get(1)?,
                first_key: row.get(2)?,
            })
        })?;
        let sql = "SELECT EXISTS (SELECT 1 FROM dropped)";
        let drops = db.one(sql, [], |row| row.get(0))?.unwrap_or(false);
        Ok(Merge {
            waiting,
            sources: Vec::new(),
            heads: BinaryHeap::new(),
            drops,
            given: after.map(str::to_owned),
            start: after.map(str::to_owned),
        })
    }

    /// Begins the chunks that may have the next row.
    fn begin(&mut self, db: &Db) -> Stored<()> {
        loop {
            let next = self.heads.peek().map(|head| head.0.row.key.as_str());
            let due = |waiting: &mut Waiting| next.is_none_or(|key| *waiting.first_key <= *key);
            let Some(waiting) = self.waiting.pop_if(due) else {
                return Ok(());
            };
            let after = self.start.as_deref();
            let mut source = Source {
                next: match after {
                    Some(key) => seek(db, waiting.first, waiting.last, key)?,
                    None => waiting.first,
                },
                last: waiting.last,
                block: Block::default(),
                pos: waiting.first,
                dropped: Vec::new(),
                drops: self.drops,
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
                let head = Head::new(self.sources.len(), row);
                self.heads.push(Reverse(head));
                self.sources.push(source);
            }
        }
    }

    /// Whether what comes next is what comes after `key`.
    pub(super) fn stands_after(&self, key: Option<&str>) -> bool {
        self.given.as_deref() == key
    }

    /// The next rows: about `limit`, and all of the last key.
    pub(super) fn next(&mut self, db: &Db, limit: usize) -> Stored<Vec<Staged>> {
        let limit = limit.max(1);
        let mut out: Vec<Staged> = Vec::with_capacity(limit.min(ROOM));
        loop {
            self.begin(db)?;
            let Some(mut top) = self.heads.peek_mut() else {
                break;
            };
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
            self.given = Some(last.key.to_string());
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
                self.block = Block::default();
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
    let key = row.get_ref(0)?.as_str()?;
    let group = row.get_ref(3)?.as_str_or_null()?;
    Ok(Staged {
        seq: row.get(1)?,
        system: row.get(2)?,
        group: group.unwrap_or(key).into(),
        changed_at: row.get(4)?,
        payload: row.get(5)?,
        key: key.into(),
    })
}
