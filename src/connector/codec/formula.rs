//! `read` and `write` expressions of a mapped field, over the one variable `value`.

use serde_json::Value as Json;

use crate::expr::{Event, Input, Kind, Program, Scope, compile};
use crate::value::{Type, Value};

/// A compiled expression over `value`.
#[derive(Debug)]
pub(super) struct Formula(Program);

impl Formula {
    /// Compiles the expression. What `value` may be is for the checks to say: here anything goes.
    pub(super) fn compile(text: &str) -> Result<Formula, String> {
        let scope = Scope::Variable {
            name: "value",
            kind: &Kind::Any,
        };
        let compiled = compile(text, scope);
        match (compiled.program, compiled.faults.first()) {
            (Some(program), _) => Ok(Formula(program)),
            (None, Some(fault)) => Err(fault.message.clone()),
            (None, None) => Err("it is no expression".into()),
        }
    }

    /// A raw value of the system as a value of a type.
    pub(super) fn read(&self, raw: &Json, ty: &Type) -> Result<Value, String> {
        self.0
            .value(Input::Raw(&Event::new(raw)), ty)
            .map_err(|e| e.to_string())
    }

    /// A raw value of the system as the raw value that `values` speaks of.
    pub(super) fn read_raw(&self, raw: &Json) -> Result<Json, String> {
        self.0
            .json(Input::Raw(&Event::new(raw)))
            .map_err(|e| e.to_string())
    }

    /// A value of the policy as a raw value of the system.
    pub(super) fn write(&self, value: &Value) -> Result<Json, String> {
        self.0.json(Input::Value(value)).map_err(|e| e.to_string())
    }
}
