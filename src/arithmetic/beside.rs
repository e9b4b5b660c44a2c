//! What else shows a relay its records by event: whichever change of a record arrives, all that is
//! known of the record goes along with it, long before it arrives itself.
//!
//! May use what follows changes in cohorts; knows nothing of hops, calls or limits.

use std::collections::BTreeMap;

use super::cohorts::{Cohort, Relay};
use super::relays::Run;
use crate::graph::HopId;

/// Below this share of changes nothing more is followed.
const LITTLE: f64 = 1e-3;

/// What shows records, over one stretch that repeats.
pub(super) struct Shows {
    period: f64,
    /// How often a second what comes steadily shows a record.
    steady: Often,
    /// What runs bring, by when, ascending.
    runs: Vec<(f64, Shown)>,
}

/// How often a record is shown: by changes that go on themselves, and by others.
#[derive(Debug, Clone, Copy, Default)]
struct Often {
    carried: f64,
    other: f64,
}

/// A run that shows records.
#[derive(Debug, Clone, Copy)]
struct Shown {
    often: Often,
    run: Run,
    made_in: f64,
    by: Option<HopId>,
}

/// How changes are taken along.
#[derive(Debug, Clone, Copy)]
pub(super) enum With {
    /// With something that goes on anyway.
    Another,
    /// Alone, one by one.
    Alone,
    /// With a run that shows the record and has nothing of its own to pass on; within how long what
    /// it brings was made, and the hop that brings it in its batches.
    Run(Run, f64, Option<HopId>),
}

impl Often {
    fn add(&mut self, carried: bool, times: f64) {
        match carried {
            true => self.carried += times,
            false => self.other += times,
        }
    }

    fn all(self) -> f64 {
        self.carried + self.other
    }

    /// The part of what is shown that goes with what goes on anyway.
    fn carried_part(self) -> f64 {
        self.carried / self.all().max(f64::MIN_POSITIVE)
    }
}

impl Shows {
    /// Of all that arrives at a relay.
    pub fn of(relay: &Relay<'_>, cohorts: &[Cohort], period: f64) -> Shows {
        let records = relay.records.unwrap_or(f64::INFINITY).max(1.0);
        let mut steady = Often::default();
        let mut runs: BTreeMap<Run, (f64, Shown)> = BTreeMap::new();
        for cohort in cohorts {
            let carried = relay.carries(cohort.made.process);
            for arrival in &cohort.arrivals {
                let times = cohort.changes * arrival.share.min(1.0) / records;
                let Some(run) = relay.run_of(arrival, period) else {
                    steady.add(carried, times / period);
                    continue;
                };
                let at = f64::midpoint(arrival.first, arrival.last).rem_euclid(period);
                let shown = Shown {
                    often: Often::default(),
                    run,
                    made_in: arrival.made_in,
                    by: arrival.brought_by(),
                };
                let entry = runs.entry(run).or_insert((at, shown));
                entry.1.often.add(carried, times);
            }
        }
        let mut runs: Vec<(f64, Shown)> = runs.into_values().collect();
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        Shows {
            period,
            steady,
            runs,
        }
    }

    /// What is taken along of changes that are known and wait until they arrive: of each part the
    /// share, when, and how. Gives the share that is left for their own arrival.
    pub fn before(&self, known: f64, arrives: f64, mut goes: impl FnMut(f64, f64, With)) -> f64 {
        let mut left = 1.0;
        let mut from = known;
        for (at, shown) in self.between(known, arrives) {
            left -= self.meanwhile(left, (from, at), &mut goes);
            from = at;
            let share = left * -(-shown.often.all()).exp_m1();
            left -= share;
            let along = share * shown.often.carried_part();
            goes(along, at, With::Another);
            let with = With::Run(shown.run, shown.made_in, shown.by);
            goes(share - along, at, with);
            if left < LITTLE {
                return left;
            }
        }
        left - self.meanwhile(left, (from, arrives), &mut goes)
    }

    /// What comes steadily between two times takes along of what is left.
    fn meanwhile(
        &self,
        left: f64,
        (from, to): (f64, f64),
        goes: &mut impl FnMut(f64, f64, With),
    ) -> f64 {
        let shown = self.steady.all() * (to - from);
        if shown <= 0.0 {
            return 0.0;
        }
        let share = left * -(-shown).exp_m1();
        // The mean of an exponential wait that ends within the stretch.
        let wait = match shown < 1e-3 {
            true => 0.5,
            false => 1.0 / shown - 1.0 / shown.exp_m1(),
        };
        let at = from + (to - from) * wait;
        let along = share * self.steady.carried_part();
        goes(along, at, With::Another);
        goes(share - along, at, With::Alone);
        share
    }

    /// Runs that show records between two times, with when.
    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = (f64, &Shown)> {
        let copy = (from / self.period).floor();
        let here = from - copy * self.period;
        let first = self.runs.partition_point(|run| run.0 <= here);
        let count = self.runs.len();
        let number = first..;
        let all = number.map_while(move |n| {
            let (at, shown) = self.runs.get(n.checked_rem(count)?)?;
            let copies = copy + n.checked_div(count)? as f64;
            Some((at + copies * self.period, shown))
        });
        all.take_while(move |(at, _)| *at < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(shows: &Shows, known: f64, arrives: f64) -> (f64, Vec<(f64, f64)>) {
        let mut all = Vec::new();
        let left = shows.before(known, arrives, |share, at, _| {
            if share > 0.0 {
                all.push((share, at));
            }
        });
        (left, all)
    }

    #[test]
    fn what_nothing_shows_waits_until_it_arrives() {
        let shows = Shows {
            period: 100.0,
            steady: Often::default(),
            runs: Vec::new(),
        };
        assert_eq!(gone(&shows, 3.0, 900.0), (1.0, Vec::new()));
    }

    #[test]
    fn shares_add_up_and_go_while_they_wait() {
        let run = |at: f64| {
            let often = Often {
                carried: 0.2,
                other: 0.3,
            };
            let shown = Shown {
                often,
                run: (0, at as usize, 0),
                made_in: 0.0,
                by: None,
            };
            (at, shown)
        };
        let shows = Shows {
            period: 100.0,
            steady: Often {
                carried: 0.0,
                other: 0.001,
            },
            runs: vec![run(10.0), run(60.0)],
        };
        for (known, arrives) in [(0.0, 5.0), (0.0, 50.0), (65.0, 130.0), (-45.0, 430.0)] {
            let (left, all) = gone(&shows, known, arrives);
            let sum: f64 = all.iter().map(|(share, _)| share).sum();
            // What is left is given up where it is next to nothing.
            assert!(
                (left + sum - 1.0).abs() < 2e-3,
                "{known} {arrives}: {left} {sum}"
            );
            assert!(all.iter().all(|(_, at)| *at > known && *at < arrives));
            let steadily = (-0.001 * (arrives - known)).exp();
            let runs =
                (known as i64..arrives as i64).filter(|s| [10, 60].contains(&s.rem_euclid(100)));
            let exact = steadily * (-0.5 * runs.count() as f64).exp();
            assert!(
                (left - exact).abs() < 2e-3,
                "{known} {arrives}: {left} {exact}"
            );
        }
    }
}
