//! What all scenarios together ask of each system, against its limits.

use std::sync::Arc;

use super::calls::Calls;
use super::facts::{LimitFacts, SystemFacts};
use super::formula::Queue;
use super::load::HopLoad;
use crate::model::{Policy, ScenarioId, SystemId};
use crate::terms::Priority;

/// What all scenarios ask of a system.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SystemLoad {
    /// By scenario in reading order, those that call it.
    pub scenarios: Vec<ScenarioShare>,
    /// Peak calls a second of real-time hops, by priority in order of [`Priority::ALL`].
    pub peak: [Calls; Priority::ALL.len()],
}

/// A scenario's part in a system's load.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioShare {
    /// The scenario.
    pub scenario: ScenarioId,
    /// Calls a day, the mean over the horizon.
    pub per_day: Calls,
    /// Calls on its busiest day.
    pub busiest_day: Calls,
    /// Calls a second of its real-time hops in the busiest minute.
    pub peak: Calls,
    /// Calls a second of its real-time hops, the mean.
    pub live: f64,
    /// Calls of one run after the longest gap.
    pub run: Calls,
    /// Whether nothing declares the volume of a hop of it here, so that it is missing in the sums.
    pub volume_is_unknown: bool,
}

impl SystemLoad {
    /// Calls a day, the mean over the horizon.
    pub fn per_day(&self) -> Calls {
        self.scenarios.iter().map(|s| s.per_day).sum()
    }

    /// Calls on the busiest day, as if the busiest days of all scenarios met.
    pub fn busiest_day(&self) -> Calls {
        self.scenarios.iter().map(|s| s.busiest_day).sum()
    }

    /// Peak calls a second of all real-time hops.
    pub fn peak(&self) -> Calls {
        self.peak.iter().copied().sum()
    }

    /// Adds what a scenario's loads ask of this system.
    fn add(&mut self, priority: Priority, share: ScenarioShare) {
        if let Some(slot) = self.peak.get_mut(priority as usize) {
            *slot += share.peak;
        }
        match self
            .scenarios
            .iter_mut()
            .find(|s| s.scenario == share.scenario)
        {
            Some(known) => {
                known.per_day += share.per_day;
                known.busiest_day += share.busiest_day;
                known.peak += share.peak;
                known.live += share.live;
                known.run += share.run;
                known.volume_is_unknown |= share.volume_is_unknown;
            }
            None => self.scenarios.push(share),
        }
    }

    fn remove(&mut self, priority: Priority, scenario: ScenarioId) {
        let Some(at) = self.scenarios.iter().position(|s| s.scenario == scenario) else {
            return;
        };
        let gone = self.scenarios.remove(at);
        if let Some(slot) = self.peak.get_mut(priority as usize) {
            *slot = *slot - gone.peak;
        }
    }
}

/// The load of a system, shared by all answers to "what if" that leave it as it is.
pub type Shared = Arc<SystemLoad>;

/// Sums the loads by system.
pub(super) fn sums<'l>(
    policy: &Policy,
    scenarios: impl Iterator<Item = (Priority, &'l Vec<HopLoad>)>,
) -> Vec<Shared> {
    let mut systems = vec![Shared::default(); policy.systems.len()];
    for (priority, loads) in scenarios {
        for load in loads {
            add(&mut systems, priority, load);
        }
    }
    systems
}

/// The same sums with a scenario's loads replaced by others, and its priority, as it was and as it
/// is then.
pub(super) fn replaced(
    systems: &[Shared],
    scenario: ScenarioId,
    (before, then): (Priority, Priority),
    loads: &[HopLoad],
) -> Vec<Shared> {
    let mut systems = systems.to_vec();
    for system in &mut systems {
        if system.scenarios.iter().any(|s| s.scenario == scenario) {
            Arc::make_mut(system).remove(before, scenario);
        }
    }
    for load in loads {
        add(&mut systems, then, load);
    }
    systems
}

fn add(systems: &mut [Shared], priority: Priority, load: &HopLoad) {
    for (system, [per_day, busiest_day, peak, run]) in load.ends() {
        if let Some(known) = systems.get_mut(system.index()) {
            let share = ScenarioShare {
                scenario: load.scenario,
                per_day,
                busiest_day,
                peak,
                live: peak.total() / load.demand.peak.value.max(1.0),
                run,
                volume_is_unknown: load.volume_is_unknown(),
            };
            Arc::make_mut(known).add(priority, share);
        }
    }
}

/// What a limit leaves to a priority: calls a second that may be served, and how many arrive by
/// real-time hops of that very priority.
pub(super) fn left_to(limit: &LimitFacts, load: &SystemLoad, priority: Priority) -> Queue {
    let counted = |calls: &Calls| calls.counted(limit.counts);
    let own = priority as usize;
    let higher: f64 = load.peak.iter().take(own).map(counted).sum();
    Queue {
        arrivals: load.peak.get(own).map_or(0.0, counted),
        service: (limit.per_second() - higher).max(0.0),
    }
}

/// The longest waits before a write, over the burst limits that count writes: mean and p99 in
/// seconds. None: unbounded.
pub(super) fn waits(
    facts: &SystemFacts,
    load: &SystemLoad,
    priority: Priority,
) -> (Option<f64>, Option<f64>) {
    let mut longest = (Some(0.0), Some(0.0));
    for limit in facts.bursts().filter(|l| l.counts_writes()) {
        // A write is served as a whole, however many tokens it counts for.
        let (tokens, weight) = (left_to(limit, load, priority), limit.counts.of_a_write());
        let queue = Queue {
            arrivals: tokens.arrivals / weight.max(1.0),
            service: tokens.service / weight.max(1.0),
        };
        let most = |a: Option<f64>, b: Option<f64>| Some(a?.max(b?));
        longest = (
            most(longest.0, queue.mean_wait()),
            most(longest.1, queue.p99_wait()),
        );
    }
    longest
}

/// How long a write by event waits for the call that is under way at a system that takes one at a
/// time, in seconds: on the mean as often as scenarios in real time keep it busy and half a call
/// then (Pollaczek and Khinchine, few calls at once), at worst a whole one.
pub(super) fn call_under_way(facts: &SystemFacts, load: &SystemLoad) -> (f64, f64) {
    if !facts.waits_for_call {
        return (0.0, 0.0);
    }
    let call = facts.latency.value;
    let calls: f64 = load.scenarios.iter().map(|s| s.live).sum();
    let busy = (calls * call).min(1.0);
    (busy * call / 2.0, call)
}

/// A system by id.
pub(super) fn at<T>(list: &[T], system: SystemId) -> Option<&T> {
    list.get(system.index())
}
