//! SL0105 competing-writers: values of several origins meet in one system and no rule says which
//! holds.

use super::super::{Context, fix, words};
use super::{lacks_rule, origins_known};
use crate::finding::{Code, Finding, Grade};
use crate::graph::{Edge, Flow};
use crate::model::{Field, SystemId};

const CODE: Code = Code(105);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_carried(|field, flow| {
        let meeting = faults(ctx, field, flow);
        meeting
            .map(|m| finding(ctx, field, flow, &m))
            .into_iter()
            .collect()
    })
}

/// Systems in which values of several origins meet.
pub(super) struct Meeting {
    /// The one in which the most meet, the owner before others, then the rest in reading order.
    systems: Vec<SystemId>,
    /// The origins that meet in the first.
    origins: Vec<SystemId>,
}

/// Where origins of a field without `resolve` meet.
pub(super) fn faults(ctx: &Context, field: &Field, flow: &Flow) -> Option<Meeting> {
    if !lacks_rule(ctx, field) || !origins_known(ctx, field) {
        return None;
    }
    let origins = field.origins();
    if origins.len() < 2 {
        return None;
    }
    let reached: Vec<(SystemId, Vec<SystemId>)> = origins
        .iter()
        .map(|o| (*o, flow.reached_from(&[*o])))
        .collect();
    // The owner's own value is always there.
    let arrives = |(origin, to): &(SystemId, Vec<SystemId>), system: SystemId| {
        to.binary_search(&system).is_ok() || (*origin == system && field.owner() == Some(system))
    };
    let mut meetings: Vec<Meeting> = flow
        .systems()
        .map(|system| Meeting {
            systems: vec![system],
            origins: reached
                .iter()
                .filter(|o| arrives(o, system))
                .map(|o| o.0)
                .collect(),
        })
        .filter(|m| m.origins.len() >= 2)
        .collect();
    let owned = |m: &Meeting| m.systems.first().copied() == field.owner();
    meetings.sort_by_key(|m| (std::cmp::Reverse(m.origins.len()), !owned(m)));
    let mut rest = meetings.into_iter();
    let mut first = rest.next()?;
    let mut others: Vec<SystemId> = rest.flat_map(|m| m.systems).collect();
    others.sort_unstable();
    first.systems.extend(others);
    Some(first)
}

/// Every edge on a way from one of the origins to a system where they meet.
fn ways(flow: &Flow, meeting: &Meeting) -> Vec<Edge> {
    let from_origins = flow.reached_from(&meeting.origins);
    let known =
        |s: SystemId| meeting.origins.contains(&s) || from_origins.binary_search(&s).is_ok();
    let arrives = |s: SystemId| {
        let reached = flow.reached_from(&[s]);
        let meets = |m: &SystemId| *m == s || reached.binary_search(m).is_ok();
        meeting.systems.iter().any(meets)
    };
    // What leaves the only place where they meet has no part in it.
    let leaves = |s: SystemId| meeting.systems == [s];
    flow.edges()
        .filter(|e| !leaves(e.from) && known(e.from) && arrives(e.to))
        .collect()
}

fn finding(ctx: &Context, field: &Field, flow: &Flow, meeting: &Meeting) -> Finding {
    let path = ctx.path(field.id);
    let meets = words::systems(ctx, meeting.systems.iter().copied());
    let origins = words::systems(ctx, meeting.origins.iter().copied());
    let ways = ways(flow, meeting);
    let message = format!(
        "values of `{path}` from {origins} meet in {meets}, by {}, and no `resolve` says which \
         holds",
        words::scenarios(ctx, &ways)
    );
    let mut found = Finding::new(CODE, field.name.span, message).mark("has no `resolve`");
    found = words::label_origins(ctx, found, field);
    found = words::label_edges(ctx, found, &ways);
    if let Some(system) = meeting.systems.first().copied() {
        for origin in meeting.origins.iter().filter(|o| **o != system) {
            let path = flow.path(*origin, system, |_| true);
            found = words::walk(ctx, found, &path.unwrap_or_default());
        }
    }
    let rule = words::proposed_rule(field);
    found
        .help(format!(
            "write `resolve {rule}` on `{path}`: {}",
            words::rule_meaning(rule)
        ))
        .fix(
            format!("add `resolve {rule}` to `{path}`"),
            Grade::Review,
            vec![fix::add_clause(field, &format!("resolve {rule}"))],
        )
}
