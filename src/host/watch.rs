//! What others may know of a runner under way: a copy of its counts for other threads, renewed now
//! and then, and its steps for traces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::spans::Spans;
use crate::engine::ports::{RunRecord, SystemIx};
use crate::engine::runner::{Alert, Observer, Progress, Standing, Tally};
use crate::engine::steps::Step;

/// How often the copy is renewed while the runner has no pause; it steps far more often.
const RENEW: Duration = Duration::from_millis(250);

/// The copy.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Live {
    /// What was counted since the runner started, by scenario.
    pub tallies: BTreeMap<String, Tally>,
    /// The systems whose last call failed.
    pub failing: BTreeMap<String, Trouble>,
    /// How many runners there were before this one in this process.
    pub runners: u32,
    /// The systems that have answered well since the runner started.
    pub answered: BTreeSet<String>,
    /// Bytes that systems keep for what follows them.
    pub held: BTreeMap<String, u64>,
    /// What became of alerts.
    pub alerts: AlertCounts,
    /// Events that were posted, by system.
    pub events: BTreeMap<SystemIx, EventCounts>,
    /// Whether the runner has made its first step: its plan and its store are in order.
    pub ready: bool,
}

/// What became of alerts since the runner started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AlertCounts {
    /// Taken by the receiver.
    pub delivered: u64,
    /// Refused by it for good.
    pub refused: u64,
    /// Attempts that failed and are made again.
    pub failed: u64,
}

/// What became of the events of a system that were posted since the runner started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct EventCounts {
    /// Stored.
    pub stored: u64,
    /// Acknowledged and dropped: one of the same id was stored before.
    pub repeated: u64,
}

/// What is wrong with a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// In words.
    pub error: String,
    /// Whether its credentials were refused.
    pub auth: bool,
    /// Since when it is paused.
    pub paused: Option<crate::time::Instant>,
}

impl Live {
    /// The runner is over, and another one will begin with what the store holds.
    pub fn begin_anew(&mut self) {
        self.ready = false;
        self.runners += 1;
        self.failing.clear();
        self.answered.clear();
    }
}

/// The copy as threads share it.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedLive(Arc<Mutex<Live>>);

impl SharedLive {
    /// The copy; nobody holds it for longer than it takes to read or renew it.
    pub fn get(&self) -> MutexGuard<'_, Live> {
        // Plain data is whole whatever became of a thread that held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An observer that renews the copy and passes everything on.
pub(super) struct Watched<'o> {
    inner: &'o mut dyn Observer,
    live: SharedLive,
    spans: Option<Spans>,
    renewed: Option<Instant>,
}

impl<'o> Watched<'o> {
    pub fn new(inner: &'o mut dyn Observer, live: SharedLive, spans: Option<Spans>) -> Self {
        Watched {
            inner,
            live,
            spans,
            renewed: None,
        }
    }
}

impl Observer for Watched<'_> {
    fn progress(&mut self, at: &Progress<'_>) {
        self.inner.progress(at);
    }

    fn alert(&mut self, alert: &Alert<'_>) {
        self.inner.alert(alert);
    }

    fn run_started(&mut self, run: &RunRecord) {
        if let Some(spans) = &mut self.spans {
            spans.run_started(run);
        }
        self.inner.run_started(run);
    }

    fn run_ended(&mut self, run: &RunRecord) {
        if let Some(spans) = &mut self.spans {
            spans.run_ended(run);
        }
        self.inner.run_ended(run);
    }

    fn follows_steps(&self) -> bool {
        self.spans.is_some()
    }

    fn step(&mut self, step: &Step<'_>) {
        if let Some(spans) = &mut self.spans {
            spans.step(step);
        }
    }

    fn standing(&mut self, at: &Standing<'_>) {
        self.inner.standing(at);
        if !at.pauses && self.renewed.is_some_and(|then| then.elapsed() < RENEW) {
            return;
        }
        self.renewed = Some(Instant::now());
        let mut live = self.live.get();
        let alerts = live.alerts;
        let events = std::mem::take(&mut live.events);
        let runners = live.runners;
        *live = Live {
            runners,
            tallies: at
                .tallies()
                .map(|(n, t)| (n.to_owned(), t.clone()))
                .collect(),
            held: at.held().map(|(n, bytes)| (n.to_owned(), bytes)).collect(),
            failing: at
                .failing()
                .map(|f| {
                    let trouble = Trouble {
                        error: f.error.to_owned(),
                        auth: f.auth,
                        paused: f.paused,
                    };
                    (f.system.to_owned(), trouble)
                })
                .collect(),
            answered: at.answered().map(str::to_owned).collect(),
            alerts,
            events,
            ready: true,
        };
    }
}
