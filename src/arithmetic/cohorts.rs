//! Changes followed in cohorts: those of one kind, made within so short a time that all of them
//! become known, and arrive at a relay, at the same time.

use super::arrivals::{Bunch, Coming, Inlet, Kind, Known, Made, Teller};
use super::formula::DAY_SECONDS;
use crate::graph::HopId;
use crate::model::FieldId;

/// Points of a bunch at which its records are taken to arrive.
const POINTS: usize = 4;
/// Times closer than this are one, in seconds.
pub(super) const CLOSE: f64 = 1e-3;

/// A relay as it is for records that meet certain conditions.
pub(super) struct Relay<'a> {
    pub known: &'a Known,
    /// The fields that it carries.
    pub fields: &'a [FieldId],
    /// What it carries.
    pub carried: Vec<&'a Inlet>,
    /// What shows it records.
    pub all: Vec<&'a Inlet>,
    /// Changes a second that show it records and are nothing to it.
    pub touched: f64,
    pub records: Option<f64>,
    /// How many times as many records as declared change.
    pub times: f64,
}

/// Fields of which the runner is told on the same ways.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class {
    pub process: usize,
    pub fields: Vec<FieldId>,
    pub told: Vec<usize>,
}

/// Changes that become known, and arrive, together.
pub(super) struct Cohort {
    pub made: Made,
    /// How many.
    pub changes: f64,
    /// When they are known, by class of the fields that the relay carries.
    pub known: Vec<(usize, f64)>,
    pub arrivals: Vec<Arrival>,
}

/// One of the ways on which a cohort arrives.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub first: f64,
    pub last: f64,
    pub share: f64,
    /// The way's position, and the run's on it.
    pub inlet: usize,
    pub run: Option<(usize, i64)>,
    pub by: Option<HopId>,
    pub made_in: f64,
}

/// What a run brings, to be found by when it was made.
struct Lookup<'a> {
    /// Sorted by when they begin: spans of time, with the runs that bring what was made then.
    spans: Vec<(Made, &'a Bunch, usize)>,
    longest: f64,
    period: f64,
}

