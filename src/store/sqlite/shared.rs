//! What the connections of one process to one store share: whose turn it is to write, and the log
//! that makes commits durable.
//!
//! SQLite itself only appends to its log at a commit. The log is flushed here, after the write
//! lock is free again: while one connection waits for the disk, another one writes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::engine::ports::{StoreError, Stored};

use super::failure::{Place, Role};
use super::flushed::Standing;
use super::open::beside;

/// How long the turn to write is waited for before SQLite is left to keep writers apart.
pub(super) const TURN: Duration = Duration::from_secs(5);

/// The stores that are open in this process, by path.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Shared>>> = Mutex::new(BTreeMap::new());

/// What connections to one store share.
#[derive(Debug)]
pub(super) struct Shared {
    place: Place,
    /// Whether somebody has the turn.
    taken: Mutex<bool>,
    given_back: Condvar,
    log: OnceLock<File>,
    /// Whether the log could not be flushed once: what it holds since then may be lost, and no
    /// later flush would tell.
    lost: AtomicBool,
}

impl Shared {
    /// What connections to the store at a path share. To be asked for once the connection has read
    /// the store, and to be dropped before it: so the log is the one that is in use.
    pub fn of(path: &Path) -> Arc<Shared> {
        let mut open = lock(&OPEN);
        open.retain(|_, shared| shared.strong_count() > 0);
        if let Some(shared) = open.get(path).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::new(Shared {
            place: Place::new(&beside(path, "-wal"), Role::Store),
            taken: Mutex::new(false),
            given_back: Condvar::new(),
            log: OnceLock::new(),
            lost: AtomicBool::new(false),
        });
        open.insert(path.to_owned(), Arc::downgrade(&shared));
        shared
    }

    /// Whether this process has the store at a path open.
    pub fn is_open(path: &Path) -> bool {
        let open = lock(&OPEN);
        open.get(path).is_some_and(|open| open.strong_count() > 0)
    }

    /// Waits for the turn to write, at most so long; says whether it was given. Without it SQLite
    /// still keeps writers apart, only that a writer that finds another one sleeps and tries.
    pub fn take_turn(&self, most: Duration) -> bool {
        let taken = lock(&self.taken);
        let waited = self.given_back.wait_timeout_while(taken, most, |t| *t);
        let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *taken, true)
    }

    /// Gives the turn back.
    pub fn give_back(&self) {
        *lock(&self.taken) = false;
        self.given_back.notify_one();
    }

    /// Makes durable whatever was committed before.
    pub fn flush(&self) -> Stored<()> {
        self.check()?;
        self.flush_log().map_err(|error| {
            self.lost.store(true, Ordering::SeqCst);
            self.place.io("flush", &error)
        })
    }

    /// Refuses to go on after a flush has failed.
    pub fn check(&self) -> Stored<()> {
        if !self.lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(StoreError {
            message: format!(
                "`{}` could not be flushed: what was written since may be lost",
                self.place
            ),
            remedy: Some("see to the disk, then start again".into()),
            full: false,
        })
    }

    fn flush_log(&self) -> io::Result<()> {
        let log = match self.log.get() {
            Some(log) => log,
            None => {
                // Writable, since some systems flush no other files.
                let log = OpenOptions::new().write(true).open(self.place.path())?;
                self.log.get_or_init(|| log)
            }
        };
        let standing = Standing::of(self.place.path());
        log.sync_data()?;
        standing.flushed();
        Ok(())
    }
}

/// Plain data is whole whatever became of a thread that held it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes commits durable from another thread than the store's (see
/// [`SqliteStore::flusher`](super::SqliteStore::flusher)).
#[derive(Debug, Clone)]
pub struct Flusher(pub(super) Option<Arc<Shared>>);

impl Flusher {
    /// Makes durable whatever was committed before.
    pub fn flush(&self) -> Stored<()> {
        self.0.as_ref().map_or(Ok(()), |shared| shared.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_the_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let (one, two) = (Shared::of(&path), Shared::of(&path));
        assert!(one.take_turn(Duration::ZERO));
        assert!(!two.take_turn(Duration::from_millis(5)));
        let waits = std::thread::spawn(move || two.take_turn(Duration::from_secs(60)));
        one.give_back();
        assert!(waits.join().unwrap());
    }

    #[test]
    fn after_a_flush_that_failed_nothing_is_called_durable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let shared = Shared::of(&path);
        // There is no log that could be flushed.
        assert!(shared.flush().is_err());
        std::fs::write(beside(&path, "-wal"), "").unwrap();
        let error = Shared::of(&path).flush().unwrap_err();
        assert!(error.message.contains("may be lost"), "{error}");
        drop(shared);
        assert!(Shared::of(&path).flush().is_ok());
    }
}
