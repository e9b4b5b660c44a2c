//! How many records each hop carries a day, λ, and how the busiest minute stands to the mean, k.

use super::formula::{DAY_SECONDS, DRIFT_SHARE};
use super::guess::{Guess, Turn};
use super::known::Known;
use crate::graph::{Graph, HopId};
use crate::model::{
    Entity, EntityId, FieldId, Filter, Hop, Policy, Scenario, ScenarioId, SystemId,
};

/// The peak factor where nobody says one.
const PEAK: f64 = 3.0;

/// What a hop has to carry.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// λ: changed records a day that leave its source, before its filters; none: nothing declares
    /// a volume.
    pub records_per_day: Option<Known<f64>>,
    /// λ_e: changes a day of the whole entity, which a read by cursor meets.
    pub entity_changes_per_day: Option<Known<f64>>,
    /// N: records of the entity.
    pub records: Option<Known<f64>>,
    /// k: the busiest minute's rate over the mean.
    pub peak: Known<f64>,
    /// The share of events that the `if` of `when` lets through; none: there is no `if`.
    pub events_pass: Option<Known<f64>>,
    /// The share of records that the `if` of the `sync` lets through; none: there is no `if`.
    pub records_pass: Option<Known<f64>>,
    /// The share of changes that real time misses and a reconcile finds.
    pub drift: Known<f64>,
}

impl Demand {
    /// Records a day that are written, after all filters.
    pub fn written_per_day(&self) -> Option<f64> {
        let carried = self.records_per_day.as_ref()?.value;
        Some(carried * self.events_share() * self.records_share())
    }

    /// Records a day whose changes are carried, before all filters; 0 where nobody says.
    pub(super) fn carried_per_day(&self) -> f64 {
        self.records_per_day.as_ref().map_or(0.0, |r| r.value)
    }

    /// Records a day that a read of what changed is shown: those of which anything changed.
    pub(super) fn met_per_day(&self) -> f64 {
        let met = self.entity_changes_per_day.as_ref();
        met.map_or(self.carried_per_day(), |m| m.value)
    }

    /// The share of events that pass.
    pub fn events_share(&self) -> f64 {
        self.events_pass.as_ref().map_or(1.0, |p| p.value)
    }

    /// The share of records that pass.
    pub fn records_share(&self) -> f64 {
        self.records_pass.as_ref().map_or(1.0, |p| p.value)
    }

    /// The same with λ so many times as large; what a read meets stays.
    pub(super) fn times(&self, factor: f64) -> Demand {
        let mut demand = self.clone();
        if let Some(carried) = &mut demand.records_per_day {
            carried.value *= factor;
        }
        demand
    }

    /// The same with its guesses turned out so.
    fn turned(mut self, turn: Turn) -> Demand {
        self.peak.value = Guess::Peak.turned(&self.peak, turn);
        self.drift.value = Guess::Drift.turned(&self.drift, turn);
        let shares = [&mut self.events_pass, &mut self.records_pass];
        for share in shares.into_iter().flatten() {
            share.value = Guess::Passes.turned(share, turn);
        }
        self
    }

    /// k·x a second for x a day.
    pub fn at_peak(&self, per_day: f64) -> f64 {
        self.peak.value * per_day / DAY_SECONDS
    }
}

/// The demand of every hop, by hop, with guesses turned out so.
pub(super) fn of_hops(policy: &Policy, graph: &Graph, turn: Turn) -> Vec<Demand> {
    let mut relays = Relays::new(policy, graph, turn);
    let mut demands = Vec::new();
    for scenario in &policy.scenarios {
        for (position, hop) in scenario.hops.iter().enumerate() {
            let id = graph.flows.hop_id(scenario.id, position);
            let carried = relays.carried(id);
            demands.push(of_hop(policy, scenario, hop, carried).turned(turn));
        }
    }
    demands
}

/// The demand of a scenario's `clean`: what changed may need it.
pub(super) fn of_clean(policy: &Policy, scenario: &Scenario) -> Option<Demand> {
    let entity = policy.entity(scenario.clean?.entity.id?);
    let own = scenario.volume.as_ref();
    let own = own.map(|v| Known::said(v.value.rate.per_day(), v.span));
    let carried = own.or_else(|| entity_changes(entity));
    Some(with_entity(scenario, entity, carried))
}

