//! A world under virtual time for the engine: emulated systems in memory, a seeded order of
//! answers, failures, and a store that can be cut off at any call.

#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value as Json, json};
use syncline::engine::ports::*;
use syncline::engine::program::Program;
use syncline::engine::runner::{Alert, Observer, Options, Progress, Runner, Tally};
use syncline::engine::steps::{Cause, Step};
use syncline::sim::SharedStore;
use syncline::store::MemoryStore;
use syncline::time::{Instant, Millis};
use syncline::value::Value;

use crate::fixtures;

/// Monday 2026-01-05 00:00 UTC.
pub const START: i64 = 1_767_571_200_000;

/// A program from a policy's text, which has to be free of errors of syntax and naming.
pub fn program(text: &str) -> Program {
    let (plan, all) = fixtures::planned(text);
    let bad: Vec<_> = all
        .iter()
        .filter(|f| f.severity == syncline::finding::Severity::Error)
        .map(|f| format!("{} {}", f.code, f.message))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    Program::new(plan).unwrap()
}

/// A record as a system holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub fields: BTreeMap<String, Value>,
    /// Microseconds, in the system's own time.
    pub changed_at: i64,
    pub deleted: bool,
    /// Grows with every change in the system.
    pub change: i64,
}

/// How an emulated system behaves.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Whether reads and events carry change times.
    pub timed: bool,
    /// Whether what is written there comes back as an event.
    pub echoes: bool,
    /// Whether deleted records are shown as such, rather than not at all.
    pub tombstones: bool,
    /// Milliseconds that a call takes at the most.
    pub slowness: u64,
}

