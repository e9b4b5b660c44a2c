//! SL0208 no-reconcile: events of a source can be lost for good, and nothing reads again what they
//! told.

use std::collections::BTreeMap;

use super::super::{Context, fix, words};
use super::{pace, paths};
use crate::finding::{Code, Finding, Grade, Severity};
use crate::graph::{Edge, Flow};
use crate::model::{FieldId, ModeKind, Scenario, SystemId};
use crate::time::Millis;

const CODE: Code = Code(208);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    // A flow that could not be read may be the one by the clock.
    if ctx.flows_incomplete {
        return Vec::new();
    }
    ctx.policy
        .scenarios
        .iter()
        .filter(|s| pace::is_live(s) && !never_reconciles(ctx, s))
        .filter_map(|s| {
            let lost = lost(ctx, s);
            finding(ctx, s, &lost)
        })
        .collect()
}

/// Whether its reconcile never comes, which is SL0307.
fn never_reconciles(ctx: &Context, scenario: &Scenario) -> bool {
    let calendar = &ctx.policy.calendar;
    pace::schedule(scenario).is_some_and(|s| calendar.never_runs(s, pace::window(scenario)))
}

/// What a source tells by events that can be lost.
#[derive(Default)]
struct Lost {
    edges: Vec<Edge>,
    fields: Vec<FieldId>,
}

/// By source, what nothing carries again.
fn lost(ctx: &Context, scenario: &Scenario) -> BTreeMap<SystemId, Lost> {
    let mut lost: BTreeMap<SystemId, Lost> = BTreeMap::new();
    for (position, hop) in scenario.hops.iter().enumerate() {
        let edge = Edge {
            from: hop.from.value,
            to: hop.to.value,
            hop: ctx.graph.flows.hop_id(scenario.id, position),
        };
        if !loses_events(ctx, edge.from) {
            continue;
        }
        // Fields that travel alike are carried again alike.
        let mut known: BTreeMap<u32, bool> = BTreeMap::new();
        let mut gone: Vec<FieldId> = Vec::new();
        for field in hop.fields.iter() {
            let flows = &ctx.graph.flows;
            let (Some(number), Some(flow)) = (flows.number_of(*field), flows.of(*field)) else {
                continue;
            };
            if !*known
                .entry(number)
                .or_insert_with(|| carried_again(ctx, flow, edge))
            {
                gone.push(*field);
            }
        }
        if !gone.is_empty() {
            let of_source = lost.entry(edge.from).or_default();
            of_source.edges.push(edge);
            of_source.fields.extend(gone);
        }
    }
    for of_source in lost.values_mut() {
        of_source.fields.sort_unstable();
        of_source.fields.dedup();
    }
    lost
}

fn loses_events(ctx: &Context, system: SystemId) -> bool {
    let events = ctx.entry(system).and_then(|e| e.events.as_ref());
    events.is_some_and(|e| e.lost_for_good())
}

fn is_readable(ctx: &Context, system: SystemId) -> bool {
    ctx.entry(system).is_some_and(|e| e.capabilities.read)
}

/// Whether what an edge carries gets to its end by the clock too: from where it came, before it is
/// lost, or, where that system cannot be read, from anywhere.
fn carried_again(ctx: &Context, flow: &Flow, edge: Edge) -> bool {
    if !is_readable(ctx, edge.from) {
        return flow
            .edges()
            .any(|e| e.to == edge.to && has_clock(ctx.scenario(e)));
    }
    let within = pace::retention(ctx, edge.from);
    let in_time =
        |e: Edge| words::is_scheduled_read(ctx, ctx.scenario(e), e.from) && in_time(ctx, e, within);
    flow.path(edge.from, edge.to, in_time).is_some()
}

/// Whether a scenario reads by the clock at all.
fn has_clock(scenario: &Scenario) -> bool {
    // A mode that could not be read may be one.
    !matches!(scenario.mode.kind, ModeKind::Realtime) || !words::mode_is_known(scenario)
}

fn in_time(ctx: &Context, edge: Edge, within: Option<Millis>) -> bool {
    let scenario = ctx.scenario(edge);
    if pace::schedule(scenario).is_none() {
        return true;
    }
    let gap = pace::gap(ctx, scenario);
    gap.is_some_and(|gap| within.is_none_or(|within| gap <= within))
}

