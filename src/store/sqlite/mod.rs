//! The store in one SQLite file.
//!
//! A commit is flushed to the disk before it counts as durable (see [`shared`]). What a scheduled run stages goes to a second
//! file beside it that is cheap to write and need not survive a lost power supply.

mod behind;
mod decisions;
mod events;
mod failure;
mod flushed;
mod meta;
mod migrate;
mod open;
mod outbox;
mod patience;
mod readers;
mod records;
mod runs;
mod settled;
mod shared;
mod stage;
mod untold;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Params, Row};

use crate::engine::ports::{
    Conflict, DeadLetter, Quarantined, RawEvent, RunRecord, Staged, Store, StoreError, Stored,
    StoredEvent, StoredRecord, SystemIx, Waiting,
};
use crate::plan::Keep;
use crate::terms::Priority;
use crate::time::{Instant, Millis};

use super::{NESTED, NOT_OPEN, misuse};
use behind::Behind;
use failure::Place;
use patience::Waits;
use readers::Readers;
use shared::Shared;
use stage::Stages;

pub use migrate::{APPLICATION_ID, FORMAT};
pub use open::OpenMode;
pub use patience::{Held, Patience};
pub use shared::Flusher;
pub use untold::{LettersMark, MadeLetter};

/// A [`Store`] in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    db: Db,
    stages: Stages,
    /// Held as long as the store is open; dropped last.
    _lock: Option<open::Lock>,
}

impl SqliteStore {
    /// Opens a store. Errors name the file and what to do; nothing that is not a store is changed.
    pub fn open(path: &Path, mode: OpenMode) -> Stored<Self> {
        let opened = open::open(path, mode)?;
        let stages = Stages::new(opened.place.path(), mode);
        let mut store = SqliteStore {
            db: Db::new(opened.conn, opened.place, opened.shared),
            stages,
            _lock: opened.lock,
        };
        store.db.moves_records = matches!(mode, OpenMode::Run | OpenMode::Memory);
        if mode == OpenMode::Run {
            let open: Vec<i64> = runs::open_runs(&store.db)?.iter().map(|r| r.id).collect();
            store.stages.drop_leftovers(&open);
        }
        Ok(store)
    }

    /// From now on whoever else holds the store is waited for as long as `patience` says, which is
    /// asked after every `step`.
    pub fn wait_with(&mut self, step: Duration, patience: Patience) -> Stored<()> {
        let waits = Waits::with(&self.db.conn, step, patience);
        self.db.waits = waits.map_err(|e| self.db.failed(e))?;
        Ok(())
    }

    /// A run by its number.
    pub fn run(&mut self, id: i64) -> Stored<Option<RunRecord>> {
        runs::get(&self.db, id)
    }

    /// Makes what [`Store::commit_later`] committed durable, from any thread.
    pub fn flusher(&self) -> Flusher {
        Flusher(self.db.shared.clone())
    }
}

/// The main database, with what is needed to speak of it.
#[derive(Debug)]
struct Db {
    /// Who flushes what is committed while the engine goes on; started when first asked for, and
    /// dropped before everything else.
    behind: Option<Behind>,
    /// Pages of the log from which on a commit writes it back, as long as it is not
    /// [`open::LOG_PAGES`].
    log_pages: u32,
    /// Where the store is on a disk. Dropped before the connection.
    shared: Option<Arc<Shared>>,
    /// Who else looks up registers; dropped before the connection, which writes the log back.
    readers: RefCell<Readers>,
    conn: Connection,
    place: Place,
    /// Whether the engine has a transaction open.
    open: bool,
    /// Whether it is this connection's turn to write.
    has_turn: bool,
    /// Whether several reads share one transaction.
    reading: Cell<bool>,
    /// Whether SQLite has found the file to be broken.
    damaged: Cell<bool>,
    /// What is done while somebody else holds the store.
    waits: Waits,
    /// Whether nobody else adds fresh records: what is known of how many there are stays true.
    moves_records: bool,
    /// How many records are fresh, where that is known (see [`records`]).
    fresh: Cell<Option<u64>>,
    /// The fresh record up to which they were moved last.
    settled: RefCell<Option<(String, String)>>,
}

impl Drop for Db {
    fn drop(&mut self) {
        self.give_turn_back();
    }
}

