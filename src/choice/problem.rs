//! The choice as a whole: each scenario with its options, and what each would do by itself.

use std::collections::BTreeSet;

use super::Ground;
use super::modes::{choices, complexity};
use super::reasons::{
    SECONDS_TOLERANCE, against_clauses, bound, must_not_wait, overrun, reached, says_how_late,
    seconds,
};
use super::truth::{Fault, own_faults};
use crate::arithmetic::{
    Arithmetic, Calls, HopAge, MONTH_DAYS, PriceFacts, ScenarioFigures, per_month, per_second,
};
use crate::graph::{Graph, HopId};
use crate::model::{FieldId, ModeKind, Policy, Scenario, ScenarioId, SystemId};
use crate::terms::Priority;

/// Which scenarios may change their modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Free {
    /// Those whose mode the policy leaves open.
    Auto,
    /// All.
    All,
}

/// A mode for each scenario, by its position among the options there.
pub type Pick = Vec<usize>;

/// A scenario with its options.
#[derive(Debug)]
pub struct Slot {
    /// What it may choose from; never empty.
    pub options: Vec<Choice>,
    /// The position of the mode that it has today, where that is an option.
    pub today: Option<usize>,
    /// What a second of mean delay costs in a month.
    pub(super) delay_price: f64,
    /// Whether it may choose at all.
    pub free: bool,
    /// Modes that were no option from the start, each with the reason.
    pub refused: Vec<(ModeKind, String)>,
    /// All that fit its clauses, with how simple they are.
    pub(super) considered: Vec<(ModeKind, u32)>,
}

/// A mode that a scenario may have, with what it does if nobody is in its way.
#[derive(Debug)]
pub struct Choice {
    /// The mode.
    pub mode: ModeKind,
    /// How simple it is to run, 0 the simplest.
    pub complexity: u32,
    /// Whether each change moves by itself.
    pub live: bool,
    /// Keeping it running, in a month.
    pub(super) upkeep: f64,
    /// Its priority.
    pub(super) priority: Priority,
    /// What it asks of each system that it calls, in order of the systems.
    pub(super) shares: Vec<(SystemId, Share)>,
    /// Its figures beside the least that all others can ask.
    pub(super) figures: ScenarioFigures,
    /// Whether its runs end in time also beside the most that all others can ask.
    pub(super) steady: bool,
}

/// What a scenario asks of a system.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Share {
    pub per_day: Calls,
    pub busiest_day: Calls,
    pub peak: Calls,
}

impl Choice {
    fn of(
        floor: Ground,
        ceiling: &Arithmetic,
        scenario: &Scenario,
        mode: &ModeKind,
        complexity: u32,
    ) -> Choice {
        let (policy, graph) = (floor.policy, floor.graph);
        let figures = floor
            .arithmetic
            .as_if(policy, graph, scenario, mode)
            .figures;
        let live = figures.timing.is_realtime();
        let upkeep = policy.upkeep.as_ref().map_or(0.0, |u| per_month(u.value));
        let mut choice = Choice {
            mode: mode.clone(),
            complexity,
            live,
            upkeep: if live && !scenario.hops.is_empty() {
                upkeep
            } else {
                0.0
            },
            priority: figures.priority,
            shares: Vec::new(),
            figures,
            steady: false,
        };
        choice.weigh(policy, graph, (floor.arithmetic, ceiling), scenario);
        choice
    }

    /// Works out what it does beside the least, and the most, that others can ask.
    fn weigh(
        &mut self,
        policy: &Policy,
        graph: &Graph,
        (floor, ceiling): (&Arithmetic, &Arithmetic),
        scenario: &Scenario,
    ) {
        let what_if = floor.as_if(policy, graph, scenario, &self.mode);
        let shares = what_if
            .systems
            .iter()
            .zip(&policy.systems)
            .filter_map(|(load, system)| {
                let own = load.scenarios.iter().find(|s| s.scenario == scenario.id)?;
                let share = Share {
                    per_day: own.per_day,
                    busiest_day: own.busiest_day,
                    peak: own.peak,
                };
                Some((system.id, share))
            });
        self.shares = shares.collect();
        self.figures = what_if.figures;
        let at_most = ceiling.as_if(policy, graph, scenario, &self.mode);
        self.steady = overrun(scenario, &at_most.figures).is_none();
    }

