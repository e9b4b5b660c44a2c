//! SL0310 unknown-volume: a system has a budget, and a scenario calls it whose volume nothing
//! declares, so that nobody can say whether the budget holds.

use std::collections::BTreeMap;

use super::super::{Context, words};
use crate::finding::{Code, Finding};
use crate::model::{EntityId, Scenario, SystemId};

const CODE: Code = Code(310);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut unknown: BTreeMap<EntityId, Vec<(&Scenario, Vec<SystemId>)>> = BTreeMap::new();
    for scenario in ctx.policy.scenarios.iter().filter(|s| !s.broken) {
        for (entity, systems) in budgeted(ctx, scenario) {
            unknown.entry(entity).or_default().push((scenario, systems));
        }
    }
    unknown
        .into_iter()
        .filter_map(|(entity, scenarios)| finding(ctx, entity, &scenarios))
        .collect()
}

/// The budgeted systems that a scenario calls for records of unknown volume, by entity.
fn budgeted(ctx: &Context, scenario: &Scenario) -> BTreeMap<EntityId, Vec<SystemId>> {
    let mut found: BTreeMap<EntityId, Vec<SystemId>> = BTreeMap::new();
    let Some(figures) = ctx.arithmetic.scenario(scenario.id) else {
        return found;
    };
    for hop in figures.hops.iter().filter(|h| h.volume_is_unknown()) {
        if ctx.policy.entity(hop.entity).broken {
            continue;
        }
        for system in [hop.from, hop.to] {
            let has_budget = ctx.policy.system(system).budget.is_some();
            let has_quota = ctx
                .arithmetic
                .facts(system)
                .is_some_and(|f| f.quotas().next().is_some());
            let systems = found.entry(hop.entity).or_default();
            if has_budget && has_quota && !systems.contains(&system) {
                systems.push(system);
            }
        }
    }
    found.retain(|_, systems| !systems.is_empty());
    found
}

/// One finding for an entity: one `volume` mends it for every scenario.
fn finding(
    ctx: &Context,
    entity: EntityId,
    scenarios: &[(&Scenario, Vec<SystemId>)],
) -> Option<Finding> {
    let entity = ctx.policy.entity(entity);
    let (first, _) = scenarios.first()?;
    let mut systems: Vec<SystemId> = scenarios.iter().flat_map(|s| s.1.clone()).collect();
    systems.sort_unstable();
    systems.dedup();
    let names = words::names(scenarios.iter().map(|s| &s.0.name.text));
    let plural = match scenarios.len() {
        1 => "scenario",
        _ => "scenarios",
    };
    let use_of = match scenarios.len() {
        1 => "uses",
        _ => "use",
    };
    let message = format!(
        "{plural} {names} {use_of} the budget of {}, but nothing declares how many `{}` records \
         change: its calls are missing from the sum",
        words::systems(ctx, systems.iter().copied()),
        entity.name
    );
    let mut found = Finding::new(CODE, first.name.span, message).mark("of unknown volume");
    found = words::label(found, entity.name.span, "has no `volume`");
    for (scenario, _) in scenarios.iter().skip(1) {
        found = words::label(found, scenario.name.span, "of unknown volume too");
    }
    for system in systems {
        if let Some(budget) = &ctx.policy.system(system).budget {
            found = words::label(found, budget.clause, "cannot be held against a number");
        }
    }
    Some(found.help(format!(
        "write `volume … records, …/day changes` in `entity {}`, or a `volume` of its own in `{}`",
        entity.name, first.name
    )))
}
