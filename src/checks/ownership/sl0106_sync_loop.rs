//! SL0106 sync-loop: a field travels in a circle and no rule makes it come to rest.

use super::super::{Context, fix, words};
use super::{
    lacks_rule, origins_known, sl0101_no_owner, sl0103_write_to_owner, sl0104_unauthorised_source,
    sl0105_competing_writers,
};
use crate::finding::{Code, Finding, Grade};
use crate::graph::{Edge, Flow};
use crate::model::Field;

const CODE: Code = Code(106);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_carried(|field, flow| {
        faults(ctx, field, flow)
            .into_iter()
            .map(|circle| finding(ctx, field, &circle))
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

fn finding(ctx: &Context, field: &Field, circle: &[Edge]) -> Finding {
    let path = ctx.path(field.id);
    let message = format!(
        "`{path}` travels in a circle, {}, and has no `resolve`",
        words::route(ctx, circle)
    );
    let found = Finding::new(CODE, field.name.span, message).mark("comes back to where it was");
    let found = words::label_origins(ctx, found, field);
    let found = words::label_edges(ctx, found, circle);
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
