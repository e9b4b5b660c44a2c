//! SL0802 unused-item: a system, entity, field or map that no scenario uses.
//!
//! One unused item is one finding: nothing is said of the fields and maps of an unused entity, nor
//! of the maps into an unused system. Where something could not be read it may be the use, and
//! nothing is said at all.

use std::collections::HashSet;

use super::super::protection::sl0602_unfiltered_send;
use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{
    Entity, EntityId, Expression, Field, FieldId, Hop, Map, Scenario, System, SystemId,
};
use crate::text::Span;

const CODE: Code = Code(802);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    // A policy that has no scenario yet is one that somebody has begun to write.
    if ctx.flows_incomplete || ctx.policy.scenarios.is_empty() {
        return Vec::new();
    }
    let used = Used::of(ctx);
    let unasked = sl0602_unfiltered_send::entities(ctx);
    let mut found = Vec::new();
    for system in &ctx.policy.systems {
        // One whose connector is not known is unfinished; that is said first.
        let whole = !system.broken && ctx.entry(system.id).is_some();
        if whole && !used.systems.contains(&system.id) {
            found.push(unused_system(ctx, system));
        }
    }
    for entity in &ctx.policy.entities {
        if !used.entities.contains(&entity.id) {
            found.push(unused_entity(ctx, entity));
        } else if fields_are_known(ctx, entity) {
            let fields = entity.fields.iter().filter(|f| !used.has_field(ctx, f));
            let fields =
                fields.filter(|f| !f.has_class("consent") || !unasked.contains(&f.id.entity));
            found.extend(fields.map(|f| unused_field(ctx, f)));
        }
    }
    for map in &ctx.policy.maps {
        let pair = (map.entity.value, map.system.value);
        if !used.pairs.contains(&pair)
            && used.entities.contains(&pair.0)
            && used.systems.contains(&pair.1)
        {
            found.push(unused_map(ctx, map));
        }
    }
    found
}

/// What scenarios use.
#[derive(Default)]
struct Used {
    systems: HashSet<SystemId>,
    entities: HashSet<EntityId>,
    pairs: HashSet<(EntityId, SystemId)>,
    /// What `clean`s read, as a whole.
    cleaned: HashSet<(EntityId, SystemId)>,
    /// Fields that expressions, checkpoints and tests read or set.
    read: HashSet<FieldId>,
}

impl Used {
    fn of(ctx: &Context) -> Used {
        let mut used = Used::default();
        for scenario in &ctx.policy.scenarios {
            used.systems.extend(scenario.systems());
            for hop in &scenario.hops {
                used.entities.insert(hop.entity);
                used.pairs.insert((hop.entity, hop.from.value));
                used.pairs.insert((hop.entity, hop.to.value));
            }
            if let Some(clean) = &scenario.clean
                && let (Some(entity), Some(system)) = (clean.entity.id, clean.system.id)
            {
                used.entities.insert(entity);
                used.pairs.insert((entity, system));
                used.cleaned.insert((entity, system));
            }
            used.read.extend(of_checkpoint(scenario));
            used.read
                .extend(expressions(scenario).flat_map(Expression::fields));
        }
        for field in ctx.policy.fields() {
            let derived = field.derived.as_ref();
            used.read
                .extend(derived.into_iter().flat_map(|d| d.expr.fields()));
        }
        for test in &ctx.policy.tests {
            used.read.extend(&test.uses.fields);
        }
        used
    }

    fn has_field(&self, ctx: &Context, field: &Field) -> bool {
        field.is_key
            || self.read.contains(&field.id)
            || ctx.graph.flows.of(field.id).is_some()
            || self.cleaned.iter().any(|(entity, system)| {
                *entity == field.id.entity && ctx.policy.maps_field(field.id, *system)
            })
    }
}

fn of_checkpoint(scenario: &Scenario) -> impl Iterator<Item = FieldId> {
    let checkpoints = || scenario.checkpoint.iter();
    let dedupes = checkpoints().flat_map(|c| &c.dedupe);
    let by = dedupes.flat_map(|d| &d.by).filter_map(|f| f.id);
    let guards = checkpoints().flat_map(|c| &c.guards);
    by.chain(guards.filter_map(|g| g.field.id))
}

