//! The horizon: gaps, modes that never run, clock changes.

use super::super::{Cron, Date};
use super::*;
use crate::terms::Weekday;
use proptest::prelude::*;

fn year(zone: &str) -> Calendar {
    Calendar::of_year(Zone::parse(zone).unwrap(), "2026-05-17".parse().unwrap())
}

fn window(from_min: u16, to_min: u16) -> Window {
    Window {
        from_min,
        to_min,
        days: Vec::new(),
    }
}

fn cron(pattern: &str) -> Schedule {
    Cron::parse(pattern).unwrap();
    Schedule::Cron(pattern.to_owned())
}

fn hours(h: u64) -> Millis {
    Millis::HOUR.times(h)
}

#[test]
fn the_horizon_is_366_days_from_new_year() {
    let ny = year("America/New_York");
    assert_eq!(ny.start().to_string(), "2026-01-01T05:00:00Z");
    assert_eq!(ny.end().to_string(), "2027-01-02T05:00:00Z");
}

#[test]
fn gaps_of_plain_intervals_are_their_own() {
    for zone in ["UTC", "America/New_York"] {
        let gaps = year(zone)
            .gaps(&Schedule::Every(Millis::from_mins(5)), None)
            .unwrap();
        assert_eq!(
            (gaps.longest, gaps.shortest),
            (Millis::from_mins(5), Millis::from_mins(5))
        );
        assert_eq!(gaps.starts, 366 * 288);
        assert_eq!(gaps.starts_per_day(), 288.0);
    }
    let gaps = year("UTC")
        .gaps(&Schedule::Every(Millis::DAY.times(500)), None)
        .unwrap();
    assert_eq!(gaps.longest, Millis::DAY.times(500));
    assert_eq!(year("UTC").gaps(&Schedule::Every(Millis(0)), None), None);
    let gaps = year("UTC").gaps(&Schedule::Every(Millis(1)), None).unwrap();
    assert_eq!(gaps.starts, 366 * 86_400_000, "more than 32 bits count");
    assert_eq!(gaps.lengths, vec![(Millis(1), gaps.starts)]);
    let night = window(22 * 60, 60);
    let gaps = year("UTC").gaps(&Schedule::Every(Millis::HOUR), Some(&night));
    let days = gaps.unwrap().days;
    assert!(
        days.contains(&vec![(hours(1), 2), (hours(22), 1)]),
        "{days:?}"
    );
}

#[test]
fn a_window_makes_the_night_the_longest_gap() {
    let gaps = year("UTC")
        .gaps(
            &Schedule::Every(Millis::from_mins(5)),
            Some(&window(60, 300)),
        )
        .unwrap();
    assert_eq!(gaps.longest, hours(20) + Millis::from_mins(5));
    assert_eq!(gaps.shortest, Millis::from_mins(5));
    assert_eq!(gaps.starts, 366 * 48);
    assert_eq!(
        gaps.lengths,
        [
            (Millis::from_mins(5), 366 * 47),
            (hours(20) + Millis::from_mins(5), 366)
        ]
    );
}

#[test]
fn clock_changes_stretch_and_shrink_a_day() {
    let daily = Schedule::Daily {
        minutes_of_day: vec![240],
    };
    let gaps = year("America/New_York").gaps(&daily, None).unwrap();
    assert_eq!((gaps.longest, gaps.shortest), (hours(25), hours(23)));
    let utc = year("UTC").gaps(&daily, None).unwrap();
    assert_eq!((utc.longest, utc.shortest), (hours(24), hours(24)));
    let hourly = year("America/New_York")
        .gaps(&Schedule::Hourly { minute: 0 }, None)
        .unwrap();
    assert_eq!((hourly.longest, hourly.shortest), (hours(1), hours(1)));
}