/// An emulated system.
pub struct Emulated {
    pub manner: Manner,
    pub records: BTreeMap<(String, String), Held>,
    changes: i64,
    /// When each of the calls that it takes at a time is done, milliseconds.
    lanes: Vec<i64>,
    /// Down until then.
    pub down_until: i64,
    /// Refuses every call for wrong credentials.
    pub locked: bool,
    /// Keys whose writes it refuses, one by one.
    pub refuses: BTreeSet<String>,
    /// Keys with which a whole batch is refused.
    pub refuses_batch: BTreeSet<String>,
    /// Keys with which a whole batch fails as if the system were down.
    pub chokes_on: BTreeSet<String>,
    /// So many writes are carried out and their answer lost.
    pub loses_replies: u32,
    /// Asks for patience of so many milliseconds, so many times.
    pub asks_patience: Option<(u64, u32)>,
    /// Successful writes: time, key, fields, whether it was a deletion.
    pub writes: Vec<(i64, String, BTreeMap<String, Value>, bool)>,
    /// Times of all answers, by kind of call.
    pub calls: Vec<(i64, &'static str)>,
    /// When each call was made, with its kind and scenario (of a write).
    pub asked: Vec<(i64, &'static str, Option<ScenarioIx>)>,
    /// The writes that it was handed, whatever became of them.
    pub handed: Vec<Write>,
    /// Of each part of a bulk job: the calls that it stood for, and its records.
    pub jobs: Vec<(u64, usize)>,
    /// Calls under way, and the most that ever were.
    pub under_way: (usize, usize),
    /// Pages of events that it has to tell.
    pub feed: VecDeque<Vec<RawEvent>>,
    /// How many events waited for the runner each time that it asked for some.
    pub waited_when_asked: Vec<usize>,
    /// Keys with which a batch is never answered.
    pub hangs_on: BTreeSet<String>,
    /// Never answers what it is asked.
    pub hangs: bool,
    /// Answers batches as if they had been a record shorter.
    pub forgets_one: bool,
}

/// Something that happens at a time.
pub enum Act {
    Sets(&'static str, String, String, Vec<(String, Value)>),
    Deletes(&'static str, String, String),
    Stop,
    Do(Box<dyn FnOnce(&mut Sim)>),
}

/// The world.
pub struct Sim {
    /// The time, by which the systems go.
    pub now: i64,
    /// By how much the runner's own clock is wrong.
    pub skew: i64,
    pub names: Vec<String>,
    pub systems: Vec<Emulated>,
    entities: Vec<(String, Vec<String>)>,
    maps: Vec<(String, String)>,
    pending: BTreeMap<(i64, u64), (u64, SystemIx, Call)>,
    asked: u64,
    script: BTreeMap<(i64, u64), Act>,
    pub rng: fastrand::Rng,
    pub stopping: bool,
    pub store: SharedStore,
    events: u64,
    idle_turns: u32,
    /// Events are kept back and pushed later, shuffled and repeated.
    pub held_events: Option<Vec<(String, RawEvent)>>,
}

impl Sim {
    pub fn system(&mut self, name: &str) -> &mut Emulated {
        let at = self.names.iter().position(|n| n == name).unwrap();
        &mut self.systems[at]
    }

    pub fn at(&mut self, ms: i64, act: Act) {
        self.asked += 1;
        self.script.insert((START + ms, self.asked), act);
    }

    pub fn values(&self, system: &str, entity: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
        let at = self.names.iter().position(|n| n == system).unwrap();
        let records = self.systems[at].records.iter();
        records
            .filter(|((e, _), held)| e == entity && !held.deleted)
            .map(|((_, key), held)| (key.clone(), held.fields.clone()))
            .collect()
    }

    /// A person or another program changes a record in a system: it tells by event.
    pub fn sets(&mut self, system: &str, entity: &str, key: &str, fields: &[(String, Value)]) {
        let at = self.now;
        self.sets_at(system, entity, key, fields, at);
    }

    pub fn sets_at(
        &mut self,
        system: &str,
        entity: &str,
        key: &str,
        fields: &[(String, Value)],
        ms: i64,
    ) {
        self.seed(system, entity, key, fields, ms);
        self.tell(system, entity, key, fields, ms, false);
    }

    /// A record that is there without an event.
    pub fn seed(
        &mut self,
        system: &str,
        entity: &str,
        key: &str,
        fields: &[(String, Value)],
        ms: i64,
    ) {
        let slot = (entity.to_owned(), key.to_owned());
        let system = self.system(system);
        system.changes += 1;
        let change = system.changes;
        let held = system.records.entry(slot).or_insert(Held {
            fields: BTreeMap::new(),
            changed_at: 0,
            deleted: false,
            change,
        });
        if held.deleted {
            held.fields.clear();
        }
        held.deleted = false;
        held.changed_at = ms * 1_000;
        held.change = change;
        held.fields.extend(fields.iter().cloned());
    }

    pub fn deletes(&mut self, system: &str, entity: &str, key: &str) {
        let ms = self.now;
        let there = self.system(system);
        there.changes += 1;
        let change = there.changes;
        let slot = (entity.to_owned(), key.to_owned());
        if let Some(held) = there.records.get_mut(&slot) {
            held.deleted = true;
            held.changed_at = ms * 1_000;
            held.change = change;
        }
        self.tell(system, entity, key, &[], ms, true);
    }

    /// An event of a system arrives.
    pub fn tell(
        &mut self,
        system: &str,
        entity: &str,
        key: &str,
        fields: &[(String, Value)],
        ms: i64,
        deleted: bool,
    ) {
        self.events += 1;
        let timed = self.system(system).manner.timed;
        let fields: serde_json::Map<String, Json> = fields
            .iter()
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect();
        let body = json!({
            "entity": entity, "key": key, "fields": fields, "deleted": deleted,
            "at": timed.then_some(ms * 1_000),
        });
        let event = RawEvent {
            id: format!("e{}", self.events),
            body: body.to_string(),
        };
        match &mut self.held_events {
            Some(held) => held.push((system.to_owned(), event)),
            None => self.push(system, event),
        }
    }

    /// Puts an event into the store, as an intake would.
    pub fn push(&mut self, system: &str, event: RawEvent) {
        let now = Instant(self.now + self.skew);
        self.store
            .inner()
            .append_events(system, &[event], now)
            .unwrap();
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Sets(system, entity, key, fields) => self.sets(system, &entity, &key, &fields),
            Act::Deletes(system, entity, key) => self.deletes(system, &entity, &key),
            Act::Stop => self.stopping = true,
            Act::Do(act) => act(self),
        }
    }

    fn answer(&mut self, system: SystemIx, call: Call) -> Answer {
        let now = self.now;
        let kind = match &call {
            Call::Read(_) => "read",
            Call::Write(_) => "write",
            Call::Events(_) => "events",
        };
        let there = &mut self.systems[system as usize];
        there.calls.push((now, kind));
        if kind != "events" {
            there.under_way.0 -= 1;
        }
        let retry = |after_ms| FailureClass::Retry { after_ms };
        let mut failed = None;
        if there.locked {
            failed = Some((FailureClass::Auth, "401"));
        } else if there.down_until > now {
            failed = Some((retry(None), "503"));
        } else if let Some((ms, times @ 1..)) = &mut there.asks_patience {
            *times -= 1;
            failed = Some((retry(Some(*ms)), "429"));
        }
        if let Some((class, message)) = failed {
            let request = match call {
                Call::Write(request) => Some(request),
                _ => None,
            };
            return Answer::Failed(request, failure(class, message));
        }
        match call {
            Call::Read(request) => Answer::Page(self.read(system, &request)),
            Call::Write(request) => self.write(system, request),
            Call::Events(position) => {
                let feed = &mut self.systems[system as usize].feed;
                Answer::Events(EventPage {
                    events: feed.pop_front().unwrap_or_default(),
                    position,
                    more: !feed.is_empty(),
                    held_bytes: None,
                })
            }
        }
    }

    fn read(&mut self, system: SystemIx, request: &ReadRequest) -> Page {
        let (entity, _) = self.maps[request.map as usize].clone();
        let names = self.field_names(&entity);
        let there = &self.systems[system as usize];
        let since: i64 = request.since.as_ref().map_or(-1, |s| s.parse().unwrap());
        let after = request.page.clone();
        let mut page = Page {
            cursor: Some(there.changes.to_string()),
            ..Page::default()
        };
        for ((_, key), held) in there.records.iter().filter(|((e, _), _)| *e == entity) {
            let gone = held.deleted && !there.manner.tombstones;
            // A little overlap, as a cursor with ties has.
            if gone || held.change < since || after.as_ref().is_some_and(|a| key <= a) {
                continue;
            }
            if page.rows.len() == request.limit {
                page.next = page.rows.last().map(|r: &Row| r.key.to_string());
                break;
            }
            let mut fields: Vec<(FieldIx, Value)> = held
                .fields
                .iter()
                .filter_map(|(n, v)| {
                    let ix = names.iter().position(|name| name == n)?;
                    Some((ix as FieldIx, v.clone()))
                })
                .collect();
            fields.sort_by_key(|f| f.0);
            page.rows.push(Row {
                key: key.clone().into(),
                native_key: None,
                locator: request.locate.then(|| key.clone()),
                fields,
                changed_at: there.manner.timed.then_some(held.changed_at),
                deleted: held.deleted,
                problem: None,
                raw: None,
            });
        }
        page
    }

    fn field_names(&self, entity: &str) -> Vec<String> {
        let found = self.entities.iter().find(|(name, _)| name == entity);
        found.unwrap().1.clone()
    }

    fn write(&mut self, system: SystemIx, request: WriteRequest) -> Answer {
        let name = self.names[system as usize].clone();
        let (entity, _) = self.maps[request.map as usize].clone();
        let names = self.field_names(&entity);
        let keys: BTreeSet<_> = request.writes.iter().map(|w| &w.key).collect();
        assert_eq!(keys.len(), request.writes.len(), "keys of a batch differ");
        let there = &mut self.systems[system as usize];
        let whole = |set: &BTreeSet<String>| request.writes.iter().any(|w| set.contains(&*w.key));
        if whole(&there.refuses_batch) {
            return Answer::Failed(Some(request), failure(FailureClass::Reject, "400 batch"));
        }
        if whole(&there.chokes_on) {
            let class = FailureClass::Retry { after_ms: None };
            return Answer::Failed(Some(request), failure(class, "500"));
        }
        let mut report = WriteReport {
            rejected: Vec::new(),
            calls: request.job_calls.max(1),
        };
        for (i, write) in request.writes.iter().enumerate() {
            if self.system(&name).refuses.contains(&*write.key) {
                report.rejected.push((i, "422".into()));
                continue;
            }
            assert!(
                write.delete || !write.fields.is_empty(),
                "a write says something"
            );
            let fields: Vec<(String, Value)> = write
                .fields
                .iter()
                .map(|(ix, v)| (names[*ix as usize].clone(), v.clone()))
                .collect();
            let log = (
                self.now,
                write.key.to_string(),
                fields.iter().cloned().collect(),
                write.delete,
            );
            self.system(&name).writes.push(log);
            let ms = self.now;
            let echoes = self.system(&name).manner.echoes;
            if write.delete {
                let there = self.system(&name);
                there.changes += 1;
                let change = there.changes;
                if let Some(held) = there
                    .records
                    .get_mut(&(entity.clone(), write.key.to_string()))
                {
                    held.deleted = true;
                    held.changed_at = ms * 1_000;
                    held.change = change;
                }
            } else {
                self.seed(&name, &entity, &write.key, &fields, ms);
            }
            if echoes {
                self.tell(&name, &entity, &write.key, &fields, ms, write.delete);
            }
        }
        let mut request = request;
        let there = &mut self.systems[system as usize];
        if there.forgets_one {
            request.writes.pop();
        }
        if there.loses_replies > 0 {
            there.loses_replies -= 1;
            let class = FailureClass::Retry { after_ms: None };
            return Answer::Failed(Some(request), failure(class, "the reply was lost"));
        }
        Answer::Written(request, report)
    }

    /// What a killed runner leaves in flight: some calls are still carried out, nobody hears of it.
    pub fn runner_died(&mut self) {
        for (_, (_, system, call)) in std::mem::take(&mut self.pending) {
            if self.rng.bool() {
                let _ = self.answer(system, call);
            }
        }
        for system in &mut self.systems {
            system.lanes.fill(0);
            system.under_way.0 = 0;
        }
    }
}

fn failure(class: FailureClass, message: &str) -> Failure {
    Failure {
        class,
        message: message.into(),
        remedy: None,
    }
}

impl World for Sim {
    fn now(&self) -> Instant {
        Instant(self.now + self.skew)
    }

    fn call(&mut self, ticket: u64, system: SystemIx, call: Call) {
        let there = &mut self.systems[system as usize];
        let takes = self.rng.u64(0..=there.manner.slowness) as i64;
        there.asked.push(match &call {
            Call::Read(_) => (self.now, "read", None),
            Call::Write(request) => (self.now, "write", Some(request.scenario)),
            Call::Events(_) => (self.now, "events", None),
        });
        if let Call::Write(request) = &call {
            there.handed.extend(request.writes.iter().cloned());
            if request.job_calls > 0 {
                there.jobs.push((request.job_calls, request.writes.len()));
            }
        }
        match &call {
            Call::Events(_) => {
                let waits = self.store.inner().pending_events(usize::MAX).unwrap().len();
                there.waited_when_asked.push(waits);
            }
            _ => {
                there.under_way.0 += 1;
                there.under_way.1 = there.under_way.1.max(there.under_way.0);
            }
        }
        let lane = there.lanes.iter_mut().min().unwrap();
        let silent = match &call {
            Call::Write(request) => {
                let keys = &there.hangs_on;
                request.writes.iter().any(|w| keys.contains(&*w.key))
            }
            _ => false,
        };
        let done = match there.hangs || silent {
            true => i64::MAX,
            false => (*lane).max(self.now) + takes,
        };
        *lane = done;
        self.asked += 1;
        self.pending
            .insert((done, self.asked), (ticket, system, call));
    }

    fn wait(&mut self, until: Instant) -> Option<(u64, Answer)> {
        let until = Instant(until.0.saturating_sub(self.skew));
        let before = self.now;
        let call = self.pending.keys().next().copied();
        let act = self.script.keys().next().copied();
        let soonest = call.into_iter().chain(act).min();
        if until.0 > self.now {
            let next = soonest.map_or(until.0, |s| s.0.min(until.0));
            self.now = self.now.max(next);
        }
        self.idle_turns = if self.now > before {
            0
        } else {
            self.idle_turns + 1
        };
        assert!(self.idle_turns < 20_000, "the runner turns without moving");
        if let Some(at) = act.filter(|at| at.0 <= self.now && soonest == Some(*at)) {
            let act = self.script.remove(&at)?;
            self.act(act);
            self.idle_turns = 0;
            return None;
        }
        let at = call.filter(|at| at.0 <= self.now)?;
        let (ticket, system, call) = self.pending.remove(&at)?;
        self.idle_turns = 0;
        Some((ticket, self.answer(system, call)))
    }

    fn random(&mut self) -> f64 {
        self.rng.f64()
    }

    fn stopping(&self) -> bool {
        self.stopping
    }
}

/// Reads the events of emulated systems.
pub struct Events {
    entities: Vec<(String, Vec<String>, Vec<syncline::value::Type>)>,
    maps: Vec<(String, String)>,
}

impl Decoder for Events {
    fn decode(&self, event: &StoredEvent) -> Result<Decoded, String> {
        let body: Json = serde_json::from_str(&event.body).map_err(|e| e.to_string())?;
        let mut rows = Vec::new();
        for (i, (entity, system)) in self.maps.iter().enumerate() {
            if *system != event.system {
                continue;
            }
            let ours = body["entity"] == entity.as_str();
            let (_, names, types) = self.entities.iter().find(|(n, _, _)| n == entity).unwrap();
            let mut fields = Vec::new();
            for (ix, name) in names.iter().enumerate() {
                if let Some(value) = body["fields"].get(name) {
                    fields.push((ix as FieldIx, types[ix].read_json(value).unwrap()));
                }
            }
            rows.push((
                i as MapIx,
                Row {
                    key: if ours {
                        body["key"].as_str().unwrap().into()
                    } else {
                        String::new().into()
                    },
                    native_key: None,
                    locator: None,
                    fields,
                    changed_at: body["at"].as_i64(),
                    deleted: body["deleted"] == true,
                    problem: (!ours).then(|| "no key".into()),
                    raw: None,
                },
            ));
        }
        Ok(Decoded {
            name: None,
            own: None,
            changed: None,
            payload: body["fields"].clone(),
            rows,
        })
    }
}

/// Notes what a person should hear of, and what becomes of chunks.
#[derive(Default)]
struct Ear(Vec<String>, Vec<String>);

impl Observer for Ear {
    fn progress(&mut self, _: &Progress<'_>) {}

    fn step(&mut self, step: &Step<'_>) {
        match step {
            Step::ChunkBegins(_, chunk) => self.1.push(format!("begin {chunk}")),
            Step::CallBegins {
                cause: Cause::Chunk(_, chunk),
                ..
            } => self.1.push(format!("send {chunk}")),
            _ => {}
        }
    }

    fn alert(&mut self, alert: &Alert<'_>) {
        self.0.push(match alert {
            Alert::Paused { system, error } => format!("{system} paused: {error}"),
            Alert::Resumed { system } => format!("{system} resumed"),
            Alert::Down { system, error, .. } => format!("{system} down: {error}"),
            Alert::Up { system } => format!("{system} up"),
            Alert::Awaited { system, until, .. } => {
                format!("{system} awaited until {}", until.0 - START)
            }
            Alert::KeptBack { event, reason, .. } => format!("{event} kept back: {reason}"),
            Alert::DeadLetter(letter) => format!("letter: {}", letter.key),
            Alert::Aborted { scenario, .. } => format!("{scenario} aborted"),
            Alert::Full { error } => error.message.clone(),
            Alert::Room => "room".to_owned(),
        });
    }
}

/// A program with its world and store.
pub struct Bench {
    pub program: Program,
    pub sim: Sim,
    pub store: SharedStore,
    pub tallies: BTreeMap<String, Tally>,
    pub troubles: Vec<(String, String)>,
    /// What a person heard of, in order.
    pub alerts: Vec<String>,
    /// When chunks were begun and sent, in order.
    pub chunks: Vec<String>,
}

impl Bench {
    pub fn new(policy: &str, seed: u64) -> Self {
        let program = program(policy);
        let store = SharedStore::default();
        let plan = &program.plan;
        let manner = Manner {
            timed: true,
            echoes: true,
            tombstones: false,
            slowness: 40,
        };
        let emulated = |system: &syncline::plan::System| Emulated {
            manner: manner.clone(),
            records: BTreeMap::new(),
            changes: 0,
            lanes: vec![0; system.concurrency as usize],
            down_until: 0,
            locked: false,
            refuses: BTreeSet::new(),
            refuses_batch: BTreeSet::new(),
            chokes_on: BTreeSet::new(),
            loses_replies: 0,
            asks_patience: None,
            writes: Vec::new(),
            calls: Vec::new(),
            asked: Vec::new(),
            handed: Vec::new(),
            jobs: Vec::new(),
            under_way: (0, 0),
            feed: VecDeque::new(),
            waited_when_asked: Vec::new(),
            hangs_on: BTreeSet::new(),
            hangs: false,
            forgets_one: false,
        };
        let sim = Sim {
            now: START,
            skew: 0,
            names: plan.systems.iter().map(|s| s.name.clone()).collect(),
            systems: plan.systems.iter().map(emulated).collect(),
            entities: plan
                .entities
                .iter()
                .map(|e| {
                    (
                        e.name.clone(),
                        e.fields.iter().map(|f| f.name.clone()).collect(),
                    )
                })
                .collect(),
            maps: plan
                .maps
                .iter()
                .map(|m| (m.entity.clone(), m.system.clone()))
                .collect(),
            pending: BTreeMap::new(),
            asked: 0,
            script: BTreeMap::new(),
            rng: fastrand::Rng::with_seed(seed),
            stopping: false,
            store: store.clone(),
            events: 0,
            idle_turns: 0,
            held_events: None,
        };
        Bench {
            program,
            sim,
            store,
            tallies: BTreeMap::new(),
            troubles: Vec::new(),
            alerts: Vec::new(),
            chunks: Vec::new(),
        }
    }

    /// Runs a runner; an error is a killed one.
    pub fn run_with(&mut self, options: Options) -> Result<(), StoreError> {
        let plan = &self.program.plan;
        let events = Events {
            entities: plan
                .entities
                .iter()
                .map(|e| {
                    (
                        e.name.clone(),
                        e.fields.iter().map(|f| f.name.clone()).collect(),
                        e.fields.iter().map(|f| f.ty.clone()).collect(),
                    )
                })
                .collect(),
            maps: plan
                .maps
                .iter()
                .map(|m| (m.entity.clone(), m.system.clone()))
                .collect(),
        };
        let mut ear = Ear::default();
        let mut store = self.store.clone();
        let mut runner = Runner::new(
            &self.program,
            &mut store,
            &mut self.sim,
            &events,
            &mut ear,
            options,
        )?;
        runner.run()?;
        self.tallies = runner
            .tallies()
            .iter()
            .map(|(s, t)| (plan.scenarios[*s as usize].name.clone(), t.clone()))
            .collect();
        self.troubles = runner.troubles();
        drop(runner);
        self.alerts.append(&mut ear.0);
        self.chunks.append(&mut ear.1);
        Ok(())
    }

    /// Until nothing is left to do.
    pub fn until_idle(&mut self) {
        let options = Options {
            until_idle: true,
            ..Options::default()
        };
        self.run_with(options).unwrap();
    }

    /// By the clock, for so long.
    pub fn for_ms(&mut self, ms: i64) {
        let from = self.sim.now - START;
        self.sim.stopping = false;
        self.sim.at(from + ms, Act::Stop);
        self.run_with(Options::default()).unwrap();
        self.sim.stopping = false;
    }

    /// The plan made ready anew, after something in it was changed.
    pub fn with_plan(mut self, change: impl FnOnce(&mut syncline::plan::Plan)) -> Self {
        let mut plan = self.program.plan.clone();
        change(&mut plan);
        for (there, system) in self.sim.systems.iter_mut().zip(&plan.systems) {
            there.lanes = vec![0; system.concurrency as usize];
        }
        self.program = Program::new(plan).unwrap();
        self
    }

    /// Kills the runner after so many calls of the store; says whether it lived longer.
    pub fn until_killed(&mut self, options: Options, after: u64, power_lost: bool) -> bool {
        self.store.cut().left = Some(after);
        let survived = self.run_with(options).is_ok();
        let mut cut = self.store.cut();
        cut.left = None;
        if !survived {
            cut.store.crash(power_lost);
        }
        drop(cut);
        if !survived {
            self.sim.runner_died();
        }
        survived
    }

    pub fn seed(&mut self, system: &str, key: &str, fields: &[(&str, Value)], ms: i64) {
        let fields = named(fields);
        self.sim.seed(system, "contact", key, &fields, START + ms);
    }

    pub fn sets(&mut self, system: &str, key: &str, fields: &[(&str, Value)]) {
        self.sim.sets(system, "contact", key, &named(fields));
    }

    /// A field of a contact in a system.
    pub fn value(&self, system: &str, key: &str, field: &str) -> Option<Value> {
        self.sim
            .values(system, "contact")
            .get(key)?
            .get(field)
            .cloned()
    }

    /// A contact's register and what was written of it, for messages.
    pub fn story(&self, key: &str) -> String {
        let mut out = format!("{:?}\n", self.inner().record("contact", key).unwrap());
        for (name, system) in self.sim.names.iter().zip(&self.sim.systems) {
            for write in system.writes.iter().filter(|w| w.1 == key) {
                out += &format!("{name} <- {:?}\n", (write.0 - START, &write.2, write.3));
            }
        }
        out
    }

    pub fn writes(&mut self, system: &str) -> usize {
        self.sim.system(system).writes.len()
    }

    pub fn all_writes(&self) -> usize {
        self.sim.systems.iter().map(|s| s.writes.len()).sum()
    }

    pub fn inner(&self) -> std::cell::RefMut<'_, MemoryStore> {
        self.store.inner()
    }

    pub fn waiting(&self) -> u64 {
        self.inner()
            .waiting_counts()
            .unwrap()
            .iter()
            .map(|(_, n)| n)
            .sum()
    }

    pub fn inner_letters(&self) -> Vec<DeadLetter> {
        self.inner().dead_letters().unwrap()
    }

    pub fn inner_open_runs(&self) -> Vec<RunRecord> {
        self.inner().open_runs().unwrap()
    }

    pub fn run_records(&self, scenario: &str) -> Vec<RunRecord> {
        self.inner().runs(Some(scenario), 1_000).unwrap()
    }
}

pub fn named(fields: &[(&str, Value)]) -> Vec<(String, Value)> {
    fields
        .iter()
        .map(|(n, v)| ((*n).to_owned(), v.clone()))
        .collect()
}

pub fn text(t: &str) -> Value {
    Value::Text(t.into())
}

pub fn later(ms: u64) -> Millis {
    Millis(ms)
}

/// What lies between two sets of records.
pub fn queue<T>(items: impl IntoIterator<Item = T>) -> VecDeque<T> {
    items.into_iter().collect()
}
