//! Field types and values.
//!
//! Rank 0. What a field may hold and what it holds; how values compare and how they read and
//! print as JSON. Knows nothing of records, systems or expressions.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, Timelike, Utc};
use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The type of a field, without its optionality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number, where given within inclusive bounds.
    Int {
        /// Least value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        /// Greatest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// A decimal of at most `precision` digits, `scale` of them after the point.
    Decimal {
        /// Digits in all.
        precision: u32,
        /// Digits after the point.
        scale: u32,
    },
    /// A text, where given of at most `max` characters.
    Text {
        /// Greatest length in characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u32>,
    },
    /// An e-mail address. What makes one valid is for a checkpoint's `require` to say.
    Email,
    /// A telephone number.
    Phone,
    /// A web address.
    Url,
    /// A calendar date.
    Date,
    /// An instant.
    Datetime,
    /// Any JSON.
    Json,
    /// One of a list of names.
    Enum {
        /// The names in the order declared.
        values: Vec<String>,
    },
    /// A set of values of one type.
    Set {
        /// The type of its members.
        of: Box<Type>,
    },
}

/// A value of a field. What is absent has no value at all; `Null` is an explicit null.
///
/// The order is total: numbers by size, texts by code point, dates by time; values of different
/// types (which a typed field never mixes) by type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// An explicit null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal; equal numbers are equal whatever their scale.
    Decimal(#[serde(with = "decimal_text")] Decimal),
    /// Text, e-mail, phone, URL and enum values.
    Text(CompactString),
    /// A date.
    Date(#[serde(with = "date_days")] NaiveDate),
    /// An instant in microseconds since 1970-01-01T00:00Z.
    Datetime(i64),
    /// A set: sorted, without repeats.
    Set(Vec<Value>),
    /// Canonical JSON text (object keys sorted).
    Json(CompactString),
}

/// Decimals as text, and as their bytes where nobody reads along: their own encoding can only be
/// read back from formats that describe themselves, which the stage's is not.
mod decimal_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Decimal, to: S) -> Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => to.collect_str(value),
            false => value.serialize().serialize(to),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Decimal, D::Error> {
        if !from.is_human_readable() {
            return <[u8; 16]>::deserialize(from).map(Decimal::deserialize);
        }
        let text = String::deserialize(from)?;
        Decimal::from_str_exact(&text).map_err(serde::de::Error::custom)
    }
}

/// Dates as text, and as a count of days where nobody reads along.
mod date_days {
    use chrono::{Datelike as _, NaiveDate};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &NaiveDate, to: S) -> Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => value.serialize(to),
            false => value.num_days_from_ce().serialize(to),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NaiveDate, D::Error> {
        if from.is_human_readable() {
            return NaiveDate::deserialize(from);
        }
        let days = i32::deserialize(from)?;
        NaiveDate::from_num_days_from_ce_opt(days)
            .ok_or_else(|| serde::de::Error::custom("a date that is none"))
    }
}

/// Why a raw value does not fit a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{raw} is no {wanted}")]
pub struct Misfit {
    /// The raw value, shortened.
    pub raw: String,
    /// What the field holds, in the language's words.
    pub wanted: String,
}

impl Value {
    /// Whether it is an explicit null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// A set from members in any order.
    pub fn set(mut members: Vec<Value>) -> Value {
        members.sort();
        members.dedup();
        Value::Set(members)
    }

    /// As JSON: dates and instants as strings, decimals as numbers in a string, sets as arrays.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::from(*i),
            Value::Decimal(d) => Json::String(d.normalize().to_string()),
            Value::Text(t) => Json::String(t.to_string()),
            Value::Date(d) => Json::String(d.to_string()),
            Value::Datetime(_) => Json::String(self.to_string()),
            Value::Set(members) => Json::Array(members.iter().map(Value::to_json).collect()),
            Value::Json(text) => serde_json::from_str(text).unwrap_or(Json::Null),
        }
    }
}

