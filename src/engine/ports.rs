//! The seams of the engine: what it asks of a clock, a store, connectors and a source of
//! randomness. The live implementations stand in `store`, `connector` and `host`; virtual ones in
//! `sim`. Everything that reaches the engine comes through here.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::terms::Priority;
use crate::time::{Instant, Millis};
use crate::value::Value;
pub use crate::value::key_parts;

/// Position of an entity in [`crate::plan::Plan::entities`].
pub type EntityIx = u16;
/// Position of a field in [`crate::plan::Entity::fields`].
pub type FieldIx = u16;
/// Position of a system in [`crate::plan::Plan::systems`].
pub type SystemIx = u16;
/// Position of a map in [`crate::plan::Plan::maps`].
pub type MapIx = u16;
/// Position of a scenario in [`crate::plan::Plan::scenarios`].
pub type ScenarioIx = u16;

/// One record as a system showed it, in the policy's terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The canonical key (see [`key_text`]); empty where the key could not be read (then
    /// `problem` says why).
    pub key: CompactString,
    /// The key as the system itself writes it, where that differs from what Syncline would write.
    pub native_key: Option<String>,
    /// Where exactly the connector found it (a row id), so that one of several records with the
    /// same key can be told apart.
    pub locator: Option<String>,
    /// Fields by position, in ascending order; a field that the system did not show is missing.
    pub fields: Vec<(FieldIx, Value)>,
    /// When the record changed, in the system's own time: microseconds since 1970-01-01T00:00Z.
    pub changed_at: Option<i64>,
    /// Whether the system shows it as deleted.
    pub deleted: bool,
    /// Why the record cannot be used: it is quarantined with this reason.
    pub problem: Option<String>,
    /// The record as it was, as JSON text, kept where there is a problem.
    pub raw: Option<String>,
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    /// Which entity of which system.
    pub map: MapIx,
    /// The cursor after which changes are wanted; `None`: everything. What a cursor looks like is
    /// the connector's affair; the overlap is the connector's to subtract.
    pub since: Option<String>,
    /// Where the last page ended.
    pub page: Option<String>,
    /// At most so many records.
    pub limit: usize,
    /// Whether each row is to say where exactly it stands ([`Row::locator`]).
    pub locate: bool,
}

/// One page of a read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The records.
    pub rows: Vec<Row>,
    /// Where the next page starts; `None`: this was the last.
    pub next: Option<String>,
    /// The greatest cursor seen up to here, to be committed when the run is done.
    pub cursor: Option<String>,
}

/// One write: an upsert of some fields of a record by its key, or a deletion.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The canonical key.
    pub key: CompactString,
    /// The key as the system writes it, where known to differ.
    pub native_key: Option<String>,
    /// The one record meant, where several have this key (only with `delete`).
    pub locator: Option<String>,
    /// The fields to set, by position, keys excluded.
    pub fields: Vec<(FieldIx, Value)>,
    /// Whether the record is to be deleted.
    pub delete: bool,
    /// What tells it from others.
    pub idempotency: Idempotency,
}

/// Same effect, same key: a hash of scenario, record, version and destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotency {
    /// The key itself.
    Key(String),
    /// The record's version, of a write of the request's scenario. Few of the systems that runs
    /// write to by the million ask for the key: the others need not wait for it.
    Version(u64),
}

impl Default for Idempotency {
    fn default() -> Self {
        Idempotency::Key(String::new())
    }
}

/// A batch of writes of one entity into one system, keys all different.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteRequest {
    /// Which entity of which system.
    pub map: MapIx,
    /// The scenario, for logs and headers.
    pub scenario: ScenarioIx,
    /// The writes.
    pub writes: Vec<Write>,
    /// Calls of a bulk job that it stands for: the upload, and with the first one those that the
    /// job takes anyway. 0: it is a plain write. Only systems whose plan has `bulk` are given one.
    pub job_calls: u64,
}

