//! The system clock, and how a test sets it wrong.
//!
//! A build with debug assertions reads `SYNCLINE_CLOCK`, the name of a file that holds how many
//! milliseconds the clock is off, and looks there each time that it is asked. A release has
//! neither the variable nor the look.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::Instant;

/// The time.
pub fn now() -> Instant {
    let now = since_epoch(SystemTime::now());
    #[cfg(debug_assertions)]
    let now = now.saturating_add(wrong::by());
    Instant(now)
}

/// In milliseconds; a clock that stands before 1970 is not beyond telling either.
fn since_epoch(time: SystemTime) -> i64 {
    let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

#[cfg(debug_assertions)]
mod wrong {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    static LAST: AtomicI64 = AtomicI64::new(0);

    /// How many milliseconds the clock is off; while the file is being written, as many as before.
    pub(super) fn by() -> i64 {
        let file = FILE.get_or_init(|| std::env::var_os("SYNCLINE_CLOCK").map(PathBuf::from));
        let Some(file) = file else { return 0 };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        match text.trim().parse() {
            Ok(by) => {
                LAST.store(by, Ordering::SeqCst);
                by
            }
            Err(_) => LAST.load(Ordering::SeqCst),
        }
    }
}
