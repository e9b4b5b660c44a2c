//! Calls of each hop: a day, at the busiest, at the peak second and in one run.

use std::collections::BTreeMap;

use super::arrivals::Arrivals;
use super::calls::Calls;
use super::demand::{self, Demand};
use super::facts::{BulkFacts, SystemFacts};
use super::formula::{
    Batched, DAY_SECONDS, busiest_stretch, distinct, full_read_calls, grouped_calls, most_records,
    passed_on, passed_on_exactly, read_calls, split_calls,
};
use super::paging::Paging;
use super::relays::{Delays, Found, Together, Walk};
use super::timing::Timing;
use crate::graph::{Graph, HopId};
use crate::model::{EntityId, Policy, Scenario, ScenarioId, SystemId};
use crate::time::{Gaps, Millis, Schedule};

/// Calls at both ends of a hop.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ends {
    /// At the system that it comes from.
    pub source: Calls,
    /// At the system that it goes to; of a `clean`, nothing: both ends are one system.
    pub target: Calls,
}

impl Ends {
    /// What a hop reads at its one end and writes at its other.
    pub(super) fn of(load: &HopLoad, reads: Calls, writes: Calls) -> Ends {
        match load.hop {
            Some(_) => Ends {
                source: reads,
                target: writes,
            },
            None => Ends {
                source: reads + writes,
                target: Calls::NONE,
            },
        }
    }

    fn plus(self, more: Ends) -> Ends {
        Ends {
            source: self.source + more.source,
            target: self.target + more.target,
        }
    }

    fn times(self, factor: f64) -> Ends {
        Ends {
            source: self.source * factor,
            target: self.target * factor,
        }
    }

    fn total(self) -> f64 {
        self.source.total() + self.target.total()
    }
}

/// What a hop, or a `clean`, asks of its systems.
#[derive(Debug, Clone, PartialEq)]
pub struct HopLoad {
    /// Its scenario.
    pub scenario: ScenarioId,
    /// The hop; none: the scenario's `clean`.
    pub hop: Option<HopId>,
    /// The entity.
    pub entity: EntityId,
    /// From where.
    pub from: SystemId,
    /// To where; of a `clean` the same system.
    pub to: SystemId,
    /// What it has to carry.
    pub demand: Demand,
    /// Calls a day, the mean over the horizon.
    pub per_day: Ends,
    /// Calls on its busiest day.
    pub busiest_day: Ends,
    /// Calls a second of its real-time part in the busiest minute.
    pub peak: Ends,
    /// Calls of one run after the longest gap, with the mean rate of change; nothing in real time.
    pub run: Ends,
    /// The same where it meets as many records as a run may.
    pub longest_run: Ends,
    /// The share of all records that one run by the clock is shown, 0 to 1.
    pub shown: f64,
    /// Records a day that it writes; none: nothing declares its volume, or it never moves any.
    records: Option<f64>,
    /// How long records wait for one another that come together and go on by event, in seconds.
    pub(super) together: Waits,
    /// How long what other runs bring takes until this hop takes it along; none: it is not such.
    pub(super) delays: Option<Delays>,
}

/// Mean and longest wait, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Waits {
    pub mean: f64,
    pub longest: f64,
}

impl HopLoad {
    /// Each end with what it is called: calls a day, calls on the busiest day, peak calls a second
    /// and calls of one run.
    pub fn ends(&self) -> [(SystemId, [Calls; 4]); 2] {
        let of = |end: fn(&Ends) -> Calls| {
            [
                end(&self.per_day),
                end(&self.busiest_day),
                end(&self.peak),
                end(&self.run),
            ]
        };
        [(self.from, of(|e| e.source)), (self.to, of(|e| e.target))]
    }

    /// Records a day that it writes: repeated changes of one record between two starts are one.
    /// None: nothing declares its volume.
    pub fn records_per_day(&self) -> Option<f64> {
        self.records
    }

    /// Whether it passes on what runs by the clock bring to its source, and is counted by when they
    /// do.
    pub fn passes_on_runs(&self) -> bool {
        self.delays.is_some()
    }

