//! The store in memory: the plain statement of what every store has to do.
//!
//! It serves tests and runs under virtual time; a killed process is played by
//! [`MemoryStore::crash`].

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::engine::ports::{
    Conflict, DeadLetter, Quarantined, RawEvent, RunRecord, Staged, Store, StoreError, Stored,
    StoredEvent, StoredRecord, SystemIx, Waiting,
};
use crate::plan::Keep;
use crate::terms::Priority;
use crate::time::{Instant, Millis};

use super::table::Table;
use super::{NESTED, NOT_OPEN, misuse};

type Text3 = (String, String, String);

/// A [`Store`] of ordered maps. Nothing survives the value itself.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    open: bool,
    /// The number that [`Store::commit_behind`] gave last, and that up to which all is durable.
    given: u64,
    settled: u64,
    meta: Table<String, String>,
    events: Table<i64, StoredEvent>,
    event_ids: Table<(String, String), Instant>,
    /// Last numbers given out, by table; a number is never given twice.
    counters: Table<&'static str, i64>,
    /// Registers by entity and key.
    records: Table<(String, String), String>,
    outbox: Table<Text3, Waiting>,
    letters: Table<Text3, DeadLetter>,
    runs: Table<i64, RunRecord>,
    quarantine: Table<i64, Quarantined>,
    conflicts: Table<Text3, Conflict>,
    owed: Table<Text3, ()>,
    /// The stage stands outside transactions.
    stages: BTreeMap<i64, Stage>,
}

/// The staged rows of a run.
#[derive(Debug, Clone, Default)]
struct Stage {
    /// Each with the number of its arrival.
    rows: Vec<(u64, Staged)>,
    /// Whether they are in order: by key, order of reading and order of arrival.
    sorted: bool,
    arrived: u64,
}