/// The expressions of a scenario that read fields.
fn expressions(scenario: &Scenario) -> impl Iterator<Item = &Expression> {
    let filters = scenario.syncs.iter().filter_map(|s| s.filter.as_ref());
    let requires = scenario.checkpoint.iter().flat_map(|c| &c.requires);
    filters.map(|f| &f.expr).chain(requires.map(|r| &r.expr))
}

/// Whether all that may read the fields of an entity could be read.
fn fields_are_known(ctx: &Context, entity: &Entity) -> bool {
    let whole = |e: &Expression| e.program.is_some();
    // What `*` carries to or from a system without a map (SL0401) is not known.
    let mapped = |hop: &Hop| {
        let has_map = |s| ctx.policy.map_for(entity.id, s).is_some();
        hop.entity != entity.id || has_map(hop.from.value) && has_map(hop.to.value)
    };
    let scenarios = ctx.policy.scenarios.iter();
    if !scenarios.clone().flat_map(|s| &s.hops).all(mapped) {
        return false;
    }
    let fields = entity.fields.iter();
    !entity.broken
        && ctx.policy.gaps.is_empty()
        && !ctx.policy.tests.iter().any(|t| t.broken)
        && scenarios.flat_map(expressions).all(whole)
        && fields
            .clone()
            .all(|f| !f.broken && f.derived.iter().all(|d| whole(&d.expr)))
}

fn unused_system(ctx: &Context, system: &System) -> Finding {
    let name = &system.name;
    let mut found = unused(name.span, format!("no scenario uses system `{name}`"));
    for map in ctx
        .policy
        .maps
        .iter()
        .filter(|m| m.system.value == system.id)
    {
        found = words::label(found, map.system.span, "mapped here, for nothing");
    }
    let maps = with_maps(&found);
    found.help(format!("name `{name}` in a scenario, or remove it{maps}"))
}

fn unused_entity(ctx: &Context, entity: &Entity) -> Finding {
    let name = &entity.name;
    let mut found = unused(name.span, format!("no scenario uses entity `{name}`"));
    for map in ctx
        .policy
        .maps
        .iter()
        .filter(|m| m.entity.value == entity.id)
    {
        found = words::label(found, map.entity.span, "mapped here, for nothing");
    }
    let maps = with_maps(&found);
    found.help(format!(
        "carry it with `sync {name}(…)`, or remove it{maps}"
    ))
}

fn with_maps(found: &Finding) -> &'static str {
    match found.labels.is_empty() {
        true => "",
        false => " with its maps",
    }
}

fn unused_field(ctx: &Context, field: &Field) -> Finding {
    let path = ctx.path(field.id);
    let mut found = unused(
        field.name.span,
        format!("no scenario carries `{path}`, and nothing reads it"),
    );
    let mut edits: Vec<Edit> = Vec::new();
    for declared in &field.declared {
        let doc = field.doc.filter(|_| declared.span == field.span);
        edits.push(fix::remove_documented(declared.span, doc, ctx.sources));
    }
    let maps = ctx.policy.maps.iter();
    for map in maps.filter(|m| m.entity.value == field.id.entity) {
        if let Some(mapped) = map.field(field.id.index).filter(|m| !m.same_name) {
            found = words::label(found, mapped.span, "mapped here, for nothing");
            edits.push(fix::remove(mapped.span, ctx.sources));
        }
    }
    found
        .help(format!(
            "name `{}` in a `sync`, or remove it with its line in each map",
            field.name
        ))
        .fix(
            format!("remove `{path}` from the policy"),
            Grade::Review,
            edits,
        )
}

fn unused_map(ctx: &Context, map: &Map) -> Finding {
    let entity = &ctx.policy.entity(map.entity.value).name;
    let system = ctx.system(map.system.value);
    unused(
        map.entity.span.to(map.system.span),
        format!("no scenario uses the map of `{entity}` in `{system}`"),
    )
    .help(format!(
        "send `{entity}` to or from `{system}` in a scenario, or remove the map"
    ))
    .fix(
        "remove the map",
        Grade::Review,
        vec![fix::remove_documented(map.span, map.doc, ctx.sources)],
    )
}

fn unused(at: Span, message: String) -> Finding {
    Finding::new(CODE, at, message).mark("not used")
}