    /// A hop, or a `clean`, of which nothing is counted yet.
    fn empty(
        scenario: ScenarioId,
        hop: Option<HopId>,
        (entity, from, to): (EntityId, SystemId, SystemId),
        demand: Demand,
    ) -> HopLoad {
        HopLoad {
            scenario,
            hop,
            entity,
            from,
            to,
            demand,
            per_day: Ends::default(),
            busiest_day: Ends::default(),
            peak: Ends::default(),
            run: Ends::default(),
            longest_run: Ends::default(),
            shown: 0.0,
            records: None,
            together: Waits::default(),
            delays: None,
        }
    }

    /// Whether nothing declares its volume, so that its figures are not known.
    pub fn volume_is_unknown(&self) -> bool {
        demand::is_unknown(&self.demand)
    }
}

/// What the loads of all scenarios are made from.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub policy: &'a Policy,
    pub graph: &'a Graph,
    pub facts: &'a [SystemFacts],
    /// By hop.
    pub demands: &'a [Demand],
    /// By system and entity: how many hops listen to the entity's events there.
    pub heard: &'a Heard,
    /// Whether the scenario in question starts to listen (1), stops (−1) or neither (0) against
    /// what `heard` counts.
    pub hearing: i64,
    /// How many times as many records as declared the hops carry.
    pub times: f64,
    /// By hop: what arrives at its source with runs by the clock; empty: all is taken to come
    /// steadily.
    pub arrivals: &'a [Option<Arrivals>],
}

/// By system and entity: how many real-time hops listen to the entity's events there.
pub(super) type Heard = BTreeMap<(SystemId, EntityId), i64>;

/// The systems whose events a scenario of this timing hears, with the entity.
pub(super) fn hears(scenario: &Scenario) -> impl Iterator<Item = (SystemId, EntityId)> {
    scenario.hops.iter().map(|hop| (hop.from.value, hop.entity))
}

/// The loads of a scenario's hops, its `clean` last, if it had this timing.
pub(super) fn of_scenario(
    ground: &Ground,
    scenario: &Scenario,
    (timing, schedule): (&Timing, Option<&Schedule>),
) -> Vec<HopLoad> {
    let mut loads: Vec<HopLoad> = scenario
        .hops
        .iter()
        .zip(demand::hop_ids(ground.graph, scenario))
        .filter_map(|(hop, id)| {
            let demand = ground.demands.get(id.0 as usize)?.times(ground.times);
            let place = (hop.entity, hop.from.value, hop.to.value);
            Some(HopLoad::empty(scenario.id, Some(id), place, demand))
        })
        .collect();
    if let Some(clean) = scenario.clean
        && let (Some(entity), Some(system)) = (clean.entity.id, clean.system.id)
        && let Some(demand) = demand::of_clean(ground.policy, scenario)
    {
        let place = (entity, system, system);
        let demand = demand.times(ground.times);
        loads.push(HopLoad::empty(scenario.id, None, place, demand));
    }
    let shares = Shares::of(scenario, &loads);
    for (position, load) in loads.iter_mut().enumerate() {
        let counting = Counting {
            ground,
            scenario,
            shares: &shares,
            position,
        };
        counting.fill(load, (timing, schedule));
    }
    loads
}

/// How many hops share a read: one read of a source serves every hop of its clause, one read of a
/// system in a reconcile serves every hop that touches it.
struct Shares {
    /// By hop: hops of the same clause from the same source.
    reads: Vec<f64>,
    /// By hop: hops of the scenario that hear the same entity's events from the same system.
    events: Vec<f64>,
    /// By hop: ends at its source's, and its target's, system and entity.
    reconciles: Vec<(f64, f64)>,
}

