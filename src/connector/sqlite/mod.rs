//! `sqlite`: tables and views of one SQLite file.
//!
//! Option `path`: the file, which has to exist; a map's object is a table or a view.
//!
//! Reading pages by rowid, by the primary key where there is no rowid, and a view by a temporary
//! copy, so that a page is never shifted by what others write meanwhile. A read by change goes in
//! the order of the cursor, ties included, from the last cursor less the overlap.
//!
//! Writing is one transaction a batch, durable when it returns (`synchronous` FULL; the file's
//! journal mode stays as it is). A record that the table refuses is rejected with SQLite's words
//! while the others go on.

mod read;
mod table;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::codec::Binding;
use super::failure::{file as file_failure, reject, retry, setup};
use super::file::{bindings, identity, no_such_map};
use crate::engine::cause::with_words;
use crate::engine::ports::{
    Connector, EventPage, Failure, MapIx, Page, ReadRequest, SystemIx, WriteReport, WriteRequest,
};
use crate::plan::Plan;
use read::Snapshot;
use table::Table;

/// How long a call waits for somebody else's lock before it is tried again later.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// Memory for pages of the file, in KiB.
const CACHE_KIB: i64 = 32 * 1024;

/// A system that is a SQLite file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    maps: BTreeMap<MapIx, Binding>,
    open: Option<Open>,
    busy_wait: Duration,
}

/// The open file.
#[derive(Debug)]
struct Open {
    connection: Connection,
    /// Which file it is, to notice that another took its place.
    identity: String,
    /// The copy of the view that is being read.
    snapshot: Option<Snapshot>,
}

impl Sqlite {
    /// A system whose option `path` is `path`; the file is opened with the first call.
    pub fn open(plan: &Plan, system: SystemIx, path: PathBuf) -> Result<Sqlite, Failure> {
        Ok(Sqlite {
            path,
            maps: bindings(plan, system)?.into_iter().collect(),
            open: None,
            busy_wait: BUSY_WAIT,
        })
    }

    /// The binding and the open file with the map's table.
    fn of(&mut self, map: MapIx) -> Result<(&Binding, &mut Open, Table), Failure> {
        let binding = self.maps.get(&map).ok_or_else(|| no_such_map(map))?;
        let path = &self.path;
        // Asked by name: closing a handle of its own would drop SQLite's locks on the file.
        let found = std::fs::metadata(path).map_err(|e| missing_file(path, binding, &e))?;
        let found = identity(&found);
        if self.open.as_ref().is_some_and(|o| o.identity != found) {
            self.open = None;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Open {
                connection: connect(path, self.busy_wait).map_err(|e| failure(path, "open", &e))?,
                identity: found,
                snapshot: None,
            },
        };
        let open = self.open.insert(open);
        let table = Table::describe(&open.connection, path, binding)?;
        Ok((binding, open, table))
    }
}

impl Connector for Sqlite {
    fn read(&mut self, request: &ReadRequest) -> Result<Page, Failure> {
        let path = self.path.clone();
        let (binding, open, table) = self.of(request.map)?;
        table.complete(&path, binding)?;
        read::page(open, &path, binding, &table, request)
    }

    fn write(&mut self, request: &WriteRequest) -> Result<WriteReport, Failure> {
        let path = self.path.clone();
        let (binding, open, table) = self.of(request.map)?;
        table.complete(&path, binding)?;
        write::batch(&open.connection, &path, binding, &table, &request.writes)
    }

    fn events(&mut self, _: Option<&str>, _: usize) -> Result<EventPage, Failure> {
        Err(reject(
            format!("`{}` tells of no events", self.path.display()),
            "read it on a schedule, by a cursor column",
        ))
    }
}

fn connect(path: &Path, busy_wait: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_wait)?;
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    // Keys out of order touch pages all over the index.
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

fn missing_file(path: &Path, binding: &Binding, error: &std::io::Error) -> Failure {
    let mut failure = file_failure("open", path, error);
    if error.kind() == std::io::ErrorKind::NotFound {
        failure.remedy = Some(format!(
            "correct the option `path`, or create the file: sqlite3 '{}' '{}'",
            path.display(),
            table::creation(binding)
        ));
    }
    failure
}

/// A failed statement that concerns no single record.
fn failure(path: &Path, doing: &str, error: &rusqlite::Error) -> Failure {
    let message = format!("cannot {doing} `{}`: {}", path.display(), words(error));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => retry(
            message,
            "another program holds a lock on the file: let it finish, or end its transaction",
        ),
        Some(ErrorCode::DiskFull) => retry(message, "free some space on that disk"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => setup(
            message,
            "allow the user that runs Syncline to write the file and its directory",
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => setup(
            message,
            "point the option `path` at a SQLite file; `PRAGMA integrity_check` tells what is wrong",
        ),
        Some(ErrorCode::CannotOpen) => setup(message, "correct the option `path` of the system"),
        Some(ErrorCode::ConstraintViolation) => {
            reject(message, "correct the record, or the table's constraint")
        }
        Some(ErrorCode::SchemaChanged | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
            retry(message, "look after that disk and the machine's memory")
        }
        _ => setup(message, "compare the map with the file's schema"),
    }
}

/// SQLite's own words. They name columns and constraints; what a trigger or a function says may be
/// made of values.
fn words(error: &rusqlite::Error) -> String {
    use rusqlite::ffi::{
        SQLITE_CONSTRAINT_FUNCTION, SQLITE_CONSTRAINT_TRIGGER, SQLITE_CONSTRAINT_VTAB,
    };
    match error {
        rusqlite::Error::SqliteFailure(code, Some(message)) => match code.extended_code {
            SQLITE_CONSTRAINT_TRIGGER => with_words("a trigger of the table refuses it", message),
            SQLITE_CONSTRAINT_FUNCTION | SQLITE_CONSTRAINT_VTAB => {
                with_words("a function of the table refuses it", message)
            }
            _ => message.clone(),
        },
        other => other.to_string(),
    }
}

/// A name as SQL takes it, whatever it holds.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
