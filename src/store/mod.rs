//! Durable state behind the engine's [`crate::engine::ports::Store`].
//!
//! Rank 9. [`SqliteStore`] keeps it in one SQLite file that a person can read with common tools
//! (`docs/reference/store.md` has every table); [`MemoryStore`] keeps it in ordered maps, for tests
//! and for runs under virtual time. May use the engine's ports, the plan and what lies below; must
//! not know connectors, the loop that drives the engine, or a command.

mod memory;
mod sqlite;
mod table;

pub use memory::MemoryStore;
pub use sqlite::{
    APPLICATION_ID, FORMAT, Flusher, Held, LettersMark, MadeLetter, OpenMode, Patience, SqliteStore,
};

use crate::engine::ports::StoreError;

/// The words for a broken order of `begin`, `commit` and `rollback`, the same in every store.
fn misuse(what: &str) -> StoreError {
    StoreError {
        message: what.to_owned(),
        remedy: Some("this is a fault of Syncline's own; please report it".to_owned()),
        full: false,
    }
}

/// A transaction was begun inside another.
const NESTED: &str = "a transaction of the store is open already";
/// A commit without a transaction.
const NOT_OPEN: &str = "no transaction of the store is open";