    pub(super) fn share(&self, system: SystemId) -> Share {
        let at = self.shares.binary_search_by_key(&system, |s| s.0);
        at.ok()
            .and_then(|at| self.shares.get(at))
            .map_or(Share::default(), |s| s.1)
    }
}

/// Fields that one bound holds for and that travel alike, in one system.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bound {
    pub field: FieldId,
    pub system: SystemId,
    pub within: f64,
    /// The scenarios over whose hops it may travel.
    pub scenarios: BTreeSet<usize>,
}

/// The choice as a whole.
#[derive(Debug)]
pub struct Problem<'a> {
    pub(super) policy: &'a Policy,
    pub(super) graph: &'a Graph,
    /// The figures if every scenario asked for the least at every peak.
    pub(super) floor: Arithmetic,
    /// By scenario.
    pub slots: Vec<Slot>,
    pub(super) bounds: Vec<Bound>,
    /// What no assignment can mend.
    pub hopeless: BTreeSet<Fault>,
}

impl<'a> Problem<'a> {
    /// Sets up the choice. `ground` holds the policy as it stands.
    pub fn new(ground: Ground<'a>, free: Free) -> Problem<'a> {
        let (policy, graph) = (ground.policy, ground.graph);
        let lists: Vec<Listed> = policy
            .scenarios
            .iter()
            .map(|s| Listed::of(ground, s, free))
            .collect();
        let least: Vec<ModeKind> = lists.iter().map(Listed::least).collect();
        let least: Vec<&ModeKind> = least.iter().collect();
        let floor = ground.arithmetic.if_modes(policy, graph, &least);
        let at_floor = Ground {
            policy,
            graph,
            arithmetic: &floor,
        };
        let most: Vec<ModeKind> = lists.iter().map(Listed::most).collect();
        let most: Vec<&ModeKind> = most.iter().collect();
        let ceiling = floor.if_modes(policy, graph, &most);
        let slots: Vec<Slot> = policy
            .scenarios
            .iter()
            .zip(lists)
            .map(|(scenario, listed)| listed.slot(at_floor, &ceiling, scenario))
            .collect();
        let bounds = bounds(at_floor);
        let mut problem = Problem {
            policy,
            graph,
            floor,
            slots,
            bounds,
            hopeless: BTreeSet::new(),
        };
        problem.hopeless = problem.find_hopeless();
        problem.narrow();
        // Fewer options ask for more at the least: what is known by itself comes nearer the truth.
        problem.refit();
        problem.narrow();
        problem
    }

    /// Works out again what each option does beside the least, and the most, that others can ask.
    fn refit(&mut self) {
        let (policy, graph) = (self.policy, self.graph);
        let by = |first: fn(&Choice) -> bool| -> Vec<ModeKind> {
            let slots = self.slots.iter();
            slots
                .map(|slot| {
                    let found = slot
                        .options
                        .iter()
                        .find(|o| first(o))
                        .or(slot.options.first());
                    found.map_or(ModeKind::Unknown, |o| o.mode.clone())
                })
                .collect()
        };
        let (least, most) = (by(|o| !o.live), by(|o| o.live));
        let least: Vec<&ModeKind> = least.iter().collect();
        let most: Vec<&ModeKind> = most.iter().collect();
        let floor = self.floor.if_modes(policy, graph, &least);
        let ceiling = floor.if_modes(policy, graph, &most);
        for (slot, scenario) in self.slots.iter_mut().zip(&policy.scenarios) {
            for option in &mut slot.options {
                option.weigh(policy, graph, (&floor, &ceiling), scenario);
            }
        }
        self.floor = floor;
    }

    /// Whether a limit breaks whatever some scenarios ask for.
    pub(super) fn breaks_without(&self, fault: Fault, some: &dyn Fn(&ScenarioId) -> bool) -> bool {
        if !matches!(fault, Fault::Quota(..) | Fault::Burst(..)) {
            return false;
        }
        let limits = self.limits();
        let loads = limits
            .iter()
            .find(|l| l.0 == fault)
            .map_or(&[][..], |l| &l.1);
        let others = self
            .policy
            .scenarios
            .iter()
            .zip(loads)
            .filter(|(s, _)| !some(&s.id));
        let least = |of: &Vec<f64>| of.iter().copied().fold(f64::INFINITY, f64::min);
        others.map(|(_, of)| least(of)).sum::<f64>() > 1.0 + fault.tolerance()
    }

    pub(super) fn at_floor(&self) -> Ground<'_> {
        Ground {
            policy: self.policy,
            graph: self.graph,
            arithmetic: &self.floor,
        }
    }

