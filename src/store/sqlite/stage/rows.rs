//! The rows of a stage: put in reading order, kept as sorted chunks, taken out in key order.
//!
//! Sorting everything when the first row is asked for would stop the runner for as long as it
//! takes, half a minute for ten million rows, and write all of it twice. So each put is sorted by
//! itself and the chunks are merged while they are read; puts too small to be a chunk collect in a
//! tail. A chunk is kept in blocks (see [`super::block`]); what the dedupe goes by is kept beside
//! them, and only for rows that it concerns.

use rusqlite::params;

use crate::engine::ports::{Staged, Stored, SystemIx};
use crate::plan::Keep;

use super::super::Db;
use super::block::Filling;
use super::merge::{Merge, staged};

/// A put of so many rows is a chunk of its own.
const CHUNK: usize = 4_096;

/// So many rows in the tail become a chunk.
const TAIL: usize = 16_384;

/// The fewest and the most bytes of a block, about.
const BLOCK: (usize, usize) = (1_024, 15_000);

/// Bytes that the blocks of all chunks have together when each shows one, about: with many chunks
/// each has small ones, and memory stays flat.
const SHOWN: usize = 4 * 1_024 * 1_024;

/// An open stage.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) db: Db,
    /// Rows in the tail.
    tail: usize,
    /// The walk that the last call left, as long as nothing was put or dropped since.
    merge: Option<Merge>,
}

impl Stage {
    pub(super) fn new(db: Db) -> Stored<Self> {
        let sql = "SELECT count(*) FROM tail";
        let tail = db.one(sql, [], |row| row.get::<_, i64>(0))?;
        Ok(Stage {
            db,
            tail: tail.and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
            merge: None,
        })
    }

    pub(super) fn put(&mut self, rows: Vec<Staged>) -> Stored<()> {
        self.merge = None;
        let added = rows.len();
        let tail = self.db.together(|db| {
            count(db, i64::try_from(added).unwrap_or(i64::MAX))?;
            if added >= CHUNK {
                write_chunk(db, rows)?;
                return Ok(self.tail);
            }
            write_tail(db, &rows)?;
            if self.tail + added < TAIL {
                return Ok(self.tail + added);
            }
            sort_tail(db)?;
            Ok(0)
        })?;
        self.tail = tail;
        Ok(())
    }

    pub(super) fn len(&mut self) -> Stored<u64> {
        let sql = "SELECT rows FROM stage";
        let len = self.db.one(sql, [], |row| row.get::<_, i64>(0))?;
        Ok(len.unwrap_or(0).unsigned_abs())
    }

    pub(super) fn drop_duplicates(&mut self, keep: Keep, owner: Option<SystemIx>) -> Stored<u64> {
        self.settle()?;
        self.merge = None;
        let order = match keep {
            Keep::Newest => "changed_at DESC, seq DESC, pos DESC",
            Keep::Oldest => "changed_at, seq, pos",
            Keep::Owner => "system = ?1 DESC, changed_at DESC, seq DESC, pos DESC",
        };
        let sql = format!(
            "INSERT INTO dropped (pos) SELECT pos FROM (SELECT pos, row_number() OVER \
             (PARTITION BY \"group\" ORDER BY {order}) AS place FROM groups \
             WHERE ?1 IS NOT NULL) WHERE place > 1"
        );
        self.db.together(|db| {
            let gone = db.run(&sql, [owner.map_or(-1, i64::from)])?;
            if gone > 0 {
                let sql = "DELETE FROM groups WHERE pos IN (SELECT pos FROM dropped)";
                db.run(sql, [])?;
            }
            count(db, -i64::try_from(gone).unwrap_or(i64::MAX))?;
            Ok(gone as u64)
        })
    }

    pub(super) fn after(&mut self, after: Option<&str>, limit: usize) -> Stored<Vec<Staged>> {
        self.settle()?;
        let mut merge = match self.merge.take() {
            Some(merge) if merge.stands_after(after) => merge,
            _ => Merge::start(&self.db, after)?,
        };
        let rows = merge.next(&self.db, limit)?;
        // Only now: a walk that failed half way is not gone on with.
        self.merge = Some(merge);
        Ok(rows)
    }

    /// Makes the tail a chunk.
    fn settle(&mut self) -> Stored<()> {
        if self.tail > 0 {
            self.merge = None;
            self.db.together(sort_tail)?;
            self.tail = 0;
        }
        Ok(())
    }
}

fn count(db: &Db, by: i64) -> Stored<()> {
    db.run("UPDATE stage SET rows = rows + ?1", [by]).map(drop)
}

fn write_tail(db: &Db, rows: &[Staged]) -> Stored<()> {
    let sql = "INSERT INTO tail (key, seq, system, \"group\", changed_at, payload) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let all = || -> rusqlite::Result<()> {
        let mut insert = db.conn.prepare_cached(sql)?;
        for row in rows {
            let group = (row.group != row.key).then_some(row.group.as_str());
            insert.execute(params![
                row.key.as_str(),
                row.seq,
                row.system,
                group,
                row.changed_at,
                row.payload,
            ])?;
        }
        Ok(())
    };
    all().map_err(|e| db.failed(e))
}

