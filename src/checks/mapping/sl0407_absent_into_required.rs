//! SL0407 absent-into-required: a field that a record may lack goes to a place without which the
//! system makes no record.

use rayon::prelude::*;

use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::Edge;
use crate::model::{Field, FieldId, Map, MappedField, Sync};

const CODE: Code = Code(407);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .maps
        .par_iter()
        .flat_map_iter(|map| of_map(ctx, map))
        .collect()
}

fn of_map(ctx: &Context, map: &Map) -> Vec<Finding> {
    let system = map.system.value;
    let Some(object) = ctx.entry(system).and_then(|e| e.object(&map.object)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for mapped in &map.fields {
        let field = ctx.policy.field(FieldId {
            entity: map.entity.value,
            index: mapped.field,
        });
        let required = object
            .field(&mapped.column)
            .is_some_and(|p| p.is_required());
        if required && field.optional && !field.is_key {
            let syncs = unguarded(ctx, field, map);
            if !syncs.is_empty() {
                found.push(finding(ctx, map, mapped, field, &syncs));
            }
        }
    }
    found
}

/// The `sync`s that carry the field there and ask nowhere whether there is a value.
fn unguarded<'a>(ctx: &Context<'a>, field: &Field, map: &Map) -> Vec<&'a Sync> {
    let Some(flow) = ctx.graph.flows.of(field.id) else {
        return Vec::new();
    };
    let inputs = ctx.graph.derivations.inputs(ctx.policy, field.id);
    let is_asked = |id: FieldId| id == field.id || inputs.contains(&id);
    let asks = |edge: &Edge| {
        let scenario = ctx.scenario(*edge);
        let filter = ctx.sync(*edge).filter.as_ref().map(|f| &f.expr);
        let requires = scenario.checkpoint.iter().flat_map(|c| &c.requires);
        let mut expressions = filter.into_iter().chain(requires.map(|r| &r.expr));
        // What could not be read may ask.
        scenario.broken
            || expressions.any(|e| e.program.is_none() || e.reads.iter().any(|r| is_asked(r.value)))
    };
    let mut syncs: Vec<&Sync> = Vec::new();
    for edge in flow.edges().filter(|e| e.to == map.system.value) {
        let sync = ctx.sync(edge);
        if !syncs.iter().any(|s| s.clause == sync.clause) && !asks(&edge) {
            syncs.push(sync);
        }
    }
    syncs
}

fn finding(
    ctx: &Context,
    map: &Map,
    mapped: &MappedField,
    field: &Field,
    syncs: &[&Sync],
) -> Finding {
    let path = ctx.path(field.id);
    let system = ctx.system(map.system.value);
    let column = &mapped.column;
    let message = format!(
        "`{path}` may be absent, but `{system}` takes no record of `{}` without `{column}`",
        map.object
    );
    let mut found = Finding::new(CODE, mapped.span, message)
        .mark(format!("`{column}` is required there"))
        .label(field.type_span, "may be absent");
    for sync in syncs {
        found = words::label(found, sync.clause, format!("goes to `{system}` here"));
    }
    let condition = format!("{path} != null");
    found = found.help(format!(
        "send only records that have one, with if `{condition}` or with a `require` in the \
         checkpoint; where every record has one, take the `?` off its type"
    ));
    let edits: Option<Vec<Edit>> = syncs
        .iter()
        .map(|sync| fix::add_filter(sync, &condition))
        .collect();
    match edits {
        Some(edits) => found.fix(
            format!("send only records with `{}`", field.name),
            Grade::Review,
            edits,
        ),
        None => found,
    }
}
