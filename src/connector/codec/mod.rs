//! Columns to fields and back: what a map says, compiled once.
//!
//! A [`Binding`] knows which columns a map wants and what each means. A connector shows it one raw
//! record at a time (a [`Record`]) and gets a [`Row`](crate::engine::ports::Row); it hands it a
//! [`Write`](crate::engine::ports::Write) and gets raw cells. Nothing here knows where the bytes came from.
//!
//! Key fields make the row's canonical key and are not repeated among its fields.

mod cell;
mod formula;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use cell::{Cell, Record};
pub use write::Raw;

use crate::engine::ports::{Failure, FieldIx, MapIx};
use crate::plan::{Entity, Map, MapField, Plan};
use crate::value::Type;
use formula::Formula;

use super::failure::setup;

/// A map, ready to read and write records.
#[derive(Debug)]
pub struct Binding {
    entity: String,
    system: String,
    object: String,
    /// Names of the columns that the map speaks of, each once.
    wanted: Vec<String>,
    /// Key columns in the key's order.
    keys: Vec<Column>,
    /// Other columns in ascending order of field.
    fields: Vec<Column>,
    changed_at: Option<usize>,
    deleted: Option<usize>,
    cursor: Option<usize>,
    overlap_ms: u64,
}

/// A mapped field.
#[derive(Debug)]
struct Column {
    field: FieldIx,
    name: String,
    /// Position in [`Binding::wanted`].
    wanted: usize,
    ty: Type,
    /// Policy value and the system's spelling.
    spellings: Vec<(String, String)>,
    read: Option<Formula>,
    write: Option<Formula>,
}

impl Binding {
    /// Compiles the map at position `map` of the plan.
    pub fn compile(plan: &Plan, map: MapIx) -> Result<Binding, Failure> {
        let compiled = plan
            .maps
            .get(usize::from(map))
            .ok_or_else(|| broken(format!("it has no map {map}")))?;
        let entity = plan
            .entities
            .iter()
            .find(|e| e.name == compiled.entity)
            .ok_or_else(|| broken(format!("it has no entity `{}`", compiled.entity)))?;
        let lag = plan
            .systems
            .iter()
            .find(|s| s.name == compiled.system)
            .map_or(0, |s| s.visibility_lag.0);
        Binding::of(compiled, entity, lag)
    }

    fn of(map: &Map, entity: &Entity, lag_ms: u64) -> Result<Binding, Failure> {
        let mut binding = Binding {
            entity: map.entity.clone(),
            system: map.system.clone(),
            object: map.object.clone(),
            wanted: Vec::with_capacity(map.fields.len() + 3),
            keys: Vec::with_capacity(entity.keys.len()),
            fields: Vec::with_capacity(map.fields.len()),
            changed_at: None,
            deleted: None,
            cursor: None,
            overlap_ms: map.overlap.map_or(lag_ms, |o| o.0),
        };
        for key in &entity.keys {
            let mapped = map.fields.iter().find(|f| f.field == *key).ok_or_else(|| {
                setup(
                    format!(
                        "the map of `{}` in `{}` lacks the key `{key}`",
                        map.entity, map.system
                    ),
                    format!("add `key {key} = \"…\"` to the map"),
                )
            })?;
            let column = binding.column(mapped, entity)?;
            binding.keys.push(column);
        }
        for mapped in map
            .fields
            .iter()
            .filter(|f| !entity.keys.contains(&f.field))
        {
            let column = binding.column(mapped, entity)?;
            binding.fields.push(column);
        }
        binding.fields.sort_by_key(|c| c.field);
        binding.changed_at = map.changed_at.as_deref().map(|c| binding.want(c));
        binding.deleted = map.deleted.as_deref().map(|c| binding.want(c));
        binding.cursor = map.cursor.as_deref().map(|c| binding.want(c));
        Ok(binding)
    }

    fn column(&mut self, mapped: &MapField, entity: &Entity) -> Result<Column, Failure> {
        let at = entity
            .fields
            .iter()
            .position(|f| f.name == mapped.field)
            .ok_or_else(|| {
                broken(format!(
                    "entity `{}` has no field `{}`",
                    entity.name, mapped.field
                ))
            })?;
        let field = FieldIx::try_from(at).map_err(|_| broken("it has too many fields".into()))?;
        let ty = entity
            .fields
            .get(at)
            .map(|f| f.ty.clone())
            .ok_or_else(|| broken("it has too few fields".into()))?;
        let compile = |word: &str, text: &Option<String>| {
            text.as_deref()
                .map(Formula::compile)
                .transpose()
                .map_err(|why| {
                    setup(
                        format!(
                            "`{word}` of `{}` in the map of `{}` in `{}`: {why}",
                            mapped.field, self.entity, self.system
                        ),
                        "correct the expression and compile the plan again",
                    )
                })
        };
        let (read, write) = (
            compile("read", &mapped.read)?,
            compile("write", &mapped.write)?,
        );
        Ok(Column {
            field,
            name: mapped.field.clone(),
            wanted: self.want(&mapped.column),
            ty,
            spellings: mapped
                .values
                .iter()
                .map(|(name, raw)| (name.clone(), raw.clone()))
                .collect(),
            read,
            write,
        })
    }

    fn want(&mut self, column: &str) -> usize {
        match self.wanted.iter().position(|w| w == column) {
            Some(at) => at,
            None => {
                self.wanted.push(column.to_owned());
                self.wanted.len() - 1
            }
        }
    }

    /// The system's own object, table or file.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The entity's name.
    pub fn entity(&self) -> &str {
        &self.entity
    }

    /// The system's name.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The columns that the map speaks of, each once: key columns, other fields', then those for
    /// change time, deletion and cursor. [`Record::cell`] is asked by position in this list.
    pub fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// Position of the cursor column among the wanted ones.
    pub fn cursor(&self) -> Option<usize> {
        self.cursor
    }

    /// How far a read by cursor looks back, in milliseconds.
    pub fn overlap_ms(&self) -> u64 {
        self.overlap_ms
    }

    /// The names of the wanted columns.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.wanted.iter().map(String::as_str)
    }

    /// Positions of the key's columns among the wanted ones, in the key's order.
    pub fn key_columns(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.keys.iter().map(|c| c.wanted)
    }

    /// The type of the field in the wanted column; none for a column that holds no field.
    pub fn type_of(&self, wanted: usize) -> Option<&Type> {
        self.keys
            .iter()
            .chain(&self.fields)
            .find(|c| c.wanted == wanted)
            .map(|c| &c.ty)
    }

    /// The name of a wanted column.
    pub fn name_of(&self, wanted: usize) -> &str {
        self.wanted.get(wanted).map_or("", String::as_str)
    }
}

fn broken(why: String) -> Failure {
    setup(
        format!("the plan does not fit together: {why}"),
        "compile the plan again with `syncline plan`",
    )
}
