//! How often a scenario runs, and which mode would suit it better.

use super::super::{Context, words};
use crate::model::{Scenario, SystemId};
use crate::terms::ModeClass;
use crate::time::{Millis, Schedule, Window};

/// The class of the mode by which a scenario runs; `None`: it could not be read.
pub(super) fn class(scenario: &Scenario) -> Option<ModeClass> {
    let known = words::mode_is_known(scenario);
    scenario.mode.class.filter(|_| known)
}

/// Whether each change moves by itself.
pub(super) fn is_live(scenario: &Scenario) -> bool {
    matches!(
        class(scenario),
        Some(ModeClass::Realtime | ModeClass::Hybrid)
    )
}

/// Whether changes wait for the clock.
pub(super) fn is_by_clock(scenario: &Scenario) -> bool {
    matches!(
        class(scenario),
        Some(ModeClass::NearRealTime | ModeClass::Scheduled)
    )
}

/// The schedule of a scenario's mode or of its reconcile.
pub(super) fn schedule(scenario: &Scenario) -> Option<&Schedule> {
    scenario.mode.schedule()
}

pub(super) fn window(scenario: &Scenario) -> Option<&Window> {
    scenario.window.as_ref().map(|w| &w.value)
}

/// How far apart two starts lie at most, a day of 25 hours taken for one of 24; `None`: it never
/// starts.
pub(super) fn gap_of(
    ctx: &Context,
    schedule: &Schedule,
    window: Option<&Window>,
) -> Option<Millis> {
    match (schedule, window) {
        (Schedule::Every(every), None) => Some(*every),
        _ => ctx
            .policy
            .calendar
            .gaps(schedule, window)
            .map(|gaps| gaps.longest_by_clock),
    }
}

/// The same of a scenario's mode or its reconcile.
pub(super) fn gap(ctx: &Context, scenario: &Scenario) -> Option<Millis> {
    gap_of(ctx, schedule(scenario)?, window(scenario))
}

/// How a scheduled scenario runs: "`every 1h`".
pub(super) fn named(scenario: &Scenario) -> String {
    match (scenario.mode.is_auto(), schedule(scenario)) {
        (true, Some(schedule)) => format!("`{schedule}`, chosen for `auto`"),
        (false, Some(schedule)) => format!("`{schedule}`"),
        (_, None) => "by the clock".to_owned(),
    }
}

/// A mode that moves each change of a scenario's sources by itself, and reads again by the clock
/// where events can be lost or another clause needs a schedule; `None`: a source sends no events.
pub(super) fn live(ctx: &Context, scenario: &Scenario) -> Option<String> {
    let mut lost_within = None;
    let mut reconcile = scenario.after_clause.is_some()
        || scenario.window.is_some()
        || scenario.scan_full.is_some();
    for hop in &scenario.hops {
        let entry = ctx.entry(hop.from.value)?;
        let events = entry.events.as_ref()?;
        if events.lost_for_good() && entry.capabilities.read {
            reconcile = true;
            lost_within = least(lost_within, retention(ctx, hop.from.value));
        }
    }
    match reconcile {
        false => Some("realtime".to_owned()),
        true => Some(format!(
            "realtime with reconcile {}",
            reconcile_within(ctx, scenario, lost_within)?
        )),
    }
}

fn least(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    a.into_iter().chain(b).min()
}

/// For how long a system's missed events are offered again, where the catalog knows.
pub(super) fn retention(ctx: &Context, system: SystemId) -> Option<Millis> {
    let events = ctx.entry(system)?.events.as_ref()?;
    events.retention.as_ref().map(|figure| figure.value.0)
}

/// The rarest sensible schedule on which a scenario can read its sources again within a time: its
/// own where that does, else daily, else every so many hours or minutes.
pub(super) fn reconcile_within(
    ctx: &Context,
    scenario: &Scenario,
    within: Option<Millis>,
) -> Option<Schedule> {
    let window = window(scenario);
    let own = schedule(scenario).filter(|s| !matches!(s, Schedule::Every(_)));
    let own = own.filter(|_| !scenario.mode.is_auto());
    let opening = window.map(|w| daily(w.from_min));
    let intervals = [720, 360, 240, 120, 60, 30, 15, 10, 5];
    own.cloned()
        .into_iter()
        .chain([daily(180)])
        .chain(opening)
        .chain(intervals.map(|m| Schedule::Every(Millis::from_mins(m))))
        .find(|s| {
            let gap = gap_of(ctx, s, window);
            gap.is_some_and(|gap| within.is_none_or(|within| gap <= within))
                && is_plain(ctx, s, window)
        })
}

/// The rarest of the usual schedules on which two starts lie less than `below` apart.
pub(super) fn slowest(
    ctx: &Context,
    scenario: &Scenario,
    below: Option<Millis>,
) -> Option<Schedule> {
    let window = window(scenario);
    let own = schedule(scenario).cloned();
    let intervals = [240, 60, 30, 15, 10, 5];
    own.into_iter()
        .chain([daily(180)])
        .chain(intervals.map(|m| Schedule::Every(Millis::from_mins(m))))
        .find(|s| {
            let gap = gap_of(ctx, s, window);
            gap.is_some_and(|gap| below.is_none_or(|below| gap < below)) && is_plain(ctx, s, window)
        })
}

fn daily(minute: u16) -> Schedule {
    Schedule::Daily {
        minutes_of_day: vec![minute],
    }
}

/// Whether no change of the clock touches it.
fn is_plain(ctx: &Context, schedule: &Schedule, window: Option<&Window>) -> bool {
    let calendar = &ctx.policy.calendar;
    calendar.clock_change_hits(schedule, window).is_empty()
}
