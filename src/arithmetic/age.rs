//! How old a change is when a hop has delivered it, and how long a run takes.

use super::calls::Calls;
use super::facts::SystemFacts;
use super::formula::busy_seconds;
use super::load::HopLoad;
use super::system::{self, SystemLoad};
use super::timing::Timing;
use crate::model::{Policy, ScenarioId, SystemId};
use crate::terms::Priority;
use crate::time::Schedule;

/// The parts of a hop's delay, in seconds. None: without bound, since the limits leave nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age {
    /// Until the change is known: the event's latency, or the gap between starts and the source's
    /// lag.
    pub detect: Option<f64>,
    /// The wait for the destination's limits.
    pub queue: Option<f64>,
    /// The write; of a scheduled hop the whole run.
    pub write: Option<f64>,
}

impl Age {
    /// The sum; none: without bound.
    pub fn total(self) -> Option<f64> {
        Some(self.detect? + self.queue? + self.write?)
    }

    const UNBOUNDED: Age = Age {
        detect: None,
        queue: None,
        write: None,
    };
}

/// Worst and mean delay of a hop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HopAge {
    /// The worst.
    pub worst: Age,
    /// The mean.
    pub mean: Age,
    /// What of a run decides how it meets others; none in real time.
    pub taken: Option<Taken>,
}

/// When a run by the clock sees and brings what it takes along, in seconds after its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// When it is shown its first page.
    pub shown: f64,
    /// Until when it still sees what arrives at its source: that, less the source's lag.
    pub looks: f64,
    /// When all is read, and what was shown is known.
    pub read: f64,
    /// The share of all records that it is shown, 0 to 1.
    pub share: f64,
    /// When the first of what it took arrives.
    pub first: f64,
    /// When the last does.
    pub last: f64,
}

impl HopAge {
    const UNBOUNDED: HopAge = HopAge {
        worst: Age::UNBOUNDED,
        mean: Age::UNBOUNDED,
        taken: None,
    };
}

/// One run of a scenario after its longest gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// How long it takes in seconds, reading first and then writing; none: it never ends, since the
    /// limits leave it nothing.
    pub seconds: Option<f64>,
    /// How long of that it reads.
    pub reading_seconds: f64,
    /// The whole where it meets as many records as a run may.
    pub longest_seconds: Option<f64>,
    /// What it does at each system, in the order of its hops.
    pub systems: Vec<RunAt>,
}

/// A run at one system.
#[derive(Debug, Clone, PartialEq)]
pub struct RunAt {
    /// The system.
    pub system: SystemId,
    /// Its calls there.
    pub calls: Calls,
    /// How long they take in seconds; none: for ever.
    pub seconds: Option<f64>,
    /// The name of the burst limit that slows it most; none: the system's own pace does.
    pub slowed_by: Option<String>,
}

/// When the runs of all scenarios start and write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starts<'a> {
    pub policy: &'a Policy,
    /// By scenario: its schedule, and how many seconds a run reads; none: it has none.
    pub all: &'a [Option<(&'a Schedule, f64)>],
    /// The scenario in question.
    pub own: ScenarioId,
    /// Its schedule.
    pub schedule: Option<&'a Schedule>,
}

impl Starts<'_> {
    /// Whether its calls may find those of a run of another scenario before them, which makes calls
    /// for so many seconds after it has read: where it has read itself after that and before these
    /// are over. `reads`: how many seconds it reads.
    fn meets(&self, other: ScenarioId, reads: f64, seconds: f64) -> bool {
        let window = |id| {
            let window = self.policy.scenario(id).window.as_ref();
            window.map(|w| &w.value)
        };
        let theirs = self.all.get(other.index()).copied().flatten();
        let Some((own, (theirs, they_read))) = self.schedule.zip(theirs) else {
            return false;
        };
        let lag = self
            .policy
            .calendar
            .shortest_lag((own, window(self.own)), (theirs, window(other)));
        // Where both start at once the one that reads for a shorter time has its calls first.
        lag.is_some_and(|lag| {
            let lag = lag.as_secs_f64();
            lag <= they_read + seconds && (lag > 0.0 || reads >= they_read)
        })
    }
}

