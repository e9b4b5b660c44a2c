//! SL0112 derived-owned: a derived field says who writes it, or a flow carries it as data.

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::graph::Edge;
use crate::model::{Carried, Field, FieldId, SystemId};
use crate::text::Span;

const CODE: Code = Code(112);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_field(|field| {
        if field.derived.is_none() || field.is_key {
            return Vec::new();
        }
        let written = written_as_data(ctx, field);
        let by_source = words::by_clause(ctx, written);
        let said = said(field);
        let owned = (!said.is_empty()).then(|| owned(ctx, field, &said));
        owned
            .into_iter()
            .chain(by_source.iter().map(|edges| as_data(ctx, field, edges)))
            .collect()
    })
}

/// The clauses that a derived field has no use for. What its entity says does not reach it.
fn said(field: &Field) -> Vec<(Span, &'static str)> {
    let owner = field
        .owner
        .as_ref()
        .map(|c| (c.clause, c.inherited, "owner"));
    let accepts = field
        .accepts
        .as_ref()
        .map(|c| (c.clause, c.inherited, "accepts"));
    let resolve = field
        .resolve
        .as_ref()
        .map(|c| (c.clause, c.inherited, "resolve"));
    [owner, accepts, resolve]
        .into_iter()
        .flatten()
        .filter(|(_, inherited, _)| !inherited)
        .map(|(clause, _, word)| (clause, word))
        .collect()
}

/// The edges whose clause names a derived field that the sending system maps without mapping what
/// it is computed from.
fn written_as_data(ctx: &Context, field: &Field) -> Vec<Edge> {
    let Some(flow) = ctx.graph.flows.of(field.id) else {
        return Vec::new();
    };
    flow.edges()
        .filter(|e| matches!(ctx.sync(*e).carried, Carried::Fields(_)))
        .filter(|e| sends_as_data(ctx, field.id, e.from))
        .collect()
}

/// Whether a system maps a derived field but not all that it is computed from.
pub(in super::super) fn sends_as_data(ctx: &Context, derived: FieldId, from: SystemId) -> bool {
    ctx.policy.maps_field(derived, from) && !unmapped_inputs(ctx, derived, from).is_empty()
}

fn unmapped_inputs(ctx: &Context, derived: FieldId, system: SystemId) -> Vec<FieldId> {
    let mut inputs = ctx.graph.derivations.inputs(ctx.policy, derived);
    inputs.retain(|f| !ctx.policy.field(*f).is_key && !ctx.policy.maps_field(*f, system));
    inputs
}

fn owned(ctx: &Context, field: &Field, said: &[(Span, &'static str)]) -> Finding {
    let path = ctx.path(field.id);
    let clauses = words::names(said.iter().map(|s| s.1));
    let message = format!(
        "`{path}` is derived, so it takes no {}",
        words::either(said.iter().map(|s| s.1))
    );
    let mut found = Finding::new(CODE, field.name.span, message).mark("is computed, never written");
    if let Some(derived) = &field.derived {
        found = words::label(found, derived.clause, "derived here");
    }
    for (clause, word) in said {
        found = words::label(
            found,
            *clause,
            format!("`{word}` is for fields that are written"),
        );
    }
    let edits = said
        .iter()
        .map(|(clause, _)| fix::remove(*clause, ctx.sources))
        .collect();
    found
        .help(format!(
            "remove {clauses}, or remove `derived` where systems do write it"
        ))
        .fix(format!("remove {clauses}"), Grade::Review, edits)
}

fn as_data(ctx: &Context, field: &Field, edges: &[Edge]) -> Finding {
    let path = ctx.path(field.id);
    let mut found = Finding::new(CODE, field.name.span, String::new()).mark("is derived");
    let mut missing = Vec::new();
    for from in words::sources(edges) {
        missing.extend(unmapped_inputs(ctx, field.id, from));
        if let Some(map) = ctx.policy.map_for(field.id.entity, from)
            && let Some(mapped) = map.field(field.id.index)
        {
            let text = format!("`{}` maps it as a field of its own", ctx.system(from));
            found = words::label(found, mapped.span, text);
        }
    }
    missing.sort_unstable();
    missing.dedup();
    let sources = words::systems(ctx, words::sources(edges));
    let short = words::names(missing.iter().map(|f| &*ctx.policy.field(*f).name.text));
    found.message = format!(
        "`{path}` is derived, but a flow takes it from {sources}, which does not map {short} to \
         compute it from"
    );
    words::label_edges(ctx, found, edges).help(format!(
        "map {short} in {sources} too, or remove `derived` and give `{path}` an `owner`"
    ))
}
