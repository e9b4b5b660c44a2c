//! The edit that lets a flow that is there bring a field to one more system.

use super::super::Context;
use super::{by_count, pace};
use crate::finding::Edit;
use crate::model::{Carried, Field, FieldId, Ref, Scenario, Sync, SystemId};
use crate::text::Span;
use crate::time::Millis;

/// What a way is wanted for.
pub(super) struct Want<'a> {
    /// The fields, all of one owner and the same origins, that travel alike.
    pub fields: &'a [&'a Field],
    /// The systems that have what the owner says, the owner itself among them.
    pub known_in: &'a [SystemId],
    /// Where they have to get.
    pub to: SystemId,
    /// How far apart two starts of a scheduled flow may lie.
    pub within: Option<Millis>,
}

/// An edit of a clause that is there, with what it does: the fields are added where a flow already
/// goes their way, else the system where a flow already carries them.
pub(super) fn bring(ctx: &Context, want: &Want) -> Option<(String, Edit)> {
    let clauses = || {
        let fit = |s: &&Scenario| s.when.is_none() && !s.broken && in_time(ctx, s, want);
        let scenarios = ctx.policy.scenarios.iter().filter(fit);
        scenarios.flat_map(|s| s.syncs.iter().map(move |sync| (s, sync)))
    };
    let fields = clauses().find_map(|(scenario, sync)| add_fields(ctx, want, scenario, sync));
    fields.or_else(|| clauses().find_map(|(scenario, sync)| add_system(ctx, want, scenario, sync)))
}

fn in_time(ctx: &Context, scenario: &Scenario, want: &Want) -> bool {
    if pace::is_live(scenario) {
        return true;
    }
    let gap = pace::gap(ctx, scenario).filter(|_| pace::is_by_clock(scenario));
    gap.is_some_and(|gap| want.within.is_none_or(|within| gap < within))
}

/// Whether the clause takes from systems that have what the owner says, each of which may send it.
fn comes_from_owner(sync: &Sync, want: &Want) -> bool {
    let knows = |s: &Ref<SystemId>| s.id.is_some_and(|id| want.known_in.contains(&id));
    !sync.between && sync.filter.is_none() && sync.sources.iter().all(knows)
}

fn names(systems: &[Ref<SystemId>], wanted: SystemId) -> bool {
    systems.iter().any(|s| s.id == Some(wanted))
}

fn add_fields(
    ctx: &Context,
    want: &Want,
    scenario: &Scenario,
    sync: &Sync,
) -> Option<(String, Edit)> {
    let entity = want.fields.first()?.id.entity;
    let Carried::Fields(carried) = &sync.carried else {
        return None;
    };
    let ends = || sync.sources.iter().chain(&sync.targets);
    let takes = |field: &&Field| {
        let mapped = ends().all(|s| s.id.is_some_and(|id| ctx.policy.maps_field(field.id, id)));
        let owner_is_target = sync.targets.iter().any(|t| t.id == field.owner());
        let already = carried.iter().any(|c| c.id == Some(field.id));
        mapped && !owner_is_target && !already
    };
    let fits = sync.entity.id == Some(entity)
        && names(&sync.targets, want.to)
        && comes_from_owner(sync, want)
        && want.fields.iter().all(takes);
    let last = carried.last().filter(|_| fits)?;
    let more: Vec<String> = want
        .fields
        .iter()
        .map(|f| format!(", {}", f.name))
        .collect();
    Some((
        format!("let `{}` carry {} too", scenario.name, them(want)),
        insert_after(last.span, more.concat()),
    ))
}

fn add_system(
    ctx: &Context,
    want: &Want,
    scenario: &Scenario,
    sync: &Sync,
) -> Option<(String, Edit)> {
    let Carried::Fields(carried) = &sync.carried else {
        return None;
    };
    let ids: Vec<FieldId> = carried.iter().filter_map(|c| c.id).collect();
    let arrives = |id: &FieldId| {
        ctx.policy.maps_field(*id, want.to) && ctx.policy.field(*id).owner() != Some(want.to)
    };
    let fits = comes_from_owner(sync, want)
        && !names(&sync.sources, want.to)
        && !names(&sync.targets, want.to)
        && want.fields.iter().all(|f| ids.contains(&f.id))
        && ids.iter().all(arrives);
    let last = sync.targets.last().filter(|_| fits)?;
    let system = ctx.system(want.to);
    Some((
        format!(
            "let `{}` bring {} to `{system}` too",
            scenario.name,
            them(want)
        ),
        insert_after(last.span, format!(", {system}")),
    ))
}

fn them(want: &Want) -> &'static str {
    by_count(want.fields.len(), "it", "them")
}

fn insert_after(span: Span, text: String) -> Edit {
    Edit {
        span: Span::point(span.file, span.end as usize),
        text,
    }
}
