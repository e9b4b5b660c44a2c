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
/// How long answers to calls under way are waited for: what is not answered then may have had its
/// effect, as with a runner that was killed.
const ANSWERS: Duration = Duration::from_secs(30);

/// Waits until the store can be written again, and opens it; none: the runner was told to stop.
/// `first` writes as much as a runner does that starts.
pub(super) fn wait(
    path: &Path,
    world: &mut LiveWorld,
    first: &mut dyn FnMut(&mut SqliteStore) -> Stored<()>,
) -> Result<Option<SqliteStore>, HostError> {
    world.begin_anew(Instant::now() + ANSWERS);
    loop {
        if !world.pause(LOOK_EVERY) {
            return Ok(None);
        }
        let opened = SqliteStore::open(path, OpenMode::Run);
        let ready = opened.and_then(|mut store| {
            first(&mut store)?;
            Ok(store)
        });
        match ready {
            Ok(store) => return Ok(Some(store)),
            Err(StoreError { full: true, .. }) => {}
            Err(error) => return Err(HostError::from_store(error)),
        }
    }
}
