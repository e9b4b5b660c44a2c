//! Until when each start of a run sees what arrives at its source: pages come one after the other,
//! and where a system takes one call at a time, one that is asked for while a run writes there comes
//! after all that this run has queued, and shows it.
//!
//! So how many pages a start reads, and what it sees, hangs on what was there before. Starts are
//! walked in their order, twice, so that the first of the stretch follows on its last.

use super::arrivals::{Arrivals, Coming, Inlet};
use super::cohorts::CLOSE;
use super::formula::distinct;

/// Beyond so many pages they are not walked one by one.
const PAGES: f64 = 64.0;

/// How a source is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    /// How long a call takes, in seconds.
    pub call: f64,
    /// Records in a page; none: all come in one.
    pub page: Option<u32>,
    /// How much older than asked what is shown is, in seconds.
    pub lag: f64,
    /// Whether the source takes one call at a time.
    pub one_at_a_time: bool,
    /// Whether all is read, in the order of keys, and how many records these are.
    pub all: Option<f64>,
}

/// What the starts of a stretch see; in seconds after it begins, by start, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Looks {
    /// Until when what arrives is seen.
    pub sees: Vec<f64>,
    /// When everything is read, and what was shown is known.
    pub knows: Vec<f64>,
}

impl Looks {
    /// Where every start takes as long.
    pub fn alike(starts: &[f64], (sees, knows): (f64, f64)) -> Looks {
        Looks {
            sees: starts.iter().map(|s| s + sees).collect(),
            knows: starts.iter().map(|s| s + knows).collect(),
        }
    }
}

/// Records that come together.
struct Comes {
    first: f64,
    last: f64,
    changes: f64,
}

/// What comes to a source, over a stretch that repeats.
struct Flow {
    period: f64,
    records: Option<f64>,
    /// Changes a second.
    steady: f64,
    /// By when the first record comes, ascending.
    runs: Vec<Comes>,
    /// The longest that one takes.
    longest: f64,
}

impl Flow {
    fn of(arrivals: &Arrivals, period: f64, records: Option<f64>, times: f64) -> Flow {
        let known = &arrivals.known;
        let rate = |process: usize| known.processes.get(process).map_or(0.0, |p| p.per_second);
        let through = |inlet: &Inlet| {
            let met = inlet.conditions.iter();
            let met = met.map(|c| known.conditions.get(*c).copied().unwrap_or(1.0));
            inlet.share * times * met.product::<f64>()
        };
        let mut steady = arrivals.touched * times;
        let mut runs = Vec::new();
        for inlet in &arrivals.all {
            match &inlet.coming {
                Coming::Steadily => {
                    let rates = inlet.processes.iter().map(|p| rate(*p));
                    steady += rates.sum::<f64>() * through(inlet);
                }
                Coming::Runs {
                    period: own,
                    bunches,
                    ..
                } => {
                    let copies = (period / own).round().max(1.0) as usize;
                    for bunch in bunches.iter() {
                        let made = bunch.made.iter();
                        let made = made.map(|m| rate(m.process) * (m.to - m.from) * m.share);
                        let changes = made.sum::<f64>() * through(inlet);
                        runs.extend((0..copies).map(|copy| {
                            let shift = inlet.delay + copy as f64 * own;
                            Comes {
                                first: bunch.first + shift,
                                last: bunch.last + shift,
                                changes,
                            }
                        }));
                    }
                }
            }
        }
        runs.sort_by(|a, b| a.first.total_cmp(&b.first));
        let longest = runs.iter().map(|r| r.last - r.first).fold(0.0, f64::max);
        Flow {
            period,
            records,
            steady,
            runs,
            longest,
        }
    }

    /// Runs that bring something between two times, with how much later than said.
    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = (&Comes, f64)> {
        let lowest = ((from - self.longest) / self.period).floor() as i64 - 1;
        let highest = (to / self.period).floor() as i64 + 1;
        (lowest..=highest).flat_map(move |copy| {
            let shift = copy as f64 * self.period;
            let begin = from - self.longest - CLOSE - shift;
            let begin = self.runs.partition_point(|r| r.first < begin);
            let rest = self.runs.get(begin..).unwrap_or_default().iter();
            let rest = rest.take_while(move |r| r.first + shift <= to);
            rest.filter(move |r| r.last + shift >= from)
                .map(move |r| (r, shift))
        })
    }

    /// Records that changed after one time and until another.
    fn met(&self, from: f64, to: f64) -> f64 {
        let mut changes = self.steady * (to - from).max(0.0);
        for (run, shift) in self.between(from, to) {
            let (first, last) = (run.first + shift, run.last + shift);
            let part = match last - first > CLOSE {
                true => (last.min(to) - first.max(from)) / (last - first),
                false => f64::from(u8::from(first > from && first <= to)),
            };
            changes += run.changes * part.clamp(0.0, 1.0);
        }
        distinct(self.records, changes, 1.0)
    }

