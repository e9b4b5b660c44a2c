//! How old a change is when a hop has delivered it, and how long a run takes.

use super::calls::Calls;
use super::facts::SystemFacts;
use super::formula::busy_seconds;
use super::load::HopLoad;
use super::system::{self, SystemLoad};
use super::timing::Timing;
use crate::model::SystemId;
use crate::terms::Priority;

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
}

impl HopAge {
    const UNBOUNDED: HopAge = HopAge {
        worst: Age::UNBOUNDED,
        mean: Age::UNBOUNDED,
    };
}

/// One run of a scenario after its longest gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// How long it takes in seconds; none: it never ends, since the limits leave it nothing.
    pub seconds: Option<f64>,
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

/// One run of a scenario, and the ages of its hops (its `clean` last), if it had this timing.
pub(super) fn of_scenario(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    (timing, priority): (&Timing, Priority),
    loads: &[HopLoad],
) -> (Option<Run>, Vec<HopAge>) {
    let run = timing.gaps().map(|_| run(facts, systems, priority, loads));
    let ages = loads
        .iter()
        .map(|load| age(facts, systems, (timing, priority), run.as_ref(), load))
        .collect();
    (run, ages)
}

fn run(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    priority: Priority,
    loads: &[HopLoad],
) -> Run {
    let mut sums: Vec<(SystemId, Calls)> = Vec::new();
    for (system, [.., calls]) in loads.iter().flat_map(HopLoad::ends) {
        match sums.iter_mut().find(|s| s.0 == system) {
            Some(sum) => sum.1 += calls,
            None => sums.push((system, calls)),
        }
    }
    let at: Vec<RunAt> = sums
        .into_iter()
        .filter_map(|(system, calls)| {
            let known = system::at(facts, system)?;
            Some(run_at(known, system::at(systems, system)?, priority, calls))
        })
        .collect();
    let last_write = loads
        .iter()
        .filter_map(|l| system::at(facts, l.to))
        .map(|f| f.latency.value)
        .fold(0.0, f64::max);
    let longest = at
        .iter()
        .try_fold(0.0_f64, |most, at| Some(most.max(at.seconds?)));
    Run {
        seconds: longest.map(|s| s + last_write),
        systems: at,
    }
}

fn run_at(facts: &SystemFacts, load: &SystemLoad, priority: Priority, calls: Calls) -> RunAt {
    let pace =
        |calls: f64, rate| busy_seconds(calls, rate, facts.latency.value, facts.concurrency.value);
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

fn age(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    (timing, priority): (&Timing, Priority),
    run: Option<&Run>,
    load: &HopLoad,
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
    let (worst_detect, mean_detect, write) = match timing {
        Timing::Realtime | Timing::Hybrid(_) => {
            let heard = Some(source.event_latency.value);
            (heard, heard, Some(target.latency.value))
        }
        Timing::Scheduled(gaps) => {
            let gap = gaps.longest.as_secs_f64();
            let lag = source.read_lag.value;
            let seconds = run.and_then(|r| r.seconds);
            (Some(gap + lag), Some(gap / 2.0 + lag), seconds)
        }
        Timing::Unknown | Timing::Never => return HopAge::UNBOUNDED,
    };
    let part = |detect, queue| Age {
        detect,
        queue,
        write,
    };
    HopAge {
        worst: part(worst_detect, p99_wait),
        mean: part(mean_detect, mean_wait),
    }
}
