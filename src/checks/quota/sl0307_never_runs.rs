//! SL0307 never-runs: a schedule that no date meets, or that never starts inside its window.

use super::super::{Context, words};
use super::{by_mode, keyword, window, with_schedule};
use crate::finding::{Code, Finding, Grade};
use crate::model::{ModeKind, Scenario};
use crate::time::{Schedule, Window};

const CODE: Code = Code(307);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let calendar = &ctx.policy.calendar;
    let troubled = ctx.policy.scenarios.iter().filter_map(|s| {
        let schedule = s.mode.schedule()?;
        if !calendar.never_runs(schedule, window(s)) {
            return None;
        }
        // A window that keeps out what would run is what to mend first.
        let kept_out = window(s).filter(|_| !calendar.never_runs(schedule, None));
        Some((s, kept_out.cloned()))
    });
    by_mode(troubled)
        .iter()
        .filter_map(|(scenarios, kept_out)| finding(ctx, scenarios, kept_out.as_ref()))
        .collect()
}

fn finding(ctx: &Context, scenarios: &[&Scenario], kept_out: Option<&Window>) -> Option<Finding> {
    let first = scenarios.first()?;
    let schedule = first.mode.schedule()?;
    let names = words::names(scenarios.iter().map(|s| &s.name.text));
    let noun = if scenarios.len() == 1 {
        "scenario"
    } else {
        "scenarios"
    };
    let never = match (&first.mode.kind, scenarios.len()) {
        (ModeKind::Hybrid(_), 1) => "never reconciles",
        (ModeKind::Hybrid(_), _) => "never reconcile",
        (_, 1) => "never starts",
        _ => "never start",
    };
    let why = match kept_out {
        Some(window) => format!("no start of `{schedule}` lies inside `window {window}`"),
        None => format!("no date ever meets `{schedule}`"),
    };
    let message = format!("{noun} {names} {never}: {why}");
    let mut found = Finding::new(CODE, words::mode_place(first), message).mark("never comes");
    found = words::label_unsure(found, first);
    for scenario in scenarios {
        if let Some(window) = &scenario.window
            && kept_out.is_some()
        {
            found = words::label(
                found,
                window.clause,
                "starts outside these hours do not happen",
            );
        }
        if scenario.name.span != first.name.span {
            found = words::label(found, scenario.name.span, "runs by the same mode");
        }
    }
    Some(mends(ctx, found, first, schedule, kept_out))
}

fn mends(
    ctx: &Context,
    found: Finding,
    scenario: &Scenario,
    schedule: &Schedule,
    kept_out: Option<&Window>,
) -> Finding {
    let Some(window) = kept_out else {
        return found.help("write a day of the month that one of its months has");
    };
    let inside = moved_inside(ctx, schedule, window).and_then(|s| with_schedule(scenario, &s));
    match inside {
        Some((mode, edit)) => found
            .help(format!(
                "write `{} {mode}`, which lies inside the window, or change `window`",
                keyword(scenario)
            ))
            .fix("start it inside the window", Grade::Review, vec![edit]),
        None => found.help("let the window be open when it starts, or remove `window`"),
    }
}

/// The schedule with the time, or else the day too, at which the window opens.
fn moved_inside(ctx: &Context, schedule: &Schedule, window: &Window) -> Option<Schedule> {
    let at = vec![window.from_min];
    let candidates = match schedule {
        Schedule::Daily { .. } => vec![Schedule::Daily { minutes_of_day: at }],
        Schedule::Weekly { days, times } => {
            let other_days = match window.days.is_empty() {
                true => days.clone(),
                false => window.days.clone(),
            };
            vec![
                Schedule::Weekly {
                    days: days.clone(),
                    times: at.clone(),
                },
                Schedule::Weekly {
                    days: other_days.clone(),
                    times: times.clone(),
                },
                Schedule::Weekly {
                    days: other_days,
                    times: at,
                },
            ]
        }
        Schedule::Monthly { days, .. } => vec![Schedule::Monthly {
            days: days.clone(),
            times: at,
        }],
        Schedule::Hourly { .. } => vec![Schedule::Hourly {
            minute: u8::try_from(window.from_min % 60).unwrap_or(0),
        }],
        Schedule::Every(_) | Schedule::Cron(_) => Vec::new(),
    };
    let runs = |s: &Schedule| !ctx.policy.calendar.never_runs(s, Some(window));
    candidates.into_iter().find(runs)
}
