//! What speaks against a mode of a scenario: its own clauses, its sources, its bounds, its runs.

use super::Ground;
use crate::arithmetic::{LimitFacts, ScenarioFigures, SystemFacts, SystemLoad, Timing};
use crate::graph::Edge;
use crate::model::{Field, FieldId, ModeKind, Policy, Scenario, SystemId};
use crate::terms::Impact;
use crate::time::Millis;

/// By how much sums of fractions may be over and still count as whole.
pub(super) const TOLERANCE: f64 = 1e-6;

/// Seconds by which a bound may be missed: less than any duration can say.
pub(super) const SECONDS_TOLERANCE: f64 = 0.0005;

/// Other clauses of the scenario, or its systems, that a mode does not go with.
pub fn against_clauses(ground: Ground, scenario: &Scenario, mode: &ModeKind) -> Vec<String> {
    let mut why = Vec::new();
    let mut say = |holds: bool, text: &str| {
        if holds {
            why.push(text.to_owned());
        }
    };
    match mode {
        ModeKind::Realtime => {
            say(
                scenario.after_clause.is_some(),
                "its `after` needs a schedule",
            );
            say(scenario.window.is_some(), "its `window` needs a schedule");
            say(scenario.scan_full.is_some(), "its `scan` needs a schedule");
            say(scenario.clean.is_some(), "its `clean` needs a schedule");
        }
        ModeKind::Hybrid(_) => {}
        _ => {
            say(scenario.when.is_some(), "its `when` needs real time");
            why.extend(unread(ground, scenario));
        }
    }
    why
}

/// A source that cannot be read for what changed.
fn unread(ground: Ground, scenario: &Scenario) -> Option<String> {
    scenario.hops.iter().find_map(|hop| {
        let source = ground.arithmetic.facts(hop.from.value)?;
        let name = ground.name(hop.from.value);
        if !source.can_read {
            return Some(format!("`{name}` cannot be read, it only sends events"));
        }
        let map = ground.policy.map_for(hop.entity, hop.from.value);
        let cursor = scenario.scans_full() || map.is_some_and(|m| m.cursor.is_some());
        (!cursor).then(|| {
            let entity = &ground.policy.entity(hop.entity).name;
            format!("the map of `{entity}` in `{name}` has no `cursor` to read changes by")
        })
    })
}

/// The hop that is latest against the scenario's own `fresh`: where to, how long it takes (infinite:
/// without bound) and how long it may.
pub fn late_hop(scenario: &Scenario, figures: &ScenarioFigures) -> Option<(SystemId, f64, Millis)> {
    let within = scenario.fresh?.value;
    let pairs = figures.hops.iter().zip(&figures.ages);
    let ages = pairs.map(|(hop, age)| (hop.to, seconds(age.worst.total())));
    let (to, worst) = ages.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (worst > within.as_secs_f64() + SECONDS_TOLERANCE).then_some((to, worst, within))
}

/// A run that does not fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Overrun {
    /// Its schedule never starts, or its mode is not known.
    NeverStarts,
    /// It takes so many seconds (infinite: it never ends), but the window is open for less.
    Window(f64, Millis),
    /// It takes so many seconds, but the next start may come earlier.
    NextStart(f64, Millis),
}

/// Whether a run does not end before the next start, or before the window closes.
pub fn overrun(scenario: &Scenario, figures: &ScenarioFigures) -> Option<Overrun> {
    let ScenarioFigures { timing, run, .. } = figures;
    let gaps = match timing {
        Timing::Unknown | Timing::Never => return Some(Overrun::NeverStarts),
        timing => timing.gaps()?,
    };
    let window = scenario.window.as_ref().map(|w| w.value.length());
    let seconds = seconds(run.as_ref()?.seconds);
    match window.filter(|w| *w < gaps.shortest) {
        Some(window) if seconds > window.as_secs_f64() => Some(Overrun::Window(seconds, window)),
        Some(_) => None,
        None if seconds > gaps.shortest.as_secs_f64() => {
            Some(Overrun::NextStart(seconds, gaps.shortest))
        }
        None => None,
    }
}

/// What a scenario carries that must not wait for the clock, if it runs by the clock: over which
/// edge, and which field. `live` says of the other scenarios whether they move each change at once.
pub fn must_not_wait(
    ground: Ground,
    scenario: &Scenario,
    live: &dyn Fn(&Scenario) -> bool,
) -> Option<(Edge, FieldId)> {
    let strict = scenario.impact() == Some(Impact::Compliance);
    for (at, hop) in scenario.hops.iter().enumerate() {
        let edge = Edge {
            from: hop.from.value,
            to: hop.to.value,
            hop: ground.graph.flows.hop_id(scenario.id, at),
        };
        for id in hop.fields.iter() {
            let field = ground.policy.field(*id);
            if (strict || consent_is_urgent(ground.policy, field, edge.to))
                && !also_live(ground, scenario, edge, field, live)
            {
                return Some((edge, *id));
            }
        }
    }
    None
}

