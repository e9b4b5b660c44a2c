//! Entities and their fields.

use crate::time::Millis;
use std::sync::Arc;

use super::{Effective, EntityId, FieldId, Ident, Rate, Ref, Said, Spanned, SystemId};
use crate::expr::Program;
use crate::terms::ResolveRule;
use crate::text::Span;
use crate::value::Type;

/// An entity.
#[derive(Debug, Clone)]
pub struct Entity {
    /// Its id.
    pub id: EntityId,
    /// Its name.
    pub name: Ident,
    /// Its doc comment.
    pub doc: Option<Span>,
    /// The whole item.
    pub span: Span,
    /// The `key` clause: the key's fields in the order written; a name that is no field is left
    /// out (reported).
    pub key: Option<Said<Vec<Spanned<u32>>>>,
    /// How many records, how many changes.
    pub volume: Option<Said<Volume>>,
    /// The default `owner`.
    pub owner: Option<Said<Option<SystemId>>>,
    /// The default `accepts`.
    pub accepts: Option<Said<Accepts>>,
    /// The default `resolve`.
    pub resolve: Option<Said<ResolveRule>>,
    /// The default `fresh`.
    pub fresh: Option<Said<Fresh>>,
    /// The default `class`.
    pub classes: Option<Said<Vec<Ident>>>,
    /// Its fields in reading order: its own, then those of `extend entity`.
    pub fields: Vec<Field>,
    /// Whether a clause of it or of an `extend` could not be read, so that names and facts may
    /// be missing here.
    pub broken: bool,
}

impl Entity {
    /// Positions of the key's fields in the order of the `key` clause.
    pub fn key_fields(&self) -> impl Iterator<Item = &Field> {
        self.key
            .iter()
            .flat_map(|k| &k.value)
            .filter_map(|k| self.fields.get(k.value as usize))
    }
}

/// `volume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// How many records.
    pub records: u64,
    /// How many changes.
    pub changes: Rate,
    /// Peak over mean.
    pub peak: Option<u64>,
}

/// `accepts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepts {
    /// The systems (none for `none`).
    pub systems: Vec<Spanned<SystemId>>,
    /// Whether a name among them could not be resolved.
    pub unknown: bool,
}

/// `fresh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// How old at most; `None`: could not be read.
    pub within: Option<Millis>,
    /// The place of the duration.
    pub span: Span,
    /// Where; `None`: in every system that maps the field.
    pub systems: Option<Vec<Ref<SystemId>>>,
}

/// A field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its id.
    pub id: FieldId,
    /// Its name at its first declaration.
    pub name: Ident,
    /// Its doc comment.
    pub doc: Option<Span>,
    /// The whole first declaration.
    pub span: Span,
    /// The type's place, `?` included.
    pub type_span: Span,
    /// Its type; `None`: could not be read (reported).
    pub ty: Option<Type>,
    /// Whether it may be absent.
    pub optional: bool,
    /// Whether it is part of the key.
    pub is_key: bool,
    /// Its owner. The outer `None`: nobody says; the inner: a name that does not exist.
    pub owner: Option<Effective<Option<SystemId>>>,
    /// The further origins. `None`: nobody says.
    pub accepts: Option<Effective<Accepts>>,
    /// How several origins' values become one.
    pub resolve: Option<Effective<ResolveRule>>,
    /// How fresh it has to be. A key inherits none.
    pub fresh: Option<Effective<Fresh>>,
    /// Its classes (in the order written).
    pub classes: Option<Effective<Vec<Ident>>>,
    /// How often it changes.
    pub changes: Option<Said<Rate>>,
    /// What it is computed from. Such a field inherits nothing from its entity.
    pub derived: Option<Derived>,
    /// Every place that declares it, the first included.
    pub declared: Vec<Declaration>,
    /// Whether a clause of it could not be read.
    pub broken: bool,
}

impl Field {
    /// Its owner, where there is one that exists.
    pub fn owner(&self) -> Option<SystemId> {
        self.owner.as_ref().and_then(|o| o.value)
    }

    /// Whether owner or further origins are said by a name that does not exist, or by a clause
    /// that could not be read: then nothing may be concluded from what is missing.
    pub fn origins_unknown(&self) -> bool {
        self.broken
            || self.owner.as_ref().is_some_and(|o| o.value.is_none())
            || self.accepts.as_ref().is_some_and(|a| a.value.unknown)
    }

    /// The owner, then the accepted systems in the order written, each once.
    pub fn origins(&self) -> Vec<SystemId> {
        let mut origins: Vec<SystemId> = self.owner().into_iter().collect();
        for system in self.accepts.iter().flat_map(|a| &a.value.systems) {
            if !origins.contains(&system.value) {
                origins.push(system.value);
            }
        }
        origins
    }

    /// Whether the system is its owner or an accepted one.
    pub fn is_origin(&self, system: SystemId) -> bool {
        self.owner() == Some(system)
            || self
                .accepts
                .iter()
                .any(|a| a.value.systems.iter().any(|s| s.value == system))
    }

    /// Whether it is neither key nor derived: data that travels and has an owner.
    pub fn is_data(&self) -> bool {
        !self.is_key && self.derived.is_none()
    }

    /// Its classes.
    pub fn classes(&self) -> &[Ident] {
        self.classes.as_ref().map_or(&[], |c| &c.value)
    }

    /// Whether it is of a class.
    pub fn has_class(&self, class: &str) -> bool {
        self.classes().iter().any(|c| &*c.text == class)
    }
}

/// A place that declares a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The field's name there.
    pub name: Span,
    /// The whole declaration.
    pub span: Span,
    /// The item (entity or extend) it stands in.
    pub item: Span,
    /// Its own `owner` clause there, else what it would inherit.
    pub owner: Option<Effective<Option<SystemId>>>,
}

/// ``derived `CEL` ``.
#[derive(Debug, Clone)]
pub struct Derived {
    /// The whole clause.
    pub clause: Span,
    /// The expression.
    pub expr: Expression,
}

/// An expression with what it reads.
#[derive(Debug, Clone)]
pub struct Expression {
    /// The place of the expression, backticks included.
    pub span: Span,
    /// The compiled program; `None`: it has a fault (reported).
    pub program: Option<Arc<Program>>,
    /// The fields of the entity that it reads, in the order of their places, each place once.
    /// Empty in `when`, `read` and `write`.
    pub reads: Vec<Spanned<FieldId>>,
}

impl Expression {
    /// The fields it reads, each once, in the order of the entity.
    pub fn fields(&self) -> Vec<FieldId> {
        let mut fields: Vec<FieldId> = self.reads.iter().map(|r| r.value).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }
}
