//! What `explain field` says, described by `docs/explain_field.schema.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::types::Place;
use crate::terms::{ModeClass, ResolveRule};

/// Where a field comes from and goes, and how old it can get. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldExplained {
    /// The version of this shape, 1.
    pub version: u32,
    /// Entity and field, `contact.email`.
    pub field: String,
    /// Where it is declared.
    pub place: Place,
    /// Its type as written.
    pub type_text: String,
    /// Whether it is part of the key.
    pub key: bool,
    /// Its classes.
    pub classes: Vec<String>,
    /// How many errors the policy has: what could not be read is missing here.
    pub errors: u64,
    /// Who owns it; null: nobody, or it is a key or derived.
    pub owner: Option<Said>,
    /// Who else may change it.
    pub accepts: Vec<Said>,
    /// What happens where its origins say different things.
    pub conflict: Conflict,
    /// What it is computed from; null: it is data of its own.
    pub derived: Option<Derived>,
    /// The fields that are computed from it.
    pub feeds: Vec<String>,
    /// The scenarios whose conditions read it.
    pub read_by: Vec<String>,
    /// What each system calls it.
    pub mapped: Vec<Mapped>,
    /// Every hop that carries it, in the order of the policy.
    pub hops: Vec<FieldHop>,
    /// How old it gets in each system that it reaches.
    pub ages: Vec<FieldAgeIn>,
    /// The systems that map it and never hear of it, and origins that nobody hears.
    pub unheard: Vec<Unheard>,
}

/// A system that a clause names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// The system.
    pub system: String,
    /// Whether the entity says it for all its fields.
    pub inherited: bool,
    /// Where.
    pub place: Place,
}

/// What happens where origins say different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The rule; null: none is written.
    pub rule: Option<ResolveRule>,
    /// What that means for this field.
    pub meaning: String,
    /// Where it is written.
    pub place: Option<Place>,
}

/// What a field is computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Derived {
    /// The expression.
    pub expression: String,
    /// The fields that it is computed from in the end.
    pub inputs: Vec<String>,
    /// Where it is written.
    pub place: Place,
}

/// What a system calls a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mapped {
    /// The system.
    pub system: String,
    /// Its object, table or file.
    pub object: String,
    /// The column.
    pub column: String,
    /// The expression that reads it.
    pub read: Option<String>,
    /// The expression that writes it.
    pub write: Option<String>,
    /// Each value with the system's own word for it.
    pub values: Vec<(String, String)>,
    /// The classes of the field for which the system is not cleared.
    pub not_cleared: Vec<String>,
    /// Where it is mapped.
    pub place: Place,
}

/// A hop that carries a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldHop {
    /// The scenario.
    pub scenario: String,
    /// Its mode.
    pub mode: String,
    /// The class of its mode.
    pub class: Option<ModeClass>,
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
    /// The worst delay of this hop; null: without bound.
    pub worst_seconds: Option<f64>,
    /// The mean delay.
    pub mean_seconds: Option<f64>,
    /// Only records that pass this condition go.
    pub filter: Option<String>,
    /// Where its `sync` stands.
    pub place: Place,
}

/// How old a field gets in a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldAgeIn {
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
    /// Whether the bound holds; null: there is none.
    pub holds: Option<bool>,
    /// The shortest way from each origin.
    pub ways: Vec<Way>,
    /// The scenario that makes most of the worst age; null: without bound, or none.
    pub blame: Option<Blame>,
}

/// The way of a field from an origin to a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Way {
    /// The field that starts it: of a derived one, an input.
    pub field: String,
    /// Where it starts.
    pub origin: String,
    /// Its hops: scenario and the system that it brings the field to.
    pub hops: Vec<Step>,
    /// The worst; null: without bound.
    pub worst_seconds: Option<f64>,
    /// The mean.
    pub mean_seconds: Option<f64>,
}

/// A step of a way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The scenario.
    pub scenario: String,
    /// Where it brings the field.
    pub to: String,
    /// Its worst delay.
    pub worst_seconds: Option<f64>,
}

/// Who makes a field old.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Blame {
    /// The scenario.
    pub scenario: String,
    /// Its share of the worst age.
    pub share: f64,
}

/// Where a field is not heard of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unheard {
    /// The system.
    pub system: String,
    /// What is missing.
    pub why: String,
}

/// The JSON Schema of what `explain field` says.
pub fn schema() -> serde_json::Value {
    super::super::types::schema_of::<FieldExplained>("Syncline explain field")
}