fn consent_is_urgent(policy: &Policy, field: &Field, to: SystemId) -> bool {
    let entry = policy.system(to).entry();
    let bounded = field
        .fresh
        .as_ref()
        .is_some_and(|fresh| match &fresh.value.systems {
            None => policy.maps_field(field.id, to),
            Some(named) => named.iter().any(|s| s.id == Some(to)),
        });
    field.has_class("consent")
        && (bounded || field.is_origin(to) || entry.is_some_and(|e| e.capabilities.sends_mail))
}

/// Whether all that an edge brings gets there in real time by other scenarios.
fn also_live(
    ground: Ground,
    scenario: &Scenario,
    edge: Edge,
    field: &Field,
    live: &dyn Fn(&Scenario) -> bool,
) -> bool {
    let Some(flow) = ground.graph.flows.of(field.id) else {
        return false;
    };
    let live = |e: Edge| {
        let other = ground.graph.flows.scenario(ground.policy, e.hop);
        other.id != scenario.id && live(other)
    };
    if field.derived.is_some() {
        return flow.edges().any(|e| e.to == edge.to && live(e));
    }
    let behind = |o: &SystemId| *o == edge.from || flow.path(*o, edge.from, |_| true).is_some();
    let mut said_by: Vec<SystemId> = field.origins().into_iter().filter(behind).collect();
    if said_by.is_empty() {
        said_by.push(edge.from);
    }
    let mut said_by = said_by.into_iter().filter(|origin| *origin != edge.to);
    said_by.all(|origin| flow.path(origin, edge.to, live).is_some())
}

/// How old a field may be in a system, in seconds.
pub fn bound(field: &Field, system: SystemId) -> Option<f64> {
    let fresh = &field.fresh.as_ref()?.value;
    let holds = match &fresh.systems {
        None => true,
        Some(named) => named.iter().any(|s| s.id == Some(system)),
    };
    fresh.within.filter(|_| holds).map(|w| w.as_secs_f64())
}

/// The systems that a hop brings a field to.
pub fn reached(ground: Ground, field: FieldId) -> Vec<SystemId> {
    let flow = ground.graph.flows.of(field);
    let mut systems: Vec<SystemId> = flow
        .into_iter()
        .flat_map(|f| f.edges())
        .map(|e| e.to)
        .collect();
    systems.sort_unstable();
    systems.dedup();
    systems
}

/// The bounded fields that a scenario carries, with every system where a bound holds: its hops may
/// be on the way to systems that it does not write itself.
pub fn bounded<'a>(
    ground: Ground<'a>,
    scenario: &'a Scenario,
) -> impl Iterator<Item = (&'a Field, SystemId, f64)> {
    let policy: &Policy = ground.policy;
    let mut ids: Vec<FieldId> = scenario
        .hops
        .iter()
        .flat_map(|h| h.fields.iter().copied())
        .filter(|f| policy.field(*f).fresh.is_some())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().flat_map(move |id| {
        let field = policy.field(id);
        let reached = reached(ground, id).into_iter();
        reached.filter_map(move |system| Some((field, system, bound(field, system)?)))
    })
}

/// Whether the policy says how late a scenario may be, or that it does not matter: only then is a
/// slower mode that saves no money worth a word.
pub fn says_how_late(ground: Ground, scenario: &Scenario) -> bool {
    let impact = scenario.impact();
    matches!(impact, Some(Impact::None | Impact::Reporting))
        || scenario.stale.is_some_and(|s| s.costs.is_some())
        || scenario.fresh.is_some()
        || bounded(ground, scenario).next().is_some()
}

/// The share of the policy's part of a quota that calls of the busiest day use.
pub fn quota_share(facts: &SystemFacts, quota: &LimitFacts, load: &SystemLoad) -> f64 {
    let allowed = quota.per_day() * facts.budget.value;
    match load.busiest_day().counted(quota.counts) {
        0.0 => 0.0,
        used if allowed > 0.0 => used / allowed,
        _ => f64::INFINITY,
    }
}

/// The share of a burst limit that the peak uses.
pub fn burst_share(limit: &LimitFacts, load: &SystemLoad) -> f64 {
    match limit.per_second() {
        rate if rate > 0.0 => load.peak().counted(limit.counts) / rate,
        _ => 0.0,
    }
}

/// A bound in seconds; infinite where there is none.
pub(super) fn seconds(bound: Option<f64>) -> f64 {
    bound.unwrap_or(f64::INFINITY)
}
