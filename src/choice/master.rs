//! The mixed-integer program: one of the options of each scenario, under rows that add up.

use std::collections::BTreeMap;

use microlp::{ComparisonOp, OptimizationDirection, Problem as Program, SolveOptions, Variable};

use super::problem::{Pick, Problem};
use super::truth::Fault;
use crate::arithmetic::MONTH_DAYS;
use crate::model::SystemId;

/// A position: a scenario and one of its options.
pub(super) type At = (usize, usize);

/// A row learnt from the arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cut {
    /// Something breaks unless one of these is chosen.
    OneOf(Vec<At>),
    /// Delays of a scenario cost at least so much more than the program knows, less these.
    Delay {
        scenario: usize,
        least: f64,
        terms: Vec<(At, f64)>,
    },
    /// The same of the calls at a system.
    Calls {
        system: usize,
        least: f64,
        terms: Vec<(At, f64)>,
    },
}

/// What is to be least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Aim {
    /// Money.
    Cost,
    /// Complexity, at no more than so much money.
    Simplicity { at_most: f64 },
    /// What is missed, where not everything can be held.
    Nearest,
}

/// How one solve ended.
#[derive(Debug)]
pub(super) enum Answer {
    /// A solution, and below which no solution can be.
    Found { pick: Pick, bound: f64 },
    /// There is none.
    Infeasible,
    /// The time or the work allowed was over before there was one, or the solver could not go on.
    None,
}

/// How far one solve may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    pub seconds: Option<f64>,
    pub nodes: u64,
}

/// Rows whose sum cannot reach what is allowed need not be said.
const SLACK: f64 = 1e-9;

/// The program over a problem.
pub(super) struct Master<'p> {
    problem: &'p Problem<'p>,
    limits: Vec<(Fault, Vec<Vec<f64>>)>,
    /// Money as the solver sees it: costs are divided by this.
    scale: f64,
    /// By scenario and option: upkeep, the least that delays cost, and calls where every one is
    /// paid.
    costs: Vec<Vec<f64>>,
    /// Systems with calls that cost nothing at first.
    tiers: Vec<SystemId>,
}

impl<'p> Master<'p> {
    pub fn new(problem: &'p Problem<'p>) -> Self {
        let tiered = |s: &SystemId| problem.price(*s).is_some_and(|p| p.1 > 0.0);
        let tiers: Vec<SystemId> = problem
            .policy
            .systems
            .iter()
            .map(|s| s.id)
            .filter(tiered)
            .collect();
        let costs = costs(problem);
        let dearest = |of: &Vec<f64>| of.iter().copied().fold(0.0, f64::max);
        let most: f64 = costs.iter().map(dearest).fold(0.0, f64::max);
        let limits = problem.limits().into_iter().filter(|(fault, loads)| {
            let most = |of: &Vec<f64>| of.iter().copied().fold(0.0, f64::max);
            let sum: f64 = loads.iter().map(most).sum();
            !problem.hopeless.contains(fault) && sum > 1.0 + fault.tolerance() - SLACK
        });
        Master {
            limits: limits.collect(),
            scale: (most / 1_000.0).max(1.0),
            costs,
            tiers,
            problem,
        }
    }

    /// Solves the program with the rows learnt so far. `hint`: a solution that is known.
    pub fn solve(&self, cuts: &[Cut], aim: Aim, hint: Option<&Pick>, effort: Effort) -> Answer {
        let mut model = Model::new(self, aim);
        model.limits();
        model.tiers();
        model.cuts(cuts);
        if let Aim::Simplicity { at_most } = aim {
            model.at_most(at_most);
        }
        model.run(hint, effort)
    }

    /// What the program knows the calls at a system with free calls to cost.
    pub fn tier_cost(&self, system: SystemId, pick: &Pick) -> f64 {
        let Some((per_call, included)) = self.problem.price(system) else {
            return 0.0;
        };
        let per_day: f64 = (0..pick.len())
            .filter_map(|at| Some(self.problem.choice(pick, at)?.share(system).per_day.total()))
            .sum();
        per_call * (per_day * MONTH_DAYS - included).max(0.0)
    }

    pub fn has_tier(&self, system: SystemId) -> bool {
        self.tiers.contains(&system)
    }
}

fn costs(problem: &Problem) -> Vec<Vec<f64>> {
    let by_slot = problem.slots.iter().enumerate();
    by_slot
        .map(|(at, slot)| {
            let options = slot.options.iter().enumerate();
            options
                .map(|(option, choice)| {
                    let paid =
                        choice
                            .shares
                            .iter()
                            .map(|(system, share)| match problem.price(*system) {
                                Some((per_call, 0.0)) => {
                                    per_call * share.per_day.total() * MONTH_DAYS
                                }
                                _ => 0.0,
                            });
                    choice.upkeep + problem.least_delay_cost(at, option) + paid.sum::<f64>()
                })
                .collect()
        })
        .collect()
}

