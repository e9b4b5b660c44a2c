//! The files of stages: their names, how they are made, found again and removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use crate::engine::ports::{StoreError, Stored};

use super::super::failure::{Place, Role};
use super::super::open::{OpenMode, beside, make_private};
use super::super::{APPLICATION_ID, Db};

/// The format of a stage. One of another format counts as empty: it does not outlive its run.
const STAGE_FORMAT: i64 = 4;

const SCHEMA: &str = include_str!("schema.sql");

/// Where stages are.
#[derive(Debug)]
pub(super) struct Files {
    /// The store's own path; `None`: in memory.
    store: Option<PathBuf>,
    allowed: bool,
}

impl Files {
    pub(super) fn new(store: &Path, mode: OpenMode) -> Self {
        Files {
            store: (mode != OpenMode::Memory).then(|| store.to_owned()),
            allowed: matches!(mode, OpenMode::Run | OpenMode::Memory),
        }
    }

    fn path(&self, run: i64) -> Option<PathBuf> {
        let store = self.store.as_deref()?;
        Some(beside(store, &format!("-stage-{run}.db")))
    }

    fn check(&self) -> Stored<()> {
        if self.allowed {
            return Ok(());
        }
        Err(StoreError {
            message: "only the runner of a store may use its stages".to_owned(),
            remedy: Some("this is a fault of Syncline's own; please report it".to_owned()),
            full: false,
        })
    }

    /// Makes an empty stage.
    pub(super) fn create(&self, run: i64) -> Stored<Db> {
        self.check()?;
        let db = self.connect(run)?;
        let all = || -> rusqlite::Result<()> {
            db.conn.execute_batch("PRAGMA page_size = 16384")?;
            set_up(&db.conn)?;
            db.conn.execute_batch("BEGIN")?;
            db.conn.execute_batch(SCHEMA)?;
            db.conn.execute(
                "INSERT INTO stage (run, boot, rows) VALUES (?1, ?2, 0)",
                params![run, boot()],
            )?;
            db.conn
                .pragma_update(None, "application_id", APPLICATION_ID)?;
            db.conn.pragma_update(None, "user_version", STAGE_FORMAT)?;
            db.conn.execute_batch("COMMIT")
        };
        all().map_err(|e| db.failed(e))?;
        Ok(db)
    }

    /// The stage that an earlier process left, if it can be trusted. One that cannot is removed.
    pub(super) fn find(&self, run: i64) -> Stored<Option<Db>> {
        self.check()?;
        if !self.path(run).is_some_and(|path| path.exists()) {
            return Ok(None);
        }
        let db = self.connect(run)?;
        match trusted(&db, run) {
            Ok(true) => return Ok(Some(db)),
            Ok(false) => {}
            // What says nothing about the file must not cost it.
            Err(error) if passing(&error) => return Err(db.failed(error)),
            Err(_) => {}
        }
        drop(db);
        self.remove(run)?;
        Ok(None)
    }

    /// Removes a stage with everything that SQLite keeps beside it.
    pub(super) fn remove(&self, run: i64) -> Stored<()> {
        self.check()?;
        match self.path(run) {
            Some(path) => remove(&path),
            None => Ok(()),
        }
    }

    /// Removes the stages of all runs but these. What cannot be removed stays: it harms nobody.
    pub(super) fn drop_leftovers(&self, keep: &[i64]) {
        let Some(store) = &self.store else { return };
        let (Some(parent), Some(name)) = (store.parent(), store.file_name()) else {
            return;
        };
        let prefix = format!("{}-stage-", name.to_string_lossy());
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let run = name
                .to_str()
                .and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(".db"))
                .and_then(|run| run.parse::<i64>().ok());
            if run.is_some_and(|run| !keep.contains(&run)) {
                let _ = remove(&entry.path());
            }
        }
    }

    fn connect(&self, run: i64) -> Stored<Db> {
        let path = self.path(run);
        let place = Place::new(
            path.as_deref().unwrap_or(Path::new(":memory:")),
            Role::Stage,
        );
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = match &path {
            Some(path) => {
                make_private(path).map_err(|e| place.io("create", &e))?;
                Connection::open_with_flags(path, flags)
            }
            None => Connection::open_in_memory(),
        }
        .map_err(|e| place.failed(e))?;
        Ok(Db::new(conn, place, None))
    }
}

fn remove(path: &Path) -> Stored<()> {
    // The database last: as long as it is there, what is beside it is looked for.
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let path = beside(path, suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Place::new(&path, Role::Stage).io("remove", &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Never synced; nobody else opens it; 4 MB of pages, since each is read once. Nearly all of it is
/// new pages, of which a journal of what was there before keeps nothing: they are written once, where
/// a log ahead would have them written twice.
fn set_up(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA journal_mode = TRUNCATE;
         PRAGMA synchronous = OFF;
         PRAGMA cache_size = -4096;
         PRAGMA temp_store = FILE;",
    )
}

/// Whether a stage is this run's, of this format, made since the machine started, and whole as far
/// as its own count tells.
fn trusted(db: &Db, run: i64) -> rusqlite::Result<bool> {
    set_up(&db.conn)?;
    let number = |name| db.conn.pragma_query_value(None, name, |row| row.get(0));
    let (id, format): (i64, i64) = (number("application_id")?, number("user_version")?);
    let (of, made): (i64, String) =
        db.conn
            .query_row("SELECT run, boot FROM stage", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
    if id != i64::from(APPLICATION_ID) || format != STAGE_FORMAT || of != run || made != boot() {
        return Ok(false);
    }
    // A file that is shorter than its pages says so here.
    let pages: i64 = number("page_count")?;
    let size: i64 = number("page_size")?;
    let length = fs::metadata(db.place.path()).map_or(0, |meta| meta.len());
    let whole = length >= pages.saturating_mul(size).unsigned_abs();
    if !whole || !made.is_empty() {
        return Ok(whole);
    }
    // Where the system does not name its boots, the content has to speak for itself.
    db.conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map(|answer| answer == "ok")
}

/// Names the machine's present boot; empty where the system does not tell.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Whether an error may be gone at the next try.
fn passing(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
        )
    )
}