    /// The mode of an assignment.
    pub fn mode(&self, pick: &Pick, scenario: usize) -> Option<&ModeKind> {
        Some(&self.choice(pick, scenario)?.mode)
    }

    pub(super) fn choice(&self, pick: &Pick, scenario: usize) -> Option<&Choice> {
        self.slots.get(scenario)?.options.get(*pick.get(scenario)?)
    }

    /// The modes that fit a scenario's clauses, with how simple they are.
    pub(super) fn considered(&self, scenario: usize) -> Vec<(ModeKind, u32)> {
        self.slots
            .get(scenario)
            .map_or(Vec::new(), |s| s.considered.clone())
    }

    /// How simple an assignment is in all, 0 the simplest.
    pub fn complexity(&self, pick: &Pick) -> u32 {
        let of = |at| self.choice(pick, at).map_or(0, |c| c.complexity);
        (0..self.slots.len()).map(of).sum()
    }

    /// The modes as the policy has them, where each is an option.
    pub fn today(&self) -> Option<Pick> {
        self.slots.iter().map(|s| s.today).collect()
    }

    /// The youngest that each hop can be over all options of its scenario, by hop.
    fn youngest(&self, only: Option<(usize, usize)>) -> Vec<Option<HopAge>> {
        let mut ages = Vec::new();
        for (at, slot) in self.slots.iter().enumerate() {
            let hops = self.policy.scenarios.get(at).map_or(0, |s| s.hops.len());
            let options = slot.options.iter().enumerate();
            let options: Vec<&Choice> = options
                .filter(|(o, _)| only.is_none_or(|(s, option)| s != at || option == *o))
                .map(|o| o.1)
                .collect();
            for hop in 0..hops {
                let age = options.iter().filter_map(|o| o.figures.ages.get(hop));
                let worst = |a: &HopAge| seconds(a.worst.total());
                ages.push(age.min_by(|a, b| worst(a).total_cmp(&worst(b))).copied());
            }
        }
        ages
    }

