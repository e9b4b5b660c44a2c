//! What arrives at the source of a hop, and when.
//!
//! What changes at any time is a steady stream. What a run by the clock brings to a system comes at
//! once, at a known time, and of a record that changed twice since the run before only once. What a
//! relay finds at each of its starts, and how many records come to it together, therefore follows
//! from the starts of the runs that feed it. They are walked here, over one stretch after which all
//! of them repeat; [`super::passing`] works out what is passed on of it.
//!
//! What is kept of a record that arrives is not what it is but when its change was made: changes
//! that come to a system by two ways are the same records where both ways took the same time along.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::age::{HopAge, Taken};
use super::cohorts::{CLOSE, Relay};
use super::demand::{self, Demand};
use super::facts::SystemFacts;
use super::formula::{DAY_SECONDS, split_calls};
use super::paging::Looks;
use super::timing::Timing;
use crate::graph::{Graph, HopId};
use crate::model::{EntityId, FieldId, Hop, Policy, Scenario, ScenarioId, SystemId};
use crate::time::{Instant, Millis, Schedule};

/// Starts in one stretch that are walked at most.
const STARTS: usize = 11_000;
/// Hops that follow one another at most.
const CHAIN_MAX: usize = 64;
/// The least share of changes that is followed through a further relay.
const FOLLOWED: f64 = 0.01;

/// Changes of one kind, which are made at one place at one rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Process {
    pub of: Kind,
    /// Where they are made.
    pub origin: SystemId,
    pub per_second: f64,
}

/// What makes changes of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// The records of an entity in a system.
    Entity(EntityId, SystemId),
    /// A field with its own rate, in a system.
    Field(FieldId, SystemId),
    /// A scenario with its own volume.
    Scenario(ScenarioId),
}

/// Changes of a process that were made between two times, in seconds after the stretch begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub process: usize,
    pub from: f64,
    pub to: f64,
    /// The share of them that is meant, 0 to 1.
    pub share: f64,
}

/// What one run brings.
#[derive(Debug, Clone)]
pub(super) struct Bunch {
    /// When its first record arrives.
    pub first: f64,
    /// When the last does.
    pub last: f64,
    pub made: Vec<Made>,
}

/// How something arrives.
#[derive(Debug, Clone)]
pub(super) enum Coming {
    /// So long after it was made.
    Steadily,
    /// With the runs of a hop, which repeat after so many seconds.
    Runs {
        period: f64,
        bunches: Arc<Vec<Bunch>>,
        by: HopId,
    },
}

/// A way on which something arrives.
#[derive(Debug, Clone)]
pub(super) struct Inlet {
    /// What is changed.
    pub processes: Vec<usize>,
    pub coming: Coming,
    /// How many seconds later than that.
    pub delay: f64,
    /// The conditions that records have met on it.
    pub conditions: Vec<usize>,
    /// The share of changes that events' conditions have let through.
    pub share: f64,
}

impl Inlet {
    fn steady(processes: Vec<usize>, delay: f64) -> Inlet {
        Inlet {
            processes,
            coming: Coming::Steadily,
            delay,
            conditions: Vec::new(),
            share: 1.0,
        }
    }

    fn is_bunched(&self) -> bool {
        matches!(self.coming, Coming::Runs { .. })
    }

    /// After how many seconds it repeats; none: it always comes.
    pub fn period(&self) -> Option<f64> {
        match self.coming {
            Coming::Steadily => None,
            Coming::Runs { period, .. } => Some(period),
        }
    }
}

/// By what the runner is told of changes in an origin: a scenario that takes records from there.
#[derive(Debug)]
pub(super) struct Teller {
    scenario: ScenarioId,
    entity: EntityId,
    origin: SystemId,
    /// How long after a change, by event.
    pub delay: f64,
    /// By the clock: its runs.
    pub runs: Option<Telling>,
}

/// Runs that tell of changes.
#[derive(Debug)]
pub(super) struct Telling {
    /// After how many seconds they repeat.
    pub period: f64,
    pub runs: Vec<Told>,
}

