//! Connectors: how the runner talks to systems.
//!
//! Rank 9, with I/O. Bytes of a system become rows and events, writes of the engine become calls.
//! Each transport is one folder or file behind [`crate::engine::ports::Connector`]; what they have
//! in common stands in [`codec`] (columns to fields and back), `file` (atomic files), `cursor` (what is
//! newer), `http` and [`tls`] (how an address is reached) and `failure` (the words of failed calls). [`signature`], [`event`] and [`intake`] turn a
//! signed request into a durable event without knowing any server.
//!
//! May use the plan, the engine's ports and what lies below them. Must not know a store, the loop
//! that drives it, how anything is shown, or the engine's state.

pub mod codec;
mod cursor;
pub mod decode;
pub mod event;
pub(crate) mod failure;
mod file;
mod follow;
mod http;
mod scan;
pub mod tls;
mod upserts;

pub mod csv;
pub mod jsonl;
pub mod post;
pub mod postgres;
pub mod sqlite;
pub mod webhook;

pub mod intake;
pub mod registry;
pub mod signature;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod roundtrip_tests;