    /// Whether a bound breaks by these ages of the hops.
    pub(super) fn is_late<'b>(
        &'b self,
        bound: &Bound,
        age: &'b dyn Fn(HopId) -> Option<&'b HopAge>,
    ) -> bool {
        self.worst(bound, age) > bound.within + SECONDS_TOLERANCE
    }

    /// The oldest that a bounded field gets by these ages of the hops.
    fn worst<'b>(&'b self, bound: &Bound, age: &'b dyn Fn(HopId) -> Option<&'b HopAge>) -> f64 {
        let place = (bound.field, bound.system);
        let paths = Arithmetic::paths_by(self.policy, self.graph, place, age);
        paths.iter().map(|p| seconds(p.worst)).fold(0.0, f64::max)
    }

    /// What breaks whatever is chosen.
    fn find_hopeless(&self) -> BTreeSet<Fault> {
        let mut hopeless = BTreeSet::new();
        for (at, (slot, scenario)) in self.slots.iter().zip(&self.policy.scenarios).enumerate() {
            let faults = slot.options.iter().map(|o| {
                own_faults(scenario, &o.figures, slot.delay_price)
                    .into_iter()
                    .collect::<BTreeSet<Fault>>()
            });
            let all = faults.reduce(|all, next| all.intersection(&next).copied().collect());
            hopeless.extend(all.unwrap_or_default());
            let by_clock = slot.options.iter().all(|o| !o.live);
            if by_clock && self.must_wait(at) {
                hopeless.insert(Fault::Urgent(scenario.id));
            }
        }
        let ages = self.youngest(None);
        let age = |hop: HopId| ages.get(hop.0 as usize)?.as_ref();
        for (at, bound) in self.bounds.iter().enumerate() {
            if self.is_late(bound, &age) {
                hopeless.insert(Fault::Field(at));
            }
        }
        for (fault, loads) in self.limits() {
            let least = |of: &Vec<f64>| of.iter().copied().fold(f64::INFINITY, f64::min);
            if loads.iter().map(least).sum::<f64>() > 1.0 + fault.tolerance() {
                hopeless.insert(fault);
            }
        }
        hopeless
    }

    /// Whether what a scenario carries must not wait for the clock, whatever the others do.
    fn must_wait(&self, at: usize) -> bool {
        let Some(scenario) = self.policy.scenarios.get(at) else {
            return false;
        };
        let can_live = |other: &Scenario| {
            let slot = self.slots.get(other.id.index());
            slot.is_some_and(|s| s.options.iter().any(|o| o.live))
        };
        must_not_wait(self.at_floor(), scenario, &can_live).is_some()
    }

    /// Takes away the options that cannot hold whatever the others do, and those to which another
    /// is never worse.
    fn narrow(&mut self) {
        let mut keep: Vec<Vec<bool>> = Vec::new();
        for (at, (slot, scenario)) in self.slots.iter().zip(&self.policy.scenarios).enumerate() {
            let urgent = !self.hopeless.contains(&Fault::Urgent(scenario.id)) && self.must_wait(at);
            let nearest = self.nearest_miss(at);
            let holds = |(option, choice): (usize, &Choice)| {
                let own = own_faults(scenario, &choice.figures, slot.delay_price);
                own.iter().all(|f| self.hopeless.contains(f))
                    && (choice.live || !urgent)
                    && self.keeps_bounds(at, option)
                    && nearest.is_none_or(|least| self.miss(at, option) <= least)
            };
            let mut held: Vec<bool> = slot.options.iter().enumerate().map(holds).collect();
            if !held.contains(&true) {
                // Each breaks one thing or another: the search says which comes nearest.
                held = vec![true; slot.options.len()];
            }
            keep.push(held);
        }
        self.retain(&keep);
        let keep = self.undominated();
        self.retain(&keep);
    }

    /// The least by which any option of a scenario misses what nothing can hold; none: it is
    /// concerned by nothing of that kind.
    fn nearest_miss(&self, at: usize) -> Option<f64> {
        let options = self.slots.get(at).map_or(0, |s| s.options.len());
        let misses = (0..options).map(|option| self.miss(at, option));
        misses.min_by(f64::total_cmp).filter(|least| *least > 0.0)
    }

    /// By how much an option misses what nothing can hold, in seconds.
    fn miss(&self, at: usize, option: usize) -> f64 {
        let slot = self.slots.get(at);
        let (Some(slot), Some(scenario)) = (slot, self.policy.scenarios.get(at)) else {
            return 0.0;
        };
        let Some(choice) = slot.options.get(option) else {
            return 0.0;
        };
        let worst = choice.figures.ages.iter().map(|a| seconds(a.worst.total()));
        let worst = worst.fold(0.0, f64::max);
        let of = |fault: &Fault| match fault {
            Fault::Hop(id) | Fault::Endless(id) if *id == scenario.id => worst,
            Fault::Urgent(id) if *id == scenario.id && !choice.live => worst,
            Fault::Run(id) if *id == scenario.id => {
                let run = choice.figures.run.as_ref();
                let gaps = choice.figures.timing.gaps();
                match (run, gaps) {
                    (Some(run), Some(gaps)) => {
                        (seconds(run.seconds) - gaps.shortest.as_secs_f64()).max(0.0)
                    }
                    _ => f64::MAX,
                }
            }
            Fault::Field(bound) => match self.bounds.get(*bound) {
                Some(bound) if bound.scenarios.contains(&at) => {
                    let ages = self.youngest(Some((at, option)));
                    let age = |hop: HopId| ages.get(hop.0 as usize)?.as_ref();
                    self.worst(bound, &age)
                }
                _ => 0.0,
            },
            _ => 0.0,
        };
        self.hopeless.iter().map(of).sum::<f64>().min(f64::MAX)
    }

    fn keeps_bounds(&self, at: usize, option: usize) -> bool {
        let concerned = |b: &(usize, &Bound)| {
            b.1.scenarios.contains(&at) && !self.hopeless.contains(&Fault::Field(b.0))
        };
        let mut concerned = self.bounds.iter().enumerate().filter(concerned).peekable();
        if concerned.peek().is_none() {
            return true;
        }
        let ages = self.youngest(Some((at, option)));
        let age = |hop: HopId| ages.get(hop.0 as usize)?.as_ref();
        concerned.all(|(_, bound)| !self.is_late(bound, &age))
    }

    fn retain(&mut self, keep: &[Vec<bool>]) {
        for (slot, keep) in self.slots.iter_mut().zip(keep) {
            let kept = |at: usize| keep.get(at).copied().unwrap_or(false);
            let today = slot.today.filter(|t| kept(*t));
            slot.today = today.map(|t| (0..t).filter(|at| kept(*at)).count());
            let mut at = 0;
            slot.options.retain(|_| {
                at += 1;
                kept(at - 1)
            });
        }
    }

    /// Which options are not simply worse than another of their scenario: no cheaper, no simpler, no
    /// younger and no easier on any system.
    fn undominated(&self) -> Vec<Vec<bool>> {
        let marks = |(at, slot): (usize, &Slot)| {
            let bounded = self.bounds.iter().any(|b| b.scenarios.contains(&at));
            let scenario = self.policy.scenarios.get(at);
            let timed = bounded || scenario.is_some_and(|s| s.fresh.is_some());
            let echoes = slot
                .options
                .iter()
                .flat_map(|o| &o.shares)
                .any(|(system, _)| {
                    self.floor
                        .facts(*system)
                        .is_some_and(|f| f.reads_per_event > 0.0)
                });
            let worse =
                |a: &Choice, b: &Choice| !echoes && b.steady && no_better(slot, a, b, timed);
            let mut keep = vec![true; slot.options.len()];
            for (i, a) in slot.options.iter().enumerate() {
                for (j, b) in slot.options.iter().enumerate() {
                    let kept = keep.get(j).copied().unwrap_or(false);
                    if i != j
                        && kept
                        && worse(a, b)
                        && (!worse(b, a) || j < i)
                        && let Some(mark) = keep.get_mut(i)
                    {
                        *mark = false;
                    }
                }
            }
            keep
        };
        self.slots.iter().enumerate().map(marks).collect()
    }

    /// Every limit with what each option uses of it, as shares of what is allowed, by scenario.
    pub(super) fn limits(&self) -> Vec<(Fault, Vec<Vec<f64>>)> {
        let mut limits = Vec::new();
        for system in &self.policy.systems {
            let Some(facts) = self.floor.facts(system.id) else {
                continue;
            };
            for (at, limit) in facts.limits.iter().enumerate() {
                let (fault, allowed) = match limit.is_quota() {
                    true => (
                        Fault::Quota(system.id, at),
                        limit.per_day() * facts.budget.value,
                    ),
                    false => (Fault::Burst(system.id, at), limit.per_second()),
                };
                let used = |choice: &Choice| {
                    let share = choice.share(system.id);
                    let calls = match limit.is_quota() {
                        true => share.busiest_day,
                        false => share.peak,
                    };
                    match calls.counted(limit.counts) {
                        0.0 => 0.0,
                        used if allowed > 0.0 => used / allowed,
                        // Nothing may be used: more than any sum allows, and still a number.
                        _ => 1_000.0,
                    }
                };
                let of = |slot: &Slot| slot.options.iter().map(used).collect();
                limits.push((fault, self.slots.iter().map(of).collect()));
            }
        }
        limits
    }

    /// What a call at a system costs and how many a month cost nothing; none: no price.
    pub(super) fn price(&self, system: SystemId) -> Option<(f64, f64)> {
        match &self.floor.facts(system)?.price {
            PriceFacts::Known { per_call, included } => {
                Some((per_call.value, included.as_ref().map_or(0.0, |i| i.value)))
            }
            PriceFacts::None | PriceFacts::Foreign(_) => None,
        }
    }

    /// What an option's own delay costs in a month beside the least that all others can ask.
    pub(super) fn least_delay_cost(&self, slot: usize, option: usize) -> f64 {
        let Some(slot) = self.slots.get(slot).filter(|s| s.delay_price > 0.0) else {
            return 0.0;
        };
        let delay = slot
            .options
            .get(option)
            .and_then(|o| o.figures.mean_delay());
        // Without bound: the search excludes it, it needs no price.
        delay.map_or(0.0, |d| d * slot.delay_price)
    }
}

