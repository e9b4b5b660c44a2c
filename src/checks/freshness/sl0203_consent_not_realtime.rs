//! SL0203 consent-not-realtime: a consent, or what a rule or a law says must not be late, waits for
//! the clock.

use super::super::{Context, fix, words};
use super::{bound, by_count, pace, paths};
use crate::finding::{Code, Finding, Grade};
use crate::graph::{Edge, Flow};
use crate::model::{Field, FieldId, Scenario, SystemId};
use crate::terms::Impact;
use crate::text::Span;

const CODE: Code = Code(203);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    // A flow that could not be read may be the one in real time.
    if ctx.flows_incomplete {
        return Vec::new();
    }
    ctx.policy
        .scenarios
        .iter()
        .filter(|s| pace::is_by_clock(s))
        .filter_map(|s| {
            let late = late(ctx, s);
            (!late.is_empty()).then(|| finding(ctx, s, &late))
        })
        .collect()
}

/// Why SL0203 says of an edge that it carries a field too late, if it does.
pub(super) fn concerns(ctx: &Context, edge: Edge, field: &Field) -> Option<Why> {
    let scenario = ctx.scenario(edge);
    if ctx.flows_incomplete || !pace::is_by_clock(scenario) {
        return None;
    }
    let why = must_not_wait(ctx, scenario, edge.to, field)?;
    (!also_live(ctx, edge, field)).then_some(why)
}

/// Why a field must not wait for the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The scenario is `stale compliance`.
    Compliance,
    /// It is of class consent, and the system has a bound on its age.
    Bound(Span),
    /// It is of class consent, and the system may change it too.
    Origin,
    /// It is of class consent, and the system sends mail.
    SendsMail,
}

/// Why what a scenario carries into a system must not wait, if it must not.
pub(super) fn must_not_wait(
    ctx: &Context,
    scenario: &Scenario,
    to: SystemId,
    field: &Field,
) -> Option<Why> {
    if scenario.impact() == Some(Impact::Compliance) {
        return Some(Why::Compliance);
    }
    if !field.has_class("consent") {
        return None;
    }
    if let Some(clause) = bound(ctx, field, to) {
        return Some(Why::Bound(clause));
    }
    if field.is_origin(to) {
        return Some(Why::Origin);
    }
    let mails = ctx.entry(to).is_some_and(|e| e.capabilities.sends_mail);
    mails.then_some(Why::SendsMail)
}

/// Whether all that an edge brings gets there in real time too.
fn also_live(ctx: &Context, edge: Edge, field: &Field) -> bool {
    let Some(flow) = ctx.graph.flows.of(field.id) else {
        return false;
    };
    let live = |e: Edge| pace::is_live(ctx.scenario(e));
    if field.derived.is_some() {
        return flow.edges().any(|e| e.to == edge.to && live(e));
    }
    let said_by = said_by(flow, edge, field);
    said_by
        .into_iter()
        .filter(|origin| *origin != edge.to)
        .all(|origin| flow.path(origin, edge.to, live).is_some())
}

/// The origins whose word an edge carries: those that it starts from or that reach its start.
fn said_by(flow: &Flow, edge: Edge, field: &Field) -> Vec<SystemId> {
    let reaches = |o: &SystemId| {
        *o == edge.from || flow.reached_from(&[*o]).binary_search(&edge.from).is_ok()
    };
    let origins: Vec<SystemId> = field.origins().into_iter().filter(reaches).collect();
    match origins.is_empty() {
        true => vec![edge.from],
        false => origins,
    }
}

/// What is late: over which edge, which field, and why it must not be.
type Late = (Edge, FieldId, Why);

fn late(ctx: &Context, scenario: &Scenario) -> Vec<Late> {
    let mut late = Vec::new();
    for (position, hop) in scenario.hops.iter().enumerate() {
        let edge = Edge {
            from: hop.from.value,
            to: hop.to.value,
            hop: ctx.graph.flows.hop_id(scenario.id, position),
        };
        for id in hop.fields.iter() {
            let why = concerns(ctx, edge, ctx.policy.field(*id));
            late.extend(why.map(|why| (edge, *id, why)));
        }
    }
    late
}

