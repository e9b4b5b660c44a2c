//! SL0406 no-cursor: a run is to read what changed, and the map has no column that tells.

use super::super::connectors::sl0503_cannot_write;
use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Map, ModeKind, Scenario, Sync};

const CODE: Code = Code(406);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .scenarios
        .iter()
        .flat_map(|s| of_scenario(ctx, s))
        .collect()
}

/// Whether its scheduled reads take what changed. A reconcile compares everything unless told
/// otherwise; which mode `auto` becomes is not known here.
pub(super) fn scans_changes(scenario: &Scenario) -> bool {
    if !words::mode_is_known(scenario) || scenario.broken && scenario.scan_full.is_none() {
        return false;
    }
    match scenario.mode.kind {
        ModeKind::Scheduled(_) => !scenario.scans_full(),
        ModeKind::Hybrid(_) => scenario.scan_full.is_some_and(|s| !s.value),
        ModeKind::Realtime | ModeKind::Auto | ModeKind::Unknown => false,
    }
}

fn of_scenario(ctx: &Context, scenario: &Scenario) -> Vec<Finding> {
    if !scans_changes(scenario) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut known = Vec::new();
    for hop in &scenario.hops {
        let system = hop.from.value;
        let Some(map) = ctx.policy.map_for(hop.entity, system) else {
            continue;
        };
        if map.cursor.is_some()
            || map.broken
            || known.contains(&(hop.sync, map.id))
            || !words::is_scheduled_read(ctx, scenario, system)
            || sl0503_cannot_write::lacks_read(ctx, system)
        {
            continue;
        }
        known.push((hop.sync, map.id));
        if let Some(sync) = scenario.syncs.get(hop.sync as usize) {
            found.push(finding(ctx, scenario, sync, map));
        }
    }
    found
}

fn finding(ctx: &Context, scenario: &Scenario, sync: &Sync, map: &Map) -> Finding {
    let entity = &ctx.policy.entity(map.entity.value).name;
    let system = ctx.system(map.system.value);
    let message = format!(
        "scenario `{}` reads what changed in `{system}`, but the map of `{entity}` there has no \
         `cursor`",
        scenario.name
    );
    let mut found = Finding::new(CODE, sync.clause, message)
        .mark(format!("reads changes of `{system}`"))
        .label(map.system.span, "this map has no `cursor`");
    if let Some(mode) = scenario.mode.span {
        found = words::label(found, mode, "scheduled here");
    }
    if let Some(scan) = &scenario.scan_full {
        found = words::label(found, scan.clause, "reads changes only");
    }
    found = found.help(format!(
        "write `cursor \"…\"` in `map {entity} in {system}`, with a column that grows with every \
         change, or `scan full` in this scenario to read all records each time"
    ));
    if let Some(column) = cursor_column(ctx, map) {
        let line = format!("cursor {}", words::string(column));
        if let Some(edit) = fix::add_line(map.span, ctx.sources, &line) {
            found = found.fix(format!("write `{line}`"), Grade::Review, vec![edit]);
        }
    }
    let edit = match &scenario.scan_full {
        Some(scan) => Some(Edit {
            span: scan.clause,
            text: "scan full".to_owned(),
        }),
        None => fix::add_line(scenario.span, ctx.sources, "scan full"),
    };
    match edit {
        Some(edit) => found.fix("read all records each time", Grade::Review, vec![edit]),
        None => found,
    }
}

/// A column that probably grows with every change: what another map of the system names for that,
/// else the one that says when a record changed.
fn cursor_column<'c>(ctx: &Context<'c>, map: &'c Map) -> Option<&'c str> {
    let maps = ctx.policy.maps.iter();
    let mut alike = maps.filter(|m| m.system.value == map.system.value);
    let elsewhere = alike.find_map(|m| m.cursor.as_ref());
    elsewhere
        .map(|c| &*c.value.column)
        .or(map.changed_at.as_ref().map(|c| &*c.value))
}