/// How simple a mode is, 0 the simplest, where others cost the same. Of a scenario of which nothing
/// says how late it may be, the mode that it has is taken for the simplest: a change that saves
/// nothing and that nobody asked for is none for the better.
pub fn rank(
    policy: &Policy,
    scenario: &Scenario,
    mode: &ModeKind,
    restless: bool,
    today: bool,
) -> u32 {
    match restless {
        true => complexity(policy, scenario, mode),
        false if today => 0,
        false => complexity(policy, scenario, mode) + 1,
    }
}

/// Whether an option is no better than another in anything.
fn no_better(slot: &Slot, a: &Choice, b: &Choice, timed: bool) -> bool {
    let calls = |a: Calls, b: Calls| a.read >= b.read && a.write >= b.write && a.bulk >= b.bulk;
    let mut systems: Vec<SystemId> = a.shares.iter().chain(&b.shares).map(|s| s.0).collect();
    systems.dedup();
    let ages = a.figures.ages.iter().zip(&b.figures.ages);
    let mut ages = ages.map(|(a, b)| {
        let worst = seconds(a.worst.total()) >= seconds(b.worst.total());
        worst && seconds(a.mean.total()) >= seconds(b.mean.total())
    });
    let priced = slot.delay_price > 0.0;
    // Events and queues couple it to others in more ways than are compared here.
    a.live == b.live
        && a.priority == b.priority
        && a.complexity >= b.complexity
        && a.upkeep >= b.upkeep
        && (!(timed || priced) || ages.all(|worse| worse))
        && systems.iter().all(|system| {
            let (a, b) = (a.share(*system), b.share(*system));
            calls(a.per_day, b.per_day)
                && calls(a.busiest_day, b.busiest_day)
                && calls(a.peak, b.peak)
        })
}

