//! The stage of a run: a database file of its own beside the store, cheap to write.
//!
//! It is never synced. A killed process leaves it whole (its log is the system's by then); a lost
//! power supply may not, so it knows the boot of the machine in which it was made and counts as
//! empty in any other.

mod file;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;

use crate::engine::ports::{Staged, Stored, SystemIx};
use crate::plan::Keep;

use super::{Db, OpenMode};
use file::Files;

/// The stages of the runs, by run; opened when first asked for.
#[derive(Debug)]
pub(super) struct Stages {
    files: Files,
    open: BTreeMap<i64, Stage>,
}

/// An open stage.
#[derive(Debug)]
struct Stage {
    db: Db,
    sorted: bool,
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
        let db = self.files.create(run)?;
        self.open.insert(run, Stage { db, sorted: false });
        Ok(())
    }

    pub(super) fn drop(&mut self, run: i64) -> Stored<()> {
        self.open.remove(&run);
        self.files.remove(run)
    }

    /// The stage of a run as it is, or as an earlier process left it.
    fn find(&mut self, run: i64) -> Stored<Option<&mut Stage>> {
        if !self.open.contains_key(&run)
            && let Some(db) = self.files.find(run)?
        {
            self.open.insert(run, Stage { db, sorted: false });
        }
        Ok(self.open.get_mut(&run))
    }

    pub(super) fn put(&mut self, run: i64, rows: &[Staged]) -> Stored<()> {
        if self.find(run)?.is_none() {
            self.create(run)?;
        }
        match self.find(run)? {
            Some(stage) => stage.put(rows),
            None => Err(super::misuse("a stage that was just made is not there")),
        }
    }

    pub(super) fn len(&mut self, run: i64) -> Stored<u64> {
        match self.find(run)? {
            Some(stage) => stage.len(),
            None => Ok(0),
        }
    }

    pub(super) fn drop_duplicates(
        &mut self,
        run: i64,
        keep: Keep,
        owner: Option<SystemIx>,
    ) -> Stored<u64> {
        match self.find(run)? {
            Some(stage) => stage.drop_duplicates(keep, owner),
            None => Ok(0),
        }
    }

    pub(super) fn after(
        &mut self,
        run: i64,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Staged>> {
        match self.find(run)? {
            Some(stage) => stage.after(after, limit),
            None => Ok(Vec::new()),
        }
    }
}
