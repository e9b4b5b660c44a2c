//! An entry of the catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::Events;
use super::figures::{Batch, Calls, Figure, Limit, Other, Period, Price, Tier};
use super::objects::{Object, ObjectField};
use super::settings::{Auth, Setting};
use super::templates::{Answers, Operations};
use super::{EntryError, error};
use crate::time::Millis;

/// What a connector can do and how to talk to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in a policy.
    pub name: String,
    /// What the vendor calls it.
    pub title: String,
    /// The address of the vendor's documentation.
    pub docs: String,
    /// What carries its calls.
    pub transport: Transport,
    /// Against what the entry was tested.
    pub tested: Tested,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How finely it tells when a record changed.
    pub change_time: ChangeTime,
    /// The tiers that the vendor sells, in the vendor's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// The tier that holds where a policy names none: the one with the smallest limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_tier: Option<String>,
    /// Limits of every tier; empty: none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Prices of every tier; empty: calls cost nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Price>,
    /// How many records fit into a call.
    #[serde(default)]
    pub batch: Batch,
    /// Its change events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// How long one write takes, p99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Figure<Period>>,
    /// How long a change may stay hidden from reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility_lag: Option<Figure<Period>>,
    /// Calls at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Figure<u32>>,
    /// The header that keeps a repeated write from taking effect twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_header: Option<String>,
    /// What a system may set in the open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Setting>,
    /// What a system takes from the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Setting>,
    /// What is known of its own objects and their fields; empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
    /// Further figures of the vendor's, which no formula needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<Other>,
    /// How its calls prove who makes them.
    pub auth: Auth,
    /// The address before every path; `{option}` stands for an option's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Its requests; only for the `http` transport, none until they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Operations>,
    /// What its refusals mean; none: as HTTP has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Answers>,
}

/// What carries a connector's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A file of comma-separated values.
    Csv,
    /// A file with a JSON value on each line.
    Jsonl,
    /// An SQLite database.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
    /// An HTTP API by the entry's templates.
    Http,
    /// Signed posts in and out.
    Webhook,
    /// A NATS stream.
    Nats,
}

/// Against what an entry was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tested {
    /// Nothing of the vendor's.
    None,
    /// The vendor's own API contract.
    Contract,
    /// The real system.
    Live,
}

/// What a connector can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// Records can be read, by what changed or all.
    pub read: bool,
    /// Records can be written.
    pub write: bool,
    /// A write finds its record by key in the same call.
    pub upsert: bool,
    /// It tells of changes by itself.
    pub events: bool,
    /// It takes bulk jobs.
    pub bulk: bool,
    /// Records can be deleted.
    pub deletes: bool,
    /// What is written there may be mailed to people.
    pub sends_mail: bool,
}

/// How finely a system tells when a record changed, in the column that a map's `changed_at` names
/// or the event's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeTime {
    /// To the millisecond.
    Milliseconds,
    /// To the second.
    Seconds,
    /// Not at all: when it arrives is all that is known.
    Arrival,
}

/// How long a change takes to be known by event where the catalog is silent.
const EVENT_LATENCY: Millis = Millis::from_secs(5);
/// How long a write takes where the catalog is silent.
const LATENCY: Millis = Millis::from_secs(2);
/// Records of a page where the catalog is silent.
const READ_PAGE: u32 = 100;

