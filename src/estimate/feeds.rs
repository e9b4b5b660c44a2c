//! How long an outage the events of each system survive.

use super::build::Ground;
use super::types::Feed;
use crate::arithmetic::Timing;
use crate::catalog::{Delivery, Events, Figure, Replay};
use crate::model::{Scenario, SystemId};

/// Every system whose events a real-time hop hears, in reading order.
pub(super) fn of_policy(ground: Ground) -> Vec<Feed> {
    let systems = ground.policy.systems.iter();
    systems.filter_map(|s| of_system(ground, s.id)).collect()
}

/// A system whose events a real-time hop hears.
pub(super) fn of_system(ground: Ground, system: SystemId) -> Option<Feed> {
    let entry = ground.policy.system(system).entry()?;
    let events = entry.events.as_ref()?;
    let hearing: Vec<(&Scenario, &Timing)> = ground
        .policy
        .scenarios
        .iter()
        .filter(|s| s.hops.iter().any(|h| h.from.value == system))
        .filter_map(|s| Some((s, &ground.arithmetic.scenario(s.id)?.timing)))
        .filter(|(_, timing)| timing.is_realtime())
        .collect();
    if hearing.is_empty() {
        return None;
    }
    let mended = |timing: &Timing| matches!(timing, Timing::Hybrid(_)) && entry.capabilities.read;
    let names = |wanted: bool| {
        let those = hearing.iter().filter(|(_, t)| mended(t) == wanted);
        those.map(|(s, _)| s.name.text.to_string()).collect()
    };
    let (survives, source, backed) = survives(events);
    // What keeps its place in a stream or a file for ever loses nothing.
    let for_ever = replayable(events) && survives.is_none();
    Some(Feed {
        system: ground.name(system).to_owned(),
        survives_seconds: survives,
        replayable: replayable(events),
        verified: backed || for_ever,
        source,
        lost_for: if for_ever { Vec::new() } else { names(false) },
        reconciled_for: names(true),
    })
}

fn replayable(events: &Events) -> bool {
    events.replay == Replay::Replayable || events.delivery == Delivery::File
}

/// For how long events can be had again or are offered again, where it is read, and whether a
/// source backs it.
fn survives(events: &Events) -> (Option<f64>, Option<String>, bool) {
    if let Some(kept) = &events.retention {
        return (
            Some(kept.value.0.as_secs_f64()),
            page(kept),
            kept.verified(),
        );
    }
    match &events.retries {
        Some(tried) => (
            Some(tried.value.within.as_secs_f64()),
            page(tried),
            tried.verified(),
        ),
        None => (None, None, false),
    }
}

fn page<T>(figure: &Figure<T>) -> Option<String> {
    let source = figure.source.as_ref()?;
    Some(format!("{}, {}", source.page, source.date))
}
