//! Schedules: when a scenario starts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::{Plan, SEARCH_DAYS, Walk};
use super::window::{TimeOfDay, list};
use super::{Instant, Millis, Window, Zone};
use crate::terms::{ModeClass, Weekday};

/// When a scheduled scenario starts. Times of day are minutes since midnight, 0 to 1439, in the
/// policy's zone.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// At multiples of a duration since 1970-01-01T00:00Z.
    Every(Millis),
    /// Every hour.
    Hourly {
        /// The minute of the hour, 0 to 59.
        minute: u8,
    },
    /// Every day.
    Daily {
        /// The times of day.
        minutes_of_day: Vec<u16>,
    },
    /// On days of the week.
    Weekly {
        /// The days.
        days: Vec<Weekday>,
        /// The times of day.
        times: Vec<u16>,
    },
    /// On days of the month; a month without such a day is skipped.
    Monthly {
        /// The days, 1 to 31.
        days: Vec<u8>,
        /// The times of day.
        times: Vec<u16>,
    },
    /// A cron pattern that `Cron::parse` reads; any other never starts.
    Cron(String),
}

/// The class of a scheduled mode by the longest gap between two starts; a mode that never starts
/// counts as scheduled.
pub fn mode_class(longest_gap: Option<Millis>) -> ModeClass {
    match longest_gap {
        Some(gap) if gap <= Millis::from_mins(15) => ModeClass::NearRealTime,
        _ => ModeClass::Scheduled,
    }
}

impl Schedule {
    /// The first start after an instant; none where it never comes again.
    pub fn next_after(&self, after: Instant, zone: Zone) -> Option<Instant> {
        match self {
            Schedule::Every(every) => next_multiple(*every, after),
            _ => Walk::after(Plan::of(self)?, zone, after).next(),
        }
    }

    /// The first start after an instant that lies inside the window.
    pub fn next_in(&self, after: Instant, zone: Zone, window: Option<&Window>) -> Option<Instant> {
        let Some(window) = window else {
            return self.next_after(after, zone);
        };
        let mut after = after;
        for _ in 0..SEARCH_DAYS {
            let start = self.next_after(after, zone)?;
            if window.contains(start, zone) {
                return Some(start);
            }
            after = window.next_open(start, zone)? - Millis(1);
        }
        None
    }

    /// The starts from an instant up to, and without, another, those outside the window left out.
    pub fn starts<'a>(
        &self,
        from: Instant,
        to: Instant,
        zone: Zone,
        window: Option<&'a Window>,
    ) -> Starts<'a> {
        let before = from - Millis(1);
        let source = match self {
            Schedule::Every(every) => Source::Every(*every, before),
            _ => Plan::of(self).map_or(Source::Never, |plan| {
                Source::Walk(Box::new(Walk::after(plan, zone, before)))
            }),
        };
        Starts {
            source,
            to,
            zone,
            window,
        }
    }
}

/// The first multiple of `every` after an instant.
fn next_multiple(every: Millis, after: Instant) -> Option<Instant> {
    let every = i64::try_from(every.0).ok().filter(|every| *every > 0)?;
    let past = after.0.div_euclid(every);
    past.checked_add(1)?.checked_mul(every).map(Instant)
}

/// The starts of a schedule in order; see [`Schedule::starts`].
pub struct Starts<'a> {
    source: Source,
    to: Instant,
    zone: Zone,
    window: Option<&'a Window>,
}

enum Source {
    /// The duration and the last start.
    Every(Millis, Instant),
    Walk(Box<Walk>),
    Never,
}

impl Source {
    fn step(&mut self) -> Option<Instant> {
        match self {
            Source::Every(every, last) => {
                *last = next_multiple(*every, *last)?;
                Some(*last)
            }
            Source::Walk(walk) => walk.next(),
            Source::Never => None,
        }
    }
}

impl Iterator for Starts<'_> {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        loop {
            let start = self.source.step()?;
            if start >= self.to {
                self.source = Source::Never;
                return None;
            }
            let Some(window) = self.window else {
                return Some(start);
            };
            if window.contains(start, self.zone) {
                return Some(start);
            }
            // Short intervals need not be counted through a closed window.
            if let Source::Every(_, last) = &mut self.source {
                match window.next_open(start, self.zone) {
                    Some(open) => *last = open - Millis(1),
                    None => self.source = Source::Never,
                }
            }
        }
    }
}

