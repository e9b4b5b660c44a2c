//! SL0104 unauthorised-source: a flow takes a field from a system that neither owns it nor may
//! write it nor receives it from one that does.

use super::super::{Context, words};
use super::{accept, origins_known, sl0103_write_to_owner};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::{Edge, Read, Reader};
use crate::model::{Carried, Field, SystemId};

const CODE: Code = Code(104);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_field(|field| {
        let faults = faults(ctx, field);
        let carried = words::by_clause(ctx, faults.edges);
        let carried = carried.into_iter().map(|edges| carries(ctx, field, &edges));
        let reads = faults
            .reads
            .into_iter()
            .map(|(e, r)| reads(ctx, field, e, r));
        carried.chain(reads).collect()
    })
}

/// What takes a field from where it cannot be known.
#[derive(Default)]
pub(super) struct Faults {
    /// Edges that carry it.
    pub edges: Vec<Edge>,
    /// Hops whose expressions read it, one for each clause and source.
    pub reads: Vec<(Edge, Read)>,
}

impl Faults {
    pub(super) fn is_empty(&self) -> bool {
        self.edges.is_empty() && self.reads.is_empty()
    }
}

/// The edges and reads whose source is no origin of a field and that no origin reaches, those of
/// SL0103 left out.
pub(super) fn faults(ctx: &Context, field: &Field) -> Faults {
    // A field without an owner is SL0101; and a flow that could not be read may bring the field.
    if !field.is_data()
        || field.owner().is_none()
        || !origins_known(ctx, field)
        || ctx.flows_incomplete
    {
        return Faults::default();
    }
    let flow = ctx.graph.flows.of(field.id);
    let readers = ctx.graph.reads.of_field(field.id);
    if flow.is_none() && readers.is_empty() {
        return Faults::default();
    }
    let origins = field.origins();
    let reached = flow.map(|f| f.reached_from(&origins)).unwrap_or_default();
    let unknown_in = |s: SystemId| !field.is_origin(s) && reached.binary_search(&s).is_err();
    let earlier = sl0103_write_to_owner::faults(ctx, field);
    let edges = flow
        .into_iter()
        .flat_map(|f| f.edges())
        .filter(|e| unknown_in(e.from) && !earlier.contains(e))
        .collect();
    let mut reads: Vec<(Edge, Read)> = Vec::new();
    for (reader, read) in readers {
        let Reader::Hop(id) = reader else { continue };
        let hop = ctx.graph.flows.hop(ctx.policy, *id);
        let edge = Edge {
            from: hop.from.value,
            to: hop.to.value,
            hop: *id,
        };
        let clause = ctx.sync(edge).clause;
        let known = reads
            .iter()
            .any(|(e, _)| e.from == edge.from && ctx.sync(*e).clause == clause);
        if unknown_in(edge.from) && !known {
            reads.push((edge, *read));
        }
    }
    Faults { edges, reads }
}

/// One finding for the edges of one clause.
fn carries(ctx: &Context, field: &Field, edges: &[Edge]) -> Finding {
    let path = ctx.path(field.id);
    let sources: Vec<&str> = words::sources(edges).map(|s| ctx.system(s)).collect();
    let targets = words::systems(ctx, words::targets(edges));
    let names = words::names(&sources);
    let (verb, gets) = match sources.len() {
        1 => ("sends", "gets"),
        _ => ("send", "get"),
    };
    let message = format!(
        "{names} {verb} `{path}` to {targets}, but neither may change it nor {gets} it from a \
         system that may"
    );
    let clause = edges
        .first()
        .map_or(field.name.span, |e| ctx.sync(*e).clause);
    let found = Finding::new(CODE, clause, message)
        .mark(format!("takes `{}` from {names}", field.name))
        .label(
            field.name.span,
            format!("`{}` is declared here", field.name),
        );
    let mut found = words::label_origins(ctx, found, field).help(help(ctx, field, &sources));
    if let Some((edit, owner)) = from_owner(ctx, field, edges) {
        let title = format!("take it from `{owner}`, which owns it");
        found = found.fix(title, Grade::Review, vec![edit]);
    }
    accept(ctx, found, &[field], &sources)
}

/// Names the owner as the source of a clause, where all that it carries is owned there.
fn from_owner<'c>(ctx: &Context<'c>, field: &Field, edges: &[Edge]) -> Option<(Edit, &'c str)> {
    let sync = ctx.sync(*edges.first()?);
    let owner = field.owner()?;
    let (Carried::Fields(named), [source]) = (&sync.carried, sync.sources.as_slice()) else {
        return None;
    };
    let there = |id| {
        let f = ctx.policy.field(id);
        f.is_key || f.owner() == Some(owner) && ctx.policy.maps_field(id, owner)
    };
    let is_target = sync.targets.iter().any(|t| t.id == Some(owner));
    let fits = !is_target && named.iter().all(|n| n.id.is_some_and(there));
    // An event of one system brings nothing from another.
    (fits && ctx.scenario(*edges.first()?).when.is_none()).then(|| {
        let edit = Edit {
            span: source.span,
            text: ctx.system(owner).to_owned(),
        };
        (edit, ctx.system(owner))
    })
}

fn reads(ctx: &Context, field: &Field, edge: Edge, read: Read) -> Finding {
    let path = ctx.path(field.id);
    let source = ctx.system(edge.from);
    let reader = words::reader(ctx, read.by);
    let message = format!(
        "{reader} reads `{path}` in `{source}`, which neither may change it nor gets it from a \
         system that may"
    );
    let found = Finding::new(CODE, ctx.sync(edge).clause, message)
        .mark(format!("reads the records of `{source}`"))
        .label(read.span, format!("`{}` is read here", field.name))
        .label(
            field.name.span,
            format!("`{}` is declared here", field.name),
        );
    words::label_origins(ctx, found, field).help(help(ctx, field, &[source]))
}

fn help(ctx: &Context, field: &Field, sources: &[&str]) -> String {
    let entity = &ctx.policy.entity(field.id.entity).name;
    let owner = field.owner().map_or("", |o| ctx.system(o));
    format!(
        "bring it there first with `sync {entity}({}) from {owner} to {}`, or, where {} may change \
         it, {}",
        field.name,
        sources.join(", "),
        words::names(sources),
        words::accept(ctx, field, sources),
    )
}