impl Db {
    fn new(conn: Connection, place: Place, shared: Option<Arc<Shared>>) -> Self {
        Db {
            behind: None,
            log_pages: open::LOG_PAGES,
            shared,
            readers: RefCell::default(),
            conn,
            place,
            open: false,
            has_turn: false,
            reading: Cell::new(false),
            damaged: Cell::new(false),
            waits: Waits::default(),
            moves_records: false,
            fresh: Cell::new(None),
            settled: RefCell::new(None),
        }
    }

    /// Refuses to go on where SQLite itself gave the open transaction up (a full disk, a failing
    /// one): what follows would be kept without what came before.
    fn check(&self) -> Stored<()> {
        if self.open && self.conn.is_autocommit() {
            return Err(StoreError {
                message: format!("the open transaction of `{}` was lost", self.place),
                remedy: Some("see to the disk, then start again; nothing of it was kept".into()),
                full: false,
            });
        }
        self.shared.as_ref().map_or(Ok(()), |shared| shared.check())
    }

    fn give_turn_back(&mut self) {
        if let Some(shared) = self.shared.as_ref().filter(|_| self.has_turn) {
            shared.give_back();
        }
        self.has_turn = false;
    }

    /// Makes durable what was committed.
    fn flush(&self) -> Stored<()> {
        self.shared.as_ref().map_or(Ok(()), |shared| shared.flush())
    }

    /// A statement outside of any transaction is one of its own: what it changed is flushed.
    fn flushing<T>(&self, act: impl FnOnce() -> Stored<T>) -> Stored<T> {
        if self.open {
            return act();
        }
        let before = self.conn.total_changes();
        let done = act()?;
        if self.conn.total_changes() != before {
            self.flush()?;
        }
        Ok(done)
    }

    /// Says whether the reads from here on may see something else than those before.
    fn read_together(&self) -> Stored<bool> {
        if self.open || self.reading.get() {
            return Ok(false);
        }
        self.check()?;
        self.plainly("BEGIN")?;
        self.reading.set(true);
        Ok(true)
    }

    /// Ends the transaction of reads: before anything is written, since what was read may be old.
    fn end_reading(&self) -> Stored<()> {
        match self.reading.replace(false) {
            true => self.plainly("COMMIT"),
            false => Ok(()),
        }
    }

