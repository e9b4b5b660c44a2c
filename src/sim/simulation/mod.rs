//! Generated load on the real engine, with what it asks of its systems beside the estimate.
//!
//! **What holds.** All systems begin in step: each maps the declared number of records and holds the
//! same of them. The runner has read everything once before the span begins, so that the span is the
//! steady state that the estimate speaks of. Then records change at their origins as often as the
//! volumes say (`streams`), the day shaped as `shape` says; a change is one that counts: where
//! another origin's word would win, another record or value is taken. When the span is over the load
//! ends, and the runner goes on until everything has arrived, so that the ages are those of all
//! changes; calls are counted up to the end of the span.
//!
//! Calls take as long as declared, fail as often as declared, and a share of events gets lost as the
//! estimate takes it, where their source cannot tell of them again. Everything that is left to
//! chance comes from one seed.

mod ages;
mod changes;
mod conditions;
mod load;
mod result;
mod shape;
mod simulated;
mod streams;
mod values;
mod watch;
mod ways;

pub use ages::Ages;
pub use simulated::{
    AgesSimulated, Beside, DeadLetters, FieldSimulated, LimitSimulated, OutageSimulated,
    ScenarioSimulated, Simulated, SystemSimulated, VERSION,
};

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use self::conditions::Conditions;
use self::load::{Load, Start, Times};
use super::emulated::Maps;
use super::limits::Meter;
use super::systems::{Driver, Systems};
use super::world::World;
use super::{Silent, first_day, start_in};
use crate::arithmetic::formula::DRIFT_SHARE;
use crate::catalog::{Delivery, Entry, Events as EventFacts, Replay};
use crate::choice::Ground;
use crate::connector::decode::Events;
use crate::engine::ports::{EntityIx, FieldIx, MapIx, RunRecord, ScenarioIx, SystemIx, key_text};
use crate::engine::program::Program;
use crate::engine::runner::{Observer, Options, Progress, Standing, Tally};
use crate::estimate::Estimate;
use crate::model::ModeKind;
use crate::plan::{Mode, Plan};
use crate::terms::ModeClass;
use crate::time::{Instant, Millis, Schedule};
use crate::value::Value;

/// Records of an entity that declares no volume.
const RECORDS: u64 = 1_000;
/// Records of an entity that are held at most, since they are held in memory.
const RECORDS_MOST: u64 = 1_000_000;
/// How long it is waited for what has not arrived, at most.
const PATIENCE: u64 = 8 * 86_400_000;
/// How long the load goes on before the span, at least and at most.
const LEAST_LEAD: Millis = Millis::from_mins(10);
const MOST_LEAD: Millis = Millis(8 * 86_400_000);
/// Records in a call, and calls at a time, while the runner gets to know its systems.
const AT_ONCE: u32 = 10_000;

/// A policy made ready.
pub struct Simulation<'p> {
    ground: Ground<'p>,
    estimate: &'p Estimate,
    program: Program,
    /// The same without limits and latencies, to get to know the systems.
    quick: Program,
    maps: Maps,
    decoder: Events,
}

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// How long.
    pub lasts: Millis,
    /// Where all chance comes from.
    pub seed: u64,
    /// Outages.
    pub outages: Vec<Outage>,
}

/// A system that is down for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The system.
    pub system: String,
    /// When, after the start.
    pub at: Millis,
    /// How long.
    pub lasts: Millis,
}

/// Why nothing could be simulated: a fault of Syncline's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the simulation broke off: {0}")]
pub struct BrokeOff(pub String);

