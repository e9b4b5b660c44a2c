//! What a lost power supply would leave of the log, noted for tests.
//!
//! A build with debug assertions reads `SYNCLINE_FLUSHED`, the name of a file, and keeps there up
//! to where the log is known to be on the disk: its generation (the first salt, in hex) and the
//! number of its last frame. A test that kills the runner then takes away what lies behind. A
//! release has neither the variable nor the note.

use std::path::Path;

/// Where a log stands before it is flushed; after the flush this much is on the disk.
pub(super) struct Standing {
    #[cfg(debug_assertions)]
    at: Option<armed::Frame>,
}

impl Standing {
    /// Where the log of the store at `log` (its `-wal`) stands.
    pub(super) fn of(log: &Path) -> Standing {
        #[cfg(not(debug_assertions))]
        let _ = log;
        Standing {
            #[cfg(debug_assertions)]
            at: armed::standing(log),
        }
    }

    /// It was flushed.
    pub(super) fn flushed(self) {
        #[cfg(debug_assertions)]
        if let Some(at) = self.at {
            armed::note(at);
        }
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::File;
    use std::io::{Read as _, Seek as _};
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// Generation and number of a frame; a log's generations count up.
    pub(super) type Frame = (u32, u32);

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    static NOTED: Mutex<Option<Frame>> = Mutex::new(None);

    fn file() -> Option<&'static PathBuf> {
        let file = FILE.get_or_init(|| std::env::var_os("SYNCLINE_FLUSHED").map(PathBuf::from));
        file.as_ref()
    }

    /// By the log's index, whose header SQLite keeps twice so that a torn one shows.
    pub(super) fn standing(log: &Path) -> Option<Frame> {
        file()?;
        // Never closed: that would give up SQLite's own locks on it.
        static INDEX: OnceLock<Option<Mutex<File>>> = OnceLock::new();
        let index = || {
            let path = log.to_str()?.strip_suffix("-wal")?.to_owned() + "-shm";
            File::open(path).ok().map(Mutex::new)
        };
        let index = INDEX.get_or_init(index).as_ref()?;
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..100 {
            let mut bytes = [0; 96];
            index.rewind().ok()?;
            index.read_exact(&mut bytes).ok()?;
            let (one, two) = bytes.split_at(48);
            if one == two {
                let frame = one.get(16..20)?.try_into().ok()?;
                let salt = one.get(32..36)?.try_into().ok()?;
                return Some((u32::from_be_bytes(salt), u32::from_ne_bytes(frame)));
            }
            std::thread::yield_now();
        }
        None
    }

    /// Several threads flush: the furthest counts.
    pub(super) fn note(at: Frame) {
        let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.is_some_and(|noted| noted >= at) {
            return;
        }
        *noted = Some(at);
        let Some(file) = file() else { return };
        let beside = file.with_extension("new");
        // A note that is missing shows in the test as an event that was lost.
        let _ = std::fs::write(&beside, format!("{:08x} {}", at.0, at.1))
            .and_then(|()| std::fs::rename(&beside, file));
    }
}