fn of_hop(policy: &Policy, scenario: &Scenario, hop: &Hop, carried: Option<Known<f64>>) -> Demand {
    let filter = scenario.syncs.get(hop.sync as usize);
    let filter = filter.and_then(|s| s.filter.as_ref());
    Demand {
        records_pass: filter.map(passes),
        ..with_entity(scenario, policy.entity(hop.entity), carried)
    }
}

fn with_entity(scenario: &Scenario, entity: &Entity, carried: Option<Known<f64>>) -> Demand {
    let own = scenario.volume.as_ref();
    let volume = entity.volume.as_ref();
    let peak = match own {
        Some(own) => own.value.peak.map(|k| Known::said(k, own.clause)),
        None => volume.and_then(|v| v.value.peak.map(|k| Known::said(k, v.clause))),
    };
    let heard = scenario.when.as_ref().and_then(|w| w.filter.as_ref());
    Demand {
        records_per_day: carried,
        entity_changes_per_day: entity_changes(entity),
        records: volume.map(|v| Known::said(v.value.records as f64, v.clause)),
        peak: peak.map_or(
            Known::default(PEAK, "three times the mean where no `peak` is declared"),
            |k| k.map(|k| k as f64),
        ),
        events_pass: heard.map(passes),
        records_pass: None,
        drift: Known::default(
            DRIFT_SHARE,
            "real time misses 0.1 % of the changes where the catalog is silent",
        ),
    }
}

fn passes(filter: &Filter) -> Known<f64> {
    filter.passes.as_ref().map_or(
        Known::default(
            1.0,
            "an `if` without `passes` lets all pass: an upper bound",
        ),
        |p| Known::said(p.value.share(), p.span),
    )
}

fn entity_changes(entity: &Entity) -> Option<Known<f64>> {
    let volume = entity.volume.as_ref()?;
    Some(Known::said(volume.value.changes.per_day(), volume.clause))
}

/// The λ of hops; a relay's is what reached its source, so one hop may ask for others.
struct Relays<'a> {
    policy: &'a Policy,
    graph: &'a Graph,
    turn: Turn,
    known: Vec<State>,
}

#[derive(Clone)]
enum State {
    Open,
    /// On the way down: a circle of relays adds nothing to itself.
    Asked,
    Done(Option<Known<f64>>),
}

/// How many relays may follow each other; a policy of one chain of thousands is cut here.
const CHAIN_MAX: usize = 256;

impl<'a> Relays<'a> {
    fn new(policy: &'a Policy, graph: &'a Graph, turn: Turn) -> Self {
        let hops = policy.scenarios.iter().map(|s| s.hops.len()).sum();
        Relays {
            policy,
            graph,
            turn,
            known: vec![State::Open; hops],
        }
    }

    fn carried(&mut self, id: HopId) -> Option<Known<f64>> {
        self.carried_at(id, 0)
    }

    fn carried_at(&mut self, id: HopId, depth: usize) -> Option<Known<f64>> {
        match self.known.get(id.0 as usize)? {
            State::Done(known) => return known.clone(),
            State::Asked => return None,
            State::Open if depth > CHAIN_MAX => return None,
            State::Open => {}
        }
        self.known[id.0 as usize] = State::Asked;
        let carried = self.find(id, depth);
        self.known[id.0 as usize] = State::Done(carried.clone());
        carried
    }

    fn find(&mut self, id: HopId, depth: usize) -> Option<Known<f64>> {
        let (policy, flows) = (self.policy, &self.graph.flows);
        let (scenario, hop) = (flows.scenario(policy, id), flows.hop(policy, id));
        if let Some(own) = &scenario.volume {
            let shared = own.value.rate.per_day() / sources_of(scenario) as f64;
            return Some(Known::said(shared, own.span));
        }
        let feeding = feeding(policy, self.graph, hop);
        if !feeding.is_empty() {
            let mut sum: Option<Known<f64>> = None;
            for feeder in feeding {
                let passes = feeder_passes(policy, self.graph, feeder, self.turn);
                let passes = passes * common_share(policy, flows.hop(policy, feeder), hop);
                if let Some(more) = self.carried_at(feeder, depth + 1) {
                    let before = sum.as_ref().map_or(0.0, |s| s.value);
                    sum = Some(more.map(|m| before + m * passes));
                }
            }
            if sum.is_some() {
                return sum;
            }
        }
        let sync = scenario.syncs.get(hop.sync as usize);
        let sources = sync.map_or(1, |s| s.sources.len().max(1));
        let carried = changes_of(policy, hop.entity, hop.fields.iter().copied())?;
        Some(carried.map(|all| all / sources as f64))
    }
}

