//! Windows: the parts of a day in which scheduled work may run.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::zone::weekday;
use super::{Instant, Millis, Zone};
use crate::terms::Weekday;

/// The hours in which scheduled work runs.
///
/// It opens when the wall clock first reaches `from_min` and closes when it first reaches
/// `to_min`. Its day is the one on which it opens.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Minute of the day at which it opens, 0 to 1439.
    pub from_min: u16,
    /// Minute of the day at which it closes, up to 1440; below `from_min` it is the next day's.
    pub to_min: u16,
    /// The days on which it opens; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
}

impl Window {
    /// Whether it runs past midnight.
    pub fn crosses_midnight(&self) -> bool {
        self.to_min < self.from_min
    }

    /// How long it is open on a day without a change of the clock.
    pub fn length(&self) -> Millis {
        let to = u64::from(self.to_min) + if self.crosses_midnight() { 1440 } else { 0 };
        Millis::from_mins(to.saturating_sub(u64::from(self.from_min)))
    }

    /// Whether it opens on that day of the week.
    pub fn opens_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.contains(&day)
    }

    /// Whether it is open then.
    pub fn contains(&self, at: Instant, zone: Zone) -> bool {
        let today = zone.local(at).date();
        // A change at midnight can put an instant of one date behind the next date's opening.
        [Some(today), today.pred_opt(), today.succ_opt()]
            .into_iter()
            .flatten()
            .filter_map(|date| self.span(date, zone))
            .any(|(open, close)| open <= at && at < close)
    }

    /// Whether it is open at that minute of a date, clock changes left aside.
    pub fn contains_minute(&self, date: super::Date, minute: u16) -> bool {
        if self.crosses_midnight() {
            let today = minute >= self.from_min && self.opens_on(weekday(date));
            let eve = date.pred_opt().map(weekday);
            let yesterday = minute < self.to_min && eve.is_some_and(|day| self.opens_on(day));
            today || yesterday
        } else {
            (self.from_min..self.to_min).contains(&minute) && self.opens_on(weekday(date))
        }
    }

    /// From when to when it is open where it opens on that date; none on other days, and on a day
    /// whose clock skips it whole.
    pub fn span(&self, date: super::Date, zone: Zone) -> Option<(Instant, Instant)> {
        if !self.opens_on(weekday(date)) {
            return None;
        }
        let close_date = if self.crosses_midnight() {
            date.succ_opt()?
        } else {
            date
        };
        let open = zone.reading(date, self.from_min).first();
        let close = zone.reading(close_date, self.to_min).first();
        (open < close).then_some((open, close))
    }

    /// When it opens next, after an instant; none for a window of no length.
    pub fn next_open(&self, after: Instant, zone: Zone) -> Option<Instant> {
        self.spans_around(after, zone)
            .map(|(open, _)| open)
            .find(|open| *open > after)
    }

    /// When it is closed next, after an instant; none where it never is.
    pub fn next_close(&self, after: Instant, zone: Zone) -> Option<Instant> {
        // Eight windows end to end are a week without a close.
        self.spans_around(after, zone)
            .map(|(_, close)| close)
            .filter(|close| *close > after)
            .take(8)
            .find(|close| !self.contains(*close, zone))
    }

    /// The times that it is open from the day before an instant on, for some weeks.
    fn spans_around(
        &self,
        at: Instant,
        zone: Zone,
    ) -> impl Iterator<Item = (Instant, Instant)> + '_ {
        let today: NaiveDate = zone.local(at).date();
        let first = today.pred_opt().unwrap_or(today);
        // Three weeks hold an opening even where a clock change skips one or two.
        first
            .iter_days()
            .take(23)
            .filter_map(move |date| self.span(date, zone))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}..{}",
            TimeOfDay(self.from_min),
            TimeOfDay(self.to_min)
        )?;
        if !self.days.is_empty() {
            write!(f, " on {}", list(&self.days))?;
        }
        Ok(())
    }
}

/// A minute of the day as `HH:MM`.
pub(super) struct TimeOfDay(pub(super) u16);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Words with commas between.
pub(super) fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ny() -> Zone {
        Zone::parse("America/New_York").unwrap()
    }

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn window(from_min: u16, to_min: u16, days: &[Weekday]) -> Window {
        Window {
            from_min,
            to_min,
            days: days.to_vec(),
        }
    }

    #[test]
    fn its_day_is_the_one_on_which_it_opens() {
        let night = window(22 * 60, 120, &[Weekday::Fri]);
        // Saturday 01:30 belongs to Friday's window, Friday 01:30 to none.
        assert!(night.contains(at("2026-01-10T01:30:00-05:00"), ny()));
        assert!(!night.contains(at("2026-01-09T01:30:00-05:00"), ny()));
        assert!(night.contains(at("2026-01-09T22:00:00-05:00"), ny()));
        assert!(!night.contains(at("2026-01-10T02:00:00-05:00"), ny()));
        assert_eq!(night.length(), Millis::from_mins(240));
        assert_eq!(night.to_string(), "22:00..02:00 on fri");
    }

    #[test]
    fn opens_and_closes_once_a_day_whatever_the_clock_does() {
        let spring = window(150, 240, &[]);
        let date = |text: &str| text.parse().unwrap();
        // 02:30 does not exist: it opens at the gap's end.
        assert_eq!(
            spring.span(date("2026-03-08"), ny()),
            Some((
                at("2026-03-08T03:00:00-04:00"),
                at("2026-03-08T04:00:00-04:00")
            ))
        );
        assert_eq!(window(120, 180, &[]).span(date("2026-03-08"), ny()), None);
        // 01:00..02:00 holds both passes of a repeated hour.
        assert_eq!(
            window(60, 120, &[]).span(date("2026-11-01"), ny()),
            Some((
                at("2026-11-01T01:00:00-04:00"),
                at("2026-11-01T02:00:00-05:00")
            ))
        );
    }

    #[test]
    fn the_next_open_and_close() {
        let night = window(22 * 60, 120, &[Weekday::Fri]);
        let monday = at("2026-01-05T00:00:00-05:00");
        let open = night.next_open(monday, ny()).unwrap();
        assert_eq!(open, at("2026-01-09T22:00:00-05:00"));
        assert_eq!(
            night.next_open(open, ny()),
            Some(at("2026-01-16T22:00:00-05:00"))
        );
        assert_eq!(
            night.next_close(open, ny()),
            Some(at("2026-01-10T02:00:00-05:00"))
        );
        assert_eq!(
            window(0, 1440, &[]).next_close(monday, ny()),
            None,
            "a window of every hour of every day never closes"
        );
        let weekend = window(0, 1440, &[Weekday::Sat, Weekday::Sun]);
        assert_eq!(
            weekend.next_close(monday, ny()),
            Some(at("2026-01-12T00:00:00-05:00"))
        );
        assert_eq!(window(60, 60, &[]).next_open(monday, ny()), None);
    }

    #[test]
    fn minutes_and_instants_agree_on_a_calm_day() {
        for w in [
            window(60, 300, &[]),
            window(1380, 60, &[Weekday::Tue]),
            window(0, 1440, &[]),
        ] {
            let date: super::super::Date = "2026-06-03".parse().unwrap();
            let midnight = ny().start_of(date);
            for minute in 0..1440 {
                let at = midnight + Millis::from_mins(u64::from(minute));
                assert_eq!(
                    w.contains(at, ny()),
                    w.contains_minute(date, minute),
                    "{w} {minute}"
                );
            }
        }
    }
}
