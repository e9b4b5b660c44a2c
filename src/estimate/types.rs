//! The shape of an estimate, described by `docs/estimate.schema.json`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::ModeClass;

/// The version of the object's shape.
pub const VERSION: u32 = 1;

/// What `estimate --format json` prints. A figure that is not known is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The version of this shape, 1.
    pub version: u32,
    /// The currency of all money, ISO 4217.
    pub currency: String,
    /// The scenarios in the order of the policy.
    pub scenarios: Vec<ScenarioEstimate>,
    /// The systems in the order of the policy.
    pub systems: Vec<SystemEstimate>,
    /// Each field with each system that it gets to from one of its origins.
    pub fields: Vec<FieldAge>,
    /// The systems whose events a scenario hears, with how long an outage their events survive.
    pub feeds: Vec<Feed>,
    /// What to know about the figures: upper bounds, what is left out, what is taken for granted.
    pub notes: Vec<String>,
    /// What the figures rest on that nobody says, or that the catalog has without a source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guesses: Vec<GuessEntry>,
    /// Every term of one scenario, where asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explanation>,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioEstimate {
    /// Its name.
    pub name: String,
    /// Its mode as a policy writes it; with `mode auto` the one that is taken.
    pub mode: String,
    /// `auto` where the policy leaves the mode open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// The class of its mode.
    pub class: Option<ModeClass>,
    /// How old its own `fresh` lets a change get on any of its hops; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_seconds: Option<f64>,
    /// What it costs in a month of 30 days.
    pub cost_per_month: Cost,
    /// Its hops; a `clean` is one from its system to the same.
    pub hops: Vec<HopEstimate>,
    /// What each mode that it could have would do, where asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what_if: Option<Vec<Candidate>>,
    /// Between what ends its figures lie, by the figure's name as CSV has it, where they rest on
    /// guesses.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub ranges: Ranges,
}

/// Money a month, in the estimate's currency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Calls, beyond what the vendors' tiers include; 0 where no price is declared.
    pub api: Option<f64>,
    /// Keeping the real-time part running.
    pub upkeep: Option<f64>,
    /// What delays do, where `stale … costs` says so; else 0.
    pub staleness: Option<f64>,
    /// All of it.
    pub total: Option<f64>,
}

/// A way from one system to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HopEstimate {
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
    /// Calls a day at each end, the mean over the year.
    pub calls_per_day: IndexMap<String, Option<f64>>,
    /// Records written a day.
    pub records_per_day: Option<f64>,
    /// Calls a second in real time in the busiest minute at each end.
    pub peak_calls_per_second: IndexMap<String, Option<f64>>,
    /// How old a change is when it is written.
    pub staleness_seconds: Old,
    /// Between what ends its figures lie, by the figure's name as CSV has it, where they rest on
    /// guesses.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub ranges: Ranges,
}

/// How old something is, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Old {
    /// The mean.
    pub mean: Option<f64>,
    /// The worst.
    pub worst: Option<f64>,
    /// True where there is no bound: the limits do not keep up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbounded: bool,
}

/// A system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemEstimate {
    /// Its name.
    pub name: String,
    /// Calls a day by all scenarios, the mean over the year; scenarios without a volume count with
    /// what is sure.
    pub calls_per_day: Option<f64>,
    /// What its tightest quota allows a day; null: unlimited, as far as is known.
    pub quota_per_day: Option<f64>,
    /// What that quota counts, where it is not calls: `events` that are delivered, or `tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_counts: Option<String>,
    /// The policy's share of that.
    pub budget_per_day: Option<f64>,
    /// The share of the budget that is used, on a mean day.
    pub utilisation: Option<f64>,
    /// The same on the busiest day of the year.
    pub busiest_utilisation: Option<f64>,
    /// Calls a second in real time in the busiest minute.
    pub peak_calls_per_second: Option<f64>,
    /// The burst limit that this comes nearest to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst_limit: Option<Limit>,
    /// Scenarios whose volume nothing declares: what they ask for is missing from the sums.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// Between what ends its figures lie, by the figure's name as CSV has it, where they rest on
    /// guesses.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub ranges: Ranges,
}

/// A burst limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// Calls a second that it allows.
    pub calls_per_second: f64,
    /// The share of it that is used at the peak.
    pub utilisation: Option<f64>,
}