impl Entry {
    /// A tier by its name.
    pub fn tier(&self, name: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.name == name)
    }

    /// The tier that holds where a policy names none; none where the vendor has no tiers.
    pub fn smallest_tier(&self) -> Option<&Tier> {
        self.tier(self.default_tier.as_deref()?)
    }

    /// The limits of a tier with those of every tier.
    pub fn limits<'a>(&'a self, tier: Option<&'a Tier>) -> impl Iterator<Item = &'a Limit> {
        let own = tier.map_or(&[][..], |tier| &tier.limits);
        self.limits.iter().chain(own)
    }

    /// The prices of a tier with those of every tier.
    pub fn prices<'a>(&'a self, tier: Option<&'a Tier>) -> impl Iterator<Item = &'a Price> {
        let own = tier.map_or(&[][..], |tier| &tier.prices);
        self.prices.iter().chain(own)
    }

    /// An option by its name.
    pub fn option(&self, name: &str) -> Option<&Setting> {
        self.options.iter().find(|option| option.name == name)
    }

    /// A secret by its name.
    pub fn secret(&self, name: &str) -> Option<&Setting> {
        self.secrets.iter().find(|secret| secret.name == name)
    }

    /// An object by its name.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects
            .iter()
            .find(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// A field of an object, where something is known of it.
    pub fn object_field(&self, object: &str, field: &str) -> Option<&ObjectField> {
        self.object(object)?.field(field)
    }

    /// How long until a change is known by its event; 5 s where the entry is silent.
    pub fn event_latency(&self) -> Millis {
        let known = self
            .events
            .as_ref()
            .and_then(|events| events.latency.as_ref());
        known.map_or(EVENT_LATENCY, |figure| figure.value.0)
    }

    /// How long one write takes, p99; 2 s where the entry is silent.
    pub fn write_latency(&self) -> Millis {
        self.latency
            .as_ref()
            .map_or(LATENCY, |figure| figure.value.0)
    }

    /// How long a change may stay hidden from reads; none where the entry is silent.
    pub fn read_lag(&self) -> Millis {
        self.visibility_lag
            .as_ref()
            .map_or(Millis::ZERO, |figure| figure.value.0)
    }

    /// Records of one write call; none: the whole file; 1 where the entry is silent.
    pub fn write_batch(&self) -> Option<u32> {
        match self.batch.whole_file {
            true => None,
            false => Some(
                self.batch
                    .write
                    .as_ref()
                    .map_or(1, |figure| figure.value.max(1)),
            ),
        }
    }

    /// Records of one page of a read; none: the whole file; 100 where the entry is silent.
    pub fn read_page(&self) -> Option<u32> {
        let page = self.batch.read_page.as_ref();
        match self.batch.whole_file {
            true => None,
            false => Some(page.map_or(READ_PAGE, |figure| figure.value.max(1))),
        }
    }

    /// Calls at a time in a tier; 1 where the entry is silent.
    pub fn calls_at_a_time(&self, tier: Option<&Tier>) -> u32 {
        tier.and_then(|tier| tier.concurrency.as_ref())
            .or(self.concurrency.as_ref())
            .map_or(1, |figure| figure.value.max(1))
    }

    /// Holds what no single part of an entry can; an error names the top-level key at fault.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let can = &self.capabilities;
        let wrong = |key, message: &str| Err((key, message.to_owned()));
        if can.events != self.events.is_some() {
            let message = "`capabilities.events` and the part `events` must agree";
            return wrong("capabilities", message);
        }
        if can.bulk != self.batch.bulk.is_some() {
            let message = "`capabilities.bulk` and the part `batch.bulk` must agree";
            return wrong("capabilities", message);
        }
        if !can.write && (can.upsert || can.deletes || can.bulk) {
            let message = "without `write` there is no `upsert`, `deletes` or `bulk`";
            return wrong("capabilities", message);
        }
        if let Some(events) = &self.events {
            events.check().map_err(|message| ("events", message))?;
        }
        self.check_limits()?;
        self.check_objects()
            .map_err(|message| ("objects", message))?;
        match &self.default_tier {
            None if !self.tiers.is_empty() => {
                let message = "`tiers` need a `default_tier`, the one with the smallest limits";
                return wrong("tiers", message);
            }
            Some(name) if self.tier(name).is_none() => {
                let message = format!("the default tier `{name}` is none of the tiers");
                return Err(("default_tier", message));
            }
            _ => {}
        }
        let signing = self.events.as_ref().and_then(|e| e.signature.as_ref());
        let named = [
            ("auth", self.auth.secret.as_ref()),
            ("events", signing.map(|s| &s.secret)),
        ];
        for (key, name) in named {
            if let Some(name) = name.filter(|name| self.secret(name).is_none()) {
                return Err((key, format!("the secret `{name}` is none of the secrets")));
            }
        }
        Ok(())
    }

    /// Holds that a limit allows something in some time and counts something that there is.
    fn check_limits(&self) -> Result<(), (&'static str, String)> {
        let of_all = self.limits.iter().map(|l| ("limits", l));
        let of_tiers = self.tiers.iter().flat_map(|t| &t.limits);
        let of_tiers = of_tiers.map(|l| ("tiers", l));
        for (key, limit) in of_all.chain(of_tiers) {
            let name = &limit.name;
            let wrong = |text: &str| Err((key, format!("the limit `{name}` {text}")));
            if limit.per == Millis::ZERO {
                return wrong("has no time: `per` is 0");
            }
            if limit.calls.value == 0 && limit.per_seat.as_ref().is_none_or(|f| f.value == 0) {
                return wrong("allows nothing: `calls` is 0");
            }
            if limit.seats_included > 0 && limit.per_seat.is_none() {
                return wrong("has `seats_included` and no `per_seat`");
            }
            if limit.counts == Calls::Events && self.events.is_none() {
                return wrong("counts events, and the entry has none");
            }
            if limit.counts == Calls::Events && limit.weights.is_some() {
                return wrong("counts events: `weights` are of calls");
            }
        }
        let prices = self.tiers.iter().flat_map(|t| &t.prices);
        if prices.chain(&self.prices).any(|p| p.per_calls == 0) {
            return Err(("prices", "a price is `per_calls` of 1 or more".to_owned()));
        }
        Ok(())
    }

    /// Holds that each object stands once and its fields say something.
    fn check_objects(&self) -> Result<(), String> {
        for (position, object) in self.objects.iter().enumerate() {
            let mut earlier = self.objects.iter().take(position);
            if earlier.any(|o| o.name.eq_ignore_ascii_case(&object.name)) {
                return Err(format!("the object `{}` stands twice", object.name));
            }
            object.check()?;
        }
        Ok(())
    }
}

/// Reads an entry.
pub fn parse_entry(yaml: &str) -> Result<Entry, EntryError> {
    let entry: Entry = serde_yaml::from_str(yaml).map_err(|e| error::of_yaml(&e, yaml))?;
    let at_key = |(key, message)| error::at_key(yaml, key, message);
    entry.check().map_err(at_key)?;
    Ok(entry)
}

/// The JSON Schema of an entry's file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Entry)
}