impl Stage {
    /// Puts the rows in order, where more have come.
    fn sort(&mut self) {
        if !std::mem::replace(&mut self.sorted, true) {
            let order = |a: &(u64, Staged), b: &(u64, Staged)| {
                (&a.1.key, a.1.seq, a.0).cmp(&(&b.1.key, b.1.seq, b.0))
            };
            self.rows.sort_unstable_by(order);
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Does one thing to every table.
macro_rules! every_table {
    ($store:ident, $act:ident) => {
        $store.meta.$act();
        $store.events.$act();
        $store.event_ids.$act();
        $store.counters.$act();
        $store.records.$act();
        $store.outbox.$act();
        $store.letters.$act();
        $store.runs.$act();
        $store.quarantine.$act();
        $store.conflicts.$act();
        $store.owed.$act();
    };
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        let mut meta = Table::default();
        meta.insert("format".to_owned(), super::FORMAT.to_string());
        MemoryStore {
            open: false,
            given: 0,
            settled: 0,
            meta,
            events: Table::default(),
            event_ids: Table::default(),
            counters: Table::default(),
            records: Table::default(),
            outbox: Table::default(),
            letters: Table::default(),
            runs: Table::default(),
            quarantine: Table::default(),
            conflicts: Table::default(),
            owed: Table::default(),
            stages: BTreeMap::new(),
        }
    }

    /// What a killed process leaves behind: the open transaction is forgotten; the stage stays, and
    /// what was committed and is not durable, unless the power was lost too.
    pub fn crash(&mut self, power_lost: bool) {
        every_table!(self, rollback);
        self.open = false;
        if power_lost {
            every_table!(self, lose);
            self.stages.clear();
        }
    }

    /// A change outside of any transaction is durable at once, and all before it.
    fn changes(&mut self) {
        if !self.open {
            self.settle_all();
        }
    }

    fn settle_all(&mut self) {
        if self.settled < self.given {
            every_table!(self, settle);
            self.settled = self.given;
        }
    }

    fn next(&mut self, table: &'static str) -> i64 {
        let number = self.counters.get(table).copied().unwrap_or(0) + 1;
        self.counters.insert(table, number);
        number
    }

    /// The book-keeping of the file's `untold`, so that both stores hold the same.
    fn made_again(&mut self, letter: i64) {
        let counted = "letters:again".to_owned();
        let before: i64 = self
            .meta
            .get(&counted)
            .map_or(0, |n| n.parse().unwrap_or(0));
        let now = (before + 1).to_string();
        self.meta.insert(counted, now.clone());
        self.meta.insert(format!("letter:again:{letter}"), now);
    }
}

fn text3(a: &str, b: &str, c: &str) -> Text3 {
    (a.to_owned(), b.to_owned(), c.to_owned())
}

impl Store for MemoryStore {
    fn begin(&mut self) -> Stored<()> {
        if self.open {
            return Err(misuse(NESTED));
        }
        every_table!(self, begin);
        self.open = true;
        Ok(())
    }

    fn commit(&mut self) -> Stored<()> {
        if !self.open {
            return Err(misuse(NOT_OPEN));
        }
        every_table!(self, commit);
        self.open = false;
        self.settled = self.given;
        Ok(())
    }

    /// Durable only once it is waited for, or once something later is.
    fn commit_behind(&mut self) -> Stored<u64> {
        if !self.open {
            return Err(misuse(NOT_OPEN));
        }
        every_table!(self, commit_behind);
        self.open = false;
        self.given += 1;
        Ok(self.given)
    }

    fn durable(&mut self) -> Stored<u64> {
        Ok(self.settled)
    }

    fn settle(&mut self) -> Stored<()> {
        self.settle_all();
        Ok(())
    }

    fn rollback(&mut self) -> Stored<()> {
        every_table!(self, rollback);
        self.open = false;
        Ok(())
    }

    fn meta(&mut self, key: &str) -> Stored<Option<String>> {
        Ok(self.meta.get(key).cloned())
    }

    fn set_meta(&mut self, key: &str, value: &str) -> Stored<()> {
        self.changes();
        self.meta.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn meta_with_prefix(&mut self, prefix: &str) -> Stored<Vec<(String, String)>> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        Ok(self
            .meta
            .map()
            .range::<str, _>(from)
            .take_while(|(k, _)| k.starts_with(prefix))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect())
    }

    fn append_events(
        &mut self,
        system: &str,
        events: &[RawEvent],
        now: Instant,
    ) -> Stored<Vec<bool>> {
        self.changes();
        let mut fresh = Vec::with_capacity(events.len());
        for event in events {
            let id = (system.to_owned(), event.id.clone());
            if self.event_ids.get(&id).is_some() {
                fresh.push(false);
                continue;
            }
            self.event_ids.insert(id, now);
            let seq = self.next("events");
            let stored = StoredEvent {
                seq,
                system: system.to_owned(),
                id: event.id.clone(),
                body: event.body.clone(),
                received_at: now,
            };
            self.events.insert(seq, stored);
            fresh.push(true);
        }
        Ok(fresh)
    }

    fn pending_events(&mut self, limit: usize) -> Stored<Vec<StoredEvent>> {
        Ok(self.events.map().values().take(limit).cloned().collect())
    }

    fn events_done(&mut self, seq: i64) -> Stored<()> {
        self.changes();
        self.events.retain(|k, _| *k > seq);
        Ok(())
    }

    fn forget_event_ids(&mut self, before: Instant) -> Stored<()> {
        self.changes();
        self.event_ids.retain(|_, at| *at >= before);
        Ok(())
    }

    fn record(&mut self, entity: &str, key: &str) -> Stored<Option<String>> {
        let key = (entity.to_owned(), key.to_owned());
        Ok(self.records.get(&key).cloned())
    }

    fn put_record(&mut self, entity: &str, key: &str, doc: &str) -> Stored<()> {
        self.changes();
        self.records
            .insert((entity.to_owned(), key.to_owned()), doc.to_owned());
        Ok(())
    }

    fn records_after(
        &mut self,
        entity: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<StoredRecord>> {
        let from = match after {
            Some(key) => Bound::Excluded((entity.to_owned(), key.to_owned())),
            None => Bound::Included((entity.to_owned(), String::new())),
        };
        Ok(self
            .records
            .map()
            .range((from, Bound::Unbounded))
            .take_while(|((e, _), _)| e == entity)
            .take(limit)
            .map(|((_, key), doc)| StoredRecord {
                key: key.clone(),
                doc: doc.clone(),
            })
            .collect())
    }

    fn waiting(&mut self, system: &str, entity: &str, key: &str) -> Stored<Option<Waiting>> {
        Ok(self.outbox.get(&text3(system, entity, key)).cloned())
    }

    fn put_waiting(&mut self, waiting: &Waiting) -> Stored<()> {
        self.changes();
        let key = text3(&waiting.system, &waiting.entity, &waiting.key);
        self.outbox.insert(key, waiting.clone());
        Ok(())
    }

    fn take_waiting(
        &mut self,
        system: &str,
        entity: &str,
        key: &str,
        version: u64,
        scenario: Option<&str>,
    ) -> Stored<bool> {
        self.changes();
        let key = text3(system, entity, key);
        let same = self.outbox.get(&key).is_some_and(|there| {
            there.version == version && scenario.is_none_or(|s| there.scenario == s)
        });
        Ok(same && self.outbox.remove(&key))
    }

    fn due_waiting(
        &mut self,
        system: &str,
        priority: Priority,
        now: Instant,
        limit: usize,
    ) -> Stored<Vec<Waiting>> {
        let mut due: Vec<&Waiting> = self
            .of_system(system)
            .filter(|waiting| waiting.priority == priority && waiting.due <= now)
            .collect();
        due.sort_by(|a, b| {
            (a.due, a.since, &a.entity, &a.key).cmp(&(b.due, b.since, &b.entity, &b.key))
        });
        Ok(due.into_iter().take(limit).cloned().collect())
    }

    fn next_due(
        &mut self,
        system: &str,
        priority: Priority,
        after: Option<Instant>,
    ) -> Stored<Option<Instant>> {
        let ours = self.of_system(system).filter(|w| w.priority == priority);
        let due = ours.map(|waiting| waiting.due);
        Ok(due.filter(|due| after.is_none_or(|a| *due > a)).min())
    }

    fn waiting_since(&mut self, system: &str) -> Stored<Option<Instant>> {
        Ok(self.of_system(system).map(|waiting| waiting.since).min())
    }

    fn hold_waiting(&mut self, scenario: &str, due: Option<Instant>) -> Stored<()> {
        self.changes();
        let never = Instant(i64::MAX);
        let of_scenario = self
            .outbox
            .map()
            .values()
            .filter(|w| w.scenario == scenario);
        let held = of_scenario.filter(|w| due.is_none() || w.due == never);
        let held: Vec<Waiting> = held.cloned().collect();
        for waiting in held {
            let due = due.unwrap_or(never);
            self.put_waiting(&Waiting { due, ..waiting })?;
        }
        Ok(())
    }

    fn bring_forward(&mut self, by: Millis) -> Stored<()> {
        self.changes();
        let due = |w: &&Waiting| w.due != Instant(i64::MAX);
        let all: Vec<Waiting> = self.outbox.map().values().filter(due).cloned().collect();
        for waiting in all {
            let due = waiting.due - by;
            self.put_waiting(&Waiting { due, ..waiting })?;
        }
        Ok(())
    }

    fn waiting_counts(&mut self) -> Stored<Vec<(String, u64)>> {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for (system, _, _) in self.outbox.map().keys() {
            match counts.last_mut() {
                Some((last, count)) if last == system => *count += 1,
                _ => counts.push((system.clone(), 1)),
            }
        }
        Ok(counts)
    }

    fn put_dead_letter(&mut self, letter: &DeadLetter) -> Stored<i64> {
        self.changes();
        let key = text3(&letter.system, &letter.entity, &letter.key);
        let id = match self.letters.get(&key) {
            Some(older) => {
                let id = older.id;
                self.made_again(id);
                id
            }
            None => self.next("dead_letters"),
        };
        let letter = DeadLetter {
            id,
            ..letter.clone()
        };
        self.letters.insert(key, letter);
        Ok(id)
    }

    fn dead_letters(&mut self) -> Stored<Vec<DeadLetter>> {
        let mut letters: Vec<DeadLetter> = self.letters.map().values().cloned().collect();
        letters.sort_by_key(|letter| letter.id);
        Ok(letters)
    }

    fn clear_dead_letter(&mut self, system: &str, entity: &str, key: &str) -> Stored<()> {
        self.changes();
        let key = text3(system, entity, key);
        if let Some(id) = self.letters.get(&key).map(|letter| letter.id) {
            self.letters.remove(&key);
            self.meta.remove(&format!("letter:again:{id}"));
        }
        Ok(())
    }

    fn open_run(&mut self, run: &RunRecord) -> Stored<i64> {
        self.changes();
        let id = self.next("runs");
        self.runs.insert(id, RunRecord { id, ..run.clone() });
        Ok(id)
    }

    fn put_run(&mut self, run: &RunRecord) -> Stored<()> {
        self.changes();
        if self.runs.get(&run.id).is_none() {
            return Err(unknown_run(run.id));
        }
        self.runs.insert(run.id, run.clone());
        Ok(())
    }

    fn runs(&mut self, scenario: Option<&str>, limit: usize) -> Stored<Vec<RunRecord>> {
        Ok(self
            .runs
            .map()
            .values()
            .rev()
            .filter(|run| scenario.is_none_or(|s| run.scenario == s))
            .take(limit)
            .cloned()
            .collect())
    }

    fn open_runs(&mut self) -> Stored<Vec<RunRecord>> {
        let runs = self.runs.map().values();
        Ok(runs.filter(|run| run.ended.is_none()).cloned().collect())
    }

    fn stage_open(&mut self, run: i64) -> Stored<()> {
        self.stages.insert(run, Stage::default());
        Ok(())
    }

    fn stage_put(&mut self, run: i64, rows: Vec<Staged>) -> Stored<()> {
        let stage = self.stages.entry(run).or_default();
        stage.sorted = false;
        for row in rows {
            stage.rows.push((stage.arrived, row));
            stage.arrived += 1;
        }
        Ok(())
    }

    fn stage_len(&mut self, run: i64) -> Stored<u64> {
        let stage = self.stages.get(&run);
        Ok(stage.map_or(0, |stage| stage.rows.len() as u64))
    }

    fn stage_drop_duplicates(
        &mut self,
        run: i64,
        keep: Keep,
        owner: Option<SystemIx>,
    ) -> Stored<u64> {
        let Some(stage) = self.stages.get_mut(&run) else {
            return Ok(0);
        };
        stage.sort();
        let before = stage.rows.len();
        let mut kept: BTreeMap<String, (bool, i64, i64, u64)> = BTreeMap::new();
        let rank = |row: &Staged, arrived: u64| {
            let owned = keep == Keep::Owner && owner == Some(row.system);
            (owned, row.changed_at, row.seq, arrived)
        };
        let better = |a, b| if keep == Keep::Oldest { a < b } else { a > b };
        for (arrived, row) in &stage.rows {
            let new = rank(row, *arrived);
            match kept.get_mut(&*row.group) {
                Some(best) if better(new, *best) => *best = new,
                Some(_) => {}
                None => {
                    kept.insert(row.group.to_string(), new);
                }
            }
        }
        stage.rows.retain(|(arrived, row)| {
            row.group.is_empty() || kept.get(&*row.group) == Some(&rank(row, *arrived))
        });
        Ok((before - stage.rows.len()) as u64)
    }

    fn stage_after(&mut self, run: i64, after: Option<&str>, limit: usize) -> Stored<Vec<Staged>> {
        let Some(stage) = self.stages.get_mut(&run) else {
            return Ok(Vec::new());
        };
        stage.sort();
        let from = after.map_or(0, |key| {
            let before = |(_, row): &(u64, Staged)| row.key.as_str() <= key;
            stage.rows.partition_point(before)
        });
        let mut out: Vec<Staged> = Vec::new();
        for (_, row) in &stage.rows[from..] {
            if out.len() >= limit.max(1) && out.last().is_some_and(|last| last.key != row.key) {
                break;
            }
            out.push(row.clone());
        }
        Ok(out)
    }

    fn stage_drop(&mut self, run: i64) -> Stored<()> {
        self.stages.remove(&run);
        Ok(())
    }

    fn put_quarantined(&mut self, records: &[Quarantined]) -> Stored<()> {
        self.changes();
        for record in records {
            let id = self.next("quarantine");
            self.quarantine.insert(id, record.clone());
        }
        Ok(())
    }

    fn quarantined(&mut self, run: i64, limit: usize) -> Stored<Vec<Quarantined>> {
        let all = self.quarantine.map().values();
        Ok(all
            .filter(|record| record.run == run)
            .take(limit)
            .cloned()
            .collect())
    }

    fn put_conflict(&mut self, conflict: &Conflict) -> Stored<()> {
        self.changes();
        let key = text3(&conflict.entity, &conflict.key, &conflict.field);
        self.conflicts.insert(key, conflict.clone());
        Ok(())
    }

    fn clear_conflict(&mut self, entity: &str, key: &str, field: &str) -> Stored<()> {
        self.changes();
        self.conflicts.remove(&text3(entity, key, field));
        Ok(())
    }

    fn conflicts(&mut self) -> Stored<Vec<Conflict>> {
        Ok(self.conflicts.map().values().cloned().collect())
    }

    fn put_owed(&mut self, scenario: &str, entity: &str, key: &str) -> Stored<()> {
        self.changes();
        self.owed.insert(text3(scenario, entity, key), ());
        Ok(())
    }

    fn owed(&mut self, scenario: &str) -> Stored<Vec<(String, String)>> {
        let from = text3(scenario, "", "");
        Ok(self
            .owed
            .map()
            .range(from..)
            .map(|(owed, ())| owed)
            .take_while(|(s, _, _)| s == scenario)
            .map(|(_, entity, key)| (entity.clone(), key.clone()))
            .collect())
    }

    fn clear_owed(&mut self, scenario: &str) -> Stored<()> {
        self.changes();
        self.owed.retain(|(s, _, _), ()| s != scenario);
        Ok(())
    }
}

impl MemoryStore {
    fn of_system(&self, system: &str) -> impl Iterator<Item = &Waiting> {
        let all = self.outbox.map().range(text3(system, "", "")..);
        all.map(|(_, waiting)| waiting)
            .take_while(move |waiting| waiting.system == system)
    }
}

/// A run that was never opened cannot be stored.
pub(super) fn unknown_run(id: i64) -> StoreError {
    misuse(&format!("there is no run {id} in the store"))
}
