//! The driver of a simulation: makes the changes, takes systems down, and takes notes.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Map as Object;

use super::changes::back;
use super::conditions::{Conditions, holds};
use super::streams::Stream;
use super::watch::{Bound, Watch};
use super::ways::Ways;
use crate::engine::ports::{EntityIx, FieldIx, Store as _, SystemIx};
use crate::engine::program::Program;
use crate::sim::{Applied, Asked, Driver, Outcome, Systems};
use crate::time::{Instant, Millis};
use crate::value::Value;

/// How often the backlog is looked at.
const SAMPLE_EVERY: i64 = 3_600_000;
/// How often it is looked whether all has arrived, once the load has ended.
const LOOK_EVERY: i64 = 10_000;

/// What was counted at one system while the load lasted.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    /// Calls asked for, failed ones too.
    pub calls: u64,
    /// Of these, reads of records that events only named.
    pub looked_up: u64,
    /// Refused by a limit.
    pub limited: u64,
    /// Failed for other reasons.
    pub failed: u64,
    /// The most calls in one minute.
    pub busiest_minute: u64,
    minute: (i64, u64),
    /// What waited, each hour.
    pub backlog: Vec<u64>,
    /// The most that waited then, or when an outage ended.
    pub most_waiting: u64,
}

/// When what happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// When the load begins.
    pub begin: Instant,
    /// Midnight before that.
    pub midnight: Instant,
    /// When the span begins, from which on everything is counted.
    pub start: Instant,
    /// When it ends, and the load with it.
    pub end: Instant,
    /// When what has not arrived is no longer waited for.
    pub patience: Instant,
}

/// The driver of a simulation.
pub(super) struct Load<'p> {
    pub(super) program: &'p Program,
    pub conditions: Conditions<'p>,
    streams: Vec<Stream>,
    ways: Ways,
    pub watch: Watch,
    pub(super) rng: fastrand::Rng,
    times: Times,
    /// By entity: the keys of its records.
    pub(super) keys: Vec<Vec<String>>,
    /// Outages to come, the last first.
    outages: Vec<(Instant, SystemIx, Millis)>,
    /// When outages end, the next one last.
    ends: Vec<Instant>,
    next_sample: Instant,
    next_look: Instant,
    soonest: Instant,
    /// Whether the load has ended; the runner's counts are taken then.
    pub over: Rc<Cell<bool>>,
    /// Whether the span has begun; what the runner counted before is not told.
    pub begun: Rc<Cell<bool>>,
    /// By system.
    pub counted: Vec<Counted>,
    /// The share of events that get lost, by system.
    loses: Vec<f64>,
    pub(super) made: u64,
    /// Changes made.
    pub changes: u64,
    /// Changes that no event told of.
    pub untold: u64,
    /// Changes that could not be made, since none would have counted.
    pub idle: u64,
}

/// What a driver starts from.
pub(super) struct Start<'p> {
    pub conditions: Conditions<'p>,
    pub streams: Vec<Stream>,
    pub ways: Ways,
    pub keys: Vec<Vec<String>>,
    pub outages: Vec<(Instant, SystemIx, Millis)>,
    pub loses: Vec<f64>,
    pub seed: u64,
    pub times: Times,
}

impl<'p> Load<'p> {
    pub fn new(program: &'p Program, start: Start<'p>) -> Self {
        let mut rng = fastrand::Rng::with_seed(start.seed ^ 0x010a_d000);
        let mut streams = start.streams;
        let first = start.times.begin.since(start.times.midnight).as_secs_f64() / 60.0;
        for stream in &mut streams {
            stream.begin(first);
            stream.go_on(start.times.midnight, &mut rng);
        }
        let mut outages = start.outages;
        outages.sort_by_key(|o| std::cmp::Reverse(*o));
        // As long as it is down: what waits goes at once when it is back.
        let end = |o: &(Instant, SystemIx, Millis)| Instant(o.0.0.saturating_add(o.2.0 as i64 - 1));
        let mut ends: Vec<Instant> = outages.iter().map(end).collect();
        ends.retain(|end| *end < start.times.end);
        ends.sort_by_key(|end| std::cmp::Reverse(*end));
        let mut load = Load {
            program,
            conditions: start.conditions,
            streams,
            ways: start.ways,
            watch: Watch::counting_from(start.times.start),
            rng,
            times: start.times,
            keys: start.keys,
            ends,
            outages,
            next_sample: Instant(start.times.start.0 + SAMPLE_EVERY),
            next_look: start.times.end,
            soonest: start.times.begin,
            over: Rc::new(Cell::new(false)),
            begun: Rc::new(Cell::new(false)),
            counted: vec![Counted::default(); program.plan.systems.len()],
            loses: start.loses,
            made: 1 << 40,
            changes: 0,
            untold: 0,
            idle: 0,
        };
        load.look_ahead();
        load
    }

