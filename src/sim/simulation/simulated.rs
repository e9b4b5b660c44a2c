//! What a simulation found, beside the estimate; described by `docs/simulate.schema.json`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the object's shape.
pub const VERSION: u32 = 1;

/// What `simulate --format json` prints. What is not known is null, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Simulated {
    /// The version of this shape, 1.
    pub version: u32,
    /// The policy's name.
    pub policy: String,
    /// The number that all chance came from.
    pub seed: u64,
    /// The virtual time at which it began, RFC 3339: midnight of a Monday in the policy's zone.
    pub start: String,
    /// How much virtual time it covers.
    pub seconds: f64,
    /// Changes made in all systems.
    pub changes: u64,
    /// Changes of which no event told, since a share of events gets lost.
    pub untold: u64,
    /// The systems in the order of the policy.
    pub systems: Vec<SystemSimulated>,
    /// The scenarios in the order of the policy.
    pub scenarios: Vec<ScenarioSimulated>,
    /// Each field with each system that it gets to from one of its origins.
    pub fields: Vec<FieldSimulated>,
    /// Writes that were given up, by system and cause.
    pub dead_letters: Vec<DeadLetters>,
    /// The outages that were asked for.
    pub outages: Vec<OutageSimulated>,
    /// What to know about the figures.
    pub notes: Vec<String>,
    /// What the estimate says of its own figures, as far as they stand beside measured ones.
    #[serde(default)]
    pub estimate_notes: Vec<String>,
}

/// A figure that was measured beside the one that was estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beside {
    /// As measured.
    pub simulated: Option<f64>,
    /// As estimated.
    pub estimated: Option<f64>,
    /// How much more was measured, as a share of the estimate; null where either is not known or
    /// the estimate is 0.
    pub difference: Option<f64>,
}

impl Beside {
    /// The two with their difference.
    pub fn new(simulated: Option<f64>, estimated: Option<f64>) -> Beside {
        let difference = simulated.zip(estimated).filter(|(_, e)| *e > 0.0);
        Beside {
            simulated,
            estimated,
            difference: difference.map(|(s, e)| s / e - 1.0),
        }
    }
}

/// A system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemSimulated {
    /// Its name.
    pub name: String,
    /// Calls a day, failed ones too.
    pub calls_per_day: Beside,
    /// Calls a second in the busiest minute, runs by the clock too; the estimate is of real time
    /// only.
    pub peak_calls_per_second: Beside,
    /// Each of its limits with the most that was asked of it.
    pub limits: Vec<LimitSimulated>,
    /// Calls that it refused since a limit left nothing (429).
    pub too_many: u64,
    /// Calls that failed otherwise.
    pub failed: u64,
    /// Reads a day of records that its events only named.
    pub looked_up_per_day: f64,
    /// The most writes that waited for it at a full hour, or when an outage ended.
    pub backlog_most: u64,
    /// Writes that waited for it at each full hour, the first one hour after the start.
    pub backlog: Vec<u64>,
}

/// A limit of a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitSimulated {
    /// Its name.
    pub name: String,
    /// What it allows in a window.
    pub allows: u64,
    /// The window.
    pub per_seconds: f64,
    /// The most that was used in one window.
    pub most: u64,
    /// Calls that came when nothing was left of it.
    pub exceeded: u64,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioSimulated {
    /// Its name.
    pub name: String,
    /// Its mode.
    pub mode: String,
    /// Calls a day by system; reads of records that events only named stand at the systems alone.
    pub calls_per_day: IndexMap<String, Beside>,
    /// Runs that ended, by how.
    pub runs: IndexMap<String, u64>,
    /// Records written a day.
    pub written_per_day: Beside,
    /// Differences that its reconciles found.
    pub drift: u64,
    /// How old changes were when it wrote them, since the system that it takes them from had them.
    pub age_seconds: AgesSimulated,
    /// How old its own `fresh` lets a change get on any of its hops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_seconds: Option<f64>,
}

/// A field in a system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldSimulated {
    /// Entity and field.
    pub field: String,
    /// The system.
    pub system: String,
    /// What its `fresh` allows there; null: nothing asks.
    pub required_seconds: Option<f64>,
    /// How old its changes were when they arrived.
    pub age_seconds: AgesSimulated,
    /// Changes that had not arrived when everything else had come to rest.
    pub missing: u64,
}

/// Ages, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgesSimulated {
    /// How many changes were measured.
    pub changes: u64,
    /// The mean.
    pub mean: Beside,
    /// Half of them are younger; to half a percent.
    pub p50: Option<f64>,
    /// 99 of 100 are younger; to half a percent.
    pub p99: Option<f64>,
    /// The oldest.
    pub worst: Beside,
}

/// Writes that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetters {
    /// The system.
    pub system: String,
    /// Why.
    pub cause: String,
    /// How many.
    pub count: u64,
}

/// An outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutageSimulated {
    /// The system.
    pub system: String,
    /// When it began, after the start.
    pub at_seconds: f64,
    /// How long it lasted.
    pub seconds: f64,
}
