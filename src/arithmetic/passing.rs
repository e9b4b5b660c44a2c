//! What a relay passes on, and when, of what arrives at its source.
//!
//! Changes are followed in cohorts: those of one kind, made within so short a time that all of them
//! become known, and arrive, at the same start. A record is shown to a run where something arrived
//! of it, or touched it; then whatever the runner knows of it goes on, also what its source does not
//! hold yet. So a change is passed on at the first start from which on it is known and at which its
//! record is shown; and fields that change together, but of which the runner is told on different
//! ways, go on apart.

use std::collections::BTreeMap;

use super::arrivals::{self, Arrivals, Bunch, Coming, Inlet, Kind, Known, Made, Teller};
use super::formula::{DAY_SECONDS, distinct};
use super::timing::Timing;
use crate::graph::HopId;
use crate::model::{EntityId, FieldId, Policy, Scenario, ScenarioId, SystemId};
use crate::time::Schedule;

/// Conditions whose records are told apart; what more there are let all through.
const CONDITIONS: usize = 4;
/// Points of a bunch at which its records are taken to arrive.
const POINTS: usize = 4;
/// Below this share of changes nothing more is followed.
const LITTLE: f64 = 1e-3;
/// Times closer than this are one, in seconds.
const CLOSE: f64 = 1e-3;

/// What one start finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// When it starts, in seconds after the stretch begins.
    pub at: f64,
    /// Records of which it passes something on.
    pub carried: f64,
    /// Records of which it is shown a change that has arrived.
    pub met: f64,
    /// Within how long what arrived was made, in seconds.
    pub made_in: f64,
}

/// Records that come to a hop together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Together {
    /// How many.
    pub records: f64,
    /// Within how long they changed, in seconds.
    pub made_in: f64,
    /// The hop that brings them in its batches; none: they come at once, with one call or a bulk job,
    /// or a reconcile finds them.
    pub by: Option<HopId>,
}

/// What goes on by event in a day.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ByEvent {
    /// Records a day that come one by one.
    pub steady: f64,
    /// Records that come together, over so many days.
    pub together: Vec<Together>,
    pub days: f64,
    pub delays: Delays,
}

/// What a schedule finds over a stretch of so many days.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Walk {
    pub days: f64,
    pub starts: Vec<Found>,
    pub delays: Delays,
}

/// How long after they were made changes are taken along on the mean, in seconds: until they have
/// arrived by event, or until the start that passes them on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Delays(Vec<(Kind, Vec<FieldId>, f64)>);

impl Delays {
    /// Of the changes of a field in one of its origins, that a scenario takes along from there.
    pub fn of(
        &self,
        (entity, field): (EntityId, FieldId),
        origin: SystemId,
        scenario: ScenarioId,
    ) -> Option<f64> {
        let kinds = [
            Kind::Field(field, origin),
            Kind::Entity(entity, origin),
            Kind::Scenario(scenario),
        ];
        let found = kinds.iter().find_map(|kind| {
            let mut all = self.0.iter();
            all.find(|(k, fields, _)| k == kind && fields.contains(&field))
        });
        found.map(|(_, _, delay)| *delay)
    }
}

/// Fields of which the runner is told on the same ways.
#[derive(Debug, Clone, PartialEq)]
struct Class {
    process: usize,
    fields: Vec<FieldId>,
    told: Vec<usize>,
}

/// Sums of changes and of their delays, by class.
type Sums = Vec<(f64, f64)>;

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
    /// Whether its source takes one call at a time and it reads several pages: those after the first
    /// then wait for all that is being written there, and show it.
    pub queues: bool,
}

/// What a relay passes on by the clock.
pub(super) struct Passes {
    /// By start: records of which something is passed on.
    pub carried: Vec<f64>,
    /// By start: records of which something has arrived.
    pub met: Vec<f64>,
    /// By start: within how long what arrived was made, in seconds.
    pub made_in: Vec<f64>,
    /// By start: the changes that are passed on.
    pub made: Vec<Vec<Made>>,
    /// By class: the sum of changes, and of their delays until the start that passes them on.
    delays: Sums,
}

/// Changes that become known, and arrive, together.
struct Cohort {
    made: Made,
    /// How many.
    changes: f64,
    /// When they are known, by class of the fields that the relay carries.
    known: Vec<(usize, f64)>,
    arrivals: Vec<Arrival>,
}