    fn look_ahead(&mut self) {
        let streams = self.streams.iter().map(|s| s.next).min();
        let streams = streams.filter(|at| *at < self.times.end);
        let outage = self.outages.last().map(|o| o.0);
        let back = self.ends.last().copied();
        let start = (!self.begun.get()).then_some(self.times.start);
        self.soonest = match self.over.get() {
            true => self.next_look,
            false => [
                streams,
                outage,
                back,
                start,
                Some(self.next_sample),
                Some(self.times.end),
            ]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.times.end),
        };
    }

    /// Looks at what waits; `hourly`: for its course.
    fn sample(&mut self, systems: &mut Systems, hourly: bool) {
        // A store in memory that nothing cuts off does not fail.
        let counts = systems.store.inner().waiting_counts().unwrap_or_default();
        let counts: BTreeMap<String, u64> = counts.into_iter().collect();
        for (counted, system) in self.counted.iter_mut().zip(&self.program.plan.systems) {
            let waiting = counts.get(&system.name).copied().unwrap_or(0);
            counted.most_waiting = counted.most_waiting.max(waiting);
            if hourly {
                counted.backlog.push(waiting);
            }
        }
    }

    /// The span begins: what came before is over.
    fn start(&mut self, systems: &mut Systems) {
        for there in &mut systems.all {
            there.meter.count_anew();
            (there.calls, there.looked_up) = (0, 0);
        }
        (self.changes, self.untold, self.idle) = (0, 0, 0);
        self.begun.set(true);
    }

    fn end(&mut self, systems: &mut Systems) {
        for (counted, system) in self.counted.iter_mut().zip(&systems.all) {
            counted.calls = system.calls;
            counted.looked_up = system.looked_up;
        }
        self.over.set(true);
        self.next_look = Instant(self.times.end.0 + LOOK_EVERY);
    }

    fn change(&mut self, at: usize, systems: &mut Systems) {
        let stream = &self.streams[at];
        let (entity, system, map, event) = (stream.entity, stream.system, stream.map, stream.event);
        let drawn = self.rng.f64();
        let parts = stream.parts.iter().filter(|p| drawn < p.share);
        let all: BTreeSet<FieldIx> = parts.flat_map(|p| p.fields.iter().copied()).collect();
        let touched = self.streams[at].parts.is_empty();
        if all.is_empty() && !touched {
            return;
        }
        let fields: Vec<FieldIx> = all.into_iter().collect();
        let Some((number, values)) = self.choose(systems, (entity, system), &fields) else {
            self.idle += 1;
            return;
        };
        let key = self.keys[usize::from(entity)][number].clone();
        let Ok(cells) = systems.get(system).cells(map, &key, &values) else {
            let name = self.program.system_name(system).to_owned();
            let note = format!("`{name}` cannot hold some of the values that were made up for it");
            self.conditions.notes.insert(note);
            self.idle += 1;
            return;
        };
        self.changes += 1;
        let mut said = Object::new();
        let mut name = None;
        if let Some((scenario, share)) = event {
            let holds = self.rng.f64() < share;
            said = self.conditions.payload(scenario, holds);
            let plan = &self.program.plan.scenarios[usize::from(scenario)];
            name = plan.when.as_ref().map(|w| w.event.clone());
        }
        let lost = self.rng.f64() < self.loses[usize::from(system)];
        if lost {
            let now = systems.now;
            systems.get(system).set(map, &key, cells, now);
            self.untold += 1;
        } else {
            systems.sets_saying(system, map, &key, cells, (name.as_deref(), &said));
        }
        self.note_made(
            (entity, system),
            (number as u64, &key),
            &values,
            (lost, systems),
        );
    }

    /// Whether a record meets a condition now.
    fn meets(
        &self,
        systems: &mut Systems,
        condition: usize,
        (entity, number): (EntityIx, u64),
    ) -> bool {
        let Some(asked) = self.conditions.asks(condition) else {
            return self.conditions.meets(condition, number);
        };
        let reads = asked.reads().iter();
        let values: Vec<(FieldIx, Value)> = reads
            .filter_map(|ix| Some((*ix, self.shown(systems, entity, number as usize, *ix)?)))
            .collect();
        holds(asked, &values)
    }

    /// What is on its way past a condition that a record no longer meets is not to arrive. What was
    /// held back before goes when it meets it again, without being waited for.
    fn hold_back(
        &mut self,
        systems: &mut Systems,
        (entity, number, key): (EntityIx, u64, &str),
        values: &[(FieldIx, Value)],
        met: &mut BTreeMap<usize, bool>,
    ) {
        let of_entity = (entity, SystemIx::MIN, FieldIx::MIN)..;
        let ways = self.ways.range(of_entity);
        let ways = ways.take_while(|(place, _)| place.0 == entity);
        let mut gone = Vec::new();
        for way in ways.flat_map(|(_, ways)| ways) {
            for condition in &way.conditions {
                let reads = self.conditions.asks(*condition);
                let reads =
                    reads.is_some_and(|x| values.iter().any(|(f, _)| x.reads().contains(f)));
                let ask = || self.meets(systems, *condition, (entity, number));
                if reads && !*met.entry(*condition).or_insert_with(ask) {
                    gone.push((entity, way.field, way.to));
                }
            }
        }
        for place in gone {
            self.watch.overtaken(place, key);
        }
    }

    /// Notes where the changed values are to go.
    fn note_made(
        &mut self,
        (entity, system): (EntityIx, SystemIx),
        (number, key): (u64, &str),
        values: &[(FieldIx, Value)],
        (lost, systems): (bool, &mut Systems),
    ) {
        let now = systems.now;
        let mut met: BTreeMap<usize, bool> = BTreeMap::new();
        self.hold_back(systems, (entity, number, key), values, &mut met);
        for (field, value) in values {
            self.watch.overtaken((entity, *field, system), key);
            let ways = self.ways.get(&(entity, system, *field));
            for way in ways.into_iter().flatten() {
                let mut meets = |c: &usize| {
                    let ask = || self.meets(systems, *c, (entity, number));
                    *met.entry(*c).or_insert_with(ask)
                };
                if (lost && way.by_event) || !way.conditions.iter().all(&mut meets) {
                    continue;
                }
                if back(self.program, (entity, way), (key, *field, value), systems) {
                    self.watch.overtaken((entity, way.field, way.to), key);
                    continue;
                }
                let bound = Bound {
                    entity,
                    field: way.field,
                    to: way.to,
                    from: way.from,
                    key,
                };
                let value = (way.field == *field).then(|| value.clone());
                self.watch.made(&bound, value, now);
            }
        }
    }
}

