//! A test's clauses, made ready: names to positions, values to what each system holds.

use serde_json::{Map as Object, Value as Json};

use crate::engine::ports::{EntityIx, FieldIx, MapIx, SystemIx, key_text};
use crate::engine::program::Program;
use crate::expr::Input;
use crate::model::{
    Expression, Policy, RecordRef, Ref, Step, StepKind, SystemId, Test, TestRecord, TestValue,
};
use crate::sim::{Systems, start_in};
use crate::text::Span;
use crate::time::{Instant, Millis};
use crate::value::{Type, Value, canonical, key_parts};

/// How long before the start records are given.
const GIVEN_BEFORE: i64 = 86_400_000;
/// How long a test without a timed expectation goes on after its last step.
const SETTLES: Millis = Millis::from_secs(3_600);

/// Why a clause cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What does not fit.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Misfit {
    fn new(message: impl Into<String>) -> Self {
        Misfit {
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A record in a system.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub system: SystemIx,
    pub entity: EntityIx,
    pub map: MapIx,
    /// Canonical.
    pub key: String,
}

/// Something that happens or is looked at.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Sets(Place, Object<String, Json>),
    Deletes(Place),
    Down(SystemIx, Millis),
    Sends(SystemIx, String, Json),
    Holds(Place, Vec<(FieldIx, Value)>),
    Lacks(Place),
}

/// A clause at its time.
#[derive(Debug, Clone)]
pub(super) struct Timed {
    pub at: Instant,
    pub clause: Span,
    pub act: Act,
}

/// What may be counted at the end.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Calls(SystemIx, u64),
    DeadLetters(u64),
}

/// A test made ready.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// By time; of one time, what happens before what is looked at.
    pub acts: Vec<Timed>,
    pub bounds: Vec<(Span, Bound)>,
    pub end: Instant,
}

/// When a test starts: as it says, else Monday 2026-01-05 00:00 in the policy's zone.
pub(super) fn start(program: &Program, test: &Test) -> Instant {
    match &test.start {
        Some(start) => Instant(start.value.div_euclid(1_000)),
        None => start_in(program.zone),
    }
}

impl Script {
    /// The script of a test; what is given goes into the systems right away.
    pub fn of(
        policy: &Policy,
        program: &Program,
        test: &Test,
        systems: &mut Systems,
    ) -> Result<Script, (Span, Misfit)> {
        let start = systems.now;
        let reader = Reader { policy, program };
        let mut script = Script {
            acts: Vec::new(),
            bounds: Vec::new(),
            end: start,
        };
        for step in &test.steps {
            reader
                .step(step, start, systems, &mut script)
                .map_err(|misfit| (step.clause, misfit))?;
        }
        script
            .acts
            .sort_by_key(|t| (t.at, matches!(t.act, Act::Holds(..) | Act::Lacks(..))));
        let looks = script.acts.iter().rev();
        let looked = looks
            .filter(|t| matches!(t.act, Act::Holds(..) | Act::Lacks(..)))
            .map(|t| t.at)
            .next();
        let last = script.acts.last().map_or(start, |t| t.at);
        script.end = looked
            .unwrap_or(Instant(last.0.saturating_add(SETTLES.0 as i64)))
            .max(last);
        Ok(script)
    }
}

struct Reader<'a> {
    policy: &'a Policy,
    program: &'a Program,
}

