//! Whether a map gives back what was written, decided on samples.

use std::fmt;

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::expr::{Event, Input};
use crate::model::MappedField;
use crate::value::{Type, Value};

/// A value that does not come back as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Drift {
    /// The value itself.
    pub sample: Value,
    /// The value in backticks.
    pub value: String,
    /// What the system is given.
    pub raw: String,
    /// What is read back.
    pub back: String,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is written as {} and read back as {}",
            self.value, self.raw, self.back
        )
    }
}

/// The first sample of a type that a map does not give back.
pub(in super::super) fn drift(ty: &Type, mapped: &MappedField) -> Option<Drift> {
    samples(ty).iter().find_map(|v| drift_of(ty, mapped, v))
}

fn drift_of(ty: &Type, mapped: &MappedField, value: &Value) -> Option<Drift> {
    // A write that fails sends nothing; the runner makes a dead letter of it, not a circle.
    let raw = written(mapped, value)?;
    let back = match read_back(ty, mapped, &raw) {
        Ok(back) if back == *value => return None,
        Ok(back) => shown(&back.to_json()),
        Err(what) => what,
    };
    Some(Drift {
        sample: value.clone(),
        value: shown(&value.to_json()),
        raw: shown(&raw),
        back,
    })
}

/// How a value that a system holds goes from map to map: what each system then holds, in words
/// such as `` `"Ada"` in `crm` ``. The first map's system holds it to begin with. `None`: it ends as
/// it began, or the first system cannot hold it.
pub(in super::super) fn walk(
    ty: &Type,
    value: &Value,
    stops: &[(&str, &MappedField)],
) -> Option<String> {
    let ((first, start), rest) = stops.split_first()?;
    let begun = written(start, value)?;
    let mut told = vec![format!("{} in `{first}`", shown(&begun))];
    let (mut before, mut raw) = (*start, begun.clone());
    for (name, map) in rest {
        let back = match read_back(ty, before, &raw) {
            Ok(back) => back,
            Err(what) => {
                told.push(what);
                return Some(told.join(" → "));
            }
        };
        let Some(next) = written(map, &back) else {
            told.push(format!(
                "nothing in `{name}`, since its `write` fails on it"
            ));
            return Some(told.join(" → "));
        };
        told.push(format!("{} in `{name}`", shown(&next)));
        (before, raw) = (*map, next);
    }
    (raw != begun).then(|| told.join(" → "))
}

/// What a system is given for a value: `values`, then `write`.
fn written(mapped: &MappedField, value: &Value) -> Option<Json> {
    let named = match (mapped.values(), value) {
        (Some(values), Value::Text(name)) => {
            let pair = values.pairs.iter().find(|(n, _)| *n.text == **name);
            Value::Text(pair.map_or_else(|| name.clone(), |(_, raw)| (*raw.text).into()))
        }
        _ => value.clone(),
    };
    match mapped.write() {
        Some(write) => write.program.as_ref()?.json(Input::Value(&named)).ok(),
        None => Some(named.to_json()),
    }
}

/// What is read of a raw value: `read`, then `values`, then cut to the field's size. `Err`: words
/// for what is no value of the type.
fn read_back(ty: &Type, mapped: &MappedField, raw: &Json) -> Result<Value, String> {
    let read = match mapped.read() {
        Some(read) => match &read.program {
            Some(program) => program
                .json(Input::Raw(&Event::new(raw)))
                .map_err(|_| "nothing, since `read` fails on it".to_owned())?,
            None => raw.clone(),
        },
        None => raw.clone(),
    };
    let named = match (mapped.values(), &read) {
        (Some(values), Json::String(text)) => {
            let pair = values.pairs.iter().find(|(_, raw)| *raw.text == **text);
            pair.map_or(read.clone(), |(name, _)| {
                Json::String(name.text.to_string())
            })
        }
        _ => read,
    };
    let cut = match (ty, named) {
        (Type::Text { max: Some(max) }, Json::String(text)) => {
            Json::String(text.chars().take(*max as usize).collect())
        }
        (_, other) => other,
    };
    ty.read_json(&cut)
        .map_err(|m| format!("{}, which is no `{}`", shown(&cut), m.wanted))
}

fn shown(json: &Json) -> String {
    let text = json.to_string();
    match text.chars().count() {
        0..=40 => format!("`{text}`"),
        _ => {
            // The quotes of a string are no part of it.
            let length = json.as_str().unwrap_or(&text).chars().count();
            let begin: String = text.chars().take(20).collect();
            format!("`{begin}…` ({length} characters)")
        }
    }
}

/// Values on which a map shows what it does: the ends and the plain middle of each type.
fn samples(ty: &Type) -> Vec<Value> {
    match ty {
        Type::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Type::Enum { values } => values.iter().map(|v| Value::Text(v.into())).collect(),
        Type::Int { min, max } => ints(*min, *max),
        Type::Decimal { precision, scale } => decimals(*precision, *scale),
        Type::Text { max } => texts(*max),
        Type::Email => words(&["ada@example.com", "Ada@Example.com", "", "jörg@example.com"]),
        Type::Phone => words(&["+44 20 7946 0000", "004420794600", ""]),
        Type::Url => words(&["https://example.com/A?b=c", "", "https://example.com/ä"]),
        Type::Date => ["2026-01-05", "2024-02-29"]
            .iter()
            .filter_map(|t| ty.read_text(t).ok())
            .collect(),
        Type::Datetime => ["2026-01-05T00:00:00Z", "2026-06-30T23:59:59.123456Z"]
            .iter()
            .filter_map(|t| ty.read_text(t).ok())
            .collect(),
        Type::Set { of } => {
            let members = samples(of);
            let one = members.iter().take(1).cloned().collect();
            vec![Value::set(members), Value::set(one), Value::Set(Vec::new())]
        }
        // What a document looks like only its author knows.
        Type::Json => Vec::new(),
    }
}

fn words(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|t| Value::Text((*t).into())).collect()
}

fn texts(max: Option<u32>) -> Vec<Value> {
    // A declared maximum of a megabyte need not be tried in full.
    let longest = max.unwrap_or(300).min(4_000) as usize;
    ["Ada", "", "Zoë Łukasz", "long"]
        .iter()
        .map(|t| match *t {
            "long" => "Abcdefghij".chars().cycle().take(longest).collect(),
            short => short.chars().take(longest).collect::<CompactString>(),
        })
        .map(Value::Text)
        .collect()
}

fn ints(min: Option<i64>, max: Option<i64>) -> Vec<Value> {
    let (low, high) = (min.unwrap_or(i64::MIN), max.unwrap_or(i64::MAX));
    let bounds = [min, max].into_iter().flatten();
    let mut list: Vec<i64> = bounds
        .flat_map(|b| [b, b.saturating_sub(1), b.saturating_add(1)])
        .chain([0, 1, -1, 1_000_003])
        .filter(|i| (low..=high).contains(i))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|i| seen.insert(*i));
    list.into_iter().map(Value::Int).collect()
}

fn decimals(precision: u32, scale: u32) -> Vec<Value> {
    let ty = Type::Decimal { precision, scale };
    let scale = scale.min(28);
    [
        Decimal::ZERO,
        Decimal::ONE,
        Decimal::new(1, scale),
        Decimal::new(-15, scale),
    ]
    .into_iter()
    .filter_map(|d| ty.check(Value::Decimal(d)).ok())
    .collect()
}
