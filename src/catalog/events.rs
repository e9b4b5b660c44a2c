//! The change events of a connector: what they carry, how they come, what becomes of a missed one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{Figure, Period, duration_text};
use super::signature::Signature;
use crate::time::Millis;

/// The change events of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// What an event carries.
    pub payload: Payload,
    /// How it comes.
    pub delivery: Delivery,
    /// Whether what was missed can be had again.
    pub replay: Replay,
    /// For how long a missed event can be had again, or is offered again before it is lost; none:
    /// not known, or for ever where it is replayable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Figure<Period>>,
    /// Whether a policy may name any event; then there are no `names`.
    #[serde(default)]
    pub any_name: bool,
    /// The events that a policy may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<EventName>,
    /// How deliveries are signed; none: they are not, or the transport sees to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// How long the vendor waits for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Figure<Period>>,
    /// How often the vendor offers an event again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Figure<Retries>>,
    /// How long until a change is known by its event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Figure<Period>>,
}

impl Events {
    /// Whether a policy may name that event.
    pub fn knows(&self, name: &str) -> bool {
        self.any_name || self.names.iter().any(|event| event.name == name)
    }

    /// The vendor's own name of an event; its policy name where the vendor has no other.
    pub fn vendor_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.names
            .iter()
            .find(|event| event.name == name)
            .and_then(|event| event.vendor.as_deref())
            .unwrap_or(name)
    }

    /// Whether an event can be lost for good.
    pub fn lost_for_good(&self) -> bool {
        self.replay == Replay::LostForGood
    }

    /// Holds that its names can be written in a policy.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.any_name != self.names.is_empty() {
            return Err("events have `any_name: true` or `names`, one of the two".into());
        }
        for event in &self.names {
            let mut letters = event.name.chars();
            let first = letters
                .next()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !first || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!(
                    "`{}` is no event name that a policy could write; use letters, digits and `_`",
                    event.name
                ));
            }
        }
        Ok(())
    }
}

/// An event of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventName {
    /// Its name in a policy, after the system's and a dot.
    pub name: String,
    /// What the vendor calls it, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
}

/// What an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The whole record.
    Full,
    /// The values that changed.
    Changed,
    /// Which record it was; the values have to be read.
    Reference,
}

impl Payload {
    /// Reads that each event costs.
    pub fn reads(self) -> u32 {
        match self {
            Payload::Full | Payload::Changed => 0,
            Payload::Reference => 1,
        }
    }
}

/// How events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The sender posts them.
    Webhook,
    /// They are read from a stream that keeps its place.
    Stream,
    /// A file is watched.
    File,
}

/// Whether what was missed can be had again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// It can, within the retention.
    Replayable,
    /// It cannot once the sender has given up.
    LostForGood,
}

/// How often a sender tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// How many times at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Within how long.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub within: Millis,
}
