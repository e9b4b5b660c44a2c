//! A store that somebody else holds is waited for, as long as whoever opened it has patience.

use std::fmt;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

/// How a write stands for which another program's transaction has to end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It has been waited for so long.
    Since(Duration),
    /// It was waited for so long, and is over.
    Over(Duration),
}

/// Hears of a wait every now and then, and says whether it is to go on; what it says when the wait
/// is over does not matter.
pub type Patience = Box<dyn Fn(Held) -> bool + Send>;

/// The patience of a store; none: what SQLite itself waits.
#[derive(Default)]
pub(super) struct Waits(Option<Patience>);

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waits").field(&self.0.is_some()).finish()
    }
}

impl Waits {
    /// Asks `patience` after every `step` of a wait.
    pub(super) fn with(
        conn: &Connection,
        step: Duration,
        patience: Patience,
    ) -> rusqlite::Result<Waits> {
        conn.busy_timeout(step)?;
        Ok(Waits(Some(patience)))
    }

    /// Whether there is any.
    pub(super) fn any(&self) -> bool {
        self.0.is_some()
    }

    /// Does what stands in no transaction: where somebody else's is in the way, once more, until
    /// patience ends. What came to nothing for that reason has changed nothing.
    pub(super) fn on<T>(
        &self,
        mut act: impl FnMut() -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let since = Instant::now();
        let mut waited = false;
        loop {
            let done = act();
            let busy = done.as_ref().is_err_and(|e| {
                let code = e.sqlite_error_code();
                matches!(
                    code,
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                )
            });
            let Some(patience) = &self.0 else { return done };
            if !busy {
                if waited {
                    patience(Held::Over(since.elapsed()));
                }
                return done;
            }
            waited = true;
            if !patience(Held::Since(since.elapsed())) {
                return done;
            }
        }
    }
}