impl Shares {
    fn of(scenario: &Scenario, loads: &[HopLoad]) -> Shares {
        let clause = |position: usize| scenario.hops.get(position).map(|h| h.sync);
        let mut reads: BTreeMap<_, f64> = BTreeMap::new();
        let mut ends: BTreeMap<_, f64> = BTreeMap::new();
        let mut heard: BTreeMap<_, f64> = BTreeMap::new();
        for (at, load) in loads.iter().enumerate() {
            *reads.entry((clause(at), load.from)).or_default() += 1.0;
            *heard.entry((load.entity, load.from)).or_default() += 1.0;
            for system in [load.from, load.to] {
                *ends.entry((load.entity, system)).or_default() += 1.0;
            }
        }
        let end = |load: &HopLoad, system| ends.get(&(load.entity, system)).copied();
        Shares {
            reads: loads
                .iter()
                .enumerate()
                .map(|(at, load)| reads.get(&(clause(at), load.from)).copied())
                .map(|n| n.unwrap_or(1.0))
                .collect(),
            events: loads
                .iter()
                .map(|l| heard.get(&(l.entity, l.from)).copied().unwrap_or(1.0))
                .collect(),
            reconciles: loads
                .iter()
                .map(|l| (end(l, l.from).unwrap_or(1.0), end(l, l.to).unwrap_or(1.0)))
                .collect(),
        }
    }
}

/// Records that one start meets.
#[derive(Debug, Clone, Copy)]
struct Meets {
    /// Those that the hop carries.
    carried: f64,
    /// Those of which anything changed.
    met: f64,
}

/// What a real-time hop hears in a day.
#[derive(Debug, Clone)]
struct HeardDaily {
    /// Records that the condition of its events lets through.
    records: f64,
    /// Writes of those that go on: records that come together share them.
    calls: f64,
    waits: Waits,
    delays: Option<Delays>,
}

/// Counting the calls of one hop.
pub(super) struct Counting<'a> {
    ground: &'a Ground<'a>,
    pub(super) scenario: &'a Scenario,
    shares: &'a Shares,
    position: usize,
}

