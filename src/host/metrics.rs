//! What `/metrics` says: counts of the runner under way, and what its store holds.
//!
//! Names follow the conventions of Prometheus: base units, `_total` for what only grows. Counts
//! begin at 0 when a runner starts, as Prometheus expects of a process. `docs/monitoring.md`
//! lists them; its table is made from [`FAMILIES`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::watch::{Live, SharedLive};
use crate::engine::freshness::ages;
use crate::engine::ports::{Store, Stored};
use crate::engine::program::Program;
use crate::store::SqliteStore;
use crate::time::Instant;

/// A family of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name, with `_total` where it only grows.
    pub name: &'static str,
    /// Whether it only grows.
    pub counts: bool,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family {
        name,
        counts: true,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family {
        name,
        counts: false,
        labels,
        help,
    }
}

const INFO: usize = 0;
const READ: usize = 1;
const CHANGED: usize = 2;
const DEDUPLICATED: usize = 3;
const QUARANTINED: usize = 4;
const WRITES: usize = 5;
const CONFLICTS: usize = 6;
const DRIFT: usize = 7;
const CLAMPED: usize = 8;
const CALLS: usize = 9;
const FAILING: usize = 10;
const WAITING: usize = 11;
const LETTERS: usize = 12;
const HELD: usize = 13;
const AGE: usize = 14;
const BOUND: usize = 15;
const RUN_STATUS: usize = 16;
const RUN_END: usize = 17;
const RUN_SECONDS: usize = 18;
const ALERTS: usize = 19;
const EVENTS: usize = 20;
const KEPT: usize = 21;

/// Every family, in the order in which they are told.
pub const FAMILIES: [Family; 22] = [
    gauge(
        "syncline_build_info",
        &["version", "policy", "digest"],
        "1, with the version that runs and the plan it runs",
    ),
    counter(
        "syncline_records_read_total",
        &["scenario"],
        "Records read from sources by runs, or told by events",
    ),
    counter(
        "syncline_records_changed_total",
        &["scenario"],
        "Records whose shown values changed",
    ),
    counter(
        "syncline_records_deduplicated_total",
        &["scenario"],
        "Records dropped as repeats of another",
    ),
    counter(
        "syncline_records_quarantined_total",
        &["scenario"],
        "Records kept back by a checkpoint or because they could not be read",
    ),
    counter(
        "syncline_writes_total",
        &["scenario", "outcome"],
        "Writes by outcome: `written` is confirmed by the destination, `failed` refused or given up",
    ),
    counter(
        "syncline_conflicts_total",
        &["scenario"],
        "Fields on which origins disagreed",
    ),
    counter(
        "syncline_drift_total",
        &["scenario"],
        "Differences that a reconcile found: what real time had missed",
    ),
    counter(
        "syncline_clamped_total",
        &["scenario"],
        "Reports whose change time lay more than 5 minutes in the future, so that their arrival was taken",
    ),
    counter(
        "syncline_calls_total",
        &["scenario", "system"],
        "Calls made to a system",
    ),
    gauge(
        "syncline_system_failing",
        &["system"],
        "1 while the last call to a system failed, else 0",
    ),
    gauge(
        "syncline_waiting_writes",
        &["system"],
        "Writes that wait for a system: at most one a record",
    ),
    gauge(
        "syncline_dead_letters",
        &["system"],
        "Writes into a system that were given up",
    ),
    gauge(
        "syncline_open_conflicts",
        &["field"],
        "Conflicts that wait for a person",
    ),
    gauge(
        "syncline_field_age_seconds",
        &["field", "system"],
        "How old a field with a `fresh` bound is in a system, by watermarks; missing until something has arrived",
    ),
    gauge(
        "syncline_field_bound_seconds",
        &["field", "system"],
        "The `fresh` bound of that field",
    ),
    gauge(
        "syncline_last_run_status",
        &["scenario", "status"],
        "1 for the status of a scenario's last run",
    ),
    gauge(
        "syncline_last_run_end_timestamp_seconds",
        &["scenario"],
        "When a scenario's last run ended, in seconds since 1970",
    ),
    gauge(
        "syncline_last_run_duration_seconds",
        &["scenario"],
        "How long a scenario's last run took",
    ),
    counter(
        "syncline_alerts_total",
        &["outcome"],
        "Alerts by outcome: `delivered`, `refused` by the receiver, `failed` and to be tried again",
    ),
    counter(
        "syncline_events_total",
        &["system", "outcome"],
        "Events posted to a hook, by outcome: `stored`, or `repeated` where one of that id was stored in the last 7 days, so that it was acknowledged and dropped",
    ),
    gauge(
        "syncline_slot_held_bytes",
        &["system"],
        "Log that a PostgreSQL server keeps on its disk for the slot that the runner follows, looked at every 10 seconds; missing where none is followed",
    ),
];

/// The families as a table of the docs.
pub fn table() -> String {
    let mut out = String::from("| metric | labels | says |\n|---|---|---|\n");
    for family in &FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        out.push_str(&format!(
            "| `{}` | {} | {} |\n",
            family.name,
            labels.join(", "),
            family.help
        ));
    }
    out
}

/// A value with its labels' values.
type Sample = (Vec<String>, f64);

/// What is told at one time.
struct Samples(Vec<Vec<Sample>>);

