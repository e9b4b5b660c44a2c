//! SL0308 clock-change: the clock skips or repeats a start time on some day of the year.

use super::super::{Context, words};
use super::{by_mode, keyword, window, with_schedule};
use crate::finding::{Code, Finding, Grade};
use crate::model::{ModeKind, Scenario};
use crate::time::{ClockChange, ClockChangeHit, Instant, Millis, Schedule};

const CODE: Code = Code(308);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let calendar = &ctx.policy.calendar;
    let troubled = ctx.policy.scenarios.iter().filter_map(|s| {
        let hits = calendar.clock_change_hits(s.mode.schedule()?, window(s));
        (!hits.is_empty()).then_some((s, hits))
    });
    by_mode(troubled)
        .iter()
        .filter_map(|(scenarios, hits)| finding(ctx, scenarios, hits))
        .collect()
}

fn finding(ctx: &Context, scenarios: &[&Scenario], hits: &[ClockChangeHit]) -> Option<Finding> {
    let first = scenarios.first()?;
    let schedule = first.mode.schedule()?;
    let names = words::names(scenarios.iter().map(|s| &s.name.text));
    // What is shown: the first time that is skipped and the first that comes twice.
    let skipped = |h: &&ClockChangeHit| matches!(h.change, ClockChange::Skipped { .. });
    let shown: Vec<&ClockChangeHit> = hits
        .iter()
        .find(skipped)
        .into_iter()
        .chain(hits.iter().find(|h| !skipped(h)))
        .collect();
    let more = match hits.len() - shown.len() {
        0 => String::new(),
        1 => "; one start more is touched".to_owned(),
        n => format!("; {n} starts more are touched"),
    };
    let hit = shown.first()?;
    let one = scenarios.len() == 1;
    let said: Vec<String> = shown.iter().map(|h| change(ctx, h, one)).collect();
    let message = format!(
        "{} {names} {} at {}, but {}{more}",
        if one { "scenario" } else { "scenarios" },
        runs(first, one),
        time(hit.minute_of_day),
        said.join("; "),
    );
    let mut found = Finding::new(CODE, words::mode_place(first), message).mark(format!(
        "not once at {} on every day",
        time(hit.minute_of_day)
    ));
    found = words::label_unsure(found, first);
    if let Some(zone) = ctx.policy.zone_span {
        let text = "the time zone whose clock changes";
        found = words::label(found, zone, text);
    }
    for scenario in scenarios.iter().skip(1) {
        found = words::label(found, scenario.name.span, "runs by the same mode");
    }
    Some(mends(ctx, found, first, schedule, hits))
}

fn runs(scenario: &Scenario, one: bool) -> &'static str {
    match (&scenario.mode.kind, one) {
        (ModeKind::Hybrid(_), true) => "reconciles",
        (ModeKind::Hybrid(_), false) => "reconcile",
        (_, true) => "starts",
        (_, false) => "start",
    }
}

/// What happens on the day, with both readings of the clock.
fn change(ctx: &Context, hit: &ClockChangeHit, one: bool) -> String {
    let (date, at) = (hit.date, time(hit.minute_of_day));
    let runs = if one { "it starts" } else { "they start" };
    match hit.change {
        ClockChange::Skipped { runs_at } => format!(
            "on {date} there is no {at}: the clock goes from {} to {}, and {runs} then",
            reading(ctx, runs_at - Millis::MINUTE),
            reading(ctx, runs_at)
        ),
        ClockChange::Repeated {
            first,
            second,
            runs_twice,
        } => format!(
            "on {date} there are two, {} and {}, and {runs} {}",
            reading(ctx, first),
            reading(ctx, second),
            match runs_twice {
                true => "at both",
                false => "at the first only",
            }
        ),
    }
}

/// The time of day that the clock shows then, with how far it is from UTC: `02:00 UTC-05:00`.
fn reading(ctx: &Context, at: Instant) -> String {
    let zone = ctx.policy.zone;
    let (_, minute) = zone.date_and_minute(at);
    let shown = zone.show(at);
    let offset = shown.get(19..).filter(|o| *o != "Z").unwrap_or("+00:00");
    format!("{} UTC{offset}", time(minute))
}

