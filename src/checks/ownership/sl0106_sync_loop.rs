//! SL0106 sync-loop: a field travels in a circle and no rule makes it come to rest.

use super::super::{Context, fix, words};
use super::{
    lacks_rule, origins_known, sl0101_no_owner, sl0103_write_to_owner, sl0104_unauthorised_source,
    sl0105_competing_writers,
};
use crate::finding::{Code, Finding, Grade};
use crate::graph::{Edge, Flow};
use crate::model::{Field, SystemId};

const CODE: Code = Code(106);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_carried(|field, flow| {
        faults(ctx, field, flow)
            .into_iter()
            .map(|circle| finding(ctx, field, flow, &circle))
            .collect()
    })
}

/// The circles of a field without `resolve` that no other fault of its flows explains.
fn faults(ctx: &Context, field: &Field, flow: &Flow) -> Vec<Vec<Edge>> {
    if !lacks_rule(ctx, field) || !origins_known(ctx, field) {
        return Vec::new();
    }
    let circles = flow.circles();
    let explained = || {
        sl0101_no_owner::lacks_owner(field)
            || !sl0103_write_to_owner::faults(ctx, field).is_empty()
            || !sl0104_unauthorised_source::faults(ctx, field).is_empty()
            || sl0105_competing_writers::faults(ctx, field, flow).is_some()
    };
    if circles.is_empty() || explained() {
        return Vec::new();
    }
    circles.to_vec()
}

/// Every edge between systems that feed each other round this circle, those of the circle first.
fn all_round(flow: &Flow, circle: &[Edge]) -> Vec<Edge> {
    let mut all = circle.to_vec();
    let Some(start) = circle.first().map(|e| e.from) else {
        return all;
    };
    let reached = flow.reached_from(&[start]);
    let inside = |s: SystemId| {
        reached.binary_search(&s).is_ok() && flow.reached_from(&[s]).binary_search(&start).is_ok()
    };
    let more = flow.edges().filter(|e| inside(e.from) && inside(e.to));
    let more: Vec<Edge> = more.filter(|e| !circle.contains(e)).collect();
    all.extend(more);
    all
}

fn finding(ctx: &Context, field: &Field, flow: &Flow, circle: &[Edge]) -> Finding {
    let path = ctx.path(field.id);
    let edges = all_round(flow, circle);
    let message = format!(
        "`{path}` travels in a circle, {}, by {}, and has no `resolve`",
        words::route(ctx, circle),
        words::scenarios(ctx, circle)
    );
    let found = Finding::new(CODE, field.name.span, message).mark("comes back to where it was");
    let found = words::label_origins(ctx, found, field);
    let found = words::label_edges(ctx, found, &edges);
    let found = words::walk(ctx, found, circle);
    let rule = words::proposed_rule(field);
    found
        .help(format!(
            "take `{}` out of one of these flows, or write `resolve {rule}` on it",
            field.name
        ))
        .fix(
            format!("add `resolve {rule}` to `{path}`"),
            Grade::Review,
            vec![fix::add_clause(field, &format!("resolve {rule}"))],
        )
}
