//! All that `report` shows, with what a large policy has to leave out.

use std::collections::{BTreeSet, HashMap};

use super::bounds::{self, Bound};
use super::doc;
use super::fields::{self, FieldRow};
use super::glance::{self, FirstOut, Sums};
use super::picture::{Picture, picture};
use super::usage::{self, Usage};
use crate::estimate::{self, Better, Estimate, Ground, ScenarioEstimate};
use crate::model::{Policy, Scenario};
use crate::terms::{Impact, Priority};
use crate::text::Sources;

/// More fields than this are too many to look through on one page.
const FIELDS_MAX: usize = 5_000;

/// So many scenarios are shown with all modes that they could have.
const DETAILED_MAX: usize = 150;

/// What a picture on a page holds at most.
const NODES_MAX: usize = 60;
const ARROWS_MAX: usize = 120;

/// What `report` shows of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// The policy's name; empty where it could not be read.
    pub policy: String,
    /// Its doc comment.
    pub doc: Option<String>,
    /// The day that the figures are for, `2026-11-26`.
    pub day: String,
    /// The time zone of its schedules.
    pub zone: String,
    /// The digest of its plan; none: it has errors.
    pub digest: Option<String>,
    /// How many systems it has.
    pub systems: usize,
    /// How many entities it has.
    pub entities: usize,
    /// How many fields it has.
    pub field_count: usize,
    /// Its fields, in reading order.
    pub fields: Vec<FieldRow>,
    /// The figures; none: not all of its text could be read, so that any of them could be wrong.
    pub figures: Option<Figures>,
}

/// What follows from a policy that could be read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Calls, ages and costs; `what_if` of the scenarios that are shown in detail.
    pub estimate: Estimate,
    /// The system that runs out first; none: no daily quota is known, or none is called.
    pub first_out: Option<FirstOut>,
    /// What all scenarios cost.
    pub sums: Sums,
    /// Modes that would be cheaper.
    pub better: Vec<Better>,
    /// Systems and flows.
    pub picture: Picture,
    /// Who calls each system.
    pub usage: Vec<Usage>,
    /// Ages beside what is allowed.
    pub bounds: Vec<Bound>,
    /// How many places there are where a bound holds a field.
    pub bounded: usize,
    /// At how many of them it is missed.
    pub late: usize,
    /// The scenarios in the order of the policy.
    pub scenarios: Vec<ScenarioRow>,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioRow {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// Its doc comment.
    pub doc: Option<String>,
    /// What a late arrival does.
    pub impact: Option<Impact>,
    /// The bound on its own hops, in seconds.
    pub fresh_seconds: Option<f64>,
    /// Whose calls go first.
    pub priority: Priority,
    /// The scenarios that it waits for.
    pub after: Vec<String>,
    /// Whether it is shown with all modes that it could have.
    pub detailed: bool,
    /// The fields that it carries.
    pub fields: usize,
}

/// What a page is to be made of.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The policy with its graphs and figures.
    pub ground: Ground<'a>,
    /// Its texts.
    pub sources: &'a Sources,
    /// The day that it is for.
    pub day: &'a str,
    /// The digest of its plan, where it has one.
    pub digest: Option<&'a str>,
    /// Whether all of its text could be read and every name is known.
    pub whole: bool,
}

/// What `report` shows of a policy.
pub fn of(question: Question) -> Overview {
    let policy = question.ground.policy;
    let figures = question.whole.then(|| figures(question));
    let ages = figures.as_ref().map(|f| fields::ages(&f.estimate.fields));
    let ages = ages.unwrap_or_default();
    let rows = shown_fields(policy)
        .into_iter()
        .map(|f| fields::row(policy, question.sources, &ages, f));
    let name = policy.name.as_ref();
    Overview {
        policy: name.map_or(String::new(), |n| n.text.to_string()),
        doc: doc(question.sources, policy.doc),
        day: question.day.to_owned(),
        zone: policy.zone.to_string(),
        digest: question.digest.map(str::to_owned),
        systems: policy.systems.len(),
        entities: policy.entities.len(),
        field_count: policy.fields().count(),
        fields: rows.collect(),
        figures,
    }
}

