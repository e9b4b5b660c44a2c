//! Registers, one a row: those of `records_fresh` hold, and those of `records_settled` where there
//! is no fresh one. The view `records` is both together.
//!
//! A run writes in the order of keys. Where it writes most of what lies between its first and last
//! key, the great table takes them, each of its pages once. Where others lie in between, as when
//! one record in twenty has changed, every record would have a page of its own read and written:
//! such records are put apart, and move into the great table when there are many of them, or with
//! whatever else is written around them.

use std::cmp::Ordering;

use rusqlite::params;

use crate::engine::ports::{Stored, StoredRecord};

use super::{Db, limit};

/// Records that are put apart at most (about 100 MB): from then on as many move as come.
const FRESH_MAX: u64 = if cfg!(test) { 300 } else { 250_000 };
/// Of fewer records at once none are put apart.
const FEW: usize = 16;
/// Neighbours that are looked at to tell how many others lie between records, and how many there
/// have to be between two of them on average.
const LOOKS: usize = 8;
const OTHERS: usize = 4;

/// `REPLACE` overwrites in place on a table with no further index: one seek a row.
const SETTLE: &str =
    "INSERT OR REPLACE INTO records_settled (entity, key, doc) VALUES (?1, ?2, ?3)";
const FRESHEN: &str = "UPDATE records_fresh SET doc = ?3 WHERE entity = ?1 AND key = ?2";

/// Where a register is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Fresh,
    Settled,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Fresh => "records_fresh",
            Table::Settled => "records_settled",
        }
    }
}

pub(super) fn get(db: &Db, entity: &str, key: &str) -> Stored<Option<String>> {
    if any_fresh(db)? {
        let sql = "SELECT doc FROM records_fresh WHERE entity = ?1 AND key = ?2";
        let fresh = db.one(sql, [entity, key], |row| row.get(0))?;
        if fresh.is_some() {
            return Ok(fresh);
        }
    }
    let sql = "SELECT doc FROM records_settled WHERE entity = ?1 AND key = ?2";
    db.one(sql, [entity, key], |row| row.get(0))
}

/// A fresh record stays one.
pub(super) fn put(db: &Db, entity: &str, key: &str, doc: &str) -> Stored<()> {
    if any_fresh(db)? && db.run(FRESHEN, [entity, key, doc])? > 0 {
        return Ok(());
    }
    db.run(SETTLE, [entity, key, doc]).map(drop)
}

/// The same for each; their keys mostly ascend.
pub(super) fn put_several(db: &Db, entity: &str, records: &[(&str, &str)]) -> Stored<()> {
    let (Some((first, _)), Some((last, _))) = (records.first(), records.last()) else {
        return Ok(());
    };
    if records.len() < FEW || !records.is_sorted_by(|a, b| a.0 < b.0) {
        let mut records = records.iter();
        return records.try_for_each(|(key, doc)| put(db, entity, key, doc));
    }
    if !lie_apart(db, entity, records)? {
        settle(db, entity, first, last)?;
        return put_settled(db, entity, records);
    }
    let before = fresh(db)?;
    let now = before + put_fresh(db, entity, records)?;
    db.fresh.set(Some(now));
    match now > FRESH_MAX {
        true => settle_next(db, 2 * records.len()),
        false => Ok(()),
    }
}

/// Whether many other records lie between those.
fn lie_apart(db: &Db, entity: &str, records: &[(&str, &str)]) -> Stored<bool> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM records_settled \
               WHERE entity = ?1 AND key > ?2 AND key < ?3 LIMIT ?4)";
    let mut between = 0;
    for look in 0..LOOKS {
        let at = look * (records.len() - 1) / LOOKS;
        let Some([(one, _), (next, _)]) = records.get(at..at + 2) else {
            continue;
        };
        let count = params![entity, one, next, limit(4 * OTHERS)];
        let count = db.one(sql, count, |row| row.get::<_, i64>(0))?;
        between += usize::try_from(count.unwrap_or_default()).unwrap_or_default();
    }
    Ok(between >= LOOKS * OTHERS)
}

fn put_settled(db: &Db, entity: &str, records: &[(&str, &str)]) -> Stored<()> {
    db.check()?;
    let all = || -> rusqlite::Result<()> {
        let mut settle = db.conn.prepare_cached(SETTLE)?;
        for (key, doc) in records {
            settle.execute([entity, key, doc])?;
        }
        Ok(())
    };
    all().map_err(|e| db.failed(e))
}

/// Gives how many of them were not fresh before.
fn put_fresh(db: &Db, entity: &str, records: &[(&str, &str)]) -> Stored<u64> {
    db.check()?;
    let sql = "INSERT INTO records_fresh (entity, key, doc) VALUES (?1, ?2, ?3) \
               ON CONFLICT (entity, key) DO NOTHING";
    let all = || -> rusqlite::Result<u64> {
        let mut add = db.conn.prepare_cached(sql)?;
        let mut freshen = db.conn.prepare_cached(FRESHEN)?;
        let mut added = 0;
        for (key, doc) in records {
            match add.execute([entity, key, doc])? {
                0 => drop(freshen.execute([entity, key, doc])?),
                _ => added += 1,
            }
        }
        Ok(added)
    };
    all().map_err(|e| db.failed(e))
}

/// How many records are fresh.
fn fresh(db: &Db) -> Stored<u64> {
    if let Some(known) = db.fresh.get() {
        return Ok(known);
    }
    let sql = "SELECT count(*) FROM records_fresh";
    let count = db.one(sql, [], |row| row.get::<_, i64>(0))?;
    let count = u64::try_from(count.unwrap_or_default()).unwrap_or_default();
    db.fresh.set(Some(count));
    Ok(count)
}

