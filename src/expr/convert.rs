//! Between the policy's values, JSON and CEL.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelDuration, CelInt, CelList, CelMap, CelMapKey, CelNull,
    CelString, CelTimestamp, CelUInt,
};
use cel::common::value::Val;
use chrono::{DateTime, FixedOffset, NaiveTime, Offset, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use serde_json::Value as Json;

use super::EvalError;
use crate::value::{Misfit, Type, Value};

/// Text borrows; everything else is copied.
pub(super) fn value_to_cel(value: &Value) -> Box<dyn Val + '_> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(b) => Box::new(CelBool::from(*b)),
        Value::Int(i) => Box::new(CelInt::from(*i)),
        Value::Decimal(d) => Box::new(CelDouble::from(d.to_f64().unwrap_or(f64::NAN))),
        Value::Text(t) => Box::new(CelString::from(t.as_str())),
        Value::Date(d) => time(d.and_time(NaiveTime::MIN).and_utc()),
        Value::Datetime(us) => match DateTime::<Utc>::from_timestamp_micros(*us) {
            Some(at) => time(at),
            None => Box::new(CelNull),
        },
        Value::Set(members) => {
            let members: Vec<Box<dyn Val + '_>> = members.iter().map(value_to_cel).collect();
            Box::new(CelList::from(members))
        }
        Value::Json(text) => match serde_json::from_str::<Json>(text) {
            Ok(json) => json_to_cel(&json),
            Err(_) => Box::new(CelNull),
        },
    }
}

fn time<'v>(at: DateTime<Utc>) -> Box<dyn Val + 'v> {
    Box::new(CelTimestamp::from(at.with_timezone(&Utc.fix())))
}

/// A whole document; numbers are ints where they are whole and fit.
pub(super) fn json_to_cel<'v>(json: &Json) -> Box<dyn Val + 'v> {
    match json {
        Json::Null => Box::new(CelNull),
        Json::Bool(b) => Box::new(CelBool::from(*b)),
        Json::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(i), _, _) => Box::new(CelInt::from(i)),
            (_, Some(u), _) => Box::new(CelUInt::from(u)),
            (_, _, f) => Box::new(CelDouble::from(f.unwrap_or(f64::NAN))),
        },
        Json::String(s) => Box::new(CelString::from(s.clone())),
        Json::Array(items) => {
            let items: Vec<Box<dyn Val + 'v>> = items.iter().map(json_to_cel).collect();
            Box::new(CelList::from(items))
        }
        Json::Object(entries) => {
            let entries: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = entries
                .iter()
                .map(|(k, v)| (CelMapKey::from(k.clone()), json_to_cel(v)))
                .collect();
            Box::new(CelMap::from(entries))
        }
    }
}

/// What came out, as JSON. Instants are RFC 3339 in UTC, durations seconds with an `s`.
pub(super) fn cel_to_json(val: &dyn Val) -> Result<Json, EvalError> {
    if val.downcast_ref::<CelNull>().is_some() {
        return Ok(Json::Null);
    }
    if let Some(b) = val.downcast_ref::<CelBool>() {
        return Ok(Json::Bool(*b.inner()));
    }
    if let Some(i) = val.downcast_ref::<CelInt>() {
        return Ok(Json::from(*i.inner()));
    }
    if let Some(u) = val.downcast_ref::<CelUInt>() {
        return Ok(Json::from(*u.inner()));
    }
    if let Some(d) = val.downcast_ref::<CelDouble>() {
        return serde_json::Number::from_f64(*d.inner())
            .map(Json::Number)
            .ok_or(EvalError::NotAValue("a number without a value"));
    }
    if let Some(s) = val.downcast_ref::<CelString>() {
        return Ok(Json::String(s.inner().to_owned()));
    }
    if let Some(t) = val.downcast_ref::<CelTimestamp>() {
        return Ok(Value::Datetime(t.inner().timestamp_micros()).to_json());
    }
    if let Some(d) = val.downcast_ref::<CelDuration>() {
        let seconds = d.inner().num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6;
        return Ok(Json::String(format!("{seconds}s")));
    }
    if let Some(list) = val.downcast_ref::<CelList>() {
        let items: Result<Vec<Json>, EvalError> = list
            .inner()
            .iter()
            .map(|m| cel_to_json(m.as_ref()))
            .collect();
        return items.map(Json::Array);
    }
    if let Some(map) = val.downcast_ref::<CelMap>() {
        let mut entries = Vec::with_capacity(map.inner().len());
        for (key, value) in map.inner() {
            let key = match cel_to_json(key.inner())? {
                Json::String(s) => s,
                other => other.to_string(),
            };
            entries.push((key, cel_to_json(value.as_ref())?));
        }
        // A hash map's order must not show.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        return Ok(Json::Object(entries.into_iter().collect()));
    }
    if val.downcast_ref::<CelBytes>().is_some() {
        return Err(EvalError::NotAValue("bytes"));
    }
    Err(EvalError::NotAValue("something that is no value"))
}

/// What came out, as a value of a type.
pub(super) fn cel_to_value(val: &dyn Val, ty: &Type) -> Result<Value, EvalError> {
    let value = match ty {
        Type::Bool => val
            .downcast_ref::<CelBool>()
            .map(|b| Value::Bool(*b.inner())),
        Type::Int { .. } => val.downcast_ref::<CelInt>().map(|i| Value::Int(*i.inner())),
        Type::Decimal { scale, .. } => val
            .downcast_ref::<CelDouble>()
            .and_then(|d| Decimal::from_f64(*d.inner()))
            .map(|d| Value::Decimal(d.round_dp(*scale))),
        Type::Date => val
            .downcast_ref::<CelTimestamp>()
            .map(|t: &CelTimestamp| utc(t.inner()).date_naive())
            .map(Value::Date),
        Type::Datetime => val
            .downcast_ref::<CelTimestamp>()
            .map(|t: &CelTimestamp| Value::Datetime(t.inner().timestamp_micros())),
        Type::Text { .. } | Type::Email | Type::Phone | Type::Url | Type::Enum { .. } => val
            .downcast_ref::<CelString>()
            .map(|s| Value::Text(s.inner().into())),
        Type::Set { .. } | Type::Json => None,
    };
    match value {
        Some(value) => Ok(ty.check(value)?),
        None => Ok(read_result(ty, &cel_to_json(val)?)?),
    }
}

fn utc(at: &DateTime<FixedOffset>) -> DateTime<Utc> {
    at.with_timezone(&Utc)
}

/// Reads an expression's JSON result as a value of a type, as leniently as a connector's value.
///
/// # Errors
/// Where it does not fit the type.
pub fn read_result(ty: &Type, json: &Json) -> Result<Value, Misfit> {
    ty.read_json(json)
}