fn finding(ctx: &Context, scenario: &Scenario, lost: &BTreeMap<SystemId, Lost>) -> Option<Finding> {
    // The first in reading order leads; the others are labels.
    let (source, first) = lost
        .iter()
        .min_by_key(|(_, l)| l.edges.first().map(|e| e.hop))?;
    let mut fields: Vec<FieldId> = lost.values().flat_map(|l| l.fields.clone()).collect();
    fields.sort_unstable();
    fields.dedup();
    let message = message(ctx, scenario, *source, first);
    let mark = match scenario.mode.kind {
        ModeKind::Hybrid(_) => "reads again too rarely",
        _ => "hears of changes by events only",
    };
    let mut found = Finding::new(CODE, words::mode_place(scenario), message).mark(mark);
    found = words::label_unsure(found, scenario);
    for (system, of_source) in lost {
        if let Some(connector) = &ctx.policy.system(*system).connector {
            found = words::label(found, connector.clause, keeps(ctx, *system));
        }
        found = words::label_edges(ctx, found, &of_source.edges);
    }
    let consent = |id: &&FieldId| ctx.policy.field(**id).has_class("consent");
    if let Some(id) = fields.iter().find(consent) {
        let field = ctx.policy.field(*id);
        let place = field.classes.as_ref().map_or(field.name.span, |c| c.clause);
        let text = format!("`{}` is a consent", field.name);
        found = words::label(found, place, text).severity(Severity::Error);
    }
    Some(mends(ctx, found, scenario, lost))
}

fn message(ctx: &Context, scenario: &Scenario, source: SystemId, lost: &Lost) -> String {
    let from = ctx.system(source);
    let what = paths(ctx, &lost.fields);
    let targets = words::systems(ctx, words::targets(&lost.edges));
    let gone = match pace::retention(ctx, source) {
        Some(within) => {
            format!("an event of `{from}` that is missed for {within} is lost for good")
        }
        None => format!("an event of `{from}` that is missed is lost for good"),
    };
    match (is_readable(ctx, source), pace::gap(ctx, scenario)) {
        (false, _) => format!(
            "{gone}: `{from}` cannot be read again, and nothing brings {what} to {targets} by the \
             clock"
        ),
        (true, Some(gap)) => {
            format!("{gone}, and the reconcile of {what} in {targets} comes only every {gap}")
        }
        (true, None) => format!("{gone}, and nothing reads {what} again for {targets}"),
    }
}

/// What becomes of a missed event of a system.
fn keeps(ctx: &Context, system: SystemId) -> String {
    let entry = ctx.entry(system).map_or("its connector", |e| &*e.name);
    match pace::retention(ctx, system) {
        Some(within) => format!("`{entry}` offers an event again for {within}, then never"),
        None => format!("`{entry}` cannot be asked for an event that was missed"),
    }
}

fn mends(
    ctx: &Context,
    found: Finding,
    scenario: &Scenario,
    lost: &BTreeMap<SystemId, Lost>,
) -> Finding {
    let readable = || lost.keys().copied().filter(|s| is_readable(ctx, *s));
    if readable().next().is_none() {
        let sources = words::systems(ctx, lost.keys().copied());
        return found.help(format!(
            "bring the same fields by the clock from a system that can be read, or let {sources} put \
             its events where they stay, as in a `jsonl` file or a `nats` stream; where a lost event \
             does no harm, say so with `allow SL0208 \"…\"`"
        ));
    }
    let within = readable().filter_map(|s| pace::retention(ctx, s)).min();
    let names = words::systems(ctx, readable());
    let Some(schedule) = pace::reconcile_within(ctx, scenario, within) else {
        return found.help(format!(
            "write `mode realtime with reconcile …` with a schedule that reads {names} again before \
             an event is lost"
        ));
    };
    let mode = format!("realtime with reconcile {schedule}");
    let found = found.help(format!(
        "write `mode {mode}`: it reads {names} again by the clock and mends what was missed"
    ));
    match fix::set_mode(ctx.sources, scenario, &mode) {
        Some(edit) => found.fix("read it again by the clock", Grade::Review, vec![edit]),
        None => found,
    }
}