/// What the runner counted and how its runs ended, as of the end of the span.
#[derive(Debug, Default)]
struct Heard {
    /// As the span began, and as it ended.
    before: Option<BTreeMap<ScenarioIx, Tally>>,
    tallies: Option<BTreeMap<ScenarioIx, Tally>>,
    runs: BTreeMap<(String, &'static str), u64>,
    drift: BTreeMap<String, u64>,
}

/// Hears the runner out; a second handle keeps what it heard.
struct Ear {
    begun: Rc<Cell<bool>>,
    over: Rc<Cell<bool>>,
    heard: Rc<RefCell<Heard>>,
    names: Vec<String>,
}

impl Ear {
    fn take(&self, standing: &Standing<'_>) -> BTreeMap<ScenarioIx, Tally> {
        let tallies = standing.tallies().filter_map(|(name, tally)| {
            let ix = self.names.iter().position(|n| n == name)?;
            Some((ix as ScenarioIx, tally.clone()))
        });
        tallies.collect()
    }
}

impl Observer for Ear {
    fn progress(&mut self, _: &Progress<'_>) {}

    fn standing(&mut self, at: &Standing<'_>) {
        let mut heard = self.heard.borrow_mut();
        if self.begun.get() && heard.before.is_none() {
            heard.before = Some(self.take(at));
        }
        if self.over.get() && heard.tallies.is_none() {
            heard.tallies = Some(self.take(at));
        }
    }

    fn run_ended(&mut self, run: &RunRecord) {
        if self.over.get() || !self.begun.get() {
            return;
        }
        let mut heard = self.heard.borrow_mut();
        let how = (run.scenario.clone(), run.status.word());
        *heard.runs.entry(how).or_default() += 1;
        *heard.drift.entry(run.scenario.clone()).or_default() += run.counts.drift;
    }
}

/// Nothing happens but what the runner does.
struct Quiet;

impl Driver for Quiet {
    fn next(&self) -> Option<Instant> {
        None
    }

    fn act(&mut self, _: &mut Systems) {}
}

impl<'p> Simulation<'p> {
    /// Makes a policy and its plan ready; `estimate` is what is shown beside.
    pub fn new(ground: Ground<'p>, estimate: &'p Estimate, plan: Plan) -> Result<Self, BrokeOff> {
        let maps = Maps::of(&plan).map_err(|e| BrokeOff(e.message))?;
        let decoder = Events::new(&plan).map_err(|e| BrokeOff(e.message))?;
        let quick = Program::new(quick(plan.clone())).map_err(|e| BrokeOff(e.to_string()))?;
        let program = Program::new(plan).map_err(|e| BrokeOff(e.to_string()))?;
        Ok(Simulation {
            ground,
            estimate,
            program,
            quick,
            maps,
            decoder,
        })
    }

    /// Whether the plan has this system.
    pub fn system(&self, name: &str) -> Option<SystemIx> {
        self.program.system(name)
    }

    /// Runs it.
    pub fn run(&self, span: &Span) -> Result<Simulated, BrokeOff> {
        let start = start_in(self.program.zone);
        // What changes before the span's first runs must have had its whole gap to do so.
        let end = Instant(start.0.saturating_add(span.lasts.0 as i64));
        let lead = self.lead((start, end));
        let begin = Instant(start.0 - lead.0 as i64);
        let days = lead.0.div_ceil(Millis::DAY.0);
        let first = first_day() - chrono::Days::new(days);
        let midnight = self.program.zone.start_of(first).min(begin);
        let mut conditions = Conditions::of(&self.program);
        let (streams, unknown) = streams::of(self.ground, &self.program);
        let (systems, keys) = self.in_step(&mut conditions, begin, span.seed);
        let mut systems = self.get_to_know(systems)?;
        systems.now = begin;
        let ways = ways::of(
            self.ground.policy,
            self.ground.arithmetic,
            &self.program,
            &conditions,
        );
        let later = |at: Instant, by: Millis| Instant(at.0.saturating_add(by.0 as i64));
        let outages = span.outages.iter().filter_map(|outage| {
            let system = self.program.system(&outage.system)?;
            Some((later(start, outage.at), system, outage.lasts))
        });
        let from = Start {
            conditions,
            streams,
            ways,
            keys,
            outages: outages.collect(),
            loses: self.loses(),
            seed: span.seed,
            times: Times {
                begin,
                midnight,
                start,
                end,
                patience: later(end, self.patience()),
            },
        };
        let load = Load::new(&self.program, from);
        let over = Rc::clone(&load.over);
        let heard = Rc::new(RefCell::new(Heard::default()));
        let mut ear = Ear {
            begun: Rc::clone(&load.begun),
            over,
            heard: Rc::clone(&heard),
            names: self
                .program
                .plan
                .scenarios
                .iter()
                .map(|s| s.name.clone())
                .collect(),
        };
        let mut world = World::new(systems, load);
        let ran = world.run(&self.program, &self.decoder, &mut ear, Options::default());
        ran.map_err(|e| BrokeOff(e.message))?;
        if let Some(fault) = world.fault {
            return Err(BrokeOff(fault));
        }
        let heard = heard.take();
        Ok(self.result(
            span,
            (start, unknown),
            &heard,
            (world.driver, world.systems),
        ))
    }

