//! What a reader looks for first: what runs out, what it costs.

use super::usage::Usage;
use crate::estimate::{Cost, Estimate, SystemEstimate};

/// The system that uses most of what it may.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstOut {
    /// Its name.
    pub system: String,
    /// The share of its daily budget that is used on its busiest day.
    pub share: f64,
    /// The budget, in calls a day.
    pub budget_per_day: Option<f64>,
    /// Whether scenarios of unknown volume are missing from the share.
    pub at_least: bool,
    /// The scenario that calls it most, with its share of all calls there.
    pub most: Option<(String, f64)>,
}

/// Costs of all scenarios whose cost is known, a month.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    /// By kind.
    pub api: f64,
    /// Keeping real-time parts running.
    pub upkeep: f64,
    /// What delays do.
    pub staleness: f64,
    /// All of it.
    pub total: f64,
    /// Scenarios whose cost is not known.
    pub unknown: usize,
    /// The scenario that costs most.
    pub most: Option<(String, f64)>,
}

pub(super) fn first_out(estimate: &Estimate, usage: &[Usage]) -> Option<FirstOut> {
    let used = |s: &SystemEstimate| s.busiest_utilisation.or(s.utilisation);
    let known = estimate.systems.iter().filter_map(|s| Some((s, used(s)?)));
    let (system, share) = known
        .filter(|(_, share)| *share > 0.0)
        .reduce(|most, next| if next.1 > most.1 { next } else { most })?;
    let parts = usage.iter().find(|u| u.system == system.name);
    let most = parts.and_then(|u| u.parts.first());
    Some(FirstOut {
        system: system.name.clone(),
        share,
        budget_per_day: system.budget_per_day,
        at_least: !system.without.is_empty(),
        most: most.map(|p| (p.scenario.clone(), p.of_calls)),
    })
}

pub(super) fn sums(estimate: &Estimate) -> Sums {
    let all = estimate.scenarios.iter();
    let known = all.filter_map(|s| Some((&s.name, &s.cost_per_month, s.cost_per_month.total?)));
    let known: Vec<(&String, &Cost, f64)> = known.collect();
    let sum = |of: fn(&Cost) -> Option<f64>| known.iter().filter_map(|k| of(k.1)).sum();
    let most = known
        .iter()
        .filter(|k| k.2 > 0.0)
        .reduce(|most, next| if next.2 > most.2 { next } else { most });
    Sums {
        api: sum(|c| c.api),
        upkeep: sum(|c| c.upkeep),
        staleness: sum(|c| c.staleness),
        total: sum(|c| c.total),
        unknown: estimate.scenarios.len() - known.len(),
        most: most.map(|k| (k.0.clone(), k.2)),
    }
}
