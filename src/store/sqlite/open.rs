//! Opening a store: who may have it open, what the file is, how SQLite is set.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::engine::ports::{StoreError, Stored};
use crate::failpoint::{Point, reach};

use super::failure::{Place, Role};
use super::migrate::{Kind, check_current, check_tables, kind, migrate};
use super::shared::{self, Shared};

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// To run a plan. One at a time: a second one is refused. Creates the file where there is none.
    Run,
    /// To read, whether or not a runner has it open. Changes nothing, creates nothing.
    Inspect,
    /// To change single things (discard a dead letter, pause a scenario), whether or not a runner
    /// has it open; waits its turn between the runner's transactions. Creates nothing, and has no
    /// stage.
    Operate,
    /// In memory, whatever the path says, and gone with the value.
    Memory,
}

/// How long to wait for another connection's transaction.
const BUSY: Duration = Duration::from_secs(5);
/// Pages of the log from which on a commit writes it back: 16 MB.
pub(super) const LOG_PAGES: u32 = 2_000;
/// Prepared statements kept: more than the store has texts.
const STATEMENTS: usize = 64;

/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// An open store's connection with what keeps others out.
pub(super) struct Opened {
    pub(super) conn: Connection,
    pub(super) place: Place,
    pub(super) lock: Option<Lock>,
    pub(super) shared: Option<Arc<Shared>>,
}

/// One store at a time is opened: whether this process has it open already must stay true until it
/// has it open once more.
static OPENING: Mutex<()> = Mutex::new(());

/// The runner's lock on a store; the system lets go of it whatever ends the process.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // To close the file is not enough: a process that is just being started may still have it,
        // until it runs its own program. Where it fails closing does it a moment later.
        let _ = self.0.unlock();
    }
}

/// Opens, locks, sets up and migrates.
pub(super) fn open(path: &Path, mode: OpenMode) -> Stored<Opened> {
    if mode == OpenMode::Memory {
        let place = Place::new(Path::new(":memory:"), Role::Store);
        let conn = Connection::open_in_memory().map_err(|e| place.failed(e))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        migrate(&conn, &place, Kind::Empty)?;
        return Ok(Opened {
            conn,
            place,
            lock: None,
            shared: None,
        });
    }
    let _alone = shared::lock(&OPENING);
    let role = match mode {
        OpenMode::Inspect => Role::ReadOnly,
        _ => Role::Store,
    };
    let place = Place::new(&real_path(path), role);
    // Where there is a lock already, it comes first: a store that its runner is just making must
    // not be taken for a damaged one. Else it comes second, to leave nothing beside strange files.
    let mut guard = None;
    if mode == OpenMode::Run && beside(place.path(), ".lock").exists() {
        guard = Some(lock(&place)?);
    }
    let there = check_file(&place, mode)?;
    let locks = mode == OpenMode::Run && guard.is_none();
    if locks {
        guard = Some(lock(&place)?);
    }
    if mode == OpenMode::Run && !there {
        make_private(place.path()).map_err(|e| place.io("create", &e))?;
    }
    let looked_at = connect(&place, mode).and_then(|conn| Ok((kind(&conn, &place)?, conn)));
    let (kind, conn) = match looked_at {
        Ok(looked_at) => looked_at,
        Err(error) => {
            if locks && (error == place.foreign() || error == place.no_database()) {
                // A strange file keeps no lock; where it cannot be removed it does no harm.
                let _ = fs::remove_file(beside(place.path(), ".lock"));
            }
            return Err(error);
        }
    };
    match (mode, kind) {
        (OpenMode::Run, _) => {
            set_up(&conn, &place)?;
            reach(Point::StoreSetUp);
            migrate(&conn, &place, kind)?;
            reach(Point::StoreMigrated);
            if !there {
                sync_directory(&place);
            }
        }
        (_, Kind::Empty) => return Err(no_store(&place)),
        (_, Kind::Store(format)) => {
            check_current(&place, format)?;
            check_tables(&conn, &place)?;
            if mode == OpenMode::Operate {
                set_up(&conn, &place)?;
            }
        }
    }
    let shared = Shared::of(place.path());
    if mode == OpenMode::Run {
        // What the format needed is durable from here on.
        shared.flush()?;
    }
    Ok(Opened {
        conn,
        place,
        lock: guard,
        shared: Some(shared),
    })
}

