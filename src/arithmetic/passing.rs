//! What a relay passes on, and when, of what arrives at its source.
//!
//! Changes are followed in cohorts: those of one kind, made within so short a time that all of them
//! become known, and arrive, at the same start. A record is shown to a run where something arrived
//! of it, or touched it; then whatever the runner knows of it goes on, also what its source does not
//! hold yet. So a change is passed on at the first start from which on it is known and at which its
//! record is shown; and fields that change together, but of which the runner is told on different
//! ways, go on apart.

use super::arrivals::Made;
use super::cohorts::{CLOSE, Cohort, Relay};
use super::formula::distinct;
use super::paging::Looks;

/// Below this share of changes nothing more is followed.
const LITTLE: f64 = 1e-3;

/// Sums of changes and of their delays, by class.
pub(super) type Sums = Vec<(f64, f64)>;

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
    pub delays: Sums,
}

impl Relay<'_> {
    /// What it passes on at each start of a stretch.
    pub fn by_clock(&self, starts: &[f64], period: f64, looks: &Looks) -> Passes {
        let clock = Clock { starts, period };
        let [sees, knows] = [&looks.sees, &looks.knows].map(|starts| Clock { starts, period });
        let n = self.records.unwrap_or(1e12).max(1.0);
        let classes = self.classes();
        let cohorts = self.cohorts(&classes, period, (&looks.knows, &looks.sees));
        let count = starts.len();
        let mut arrived = vec![0.0; count];
        let mut made_in = vec![0.0_f64; count];
        // By the start at which they are known, in its first copy.
        let mut pending: Vec<Vec<Pending>> = vec![Vec::new(); count];
        let mut followed: Vec<(&Cohort, Waits)> = Vec::new();
        for cohort in &cohorts {
            // What comes on one way at this time comes on another at that: each as likely as both
            // together.
            for (share, shown) in cohort.shown(&sees) {
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
                        let known = knows.from(*known);
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
    fn shown(&self, sees: &Clock) -> Vec<(f64, Vec<(i64, f64)>)> {
        let mut ways: Vec<(f64, Vec<(i64, f64)>)> = vec![(1.0, Vec::new())];
        let mut inlets: Vec<usize> = self.arrivals.iter().map(|a| a.inlet).collect();
        inlets.sort_unstable();
        inlets.dedup();
        for inlet in inlets {
            let own = self.arrivals.iter().filter(|a| a.inlet == inlet);
            let own: Vec<(i64, f64, f64)> = own
                .flat_map(|arrival| {
                    let points = arrival.points();
                    let share = arrival.share / points.len() as f64;
                    let seen = move |time: f64| (sees.from(time), arrival.made_in, share);
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
pub(super) struct Clock<'a> {
    pub starts: &'a [f64],
    pub period: f64,
}

impl Clock<'_> {
    /// The number of the first start at or after a time; those of the first stretch begin with 0.
    pub fn from(&self, time: f64) -> i64 {
        let copy = (time / self.period).floor();
        let here = time - copy * self.period - CLOSE;
        let at = self.starts.partition_point(|s| *s < here);
        (copy as i64)
            .saturating_mul(self.starts.len() as i64)
            .saturating_add(at as i64)
    }

    pub fn slot(&self, start: i64) -> usize {
        start.rem_euclid(self.starts.len().max(1) as i64) as usize
    }

    pub fn time(&self, start: i64) -> f64 {
        let copy = start.div_euclid(self.starts.len().max(1) as i64);
        self.starts[self.slot(start)] + copy as f64 * self.period
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