    /// How long the load goes on before the span: the first run of each flow that has one in the
    /// span, by the clock, is to find all that changed since the run before it.
    fn lead(&self, (start, end): (Instant, Instant)) -> Millis {
        let scenarios = self.ground.policy.scenarios.iter();
        let leads = scenarios.filter_map(|scenario| {
            let figures = self.ground.arithmetic.scenario(scenario.id)?;
            let ModeKind::Scheduled(Some(schedule)) = &scenario.mode.kind else {
                return None;
            };
            let longest = figures.timing.gaps().filter(|_| scenario.clean.is_none())?;
            let (zone, window) = (
                self.program.zone,
                scenario.window.as_ref().map(|w| &w.value),
            );
            let first = schedule.next_in(start - Millis(1), zone, window)?;
            let from = start - longest.longest.min(MOST_LEAD);
            let before = schedule.starts(from, start, zone, window).last();
            (first < end).then(|| start.since(before.unwrap_or(from)))
        });
        leads
            .max()
            .unwrap_or(LEAST_LEAD)
            .clamp(LEAST_LEAD, MOST_LEAD)
    }

    /// How long to wait for what has not arrived: as long as the estimate lets anything take, twice.
    fn patience(&self) -> Millis {
        let fields = self.estimate.fields.iter();
        let worst = fields.filter_map(|f| f.worst_seconds).fold(60.0, f64::max);
        Millis(((worst * 2_000.0) as u64).min(PATIENCE))
    }

    fn entry(&self, name: &str) -> Option<&'p Entry> {
        let policy = self.ground.policy;
        policy.system(policy.system_named(name)?).entry()
    }

    /// The share of its events that each system loses: what a reconcile then finds.
    fn loses(&self) -> Vec<f64> {
        let again = |events: &EventFacts| {
            events.replay == Replay::Replayable || events.delivery == Delivery::File
        };
        let systems = self.program.plan.systems.iter();
        systems
            .map(|s| self.entry(&s.name).and_then(|e| e.events.as_ref()))
            .map(|events| events.filter(|e| !again(e)).map_or(0.0, |_| DRIFT_SHARE))
            .collect()
    }

    /// The systems, each with all records of what it maps, and the records' keys.
    fn in_step(
        &self,
        conditions: &mut Conditions,
        start: Instant,
        seed: u64,
    ) -> (Systems, Vec<Vec<String>>) {
        let entry = |name: &str| self.entry(name);
        let before = start.0 - 1_000;
        let mut systems = Systems::new(
            &self.program,
            &self.maps,
            Instant(before),
            seed,
            entry,
            |_, manner| manner,
        );
        let mut keys = Vec::new();
        for (e, entity) in self.program.plan.entities.iter().enumerate() {
            let e = e as EntityIx;
            let names = &self.program.entities[usize::from(e)];
            let volume = entity.volume.as_ref().and_then(|v| v.records);
            let records = volume.unwrap_or(RECORDS).min(RECORDS_MOST);
            if volume.is_some_and(|said| said > RECORDS_MOST) {
                conditions.notes.insert(format!(
                    "of the declared records of `{}` only {RECORDS_MOST} are there: reads of all \
                     take fewer calls, and more changes meet the same record",
                    entity.name
                ));
            }
            let mut of_entity = Vec::with_capacity(records as usize);
            let places = self.places_of(e);
            for number in 0..records {
                // Over the day before: a read that goes back a little meets few of them.
                let share = number as f64 / records as f64;
                let at = Instant(before - 2 * 86_400_000 + (share * 86_400_000.0) as i64);
                let decided = conditions.decided(e, number);
                let value = |ix| conditions.at_first(&decided, (e, number), ix);
                let parts: Vec<Value> = names.keys.iter().map(|ix| value(*ix)).collect();
                let key = key_text(&parts);
                for (system, map, fields) in &places {
                    let values: Vec<(FieldIx, Value)> =
                        fields.iter().map(|ix| (*ix, value(*ix))).collect();
                    let there = systems.get(*system);
                    let cells = there.cells(*map, &key, &values).or_else(|_| {
                        // What its map cannot write is left out, field by field.
                        let fits = |v: &&(FieldIx, Value)| {
                            there.cells(*map, &key, std::slice::from_ref(*v)).is_ok()
                        };
                        let fitting: Vec<_> = values.iter().filter(fits).cloned().collect();
                        there.cells(*map, &key, &fitting)
                    });
                    if let Ok(cells) = cells {
                        there.set(*map, &key, cells, at);
                    }
                }
                of_entity.push(key);
            }
            keys.push(of_entity);
        }
        (systems, keys)
    }

