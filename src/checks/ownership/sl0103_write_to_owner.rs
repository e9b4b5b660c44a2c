//! SL0103 write-to-owner: a flow writes a field into its owner from a system that may not.

use super::super::{Context, fix, words};
use super::{accept, origins_known};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::Edge;
use crate::model::{Carried, Field, SystemId};
use crate::text::Span;

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
    let mut found = words::label_origins(ctx, found, field).help(format!(
        "take `{}` out of this `sync`, or, where {names} may change it, {}",
        field.name,
        words::accept(ctx, field, &sources),
    ));
    if let Some(edit) = one_way(ctx, field, edges) {
        let title = format!("let `{}` only flow out of `{owner}`", field.name);
        found = found.fix(title, Grade::Review, vec![edit]);
    } else if let Some(edit) = only_these(ctx, field, edges) {
        let title = format!("take `{}` out of this `sync`", field.name);
        found = found.fix(title, Grade::Review, vec![edit]);
    }
    accept(ctx, found, field, &sources)
}

/// Takes the field out of a clause that does nothing else with it.
fn only_these(ctx: &Context, field: &Field, edges: &[Edge]) -> Option<Edit> {
    let first = *edges.first()?;
    let clause = ctx.sync(first).clause;
    let flow = ctx.graph.flows.of(field.id)?;
    let all = flow.edges().filter(|e| ctx.sync(*e).clause == clause);
    (all.count() == edges.len()).then(|| fix::uncarry(ctx, first, &[field.id]))?
}

/// Turns `between` of the owner and one other system into the one way that is allowed, where that
/// holds for all that the clause carries.
fn one_way(ctx: &Context, field: &Field, edges: &[Edge]) -> Option<Edit> {
    let [edge] = edges else { return None };
    let sync = ctx.sync(*edge);
    let (Carried::Fields(named), [first, last]) = (&sync.carried, sync.sources.as_slice()) else {
        return None;
    };
    let (owner, other): (SystemId, SystemId) = (field.owner()?, edge.from);
    let alike = |id| {
        let f = ctx.policy.field(id);
        f.is_key || f.owner() == Some(owner) && !f.is_origin(other)
    };
    if !sync.between || !named.iter().all(|n| n.id.is_some_and(alike)) {
        return None;
    }
    let (start, end) = (sync.clause.start as usize, first.span.start as usize);
    let before = ctx.sources.slice(Span::new(sync.clause.file, start, end));
    let at = start + before.rfind("between")?;
    Some(Edit {
        span: Span::new(sync.clause.file, at, last.span.end as usize),
        text: format!("from {} to {}", ctx.system(owner), ctx.system(other)),
    })
}