impl Reader<'_> {
    fn step(
        &self,
        step: &Step,
        start: Instant,
        systems: &mut Systems,
        script: &mut Script,
    ) -> Result<(), Misfit> {
        let offset = step.at.as_ref().map_or(0, |at| at.value.0 as i64);
        let at = Instant(start.0.saturating_add(offset));
        let act = match &step.what {
            StepKind::Given {
                record,
                values,
                systems: places,
            } => {
                let now = systems.now;
                for place in places {
                    let place = self.place(record, place)?;
                    let cells = self.cells(&place, values, systems)?;
                    let then = Instant(now.0.saturating_sub(GIVEN_BEFORE));
                    systems
                        .get(place.system)
                        .set(place.map, &place.key, cells, then);
                }
                return Ok(());
            }
            StepKind::Sets {
                system,
                record,
                values,
            } => {
                let place = self.place(record, system)?;
                let cells = self.cells(&place, values, systems)?;
                Act::Sets(place, cells)
            }
            StepKind::Deletes { system, record } => Act::Deletes(self.place(record, system)?),
            StepKind::Down { system, lasts } => {
                let lasts = lasts.as_ref().ok_or_else(unread)?;
                Act::Down(self.system(system)?, lasts.value)
            }
            StepKind::Event {
                system,
                event,
                payload,
            } => Act::Sends(
                self.system(system)?,
                event.text.to_string(),
                payload_of(payload)?,
            ),
            StepKind::Expect {
                record,
                system,
                values,
            } => {
                let place = self.place(record, system)?;
                let values = self.values(place.entity, values)?;
                Act::Holds(place, values)
            }
            StepKind::ExpectAbsent { record, system } => Act::Lacks(self.place(record, system)?),
            StepKind::ExpectCalls { system, at_most } => {
                let at_most = at_most.as_ref().ok_or_else(unread)?.value;
                let bound = Bound::Calls(self.system(system)?, at_most);
                script.bounds.push((step.clause, bound));
                return Ok(());
            }
            StepKind::ExpectDeadLetters { at_most } => {
                let at_most = at_most.as_ref().ok_or_else(unread)?.value;
                script
                    .bounds
                    .push((step.clause, Bound::DeadLetters(at_most)));
                return Ok(());
            }
        };
        script.acts.push(Timed {
            at,
            clause: step.clause,
            act,
        });
        Ok(())
    }

    fn system(&self, system: &Ref<SystemId>) -> Result<SystemIx, Misfit> {
        let id = system.id.ok_or_else(unread)?;
        let name = &self.policy.system(id).name.text;
        self.program
            .system(name)
            .ok_or_else(|| Misfit::new(format!("the plan has no system `{name}`")))
    }

    fn place(&self, record: &RecordRef, system: &Ref<SystemId>) -> Result<Place, Misfit> {
        let id = record.entity.id.ok_or_else(unread)?;
        let name = &self.policy.entity(id).name.text;
        let entity = self
            .program
            .entity(name)
            .ok_or_else(|| Misfit::new(format!("the plan has no entity `{name}`")))?;
        let ix = self.system(system)?;
        let map = self.program.map_of(entity, ix).ok_or_else(|| {
            let system = self.program.system_name(ix);
            Misfit::new(format!("`{name}` is not mapped in `{system}`"))
        })?;
        Ok(Place {
            system: ix,
            entity,
            map,
            key: self.key(entity, &record.key.text)?,
        })
    }

    /// A key as a test writes it, in its canonical form.
    fn key(&self, entity: EntityIx, text: &str) -> Result<String, Misfit> {
        let names = &self.program.entities[usize::from(entity)];
        let keys: Vec<&Type> = names
            .keys
            .iter()
            .map(|ix| &names.fields[usize::from(*ix)].ty)
            .collect();
        let parts = match keys.len() {
            1 => vec![text.to_owned()],
            _ => key_parts(text),
        };
        if parts.len() != keys.len() {
            return Err(Misfit::new(format!(
                "the key of `{}` has {} parts, this has {}",
                names.name,
                keys.len(),
                parts.len()
            )));
        }
        let values: Result<Vec<Value>, Misfit> = keys
            .iter()
            .zip(&parts)
            .map(|(ty, part)| {
                ty.read_text(part)
                    .map_err(|e| Misfit::new(format!("the key `{text}`: {e}")))
            })
            .collect();
        Ok(key_text(&values?))
    }

    fn values(
        &self,
        entity: EntityIx,
        record: &TestRecord,
    ) -> Result<Vec<(FieldIx, Value)>, Misfit> {
        let names = &self.program.entities[usize::from(entity)];
        let mut out = Vec::with_capacity(record.fields.len());
        for (field, value) in &record.fields {
            let id = field.id.ok_or_else(unread)?;
            let name = &self.policy.field(id).name.text;
            let ix = names
                .field(name)
                .ok_or_else(|| Misfit::new(format!("`{}` has no field `{name}`", names.name)))?;
            if names.keys.contains(&ix) {
                continue;
            }
            let ty = &names.fields[usize::from(ix)].ty;
            let value = value_of(ty, &value.value)
                .map_err(|why| Misfit::new(format!("`{}.{name}`: {why}", names.name)))?;
            out.push((ix, value));
        }
        out.sort_by_key(|(ix, _)| *ix);
        Ok(out)
    }

    /// The columns by which a system holds these values; held to be read back as they are.
    fn cells(
        &self,
        place: &Place,
        record: &TestRecord,
        systems: &mut Systems,
    ) -> Result<Object<String, Json>, Misfit> {
        let values = self.values(place.entity, record)?;
        let there = systems.get(place.system);
        let cells = there
            .cells(place.map, &place.key, &values)
            .map_err(|why| Misfit::new(format!("`{}` cannot hold this: {why}", there.name)))?;
        let Some(binding) = there.binding(place.map) else {
            return Ok(cells);
        };
        let row = binding.row_from_json(&Json::Object(cells.clone()));
        if let Some(problem) = &row.problem {
            return Err(Misfit::new(format!(
                "`{}` could not be read back: {problem}",
                there.name
            )));
        }
        let names = &self.program.entities[usize::from(place.entity)];
        for (ix, value) in &values {
            let shown = row.fields.iter().find(|(f, _)| f == ix).map(|(_, v)| v);
            let field = &names.fields[usize::from(*ix)].name;
            let mapped = self.program.plan.maps[usize::from(place.map)]
                .fields
                .iter()
                .any(|f| f.field == *field);
            if mapped && !same(shown, value) {
                let shown = shown.map_or("nothing".to_owned(), show);
                return Err(Misfit::new(format!(
                    "`{}` cannot hold {} for `{}.{field}`: by its map it would be read as {shown}",
                    there.name,
                    show(value),
                    names.name
                ))
                .help(
                    "the map's `read` has no `write` that turns it round: add one, or send the \
                     system's own value by `at … event`",
                ));
            }
        }
        Ok(cells)
    }
}

