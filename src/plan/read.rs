//! Reading and writing plans. A reader refuses a major version that it does not know and a digest
//! that does not fit; members that it does not know it passes over.

use super::digest::digest;
use super::types::{PLAN_VERSION, Plan};

/// Why a text is no plan to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not JSON or YAML of a plan's shape.
    #[error("this is no plan: {0}")]
    Shape(String),
    /// Of another major version.
    #[error(
        "the plan is of version {found}, this Syncline runs version {PLAN_VERSION}; compile the policy again with `syncline plan`"
    )]
    Version {
        /// The version that it says.
        found: u64,
    },
    /// Changed after it was compiled.
    #[error(
        "the plan's digest does not fit its content: it says {said}, its content gives {computed}; a plan is compiled, not edited: change the policy and run `syncline plan` again"
    )]
    Digest {
        /// What it says.
        said: String,
        /// What its content gives.
        computed: String,
    },
}

/// Reads a plan from JSON or YAML.
///
/// # Errors
/// As [`PlanError`] says.
pub fn read_plan(text: &str) -> Result<Plan, PlanError> {
    let shape = |e: String| PlanError::Shape(e);
    let json: serde_json::Value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|e| shape(e.to_string()))?
    } else {
        serde_yaml::from_str(text).map_err(|e| shape(e.to_string()))?
    };
    match json
        .get("syncline_plan")
        .and_then(serde_json::Value::as_u64)
    {
        Some(v) if v == u64::from(PLAN_VERSION) => {}
        Some(found) => return Err(PlanError::Version { found }),
        None => {
            return Err(shape(
                "it has no `syncline_plan` member with a version".into(),
            ));
        }
    }
    let plan: Plan = serde_json::from_value(json).map_err(|e| shape(e.to_string()))?;
    let computed = digest(&plan);
    if plan.digest != computed {
        return Err(PlanError::Digest {
            said: plan.digest,
            computed,
        });
    }
    Ok(plan)
}

/// A plan as JSON text with a final newline.
pub fn to_json(plan: &Plan) -> String {
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(plan).unwrap_or_default();
    text.push('\n');
    text
}

/// A plan as YAML text.
pub fn to_yaml(plan: &Plan) -> String {
    // As above. By way of JSON, since YAML would write enums as tags that JSON does not know.
    let json = serde_json::to_value(plan).unwrap_or_default();
    serde_yaml::to_string(&json).unwrap_or_default()
}

/// The JSON Schema of a plan, as published in `docs/plan.schema.json`.
pub fn schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Plan>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Syncline plan".into());
    }
    schema
}