/// Makes an empty file that only its owner may read, unless it is there: people's data goes into it.
/// What SQLite keeps beside a database has the rights that the database has.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// One file, one lock, whichever way its path is written and whether or not it is there yet.
fn real_path(path: &Path) -> PathBuf {
    // A link to a file that is not there yet stands for that file.
    let linked = fs::read_link(path).ok().filter(|_| !path.exists());
    let linked = linked.map(|to| path.with_file_name("").join(to));
    let path = linked.as_deref().unwrap_or(path);
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    fs::canonicalize(path)
        .or_else(|error| {
            let parent = fs::canonicalize(parent.unwrap_or(Path::new(".")))?;
            path.file_name().map(|name| parent.join(name)).ok_or(error)
        })
        .unwrap_or_else(|_| path.to_owned())
}

/// A file beside the store: its name with something after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn no_store(place: &Place) -> StoreError {
    StoreError {
        message: format!("there is no store at `{place}`"),
        remedy: Some(
            "name the path that `syncline run --store` was given; `run` creates it".to_owned(),
        ),
        full: false,
    }
}

/// Reads the header by itself, so that a strange file is named for what it is and never touched.
/// Says whether a file is there.
fn check_file(place: &Place, mode: OpenMode) -> Stored<bool> {
    let meta = match fs::metadata(place.path()) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match mode {
                OpenMode::Run => Ok(false),
                _ => Err(no_store(place)),
            };
        }
        Err(error) => return Err(place.io("open", &error)),
    };
    if meta.is_dir() {
        return Err(StoreError {
            message: format!("`{place}` is a directory, not a store"),
            remedy: Some(format!(
                "name a file in it: `{}`",
                place.path().join("syncline.db").display()
            )),
            full: false,
        });
    }
    if !meta.is_file() {
        // Reading from a pipe or a device might never end.
        return Err(place.no_database());
    }
    if Shared::is_open(place.path()) {
        // To close a file gives up all locks that the process has on it, SQLite's among them: other
        // programs would take the store for closed, and its log away from under it.
        return Ok(true);
    }
    let mut header = Vec::with_capacity(100);
    File::open(place.path())
        .and_then(|file| file.take(100).read_to_end(&mut header))
        .map_err(|e| place.io("read", &e))?;
    if header.is_empty() {
        return Ok(true);
    }
    let Some(header) = header.first_chunk::<100>() else {
        return Err(if header.starts_with(MAGIC) {
            place.damaged("it ends inside its header")
        } else {
            place.no_database()
        });
    };
    if !header.starts_with(MAGIC) {
        return Err(place.no_database());
    }
    // Taken after the header: a runner may write meanwhile, and the file only grows.
    let length = fs::metadata(place.path()).map_err(|e| place.io("read", &e))?;
    check_length(place, header, length.len())?;
    Ok(true)
}

/// Compares the length that the header tells with the file's. Only where no log waits to be
/// written back: it may hold the missing pages.
fn check_length(place: &Place, header: &[u8; 100], length: u64) -> Stored<()> {
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|b| b.try_into().ok());
        u64::from(bytes.map_or(0, u32::from_be_bytes))
    };
    // Bytes 16 and 17 are the page size, where 1 stands for 65536.
    let page = match number(14) & 0xffff {
        1 => 65_536,
        size => size,
    };
    let log = fs::metadata(beside(place.path(), "-wal")).map_or(0, |meta| meta.len());
    // Bytes 28 to 31 count the pages, and hold only where 24 to 27 equal 92 to 95.
    let told = number(28) * page;
    if log == 0 && number(24) == number(92) && length < told {
        return Err(place.damaged(&format!(
            "it is cut short: {length} bytes are left of {told}"
        )));
    }
    Ok(())
}

/// Takes the runner's lock and writes this process's number into it.
fn lock(place: &Place) -> Stored<Lock> {
    let path = beside(place.path(), ".lock");
    let there = Place::new(&path, Role::Store);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| match error.kind() {
            // The lock is Syncline's own; the author named the store.
            io::ErrorKind::NotFound => place.io("create the store", &error),
            _ => there.io("create the lock of the store", &error),
        })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held(place, &mut file)),
        Err(TryLockError::Error(error)) => return Err(there.io("take the lock", &error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|e| there.io("write the lock", &e))?;
    Ok(Lock(file))
}

fn held(place: &Place, file: &mut File) -> StoreError {
    let mut text = String::new();
    // Without the number the message still says what to do.
    let _ = file.take(32).read_to_string(&mut text);
    let who = match text.trim().parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    };
    StoreError {
        message: format!("the store `{place}` is in use: {who} is running on it"),
        remedy: Some(format!(
            "stop {who} first, or name another path with `--store`; one store takes one runner"
        )),
        full: false,
    }
}

