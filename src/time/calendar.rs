//! What a schedule does over a year: how far apart its starts lie, how many there are, and which
//! of them a change of the clock touches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{Datelike, NaiveDate};

use super::plan::{Plan, SEARCH_DAYS, is_plain};
use super::zone::Reading;
use super::{Instant, Millis, Schedule, Window, Zone};

/// How many days a calendar looks ahead.
pub(super) const HORIZON_DAYS: u32 = 366;

/// The 366 days from 1 January of a year in one zone.
///
/// It keeps the zone's days and the gaps that it was asked for, so that thousands of scenarios
/// with few distinct schedules cost little; hand one around instead of making several.
#[derive(Debug)]
pub struct Calendar {
    zone: Zone,
    days: Vec<Day>,
    end: Instant,
    /// Only ever looked up, so its order reaches nobody.
    known: Mutex<HashMap<Question, Option<Gaps>>>,
    /// The same for how soon starts of one follow those of another.
    pub(super) lags: Mutex<HashMap<(Question, Question), Option<Millis>>>,
}

/// What gaps are asked for.
pub(super) type Question = (Schedule, Option<Window>);

/// A date of the calendar.
#[derive(Debug, Clone, Copy)]
struct Day {
    date: NaiveDate,
    start: Instant,
    /// Whether neither it nor its neighbours see a change of the clock.
    calm: bool,
}

/// How far apart the starts of a schedule lie over the horizon.
///
/// The gaps counted are those that begin with a start in the horizon; where none lies in it, the
/// first that begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps {
    /// The longest.
    pub longest: Millis,
    /// The longest where each gap counts for what passed or for what a wall clock says that passed,
    /// whichever is less: `daily at 03:00` then never skips more than 24 hours, though one day of
    /// the year may have 25.
    pub longest_by_clock: Millis,
    /// The shortest.
    pub shortest: Millis,
    /// Each length that occurs with how often it does, shortest first.
    pub lengths: Vec<(Millis, u64)>,
    /// How many starts the horizon holds; a year of milliseconds is more than 32 bits count.
    pub starts: u64,
    /// What its dates hold: the gaps before the starts of one, each length with how often it
    /// occurs, and each kind of date once. With `every` in a window its openings take the place of
    /// its dates. What comes before the first start of the horizon is not looked at.
    pub days: Vec<Vec<(Millis, u64)>>,
}

impl Gaps {
    /// Starts a day, the mean over the horizon.
    pub fn starts_per_day(&self) -> f64 {
        self.starts as f64 / f64::from(HORIZON_DAYS)
    }
}

/// A start time that a change of the clock touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockChangeHit {
    /// The date.
    pub date: super::Date,
    /// The time as written, in minutes of the day.
    pub minute_of_day: u16,
    /// What happens to it.
    pub change: ClockChange,
}

/// What a change of the clock does to a start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// The clock skips it; it runs when the gap ends.
    Skipped {
        /// The end of the gap.
        runs_at: Instant,
    },
    /// The clock shows it twice.
    Repeated {
        /// The first pass, on which it runs.
        first: Instant,
        /// The second pass.
        second: Instant,
        /// Whether it runs on the second pass too (cron that steps through hours).
        runs_twice: bool,
    },
}

impl Calendar {
    /// The horizon that holds the date's year, in a zone.
    pub fn of_year(zone: Zone, date: super::Date) -> Calendar {
        let first = NaiveDate::from_ymd_opt(date.year(), 1, 1).unwrap_or(date);
        let eve = first.pred_opt().unwrap_or(first);
        let dates: Vec<NaiveDate> = eve.iter_days().take(HORIZON_DAYS as usize + 2).collect();
        let plain: Vec<bool> = dates.iter().map(|date| is_plain(zone, *date)).collect();
        let days = dates
            .windows(3)
            .zip(plain.windows(3))
            .filter_map(|(dates, plain)| {
                let date = *dates.get(1)?;
                Some(Day {
                    date,
                    start: zone.start_of(date),
                    calm: plain.iter().all(|plain| *plain),
                })
            })
            .collect();
        let end = dates
            .last()
            .map_or(Instant::EPOCH, |date| zone.start_of(*date));
        Calendar {
            zone,
            days,
            end,
            known: Mutex::default(),
            lags: Mutex::default(),
        }
    }

    /// Its zone.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// Its first instant.
    pub fn start(&self) -> Instant {
        self.days.first().map_or(self.end, |day| day.start)
    }

