//! How long what one schedule brings waits for the next start of another.
//!
//! Half of the longest gap is the mean wait of what comes at any time. What a run by the clock has
//! brought comes at certain times, and where both schedules start at the same minute it may wait
//! for a whole gap, or for none. So the starts themselves are walked, over one stretch in which
//! both repeat.

use super::{Calendar, Instant, Millis, Schedule, Window};

/// Starts of the first leg that are walked at most.
const WALKED: usize = 3_000;
/// Points of a run at which what it writes is taken to arrive.
const POINTS: u32 = 4;
/// Legs by the clock that are walked at most: each has [`POINTS`] more ways to arrive.
const LEGS: usize = 4;

/// One leg of a way: a run by the clock, or a delay.
#[derive(Debug, Clone, PartialEq)]
pub enum Leg {
    /// Runs by the clock.
    Runs(Runs),
    /// What arrives is there so many seconds later.
    Delay(f64),
}

/// Runs by the clock. Times are seconds after a start.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    /// When they start.
    pub schedule: Schedule,
    /// Inside of what.
    pub window: Option<Window>,
    /// Until when a run still takes along what arrives at its source; below 0 where that has to be
    /// there for a while to be seen.
    pub looks: f64,
    /// When all is read, and what was shown is known.
    pub read: f64,
    /// The share of all records that a run is shown, 0 to 1. Such a record takes along whatever is
    /// known of it by then, though its source may not hold that yet.
    pub share: f64,
    /// When the first of what it took arrives.
    pub first: f64,
    /// When the last does.
    pub last: f64,
}

impl Runs {
    fn points(&self) -> impl Iterator<Item = i64> + '_ {
        (0..POINTS).map(|n| {
            let part = (f64::from(n) + 0.5) / f64::from(POINTS);
            millis(self.first + (self.last - self.first) * part)
        })
    }
}

/// The starts of runs over the stretch, and one stretch more.
struct Starts<'l> {
    runs: &'l Runs,
    at: Vec<i64>,
}

/// A delay, or runs with their starts.
enum Walked<'l> {
    Starts(Starts<'l>),
    Delay(i64),
}

/// The mean time in seconds from a first run's start until what it took has passed all further
/// legs. None: fewer than two legs run by the clock, or more than are walked; or their starts do
/// not follow one another within a year.
pub fn passage(calendar: &Calendar, first: &Runs, then: &[Leg]) -> Option<f64> {
    let clocks = || {
        let then = then.iter().filter_map(|leg| match leg {
            Leg::Runs(runs) => Some(runs),
            Leg::Delay(_) => None,
        });
        std::iter::once(first).chain(then)
    };
    if !(2..=LEGS).contains(&clocks().count()) {
        return None;
    }
    let mut longest = Millis(0);
    for runs in clocks() {
        longest = longest.max(calendar.longest_gap(&runs.schedule, runs.window.as_ref())?);
    }
    let windowed = clocks().any(|r| r.window.is_some());
    // Clocks change in few of the stretches; the mean is that of the others.
    let days = match longest.0.div_ceil(Millis::DAY.0) {
        ..=1 if !windowed => 1,
        ..=7 => 7,
        _ => 366,
    };
    let begin = calendar.start() + Millis::DAY.times(10);
    let end = begin + Millis::DAY.times(days);
    let starts = |runs: &Runs, to: Instant| -> Vec<i64> {
        let from = begin - longest;
        let all = runs
            .schedule
            .starts(from, to, calendar.zone(), runs.window.as_ref());
        all.map(|at| at.0).collect()
    };
    let mut walked = Vec::with_capacity(then.len());
    let mut after = end;
    for leg in then {
        walked.push(match leg {
            Leg::Delay(seconds) => Walked::Delay(millis(*seconds)),
            Leg::Runs(runs) => {
                let gap = calendar.longest_gap(&runs.schedule, runs.window.as_ref())?;
                after = after + gap.times(2) + Millis(millis(runs.last).unsigned_abs());
                let at = starts(runs, after);
                Walked::Starts(Starts { runs, at })
            }
        });
    }
    let own = starts(first, end);
    let (mut sum, mut weights) = (0.0, 0.0);
    let pairs = own.windows(2).filter(|pair| pair[1] >= begin.0);
    for pair in pairs.take(WALKED) {
        let [before, start] = pair else { continue };
        // What changes at any time has a run before it in proportion to the gap.
        let weight = (start - before) as f64;
        let mut took = 0.0;
        for point in first.points() {
            let known = start + millis(first.read);
            took += arrival((start + point, known), &walked)? - *start as f64;
        }
        sum += weight * took / f64::from(POINTS);
        weights += weight;
    }
    (weights > 0.0).then(|| sum / weights / 1_000.0)
}

