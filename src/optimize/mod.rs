//! What `optimize` proposes: modes side by side with those of today, as plain data.
//!
//! Rank 8. May use `model`, `graph`, `arithmetic` and `choice`, which finds the modes; how it looks
//! is `render`'s. What is not known is `None`, never 0.
//!
//! * [`of`]: the modes that cost least.
//! * [`freshness`]: the intervals that spend every quota best.

pub mod freshness;
mod intervals;
mod readers;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arithmetic::{Arithmetic, ScenarioFigures};
use crate::choice::{self, Ground, Outcome, Problem, Proof, Truth};
use crate::model::{ModeKind, Scenario, System};

/// The version of the object's shape.
pub const VERSION: u32 = 1;

/// What `optimize --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Optimization {
    /// The version of this shape, 1.
    pub version: u32,
    /// The currency of all money, ISO 4217.
    pub currency: String,
    /// What was to be best.
    #[serde(default)]
    pub objective: Objective,
    /// How the search ended.
    pub result: Ending,
    /// How often the mixed-integer program was solved.
    pub solves: Option<usize>,
    /// Below what no feasible assignment can cost in a month, where the search ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Whether the modes are known to be the simplest of those that cost the same.
    pub simplest: bool,
    /// What all costs in a month of 30 days, as far as it is known.
    pub cost_per_month: Change,
    /// The scenarios in the order of the policy; where nothing is feasible, in the modes that come
    /// nearest.
    pub scenarios: Vec<ScenarioChange>,
    /// The systems with a quota, in the order of the policy.
    pub systems: Vec<SystemChange>,
    /// What breaks today, and, where nothing is feasible, what breaks at the nearest.
    pub breaks: Breaks,
    /// Where freshness was to be best: how the quotas are shared out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<freshness::Freshness>,
}

/// What is to be best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The least cost under all quotas and bounds.
    #[default]
    Cost,
    /// The most freshness that the quotas can buy.
    Freshness,
}

/// How the search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nothing feasible costs less.
    Optimal,
    /// Feasible; something cheaper may exist.
    Feasible,
    /// No assignment holds every bound and limit.
    Infeasible,
    /// Nothing was found in the time given.
    Unknown,
}

/// A figure today and then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// As the policy stands.
    pub today: Option<f64>,
    /// With the modes proposed.
    pub then: Option<f64>,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioChange {
    /// Its name.
    pub name: String,
    /// The mode that it has today.
    pub mode: String,
    /// The mode proposed; the same where nothing is better.
    pub proposed: String,
    /// `auto` where the policy leaves the mode open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// What it costs in a month.
    pub cost_per_month: Change,
    /// Its calls a day at all systems together.
    pub calls_per_day: Change,
    /// The worst delay of its hops, in seconds; null: without bound.
    pub worst_seconds: Change,
    /// The tightest `fresh` that holds for its hops, in seconds; null: none.
    pub required_seconds: Option<f64>,
}

/// A system with a quota.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemChange {
    /// Its name.
    pub name: String,
    /// Calls a day, the mean over the year.
    pub calls_per_day: Change,
    /// The share of the budget that the busiest day uses.
    pub busiest_utilisation: Change,
}

/// What breaks, in words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Breaks {
    /// As the policy stands.
    pub today: Vec<String>,
    /// With the modes shown.
    pub then: Vec<String>,
}

/// An answer with the modes themselves, for whoever writes them.
#[derive(Debug)]
pub struct Proposal {
    /// As it is shown.
    pub shown: Optimization,
    /// By scenario: the mode that it is to have instead; none: it keeps its own.
    pub modes: Vec<Option<ModeKind>>,
}

/// What a search came to.
pub fn of(ground: Ground, problem: &Problem, outcome: &Outcome) -> Proposal {
    let policy = ground.policy;
    let own: Vec<&ModeKind> = policy.scenarios.iter().map(|s| &s.mode.kind).collect();
    let (pick, truth) = match outcome {
        Outcome::Solved(solved) => (Some(&solved.pick), Some(&solved.truth)),
        Outcome::Infeasible { nearest, truth } => (Some(nearest), Some(&**truth)),
        Outcome::Open { .. } => (None, None),
    };
    let picked = |at| problem.mode(pick?, at);
    let all = own.iter().enumerate();
    let modes: Vec<&ModeKind> = all.map(|(at, own)| picked(at).unwrap_or(own)).collect();
    let mut proposal = assembled(ground, problem, &modes, truth);
    let (result, solves, at_least, simplest) = ending(outcome);
    let result = match problem.hopeless.is_empty() {
        true => result,
        false => Ending::Infeasible,
    };
    if matches!(result, Ending::Infeasible | Ending::Unknown) {
        proposal.modes = vec![None; modes.len()];
    }
    proposal.shown = Optimization {
        result,
        solves,
        at_least,
        simplest,
        ..proposal.shown
    };
    proposal
}