/// What became of each write of a batch that reached the system, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WriteReport {
    /// The writes that the system refused for good: position and why; the system's words, where they
    /// may hold values, stand below the first line (see [`super::cause`]).
    pub rejected: Vec<(usize, String)>,
    /// Calls made.
    pub calls: u64,
}

/// An event as a system sent it, before anything is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// The sender's id, else a hash of source and body.
    pub id: String,
    /// The body: JSON text.
    pub body: String,
}

/// A page of events from a system that is followed rather than heard (a file that grows, a
/// stream).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events in their order.
    pub events: Vec<RawEvent>,
    /// Where to go on from; opaque.
    pub position: Option<String>,
    /// Whether more can be read at once.
    pub more: bool,
    /// Bytes that the system keeps for this reader, where it was looked at.
    pub held_bytes: Option<u64>,
}

/// Why a call failed, as far as the runner needs to know.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What to do about it.
    pub class: FailureClass,
    /// What happened, with the place, in words for a person; those that may hold values of records
    /// stand below the first line (see [`super::cause`]).
    pub message: String,
    /// How to mend it.
    pub remedy: Option<String>,
}

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// Try again later, not before so many milliseconds.
    Retry {
        /// The system's own wish.
        after_ms: Option<u64>,
    },
    /// Credentials are wrong: the system is paused.
    Auth,
    /// The request itself is refused: another try would end the same.
    Reject,
    /// The system is not set up as the policy says (no such file, table or column).
    Setup,
}

/// What an event says, in the policy's terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The event's name, where it says one; without, it counts as every event that the policy
    /// names of this system.
    pub name: Option<String>,
    /// Whether it tells of the runner's own write, where the sender says who made the change;
    /// `None`: it does not say.
    pub own: Option<bool>,
    /// The columns that changed, where the event shows more and the sender says which; `None`: it
    /// does not say.
    pub changed: Option<Vec<String>>,
    /// The payload that `event` stands for in conditions.
    pub payload: serde_json::Value,
    /// The record that it shows, for every entity that the system maps.
    pub rows: Vec<(MapIx, Row)>,
}

/// Reads events; implemented beside the connectors, which know the formats.
pub trait Decoder {
    /// What an event says; an error is a reason in words, and the event is kept back with it.
    fn decode(&self, event: &StoredEvent) -> Result<Decoded, String>;
}

/// What the engine asks of a system.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Read a page.
    Read(ReadRequest),
    /// Write a batch.
    Write(WriteRequest),
    /// Read what was appended since a position.
    Events(Option<String>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A page.
    Page(Page),
    /// A report of a batch; the batch comes back with it.
    Written(WriteRequest, WriteReport),
    /// Events.
    Events(EventPage),
    /// It failed; a batch comes back with it.
    Failed(Option<WriteRequest>, Failure),
}

/// Clock, network and randomness: the outside world in one place. Different systems do not wait for
/// each other; of one system as many calls are carried out at a time as its plan allows
/// (`concurrency`).
pub trait World {
    /// The time.
    fn now(&self) -> Instant;
    /// Hands a call over; its answer comes from [`World::wait`] with the same ticket.
    fn call(&mut self, ticket: u64, system: SystemIx, call: Call);
    /// Calls to a system that it takes beyond those that may be under way at a time: it carries one
    /// out as soon as another is answered, so that the system does not wait for the runner.
    fn in_hand(&self, _: SystemIx) -> u32 {
        0
    }
    /// Calls may be kept until now, or until the next wait, to be handed over together.
    fn calls_go(&mut self) {}
    /// The next answer; `None` when `until` has come first or something else wants attention (an
    /// event has arrived, a stop was asked for).
    fn wait(&mut self, until: Instant) -> Option<(u64, Answer)>;
    /// A number from 0 up to but not including 1, for jitter.
    fn random(&mut self) -> f64;
    /// Whether a stop was asked for.
    fn stopping(&self) -> bool;
}