/// All fields, or where there are too many those with a bound or a class of their own before the
/// others; in reading order.
fn shown_fields(policy: &Policy) -> Vec<&crate::model::Field> {
    let mut shown: Vec<_> = policy.fields().collect();
    if shown.len() > FIELDS_MAX {
        shown.sort_by_key(|f| (f.fresh.is_none(), f.classes().is_empty(), f.id));
        shown.truncate(FIELDS_MAX);
        shown.sort_by_key(|f| f.id);
    }
    shown
}

fn figures(question: Question) -> Figures {
    let ground = question.ground;
    let mut estimate = estimate::of(ground);
    let detailed = detailed(&estimate);
    estimate::what_if_of(ground, &mut estimate, |name| detailed.contains(name));
    let bounds = bounds::of_policy(ground.policy, &estimate);
    let held = estimate.fields.iter().map(super::Age::from);
    let held: Vec<super::Age> = held.filter(|a| a.required.is_some()).collect();
    let scenarios = ground.policy.scenarios.iter();
    let scenarios = scenarios
        .map(|s| scenario(question, s, &detailed))
        .collect();
    let usage = usage::of_policy(&estimate);
    Figures {
        first_out: glance::first_out(&estimate, &usage),
        sums: glance::sums(&estimate),
        better: estimate::better(ground),
        picture: picture(ground, &estimate).at_most(NODES_MAX, ARROWS_MAX),
        usage,
        bounded: held.len(),
        late: held.iter().filter(|a| a.is_late()).count(),
        bounds,
        scenarios,
        estimate,
    }
}

/// The scenarios that are shown in detail: all, or where there are too many those that cost most,
/// then those that call most.
fn detailed(estimate: &Estimate) -> BTreeSet<String> {
    let mut order: Vec<&ScenarioEstimate> = estimate.scenarios.iter().collect();
    if order.len() > DETAILED_MAX {
        let weight: HashMap<&str, (f64, f64)> = order
            .iter()
            .map(|s| {
                let calls = s
                    .hops
                    .iter()
                    .flat_map(|h| h.calls_per_day.values().flatten());
                let cost = s.cost_per_month.total.unwrap_or(0.0);
                (s.name.as_str(), (cost, calls.sum::<f64>()))
            })
            .collect();
        let of = |s: &ScenarioEstimate| weight.get(s.name.as_str()).copied().unwrap_or_default();
        order.sort_by(|a, b| {
            let (a, b) = (of(a), of(b));
            b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
    }
    let first = order.into_iter().take(DETAILED_MAX);
    first.map(|s| s.name.clone()).collect()
}

fn scenario(question: Question, scenario: &Scenario, detailed: &BTreeSet<String>) -> ScenarioRow {
    let name = scenario.name.text.to_string();
    let mut carried: Vec<_> = scenario
        .hops
        .iter()
        .flat_map(|h| h.fields.iter().copied())
        .collect();
    carried.sort_unstable();
    carried.dedup();
    let policy = question.ground.policy;
    let after = scenario.after.iter().filter_map(|r| r.id);
    ScenarioRow {
        title: scenario.title.as_ref().map(|t| t.text.to_string()),
        doc: doc(question.sources, scenario.doc),
        impact: scenario.impact(),
        fresh_seconds: scenario.fresh.map(|f| f.value.as_secs_f64()),
        priority: scenario.priority,
        after: after
            .map(|id| policy.scenario(id).name.text.to_string())
            .collect(),
        detailed: detailed.contains(&name),
        fields: carried.len(),
        name,
    }
}

impl Overview {
    /// How many fields are not listed.
    pub fn fields_left(&self) -> usize {
        self.field_count - self.fields.len()
    }
}

impl Figures {
    /// How many scenarios are not shown in detail.
    pub fn undetailed(&self) -> usize {
        self.scenarios.iter().filter(|s| !s.detailed).count()
    }
}
