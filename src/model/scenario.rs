//! Scenarios: what travels, when, and how.

use std::sync::Arc;

use super::{
    EntityId, Expression, FieldId, Ident, MoneyPer, Percent, Rate, Ref, Said, ScenarioId, Spanned,
    SystemId,
};
use crate::terms::{Impact, ModeClass, OrderBy, Priority};
use crate::text::Span;
use crate::time::{Calendar, Millis, Schedule, Window, mode_class};

/// A scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its id.
    pub id: ScenarioId,
    /// Its name.
    pub name: Ident,
    /// Its title.
    pub title: Option<Ident>,
    /// Its doc comment.
    pub doc: Option<Span>,
    /// The whole item.
    pub span: Span,
    /// The event that starts it.
    pub when: Option<When>,
    /// Its `sync` clauses in the order written.
    pub syncs: Vec<Sync>,
    /// Every ordered pair of systems of every `sync`, in the order written.
    pub hops: Vec<Hop>,
    /// Its `clean` clause.
    pub clean: Option<Clean>,
    /// Its mode: its own, else the policy's `unsure`, else `every 1h`.
    pub mode: Mode,
    /// Bound on each of its own hops.
    pub fresh: Option<Said<Millis>>,
    /// What a late arrival does.
    pub stale: Option<Stale>,
    /// Its own event rate.
    pub volume: Option<Said<EventVolume>>,
    /// The scenarios it waits for.
    pub after: Vec<Ref<ScenarioId>>,
    /// The `after` clause.
    pub after_clause: Option<Span>,
    /// When scheduled work may run.
    pub window: Option<Said<Window>>,
    /// Records in one write call.
    pub batch: Option<Said<u64>>,
    /// `scan`: true is full.
    pub scan_full: Option<Said<bool>>,
    /// `deletes`: true is propagate.
    pub deletes: Option<Said<bool>>,
    /// Whose calls go first: as written, else by the language's rule.
    pub priority: Priority,
    /// The `priority` clause.
    pub priority_clause: Option<Span>,
    /// Retries (absent: [`Retry::default`]).
    pub retry: Option<Said<Retry>>,
    /// Breaker (absent: [`Breaker::default`]).
    pub breaker: Option<Said<Breaker>>,
    /// Order of writes (absent: by key).
    pub order: Option<Said<OrderBy>>,
    /// What stands between reading and writing.
    pub checkpoint: Option<Checkpoint>,
    /// Whether a clause of it could not be read, so that hops and facts may be missing here.
    pub broken: bool,
}

impl Scenario {
    /// The retries that hold.
    pub fn retry(&self) -> Retry {
        self.retry.map_or_else(Retry::default, |r| r.value)
    }

    /// The breaker that holds.
    pub fn breaker(&self) -> Breaker {
        self.breaker.map_or_else(Breaker::default, |b| b.value)
    }

    /// The order that holds.
    pub fn order(&self) -> OrderBy {
        self.order.map_or(OrderBy::Key, |o| o.value)
    }

    /// Whether a scheduled read takes all records: `scan full`, or `clean`.
    pub fn scans_full(&self) -> bool {
        self.clean.is_some() || self.scan_full.is_some_and(|s| s.value)
    }

    /// The declared impact.
    pub fn impact(&self) -> Option<Impact> {
        self.stale.as_ref().map(|s| s.impact.value)
    }

    /// Every system that it reads, writes or hears, each once, in the order written.
    pub fn systems(&self) -> Vec<SystemId> {
        let mut systems = Vec::new();
        let mut add = |s: SystemId| {
            if !systems.contains(&s) {
                systems.push(s);
            }
        };
        self.when
            .iter()
            .filter_map(|w| w.system.id)
            .for_each(&mut add);
        for sync in &self.syncs {
            sync.sources
                .iter()
                .chain(&sync.targets)
                .filter_map(|s| s.id)
                .for_each(&mut add);
        }
        self.clean
            .iter()
            .filter_map(|c| c.system.id)
            .for_each(&mut add);
        systems
    }
}

/// ``when SYSTEM.EVENT [if `CEL`]``.
#[derive(Debug, Clone)]
pub struct When {
    /// The whole clause.
    pub clause: Span,
    /// The system.
    pub system: Ref<SystemId>,
    /// The event.
    pub event: Ident,
    /// The condition over `event`.
    pub filter: Option<Filter>,
}

/// ``if `CEL` [passes PERCENT]``.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The condition.
    pub expr: Expression,
    /// The share of records that passes, for estimates.
    pub passes: Option<Spanned<Percent>>,
}

/// A `sync` clause.
#[derive(Debug, Clone)]
pub struct Sync {
    /// The whole clause.
    pub clause: Span,
    /// The entity.
    pub entity: Ref<EntityId>,
    /// What it carries.
    pub carried: Carried,
    /// The sources in the order written (`between`: all its systems).
    pub sources: Vec<Ref<SystemId>>,
    /// The targets in the order written (`between`: all its systems).
    pub targets: Vec<Ref<SystemId>>,
    /// Whether it is `between`.
    pub between: bool,
    /// Its filter over the entity's name.
    pub filter: Option<Filter>,
}

/// What a `sync` carries as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// `*`, with its place; what that is differs by hop.
    All(Span),
    /// The fields named, keys included.
    Fields(Vec<Ref<FieldId>>),
}

/// One way from one system to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Position of its clause in [`Scenario::syncs`].
    pub sync: u32,
    /// The entity.
    pub entity: EntityId,
    /// From where, with the place of the name.
    pub from: Spanned<SystemId>,
    /// To where, with the place of the name.
    pub to: Spanned<SystemId>,
    /// What it carries besides the key, by position in the entity, derived fields included. A
    /// field that is named but not mapped at an end stays in.
    pub fields: Arc<[FieldId]>,
}

