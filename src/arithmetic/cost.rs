//! What a scenario costs in a month of 30 days: calls, upkeep, lateness.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::prelude::ToPrimitive;

use super::demand;
use super::facts::{PriceFacts, SystemFacts};
use super::load::HopLoad;
use super::system::{self, SystemLoad};
use super::{Alternative, Arithmetic, ScenarioFigures};
use crate::model::{EntityId, FieldId, MoneyPer, Policy, Scenario, SystemId};
use crate::terms::Unit;

/// Days of a month.
pub const MONTH_DAYS: f64 = 30.0;

/// What a scenario costs in a month, in the policy's currency. None: it has a price, but how often
/// it is paid is not known, or the price is in another currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Its calls, beyond what the vendors' tiers include.
    pub api: Option<f64>,
    /// Keeping its real-time part running.
    pub upkeep: f64,
    /// What its delays do.
    pub staleness: Option<f64>,
}

impl Costs {
    /// All of it.
    pub fn total(self) -> Option<f64> {
        Some(self.api? + self.upkeep + self.staleness?)
    }
}

impl Arithmetic {
    /// What a scenario costs as it stands.
    pub fn costs(&self, policy: &Policy, scenario: &Scenario) -> Option<Costs> {
        let figures = self.scenario(scenario.id)?;
        Some(costs(self, &self.systems, policy, scenario, (figures, 1.0)))
    }
}

impl Alternative {
    /// What the scenario would cost.
    pub fn costs(&self, today: &Arithmetic, policy: &Policy, scenario: &Scenario) -> Costs {
        let figures = (&self.figures, self.times);
        costs(today, &self.systems, policy, scenario, figures)
    }
}

impl ScenarioFigures {
    /// λ: changed records a day that wait for the scenario, after its filters; none: nothing
    /// declares a volume.
    pub fn delayed_per_day(&self, policy: &Policy, scenario: &Scenario) -> Option<f64> {
        delayed_per_day(policy, scenario, &self.hops, 1.0)
    }

    /// The largest mean delay of its hops, in seconds; none: without bound.
    pub fn mean_delay(&self) -> Option<f64> {
        let mut means = self.ages.iter().map(|a| a.mean.total());
        means.try_fold(0.0_f64, |most, mean| Some(most.max(mean?)))
    }
}

fn costs(
    arithmetic: &Arithmetic,
    systems: &[system::Shared],
    policy: &Policy,
    scenario: &Scenario,
    (figures, times): (&ScenarioFigures, f64),
) -> Costs {
    let upkeep = policy.upkeep.as_ref().map_or(0.0, |u| per_month(u.value));
    Costs {
        api: api(&arithmetic.facts, systems, scenario, figures),
        upkeep: match figures.timing.is_realtime() && !scenario.hops.is_empty() {
            true => upkeep,
            false => 0.0,
        },
        staleness: staleness(policy, scenario, figures, times),
    }
}

/// Money for a unit of time, as money for a month.
pub fn per_month(money: MoneyPer) -> f64 {
    let amount = money.amount.to_f64().unwrap_or(0.0);
    amount * Unit::Month.seconds() as f64 / money.unit.seconds() as f64
}

/// Money for a record and a unit of delay, as money for a record and a second.
pub fn per_second(money: MoneyPer) -> f64 {
    money.amount.to_f64().unwrap_or(0.0) / money.unit.seconds() as f64
}

fn api(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    scenario: &Scenario,
    figures: &ScenarioFigures,
) -> Option<f64> {
    let mut called: Vec<SystemId> = figures.hops.iter().flat_map(|h| [h.from, h.to]).collect();
    called.sort_unstable();
    called.dedup();
    called.into_iter().try_fold(0.0, |sum, id| {
        let (Some(facts), Some(load)) = (system::at(facts, id), system::at(systems, id)) else {
            return Some(sum);
        };
        Some(sum + api_at(facts, load, scenario)?)
    })
}

