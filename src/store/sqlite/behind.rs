//! Flushing commits, and writing the log back into the file, on a thread of its own: who commits
//! many records goes on with the next ones, and asks later whether they are durable.
//!
//! What the disk is slow at so never holds the engine up; what needs a commit to be durable waits
//! for its number. SQLite can only begin its log anew in a moment without a transaction, and under
//! load there is none: from [`LOG_PAGES`] on the engine's connection writes back what is left.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

use crate::engine::ports::Stored;

use super::shared::{Shared, lock};

/// Pages of the log from which on the engine's connection writes it back itself: 256 MB, several
/// chunks of records each of which has a page of its own.
pub(super) const LOG_PAGES: u32 = 32_768;

/// The thread, and what was handed to it.
#[derive(Debug)]
pub(super) struct Behind {
    shared: Arc<Shared>,
    reached: Arc<Reached>,
    /// The number given last.
    given: u64,
    asks: Option<Sender<u64>>,
    thread: Option<JoinHandle<()>>,
}

/// Up to which number commits are durable.
#[derive(Debug, Default)]
struct Reached {
    upto: Mutex<u64>,
    further: Condvar,
}

impl Reached {
    fn tell(&self, upto: u64) {
        *lock(&self.upto) = upto;
        self.further.notify_all();
    }
}

impl Behind {
    /// Starts the thread for the store at `path`.
    pub(super) fn start(shared: &Arc<Shared>, path: PathBuf) -> Self {
        let (asks, asked) = mpsc::channel();
        let reached = Arc::<Reached>::default();
        let (flushes, tells) = (Arc::clone(shared), Arc::clone(&reached));
        let thread = std::thread::Builder::new()
            .name("flush".to_owned())
            .spawn(move || work(&path, &flushes, &tells, &asked));
        Behind {
            shared: Arc::clone(shared),
            reached,
            given: 0,
            asks: Some(asks),
            thread: thread.ok(),
        }
    }

    /// Begins to make durable what was committed; gives the number by which that is told.
    pub(super) fn begin(&mut self) -> Stored<u64> {
        self.given += 1;
        let asks = self.asks.as_ref().filter(|_| self.thread.is_some());
        if asks.is_none_or(|asks| asks.send(self.given).is_err()) {
            // There is no such thread: then it is done here.
            self.shared.flush()?;
            self.reached.tell(self.given);
        }
        Ok(self.given)
    }

    /// The greatest number up to which all is durable.
    pub(super) fn durable(&self) -> Stored<u64> {
        self.shared.check()?;
        Ok(*lock(&self.reached.upto))
    }

    /// Waits until all is durable.
    pub(super) fn settle(&self) -> Stored<()> {
        let upto = lock(&self.reached.upto);
        let waited = self
            .reached
            .further
            .wait_while(upto, |upto| *upto < self.given);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.shared.check()
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to do.
            let _ = thread.join();
        }
    }
}

fn work(path: &PathBuf, shared: &Shared, reached: &Reached, asked: &Receiver<u64>) {
    let mut conn = None;
    while let Ok(mut upto) = asked.recv() {
        // Several commits share one flush.
        while let Ok(more) = asked.try_recv() {
            upto = more;
        }
        // A flush that fails is told of by `Shared::check`, to whoever asks or waits.
        let flushed = shared.flush();
        reached.tell(upto);
        if flushed.is_ok() {
            write_back(&mut conn, path);
        }
    }
}

/// Writes back into the file what of the log nobody reads any more, without waiting for anybody.
/// What keeps it from doing so meets the engine's own connection too, which tells of it.
fn write_back(conn: &mut Option<Connection>, path: &PathBuf) {
    if conn.is_none() {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        *conn = Connection::open_with_flags(path, flags).ok();
    }
    let Some(conn) = conn else { return };
    let _ = conn
        .execute_batch("PRAGMA synchronous = NORMAL")
        .and_then(|()| conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
}
