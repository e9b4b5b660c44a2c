//! The table `records`: one register a row, in the order in which runs write them.

use std::cmp::Ordering;

use rusqlite::params;

use crate::engine::ports::{Stored, StoredRecord};

use super::{Db, limit};

pub(super) fn get(db: &Db, entity: &str, key: &str) -> Stored<Option<String>> {
    let sql = "SELECT doc FROM records WHERE entity = ?1 AND key = ?2";
    db.one(sql, [entity, key], |row| row.get(0))
}

/// `REPLACE` overwrites in place on a table with no further index: one seek a row.
pub(super) fn put(db: &Db, entity: &str, key: &str, doc: &str) -> Stored<()> {
    let sql = "INSERT OR REPLACE INTO records (entity, key, doc) VALUES (?1, ?2, ?3)";
    db.run(sql, [entity, key, doc]).map(drop)
}

/// Registers that are looked over at most on the way to a wanted one before it is looked for anew.
const PASSED: u32 = 8;

/// Wanted records mostly lie side by side: the walk goes on from one to the next, and starts anew
/// only where others lie between. Where they always do, looking over them is soon left.
pub(super) fn several(db: &Db, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
    db.check()?;
    let sql = "SELECT key, doc FROM records WHERE entity = ?1 AND key >= ?2 ORDER BY key";
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

/// The same as [`put`] for each.
pub(super) fn put_several(db: &Db, entity: &str, records: &[(&str, &str)]) -> Stored<()> {
    db.check()?;
    let sql = "INSERT OR REPLACE INTO records (entity, key, doc) VALUES (?1, ?2, ?3)";
    let all = || -> rusqlite::Result<()> {
        let mut insert = db.conn.prepare_cached(sql)?;
        for (key, doc) in records {
            insert.execute([entity, key, doc])?;
        }
        Ok(())
    };
    all().map_err(|e| db.failed(e))
}

pub(super) fn after(
    db: &Db,
    entity: &str,
    after: Option<&str>,
    most: usize,
) -> Stored<Vec<StoredRecord>> {
    let sql = match after {
        Some(_) => {
            "SELECT key, doc FROM records WHERE entity = ?1 AND key > ?2 ORDER BY key LIMIT ?3"
        }
        // Not `>=` in general; here the empty key counts.
        None => {
            "SELECT key, doc FROM records WHERE entity = ?1 AND key >= ?2 ORDER BY key LIMIT ?3"
        }
    };
    let params = params![entity, after.unwrap_or(""), limit(most)];
    db.all(sql, params, |row| {
        Ok(StoredRecord {
            key: row.get(0)?,
            doc: row.get(1)?,
        })
    })
}