/// One program under construction.
struct Model<'m> {
    master: &'m Master<'m>,
    program: Program,
    aim: Aim,
    /// By scenario and option; none where there is nothing to choose.
    picks: Vec<Option<Vec<Variable>>>,
    /// By scenario: what its delays cost beyond what is known, once a cut speaks of it.
    delays: Vec<Option<Variable>>,
    /// By system: what its calls cost, beyond what the options already count.
    calls: Vec<Option<Variable>>,
}

impl<'m> Model<'m> {
    fn new(master: &'m Master<'m>, aim: Aim) -> Self {
        let mut program = Program::new(OptimizationDirection::Minimize);
        let slots = &master.problem.slots;
        let picks = slots.iter().zip(&master.costs).map(|(slot, costs)| {
            if slot.options.len() < 2 {
                return None;
            }
            let options = slot.options.iter().zip(costs);
            let picks: Vec<Variable> = options
                .map(|(choice, cost)| {
                    program.add_binary_var(match aim {
                        Aim::Cost => cost / master.scale,
                        Aim::Simplicity { .. } => f64::from(choice.complexity),
                        // Among those that miss alike, the simplest.
                        Aim::Nearest => f64::from(choice.complexity) * 1e-5,
                    })
                })
                .collect();
            let one: Vec<(Variable, f64)> = picks.iter().map(|v| (*v, 1.0)).collect();
            program.add_constraint(&one[..], ComparisonOp::Eq, 1.0);
            Some(picks)
        });
        let picks = picks.collect();
        Model {
            delays: vec![None; slots.len()],
            calls: vec![None; master.problem.policy.systems.len()],
            picks,
            program,
            master,
            aim,
        }
    }

    /// A variable for money in the solver's unit.
    fn money(&mut self) -> Variable {
        let weight = match self.aim {
            Aim::Cost => 1.0,
            Aim::Simplicity { .. } | Aim::Nearest => 0.0,
        };
        self.program.add_var(weight, (0.0, f64::INFINITY))
    }

    /// By how much a row is missed, where that is what is to be least.
    fn miss(&mut self, sign: f64) -> Vec<(Variable, f64)> {
        match self.aim {
            Aim::Nearest => vec![(self.program.add_var(1.0, (0.0, f64::INFINITY)), sign)],
            Aim::Cost | Aim::Simplicity { .. } => Vec::new(),
        }
    }

    /// Σ terms ≤ or ≥ a number; what is fixed goes to the other side.
    fn row(&mut self, terms: &[(At, f64)], more: &[(Variable, f64)], op: ComparisonOp, side: f64) {
        let mut side = side;
        let mut row: Vec<(Variable, f64)> = more.to_vec();
        let mut sums: BTreeMap<At, f64> = BTreeMap::new();
        for (at, factor) in terms {
            *sums.entry(*at).or_default() += factor;
        }
        for ((slot, option), factor) in sums.iter().filter(|t| *t.1 != 0.0) {
            match self.picks.get(*slot) {
                Some(Some(picks)) => row.extend(picks.get(*option).map(|v| (*v, *factor))),
                // The only option is always chosen.
                _ => side -= factor,
            }
        }
        self.program.add_constraint(&row[..], op, side);
    }

    fn limits(&mut self) {
        for (fault, loads) in &self.master.limits {
            let by_slot = loads.iter().enumerate();
            let terms: Vec<(At, f64)> = by_slot
                .flat_map(|(slot, of)| of.iter().enumerate().map(move |(o, l)| ((slot, o), *l)))
                .collect();
            let miss = self.miss(-1.0);
            self.row(&terms, &miss, ComparisonOp::Le, 1.0 + fault.tolerance());
        }
    }

    fn tiers(&mut self) {
        for system in &self.master.tiers {
            let problem = self.master.problem;
            let Some((per_call, included)) = problem.price(*system) else {
                continue;
            };
            let unit = per_call * MONTH_DAYS / self.master.scale;
            let paid = self.calls_of(system.index());
            let mut terms: Vec<(At, f64)> = Vec::new();
            for (slot, options) in problem.slots.iter().enumerate() {
                for (option, choice) in options.options.iter().enumerate() {
                    let per_day = choice.share(*system).per_day.total();
                    terms.push(((slot, option), -per_day * unit));
                }
            }
            let free = -per_call * included / self.master.scale;
            self.row(&terms, &[(paid, 1.0)], ComparisonOp::Ge, free);
        }
    }

