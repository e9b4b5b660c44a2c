//! A store in memory that the world can put events into while a runner has it, and that can fail
//! at any call, as if the process had been killed there.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use crate::engine::ports::{
    Conflict, DeadLetter, Quarantined, RawEvent, RunRecord, Staged, Store, StoreError, Stored,
    StoredEvent, StoredRecord, SystemIx, Waiting,
};
use crate::plan::Keep;
use crate::store::MemoryStore;
use crate::terms::Priority;
use crate::time::{Instant, Millis};

/// A handle to one store in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct SharedStore(Rc<RefCell<Cut>>);

/// The store with what cuts it off.
#[derive(Debug, Default)]
pub struct Cut {
    /// The store.
    pub store: MemoryStore,
    /// How many calls still go well; `None`: all.
    pub left: Option<u64>,
    /// Stages can no longer be read: what was staged is gone.
    pub stage_lost: bool,
    /// Calls made so far.
    pub calls: u64,
}

impl SharedStore {
    /// The store behind the handle. Must not be held while a runner runs.
    pub fn inner(&self) -> RefMut<'_, MemoryStore> {
        RefMut::map(self.0.borrow_mut(), |cut| &mut cut.store)
    }

    /// The store with what cuts it off. Must not be held while a runner runs.
    pub fn cut(&self) -> RefMut<'_, Cut> {
        self.0.borrow_mut()
    }

    fn call(&self) -> Stored<RefMut<'_, Cut>> {
        let mut cut = self.0.borrow_mut();
        cut.calls += 1;
        match &mut cut.left {
            Some(0) => Err(StoreError {
                message: "killed".into(),
                remedy: None,
                full: false,
            }),
            Some(left) => {
                *left -= 1;
                Ok(cut)
            }
            None => Ok(cut),
        }
    }
}

/// Hands each call on, unless the store is cut off.
macro_rules! delegate {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        impl Store for SharedStore {
            $(fn $name(&mut self, $($arg: $ty),*) -> Stored<$out> {
                self.call()?.store.$name($($arg),*)
            })*

            fn stage_after(
                &mut self,
                run: i64,
                after: Option<&str>,
                limit: usize,
            ) -> Stored<Vec<Staged>> {
                let mut cut = self.call()?;
                match cut.stage_lost {
                    true => Ok(Vec::new()),
                    false => cut.store.stage_after(run, after, limit),
                }
            }
        }
    };
}

delegate! {
    begin() -> ();
    commit() -> ();
    commit_behind() -> u64;
    durable() -> u64;
    settle() -> ();
    rollback() -> ();
    meta(key: &str) -> Option<String>;
    set_meta(key: &str, value: &str) -> ();
    meta_with_prefix(prefix: &str) -> Vec<(String, String)>;
    append_events(system: &str, events: &[RawEvent], now: Instant) -> Vec<bool>;
    pending_events(limit: usize) -> Vec<StoredEvent>;
    events_done(seq: i64) -> ();
    forget_event_ids(before: Instant) -> ();
    record(entity: &str, key: &str) -> Option<String>;
    put_record(entity: &str, key: &str, doc: &str) -> ();
    records_after(entity: &str, after: Option<&str>, limit: usize) -> Vec<StoredRecord>;
    waiting(system: &str, entity: &str, key: &str) -> Option<Waiting>;
    put_waiting(waiting: &Waiting) -> ();
    take_waiting(system: &str, entity: &str, key: &str, version: u64, scenario: Option<&str>) -> bool;
    due_waiting(system: &str, priority: Priority, now: Instant, limit: usize) -> Vec<Waiting>;
    next_due(system: &str, priority: Priority, after: Option<Instant>) -> Option<Instant>;
    waiting_since(system: &str) -> Option<Instant>;
    hold_waiting(scenario: &str, due: Option<Instant>) -> ();
    bring_forward(by: Millis) -> ();
    waiting_counts() -> Vec<(String, u64)>;
    put_dead_letter(letter: &DeadLetter) -> i64;
    dead_letters() -> Vec<DeadLetter>;
    clear_dead_letter(system: &str, entity: &str, key: &str) -> ();
    open_run(run: &RunRecord) -> i64;
    put_run(run: &RunRecord) -> ();
    runs(scenario: Option<&str>, limit: usize) -> Vec<RunRecord>;
    open_runs() -> Vec<RunRecord>;
    stage_open(run: i64) -> ();
    stage_put(run: i64, rows: Vec<Staged>) -> ();
    stage_len(run: i64) -> u64;
    stage_drop_duplicates(run: i64, keep: Keep, owner: Option<SystemIx>) -> u64;
    stage_drop(run: i64) -> ();
    put_quarantined(records: &[Quarantined]) -> ();
    quarantined(run: i64, limit: usize) -> Vec<Quarantined>;
    put_conflict(conflict: &Conflict) -> ();
    clear_conflict(entity: &str, key: &str, field: &str) -> ();
    conflicts() -> Vec<Conflict>;
    put_owed(scenario: &str, entity: &str, key: &str) -> ();
    owed(scenario: &str) -> Vec<(String, String)>;
    clear_owed(scenario: &str) -> ();
}