/// A system as the runner talks to it. One instance a system, used from one thread at a time.
pub trait Connector: Send {
    /// Reads a page.
    fn read(&mut self, request: &ReadRequest) -> Result<Page, Failure>;
    /// Writes a batch. `Ok` means durable there for every write that is not `rejected`.
    fn write(&mut self, request: &WriteRequest) -> Result<WriteReport, Failure>;
    /// Reads what was appended since `position` (`None`: from the start). A connector whose
    /// events are heard (webhooks) has none.
    fn events(&mut self, position: Option<&str>, limit: usize) -> Result<EventPage, Failure>;
}

/// A durable event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Order of arrival.
    pub seq: i64,
    /// The system that sent it.
    pub system: String,
    /// Its id.
    pub id: String,
    /// Its body.
    pub body: String,
    /// When it arrived.
    pub received_at: Instant,
}

/// A record's register with its key, as stored: JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Canonical key.
    pub key: String,
    /// The register, JSON.
    pub doc: String,
}

/// A write that waits: state, not history. One per destination, entity and key.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The destination.
    pub system: String,
    /// The entity.
    pub entity: String,
    /// The canonical key.
    pub key: String,
    /// The scenario that asked last.
    pub scenario: String,
    /// Names of the fields to send, sorted.
    pub fields: Vec<String>,
    /// Whether the record is to be deleted.
    pub delete: bool,
    /// The record's version when it was last asked for; a newer one replaces this.
    pub version: u64,
    /// Since when it waits.
    pub since: Instant,
    /// Not to be tried before.
    pub due: Instant,
    /// Attempts made while the system was up.
    pub attempts: u32,
    /// The last error.
    pub error: Option<String>,
    /// Whose calls go first: the highest priority of those that asked and still wait.
    pub priority: Priority,
}

/// A write that was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// The destination.
    pub system: String,
    /// The entity.
    pub entity: String,
    /// The canonical key.
    pub key: String,
    /// The scenario.
    pub scenario: String,
    /// What should have been written, JSON by field.
    pub payload: String,
    /// Why it was given up: the cause, and what may hold values below it (see [`super::cause`]).
    pub error: String,
    /// Attempts made.
    pub attempts: u32,
    /// Since when it had waited.
    pub first_at: Instant,
    /// When it was given up.
    pub last_at: Instant,
}

/// How a run stands or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Reading into the stage.
    Reading,
    /// Checked; writing chunk by chunk.
    Writing,
    /// All is confirmed.
    Done,
    /// Ended with some writes still waiting, or cut short by a spent quota and to go on
    /// ([`RunRecord::goes_on`]).
    Partial,
    /// The checkpoint stopped it: nothing was written.
    Aborted,
    /// A system or the set-up failed it: nothing more is done until its next start.
    Failed,
}

impl RunStatus {
    /// Its word, in lower case.
    pub fn word(self) -> &'static str {
        match self {
            RunStatus::Reading => "reading",
            RunStatus::Writing => "writing",
            RunStatus::Done => "done",
            RunStatus::Partial => "partial",
            RunStatus::Aborted => "aborted",
            RunStatus::Failed => "failed",
        }
    }
}

/// What a run counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunCounts {
    /// Records read from sources.
    pub read: u64,
    /// Records whose shown values changed.
    pub changed: u64,
    /// Records dropped as repeats of another.
    pub deduplicated: u64,
    /// Records kept back by the checkpoint or unreadable.
    pub quarantined: u64,
    /// Writes confirmed.
    pub written: u64,
    /// Writes refused or given up.
    pub failed: u64,
    /// Writes left to the outbox: their system was down or asked for patience, a newer change
    /// overtook them, or the runner was stopped.
    pub postponed: u64,
    /// Fields on which origins disagreed.
    pub conflicts: u64,
    /// Differences that a reconcile found.
    pub drift: u64,
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its number.
    pub id: i64,
    /// The scenario.
    pub scenario: String,
    /// Why it started: `schedule`, `missed`, `until-idle`, `opening`, `reconcile`,
    /// `resumed`.
    pub why: String,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    /// How it stands.
    pub status: RunStatus,
    /// What it counted.
    pub counts: RunCounts,
    /// Calls by system.
    pub calls: std::collections::BTreeMap<String, u64>,
    /// Cursors before, by map (`entity/system`).
    pub cursor_before: std::collections::BTreeMap<String, String>,
    /// Cursors after, by map.
    pub cursor_after: std::collections::BTreeMap<String, String>,
    /// The last key whose writes are confirmed; a resumed run goes on after it.
    pub confirmed: Option<String>,
    /// The last key whose registers are committed; between `confirmed` and this, a resumed run
    /// writes again whatever it finds.
    pub committed: Option<String>,
    /// What ended it early, in words; keys and values stand below the first line.
    pub note: Option<String>,
    /// When a run that was cut short by a spent quota goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<Instant>,
}