/// A scenario's share in what a system's calls cost. What the tier includes is shared by all
/// scenarios as they call.
fn api_at(facts: &SystemFacts, load: &SystemLoad, scenario: &Scenario) -> Option<f64> {
    let share = load.scenarios.iter().find(|s| s.scenario == scenario.id);
    let Some(share) = share else {
        return Some(0.0);
    };
    let calls = share.per_day.total() * MONTH_DAYS;
    let (per_call, included) = match &facts.price {
        PriceFacts::None => return Some(0.0),
        _ if share.volume_is_unknown => return None,
        PriceFacts::Foreign(_) if calls > 0.0 => return None,
        PriceFacts::Foreign(_) => return Some(0.0),
        PriceFacts::Known { per_call, included } => (per_call.value, included.as_ref()),
    };
    let all = load.per_day().total() * MONTH_DAYS;
    let free = included.map_or(0.0, |i| i.value);
    let paid = match all > 0.0 {
        true => (1.0 - free / all).max(0.0),
        false => 0.0,
    };
    Some(calls * paid * per_call)
}

fn staleness(
    policy: &Policy,
    scenario: &Scenario,
    figures: &ScenarioFigures,
    times: f64,
) -> Option<f64> {
    let Some(costs) = scenario.stale.and_then(|s| s.costs) else {
        return Some(0.0);
    };
    let delayed = delayed_per_day(policy, scenario, &figures.hops, times)? * MONTH_DAYS;
    Some(delayed * figures.mean_delay()? * per_second(costs.value))
}

/// What a clause takes of an entity from a source: one change, to however many systems it goes.
#[derive(Default)]
struct Taken {
    raw: f64,
    written: f64,
}

/// Of hops that carry so many times as much as the policy declares.
fn delayed_per_day(
    policy: &Policy,
    scenario: &Scenario,
    hops: &[HopLoad],
    times: f64,
) -> Option<f64> {
    let mut taken: BTreeMap<(EntityId, Option<u32>, SystemId), Taken> = BTreeMap::new();
    for (at, load) in hops.iter().enumerate() {
        let clause = scenario.hops.get(at).map(|h| h.sync);
        let slot = taken.entry((load.entity, clause, load.from)).or_default();
        let raw = load.demand.records_per_day.as_ref()?.value;
        slot.raw = slot.raw.max(raw);
        slot.written = slot.written.max(load.demand.written_per_day()?);
    }
    let sum = |of: fn(&Taken) -> f64, entity: Option<EntityId>| -> f64 {
        let ours = taken
            .iter()
            .filter(|(key, _)| entity.is_none_or(|e| key.0 == e));
        ours.map(|(_, t)| of(t)).sum()
    };
    let passing = |entity| {
        let raw = sum(|t| t.raw, entity);
        match raw > 0.0 {
            true => sum(|t| t.written, entity) / raw,
            false => 0.0,
        }
    };
    if let Some(own) = &scenario.volume {
        return Some(own.value.rate.per_day() * times * passing(None));
    }
    let entities: BTreeSet<EntityId> = taken.keys().map(|key| key.0).collect();
    let of_entity = |entity: EntityId| {
        let raw = sum(|t| t.raw, Some(entity));
        // Two clauses may carry the same changed record: it is late once.
        let declared = changes(policy, scenario, entity);
        let most = declared.map_or(raw, |all| (all * times).min(raw));
        most * passing(Some(entity))
    };
    Some(entities.into_iter().map(of_entity).sum())
}

/// Changes a day of all that a scenario carries of an entity.
fn changes(policy: &Policy, scenario: &Scenario, entity: EntityId) -> Option<f64> {
    let hops = scenario.hops.iter().filter(|h| h.entity == entity);
    let fields: BTreeSet<FieldId> = hops.flat_map(|h| h.fields.iter().copied()).collect();
    Some(demand::changes_of(policy, entity, fields)?.value)
}