/// How old a field gets in a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldAge {
    /// Entity and field, `contact.email`.
    pub field: String,
    /// The system.
    pub system: String,
    /// What its `fresh` allows there; null: nothing asks.
    pub required_seconds: Option<f64>,
    /// The worst.
    pub worst_seconds: Option<f64>,
    /// The mean.
    pub mean_seconds: Option<f64>,
    /// True where there is no bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbounded: bool,
    /// Between what ends its figures lie, by the figure's name as CSV has it, where they rest on
    /// guesses.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub ranges: Ranges,
}

/// The ends of figures, by their names.
pub type Ranges = IndexMap<String, Range>;

/// The ends of a figure, if all guesses turn out well and if all turn out badly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The most; null: without bound.
    pub high: Option<f64>,
}

/// A figure that nobody says, or that the catalog has without a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuessEntry {
    /// What it is: `failure`, `limit daily`.
    pub what: String,
    /// The systems or scenarios that it is of.
    pub of: Vec<String>,
    /// The figure taken, with its unit.
    pub taken: String,
    /// What it is where it turns out well for calls and ages.
    pub well: String,
    /// What it is where it turns out badly.
    pub badly: String,
    /// Where the figure taken comes from.
    pub place: Place,
    /// What to write so that it is no guess any more.
    pub mend: String,
}

/// A system whose events are heard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feed {
    /// The system.
    pub system: String,
    /// The longest outage of the runner after which its events still come; null: not known, or no
    /// end where `replayable` is true.
    pub survives_seconds: Option<f64>,
    /// Whether missed events can be had again on demand.
    pub replayable: bool,
    /// Whether a source backs the figure; false: the catalog has it unverified or not at all.
    pub verified: bool,
    /// Where the catalog has it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Scenarios for which a longer outage loses changes for good.
    pub lost_for: Vec<String>,
    /// Scenarios whose reconcile finds what was missed.
    pub reconciled_for: Vec<String>,
}

/// What a scenario would be with another mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The mode as a policy writes it.
    pub mode: String,
    /// Its class.
    pub class: Option<ModeClass>,
    /// Whether every rule, `fresh` and limit would hold.
    pub feasible: bool,
    /// What would not; null where all would.
    pub why_not: Option<String>,
    /// What it would cost in a month of 30 days.
    pub cost_per_month: Cost,
    /// Its hops.
    pub hops: Vec<HopEstimate>,
    /// What the systems that it calls would then have to bear, of all scenarios together.
    pub systems: Vec<SystemThen>,
}

/// A system under another mode of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemThen {
    /// Its name.
    pub name: String,
    /// Calls a day by all scenarios.
    pub calls_per_day: Option<f64>,
    /// What its tightest quota counts, where it is not calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_counts: Option<String>,
    /// The share of the budget that is used, on a mean day.
    pub utilisation: Option<f64>,
}

/// A mode that costs less, or asks for fewer calls where money is the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Better {
    /// The scenario.
    pub scenario: String,
    /// The mode.
    pub mode: String,
    /// Money saved a month.
    pub saves: f64,
    /// Calls saved a day; negative: more.
    pub fewer_calls: f64,
    /// The worst delay then, in seconds.
    pub worst_seconds: Option<f64>,
}

/// Every term of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The scenario.
    pub scenario: String,
    /// What goes in.
    pub inputs: Vec<Input>,
    /// What comes out, each with its formula.
    pub terms: Vec<Term>,
}

/// A figure that goes in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// What it is a figure of: the scenario, a hop, a system.
    pub of: String,
    /// Its letter in the formulas.
    pub symbol: String,
    /// What it means.
    pub meaning: String,
    /// The figure with its unit; null: nothing says it.
    pub value: Option<String>,
    /// Where it comes from.
    pub place: Place,
}

/// Where a figure comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Place {
    /// The policy says it.
    Policy {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
    },
    /// The catalog says it.
    Catalog {
        /// The entry.
        entry: String,
        /// The page that backs it; null: unverified.
        page: Option<String>,
        /// When it was read there.
        date: Option<String>,
    },
    /// Nobody says it.
    Default {
        /// Why this is taken.
        reason: String,
    },
    /// It follows from other figures.
    Derived {
        /// How.
        reason: String,
    },
}

/// A figure that comes out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Term {
    /// Of what: the scenario, a hop.
    pub of: String,
    /// What it is.
    pub what: String,
    /// The formula, with letters of the inputs.
    pub formula: String,
    /// The figure; null: not known, or without bound.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: String,
}

/// The JSON Schema of an estimate.
pub fn schema() -> serde_json::Value {
    schema_of::<Estimate>("Syncline estimate")
}

/// The JSON Schema of what is written as that type.
pub(super) fn schema_of<T: JsonSchema>(title: &str) -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), title.into());
    }
    schema
}
