//! The tables `quarantine`, `conflicts` and `owed`: records that wait for a person or a run.

use rusqlite::params;

use crate::engine::ports::{Conflict, Quarantined, Stored};
use crate::time::Instant;

use super::{Db, limit};

pub(super) fn put_quarantined(db: &Db, records: &[Quarantined]) -> Stored<()> {
    let sql = "INSERT INTO quarantine (run, scenario, system, entity, key, reason, record) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    for record in records {
        db.run(
            sql,
            params![
                record.run,
                record.scenario,
                record.system,
                record.entity,
                record.key,
                record.reason,
                record.record,
            ],
        )?;
    }
    Ok(())
}

pub(super) fn quarantined(db: &Db, run: i64, most: usize) -> Stored<Vec<Quarantined>> {
    let sql = "SELECT run, scenario, system, entity, key, reason, record FROM quarantine \
               WHERE run = ?1 ORDER BY id LIMIT ?2";
    db.all(sql, [run, limit(most)], |row| {
        Ok(Quarantined {
            run: row.get(0)?,
            scenario: row.get(1)?,
            system: row.get(2)?,
            entity: row.get(3)?,
            key: row.get(4)?,
            reason: row.get(5)?,
            record: row.get(6)?,
        })
    })
}

pub(super) fn put_conflict(db: &Db, conflict: &Conflict) -> Stored<()> {
    db.run(
        "INSERT OR REPLACE INTO conflicts (entity, key, field, \"values\", since_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            conflict.entity,
            conflict.key,
            conflict.field,
            conflict.values,
            conflict.since.0,
        ],
    )
    .map(drop)
}

pub(super) fn clear_conflict(db: &Db, entity: &str, key: &str, field: &str) -> Stored<()> {
    let sql = "DELETE FROM conflicts WHERE entity = ?1 AND key = ?2 AND field = ?3";
    db.run(sql, [entity, key, field]).map(drop)
}

pub(super) fn conflicts(db: &Db) -> Stored<Vec<Conflict>> {
    let sql = "SELECT entity, key, field, \"values\", since_at FROM conflicts \
               ORDER BY entity, key, field";
    db.all(sql, [], |row| {
        Ok(Conflict {
            entity: row.get(0)?,
            key: row.get(1)?,
            field: row.get(2)?,
            values: row.get(3)?,
            since: Instant(row.get(4)?),
        })
    })
}

pub(super) fn put_owed(db: &Db, scenario: &str, entity: &str, key: &str) -> Stored<()> {
    let sql = "INSERT OR IGNORE INTO owed (scenario, entity, key) VALUES (?1, ?2, ?3)";
    db.run(sql, [scenario, entity, key]).map(drop)
}

pub(super) fn owed(db: &Db, scenario: &str) -> Stored<Vec<(String, String)>> {
    let sql = "SELECT entity, key FROM owed WHERE scenario = ?1 ORDER BY entity, key";
    db.all(sql, [scenario], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn clear_owed(db: &Db, scenario: &str) -> Stored<()> {
    db.run("DELETE FROM owed WHERE scenario = ?1", [scenario])
        .map(drop)
}