/// A row of the stage, in merge order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Canonical key.
    pub key: CompactString,
    /// Order of reading within the run.
    pub seq: i64,
    /// The system that showed it.
    pub system: SystemIx,
    /// What the dedupe groups by; equal to the key where there is no other.
    pub group: CompactString,
    /// Change time in microseconds, or `i64::MIN` where there is none.
    pub changed_at: i64,
    /// The fields, encoded by the engine.
    pub payload: Vec<u8>,
}

/// A record that a checkpoint kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The run.
    pub run: i64,
    /// The scenario.
    pub scenario: String,
    /// The system it came from.
    pub system: String,
    /// The entity.
    pub entity: String,
    /// Its key, where it could be read.
    pub key: String,
    /// Why.
    pub reason: String,
    /// The record, JSON.
    pub record: String,
}

/// A conflict that waits for a person (`resolve manual`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The entity.
    pub entity: String,
    /// The canonical key.
    pub key: String,
    /// The field.
    pub field: String,
    /// The origins' values, JSON by system.
    pub values: String,
    /// Since when.
    pub since: Instant,
}

/// A failing store.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What happened, with the file.
    pub message: String,
    /// How to mend it.
    pub remedy: Option<String>,
    /// Whether no space was left: what failed works once there is some.
    pub full: bool,
}

/// A result of the store.
pub type Stored<T> = Result<T, StoreError>;

/// Durable state. Calls between [`Store::begin`] and [`Store::commit`] take effect together or
/// not at all; what was committed survives a killed process and a lost power supply. Reads see the
/// open transaction. Every list is ordered as its method says, never by chance.
pub trait Store {
    /// Opens a transaction.
    fn begin(&mut self) -> Stored<()>;
    /// Makes it durable.
    fn commit(&mut self) -> Stored<()>;
    /// Makes it hold without waiting for the disk: it survives a killed process, and a lost power
    /// supply once anything later was committed with [`Store::commit`]. For what may be done once
    /// more.
    fn commit_later(&mut self) -> Stored<()> {
        self.commit()
    }
    /// Makes it hold at once and durable while the caller goes on; gives the number by which
    /// [`Store::durable`] tells that it is.
    fn commit_behind(&mut self) -> Stored<u64> {
        self.commit().map(|()| 0)
    }
    /// The greatest number of [`Store::commit_behind`] up to which everything is durable.
    fn durable(&mut self) -> Stored<u64> {
        Ok(u64::MAX)
    }
    /// Waits until everything is.
    fn settle(&mut self) -> Stored<()> {
        Ok(())
    }
    /// Forgets it.
    fn rollback(&mut self) -> Stored<()>;
    /// Reads from here on may share one look at the store, until [`Store::end_reading`] or until
    /// something is written. Says whether they may see something else than those before.
    fn read_together(&mut self) -> Stored<bool> {
        Ok(true)
    }
    /// Reads look anew from here on.
    fn end_reading(&mut self) -> Stored<()> {
        Ok(())
    }

    /// A value of the store's own book-keeping (format, plan digest, positions, counters).
    fn meta(&mut self, key: &str) -> Stored<Option<String>>;
    /// Sets one.
    fn set_meta(&mut self, key: &str, value: &str) -> Stored<()>;
    /// All whose key starts with `prefix`, by key.
    fn meta_with_prefix(&mut self, prefix: &str) -> Stored<Vec<(String, String)>>;

