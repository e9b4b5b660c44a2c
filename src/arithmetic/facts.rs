//! What is known of each system: the policy's word first, then the catalog's, then a default.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::calls::Counting;
use super::formula::{DAY_SECONDS, attempts};
use super::known::{Known, Origin};
use crate::catalog::{self, Entry, Figure, Tier};
use crate::model::{Policy, System, SystemId};

/// Records of one write call, of one read page; none: the whole file.
type Group = Option<u32>;

/// What is known of a system.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemFacts {
    /// The system.
    pub id: SystemId,
    /// The share of calls that fail and are tried again.
    pub failure: Known<f64>,
    /// One write, p99, in seconds.
    pub latency: Known<f64>,
    /// Seconds until a change is known by its event.
    pub event_latency: Known<f64>,
    /// Seconds that a change may stay hidden from reads.
    pub read_lag: Known<f64>,
    /// Records of one write call.
    pub write_batch: Known<Group>,
    /// Records of one read page.
    pub read_page: Known<Group>,
    /// Bulk jobs, where it takes them.
    pub bulk: Option<BulkFacts>,
    /// Reads for each event that only names its record, else 0.
    pub reads_per_event: f64,
    /// Calls of one write: 2 where a look-up must come first.
    pub calls_per_write: f64,
    /// Calls at a time.
    pub concurrency: Known<f64>,
    /// Whether a call waits for the one that is under way. A webhook's receiver is given many at
    /// once, though the estimate counts on one.
    pub waits_for_call: bool,
    /// The share of every quota that this policy may use.
    pub budget: Known<f64>,
    /// Limits, the catalog's first.
    pub limits: Vec<LimitFacts>,
    /// What calls cost.
    pub price: PriceFacts,
    /// Whether records can be read from it.
    pub can_read: bool,
    /// Whether records can be written to it.
    pub can_write: bool,
    /// Whether it tells of changes.
    pub has_events: bool,
}

/// A limit on calls, with seats and tier worked in.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitFacts {
    /// Its name.
    pub name: String,
    /// How many calls.
    pub calls: f64,
    /// Within how many seconds.
    pub per_seconds: f64,
    /// Which calls count.
    pub counts: Counting,
    /// Where it comes from.
    pub origin: Origin,
}

/// What calls cost.
#[derive(Debug, Clone, PartialEq)]
pub enum PriceFacts {
    /// Nobody names a price: they cost nothing.
    None,
    /// So much in the policy's currency.
    Known {
        /// Of one call.
        per_call: Known<f64>,
        /// Calls a month that the tier includes.
        included: Option<Known<f64>>,
    },
    /// The catalog knows a price in this other currency only.
    Foreign(String),
}

/// Bulk jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkFacts {
    /// From how many records a job is taken.
    pub from_records: Known<f64>,
    /// Records of one upload.
    pub records: Known<u32>,
    /// Calls that a job takes whatever its size.
    pub fixed_calls: Known<f64>,
}

impl LimitFacts {
    /// Whether it is a quota (of a day or longer) and no burst limit.
    pub fn is_quota(&self) -> bool {
        self.per_seconds >= DAY_SECONDS
    }

    /// Calls a second.
    pub fn per_second(&self) -> f64 {
        self.calls / self.per_seconds
    }

    /// Calls a day.
    pub fn per_day(&self) -> f64 {
        self.per_second() * DAY_SECONDS
    }

    /// Whether it counts writes, as every limit but those of reads does.
    pub fn counts_writes(&self) -> bool {
        matches!(
            self.counts.what,
            catalog::Calls::All | catalog::Calls::Writes
        )
    }
}

impl SystemFacts {
    /// Expected attempts for each call that succeeds.
    pub fn attempts(&self) -> f64 {
        attempts(self.failure.value)
    }

    /// Its burst limits.
    pub fn bursts(&self) -> impl Iterator<Item = &LimitFacts> {
        self.limits.iter().filter(|l| !l.is_quota())
    }

    /// Its quotas.
    pub fn quotas(&self) -> impl Iterator<Item = &LimitFacts> {
        self.limits.iter().filter(|l| l.is_quota())
    }
}

/// What is known of every system, by id.
pub(super) fn of_policy(policy: &Policy) -> Vec<SystemFacts> {
    let systems = policy.systems.iter();
    systems.map(|s| of_system(s, &policy.currency)).collect()
}

/// A catalog's figure, or the default where the catalog is silent.
fn figure<T: Copy, U>(
    entry: Option<&Entry>,
    of: impl Fn(&Entry) -> Option<&Figure<T>>,
    shape: impl Fn(T) -> U,
    default: U,
    why: &'static str,
) -> Known<U> {
    let found = entry.and_then(|e| of(e).map(|f| (e, f)));
    found.map_or(Known::default(default, why), |(entry, figure)| Known {
        value: shape(figure.value),
        origin: from_catalog(entry, figure),
    })
}

fn from_catalog<T>(entry: &Entry, figure: &Figure<T>) -> Origin {
    Origin::Catalog {
        entry: entry.name.clone(),
        source: figure.source.clone(),
    }
}

