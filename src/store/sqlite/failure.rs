//! SQLite's and the file system's errors in words that name the file and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::engine::ports::StoreError;

/// The file that an error is about, and how it was opened.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    role: Role,
}

/// What a file is to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The store itself, or what lies beside it.
    Store,
    /// The store, opened to be read.
    ReadOnly,
    /// The stage of a run, which can be made again.
    Stage,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl Place {
    pub(super) fn new(path: &Path, role: Role) -> Self {
        Place {
            path: path.to_owned(),
            role,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What SQLite says.
    pub(super) fn failed(&self, error: rusqlite::Error) -> StoreError {
        let code = error.sqlite_error_code();
        let full = tells_full(&error);
        let (what, remedy) = match code {
            _ if full => (
                format!("no space is left for `{self}`"),
                "free some space on its disk; what was committed is safe",
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                format!("`{self}` is locked by another program"),
                "close what has it open (for example a `sqlite3` shell inside a transaction), \
                 then try again",
            ),
            Some(ErrorCode::ReadOnly) if self.role == Role::ReadOnly => (
                format!("`{self}` is open for reading only"),
                "open it in a mode that may write",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
                format!("`{self}` cannot be written"),
                "give this user the right to write the file and its directory, or name another \
                 path with `--store`",
            ),
            Some(ErrorCode::CannotOpen) => (
                format!("`{self}` cannot be opened"),
                "see that its directory exists and that this user may read and write there",
            ),
            Some(ErrorCode::NotADatabase) if self.role != Role::Stage => return self.no_database(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                return self.damaged(&error.to_string());
            }
            Some(ErrorCode::SystemIoFailure) => (
                format!("`{self}` cannot be read or written: {error}"),
                "see to the disk; what was committed is safe if the disk is",
            ),
            _ => (
                format!("the store `{self}` failed: {error}"),
                "this may be a fault of Syncline's own; please report it",
            ),
        };
        StoreError {
            message: what,
            remedy: Some(remedy.to_owned()),
            full,
        }
    }

    /// What the file system says.
    pub(super) fn io(&self, doing: &str, error: &io::Error) -> StoreError {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "create its directory first, or name another path",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "give this user the right to read and write the file and its directory, or name \
                 another path with `--store`"
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space on its disk; what was committed is safe"
            }
            _ => "see to the file and its disk, or name another path with `--store`",
        };
        StoreError {
            message: format!("cannot {doing} `{self}`: {error}"),
            remedy: Some(remedy.to_owned()),
            full: matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
        }
    }

    /// The file holds something else.
    pub(super) fn no_database(&self) -> StoreError {
        StoreError {
            message: format!("`{self}` is no store: it is not an SQLite database"),
            remedy: Some(
                "name another path with `--store`; a path that does not exist yet becomes a new \
                 store"
                    .to_owned(),
            ),
            full: false,
        }
    }

    /// The file is another program's database.
    pub(super) fn foreign(&self) -> StoreError {
        StoreError {
            message: format!("`{self}` is an SQLite database, but not a store of Syncline"),
            remedy: Some(
                "name another path with `--store`; nothing was changed in this one".to_owned(),
            ),
            full: false,
        }
    }

    /// The file was a store and is broken.
    pub(super) fn damaged(&self, how: &str) -> StoreError {
        if self.role == Role::Stage {
            return StoreError {
                message: format!("the stage `{self}` is damaged: {how}"),
                remedy: Some("start again: the run then reads its sources anew".to_owned()),
                full: false,
            };
        }
        StoreError {
            message: format!("the store `{self}` is damaged: {how}"),
            remedy: Some(
                "restore it from a backup, or save what can be read with \
                 `sqlite3 FILE .recover` and start with a new store"
                    .to_owned(),
            ),
            full: false,
        }
    }
}

/// Whether an error says that the disk is full. The log's index is made to grow in a way of its own.
fn tells_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|e| e.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// Whether an error says that the file itself is broken.
pub(super) fn tells_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}
