//! The part of SL0201 that speaks of `mode auto`: no mode holds every bound and limit.

use super::super::{Context, quota, words};
use super::{pace, sl0203_consent_not_realtime};
use crate::choice;
use crate::finding::{Code, Finding};
use crate::graph::Edge;
use crate::model::Scenario;

const CODE: Code = Code(201);

/// Whether no mode will do for a scenario whose mode is open.
pub(super) fn concerns(scenario: &Scenario) -> bool {
    let chosen = scenario.mode.chosen.as_ref();
    chosen.is_some_and(|c| c.miss.is_some())
}

pub(super) fn findings(ctx: &Context) -> Vec<Finding> {
    let scenarios = ctx.policy.scenarios.iter();
    scenarios.filter_map(|s| finding(ctx, s)).collect()
}

fn finding(ctx: &Context, scenario: &Scenario) -> Option<Finding> {
    let chosen = scenario.mode.chosen.as_ref()?;
    let miss = chosen.miss.as_ref()?;
    if told_elsewhere(ctx, scenario) {
        return None;
    }
    let nearest = choice::text(&scenario.mode.kind);
    let message = format!(
        "no mode will do for scenario `{}`, whose mode is `auto`: `{nearest}` comes nearest, but \
         {miss}",
        scenario.name
    );
    let mut found = Finding::new(CODE, words::mode_place(scenario), message)
        .mark("holds every bound and limit, or none");
    found = words::label_unsure(found, scenario);
    if let Some(fresh) = &scenario.fresh {
        let text = format!("at most {} on each hop", fresh.value);
        found = words::label(found, fresh.clause, text);
    }
    for hop in &scenario.hops {
        for field in hop.fields.iter().map(|f| ctx.policy.field(*f)) {
            if let Some(clause) = super::bound(ctx, field, hop.to.value) {
                let text = format!("`{}` is to be this fresh", field.name);
                found = words::label(found, clause, text);
            }
        }
    }
    let events = pace::live(ctx, scenario).is_some();
    let source = match events {
        true => "",
        false => ", take the records from a system that sends events",
    };
    Some(found.help(format!(
        "allow more in `fresh`, get more of the limit that breaks{source}, or carry the fields over \
         fewer hops; a mode that is written out is taken as it is, and what it breaks is said of it"
    )))
}

/// Whether another check says of the nearest mode what is wrong.
fn told_elsewhere(ctx: &Context, scenario: &Scenario) -> bool {
    let late = scenario.hops.iter().enumerate().any(|(at, hop)| {
        let edge = Edge {
            from: hop.from.value,
            to: hop.to.value,
            hop: ctx.graph.flows.hop_id(scenario.id, at),
        };
        let mut fields = hop.fields.iter().map(|f| ctx.policy.field(*f));
        quota::sl0302_over_burst_limit::concerns(ctx, edge.to)
            || fields.any(|f| sl0203_consent_not_realtime::concerns(ctx, edge, f).is_some())
    });
    late || scenario.broken || quota::sl0303_window_too_short::concerns(ctx, scenario)
}