impl Driver for Load<'_> {
    fn next(&self) -> Option<Instant> {
        Some(self.soonest)
    }

    fn act(&mut self, systems: &mut Systems) {
        let now = systems.now;
        if self.over.get() {
            if self.watch.waiting() == 0 || now >= self.times.patience {
                systems.stopping = true;
            }
            self.next_look = Instant(now.0 + LOOK_EVERY);
            self.look_ahead();
            return;
        }
        while let Some((at, system, lasts)) = self.outages.last().copied().filter(|o| o.0 <= now) {
            self.outages.pop();
            let until = Instant(at.0.saturating_add(lasts.0 as i64));
            let there = systems.get(system);
            there.down_until = there.down_until.max(Some(until));
        }
        if !self.begun.get() && now >= self.times.start {
            self.start(systems);
        }
        for at in 0..self.streams.len() {
            while self.streams[at].next <= now && self.streams[at].next < self.times.end {
                self.change(at, systems);
                self.streams[at].go_on(self.times.midnight, &mut self.rng);
            }
        }
        if self.ends.pop_if(|end| *end <= now).is_some() {
            self.sample(systems, false);
        }
        if self.next_sample <= now {
            self.sample(systems, true);
            self.next_sample = Instant(self.next_sample.0 + SAMPLE_EVERY);
        }
        if now >= self.times.end {
            self.end(systems);
        }
        self.look_ahead();
    }

    fn answered(&mut self, asked: &Asked) {
        if self.over.get() || !self.begun.get() {
            return;
        }
        let counted = &mut self.counted[usize::from(asked.system)];
        match asked.outcome {
            Outcome::Limited => counted.limited += 1,
            Outcome::Failed | Outcome::Unheard => counted.failed += 1,
            Outcome::Done | Outcome::Refused => {}
        }
        let minute = asked.at.0.div_euclid(60_000);
        if counted.minute.0 != minute {
            counted.minute = (minute, 0);
        }
        counted.minute.1 += asked.calls;
        counted.busiest_minute = counted.busiest_minute.max(counted.minute.1);
    }

    fn applied(&mut self, applied: &Applied<'_>, _: &mut Systems) {
        let (entity, _) = self.program.map_ends(applied.map);
        for (field, value) in &applied.write.fields {
            self.watch.arrived(
                (entity, *field, applied.system),
                (&applied.write.key, value),
                (applied.scenario, applied.at),
            );
        }
    }
}