/// `clean ENTITY in SYSTEM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clean {
    /// The whole clause.
    pub clause: Span,
    /// The entity.
    pub entity: Ref<EntityId>,
    /// The system.
    pub system: Ref<SystemId>,
}

/// How and when a scenario runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Mode {
    /// What it is.
    pub kind: ModeKind,
    /// Its class; `None`: `auto`, or a mode that could not be read.
    pub class: Option<ModeClass>,
    /// The words after `mode` or `unsure`; `None`: nobody says a mode.
    pub span: Option<Span>,
    /// Whether the scenario itself says it.
    pub written: bool,
    /// How it was chosen, where the policy says `auto`; `None` there too until it is.
    pub chosen: Option<Arc<Chosen>>,
}

/// A mode that was chosen where the policy says `auto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What decided it, in words.
    pub why: String,
    /// Why not even this one will do, the nearest of all; `None`: it does.
    pub miss: Option<String>,
}

/// What `mode auto` runs as where its scenario could not be read, so that none can be chosen: when
/// unsure, a batch.
pub const AUTO_RUNS_AS: Schedule = Schedule::Every(Millis::HOUR);

impl Mode {
    /// Whether each change moves by itself: realtime or hybrid.
    pub fn is_realtime(&self) -> bool {
        matches!(self.kind, ModeKind::Realtime | ModeKind::Hybrid(_))
    }

    /// Whether the policy leaves it open.
    pub fn is_auto(&self) -> bool {
        self.chosen.is_some() || self.kind == ModeKind::Auto
    }

    /// The schedule of a scheduled mode or of a hybrid's reconcile.
    pub fn schedule(&self) -> Option<&Schedule> {
        match &self.kind {
            ModeKind::Scheduled(s) | ModeKind::Hybrid(s) => s.as_ref(),
            ModeKind::Realtime | ModeKind::Auto | ModeKind::Unknown => None,
        }
    }
}

impl ModeKind {
    /// The class of a mode inside a window; `None`: it is open or could not be read.
    pub fn class(&self, calendar: &Calendar, window: Option<&Window>) -> Option<ModeClass> {
        match self {
            ModeKind::Realtime => Some(ModeClass::Realtime),
            ModeKind::Hybrid(_) => Some(ModeClass::Hybrid),
            ModeKind::Scheduled(schedule) => {
                let schedule = schedule.as_ref()?;
                let gap = match (schedule, window) {
                    // Without a window its gaps are all alike.
                    (Schedule::Every(every), None) => Some(*every),
                    _ => calendar.longest_gap(schedule, window),
                };
                Some(mode_class(gap))
            }
            ModeKind::Auto | ModeKind::Unknown => None,
        }
    }
}

/// The modes. A schedule that could not be read is `None` (reported).
#[derive(Debug, Clone, PartialEq)]
pub enum ModeKind {
    /// By event.
    Realtime,
    /// By the clock.
    Scheduled(Option<Schedule>),
    /// By event, with a reconcile by the clock.
    Hybrid(Option<Schedule>),
    /// The compiler picks.
    Auto,
    /// A `mode` clause that could not be read (reported).
    Unknown,
}

/// `stale IMPACT [costs MONEY/UNIT]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// The whole clause.
    pub clause: Span,
    /// The impact.
    pub impact: Spanned<Impact>,
    /// The cost per delayed record and unit of delay.
    pub costs: Option<Spanned<MoneyPer>>,
}

/// `volume RATE [peak INTx]` of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventVolume {
    /// How many.
    pub rate: Rate,
    /// Peak over mean.
    pub peak: Option<u64>,
}

/// `retry exponential …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first wait.
    pub from: Millis,
    /// The longest wait.
    pub to: Millis,
    /// Attempts in all.
    pub attempts: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            from: Millis::SECOND,
            to: Millis::from_secs(300),
            attempts: 12,
        }
    }
}

/// `breaker INT failures, DURATION pause`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row that open it.
    pub failures: u64,
    /// How long it stays open.
    pub pause: Millis,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker {
            failures: 5,
            pause: Millis::from_secs(30),
        }
    }
}

/// Which of several records a dedupe keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The latest change time.
    Newest,
    /// The earliest change time.
    Oldest,
    /// The owner's.
    Owner,
}

/// `checkpoint { }`.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The whole clause.
    pub clause: Span,
    /// `dedupe`.
    pub dedupe: Option<Dedupe>,
    /// `require`, in the order written.
    pub requires: Vec<Require>,
    /// `guard`, in the order written.
    pub guards: Vec<Guard>,
    /// `abort over`.
    pub abort: Option<Said<Percent>>,
}

/// `dedupe by FIELD, … keep …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedupe {
    /// The whole clause.
    pub clause: Span,
    /// By which fields.
    pub by: Vec<Ref<FieldId>>,
    /// Which record stays.
    pub keep: Spanned<Keep>,
}

/// ``require `CEL` else quarantine | abort``.
#[derive(Debug, Clone)]
pub struct Require {
    /// The whole clause.
    pub clause: Span,
    /// The condition over the entity's name.
    pub expr: Expression,
    /// Whether a record that fails aborts the run (else it is quarantined).
    pub abort: bool,
}

/// `guard FIELD over PERCENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// The whole clause.
    pub clause: Span,
    /// The field.
    pub field: Ref<FieldId>,
    /// The greatest share of the carried records in which a run may change it; `None`: could not
    /// be read.
    pub over: Option<Spanned<Percent>>,
}
