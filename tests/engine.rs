//! Holds the engine to its contract under virtual time: emulated systems, seeded disorder, killed
//! runners.

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/world.rs"]
mod world;

#[path = "engine/basics.rs"]
mod basics;

#[path = "engine/relays.rs"]
mod relays;
#[path = "engine/resolve.rs"]
mod resolve;

#[path = "engine/checkpoints.rs"]
mod checkpoints;
#[path = "engine/chunks.rs"]
mod chunks;
#[path = "engine/clock.rs"]
mod clock;
#[path = "engine/deletes.rs"]
mod deletes;
#[path = "engine/failures.rs"]
mod failures;
#[path = "engine/intake.rs"]
mod intake;
#[path = "engine/jitter.rs"]
mod jitter;
#[path = "engine/jobs.rs"]
mod jobs;
#[path = "engine/kills.rs"]
mod kills;
#[path = "engine/limits.rs"]
mod limits;
#[path = "engine/outages.rs"]
mod outages;
#[path = "engine/outbox.rs"]
mod outbox;
#[path = "engine/people.rs"]
mod people;
#[path = "engine/records.rs"]
mod records;
#[path = "engine/schedules.rs"]
mod schedules;
#[path = "engine/whose.rs"]
mod whose;
