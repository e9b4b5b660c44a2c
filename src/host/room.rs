//! What a runner does while there is no room for its store: senders are told to come again (see
//! [`super::server`]), and as soon as there is room the runner goes on from what its store holds, as
//! one that was killed does.
//!
//! Must not know what the runner was about.

use std::path::Path;
use std::time::{Duration, Instant};

use super::HostError;
use super::world::LiveWorld;
use crate::engine::ports::{StoreError, Stored};
use crate::store::{OpenMode, SqliteStore};

/// How often is looked for room.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Where the room that there was did not last so long, the next wait is twice as long, up to the
/// most: a run that does not fit onto the disk would read its sources again and again.
const LASTS: Duration = Duration::from_secs(600);
const MOST: Duration = Duration::from_secs(300);

/// How long room was there, and how long is waited before it is looked for.
pub(super) struct Room {
    since: Instant,
    wait: Duration,
}

impl Room {
    /// There is room.
    pub(super) fn new() -> Self {
        Room {
            since: Instant::now(),
            wait: LOOK_EVERY,
        }
    }

    /// How long is waited before room is looked for again, that there was for so long.
    fn next_wait(&mut self, lasted: Duration) -> Duration {
        let longer = self.wait.saturating_mul(2).min(MOST);
        let next = if lasted < LASTS { longer } else { LOOK_EVERY };
        std::mem::replace(&mut self.wait, next)
    }
}

/// Waits until the store can be written again, and opens it; none: the runner was told to stop.
/// `first` writes as much as a runner does that starts.
pub(super) fn wait(
    path: &Path,
    world: &mut LiveWorld,
    room: &mut Room,
    first: &mut dyn FnMut(&mut SqliteStore) -> Stored<()>,
) -> Result<Option<SqliteStore>, HostError> {
    let mut pause = room.next_wait(room.since.elapsed());
    world.begin_anew();
    loop {
        if !world.pause(std::mem::replace(&mut pause, LOOK_EVERY)) {
            return Ok(None);
        }
        let opened = SqliteStore::open(path, OpenMode::Run);
        let ready = opened.and_then(|mut store| {
            first(&mut store)?;
            Ok(store)
        });
        match ready {
            Ok(store) => {
                room.since = Instant::now();
                return Ok(Some(store));
            }
            Err(StoreError { full: true, .. }) => {}
            Err(error) => return Err(HostError::from_store(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_while_room_does_not_last() {
        let mut room = Room::new();
        let seconds = |room: &mut Room, lasted| {
            let lasted = Duration::from_secs(lasted);
            room.next_wait(lasted).as_secs()
        };
        let waits: Vec<u64> = (0..11).map(|_| seconds(&mut room, 5)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        seconds(&mut room, 601);
        assert_eq!(seconds(&mut room, 5), 1);
    }
}
