//! What a runner does, step by step, for whoever follows it from outside: one [`Step`] at each
//! beginning and end, told to [`super::runner::Observer::step`]. Nothing is gathered for it.

use super::ports::{Answer, Call, EntityIx, ScenarioIx, StoredEvent, SystemIx};

/// What a call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A write of the outbox.
    Outbox,
    /// A page of a run, by the run's number.
    Read(i64),
    /// A batch of a run's chunk.
    Chunk(i64, u64),
    /// A look at a system's feed of events.
    Feed,
}

/// Something begins or ends.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// An event is about to be made into changes.
    EventBegins(&'a StoredEvent),
    /// It shows a record, which is taken in for these scenarios.
    EventTaken {
        /// The record's entity.
        entity: EntityIx,
        /// Its canonical key.
        key: &'a str,
        /// The scenarios, ascending.
        scenarios: &'a [ScenarioIx],
    },
    /// The event is made into changes.
    EventEnds,
    /// What was taken in since the last [`Step::EventsEnd`] is owed to a destination.
    Owed {
        /// The destination.
        system: SystemIx,
        /// The record's entity.
        entity: EntityIx,
        /// Its canonical key.
        key: &'a str,
    },
    /// All that belongs to the transaction's events was told.
    EventsEnd,
    /// A call is handed to the world.
    CallBegins {
        /// Its ticket.
        ticket: u64,
        /// The system.
        system: SystemIx,
        /// What it is made for.
        cause: Cause,
        /// The call.
        call: &'a Call,
    },
    /// It has come back.
    CallEnds {
        /// Its ticket.
        ticket: u64,
        /// What came of it.
        answer: &'a Answer,
    },
    /// All of a run is read, and its checkpoint is asked.
    CheckBegins(i64),
    /// The checkpoint of a run has spoken.
    CheckEnds(i64),
    /// A chunk of a run is about to be worked out.
    ChunkBegins(i64, u64),
    /// All chunks of a run before this one are confirmed; `None`: all.
    ChunksEnded(i64, Option<u64>),
}