/// The hops that bring a relay what it passes on; none where its source is an origin itself, or gets
/// the fields from nobody.
pub(super) fn feeding(policy: &Policy, graph: &Graph, hop: &Hop) -> Vec<HopId> {
    let data = || {
        let fields = hop.fields.iter().copied();
        fields.filter(|f| policy.field(*f).is_data())
    };
    if data().any(|f| policy.field(f).is_origin(hop.from.value)) {
        return Vec::new();
    }
    let mut flows: Vec<(u32, FieldId)> = data()
        .filter_map(|f| Some((graph.flows.number_of(f)?, f)))
        .collect();
    flows.sort_unstable();
    flows.dedup_by_key(|f| f.0);
    let mut hops: Vec<HopId> = flows
        .into_iter()
        .filter_map(|(_, field)| graph.flows.of(field))
        .flat_map(|flow| flow.edges().filter(|e| e.to == hop.from.value))
        .map(|e| e.hop)
        .collect();
    hops.sort_unstable();
    hops.dedup();
    hops
}

/// The share of a feeder's changes that are of what a relay carries: all of them, unless each field
/// declares how often it changes.
fn common_share(policy: &Policy, feeder: &Hop, relay: &Hop) -> f64 {
    let rate = |fields: &mut dyn Iterator<Item = FieldId>| -> Option<f64> {
        let data = fields.filter(|f| policy.field(*f).is_data());
        let rates = data.map(|f| Some(policy.field(f).changes.as_ref()?.value.per_day()));
        rates.sum()
    };
    let all = rate(&mut feeder.fields.iter().copied());
    let common = feeder.fields.iter().copied();
    let common = rate(&mut common.filter(|f| relay.fields.contains(f)));
    match all.zip(common) {
        Some((all, common)) if all > 0.0 => common / all,
        _ => 1.0,
    }
}

fn feeder_passes(policy: &Policy, graph: &Graph, id: HopId, turn: Turn) -> f64 {
    let (scenario, hop) = (
        graph.flows.scenario(policy, id),
        graph.flows.hop(policy, id),
    );
    let demand = of_hop(policy, scenario, hop, None).turned(turn);
    demand.events_share() * demand.records_share()
}

/// The systems that a scenario takes records from, each once; at least one.
fn sources_of(scenario: &Scenario) -> usize {
    let mut sources: Vec<SystemId> = scenario.hops.iter().map(|h| h.from.value).collect();
    sources.sort_unstable();
    sources.dedup();
    sources.len().max(1)
}

/// Changes a day of fields of an entity: the sum of their `changes` where all data among them
/// declare it, else the entity's.
pub(super) fn changes_of(
    policy: &Policy,
    entity: EntityId,
    fields: impl IntoIterator<Item = FieldId>,
) -> Option<Known<f64>> {
    let mut sum: Option<Known<f64>> = None;
    for field in fields.into_iter().map(|f| policy.field(f)) {
        if !field.is_data() {
            continue;
        }
        let Some(changes) = &field.changes else {
            return entity_changes(policy.entity(entity));
        };
        let before = sum.as_ref().map_or(0.0, |s| s.value);
        sum = Some(Known::said(before + changes.value.per_day(), changes.span));
    }
    sum.or_else(|| entity_changes(policy.entity(entity)))
}

/// Whether nothing declares the volume of a hop.
pub(super) fn is_unknown(demand: &Demand) -> bool {
    demand.records_per_day.is_none()
}

/// A scenario's hops by id.
pub(super) fn hop_ids(graph: &Graph, scenario: &Scenario) -> impl Iterator<Item = HopId> {
    let first: ScenarioId = scenario.id;
    (0..scenario.hops.len()).map(move |position| graph.flows.hop_id(first, position))
}
