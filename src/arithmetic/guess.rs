//! What is only guessed, and between what ends it may lie.
//!
//! A figure is a guess where nobody says it ([`Origin::Default`]) or where the catalog has it
//! without a source. A default's ends are those between which the figure lies at nearly all vendors
//! and policies; a figure without a source may be half or twice what it says. All guesses are
//! turned at once, well or badly, so that two more passes over the arithmetic give the ends of every
//! figure: each of them only grows, or only falls, with each guess.

use super::Arithmetic;
use super::demand::Demand;
use super::facts::{BulkFacts, LimitFacts, PriceFacts, SystemFacts};
use super::known::{Known, Origin};
use crate::model::{Policy, SystemId};

/// How all that is guessed turns out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// As it is taken.
    #[default]
    Taken,
    /// So that there are fewer calls, and fields are younger.
    Well,
    /// So that there are more calls, and fields are older.
    Badly,
}

/// What is guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guess {
    /// The share of calls that fail.
    Failure,
    /// Seconds of a write.
    Latency,
    /// Seconds until an event comes.
    EventLatency,
    /// Seconds for which a change stays hidden from reads.
    ReadLag,
    /// Records of a write.
    WriteBatch,
    /// Records of a page.
    ReadPage,
    /// Calls at a time.
    Concurrency,
    /// What a limit allows.
    Limit,
    /// What a call costs.
    Price,
    /// Calls that a tier includes.
    Included,
    /// Records of one upload of a bulk job.
    BulkRecords,
    /// Calls that a bulk job takes whatever its size.
    BulkCalls,
    /// The busiest minute over the mean.
    Peak,
    /// The share of records that an `if` lets through.
    Passes,
    /// The share of changes that real time misses.
    Drift,
}

/// A guess with its ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Guessed {
    /// What is guessed.
    pub what: Guess,
    /// What it is of, where a system has several: a limit's name.
    pub name: Option<String>,
    /// The figure taken.
    pub taken: f64,
    /// What it is where it turns out well.
    pub well: f64,
    /// What it is where it turns out badly.
    pub badly: f64,
    /// Where the figure taken comes from.
    pub origin: Origin,
}

/// How much more or less a figure without a source may be.
const UNVERIFIED: f64 = 2.0;

impl Guess {
    /// The ends of its default: where it turns out well, where badly.
    fn of_default(self) -> Option<(f64, f64)> {
        match self {
            Guess::Failure => Some((0.0, 0.02)),
            Guess::Latency => Some((0.5, 10.0)),
            Guess::EventLatency => Some((1.0, 60.0)),
            Guess::ReadLag => Some((0.0, 60.0)),
            Guess::WriteBatch => Some((10.0, 1.0)),
            Guess::ReadPage => Some((1_000.0, 20.0)),
            Guess::Concurrency => Some((10.0, 1.0)),
            Guess::Peak => Some((1.5, 10.0)),
            Guess::Passes => Some((0.0, 1.0)),
            Guess::Drift => Some((0.0, 0.01)),
            // These have no defaults: what nobody says of them is left out.
            Guess::Limit
            | Guess::Price
            | Guess::Included
            | Guess::BulkRecords
            | Guess::BulkCalls => None,
        }
    }

    /// Whether more of it makes for fewer calls or younger fields.
    fn helps(self) -> bool {
        matches!(
            self,
            Guess::WriteBatch
                | Guess::ReadPage
                | Guess::Concurrency
                | Guess::Limit
                | Guess::Included
                | Guess::BulkRecords
        )
    }

    fn is_whole(self) -> bool {
        matches!(
            self,
            Guess::WriteBatch | Guess::ReadPage | Guess::Concurrency | Guess::BulkRecords
        )
    }

    /// The figure with its ends; none where it is no guess.
    fn at(self, figure: &Known<f64>) -> Option<Guessed> {
        if !figure.origin.is_guess() {
            return None;
        }
        let taken = figure.value;
        let (well, badly) = match &figure.origin {
            Origin::Default(_) => self.of_default()?,
            _ if self.helps() => (taken * UNVERIFIED, taken / UNVERIFIED),
            _ => (taken / UNVERIFIED, taken * UNVERIFIED),
        };
        let whole = |end: f64| match self.is_whole() {
            true => end.round().max(1.0),
            false => end,
        };
        let (well, badly) = (whole(well), whole(badly));
        (well != badly).then(|| Guessed {
            what: self,
            name: None,
            taken,
            well,
            badly,
            origin: figure.origin.clone(),
        })
    }

    /// The figure as it turns out.
    pub(super) fn turned(self, figure: &Known<f64>, turn: Turn) -> f64 {
        match (turn, self.at(figure)) {
            (Turn::Well, Some(guess)) => guess.well,
            (Turn::Badly, Some(guess)) => guess.badly,
            _ => figure.value,
        }
    }
}

/// The guesses in what is known of a system.
fn of_facts(facts: &SystemFacts) -> Vec<Guessed> {
    let single = [
        (Guess::Failure, Some(facts.failure.clone())),
        (Guess::Latency, Some(facts.latency.clone())),
        (Guess::EventLatency, Some(facts.event_latency.clone())),
        (Guess::ReadLag, Some(facts.read_lag.clone())),
        (Guess::WriteBatch, group(&facts.write_batch)),
        (Guess::ReadPage, group(&facts.read_page)),
        (Guess::Concurrency, Some(facts.concurrency.clone())),
    ];
    let mut all: Vec<Guessed> = single
        .into_iter()
        .filter_map(|(what, figure)| what.at(&figure?))
        .collect();
    all.extend(facts.limits.iter().filter_map(|limit| {
        let guess = Guess::Limit.at(&allowed(limit))?;
        let name = Some(limit.name.clone());
        Some(Guessed { name, ..guess })
    }));
    if let PriceFacts::Known { per_call, included } = &facts.price {
        all.extend(Guess::Price.at(per_call));
        all.extend(included.as_ref().and_then(|i| Guess::Included.at(i)));
    }
    if let Some(bulk) = &facts.bulk {
        all.extend(Guess::BulkRecords.at(&bulk.records.clone().map(f64::from)));
        all.extend(Guess::BulkCalls.at(&bulk.fixed_calls));
    }
    all
}