fn time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn mends(
    ctx: &Context,
    found: Finding,
    scenario: &Scenario,
    schedule: &Schedule,
    hits: &[ClockChangeHit],
) -> Finding {
    let safe = safe(ctx, scenario, schedule, hits);
    let Some((mode, edit)) = safe.and_then(|s| with_schedule(scenario, &s)) else {
        let free = nearest_free(ctx, hits.first().map_or(0, |h| h.minute_of_day), &[]);
        return match free {
            Some(minute) => found.help(format!(
                "start at a time that every day has once, as {}, or write `timezone \"UTC\"`",
                time(minute)
            )),
            None => found,
        };
    };
    found
        .help(format!(
            "write `{} {mode}`, a time that every day has once",
            keyword(scenario)
        ))
        .fix(
            "start at a time that every day has once",
            Grade::Review,
            vec![edit],
        )
}

/// The schedule with each time that a change touches moved to the nearest that none does.
fn safe(
    ctx: &Context,
    scenario: &Scenario,
    schedule: &Schedule,
    hits: &[ClockChangeHit],
) -> Option<Schedule> {
    let moved = |times: &[u16]| {
        let mut out: Vec<u16> = Vec::new();
        for minute in times {
            let touched = hits.iter().any(|h| h.minute_of_day == *minute);
            out.push(match touched {
                true => nearest_free(ctx, *minute, times)?,
                false => *minute,
            });
        }
        let mut seen = Vec::new();
        out.retain(|m| {
            !seen.contains(m) && {
                seen.push(*m);
                true
            }
        });
        Some(out)
    };
    let safe = match schedule {
        Schedule::Daily { minutes_of_day } => Schedule::Daily {
            minutes_of_day: moved(minutes_of_day)?,
        },
        Schedule::Weekly { days, times } => Schedule::Weekly {
            days: days.clone(),
            times: moved(times)?,
        },
        Schedule::Monthly { days, times } => Schedule::Monthly {
            days: days.clone(),
            times: moved(times)?,
        },
        Schedule::Cron(pattern) => Schedule::Cron(moved_cron(ctx, pattern)?),
        Schedule::Every(_) | Schedule::Hourly { .. } => return None,
    };
    let calendar = &ctx.policy.calendar;
    let window = window(scenario);
    let same = calendar.gaps(&safe, window)?.starts == calendar.gaps(schedule, window)?.starts;
    (same && calendar.clock_change_hits(&safe, window).is_empty()).then_some(safe)
}

/// A pattern of one minute and one hour at another time.
fn moved_cron(ctx: &Context, pattern: &str) -> Option<String> {
    let mut fields: Vec<String> = pattern.split_whitespace().map(str::to_owned).collect();
    let number = |field: Option<&String>| field?.parse::<u16>().ok();
    let (minute, hour) = (number(fields.first())?, number(fields.get(1))?);
    let at = nearest_free(ctx, hour.checked_mul(60)?.checked_add(minute)?, &[])?;
    *fields.get_mut(0)? = (at % 60).to_string();
    *fields.get_mut(1)? = (at / 60).to_string();
    Some(fields.join(" "))
}

/// The time nearest to a minute of the day, by half hours on the same day, that the clock shows
/// once on every day of the year and that is not taken.
fn nearest_free(ctx: &Context, minute: u16, taken: &[u16]) -> Option<u16> {
    let once = |minute: &u16| {
        let daily = Schedule::Daily {
            minutes_of_day: vec![*minute],
        };
        let hits = ctx.policy.calendar.clock_change_hits(&daily, None);
        hits.is_empty() && !taken.contains(minute)
    };
    (1..48u16)
        .flat_map(|halves| {
            let later = minute.checked_add(halves * 30).filter(|m| *m < 1440);
            later.into_iter().chain(minute.checked_sub(halves * 30))
        })
        .find(once)
}
