//! The search: the program proposes, the arithmetic disposes, until neither can do better.

use super::master::{Aim, Answer, At, Cut, Effort, Master};
use super::problem::{Pick, Problem};
use super::truth::{Fault, Truth, own_faults};
use crate::model::{Scenario, ScenarioId, SystemId};
use crate::terms::Priority;

/// Money a month by which two assignments may differ and still count as equal.
const MONEY_TOLERANCE: f64 = 0.01;

/// The same as a share of the whole.
const SHARE_TOLERANCE: f64 = 1e-6;

/// How many solves look for the assignment that misses least.
const NEAREST_SOLVES: usize = 20;

/// What a search may use.
pub struct Limits<'l> {
    /// Seconds that are left; none: no end.
    pub seconds_left: &'l dyn Fn() -> Option<f64>,
    /// What it may do at most, the same on every machine.
    pub work: Work,
}

/// Work that does not depend on how fast a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// How often the program is solved.
    pub solves: usize,
    /// How many branches one solve may look at.
    pub nodes: u64,
}

impl Work {
    /// For somebody who asked for the best and waits for it.
    pub const ASKED: Work = Work {
        solves: 400,
        nodes: 200_000,
    };
    /// For a choice on the way to something else, such as a check while somebody types: a good
    /// answer in about a second, the best where it is found by then.
    pub const PASSING: Work = Work {
        solves: 40,
        nodes: 400,
    };
}

/// How good the answer is known to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Proof {
    /// Nothing feasible costs less.
    Optimal,
    /// Nothing feasible costs less than this: the time, or the work allowed, was over before the
    /// rest was known.
    AtLeast(f64),
}

/// A feasible assignment.
#[derive(Debug)]
pub struct Solved {
    /// The assignment.
    pub pick: Pick,
    /// What holds of it.
    pub truth: Truth,
    /// How good it is known to be.
    pub proof: Proof,
    /// How often the program was solved.
    pub solves: usize,
    /// Whether it is known to be the simplest of those that cost the same.
    pub simplest: bool,
}

/// How a search ended.
#[derive(Debug)]
pub enum Outcome {
    /// With an assignment.
    Solved(Box<Solved>),
    /// Nothing is feasible; what came nearest, and what breaks there.
    Infeasible {
        /// The assignment that misses least of those that were looked at.
        nearest: Pick,
        /// What holds of it.
        truth: Box<Truth>,
    },
    /// The time, or the work allowed, was over before anything was found.
    Open {
        /// How often the program was solved.
        solves: usize,
    },
}

impl Outcome {
    /// The assignment, where there is one.
    pub fn solved(self) -> Option<Solved> {
        match self {
            Outcome::Solved(solved) => Some(*solved),
            _ => None,
        }
    }
}

/// How much two costs may differ and still count as equal.
pub(super) fn tolerance(cost: f64) -> f64 {
    (cost.abs() * SHARE_TOLERANCE).max(MONEY_TOLERANCE)
}

impl Problem<'_> {
    /// The feasible assignment of least cost; among those that cost the same, the simplest.
    pub fn solve(&self, limits: &Limits) -> Outcome {
        let mut search = Search {
            problem: self,
            master: Master::new(self),
            cuts: Vec::new(),
            solves: 0,
            nearest: None,
            limits,
        };
        let start = self.today().map(|pick| (self.truth(&pick), pick));
        let start = start.filter(|(truth, _)| truth.faults.is_empty());
        let (best, bound) = search.cheapest(start);
        let Some((truth, pick)) = best else {
            return match bound {
                // No solve came to an end.
                f64::NEG_INFINITY => Outcome::Open {
                    solves: search.solves,
                },
                _ => search.infeasible(),
            };
        };
        let proven = truth.cost - bound <= tolerance(truth.cost);
        let most = truth.cost + if proven { tolerance(truth.cost) } else { 0.0 };
        let ((truth, pick), simplest) = search.simplest((truth, pick), most);
        Outcome::Solved(Box::new(Solved {
            proof: match proven {
                true => Proof::Optimal,
                false => Proof::AtLeast(bound.max(0.0)),
            },
            solves: search.solves,
            simplest,
            pick,
            truth,
        }))
    }
}

type Known = (Truth, Pick);

/// A system whose peaks slow a scenario, the lowest priority that this can have, and its position.
type Place = (SystemId, Priority, usize);