/// As a person or a CSV cell shows it: null is empty, an instant RFC 3339 in UTC.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl Value {
    /// Writes what [`fmt::Display`] shows; into a string, without the detour over a formatter.
    pub fn write_to(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Bool(b) => out.write_str(if *b { "true" } else { "false" }),
            Value::Int(i) => write_int(out, *i),
            Value::Decimal(d) => write_decimal(out, *d),
            Value::Text(t) | Value::Json(t) => out.write_str(t),
            Value::Date(d) => write_date(out, *d),
            Value::Datetime(us) => write_instant(out, *us),
            Value::Set(_) => write!(out, "{}", self.to_json()),
        }
    }
}

/// Writes a whole number. By hand, for the reason of [`write_instant`].
pub fn write_int(out: &mut impl fmt::Write, n: i64) -> fmt::Result {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = n.unsigned_abs();
    loop {
        at -= 1;
        // A digit is less than 10.
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if n < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.write_str(std::str::from_utf8(&digits[at..]).unwrap_or_default())
}

/// By hand, for the reason of [`write_instant`], where its digits are few enough.
fn write_decimal(out: &mut impl fmt::Write, decimal: Decimal) -> fmt::Result {
    let decimal = decimal.normalize();
    let Ok(mut left) = u64::try_from(decimal.mantissa().unsigned_abs()) else {
        return write!(out, "{decimal}");
    };
    // 20 digits of the number, or 28 behind the point, with a zero before it; the point; the sign.
    let mut digits = [0; 32];
    let mut at = digits.len();
    let mut behind = decimal.scale();
    let zero = left == 0;
    loop {
        at -= 1;
        // A digit is less than 10.
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if behind == 1 {
            at -= 1;
            digits[at] = b'.';
        } else if behind == 0 && left == 0 {
            break;
        }
        behind = behind.saturating_sub(1);
    }
    if decimal.is_sign_negative() && !zero {
        at -= 1;
        digits[at] = b'-';
    }
    out.write_str(std::str::from_utf8(&digits[at..]).unwrap_or_default())
}

/// By hand, for the reason of [`write_instant`].
fn write_date(f: &mut impl fmt::Write, date: NaiveDate) -> fmt::Result {
    let Some(year) = u32::try_from(date.year()).ok().filter(|y| *y <= 9_999) else {
        return write!(f, "{date}");
    };
    let mut out = *b"0000-00-00";
    put_digits(&mut out[..4], year);
    put_digits(&mut out[5..7], date.month());
    put_digits(&mut out[8..], date.day());
    f.write_str(std::str::from_utf8(&out).unwrap_or_default())
}

/// The last digits of a number, as many as there are places.
fn put_digits(places: &mut [u8], mut number: u32) {
    for place in places.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// RFC 3339 in UTC, with as many digits of a second as are needed: none, 3 or 6.
fn write_instant(f: &mut impl fmt::Write, us: i64) -> fmt::Result {
    let Some(t) = DateTime::<Utc>::from_timestamp_micros(us) else {
        return write!(f, "{us}");
    };
    let (date, second, micro) = (t.date_naive(), t.time(), us.rem_euclid(1_000_000));
    let Some(year) = u32::try_from(date.year()).ok().filter(|y| *y <= 9_999) else {
        return f.write_str(&t.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    };
    // By hand: this is done for every record that is moved, and the general way takes ten times as
    // long.
    let mut out = *b"0000-00-00T00:00:00.000000Z";
    let mut put = |at: usize, width: usize, number: u32| {
        put_digits(&mut out[at..at + width], number);
    };
    put(0, 4, year);
    put(5, 2, date.month());
    put(8, 2, date.day());
    put(11, 2, second.hour());
    put(14, 2, second.minute());
    put(17, 2, second.second());
    put(20, 6, micro as u32);
    let end = match micro {
        0 => 19,
        _ if micro % 1_000 == 0 => 23,
        _ => 26,
    };
    out[end] = b'Z';
    // Digits and the marks between them are ASCII.
    f.write_str(std::str::from_utf8(&out[..=end]).unwrap_or_default())
}

/// An instant as databases and Syncline itself write it: `YYYY-MM-DD`, a `T` or a blank,
/// `HH:MM:SS`, at most six digits of a second, and nothing, `Z` or `+00` behind it. The common
/// case of [`parse_instant`], at a tenth of its time; none for whatever else.
fn plain_instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (head, rest) = bytes.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| head[*at] != *mark) || !matches!(head[10], b'T' | b' ') {
        return None;
    }
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |n, d| {
            d.is_ascii_digit().then(|| n * 10 + u32::from(d - b'0'))
        })
    };
    let at = |from: usize, to: usize| number(&head[from..to]);
    let date = NaiveDate::from_ymd_opt(at(0, 4)? as i32, at(5, 7)?, at(8, 10)?)?;
    let time = date.and_hms_opt(at(11, 13)?, at(14, 16)?, at(17, 19)?)?;
    let (fraction, zone) = match rest.split_first() {
        Some((b'.', rest)) => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            rest.split_at(digits)
        }
        _ => (&[][..], rest),
    };
    let known = matches!(zone, b"" | b"Z" | b"+00") && fraction.len() <= 6;
    if !known || (fraction.is_empty() && rest.first() == Some(&b'.')) {
        return None;
    }
    let micros = (0..6).fold(0, |n, i| {
        n * 10 + fraction.get(i).map_or(0, |d| i64::from(d - b'0'))
    });
    Some(time.and_utc().timestamp() * 1_000_000 + micros)
}