/// What one run tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// From when on changes were made of which it tells.
    pub from: f64,
    /// When they are known.
    pub known: f64,
}

/// All that arrives at the source of a hop, some of it with runs by the clock.
#[derive(Debug, Clone)]
pub(super) struct Arrivals {
    /// The fields that the hop carries.
    pub fields: Vec<FieldId>,
    /// What the hop carries.
    pub carried: Vec<Inlet>,
    /// Whatever changes records of its entity there.
    pub all: Vec<Inlet>,
    /// Changes a second of its records there that come from nowhere else and are nothing to it.
    pub touched: f64,
    pub known: Arc<Known>,
}

/// What is known of all changes.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub processes: Vec<Process>,
    pub tellers: Vec<Teller>,
    /// By field and origin: the positions of those that tell of it.
    pub told: BTreeMap<(FieldId, SystemId), Vec<usize>>,
    /// By condition: the share of records that it lets through.
    pub conditions: Vec<f64>,
}

/// After how many seconds the starts of a timing repeat; none: not within a week.
pub(super) fn period(scenario: &Scenario, timing: &Timing) -> Option<f64> {
    let longest = timing.gaps()?.longest;
    let days = match longest.0.div_ceil(Millis::DAY.0) {
        ..=1 if scenario.window.is_none() => 1.0,
        ..=7 => 7.0,
        _ => return None,
    };
    Some(days * DAY_SECONDS)
}

/// The starts of a schedule over one stretch, in seconds after it begins.
pub(super) fn starts(
    policy: &Policy,
    scenario: &Scenario,
    schedule: &Schedule,
    period: f64,
) -> Option<Vec<f64>> {
    let calendar = &policy.calendar;
    let begin = calendar.start() + Millis::DAY.times(10);
    let end = begin + Millis::from_secs(period as u64);
    // The start at the very beginning is one of the stretch, that at its end is not.
    let window = scenario.window.as_ref().map(|w| &w.value);
    let all = schedule.starts(Instant(begin.0 - 1), end, calendar.zone(), window);
    let all: Vec<f64> = all
        .filter(|at| *at < end)
        .map(|at| (at.0 - begin.0) as f64 / 1_000.0)
        .take(STARTS + 1)
        .collect();
    (!all.is_empty() && all.len() <= STARTS).then_some(all)
}

/// How the scenarios of a policy move their records.
pub(super) struct Moves<'a> {
    pub policy: &'a Policy,
    pub graph: &'a Graph,
    /// By hop.
    pub demands: &'a [Demand],
    pub facts: &'a [SystemFacts],
    /// By scenario.
    pub when: &'a dyn Fn(ScenarioId) -> Option<(&'a Timing, Option<&'a Schedule>)>,
    pub age: &'a dyn Fn(HopId) -> Option<&'a HopAge>,
}

/// What arrives at the source of each hop; none where nothing comes there with runs by the clock, or
/// where these do not repeat within a week.
pub(super) fn of_hops<'a>(moves: &'a Moves<'a>) -> Vec<Option<Arrivals>> {
    let hops: usize = moves.policy.scenarios.iter().map(|s| s.hops.len()).sum();
    let mut walk = Walker {
        moves,
        known: Known::default(),
        named: Vec::new(),
        into: BTreeMap::new(),
        delivered: vec![State::Open; hops],
    };
    for id in (0..hops as u32).map(HopId) {
        let hop = moves.graph.flows.hop(moves.policy, id);
        walk.into
            .entry((hop.entity, hop.to.value))
            .or_default()
            .push(id);
    }
    let mut out = Vec::with_capacity(hops);
    for id in (0..hops as u32).map(HopId) {
        let hop = moves.graph.flows.hop(moves.policy, id);
        let fed = !demand::feeding(moves.policy, moves.graph, hop).is_empty();
        out.push(fed.then(|| walk.arrives(id)).flatten());
    }
    let known = Arc::new(walk.known);
    out.into_iter()
        .map(|found| {
            let fed = found?;
            Some(Arrivals {
                fields: fed.fields,
                carried: fed.carried,
                all: fed.all,
                touched: fed.touched,
                known: Arc::clone(&known),
            })
        })
        .collect()
}