/// Whether what a system shows is this value; no value and null are the same.
pub(super) fn same(shown: Option<&Value>, expected: &Value) -> bool {
    match shown {
        None => expected.is_null(),
        Some(value) => value == expected,
    }
}

/// A value as a test writes it.
pub(super) fn show(value: &Value) -> String {
    value.to_json().to_string()
}

fn unread() -> Misfit {
    Misfit::new("the clause could not be read")
}

/// A value of a test as one of its field's type; SL0701 has refused what does not fit.
fn value_of(ty: &Type, value: &TestValue) -> Result<Value, String> {
    let fits = |value: Value| ty.check(value).map_err(|e| e.to_string());
    match (ty, value) {
        (_, TestValue::Absent) => Ok(Value::Null),
        (_, TestValue::Unknown) => Err("the value could not be read".into()),
        (Type::Json, value) => Ok(Value::Json(canonical(&json_of(value)).into())),
        (Type::Set { of }, TestValue::List(members)) => {
            let members: Result<Vec<Value>, String> =
                members.iter().map(|m| value_of(of, &m.value)).collect();
            Ok(Value::set(members?))
        }
        (Type::Text { .. } | Type::Email | Type::Phone | Type::Url, TestValue::Text(text)) => {
            fits(Value::Text((&**text).into()))
        }
        (_, TestValue::Text(text) | TestValue::Name(text)) => {
            ty.read_text(text).map_err(|e| e.to_string())
        }
        (_, TestValue::Bool(b)) => fits(Value::Bool(*b)),
        (Type::Decimal { .. }, TestValue::Number(n)) => fits(Value::Decimal(*n)),
        (_, TestValue::Number(n)) => ty.read_text(&n.to_string()).map_err(|e| e.to_string()),
        (_, TestValue::List(_)) => Err(format!("a list is no {}", ty.describe())),
    }
}

fn json_of(value: &TestValue) -> Json {
    match value {
        TestValue::Text(text) | TestValue::Name(text) => Json::String(text.to_string()),
        TestValue::Bool(b) => Json::Bool(*b),
        TestValue::Number(n) => {
            serde_json::from_str(&n.to_string()).unwrap_or_else(|_| Json::String(n.to_string()))
        }
        TestValue::List(members) => members.iter().map(|m| json_of(&m.value)).collect(),
        TestValue::Absent | TestValue::Unknown => Json::Null,
    }
}

/// The payload of an event: what its expression gives.
fn payload_of(payload: &Expression) -> Result<Json, Misfit> {
    let program = payload.program.as_ref().ok_or_else(unread)?;
    let json = program
        .json(Input::Nothing)
        .map_err(|e| Misfit::new(e.to_string()))?;
    match json {
        Json::Object(_) => Ok(json),
        _ => Err(Misfit::new("the payload is no map")
            .help("write it as `{\"email\": \"ada@example.com\"}`")),
    }
}
