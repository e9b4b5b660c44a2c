//! Running a program.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelNull, CelString, DYN_TYPE, STRING_TYPE, Type as CelTypeOf};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError};
use serde_json::Value as Json;

use super::convert::{cel_to_json, cel_to_value, json_to_cel, value_to_cel};
use super::rewrite::{FIELD, MATCHES, PATTERN, PRESENT};
use super::{Kind, Program};
use crate::value::{Misfit, Type, Value};

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// It reads a key that a document lacks.
    #[error("there is no `{0}`")]
    Missing(String),
    /// An operator or a function met a value that it does not take, most often null.
    #[error("{0}")]
    NoOverload(String),
    /// Anything else: a division by zero, a number that is none.
    #[error("{0}")]
    Failed(String),
    /// A condition gave no truth value.
    #[error("the condition gave {0}, not a bool")]
    NotBool(&'static str),
    /// The result is nothing that a field can hold.
    #[error("the result is {0}")]
    NotAValue(&'static str),
    /// The result does not fit the field.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// A record: answers by the position of a field in [`Program::fields`].
///
/// `None` and an explicit null both read as null; only `has` tells absent from there.
pub trait Row: Sync + Send {
    /// The value of the field that the program calls `slot`.
    fn field(&self, slot: usize, name: &str) -> Option<&Value>;
}

/// By name; for records that are maps.
impl Row for std::collections::BTreeMap<String, Value> {
    fn field(&self, _: usize, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

/// By slot; for rows that were arranged for the program.
impl Row for [Option<&Value>] {
    fn field(&self, slot: usize, _: &str) -> Option<&Value> {
        self.get(slot).copied().flatten()
    }
}

/// By name, in a short list.
impl Row for [(String, Value)] {
    fn field(&self, _: usize, name: &str) -> Option<&Value> {
        self.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }
}

/// An event's payload, made ready once for any number of conditions.
#[derive(Debug)]
pub struct Event(Box<dyn Val>);

impl Event {
    /// Makes a payload ready.
    pub fn new(payload: &Json) -> Self {
        Event(json_to_cel(payload))
    }
}

/// What an expression is evaluated over.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// A record, for [`super::Scope::Record`].
    Row(&'a (dyn Row + 'a)),
    /// A payload, for a variable `event`.
    Event(&'a Event),
    /// A policy value, for a variable `value`.
    Value(&'a Value),
    /// A raw value, for a variable `value`.
    Raw(&'a Event),
    /// Nothing.
    Nothing,
}

/// A ready pattern, as CEL sees it.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) regex::Regex);

static PATTERN_TYPE: CelTypeOf = CelTypeOf::new_unspecified_type("syncline.pattern");

impl Val for Pattern {
    fn get_type(&self) -> &CelTypeOf {
        &PATTERN_TYPE
    }

    fn cel_type() -> &'static CelTypeOf {
        &PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = args.first().and_then(|a| a.downcast_ref::<CelString>());
    let pattern = args.get(1).and_then(|a| a.downcast_ref::<Pattern>());
    match (text, pattern) {
        (Some(text), Some(Pattern(regex))) => {
            Ok(CowVal::owned(CelBool::from(regex.is_match(text.inner()))))
        }
        _ => Err(ExecutionError::function_error("matches", "takes a string")),
    }
}

/// The one environment of all programs: the standard library, the string extension, and the
/// function for ready patterns.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // Both declare names that the standard library does not, so neither can fail.
    let extended = cel::extensions::strings(&mut env);
    debug_assert!(extended.is_ok());
    let added = env.add_overload(MATCHES, MATCHES, vec![STRING_TYPE, DYN_TYPE], matches);
    debug_assert!(added.is_ok());
    Arc::new(env)
});

struct Variables<'a> {
    program: &'a Program,
    input: Input<'a>,
}

static NULL: CelNull = CelNull;

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let slot = |prefix: &str| {
            name.strip_prefix(prefix)
                .and_then(|n| n.parse::<usize>().ok())
        };
        if !name.starts_with('@') {
            if self.program.variable.as_deref() != Some(name) {
                return None;
            }
            return match self.input {
                Input::Event(event) | Input::Raw(event) => Some(CowVal::Borrowed(event.0.as_ref())),
                Input::Value(value) => Some(CowVal::Owned(value_to_cel(value))),
                Input::Row(_) | Input::Nothing => None,
            };
        }
        let field = |slot: usize| match self.input {
            Input::Row(row) => row.field(slot, self.program.fields.get(slot)?),
            _ => None,
        };
        if let Some(slot) = slot(FIELD) {
            return Some(match field(slot) {
                Some(value) => CowVal::Owned(value_to_cel(value)),
                None => CowVal::Borrowed(&NULL),
            });
        }
        if let Some(slot) = slot(PRESENT) {
            let there = field(slot).is_some_and(|v| !v.is_null());
            return Some(CowVal::owned(CelBool::from(there)));
        }
        // Lent, never cloned: a clone of a regex starts with cold caches.
        let pattern = self.program.patterns.get(slot(PATTERN)?)?;
        Some(CowVal::Borrowed(pattern))
    }
}