#[derive(Clone)]
enum State {
    Open,
    /// On the way down: a circle of relays adds nothing to itself.
    Asked,
    Done(Option<Vec<Inlet>>),
}

/// [`Arrivals`], as long as not all is known.
struct Fed {
    fields: Vec<FieldId>,
    carried: Vec<Inlet>,
    all: Vec<Inlet>,
    touched: f64,
}

/// Scenarios that have the first turn at a source.
#[derive(Default)]
struct Ahead {
    /// How long a call there takes, in seconds.
    call: f64,
    /// Of each its starts, and after how many seconds they repeat.
    starts: Vec<(f64, Vec<f64>)>,
}

impl Ahead {
    /// How long a run that starts at a time waits for the first pages of those that start with it.
    fn wait(&self, at: f64) -> f64 {
        let with_it = self.starts.iter().filter(|(period, starts)| {
            let at = at.rem_euclid(*period);
            let next = starts.partition_point(|s| *s < at - CLOSE);
            starts.get(next).is_some_and(|s| *s <= at + CLOSE)
        });
        with_it.count() as f64 * self.call
    }
}

struct Walker<'a> {
    moves: &'a Moves<'a>,
    known: Known,
    /// By condition: its entity, what it reads and the share that it lets through. Conditions that
    /// agree in these are taken for one.
    named: Vec<(EntityId, Vec<FieldId>, u64)>,
    /// By entity and system: the hops that bring records there.
    into: BTreeMap<(EntityId, SystemId), Vec<HopId>>,
    delivered: Vec<State>,
}

impl<'a> Walker<'a> {
    fn hop(&self, id: HopId) -> (&'a Scenario, &'a Hop) {
        let (policy, flows) = (self.moves.policy, &self.moves.graph.flows);
        (flows.scenario(policy, id), flows.hop(policy, id))
    }

    /// What a relay carries and what it meets, where some of it comes with runs, and what else
    /// touches the records there.
    fn arrives(&mut self, id: HopId) -> Option<Fed> {
        let carried = self.carried(id, 0)?;
        if !carried.iter().any(Inlet::is_bunched) {
            return None;
        }
        let hop = self.hop(id).1;
        let (all, touched) = self.all_at(hop.entity, hop.from.value)?;
        Some(Fed {
            fields: self.fields_of(hop),
            carried,
            all,
            touched,
        })
    }

    fn fields_of(&self, hop: &Hop) -> Vec<FieldId> {
        let fields = hop.fields.iter().copied();
        fields
            .filter(|f| self.moves.policy.field(*f).is_data())
            .collect()
    }

    /// Whatever changes an entity's records in a system, and how many changes a second come from
    /// elsewhere: the entity's own volume is what a read there meets.
    fn all_at(&mut self, entity: EntityId, system: SystemId) -> Option<(Vec<Inlet>, f64)> {
        let mut all = Vec::new();
        let mut brought = 0.0;
        for into in self
            .into
            .get(&(entity, system))
            .cloned()
            .unwrap_or_default()
        {
            let demand = self.moves.demands.get(into.0 as usize)?;
            brought += demand.written_per_day().unwrap_or(0.0);
            all.extend(self.delivered(into, 0)?);
        }
        let volume = self.moves.policy.entity(entity).volume.as_ref();
        let per_day = volume.map_or(0.0, |v| v.value.changes.per_day());
        let fields = self.moves.policy.entity(entity).fields.iter();
        let mut fields = fields.filter(|f| f.is_data());
        if fields.any(|f| f.is_origin(system)) {
            let process = self.process(Kind::Entity(entity, system), system, per_day);
            all.push(Inlet::steady(vec![process], 0.0));
            return Some((all, 0.0));
        }
        let left = per_day - brought;
        let touched = if left > per_day / 100.0 { left } else { 0.0 };
        Some((all, touched / DAY_SECONDS))
    }

