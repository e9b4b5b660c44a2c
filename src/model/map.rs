//! Maps: what an entity is called in a system.

use crate::time::Millis;
use std::sync::Arc;

use super::{EntityId, Expression, Ident, MapId, Said, Spanned, SystemId};
use crate::text::Span;

/// A map.
#[derive(Debug, Clone)]
pub struct Map {
    /// Its id.
    pub id: MapId,
    /// The whole item.
    pub span: Span,
    /// Its doc comment.
    pub doc: Option<Span>,
    /// The entity, with the place of its name here.
    pub entity: Spanned<EntityId>,
    /// The system, with the place of its name here.
    pub system: Spanned<SystemId>,
    /// The system's own object, table or file (the entity's name where none is written).
    pub object: Arc<str>,
    /// The place of the object's string, where it is written.
    pub object_span: Option<Span>,
    /// The fields, by position in the entity; `same_names` is already spread out.
    pub fields: Vec<MappedField>,
    /// The `same_names` clause.
    pub same_names: Option<Span>,
    /// The cursor.
    pub cursor: Option<Said<Cursor>>,
    /// When the record changed, in the system's own time.
    pub changed_at: Option<Said<Arc<str>>>,
    /// Whether or when the record was deleted.
    pub deleted: Option<Said<Arc<str>>>,
    /// Whether a clause of it could not be read, so that fields may be missing here.
    pub broken: bool,
}

impl Map {
    /// How it maps the field at a position of the entity.
    pub fn field(&self, index: u32) -> Option<&MappedField> {
        self.fields
            .binary_search_by_key(&index, |f| f.field)
            .ok()
            .and_then(|i| self.fields.get(i))
    }

    /// Whether it maps the field at a position of the entity.
    pub fn has(&self, index: u32) -> bool {
        self.field(index).is_some()
    }
}

/// `cursor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The column.
    pub column: Arc<str>,
    /// How far a read goes back behind the last one.
    pub overlap: Option<Spanned<Millis>>,
}

/// A mapped field.
#[derive(Debug, Clone)]
pub struct MappedField {
    /// Its position in the entity.
    pub field: u32,
    /// Whether `same_names` maps it.
    pub same_name: bool,
    /// The clause (`same_names`: that clause).
    pub span: Span,
    /// The column's place (`same_names`: that clause).
    pub column_span: Span,
    /// The system's column or property.
    pub column: Arc<str>,
    /// `values`, `read` and `write`, where there is one of them.
    pub change: Option<Box<Change>>,
}

impl MappedField {
    /// The `values`.
    pub fn values(&self) -> Option<&Values> {
        self.change.as_ref().and_then(|c| c.values.as_ref())
    }

    /// The `read` expression over `value`.
    pub fn read(&self) -> Option<&Expression> {
        self.change.as_ref().and_then(|c| c.read.as_ref())
    }

    /// The `write` expression over `value`.
    pub fn write(&self) -> Option<&Expression> {
        self.change.as_ref().and_then(|c| c.write.as_ref())
    }
}

/// How a mapped field's values differ between policy and system.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// `values`: applies after `read` and before `write`.
    pub values: Option<Values>,
    /// `read`: from the raw value.
    pub read: Option<Expression>,
    /// `write`: to the raw value.
    pub write: Option<Expression>,
}

/// `values { NAME = STRING, … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// From the keyword to the brace.
    pub span: Span,
    /// The pairs in the order written, the policy's name first; names that the enum lacks and
    /// repeats included.
    pub pairs: Vec<(Ident, Ident)>,
}
