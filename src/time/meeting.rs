//! How soon the starts of one schedule come after those of another.

use std::sync::PoisonError;

use super::calendar::Question;
use super::{Calendar, Instant, Millis, Schedule, Window};

/// Days over which starts are looked at: each weekday and each day of a month is among them.
const DAYS: u64 = 32;
/// Starts that are looked at most.
const STARTS: usize = 100_000;

impl Calendar {
    /// The shortest time after which a start of a schedule follows one of another, 0 where both
    /// ever start at once. None: within a month one of them never starts.
    pub fn shortest_lag(
        &self,
        (schedule, window): (&Schedule, Option<&Window>),
        after: (&Schedule, Option<&Window>),
    ) -> Option<Millis> {
        if (schedule, window) == after {
            return Some(Millis::ZERO);
        }
        let question = |s: &Schedule, w: Option<&Window>| -> Question { (s.clone(), w.cloned()) };
        let key = (question(schedule, window), question(after.0, after.1));
        let lock = || self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return *known;
        }
        let found = self.find_lag((schedule, window), after);
        lock().insert(key, found);
        found
    }

    fn find_lag(
        &self,
        (schedule, window): (&Schedule, Option<&Window>),
        (before, before_window): (&Schedule, Option<&Window>),
    ) -> Option<Millis> {
        let begin = Instant(self.start().0 - 1);
        let end = begin + Millis::DAY.times(DAYS);
        let starts = schedule.starts(begin, end, self.zone(), window);
        let mut earlier = before
            .starts(begin, end, self.zone(), before_window)
            .peekable();
        let mut last: Option<Instant> = None;
        let mut least: Option<Millis> = None;
        for start in starts.take(STARTS) {
            while let Some(at) = earlier.next_if(|at| *at <= start) {
                last = Some(at);
            }
            let lag = last.map(|at| start.since(at));
            least = match (least, lag) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            if least == Some(Millis::ZERO) {
                break;
            }
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Date, Zone};

    #[test]
    fn starts_meet_or_follow_one_another() {
        let calendar = Calendar::of_year(Zone::UTC, Date::from_ymd_opt(2026, 1, 1).unwrap());
        let every = |minutes| Schedule::Every(Millis::from_mins(minutes));
        let daily = |minute| Schedule::Daily {
            minutes_of_day: vec![minute],
        };
        let lag = |a: &Schedule, b: &Schedule| calendar.shortest_lag((a, None), (b, None));
        assert_eq!(lag(&daily(120), &every(15)), Some(Millis::ZERO));
        assert_eq!(lag(&daily(125), &every(15)), Some(Millis::from_mins(5)));
        // The next quarter of an hour comes ten minutes after it.
        assert_eq!(lag(&every(15), &daily(125)), Some(Millis::from_mins(10)));
        assert_eq!(lag(&daily(125), &daily(125)), Some(Millis::ZERO));
        assert_eq!(
            lag(&daily(60), &daily(120)),
            Some(Millis::from_mins(23 * 60))
        );
    }
}