    /// Runs a statement as it is.
    fn plainly(&self, sql: &str) -> Stored<()> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map_err(|e| self.failed(e))
            .map(drop)
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        if failure::tells_damage(&error) {
            self.damaged.set(true);
        }
        self.place.failed(error)
    }

    /// What SQLite takes for whole and is not.
    fn spoilt(&self, how: &str) -> StoreError {
        self.damaged.set(true);
        self.place.damaged(how)
    }

    /// Runs a statement; gives the number of rows it changed.
    fn run(&self, sql: &str, params: impl Params) -> Stored<usize> {
        self.check()?;
        self.end_reading()?;
        self.flushing(|| self.execute(sql, params).map_err(|e| self.failed(e)))
    }

    fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        let run = || {
            let mut statement = self.conn.prepare_cached(sql)?;
            statement.execute(params)
        };
        if !self.waits.any() || !self.conn.is_autocommit() {
            return run();
        }
        // Only the lock is waited for: what follows it is done once.
        self.wait_for_lock()?;
        let done = run();
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.conn.execute_batch(end);
        done.and_then(|changed| ended.map(|()| changed))
    }

    /// Takes the lock for writing, as soon as nobody else has it.
    fn wait_for_lock(&self) -> rusqlite::Result<()> {
        self.waits.on(|| {
            let mut statement = self.conn.prepare_cached("BEGIN IMMEDIATE")?;
            statement.execute([]).map(drop)
        })
    }

    /// The first row of a query, if there is one.
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Stored<Option<T>> {
        self.check()?;
        let row = || {
            let mut statement = self.conn.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            let first = rows.next()?.map(read).transpose()?;
            // To the end: a statement that writes is only done there, and may fail there.
            while rows.next()?.is_some() {}
            Ok(first)
        };
        self.flushing(|| row().map_err(|e| self.failed(e)))
    }

    /// The rows of a query, in its order, until `read` says that was all.
    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<T>>,
    ) -> Stored<Vec<T>> {
        self.check()?;
        let all = || {
            let mut statement = self.conn.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                match read(row)? {
                    Some(value) => out.push(value),
                    None => break,
                }
            }
            Ok(out)
        };
        all().map_err(|e| self.failed(e))
    }

    /// All rows of a query, in its order.
    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Stored<Vec<T>> {
        self.rows(sql, params, |row| read(row).map(Some))
    }

    fn begin(&mut self) -> Stored<()> {
        if self.open {
            return Err(misuse(NESTED));
        }
        self.check()?;
        self.end_reading()?;
        if let Some(shared) = &self.shared {
            self.has_turn = shared.take_turn(shared::TURN);
        }
        // At once for writing: a lock that another holds shows here, not in the middle.
        if let Err(error) = self.wait_for_lock() {
            self.give_turn_back();
            return Err(self.failed(error));
        }
        self.open = true;
        self.readers.get_mut().begin();
        Ok(())
    }

    fn commit(&mut self) -> Stored<()> {
        self.commit_later()?;
        self.flush()
    }

    fn commit_later(&mut self) -> Stored<()> {
        self.end(open::LOG_PAGES)
    }

    /// Commits without a flush; a log of so many pages is written back.
    fn end(&mut self, log_pages: u32) -> Stored<()> {
        if !self.open {
            return Err(misuse(NOT_OPEN));
        }
        if log_pages != self.log_pages {
            let set = format!("PRAGMA wal_autocheckpoint = {log_pages}");
            self.conn.execute_batch(&set).map_err(|e| self.failed(e))?;
            self.log_pages = log_pages;
        }
        self.run("COMMIT", [])?;
        self.open = false;
        self.give_turn_back();
        Ok(())
    }

    /// Commits, and has the commit flushed by another thread.
    fn commit_behind(&mut self) -> Stored<u64> {
        let Some(shared) = &self.shared else {
            return self.commit().map(|()| 0);
        };
        if self.behind.is_none() {
            let path = self.place.path().to_owned();
            self.behind = Some(Behind::start(shared, path));
        }
        self.end(behind::LOG_PAGES)?;
        match &mut self.behind {
            Some(behind) => behind.begin(),
            None => self.flush().map(|()| 0),
        }
    }

    fn rollback(&mut self) -> Stored<()> {
        self.open = false;
        self.fresh.set(None);
        // Not like other statements: also where nothing else may be done any more.
        let undone = match self.conn.is_autocommit() {
            true => Ok(()),
            false => self.plainly("ROLLBACK"),
        };
        self.reading.set(false);
        self.give_turn_back();
        undone
    }

    /// Does several things in the open transaction, or in one of their own where none is open.
    fn together<T>(&mut self, act: impl FnOnce(&Db) -> Stored<T>) -> Stored<T> {
        if self.open {
            return act(self);
        }
        self.begin()?;
        let done = act(self).and_then(|value| self.commit().map(|()| value));
        if done.is_err() {
            // The first error is the one that matters.
            let _ = self.rollback();
        }
        done
    }
}

