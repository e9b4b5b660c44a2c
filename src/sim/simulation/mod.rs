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
mod beginning;
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

pub use self::beginning::Reading;
use self::beginning::quick;
use self::conditions::Conditions;
use self::load::{Load, Start, Times};
use super::emulated::Maps;
use super::world::World;
use super::{first_day, start_in};
use crate::arithmetic::formula::DRIFT_SHARE;
use crate::catalog::{Delivery, Entry, Events as EventFacts, Replay};
use crate::choice::Ground;
use crate::connector::decode::Events;
use crate::engine::ports::{RunRecord, ScenarioIx, SystemIx};
use crate::engine::program::Program;
use crate::engine::runner::{Observer, Options, Progress, Standing, Tally};
use crate::estimate::Estimate;
use crate::model::ModeKind;
use crate::plan::Plan;
use crate::time::{Instant, Millis};

/// How long it is waited for what has not arrived, at most.
const PATIENCE: u64 = 8 * 86_400_000;
/// How long the load goes on before the span, at least and at most.
const LEAST_LEAD: Millis = Millis::from_mins(10);
const MOST_LEAD: Millis = Millis(8 * 86_400_000);

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
        let mut systems = self.get_to_know(systems, Reading::of(&keys), &keys)?;
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
}
