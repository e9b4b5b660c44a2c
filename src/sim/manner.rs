//! How an emulated system behaves: what its plan and its catalog entry say, and what a search for
//! faults adds.

use std::collections::BTreeSet;

use crate::catalog::{ChangeTime, Entry, Group, Payload};
use crate::engine::ports::Call;
use crate::plan;
use crate::time::Millis;

/// How an emulated system behaves.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How long a read takes.
    pub read: Millis,
    /// How long a write takes.
    pub write: Millis,
    /// How much shorter a call may be, 0 to 1: 0 makes all calls take just as long.
    pub spread: f64,
    /// Share of calls that fail for no fault of theirs, 0 to 1.
    pub failure: f64,
    /// Share of failed writes that took effect all the same, 0 to 1: their answer was lost.
    pub loses_replies: f64,
    /// How long until a change is known by its event.
    pub event: Millis,
    /// How much longer that may take, each time anew: events then come in another order.
    pub event_spread: Millis,
    /// Share of events that are sent a second time, 0 to 1.
    pub repeats: f64,
    /// Share of events that are never sent, 0 to 1.
    pub loses_events: f64,
    /// How far its clock is ahead of the runner's (behind, where negative), in milliseconds.
    pub skew: i64,
    /// What an event carries.
    pub payload: Payload,
    /// Whether what is written there comes back as an event.
    pub echoes: bool,
    /// Whether its events say who made the change, the runner or somebody else, and of what.
    pub says_whose: bool,
    /// How finely it tells when a record changed.
    pub change_time: ChangeTime,
    /// How long a change stays hidden from reads by cursor, at most.
    pub hidden: Millis,
    /// Whether a write finds its record by key in the same call; else it takes two.
    pub upsert: bool,
    /// Calls that it takes at a time; further ones wait.
    pub at_a_time: u32,
    /// What it refuses.
    pub refuses: Wants,
}

/// Records with which something is wrong, by canonical key.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    /// It refuses each write of these by itself.
    pub alone: BTreeSet<String>,
    /// It refuses every batch with one of these.
    pub whole: BTreeSet<String>,
    /// It fails as if it were down where one of these is written.
    pub chokes: BTreeSet<String>,
}

impl Manner {
    /// What a call is, and how many of the vendor's calls: without an upsert a write is looked up
    /// first, a bulk job says itself how many it takes.
    pub fn calls_of(&self, call: &Call) -> (Group, u64) {
        match call {
            Call::Write(request) if request.job_calls > 0 => (Group::Bulk, request.job_calls),
            Call::Write(_) if self.upsert => (Group::Write, 1),
            Call::Write(_) => (Group::Write, 2),
            Call::Read(_) | Call::Events(_) => (Group::Read, 1),
        }
    }

    /// As the plan says, and the catalog entry where there is one.
    pub fn of(system: &plan::System, entry: Option<&Entry>) -> Self {
        let events = entry.and_then(|e| e.events.as_ref());
        Manner {
            read: system.latency,
            write: system.latency,
            spread: 0.0,
            failure: system.failure,
            loses_replies: 0.0,
            event: entry.map_or(Millis::from_secs(5), Entry::event_latency),
            event_spread: Millis::ZERO,
            repeats: 0.0,
            loses_events: 0.0,
            skew: 0,
            payload: events.map_or(Payload::Full, |e| e.payload),
            echoes: true,
            says_whose: false,
            change_time: entry.map_or(ChangeTime::Milliseconds, |e| e.change_time),
            hidden: system.visibility_lag,
            // Files are written whole, and what cannot be read cannot be looked up.
            upsert: system.capabilities.upsert
                || !system.capabilities.read
                || system.write_batch.is_none(),
            at_a_time: system.concurrency.max(1),
            refuses: Wants::default(),
        }
    }

    /// The same, but nothing fails by chance.
    pub fn unfailing(mut self) -> Self {
        self.failure = 0.0;
        self.loses_replies = 0.0;
        self.repeats = 0.0;
        self.loses_events = 0.0;
        self
    }
}