/// One of the ways on which a cohort arrives.
#[derive(Clone, Copy)]
struct Arrival {
    first: f64,
    last: f64,
    share: f64,
    /// The way's position, and the run's on it.
    inlet: usize,
    run: Option<(usize, i64)>,
    by: Option<HopId>,
    made_in: f64,
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
    fn rate(&self, process: usize) -> f64 {
        let known = self.known.processes.get(process);
        known.map_or(0.0, |p| p.per_second * self.times)
    }

    /// The fields that it carries, by what makes their changes and what tells of them.
    fn classes(&self) -> Vec<Class> {
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
    fn cohorts(&self, classes: &[Class], period: f64, seen: (&[f64], &[f64])) -> Vec<Cohort> {
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
                Some((own, runs)) => all(*own, &mut runs.iter().map(|run| run.0)),
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

    fn period_of(&self, inlet: usize) -> f64 {
        let inlet = self.all.get(inlet);
        inlet.and_then(|i| i.period()).unwrap_or(DAY_SECONDS)
    }

    fn carries(&self, process: usize) -> bool {
        let mut all = self.carried.iter();
        all.any(|inlet| inlet.processes.contains(&process))
    }

    /// What it passes on at each start of a stretch. `looks`, `read`: until how many seconds after
    /// its start a run sees what arrives, and has read everything.
    pub fn by_clock(&self, starts: &[f64], period: f64, (looks, read): (f64, f64)) -> Passes {
        let clock = Clock { starts, period };
        let n = self.records.unwrap_or(1e12).max(1.0);
        let knows: Vec<f64> = starts.iter().map(|s| s + read).collect();
        let sees: Vec<f64> = starts.iter().map(|s| s + looks).collect();
        let classes = self.classes();
        let cohorts = self.cohorts(&classes, period, (&knows, &sees));
        let count = starts.len();
        let mut arrived = vec![0.0; count];
        let mut made_in = vec![0.0_f64; count];
        // By the start at which they are known, in its first copy.
        let mut pending: Vec<Vec<Pending>> = vec![Vec::new(); count];
        let mut followed: Vec<(&Cohort, Waits)> = Vec::new();
        for cohort in &cohorts {
            // What comes on one way at this time comes on another at that: each as likely as both
            // together.
            for (share, shown) in cohort.shown(&clock, looks, self.queues) {
                let changes = cohort.changes * share;
                for (start, made) in &shown {
                    let slot = clock.slot(*start);
                    arrived[slot] += changes;
                    made_in[slot] = made_in[slot].max(*made);
                }
                let waits: Vec<Waits> = cohort
                    .known
                    .iter()
                    .filter_map(|(class, known)| {
                        let known = clock.from(known - read);
                        let mut ends = shown.iter().map(|s| s.0).filter(|s| *s >= known);
                        Some(Waits {
                            class: *class,
                            share,
                            known,
                            ends: ends.next()?,
                        })
                    })
                    .collect();
                for (at, own) in waits.iter().enumerate() {
                    let others = waits.iter().enumerate();
                    // Classes that wait together are one record; whichever is known last counts.
                    let others = others.filter(|(other, o)| (o.known, *other) > (own.known, at));
                    pending[clock.slot(own.known)].push(Pending {
                        changes,
                        ends: own.ends - own.known,
                        others: others
                            .map(|(_, o)| (o.known - own.known, o.ends - own.known))
                            .collect(),
                        shown: shown.iter().map(|s| s.0 - own.known).collect(),
                    });
                }
                followed.extend(waits.into_iter().map(|w| (cohort, w)));
            }
        }
        let gap = |start: usize| {
            let before = match start {
                0 => starts.last().copied().unwrap_or(0.0) - period,
                _ => starts[start - 1],
            };
            starts[start] - before
        };
        let touched: Vec<f64> = (0..count)
            .map(|start| -(-self.touched * self.times * gap(start) / n).exp_m1())
            .collect();
        let shown: Vec<f64> = (0..count)
            .map(|start| 1.0 - (1.0 - touched[start]) * (-arrived[start] / n).exp())
            .collect();
        let carried = (0..count as i64).map(|start| {
            let ground = (&pending[..], &shown[..]);
            let at = clock.slot(start);
            n * passed_at(&clock, start, ground, (touched[at], arrived[at] / n), n)
        });
        let mut passes = Passes {
            carried: carried.collect(),
            met: arrived
                .iter()
                .map(|changes| distinct(self.records, *changes, 1.0))
                .collect(),
            made_in,
            made: vec![Vec::new(); count],
            delays: vec![(0.0, 0.0); classes.len()],
        };
        for (cohort, waits) in followed {
            passes.follow(&clock, cohort, waits, &shown);
        }
        for made in &mut passes.made {
            *made = merged(std::mem::take(made));
        }
        passes
    }
}

impl Passes {
    /// Follows a class of a cohort until all of it is passed on.
    fn follow(&mut self, clock: &Clock, cohort: &Cohort, waits: Waits, shown: &[f64]) {
        let mut left = waits.share;
        let time = f64::midpoint(cohort.made.from, cohort.made.to);
        let mut start = waits.known;
        while start <= waits.ends && left > LITTLE * waits.share {
            let slot = clock.slot(start);
            let goes = match start == waits.ends {
                true => left,
                false => left * shown[slot],
            };
            left -= goes;
            if goes > 0.0 {
                let at = clock.time(start);
                let shift = at - clock.starts[slot];
                self.made[slot].push(Made {
                    from: cohort.made.from - shift,
                    to: cohort.made.to - shift,
                    share: goes,
                    process: cohort.made.process,
                });
                if let Some(sums) = self.delays.get_mut(waits.class) {
                    sums.0 += cohort.changes * goes;
                    sums.1 += cohort.changes * goes * (at - time);
                }
            }
            start += 1;
        }
    }
}

/// A class of a cohort between two starts: that from which on it is known, and that which is sure
/// to show its records.
#[derive(Debug, Clone, Copy)]
struct Waits {
    class: usize,
    share: f64,
    known: i64,
    ends: i64,
}

/// What waits from a start on; starts are counted from that one.
#[derive(Debug, Clone)]
struct Pending {
    changes: f64,
    /// The start that passes it on at the latest.
    ends: i64,
    /// Other classes of the same changes, that are known later: from when, until when they wait.
    others: Vec<(i64, i64)>,
    /// Starts to which it shows its records.
    shown: Vec<i64>,
}

impl Cohort {
    /// The starts to which its arrivals show its records, ascending, each with within how long what
    /// arrives there was made; for each way in which they may come, with the share that does.
    fn shown(&self, clock: &Clock, looks: f64, queues: bool) -> Vec<(f64, Vec<(i64, f64)>)> {
        let mut ways: Vec<(f64, Vec<(i64, f64)>)> = vec![(1.0, Vec::new())];
        let mut inlets: Vec<usize> = self.arrivals.iter().map(|a| a.inlet).collect();
        inlets.sort_unstable();
        inlets.dedup();
        for inlet in inlets {
            let own = self.arrivals.iter().filter(|a| a.inlet == inlet);
            let own: Vec<(i64, f64, f64)> = own
                .flat_map(|arrival| {
                    let first = clock.from(arrival.first - looks);
                    let points = match queues && clock.time(first) < arrival.last {
                        true => vec![arrival.first],
                        false => arrival.points(),
                    };
                    let share = arrival.share / points.len() as f64;
                    let seen = move |time: f64| (clock.from(time - looks), arrival.made_in, share);
                    points.into_iter().map(seen).collect::<Vec<_>>()
                })
                .collect();
            let sum: f64 = own.iter().map(|o| o.2).sum();
            if own.len() == 1 && sum > 0.99 {
                for way in &mut ways {
                    way.1.push((own[0].0, own[0].1));
                }
                continue;
            }
            let mut more = Vec::with_capacity(ways.len() * (own.len() + 1));
            for (share, shown) in &ways {
                for (start, made_in, part) in &own {
                    let mut shown = shown.clone();
                    shown.push((*start, *made_in));
                    more.push((share * part, shown));
                }
                // What does not come on this way at all.
                if sum < 0.99 {
                    more.push((share * (1.0 - sum), shown.clone()));
                }
            }
            more.retain(|way| way.0 > LITTLE);
            ways = more;
        }
        for way in &mut ways {
            way.1.sort_by_key(|s| s.0);
            way.1.dedup_by_key(|s| s.0);
        }
        ways.retain(|way| !way.1.is_empty());
        ways
    }
}

impl Teller {
    /// When what was made at a time is known.
    fn knows(&self, time: f64) -> Option<f64> {
        let Some((period, runs)) = &self.runs else {
            return Some(time + self.delay);
        };
        let first = runs.first()?.0;
        let copy = ((time - first) / period).floor();
        let here = time - copy * period;
        let at = runs.partition_point(|run| run.0 <= here).checked_sub(1)?;
        Some(runs.get(at)?.2 + copy * period)
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

/// The share of records of which a start passes something on.
fn passed_at(
    clock: &Clock,
    start: i64,
    (pending, shown): (&[Vec<Pending>], &[f64]),
    (touched, arrived): (f64, f64),
    records: f64,
) -> f64 {
    // Changes that are known and not passed on, and those among them that have arrived just now, by
    // the last start before at which the record was shown.
    let (mut waits, mut comes) = (0.0, 0.0);
    let (mut sum, mut left) = (0.0, 1.0);
    let passed = |waits: f64, comes: f64| {
        let any = -(-waits / records).exp_m1();
        let other = -(-(waits - comes).max(0.0) / records).exp_m1();
        any - (1.0 - touched) * (-arrived).exp() * other
    };
    let mut known = start;
    let furthest = start - 2 * shown.len() as i64;
    while known > furthest {
        let after = start - known;
        for own in &pending[clock.slot(known)] {
            let counted = |(from, ends): &(i64, i64)| *from <= after && *ends >= after;
            if own.ends < after || own.others.iter().any(counted) {
                continue;
            }
            waits += own.changes;
            if own.shown.contains(&after) {
                comes += own.changes;
            }
        }
        known -= 1;
        let last = shown[clock.slot(known)];
        sum += left * last * passed(waits, comes);
        left *= 1.0 - last;
        if left < LITTLE {
            break;
        }
    }
    sum + left * passed(waits, comes)
}

/// Starts that repeat.
struct Clock<'a> {
    starts: &'a [f64],
    period: f64,
}

impl Clock<'_> {
    /// The number of the first start at or after a time; those of the first stretch begin with 0.
    fn from(&self, time: f64) -> i64 {
        let copy = (time / self.period).floor();
        let here = time - copy * self.period - CLOSE;
        let at = self.starts.partition_point(|s| *s < here);
        (copy as i64)
            .saturating_mul(self.starts.len() as i64)
            .saturating_add(at as i64)
    }

    fn slot(&self, start: i64) -> usize {
        start.rem_euclid(self.starts.len().max(1) as i64) as usize
    }

    fn time(&self, start: i64) -> f64 {
        let copy = start.div_euclid(self.starts.len().max(1) as i64);
        self.starts[self.slot(start)] + copy as f64 * self.period
    }
}

impl Arrival {
    /// Times at which equal parts of it arrive.
    fn points(&self) -> Vec<f64> {
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
    fn made_in(&self) -> f64 {
        let lengths = self.made.iter().map(|m| (m.to - m.from) * m.share);
        let first = self.made.first().map_or(0, |m| m.process);
        let own = self.made.iter().zip(lengths);
        own.filter(|(m, _)| m.process == first).map(|o| o.1).sum()
    }
}

/// The same changes in fewer spans: those that follow one another with the same share are one.
fn merged(mut made: Vec<Made>) -> Vec<Made> {
    made.sort_by(|a, b| a.process.cmp(&b.process).then(a.from.total_cmp(&b.from)));
    let mut out: Vec<Made> = Vec::with_capacity(made.len());
    for next in made {
        match out.last_mut() {
            Some(before)
                if before.process == next.process
                    && (before.to - next.from).abs() < 2.0 * CLOSE
                    && (before.share - next.share).abs() < LITTLE =>
            {
                before.to = next.to;
            }
            // Parts of one cohort.
            Some(before)
                if before.process == next.process
                    && (before.from - next.from).abs() < CLOSE
                    && (before.to - next.to).abs() < CLOSE =>
            {
                before.share = (before.share + next.share).min(1.0);
            }
            _ => out.push(next),
        }
    }
    out
}

impl Arrivals {
    fn period(&self) -> f64 {
        let all = self.carried.iter().chain(&self.all);
        all.filter_map(Inlet::period).fold(DAY_SECONDS, f64::max)
    }

    /// The relay for each kind of records, told apart by the conditions that they have met, with
    /// the share of all records that are such.
    fn kinds(
        &self,
        (touched, queues): (f64, bool),
        records: Option<f64>,
        times: f64,
    ) -> Vec<(f64, Relay<'_>)> {
        let mut told_apart: Vec<usize> = Vec::new();
        for inlet in &self.all {
            told_apart.extend(&inlet.conditions);
        }
        told_apart.sort_unstable();
        told_apart.dedup();
        told_apart.truncate(CONDITIONS);
        let mut out = Vec::new();
        for met in 0..1_usize << told_apart.len() {
            let meets = |condition: &usize| {
                let known = told_apart.iter().position(|c| c == condition);
                known.is_none_or(|bit| met >> bit & 1 == 1)
            };
            let likely = told_apart.iter().map(|c| {
                let share = self.known.conditions.get(*c).copied().unwrap_or(1.0);
                match meets(c) {
                    true => share,
                    false => 1.0 - share,
                }
            });
            let open = |inlets: &'_ [Inlet]| -> Vec<usize> {
                let all = inlets.iter().enumerate();
                let open = all.filter(|(_, inlet)| inlet.conditions.iter().all(meets));
                open.map(|(at, _)| at).collect()
            };
            let carried: Vec<&Inlet> = open(&self.carried)
                .into_iter()
                .filter_map(|at| self.carried.get(at))
                .collect();
            if carried.is_empty() {
                continue;
            }
            let all = open(&self.all).into_iter();
            let relay = Relay {
                known: &self.known,
                fields: &self.fields,
                carried,
                all: all.filter_map(|at| self.all.get(at)).collect(),
                touched,
                records,
                times,
                queues,
            };
            out.push((likely.product(), relay));
        }
        out
    }

    /// What each start of a schedule finds; `looks`, `read`: until how many seconds after its start
    /// it sees what arrives, and has read everything; `queues`: see [`Relay::queues`]. None: its starts do not repeat within a week,
    /// or are too many.
    pub fn walk(
        &self,
        policy: &Policy,
        (scenario, schedule, timing): (&Scenario, &Schedule, &Timing),
        (looks, read, queues): (f64, f64, bool),
        (records, times): (Option<f64>, f64),
    ) -> Option<Walk> {
        let own = arrivals::period(scenario, timing)?;
        let period = self.period().max(own);
        let starts = arrivals::starts(policy, scenario, schedule, period)?;
        let touched = match scenario.scans_full() {
            true => f64::INFINITY,
            false => self.touched,
        };
        let mut found: Vec<Found> = starts
            .iter()
            .map(|at| Found {
                at: *at,
                carried: 0.0,
                met: 0.0,
                made_in: 0.0,
            })
            .collect();
        let mut delays = Sorted::default();
        for (likely, relay) in self.kinds((touched, queues), records, times) {
            let passes = relay.by_clock(&starts, period, (looks, read));
            let each = passes.carried.iter().zip(&passes.met).zip(&passes.made_in);
            for (found, ((carried, met), made_in)) in found.iter_mut().zip(each) {
                found.carried += likely * carried;
                found.met += likely * met;
                found.made_in = found.made_in.max(*made_in);
            }
            delays.add(likely, relay.classes(), passes.delays);
        }
        Some(Walk {
            days: period / DAY_SECONDS,
            starts: found,
            delays: delays.means(self.known.as_ref()),
        })
    }

    /// What goes on by event: whenever anything of a record arrives, all that is known of it goes,
    /// and with a reconcile all that is known.
    pub fn by_event(
        &self,
        policy: &Policy,
        reconciles: Option<(&Scenario, &Schedule, &Timing)>,
        (records, times): (Option<f64>, f64),
    ) -> ByEvent {
        let own = reconciles.and_then(|(scenario, _, timing)| arrivals::period(scenario, timing));
        let period = own.map_or(self.period(), |own| self.period().max(own));
        let starts = reconciles.and_then(|(scenario, schedule, _)| {
            own?;
            arrivals::starts(policy, scenario, schedule, period)
        });
        let starts = starts.unwrap_or_default();
        let clock = Clock {
            starts: &starts,
            period,
        };
        let mut all = Gathered::default();
        for (likely, relay) in self.kinds((0.0, false), records, times) {
            let classes = relay.classes();
            let mut own = Gathered::default();
            own.sums = vec![(0.0, 0.0); classes.len()];
            for cohort in relay.cohorts(&classes, period, (&starts, &[])) {
                own.take(&clock, &relay, &cohort);
            }
            all.steady += likely * own.steady;
            for (at, (changes, together)) in own.bunches {
                let slot = all.bunches.entry(at).or_insert((0.0, together));
                slot.0 += likely * distinct(records, changes, 1.0);
            }
            all.delays.add(likely, classes, own.sums);
        }
        let days = period / DAY_SECONDS;
        let together = all.bunches.into_values();
        ByEvent {
            steady: all.steady / days,
            together: together
                .map(|(records, t)| Together { records, ..t })
                .collect(),
            days,
            delays: all.delays.means(&self.known),
        }
    }
}

/// What goes on by event, as it is gathered.
#[derive(Default)]
struct Gathered {
    steady: f64,
    bunches: BTreeMap<Run, (f64, Together)>,
    /// By class.
    sums: Sums,
    delays: Sorted,
}

/// The way of what a reconcile finds.
const FOUND: usize = usize::MAX;

impl Gathered {
    fn take(&mut self, clock: &Clock, relay: &Relay<'_>, cohort: &Cohort) {
        let time = f64::midpoint(cohort.made.from, cohort.made.to);
        let mut waits: Vec<(usize, f64, f64)> = cohort
            .known
            .iter()
            .map(|(class, known)| (*class, *known, 1.0))
            .collect();
        let found = |known: f64| match clock.starts.is_empty() {
            true => None,
            false => Some(clock.from(known)),
        };
        for arrival in &cohort.arrivals {
            let at = f64::midpoint(arrival.first, arrival.last);
            let mut any = 0.0_f64;
            for (class, known, left) in &mut waits {
                let reconcile = found(*known).filter(|start| clock.time(*start) < at);
                if let Some(start) = reconcile.filter(|_| *left > 0.0) {
                    let changes = cohort.changes * *left;
                    *left = 0.0;
                    self.goes(*class, changes, clock.time(start) - time);
                    let run = (FOUND, clock.slot(start), 0);
                    self.together(run, changes, (arrival.made_in, None));
                }
                if arrival.last < *known {
                    continue;
                }
                let goes = *left * arrival.share.min(1.0);
                *left -= goes;
                any = any.max(goes);
                self.goes(*class, cohort.changes * goes, at - time);
            }
            let changes = cohort.changes * any;
            let Some((run, copy)) = arrival.run else {
                self.steady += changes;
                continue;
            };
            // What wraps around the end of the stretch is one run.
            let copies = (clock.period / relay.period_of(arrival.inlet))
                .round()
                .max(1.0);
            let run = (arrival.inlet, run, copy.rem_euclid(copies as i64));
            let by = arrival.by.filter(|_| arrival.last > arrival.first);
            self.together(run, changes, (arrival.made_in, by));
        }
    }

    fn goes(&mut self, class: usize, changes: f64, after: f64) {
        if let Some(sums) = self.sums.get_mut(class) {
            sums.0 += changes;
            sums.1 += changes * after;
        }
    }

    fn together(&mut self, run: Run, changes: f64, (made_in, by): (f64, Option<HopId>)) {
        if changes > 0.0 {
            let together = Together {
                records: 0.0,
                made_in,
                by,
            };
            self.bunches.entry(run).or_insert((0.0, together)).0 += changes;
        }
    }
}

/// A run: its way, its position there, and in which copy of its own stretch.
type Run = (usize, usize, i64);

/// Delays by class, whatever the conditions.
#[derive(Debug, Default)]
struct Sorted(Vec<(Class, (f64, f64))>);

impl Sorted {
    fn add(&mut self, likely: f64, classes: Vec<Class>, sums: Sums) {
        for (class, sums) in classes.into_iter().zip(sums) {
            let more = (likely * sums.0, likely * sums.1);
            match self.0.iter_mut().find(|(known, _)| *known == class) {
                Some((_, known)) => {
                    known.0 += more.0;
                    known.1 += more.1;
                }
                None => self.0.push((class, more)),
            }
        }
    }

    fn means(self, known: &Known) -> Delays {
        let some = self.0.into_iter().filter(|(_, sums)| sums.0 > 0.0);
        let named = some.filter_map(|(class, (changes, sum))| {
            let process = known.processes.get(class.process)?;
            Some((process.of, class.fields, sum / changes))
        });
        Delays(named.collect())
    }
}
