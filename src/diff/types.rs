//! The shape of a comparison, described by `docs/diff.schema.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Area, Grade, Kind};

/// The version of the object's shape.
pub const VERSION: u32 = 1;

/// What `diff --format json` prints. A figure that is not known is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// The version of this shape, 1.
    pub version: u32,
    /// The policy's new name.
    pub policy: String,
    /// What it is compared with.
    pub old: Version,
    /// What is compared.
    pub new: Version,
    /// The gravest grade among the changes that are not approved; null: there is none.
    pub verdict: Option<Grade>,
    /// How many changes there are.
    pub summary: Summary,
    /// Every change in meaning, the gravest first.
    pub changes: Vec<Change>,
    /// Calls, money and ages before and after; null where nothing is known of either side.
    pub figures: Option<Figures>,
    /// Approvals that accept nothing here.
    pub approvals: Vec<Unused>,
    /// What to know about the comparison: what is left out, and why.
    pub notes: Vec<String>,
}

impl Diff {
    /// Whether there is no change in meaning.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Counts the changes and settles the verdict.
    pub fn settle(&mut self) {
        let open = |grade: Grade| {
            let of_grade = |c: &&Change| c.grade == grade && c.approved.is_none();
            self.changes.iter().filter(of_grade).count()
        };
        self.summary = Summary {
            breaking: open(Grade::Breaking),
            risky: open(Grade::Risky),
            safe: open(Grade::Safe),
            approved: self.changes.iter().filter(|c| c.approved.is_some()).count(),
        };
        let open = self.changes.iter().filter(|c| c.approved.is_none());
        self.verdict = open.map(|c| c.grade).max();
    }
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// What people call it: a path, a revision.
    pub label: String,
    /// What stands there.
    pub holds: Holds,
    /// The digest of its plan; null where there is none.
    pub digest: Option<String>,
    /// Errors that keep it from being planned.
    pub errors: usize,
}

/// What stands on a side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// A policy.
    Policy,
    /// A compiled plan, which knows no classes cleared, no prices, no tests and no figures.
    Plan,
    /// Nothing: the other side is all new.
    Nothing,
}

/// How many changes there are; those that are approved count only as such.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Breaking ones.
    pub breaking: usize,
    /// Risky ones.
    pub risky: usize,
    /// Safe ones.
    pub safe: usize,
    /// Approved ones of any grade.
    pub approved: usize,
}

/// A change in meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// What part of the policy it is about.
    pub area: Area,
    /// Its grade.
    pub grade: Grade,
    /// What changes, in the author's words: `contact.email`, `crm`, `lead_routing`. Together with
    /// the kind it names the change.
    pub subject: String,
    /// What it comes to, one sentence.
    pub means: String,
    /// How it was; null where it was not there.
    pub old: Option<Said>,
    /// How it is; null where it is not there.
    pub new: Option<Said>,
    /// Who is hit.
    pub hits: Hits,
    /// The approval that accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approved>,
    /// What the change is about, by which `hits` is found.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) about: About,
}

/// What a version says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// In the policy's words.
    pub text: String,
    /// Where; null: a plan does not know.
    pub at: Option<Place>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file, as seen from the current directory.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// Who is hit by a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hits {
    /// Systems that get what is changed, before or after.
    pub systems: Vec<String>,
    /// Scenarios that move it, before or after.
    pub scenarios: Vec<String>,
}

/// Why a change is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    /// The reason.
    pub reason: String,
    /// The day of the approval.
    pub date: String,
    /// The last day on which it holds; null: it has no end.
    pub until: Option<String>,
}

/// An approval that accepts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unused {
    /// The kind of change that it names.
    pub change: Kind,
    /// The subjects that it names and that have no such change.
    pub subject: Vec<String>,
    /// Where it stands.
    pub at: Place,
    /// Why it accepts nothing.
    pub why: WhyUnused,
}

