//! Write to raw cells.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::{Binding, Column};
use crate::engine::cause::with_words;
use crate::engine::ports::{Write, key_parts};
use crate::value::{Type, Value};

/// A cell to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw<'a> {
    /// A value as it is.
    Value(Cow<'a, Value>),
    /// A text as it is.
    Text(&'a str),
    /// What `values` or `write` made of it, or a part of the system's own key.
    Json(Json),
}

/// As [`Raw::json`], without a copy of a text.
impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Raw::Value(value) => match value.as_ref() {
                Value::Text(text) => to.serialize_str(text),
                other => other.to_json().serialize(to),
            },
            Raw::Text(text) => to.serialize_str(text),
            Raw::Json(json) => json.serialize(to),
        }
    }
}

impl Raw<'_> {
    /// As a CSV cell shows it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Raw::Value(value) => match value.as_ref() {
                Value::Text(text) | Value::Json(text) => Cow::Borrowed(text),
                other => Cow::Owned(other.to_string()),
            },
            Raw::Text(text) => Cow::Borrowed(text),
            Raw::Json(Json::String(text)) => Cow::Borrowed(text),
            Raw::Json(Json::Null) => Cow::Borrowed(""),
            Raw::Json(other) => Cow::Owned(other.to_string()),
        }
    }

    /// As a JSON member.
    pub fn json(&self) -> Json {
        match self {
            Raw::Value(value) => value.to_json(),
            Raw::Text(text) => Json::String((*text).to_owned()),
            Raw::Json(json) => json.clone(),
        }
    }
}

impl Binding {
    /// The cells of the key's columns, in the key's order.
    pub fn encode_key<'a>(&self, write: &'a Write) -> Result<Vec<Raw<'a>>, String> {
        let native = write.native_key.as_deref();
        let key = native.unwrap_or(&write.key);
        if let [column] = self.keys.as_slice()
            && !key.contains(['|', '\\'])
        {
            if native.is_some() || column.is_plain_text() {
                // The common case: the key is the text, without another copy.
                return Ok(vec![Raw::Text(key)]);
            }
            let value = column.key_part(key)?;
            return column.write_owned(value).map(|raw| vec![raw]);
        }
        let parts = key_parts(key);
        if parts.len() != self.keys.len() {
            return Err(with_words(
                &format!(
                    "the key has {} parts where `{}` has {}",
                    parts.len(),
                    self.entity,
                    self.keys.len()
                ),
                &format!("key `{}`", write.key),
            ));
        }
        if native.is_some() {
            return Ok(parts
                .into_iter()
                .map(|p| Raw::Json(Json::String(p)))
                .collect());
        }
        self.keys
            .iter()
            .zip(parts)
            .map(|(column, part)| {
                let value = column.key_part(&part)?;
                column.write_owned(value)
            })
            .collect()
    }

    /// The cells of a write's fields, each with its position among the wanted columns. Fields that
    /// the map does not have are left out.
    pub fn encode<'a>(&self, write: &'a Write) -> Result<Vec<(usize, Raw<'a>)>, String> {
        self.cells(write).collect()
    }

    /// The same, one after the other.
    pub fn cells<'a>(
        &self,
        write: &'a Write,
    ) -> impl Iterator<Item = Result<(usize, Raw<'a>), String>> {
        let fields = self.mapped(write);
        fields.map(|(column, value)| Ok((column.wanted, column.write(value)?)))
    }

    /// The wanted columns that a write's fields go to, in the order of [`Binding::cells`].
    pub fn columns_of(&self, write: &Write) -> impl Iterator<Item = usize> {
        self.mapped(write).map(|(column, _)| column.wanted)
    }

    /// The fields of a write that the map has: mostly one after the other.
    fn mapped<'a>(&self, write: &'a Write) -> impl Iterator<Item = (&Column, &'a Value)> {
        let mut next = 0;
        write.fields.iter().filter_map(move |(field, value)| {
            let at = match self.fields.get(next).is_some_and(|c| c.field == *field) {
                true => next,
                false => self.fields.binary_search_by_key(field, |c| c.field).ok()?,
            };
            next = at + 1;
            Some((self.fields.get(at)?, value))
        })
    }
}

impl Column {
    /// Whether the system shows exactly the text that the field holds.
    fn is_plain_text(&self) -> bool {
        let kept = matches!(
            self.ty,
            Type::Text { .. } | Type::Email | Type::Phone | Type::Url
        );
        kept && self.spellings.is_empty() && self.write.is_none()
    }

    /// A part of a record's key, as a value.
    fn key_part(&self, text: &str) -> Result<Value, String> {
        self.ty.read_text(text).map_err(|misfit| {
            let cause = format!("the key does not fit the field `{}`", self.name);
            with_words(&cause, &misfit.to_string())
        })
    }

    /// The value as the system writes it.
    pub(super) fn write<'a>(&self, value: &'a Value) -> Result<Raw<'a>, String> {
        if self.spellings.is_empty() && self.write.is_none() {
            return Ok(Raw::Value(Cow::Borrowed(value)));
        }
        self.write_changed(value)
    }

    fn write_owned(&self, value: Value) -> Result<Raw<'static>, String> {
        if self.spellings.is_empty() && self.write.is_none() {
            return Ok(Raw::Value(Cow::Owned(value)));
        }
        self.write_changed(&value)
    }

    fn write_changed(&self, value: &Value) -> Result<Raw<'static>, String> {
        let spelled = match value {
            Value::Null => Value::Null,
            _ if self.spellings.is_empty() => value.clone(),
            value => {
                let name = value.to_string();
                let spelling = self.spellings.iter().find(|(n, _)| *n == name);
                let (_, raw) = spelling.ok_or_else(|| {
                    with_words(
                        &format!(
                            "a value has no spelling among the `values` of `{}`",
                            self.name
                        ),
                        &format!("value `{name}`"),
                    )
                })?;
                Value::Text(raw.into())
            }
        };
        match &self.write {
            Some(formula) => formula.write(&spelled).map(Raw::Json).map_err(|why| {
                let cause = format!("field `{}`: `write` does not take a value", self.name);
                with_words(&cause, &why)
            }),
            None => Ok(Raw::Value(Cow::Owned(spelled))),
        }
    }
}
