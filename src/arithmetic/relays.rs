//! What hops find that runs by the clock feed: what each start of a schedule does, and what goes on
//! by event.

use std::collections::BTreeMap;

use super::arrivals::{self, Arrivals, Inlet, Kind, Known};
use super::beside::{Shows, With};
use super::cohorts::{Arrival, Class, Cohort, Relay};
use super::formula::{DAY_SECONDS, distinct};
use super::paging::Paging;
use super::passing::{Clock, Sums};
use super::timing::Timing;
use crate::graph::HopId;
use crate::model::{EntityId, FieldId, Policy, Scenario, ScenarioId, SystemId};
use crate::time::Schedule;

/// Conditions whose records are told apart; what more there are let all through.
const CONDITIONS: usize = 4;

/// What one start finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// When it starts, in seconds after the stretch begins.
    pub at: f64,
    /// Records of which it passes something on.
    pub carried: f64,
    /// Records of which it is shown a change that has arrived.
    pub met: f64,
    /// The same, with those that something else touched since the start before.
    pub shown: f64,
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

impl Arrivals {
    fn period(&self) -> f64 {
        let all = self.carried.iter().chain(&self.all);
        all.filter_map(Inlet::period).fold(DAY_SECONDS, f64::max)
    }

    /// The relay for each kind of records, told apart by the conditions that they have met, with
    /// the share of all records that are such.
    fn kinds(&self, touched: f64, records: Option<f64>, times: f64) -> Vec<(f64, Relay<'_>)> {
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
            let open = |inlet: &&Inlet| inlet.conditions.iter().all(meets);
            let carried: Vec<&Inlet> = self.carried.iter().filter(open).collect();
            if carried.is_empty() {
                continue;
            }
            let relay = Relay {
                known: &self.known,
                fields: &self.fields,
                carried,
                all: self.all.iter().filter(open).collect(),
                touched,
                records,
                times,
            };
            out.push((likely.product(), relay));
        }
        out
    }

    /// What each start of a schedule finds. None: its starts do not repeat within a week, or are
    /// too many.
    pub fn walk(
        &self,
        policy: &Policy,
        (scenario, schedule, timing): (&Scenario, &Schedule, &Timing),
        paging: Paging,
        (records, times): (Option<f64>, f64),
    ) -> Option<Walk> {
        let own = arrivals::period(scenario, timing)?;
        let period = self.period().max(own);
        let starts = arrivals::starts(policy, scenario, schedule, period)?;
        let looks = paging.looks(self, (&starts, period), (records, times));
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
                shown: 0.0,
                made_in: 0.0,
            })
            .collect();
        let mut delays = Sorted::default();
        for (likely, relay) in self.kinds(touched, records, times) {
            let passes = relay.by_clock(&starts, period, &looks);
            let each = passes.carried.iter().zip(&passes.met).zip(&passes.made_in);
            for (found, ((carried, met), made_in)) in found.iter_mut().zip(each) {
                found.carried += likely * carried;
                found.met += likely * met;
                found.made_in = found.made_in.max(*made_in);
            }
            delays.add(likely, relay.classes(), passes.delays);
        }
        let mut before = starts.last().copied().unwrap_or_default() - period;
        for found in &mut found {
            let changes = self.touched * times * (found.at - before);
            let touched = distinct(records, changes, 1.0);
            // A record that both showed is one.
            let both = records.map_or(0.0, |n| touched * found.met / n.max(1.0));
            found.shown = touched + found.met - both;
            before = found.at;
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
        for (likely, relay) in self.kinds(0.0, records, times) {
            let classes = relay.classes();
            let mut gathered = Gathered {
                sums: vec![(0.0, 0.0); classes.len()],
                ..Gathered::default()
            };
            let cohorts = relay.cohorts(&classes, period, (&starts, &[]));
            let shows = Shows::of(&relay, &cohorts, period);
            for cohort in &cohorts {
                gathered.take(&clock, (&relay, &shows), cohort);
            }
            all.steady += likely * gathered.steady;
            for (at, (changes, together)) in gathered.bunches {
                let slot = all.bunches.entry(at).or_insert((0.0, together));
                slot.0 += likely * distinct(records, changes, 1.0);
            }
            all.delays.add(likely, classes, gathered.sums);
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
    fn take(&mut self, clock: &Clock, (relay, shows): (&Relay<'_>, &Shows), cohort: &Cohort) {
        let time = f64::midpoint(cohort.made.from, cohort.made.to);
        let mut waits: Vec<Waits> = cohort
            .known
            .iter()
            .map(|(class, known)| Waits {
                class: *class,
                known: *known,
                from: *known,
                left: 1.0,
            })
            .collect();
        waits.sort_by(|a, b| a.known.total_cmp(&b.known));
        for arrival in &cohort.arrivals {
            let at = f64::midpoint(arrival.first, arrival.last);
            let mut any = 0.0_f64;
            let mut found: Option<(Run, f64)> = None;
            // Fields that wait together go together.
            let first = waits.iter().position(|w| w.left > 0.0);
            for (number, wait) in waits.iter_mut().enumerate() {
                let known = wait.known;
                let reconcile = match clock.starts.is_empty() {
                    true => None,
                    false => Some(clock.from(known)).filter(|start| clock.time(*start) < at),
                };
                let until = reconcile.map_or(at, |start| clock.time(start));
                if until > wait.from {
                    let changes = cohort.changes * wait.left;
                    wait.left *= shows.before(wait.from, until, |share, when, with| {
                        self.goes(wait.class, changes * share, when - time);
                        if Some(number) == first {
                            self.taken_along(changes * share, with);
                        }
                    });
                    wait.from = until;
                }
                if let Some(start) = reconcile.filter(|_| wait.left > 0.0) {
                    let changes = cohort.changes * wait.left;
                    wait.left = 0.0;
                    self.goes(wait.class, changes, until - time);
                    let run = (FOUND, clock.slot(start), 0);
                    if found.is_none_or(|(_, most)| most < changes) {
                        found = Some((run, changes));
                    }
                }
                if arrival.last < known {
                    continue;
                }
                let goes = wait.left * arrival.share.min(1.0);
                wait.left -= goes;
                any = any.max(goes);
                self.goes(wait.class, cohort.changes * goes, at - time);
            }
            if let Some((run, changes)) = found {
                self.together(run, changes, (arrival.made_in, None));
            }
            let changes = cohort.changes * any;
            match relay.run_of(arrival, clock.period) {
                None => self.steady += changes,
                Some(run) => {
                    let by = arrival.brought_by();
                    self.together(run, changes, (arrival.made_in, by));
                }
            }
        }
    }

    fn taken_along(&mut self, changes: f64, with: With) {
        match with {
            With::Another => {}
            With::Alone => self.steady += changes,
            With::Run(run, made_in, by) => self.together(run, changes, (made_in, by)),
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
            let bunch = self.bunches.entry(run).or_insert((0.0, together));
            bunch.0 += changes;
            bunch.1.made_in = bunch.1.made_in.max(made_in);
        }
    }
}

/// A run: its way, its position there, and in which copy of its own stretch.
pub(super) type Run = (usize, usize, i64);

/// A class of a cohort that is known and has not gone on.
struct Waits {
    class: usize,
    known: f64,
    /// Up to when what went along with others is counted.
    from: f64,
    left: f64,
}

impl Relay<'_> {
    /// The run that an arrival comes with; none: it comes steadily. What wraps around the end of
    /// the stretch is one run.
    pub fn run_of(&self, arrival: &Arrival, period: f64) -> Option<Run> {
        let (run, copy) = arrival.run?;
        let copies = (period / self.period_of(arrival.inlet)).round().max(1.0);
        Some((arrival.inlet, run, copy.rem_euclid(copies as i64)))
    }
}

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