/// A scenario's modes before anything is known of the others.
struct Listed {
    modes: Vec<ModeKind>,
    today: Option<usize>,
    refused: Vec<(ModeKind, String)>,
    free: bool,
    /// Whether a mode that saves no money is worth a change.
    restless: bool,
}

impl Listed {
    fn of(ground: Ground, scenario: &Scenario, free: Free) -> Listed {
        let own = scenario.mode.kind.clone();
        let open = free == Free::All || scenario.mode.is_auto();
        let readable = !scenario.broken && own != ModeKind::Unknown;
        if !(open && readable) {
            return Listed {
                modes: vec![own],
                today: Some(0),
                refused: Vec::new(),
                free: false,
                restless: false,
            };
        }
        let mut refused = Vec::new();
        let mut modes: Vec<ModeKind> = Vec::new();
        for mode in choices(ground, scenario) {
            let why = against_clauses(ground, scenario, &mode);
            match why.is_empty() {
                true => modes.push(mode),
                false => refused.push((mode, why.join("; "))),
            }
        }
        if modes.is_empty() {
            // Nothing fits its own clauses: it stays as it is, or runs by the usual batch.
            modes.push(match own {
                ModeKind::Auto => ModeKind::Scheduled(Some(crate::model::AUTO_RUNS_AS)),
                own => own,
            });
        }
        let auto = scenario.mode.is_auto();
        Listed {
            today: modes.iter().position(|m| *m == scenario.mode.kind),
            restless: auto || says_how_late(ground, scenario),
            modes,
            refused,
            free: true,
        }
    }