/// One run of a scenario, and the ages of its hops (its `clean` last), if it had this timing.
pub(super) fn of_scenario(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    (timing, priority): (&Timing, Priority),
    loads: &[HopLoad],
    starts: Starts<'_>,
) -> (Option<Run>, Vec<HopAge>) {
    let run = timing
        .gaps()
        .map(|_| run(facts, systems, priority, loads, starts));
    let ages = loads
        .iter()
        .map(|load| {
            age(
                facts,
                systems,
                (timing, priority),
                run.as_ref(),
                (load, loads),
            )
        })
        .collect();
    (run, ages)
}

fn run(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    priority: Priority,
    loads: &[HopLoad],
    starts: Starts<'_>,
) -> Run {
    let usual = sums(loads, |load| [load.run.source, load.run.target]);
    let most = sums(loads, |load| {
        [load.longest_run.source, load.longest_run.target]
    });
    let last_write = loads
        .iter()
        .filter_map(|l| system::at(facts, l.to))
        .map(|f| f.latency.value)
        .fold(0.0, f64::max);
    // How long it reads, where it is to meet others.
    let lasts = |calls: &[(SystemId, Calls)], in_company: Option<f64>| {
        let (mut reading, mut writing) = (0.0, 0.0_f64);
        for (id, calls) in calls {
            let known = system::at(facts, *id).zip(system::at(systems, *id));
            let Some((known, load)) = known else { continue };
            let (reads, writes) = halves(*calls);
            let others = |own: Calls| {
                let reads = in_company?;
                Some(company(known, load, starts, (own.total(), reads)))
            };
            // A page says where the next one begins, so that pages come one after the other.
            let pages = run_at(known, load, priority, (reads, 1.0)).seconds?;
            let at_a_time = known.concurrency.value;
            let batches = run_at(known, load, priority, (writes, at_a_time)).seconds?;
            if reads.total() > 0.0 {
                reading += pages + others(reads).unwrap_or(0.0);
            }
            if writes.total() > 0.0 {
                writing = writing.max(batches + others(writes).unwrap_or(0.0));
            }
        }
        Some((reading, writing + last_write))
    };
    let usually = lasts(&usual, None);
    let at_most = lasts(&most, Some(usually.map_or(0.0, |(reading, _)| reading)));
    let systems = usual.iter().filter_map(|(id, calls)| {
        let (known, load) = (system::at(facts, *id)?, system::at(systems, *id)?);
        let at_a_time = known.concurrency.value;
        Some(run_at(known, load, priority, (*calls, at_a_time)))
    });
    Run {
        seconds: usually.map(|(reading, writing)| reading + writing),
        reading_seconds: usually.map_or(0.0, |(reading, _)| reading),
        longest_seconds: at_most.map(|(reading, writing)| reading + writing),
        systems: systems.collect(),
    }
}

/// How many other scenarios may have a call at a system just before a run has its own: starts meet
/// at full hours, but seldom of all that there are.
const COMPANY: usize = 4;

/// How long the calls of other scenarios at a system keep so many of a run's calls waiting, in
/// seconds. Of a run that may be under way when it starts, the writes went into the queue before its
/// own; a page is asked for only after the one before, so that one call of each run takes its turn.
/// Of some others there is one call; so it is of a `clean`, which may delete what changed, and seldom
/// does.
fn company(
    facts: &SystemFacts,
    load: &SystemLoad,
    starts: Starts<'_>,
    (own, reads): (f64, f64),
) -> f64 {
    let call = facts.latency.value / facts.concurrency.value.max(1.0);
    let others = load.scenarios.iter().filter(|s| s.scenario != starts.own);
    let (mut one_each, mut queued) = (0usize, 0.0);
    for other in others {
        let (pages, writes) = halves(other.run);
        let run = other.run.total();
        let cleans = starts.policy.scenario(other.scenario).clean.is_some();
        match run > 1.0 && !cleans && starts.meets(other.scenario, reads, run * call) {
            true => queued += writes.total() + pages.total().min(own),
            false => one_each += 1,
        }
    }
    (queued + one_each.min(COMPANY) as f64) * call
}