    /// The first instant after it.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// How far apart the starts inside the window lie; none where fewer than two ever come.
    pub fn gaps(&self, schedule: &Schedule, window: Option<&Window>) -> Option<Gaps> {
        let key = (schedule.clone(), window.cloned());
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let gaps = self.measure(schedule, window);
        lock().insert(key, gaps.clone());
        gaps
    }

    /// The longest gap between two starts inside the window.
    pub fn longest_gap(&self, schedule: &Schedule, window: Option<&Window>) -> Option<Millis> {
        self.gaps(schedule, window).map(|gaps| gaps.longest)
    }

    /// The shortest gap between two starts inside the window.
    pub fn shortest_gap(&self, schedule: &Schedule, window: Option<&Window>) -> Option<Millis> {
        self.gaps(schedule, window).map(|gaps| gaps.shortest)
    }

    /// Whether it never starts, or never inside the window, however far ahead one looks.
    pub fn never_runs(&self, schedule: &Schedule, window: Option<&Window>) -> bool {
        let Some(plan) = Plan::of(schedule) else {
            let before = self.start() - Millis(1);
            return schedule.next_in(before, self.zone, window).is_none();
        };
        let first = self.days.first().map(|day| day.date).unwrap_or_default();
        let runs = |date: NaiveDate| match window {
            None => !plan.minutes.is_empty(),
            Some(window) => plan
                .minutes
                .iter()
                .any(|m| window.contains_minute(date, *m)),
        };
        // Seven dates in a row show whether any weekday has a start in the window at all.
        let sometimes: Vec<bool> = first.iter_days().take(7).map(runs).collect();
        !first
            .iter_days()
            .take(SEARCH_DAYS)
            .zip(sometimes.iter().cycle())
            .any(|(date, runs)| *runs && plan.on(date))
    }

    /// The start times that a change of the clock skips or repeats within the horizon; none for
    /// `every`, `hourly` and cron that fires 24 times a day or more.
    pub fn clock_change_hits(
        &self,
        schedule: &Schedule,
        window: Option<&Window>,
    ) -> Vec<ClockChangeHit> {
        let Some(plan) = Plan::of(schedule).filter(|plan| plan.minutes.len() < 24) else {
            return Vec::new();
        };
        let mut hits = Vec::new();
        for day in self
            .days
            .iter()
            .filter(|day| !day.calm && plan.on(day.date))
        {
            for minute in &plan.minutes {
                if window.is_some_and(|w| !w.contains_minute(day.date, *minute)) {
                    continue;
                }
                let change = match self.zone.reading(day.date, *minute) {
                    Reading::Once(_) => continue,
                    Reading::Skipped(runs_at) => ClockChange::Skipped { runs_at },
                    Reading::Twice(first, second) => ClockChange::Repeated {
                        first,
                        second,
                        runs_twice: plan.both_passes,
                    },
                };
                hits.push(ClockChangeHit {
                    date: day.date,
                    minute_of_day: *minute,
                    change,
                });
            }
        }
        hits
    }

    fn measure(&self, schedule: &Schedule, window: Option<&Window>) -> Option<Gaps> {
        let mut tally = Tally::default();
        let mut last = None;
        match schedule {
            Schedule::Every(every) => self.tally_every(*every, window, &mut tally, &mut last)?,
            _ => {
                let starts = self.collect(&Plan::of(schedule)?, window);
                tally.starts = starts.len() as u64;
                for pair in starts.windows(2) {
                    if let [a, b] = pair {
                        tally.add_between(*a, *b, self.zone);
                    }
                }
                self.tally_days(&starts, &mut tally);
                last = starts.last().copied();
            }
        }
        let next = |after| schedule.next_in(after, self.zone, window);
        let from = match last {
            Some(last) => last,
            None => next(self.end - Millis(1))?,
        };
        // A last start ever (no calendar knows one) leaves the gaps before it.
        if let Some(to) = next(from) {
            tally.add_between(from, to, self.zone);
        }
        tally.finish()
    }