/// Why an approval accepts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhyUnused {
    /// There is no such change: it was merged, or never made.
    Stale,
    /// Its last day is over.
    Expired,
    /// There is one, but it comes to something else than what was approved.
    Other,
}

/// What a change is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum About {
    #[default]
    Nothing,
    /// Entity, field and where.
    Field(String, String, Where),
    Entity(String),
    System(String),
    Scenario(String),
    Map(String, String),
}

/// Where a field changes, by which not all who get it are hit.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Where {
    #[default]
    Everywhere,
    /// As one system gets it.
    At(String),
    /// As one system reads and writes it.
    Mapped(String),
}

impl Where {
    /// Whether what goes from one system to another is hit.
    pub fn covers(&self, from: &str, to: &str) -> bool {
        match self {
            Where::Everywhere => true,
            Where::At(system) => system == to,
            Where::Mapped(system) => system == from || system == to,
        }
    }
}

/// Figures before and after. Rows whose figures are equal are left out, but for systems.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// The currency of all money, ISO 4217; null: the two sides have different ones.
    pub currency: Option<String>,
    /// Every system of either side.
    pub systems: Vec<SystemFigures>,
    /// The scenarios whose figures differ.
    pub scenarios: Vec<ScenarioFigures>,
    /// The ages that differ.
    pub ages: Vec<AgeFigures>,
    /// What the policy costs in a month of 30 days.
    pub cost_per_month: Delta,
    /// What it costs a day.
    pub cost_per_day: Delta,
}

/// A figure before and after.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delta {
    /// Before; null: not known.
    pub old: Option<f64>,
    /// After; null: not known.
    pub new: Option<f64>,
    /// The difference; null: not known.
    pub change: Option<f64>,
}

impl Delta {
    /// From the two figures.
    pub fn of(old: Option<f64>, new: Option<f64>) -> Delta {
        Delta {
            old,
            new,
            change: old.zip(new).map(|(old, new)| new - old),
        }
    }

    /// Whether the figures differ by more than what the order of a sum can do.
    pub fn differs(&self) -> bool {
        match (self.old, self.new) {
            (Some(a), Some(b)) => (a - b).abs() > 1e-9 * a.abs().max(b.abs()),
            (a, b) => a.is_some() != b.is_some(),
        }
    }

    /// By which share of the old figure it grew; null where that is not known or 0.
    pub fn growth(&self) -> Option<f64> {
        let old = self.old.filter(|old| *old > 0.0)?;
        self.change.map(|change| change / old)
    }
}

/// A system before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemFigures {
    /// Its name.
    pub name: String,
    /// Calls a day by all scenarios, the mean over the year.
    pub calls_per_day: Delta,
    /// What its tightest quota allows a day; null: unlimited, as far as is known.
    pub quota_per_day: Delta,
    /// The share of the budget that is used on the busiest day of the year.
    pub busiest_utilisation: Delta,
}

/// A scenario before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioFigures {
    /// Its name.
    pub name: String,
    /// Its mode before; null: it was not there.
    pub old_mode: Option<String>,
    /// Its mode after; null: it is not there.
    pub new_mode: Option<String>,
    /// Calls a day at all systems together.
    pub calls_per_day: Delta,
    /// What it costs in a month of 30 days.
    pub cost_per_month: Delta,
    /// What it costs a day.
    pub cost_per_day: Delta,
    /// How old a change is at worst when it is written, in seconds.
    pub worst_seconds: Delta,
}

/// How old a field gets in a system, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgeFigures {
    /// Entity and field, `contact.email`.
    pub field: String,
    /// The system.
    pub system: String,
    /// What its `fresh` allows there, in seconds; null: nothing asks.
    pub required_seconds: Delta,
    /// The worst age in seconds; null: not known, or without bound.
    pub worst_seconds: Delta,
}

/// The JSON Schema of a comparison.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Diff>()
        .to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Syncline diff".into());
    }
    schema
}
