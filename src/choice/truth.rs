//! What the whole arithmetic says of an assignment: what it costs, and what breaks.

use super::Ground;
use super::problem::{Pick, Problem};
use super::reasons::{TOLERANCE, late_hop, must_not_wait, overrun, seconds};
use crate::arithmetic::{Arithmetic, MONTH_DAYS, ScenarioFigures, per_month};
use crate::graph::HopId;
use crate::model::{ModeKind, Scenario, ScenarioId, SystemId};

/// Something that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The policy's part of a system's quota, by the quota's position among its limits.
    Quota(SystemId, usize),
    /// A burst limit of a system, by its position among the limits.
    Burst(SystemId, usize),
    /// A scenario's own `fresh`.
    Hop(ScenarioId),
    /// A scenario's run does not end in time, or never starts.
    Run(ScenarioId),
    /// What a scenario carries must not wait for the clock.
    Urgent(ScenarioId),
    /// A delay that has a price has no bound.
    Endless(ScenarioId),
    /// A field's `fresh` in a system, by the position among the bounds of the problem.
    Field(usize),
}

impl Fault {
    /// By how much a share of a limit may exceed it.
    pub(super) fn tolerance(self) -> f64 {
        match self {
            Fault::Burst(..) => 1e-9,
            _ => TOLERANCE,
        }
    }
}

/// What holds of an assignment.
#[derive(Debug)]
pub struct Truth {
    /// The figures.
    pub arithmetic: Arithmetic,
    /// Money a month: calls beyond what the tiers include, upkeep, delays. What is not known counts
    /// as nothing.
    pub cost: f64,
    /// By scenario: what its delays cost in a month.
    pub(super) delays: Vec<f64>,
    /// By system: what its calls cost in a month.
    pub(super) calls: Vec<f64>,
    /// What breaks, besides what no assignment can mend.
    pub faults: Vec<Fault>,
}

