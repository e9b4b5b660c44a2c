//! `read` and `write` expressions of a mapped field: raw value in, raw value out, as JSON.

use serde_json::Value as Json;

use crate::value::Value;

/// A compiled expression over `value`.
#[derive(Debug)]
pub(super) struct Formula {
    text: String,
}

impl Formula {
    /// Compiles the expression.
    pub(super) fn compile(text: &str) -> Result<Formula, String> {
        Ok(Formula {
            text: text.to_owned(),
        })
    }

    /// Its value for a raw value of the system.
    pub(super) fn read(&self, _value: &Json) -> Result<Json, String> {
        Err(format!("`{}` cannot be evaluated yet", self.text))
    }

    /// Its value for a value of the policy.
    pub(super) fn write(&self, _value: &Value) -> Result<Json, String> {
        Err(format!("`{}` cannot be evaluated yet", self.text))
    }
}