impl Counting<'_> {
    fn fill(&self, load: &mut HopLoad, (timing, schedule): (&Timing, Option<&Schedule>)) {
        let (Some(source), Some(target)) = (self.facts(load.from), self.facts(load.to)) else {
            return;
        };
        let arrivals = load.hop.and_then(|id| {
            let arrivals = self.ground.arrivals.get(id.0 as usize)?;
            arrivals.as_ref()
        });
        let known = !load.volume_is_unknown();
        if timing.is_realtime() && load.hop.is_some() {
            let heard = match arrivals {
                Some(arrivals) => {
                    let reconciles = schedule.filter(|_| timing.gaps().is_some());
                    let when = reconciles.map(|schedule| (self.scenario, schedule, timing));
                    self.heard_together(load, (source, target), arrivals, when)
                }
                None => self.heard(load),
            };
            let day = self.by_event(load, source, target, &heard);
            load.peak = day.times(load.demand.peak.value / DAY_SECONDS);
            load.per_day = day;
            load.busiest_day = day;
            load.records = known.then_some(heard.records * load.demand.records_share());
            load.together = heard.waits;
            load.delays = heard.delays;
        }
        let Some(gaps) = timing.gaps() else {
            return;
        };
        let longest = gaps.longest.as_secs_f64() / DAY_SECONDS;
        if timing.is_realtime() {
            let start = |days: f64| self.reconcile(load, source, target, days);
            let (mean, busiest, run) = over_starts(gaps, start);
            load.per_day = load.per_day.plus(mean);
            load.busiest_day = load.busiest_day.plus(busiest);
            load.run = run;
            load.longest_run = run;
            load.shown = self.shown(&load.demand, longest);
            let drifted = 1.0 + load.demand.drift.value;
            load.records = load.records.map(|records| records * drifted);
            return;
        }
        let walk = arrivals.zip(schedule).and_then(|(arrivals, schedule)| {
            let known = load.demand.records.as_ref().map(|n| n.value);
            let when = (self.scenario, schedule, timing);
            let paging = Paging {
                call: source.latency.value,
                page: source.read_page.value,
                lag: source.read_lag.value,
                one_at_a_time: source.waits_for_call,
                all: self.scenario.scans_full().then(|| known.unwrap_or(0.0)),
            };
            arrivals.walk(self.ground.policy, when, paging, (known, self.ground.times))
        });
        if let Some(walk) = walk {
            self.fill_walked(load, (source, target), walk);
            return;
        }
        let start = |days: f64| self.by_clock(load, source, target, self.meets(load, days));
        let (mean, busiest, run) = over_starts(gaps, start);
        let written = |days: f64| Ends {
            source: Calls::NONE,
            target: Calls::writes(self.written(load, self.meets(load, days).carried)),
        };
        let records = over_starts(gaps, written).0.target.write;
        (load.per_day, load.busiest_day, load.run) = (mean, busiest, run);
        load.records = known.then_some(records);
        load.shown = self.shown(&load.demand, longest);
        load.longest_run = self.at_most(load, source, target, longest);
    }

    /// Fills in what a schedule does that finds what other runs have brought.
    fn fill_walked(
        &self,
        load: &mut HopLoad,
        (source, target): (&SystemFacts, &SystemFacts),
        walk: Walk,
    ) {
        let mut days: BTreeMap<u64, Ends> = BTreeMap::new();
        let (mut sum, mut run, mut records) = (Ends::default(), Ends::default(), 0.0);
        let mut most: Option<Found> = None;
        for found in &walk.starts {
            let meets = Meets {
                carried: found.carried,
                // What of an entity's volume is brought comes when it is brought.
                met: found.shown,
            };
            let start = self.by_clock(load, source, target, meets);
            records += self.written(load, found.carried);
            sum = sum.plus(start);
            let day = days.entry((found.at / DAY_SECONDS) as u64).or_default();
            *day = day.plus(start);
            if start.total() > run.total() {
                run = start;
            }
            if most.is_none_or(|m| (m.carried, m.met) < (found.carried, found.met)) {
                most = Some(*found);
            }
        }
        let mean = 1.0 / walk.days;
        load.per_day = sum.times(mean);
        load.records = (!load.volume_is_unknown()).then_some(records * mean);
        let busiest = days.into_values();
        let busiest = busiest.max_by(|a, b| a.total().total_cmp(&b.total()));
        load.busiest_day = busiest.unwrap_or(load.per_day);
        load.run = run;
        load.delays = Some(walk.delays);
        if let Some(most) = most {
            load.shown = self.share_of_all(&load.demand, most.met);
            load.longest_run = self.most_found(load, source, target, most);
        }
    }

    /// Records that a start meets so many days after the last, where they change at any time.
    fn meets(&self, load: &HopLoad, days: f64) -> Meets {
        let demand = &load.demand;
        let records = demand.records.as_ref().map(|n| n.value);
        Meets {
            carried: distinct(records, demand.carried_per_day(), days),
            met: distinct(records, demand.met_per_day(), days),
        }
    }

    /// Records that are written of so many that are carried.
    fn written(&self, load: &HopLoad, carried: f64) -> f64 {
        carried * load.demand.events_share() * load.demand.records_share()
    }

    fn facts(&self, system: SystemId) -> Option<&SystemFacts> {
        self.ground.facts.get(system.index())
    }

    pub(super) fn share(&self) -> f64 {
        self.shares.reads.get(self.position).copied().unwrap_or(1.0)
    }

    /// The reads that a target's events cost when the runner's own writes come back from it.
    fn echo_reads(&self, load: &HopLoad, target: &SystemFacts, written: f64) -> Calls {
        let place = (load.to, load.entity);
        let today = self.ground.heard.get(&place).copied().unwrap_or(0);
        let own = match self.ground.hearing {
            0 => 0,
            _ => hears(self.scenario).filter(|p| *p == place).count() as i64,
        };
        match today + self.ground.hearing * own > 0 {
            true => Calls::reads(written * target.reads_per_event * target.attempts()),
            false => Calls::NONE,
        }
    }

    /// What a real-time hop hears in a day, after the condition of its events.
    fn heard(&self, load: &HopLoad) -> HeardDaily {
        let one_by_one = load.demand.carried_per_day() * load.demand.events_share();
        HeardDaily {
            records: one_by_one,
            calls: one_by_one * load.demand.records_share(),
            waits: Waits::default(),
            delays: None,
        }
    }

    /// The same where some of it comes together, with runs by the clock.
    fn heard_together(
        &self,
        load: &HopLoad,
        (source, target): (&SystemFacts, &SystemFacts),
        arrivals: &Arrivals,
        reconciles: Option<(&Scenario, &Schedule, &Timing)>,
    ) -> HeardDaily {
        let demand = &load.demand;
        let known = demand.records.as_ref().map(|n| n.value);
        let policy = self.ground.policy;
        let comes = arrivals.by_event(policy, reconciles, (known, self.ground.times));
        let one_by_one = comes.steady * demand.events_share();
        let mut heard = HeardDaily {
            records: one_by_one,
            calls: one_by_one * demand.records_share(),
            waits: Waits::default(),
            delays: Some(comes.delays),
        };
        let busier = |within: f64| busiest_stretch(demand.peak.value, within);
        let (mut waited, mut passed) = (0.0, heard.calls);
        for bunch in comes.together {
            let come = bunch.records * demand.events_share();
            let go_on = come * demand.records_share();
            let pass = self.pass(target);
            let most = most_records(go_on * busier(bunch.made_in));
            let most = most.min(known.unwrap_or(f64::INFINITY));
            let feed = self.feed(source, &bunch);
            let on = passed_on(go_on, feed, pass);
            let longest = passed_on_exactly(most.ceil(), feed, pass).longest_wait;
            heard.records += come / comes.days;
            heard.calls += on.calls / comes.days;
            waited += on.mean_wait * go_on / comes.days;
            passed += go_on / comes.days;
            heard.waits.longest = heard.waits.longest.max(longest);
        }
        if passed > 0.0 {
            heard.waits.mean = waited / passed;
        }
        heard
    }

    /// How the records of a bunch come.
    fn feed(&self, source: &SystemFacts, bunch: &Together) -> Batched {
        // What an event only names is looked up, one record after the other.
        if source.reads_per_event > 0.0 {
            return Batched {
                batch: Some(1),
                at_a_time: source.concurrency.value,
                seconds: source.reads_per_event * source.latency.value,
            };
        }
        let Some(by) = bunch.by else {
            return Batched {
                batch: None,
                at_a_time: 1.0,
                seconds: 0.0,
            };
        };
        let (policy, flows) = (self.ground.policy, &self.ground.graph.flows);
        let own = own_batch(flows.scenario(policy, by));
        Batched {
            batch: own.or(source.write_batch.value),
            at_a_time: source.concurrency.value,
            seconds: source.latency.value,
        }
    }

    /// How records are written that wait together.
    fn pass(&self, target: &SystemFacts) -> Batched {
        Batched {
            batch: self.batch(target),
            at_a_time: target.concurrency.value.max(1.0),
            seconds: target.latency.value,
        }
    }

    /// Calls a day of a real-time hop: λ·r·A at the source, λ·w·A at the target.
    fn by_event(
        &self,
        load: &HopLoad,
        source: &SystemFacts,
        target: &SystemFacts,
        heard: &HeardDaily,
    ) -> Ends {
        let demand = &load.demand;
        let carried = demand.carried_per_day();
        let written = heard.records * demand.records_share();
        let reads = heard.records * source.reads_per_event * source.attempts() / self.share();
        let writes = heard.calls * target.calls_per_write * target.attempts();
        // A subscription brings every change of the entity; only then is it seen what is carried.
        let changes = demand.entity_changes_per_day.as_ref();
        let delivered = changes.map_or(carried, |c| c.value.max(carried));
        let sharing = self.shares.events.get(self.position).copied();
        Ends {
            source: Calls {
                events: delivered / sharing.unwrap_or(1.0),
                ..Calls::reads(reads)
            },
            target: Calls::writes(writes) + self.echo_reads(load, target, written),
        }
    }

    /// Calls of one start of a scheduled hop that meets so many records.
    fn by_clock(
        &self,
        load: &HopLoad,
        source: &SystemFacts,
        target: &SystemFacts,
        meets: Meets,
    ) -> Ends {
        let records = load.demand.records.as_ref().map(|n| n.value);
        let page = source.read_page.value;
        let reads = match (self.scenario.scans_full(), records) {
            (true, Some(all)) => full_read_calls(all, page),
            _ => read_calls(meets.met, page),
        };
        let written = self.written(load, meets.carried);
        let reads = Calls::reads(reads * source.attempts() / self.share());
        let writes = self.writes(target, written) + self.echo_reads(load, target, written);
        Ends::of(load, reads, writes)
    }

    /// Records of one write call; none: all that there are.
    pub(super) fn batch(&self, target: &SystemFacts) -> Option<u32> {
        own_batch(self.scenario).or(target.write_batch.value)
    }

    /// Calls that write a Poisson number of records with this mean: one bulk job where the catalog
    /// has one and there turn out to be enough, else batches.
    fn writes(&self, target: &SystemFacts, records: f64) -> Calls {
        let attempts = target.attempts();
        let batch = self.batch(target);
        let bulk = target
            .bulk
            .as_ref()
            .filter(|_| self.scenario.batch.is_none());
        let (batches, job) = match bulk {
            Some(bulk) => written_calls(records, batch, bulk),
            None => (grouped_calls(records, batch), 0.0),
        };
        Calls {
            bulk: job * attempts,
            ..Calls::writes(batches * target.calls_per_write * attempts)
        }
    }

    /// Calls of one reconcile: both ends are read whole, what drifted is written. A source without
    /// reads is left to its events.
    fn reconcile(
        &self,
        load: &HopLoad,
        source: &SystemFacts,
        target: &SystemFacts,
        days: f64,
    ) -> Ends {
        if !source.can_read {
            return Ends::default();
        }
        let all = load.demand.records.as_ref().map_or(0.0, |n| n.value);
        let (at_source, at_target) = self
            .shares
            .reconciles
            .get(self.position)
            .copied()
            .unwrap_or((1.0, 1.0));
        let read = |facts: &SystemFacts, shared: f64| match facts.can_read {
            true => full_read_calls(all, facts.read_page.value) * facts.attempts() / shared,
            false => 0.0,
        };
        let drifted = load.demand.written_per_day().unwrap_or(0.0) * load.demand.drift.value * days;
        Ends {
            source: Calls::reads(read(source, at_source)),
            target: Calls::reads(read(target, at_target)) + self.writes(target, drifted),
        }
    }
}

