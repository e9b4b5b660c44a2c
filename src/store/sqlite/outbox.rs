//! The tables `outbox` and `dead_letters`: writes that wait and writes that were given up.

use rusqlite::{Row, params};

use crate::engine::ports::{DeadLetter, Stored, Waiting};
use crate::terms::Priority;
use crate::time::{Instant, Millis};

use super::{Db, limit, runs::json_column, untold};

/// The columns of [`waiting`], in its order.
macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT system, entity, key, scenario, fields, deletes, version, since_at, due_at, \
             attempts, error, priority FROM outbox_kept ",
            $rest
        )
    };
}

/// The statement that enters what waits, as [`put`] binds it.
macro_rules! insert {
    ($how:literal, $rest:literal) => {
        concat!(
            $how,
            " INTO outbox_kept (system, entity, key, scenario, fields, deletes, version, since_at, \
             due_at, attempts, error, priority) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            $rest
        )
    };
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        system: row.get(0)?,
        entity: row.get(1)?,
        key: row.get(2)?,
        scenario: row.get(3)?,
        fields: json_column(row, 4)?,
        delete: row.get(5)?,
        version: row.get::<_, i64>(6)?.cast_unsigned(),
        since: Instant(row.get(7)?),
        due: Instant(row.get(8)?),
        attempts: row.get(9)?,
        error: row.get(10)?,
        priority: Priority::from_word(row.get_ref(11)?.as_str()?)
            .ok_or(rusqlite::types::FromSqlError::InvalidType)?,
    })
}

pub(super) fn get(db: &Db, system: &str, entity: &str, key: &str) -> Stored<Option<Waiting>> {
    let sql = columns!("WHERE system = ?1 AND entity = ?2 AND key = ?3");
    db.one(sql, [system, entity, key], waiting)
}

/// SQLite's integers are signed: a version keeps its bits, and is only ever compared for equality.
pub(super) fn put(db: &Db, waiting: &Waiting) -> Stored<()> {
    // A list of texts always has a JSON text.
    let fields = serde_json::to_string(&waiting.fields).unwrap_or_default();
    let params = params![
        waiting.system,
        waiting.entity,
        waiting.key,
        waiting.scenario,
        fields,
        waiting.delete,
        waiting.version.cast_signed(),
        waiting.since.0,
        waiting.due.0,
        waiting.attempts,
        waiting.error,
        waiting.priority.word(),
    ];
    // What waits on does so since the same time: the index by age is left alone.
    let upsert = insert!(
        "INSERT",
        " ON CONFLICT (system, entity, key) DO UPDATE SET scenario = ?4, fields = ?5, deletes = ?6, \
         version = ?7, due_at = ?9, attempts = ?10, error = ?11, priority = ?12 WHERE since_at = ?8"
    );
    match db.run(upsert, params)? {
        0 => db.run(insert!("INSERT OR REPLACE", ""), params).map(drop),
        _ => Ok(()),
    }
}

pub(super) fn take(
    db: &Db,
    (system, entity, key): (&str, &str, &str),
    version: u64,
    scenario: Option<&str>,
) -> Stored<bool> {
    let sql = "DELETE FROM outbox_kept WHERE system = ?1 AND entity = ?2 AND key = ?3 \
               AND version = ?4 AND scenario = coalesce(?5, scenario)";
    let params = params![system, entity, key, version.cast_signed(), scenario];
    db.run(sql, params).map(|gone| gone > 0)
}

pub(super) fn due(
    db: &Db,
    system: &str,
    priority: Priority,
    now: Instant,
    most: usize,
) -> Stored<Vec<Waiting>> {
    let sql = columns!(
        "WHERE system = ?1 AND priority = ?2 AND due_at <= ?3 \
         ORDER BY due_at, since_at, entity, key LIMIT ?4"
    );
    let params = params![system, priority.word(), now.0, limit(most)];
    db.all(sql, params, waiting)
}

