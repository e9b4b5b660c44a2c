//! SL02: whether each field gets where it must be in the time that it may take.

pub(super) mod sl0201_freshness_unattainable;
pub(super) mod sl0202_never_arrives;
pub(super) mod sl0203_consent_not_realtime;
pub(super) mod sl0204_urgent_on_schedule;
pub(super) mod sl0205_idle_realtime;
pub(super) mod sl0206_stale_relay;
pub(super) mod sl0207_stale_copy;
pub(super) mod sl0208_no_reconcile;

mod auto;
mod bring;
mod pace;

use std::collections::BTreeMap;

use super::Context;
use crate::graph::Flow;
use crate::model::{Field, FieldId, SystemId};
use crate::text::Span;

/// Fields with an owner that have the same origins and travel by the very same hops, each group
/// with its graph, in an order of their own.
fn alike<'a>(ctx: &Context<'a>) -> Vec<(Vec<&'a Field>, &'a Flow)> {
    let mut groups: BTreeMap<(u32, Vec<SystemId>), Vec<&Field>> = BTreeMap::new();
    let known = |f: &&Field| f.is_data() && f.owner().is_some() && !f.origins_unknown();
    for field in ctx.policy.fields().filter(known) {
        if let Some(flow) = ctx.graph.flows.number_of(field.id) {
            groups
                .entry((flow, field.origins()))
                .or_default()
                .push(field);
        }
    }
    groups
        .into_values()
        .filter_map(|fields| {
            let flow = ctx.graph.flows.of(fields.first()?.id)?;
            Some((fields, flow))
        })
        .collect()
}

/// The clause that bounds a field's age in a system, if one does.
fn bound(ctx: &Context, field: &Field, system: SystemId) -> Option<Span> {
    let fresh = field.fresh.as_ref()?;
    let holds = match &fresh.value.systems {
        None => ctx.policy.maps_field(field.id, system),
        Some(systems) => systems.iter().any(|s| s.id == Some(system)),
    };
    holds.then_some(fresh.clause)
}

/// Fields as messages name them.
fn paths(ctx: &Context, fields: &[FieldId]) -> String {
    super::words::names(fields.iter().map(|f| ctx.path(*f)))
}

/// A word for one, another for more.
fn by_count<'w>(count: usize, one: &'w str, more: &'w str) -> &'w str {
    if count == 1 { one } else { more }
}