/// A system as its guesses turn out.
pub(super) fn turn_facts(facts: &SystemFacts, turn: Turn) -> SystemFacts {
    let one = |what: Guess, figure: &Known<f64>| Known {
        value: what.turned(figure, turn),
        origin: figure.origin.clone(),
    };
    let several = |what: Guess, figure: &Known<Option<u32>>| match group(figure) {
        Some(known) => Known {
            value: Some(records(what.turned(&known, turn))),
            origin: known.origin,
        },
        None => figure.clone(),
    };
    SystemFacts {
        failure: one(Guess::Failure, &facts.failure),
        latency: one(Guess::Latency, &facts.latency),
        event_latency: one(Guess::EventLatency, &facts.event_latency),
        read_lag: one(Guess::ReadLag, &facts.read_lag),
        write_batch: several(Guess::WriteBatch, &facts.write_batch),
        read_page: several(Guess::ReadPage, &facts.read_page),
        concurrency: one(Guess::Concurrency, &facts.concurrency),
        limits: facts
            .limits
            .iter()
            .map(|limit| LimitFacts {
                calls: Guess::Limit.turned(&allowed(limit), turn),
                ..limit.clone()
            })
            .collect(),
        price: match &facts.price {
            PriceFacts::Known { per_call, included } => PriceFacts::Known {
                per_call: one(Guess::Price, per_call),
                included: included.as_ref().map(|i| one(Guess::Included, i)),
            },
            other => other.clone(),
        },
        bulk: facts.bulk.as_ref().map(|bulk| BulkFacts {
            from_records: bulk.from_records.clone(),
            records: Known {
                value: records(
                    Guess::BulkRecords.turned(&bulk.records.clone().map(f64::from), turn),
                ),
                origin: bulk.records.origin.clone(),
            },
            fixed_calls: one(Guess::BulkCalls, &bulk.fixed_calls),
        }),
        ..facts.clone()
    }
}

impl Demand {
    /// What is guessed of it.
    pub fn guesses(&self) -> Vec<Guessed> {
        let passes = |share: &Option<Known<f64>>| Guess::Passes.at(share.as_ref()?);
        let all = [
            Guess::Peak.at(&self.peak),
            passes(&self.events_pass),
            passes(&self.records_pass),
            Guess::Drift.at(&self.drift),
        ];
        all.into_iter().flatten().collect()
    }
}

impl Arithmetic {
    /// What is guessed of a system and decides a figure of the policy.
    pub fn guesses_of_system(&self, policy: &Policy, system: SystemId) -> Vec<Guessed> {
        let (Some(facts), Some(load)) = (self.facts(system), self.system(system)) else {
            return Vec::new();
        };
        let part = Part::of(self, policy, system);
        let called = load.per_day().total() > 0.0;
        let decides = |what: Guess| match what {
            Guess::Failure | Guess::Price | Guess::Included | Guess::Limit => called,
            Guess::Latency => part.is_written || part.is_read_by_clock,
            Guess::EventLatency => part.is_heard,
            Guess::ReadLag => part.is_read_by_clock,
            Guess::WriteBatch => part.takes_batches,
            Guess::BulkRecords | Guess::BulkCalls => part.takes_batches,
            Guess::ReadPage => facts.can_read && (part.is_read_by_clock || part.is_reconciled),
            Guess::Concurrency => part.is_read_by_clock || part.takes_batches,
            Guess::Peak | Guess::Passes | Guess::Drift => false,
        };
        let mut guesses = of_facts(facts);
        guesses.retain(|g| decides(g.what));
        guesses
    }
}

/// What a policy's scenarios do at a system.
#[derive(Debug, Default)]
struct Part {
    is_heard: bool,
    is_written: bool,
    is_read_by_clock: bool,
    is_reconciled: bool,
    /// Written by the clock, in batches whose size the scenario leaves to the catalog.
    takes_batches: bool,
}

impl Part {
    fn of(arithmetic: &Arithmetic, policy: &Policy, system: SystemId) -> Part {
        let mut part = Part::default();
        for scenario in &policy.scenarios {
            let Some(figures) = arithmetic.scenario(scenario.id) else {
                continue;
            };
            let (live, clock) = (
                figures.timing.is_realtime(),
                figures.timing.gaps().is_some(),
            );
            let from = figures.hops.iter().any(|h| h.from == system);
            let to = figures.hops.iter().any(|h| h.to == system);
            part.is_heard |= from && live;
            part.is_read_by_clock |= from && clock && !live;
            part.is_written |= to;
            part.is_reconciled |= (from || to) && clock && live;
            part.takes_batches |= to && clock && scenario.batch.is_none();
        }
        part
    }
}

/// A group's size; none where it is the whole file.
fn group(figure: &Known<Option<u32>>) -> Option<Known<f64>> {
    Some(Known {
        value: f64::from(figure.value?),
        origin: figure.origin.clone(),
    })
}

fn allowed(limit: &LimitFacts) -> Known<f64> {
    Known {
        value: limit.calls,
        origin: limit.origin.clone(),
    }
}

/// A size as a whole number; what is beyond the type's range is cut.
fn records(size: f64) -> u32 {
    size.round().clamp(1.0, f64::from(u32::MAX)) as u32
}
