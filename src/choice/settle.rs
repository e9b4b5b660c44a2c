//! A mode in the place of each `mode auto`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use super::figures;
use super::problem::{Free, Pick, Problem};
use super::search::{Limits, Outcome, Proof, Work};
use super::truth::{Fault, Truth};
use super::{Ground, text};
use crate::arithmetic::Arithmetic;
use crate::graph::Graph;
use crate::model::{AUTO_RUNS_AS, Chosen, ModeKind, Policy, ScenarioId};
use crate::time::Calendar;

/// The year whose calendar decides, so that the same policy has the same modes on every day. A leap
/// year, for a year is 366 days long here.
const YEAR: i32 = 2024;

/// Chooses a mode for every scenario whose mode the policy leaves open, all at once, with all others
/// as they are. What was chosen and why stands in the scenario's mode; one for which nothing will do
/// has the mode that comes nearest.
pub fn settle(policy: &mut Policy, graph: &Graph) {
    if policy
        .scenarios
        .iter()
        .all(|s| s.mode.kind != ModeKind::Auto)
    {
        return;
    }
    let mut same_year = policy.clone();
    if let Some(first) = NaiveDate::from_ymd_opt(YEAR, 1, 1) {
        same_year.calendar = Arc::new(Calendar::of_year(policy.zone, first));
    }
    let chosen = choose(&same_year, graph);
    for (id, (kind, chosen)) in chosen {
        put(policy, id, kind, Some(Arc::new(chosen)));
    }
}

/// Gives a scenario another mode.
pub fn put(policy: &mut Policy, id: ScenarioId, kind: ModeKind, chosen: Option<Arc<Chosen>>) {
    let scenario = policy.scenario(id);
    let window = scenario.window.as_ref().map(|w| &w.value);
    let class = kind.class(&policy.calendar, window);
    let priority = policy.priority_as(scenario, &kind);
    if let Some(scenario) = policy.scenarios.get_mut(id.index()) {
        scenario.priority = priority;
        scenario.mode.class = class;
        scenario.mode.kind = kind;
        scenario.mode.chosen = chosen;
    }
}

type Decided = BTreeMap<ScenarioId, (ModeKind, Chosen)>;

fn choose(policy: &Policy, graph: &Graph) -> Decided {
    let arithmetic = Arithmetic::apart(policy, graph);
    let ground = Ground {
        policy,
        graph,
        arithmetic: &arithmetic,
    };
    let problem = Problem::new(ground, Free::Auto);
    let outcome = problem.solve(&Limits {
        seconds_left: &|| None,
        work: Work::PASSING,
    });
    let (pick, truth, proof) = match outcome {
        Outcome::Solved(solved) => (solved.pick, solved.truth, Some(solved.proof)),
        Outcome::Infeasible { nearest, truth } => (nearest, *truth, None),
        Outcome::Open { .. } => {
            let pick: Pick = vec![0; problem.slots.len()];
            let truth = problem.truth(&pick);
            (pick, truth, None)
        }
    };
    let blamed = blamed(&problem, &truth);
    let open = policy
        .scenarios
        .iter()
        .filter(|s| s.mode.kind == ModeKind::Auto);
    open.map(|scenario| {
        let at = scenario.id.index();
        let mode = problem.mode(&pick, at).filter(|m| **m != ModeKind::Auto);
        let usual = ModeKind::Scheduled(Some(AUTO_RUNS_AS));
        let mode = mode.cloned().unwrap_or(usual);
        let miss = blamed
            .get(&scenario.id)
            .map(|f| problem.describe(*f, &truth.arithmetic));
        let why = match (&miss, proof) {
            (Some(miss), _) => format!("the nearest of all, but {miss}"),
            (None, Some(Proof::Optimal)) => reason(&problem, &pick, &truth, at),
            (None, _) => "the best that was found".to_owned(),
        };
        (scenario.id, (mode, Chosen { why, miss }))
    })
    .collect()
}

/// The scenarios with an open mode for which nothing will do, each with what breaks.
fn blamed(problem: &Problem, truth: &Truth) -> BTreeMap<ScenarioId, Fault> {
    let mut blamed = BTreeMap::new();
    let policy = problem.policy;
    let is_open = |id: &ScenarioId| policy.scenario(*id).mode.kind == ModeKind::Auto;
    // What breaks without any of them is told of as it is.
    let hopeless = problem.hopeless.iter().copied();
    let hopeless = hopeless.filter(|f| !problem.breaks_without(*f, &is_open));
    for fault in hopeless.chain(truth.faults.iter().copied()) {
        let guilty: Vec<ScenarioId> = match fault {
            Fault::Hop(id) | Fault::Run(id) | Fault::Urgent(id) | Fault::Endless(id) => vec![id],
            Fault::Field(at) => {
                let path = problem.oldest(at, &truth.arithmetic);
                let edges = path.into_iter().flat_map(|p| p.edges);
                edges
                    .map(|e| problem.graph.flows.scenario(policy, e.hop).id)
                    .collect()
            }
            Fault::Quota(system, _) | Fault::Burst(system, _) => {
                let load = truth.arithmetic.system(system);
                let by_day = matches!(fault, Fault::Quota(..));
                let shares = load.into_iter().flat_map(|l| &l.scenarios);
                let open = shares.filter(|s| is_open(&s.scenario));
                let calls = |s: &&crate::arithmetic::ScenarioShare| match by_day {
                    true => s.busiest_day.total(),
                    false => s.peak.total(),
                };
                let most = open.max_by(|a, b| calls(a).total_cmp(&calls(b)));
                most.map(|s| s.scenario).into_iter().collect()
            }
        };
        for id in guilty.into_iter().filter(is_open) {
            blamed.entry(id).or_insert(fault);
        }
    }
    blamed
}

/// What decided a mode: what the next simpler one would break, or cost.
fn reason(problem: &Problem, pick: &Pick, truth: &Truth, at: usize) -> String {
    let Some(own) = problem.choice(pick, at) else {
        return "the best that was found".to_owned();
    };
    let simpler = problem.considered(at).into_iter();
    let simpler = simpler.filter(|(_, complexity)| *complexity < own.complexity);
    let Some((mode, _)) = simpler.max_by_key(|(_, complexity)| *complexity) else {
        return "the simplest mode holds every bound and limit, and none costs less".to_owned();
    };
    let with = |mode: &ModeKind| {
        let kinds: Vec<&ModeKind> = (0..problem.slots.len())
            .map(|s| match s == at {
                true => mode,
                false => problem.mode(pick, s).unwrap_or(mode),
            })
            .collect();
        problem.truth_of(&kinds)
    };
    let then = with(&mode);
    let text = text(&mode);
    match then.faults.first() {
        Some(fault) => format!(
            "the simplest that holds: with `{text}` {}",
            problem.describe(*fault, &then.arithmetic)
        ),
        None => format!(
            "the cheapest: `{text}` would cost {} {} a month more",
            figures::money(then.cost - truth.cost),
            problem.policy.currency
        ),
    }
}