fn of_system(system: &System, currency: &str) -> SystemFacts {
    let entry = system.entry();
    let tier = entry.and_then(|e| tier(system, e));
    let seconds = |period: catalog::Period| period.0.as_secs_f64();
    let can = entry.map(|e| e.capabilities);
    let whole_file = entry.is_some_and(|e| e.batch.whole_file);
    let group = |of: fn(&Entry) -> Option<&Figure<u32>>, default, why| match entry {
        Some(e) if whole_file => Known {
            value: None,
            origin: Origin::Catalog {
                entry: e.name.clone(),
                source: None,
            },
        },
        _ => figure(entry, of, |n| Some(n.max(1)), Some(default), why),
    };
    let concurrency = tier.and_then(|t| t.concurrency.as_ref()).map_or_else(
        || {
            figure(
                entry,
                |e| e.concurrency.as_ref(),
                f64::from,
                1.0,
                "one call at a time where the catalog is silent",
            )
        },
        |c| Known {
            value: f64::from(c.value),
            origin: entry.map_or(Origin::Default(""), |e| from_catalog(e, c)),
        },
    );
    SystemFacts {
        id: system.id,
        failure: system.failure.as_ref().map_or(
            Known::default(0.005, "a share of 0.5 % of calls fails where nobody says"),
            |f| Known::said(f.value.share(), f.span),
        ),
        latency: system.latency.as_ref().map_or_else(
            || {
                figure(
                    entry,
                    |e| e.latency.as_ref(),
                    seconds,
                    2.0,
                    "writes take 2 s where the catalog is silent",
                )
            },
            |l| Known::said(l.value.as_secs_f64(), l.span),
        ),
        event_latency: figure(
            entry,
            |e| e.events.as_ref()?.latency.as_ref(),
            seconds,
            5.0,
            "events come within 5 s where the catalog is silent",
        ),
        read_lag: figure(
            entry,
            |e| e.visibility_lag.as_ref(),
            seconds,
            0.0,
            "reads show changes at once where the catalog is silent",
        ),
        write_batch: group(
            |e| e.batch.write.as_ref(),
            1,
            "one record a call where the catalog is silent",
        ),
        read_page: group(
            |e| e.batch.read_page.as_ref(),
            100,
            "100 records a page where the catalog is silent",
        ),
        bulk: entry.and_then(bulk),
        reads_per_event: entry
            .and_then(|e| e.events.as_ref())
            .map_or(0.0, |e| f64::from(e.payload.reads())),
        calls_per_write: match can {
            // What cannot be read cannot be looked up, and a file is rewritten whole.
            Some(can) if !can.upsert && can.read && !whole_file => 2.0,
            _ => 1.0,
        },
        waits_for_call: concurrency.value <= 1.0 && entry.is_none_or(|e| e.name != "webhook"),
        concurrency,
        budget: system.budget.as_ref().map_or(
            Known::default(1.0, "the whole quota where nobody says"),
            |b| Known::said(b.value.share(), b.span),
        ),
        limits: limits(system, entry, tier),
        price: price(system, entry, tier, currency),
        can_read: can.is_none_or(|c| c.read),
        can_write: can.is_none_or(|c| c.write),
        has_events: can.is_none_or(|c| c.events),
    }
}

/// The tier that holds: the one named, else the smallest.
pub fn tier<'e>(system: &System, entry: &'e Entry) -> Option<&'e Tier> {
    match &system.tier {
        Some(said) => entry.tier(&said.value),
        None => entry.smallest_tier(),
    }
}

/// The policy's price, else the catalog's in the policy's currency. What the tier includes holds
/// for both.
fn price(
    system: &System,
    entry: Option<&Entry>,
    tier: Option<&Tier>,
    currency: &str,
) -> PriceFacts {
    let offers = || {
        entry
            .into_iter()
            .flat_map(|e| e.prices(tier).map(move |p| (e, p)))
    };
    let ours = offers().find(|(_, p)| p.currency == currency);
    let of_one = |amount: Decimal, calls: u64| amount.to_f64().unwrap_or(0.0) / calls.max(1) as f64;
    let per_call = match (&system.price, &ours) {
        (Some(said), _) => Known::said(of_one(said.value.amount, said.value.calls), said.span),
        (None, Some((entry, price))) => Known {
            value: of_one(price.amount.value, price.per_calls),
            origin: from_catalog(entry, &price.amount),
        },
        (None, None) => {
            return match offers().next() {
                Some((_, foreign)) => PriceFacts::Foreign(foreign.currency.clone()),
                None => PriceFacts::None,
            };
        }
    };
    let included = ours.or_else(|| offers().next()).and_then(|(entry, price)| {
        let calls = price.included_calls.as_ref()?;
        Some(Known {
            value: calls.value as f64,
            origin: from_catalog(entry, calls),
        })
    });
    PriceFacts::Known { per_call, included }
}

fn bulk(entry: &Entry) -> Option<BulkFacts> {
    let bulk = entry.batch.bulk.as_ref()?;
    let known = |f: &Figure<u32>| Known {
        value: f.value,
        origin: from_catalog(entry, f),
    };
    Some(BulkFacts {
        from_records: known(&bulk.from_records).map(f64::from),
        records: known(&bulk.records),
        fixed_calls: known(&bulk.fixed_calls).map(f64::from),
    })
}

fn limits(system: &System, entry: Option<&Entry>, tier: Option<&Tier>) -> Vec<LimitFacts> {
    let seats = system.seats.as_ref().map_or(0, |s| s.value);
    let vendor = entry.into_iter().flat_map(|entry| {
        entry.limits(tier).map(|limit| LimitFacts {
            name: limit.name.clone(),
            calls: limit.allowed(seats) as f64,
            per_seconds: limit.per.as_secs_f64(),
            counts: Counting::of(limit),
            origin: from_catalog(entry, &limit.calls),
        })
    });
    let own = system.limits.iter().map(|limit| LimitFacts {
        name: "limit".to_owned(),
        calls: limit.value.count as f64,
        per_seconds: limit.value.per.as_secs_f64(),
        counts: Counting::each(catalog::Calls::All),
        origin: Origin::Policy(limit.span),
    });
    vendor.chain(own).filter(|l| l.per_seconds > 0.0).collect()
}