fn connect(place: &Place, mode: OpenMode) -> Stored<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if mode == OpenMode::Run {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let open = |flags| -> rusqlite::Result<Connection> {
        let conn = Connection::open_with_flags(place.path(), flags)?;
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        if mode == OpenMode::Inspect {
            conn.pragma_update(None, "query_only", true)?;
        }
        // The first read: here a directory in which nothing may be created shows.
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(conn)
    };
    match open(flags) {
        Ok(conn) => Ok(conn),
        // A store in a directory that is read-only can be read where nobody writes it: then its
        // file alone is the whole truth.
        Err(error) if mode == OpenMode::Inspect && cannot_create(&error) => {
            let log = fs::metadata(beside(place.path(), "-wal")).map_or(0, |meta| meta.len());
            if log > 0 {
                return Err(place.failed(error));
            }
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_URI;
            let uri = immutable_uri(place.path());
            Connection::open_with_flags(uri, flags).map_err(|e| place.failed(e))
        }
        Err(error) => Err(place.failed(error)),
    }
}

fn cannot_create(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    )
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for c in path.to_string_lossy().chars() {
        match c {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            c => uri.push(c),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// Durability and memory: pages of 8 KB (in a new store), a log that is flushed after every commit
/// (see [`super::shared`]; SQLite flushes it where it is written back),
/// 12 MB of pages in memory (more makes no step of `benches/postgres.rs` or `webhooks.rs` faster: what
/// is not there the system has), at most so much log left on disk.
fn set_up(conn: &Connection, place: &Place) -> Stored<()> {
    // Plans that do not depend on what is bound, or statements would be compiled anew each time.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|e| place.failed(e))?;
    conn.execute_batch(&format!(
        "PRAGMA page_size = 8192;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -12288;
         PRAGMA wal_autocheckpoint = {LOG_PAGES};
         PRAGMA journal_size_limit = 67108864;
         PRAGMA temp_store = FILE;",
    ))
    .map_err(|e| place.failed(e))?;
    let mode: String = conn
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|e| place.failed(e))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError {
        message: format!(
            "`{place}` cannot keep a write-ahead log: its file system does not share memory"
        ),
        remedy: Some("put the store on a local disk, not on a network share".to_owned()),
        full: false,
    })
}

/// Makes a new file's name as durable as its content.
fn sync_directory(place: &Place) {
    if let Some(parent) = place.path().parent() {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        // Not every system lets a directory be opened; SQLite syncs it with the log as well.
        let _ = File::open(parent).and_then(|directory| directory.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_given_up_is_free_though_somebody_still_has_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(&dir.path().join("s.db"), Role::Store);
        let first = lock(&place).unwrap();
        let inherited = first.0.try_clone().unwrap();
        assert!(lock(&place).is_err());
        drop(first);
        assert!(lock(&place).is_ok());
        drop(inherited);
    }

    /// Locks of any process on a file, as the system lists them.
    #[cfg(target_os = "linux")]
    fn locks(path: &Path) -> usize {
        use std::os::unix::fs::MetadataExt as _;
        let inode = format!(":{} ", fs::metadata(path).unwrap().ino());
        let all = fs::read_to_string("/proc/locks").unwrap_or_default();
        let of_it = |line: &&str| line.contains(" POSIX ") && line.contains(&inode);
        all.lines().filter(of_it).count()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_store_that_is_opened_again_keeps_the_locks_that_tell_others_of_it() {
        use crate::engine::ports::Store as _;
        use crate::store::SqliteStore;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
        store.put_record("e", "a", "{}").unwrap();
        let held = locks(&path);
        if held == 0 {
            // A file system whose numbers are not those of the files below it tells nothing.
            return;
        }
        for mode in [OpenMode::Inspect, OpenMode::Operate, OpenMode::Inspect] {
            let mut other = SqliteStore::open(&path, mode).unwrap();
            assert_eq!(locks(&path), held, "{mode:?}");
            assert!(other.record("e", "a").unwrap().is_some());
            drop(other);
            assert_eq!(locks(&path), held, "{mode:?}");
        }
        drop(store);
        assert_eq!(locks(&path), 0);
        // One that only reads is as open to others.
        let first = SqliteStore::open(&path, OpenMode::Inspect).unwrap();
        let held = locks(&path);
        assert!(held > 0);
        drop(SqliteStore::open(&path, OpenMode::Inspect).unwrap());
        assert_eq!(locks(&path), held);
        drop(first);
    }
}
