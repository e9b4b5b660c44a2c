//! SL0408 narrow-lookback: a cursor goes back less far than its source is late.
//!
//! Without an `overlap` each read goes back by the lag itself, so only a declared one can be too
//! short.

use super::super::{Context, words};
use super::sl0406_no_cursor::scans_changes;
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Map, Scenario, Spanned, Sync};
use crate::time::Millis;

const CODE: Code = Code(408);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .maps
        .iter()
        .filter_map(|map| of_map(ctx, map))
        .collect()
}

fn of_map(ctx: &Context, map: &Map) -> Option<Finding> {
    let overlap = map.cursor.as_ref()?.value.overlap?;
    let lag = ctx.entry(map.system.value)?.read_lag();
    if overlap.value >= lag {
        return None;
    }
    let readers = readers(ctx, map);
    (!readers.is_empty()).then(|| finding(ctx, map, overlap, lag, &readers))
}

/// The `sync`s that read by this cursor, with their scenarios.
fn readers<'a>(ctx: &Context<'a>, map: &Map) -> Vec<(&'a Scenario, &'a Sync)> {
    let system = map.system.value;
    let mut readers = Vec::new();
    for scenario in &ctx.policy.scenarios {
        if !scans_changes(scenario) || !words::is_scheduled_read(ctx, scenario, system) {
            continue;
        }
        for (position, sync) in scenario.syncs.iter().enumerate() {
            let reads = scenario.hops.iter().any(|h| {
                h.sync as usize == position
                    && h.from.value == system
                    && h.entity == map.entity.value
            });
            if reads {
                readers.push((scenario, sync));
            }
        }
    }
    readers
}

fn finding(
    ctx: &Context,
    map: &Map,
    overlap: Spanned<Millis>,
    lag: Millis,
    readers: &[(&Scenario, &Sync)],
) -> Finding {
    let system = ctx.system(map.system.value);
    let entity = &ctx.policy.entity(map.entity.value).name;
    let message = format!(
        "reads of `{entity}` in `{system}` go back {}, but a change may stay hidden there for {lag}",
        overlap.value
    );
    let mut found =
        Finding::new(CODE, overlap.span, message).mark("too short to find late changes");
    if let Some(connector) = &ctx.policy.system(map.system.value).connector {
        let text = format!("`{}` shows changes up to {lag} late", connector.written);
        found = words::label(found, connector.clause, text);
    }
    for (scenario, sync) in readers {
        let text = format!("`{}` reads by this cursor", scenario.name);
        found = words::label(found, sync.clause, text);
    }
    found
        .help(format!(
            "write `overlap {lag}` or more, or leave `overlap` out: reads then go back {lag} by \
             themselves"
        ))
        .fix(
            format!("go back {lag}"),
            Grade::Safe,
            vec![Edit {
                span: overlap.span,
                text: lag.to_string(),
            }],
        )
}
