//! The table `records`: one register a row, in the order in which runs write them.

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
