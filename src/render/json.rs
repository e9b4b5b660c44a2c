//! `check --format json`: one object, stable in shape, described by `docs/check.schema.json`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::report::{Diagnostic, Report, Summary};

/// The version of the object's shape.
pub const VERSION: u32 = 1;

/// What `check --format json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckOutput {
    /// The version of this shape, 1.
    pub version: u32,
    /// How many findings there are.
    pub summary: Summary,
    /// The findings by file, position and code.
    pub diagnostics: Vec<Diagnostic>,
}

/// The object with its members borrowed, so that thousands of findings are not copied.
#[derive(Serialize)]
struct Borrowed<'a> {
    version: u32,
    summary: Summary,
    diagnostics: &'a [Diagnostic],
}

/// The report as JSON text with a final newline.
pub fn check(report: &Report) -> String {
    let output = Borrowed {
        version: VERSION,
        summary: report.summary(),
        diagnostics: &report.diagnostics,
    };
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(&output).unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema of the object, as published in `docs/check.schema.json`.
pub fn check_schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<CheckOutput>()
        .to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Syncline check output".into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_report_has_every_member() {
        let json: serde_json::Value = serde_json::from_str(&check(&Report::default())).unwrap();
        let expected = serde_json::json!({
            "version": 1,
            "summary": {"errors": 0, "warnings": 0, "allowed": 0},
            "diagnostics": [],
        });
        assert_eq!(json, expected);
    }
}