fn sort_tail(db: &Db) -> Stored<()> {
    let sql = "SELECT key, seq, system, \"group\", changed_at, payload FROM tail ORDER BY pos";
    let rows = db.all(sql, [], staged)?;
    write_chunk(db, rows)?;
    db.run("DELETE FROM tail", []).map(drop)
}

fn write_chunk(db: &Db, mut rows: Vec<Staged>) -> Stored<()> {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by(|a, b| (&a.key, a.seq).cmp(&(&b.key, b.seq)));
    // After all positions that were ever given: rows may be gone, their chunks are not.
    let sql = "SELECT coalesce(max(last), 0) + 1, count(*) FROM chunks";
    let found = db.one(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let (first, chunks) = found.unwrap_or((1, 0));
    let chunks = usize::try_from(chunks).unwrap_or_default() + 1;
    let most = (SHOWN / chunks).clamp(BLOCK.0, BLOCK.1);
    let all = || {
        write_blocks(db, &rows, first, most)?;
        write_groups(db, &rows, first)
    };
    all().map_err(|e| db.failed(e))?;
    let more = i64::try_from(rows.len() - 1).unwrap_or(i64::MAX);
    let first_key = rows.first().map(|row| row.key.as_str());
    let sql = "INSERT INTO chunks (first, last, first_key) VALUES (?1, ?2, ?3)";
    db.run(sql, params![first, first + more, first_key])
        .map(drop)
}

/// Rows in blocks of about `most` bytes, at positions from `first`.
fn write_blocks(db: &Db, rows: &[Staged], first: i64, most: usize) -> rusqlite::Result<()> {
    let sql = "INSERT INTO blocks (first, last, last_key, body) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = db.conn.prepare_cached(sql)?;
    let mut filling = Filling::new();
    let mut begun = first;
    let mut rest = rows.iter().zip(first..).peekable();
    while let Some((row, pos)) = rest.next() {
        filling.push(row);
        if filling.len() >= most || rest.peek().is_none() {
            insert.execute(params![begun, pos, row.key.as_str(), filling.finish()])?;
            filling.clear();
            begun = pos + 1;
        }
    }
    Ok(())
}

/// What the dedupe goes by.
fn write_groups(db: &Db, rows: &[Staged], first: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO groups (pos, seq, system, \"group\", changed_at) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = db.conn.prepare_cached(sql)?;
    for (row, pos) in rows.iter().zip(first..) {
        if !row.group.is_empty() {
            insert.execute(params![
                pos,
                row.seq,
                row.system,
                row.group.as_str(),
                row.changed_at
            ])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::OpenMode;
    use super::super::Stages;
    use super::*;

    /// More chunks than one, of all three ways to make them, against a plain sort.
    #[test]
    fn chunks_and_tail_merge_to_one_order() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut stages = Stages::new(Path::new(""), OpenMode::Memory);
        let mut all: Vec<Staged> = Vec::new();
        for size in [CHUNK + 1, 10, CHUNK, 3_000, CHUNK - 1, CHUNK - 1, 4_000, 5] {
            let rows: Vec<Staged> = (0..size)
                .map(|i| {
                    let key = format!("k{}", random.u32(..20_000));
                    Staged {
                        seq: (all.len() + i) as i64 + random.i64(0..9) * 1_000_000,
                        system: random.u16(..),
                        group: key.clone().into(),
                        changed_at: random.i64(..),
                        payload: vec![random.u8(..); 3],
                        key: key.into(),
                    }
                })
                .collect();
            all.extend(rows.iter().cloned());
            stages.put(1, rows).unwrap();
        }
        all.sort_by(|a, b| (&a.key, a.seq).cmp(&(&b.key, b.seq)));
        for (limit, start) in [(100, None), (7, Some("k1500")), (5_000, Some("k2"))] {
            let mut after = start.map(str::to_owned);
            let mut got = Vec::new();
            loop {
                let rows = stages.after(1, after.as_deref(), limit).unwrap();
                let Some(last) = rows.last() else { break };
                after = Some(last.key.to_string());
                got.extend(rows);
            }
            let from = all.partition_point(|row| start.is_some_and(|s| row.key.as_str() <= s));
            assert!(got == all[from..], "limit {limit}, start {start:?}");
        }
        let gone = stages.drop_duplicates(1, Keep::Newest, None).unwrap();
        let mut keys: Vec<&str> = all.iter().map(|row| row.key.as_str()).collect();
        keys.dedup();
        assert_eq!(gone as usize, all.len() - keys.len());
        let left = stages.after(1, Some("k1"), usize::MAX).unwrap();
        let left: Vec<&str> = left.iter().map(|row| row.key.as_str()).collect();
        let from = keys.partition_point(|key| *key <= "k1");
        assert!(left == keys[from..]);
    }
}