    /// A mode that asks for nothing at the peak where there is one.
    fn least(&self) -> ModeKind {
        let by_clock = |m: &&ModeKind| matches!(m, ModeKind::Scheduled(_));
        let found = self.modes.iter().find(by_clock).or(self.modes.first());
        found.cloned().unwrap_or(ModeKind::Unknown)
    }

    /// A mode that asks for the most at the peak.
    fn most(&self) -> ModeKind {
        let live = |m: &&ModeKind| matches!(m, ModeKind::Realtime | ModeKind::Hybrid(_));
        let found = self.modes.iter().find(live).or(self.modes.first());
        found.cloned().unwrap_or(ModeKind::Unknown)
    }

    fn slot(self, floor: Ground, ceiling: &Arithmetic, scenario: &Scenario) -> Slot {
        let policy = floor.policy;
        let choice = |(at, mode): (usize, &ModeKind)| {
            let simple = rank(
                policy,
                scenario,
                mode,
                self.restless,
                self.today == Some(at),
            );
            Choice::of(floor, ceiling, scenario, mode, simple)
        };
        let options: Vec<Choice> = self.modes.iter().enumerate().map(choice).collect();
        Slot {
            considered: options
                .iter()
                .map(|o| (o.mode.clone(), o.complexity))
                .collect(),
            delay_price: delay_price(policy, scenario, options.first()),
            today: self.today,
            options,
            free: self.free,
            refused: self.refused,
        }
    }
}

/// What a second of mean delay costs in a month; nothing where no price or no volume is declared.
fn delay_price(policy: &Policy, scenario: &Scenario, any: Option<&Choice>) -> f64 {
    let costs = scenario.stale.and_then(|s| s.costs);
    let (Some(costs), Some(any)) = (costs, any) else {
        return 0.0;
    };
    // How many records wait does not depend on the mode.
    let delayed = any.figures.delayed_per_day(policy, scenario);
    delayed.unwrap_or(0.0) * MONTH_DAYS * per_second(costs.value)
}

/// What decides whether a bound holds: fields of one flow and the same origins, in one system and
/// within the same seconds (their bits); derived fields are each looked at for themselves.
type Alike = (u32, Vec<SystemId>, SystemId, u64, Option<FieldId>);

/// Every bound on a field in a system that a hop brings it to, those that travel alike once.
fn bounds(ground: Ground) -> Vec<Bound> {
    let mut known: BTreeSet<Alike> = BTreeSet::new();
    let mut bounds = Vec::new();
    let fields = ground.policy.fields();
    for field in fields.filter(|f| !f.is_key && !f.broken && f.fresh.is_some()) {
        let Some(number) = ground.graph.flows.number_of(field.id) else {
            continue;
        };
        for system in reached(ground, field.id) {
            let Some(within) = bound(field, system) else {
                continue;
            };
            let derived = field.derived.is_some().then_some(field.id);
            let key = (number, field.origins(), system, within.to_bits(), derived);
            if !known.insert(key) {
                continue;
            }
            bounds.push(Bound {
                field: field.id,
                system,
                within,
                scenarios: travels_by(ground, field.id),
            });
        }
    }
    bounds
}

/// The scenarios over whose hops a field, or an input of a derived one, travels.
fn travels_by(ground: Ground, field: FieldId) -> BTreeSet<usize> {
    let flows = &ground.graph.flows;
    let mut fields = vec![field];
    if ground.policy.field(field).derived.is_some() {
        fields.extend(ground.graph.derivations.inputs(ground.policy, field));
    }
    let edges = fields
        .iter()
        .filter_map(|f| flows.of(*f))
        .flat_map(|f| f.edges());
    edges
        .map(|e| flows.scenario(ground.policy, e.hop).id.index())
        .collect()
}
