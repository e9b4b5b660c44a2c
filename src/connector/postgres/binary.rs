//! Records as the tuples of a binary `COPY`: the server takes them without reading a number or a
//! time from its letters, which halves what `COPY` costs it.
//!
//! The server takes a tuple's bytes for whatever its column is: who sends one has to know the types
//! as they are, not as they were.
//!
//! What a column would take only after reading it (a text for a number) is not encoded: such a
//! batch goes as text ([`super::stage::spell`]), where the server says what it has against it.

use bytes::{BufMut, BytesMut};
use chrono::{Datelike, NaiveDate};
use postgres::types::{Kind, ToSql, Type};
use postgres_protocol::types::{date_to_sql, timestamp_to_sql};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::stage::NO_NUL;
use crate::connector::codec::Raw;
use crate::value::Value;

/// What a binary `COPY` begins with: its signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with, where the number of a tuple's fields would stand.
pub(super) const TRAILER: i16 = -1;

/// Microseconds from 1970, where times begin here, to 2000, where the server's begin.
const EPOCH_US: i64 = 946_684_800_000_000;
/// Days from the first of January of the year 1 to 2000, the first counted as 1.
const EPOCH_DAYS: i32 = 730_120;
/// Times of the years 1 to 9999, in microseconds since 1970: those that text spells alike.
const YEARS_US: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// How a type's values stand in a tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Int2,
    Int4,
    Int8,
    Double,
    Numeric,
    Bool,
    /// Texts, enum values and documents that are kept as text.
    Text,
    /// Documents, with the version of their form.
    Jsonb,
    Date,
    /// Times, with a zone or in UTC.
    Time,
    Uuid,
}

/// Why a value has no place in a tuple.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misfit {
    /// No column can take it.
    Refused(String),
    /// The column may take it in letters.
    Letters,
}

impl Wire {
    /// That of a type of the server's own, by its name in the catalog.
    pub(super) fn of(typname: &str) -> Option<Wire> {
        Some(match typname {
            "int2" => Wire::Int2,
            "int4" => Wire::Int4,
            "int8" => Wire::Int8,
            "float8" => Wire::Double,
            "numeric" => Wire::Numeric,
            "bool" => Wire::Bool,
            "text" | "varchar" | "bpchar" | "json" => Wire::Text,
            "jsonb" => Wire::Jsonb,
            "date" => Wire::Date,
            "timestamp" | "timestamptz" => Wire::Time,
            "uuid" => Wire::Uuid,
            _ => return None,
        })
    }

    /// That of a type as the server describes it; of a domain it describes what it is made of.
    pub(super) fn of_type(ty: &Type) -> Option<Wire> {
        match ty.kind() {
            Kind::Enum(_) => Some(Wire::Text),
            _ if ty.schema() == "pg_catalog" => Wire::of(ty.name()),
            _ => None,
        }
    }

