//! The columns of an emulated record.
//!
//! There are as many of them as records times systems, so that they are kept small: their names are
//! shared, and nothing is hashed. May know what a record is to the codec; must not know systems.

use std::sync::Arc;

use serde_json::{Map as Object, Value as Json};

use crate::connector::codec::{Binding, Cell, Record};
use crate::engine::ports::{FieldIx, Row};
use crate::value::Value;

/// The columns of a record by name, in the order in which they were first set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns(Vec<(Arc<str>, Json)>);

impl Columns {
    /// None yet, and room for so many.
    pub(super) fn with_room(columns: usize) -> Self {
        Columns(Vec::with_capacity(columns))
    }

    /// A column.
    pub fn get(&self, name: &str) -> Option<&Json> {
        let mut all = self.0.iter();
        all.find(|(n, _)| **n == *name).map(|(_, json)| json)
    }

    /// Sets a column.
    pub(super) fn set(&mut self, name: &Arc<str>, json: Json) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, there)) => *there = json,
            None => self.0.push((Arc::clone(name), json)),
        }
    }

    /// Takes all columns away.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The columns as a JSON object.
    pub fn object(&self) -> Object<String, Json> {
        let columns = self.0.iter();
        columns
            .map(|(name, json)| (name.to_string(), json.clone()))
            .collect()
    }

    /// A field of the record as the policy sees it.
    pub(super) fn value(&self, binding: &Binding, field: FieldIx) -> Option<Value> {
        let shown = Shown {
            binding,
            columns: self,
        };
        binding.decode_field(&shown, field)
    }

    /// The record as the policy sees it.
    pub(super) fn row(&self, binding: &Binding) -> Row {
        binding.decode(&Shown {
            binding,
            columns: self,
        })
    }
}

impl IntoIterator for Columns {
    type Item = (Arc<str>, Json);
    type IntoIter = std::vec::IntoIter<(Arc<str>, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The columns as the codec asks for them.
struct Shown<'a> {
    binding: &'a Binding,
    columns: &'a Columns,
}

impl Record for Shown<'_> {
    fn cell(&self, wanted: usize) -> Cell<'_> {
        let name = self.binding.name_of(wanted);
        // Columns were mostly set in the order in which the map speaks of them.
        let there = self.columns.0.get(wanted);
        let there = there.filter(|(n, _)| **n == *name).map(|(_, json)| json);
        match there.or_else(|| self.columns.get(name)) {
            Some(json) => Cell::Json(json),
            None => Cell::Absent,
        }
    }

    fn raw(&self) -> String {
        Json::Object(self.columns.object()).to_string()
    }

    fn place(&self) -> String {
        "the event's body".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_keeps_its_place() {
        let names: Vec<Arc<str>> = ["b", "a"].map(Arc::from).into();
        let mut columns = Columns::with_room(2);
        columns.set(&names[0], 1.into());
        columns.set(&names[1], 2.into());
        columns.set(&names[0], 3.into());
        let object = Json::Object(columns.object());
        assert_eq!(object.to_string(), r#"{"b":3,"a":2}"#);
        assert_eq!(columns.get("a"), Some(&2.into()));
        assert_eq!(columns.get("c"), None);
    }
}
