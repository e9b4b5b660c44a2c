//! Ids, names and values with their places.

use std::sync::Arc;

use crate::text::Span;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the policy's list.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A system: its position in [`super::Policy::systems`].
    SystemId
    /// An entity: its position in [`super::Policy::entities`].
    EntityId
    /// A map: its position in [`super::Policy::maps`].
    MapId
    /// A scenario: its position in [`super::Policy::scenarios`].
    ScenarioId
    /// A test: its position in [`super::Policy::tests`].
    TestId
}

/// A field of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId {
    /// The entity.
    pub entity: EntityId,
    /// Its position in [`super::Entity::fields`].
    pub index: u32,
}

/// A name or a string with its place. The text is shared: equal names of one policy are usually
/// one allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// Where it stands (a string: with its quotes).
    pub span: Span,
    /// The text (a string: decoded).
    pub text: Arc<str>,
}

impl std::fmt::Display for Ident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// A name that stands for something declared elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref<T> {
    /// The name's place.
    pub span: Span,
    /// What it stands for; `None`: nothing of that name, which was reported.
    pub id: Option<T>,
}

/// A value with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value's own place.
    pub span: Span,
    /// The value.
    pub value: T,
}

/// What a clause says, with the places of the clause and of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<T> {
    /// The whole clause.
    pub clause: Span,
    /// The words that say it.
    pub span: Span,
    /// The value.
    pub value: T,
}

/// What holds for a field: said at the field, or inherited from its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective<T> {
    /// The whole clause, on the field or on the entity.
    pub clause: Span,
    /// The words that say it.
    pub span: Span,
    /// Whether the entity says it and the field inherits it.
    pub inherited: bool,
    /// The value.
    pub value: T,
}
