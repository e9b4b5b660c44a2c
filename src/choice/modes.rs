//! The modes that a scenario could have.

use super::Ground;
use crate::catalog::Events;
use crate::model::{Hop, ModeKind, Policy, Scenario, SystemId};
use crate::time::{Millis, Schedule};

/// The intervals that are tried.
const MINUTES: [u64; 6] = [5, 10, 15, 30, 60, 240];

/// When a daily candidate starts: 03:00, or when the window opens.
const DAILY_MINUTE: u16 = 180;

/// Hours between two reconciles that are tried where a day is too long.
const RECONCILE_MINUTES: [u64; 8] = [720, 360, 240, 120, 60, 30, 15, 5];

/// Real time where every source sends events, the usual intervals, daily, and the declared mode
/// where it is none of them.
pub fn modes(ground: Ground, scenario: &Scenario) -> Vec<ModeKind> {
    let mut modes: Vec<ModeKind> = hears_all(ground, scenario)
        .then_some(ModeKind::Realtime)
        .into_iter()
        .collect();
    modes.extend(scheduled(scenario));
    let own = &scenario.mode.kind;
    // `hourly` and `every 1h` differ in words only: what the author wrote is shown.
    let known = modes.iter().any(|m| text(m) == text(own));
    if !known && !matches!(own, ModeKind::Auto | ModeKind::Unknown) {
        modes.push(own.clone());
    }
    modes
}

/// The modes that a choice is made from. Where bare real time would lose changes for good, or
/// another clause needs a schedule, real time comes with a reconcile. A declared schedule stands
/// for the usual one of the same interval; of a mode that is left open only the usual ones remain.
pub fn choices(ground: Ground, scenario: &Scenario) -> Vec<ModeKind> {
    let hears = hears_all(ground, scenario);
    let own = Some(&scenario.mode.kind)
        .filter(|k| !matches!(k, ModeKind::Auto | ModeKind::Unknown) && !scenario.mode.is_auto())
        .filter(|_| hears || !scenario.mode.is_realtime());
    let mut modes: Vec<ModeKind> = own.cloned().into_iter().collect();
    if hears {
        modes.extend(live(ground, scenario).filter(|live| !modes.contains(live)));
    }
    let gap = |mode: &ModeKind| match mode {
        ModeKind::Scheduled(Some(schedule)) => {
            let window = scenario.window.as_ref().map(|w| &w.value);
            let gaps = ground.policy.calendar.gaps(schedule, window);
            gaps.map(|g| (g.longest_by_clock, g.shortest))
        }
        _ => None,
    };
    let own_gap = own.and_then(gap);
    let usual = scheduled(scenario).filter(|mode| own_gap.is_none() || gap(mode) != own_gap);
    modes.extend(usual);
    modes
}

/// The usual intervals and daily.
fn scheduled(scenario: &Scenario) -> impl Iterator<Item = ModeKind> {
    let usual = MINUTES.map(|m| Schedule::Every(Millis::from_mins(m)));
    let all = usual.into_iter().chain([daily(scenario)]);
    all.map(|s| ModeKind::Scheduled(Some(s)))
}

/// The daily schedule that is proposed.
pub fn daily(scenario: &Scenario) -> Schedule {
    let opening = scenario.window.as_ref().map(|w| w.value.from_min);
    Schedule::Daily {
        minutes_of_day: vec![opening.unwrap_or(DAILY_MINUTE)],
    }
}

/// Whether every source sends events.
fn hears_all(ground: Ground, scenario: &Scenario) -> bool {
    let source = |hop: &Hop| ground.arithmetic.facts(hop.from.value);
    let mut sources = scenario.hops.iter().map(source);
    !scenario.hops.is_empty() && sources.all(|s| s.is_some_and(|s| s.has_events))
}

/// Real time, with a reconcile where it needs one.
fn live(ground: Ground, scenario: &Scenario) -> Option<ModeKind> {
    if matches!(scenario.mode.kind, ModeKind::Hybrid(_)) && !scenario.mode.is_auto() {
        // The declared one is a candidate as it is.
        return None;
    }
    let lossy = scenario.hops.iter().map(|h| h.from.value);
    let lossy: Vec<SystemId> = lossy.filter(|s| loses_events(ground.policy, *s)).collect();
    let needs_schedule = scenario.after_clause.is_some()
        || scenario.window.is_some()
        || scenario.scan_full.is_some();
    if lossy.is_empty() && !needs_schedule {
        return Some(ModeKind::Realtime);
    }
    let within = lossy.iter().filter_map(|s| {
        let kept = events(ground.policy, *s)?.retention.as_ref()?;
        Some(kept.value.0)
    });
    let schedule = reconcile(ground.policy, scenario, within.min())?;
    Some(ModeKind::Hybrid(Some(schedule)))
}

/// The rarest usual schedule on which two starts lie no further apart than a time.
fn reconcile(policy: &Policy, scenario: &Scenario, within: Option<Millis>) -> Option<Schedule> {
    let window = scenario.window.as_ref().map(|w| &w.value);
    let intervals = RECONCILE_MINUTES.map(|m| Schedule::Every(Millis::from_mins(m)));
    let mut tried = std::iter::once(daily(scenario)).chain(intervals);
    tried.find(|schedule| {
        let gaps = policy.calendar.gaps(schedule, window);
        gaps.is_some_and(|g| within.is_none_or(|most| g.longest_by_clock <= most))
    })
}

fn events(policy: &Policy, system: SystemId) -> Option<&Events> {
    policy.system(system).entry()?.events.as_ref()
}

/// Whether a system's events can be lost for good although its records can be read again.
fn loses_events(policy: &Policy, system: SystemId) -> bool {
    policy.system(system).entry().is_some_and(|e| {
        e.capabilities.read && e.events.as_ref().is_some_and(Events::lost_for_good)
    })
}

/// A mode as a policy writes it; nothing where it is not known.
pub fn text(mode: &ModeKind) -> String {
    match mode {
        ModeKind::Realtime | ModeKind::Hybrid(None) => "realtime".to_owned(),
        ModeKind::Hybrid(Some(s)) => format!("realtime with reconcile {s}"),
        ModeKind::Scheduled(Some(s)) => s.to_string(),
        ModeKind::Auto => "auto".to_owned(),
        ModeKind::Scheduled(None) | ModeKind::Unknown => String::new(),
    }
}

/// How simple a mode is to run, 0 the simplest: the clock before events, long intervals before
/// short ones. Modes of the same interval are equally simple.
pub(super) fn complexity(policy: &Policy, scenario: &Scenario, mode: &ModeKind) -> u32 {
    let window = scenario.window.as_ref().map(|w| &w.value);
    match mode {
        ModeKind::Scheduled(Some(schedule)) => {
            let gaps = policy.calendar.gaps(schedule, window);
            let Some(longest) = gaps.map(|g| g.longest_by_clock) else {
                return 0;
            };
            let usual = MINUTES.into_iter().chain([24 * 60]).map(Millis::from_mins);
            // An interval between two usual ones lies between them.
            let (longer, same) = usual.fold((0, false), |(longer, same), usual| {
                (
                    longer + u32::from(usual > longest),
                    same || usual == longest,
                )
            });
            (2 * longer + u32::from(same)).max(1)
        }
        ModeKind::Realtime | ModeKind::Hybrid(None) => 20,
        ModeKind::Hybrid(Some(_)) => 21,
        ModeKind::Scheduled(None) | ModeKind::Auto | ModeKind::Unknown => 0,
    }
}
