//! Wakes a runner when people ask for something through the store.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::HostError;
use super::world::Waker;
use crate::engine::decide::ASKED;
use crate::engine::ports::Store;
use crate::store::{OpenMode, SqliteStore};

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A thread that looks; it ends when this is dropped.
pub(super) struct Asked {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to wake.
            let _ = thread.join();
        }
    }
}

/// Starts to look.
pub(super) fn watch(store: &Path, waker: Waker) -> Result<Asked, HostError> {
    let mut store = SqliteStore::open(store, OpenMode::Inspect).map_err(HostError::from_store)?;
    let mut known = store.meta(ASKED).map_err(HostError::from_store)?;
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            // A store that cannot be read just now is read at the next look.
            if let Ok(asked) = store.meta(ASKED)
                && asked != known
            {
                known = asked;
                waker.wake();
            }
        }
    });
    Ok(Asked {
        stop: Some(stop),
        thread: Some(thread),
    })
}