struct Search<'p> {
    problem: &'p Problem<'p>,
    master: Master<'p>,
    cuts: Vec<Cut>,
    solves: usize,
    /// What was looked at and misses least, with by how much.
    nearest: Option<(f64, Known)>,
    limits: &'p Limits<'p>,
}

impl Search<'_> {
    /// The cheapest, with a bound below which nothing is. Without an assignment: nothing is
    /// feasible, or (no bound) nobody knows.
    fn cheapest(&mut self, start: Option<Known>) -> (Option<Known>, f64) {
        if self.problem.slots.iter().all(|s| s.options.len() < 2) {
            return self.only();
        }
        let mut best = start;
        let mut bound = f64::NEG_INFINITY;
        while let Some(effort) = self.effort() {
            let hint = best.as_ref().map(|b| &b.1);
            let answer = self.master.solve(&self.cuts, Aim::Cost, hint, effort);
            self.solves += 1;
            let (pick, least) = match answer {
                Answer::Found { pick, bound } => (pick, bound),
                Answer::Infeasible => {
                    // Whatever is feasible was cut away only because it is known already.
                    let known = best.as_ref().map(|b| b.0.cost);
                    return (best, known.unwrap_or(f64::INFINITY));
                }
                Answer::None => break,
            };
            bound = bound.max(least);
            let truth = self.problem.truth(&pick);
            let more = self.learn(&truth, &pick);
            if truth.faults.is_empty() {
                if best.as_ref().is_none_or(|b| truth.cost < b.0.cost) {
                    best = Some((truth, pick));
                }
            } else {
                self.missed(truth, pick);
            }
            if let Some((truth, _)) = &best
                && truth.cost - bound <= tolerance(truth.cost) / 2.0
            {
                break;
            }
            if !more {
                break;
            }
        }
        (best, bound)
    }

    /// The one assignment that there is.
    fn only(&mut self) -> (Option<Known>, f64) {
        let pick: Pick = vec![0; self.problem.slots.len()];
        let truth = self.problem.truth(&pick);
        match truth.faults.is_empty() {
            true => {
                let cost = truth.cost;
                (Some((truth, pick)), cost)
            }
            false => {
                self.missed(truth, pick);
                (None, f64::INFINITY)
            }
        }
    }

    /// The simplest that costs no more than `most`, and whether that is proven.
    fn simplest(&mut self, known: Known, most: f64) -> (Known, bool) {
        let problem = self.problem;
        let complexity = |pick: &Pick| problem.complexity(pick);
        let mut best = known;
        if self.problem.slots.iter().all(|s| s.options.len() < 2) {
            return (best, true);
        }
        while let Some(effort) = self.effort() {
            let aim = Aim::Simplicity { at_most: most };
            let answer = self.master.solve(&self.cuts, aim, Some(&best.1), effort);
            self.solves += 1;
            let (pick, least) = match answer {
                Answer::Found { pick, bound } => (pick, bound),
                // The known one costs no more than `most`, up to rounding.
                Answer::Infeasible => return (best, true),
                Answer::None => return (best, false),
            };
            if f64::from(complexity(&best.1)) - least < 0.5 {
                return (best, true);
            }
            let truth = self.problem.truth(&pick);
            let more = self.learn(&truth, &pick);
            let holds = truth.faults.is_empty() && truth.cost <= most;
            if holds && complexity(&pick) < complexity(&best.1) {
                best = (truth, pick);
            } else if !more {
                return (best, false);
            }
        }
        (best, false)
    }

    /// What is left to use for one solve; none: it is over.
    fn effort(&self) -> Option<Effort> {
        let seconds = (self.limits.seconds_left)();
        let over = self.solves >= self.limits.work.solves || seconds.is_some_and(|s| s <= 0.0);
        (!over).then_some(Effort {
            seconds,
            nodes: self.limits.work.nodes,
        })
    }

    fn missed(&mut self, truth: Truth, pick: Pick) {
        let miss: f64 = truth
            .faults
            .iter()
            .map(|f| self.problem.overshoot(*f, &truth.arithmetic))
            .sum();
        if self.nearest.as_ref().is_none_or(|n| miss < n.0) {
            self.nearest = Some((miss, (truth, pick)));
        }
    }

    /// Adds the rows that an assignment teaches; says whether any is new.
    fn learn(&mut self, truth: &Truth, pick: &Pick) -> bool {
        let mut new: Vec<Cut> = Vec::new();
        for fault in &truth.faults {
            new.push(Cut::OneOf(self.problem.better_for(*fault, truth, pick)));
        }
        new.extend(self.dearer(truth, pick));
        let before = self.cuts.len();
        for cut in new {
            if !self.cuts.contains(&cut) {
                self.cuts.push(cut);
            }
        }
        self.cuts.len() > before
    }

    /// Rows for what costs more than the program knows.
    fn dearer(&self, truth: &Truth, pick: &Pick) -> Vec<Cut> {
        let problem = self.problem;
        let mut cuts = Vec::new();
        for (at, cost) in truth.delays.iter().enumerate() {
            let known = pick
                .get(at)
                .map_or(0.0, |o| problem.least_delay_cost(at, *o));
            if cost - known > 1e-7 * cost.max(1.0) {
                cuts.push(problem.delay_cut(at, truth, pick));
            }
        }
        for system in &problem.policy.systems {
            let at = system.id.index();
            let cost = truth.calls.get(at).copied().unwrap_or(0.0);
            let known = self.known_calls(system.id, pick);
            if cost - known > 1e-9 * cost.max(1.0) {
                cuts.push(self.calls_cut(system.id, cost, truth, pick));
            }
        }
        cuts
    }

    fn known_calls(&self, system: SystemId, pick: &Pick) -> f64 {
        self.master.tier_cost(system, pick)
    }

    fn calls_cut(&self, system: SystemId, cost: f64, truth: &Truth, pick: &Pick) -> Cut {
        let problem = self.problem;
        // Where there is a tier the variable holds all of the cost, else only what the options do
        // not count themselves.
        let least = match self.master.has_tier(system) {
            true => cost,
            false => cost - self.known_calls(system, pick),
        };
        let fault = Fault::Quota(system, usize::MAX);
        let better = problem.better_for(fault, truth, pick);
        Cut::Calls {
            system: system.index(),
            least,
            terms: better.into_iter().map(|at| (at, least)).collect(),
        }
    }

    /// Which assignment comes nearest where none is feasible: the program with rows that may be
    /// missed, at a price for each.
    fn infeasible(mut self) -> Outcome {
        for _ in 0..NEAREST_SOLVES {
            let Some(effort) = self.effort() else {
                break;
            };
            let answer = self.master.solve(&self.cuts, Aim::Nearest, None, effort);
            self.solves += 1;
            let Answer::Found { pick, .. } = answer else {
                break;
            };
            let truth = self.problem.truth(&pick);
            let more = self.learn(&truth, &pick);
            self.missed(truth, pick);
            if !more {
                break;
            }
        }
        match self.nearest {
            Some((_, (truth, nearest))) => Outcome::Infeasible {
                nearest,
                truth: Box::new(truth),
            },
            None => Outcome::Open {
                solves: self.solves,
            },
        }
    }
}