/// A day as `YYYY-MM-DD`.
fn plain_date(text: &str) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0_u32, |n, d| {
            d.is_ascii_digit().then(|| n * 10 + u32::from(**d - b'0'))
        })
    };
    let year = number(&[y1, y2, y3, y4])?;
    NaiveDate::from_ymd_opt(year as i32, number(&[m1, m2])?, number(&[d1, d2])?)
}

/// Whether a text may count something; words like `n/a` or `infinity` do not.
pub fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

/// Reads an instant as microseconds: RFC 3339, `YYYY-MM-DD HH:MM:SS[.f]` (taken as UTC), a date
/// alone, or Unix seconds or milliseconds as digits.
pub fn parse_instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(at) = plain_instant(text) {
        return Some(at);
    }
    if let Ok(t) = DateTime::parse_from_rfc3339(text) {
        return Some(t.timestamp_micros());
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"] {
        if let Ok(t) = NaiveDateTime::parse_from_str(text, format) {
            return Some(t.and_utc().timestamp_micros());
        }
    }
    if let Ok(d) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return d
            .and_hms_opt(0, 0, 0)
            .map(|t| t.and_utc().timestamp_micros());
    }
    // Eleven digits of seconds reach the year 5138, so longer numbers are milliseconds.
    match text.parse::<i64>() {
        Ok(n) if n.unsigned_abs() < 100_000_000_000 => n.checked_mul(1_000_000),
        Ok(n) => n.checked_mul(1_000),
        Err(_) => None,
    }
}

impl Type {
    /// In the language's words, `int(0..100)`.
    pub fn describe(&self) -> String {
        match self {
            Type::Bool => "bool".into(),
            Type::Int {
                min: Some(a),
                max: Some(b),
            } => format!("int({a}..{b})"),
            Type::Int { .. } => "int".into(),
            Type::Decimal { precision, scale } => format!("decimal({precision}, {scale})"),
            Type::Text { max: Some(m) } => format!("text({m})"),
            Type::Text { max: None } => "text".into(),
            Type::Email => "email".into(),
            Type::Phone => "phone".into(),
            Type::Url => "url".into(),
            Type::Date => "date".into(),
            Type::Datetime => "datetime".into(),
            Type::Json => "json".into(),
            Type::Enum { values } => format!("enum({})", values.join(", ")),
            Type::Set { of } => format!("set({})", of.describe()),
        }
    }

