//! SL0207 stale-copy: a system is told a value once, by an event, and never again by its owner.
//!
//! A reconcile writes what the owner says to all its destinations, where the runner hears the owner
//! at all: by a flow that takes the field from it, or a reconcile that reads it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Context, words};
use super::bring::{Want, bring};
use super::sl0202_never_arrives::Arrivals;
use super::{alike, by_count, pace, paths};
use crate::finding::{Code, Finding, Grade};
use crate::graph::{Edge, Flow};
use crate::model::{Field, FieldId, SystemId};
use crate::terms::ModeClass;
use crate::text::Span;

const CODE: Code = Code(207);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    // A flow that could not be read may bring what the owner says.
    if ctx.flows_incomplete {
        return Vec::new();
    }
    let arrivals = Arrivals::of(ctx);
    let mut copies: BTreeMap<(Span, SystemId, SystemId), Copy> = BTreeMap::new();
    for (fields, flow) in alike(ctx) {
        let Some(first) = fields.first() else {
            continue;
        };
        for edge in left_alone(ctx, flow, first) {
            let told = fields
                .iter()
                .copied()
                .filter(|f| ctx.policy.maps_field(f.id, edge.to) && !arrivals.concerns(f, edge.to));
            let told: Vec<&Field> = told.collect();
            if let Some(owner) = first.owner().filter(|_| !told.is_empty()) {
                let key = (ctx.sync(edge).clause, edge.to, owner);
                let copy = copies.entry(key).or_default();
                copy.edges.insert(edge);
                copy.fields.extend(told.iter().map(|f| f.id));
            }
        }
    }
    copies
        .iter()
        .filter_map(|((_, to, owner), copy)| finding(ctx, *to, *owner, copy))
        .collect()
}

/// What one clause tells one system of one owner's fields.
#[derive(Default)]
struct Copy {
    edges: BTreeSet<Edge>,
    fields: BTreeSet<FieldId>,
}

/// The edges by which an event tells a system what its owner does not keep up to date there.
fn left_alone(ctx: &Context, flow: &Flow, field: &Field) -> Vec<Edge> {
    let Some(owner) = field.owner() else {
        return Vec::new();
    };
    let kept = flow.reached_from(&[owner]);
    let origins = field.origins();
    let known = flow.reached_from(&origins);
    let has_it = |s: &SystemId| origins.contains(s) || known.binary_search(s).is_ok();
    let class = |e: Edge| pace::class(ctx.scenario(e));
    let reconciled = |e: Edge| class(e) == Some(ModeClass::Hybrid);
    let owner_is_heard =
        flow.is_source(owner) || flow.edges().any(|e| e.to == owner && reconciled(e));
    let once = |e: Edge| match class(e) {
        Some(ModeClass::Realtime) => true,
        Some(ModeClass::Hybrid) => !owner_is_heard,
        _ => false,
    };
    flow.edges()
        .filter(|e| {
            e.to != owner && kept.binary_search(&e.to).is_err() && has_it(&e.from) && once(*e)
        })
        .collect()
}

fn finding(ctx: &Context, to: SystemId, owner: SystemId, copy: &Copy) -> Option<Finding> {
    let edges: Vec<Edge> = copy.edges.iter().copied().collect();
    let ids: Vec<FieldId> = copy.fields.iter().copied().collect();
    let fields: Vec<&Field> = ids.iter().map(|id| ctx.policy.field(*id)).collect();
    let first = fields.first()?;
    let clause = ctx.sync(*edges.first()?).clause;
    let from = words::systems(ctx, words::sources(&edges));
    let (to_name, owner_name) = (ctx.system(to), ctx.system(owner));
    let what = paths(ctx, &ids);
    let them = by_count(ids.len(), "it", "them");
    let message = format!(
        "`{to_name}` hears of {what} by events of {from} only: what `{owner_name}`, the owner, \
         changes later never gets there"
    );
    let mut found =
        Finding::new(CODE, clause, message).mark(format!("tells `{to_name}` once, at the event"));
    found = words::label_origins(ctx, found, first);
    if let Some(map) = ctx.policy.map_for(first.id.entity, to) {
        let text = format!("`{to_name}` keeps a copy of {them}");
        found = words::label(found, map.system.span, text);
    }
    let entity = &ctx.policy.entity(first.id.entity).name;
    let list: Vec<&str> = fields.iter().map(|f| &*f.name.text).collect();
    let found = found.help(format!(
        "carry {them} from the owner too: `sync {entity}({}) from {owner_name} to {to_name}` in a \
         scenario that runs by the clock",
        list.join(", ")
    ));
    let want = Want {
        fields: &fields,
        known_in: &[owner],
        to,
        within: None,
    };
    Some(match bring(ctx, &want) {
        Some((title, edit)) => found.fix(title, Grade::Review, vec![edit]),
        None => found,
    })
}