/// A list's limit as SQLite takes it.
fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Stored<()> {
        self.db.begin()
    }

    fn commit(&mut self) -> Stored<()> {
        self.db.commit()
    }

    fn commit_later(&mut self) -> Stored<()> {
        self.db.commit_later()
    }

    fn commit_behind(&mut self) -> Stored<u64> {
        self.db.commit_behind()
    }

    fn durable(&mut self) -> Stored<u64> {
        let behind = self.db.behind.as_ref();
        behind.map_or(Ok(u64::MAX), Behind::durable)
    }

    fn settle(&mut self) -> Stored<()> {
        let behind = self.db.behind.as_ref();
        behind.map_or(Ok(()), Behind::settle)
    }

    fn rollback(&mut self) -> Stored<()> {
        self.db.rollback()
    }

    fn read_together(&mut self) -> Stored<bool> {
        self.db.read_together()
    }

    fn end_reading(&mut self) -> Stored<()> {
        self.db.end_reading()
    }

    fn meta(&mut self, key: &str) -> Stored<Option<String>> {
        meta::get(&self.db, key)
    }

    fn set_meta(&mut self, key: &str, value: &str) -> Stored<()> {
        meta::set(&self.db, key, value)
    }

    fn meta_with_prefix(&mut self, prefix: &str) -> Stored<Vec<(String, String)>> {
        meta::with_prefix(&self.db, prefix)
    }

    fn append_events(
        &mut self,
        system: &str,
        events: &[RawEvent],
        now: Instant,
    ) -> Stored<Vec<bool>> {
        self.db
            .together(|db| events::append(db, system, events, now))
    }

    fn pending_events(&mut self, limit: usize) -> Stored<Vec<StoredEvent>> {
        events::pending(&self.db, limit)
    }

    fn events_done(&mut self, seq: i64) -> Stored<()> {
        events::done(&self.db, seq)
    }

    fn forget_event_ids(&mut self, before: Instant) -> Stored<()> {
        events::forget_ids(&self.db, before)
    }

    fn record(&mut self, entity: &str, key: &str) -> Stored<Option<String>> {
        records::get(&self.db, entity, key)
    }

    fn put_record(&mut self, entity: &str, key: &str, doc: &str) -> Stored<()> {
        (self.db).together(|db| records::put(db, entity, key, doc))
    }

    fn records_of(&mut self, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
        readers::several(&self.db, entity, keys)
    }

    fn put_records(&mut self, entity: &str, records: &[(&str, &str)]) -> Stored<()> {
        self.db
            .together(|db| records::put_several(db, entity, records))
    }

    fn records_after(
        &mut self,
        entity: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<StoredRecord>> {
        records::after(&self.db, entity, after, limit)
    }

    fn waiting(&mut self, system: &str, entity: &str, key: &str) -> Stored<Option<Waiting>> {
        outbox::get(&self.db, system, entity, key)
    }

    fn put_waiting(&mut self, waiting: &Waiting) -> Stored<()> {
        outbox::put(&self.db, waiting)
    }

    fn take_waiting(
        &mut self,
        system: &str,
        entity: &str,
        key: &str,
        version: u64,
        scenario: Option<&str>,
    ) -> Stored<bool> {
        outbox::take(&self.db, (system, entity, key), version, scenario)
    }

    fn due_waiting(
        &mut self,
        system: &str,
        priority: Priority,
        now: Instant,
        limit: usize,
    ) -> Stored<Vec<Waiting>> {
        outbox::due(&self.db, system, priority, now, limit)
    }

    fn due_records(
        &mut self,
        system: &str,
        priority: Priority,
        now: Instant,
        limit: usize,
    ) -> Stored<Vec<(String, String)>> {
        outbox::due_records(&self.db, system, priority, now, limit)
    }

    fn next_due(
        &mut self,
        system: &str,
        priority: Priority,
        after: Option<Instant>,
    ) -> Stored<Option<Instant>> {
        outbox::next_due(&self.db, system, priority, after)
    }

    fn waiting_since(&mut self, system: &str) -> Stored<Option<Instant>> {
        outbox::since(&self.db, system)
    }

    fn hold_waiting(&mut self, scenario: &str, due: Option<Instant>) -> Stored<()> {
        outbox::hold(&self.db, scenario, due)
    }

    fn bring_forward(&mut self, by: Millis) -> Stored<()> {
        outbox::bring_forward(&self.db, by)
    }

    fn waiting_counts(&mut self) -> Stored<Vec<(String, u64)>> {
        outbox::counts(&self.db)
    }

    fn put_dead_letter(&mut self, letter: &DeadLetter) -> Stored<i64> {
        self.db.together(|db| outbox::put_dead_letter(db, letter))
    }

    fn dead_letters(&mut self) -> Stored<Vec<DeadLetter>> {
        outbox::dead_letters(&self.db)
    }

    fn clear_dead_letter(&mut self, system: &str, entity: &str, key: &str) -> Stored<()> {
        self.db
            .together(|db| outbox::clear_dead_letter(db, system, entity, key))
    }

    fn open_run(&mut self, run: &RunRecord) -> Stored<i64> {
        self.db.end_reading()?;
        runs::open_run(&self.db, run)
    }

    fn put_run(&mut self, run: &RunRecord) -> Stored<()> {
        runs::put(&self.db, run)
    }

    fn runs(&mut self, scenario: Option<&str>, limit: usize) -> Stored<Vec<RunRecord>> {
        runs::list(&self.db, scenario, limit)
    }

    fn open_runs(&mut self) -> Stored<Vec<RunRecord>> {
        runs::open_runs(&self.db)
    }

    fn stage_open(&mut self, run: i64) -> Stored<()> {
        self.stages.create(run)
    }

    fn stage_put(&mut self, run: i64, rows: Vec<Staged>) -> Stored<()> {
        self.stages.put(run, rows)
    }

    fn stage_len(&mut self, run: i64) -> Stored<u64> {
        self.stages.len(run)
    }

    fn stage_drop_duplicates(
        &mut self,
        run: i64,
        keep: Keep,
        owner: Option<SystemIx>,
    ) -> Stored<u64> {
        self.stages.drop_duplicates(run, keep, owner)
    }

    fn stage_after(&mut self, run: i64, after: Option<&str>, limit: usize) -> Stored<Vec<Staged>> {
        self.stages.after(run, after, limit)
    }

    fn stage_drop(&mut self, run: i64) -> Stored<()> {
        self.stages.drop(run)
    }

    fn put_quarantined(&mut self, records: &[Quarantined]) -> Stored<()> {
        self.db
            .together(|db| decisions::put_quarantined(db, records))
    }

    fn quarantined(&mut self, run: i64, limit: usize) -> Stored<Vec<Quarantined>> {
        decisions::quarantined(&self.db, run, limit)
    }

    fn put_conflict(&mut self, conflict: &Conflict) -> Stored<()> {
        decisions::put_conflict(&self.db, conflict)
    }

    fn clear_conflict(&mut self, entity: &str, key: &str, field: &str) -> Stored<()> {
        decisions::clear_conflict(&self.db, entity, key, field)
    }

    fn conflicts(&mut self) -> Stored<Vec<Conflict>> {
        decisions::conflicts(&self.db)
    }

    fn put_owed(&mut self, scenario: &str, entity: &str, key: &str) -> Stored<()> {
        decisions::put_owed(&self.db, scenario, entity, key)
    }

    fn owed(&mut self, scenario: &str) -> Stored<Vec<(String, String)>> {
        decisions::owed(&self.db, scenario)
    }

    fn clear_owed(&mut self, scenario: &str) -> Stored<()> {
        decisions::clear_owed(&self.db, scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_fails_the_transaction_and_keeps_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
        store.put_record("e", "before", "{}").unwrap();
        let pages: i64 = (store.db.conn)
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        store
            .db
            .conn
            .pragma_update(None, "max_page_count", pages + 8)
            .unwrap();
        store.begin().unwrap();
        let doc = "x".repeat(3_000);
        let error = (0..1_000)
            .find_map(|n| store.put_record("e", &format!("{n}"), &doc).err())
            .unwrap();
        assert!(error.message.contains("no space is left"), "{error}");
        assert!(error.message.contains("s.db"), "{error}");
        // Whether SQLite gave the transaction up or not, nothing of it is kept.
        store.rollback().unwrap();
        assert_eq!(store.records_after("e", None, 9).unwrap().len(), 1);
        store.put_record("e", "after", "{}").unwrap();
    }

    #[test]
    fn what_is_committed_behind_is_there_and_durable_once_it_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
        assert!(store.commit_behind().is_err());
        let written_back_at = |store: &SqliteStore| -> u32 {
            let pragma = |row: &Row<'_>| row.get(0);
            (store.db.conn)
                .pragma_query_value(None, "wal_autocheckpoint", pragma)
                .unwrap()
        };
        let mut given = 0;
        for key in ["a", "b", "c"] {
            store.begin().unwrap();
            store.put_record("e", key, "{}").unwrap();
            let next = store.commit_behind().unwrap();
            assert!(next > given && store.durable().unwrap() <= next);
            given = next;
            assert_eq!(written_back_at(&store), behind::LOG_PAGES);
        }
        store.settle().unwrap();
        assert_eq!(store.durable().unwrap(), given);
        // Who waits for a commit again has the log kept short again.
        store.begin().unwrap();
        store.commit().unwrap();
        assert_eq!(written_back_at(&store), open::LOG_PAGES);
        store.begin().unwrap();
        store.put_record("e", "d", "{}").unwrap();
        store.commit_behind().unwrap();
        drop(store);
        // All is written back, as whoever closes a store last leaves it.
        assert!(!open::beside(&path, "-wal").exists());
        let mut store = SqliteStore::open(&path, OpenMode::Inspect).unwrap();
        assert_eq!(store.records_after("e", None, 9).unwrap().len(), 4);
    }

    #[test]
    fn nothing_is_written_after_a_transaction_was_lost() {
        let mut store = SqliteStore::open(Path::new(""), OpenMode::Memory).unwrap();
        store.begin().unwrap();
        store.put_record("e", "a", "{}").unwrap();
        store.db.conn.execute_batch("ROLLBACK").unwrap();
        let error = store.put_record("e", "b", "{}").unwrap_err();
        assert!(error.message.contains("was lost"), "{error}");
        assert!(store.commit().is_err());
        store.rollback().unwrap();
        assert_eq!(store.records_after("e", None, 9).unwrap(), []);
        store.begin().unwrap();
        store.commit().unwrap();
    }
}
