//! What a simulation found: one file for each form.

mod human;

pub use human::human;
pub(in crate::render) use human::off_by;

use crate::sim::simulation::Simulated;

/// One JSON object by `docs/simulate.schema.json`.
pub fn json(simulated: &Simulated) -> String {
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(simulated).unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema of that object.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    let mut schema = generator.into_root_schema_for::<Simulated>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Syncline simulation".into());
    }
    schema
}
