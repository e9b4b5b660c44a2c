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

/// A system in which values of several origins meet.
pub(super) struct Meeting {
    system: SystemId,
    origins: Vec<SystemId>,
}

/// The system in which the most origins of a field without `resolve` meet, the owner before
/// others.
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
    let mut best: Option<Meeting> = None;
    let mut systems: Vec<SystemId> = flow.systems().collect();
    systems.sort_by_key(|s| field.owner() != Some(*s));
    for system in systems {
        // The owner's own value is always there.
        let meet: Vec<SystemId> = reached
            .iter()
            .filter(|(o, to)| {
                to.binary_search(&system).is_ok() || (*o == system && field.owner() == Some(*o))
            })
            .map(|(o, _)| *o)
            .collect();
        if meet.len() >= 2 && best.as_ref().is_none_or(|b| b.origins.len() < meet.len()) {
            best = Some(Meeting {
                system,
                origins: meet,
            });
        }
    }
    best
}

/// Every edge on a way from one of the origins to the system where they meet.
fn ways(flow: &Flow, meeting: &Meeting) -> Vec<Edge> {
    let from_origins = flow.reached_from(&meeting.origins);
    let known =
        |s: SystemId| meeting.origins.contains(&s) || from_origins.binary_search(&s).is_ok();
    let arrives = |s: SystemId| {
        s == meeting.system
            || flow
                .reached_from(&[s])
                .binary_search(&meeting.system)
                .is_ok()
    };
    flow.edges()
        .filter(|e| e.from != meeting.system && known(e.from) && arrives(e.to))
        .collect()
}

fn finding(ctx: &Context, field: &Field, flow: &Flow, meeting: &Meeting) -> Finding {
    let path = ctx.path(field.id);
    let meets = ctx.system(meeting.system);
    let origins = words::systems(ctx, meeting.origins.iter().copied());
    let ways = ways(flow, meeting);
    let message = format!(
        "values of `{path}` from {origins} meet in `{meets}`, by {}, and no `resolve` says which \
         holds",
        words::scenarios(ctx, &ways)
    );
    let mut found = Finding::new(CODE, field.name.span, message).mark("has no `resolve`");
    found = words::label_origins(ctx, found, field);
    found = words::label_edges(ctx, found, &ways);
    for origin in meeting.origins.iter().filter(|o| **o != meeting.system) {
        let path = flow.path(*origin, meeting.system, |_| true);
        found = words::walk(ctx, found, &path.unwrap_or_default());
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
