//! SL0108 no-change-time: the rule of a field, or a `dedupe`, goes by change time, and a map does
//! not say when a record changed.

use std::collections::BTreeMap;

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::graph::Flow;
use crate::model::{Field, FieldId, Keep, Map, MapId, Scenario, SystemId};
use crate::terms::ResolveRule;
use crate::text::Span;

const CODE: Code = Code(108);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut needs: BTreeMap<MapId, Need> = BTreeMap::new();
    for field in ctx.policy.fields() {
        let Some(flow) = ctx.graph.flows.of(field.id) else {
            continue;
        };
        let Some(rule) = by_time(field) else { continue };
        for origin in field.origins() {
            if !only_by_event(ctx, flow, origin)
                && let Some(map) = lacking(ctx, field.id, origin)
            {
                let need = needs.entry(map.id).or_default();
                need.fields.push(field.id);
                need.rules.push((rule.0, rule.1));
            }
        }
    }
    for scenario in &ctx.policy.scenarios {
        deduped(ctx, scenario, &mut needs);
    }
    needs
        .into_iter()
        .map(|(map, need)| finding(ctx, ctx.policy.map(map), &need))
        .collect()
}

/// What needs the change time of a map.
#[derive(Default)]
struct Need {
    fields: Vec<FieldId>,
    rules: Vec<(Span, ResolveRule)>,
    dedupes: Vec<(Span, Keep)>,
}

/// The clause and the rule of a field that goes by change time.
pub(super) fn by_time(field: &Field) -> Option<(Span, ResolveRule)> {
    let resolve = field.resolve.as_ref().filter(|_| field.is_data())?;
    matches!(
        resolve.value,
        ResolveRule::LastWriteWins | ResolveRule::FirstWriteWins
    )
    .then_some((resolve.clause, resolve.value))
}

/// Whether a system is read for a field, and only by its events: those bring a time of their own.
pub(super) fn only_by_event(ctx: &Context, flow: &Flow, system: SystemId) -> bool {
    let mut edges = flow.leaving(system).peekable();
    edges.peek().is_some() && edges.all(|e| !words::is_scheduled_read(ctx, ctx.scenario(e), system))
}

/// The map of a field's entity in a system, where it has no `changed_at`.
fn lacking<'a>(ctx: &Context<'a>, field: FieldId, system: SystemId) -> Option<&'a Map> {
    ctx.policy
        .map_for(field.entity, system)
        .filter(|m| m.changed_at.is_none() && !m.broken)
}

/// `keep newest` and `keep oldest` compare the change times of what a scenario reads.
fn deduped(ctx: &Context, scenario: &Scenario, needs: &mut BTreeMap<MapId, Need>) {
    let dedupe = scenario.checkpoint.as_ref().and_then(|c| c.dedupe.as_ref());
    let Some(dedupe) = dedupe.filter(|d| matches!(d.keep.value, Keep::Newest | Keep::Oldest))
    else {
        return;
    };
    let cleaned = scenario
        .clean
        .iter()
        .filter_map(|c| Some((c.entity.id?, c.system.id?)));
    let read = scenario
        .hops
        .iter()
        .map(|h| (h.entity, h.from.value))
        .filter(|(_, s)| words::is_scheduled_read(ctx, scenario, *s));
    for (entity, system) in cleaned.chain(read) {
        let map = ctx.policy.map_for(entity, system);
        if let Some(map) = map.filter(|m| m.changed_at.is_none() && !m.broken) {
            let need = needs.entry(map.id).or_default();
            if !need.dedupes.contains(&(dedupe.clause, dedupe.keep.value)) {
                need.dedupes.push((dedupe.clause, dedupe.keep.value));
            }
        }
    }
}

fn finding(ctx: &Context, map: &Map, need: &Need) -> Finding {
    let entity = &ctx.policy.entity(map.entity.value).name;
    let system = ctx.system(map.system.value);
    let fields = words::names(need.fields.iter().map(|f| ctx.path(*f)));
    let wants = match (need.rules.first(), need.dedupes.first()) {
        (Some((_, rule)), _) => format!("`resolve {rule}` of {fields} compares change times"),
        (None, Some((_, Keep::Oldest))) => "`keep oldest` compares change times".into(),
        (None, _) => "`keep newest` compares change times".into(),
    };
    let message = format!("{wants}, but the map of `{entity}` in `{system}` has no `changed_at`");
    let mut found = Finding::new(CODE, map.system.span, message).mark("has no `changed_at`");
    for (clause, rule) in &need.rules {
        found = words::label(
            found,
            *clause,
            format!("`{rule}` needs the time of each change"),
        );
    }
    for (clause, _) in &need.dedupes {
        found = words::label(found, *clause, "compares the change times of what is read");
    }
    let otherwise = match need.rules.is_empty() {
        true => "or write `keep owner`",
        false => "or choose a rule that does not go by time, as `resolve owner_wins`",
    };
    let found = found.help(format!(
        "write `changed_at \"…\"` with the column of `{system}` that holds when a record changed, \
         {otherwise}"
    ));
    let column = time_column(ctx, map);
    let line = column.map(|c| format!("changed_at {}", words::string(c)));
    let edit = line.and_then(|line| Some((fix::add_line(map.span, ctx.sources, &line)?, line)));
    match edit {
        Some((edit, line)) => found.fix(format!("write `{line}`"), Grade::Review, vec![edit]),
        None => found,
    }
}

/// A column that probably tells when a record of a map changed: what another map of the system
/// names for that, else a cursor that is called like a time.
fn time_column<'c>(ctx: &Context<'c>, map: &'c Map) -> Option<&'c str> {
    let maps = ctx.policy.maps.iter();
    let alike = maps.filter(|m| m.system.value == map.system.value);
    let elsewhere = alike.filter_map(|m| m.changed_at.as_ref()).next();
    let cursor = || {
        let column = &*map.cursor.as_ref()?.value.column;
        let name = column.to_ascii_lowercase();
        let of_time = ["updat", "modif", "modstamp", "chang"];
        of_time.iter().any(|w| name.contains(w)).then_some(column)
    };
    elsewhere.map(|c| &*c.value).or_else(cursor)
}
