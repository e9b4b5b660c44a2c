//! Made-up keys and values: for each type and number one, different numbers different where the
//! type has room.

use rust_decimal::Decimal;

use crate::time::Date;
use crate::value::{Type, Value, canonical};

/// The value of a type with this number.
pub(super) fn value(ty: &Type, number: u64) -> Value {
    match ty {
        Type::Bool => Value::Bool(number % 2 == 1),
        Type::Int { min, max } => {
            let least = min.unwrap_or(0);
            let most = max.unwrap_or(i64::MAX / 2).max(least);
            let room = most.abs_diff(least).saturating_add(1);
            Value::Int(least.saturating_add_unsigned(number % room))
        }
        Type::Decimal { precision, scale } => {
            let room = 10u64.pow((*precision).clamp(1, 15));
            // What a number of so many digits is worth always fits.
            let number = i64::try_from(number % room).unwrap_or(0);
            Value::Decimal(Decimal::new(number, (*scale).min(28)))
        }
        Type::Text { max } => Value::Text(short(number, max.map_or(40, |m| m as usize)).into()),
        Type::Email => Value::Text(format!("{}@example.com", short(number, 20)).into()),
        Type::Phone => Value::Text(format!("+4930{:09}", number % 1_000_000_000).into()),
        Type::Url => Value::Text(format!("https://example.com/{}", short(number, 20)).into()),
        Type::Date => {
            let days = (number % 20_000) as i64 + 700_000;
            let date = Date::from_num_days_from_ce_opt(days as i32).unwrap_or_default();
            Value::Date(date)
        }
        Type::Datetime => {
            let seconds = (number % 1_000_000_000) as i64 + 1_000_000_000;
            Value::Datetime(seconds * 1_000_000)
        }
        Type::Json => Value::Json(canonical(&serde_json::json!({ "n": number })).into()),
        Type::Enum { values } => {
            let at = number % (values.len().max(1) as u64);
            Value::Text(
                values
                    .get(at as usize)
                    .map_or_else(Default::default, |v| v.into()),
            )
        }
        Type::Set { of } => Value::set(vec![value(of, number)]),
    }
}

/// A word of at most so many characters.
fn short(mut number: u64, room: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut word = String::from("v");
    while number > 0 && word.len() < room.max(1) {
        word.push(char::from(
            LETTERS[(number % LETTERS.len() as u64) as usize],
        ));
        number /= LETTERS.len() as u64;
    }
    word
}

/// A number that looks like chance and is the same each time.
pub(super) fn mixed(a: u64, b: u64) -> u64 {
    // SplitMix64's finaliser.
    let mut x = a
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(b.wrapping_mul(0xD1B5_4A32_D192_ED03))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Values of a type worth trying where a condition is to hold, or not to hold: every one of a small
/// type, else those that the condition itself names and their neighbours.
pub(super) fn tried(ty: &Type, condition: &str) -> Vec<Value> {
    let mut out = match ty {
        Type::Bool => vec![Value::Bool(false), Value::Bool(true)],
        Type::Enum { values } => values.iter().map(|v| Value::Text(v.into())).collect(),
        _ => Vec::new(),
    };
    for literal in literals(condition) {
        if let Ok(value) = ty.read_text(&literal) {
            out.push(value);
        }
        if let (Ok(number), Type::Int { .. }) = (literal.parse::<i64>(), ty) {
            let near = [number.saturating_sub(1), number.saturating_add(1)];
            let near = near.into_iter().map(Value::Int);
            out.extend(near.filter_map(|v| ty.check(v).ok()));
        }
    }
    for number in [7, 8] {
        out.push(value(ty, number));
    }
    out.push(Value::Null);
    let mut seen = std::collections::BTreeSet::new();
    out.retain(|v| seen.insert(v.clone()));
    out
}

/// The texts and numbers that an expression names.
pub(super) fn literals(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\'' || c.is_ascii_digit()) {
        let (_, tail) = rest.split_at(at);
        let first = tail.chars().next().unwrap_or(' ');
        if first.is_ascii_digit() {
            let end = tail.find(|c: char| !c.is_ascii_digit() && c != '.');
            let (number, after) = tail.split_at(end.unwrap_or(tail.len()));
            out.push(number.to_owned());
            rest = after;
        } else {
            let inner = &tail[1..];
            let end = inner.find(first).unwrap_or(inner.len());
            out.push(inner[..end].to_owned());
            rest = inner.get(end + 1..).unwrap_or("");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_types() {
        let types = [
            Type::Bool,
            Type::Int {
                min: Some(-3),
                max: Some(4),
            },
            Type::Int {
                min: None,
                max: None,
            },
            Type::Decimal {
                precision: 5,
                scale: 2,
            },
            Type::Text { max: Some(3) },
            Type::Text { max: None },
            Type::Email,
            Type::Phone,
            Type::Url,
            Type::Date,
            Type::Datetime,
            Type::Json,
            Type::Enum {
                values: vec!["a".into(), "b".into()],
            },
            Type::Set {
                of: Box::new(Type::Text { max: None }),
            },
        ];
        for ty in &types {
            for number in [0, 1, 31, 32, 99_999_999, u64::MAX] {
                let value = value(ty, number);
                assert_eq!(
                    ty.check(value.clone()).as_ref(),
                    Ok(&value),
                    "{ty:?} {number}"
                );
            }
        }
    }

    #[test]
    fn keys_of_different_records_differ() {
        let keys: std::collections::BTreeSet<Value> =
            (0..5_000).map(|n| value(&Type::Email, n)).collect();
        assert_eq!(keys.len(), 5_000);
    }

    #[test]
    fn literals_are_found() {
        assert_eq!(literals(r#"a.b == "x y" && c > 12.5"#), ["x y", "12.5"]);
        assert_eq!(literals("a == 'it"), ["it"]);
    }
}
