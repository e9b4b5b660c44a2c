//! A calendar schedule taken apart: on which dates, at which minutes, and how it meets a change of
//! the clock. Everything that walks starts walks them through here.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveDate};

use super::zone::{Reading, weekday};
use super::{Cron, Instant, Millis, Schedule, Zone};
use crate::terms::Weekday;

/// How many dates are looked at before a schedule counts as one that never comes: 29 February on
/// a given weekday can be 40 years away.
pub(super) const SEARCH_DAYS: usize = 41 * 366;

/// The dates of a plan.
enum Dates {
    All,
    Week(Vec<Weekday>),
    Month(Vec<u8>),
    Cron(Box<Cron>),
}

/// A calendar schedule.
pub(super) struct Plan {
    dates: Dates,
    /// Minutes of the day, in order.
    pub(super) minutes: Vec<u16>,
    /// Whether what a gap skips runs at its end.
    pub(super) makes_up_gaps: bool,
    /// Whether what an overlap repeats runs again.
    pub(super) both_passes: bool,
}

impl Plan {
    /// The plan of a calendar schedule; none for `every`, nor for a cron pattern that is none.
    pub(super) fn of(schedule: &Schedule) -> Option<Plan> {
        let fixed = |dates, times: &[u16]| {
            let minutes: BTreeSet<u16> = times.iter().copied().filter(|m| *m < 1440).collect();
            Plan {
                dates,
                minutes: minutes.into_iter().collect(),
                makes_up_gaps: true,
                both_passes: false,
            }
        };
        Some(match schedule {
            Schedule::Every(_) => return None,
            Schedule::Hourly { minute } => Plan {
                dates: Dates::All,
                minutes: (0..24).map(|h| h * 60 + u16::from(*minute % 60)).collect(),
                makes_up_gaps: false,
                both_passes: true,
            },
            Schedule::Daily { minutes_of_day } => fixed(Dates::All, minutes_of_day),
            Schedule::Weekly { days, times } => fixed(Dates::Week(days.clone()), times),
            Schedule::Monthly { days, times } => fixed(Dates::Month(days.clone()), times),
            Schedule::Cron(text) => {
                let cron = Cron::parse(text).ok()?;
                Plan {
                    minutes: cron.minutes_of_day().to_vec(),
                    makes_up_gaps: !cron.every_hour,
                    both_passes: cron.interval,
                    dates: Dates::Cron(Box::new(cron)),
                }
            }
        })
    }

    /// Whether it runs on that date.
    pub(super) fn on(&self, date: NaiveDate) -> bool {
        match &self.dates {
            Dates::All => true,
            Dates::Week(days) => days.contains(&weekday(date)),
            Dates::Month(days) => days.iter().any(|d| u32::from(*d) == date.day()),
            Dates::Cron(cron) => cron.on(date),
        }
    }

    /// Adds the starts of a date on which it runs; they need not be in order on a day with a
    /// change of the clock.
    pub(super) fn starts_on(&self, zone: Zone, date: NaiveDate, out: &mut impl Extend<Instant>) {
        let midnight = zone.start_of(date);
        if is_plain(zone, date) {
            let at = |m: &u16| midnight + Millis::from_mins(u64::from(*m));
            out.extend(self.minutes.iter().map(at));
            return;
        }
        for minute in &self.minutes {
            match zone.reading(date, *minute) {
                Reading::Once(t) => out.extend([t]),
                Reading::Skipped(end) if self.makes_up_gaps => out.extend([end]),
                Reading::Skipped(_) => {}
                Reading::Twice(first, second) if self.both_passes => out.extend([first, second]),
                Reading::Twice(first, _) => out.extend([first]),
            }
        }
    }
}

/// Whether the clock does not change on that date.
pub(super) fn is_plain(zone: Zone, date: NaiveDate) -> bool {
    let (Reading::Once(start), Reading::Once(end)) =
        (zone.reading(date, 0), zone.reading(date, 1440))
    else {
        return false;
    };
    end.since(start) == Millis::DAY && zone.offset_ms(start) == zone.offset_ms(end)
}

/// Walks the starts of a plan in order, each once.
pub(super) struct Walk {
    plan: Plan,
    zone: Zone,
    /// The last start given out, or the instant after which the first is wanted.
    last: Instant,
    /// Found and not yet given out.
    pending: BTreeSet<Instant>,
    /// The first date that was not yet looked at; none at the end of the calendar.
    date: Option<NaiveDate>,
}

impl Walk {
    /// All starts after an instant.
    pub(super) fn after(plan: Plan, zone: Zone, after: Instant) -> Walk {
        let date = zone.local(after).date();
        Walk {
            plan,
            zone,
            last: after,
            pending: BTreeSet::new(),
            // A change around midnight can move a start of one date behind the next midnight.
            date: Some(date.pred_opt().unwrap_or(date)),
        }
    }

    /// Looks at one date more.
    fn load(&mut self) {
        let Some(date) = self.date else { return };
        if self.plan.on(date) {
            self.plan.starts_on(self.zone, date, &mut self.pending);
            while self.pending.first().is_some_and(|t| *t <= self.last) {
                self.pending.pop_first();
            }
        }
        self.date = date.succ_opt();
    }
}

impl Iterator for Walk {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        for _ in 0..SEARCH_DAYS {
            if !self.pending.is_empty() || self.date.is_none() {
                break;
            }
            self.load();
        }
        let first = *self.pending.first()?;
        // The date after the first start's own may still hold an earlier one, see `after`.
        let known = self.zone.local(first).date() + Days::new(1);
        while self.date.is_some_and(|date| date <= known) {
            self.load();
        }
        let first = self.pending.pop_first()?;
        self.last = first;
        Some(first)
    }
}
