//! Formats of the store: how an empty file becomes a store and an old one becomes a new one.

use rusqlite::{Connection, OptionalExtension as _};

use crate::engine::ports::{StoreError, Stored};
use crate::failpoint::{Point, reach};

use super::failure::Place;

/// The format that this build reads and writes.
pub const FORMAT: u32 = 6;

/// Marks a SQLite file as a store (`PRAGMA application_id`): `sync` in ASCII.
pub const APPLICATION_ID: u32 = 0x7379_6e63;

/// The steps from each format to the next; step `i` leads to format `i + 1`. A step that has been
/// released is never changed: a new format is a new line.
const STEPS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
];

/// The tables without which a file is no store of format [`FORMAT`].
const TABLES: &[&str] = &[
    "conflicts",
    "dead_letters",
    "event_ids_kept",
    "events_kept",
    "meta",
    "outbox_kept",
    "owed",
    "quarantine",
    "records_fresh",
    "records_settled",
    "runs",
];

/// What a file is, told by its header and schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing in it yet.
    Empty,
    /// A store of this format.
    Store(u32),
}

/// Looks at the header and the schema, not at the data.
pub(super) fn kind(conn: &Connection, place: &Place) -> Stored<Kind> {
    let id: i64 = conn
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|e| place.failed(e))?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| place.failed(e))?;
    if tables == 0 && (id == 0 || id == i64::from(APPLICATION_ID)) {
        return Ok(Kind::Empty);
    }
    if id != i64::from(APPLICATION_ID) {
        return Err(place.foreign());
    }
    let format: Option<String> = conn
        .query_row("SELECT value FROM meta WHERE key = 'format'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(|e| place.failed(e))?;
    match format.as_deref().map(str::parse) {
        Some(Ok(format)) => Ok(Kind::Store(format)),
        _ => Err(place.damaged("its `meta` table does not say which format it has")),
    }
}

/// Brings a store to [`FORMAT`], all steps in one transaction.
pub(super) fn migrate(conn: &Connection, place: &Place, kind: Kind) -> Stored<()> {
    let from = match kind {
        Kind::Empty => 0,
        Kind::Store(format) => format,
    };
    check_format(place, from)?;
    if from < FORMAT {
        let run = |sql: &str| conn.execute_batch(sql).map_err(|e| place.failed(e));
        run("BEGIN IMMEDIATE")?;
        let done = steps(from)
            .try_for_each(run)
            .and_then(|()| {
                run(&format!(
                    "INSERT INTO meta (key, value) VALUES ('format', '{FORMAT}') \
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value; \
                     PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
                ))
            })
            .and_then(|()| {
                reach(Point::StoreMigrating);
                run("COMMIT")
            });
        if let Err(error) = done {
            // The step's own error is the one to show; the transaction ends with the connection
            // even where this fails.
            let _ = conn.execute_batch("ROLLBACK");
            return Err(error);
        }
    }
    check_tables(conn, place)
}

/// What is only looked at is not brought up to date.
pub(super) fn check_current(place: &Place, format: u32) -> Stored<()> {
    check_format(place, format)?;
    if format == FORMAT {
        return Ok(());
    }
    Err(StoreError {
        message: format!("`{place}` has store format {format}; this Syncline reads {FORMAT}"),
        remedy: Some(
            "run its plan once with `syncline run`, which brings it up to date".to_owned(),
        ),
        full: false,
    })
}

/// Refuses formats that this build cannot read.
pub(super) fn check_format(place: &Place, format: u32) -> Stored<()> {
    if format <= FORMAT {
        return Ok(());
    }
    Err(StoreError {
        message: format!(
            "`{place}` has store format {format}; this Syncline knows formats up to {FORMAT}"
        ),
        remedy: Some(
            "use the Syncline release that wrote it, or a newer one; an older one cannot read it"
                .to_owned(),
        ),
        full: false,
    })
}

/// Asks for every table that a store has.
pub(super) fn check_tables(conn: &Connection, place: &Place) -> Stored<()> {
    for table in TABLES {
        let there = conn
            .table_exists(None, *table)
            .map_err(|e| place.failed(e))?;
        if !there {
            return Err(place.damaged(&format!("the table `{table}` is missing")));
        }
    }
    Ok(())
}

fn steps(from: u32) -> impl Iterator<Item = &'static str> {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    STEPS.iter().skip(from).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_step_to_every_format() {
        assert_eq!(u32::try_from(STEPS.len()), Ok(FORMAT));
        assert_eq!(steps(0).count(), STEPS.len());
        assert_eq!(steps(FORMAT).count(), 0);
    }
}
