//! SL0101 no-owner: a scenario carries a field that no system owns.

use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::{Edge, Reader};
use crate::model::{Entity, Field, SystemId};
use crate::text::Span;

const CODE: Code = Code(101);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let blocks = ctx.blocks_of_allows(CODE);
    let entities = ctx.policy.entities.iter();
    entities.flat_map(|e| of_entity(ctx, e, &blocks)).collect()
}

/// One finding where the entity itself lacks the `owner` that all its fields would have had, else
/// one for each field.
fn of_entity(ctx: &Context, entity: &Entity, blocks: &[Span]) -> Vec<Finding> {
    let fields = entity.fields.iter();
    let faults: Vec<(&Field, Carried)> =
        fields.filter_map(|f| Some((f, faults(ctx, f)?))).collect();
    match common_source(entity, &faults, blocks) {
        Some(source) => forgotten(ctx, entity, &faults, source),
        None => faults.iter().map(|(f, c)| finding(ctx, f, c)).collect(),
    }
}

/// The one system from which all fields of an entity start, where none of them has an owner.
fn common_source(
    entity: &Entity,
    faults: &[(&Field, Carried)],
    blocks: &[Span],
) -> Option<SystemId> {
    let nobody_owns = entity.owner.is_none() && entity.fields.iter().all(|f| f.owner.is_none());
    let allowed = |f: &Field| {
        blocks
            .iter()
            .any(|b| f.declared.iter().any(|d| d.span.contains(*b)))
    };
    if !nobody_owns || faults.len() < 2 || faults.iter().any(|(f, _)| allowed(f)) {
        return None;
    }
    let mut sources = faults.iter().map(|(_, c)| only_source(&c.edges));
    let first = sources.next()??;
    sources.all(|s| s == Some(first)).then_some(first)
}

/// How many of many fields are labelled.
const SHOWN_FIELDS: usize = 6;

fn forgotten(
    ctx: &Context,
    entity: &Entity,
    faults: &[(&Field, Carried)],
    source: SystemId,
) -> Vec<Finding> {
    let (name, system) = (&entity.name, ctx.system(source));
    let edges: Vec<Edge> = faults.iter().flat_map(|(_, c)| &c.edges).copied().collect();
    let mut scenarios: Vec<&str> = Vec::new();
    for edge in &edges {
        let scenario = &*ctx.scenario(*edge).name.text;
        if !scenarios.contains(&scenario) {
            scenarios.push(scenario);
        }
    }
    let (noun, verb) = match scenarios.len() {
        1 => ("scenario", "carries"),
        _ => ("scenarios", "carry"),
    };
    let message = format!(
        "no field of `{name}` has an owner, but {noun} {} {verb} {} of them",
        words::names(&scenarios),
        faults.len()
    );
    let mut fields = faults.iter().map(|(f, _)| *f);
    let Some(first) = fields.next() else {
        return Vec::new();
    };
    let mut found = Finding::new(CODE, first.name.span, message)
        .mark("no system owns this field")
        .label(name.span, "has no `owner` for its fields");
    for field in fields.take(SHOWN_FIELDS) {
        found = words::label(found, field.name.span, "nor this one");
    }
    found = words::label_edges(ctx, found, &edges).help(format!(
        "write `owner {system}` in `entity {name}`, before its first field: it then owns every \
         field that names no other owner"
    ));
    // After a field it would be that field's clause.
    let is_first = |key: Span| {
        !entity
            .fields
            .iter()
            .any(|f| f.span.file == key.file && f.span.start < key.start)
    };
    vec![match entity.key.as_ref().filter(|k| is_first(k.clause)) {
        Some(key) => {
            let edit = Edit {
                span: Span::point(key.clause.file, key.clause.end as usize),
                text: format!("\n  owner {system}"),
            };
            let title = format!("make `{system}` the owner of `{name}`");
            found.fix(title, Grade::Review, vec![edit])
        }
        None => found,
    }]
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

fn finding(ctx: &Context, field: &Field, carried: &Carried) -> Finding {
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
    for (span, reader) in &carried.reads {
        found = words::label(found, *span, format!("{reader} reads it here"));
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
