//! SL0501 no-events: a scenario waits for events of a system that sends none.

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::model::{Connector, Scenario, SystemId};

const CODE: Code = Code(501);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .scenarios
        .iter()
        .filter(|s| s.mode.is_realtime() && words::mode_is_known(s))
        .filter_map(|s| {
            let silent = silent_sources(ctx, s);
            (!silent.is_empty()).then(|| finding(ctx, s, &silent))
        })
        .collect()
}

/// The systems whose events a scenario waits for in vain.
pub(in super::super) fn silent_sources<'a>(
    ctx: &Context<'a>,
    scenario: &Scenario,
) -> Vec<(SystemId, &'a Connector)> {
    let mut silent: Vec<(SystemId, &Connector)> = Vec::new();
    let sources = scenario.hops.iter().map(|h| h.from.value);
    for system in sources.chain(scenario.when.iter().filter_map(|w| w.system.id)) {
        let Some(connector) = &ctx.policy.system(system).connector else {
            continue;
        };
        let mute = connector
            .entry
            .as_ref()
            .is_some_and(|e| !e.capabilities.events);
        if mute && !silent.iter().any(|s| s.0 == system) {
            silent.push((system, connector));
        }
    }
    silent
}

fn finding(ctx: &Context, scenario: &Scenario, silent: &[(SystemId, &Connector)]) -> Finding {
    let names = words::systems(ctx, silent.iter().map(|s| s.0));
    let tells = if silent.len() == 1 { "sends" } else { "send" };
    let message = format!(
        "scenario `{}` is to run in real time, but {names} {tells} no change events",
        scenario.name
    );
    let mut found =
        Finding::new(CODE, words::mode_place(scenario), message).mark("waits for events");
    for (_, connector) in silent {
        let text = format!("`{}` has no change events", connector.written);
        found = words::label(found, connector.clause, text);
    }
    found = words::label_unsure(found, scenario);
    for hop in &scenario.hops {
        if silent.iter().any(|s| s.0 == hop.from.value) {
            let text = format!("read from `{}` here", ctx.system(hop.from.value));
            found = words::label(found, hop.from.span, text);
        }
    }
    if let Some(when) = &scenario.when {
        found = words::label(found, when.clause, "this event never comes");
        found = found.help(
            "write `mode every 5m` and remove `when`, or take the event from a system that sends \
             some",
        );
    } else {
        found = found.help("write `mode every 5m`");
    }
    let Some(mode) = fix::set_mode(ctx.sources, scenario, "every 5m") else {
        return found;
    };
    let when = scenario.when.as_ref();
    let when = when.map(|w| fix::remove(w.clause, ctx.sources));
    let edits = when.into_iter().chain([mode]).collect();
    found.fix("run it every 5 minutes", Grade::Review, edits)
}
