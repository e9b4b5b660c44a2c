//! What systems can do: capabilities, limits, batches, events and settings of each connector.
//!
//! Rank 2. Holds the entries as data, compiled in; a user's own entry is parsed by the same code.
//! May use `terms`, `text`, `time` and `finding`. Must not read files, and must not know what a
//! policy asks of an entry: the checks do.
//!
//! A figure is never bare: it says where it was read and when, or that nobody verified it.

mod builtin;
mod entry;
mod error;
mod events;
mod figures;
mod objects;
mod settings;
mod signature;
mod templates;

pub use builtin::{Catalog, NAMES};
pub use entry::{Capabilities, ChangeTime, Entry, Tested, Transport, parse_entry, schema};
pub use error::EntryError;
pub use events::{Delivery, EventName, Events, Payload, Replay, Retries};
pub use figures::{
    Batch, Bulk, Calls, Figure, Group, Limit, Other, Period, Price, Scope, Source, Tier, Weights,
    Window,
};
pub use objects::{Object, ObjectField};
pub use settings::{Auth, AuthScheme, Required, Setting, SettingType};
pub use signature::{Algorithm, Encoding, HeaderForm, Signature};
pub use templates::{Answers, Method, Operation, Operations};

#[cfg(test)]
mod shapes_tests;
#[cfg(test)]
mod tests;
