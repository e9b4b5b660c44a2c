//! What a runner does while somebody else holds its store: it waits, says so, and ends only when
//! it is told to.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::store::{Held, Patience};

/// How often is asked whether the wait goes on.
pub(super) const STEP: Duration = Duration::from_secs(1);
/// A wait is told of when it has taken so long.
const FIRST: Duration = Duration::from_secs(5);
/// And then again every so often.
const EVERY: Duration = Duration::from_secs(60);
/// How long a runner that was told to stop still waits.
const STOP_WAIT: Duration = Duration::from_secs(25);

/// Hears of waits that take long, and of their end.
pub type Heard = Arc<dyn Fn(Held) + Send + Sync>;

/// The patience of a runner; `stopping`: whether it was told to stop.
pub(super) fn patience(stopping: impl Fn() -> bool + Send + 'static, heard: Heard) -> Patience {
    let tell_at = Cell::new(FIRST);
    let stopped_at: Cell<Option<Duration>> = Cell::new(None);
    Box::new(move |held| match held {
        Held::Since(so_far) => {
            if so_far >= tell_at.get() {
                tell_at.set(so_far + EVERY);
                heard(held);
            }
            if !stopping() {
                return true;
            }
            let asked = stopped_at.get().unwrap_or(so_far);
            stopped_at.set(Some(asked));
            so_far.saturating_sub(asked) < STOP_WAIT
        }
        Held::Over(_) => {
            if tell_at.replace(FIRST) != FIRST {
                heard(held);
            }
            stopped_at.set(None);
            true
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_long_wait_is_told_now_and_then_and_ends_with_a_stop_alone() {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let hear: Heard = Arc::new(move |held| ear.lock().unwrap().push(held));
        let patience = patience(move || stopping.load(Ordering::SeqCst), hear);
        let second = Duration::from_secs;
        for s in 1..200 {
            assert!(patience(Held::Since(second(s))));
        }
        patience(Held::Over(second(200)));
        // A short one is nobody's concern.
        assert!(patience(Held::Since(second(2))));
        patience(Held::Over(second(3)));
        let since = |s| Held::Since(second(s));
        let wanted = [
            since(5),
            since(65),
            since(125),
            since(185),
            Held::Over(second(200)),
        ];
        assert_eq!(*told.lock().unwrap(), wanted);
        stop.store(true, Ordering::SeqCst);
        assert!(patience(Held::Since(second(1))));
        assert!(patience(Held::Since(second(25))));
        assert!(!patience(Held::Since(second(26))));
    }
}
