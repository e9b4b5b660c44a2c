//! SL0406 no-cursor: a run is to read what changed, and the map has no column that tells.

use super::super::connectors::sl0503_cannot_write;
use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Map, MapId, ModeKind, Scenario, Sync};
use crate::text::Span;

const CODE: Code = Code(406);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let blocks = ctx.blocks_of_allows(CODE);
    // A map that lacks it is one slip, however many scenarios read it.
    let mut lacks: Vec<(MapId, Vec<Span>, Vec<Read>)> = Vec::new();
    for read in ctx
        .policy
        .scenarios
        .iter()
        .flat_map(|s| of_scenario(ctx, s))
    {
        let stands = |b: &&Span| b.contains(read.sync.clause);
        let own: Vec<Span> = blocks.iter().filter(stands).copied().collect();
        match lacks.iter_mut().find(|l| l.0 == read.map.id && l.1 == own) {
            Some(lack) => lack.2.push(read),
            None => lacks.push((read.map.id, own, vec![read])),
        }
    }
    lacks.iter().filter_map(|l| finding(ctx, &l.2)).collect()
}

/// A clause that is to read what changed, from a system whose map cannot tell.
struct Read<'a> {
    scenario: &'a Scenario,
    sync: &'a Sync,
    map: &'a Map,
}

/// Whether its scheduled reads take what changed. A reconcile compares everything unless told
/// otherwise.
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

fn of_scenario<'a>(ctx: &Context<'a>, scenario: &'a Scenario) -> Vec<Read<'a>> {
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
            found.push(Read {
                scenario,
                sync,
                map,
            });
        }
    }
    found
}

/// How many of many scenarios are labelled.
const SHOWN_READS: usize = 6;

fn finding(ctx: &Context, reads: &[Read]) -> Option<Finding> {
    let Read { sync, map, .. } = reads.first()?;
    let mut scenarios: Vec<&Scenario> = Vec::new();
    for read in reads {
        if !scenarios.iter().any(|s| s.id == read.scenario.id) {
            scenarios.push(read.scenario);
        }
    }
    let names = words::names(scenarios.iter().map(|s| &s.name.text));
    let (noun, verb) = match scenarios.len() {
        1 => ("scenario", "reads"),
        _ => ("scenarios", "read"),
    };
    let entity = &ctx.policy.entity(map.entity.value).name;
    let system = ctx.system(map.system.value);
    let message = format!(
        "{noun} {names} {verb} what changed in `{system}`, but the map of `{entity}` there has no \
         `cursor`"
    );
    let mut found = Finding::new(CODE, sync.clause, message)
        .mark(format!("reads changes of `{system}`"))
        .label(map.system.span, "this map has no `cursor`");
    for read in reads.iter().take(SHOWN_READS) {
        let text = format!("reads changes of `{system}`");
        found = words::label(found, read.sync.clause, text);
        if let Some(mode) = read.scenario.mode.span {
            found = words::label(found, mode, "scheduled here");
        }
        if let Some(scan) = &read.scenario.scan_full {
            found = words::label(found, scan.clause, "reads changes only");
        }
    }
    let these = match scenarios.len() {
        1 => "this scenario",
        _ => "these scenarios",
    };
    found = found.help(format!(
        "write `cursor \"…\"` in `map {entity} in {system}`, with a column that grows with every \
         change, or `scan full` in {these} to read all records each time"
    ));
    if let Some(column) = cursor_column(ctx, map) {
        let line = format!("cursor {}", words::string(column));
        if let Some(edit) = fix::add_line(map.span, ctx.sources, &line) {
            found = found.fix(format!("write `{line}`"), Grade::Review, vec![edit]);
        }
    }
    let edits: Option<Vec<Edit>> = scenarios.iter().map(|s| scan_full(ctx, s)).collect();
    Some(match edits {
        Some(edits) => found.fix("read all records each time", Grade::Review, edits),
        None => found,
    })
}

fn scan_full(ctx: &Context, scenario: &Scenario) -> Option<Edit> {
    match &scenario.scan_full {
        Some(scan) => Some(Edit {
            span: scan.clause,
            text: "scan full".to_owned(),
        }),
        None => fix::add_line(scenario.span, ctx.sources, "scan full"),
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