    /// Appends a value as a field of a tuple, its length before it.
    pub(super) fn put(self, out: &mut BytesMut, raw: &Raw<'_>) -> Result<(), Misfit> {
        let null = match raw {
            Raw::Value(value) => matches!(value.as_ref(), Value::Null),
            Raw::Json(json) => json.is_null(),
            Raw::Text(_) => false,
        };
        if null {
            out.put_i32(-1);
            return Ok(());
        }
        let begins = out.len();
        out.put_i32(0);
        self.put_some(out, raw)?;
        let length = out.len() - begins - size_of::<i32>();
        // The server takes no message of 2 GiB, so nothing of that length either.
        let length = i32::try_from(length).map_err(|_| Misfit::Letters)?;
        if let Some(place) = out.get_mut(begins..begins + size_of::<i32>()) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    fn put_some(self, out: &mut BytesMut, raw: &Raw<'_>) -> Result<(), Misfit> {
        match self {
            Wire::Text | Wire::Jsonb => {
                if self == Wire::Jsonb {
                    out.put_u8(1);
                }
                return put_text(out, raw);
            }
            Wire::Int2 => out.put_i16(narrow(raw)?),
            Wire::Int4 => out.put_i32(narrow(raw)?),
            Wire::Int8 => out.put_i64(narrow(raw)?),
            Wire::Uuid => out.put_slice(&uuid(text_of(raw).ok_or(Misfit::Letters)?)?),
            Wire::Double | Wire::Numeric | Wire::Bool | Wire::Date | Wire::Time => {
                let Raw::Value(value) = raw else {
                    return Err(Misfit::Letters);
                };
                return self.put_value(out, value.as_ref());
            }
        }
        Ok(())
    }

    fn put_value(self, out: &mut BytesMut, value: &Value) -> Result<(), Misfit> {
        match (self, value) {
            (Wire::Bool, Value::Bool(set)) => out.put_u8(u8::from(*set)),
            (Wire::Numeric, Value::Decimal(number)) => return put_numeric(out, *number),
            (Wire::Numeric, Value::Int(number)) => return put_numeric(out, (*number).into()),
            // Both round to the nearest, as the server does when it reads the letters.
            (Wire::Double, Value::Int(number)) => out.put_f64(*number as f64),
            (Wire::Double, Value::Decimal(number)) => {
                let number = number.to_string().parse::<f64>();
                out.put_f64(number.map_err(|_| Misfit::Letters)?);
            }
            (Wire::Date, Value::Date(date)) => date_to_sql(days(*date)?, out),
            (Wire::Time, Value::Datetime(us)) if YEARS_US.contains(us) => {
                timestamp_to_sql(us - EPOCH_US, out);
            }
            _ => return Err(Misfit::Letters),
        }
        Ok(())
    }
}

/// A text's own bytes.
fn put_text(out: &mut BytesMut, raw: &Raw<'_>) -> Result<(), Misfit> {
    let text = raw.text();
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(Misfit::Refused(NO_NUL.to_owned()));
    }
    out.put_slice(text.as_bytes());
    Ok(())
}

/// Without the zeros at its end, as it is spelt.
fn put_numeric(out: &mut BytesMut, number: Decimal) -> Result<(), Misfit> {
    let put = number.normalize().to_sql(&Type::NUMERIC, out);
    put.map(|_| ()).map_err(|_| Misfit::Letters)
}

/// The text that a value is.
fn text_of<'a>(raw: &'a Raw<'_>) -> Option<&'a str> {
    match raw {
        Raw::Value(value) => match value.as_ref() {
            Value::Text(text) => Some(text),
            _ => None,
        },
        Raw::Text(text) => Some(text),
        Raw::Json(Json::String(text)) => Some(text),
        Raw::Json(_) => None,
    }
}

/// A whole number that fits; the key of a system's own comes as text.
fn narrow<N: TryFrom<i64>>(raw: &Raw<'_>) -> Result<N, Misfit> {
    let value = match raw {
        Raw::Value(value) => Some(value.as_ref()),
        Raw::Text(_) | Raw::Json(_) => None,
    };
    let number = match value {
        Some(Value::Int(number)) => Some(*number),
        _ => text_of(raw).and_then(|text| text.parse().ok()),
    };
    number
        .and_then(|number| N::try_from(number).ok())
        .ok_or(Misfit::Letters)
}

fn days(date: NaiveDate) -> Result<i32, Misfit> {
    match (1..=9999).contains(&date.year()) {
        true => Ok(date.num_days_from_ce() - EPOCH_DAYS),
        false => Err(Misfit::Letters),
    }
}

/// The bytes of an id as it is mostly written: 32 digits in five groups.
fn uuid(text: &str) -> Result<[u8; 16], Misfit> {
    let parsed = (text.len() == 36).then(|| uuid::Uuid::try_parse(text).ok());
    match parsed.flatten() {
        Some(id) => Ok(id.into_bytes()),
        None => Err(Misfit::Letters),
    }
}