    fn misfit(&self, raw: impl fmt::Display) -> Misfit {
        let mut raw = raw.to_string();
        if raw.chars().count() > 60 {
            raw = raw.chars().take(57).collect::<String>() + "…";
        }
        Misfit {
            raw: format!("`{raw}`"),
            wanted: self.describe(),
        }
    }

    /// Reads a cell of text (CSV, SQLite text). An empty cell is null for every type but text,
    /// where the caller decides.
    pub fn read_text(&self, raw: &str) -> Result<Value, Misfit> {
        let bad = || self.misfit(raw);
        let trimmed = match self {
            // Kept as it is; there is much of it.
            Type::Text { .. } | Type::Email | Type::Phone | Type::Url => raw,
            _ => raw.trim(),
        };
        Ok(match self {
            Type::Text { .. } | Type::Email | Type::Phone | Type::Url => {
                return self.check(Value::Text(raw.into()));
            }
            _ if trimmed.is_empty() => Value::Null,
            Type::Bool => match trimmed {
                "1" => Value::Bool(true),
                "0" => Value::Bool(false),
                t if t.eq_ignore_ascii_case("true") || t.eq_ignore_ascii_case("t") => {
                    Value::Bool(true)
                }
                t if t.eq_ignore_ascii_case("false") || t.eq_ignore_ascii_case("f") => {
                    Value::Bool(false)
                }
                t if t.eq_ignore_ascii_case("yes") || t.eq_ignore_ascii_case("y") => {
                    Value::Bool(true)
                }
                t if t.eq_ignore_ascii_case("no") || t.eq_ignore_ascii_case("n") => {
                    Value::Bool(false)
                }
                _ => return Err(bad()),
            },
            Type::Int { .. } => {
                let whole = trimmed.strip_suffix(".0").unwrap_or(trimmed);
                return self.check(Value::Int(whole.parse().map_err(|_| bad())?));
            }
            Type::Decimal { .. } => {
                let number = Decimal::from_str_exact(trimmed)
                    .or_else(|_| Decimal::from_scientific(trimmed))
                    .map_err(|_| bad())?;
                return self.check(Value::Decimal(number));
            }
            Type::Date => {
                let day = trimmed.get(..10).unwrap_or(trimmed);
                let parsed =
                    plain_date(day).or_else(|| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
                Value::Date(parsed.ok_or_else(bad)?)
            }
            Type::Datetime => Value::Datetime(parse_instant(trimmed).ok_or_else(bad)?),
            Type::Enum { .. } => return self.check(Value::Text(trimmed.into())),
            Type::Json | Type::Set { .. } => {
                let json: Json = serde_json::from_str(trimmed).map_err(|_| bad())?;
                return self.read_json(&json);
            }
        })
    }

    /// Reads a JSON value. Numbers, booleans and texts are taken for one another where nothing is
    /// lost, since vendors disagree on how they write them.
    pub fn read_json(&self, raw: &Json) -> Result<Value, Misfit> {
        match (self, raw) {
            (Type::Json, _) => Ok(Value::Json(canonical(raw).into())),
            (_, Json::Null) => Ok(Value::Null),
            (Type::Bool, Json::Bool(b)) => Ok(Value::Bool(*b)),
            (Type::Int { .. }, Json::Number(n)) => {
                let whole = n.as_i64().or_else(|| {
                    n.as_f64()
                        .filter(|f| f.fract() == 0.0 && f.abs() < 9e15)
                        .map(|f| f as i64)
                });
                self.check(Value::Int(whole.ok_or_else(|| self.misfit(raw))?))
            }
            (Type::Datetime, Json::Number(n)) => {
                let at = parse_instant(&n.to_string()).ok_or_else(|| self.misfit(raw))?;
                Ok(Value::Datetime(at))
            }
            (Type::Set { of }, Json::Array(members)) => {
                let members: Result<Vec<_>, _> = members.iter().map(|m| of.read_json(m)).collect();
                Ok(Value::set(members?))
            }
            (_, Json::String(text)) => self.read_text(text),
            (Type::Set { .. }, _) => Err(self.misfit(raw)),
            (_, Json::Number(n)) => self.read_text(&n.to_string()),
            (_, Json::Bool(b)) => self.read_text(if *b { "true" } else { "false" }),
            (_, Json::Array(_) | Json::Object(_)) => Err(self.misfit(raw)),
        }
    }

    /// Holds a value to the type's own bounds (range, length, digits, enum).
    pub fn check(&self, value: Value) -> Result<Value, Misfit> {
        let fits = match (self, &value) {
            (_, Value::Null) => true,
            (Type::Bool, Value::Bool(_)) => true,
            (Type::Int { min, max }, Value::Int(i)) => {
                min.is_none_or(|m| *i >= m) && max.is_none_or(|m| *i <= m)
            }
            (Type::Decimal { precision, scale }, Value::Decimal(d)) => {
                let d = d.normalize();
                let whole = d.trunc().mantissa().unsigned_abs();
                let digits = whole.checked_ilog10().map_or(0, |log| log + 1);
                d.scale() <= *scale && digits <= precision.saturating_sub(*scale)
            }
            (Type::Text { max }, Value::Text(t)) => {
                max.is_none_or(|m| t.len() <= m as usize || t.chars().count() <= m as usize)
            }
            (Type::Email | Type::Phone | Type::Url, Value::Text(_)) => true,
            (Type::Date, Value::Date(_)) | (Type::Datetime, Value::Datetime(_)) => true,
            (Type::Json, Value::Json(_)) => true,
            (Type::Enum { values }, Value::Text(t)) => values.iter().any(|v| v == t),
            (Type::Set { of }, Value::Set(members)) => {
                members.iter().all(|m| of.check(m.clone()).is_ok())
            }
            _ => false,
        };
        if fits {
            Ok(value)
        } else {
            Err(self.misfit(&value))
        }
    }

    /// Whether values of the type have an order that `max` and `min` can use.
    pub fn is_ordered(&self) -> bool {
        matches!(
            self,
            Type::Int { .. } | Type::Decimal { .. } | Type::Date | Type::Datetime
        )
    }
}

/// The parts of a key that is written as one text: joined by `|`, with `\` before a `|` or `\` of
/// their own.
pub fn key_parts(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        match c {
            '|' => parts.push(String::new()),
            c => {
                let c = if c == '\\' {
                    chars.next().unwrap_or('\\')
                } else {
                    c
                };
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts
}

/// JSON text with object keys sorted, so that equal documents are equal texts.
pub fn canonical(json: &Json) -> String {
    fn sorted(json: &Json) -> Json {
        match json {
            Json::Object(map) => {
                let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Json::Object(entries.into_iter().collect())
            }
            Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(json).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_values_are_read_by_type() {
        let int = Type::Int {
            min: Some(0),
            max: Some(100),
        };
        assert_eq!(int.read_text(" 42 "), Ok(Value::Int(42)));
        assert_eq!(int.read_text(""), Ok(Value::Null));
        assert!(int.read_text("101").is_err());
        assert_eq!(Type::Bool.read_json(&Json::from(1)), Ok(Value::Bool(true)));
        assert_eq!(Type::Bool.read_text("TRUE"), Ok(Value::Bool(true)));
        let text = Type::Text { max: Some(3) };
        assert_eq!(text.read_text("äöü"), Ok(Value::Text("äöü".into())));
        assert!(text.read_text("abcd").is_err());
        let at = Type::Datetime.read_text("2026-01-05T00:00:00Z");
        assert_eq!(at, Type::Datetime.read_text("1767571200"));
        assert_eq!(at.map(|v| v.to_string()), Ok("2026-01-05T00:00:00Z".into()));
        let money = Type::Decimal {
            precision: 5,
            scale: 2,
        };
        assert_eq!(
            money.read_text("1.50").map(|v| v.to_string()),
            Ok("1.5".into())
        );
        assert!(money.read_text("1.555").is_err());
        assert!(money.read_text("1234").is_err());
    }

    #[test]
    fn the_quick_ways_to_read_and_write_times_agree_with_the_general_ones() {
        let mut random = fastrand::Rng::with_seed(5);
        let edges = [
            0,
            -1,
            999_999,
            -62_167_219_200_000_000,
            253_402_300_799_999_999,
        ];
        let rounded = |us: i64| [us, us - us % 1_000, us - us % 1_000_000];
        let drawn =
            (0..3_000).map(|_| random.i64(-70_000_000_000_000_000..260_000_000_000_000_000));
        for us in edges.into_iter().chain(drawn).flat_map(rounded) {
            let time = DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default();
            let text = time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            assert_eq!(Value::Datetime(us).to_string(), text);
            // The general way reads no year but those of four digits.
            let general = DateTime::parse_from_rfc3339(&text).map(|t| t.timestamp_micros());
            assert_eq!(plain_instant(&text), general.ok(), "{text}");
            let day = time.date_naive();
            assert_eq!(Value::Date(day).to_string(), day.to_string());
            assert_eq!(plain_date(&day.to_string()).unwrap_or(day), day);
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01 00:00:00.Z",
        ] {
            assert_eq!(plain_instant(text), None, "{text}");
        }
        let blank = plain_instant("2026-01-05 00:00:00.5+00");
        assert_eq!(blank, Some(1_767_571_200_500_000));
    }

    #[test]
    fn numbers_are_written_as_the_general_way_writes_them() {
        let mut random = fastrand::Rng::with_seed(7);
        for n in [0, 1, -1, 9, 10, -10, i64::MIN, i64::MAX] {
            assert_eq!(Value::Int(n).to_string(), n.to_string());
        }
        let edges = [0, 1, -1, i64::MAX, i64::MIN, -5, 100, 120];
        let drawn = (0..3_000).map(|_| random.i64(..) >> random.u32(..64));
        for n in edges.into_iter().chain(drawn).collect::<Vec<i64>>() {
            let scale = random.u32(..=28);
            let decimal = Decimal::from_i128_with_scale(i128::from(n), scale);
            let wide = Decimal::from_i128_with_scale(i128::from(n) * 1_000_003, scale);
            for decimal in [decimal, wide, Decimal::new(n, 0)] {
                let general = decimal.normalize().to_string();
                assert_eq!(Value::Decimal(decimal).to_string(), general);
            }
        }
        assert_eq!(Value::Decimal(-Decimal::ZERO).to_string(), "0");
    }

    #[test]
    fn every_kind_of_value_survives_the_encoding_of_the_stage() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(-3),
            Value::Decimal(Decimal::new(-24_950, 2)),
            Value::Text("é".into()),
            Value::Date(NaiveDate::from_ymd_opt(2026, 2, 28).unwrap_or_default()),
            Value::Date(NaiveDate::MIN),
            Value::Date(NaiveDate::MAX),
            Value::Datetime(-1),
            Value::set(vec![Value::Int(2), Value::Int(1)]),
            Value::Json("{}".into()),
        ];
        for value in values {
            let bytes = postcard::to_stdvec(&value).expect("encodes");
            assert_eq!(postcard::from_bytes::<Value>(&bytes), Ok(value));
        }
    }

    #[test]
    fn sets_and_documents_are_canonical() {
        let set = Type::Set {
            of: Box::new(Type::Text { max: None }),
        };
        assert_eq!(
            set.read_text(r#"["b","a","b"]"#),
            Ok(Value::set(vec![
                Value::Text("a".into()),
                Value::Text("b".into())
            ]))
        );
        let a = Type::Json.read_text(r#"{"b":1,"a":[2]}"#);
        assert_eq!(a, Type::Json.read_text(r#"{ "a": [2], "b": 1 }"#));
    }
}