impl<'a> Lookup<'a> {
    /// What an inlet brings with runs; none: it brings all steadily.
    fn on(process: usize, inlet: &'a Inlet) -> Option<Lookup<'a>> {
        let Coming::Runs {
            bunches, period, ..
        } = &inlet.coming
        else {
            return None;
        };
        let all = bunches.iter().enumerate();
        let mut spans: Vec<(Made, &Bunch, usize)> = all
            .flat_map(|(run, bunch)| {
                let own = bunch.made.iter().filter(|m| m.process == process);
                own.map(move |made| (*made, bunch, run))
            })
            .collect();
        spans.sort_by(|a, b| a.0.from.total_cmp(&b.0.from));
        let longest = spans.iter().map(|s| s.0.to - s.0.from);
        let longest = longest.fold(0.0, f64::max);
        Some(Lookup {
            spans,
            longest,
            period: *period,
        })
    }

    /// The runs that bring what was made at a time, each with how much later than said it runs.
    fn at(&self, time: f64) -> impl Iterator<Item = (&(Made, &'a Bunch, usize), f64)> {
        let lowest = self.spans.first().map_or(0.0, |s| s.0.from);
        let highest = self.spans.last().map_or(0.0, |s| s.0.from) + self.longest;
        let from = ((time - highest) / self.period).floor();
        let to = ((time - lowest) / self.period).ceil();
        let copies = (to - from).clamp(0.0, 64.0) as i64;
        (0..=copies).flat_map(move |copy| {
            let shift = (from + copy as f64) * self.period;
            let here = time - shift;
            let end = self.spans.partition_point(|s| s.0.from <= here);
            let before = self.spans[..end].iter().rev();
            let near = before.take_while(move |s| s.0.from > here - self.longest - CLOSE);
            near.filter(move |s| s.0.to > here).map(move |s| (s, shift))
        })
    }
}

impl Relay<'_> {
    pub fn rate(&self, process: usize) -> f64 {
        let known = self.known.processes.get(process);
        known.map_or(0.0, |p| p.per_second * self.times)
    }

    /// The fields that it carries, by what makes their changes and what tells of them.
    pub fn classes(&self) -> Vec<Class> {
        let mut out: Vec<Class> = Vec::new();
        for (number, process) in self.known.processes.iter().enumerate() {
            if !self.carries(number) {
                continue;
            }
            for field in self.fields {
                if matches!(process.of, Kind::Field(own, _) if own != *field) {
                    continue;
                }
                let Some(told) = self.known.told.get(&(*field, process.origin)) else {
                    continue;
                };
                let same = |c: &&mut Class| c.process == number && c.told == *told;
                match out.iter_mut().find(same) {
                    Some(class) => class.fields.push(*field),
                    None => out.push(Class {
                        process: number,
                        fields: vec![*field],
                        told: told.clone(),
                    }),
                }
            }
        }
        out
    }

    /// The cohorts of what it is shown, over one stretch. `seen`: times at which something that
    /// comes steadily becomes known, and has arrived.
    pub fn cohorts(&self, classes: &[Class], period: f64, seen: (&[f64], &[f64])) -> Vec<Cohort> {
        let mut processes: Vec<usize> = Vec::new();
        for inlet in self.carried.iter().chain(&self.all) {
            processes.extend(&inlet.processes);
        }
        processes.sort_unstable();
        processes.dedup();
        let mut out = Vec::new();
        for process in processes {
            let own = classes.iter().enumerate();
            let own: Vec<(usize, &Class)> = own.filter(|(_, c)| c.process == process).collect();
            self.cohorts_of((process, &own), period, seen, &mut out);
        }
        out
    }

    fn cohorts_of(
        &self,
        (process, classes): (usize, &[(usize, &Class)]),
        period: f64,
        seen: (&[f64], &[f64]),
        out: &mut Vec<Cohort>,
    ) {
        let ways = self.all.iter().copied().enumerate();
        let ways: Vec<(usize, &Inlet)> = ways
            .filter(|(_, inlet)| inlet.processes.contains(&process))
            .collect();
        let arriving = ways.iter().map(|(_, inlet)| Lookup::on(process, inlet));
        let arriving: Vec<Option<Lookup>> = arriving.collect();
        for pair in self.cuts(process, classes, &ways, period, seen).windows(2) {
            let [from, to] = pair else { continue };
            let time = f64::midpoint(*from, *to);
            let mut arrivals = Vec::new();
            for (way, lookup) in ways.iter().zip(&arriving) {
                arriving_at(time, *way, lookup.as_ref(), &mut arrivals);
            }
            if arrivals.is_empty() {
                continue;
            }
            arrivals.sort_by(|a, b| a.first.total_cmp(&b.first));
            let last = arrivals.iter().map(|a| a.first);
            let last = last.fold(f64::NEG_INFINITY, f64::max);
            let known = classes.iter().map(|(number, class)| {
                let told = class.told.iter();
                let told = told.filter_map(|t| self.known.tellers.get(*t)?.knows(time));
                (*number, told.fold(last, f64::min))
            });
            out.push(Cohort {
                made: Made {
                    process,
                    from: *from,
                    to: *to,
                    share: 1.0,
                },
                changes: self.rate(process) * (to - from),
                known: known.collect(),
                arrivals,
            });
        }
    }

    /// Where one cohort of a process ends and the next begins, ascending.
    fn cuts(
        &self,
        process: usize,
        classes: &[(usize, &Class)],
        ways: &[(usize, &Inlet)],
        period: f64,
        (knows, sees): (&[f64], &[f64]),
    ) -> Vec<f64> {
        let mut cuts = vec![0.0, period];
        let mut all = |own: f64, at: &mut dyn Iterator<Item = f64>| {
            let copies = (period / own).round().max(1.0) as usize;
            for at in at {
                cuts.extend((0..copies).map(|n| (at + n as f64 * own).rem_euclid(period)));
            }
        };
        let mut told: Vec<usize> = classes.iter().flat_map(|c| c.1.told.clone()).collect();
        told.sort_unstable();
        told.dedup();
        for teller in told.iter().filter_map(|t| self.known.tellers.get(*t)) {
            match &teller.runs {
                None => all(period, &mut knows.iter().map(|at| at - teller.delay)),
                Some(told) => all(told.period, &mut told.runs.iter().map(|run| run.from)),
            }
        }
        for (_, inlet) in ways {
            match &inlet.coming {
                Coming::Steadily => all(period, &mut sees.iter().map(|at| at - inlet.delay)),
                Coming::Runs {
                    bunches,
                    period: own,
                    ..
                } => {
                    let made = bunches.iter().flat_map(|b| &b.made);
                    let made = made.filter(|m| m.process == process);
                    all(*own, &mut made.flat_map(|m| [m.from, m.to]));
                }
            }
        }
        cuts.sort_by(f64::total_cmp);
        cuts.dedup_by(|a, b| (*a - *b).abs() < CLOSE);
        cuts
    }

    pub fn period_of(&self, inlet: usize) -> f64 {
        let inlet = self.all.get(inlet);
        inlet.and_then(|i| i.period()).unwrap_or(DAY_SECONDS)
    }

    pub fn carries(&self, process: usize) -> bool {
        let mut all = self.carried.iter();
        all.any(|inlet| inlet.processes.contains(&process))
    }
}

impl Teller {
    /// When what was made at a time is known.
    fn knows(&self, time: f64) -> Option<f64> {
        let Some(told) = &self.runs else {
            return Some(time + self.delay);
        };
        let first = told.runs.first()?.from;
        let copy = ((time - first) / told.period).floor();
        let here = time - copy * told.period;
        let before = told.runs.partition_point(|run| run.from <= here);
        let run = told.runs.get(before.checked_sub(1)?)?;
        Some(run.known + copy * told.period)
    }
}

/// Adds the ways in which what was made at a time arrives by an inlet.
fn arriving_at(
    time: f64,
    (position, inlet): (usize, &Inlet),
    lookup: Option<&Lookup>,
    out: &mut Vec<Arrival>,
) {
    let (Some(lookup), Coming::Runs { by, .. }) = (lookup, &inlet.coming) else {
        out.push(Arrival {
            first: time + inlet.delay,
            last: time + inlet.delay,
            share: inlet.share,
            inlet: position,
            run: None,
            by: None,
            made_in: 0.0,
        });
        return;
    };
    for ((made, bunch, run), shift) in lookup.at(time) {
        out.push(Arrival {
            first: bunch.first + inlet.delay + shift,
            last: bunch.last + inlet.delay + shift,
            share: made.share * inlet.share,
            inlet: position,
            run: Some((*run, (shift / lookup.period).round() as i64)),
            by: Some(*by),
            made_in: bunch.made_in(),
        });
    }
}

impl Arrival {
    /// The hop that brings it in its batches, where it does not come all at once.
    pub fn brought_by(&self) -> Option<HopId> {
        self.by.filter(|_| self.last > self.first)
    }

    /// Times at which equal parts of it arrive.
    pub fn points(&self) -> Vec<f64> {
        match self.last - self.first > 1.0 {
            false => vec![f64::midpoint(self.first, self.last)],
            true => (0..POINTS)
                .map(|n| (n as f64 + 0.5) / POINTS as f64)
                .map(|part| self.first + (self.last - self.first) * part)
                .collect(),
        }
    }
}

impl Bunch {
    /// Within how long it was made, in seconds.
    pub fn made_in(&self) -> f64 {
        let lengths = self.made.iter().map(|m| (m.to - m.from) * m.share);
        let first = self.made.first().map_or(0, |m| m.process);
        let own = self.made.iter().zip(lengths);
        own.filter(|(m, _)| m.process == first).map(|o| o.1).sum()
    }
}
