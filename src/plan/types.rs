//! The shape of a plan: what is written to disk and what the runner reads.
//!
//! Everything here is plain data with serde. Members marked *outside the digest* say where a part
//! came from or how people call it; changing them does not change what the plan does.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::terms::{Impact, ModeClass, OrderBy, Priority, ResolveRule};
use crate::time::{Millis, Schedule, Window};
use crate::value::Type;

/// The plan's major version: readers refuse any other.
pub const PLAN_VERSION: u32 = 1;

/// A compiled policy: all that a runner needs, and no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Major version of this format.
    pub syncline_plan: u32,
    /// The policy's name.
    pub policy: String,
    /// `sha256:` and 64 hexadecimal digits over the plan's meaning.
    pub digest: String,
    /// IANA name of the zone in which schedules and windows are read.
    pub timezone: String,
    /// The variable with the URL that hears of breaches, dead letters and aborted runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<EnvRef>,
    /// The systems, by name.
    pub systems: Vec<System>,
    /// The entities, by name.
    pub entities: Vec<Entity>,
    /// The maps, by entity and system.
    pub maps: Vec<Map>,
    /// The scenarios, by name.
    pub scenarios: Vec<Scenario>,
}

/// A variable of the environment, read when the plan runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvRef {
    /// Its name.
    pub env: String,
    /// What holds where it is unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// A literal: string, integer or boolean; a duration in milliseconds.
    Value(Json),
    /// A variable.
    Env(EnvRef),
}

/// A system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct System {
    /// Its name in the policy.
    pub name: String,
    /// The catalog entry's name; for a user's own entry its path as written.
    pub connector: String,
    /// The tier, where one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What the connector can do, as the catalog said when the plan was made.
    pub capabilities: Capabilities,
    /// Options by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub options: IndexMap<String, Setting>,
    /// Secrets by name: only where each is found, never the secret.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub secrets: IndexMap<String, EnvRef>,
    /// Burst and daily limits of the policy's own, calls per window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// The vendor's limits for the tier and the seats, as the catalog said when the plan was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vendor_limits: Vec<VendorLimit>,
    /// Calls at a time, as the catalog said when the plan was made.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub concurrency: u32,
    /// Seats, where declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u64>,
    /// Share of the vendor's daily quota that this policy may use, 0 to 1.
    pub budget: f64,
    /// Expected share of calls that fail, 0 to 1.
    pub failure: f64,
    /// Write latency, p99.
    pub latency: Millis,
    /// Records in one write call; absent: all that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_batch: Option<u32>,
    /// Bulk jobs, where the vendor takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<Bulk>,
    /// Records in one page of a read; absent: all that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_page: Option<u32>,
    /// How late a change may become visible to a read.
    pub visibility_lag: Millis,
}

/// Jobs that take many records at once, as the catalog said when the plan was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bulk {
    /// A run that owes more records than that takes a job.
    pub from_records: u32,
    /// Records in one upload of a job.
    pub records: u32,
    /// Calls that a job takes whatever its size: create, close, polls, results.
    pub fixed_calls: u32,
}

/// What a connector can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    /// Records can be read.
    pub read: bool,
    /// Records can be written.
    pub write: bool,
    /// A write can be an upsert by key in place.
    pub upsert: bool,
    /// It tells of changes by itself.
    pub events: bool,
    /// Records can be deleted.
    pub deletes: bool,
}

/// A limit: so many calls in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Calls.
    pub calls: u64,
    /// The window's length.
    pub per: Millis,
}

/// A vendor's limit: so many calls, or tokens that calls cost, in so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VendorLimit {
    /// Its name in the catalog.
    pub name: String,
    /// Calls, or tokens where calls cost more than one.
    pub calls: u64,
    /// The window's length.
    pub per: Millis,
    /// Whether the window runs from one point of the clock to the next; else it reaches back from
    /// any moment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
    /// What a read costs; 0 where reads do not count.
    pub read: u32,
    /// What a write costs; 0 where writes do not count.
    pub write: u32,
    /// What a call of a bulk job costs; 0 where they do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bulk: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

/// An entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// Its name.
    pub name: String,
    /// The key's fields in the order declared.
    pub keys: Vec<String>,
    /// Its fields, by name; keys and derived fields included.
    pub fields: Vec<Field>,
    /// Expected volume, where declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
}

/// What is declared of an entity's size and traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// Records; absent in a scenario's own volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Changes a day.
    pub changes_per_day: f64,
    /// Peak over mean; absent: the model's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<f64>,
}

/// A field with everything that an inherited default settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Its system of record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Further origins, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<String>,
    /// How one value is chosen among several origins'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve: Option<ResolveRule>,
    /// How old it may be in which system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fresh: Vec<Freshness>,
    /// Its classes, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Changes a day, where declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_per_day: Option<f64>,
    /// The expression that makes it, for a derived field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Expression>,
}

