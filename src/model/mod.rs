//! The resolved policy: ids, types, expressions, and the lowering from trees and catalog.
//!
//! Rank 3. May use `text`, `terms`, `time`, `value`, `finding`, `expr`, `syntax`, `catalog`. Says
//! what a policy means, and reports what is wrong with its names and values alone (SL0002, SL0003,
//! SL0006–SL0008, SL0405). Must not know graphs, arithmetic, checks or plans.

mod entity;
mod ids;
mod lower;
mod map;
mod policy;
mod report;
mod scenario;
mod system;
mod test;

pub use entity::{Accepts, Declaration, Derived, Entity, Expression, Field, Fresh, Volume};
pub use ids::{
    Effective, EntityId, FieldId, Ident, MapId, Ref, Said, ScenarioId, Spanned, SystemId, TestId,
};
pub use lower::{Input, OwnConnectors, lower, own_connector_paths};
pub use map::{Change, Cursor, Map, MappedField, Values};
pub use policy::{Allow, Gaps, Policy};
pub use scenario::{
    AUTO_RUNS_AS, Breaker, Carried, Checkpoint, Chosen, Clean, Dedupe, EventVolume, Filter, Guard,
    Hop, Keep, Mode, ModeKind, Require, Retry, Scenario, Stale, Sync, When,
};
pub use system::{
    Connector, EnvVar, MoneyPer, Percent, Price, Rate, Setting, SettingValue, System,
};
pub use test::{RecordRef, Step, StepKind, Test, TestRecord, TestValue, Uses};
