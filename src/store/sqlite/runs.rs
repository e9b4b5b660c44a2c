//! The table `runs`: what each scheduled run did.

use std::collections::BTreeMap;

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Row, params};
use serde::de::DeserializeOwned;

use crate::engine::ports::{RunCounts, RunRecord, RunStatus, Stored};
use crate::time::Instant;

use super::{Db, limit};
use crate::store::memory::unknown_run;

/// A column that holds JSON.
pub(super) fn json_column<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(at)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))
}

fn json_map(map: &BTreeMap<String, impl Clone + Into<serde_json::Value>>) -> String {
    let object: serde_json::Map<String, serde_json::Value> = map
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    serde_json::Value::Object(object).to_string()
}

fn status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Reading => "reading",
        RunStatus::Writing => "writing",
        RunStatus::Done => "done",
        RunStatus::Partial => "partial",
        RunStatus::Aborted => "aborted",
        RunStatus::Failed => "failed",
    }
}

fn status(row: &Row<'_>, at: usize) -> rusqlite::Result<RunStatus> {
    Ok(match row.get_ref(at)?.as_str()? {
        "reading" => RunStatus::Reading,
        "writing" => RunStatus::Writing,
        "done" => RunStatus::Done,
        "partial" => RunStatus::Partial,
        "aborted" => RunStatus::Aborted,
        "failed" => RunStatus::Failed,
        _ => return Err(FromSqlError::InvalidType.into()),
    })
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let count = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(RunRecord {
        id: row.get(0)?,
        scenario: row.get(1)?,
        why: row.get(2)?,
        status: status(row, 3)?,
        started: Instant(row.get(4)?),
        ended: row.get::<_, Option<i64>>(5)?.map(Instant),
        counts: RunCounts {
            read: count(6)?,
            changed: count(7)?,
            deduplicated: count(8)?,
            quarantined: count(9)?,
            written: count(10)?,
            failed: count(11)?,
            conflicts: count(12)?,
            drift: count(13)?,
            postponed: count(21)?,
        },
        calls: json_column(row, 14)?,
        cursor_before: json_column(row, 15)?,
        cursor_after: json_column(row, 16)?,
        confirmed: row.get(17)?,
        committed: row.get(18)?,
        note: row.get(19)?,
        goes_on: row.get::<_, Option<i64>>(20)?.map(Instant),
    })
}

/// The columns of [`run`], in its order.
macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, scenario, why, status, started_at, ended_at, read, changed, \
             deduplicated, quarantined, written, failed, conflicts, drift, calls, cursor_before, \
             cursor_after, confirmed, committed, note, goes_on_at, postponed FROM runs ",
            $rest
        )
    };
}

/// Writes a run's columns; `?1` is its number, or null where it has none yet.
fn write(db: &Db, sql: &str, id: Option<i64>, run: &RunRecord) -> Stored<Option<i64>> {
    let counts = &run.counts;
    db.one(
        sql,
        params![
            id,
            run.scenario,
            run.why,
            status_name(run.status),
            run.started.0,
            run.ended.map(|at| at.0),
            counts.read.cast_signed(),
            counts.changed.cast_signed(),
            counts.deduplicated.cast_signed(),
            counts.quarantined.cast_signed(),
            counts.written.cast_signed(),
            counts.failed.cast_signed(),
            counts.conflicts.cast_signed(),
            counts.drift.cast_signed(),
            json_map(&run.calls),
            json_map(&run.cursor_before),
            json_map(&run.cursor_after),
            run.confirmed,
            run.committed,
            run.note,
            run.goes_on.map(|at| at.0),
            counts.postponed.cast_signed(),
        ],
        |row| row.get(0),
    )
}

pub(super) fn open_run(db: &Db, run: &RunRecord) -> Stored<i64> {
    let sql = "INSERT INTO runs (id, scenario, why, status, started_at, ended_at, read, changed, \
               deduplicated, quarantined, written, failed, conflicts, drift, calls, \
               cursor_before, cursor_after, confirmed, committed, note, goes_on_at, postponed) VALUES \
               (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
               ?20, ?21, ?22) \
               RETURNING id";
    write(db, sql, None, run)?.ok_or_else(|| super::misuse("the store gave a run no number"))
}

pub(super) fn put(db: &Db, run: &RunRecord) -> Stored<()> {
    let sql = "UPDATE runs SET scenario = ?2, why = ?3, status = ?4, started_at = ?5, \
               ended_at = ?6, read = ?7, changed = ?8, deduplicated = ?9, quarantined = ?10, \
               written = ?11, failed = ?12, conflicts = ?13, drift = ?14, calls = ?15, \
               cursor_before = ?16, cursor_after = ?17, confirmed = ?18, committed = ?19, \
               note = ?20, goes_on_at = ?21, postponed = ?22 WHERE id = ?1 RETURNING id";
    match write(db, sql, Some(run.id), run)? {
        Some(_) => Ok(()),
        None => Err(unknown_run(run.id)),
    }
}

pub(super) fn list(db: &Db, scenario: Option<&str>, most: usize) -> Stored<Vec<RunRecord>> {
    match scenario {
        Some(name) => {
            let sql = columns!("WHERE scenario = ?1 ORDER BY id DESC LIMIT ?2");
            db.all(sql, params![name, limit(most)], run)
        }
        None => db.all(columns!("ORDER BY id DESC LIMIT ?1"), [limit(most)], run),
    }
}

pub(super) fn get(db: &Db, id: i64) -> Stored<Option<RunRecord>> {
    db.one(columns!("WHERE id = ?1"), [id], run)
}

pub(super) fn open_runs(db: &Db) -> Stored<Vec<RunRecord>> {
    db.all(columns!("WHERE ended_at IS NULL ORDER BY id"), [], run)
}