    /// What arrives at the source of a hop of what it carries.
    fn carried(&mut self, id: HopId, depth: usize) -> Option<Vec<Inlet>> {
        let (scenario, hop) = self.hop(id);
        let feeding = match scenario.volume {
            Some(_) => Vec::new(),
            None => demand::feeding(self.moves.policy, self.moves.graph, hop),
        };
        if feeding.is_empty() {
            let processes = self.processes_of(id);
            for field in self.fields_of(hop) {
                self.hears(field, hop.entity, hop.from.value);
            }
            return Some(vec![Inlet::steady(processes, 0.0)]);
        }
        let mut all = Vec::new();
        for feeder in feeding {
            all.extend(self.delivered(feeder, depth + 1)?);
        }
        Some(all)
    }

    /// What a hop brings to its destination.
    fn delivered(&mut self, id: HopId, depth: usize) -> Option<Vec<Inlet>> {
        match self.delivered.get(id.0 as usize)? {
            State::Done(known) => return known.clone(),
            State::Asked => return None,
            State::Open if depth > CHAIN_MAX => return None,
            State::Open => {}
        }
        self.delivered[id.0 as usize] = State::Asked;
        let found = self.deliver(id, depth);
        self.delivered[id.0 as usize] = State::Done(found.clone());
        found
    }

    fn deliver(&mut self, id: HopId, depth: usize) -> Option<Vec<Inlet>> {
        let carried = self.carried(id, depth)?;
        let moves = self.moves;
        let (scenario, hop) = self.hop(id);
        let demand = moves.demands.get(id.0 as usize)?;
        let own = self.condition(scenario, hop, demand.records_share());
        let (timing, schedule) = (moves.when)(scenario.id)?;
        let age = (moves.age)(id)?;
        let mut out = match (timing, schedule) {
            (Timing::Realtime | Timing::Hybrid(_), _) => {
                let delay = age.mean.total()?;
                let later = |mut inlet: Inlet| {
                    inlet.delay += delay;
                    inlet
                };
                carried.into_iter().map(later).collect()
            }
            (Timing::Scheduled(_), Some(schedule)) => {
                self.runs(id, (scenario, schedule, timing), age, carried)?
            }
            _ => return None,
        };
        for inlet in &mut out {
            inlet.share *= demand.events_share();
            if let Some(own) = own.filter(|own| !inlet.conditions.contains(own)) {
                inlet.conditions.push(own);
            }
        }
        Some(out)
    }

