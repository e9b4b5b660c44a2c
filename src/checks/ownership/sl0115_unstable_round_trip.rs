//! SL0115 unstable-round-trip: a field travels in a circle and a map on it does not give back what
//! was written, so that the systems would rewrite each other for ever.

use std::collections::BTreeSet;

use super::super::mapping::{round_trip, sl0403_values_incomplete};
use super::super::{Context, words};
use crate::finding::{Code, Finding};
use crate::graph::{Edge, Flow};
use crate::model::{Field, Map, MapId, MappedField};

const CODE: Code = Code(115);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let incomplete: BTreeSet<MapId> = sl0403_values_incomplete::maps(ctx);
    ctx.each_carried(|field, flow| {
        let changed = changing_maps(ctx, field, flow);
        changed
            .into_iter()
            .filter(|(map, _)| !incomplete.contains(&map.id))
            .filter_map(|(map, mapped)| {
                let circle = flow.circle_through(map.system.value)?;
                let drift = round_trip::drift(field.ty.as_ref()?, mapped)?;
                Some(finding(ctx, field, map, mapped, &drift, &circle))
            })
            .collect()
    })
}

/// The maps of a field's systems that change its values; the others give back what they get.
fn changing_maps<'a>(
    ctx: &Context<'a>,
    field: &Field,
    flow: &Flow,
) -> Vec<(&'a Map, &'a MappedField)> {
    if !field.is_data() {
        return Vec::new();
    }
    flow.systems()
        .filter_map(|s| ctx.policy.map_for(field.id.entity, s))
        .filter_map(|m| Some((m, m.field(field.id.index)?)))
        .filter(|(_, mapped)| mapped.change.is_some())
        .collect()
}

fn finding(
    ctx: &Context,
    field: &Field,
    map: &Map,
    mapped: &MappedField,
    drift: &round_trip::Drift,
    circle: &[Edge],
) -> Finding {
    let path = ctx.path(field.id);
    let system = ctx.system(map.system.value);
    let message = format!(
        "`{path}` travels in a circle through `{system}`, which does not give it back unchanged: \
         {drift}"
    );
    let mut found = Finding::new(CODE, mapped.span, message)
        .mark(format!("{} becomes {}", drift.value, drift.back));
    for expr in mapped.read().into_iter().chain(mapped.write()) {
        let word = match mapped.read().is_some_and(|r| r.span == expr.span) {
            true => "reads what the system holds",
            false => "writes what the system then holds",
        };
        found = words::label(found, expr.span, word);
    }
    words::label_edges(ctx, found, circle).help(match (mapped.read(), mapped.write()) {
        (Some(_), None) => "add a `write` that undoes the `read`",
        (None, Some(_)) => "add a `read` that undoes the `write`",
        _ => "let `read` undo what `write` does, or take the field out of one of these flows",
    })
}
