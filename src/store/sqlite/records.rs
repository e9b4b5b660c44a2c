//! Registers: those of `records_fresh`, one a row, hold, and those of `records_settled` (see
//! [`settled`]) where there is no fresh one. The view `records` is both together.
//!
//! What changes by itself is fresh. A run writes in the order of keys: where it writes most of what
//! lies between its first and last key, the settled rows take it, each of their pages once. Where
//! others lie in between, as when one record in twenty has changed, each would have a page of its
//! own read and written: such records are fresh too. They move among the settled ones when there are
//! many of them, or with whatever else is written around them.

use std::cmp::Ordering;

use rusqlite::params;

use crate::engine::ports::{Stored, StoredRecord};

use super::{Db, limit, settled};

/// Records that are fresh at most (about 100 MB), and how many move at once from then on.
const FRESH_MAX: u64 = if cfg!(test) { 300 } else { 250_000 };
const MOVED: usize = if cfg!(test) { 100 } else { 4_096 };
/// Of fewer records at once none are taken for those of a run.
const FEW: usize = 16;

const FRESHEN: &str = "UPDATE records_fresh SET doc = ?3 WHERE entity = ?1 AND key = ?2";

pub(super) fn get(db: &Db, entity: &str, key: &str) -> Stored<Option<String>> {
    if any_fresh(db)? {
        let sql = "SELECT doc FROM records_fresh WHERE entity = ?1 AND key = ?2";
        let fresh = db.one(sql, [entity, key], |row| row.get(0))?;
        if fresh.is_some() {
            return Ok(fresh);
        }
    }
    settled::get(db, entity, key)
}

pub(super) fn put(db: &Db, entity: &str, key: &str, doc: &str) -> Stored<()> {
    db.readers.borrow_mut().note(entity, key);
    if any_fresh(db)? && db.run(FRESHEN, [entity, key, doc])? > 0 {
        return Ok(());
    }
    if !db.moves_records {
        // Who stands beside the runner adds no fresh one: the runner knows how many there are.
        return settled::put(db, entity, &[(key, doc)]);
    }
    let now = fresh(db)? + 1;
    let sql = "INSERT INTO records_fresh (entity, key, doc) VALUES (?1, ?2, ?3)";
    db.run(sql, [entity, key, doc])?;
    grown(db, now, 1)
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
    db.readers.borrow_mut().note(entity, last);
    let bytes = records.iter().map(|(key, doc)| key.len() + doc.len()).sum();
    if !db.moves_records || !settled::lie_apart(db, entity, (first, last), bytes)? {
        settle(db, entity, first, last)?;
        return settled::put(db, entity, records);
    }
    let before = fresh(db)?;
    let now = before + put_fresh(db, entity, records)?;
    grown(db, now, records.len())
}

/// Notes how many are fresh since `came` were written; where that is too many, the next ones move.
fn grown(db: &Db, now: u64, came: usize) -> Stored<()> {
    db.fresh.set(Some(now));
    match now > FRESH_MAX {
        true => settle_next(db, MOVED.max(2 * came)),
        false => Ok(()),
    }
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

/// Moves the fresh records of a range among the settled ones.
fn settle(db: &Db, entity: &str, first: &str, last: &str) -> Stored<()> {
    while any_fresh(db)? {
        let sql = "SELECT key, doc FROM records_fresh \
                   WHERE entity = ?1 AND key BETWEEN ?2 AND ?3 ORDER BY key LIMIT ?4";
        let bounds = params![entity, first, last, limit(MOVED)];
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let next: Vec<(String, String)> = db.all(sql, bounds, read)?;
        let Some((upto, _)) = next.last() else {
            break;
        };
        let records: Vec<(&str, &str)> = next.iter().map(|(k, d)| (&**k, &**d)).collect();
        settled::put(db, entity, &records)?;
        let sql = "DELETE FROM records_fresh WHERE entity = ?1 AND key BETWEEN ?2 AND ?3";
        let moved = db.run(sql, [entity, first, upto])? as u64;
        db.fresh
            .set(db.fresh.get().map(|n| n.saturating_sub(moved)));
    }
    Ok(())
}

/// Moves the next so many fresh records among the settled ones, in their order, and then again from
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
    // Fresh ones first: they only ever move from there among the settled ones.
    let fresh = match any_fresh(db)? {
        true => walk(db, entity, keys)?,
        false => Vec::new(),
    };
    let mut found = settled::several(db, entity, keys)?;
    for (found, fresh) in found.iter_mut().zip(fresh) {
        *found = fresh.or(found.take());
    }
    Ok(found)
}

/// Wanted records mostly lie side by side: the walk goes on from one to the next, and starts anew
/// only where others lie between. Where they always do, looking over them is soon left.
fn walk(db: &Db, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
    db.check()?;
    let sql = "SELECT key, doc FROM records_fresh WHERE entity = ?1 AND key >= ?2 ORDER BY key";
    let all = || -> rusqlite::Result<Vec<Option<String>>> {
        let mut out: Vec<Option<String>> = Vec::with_capacity(keys.len());
        let mut walk = db.conn.prepare_cached(sql)?;
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

fn fresh_after(
    db: &Db,
    entity: &str,
    after: Option<&str>,
    most: usize,
) -> Stored<Vec<StoredRecord>> {
    // Without a key to begin after, the empty one counts.
    let begins = if after.is_some() { ">" } else { ">=" };
    let sql = format!(
        "SELECT key, doc FROM records_fresh WHERE entity = ?1 AND key {begins} ?2 ORDER BY key LIMIT ?3"
    );
    let params = params![entity, after.unwrap_or(""), limit(most)];
    db.all(&sql, params, |row| {
        Ok(StoredRecord {
            key: row.get(0)?,
            doc: row.get(1)?,
        })
    })
}

pub(super) fn after(
    db: &Db,
    entity: &str,
    after: Option<&str>,
    most: usize,
) -> Stored<Vec<StoredRecord>> {
    let fresh = match any_fresh(db)? {
        true => fresh_after(db, entity, after, most)?,
        false => Vec::new(),
    };
    let settled = settled::after(db, entity, after, most)?;
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
