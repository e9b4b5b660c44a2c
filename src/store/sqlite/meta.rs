//! The table `meta`: book-keeping by name.

use crate::engine::ports::Stored;

use super::Db;

pub(super) fn get(db: &Db, key: &str) -> Stored<Option<String>> {
    db.one("SELECT value FROM meta WHERE key = ?1", [key], |row| {
        row.get(0)
    })
}

pub(super) fn set(db: &Db, key: &str, value: &str) -> Stored<()> {
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
    db.run(sql, [key, value]).map(drop)
}

/// The walk ends at the first name without the prefix: no upper bound has to be made up, and no
/// wildcard can stand in it.
pub(super) fn with_prefix(db: &Db, prefix: &str) -> Stored<Vec<(String, String)>> {
    let sql = "SELECT key, value FROM meta WHERE key >= ?1 ORDER BY key";
    db.rows(sql, [prefix], |row| {
        let key: String = row.get(0)?;
        Ok(if key.starts_with(prefix) {
            Some((key, row.get(1)?))
        } else {
            None
        })
    })
}