#[test]
fn calendar_modes_by_their_longest_gap() {
    let utc = year("UTC");
    let monthly = Schedule::Monthly {
        days: vec![31],
        times: vec![240],
    };
    let gaps = utc.gaps(&monthly, None).unwrap();
    assert_eq!(gaps.longest, Millis::DAY.times(61));
    assert_eq!(gaps.starts, 7);
    let weekly = Schedule::Weekly {
        days: vec![Weekday::Sun, Weekday::Wed],
        times: vec![240],
    };
    assert_eq!(utc.longest_gap(&weekly, None), Some(Millis::DAY.times(4)));
    assert_eq!(utc.shortest_gap(&weekly, None), Some(Millis::DAY.times(3)));
    let office = utc.gaps(&cron("*/15 8-18 * * mon-fri"), None).unwrap();
    assert_eq!(office.longest, hours(61) + Millis::from_mins(15));
    assert_eq!(office.shortest, Millis::from_mins(15));
    let quarter = Millis::from_mins(15);
    let night = hours(13) + quarter;
    assert_eq!(
        office.days,
        vec![
            // 1 January has no start before its first that is looked at.
            vec![(quarter, 43)],
            vec![(quarter, 43), (night, 1)],
            vec![(quarter, 43), (office.longest, 1)],
        ]
    );
    assert_eq!(
        utc.longest_gap(&cron("0 0 29 2 *"), None),
        Some(Millis::DAY.times(1461))
    );
    assert_eq!(utc.longest_gap(&cron("0 0 30 2 *"), None), None);
}

#[test]
fn what_never_runs() {
    let utc = year("UTC");
    assert!(utc.never_runs(&cron("0 0 30 2 *"), None));
    assert!(!utc.never_runs(&cron("0 0 29 2 *"), None));
    let daily = Schedule::Daily {
        minutes_of_day: vec![300],
    };
    assert!(utc.never_runs(&daily, Some(&window(60, 300))));
    assert!(!utc.never_runs(&daily, Some(&window(60, 301))));
    let every_day = Schedule::Every(Millis::DAY);
    assert!(utc.never_runs(&every_day, Some(&window(60, 120))));
    assert!(!year("Europe/London").never_runs(&every_day, Some(&window(60, 120))));
    let mondays = Window {
        days: vec![Weekday::Mon],
        ..window(0, 1440)
    };
    assert!(utc.never_runs(&cron("0 4 * * tue"), Some(&mondays)));
    // A leap day on a Monday comes in 2044.
    assert!(!utc.never_runs(&cron("0 4 29 2 *"), Some(&mondays)));
}

#[test]
fn a_change_of_the_clock_touches_fixed_times_only() {
    let ny = year("America/New_York");
    let daily = Schedule::Daily {
        minutes_of_day: vec![90, 150, 240],
    };
    let at = |text| Instant::parse(text).unwrap();
    let date = |text: &str| text.parse().unwrap();
    let skipped = ClockChangeHit {
        date: date("2026-03-08"),
        minute_of_day: 150,
        change: ClockChange::Skipped {
            runs_at: at("2026-03-08T07:00:00Z"),
        },
    };
    let repeated = ClockChangeHit {
        date: date("2026-11-01"),
        minute_of_day: 90,
        change: ClockChange::Repeated {
            first: at("2026-11-01T05:30:00Z"),
            second: at("2026-11-01T06:30:00Z"),
            runs_twice: false,
        },
    };
    assert_eq!(ny.clock_change_hits(&daily, None), [skipped, repeated]);
    assert_eq!(
        ny.clock_change_hits(&daily, Some(&window(120, 200))),
        [skipped]
    );
    assert_eq!(
        ny.clock_change_hits(&Schedule::Hourly { minute: 30 }, None),
        []
    );
    assert_eq!(ny.clock_change_hits(&cron("*/30 * * * *"), None), []);
    assert_eq!(ny.clock_change_hits(&cron("30 2 * * mon"), None), []);
    assert_eq!(ny.clock_change_hits(&cron("30 2 * * sun"), None), [skipped]);
    assert_eq!(year("UTC").clock_change_hits(&daily, None), []);
}