impl Samples {
    fn add(&mut self, family: usize, labels: &[&str], value: f64) {
        let labels = labels.iter().map(|l| (*l).to_owned()).collect();
        if let Some(samples) = self.0.get_mut(family) {
            samples.push((labels, value));
        }
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Samples").field(&self.0.len()).finish()
    }
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for (family, samples) in FAMILIES.iter().zip(&self.0) {
            if samples.is_empty() {
                continue;
            }
            let (name, kind) = match family.counts {
                // The encoder adds the ending itself.
                true => (family.name.trim_end_matches("_total"), MetricType::Counter),
                false => (family.name, MetricType::Gauge),
            };
            let mut told = encoder.encode_descriptor(name, family.help, None, kind)?;
            for (values, value) in samples {
                let labels: Vec<(&str, &str)> = family
                    .labels
                    .iter()
                    .copied()
                    .zip(values.iter().map(String::as_str))
                    .collect();
                let mut one = told.encode_family(&labels)?;
                match family.counts {
                    true => one.encode_counter::<NoLabelSet, f64, f64>(value, None)?,
                    false => one.encode_gauge(value)?,
                }
            }
        }
        Ok(())
    }
}

/// Tells the metrics of a runner.
pub(super) struct Metrics {
    program: Arc<Program>,
    store: Mutex<SqliteStore>,
    live: SharedLive,
}

impl Metrics {
    /// Over a store that is open to look at.
    pub fn new(program: Arc<Program>, store: SqliteStore, live: SharedLive) -> Metrics {
        Metrics {
            program,
            store: Mutex::new(store),
            live,
        }
    }

    /// The metrics in Prometheus' text format.
    pub fn text(&self, now: Instant) -> Stored<String> {
        let mut samples = Samples(vec![Vec::new(); FAMILIES.len()]);
        let plan = &self.program.plan;
        let info = [env!("CARGO_PKG_VERSION"), &plan.policy, &plan.digest];
        samples.add(INFO, &info, 1.0);
        let live = self.live.get().clone();
        self.counted(&mut samples, &live);
        {
            // The store is whole whatever became of a request that held it.
            let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
            self.stored(&mut samples, &mut *store, now)?;
        }
        let mut registry = Registry::default();
        registry.register_collector(Box::new(samples));
        let mut text = String::new();
        // Writing into a text cannot fail.
        let _ = encode(&mut text, &registry);
        Ok(text)
    }

    fn counted(&self, samples: &mut Samples, live: &Live) {
        for (name, tally) in &live.tallies {
            let counts = &tally.counts;
            let singles = [
                (READ, counts.read),
                (CHANGED, counts.changed),
                (DEDUPLICATED, counts.deduplicated),
                (QUARANTINED, counts.quarantined),
                (CONFLICTS, counts.conflicts),
                (DRIFT, counts.drift),
                (CLAMPED, tally.clamped),
            ];
            for (family, count) in singles {
                samples.add(family, &[name], count as f64);
            }
            samples.add(WRITES, &[name, "written"], counts.written as f64);
            samples.add(WRITES, &[name, "failed"], counts.failed as f64);
            for (system, calls) in &tally.calls {
                samples.add(CALLS, &[name, system], *calls as f64);
            }
        }
        let alerts = [
            ("delivered", live.alerts.delivered),
            ("refused", live.alerts.refused),
            ("failed", live.alerts.failed),
        ];
        if self.program.plan.alert.is_some() {
            for (outcome, count) in alerts {
                samples.add(ALERTS, &[outcome], count as f64);
            }
        }
        for (system, bytes) in &live.held {
            samples.add(KEPT, &[system], *bytes as f64);
        }
        for (system, ix) in self.program.plan.systems.iter().zip(0..) {
            if system.connector == "webhook" {
                let name = &system.name;
                let counts = live.events.get(&ix).copied().unwrap_or_default();
                samples.add(EVENTS, &[name, "stored"], counts.stored as f64);
                samples.add(EVENTS, &[name, "repeated"], counts.repeated as f64);
            }
            let fails = live.failing.contains_key(&system.name);
            samples.add(FAILING, &[&system.name], f64::from(u8::from(fails)));
        }
    }

    fn stored(&self, samples: &mut Samples, store: &mut dyn Store, now: Instant) -> Stored<()> {
        let waiting: BTreeMap<String, u64> = store.waiting_counts()?.into_iter().collect();
        let mut letters: BTreeMap<String, u64> = BTreeMap::new();
        for letter in store.dead_letters()? {
            *letters.entry(letter.system).or_default() += 1;
        }
        for system in &self.program.plan.systems {
            let of = |counts: &BTreeMap<String, u64>| {
                counts.get(&system.name).copied().unwrap_or(0) as f64
            };
            samples.add(WAITING, &[&system.name], of(&waiting));
            samples.add(LETTERS, &[&system.name], of(&letters));
        }
        let mut held: BTreeMap<String, u64> = BTreeMap::new();
        for conflict in store.conflicts()? {
            *held
                .entry(format!("{}.{}", conflict.entity, conflict.field))
                .or_default() += 1;
        }
        for (field, count) in held {
            samples.add(HELD, &[&field], count as f64);
        }
        for age in ages(&self.program, store, now, true)? {
            let place = [age.field.as_str(), age.system.as_str()];
            if let Some(old) = age.age {
                samples.add(AGE, &place, old.as_secs_f64());
            }
            samples.add(BOUND, &place, age.within.as_secs_f64());
        }
        for scenario in &self.program.plan.scenarios {
            let name = scenario.name.as_str();
            let runs = store.runs(Some(name), 1)?;
            let Some(run) = runs.first() else { continue };
            samples.add(RUN_STATUS, &[name, run.status.word()], 1.0);
            if let Some(ended) = run.ended {
                samples.add(RUN_END, &[name], ended.0 as f64 / 1e3);
                let took = ended.since(run.started).as_secs_f64();
                samples.add(RUN_SECONDS, &[name], took);
            }
        }
        Ok(())
    }
}
