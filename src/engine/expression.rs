//! Expressions of a plan, bound to the positions of an entity's fields.

use serde_json::Value as Json;

use super::ports::FieldIx;
use super::program::EntityProgram;
use crate::expr::{self, Event, Input, Kind, Row, Scope};
use crate::value::{Type, Value};

/// An expression over a record.
#[derive(Debug)]
pub struct RecordExpr {
    text: String,
    program: expr::Program,
    /// Positions of the fields it reads, in the program's own order.
    slots: Vec<FieldIx>,
}

struct Slots<'a>(Vec<Option<&'a Value>>);

impl Row for Slots<'_> {
    fn field(&self, slot: usize, _: &str) -> Option<&Value> {
        self.0.get(slot).copied().flatten()
    }
}

impl RecordExpr {
    /// Compiles an expression over an entity's record. The policy's checks have held it already;
    /// an error here means a plan made by other hands.
    pub fn compile(entity: &EntityProgram, text: &str) -> Result<Self, String> {
        let kind = |name: &str| {
            let field = entity.field(name)?;
            Some(Kind::of(&entity.fields[field as usize].ty))
        };
        let scope = Scope::Record {
            name: &entity.name,
            field: &kind,
            words: &|_| None,
        };
        let program = compile(text, scope)?;
        let slots: Option<Vec<FieldIx>> = program
            .fields()
            .iter()
            .map(|name| entity.field(name))
            .collect();
        let slots = slots.ok_or_else(|| format!("`{text}` reads a field that there is not"))?;
        Ok(RecordExpr {
            text: text.to_owned(),
            program,
            slots,
        })
    }

    /// The text between the backticks.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields that it reads, by position.
    pub fn reads(&self) -> &[FieldIx] {
        &self.slots
    }

    /// Evaluates a condition over borrowed values.
    pub fn holds<'v>(&self, lookup: impl Fn(FieldIx) -> Option<&'v Value>) -> Result<bool, String> {
        let row = Slots(self.slots.iter().map(|f| lookup(*f)).collect());
        self.program
            .holds(Input::Row(&row))
            .map_err(|e| e.to_string())
    }

    /// Evaluates a condition.
    pub fn truth(&self, lookup: &dyn Fn(FieldIx) -> Option<Value>) -> Result<bool, String> {
        let values: Vec<Option<Value>> = self.slots.iter().map(|f| lookup(*f)).collect();
        let row = Slots(values.iter().map(Option::as_ref).collect());
        self.program
            .holds(Input::Row(&row))
            .map_err(|e| e.to_string())
    }

    /// Evaluates a derived field; `None` where it is absent or its expression fails.
    pub fn value(&self, ty: &Type, lookup: &dyn Fn(FieldIx) -> Option<Value>) -> Option<Value> {
        let values: Vec<Option<Value>> = self.slots.iter().map(|f| lookup(*f)).collect();
        let row = Slots(values.iter().map(Option::as_ref).collect());
        self.program.derive(&row, ty).ok().flatten()
    }
}

/// A condition over an event's payload.
#[derive(Debug)]
pub struct EventExpr(expr::Program);

impl EventExpr {
    /// Compiles a condition over `event`.
    pub fn compile(text: &str) -> Result<Self, String> {
        compile(
            text,
            Scope::Variable {
                name: "event",
                kind: &Kind::Any,
            },
        )
        .map(EventExpr)
    }

    /// Evaluates it.
    pub fn truth(&self, payload: &Json) -> Result<bool, String> {
        self.0
            .holds(Input::Event(&Event::new(payload)))
            .map_err(|e| e.to_string())
    }
}

fn compile(text: &str, scope: Scope<'_>) -> Result<expr::Program, String> {
    let compiled = expr::compile(text, scope);
    match (compiled.program, compiled.faults.first()) {
        (Some(program), _) => Ok(program),
        (None, Some(fault)) => Err(format!("`{text}`: {}", fault.message)),
        (None, None) => Err(format!("`{text}` is no expression")),
    }
}
