//! What to know about the figures.

use super::build::Ground;
use crate::arithmetic::PriceFacts;
use crate::model::{Filter, Scenario, System};

/// The notes of a policy, in reading order.
pub(super) fn of_policy(ground: Ground) -> Vec<String> {
    gathered(ground, |system| foreign_price(ground, system))
}

/// The same without those on money: what to know of an estimate where its calls and ages are held
/// against others.
pub fn notes_without_money(ground: Ground) -> Vec<String> {
    gathered(ground, |_| None)
}

fn gathered(ground: Ground, on_money: impl Fn(&System) -> Option<String>) -> Vec<String> {
    let systems = ground.policy.systems.iter();
    let mut notes: Vec<String> = systems
        .flat_map(|s| [smallest_tier(s), on_money(s)])
        .flatten()
        .collect();
    notes.extend(upper_bounds(ground));
    notes.extend(unknown_volumes(ground));
    notes
}

fn smallest_tier(system: &System) -> Option<String> {
    let entry = system.entry()?;
    let tier = entry.smallest_tier().filter(|_| system.tier.is_none())?;
    Some(format!(
        "`{}` names no `tier`: the limits are those of the smallest, `{}`",
        system.name, tier.name
    ))
}

fn foreign_price(ground: Ground, system: &System) -> Option<String> {
    match &ground.arithmetic.facts(system.id)?.price {
        PriceFacts::Foreign(currency) => Some(format!(
            "the catalog has the price of `{}` in {currency}, not in {}: write its `price`",
            system.name, ground.policy.currency
        )),
        _ => None,
    }
}

fn upper_bounds(ground: Ground) -> Option<String> {
    let open = |filter: &&Filter| filter.passes.is_none();
    let has_open = |s: &&Scenario| {
        let heard = s.when.iter().filter_map(|w| w.filter.as_ref());
        let carried = s.syncs.iter().filter_map(|c| c.filter.as_ref());
        heard.chain(carried).any(|f| open(&f))
    };
    let those: Vec<&Scenario> = ground.policy.scenarios.iter().filter(has_open).collect();
    let figures = match those.len() {
        0 => return None,
        1 => "its figures are upper bounds: its `if` is",
        _ => "their figures are upper bounds: an `if` there is",
    };
    Some(format!(
        "{}: {figures} taken to let everything pass; add `passes` and a percentage",
        names(&those)
    ))
}

fn unknown_volumes(ground: Ground) -> Option<String> {
    let unknown = |s: &&Scenario| {
        let figures = ground.arithmetic.scenario(s.id);
        figures.is_some_and(|f| f.hops.iter().any(|h| h.volume_is_unknown()))
    };
    let those: Vec<&Scenario> = ground.policy.scenarios.iter().filter(unknown).collect();
    match those.is_empty() {
        true => None,
        false => Some(format!(
            "{}: no `volume` says how much there is to carry, so its calls are missing from the \
             sums; add `volume` to the entity or the scenario",
            names(&those)
        )),
    }
}

fn names(scenarios: &[&Scenario]) -> String {
    let shown = scenarios.iter().take(5);
    let mut names: Vec<String> = shown.map(|s| format!("`{}`", s.name)).collect();
    if scenarios.len() > names.len() {
        names.push(format!("{} more", scenarios.len() - names.len()));
    }
    names.join(", ")
}