/// A bound on a field's age in one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Freshness {
    /// The system.
    pub system: String,
    /// The greatest age.
    pub within: Millis,
}

/// A CEL expression and the entity's fields that it reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expression {
    /// The text.
    pub cel: String,
    /// The fields it reads, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
}

/// How an entity looks in a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Map {
    /// The entity.
    pub entity: String,
    /// The system.
    pub system: String,
    /// The system's own object, table or file.
    pub object: String,
    /// The mapped fields, by name; keys included.
    pub fields: Vec<MapField>,
    /// The column that grows with every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How far a read by cursor looks back before the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Millis>,
    /// The column that tells when the record changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<String>,
    /// The column that is true, or a time, where the record was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
}

/// A mapped field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MapField {
    /// The policy's field.
    pub field: String,
    /// The system's column or property.
    pub column: String,
    /// Whether it is part of the key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key: bool,
    /// Enum values and how the system writes each.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub values: IndexMap<String, String>,
    /// Raw value to policy value, before `values`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// Policy value to raw value, after `values`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<String>,
}

/// Where in the policy something stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyLine {
    /// The file, relative to the root file's directory.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Its name, its stable id.
    pub name: String,
    /// Its title (outside the digest).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When it moves records.
    pub mode: Mode,
    /// Why it has that mode (outside the digest).
    pub reason: String,
    /// Where it stands (outside the digest).
    pub at: PolicyLine,
    /// The event that starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// What goes from where to where; empty for `clean`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// The set that it cleans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<Clean>,
    /// The stage between reading and writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// Scenarios that go first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// When scheduled work may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Records in one write call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// Whether a scheduled read takes everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scan_full: bool,
    /// Whether deletions travel.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub propagate_deletes: bool,
    /// Whose calls go first.
    pub priority: Priority,
    /// How failed calls are tried again.
    pub retry: Retry,
    /// When a system counts as down.
    pub breaker: Breaker,
    /// Whether writes of one record keep their order.
    pub order: OrderBy,
    /// Bound on each of its own hops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Millis>,
    /// What a late arrival does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Impact>,
    /// Its own event rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
}

/// When a scenario moves records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mode {
    /// As written in the policy's language, `every 5m`.
    pub text: String,
    /// Its class.
    pub class: ModeClass,
    /// Whether each change moves by itself.
    pub realtime: bool,
    /// The schedule: of a scheduled mode, or of a hybrid's reconcile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
}

/// The event that starts a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct When {
    /// The system.
    pub system: String,
    /// The event's name.
    pub event: String,
    /// A condition over `event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// One hop: some fields of an entity from one system to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// Stable id: `scenario/entity/from>to`, with `#2` and on for further clauses of the pair.
    pub id: String,
    /// The entity.
    pub entity: String,
    /// The sending system.
    pub from: String,
    /// The receiving system.
    pub to: String,
    /// The fields carried, by name, derived ones included; keys always travel.
    pub fields: Vec<String>,
    /// A condition over the entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Expression>,
    /// Share of records that passes the filter, 0 to 1, for estimates (outside the digest).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<f64>,
    /// The `sync` clause (outside the digest).
    pub at: PolicyLine,
}

/// A set that is cleaned in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clean {
    /// The entity.
    pub entity: String,
    /// The system.
    pub system: String,
}

/// The stage between reading and writing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// Which records count as the same and which stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe: Option<Dedupe>,
    /// Conditions that every record has to hold, in the order written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Require>,
    /// Fields that a run may change only on so many records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guard: Vec<Guard>,
    /// Share of records quarantined, 0 to 1, over which nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_over: Option<f64>,
}

/// Which records count as the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dedupe {
    /// The fields that have to agree.
    pub by: Vec<String>,
    /// Which record stays.
    pub keep: Keep,
}

/// Which of several records stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The latest change time.
    Newest,
    /// The earliest change time.
    Oldest,
    /// The owner's.
    Owner,
}

/// A condition with what happens where it does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Require {
    /// The condition over the entity.
    pub expression: Expression,
    /// Whether one failure aborts the run; else the record is quarantined.
    pub abort: bool,
}

/// A guard against mass changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// The field.
    pub field: String,
    /// Share of the records carried, 0 to 1.
    pub over: f64,
}

/// How failed calls are tried again: exponential, full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retry {
    /// First delay.
    pub from: Millis,
    /// Greatest delay.
    pub to: Millis,
    /// Attempts before a dead letter.
    pub attempts: u32,
}

/// When a system counts as down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// How long it is left alone.
    pub pause: Millis,
}
