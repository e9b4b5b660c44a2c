//! The contract of the store, held by both of its implementations, and what only the file has:
//! durability, locks, damage.

#[path = "store/contract.rs"]
mod contract;
#[path = "store/files.rs"]
mod files;
#[path = "store/killed.rs"]
mod killed;
#[path = "store/letters.rs"]
mod letters;
#[path = "store/migration.rs"]
mod migration;
#[path = "store/model.rs"]
mod model;
#[path = "store/reference.rs"]
mod reference;
