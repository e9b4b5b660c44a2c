//! How a field's type relates to the one before it.

use super::kind::Kind;
use super::list::names;
use crate::value::Type;

/// A change of a type.
pub(super) struct Found {
    pub kind: Kind,
    pub means: String,
}

impl Found {
    fn new(kind: Kind, means: impl Into<String>) -> Vec<Found> {
        vec![Found {
            kind,
            means: means.into(),
        }]
    }
}

const WIDER: &str = "receivers may get values that were not valid before";
const NARROWER: &str = "some values that were valid are refused";

pub(super) fn compare(old: &Type, new: &Type) -> Vec<Found> {
    if old == new {
        return Vec::new();
    }
    match (old, new) {
        (Type::Enum { values: a }, Type::Enum { values: b }) => listed(a, b),
        (Type::Set { of: a }, Type::Set { of: b }) => compare(a, b),
        _ => match fits(old, new) {
            true => Found::new(Kind::TypeWidened, WIDER),
            false if fits(new, old) => Found::new(Kind::TypeNarrowed, NARROWER),
            false if related(old, new) => Found::new(Kind::TypeNarrowed, NARROWER),
            false => Found::new(
                Kind::TypeChanged,
                format!("a {} is no {}", old.describe(), new.describe()),
            ),
        },
    }
}

fn listed(a: &[String], b: &[String]) -> Vec<Found> {
    let gone: Vec<&str> = a
        .iter()
        .filter(|v| !b.contains(v))
        .map(String::as_str)
        .collect();
    let come: Vec<&str> = b
        .iter()
        .filter(|v| !a.contains(v))
        .map(String::as_str)
        .collect();
    let mut found = Vec::new();
    if !gone.is_empty() {
        let means = format!(
            "records that hold {} are refused",
            names(gone.iter().copied())
        );
        found.extend(Found::new(Kind::EnumValueRemoved, means));
    }
    if !come.is_empty() {
        let means = format!("receivers may get {}", names(come.iter().copied()));
        found.extend(Found::new(Kind::EnumValueAdded, means));
    }
    if found.is_empty() {
        found = Found::new(Kind::EnumReordered, "the same values in another order");
    }
    found
}

/// Whether two types hold values of one sort, so that some of the old ones stay valid.
fn related(a: &Type, b: &Type) -> bool {
    let text = |t: &Type| {
        matches!(
            t,
            Type::Text { .. } | Type::Email | Type::Phone | Type::Url | Type::Enum { .. }
        )
    };
    let number = |t: &Type| matches!(t, Type::Int { .. } | Type::Decimal { .. });
    (text(a) && text(b)) || (number(a) && number(b))
}

/// Whether every value of the one type is one of the other.
fn fits(old: &Type, new: &Type) -> bool {
    match (old, new) {
        (_, Type::Json) => true,
        (Type::Int { min: a, max: b }, Type::Int { min: c, max: d }) => {
            let below = c.is_none_or(|c| a.is_some_and(|a| a >= c));
            let above = d.is_none_or(|d| b.is_some_and(|b| b <= d));
            below && above
        }
        (
            Type::Decimal {
                precision: p,
                scale: s,
            },
            Type::Decimal {
                precision: q,
                scale: t,
            },
        ) => s <= t && p.saturating_sub(*s) <= q.saturating_sub(*t),
        (Type::Text { max: a }, Type::Text { max: b }) => {
            b.is_none_or(|b| a.is_some_and(|a| a <= b))
        }
        (Type::Email | Type::Phone | Type::Url, Type::Text { max: None }) => true,
        (Type::Enum { values }, Type::Text { max }) => max.is_none_or(|max| {
            let lengths = values.iter().map(|v| v.chars().count());
            lengths.max().unwrap_or(0) <= max as usize
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_wider_narrower_and_other() {
        let text = |max| Type::Text { max };
        let int = |a, b| Type::Int {
            min: Some(a),
            max: Some(b),
        };
        let any = Type::Int {
            min: None,
            max: None,
        };
        let values = |v: &[&str]| Type::Enum {
            values: v.iter().map(|v| (*v).to_owned()).collect(),
        };
        let cases = [
            (text(Some(40)), text(Some(80)), "type-widened"),
            (text(Some(80)), text(Some(40)), "type-narrowed"),
            (text(None), text(Some(40)), "type-narrowed"),
            (text(Some(40)), Type::Json, "type-widened"),
            (Type::Email, text(None), "type-widened"),
            (Type::Email, text(Some(40)), "type-narrowed"),
            (int(0, 100), int(0, 10), "type-narrowed"),
            (int(0, 10), int(-5, 10), "type-widened"),
            (int(0, 10), int(5, 15), "type-narrowed"),
            (int(0, 10), any, "type-widened"),
            (Type::Date, Type::Datetime, "type-changed"),
            (Type::Bool, text(None), "type-changed"),
            (values(&["a", "b"]), values(&["b", "a"]), "enum-reordered"),
            (values(&["a", "b"]), values(&["a"]), "enum-value-removed"),
            (values(&["a"]), values(&["a", "b"]), "enum-value-added"),
            (values(&["a"]), text(None), "type-widened"),
            (
                Type::Set {
                    of: Box::new(text(Some(4))),
                },
                Type::Set {
                    of: Box::new(text(None)),
                },
                "type-widened",
            ),
        ];
        for (old, new, expected) in cases {
            let found = compare(&old, &new);
            let kinds: Vec<&str> = found.iter().map(|f| f.kind.name()).collect();
            assert_eq!(kinds, [expected], "{} → {}", old.describe(), new.describe());
        }
    }
}