/// These modes beside those of today, by what holds of them; none: nothing was found. How it ended
/// is left open.
fn assembled(
    ground: Ground,
    problem: &Problem,
    modes: &[&ModeKind],
    found: Option<&Truth>,
) -> Proposal {
    let policy = ground.policy;
    let own: Vec<&ModeKind> = policy.scenarios.iter().map(|s| &s.mode.kind).collect();
    let today = problem.truth_of(&own);
    let truth = found.unwrap_or(&today);
    let then = Ground {
        arithmetic: &truth.arithmetic,
        ..ground
    };
    let scenarios = policy.scenarios.iter().zip(modes);
    let systems = policy.systems.iter();
    let words = |faults: &[choice::Fault], arithmetic: &Arithmetic| -> Vec<String> {
        let hopeless = problem.hopeless.iter();
        let all = hopeless.chain(faults);
        let mut words: Vec<String> = all.map(|f| problem.describe(*f, arithmetic)).collect();
        words.dedup();
        words
    };
    let changed = |(scenario, mode): (&Scenario, &&ModeKind)| {
        (scenario.mode.kind != **mode).then(|| (*mode).clone())
    };
    Proposal {
        modes: scenarios.clone().map(changed).collect(),
        shown: Optimization {
            version: VERSION,
            currency: policy.currency.to_string(),
            objective: Objective::Cost,
            result: Ending::Unknown,
            solves: None,
            at_least: None,
            simplest: false,
            cost_per_month: Change {
                today: Some(today.cost),
                then: found.map(|t| t.cost),
            },
            scenarios: scenarios
                .map(|(s, m)| scenario(ground, then, s, m))
                .collect(),
            systems: systems.filter_map(|s| system(ground, then, s)).collect(),
            breaks: Breaks {
                today: words(&today.faults, &today.arithmetic),
                then: words(&truth.faults, &truth.arithmetic),
            },
            freshness: None,
        },
    }
}

fn ending(outcome: &Outcome) -> (Ending, Option<usize>, Option<f64>, bool) {
    match outcome {
        Outcome::Solved(solved) => match solved.proof {
            Proof::Optimal => (Ending::Optimal, Some(solved.solves), None, solved.simplest),
            Proof::AtLeast(least) => (Ending::Feasible, Some(solved.solves), Some(least), false),
        },
        Outcome::Infeasible { .. } => (Ending::Infeasible, None, None, false),
        Outcome::Open { solves } => (Ending::Unknown, Some(*solves), None, false),
    }
}

fn scenario(today: Ground, then: Ground, scenario: &Scenario, mode: &ModeKind) -> ScenarioChange {
    let both = |of: &dyn Fn(Ground) -> Option<f64>| Change {
        today: of(today),
        then: of(then),
    };
    let figures = |ground: Ground| ground.arithmetic.scenario(scenario.id).cloned();
    let known = |f: &ScenarioFigures| f.hops.iter().all(|h| !h.volume_is_unknown());
    let worst = |f: ScenarioFigures| {
        let mut ages = f.ages.iter().map(|a| a.worst.total());
        ages.try_fold(0.0_f64, |most, next| Some(most.max(next?)))
    };
    let own = scenario.fresh.map(|f| f.value.as_secs_f64());
    let hops = scenario.hops.iter();
    let fields = hops.flat_map(|h| {
        let fields = h.fields.iter().map(|f| today.policy.field(*f));
        fields.filter_map(|f| choice::bound(f, h.to.value))
    });
    let required = own.into_iter().chain(fields).min_by(f64::total_cmp);
    ScenarioChange {
        name: scenario.name.text.to_string(),
        mode: choice::text(&scenario.mode.kind),
        proposed: choice::text(mode),
        declared: scenario.mode.is_auto().then(|| "auto".to_owned()),
        cost_per_month: both(&|g| g.arithmetic.costs(g.policy, scenario)?.total()),
        calls_per_day: both(&|g| figures(g).filter(known).map(|f| f.calls_per_day())),
        worst_seconds: both(&|g| worst(figures(g)?)),
        required_seconds: required,
    }
}

fn system(today: Ground, then: Ground, system: &System) -> Option<SystemChange> {
    let facts = today.arithmetic.facts(system.id)?;
    facts.quotas().next()?;
    let both = |of: &dyn Fn(Ground) -> Option<f64>| Change {
        today: of(today),
        then: of(then),
    };
    let used = |ground: Ground| {
        let load = ground.arithmetic.system(system.id)?;
        let shares = facts.quotas().map(|q| choice::quota_share(facts, q, load));
        shares.max_by(f64::total_cmp)
    };
    Some(SystemChange {
        name: system.name.text.to_string(),
        calls_per_day: both(&|g| Some(g.arithmetic.system(system.id)?.per_day().total())),
        busiest_utilisation: both(&used),
    })
}

/// The JSON Schema of an answer.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    let mut schema = generator.into_root_schema_for::<Optimization>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Syncline optimization".into());
    }
    schema
}