/// The index alone tells.
pub(super) fn due_records(
    db: &Db,
    system: &str,
    priority: Priority,
    now: Instant,
    most: usize,
) -> Stored<Vec<(String, String)>> {
    let sql = "SELECT entity, key FROM outbox_kept \
               WHERE system = ?1 AND priority = ?2 AND due_at <= ?3 \
               ORDER BY due_at, since_at, entity, key LIMIT ?4";
    let params = params![system, priority.word(), now.0, limit(most)];
    db.all(sql, params, |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn next_due(
    db: &Db,
    system: &str,
    priority: Priority,
    after: Option<Instant>,
) -> Stored<Option<Instant>> {
    // No time is so early as the least.
    let after = after.map_or(i64::MIN, |after| after.0);
    let sql = "SELECT min(due_at) FROM outbox_kept \
               WHERE system = ?1 AND priority = ?2 AND due_at > ?3";
    let due = db.one(sql, params![system, priority.word(), after], |row| {
        row.get::<_, Option<i64>>(0)
    })?;
    Ok(due.flatten().map(Instant))
}

pub(super) fn since(db: &Db, system: &str) -> Stored<Option<Instant>> {
    let sql = "SELECT min(since_at) FROM outbox_kept WHERE system = ?1";
    let since = db.one(sql, [system], |row| row.get::<_, Option<i64>>(0))?;
    Ok(since.flatten().map(Instant))
}

pub(super) fn bring_forward(db: &Db, by: Millis) -> Stored<()> {
    let by = i64::try_from(by.0).unwrap_or(i64::MAX);
    let sql = "UPDATE outbox_kept SET due_at = due_at - ?1 WHERE due_at < ?2";
    db.run(sql, params![by, i64::MAX]).map(drop)
}

pub(super) fn hold(db: &Db, scenario: &str, due: Option<Instant>) -> Stored<()> {
    match due {
        None => db.run(
            "UPDATE outbox_kept SET due_at = ?2 WHERE scenario = ?1",
            params![scenario, i64::MAX],
        ),
        Some(due) => db.run(
            "UPDATE outbox_kept SET due_at = ?2 WHERE scenario = ?1 AND due_at = ?3",
            params![scenario, due.0, i64::MAX],
        ),
    }
    .map(drop)
}

pub(super) fn counts(db: &Db) -> Stored<Vec<(String, u64)>> {
    let sql = "SELECT system, count(*) FROM outbox_kept GROUP BY system ORDER BY system";
    db.all(sql, [], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// A letter that takes another's place takes its number too: a number names one record's trouble
/// in one system. Needs an open transaction.
pub(super) fn put_dead_letter(db: &Db, letter: &DeadLetter) -> Stored<i64> {
    let update = "UPDATE dead_letters SET scenario = ?4, payload = ?5, error = ?6, attempts = ?7, \
                  first_at = ?8, last_at = ?9 WHERE system = ?1 AND entity = ?2 AND key = ?3 \
                  RETURNING id";
    // Not one upsert: that uses up a number where it only replaces.
    let insert = "INSERT INTO dead_letters (system, entity, key, scenario, payload, error, \
                  attempts, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
                  RETURNING id";
    let write = |sql| {
        let params = params![
            letter.system,
            letter.entity,
            letter.key,
            letter.scenario,
            letter.payload,
            letter.error,
            letter.attempts,
            letter.first_at.0,
            letter.last_at.0,
        ];
        db.one(sql, params, |row| row.get(0))
    };
    if let Some(id) = write(update)? {
        untold::made_again(db, id)?;
        return Ok(id);
    }
    write(insert)?.ok_or_else(|| super::misuse("the store gave a dead letter no number"))
}

pub(super) fn dead_letters(db: &Db) -> Stored<Vec<DeadLetter>> {
    let sql = "SELECT id, system, entity, key, scenario, payload, error, attempts, first_at, \
               last_at FROM dead_letters ORDER BY id";
    db.all(sql, [], |row| {
        Ok(DeadLetter {
            id: row.get(0)?,
            system: row.get(1)?,
            entity: row.get(2)?,
            key: row.get(3)?,
            scenario: row.get(4)?,
            payload: row.get(5)?,
            error: row.get(6)?,
            attempts: row.get(7)?,
            first_at: Instant(row.get(8)?),
            last_at: Instant(row.get(9)?),
        })
    })
}

/// Needs an open transaction.
pub(super) fn clear_dead_letter(db: &Db, system: &str, entity: &str, key: &str) -> Stored<()> {
    untold::forget(db, system, entity, key)?;
    let sql = "DELETE FROM dead_letters WHERE system = ?1 AND entity = ?2 AND key = ?3";
    db.run(sql, [system, entity, key]).map(drop)
}
