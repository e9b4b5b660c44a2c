//! SL0304 overlapping-runs: scheduled runs of one priority meet at a system and together need it
//! for longer than there is time.

use std::collections::BTreeMap;

use super::super::{Context, figures, words};
use super::sl0303_window_too_short;
use crate::finding::{Code, Finding};
use crate::model::{Scenario, SystemId};
use crate::terms::Priority;
use crate::time::{Instant, Millis, Schedule};

const CODE: Code = Code(304);

/// Runs that are compared with each other at one system; beyond, the longest are.
const COMPARED_MAX: usize = 200;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut at: BTreeMap<(SystemId, Priority), Vec<Busy>> = BTreeMap::new();
    for scenario in &ctx.policy.scenarios {
        for (system, busy) in busy(ctx, scenario) {
            at.entry((system, scenario.priority))
                .or_default()
                .push(busy);
        }
    }
    at.into_iter()
        .filter_map(|((system, _), mut runs)| {
            runs.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
            runs.truncate(COMPARED_MAX);
            let mut meeting = meeting(ctx, &runs);
            meeting.sort_by_key(|b| b.scenario.id);
            (!meeting.is_empty()).then(|| finding(ctx, system, &meeting))
        })
        .collect()
}

/// A run at a system.
struct Busy<'a> {
    scenario: &'a Scenario,
    schedule: &'a Schedule,
    /// How long it needs the system.
    seconds: f64,
    /// The shortest time between two starts, or its window where that is shorter.
    room: f64,
}

fn busy<'a>(ctx: &Context<'a>, scenario: &'a Scenario) -> Vec<(SystemId, Busy<'a>)> {
    let figures = ctx.arithmetic.scenario(scenario.id);
    let known = figures.and_then(|f| Some((f.run.as_ref()?, f.timing.gaps()?)));
    let (Some((run, gaps)), Some(schedule)) = (known, scenario.mode.schedule()) else {
        return Vec::new();
    };
    // Of a scenario that could not be read whole nobody knows when it really runs.
    let unknown = scenario.broken || !words::mode_is_known(scenario);
    if unknown || sl0303_window_too_short::concerns(ctx, scenario) {
        return Vec::new();
    }
    let window = scenario.window.as_ref().map(|w| w.value.length());
    let room = window.map_or(gaps.shortest, |w| w.min(gaps.shortest));
    let at = run.systems.iter().filter_map(|at| {
        let seconds = at.seconds.filter(|s| *s > 0.0)?;
        let busy = Busy {
            scenario,
            schedule,
            seconds,
            room: room.as_secs_f64(),
        };
        Some((at.system, busy))
    });
    at.collect()
}

/// The runs that meet another and do not fit with it.
fn meeting<'r, 'a>(ctx: &Context, runs: &'r [Busy<'a>]) -> Vec<&'r Busy<'a>> {
    let mut meets = vec![false; runs.len()];
    for (i, a) in runs.iter().enumerate() {
        for (j, b) in runs.iter().enumerate().skip(i + 1) {
            let known = meets.get(i) == Some(&true) && meets.get(j) == Some(&true);
            let short = a.seconds + b.seconds > a.room.min(b.room);
            if short && !known && !waits_for(a.scenario, b.scenario) && meet(ctx, a, b) {
                for at in [i, j] {
                    if let Some(slot) = meets.get_mut(at) {
                        *slot = true;
                    }
                }
            }
        }
    }
    let pairs = runs.iter().zip(meets);
    pairs
        .filter_map(|(run, meets)| meets.then_some(run))
        .collect()
}

/// Whether `after` keeps two runs apart.
fn waits_for(a: &Scenario, b: &Scenario) -> bool {
    let names = |x: &Scenario, y: &Scenario| x.after.iter().any(|r| r.id == Some(y.id));
    names(a, b) || names(b, a)
}

/// Whether the two ever hold the system at the same time within the horizon.
fn meet(ctx: &Context, a: &Busy, b: &Busy) -> bool {
    let calendar = &ctx.policy.calendar;
    let starts = |run: &Busy| -> Vec<Instant> {
        let window = run.scenario.window.as_ref().map(|w| &w.value);
        run.schedule
            .starts(calendar.start(), calendar.end(), calendar.zone(), window)
            .take(STARTS_MAX)
            .collect()
    };
    let (first, second) = (starts(a), starts(b));
    let lasts = |run: &Busy| Millis((run.seconds * 1_000.0).ceil() as u64);
    let (lasts_a, lasts_b) = (lasts(a), lasts(b));
    let mut others = second.iter().peekable();
    for start in first {
        while others.peek().is_some_and(|o| **o + lasts_b <= start) {
            others.next();
        }
        if others.peek().is_some_and(|o| **o < start + lasts_a) {
            return true;
        }
    }
    false
}

/// Starts that are compared: more than a year of one every five minutes.
const STARTS_MAX: usize = 120_000;

fn finding(ctx: &Context, system: SystemId, runs: &[&Busy]) -> Finding {
    let name = ctx.system(system);
    let names = words::names(runs.iter().map(|r| &r.scenario.name.text));
    let sum: f64 = runs.iter().map(|r| r.seconds).sum();
    let room = runs.iter().map(|r| r.room).fold(f64::INFINITY, f64::min);
    let message = format!(
        "runs of {names} meet at `{name}` and need it for {} together, but the shortest of them \
         has {}",
        figures::duration(sum),
        figures::duration(room)
    );
    let place = ctx.policy.system(system).name.span;
    let mut found = Finding::new(CODE, place, message).mark("needed by several runs at once");
    for run in runs {
        let text = format!(
            "`{}` (`{}`) needs `{name}` for {}",
            run.scenario.name,
            run.schedule,
            figures::duration(run.seconds)
        );
        found = words::label(found, run.scenario.name.span, text);
    }
    let last = runs.last().map_or("", |r| &r.scenario.name.text);
    let first = runs.first().map_or("", |r| &r.scenario.name.text);
    found.help(format!(
        "let them start at other times, write `after {first}` in `{last}`, or give the one that \
         matters more a higher `priority`"
    ))
}
