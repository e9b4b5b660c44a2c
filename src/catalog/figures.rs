//! Figures with their sources: limits, prices, batches.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{Date, Millis};

/// Where a figure was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The page: an address, or a repository with file and commit.
    pub page: String,
    /// When it was read there, or the date that the page gives.
    #[serde(with = "date_text")]
    #[schemars(with = "String")]
    pub date: Date,
}

/// A value of a vendor's with its source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "BareFigure<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub struct Figure<T> {
    /// The value.
    pub value: T,
    /// Where it comes from; none: unverified.
    pub source: Option<Source>,
    /// What else to know about it.
    pub note: Option<String>,
}

/// What is written can be read again: a figure without a source says that nobody verified it.
impl<T: Serialize> Serialize for Figure<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &self.value)?;
        match &self.source {
            Some(source) => map.serialize_entry("source", source)?,
            None => map.serialize_entry("verified", &false)?,
        }
        if let Some(note) = &self.note {
            map.serialize_entry("note", note)?;
        }
        map.end()
    }
}

impl<T> Figure<T> {
    /// Whether a source backs it.
    pub fn verified(&self) -> bool {
        self.source.is_some()
    }
}

/// A figure as a file writes it.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Figure_of_{T}")]
#[serde(deny_unknown_fields)]
struct BareFigure<T> {
    /// The value.
    value: T,
    /// Where it comes from: this, or `verified: false`.
    #[serde(default)]
    source: Option<Source>,
    /// False where nobody verified it.
    #[serde(default)]
    verified: Option<bool>,
    /// What else to know about it.
    #[serde(default)]
    note: Option<String>,
}

impl<T> TryFrom<BareFigure<T>> for Figure<T> {
    type Error = String;

    fn try_from(bare: BareFigure<T>) -> Result<Self, String> {
        backed(&bare.source, bare.verified)?;
        Ok(Figure {
            value: bare.value,
            source: bare.source,
            note: bare.note,
        })
    }
}

/// Holds that a figure names its source or says `verified: false`.
fn backed(source: &Option<Source>, verified: Option<bool>) -> Result<(), String> {
    match (source, verified) {
        (Some(_), None | Some(true)) | (None, Some(false)) => Ok(()),
        (Some(_), Some(false)) => {
            Err("a figure has a `source` or `verified: false`, not both".into())
        }
        (None, _) => Err("a figure needs its `source` (page and date) or `verified: false`".into()),
    }
}

/// A limit on calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name, for messages: `requests`, `search_requests`.
    pub name: String,
    /// How many calls.
    pub calls: Figure<u64>,
    /// How many more for each seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_seat: Option<Figure<u64>>,
    /// How many seats `calls` holds for already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seats_included: u64,
    /// Within how long; a day or longer is a quota, shorter a burst limit.
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub per: Millis,
    /// How that time is counted; none: the vendor does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Who shares it.
    pub scope: Scope,
    /// Which calls count.
    #[serde(default)]
    pub counts: Calls,
    /// What each call counts for, where that differs: then `calls` are tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
}

/// How the time of a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// At any moment back from now.
    Rolling,
    /// From one point of the clock to the next, as from midnight to midnight.
    Fixed,
}

/// What a call counts for in a limit of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// A read or a search.
    pub read: Figure<u32>,
    /// A write.
    pub write: Figure<u32>,
    /// A call of a bulk job; none: as much as a write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<Figure<u32>>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A figure that no formula needs, for those who plan with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Other {
    /// What it is.
    pub name: String,
    /// The figure.
    pub value: Figure<u64>,
    /// Its unit, with the time that it is of: `s`, `MB`, `records`, `requests per 10s`.
    pub unit: String,
}

impl Limit {
    /// Whether it is a quota and no burst limit.
    pub fn is_quota(&self) -> bool {
        self.per >= Millis::DAY
    }

    /// The calls that it allows with so many seats.
    pub fn allowed(&self, seats: u64) -> u64 {
        let more = self.per_seat.as_ref().map_or(0, |f| f.value);
        let seats = seats.saturating_sub(self.seats_included);
        self.calls.value.saturating_add(more.saturating_mul(seats))
    }

    /// Whether it limits calls of that group.
    pub fn counts(&self, group: Group) -> bool {
        match self.counts {
            Calls::All => true,
            Calls::Reads => group == Group::Read,
            Calls::Writes => group == Group::Write,
            Calls::Bulk => group == Group::Bulk,
            Calls::Events => false,
        }
    }
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everybody who uses the account.
    Account,
    /// The app or key that calls.
    App,
    /// The user that calls.
    User,
    /// Calls of one endpoint.
    Endpoint,
}

/// Which calls count towards a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// Every call.
    #[default]
    All,
    /// Reads and searches.
    Reads,
    /// Writes.
    Writes,
    /// Calls of bulk jobs.
    Bulk,
    /// No calls at all, but events that are delivered.
    Events,
}

/// The groups of calls that limits tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// A read or a search.
    Read,
    /// A write.
    Write,
    /// A call of a bulk job.
    Bulk,
}

/// What calls cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The amount, a decimal in a string.
    #[schemars(with = "Figure<String>")]
    pub amount: Figure<Decimal>,
    /// Its currency, ISO 4217.
    pub currency: String,
    /// For how many calls.
    pub per_calls: u64,
    /// How many calls a month the tier includes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included_calls: Option<Figure<u64>>,
}

/// A tier that a vendor sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its name in a policy.
    pub name: String,
    /// Its limits, beside those of every tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Its prices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Price>,
    /// Calls at a time, where it differs from the entry's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Figure<u32>>,
}

/// How many records fit into a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Reads and writes take the whole file at once.
    #[serde(default)]
    pub whole_file: bool,
    /// Records of one write call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Figure<u32>>,
    /// Records of one page of a read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_page: Option<Figure<u32>>,
    /// Bulk jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<Bulk>,
}

/// Jobs that take many records at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// From how many records a job is taken.
    pub from_records: Figure<u32>,
    /// Records of one upload of a job.
    pub records: Figure<u32>,
    /// Calls that a job takes whatever its size: create, close, polls, results.
    pub fixed_calls: Figure<u32>,
}

/// Durations as the language writes them.
pub(super) mod duration_text {
    use super::{Deserialize, Deserializer, Millis, Serializer};

    pub fn serialize<S: Serializer>(span: &Millis, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(span)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Millis, D::Error> {
        let text = String::deserialize(from)?;
        Millis::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A duration as a figure's value, written as the language writes it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Period(
    #[serde(with = "duration_text")]
    #[schemars(with = "String")]
    pub Millis,
);

/// Dates as `YYYY-MM-DD`.
mod date_text {
    use super::{Date, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(date: &Date, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(date)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| {
            serde::de::Error::custom(format!("`{text}` is no date; write it as `2026-01-31`"))
        })
    }
}