impl Program {
    fn run<T>(
        &self,
        input: Input<'_>,
        then: impl FnOnce(&dyn Val) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let variables = Variables {
            program: self,
            input,
        };
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.set_variable_resolver(&variables);
        match cel::Value::resolve_val(&self.root, &context) {
            Ok(value) => then(value.as_ref()),
            Err(error) => Err(plain(error)),
        }
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// Where it fails (a null where an operator takes none, a missing key) or gives no bool.
    pub fn holds(&self, input: Input<'_>) -> Result<bool, EvalError> {
        self.run(input, |value| match value.downcast_ref::<CelBool>() {
            Some(b) => Ok(*b.inner()),
            None => Err(EvalError::NotBool(kind_of(value).describe())),
        })
    }

    /// Evaluates to a value of a type.
    ///
    /// # Errors
    /// Where it fails or the result does not fit the type.
    pub fn value(&self, input: Input<'_>, ty: &Type) -> Result<Value, EvalError> {
        self.run(input, |value| cel_to_value(value, ty))
    }

    /// Evaluates to JSON.
    ///
    /// # Errors
    /// Where it fails or the result has no JSON (bytes, a type).
    pub fn json(&self, input: Input<'_>) -> Result<Json, EvalError> {
        self.run(input, cel_to_json)
    }

    /// Evaluates a derived field: `None` where it fails and something that it reads is absent or
    /// null.
    ///
    /// # Errors
    /// Where it fails although everything that it reads is there, or does not fit the type.
    pub fn derive(&self, row: &dyn Row, ty: &Type) -> Result<Option<Value>, EvalError> {
        match self.value(Input::Row(row), ty) {
            Ok(Value::Null) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let lacks = self
                    .fields
                    .iter()
                    .enumerate()
                    .any(|(slot, name)| row.field(slot, name).is_none_or(Value::is_null));
                if lacks { Ok(None) } else { Err(error) }
            }
        }
    }
}

fn kind_of(value: &dyn Val) -> Kind {
    match value.get_type().name() {
        "null_type" => Kind::Null,
        "bool" => Kind::Bool,
        "int" => Kind::Int,
        "uint" => Kind::Uint,
        "double" => Kind::Double,
        "string" => Kind::Text,
        "bytes" => Kind::Bytes,
        "list" => Kind::List(Box::new(Kind::Any)),
        "map" => Kind::Map,
        "google.protobuf.Timestamp" => Kind::Time,
        "google.protobuf.Duration" => Kind::Duration,
        _ => Kind::Any,
    }
}

/// The crate's errors in plain words; our own names for functions do not show.
fn plain(error: ExecutionError) -> EvalError {
    match error {
        ExecutionError::NoSuchKey(key) => EvalError::Missing(key.to_string()),
        ExecutionError::NoSuchOverload(overload) => {
            let name = overload
                .function()
                .trim_start_matches('@')
                .trim_matches('_');
            let types: Vec<&str> = overload
                .argument_types()
                .iter()
                .map(|t| t.trim_end_matches("_type"))
                .collect();
            EvalError::NoOverload(format!("`{name}` does not take {}", types.join(" and ")))
        }
        ExecutionError::UnsupportedBinaryOperator(name, a, b) => {
            let (a, b) = (a.type_of(), b.type_of());
            EvalError::NoOverload(format!("`{name}` does not take {a} and {b}"))
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            EvalError::Failed("a division by zero".into())
        }
        ExecutionError::Overflow(..) => EvalError::Failed("a number grew too large".into()),
        ExecutionError::IndexOutOfBounds(_) => EvalError::Failed("a list is too short".into()),
        ExecutionError::FunctionError { function, message } => {
            let message = message.lines().last().unwrap_or_default().trim().to_owned();
            EvalError::Failed(format!("`{}`: {message}", function.trim_start_matches('@')))
        }
        other => EvalError::Failed(other.to_string()),
    }
}
