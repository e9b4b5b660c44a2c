//! SL0101 no-owner: a scenario carries a field that no system owns.

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::graph::{Edge, Reader};
use crate::model::{Field, SystemId};
use crate::text::Span;

const CODE: Code = Code(101);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_field(|field| {
        faults(ctx, field)
            .map(|f| finding(ctx, field, f))
            .into_iter()
            .collect()
    })
}

/// How a field without an owner is carried.
struct Carried {
    edges: Vec<Edge>,
    /// Places of expressions that read it, and which those are.
    reads: Vec<(Span, String)>,
}

/// `None`: it has an owner, needs none, or nothing carries it.
fn faults(ctx: &Context, field: &Field) -> Option<Carried> {
    let entity = ctx.policy.entity(field.id.entity);
    if !lacks_owner(field) || entity.broken {
        return None;
    }
    let edges: Vec<Edge> = ctx
        .graph
        .flows
        .of(field.id)
        .map(|f| f.edges().collect())
        .unwrap_or_default();
    let reads: Vec<(Span, String)> = ctx
        .graph
        .reads
        .of_field(field.id)
        .iter()
        .map(|(reader, read)| match reader {
            Reader::Hop(_) => (read.span, words::reader(ctx, read.by)),
            Reader::Clean(_) => (read.span, "a `require` of this `clean`".into()),
        })
        .collect();
    (!edges.is_empty() || !reads.is_empty()).then_some(Carried { edges, reads })
}

/// Whether nobody says who owns a field that needs an owner.
pub(super) fn lacks_owner(field: &Field) -> bool {
    field.is_data() && field.owner.is_none() && !field.broken
}

fn finding(ctx: &Context, field: &Field, carried: Carried) -> Finding {
    let path = ctx.path(field.id);
    let message = match carried.edges.first() {
        Some(edge) => format!(
            "`{path}` has no owner, but scenario `{}` carries it",
            ctx.scenario(*edge).name
        ),
        None => {
            let reader = carried.reads.first().map_or("", |r| &r.1);
            format!("`{path}` has no owner, but {reader} reads it")
        }
    };
    let mut found = Finding::new(CODE, field.name.span, message).mark("no system owns this field");
    found = words::label_edges(ctx, found, &carried.edges);
    for (span, reader) in carried.reads {
        found = words::label(found, span, format!("{reader} reads it here"));
    }
    let entity = &ctx.policy.entity(field.id.entity).name;
    match only_source(&carried.edges) {
        Some(system) => {
            let system = ctx.system(system);
            found
                .help(format!(
                    "write `owner {system}` on `{path}`, or on entity `{entity}` for all its fields"
                ))
                .fix(
                    format!("make `{system}` the owner of `{path}`"),
                    Grade::Review,
                    vec![fix::add_clause(field, &format!("owner {system}"))],
                )
        }
        None => found.help(format!(
            "write `owner` and the system whose value counts on `{path}`, or on entity `{entity}` \
             for all its fields"
        )),
    }
}

/// The one system from which a field starts, where there is one only.
fn only_source(edges: &[Edge]) -> Option<SystemId> {
    let mut starts = edges
        .iter()
        .map(|e| e.from)
        .filter(|s| !edges.iter().any(|e| e.to == *s));
    let first = starts.next()?;
    starts.all(|s| s == first).then_some(first)
}