impl Problem<'_> {
    /// Works out what holds of an assignment.
    pub fn truth(&self, pick: &Pick) -> Truth {
        let modes: Vec<&ModeKind> = (0..self.slots.len())
            .map(|at| self.mode(pick, at).unwrap_or(&ModeKind::Unknown))
            .collect();
        self.truth_of(&modes)
    }

    /// The same of modes that need not be options, by scenario.
    pub fn truth_of(&self, modes: &[&ModeKind]) -> Truth {
        let arithmetic = self.floor.if_modes(self.policy, self.graph, modes);
        let delays: Vec<f64> = self
            .policy
            .scenarios
            .iter()
            .zip(&self.slots)
            .map(|(scenario, slot)| {
                let figures = arithmetic.scenario(scenario.id);
                let delay = figures.and_then(ScenarioFigures::mean_delay);
                match slot.delay_price > 0.0 {
                    true => delay.map_or(0.0, |d| d * slot.delay_price),
                    false => 0.0,
                }
            })
            .collect();
        let calls: Vec<f64> = self
            .policy
            .systems
            .iter()
            .map(|system| {
                let load = arithmetic.system(system.id);
                let per_day = load.map_or(0.0, |l| l.per_day().total());
                self.price(system.id).map_or(0.0, |(per_call, included)| {
                    per_call * (per_day * MONTH_DAYS - included).max(0.0)
                })
            })
            .collect();
        let live = self.policy.scenarios.iter().filter(|s| {
            let figures = arithmetic.scenario(s.id);
            !s.hops.is_empty() && figures.is_some_and(|f| f.timing.is_realtime())
        });
        let upkeep = self
            .policy
            .upkeep
            .as_ref()
            .map_or(0.0, |u| per_month(u.value));
        let upkeep = upkeep * live.count() as f64;
        let mut truth = Truth {
            cost: delays.iter().sum::<f64>() + calls.iter().sum::<f64>() + upkeep,
            arithmetic,
            delays,
            calls,
            faults: Vec::new(),
        };
        let all = self.faults(&truth.arithmetic).into_iter();
        truth.faults = all.filter(|f| !self.hopeless.contains(f)).collect();
        truth
    }

    /// Everything that breaks by these figures, also what no assignment of the options can mend.
    pub fn faults(&self, arithmetic: &Arithmetic) -> Vec<Fault> {
        let mut faults = self.broken_limits(arithmetic);
        let ground = Ground {
            policy: self.policy,
            graph: self.graph,
            arithmetic,
        };
        let is_live = |s: &Scenario| {
            let figures = arithmetic.scenario(s.id);
            figures.is_some_and(|f| f.timing.is_realtime())
        };
        for (scenario, slot) in self.policy.scenarios.iter().zip(&self.slots) {
            let Some(figures) = arithmetic.scenario(scenario.id) else {
                continue;
            };
            faults.extend(own_faults(scenario, figures, slot.delay_price));
            if !is_live(scenario) && must_not_wait(ground, scenario, &is_live).is_some() {
                faults.push(Fault::Urgent(scenario.id));
            }
        }
        let age = |hop: HopId| arithmetic.age(hop);
        for (at, bound) in self.bounds.iter().enumerate() {
            if self.is_late(bound, &age) {
                faults.push(Fault::Field(at));
            }
        }
        faults
    }

    fn broken_limits(&self, arithmetic: &Arithmetic) -> Vec<Fault> {
        let mut faults = Vec::new();
        for system in &self.policy.systems {
            let (Some(facts), Some(load)) =
                (arithmetic.facts(system.id), arithmetic.system(system.id))
            else {
                continue;
            };
            for (at, limit) in facts.limits.iter().enumerate() {
                let (fault, used) = match limit.is_quota() {
                    true => (
                        Fault::Quota(system.id, at),
                        super::quota_share(facts, limit, load),
                    ),
                    false => (Fault::Burst(system.id, at), super::burst_share(limit, load)),
                };
                if used > 1.0 + fault.tolerance() {
                    faults.push(fault);
                }
            }
        }
        faults
    }

    /// By how much a fault misses, as a share of what is allowed; infinite where it has no bound.
    pub(super) fn overshoot(&self, fault: Fault, arithmetic: &Arithmetic) -> f64 {
        let figures = |id: ScenarioId| arithmetic.scenario(id);
        let scenario = |id: ScenarioId| self.policy.scenario(id);
        match fault {
            Fault::Quota(system, at) | Fault::Burst(system, at) => {
                let facts = arithmetic.facts(system);
                let limit = facts.and_then(|f| f.limits.get(at));
                let (Some(facts), Some(limit), Some(load)) =
                    (facts, limit, arithmetic.system(system))
                else {
                    return 0.0;
                };
                match limit.is_quota() {
                    true => super::quota_share(facts, limit, load) - 1.0,
                    false => super::burst_share(limit, load) - 1.0,
                }
            }
            Fault::Hop(id) => {
                let late = figures(id).and_then(|f| late_hop(scenario(id), f));
                late.map_or(0.0, |(_, worst, within)| {
                    worst / within.as_secs_f64().max(1e-3) - 1.0
                })
            }
            Fault::Run(id) => match figures(id).and_then(|f| overrun(scenario(id), f)) {
                Some(
                    super::Overrun::Window(seconds, most)
                    | super::Overrun::NextStart(seconds, most),
                ) => seconds / most.as_secs_f64().max(1e-3) - 1.0,
                Some(super::Overrun::NeverStarts) => f64::INFINITY,
                None => 0.0,
            },
            Fault::Urgent(id) => {
                let gap =
                    figures(id).and_then(|f| f.timing.gaps().map(|g| g.longest.as_secs_f64()));
                // A minute late is the unit: the shorter the wait the nearer the miss.
                gap.unwrap_or(f64::INFINITY) / 60.0
            }
            Fault::Endless(_) => f64::INFINITY,
            Fault::Field(at) => {
                let age = |hop: HopId| arithmetic.age(hop);
                self.bounds.get(at).map_or(0.0, |bound| {
                    let place = (bound.field, bound.system);
                    let paths = Arithmetic::paths_by(self.policy, self.graph, place, &age);
                    let worst = paths.iter().map(|p| seconds(p.worst)).fold(0.0, f64::max);
                    worst / bound.within.max(1e-3) - 1.0
                })
            }
        }
    }
}

/// What breaks of a scenario by its own figures.
pub(super) fn own_faults(
    scenario: &Scenario,
    figures: &ScenarioFigures,
    delay_price: f64,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    if late_hop(scenario, figures).is_some() {
        faults.push(Fault::Hop(scenario.id));
    }
    if overrun(scenario, figures).is_some() {
        faults.push(Fault::Run(scenario.id));
    }
    if delay_price > 0.0 && figures.mean_delay().is_none() {
        faults.push(Fault::Endless(scenario.id));
    }
    faults
}