    /// Takes events in; `false` for each that was there already (by system and id, remembered
    /// for 7 days). Opens its own transaction where none is open.
    fn append_events(
        &mut self,
        system: &str,
        events: &[RawEvent],
        now: Instant,
    ) -> Stored<Vec<bool>>;
    /// Events not yet made into changes, by order of arrival.
    fn pending_events(&mut self, limit: usize) -> Stored<Vec<StoredEvent>>;
    /// Marks events up to and including `seq` as done and drops their bodies.
    fn events_done(&mut self, seq: i64) -> Stored<()>;
    /// Forgets ids older than `before`.
    fn forget_event_ids(&mut self, before: Instant) -> Stored<()>;

    /// A record's register.
    fn record(&mut self, entity: &str, key: &str) -> Stored<Option<String>>;
    /// Sets a record's register.
    fn put_record(&mut self, entity: &str, key: &str, doc: &str) -> Stored<()>;
    /// The registers of several records, in the order of their keys, which ascend.
    fn records_of(&mut self, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
        keys.iter().map(|key| self.record(entity, key)).collect()
    }
    /// Sets the registers of several records (key and register), whose keys ascend.
    fn put_records(&mut self, entity: &str, records: &[(&str, &str)]) -> Stored<()> {
        let mut records = records.iter();
        records.try_for_each(|(key, doc)| self.put_record(entity, key, doc))
    }
    /// Registers with keys after `after` (`None`: from the first), by key as bytes.
    fn records_after(
        &mut self,
        entity: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<StoredRecord>>;

    /// The waiting write of a record, if there is one.
    fn waiting(&mut self, system: &str, entity: &str, key: &str) -> Stored<Option<Waiting>>;
    /// Puts a waiting write in the place of the one that is there.
    fn put_waiting(&mut self, waiting: &Waiting) -> Stored<()>;
    /// Takes a waiting write away where its version is still `version`, and its scenario, where one
    /// is told, still that; says whether it was.
    fn take_waiting(
        &mut self,
        system: &str,
        entity: &str,
        key: &str,
        version: u64,
        scenario: Option<&str>,
    ) -> Stored<bool>;
    /// Waiting writes of a system and a priority due by `now`: the earliest due first, then the
    /// longest waiting, then by entity and key.
    fn due_waiting(
        &mut self,
        system: &str,
        priority: Priority,
        now: Instant,
        limit: usize,
    ) -> Stored<Vec<Waiting>>;
    /// The same, only of which records: entity and key.
    fn due_records(
        &mut self,
        system: &str,
        priority: Priority,
        now: Instant,
        limit: usize,
    ) -> Stored<Vec<(String, String)>> {
        let due = self.due_waiting(system, priority, now, limit)?;
        Ok(due.into_iter().map(|w| (w.entity, w.key)).collect())
    }
    /// The earliest time at which a waiting write of a system and a priority falls due; the earliest
    /// later than `after`, where that is given.
    fn next_due(
        &mut self,
        system: &str,
        priority: Priority,
        after: Option<Instant>,
    ) -> Stored<Option<Instant>>;
    /// Since when the longest waiting write of a system waits.
    fn waiting_since(&mut self, system: &str) -> Stored<Option<Instant>>;
    /// Sets when the waiting writes of a scenario fall due: with `due` `None` never, else all that
    /// were never due at that time.
    fn hold_waiting(&mut self, scenario: &str, due: Option<Instant>) -> Stored<()>;
    /// Has every waiting write that is ever due fall due so much earlier.
    fn bring_forward(&mut self, by: Millis) -> Stored<()>;
    /// How many writes wait, by system.
    fn waiting_counts(&mut self) -> Stored<Vec<(String, u64)>>;

    /// Adds a dead letter in the place of an older one of the same record and destination, whose
    /// number it takes over; gives its number. The letter's own `id` is not looked at.
    fn put_dead_letter(&mut self, letter: &DeadLetter) -> Stored<i64>;
    /// Dead letters by number.
    fn dead_letters(&mut self) -> Stored<Vec<DeadLetter>>;
    /// Clears the dead letter of a record and destination (a newer version was delivered).
    fn clear_dead_letter(&mut self, system: &str, entity: &str, key: &str) -> Stored<()>;

    /// Opens a run; gives its number.
    fn open_run(&mut self, run: &RunRecord) -> Stored<i64>;
    /// Stores how a run stands; an error where no such run was opened.
    fn put_run(&mut self, run: &RunRecord) -> Stored<()>;
    /// Runs, newest first; at most `limit`.
    fn runs(&mut self, scenario: Option<&str>, limit: usize) -> Stored<Vec<RunRecord>>;
    /// Runs that did not end (`ended` is `None`), oldest first.
    fn open_runs(&mut self) -> Stored<Vec<RunRecord>>;

    /// Empties and readies the stage of a run. The stage survives a killed process; it need not
    /// survive a lost power supply, and says in [`Store::stage_len`] what it holds. It stands
    /// outside transactions: what is put there stays, whatever becomes of an open one. The stages
    /// of runs that ended are removed when a runner opens the store.
    fn stage_open(&mut self, run: i64) -> Stored<()>;
    /// Adds rows.
    fn stage_put(&mut self, run: i64, rows: Vec<Staged>) -> Stored<()>;
    /// Number of rows.
    fn stage_len(&mut self, run: i64) -> Stored<u64>;
    /// Of the rows that share a group only one stays; gives how many went. `Newest` and `Oldest`
    /// go by change time, then by order of reading; `Owner` prefers rows of `owner`, then the
    /// newest. Rows whose group is empty stay all.
    fn stage_drop_duplicates(
        &mut self,
        run: i64,
        keep: crate::plan::Keep,
        owner: Option<SystemIx>,
    ) -> Stored<u64>;
    /// Rows by key as bytes, then by order of reading, with keys after `after`; at least all rows
    /// of one key, about `limit` rows.
    fn stage_after(&mut self, run: i64, after: Option<&str>, limit: usize) -> Stored<Vec<Staged>>;
    /// Drops the stage.
    fn stage_drop(&mut self, run: i64) -> Stored<()>;

    /// Keeps records back.
    fn put_quarantined(&mut self, records: &[Quarantined]) -> Stored<()>;
    /// Kept-back records of a run, in order.
    fn quarantined(&mut self, run: i64, limit: usize) -> Stored<Vec<Quarantined>>;

    /// Sets or clears a conflict.
    fn put_conflict(&mut self, conflict: &Conflict) -> Stored<()>;
    /// Clears it.
    fn clear_conflict(&mut self, entity: &str, key: &str, field: &str) -> Stored<()>;
    /// All, by entity, key and field.
    fn conflicts(&mut self) -> Stored<Vec<Conflict>>;

    /// Marks a record for the next run of a scenario (a scheduled flow owes a correction).
    fn put_owed(&mut self, scenario: &str, entity: &str, key: &str) -> Stored<()>;
    /// Owed records of a scenario, by entity and key.
    fn owed(&mut self, scenario: &str) -> Stored<Vec<(String, String)>>;
    /// Clears them.
    fn clear_owed(&mut self, scenario: &str) -> Stored<()>;
}

/// The canonical key: each part as its value displays, parts joined with `|`; `|` and `\` inside a
/// part are escaped with `\`.
pub fn key_text<'a>(parts: impl IntoIterator<Item = &'a Value>) -> String {
    let mut out = String::new();
    for (i, part) in parts.into_iter().enumerate() {
        if i > 0 {
            out.push('|');
        }
        let start = out.len();
        // Writing into a String cannot fail.
        let _ = part.write_to(&mut out);
        if out[start..].contains(['|', '\\']) {
            let text = out.split_off(start);
            for c in text.chars() {
                if matches!(c, '|' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_whatever_they_hold() {
        let parts = [
            Value::Text("a|b\\".into()),
            Value::Int(3),
            Value::Text("".into()),
        ];
        let key = key_text(&parts);
        assert_eq!(key, r"a\|b\\|3|");
        assert_eq!(key_parts(&key), ["a|b\\", "3", ""]);
    }
}
