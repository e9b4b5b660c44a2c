//! Places at which tests kill the runner: where a kill would hurt most, each with a name.
//!
//! Rank 0. A build with debug assertions reads `SYNCLINE_FAILPOINT=NAME:N` and dies when it comes
//! to that place for the N-th time, at once and without a word, as by `kill -9`. Any other build
//! has neither the places nor the variable: [`reach`] is nothing there. Must not know what any of
//! the places is for; `tests/kills.rs` visits them all.

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $name:literal,)*) => {
        /// A place; the name says which part of the runner it is in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $($(#[$doc])* $point,)*
        }

        impl Point {
            /// Every place, in the order in which a record passes them.
            pub const ALL: &[Point] = &[$(Point::$point,)*];

            /// The name that `SYNCLINE_FAILPOINT` knows it by.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Point::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// The store's file is set up; it has no tables yet, or those of an older format.
    StoreSetUp = "store.set_up",
    /// All steps of a migration are made and not committed.
    StoreMigrating = "store.migrating",
    /// The migration is committed.
    StoreMigrated = "store.migrated",
    /// Events are appended and not committed.
    IntakeGathered = "intake.gathered",
    /// Events are durable and not yet answered.
    IntakeDurable = "intake.durable",
    /// A page of a followed feed is appended and not committed.
    FeedGathered = "feed.gathered",
    /// It is durable; the system has not heard so.
    FeedDurable = "feed.durable",
    /// The system has forgotten what was durable here.
    FeedForgotten = "feed.forgotten",
    /// Events are made into changes, and that is not committed.
    EventsWorkedOut = "events.worked_out",
    /// It is committed; nothing has gone out.
    EventsCommitted = "events.committed",
    /// What a call costs is durable; the call is not made.
    CallSpent = "call.spent",
    /// A batch of the outbox has come back and nothing of it is stored.
    SendAnswered = "send.answered",
    /// Its confirmation is entered and not committed.
    SendConfirming = "send.confirming",
    /// Its confirmation is committed.
    SendConfirmed = "send.confirmed",
    /// It failed, and when it is tried again is entered and not committed.
    SendPostponing = "send.postponing",
    /// A write was given up; its dead letter is entered and not committed.
    LetterBuried = "letter.buried",
    /// A run is on record; it has no stage.
    RunOpened = "run.opened",
    /// A page of a run has come and is not staged.
    RunRead = "run.read",
    /// A page is staged.
    RunStaged = "run.staged",
    /// All is staged; the checkpoint has not spoken.
    RunChecking = "run.checking",
    /// The checkpoint agreed; the run is not on record as writing.
    RunChecked = "run.checked",
    /// It is.
    RunWriting = "run.writing",
    /// A chunk's registers are worked out and not committed.
    ChunkWorkedOut = "chunk.worked_out",
    /// They are committed; none of its writes is handed out.
    ChunkCommitted = "chunk.committed",
    /// Its writes queue.
    ChunkHandedOut = "chunk.handed_out",
    /// A batch of a run has come back and is not counted.
    RunAnswered = "run.answered",
    /// What was no longer there is worked out and not committed.
    AbsentWorkedOut = "absent.worked_out",
    /// A run's cursors are entered and not committed.
    CursorEntered = "cursor.entered",
    /// They are committed; the stage is still there.
    CursorCommitted = "cursor.committed",
    /// A run that was killed while it wrote is about to go on.
    RunResuming = "run.resuming",
    /// The runner was told to stop, has stopped and is about to store where it stands.
    StopLeaving = "stop.leaving",
    /// `sqlite`: a batch is written and not committed there.
    SqliteWritten = "sqlite.written",
    /// `sqlite`: it is committed there, and nobody knows.
    SqliteCommitted = "sqlite.committed",
    /// `postgres`: a batch is written and not committed there.
    PostgresWritten = "postgres.written",
    /// `postgres`: it is committed there, and nobody knows.
    PostgresCommitted = "postgres.committed",
    /// `webhook`: the receiver has answered, and nobody knows.
    WebhookPosted = "webhook.posted",
    /// Files: the new one is whole and not in the old one's place.
    FileWritten = "file.written",
    /// Files: it is in the old one's place.
    FileReplaced = "file.replaced",
}

/// Comes to a place; in a build for tests, and where it was asked for, that ends the process.
#[inline(always)]
pub fn reach(point: Point) {
    #[cfg(debug_assertions)]
    armed::reach(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

/// A wait that nobody sits out in a test: a build for tests takes `SYNCLINE_HASTE_MS` for it where
/// that is set.
pub fn hastened(usual: std::time::Duration) -> std::time::Duration {
    #[cfg(debug_assertions)]
    if let Some(ms) = std::env::var("SYNCLINE_HASTE_MS")
        .ok()
        .and_then(|t| t.parse().ok())
    {
        return std::time::Duration::from_millis(ms);
    }
    usual
}

/// The variable that names a place, and the how-manieth time.
#[cfg(debug_assertions)]
pub const VARIABLE: &str = "SYNCLINE_FAILPOINT";

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Point, VARIABLE};

    static ASKED: OnceLock<Option<(Point, u64)>> = OnceLock::new();
    static TIMES: AtomicU64 = AtomicU64::new(0);

    pub(super) fn reach(point: Point) {
        let asked = ASKED.get_or_init(|| {
            let text = std::env::var(VARIABLE).ok()?;
            Some(read(&text).unwrap_or_else(|| panic!("`{VARIABLE}={text}` names no place")))
        });
        if let Some((wanted, at)) = asked
            && *wanted == point
            && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == *at
        {
            std::process::abort();
        }
    }

    pub(super) fn read(text: &str) -> Option<(Point, u64)> {
        let (name, times) = text.split_once(':')?;
        let point = Point::ALL.iter().find(|p| p.name() == name)?;
        Some((*point, times.parse().ok().filter(|times| *times > 0)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_by_name_and_read_by_it() {
        let mut names: Vec<&str> = Point::ALL.iter().map(|p| p.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Point::ALL.len());
        #[cfg(debug_assertions)]
        {
            assert_eq!(
                armed::read("chunk.committed:3"),
                Some((Point::ChunkCommitted, 3))
            );
            for text in ["", "chunk.committed", "chunk.committed:0", "chunk:1", ":"] {
                assert_eq!(armed::read(text), None, "{text}");
            }
        }
    }
}
