//! From a policy's figures to an estimate.

use indexmap::IndexMap;
use rayon::prelude::*;

use super::types::{
    Cost, Estimate, HopEstimate, Limit, Old, Ranges, ScenarioEstimate, SystemEstimate, VERSION,
};
use super::{feeds, fields, notes};
use crate::arithmetic::{
    Calls, Costs, HopAge, HopLoad, LimitFacts, ScenarioFigures, SystemFacts, SystemLoad, Timing,
};
pub use crate::choice::Ground;
use crate::choice::{self, burst_share};
use crate::model::{Scenario, System};
use crate::terms::ModeClass;
use crate::time::mode_class;

/// The estimate of a policy without errors.
pub fn of(ground: Ground) -> Estimate {
    let policy = ground.policy;
    let scenarios = policy.scenarios.par_iter();
    let systems = policy.systems.iter();
    Estimate {
        version: VERSION,
        currency: policy.currency.to_string(),
        scenarios: scenarios.filter_map(|s| of_scenario(ground, s)).collect(),
        systems: systems.filter_map(|s| of_system(ground, s)).collect(),
        fields: fields::of_policy(ground),
        feeds: feeds::of_policy(ground),
        notes: notes::of_policy(ground),
        guesses: Vec::new(),
        explain: None,
    }
}

fn of_scenario(ground: Ground, scenario: &Scenario) -> Option<ScenarioEstimate> {
    let figures = ground.arithmetic.scenario(scenario.id)?;
    let costs = ground.arithmetic.costs(ground.policy, scenario)?;
    let auto = scenario.mode.is_auto();
    Some(ScenarioEstimate {
        name: scenario.name.text.to_string(),
        mode: choice::text(&scenario.mode.kind),
        declared: auto.then(|| "auto".to_owned()),
        class: class(&figures.timing),
        required_seconds: scenario.fresh.as_ref().map(|f| f.value.as_secs_f64()),
        cost_per_month: cost(costs),
        hops: hops(ground, figures),
        what_if: None,
        ranges: Ranges::new(),
    })
}

pub(super) fn class(timing: &Timing) -> Option<ModeClass> {
    match timing {
        Timing::Realtime => Some(ModeClass::Realtime),
        Timing::Hybrid(_) => Some(ModeClass::Hybrid),
        Timing::Scheduled(gaps) => Some(mode_class(Some(gaps.longest))),
        Timing::Never => Some(mode_class(None)),
        Timing::Unknown => None,
    }
}

pub(super) fn cost(costs: Costs) -> Cost {
    Cost {
        api: costs.api,
        upkeep: Some(costs.upkeep),
        staleness: costs.staleness,
        total: costs.total(),
    }
}

pub(super) fn hops(ground: Ground, figures: &ScenarioFigures) -> Vec<HopEstimate> {
    let pairs = figures.hops.iter().zip(&figures.ages);
    pairs.map(|(load, age)| hop(ground, load, age)).collect()
}

fn hop(ground: Ground, load: &HopLoad, age: &HopAge) -> HopEstimate {
    let known = !load.volume_is_unknown();
    let by_system = |of: fn(&[Calls; 4]) -> f64| {
        let mut calls: IndexMap<String, Option<f64>> = IndexMap::new();
        for (system, counts) in &load.ends() {
            let slot = calls.entry(ground.name(*system).to_owned()).or_default();
            *slot = known.then(|| slot.unwrap_or(0.0) + of(counts));
        }
        calls
    };
    HopEstimate {
        from: ground.name(load.from).to_owned(),
        to: ground.name(load.to).to_owned(),
        calls_per_day: by_system(|c| c[0].total()),
        records_per_day: load.records_per_day(),
        peak_calls_per_second: by_system(|c| c[2].total()),
        staleness_seconds: old(age),
        ranges: Ranges::new(),
    }
}

fn old(age: &HopAge) -> Old {
    let worst = age.worst.total();
    Old {
        mean: age.mean.total(),
        worst,
        unbounded: worst.is_none(),
    }
}

fn of_system(ground: Ground, system: &System) -> Option<SystemEstimate> {
    let (facts, load) = ground.at(system.id)?;
    let without = || load.scenarios.iter().filter(|s| s.volume_is_unknown);
    // Where nothing at all is known of what calls it, no sum is better than one of nothing.
    let known = load.scenarios.is_empty() || without().count() < load.scenarios.len();
    let quota = tightest(facts, load);
    let burst = facts.bursts().max_by(|a, b| {
        let key = |l: &LimitFacts| (burst_share(l, load), -l.per_second());
        let (a, b) = (key(a), key(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let used = |calls: Calls| quota.map(|q| quota_share(facts, q, calls));
    Some(SystemEstimate {
        name: system.name.text.to_string(),
        calls_per_day: known.then(|| load.per_day().total()),
        quota_per_day: quota.map(LimitFacts::per_day),
        quota_counts: quota.and_then(|q| match q.counts.unit() {
            "calls" => None,
            unit => Some(unit.to_owned()),
        }),
        budget_per_day: quota.map(|q| q.per_day() * facts.budget.value),
        utilisation: used(load.per_day()).filter(|_| known),
        busiest_utilisation: used(load.busiest_day()).filter(|_| known),
        peak_calls_per_second: known.then(|| load.peak().total()),
        burst_limit: burst.map(|limit| Limit {
            name: limit.name.clone(),
            calls_per_second: limit.per_second(),
            utilisation: known.then(|| burst_share(limit, load)),
        }),
        without: without()
            .map(|s| ground.policy.scenario(s.scenario).name.text.to_string())
            .collect(),
        ranges: Ranges::new(),
    })
}

/// The quota of which most is used; among equals the smallest.
pub(super) fn tightest<'f>(facts: &'f SystemFacts, load: &SystemLoad) -> Option<&'f LimitFacts> {
    let busiest = load.busiest_day();
    facts.quotas().max_by(|a, b| {
        let share = |l| quota_share(facts, l, busiest);
        let by_share = share(a).total_cmp(&share(b));
        by_share.then(b.per_day().total_cmp(&a.per_day()))
    })
}

/// The share of the policy's part of a quota that calls of a day use.
pub(super) fn quota_share(facts: &SystemFacts, quota: &LimitFacts, calls: Calls) -> f64 {
    let allowed = quota.per_day() * facts.budget.value;
    match calls.counted(quota.counts) {
        0.0 => 0.0,
        used if allowed > 0.0 => used / allowed,
        _ => f64::INFINITY,
    }
}