impl Problem<'_> {
    /// The options of which at least one must be chosen for a fault of an assignment to go: each is
    /// better in something that the fault depends on. Whoever chooses none of them has every load
    /// that matters at least as great, and so the same fault.
    pub(super) fn better_for(&self, fault: Fault, truth: &Truth, pick: &Pick) -> Vec<At> {
        let mut better = match fault {
            Fault::Quota(system, limit) => self.lighter(system, Some(limit), true, truth, pick),
            Fault::Burst(system, limit) => self.lighter(system, Some(limit), false, truth, pick),
            Fault::Hop(id) | Fault::Run(id) | Fault::Endless(id) => {
                let places = self.places(id.index());
                let systems: Vec<SystemId> = places.iter().map(|p| p.0).collect();
                let mut better = self.mending(id, fault, truth, pick);
                better.extend(self.stops_hearing(id.index(), &systems, pick));
                better.extend(self.less_at_peak(&places, pick));
                better
            }
            Fault::Urgent(id) => self.livelier(id, pick),
            Fault::Field(at) => self.younger(at, truth, pick),
        };
        better.sort_unstable();
        better.dedup();
        better
    }

    /// Options that call a system less, or by which echoes there cost fewer reads.
    fn lighter(
        &self,
        system: SystemId,
        limit: Option<usize>,
        by_day: bool,
        truth: &Truth,
        pick: &Pick,
    ) -> Vec<At> {
        let facts = truth.arithmetic.facts(system);
        let counts = facts.and_then(|f| f.limits.get(limit?)).map(|l| l.counts);
        let mut better = Vec::new();
        for (at, scenario) in self.policy.scenarios.iter().enumerate() {
            let touches = self.slots.get(at).is_some_and(|slot| {
                slot.options.len() > 1
                    && slot
                        .options
                        .iter()
                        .any(|o| o.shares.iter().any(|s| s.0 == system))
            });
            let used = |load: Option<&crate::arithmetic::SystemLoad>| {
                let share =
                    load.and_then(|l| l.scenarios.iter().find(|s| s.scenario == scenario.id));
                share.map_or(0.0, |s| match (counts, by_day) {
                    (Some(counts), true) => s.busiest_day.counted(counts),
                    (Some(counts), false) => s.peak.counted(counts),
                    // No limit: all calls of a mean day, which are paid.
                    (None, _) => s.per_day.total(),
                })
            };
            if touches {
                let today = used(truth.arithmetic.system(system));
                for (option, choice) in self.others(at, pick) {
                    let what_if =
                        truth
                            .arithmetic
                            .as_if(self.policy, self.graph, scenario, &choice.mode);
                    let then = what_if.systems.get(system.index()).map(|l| &**l);
                    if used(then) < today - 1e-12 * today.max(1.0) {
                        better.push((at, option));
                    }
                }
            }
            better.extend(self.stops_hearing(at, &[system], pick));
        }
        better
    }

    /// The other options of a scenario.
    fn others(
        &self,
        at: usize,
        pick: &Pick,
    ) -> impl Iterator<Item = (usize, &super::problem::Choice)> {
        let own = pick.get(at).copied();
        let options = self.slots.get(at).map_or(&[][..], |s| &s.options);
        options
            .iter()
            .enumerate()
            .filter(move |(o, _)| Some(*o) != own)
    }

    /// Options by which a scenario no longer hears the events of one of these systems.
    fn stops_hearing(&self, at: usize, systems: &[SystemId], pick: &Pick) -> Vec<At> {
        // Only where an event must be followed by a read does an echo cost one.
        let echoes = |s: &SystemId| {
            systems.contains(s)
                && self
                    .floor
                    .facts(*s)
                    .is_some_and(|f| f.reads_per_event > 0.0)
        };
        let hears = |s: &Scenario| s.hops.iter().any(|h| echoes(&h.from.value));
        let live = self.choice(pick, at).is_some_and(|c| c.live);
        if !live || !self.policy.scenarios.get(at).is_some_and(hears) {
            return Vec::new();
        }
        let others = self.others(at, pick).filter(|(_, c)| !c.live);
        others.map(|(option, _)| (at, option)).collect()
    }

    /// Options of a scenario by which its own fault goes while the others stay as they are.
    fn mending(&self, id: ScenarioId, fault: Fault, truth: &Truth, pick: &Pick) -> Vec<At> {
        let (at, scenario) = (id.index(), self.policy.scenario(id));
        let price = self.slots.get(at).map_or(0.0, |s| s.delay_price);
        self.others(at, pick)
            .filter(|(_, choice)| {
                let what_if =
                    truth
                        .arithmetic
                        .as_if(self.policy, self.graph, scenario, &choice.mode);
                !own_faults(scenario, &what_if.figures, price).contains(&fault)
            })
            .map(|(option, _)| (at, option))
            .collect()
    }

    /// The systems whose peaks slow a scenario, with the lowest priority that it can have.
    fn places(&self, at: usize) -> Vec<Place> {
        let Some(slot) = self.slots.get(at) else {
            return Vec::new();
        };
        let lowest = slot.options.iter().map(|o| o.priority).max();
        let Some(lowest) = lowest else {
            return Vec::new();
        };
        let mut systems: Vec<SystemId> = slot
            .options
            .iter()
            .flat_map(|o| o.figures.hops.iter().flat_map(|h| [h.from, h.to]))
            .collect();
        systems.sort_unstable();
        systems.dedup();
        systems.into_iter().map(|s| (s, lowest, at)).collect()
    }

    /// Options of other scenarios that ask for less at the peak of one of these systems.
    fn less_at_peak(&self, places: &[Place], pick: &Pick) -> Vec<At> {
        let systems: Vec<SystemId> = places.iter().map(|p| p.0).collect();
        let mut better = Vec::new();
        for at in 0..self.slots.len() {
            if places.iter().all(|p| p.2 == at) {
                continue;
            }
            let Some(now) = self.choice(pick, at) else {
                continue;
            };
            for (option, then) in self.others(at, pick) {
                let less = places
                    .iter()
                    .filter(|p| p.2 != at)
                    .any(|(system, lowest, _)| {
                        let (a, b) = (now.share(*system).peak, then.share(*system).peak);
                        let counted = now.priority <= *lowest;
                        let moved = now.priority != then.priority;
                        let falls = b.read < a.read || b.write < a.write || b.bulk < a.bulk;
                        counted && a.total() > 0.0 && (falls || moved)
                    });
                if less {
                    better.push((at, option));
                }
            }
            better.extend(self.stops_hearing(at, &systems, pick));
        }
        better.sort_unstable();
        better.dedup();
        better
    }

    /// Options by which what a scenario carries gets there in real time.
    fn livelier(&self, id: ScenarioId, pick: &Pick) -> Vec<At> {
        let at = id.index();
        let own = self.others(at, pick).filter(|(_, c)| c.live);
        let mut better: Vec<At> = own.map(|(option, _)| (at, option)).collect();
        for other in (0..self.slots.len()).filter(|o| *o != at) {
            if self.choice(pick, other).is_none_or(|c| c.live) {
                continue;
            }
            better.extend(
                self.others(other, pick)
                    .filter(|(_, c)| c.live)
                    .map(|(o, _)| (other, o)),
            );
        }
        better
    }

    /// Options by which a hop on the way of a bounded field gets younger.
    fn younger(&self, bound: usize, truth: &Truth, pick: &Pick) -> Vec<At> {
        let Some(bound) = self.bounds.get(bound) else {
            return Vec::new();
        };
        let mut better = Vec::new();
        let mut places = Vec::new();
        for at in &bound.scenarios {
            let scenario = self.policy.scenarios.get(*at);
            let Some(now) = scenario.and_then(|s| truth.arithmetic.scenario(s.id)) else {
                continue;
            };
            places.extend(self.places(*at));
            for (option, choice) in self.others(*at, pick) {
                let Some(scenario) = scenario else {
                    continue;
                };
                let what_if =
                    truth
                        .arithmetic
                        .as_if(self.policy, self.graph, scenario, &choice.mode);
                let pairs = now.ages.iter().zip(&what_if.figures.ages);
                let worst =
                    |a: &crate::arithmetic::HopAge| super::reasons::seconds(a.worst.total());
                let mut younger = pairs.map(|(now, then)| worst(then) < worst(now) - 1e-9);
                if younger.any(|y| y) {
                    better.push((*at, option));
                }
            }
        }
        // A scenario's own peak may slow the next hop of the way.
        let shared: Vec<Place> = places
            .into_iter()
            .map(|(s, p, _)| (s, p, usize::MAX))
            .collect();
        better.extend(self.less_at_peak(&shared, pick));
        better
    }

    /// The row that says what delays of a scenario cost beside what the others do in an assignment.
    fn delay_cut(&self, at: usize, truth: &Truth, pick: &Pick) -> Cut {
        let scenario = self.policy.scenarios.get(at);
        let options = self.slots.get(at).map_or(0, |s| s.options.len());
        let price = self.slots.get(at).map_or(0.0, |s| s.delay_price);
        let places = self.places(at);
        let systems: Vec<SystemId> = places.iter().map(|p| p.0).collect();
        let quieter = self.stops_hearing(at, &systems, pick);
        let mut most = 0.0_f64;
        let mut terms: Vec<(At, f64)> = Vec::new();
        for option in (0..options).filter(|o| !quieter.contains(&(at, *o))) {
            let least = self.least_delay_cost(at, option);
            let cost = match pick.get(at) == Some(&option) {
                true => truth.delays.get(at).copied(),
                false => scenario
                    .zip(self.slots.get(at).and_then(|s| s.options.get(option)))
                    .and_then(|(scenario, choice)| {
                        let what_if =
                            truth
                                .arithmetic
                                .as_if(self.policy, self.graph, scenario, &choice.mode);
                        Some(what_if.figures.mean_delay()? * price)
                    }),
            };
            let more = cost.map_or(0.0, |c| (c - least).max(0.0));
            most = most.max(more);
            terms.push(((at, option), -more));
        }
        let others = self.less_at_peak(&places, pick);
        terms.extend(others.into_iter().filter(|o| o.0 != at).map(|o| (o, most)));
        Cut::Delay {
            scenario: at,
            least: 0.0,
            terms,
        }
    }
}