    /// The gaps between multiples of a duration, a window at a time instead of start by start.
    fn tally_every(
        &self,
        every: Millis,
        window: Option<&Window>,
        tally: &mut Tally,
        last: &mut Option<Instant>,
    ) -> Option<()> {
        let step = i64::try_from(every.0).ok().filter(|step| *step > 0)?;
        for (open, close) in self.open_spans(window) {
            let first = Instant(step.checked_mul(-(-open.0).div_euclid(step))?);
            let count = (close.0 - first.0)
                .saturating_add(step - 1)
                .div_euclid(step);
            let Some(count) = u64::try_from(count).ok().filter(|count| *count > 0) else {
                continue;
            };
            let mut day = BTreeMap::from([(every, count - 1)]);
            if let Some(last) = *last {
                tally.add_between(last, first, self.zone);
                *day.entry(first.since(last)).or_default() += 1;
            }
            tally.add_day(day);
            tally.add(every, count - 1);
            tally.starts += count;
            *last = Some(first + every.times(count - 1));
        }
        Some(())
    }

    /// The parts of the horizon in which the window is open, one or two a day; without a window
    /// its days.
    fn open_spans(&self, window: Option<&Window>) -> Vec<(Instant, Instant)> {
        let ends = self
            .days
            .iter()
            .skip(1)
            .map(|day| day.start)
            .chain([self.end]);
        let Some(window) = window else {
            return self.days.iter().map(|day| day.start).zip(ends).collect();
        };
        let eve = self.days.first().and_then(|day| day.date.pred_opt());
        eve.into_iter()
            .chain(self.days.iter().map(|day| day.date))
            .filter_map(|date| window.span(date, self.zone))
            .map(|(open, close)| (open.max(self.start()), close.min(self.end)))
            .filter(|(open, close)| open < close)
            .collect()
    }

    /// The starts of a plan within the horizon and the window, in order.
    fn collect(&self, plan: &Plan, window: Option<&Window>) -> Vec<Instant> {
        let mut all = Vec::new();
        let mut today = Vec::new();
        for day in self.days.iter().filter(|day| plan.on(day.date)) {
            today.clear();
            if day.calm {
                let open = |m: &&u16| window.is_none_or(|w| w.contains_minute(day.date, **m));
                let at = |m: &u16| day.start + Millis::from_mins(u64::from(*m));
                today.extend(plan.minutes.iter().filter(open).map(at));
            } else {
                plan.starts_on(self.zone, day.date, &mut today);
                today.sort_unstable();
                today.dedup();
                today.retain(|start| window.is_none_or(|w| w.contains(*start, self.zone)));
            }
            all.append(&mut today);
        }
        all.retain(|start| *start < self.end);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The gaps before the starts of each date.
    fn tally_days(&self, starts: &[Instant], tally: &mut Tally) {
        let mut pairs = starts.windows(2).peekable();
        let ends = self.days.iter().skip(1).map(|day| day.start);
        for end in ends.chain([self.end]) {
            let mut day = BTreeMap::new();
            while let Some([before, start]) =
                pairs.next_if(|pair| matches!(pair, [_, b] if *b < end))
            {
                *day.entry(start.since(*before)).or_default() += 1;
            }
            tally.add_day(day);
        }
    }
}

/// Gaps while they are counted.
#[derive(Default)]
struct Tally {
    lengths: BTreeMap<Millis, u64>,
    longest_by_clock: Millis,
    starts: u64,
    days: BTreeSet<Vec<(Millis, u64)>>,
}

impl Tally {
    fn add_day(&mut self, gaps: BTreeMap<Millis, u64>) {
        let gaps: Vec<(Millis, u64)> = gaps.into_iter().filter(|(_, times)| *times > 0).collect();
        if !gaps.is_empty() {
            self.days.insert(gaps);
        }
    }

    /// Adds gaps that count for what passes, whatever the clock does.
    fn add(&mut self, gap: Millis, times: u64) {
        if times > 0 {
            *self.lengths.entry(gap).or_default() += times;
            self.longest_by_clock = self.longest_by_clock.max(gap);
        }
    }

    fn add_between(&mut self, from: Instant, to: Instant, zone: Zone) {
        let gap = to.since(from);
        *self.lengths.entry(gap).or_default() += 1;
        // Only a gap that would be the longest is worth a look at the zone: thousands of a year
        // are alike.
        if gap > self.longest_by_clock {
            let shown = gap
                .0
                .saturating_add_signed(zone.offset_ms(to) - zone.offset_ms(from));
            self.longest_by_clock = self.longest_by_clock.max(gap.min(Millis(shown)));
        }
    }

    fn finish(self) -> Option<Gaps> {
        Some(Gaps {
            longest: *self.lengths.keys().next_back()?,
            shortest: *self.lengths.keys().next()?,
            longest_by_clock: self.longest_by_clock,
            lengths: self.lengths.into_iter().collect(),
            starts: self.starts,
            days: self.days.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