/// Calls of a run by system, in the order of its hops.
fn sums(loads: &[HopLoad], ends: impl Fn(&HopLoad) -> [Calls; 2]) -> Vec<(SystemId, Calls)> {
    let mut sums: Vec<(SystemId, Calls)> = Vec::new();
    let all = loads
        .iter()
        .flat_map(|l| [l.from, l.to].into_iter().zip(ends(l)));
    for (system, calls) in all {
        match sums.iter_mut().find(|s| s.0 == system) {
            Some(sum) => sum.1 += calls,
            None => sums.push((system, calls)),
        }
    }
    sums
}

/// What of a run's calls reads, and what writes.
fn halves(calls: Calls) -> (Calls, Calls) {
    let writes = Calls { read: 0.0, ..calls };
    (Calls::reads(calls.read), writes)
}

fn run_at(
    facts: &SystemFacts,
    load: &SystemLoad,
    priority: Priority,
    (calls, at_a_time): (Calls, f64),
) -> RunAt {
    let pace = |calls: f64, rate| busy_seconds(calls, rate, facts.latency.value, at_a_time);
    let mut slowest = (pace(calls.total(), None), None);
    for limit in facts.bursts() {
        let counted = calls.counted(limit.counts);
        if counted <= 0.0 {
            continue;
        }
        let left = system::left_to(limit, load, priority);
        let seconds = pace(counted, Some(left.service));
        let slower = match (seconds, slowest.0) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(new), Some(known)) => new > known,
        };
        if slower {
            slowest = (seconds, Some(limit.name.clone()));
        }
    }
    RunAt {
        system: facts.id,
        calls,
        seconds: slowest.0,
        slowed_by: slowest.1,
    }
}

/// How long a run's writes into a system take, in seconds; at least one call.
fn writing(
    (facts, load): (&SystemFacts, &SystemLoad),
    priority: Priority,
    loads: &[HopLoad],
) -> Option<f64> {
    let into = loads.iter().filter(|l| l.hop.is_none() || l.to == facts.id);
    let calls: Calls = into
        .map(|l| match l.hop {
            Some(_) => halves(l.run.target).1,
            None => halves(l.run.source).1,
        })
        .sum();
    let all = run_at(facts, load, priority, (calls, facts.concurrency.value)).seconds?;
    Some(all.max(facts.latency.value))
}

fn age(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    (timing, priority): (&Timing, Priority),
    run: Option<&Run>,
    (load, all): (&HopLoad, &[HopLoad]),
) -> HopAge {
    let parts = (
        system::at(facts, load.from),
        system::at(facts, load.to),
        system::at(systems, load.to),
    );
    let (Some(source), Some(target), Some(target_load)) = parts else {
        return HopAge::UNBOUNDED;
    };
    let (mean_wait, p99_wait) = system::waits(target, target_load, priority);
    let part = |detect, queue, write| Age {
        detect: Some(detect),
        queue,
        write,
    };
    match timing {
        Timing::Realtime | Timing::Hybrid(_) => {
            let (heard, write) = (source.event_latency.value, Some(target.latency.value));
            let (mean_call, worst_call) = system::call_under_way(target, target_load);
            let together = load.together;
            let worst = worst_call.max(together.longest);
            HopAge {
                worst: part(heard, p99_wait.map(|w| w + worst), write),
                mean: part(
                    heard,
                    mean_wait.map(|w| w + mean_call + together.mean),
                    write,
                ),
                taken: None,
            }
        }
        Timing::Scheduled(gaps) => {
            let gap = gaps.longest.as_secs_f64();
            let lag = source.read_lag.value;
            let longest = run.and_then(|r| r.longest_seconds);
            let writing = writing((target, target_load), priority, all);
            let (one, all) = (target.latency.value, writing.unwrap_or_default());
            let reading = run.map_or(0.0, |r| r.reading_seconds);
            HopAge {
                worst: part(gap + lag, p99_wait, longest),
                // The first that it writes waits for one call, the last for all.
                mean: part(gap / 2.0 + lag, mean_wait, writing.map(|w| (w + one) / 2.0)),
                taken: Some(Taken {
                    shown: source.latency.value,
                    looks: source.latency.value - lag,
                    read: reading,
                    share: load.shown,
                    first: reading + one,
                    last: reading + all,
                }),
            }
        }
        Timing::Unknown | Timing::Never => HopAge::UNBOUNDED,
    }
}