    /// Until when a call waits that is asked for at a time: for what a run has queued before.
    fn waits(&self, at: f64, call: f64) -> f64 {
        let ahead = self.between(at, at + self.longest + call);
        let ahead = ahead.filter(|(run, shift)| {
            let queued = run.first + shift - call;
            run.last > run.first && queued < at - CLOSE && run.last + shift > at
        });
        let until = ahead.map(|(run, shift)| run.last + shift);
        until.fold(at, f64::max)
    }
}

impl Paging {
    /// What each start sees of what arrives. `records`, `times`: how many there are, and how many
    /// times as many as declared change.
    pub fn looks(
        &self,
        arrivals: &Arrivals,
        (starts, period): (&[f64], f64),
        (records, times): (Option<f64>, f64),
    ) -> Looks {
        if let Some(all) = self.all {
            // By key: what changes behind the page is not seen.
            let pages = super::formula::full_read_calls(all, self.page);
            return Looks::alike(starts, (self.call - self.lag, self.call * pages));
        }
        let flow = Flow::of(arrivals, period, records, times);
        let last = starts.last().copied().unwrap_or_default();
        let mut seen = last - 2.0 * period + self.call - self.lag;
        let mut looks = Looks {
            sees: Vec::with_capacity(starts.len()),
            knows: Vec::with_capacity(starts.len()),
        };
        for round in [-period, 0.0] {
            for start in starts {
                let ends = self.ends(&flow, start + round, seen);
                seen = seen.max(ends - self.lag);
                if round == 0.0 {
                    looks.sees.push(seen);
                    looks.knows.push(ends);
                }
            }
        }
        looks
    }

    /// When a start that was last shown what came until `seen` has read its last page; as many pages
    /// as the mean of what there is fills.
    fn ends(&self, flow: &Flow, start: f64, seen: f64) -> f64 {
        let mut asked = start;
        let mut pages = 1.0;
        loop {
            let begins = match self.one_at_a_time {
                true => flow.waits(asked, self.call),
                false => asked,
            };
            let answered = begins + self.call;
            let Some(page) = self.page else {
                return answered;
            };
            let met = flow.met(seen, answered - self.lag) / f64::from(page.max(1));
            if met <= pages {
                return answered;
            }
            if pages >= PAGES {
                return answered + self.call * (met - pages);
            }
            pages += 1.0;
            asked = answered;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(steady: f64, runs: Vec<Comes>) -> Flow {
        let longest = runs.iter().map(|r| r.last - r.first).fold(0.0, f64::max);
        Flow {
            period: 1_000.0,
            records: None,
            steady,
            runs,
            longest,
        }
    }

    fn paging(one_at_a_time: bool) -> Paging {
        Paging {
            call: 0.2,
            page: Some(100),
            lag: 0.0,
            one_at_a_time,
            all: None,
        }
    }

    #[test]
    fn as_many_pages_are_read_as_there_are() {
        for (steady, pages) in [(0.0, 1), (0.05, 1), (0.25, 3), (20.0, 201)] {
            let ends = paging(true).ends(&flow(steady, Vec::new()), 1_000.0, 0.0);
            let read = ((ends - 1_000.0) / 0.2).round() as i64;
            assert!((read - pages).abs() <= 2, "{steady}: {read} of {pages}");
        }
    }

    #[test]
    fn a_page_after_what_is_being_written_shows_all_of_it() {
        let run = || {
            vec![Comes {
                first: 0.3,
                last: 18.0,
                changes: 90.0,
            }]
        };
        // The second page waits, and there is a third of what it shows.
        let ends = paging(true).ends(&flow(0.15, run()), 0.0, -900.0);
        assert!((ends - 18.4).abs() < 1e-9, "{ends}");
        // Where calls go side by side it does not; nor is a page that is the only one late.
        let ends = paging(false).ends(&flow(0.15, run()), 0.0, -900.0);
        assert!((ends - 0.4).abs() < 1e-9, "{ends}");
        let ends = paging(true).ends(&flow(0.05, run()), 0.0, -950.0);
        assert!((ends - 0.2).abs() < 1e-9, "{ends}");
    }

    #[test]
    fn what_comes_is_met_once() {
        let run = Comes {
            first: 990.0,
            last: 1_010.0,
            changes: 40.0,
        };
        let flow = flow(0.0, vec![run]);
        let parts = [(-500.0, -5.0), (-5.0, 0.0), (0.0, 3.0), (3.0, 500.0)];
        let sum: f64 = parts.iter().map(|(from, to)| flow.met(*from, *to)).sum();
        assert!((sum - 40.0).abs() < 1e-9, "{sum}");
    }
}
