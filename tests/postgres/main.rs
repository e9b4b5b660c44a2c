//! The `postgres` connector against a real server.

#[path = "../support/fixtures.rs"]
mod fixtures;
#[path = "../support/postgres.rs"]
mod server;

mod desk;
mod errors;
mod following;
mod random;
mod reading;
mod whole;
mod writing;