#[test]
fn the_ends_of_the_calendar_are_no_trap() {
    for date in [Date::MIN, Date::MAX] {
        let calendar = Calendar::of_year(Zone::parse("Asia/Tokyo").unwrap(), date);
        let window = window(1380, 60);
        for schedule in [
            cron("*/5 * * * *"),
            Schedule::Every(Millis(i64::MAX as u64)),
            Schedule::Every(Millis(u64::MAX)),
            Schedule::Every(Millis::HOUR),
        ] {
            calendar.gaps(&schedule, None);
            calendar.gaps(&schedule, Some(&window));
            calendar.never_runs(&schedule, Some(&window));
            for now in [Instant(i64::MIN), Instant(i64::MAX)] {
                if let Some(next) = schedule.next_in(now, calendar.zone(), Some(&window)) {
                    assert!(next > now);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn gaps_are_those_between_walked_starts(
        minutes in 7u64..4_000,
        from_min in 0u16..1440,
        length in 1u16..1440,
        windowed: bool,
        pattern in proptest::sample::select(vec![
            "*/20 * * * *", "*/15 1-3 * * *", "30 2 * * sun", "5 1 1,15 * mon", "0 0 31 * *",
        ]),
        by_pattern: bool,
        zone in proptest::sample::select(vec![
            "America/New_York", "Australia/Lord_Howe", "Africa/Cairo",
        ]),
    ) {
        let calendar = year(zone);
        let window = windowed.then(|| window(from_min, (from_min + length) % 1440));
        let window = window.as_ref();
        let schedule = match by_pattern {
            true => cron(pattern),
            false => Schedule::Every(Millis::from_mins(minutes)),
        };
        let (start, end, zone) = (calendar.start(), calendar.end(), calendar.zone());
        let mut walked: Vec<Instant> = schedule.starts(start, end, zone, window).collect();
        let inside = walked.len();
        let after = walked.last().copied().unwrap_or(end - Millis(1));
        walked.extend(schedule.next_in(after, zone, window));
        if inside == 0 {
            let after = walked.last().copied().unwrap_or(end);
            walked.extend(schedule.next_in(after, zone, window));
        }
        let gaps: Vec<Millis> = walked.windows(2).map(|p| p[1].since(p[0])).collect();
        let found = calendar.gaps(&schedule, window);
        prop_assert_eq!(found.as_ref().map(|g| g.longest), gaps.iter().max().copied());
        prop_assert_eq!(found.as_ref().map(|g| g.shortest), gaps.iter().min().copied());
        if let Some(found) = found {
            prop_assert_eq!(found.starts as usize, inside);
            let counted: u64 = found.lengths.iter().map(|(_, n)| n).sum();
            prop_assert_eq!(counted as usize, gaps.len());
        }
    }
}

#[test]
fn a_day_of_25_hours_counts_as_one_by_the_clock() {
    let ny = year("America/New_York");
    let daily = Schedule::Daily {
        minutes_of_day: vec![180],
    };
    let gaps = ny.gaps(&daily, None).unwrap();
    assert_eq!(
        (gaps.longest, gaps.longest_by_clock),
        (hours(25), hours(24))
    );
    // What counts elapsed time is not longer because the clock jumps.
    let every = Schedule::Every(hours(24));
    let gaps = ny.gaps(&every, None).unwrap();
    assert_eq!(
        (gaps.longest, gaps.longest_by_clock),
        (hours(24), hours(24))
    );
    let nights = ny.gaps(&every, Some(&window(0, 1440))).unwrap();
    assert_eq!(nights.longest_by_clock, hours(24));
    // A schedule that skips a day does so by the clock too.
    let weekdays = ny.gaps(&cron("0 3 * * mon-fri"), None).unwrap();
    assert_eq!(
        (weekdays.longest, weekdays.longest_by_clock),
        (hours(73), hours(72))
    );
    let five = ny.gaps(
        &Schedule::Every(Millis::from_mins(5)),
        Some(&window(60, 300)),
    );
    let five = five.unwrap();
    assert_eq!(five.longest_by_clock, hours(20) + Millis::from_mins(5));
}

proptest! {
    #[test]
    fn by_the_clock_no_gap_is_longer_than_it_was(
        minutes in proptest::collection::vec(0u16..1440, 1..4),
        zone in proptest::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe"]),
    ) {
        let mut minutes = minutes;
        minutes.sort_unstable();
        minutes.dedup();
        let daily = Schedule::Daily { minutes_of_day: minutes };
        let gaps = year(zone).gaps(&daily, None).unwrap();
        prop_assert!(gaps.longest_by_clock <= gaps.longest);
        prop_assert!(gaps.longest_by_clock <= Millis::DAY);
        if zone == "UTC" {
            prop_assert_eq!(gaps.longest_by_clock, gaps.longest);
        }
    }
}
