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
    let message = match round(ctx, field, map, mapped, drift, circle) {
        Some(round) => {
            format!("`{path}` comes back changed from its way through `{system}`: {round}")
        }
        None => format!(
            "`{path}` travels in a circle through `{system}`, which does not give it back \
             unchanged: {drift}"
        ),
    };
    let mut found = Finding::new(CODE, mapped.span, message).mark(format!(
        "{} is written as {} and read back as {}",
        drift.value, drift.raw, drift.back
    ));
    found = words::label_edges(ctx, found, circle);
    words::walk(ctx, found, circle).help(match (mapped.read(), mapped.write()) {
        (Some(_), None) => "add a `write` that undoes the `read`, or let the field go one way only",
        (None, Some(_)) => "add a `read` that undoes the `write`, or let the field go one way only",
        _ => "let `read` undo what `write` does, or let the field go one way only",
    })
}

/// The value that drifts, step by step: from the system before this map's, round the circle, to
/// where it came from.
fn round(
    ctx: &Context,
    field: &Field,
    map: &Map,
    mapped: &MappedField,
    drift: &round_trip::Drift,
    circle: &[Edge],
) -> Option<String> {
    let stop = |system| {
        let map = ctx.policy.map_for(field.id.entity, system)?;
        Some((ctx.system(system), map.field(field.id.index)?))
    };
    let mut stops = vec![
        stop(circle.last()?.from)?,
        (ctx.system(map.system.value), mapped),
    ];
    for edge in circle.split_last()?.1 {
        stops.push(stop(edge.to)?);
    }
    round_trip::walk(field.ty.as_ref()?, &drift.sample, &stops)
}
