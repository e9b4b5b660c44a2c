//! Tests, resolved as far as names go; whether a value fits its field is for a check to say.

use crate::time::Millis;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::{EntityId, Expression, FieldId, Ident, Ref, Said, Spanned, SystemId, TestId};
use crate::text::Span;

/// A test.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its id.
    pub id: TestId,
    /// Its title.
    pub title: Ident,
    /// Its doc comment.
    pub doc: Option<Span>,
    /// The whole item.
    pub span: Span,
    /// Where virtual time starts, in microseconds since 1970 (absent: Monday 2026-01-05 00:00 in
    /// the policy's zone).
    pub start: Option<Said<i64>>,
    /// What happens and what is expected, in the order written.
    pub steps: Vec<Step>,
    /// What it uses.
    pub uses: Uses,
    /// Whether a clause of it could not be read.
    pub broken: bool,
}

/// What a test speaks of, each once, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Systems.
    pub systems: Vec<SystemId>,
    /// Entities.
    pub entities: Vec<EntityId>,
    /// Fields that it sets or expects.
    pub fields: Vec<FieldId>,
}

/// A clause of a test.
#[derive(Debug, Clone)]
pub struct Step {
    /// The whole clause.
    pub clause: Span,
    /// When; `None`: `given`, `expect calls`, `expect dead_letters`.
    pub at: Option<Spanned<Millis>>,
    /// What.
    pub what: StepKind,
}

/// A record of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRef {
    /// The entity.
    pub entity: Ref<EntityId>,
    /// Its key, several parts joined with `|`.
    pub key: Ident,
}

/// The values of a record in a test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestRecord {
    /// From `{` to `}`.
    pub span: Span,
    /// The fields, the first of each name.
    pub fields: Vec<(Ref<FieldId>, Spanned<TestValue>)>,
}

/// A value in a test as written.
#[derive(Debug, Clone, PartialEq)]
pub enum TestValue {
    /// A string.
    Text(Arc<str>),
    /// A truth value.
    Bool(bool),
    /// A number, whole or not.
    Number(Decimal),
    /// An enum value.
    Name(Arc<str>),
    /// A list.
    List(Vec<Spanned<TestValue>>),
    /// No value.
    Absent,
    /// Could not be read (reported).
    Unknown,
}

/// The clauses of a test.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// Systems hold a record from the start.
    Given {
        /// Which record.
        record: RecordRef,
        /// What it holds.
        values: TestRecord,
        /// Where.
        systems: Vec<Ref<SystemId>>,
    },
    /// A system sets fields of a record.
    Sets {
        /// Which system.
        system: Ref<SystemId>,
        /// Which record.
        record: RecordRef,
        /// To what.
        values: TestRecord,
    },
    /// A system deletes a record.
    Deletes {
        /// Which system.
        system: Ref<SystemId>,
        /// Which record.
        record: RecordRef,
    },
    /// A system is down.
    Down {
        /// Which system.
        system: Ref<SystemId>,
        /// How long; `None`: could not be read.
        lasts: Option<Spanned<Millis>>,
    },
    /// A system sends an event.
    Event {
        /// Which system.
        system: Ref<SystemId>,
        /// Which event.
        event: Ident,
        /// Its payload: an expression without variables that gives a map.
        payload: Expression,
    },
    /// A record holds these values.
    Expect {
        /// Which record.
        record: RecordRef,
        /// Where.
        system: Ref<SystemId>,
        /// What it holds.
        values: TestRecord,
    },
    /// A record does not exist.
    ExpectAbsent {
        /// Which record.
        record: RecordRef,
        /// Where.
        system: Ref<SystemId>,
    },
    /// A system was called at most so often.
    ExpectCalls {
        /// Which system.
        system: Ref<SystemId>,
        /// How often; `None`: could not be read.
        at_most: Option<Spanned<u64>>,
    },
    /// At most so many writes were given up.
    ExpectDeadLetters {
        /// How many; `None`: could not be read.
        at_most: Option<Spanned<u64>>,
    },
}