    fn calls_of(&mut self, system: usize) -> Variable {
        match self.calls.get(system).copied().flatten() {
            Some(known) => known,
            None => {
                let new = self.money();
                if let Some(slot) = self.calls.get_mut(system) {
                    *slot = Some(new);
                }
                new
            }
        }
    }

    fn delay_of(&mut self, scenario: usize) -> Variable {
        match self.delays.get(scenario).copied().flatten() {
            Some(known) => known,
            None => {
                let new = self.money();
                if let Some(slot) = self.delays.get_mut(scenario) {
                    *slot = Some(new);
                }
                new
            }
        }
    }

    fn cuts(&mut self, cuts: &[Cut]) {
        for cut in cuts {
            let (variable, least, terms) = match cut {
                Cut::OneOf(options) => {
                    let terms: Vec<(At, f64)> = options.iter().map(|o| (*o, 1.0)).collect();
                    let miss = self.miss(1.0);
                    self.row(&terms, &miss, ComparisonOp::Ge, 1.0);
                    continue;
                }
                Cut::Delay {
                    scenario,
                    least,
                    terms,
                } => (self.delay_of(*scenario), *least, terms),
                Cut::Calls {
                    system,
                    least,
                    terms,
                } => (self.calls_of(*system), *least, terms),
            };
            let scale = self.master.scale;
            let terms: Vec<(At, f64)> = terms.iter().map(|(at, t)| (*at, t / scale)).collect();
            self.row(&terms, &[(variable, 1.0)], ComparisonOp::Ge, least / scale);
        }
    }

    /// All money together is at most so much.
    fn at_most(&mut self, most: f64) {
        let scale = self.master.scale;
        let by_slot = self.master.costs.iter().enumerate();
        let terms: Vec<(At, f64)> = by_slot
            .flat_map(|(slot, of)| {
                of.iter()
                    .enumerate()
                    .map(move |(o, c)| ((slot, o), c / scale))
            })
            .collect();
        let money = self.delays.iter().chain(&self.calls).flatten();
        let money: Vec<(Variable, f64)> = money.map(|v| (*v, 1.0)).collect();
        self.row(&terms, &money, ComparisonOp::Le, most / scale);
    }

    fn run(self, hint: Option<&Pick>, effort: Effort) -> Answer {
        let fixed: Vec<f64> = self.fixed();
        let mut options = SolveOptions::default();
        options.node_limit = Some(effort.nodes);
        options.time_limit = effort
            .seconds
            .map(|s| std::time::Duration::from_secs_f64(s.max(0.0)));
        options.warm_start = hint.map(|pick| self.hint(pick));
        if self.picks.iter().all(Option::is_none) {
            // Nothing to choose: the rows are held by whoever knows better.
            let pick: Pick = vec![0; self.picks.len()];
            return Answer::Found {
                bound: fixed.iter().sum(),
                pick,
            };
        }
        let outcome = match self.program.solve_with(options) {
            Ok(outcome) => outcome,
            Err(microlp::Error::Infeasible) => return Answer::Infeasible,
            Err(_) => return Answer::None,
        };
        let Ok(solution) = outcome.into_solution() else {
            return Answer::None;
        };
        let chosen = |picks: &Option<Vec<Variable>>| {
            let values = picks
                .iter()
                .flatten()
                .map(|v| solution.var_value(*v))
                .enumerate();
            values.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |v| v.0)
        };
        let pick: Pick = self.picks.iter().map(chosen).collect();
        let bound = solution.stats().best_bound.unwrap_or(f64::NEG_INFINITY);
        let bound = match solution.status() {
            microlp::SolutionStatus::Optimal => solution.objective(),
            _ => bound.min(solution.objective()),
        };
        let unit = match self.aim {
            Aim::Cost => self.master.scale,
            Aim::Simplicity { .. } | Aim::Nearest => 1.0,
        };
        Answer::Found {
            bound: bound * unit + fixed.iter().sum::<f64>(),
            pick,
        }
    }

    /// What is paid, or how complex it is, where there is nothing to choose.
    fn fixed(&self) -> Vec<f64> {
        let slots = self.master.problem.slots.iter().zip(&self.master.costs);
        let alone = slots.filter(|(slot, _)| slot.options.len() < 2);
        alone
            .filter_map(|(slot, costs)| match self.aim {
                Aim::Cost => costs.first().copied(),
                Aim::Simplicity { .. } => Some(f64::from(slot.options.first()?.complexity)),
                Aim::Nearest => None,
            })
            .collect()
    }

    fn hint(&self, pick: &Pick) -> Vec<(Variable, f64)> {
        let by_slot = self.picks.iter().zip(pick);
        by_slot
            .flat_map(|(picks, chosen)| {
                let options = picks.iter().flatten().enumerate();
                options.map(|(o, v)| (*v, f64::from(u8::from(o == *chosen))))
            })
            .collect()
    }
}