    /// What the runs of a hop bring, apart for each set of conditions that records have met before.
    fn runs(
        &mut self,
        id: HopId,
        (scenario, schedule, timing): (&'a Scenario, &Schedule, &Timing),
        age: &HopAge,
        carried: Vec<Inlet>,
    ) -> Option<Vec<Inlet>> {
        let taken = age.taken?;
        let hop = self.hop(id).1;
        let own = period(scenario, timing)?;
        let (all, touched) = match carried.iter().any(Inlet::is_bunched) {
            true => self.all_at(hop.entity, hop.from.value)?,
            false => (carried.clone(), 0.0),
        };
        let period = carried.iter().chain(&all).filter_map(Inlet::period);
        let period = period.fold(own, f64::max);
        let starts = starts(self.moves.policy, scenario, schedule, period)?;
        let records = self.moves.demands.get(id.0 as usize)?.records.as_ref();
        let mut sets: Vec<Vec<usize>> = carried.iter().map(|i| i.conditions.clone()).collect();
        sets.sort();
        sets.dedup();
        let waits = age.mean.queue.unwrap_or(0.0);
        let ahead = self.ahead_of(scenario, hop.from.value);
        let mut out = Vec::with_capacity(sets.len());
        for conditions in sets {
            let met = |inlet: &Inlet| inlet.conditions.iter().all(|c| conditions.contains(c));
            let fields = self.fields_of(hop);
            let relay = Relay {
                known: &self.known,
                fields: &fields,
                carried: carried.iter().filter(|i| met(i)).collect(),
                all: all.iter().filter(|i| met(i)).collect(),
                touched: match scenario.scans_full() {
                    true => f64::INFINITY,
                    false => touched,
                },
                records: records.map(|n| n.value),
                times: 1.0,
            };
            let looks = Looks::alike(&starts, (taken.looks, taken.read));
            let passes = relay.by_clock(&starts, period, &looks);
            let passed = starts.iter().zip(passes.made).zip(&passes.carried);
            let mut bunches: Vec<Bunch> = Vec::with_capacity(starts.len());
            for ((at, mut made), records) in passed {
                made.retain(|m| m.share >= FOLLOWED);
                if !made.is_empty() {
                    let times = (taken, at + waits + ahead.wait(*at));
                    bunches.extend(self.brought(id, scenario, times, (made, *records)));
                }
            }
            bunches.sort_by(|a, b| a.first.total_cmp(&b.first));
            let mut processes: Vec<usize> = Vec::new();
            for inlet in &relay.carried {
                processes.extend(&inlet.processes);
            }
            processes.sort_unstable();
            processes.dedup();
            out.push(Inlet {
                processes,
                coming: Coming::Runs {
                    period,
                    bunches: Arc::new(bunches),
                    by: id,
                },
                delay: 0.0,
                conditions,
                share: 1.0,
            });
        }
        Some(out)
    }

    /// The other scenarios that read from a system before a scenario does where both start at once.
    fn ahead_of(&self, own: &Scenario, from: SystemId) -> Ahead {
        let facts = self.moves.facts.get(from.index());
        let Some(facts) = facts.filter(|f| f.waits_for_call) else {
            return Ahead::default();
        };
        let policy = self.moves.policy;
        let order = |s: &Scenario| (s.priority, s.id.index());
        let first = |s: &&Scenario| {
            let reads = s.hops.iter().any(|hop| hop.from.value == from);
            reads && order(s) < order(own)
        };
        let starts = policy.scenarios.iter().filter(first).filter_map(|other| {
            let (timing, schedule) = (self.moves.when)(other.id)?;
            let period = period(other, timing)?;
            Some((period, starts(policy, other, schedule?, period)?))
        });
        Ahead {
            call: facts.latency.value,
            starts: starts.collect(),
        }
    }

    /// What one run brings of so many records: in batches, or as often as there are enough in a bulk
    /// job, which shows all of them at once when it is done.
    fn brought(
        &self,
        id: HopId,
        scenario: &Scenario,
        (taken, at): (Taken, f64),
        (made, records): (Vec<Made>, f64),
    ) -> Vec<Bunch> {
        let batches = Bunch {
            first: at + taken.first,
            last: at + taken.last,
            made,
        };
        let hop = self.hop(id).1;
        let facts = self.moves.facts.get(hop.to.value.index());
        let bulk = facts.and_then(|f| Some((f, f.bulk.as_ref()?)));
        let Some((facts, bulk)) = bulk.filter(|_| scenario.batch.is_none()) else {
            return vec![batches];
        };
        let demand = self.moves.demands.get(id.0 as usize);
        let through = demand.map_or(1.0, |d| d.events_share() * d.records_share());
        let sizes = (facts.write_batch.value, bulk.records.value);
        let split = split_calls(records * through, bulk.from_records.value, sizes);
        let job = split.share_above;
        let calls = (split.above / job.max(f64::MIN_POSITIVE)).max(1.0) + bulk.fixed_calls.value;
        let done = at + taken.read + calls * facts.latency.value;
        let as_job = Bunch {
            first: done,
            last: done,
            made: batches.made.clone(),
        };
        [(batches, 1.0 - job), (as_job, job)]
            .into_iter()
            .filter(|(_, part)| *part > FOLLOWED)
            .map(|(mut bunch, part)| {
                for made in &mut bunch.made {
                    made.share *= part;
                }
                bunch
            })
            .collect()
    }

    fn condition(&mut self, scenario: &Scenario, hop: &Hop, share: f64) -> Option<usize> {
        let filter = scenario.syncs.get(hop.sync as usize)?.filter.as_ref()?;
        let named = (hop.entity, filter.expr.fields(), share.to_bits());
        if let Some(known) = self.named.iter().position(|t| *t == named) {
            return Some(known);
        }
        self.named.push(named);
        self.known.conditions.push(share);
        Some(self.known.conditions.len() - 1)
    }

    /// The kinds of changes that a hop takes along from an origin.
    fn processes_of(&mut self, id: HopId) -> Vec<usize> {
        let policy = self.moves.policy;
        let (scenario, hop) = self.hop(id);
        let demand = self.moves.demands.get(id.0 as usize);
        let all = demand.map_or(0.0, Demand::carried_per_day);
        let from = hop.from.value;
        if scenario.volume.is_some() {
            return vec![self.process(Kind::Scenario(scenario.id), from, all)];
        }
        let fields = self.fields_of(hop).into_iter();
        let rates: Option<Vec<(FieldId, f64)>> = fields
            .map(|f| {
                let changes = policy.field(f).changes.as_ref()?;
                Some((f, changes.value.per_day()))
            })
            .collect();
        match rates.filter(|r| !r.is_empty()) {
            Some(rates) => {
                let sum: f64 = rates.iter().map(|r| r.1).sum();
                let scale = if sum > 0.0 { all / sum } else { 0.0 };
                let rates = rates.into_iter();
                rates
                    .map(|(f, rate)| self.process(Kind::Field(f, from), from, rate * scale))
                    .collect()
            }
            None => vec![self.process(Kind::Entity(hop.entity, from), from, all)],
        }
    }

    fn process(&mut self, of: Kind, origin: SystemId, per_day: f64) -> usize {
        let per_second = per_day / DAY_SECONDS;
        let processes = &mut self.known.processes;
        if let Some(at) = processes.iter().position(|p| p.of == of) {
            processes[at].per_second = processes[at].per_second.max(per_second);
            return at;
        }
        processes.push(Process {
            of,
            origin,
            per_second,
        });
        processes.len() - 1
    }

    /// Notes by what the runner is told of changes of a field in a system: whichever of its
    /// scenarios takes the field from there.
    fn hears(&mut self, field: FieldId, entity: EntityId, system: SystemId) {
        if self.known.told.contains_key(&(field, system)) {
            return;
        }
        let mut told = Vec::new();
        for scenario in &self.moves.policy.scenarios {
            let takes = |hop: &Hop| {
                let here = hop.entity == entity && hop.from.value == system;
                here && hop.fields.contains(&field)
            };
            let Some(position) = scenario.hops.iter().position(takes) else {
                continue;
            };
            let id = self.moves.graph.flows.hop_id(scenario.id, position);
            told.extend(self.teller(scenario, id, entity, system));
        }
        self.known.told.insert((field, system), told);
    }

    fn teller(
        &mut self,
        scenario: &Scenario,
        id: HopId,
        entity: EntityId,
        origin: SystemId,
    ) -> Option<usize> {
        let place = (scenario.id, entity, origin);
        let mut all = self.known.tellers.iter();
        if let Some(known) = all.position(|t| (t.scenario, t.entity, t.origin) == place) {
            return Some(known);
        }
        let (timing, schedule) = (self.moves.when)(scenario.id)?;
        let facts = self.moves.facts.get(origin.index())?;
        let runs = match timing.is_realtime() {
            true => None,
            false => {
                let taken = (self.moves.age)(id)?.taken?;
                let period = period(scenario, timing)?;
                let starts = starts(self.moves.policy, scenario, schedule?, period)?;
                let mut before = starts.last()? - period + taken.looks;
                // Most reads need no second attempt.
                let read = taken.read / facts.attempts();
                let runs = starts.into_iter().map(|at| Told {
                    from: std::mem::replace(&mut before, at + taken.looks),
                    known: at + read,
                });
                let runs = runs.collect();
                Some(Telling { period, runs })
            }
        };
        self.known.tellers.push(Teller {
            scenario: scenario.id,
            entity,
            origin,
            delay: facts.event_latency.value + facts.reads_per_event * facts.latency.value,
            runs,
        });
        Some(self.known.tellers.len() - 1)
    }
}