impl fmt::Display for Schedule {
    /// As a policy writes it, without `mode`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = |times: &[u16]| list(times.iter().map(|t| TimeOfDay(*t)));
        match self {
            Schedule::Every(every) => write!(f, "every {every}"),
            Schedule::Hourly { minute: 0 } => f.write_str("hourly"),
            Schedule::Hourly { minute } => write!(f, "hourly at :{minute:02}"),
            Schedule::Daily { minutes_of_day } => write!(f, "daily at {}", times(minutes_of_day)),
            Schedule::Weekly { days, times: at } => {
                write!(f, "weekly on {} at {}", list(days), times(at))
            }
            Schedule::Monthly { days, times: at } => {
                write!(f, "monthly on {} at {}", list(days), times(at))
            }
            Schedule::Cron(pattern) => write!(f, "cron \"{pattern}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    fn ny() -> Zone {
        Zone::parse("America/New_York").unwrap()
    }

    fn starts(schedule: &Schedule, from: &str, to: &str, window: Option<&Window>) -> Vec<String> {
        schedule
            .starts(at(from), at(to), ny(), window)
            .map(|t| ny().show(t))
            .collect()
    }

    #[test]
    fn every_counts_from_the_epoch_whatever_the_zone() {
        let every = Schedule::Every(Millis::from_mins(25));
        let next = every.next_after(at("1970-01-01T01:00:00Z"), ny());
        assert_eq!(next, Some(at("1970-01-01T01:15:00Z")));
        assert_eq!(every.next_after(Instant(-1), ny()), Some(Instant(0)));
        assert_eq!(
            Schedule::Every(Millis(0)).next_after(Instant(0), ny()),
            None
        );
        assert_eq!(every.next_after(Instant(i64::MAX), ny()), None);
    }

    #[test]
    fn monthly_skips_months_without_the_day() {
        let monthly = Schedule::Monthly {
            days: vec![31],
            times: vec![240],
        };
        assert_eq!(
            starts(
                &monthly,
                "2026-01-01T00:00:00Z",
                "2026-06-01T10:00:00Z",
                None
            ),
            [
                "2026-01-31T04:00:00-05:00",
                "2026-03-31T04:00:00-04:00",
                "2026-05-31T04:00:00-04:00"
            ]
        );
        let thirtieth = Schedule::Monthly {
            days: vec![30, 29],
            times: vec![0],
        };
        assert_eq!(
            starts(
                &thirtieth,
                "2026-02-01T05:00:00Z",
                "2026-03-30T10:00:00Z",
                None
            ),
            ["2026-03-29T00:00:00-04:00", "2026-03-30T00:00:00-04:00"]
        );
    }

    #[test]
    fn hourly_follows_elapsed_time_and_daily_runs_once() {
        let hourly = Schedule::Hourly { minute: 30 };
        assert_eq!(
            starts(
                &hourly,
                "2026-03-08T06:00:00Z",
                "2026-03-08T08:00:00Z",
                None
            ),
            ["2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00"]
        );
        assert_eq!(
            starts(
                &hourly,
                "2026-11-01T05:00:00Z",
                "2026-11-01T07:00:00Z",
                None
            ),
            ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"]
        );
        let daily = Schedule::Daily {
            minutes_of_day: vec![150, 160, 90],
        };
        assert_eq!(
            starts(&daily, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z", None),
            ["2026-03-08T01:30:00-05:00", "2026-03-08T03:00:00-04:00"]
        );
        assert_eq!(
            starts(&daily, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", None),
            [
                "2026-11-01T01:30:00-04:00",
                "2026-11-01T02:30:00-05:00",
                "2026-11-01T02:40:00-05:00"
            ]
        );
    }

    #[test]
    fn a_start_outside_the_window_does_not_happen() {
        let window = Window {
            from_min: 23 * 60,
            to_min: 60,
            days: vec![Weekday::Fri],
        };
        // Friday 2026-01-09, from 23:00 to 01:00 on Saturday.
        assert_eq!(
            starts(
                &Schedule::Every(Millis::from_mins(45)),
                "2026-01-05T05:00:00Z",
                "2026-01-12T05:00:00Z",
                Some(&window)
            ),
            ["2026-01-09T23:30:00-05:00", "2026-01-10T00:15:00-05:00"]
        );
        let saturday = Schedule::Weekly {
            days: vec![Weekday::Sat],
            times: vec![30, 60, 1400],
        };
        assert_eq!(
            starts(
                &saturday,
                "2026-01-05T05:00:00Z",
                "2026-01-12T05:00:00Z",
                Some(&window)
            ),
            ["2026-01-10T00:30:00-05:00"]
        );
        let next = saturday.next_in(at("2026-01-10T05:30:00Z"), ny(), Some(&window));
        assert_eq!(next, Some(at("2026-01-17T05:30:00Z")));
    }

    #[test]
    fn is_written_as_a_policy_writes_it() {
        let daily = Schedule::Daily {
            minutes_of_day: vec![120, 840],
        };
        assert_eq!(daily.to_string(), "daily at 02:00, 14:00");
        let weekly = Schedule::Weekly {
            days: vec![Weekday::Sun, Weekday::Wed],
            times: vec![240],
        };
        assert_eq!(weekly.to_string(), "weekly on sun, wed at 04:00");
        assert_eq!(Schedule::Hourly { minute: 5 }.to_string(), "hourly at :05");
        assert_eq!(
            Schedule::Every(Millis::from_mins(90)).to_string(),
            "every 1h30m"
        );
        let json = serde_json::to_string(&weekly).unwrap();
        assert_eq!(json, r#"{"weekly":{"days":["sun","wed"],"times":[240]}}"#);
        assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), weekly);
        assert_eq!(
            serde_json::to_string(&Schedule::Every(Millis(300_000))).unwrap(),
            r#"{"every":300000}"#
        );
    }

    #[test]
    fn a_quarter_of_an_hour_is_near_real_time() {
        assert_eq!(
            mode_class(Some(Millis::from_mins(15))),
            ModeClass::NearRealTime
        );
        assert_eq!(mode_class(Some(Millis(900_001))), ModeClass::Scheduled);
        assert_eq!(mode_class(None), ModeClass::Scheduled);
    }

    const ZONES: [&str; 7] = [
        "UTC",
        "America/New_York",
        "Europe/London",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Asia/Kathmandu",
        "America/Toronto",
    ];

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let times = || proptest::collection::vec(0u16..1440, 1..4);
        prop_oneof![
            (1u64..2_000).prop_map(|m| Schedule::Every(Millis::from_mins(m))),
            (0u8..60).prop_map(|minute| Schedule::Hourly { minute }),
            times().prop_map(|minutes_of_day| Schedule::Daily { minutes_of_day }),
            (
                proptest::sample::subsequence(Weekday::ALL.to_vec(), 1..7),
                times()
            )
                .prop_map(|(days, times)| Schedule::Weekly { days, times }),
            (proptest::collection::vec(1u8..=31, 1..4), times())
                .prop_map(|(days, times)| Schedule::Monthly { days, times }),
            proptest::sample::select(vec![
                "*/20 * * * *",
                "0 */2 * * *",
                "*/15 1-3 * * *",
                "30 2 * * sun",
                "7 0-23 * 3,11 *",
                "5 1 1,15 * mon",
            ])
            .prop_map(|p| Schedule::Cron(p.to_owned())),
        ]
    }

    fn any_window() -> impl Strategy<Value = Option<Window>> {
        proptest::option::of(
            (
                0u16..1440,
                0u16..=1440,
                proptest::sample::subsequence(Weekday::ALL.to_vec(), 0..7),
            )
                .prop_filter("a window has a length", |(from, to, _)| from != to)
                .prop_map(|(from_min, to_min, days)| Window {
                    from_min,
                    to_min,
                    days,
                }),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn the_next_start_is_later_and_there_is_none_between(
            schedule in any_schedule(),
            zone in proptest::sample::select(ZONES.to_vec()),
            // 1990 to 2035.
            after in 631_152_000_000i64..2_051_222_400_000,
            part in 0.0f64..1.0,
        ) {
            let zone = Zone::parse(zone).unwrap();
            let after = Instant(after);
            let next = schedule.next_after(after, zone).unwrap();
            prop_assert!(next > after);
            let between = Instant(after.0 + ((next.0 - after.0 - 1) as f64 * part) as i64);
            prop_assert_eq!(schedule.next_after(between, zone), Some(next));
            if let Schedule::Every(every) = &schedule {
                prop_assert_eq!(next.0.rem_euclid(every.0 as i64), 0);
            }
        }

        #[test]
        fn starts_are_the_next_ones_that_the_window_lets_through(
            schedule in any_schedule(),
            window in any_window(),
            zone in proptest::sample::select(ZONES.to_vec()),
            from in 631_152_000_000i64..2_051_222_400_000,
            days in 1u64..40,
        ) {
            let zone = Zone::parse(zone).unwrap();
            let from = Instant(from);
            let to = from + Millis::DAY.times(days);
            let walked: Vec<Instant> =
                schedule.starts(from, to, zone, window.as_ref()).collect();
            let mut expected = Vec::new();
            let mut now = from - Millis(1);
            while let Some(next) = schedule.next_after(now, zone).filter(|t| *t < to) {
                if window.as_ref().is_none_or(|w| w.contains(next, zone)) {
                    expected.push(next);
                }
                now = next;
            }
            prop_assert_eq!(walked, expected);
        }
    }
}
