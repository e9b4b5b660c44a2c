//! The stage of a run: a database file of its own beside the store, cheap to write.
//!
//! It is never synced. A killed process leaves it whole (what it wrote is the system's by then); a lost
//! power supply may not, so it knows the boot of the machine in which it was made and counts as
//! empty in any other.

mod block;
mod file;
mod merge;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;

use crate::engine::ports::{Staged, Stored, SystemIx};
use crate::plan::Keep;

use super::OpenMode;
use file::Files;
use rows::Stage;

/// The stages of the runs, by run; opened when first asked for.
#[derive(Debug)]
pub(super) struct Stages {
    files: Files,
    open: BTreeMap<i64, Stage>,
}

impl Stages {
    pub(super) fn new(store: &Path, mode: OpenMode) -> Self {
        Stages {
            files: Files::new(store, mode),
            open: BTreeMap::new(),
        }
    }

    /// Removes the stages of runs that ended, which a killed process left behind.
    pub(super) fn drop_leftovers(&self, open_runs: &[i64]) {
        self.files.drop_leftovers(open_runs);
    }

    pub(super) fn create(&mut self, run: i64) -> Stored<()> {
        self.drop(run)?;
        let stage = Stage::new(self.files.create(run)?)?;
        self.open.insert(run, stage);
        Ok(())
    }

    pub(super) fn drop(&mut self, run: i64) -> Stored<()> {
        self.open.remove(&run);
        self.files.remove(run)
    }

    /// Does something with the stage of a run as it is, or as an earlier process left it; `None`
    /// where there is none. One that turns out to be damaged is removed: rows that cannot be read
    /// fail the run that needs them, and its next start finds an empty stage.
    fn with<T>(
        &mut self,
        run: i64,
        act: impl FnOnce(&mut Stage) -> Stored<T>,
    ) -> Stored<Option<T>> {
        if !self.open.contains_key(&run)
            && let Some(db) = self.files.find(run)?
        {
            self.open.insert(run, Stage::new(db)?);
        }
        let Some(stage) = self.open.get_mut(&run) else {
            return Ok(None);
        };
        let done = act(stage);
        if done.is_err() && stage.db.damaged.get() {
            // The damage is the error to tell, not what removing the file may add.
            let _ = self.drop(run);
        }
        done.map(Some)
    }

    pub(super) fn put(&mut self, run: i64, rows: Vec<Staged>) -> Stored<()> {
        if self.with(run, |_| Ok(()))?.is_none() {
            self.create(run)?;
        }
        self.with(run, |stage| stage.put(rows)).map(drop)
    }

    pub(super) fn len(&mut self, run: i64) -> Stored<u64> {
        Ok(self.with(run, Stage::len)?.unwrap_or(0))
    }

    pub(super) fn drop_duplicates(
        &mut self,
        run: i64,
        keep: Keep,
        owner: Option<SystemIx>,
    ) -> Stored<u64> {
        let gone = self.with(run, |stage| stage.drop_duplicates(keep, owner))?;
        Ok(gone.unwrap_or(0))
    }

    pub(super) fn after(
        &mut self,
        run: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Staged>> {
        let rows = self.with(run, |stage| stage.after(after, limit))?;
        Ok(rows.unwrap_or_default())
    }
}