fn finding(ctx: &Context, scenario: &Scenario, late: &[Late]) -> Finding {
    let mut fields: Vec<FieldId> = late.iter().map(|l| l.1).collect();
    fields.sort_unstable();
    fields.dedup();
    let edges: Vec<Edge> = late.iter().map(|l| l.0).collect();
    let targets = words::systems(ctx, words::targets(&edges));
    let what = paths(ctx, &fields);
    let late_by = match pace::gap(ctx, scenario) {
        Some(gap) => format!("up to {gap} late"),
        None => "late".to_owned(),
    };
    let mode = pace::named(scenario);
    let by_impact = late.iter().any(|l| l.2 == Why::Compliance);
    let message = match by_impact {
        true => format!(
            "scenario `{}` is `stale compliance` but runs {mode}: {what} {} {targets} {late_by}",
            scenario.name,
            by_count(fields.len(), "reaches", "reach"),
        ),
        false => format!(
            "scenario `{}` runs {mode}, so a change of the consent {what} reaches {targets} {late_by}",
            scenario.name
        ),
    };
    let mut found = Finding::new(CODE, words::mode_place(scenario), message)
        .mark("runs by the clock, not at each change");
    found = words::label_unsure(found, scenario);
    found = label_why(ctx, found, scenario, late);
    found = words::label_edges(ctx, found, &edges);
    for id in fields.iter().take(SHOWN_FIELDS) {
        let field = ctx.policy.field(*id);
        if let Some(classes) = field
            .classes
            .as_ref()
            .filter(|_| field.has_class("consent"))
        {
            let text = format!("`{}` is a consent", field.name);
            found = words::label(found, classes.clause, text);
        }
    }
    mends(ctx, found, scenario, by_impact)
}

/// How many of many fields are labelled.
const SHOWN_FIELDS: usize = 6;

fn label_why(ctx: &Context, mut found: Finding, scenario: &Scenario, late: &[Late]) -> Finding {
    for (edge, id, why) in late {
        let field = ctx.policy.field(*id);
        let to = ctx.system(edge.to);
        found = match why {
            Why::Compliance => match &scenario.stale {
                Some(stale) => {
                    words::label(found, stale.clause, "says that being late breaks a rule")
                }
                None => found,
            },
            Why::Bound(clause) => {
                words::label(found, *clause, format!("says how old it may be in `{to}`"))
            }
            Why::Origin => words::label_origins(ctx, found, field),
            Why::SendsMail => match &ctx.policy.system(edge.to).connector {
                Some(c) => words::label(found, c.clause, format!("`{to}` sends mail to people")),
                None => found,
            },
        };
    }
    found
}

fn mends(ctx: &Context, found: Finding, scenario: &Scenario, by_impact: bool) -> Finding {
    if let Some(mode) = pace::live(ctx, scenario) {
        let or = match by_impact {
            true => "; where being late breaks no rule, say in `stale` what it does",
            false => "",
        };
        let found = found.help(format!(
            "write `mode {mode}`, so that each change moves at once{or}"
        ));
        return match fix::set_mode(ctx.sources, scenario, &mode) {
            Some(edit) => found.fix("move each change at once", Grade::Review, vec![edit]),
            None => found,
        };
    }
    let mut silent: Vec<&str> = Vec::new();
    for hop in &scenario.hops {
        let name = ctx.system(hop.from.value);
        let tells = ctx
            .entry(hop.from.value)
            .is_none_or(|e| e.capabilities.events);
        if !tells && !silent.contains(&name) {
            silent.push(name);
        }
    }
    match silent.is_empty() {
        true => found.help("write `mode realtime`, so that each change moves at once"),
        false => found.help(format!(
            "{} {} no change events: record the consent in a system that does, and carry it from \
             there with `mode realtime`",
            words::names(&silent),
            by_count(silent.len(), "sends", "send"),
        )),
    }
}