    /// Where an entity's records are kept: systems that can be read or written, with the fields
    /// that they map.
    fn places_of(&self, entity: EntityIx) -> Vec<(SystemIx, MapIx, Vec<FieldIx>)> {
        let plan = &self.program.plan;
        let names = &self.program.entities[usize::from(entity)];
        let mut out = Vec::new();
        for (ix, system) in plan.systems.iter().enumerate() {
            let Some(map) = self.program.map_of(entity, ix as SystemIx) else {
                continue;
            };
            if !system.capabilities.read {
                continue;
            }
            let mapped = plan.maps[usize::from(map)].fields.iter();
            let fields = mapped.filter_map(|f| names.field(&f.field));
            let own = fields.filter(|ix| {
                !names.keys.contains(ix) && names.fields[usize::from(*ix)].derived.is_none()
            });
            out.push((ix as SystemIx, map, own.collect()));
        }
        out
    }

    /// Lets the runner read everything once, in no time, without a limit and without a change.
    fn get_to_know(&self, mut systems: Systems) -> Result<Systems, BrokeOff> {
        let mut kept = Vec::new();
        for there in &mut systems.all {
            let mut manner = there.manner.clone();
            (manner.read, manner.write) = (Millis::ZERO, Millis::ZERO);
            (manner.failure, manner.echoes, manner.hidden) = (0.0, false, Millis::ZERO);
            let manner = std::mem::replace(&mut there.manner, manner);
            let meter = std::mem::take(&mut there.meter);
            there.still = true;
            kept.push((manner, meter));
        }
        let mut world = World::new(systems, Quiet);
        // Nobody tells of anything: a feed that waited for it would wait for ever.
        world.patient = false;
        let options = Options {
            until_idle: true,
            ..Options::default()
        };
        let ran = world.run(&self.quick, &self.decoder, &mut Silent, options);
        ran.map_err(|e| BrokeOff(e.message))?;
        if let Some(fault) = world.fault {
            return Err(BrokeOff(fault));
        }
        let mut systems = world.systems;
        for (there, (manner, meter)) in systems.all.iter_mut().zip(kept) {
            let meter: Meter = meter;
            (there.manner, there.meter) = (manner, meter);
            there.still = false;
            (there.calls, there.looked_up) = (0, 0);
        }
        systems.stopping = false;
        Ok(systems)
    }
}

/// The plan without what makes it slow, and with a read of everything for what moves by events
/// alone.
fn quick(mut plan: Plan) -> Plan {
    for system in &mut plan.systems {
        system.limits.clear();
        system.vendor_limits.clear();
        (system.budget, system.failure) = (1.0, 0.0);
        (system.latency, system.visibility_lag) = (Millis::ZERO, Millis::ZERO);
        system.concurrency = 1;
        (system.write_batch, system.read_page) = (Some(AT_ONCE), Some(AT_ONCE));
        system.bulk = None;
    }
    for scenario in &mut plan.scenarios {
        scenario.batch = None;
        if scenario.mode.schedule.is_none() && scenario.when.is_none() {
            scenario.mode = Mode {
                class: ModeClass::Hybrid,
                schedule: Some(Schedule::Daily {
                    minutes_of_day: vec![0],
                }),
                ..scenario.mode.clone()
            };
        }
    }
    plan
}