/// Records of one write call as a scenario declares it.
fn own_batch(scenario: &Scenario) -> Option<u32> {
    let own = scenario.batch.as_ref()?;
    Some(u32::try_from(own.value).unwrap_or(u32::MAX).max(1))
}

/// Calls of batches and of a bulk job that write a Poisson number of records with this mean: the
/// job is taken by those runs alone that owe more records than its threshold.
fn written_calls(mean: f64, batch: Option<u32>, bulk: &BulkFacts) -> (f64, f64) {
    let records = bulk.records.value;
    let split = split_calls(mean, bulk.from_records.value, (batch, records));
    (
        split.below,
        split.above + bulk.fixed_calls.value * split.share_above,
    )
}

/// The mean a day, the busiest day and the start after the longest gap.
fn over_starts(gaps: &Gaps, start: impl Fn(f64) -> Ends) -> (Ends, Ends, Ends) {
    let days = |length: Millis| length.as_secs_f64() / DAY_SECONDS;
    let run = start(days(gaps.longest));
    let known: BTreeMap<Millis, Ends> = gaps
        .lengths
        .iter()
        .map(|(length, _)| (*length, start(days(*length))))
        .collect();
    let sum = |lengths: &[(Millis, u64)]| {
        lengths
            .iter()
            .filter_map(|(length, times)| Some(known.get(length)?.times(*times as f64)))
            .fold(Ends::default(), Ends::plus)
    };
    let all: u64 = gaps.lengths.iter().map(|l| l.1).sum();
    let mean = sum(&gaps.lengths).times(1.0 / all.max(1) as f64);
    let per_day = mean.times(gaps.starts_per_day());
    // A single start has no gap before it that is known.
    let only = (gaps.starts > 0 && gaps.days.is_empty()).then_some(run);
    let busiest = gaps
        .days
        .iter()
        .map(|day| sum(day))
        .chain(only)
        .chain([per_day])
        .max_by(|a, b| a.total().total_cmp(&b.total()))
        .unwrap_or(per_day);
    (per_day, busiest, run)
}