/// When what is there at a time, and was known from an earlier one on, has passed all legs, on the
/// mean, in milliseconds.
fn arrival((at, known): (i64, i64), legs: &[Walked]) -> Option<f64> {
    let Some((leg, rest)) = legs.split_first() else {
        return Some(at as f64);
    };
    let leg = match leg {
        Walked::Delay(delay) => return arrival((at.saturating_add(*delay), known), rest),
        Walked::Starts(starts) => starts,
    };
    let runs = leg.runs;
    let first = |from: i64| leg.at.get(leg.at.partition_point(|s| *s < from)).copied();
    // The first start that still sees it, and the first at which it is known.
    let sees = first(at.saturating_sub(millis(runs.looks)))?;
    let knows = first(known.saturating_sub(millis(runs.read)))?;
    let mut sum = 0.0;
    for point in runs.points() {
        let mut one = arrival((sees.saturating_add(point), known), rest)?;
        if knows < sees && runs.share > 0.0 {
            let early = arrival((knows.saturating_add(point), known), rest)?;
            one += (early - one) * runs.share.min(1.0);
        }
        sum += one;
    }
    Some(sum / f64::from(POINTS))
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1_000.0).round().clamp(-1e14, 1e14) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Date, Zone};

    fn calendar() -> Calendar {
        Calendar::of_year(Zone::UTC, Date::from_ymd_opt(2026, 1, 1).unwrap())
    }

    fn runs(minutes: u64, looks: f64, first: f64, last: f64) -> Runs {
        Runs {
            schedule: Schedule::Every(Millis::from_mins(minutes)),
            window: None,
            looks,
            read: looks,
            share: 0.0,
            first,
            last,
        }
    }

    #[test]
    fn what_comes_just_after_a_start_waits_for_the_next() {
        let calendar = calendar();
        let first = runs(5, 0.1, 0.4, 0.4);
        // Both start together: what the first brings is too late for the second.
        let late = passage(&calendar, &first, &[Leg::Runs(runs(5, 0.1, 0.3, 0.3))]);
        assert_eq!(late, Some(300.3));
        // A source that answers slowly still takes it along.
        let along = passage(&calendar, &first, &[Leg::Runs(runs(5, 1.0, 1.5, 1.5))]);
        assert_eq!(along, Some(1.5));
        // A delay in between carries it over.
        let legs = [Leg::Delay(1.0), Leg::Runs(runs(5, 1.0, 1.5, 1.5))];
        assert_eq!(passage(&calendar, &first, &legs), Some(301.5));
    }

    #[test]
    fn a_record_that_is_shown_anyway_takes_along_what_is_known() {
        let calendar = calendar();
        let first = runs(5, 0.1, 0.4, 0.4);
        let half = Runs {
            share: 0.5,
            ..runs(5, 0.1, 0.3, 0.3)
        };
        // Half of the records go on with the very run that starts as the first does.
        let found = passage(&calendar, &first, &[Leg::Runs(half.clone())]);
        assert_eq!(found, Some((300.3 + 0.3) / 2.0));
        // One that has read before it is known does not.
        let early = Runs { read: 0.05, ..half };
        let found = passage(&calendar, &first, &[Leg::Runs(early)]);
        assert_eq!(found, Some(300.3));
    }

    #[test]
    fn a_frequent_schedule_before_a_rare_one_waits_half_of_it() {
        let calendar = calendar();
        let first = runs(1, 0.1, 0.4, 0.4);
        let hourly = Leg::Runs(runs(60, 0.1, 0.0, 0.0));
        let found = passage(&calendar, &first, &[hourly]).unwrap();
        // Of sixty starts the first waits for 60 minutes, the last for one.
        assert_eq!(found, 30.5 * 60.0);
    }

    #[test]
    fn one_leg_by_the_clock_is_none_and_many_are_too_many() {
        let calendar = calendar();
        let first = runs(1, 0.1, 0.4, 0.4);
        assert_eq!(passage(&calendar, &first, &[Leg::Delay(1.0)]), None);
        let many = vec![Leg::Runs(first.clone()); LEGS];
        assert_eq!(passage(&calendar, &first, &many), None);
    }

    #[test]
    fn starts_that_differ_by_the_day_are_walked_over_a_week() {
        let calendar = calendar();
        let first = Runs {
            schedule: Schedule::Daily {
                minutes_of_day: vec![120],
            },
            ..runs(1, 0.0, 0.0, 0.0)
        };
        let monday = Runs {
            schedule: Schedule::Weekly {
                days: vec![crate::terms::Weekday::Mon],
                times: vec![60],
            },
            ..runs(1, 0.0, 0.0, 0.0)
        };
        // From 02:00 on each day to 01:00 on the next Monday: 23 hours to 6 days and 23 hours.
        let found = passage(&calendar, &first, &[Leg::Runs(monday)]).unwrap();
        assert_eq!(found, (23.0 + 3.0 * 24.0) * 3_600.0);
    }
}