/// Whether any may be fresh. Beside the runner nobody is told of a change, and so knows nothing.
fn any_fresh(db: &Db) -> Stored<bool> {
    Ok(!db.moves_records || fresh(db)? > 0)
}

/// Moves the fresh records of a range into the great table.
fn settle(db: &Db, entity: &str, first: &str, last: &str) -> Stored<()> {
    if !any_fresh(db)? {
        return Ok(());
    }
    let sql = "INSERT OR REPLACE INTO records_settled (entity, key, doc) \
               SELECT entity, key, doc FROM records_fresh \
               WHERE entity = ?1 AND key BETWEEN ?2 AND ?3 ORDER BY key";
    if db.run(sql, [entity, first, last])? == 0 {
        return Ok(());
    }
    let sql = "DELETE FROM records_fresh WHERE entity = ?1 AND key BETWEEN ?2 AND ?3";
    let moved = db.run(sql, [entity, first, last])? as u64;
    db.fresh
        .set(db.fresh.get().map(|n| n.saturating_sub(moved)));
    Ok(())
}

/// Moves the next so many fresh records into the great table, in their order, and then again from
/// the first on: so each stays for about the same time.
fn settle_next(db: &Db, count: usize) -> Stored<()> {
    let from = db.settled.take().unwrap_or_default();
    let sql = "SELECT entity, key FROM records_fresh WHERE (entity, key) > (?1, ?2) \
               ORDER BY entity, key LIMIT ?3";
    let bounds = params![from.0, from.1, limit(count)];
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let next: Vec<(String, String)> = db.all(sql, bounds, read)?;
    for same in next.chunk_by(|a, b| a.0 == b.0) {
        if let (Some((entity, first)), Some((_, last))) = (same.first(), same.last()) {
            settle(db, entity, first, last)?;
        }
    }
    db.settled.replace(next.into_iter().next_back());
    Ok(())
}

/// Registers that are looked over at most on the way to a wanted one before it is looked for anew.
const PASSED: u32 = 8;

pub(super) fn several(db: &Db, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
    // Fresh ones first: they only ever move from there into the great table.
    let fresh = match any_fresh(db)? {
        true => walk(db, Table::Fresh, entity, keys)?,
        false => Vec::new(),
    };
    let mut found = walk(db, Table::Settled, entity, keys)?;
    for (found, fresh) in found.iter_mut().zip(fresh) {
        *found = fresh.or(found.take());
    }
    Ok(found)
}

/// Wanted records mostly lie side by side: the walk goes on from one to the next, and starts anew
/// only where others lie between. Where they always do, looking over them is soon left.
fn walk(db: &Db, table: Table, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
    db.check()?;
    let sql = format!(
        "SELECT key, doc FROM {} WHERE entity = ?1 AND key >= ?2 ORDER BY key",
        table.name()
    );
    let all = || -> rusqlite::Result<Vec<Option<String>>> {
        let mut out: Vec<Option<String>> = Vec::with_capacity(keys.len());
        let mut walk = db.conn.prepare_cached(&sql)?;
        let mut most = PASSED;
        while let Some(from) = keys.get(out.len()) {
            let mut rows = walk.query([entity, from])?;
            let mut passed = 0;
            let mut row = rows.next()?;
            while let Some(wanted) = keys.get(out.len()) {
                let Some(found) = row else {
                    // Nothing comes after it.
                    out.push(None);
                    continue;
                };
                match found.get_ref(0)?.as_bytes()?.cmp(wanted.as_bytes()) {
                    Ordering::Less if passed >= most => {
                        most = (most / 2).max(1);
                        break;
                    }
                    Ordering::Less => passed += 1,
                    Ordering::Equal => {
                        out.push(Some(found.get(1)?));
                        if passed > 0 {
                            most = PASSED;
                        }
                        passed = 0;
                    }
                    Ordering::Greater => {
                        out.push(None);
                        continue;
                    }
                }
                row = rows.next()?;
            }
        }
        Ok(out)
    };
    all().map_err(|e| db.failed(e))
}

pub(super) fn after(
    db: &Db,
    entity: &str,
    after: Option<&str>,
    most: usize,
) -> Stored<Vec<StoredRecord>> {
    // Without a key to begin after, the empty one counts.
    let begins = if after.is_some() { ">" } else { ">=" };
    let of = |table: Table| {
        let sql = format!(
            "SELECT key, doc FROM {} WHERE entity = ?1 AND key {begins} ?2 ORDER BY key LIMIT ?3",
            table.name()
        );
        let params = params![entity, after.unwrap_or(""), limit(most)];
        db.all(&sql, params, |row| {
            Ok(StoredRecord {
                key: row.get(0)?,
                doc: row.get(1)?,
            })
        })
    };
    let fresh = match any_fresh(db)? {
        true => of(Table::Fresh)?,
        false => Vec::new(),
    };
    let settled = of(Table::Settled)?;
    if fresh.is_empty() {
        return Ok(settled);
    }
    let (mut settled, mut fresh) = (settled.into_iter().peekable(), fresh.into_iter().peekable());
    let mut both = Vec::new();
    while both.len() < most {
        let order = match (fresh.peek(), settled.peek()) {
            (Some(fresh), Some(settled)) => fresh.key.cmp(&settled.key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        if order.is_ge() {
            let old = settled.next();
            both.extend(old.filter(|_| order.is_gt()));
        }
        if order.is_le() {
            both.extend(fresh.next());
        }
    }
    Ok(both)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
