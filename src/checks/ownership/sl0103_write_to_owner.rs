//! SL0103 write-to-owner: a flow writes a field into its owner from a system that may not.

use super::super::{Context, words};
use super::origins_known;
use crate::finding::{Code, Finding};
use crate::graph::Edge;
use crate::model::Field;

const CODE: Code = Code(103);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_carried(|field, _| {
        words::by_clause(ctx, faults(ctx, field))
            .into_iter()
            .map(|edges| finding(ctx, field, &edges))
            .collect()
    })
}

/// The edges that end in the owner of a field and come from no origin of it.
pub(super) fn faults(ctx: &Context, field: &Field) -> Vec<Edge> {
    let Some(owner) = field.owner() else {
        return Vec::new();
    };
    if !origins_known(ctx, field) {
        return Vec::new();
    }
    let Some(flow) = ctx.graph.flows.of(field.id) else {
        return Vec::new();
    };
    flow.edges()
        .filter(|e| e.to == owner && !field.is_origin(e.from))
        .collect()
}

/// One finding for the edges of one clause.
fn finding(ctx: &Context, field: &Field, edges: &[Edge]) -> Finding {
    let path = ctx.path(field.id);
    let sources: Vec<&str> = words::sources(edges).map(|s| ctx.system(s)).collect();
    let owner = field.owner().map_or("", |o| ctx.system(o));
    let names = words::names(&sources);
    let verb = if sources.len() == 1 {
        "writes"
    } else {
        "write"
    };
    let message = format!(
        "{names} {verb} `{path}` into its owner `{owner}`, which does not accept it from there"
    );
    let clause = edges
        .first()
        .map_or(field.name.span, |e| ctx.sync(*e).clause);
    let found = Finding::new(CODE, clause, message)
        .mark(format!("carries `{}` into `{owner}`", field.name))
        .label(
            field.name.span,
            format!("`{}` is declared here", field.name),
        );
    words::label_origins(ctx, found, field).help(format!(
        "take `{}` out of this `sync`, or, where {names} may change it, {}",
        field.name,
        words::accept(ctx, field, &sources),
    ))
}
