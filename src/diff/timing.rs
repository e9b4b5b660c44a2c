//! When scenarios move records: modes, the longest gap between two starts, reconciliation.

use super::kind::{Grade, Kind};
use super::list::List;
use super::reach;
use super::scenarios::{Both, said};
use crate::model;
use crate::plan::{Mode, Plan, Scenario};
use crate::text::Span;
use crate::time::{Calendar, Date, Millis, Schedule, Window, Zone};

/// The calendars of both sides, made when they are first asked for.
pub(super) struct Clocks {
    old: Calendar,
    new: Calendar,
}

impl Clocks {
    pub fn of(old: &Plan, new: &Plan) -> Self {
        // The year by which plans tell classes of modes; any year would tell the same of most.
        let year = Date::from_ymd_opt(2026, 1, 1).unwrap_or_default();
        let zone = |plan: &Plan| Zone::parse(&plan.timezone).unwrap_or_default();
        Clocks {
            old: Calendar::of_year(zone(old), year),
            new: Calendar::of_year(zone(new), year),
        }
    }
}

fn gap(calendar: &Calendar, schedule: &Schedule, window: Option<&Window>) -> Option<Millis> {
    calendar.longest_gap(schedule, window)
}

/// The longest gap between a change and the start that takes it; none: it never starts.
fn wait(calendar: &Calendar, s: &Scenario) -> Option<Millis> {
    match (&s.mode.schedule, s.mode.realtime) {
        (_, true) => Some(Millis(0)),
        (Some(schedule), false) => gap(calendar, schedule, s.window.as_ref()),
        (None, false) => None,
    }
}

fn at_mode(s: &model::Scenario) -> Option<Span> {
    s.mode.span.filter(|_| s.mode.written)
}

pub(super) fn mode(list: &mut List, clocks: &Clocks, s: &Both) {
    let (a, b) = (&s.old.mode, &s.new.mode);
    let same = a.realtime == b.realtime && a.schedule == b.schedule && s.old.window == s.new.window;
    // Another zone moves all starts, which `timezone-changed` tells of.
    if same {
        return;
    }
    let words = || (format!("mode {}", a.text), format!("mode {}", b.text));
    if a.realtime && b.realtime {
        return reconcile(list, clocks, s);
    }
    let (before, now) = (wait(&clocks.old, s.old), wait(&clocks.new, s.new));
    // Never is later than any other time.
    let never = Millis(u64::MAX);
    let (kind, grade, means) = match before.unwrap_or(never).cmp(&now.unwrap_or(never)) {
        std::cmp::Ordering::Less => {
            let (grade, means) = slower(list, s, now);
            (Kind::ModeSlower, grade, means)
        }
        std::cmp::Ordering::Greater => {
            let means = match now {
                Some(Millis(0)) => "each change moves by itself".to_owned(),
                _ => format!(
                    "a change waits {} at most, not {}",
                    lasts(now),
                    lasts(before)
                ),
            };
            (Kind::ModeFaster, Grade::Safe, means)
        }
        std::cmp::Ordering::Equal if a.schedule != b.schedule => {
            let means = "other starts, as far apart as before".to_owned();
            (Kind::ScheduleMoved, Grade::Safe, means)
        }
        std::cmp::Ordering::Equal => return,
    };
    said(list, s, (kind, grade), words(), at_mode, means);
    if b.realtime && b.schedule.is_some() && !a.realtime {
        let means = "what real time misses is found";
        said(
            list,
            s,
            (Kind::ReconcileAdded, Grade::Safe),
            words(),
            at_mode,
            means,
        );
    }
}

fn lasts(time: Option<Millis>) -> String {
    time.map_or("for ever".to_owned(), |t| t.to_string())
}

/// How bad it is that changes wait longer.
fn slower(list: &List, s: &Both, now: Option<Millis>) -> (Grade, String) {
    let before = match s.old.mode.realtime {
        true => "each change moved by itself".to_owned(),
        false => "it waited less before".to_owned(),
    };
    let waits = match now {
        Some(now) => format!("a change waits up to {now}; {before}"),
        None => "it never starts".to_owned(),
    };
    let bounds = bounds(&list.new.plan, s.new);
    let broken = bounds
        .into_iter()
        .find(|(bound, _)| now.is_none_or(|now| now > *bound));
    match broken {
        Some((bound, what)) => (
            Grade::Breaking,
            format!("{waits}, over the bound of {bound} {what}"),
        ),
        None => (Grade::Risky, waits),
    }
}

/// The bounds that a scenario serves, the tightest first, each with whose it is.
fn bounds(plan: &Plan, s: &Scenario) -> Vec<(Millis, String)> {
    let own = s.fresh.map(|f| (f, "of its own".to_owned()));
    let mut all: Vec<(Millis, String)> = own.into_iter().collect();
    for route in &s.routes {
        for name in &route.fields {
            let field = reach::field(plan, &route.entity, name);
            let bounds = field.iter().flat_map(|f| &f.fresh);
            let here = bounds.filter(|b| b.system == route.to);
            all.extend(here.map(|b| {
                (
                    b.within,
                    format!("of `{}.{name}` in `{}`", route.entity, route.to),
                )
            }));
        }
    }
    all.sort();
    all
}

pub(super) fn reconcile(list: &mut List, clocks: &Clocks, s: &Both) {
    let words = || {
        let text = |m: &Mode| format!("mode {}", m.text);
        (text(&s.old.mode), text(&s.new.mode))
    };
    let (kind, means) = match (&s.old.mode.schedule, &s.new.mode.schedule) {
        (None, None) => return,
        (Some(_), None) => (
            Kind::ReconcileRemoved,
            "an event that is lost is lost for good".to_owned(),
        ),
        (None, Some(_)) => (
            Kind::ReconcileAdded,
            "an event that is lost is made up for".to_owned(),
        ),
        (Some(a), Some(b)) => {
            let before = gap(&clocks.old, a, s.old.window.as_ref()).unwrap_or(Millis(u64::MAX));
            let now = gap(&clocks.new, b, s.new.window.as_ref()).unwrap_or(Millis(u64::MAX));
            let found = format!("an event that is lost is made up for within {now}, not {before}");
            match before.cmp(&now) {
                std::cmp::Ordering::Less => (Kind::ReconcileSlower, found),
                std::cmp::Ordering::Greater => (Kind::ReconcileFaster, found),
                std::cmp::Ordering::Equal if a == b => return,
                std::cmp::Ordering::Equal => (
                    Kind::ScheduleMoved,
                    "other starts, as far apart as before".to_owned(),
                ),
            }
        }
    };
    let grade = kind.grades().first().copied().unwrap_or(Grade::Risky);
    said(list, s, (kind, grade), words(), at_mode, means);
}
