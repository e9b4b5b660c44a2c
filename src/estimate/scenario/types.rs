//! What `explain scenario` says, described by `docs/explain_scenario.schema.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::types::{Candidate, Place};
use crate::terms::{Impact, ModeClass};

/// Why a scenario has its mode. Money is in the currency, times are seconds, rates are calls or
/// records a day; a figure that is not known is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioExplained {
    /// The version of this shape, 1.
    pub version: u32,
    /// The currency of all money, ISO 4217.
    pub currency: String,
    /// The scenario.
    pub scenario: String,
    /// Its title.
    pub title: Option<String>,
    /// Where it stands.
    pub place: Place,
    /// Its mode as a policy writes it; with `mode auto` the one that is taken.
    pub mode: String,
    /// `auto` where the policy leaves the mode open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// What decided the mode of a scenario with `mode auto`, chosen with all others at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The class of its mode.
    pub class: Option<ModeClass>,
    /// How many errors the policy has: figures may then lack what could not be read.
    pub errors: u64,
    /// The first question: how fresh does it have to be?
    pub fresh: HowFresh,
    /// The second: what does staleness cost?
    pub staleness: WhatStalenessCosts,
    /// The third: what does it take to run?
    pub running: WhatItTakes,
    /// The fourth: what do the API limits allow?
    pub limits: Vec<LimitUse>,
    /// The answer.
    pub verdict: Verdict,
    /// What would change the answer, nearest first within each lever.
    pub thresholds: Vec<Threshold>,
    /// Every mode that it could have.
    pub candidates: Vec<Candidate>,
}

/// How fresh it has to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HowFresh {
    /// What a late arrival does.
    pub impact: Option<Impact>,
    /// Why it must not wait for the clock; null: it may.
    pub must_not_wait: Option<String>,
    /// The bounds that its hops serve, those that hold by the least first.
    pub bounds: Vec<Bound>,
    /// The worst delay of its own hops.
    pub worst_seconds: Option<f64>,
}

/// A bound that a scenario's hops serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// The field, `contact.email`; null: the scenario's own `fresh`.
    pub field: Option<String>,
    /// Where it holds.
    pub system: String,
    /// What is allowed.
    pub required_seconds: f64,
    /// The worst over all hops on the way; null: without bound.
    pub worst_seconds: Option<f64>,
    /// Whether it holds.
    pub holds: bool,
    /// Where it is written.
    pub place: Place,
}

/// What staleness costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhatStalenessCosts {
    /// What one record late by an hour costs; 0: `stale` says no `costs`.
    pub per_record_hour: f64,
    /// Where that is written.
    pub place: Place,
    /// Changed records that wait, a day.
    pub records_per_day: Option<f64>,
    /// How long they wait on average.
    pub mean_seconds: Option<f64>,
    /// What their waiting costs in an hour.
    pub per_hour: Option<f64>,
    /// In a day.
    pub per_day: Option<f64>,
    /// In a month of 30 days.
    pub per_month: Option<f64>,
    /// What it would cost in a month if each waited 5 seconds.
    pub if_5_seconds: Option<f64>,
    /// What it would cost in a month if each waited 24 hours.
    pub if_24_hours: Option<f64>,
}

/// What it takes to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhatItTakes {
    /// What upkeep costs in a month.
    pub upkeep_per_month: f64,
    /// What has to be in place.
    pub parts: Vec<Part>,
    /// One run after the longest gap; null in real time without a reconcile.
    pub run: Option<RunTakes>,
}

/// Something that has to be in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// What.
    pub part: String,
    /// How the policy and the connectors see to it, or what is missing.
    pub how: String,
    /// Whether it is seen to.
    pub settled: bool,
}

/// How long a run takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunTakes {
    /// Starts a day, the mean over the year.
    pub starts_per_day: f64,
    /// From its start to its last write; null: it never ends.
    pub seconds: Option<f64>,
    /// The time that it has: the shortest gap between two starts, or the window.
    pub has_seconds: f64,
    /// The system and its limit that slow it most; null: the systems' own pace does.
    pub slowed_by: Option<String>,
}

/// How a limit is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitUse {
    /// The system.
    pub system: String,
    /// The limit's name; null: none is known.
    pub limit: Option<String>,
    /// Whether it is a quota of a day or longer, or a burst limit.
    pub kind: LimitKind,
    /// What it counts: `calls`, `tokens` or `events`.
    pub counts: String,
    /// What it allows: so many a day within the budget, or a second.
    pub allowed: Option<f64>,
    /// Calls of this scenario: on its busiest day, or a second at the peak.
    pub own: Option<f64>,
    /// Calls of all others.
    pub others: Option<f64>,
    /// This scenario's share of what is allowed.
    pub own_share: Option<f64>,
    /// The share of the others.
    pub others_share: Option<f64>,
    /// The share that is left; negative: more is needed than is allowed.
    pub headroom: Option<f64>,
    /// Where the limit comes from.
    pub place: Place,
}

/// Kinds of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Of a day or longer.
    Quota,
    /// Shorter.
    Burst,
    /// None is known.
    None,
}

/// The answer to the four questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// What becomes of the mode that the scenario has.
    pub answer: Answer,
    /// The mode that answers best; null: none does.
    pub mode: Option<String>,
    /// What it saves in a month against the mode that the scenario has.
    pub saves_per_month: Option<f64>,
    /// What the mode that the scenario has breaks.
    pub why_not: Vec<String>,
    /// A simpler mode that would do at the same price: what `auto` would take.
    pub simpler: Option<String>,
}

/// What becomes of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It breaks nothing and nothing costs less.
    Stands,
    /// It breaks nothing, but another costs less.
    Cheaper,
    /// It breaks something that another keeps.
    Breaks,
    /// No mode keeps everything.
    NothingFits,
}

/// A figure from which on the answer is another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threshold {
    /// What the figure is of.
    pub lever: Lever,
    /// Whose: the policy, the scenario, a field in a system.
    pub of: String,
    /// On which side of it the answer changes.
    pub when: Side,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// The figure today; null: nothing says it.
    pub today: Option<f64>,
    /// The clauses that would say so.
    pub clauses: Vec<Clause>,
    /// What then happens.
    pub then: Then,
}

/// What a threshold is of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Lever {
    /// The `fresh` of a field or of the scenario.
    Fresh,
    /// The `costs` of `stale`, for a record and an hour.
    Costs,
    /// The policy's `upkeep`.
    Upkeep,
    /// The records that the scenario carries a day.
    Volume,
}

/// A side of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// From the figure on upwards.
    Above,
    /// Below it.
    Below,
}

/// A clause as a policy writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clause {
    /// The item or field that it would stand in.
    pub of: String,
    /// The clause.
    pub text: String,
}

/// What happens beyond a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Then {
    /// Another mode is the answer.
    Mode {
        /// Which; null: none would do.
        mode: Option<String>,
        /// What it would save in a month with today's figures, where that is why.
        saves_per_month: Option<f64>,
    },
    /// The policy's share of a quota is used up.
    Quota {
        /// Of which system.
        system: String,
    },
    /// A burst limit is used up.
    Burst {
        /// Of which system.
        system: String,
        /// Which limit.
        limit: String,
    },
    /// A run no longer ends before the next start, or before its window closes.
    Overrun,
    /// A `fresh` no longer holds.
    Late {
        /// How that reads.
        why: String,
    },
}

/// The JSON Schema of what `explain scenario` says.
pub fn schema() -> serde_json::Value {
    super::super::types::schema_of::<ScenarioExplained>("Syncline explain scenario")
}
