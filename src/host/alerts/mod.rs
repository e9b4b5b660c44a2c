//! Tells the policy's `alert` of breached bounds, dead letters, aborted runs and refused
//! credentials, as signed Standard Webhooks.
//!
//! Looks at the store and at the runner's standing every few seconds, in a thread of its own, so
//! that a receiver that hangs holds up nobody. What was told is remembered in the store once the
//! receiver has taken it: an alert is told at least once, whatever is killed and whenever, and its
//! `webhook-id` is the same each time. Keys and values of records are never told: of an error no
//! more than its cause (see [`crate::engine::cause`]).

mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use refusals::{Refusal, Seen};

use super::HostError;
use super::clock::now;
use super::watch::SharedLive;
use super::world::Env;
use crate::connector::post::{Post, Told, Whose};
use crate::engine::cause::{cause, on_one_line};
use crate::engine::freshness::ages;
use crate::engine::ports::{RunRecord, RunStatus, Store, Stored};
use crate::engine::program::Program;
use crate::plan::EnvRef;
use crate::store::{LettersMark, MadeLetter, OpenMode, SqliteStore};
use crate::time::Instant;

/// The variable with the key that alerts are signed with.
pub const SECRET: &str = "SYNCLINE_ALERT_SECRET";

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After so many looks without an answer of the receiver, each further attempt waits longer.
const WAIT_MAX: u32 = 150;
/// Runs that are looked back at.
const RUNS_BACK: usize = 1_000;
/// How many letters of a cause are named by their numbers.
const LETTERS_NAMED: usize = 20;

/// Up to which dead letters were told: a [`LettersMark`] as JSON.
const TOLD_LETTERS: &str = "alerted:letters";
/// Which aborted runs were told: [`ToldRuns`] as JSON.
const TOLD_RUNS: &str = "alerted:runs";
/// The breaches that were told and are not over, as a JSON list.
const TOLD_BREACHES: &str = "alerted:breaches";
/// The refusals of credentials that are not over, or not told, as a JSON list.
const TOLD_AUTH: &str = "alerted:auth";

/// Aborted runs that were told: a run may end after later ones.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct ToldRuns {
    /// All up to this number, as earlier versions noted it.
    upto: i64,
    /// And each of these.
    beyond: BTreeSet<i64>,
}

impl ToldRuns {
    /// What cannot be read was never told.
    fn read(text: &str) -> ToldRuns {
        match text.parse() {
            Ok(upto) => ToldRuns {
                upto,
                ..ToldRuns::default()
            },
            Err(_) => serde_json::from_str(text).unwrap_or_default(),
        }
    }
}

/// A thread that tells alerts; it looks once more when it is dropped.
pub(super) struct Alerts {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Alerts {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to tell.
            let _ = thread.join();
        }
    }
}

/// Starts to look, where the plan has an `alert`. `heard`: whether events that are posted to the
/// runner reach it; without, what comes by them gets older.
pub(super) fn start(
    program: Arc<Program>,
    env: &Env,
    store: &Path,
    (live, heard): (SharedLive, bool),
) -> Result<Option<Alerts>, HostError> {
    let Some(address) = &program.plan.alert else {
        return Ok(None);
    };
    let url = env(&address.env).or_else(|| address.default.clone());
    let (url, secret) = url.zip(env(SECRET)).ok_or_else(|| unset(address, env))?;
    let whose = Whose {
        who: "the receiver of alerts",
        address: &format!("the variable `{}` of `alert`", address.env),
        secret: &format!("the variable `{SECRET}`"),
    };
    let post = Post::to(whose, &url, &secret).map_err(HostError::from_failure)?;
    let store = SqliteStore::open(store, OpenMode::Operate).map_err(HostError::from_store)?;
    let mut watch = Watch {
        program,
        store,
        live,
        heard,
        post,
        silent: 0,
        wait: 0,
        refused: Seen::new(),
        runner: 0,
        said: BTreeSet::new(),
    };
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        loop {
            let over = stopped.recv_timeout(LOOK_EVERY);
            watch.look(over == Err(RecvTimeoutError::Disconnected));
            if over != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    });
    Ok(Some(Alerts {
        stop: Some(stop),
        thread: Some(thread),
    }))
}

fn unset(address: &EnvRef, env: &Env) -> HostError {
    let missing = [address.env.as_str(), SECRET];
    let missing = missing.into_iter().filter(|name| env(name).is_none());
    let missing: Vec<String> = missing.map(|name| format!("`{name}`")).collect();
    HostError {
        message: format!(
            "not set in the environment: {} (of the policy's `alert`)",
            missing.join(", ")
        ),
        remedy: Some(format!(
            "export the address as `{}`, and as `{SECRET}` the key that its receiver verifies with: \
             `whsec_` and at least 24 random bytes in base64",
            address.env
        )),
    }
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
struct Alert {
    kind: &'static str,
    data: Json,
    /// What tells it from another of the same data; the same each time it is told.
    event: String,
    /// What is remembered once it was taken.
    after: (&'static str, String),
}

impl Alert {
    fn id(&self) -> String {
        let said = format!("{}\n{}\n{}", self.kind, self.data, self.event);
        format!("alert_{}", hex(&Sha256::digest(said)))
    }
}

struct Watch {
    program: Arc<Program>,
    store: SqliteStore,
    live: SharedLive,
    /// Whether systems that post their events are heard.
    heard: bool,
    post: Post,
    /// Looks in a row at which the receiver did not answer.
    silent: u32,
    /// Looks to be left out before the next attempt.
    wait: u32,
    /// Which pauses of systems for their credentials the present runner has seen, and which one it is.
    refused: Seen,
    runner: u32,
    /// What was said on standard error already, each thing once.
    said: BTreeSet<String>,
}

impl Watch {
    fn look(&mut self, last: bool) {
        if self.wait > 0 && !last {
            self.wait -= 1;
            return;
        }
        match self.alerts() {
            Ok(alerts) => self.tell(&alerts),
            Err(error) => self.say(format!("alerts: {}", error.message)),
        }
    }

    /// In order, up to the first that the receiver does not take: what comes after it waits.
    fn tell(&mut self, alerts: &[Alert]) {
        for alert in alerts {
            let now = now();
            let body = json!({
                "type": alert.kind,
                "timestamp": text_of(now),
                "data": alert.data,
            });
            match self.post.send(&alert.id(), now, body.to_string()) {
                Ok(told) => {
                    self.silent = 0;
                    match told {
                        Told::Taken => self.live.get().alerts.delivered += 1,
                        Told::Refused(words) => {
                            self.live.get().alerts.refused += 1;
                            let words = on_one_line(&words);
                            self.say(format!("the alert `{}` was refused: {words}", alert.kind));
                        }
                    }
                    let (key, value) = &alert.after;
                    if let Err(error) = self.store.set_meta(key, value) {
                        self.say(format!("alerts: {}", error.message));
                        return;
                    }
                }
                Err(failure) => {
                    self.live.get().alerts.failed += 1;
                    self.silent = self.silent.saturating_add(1);
                    self.wait = 2_u32.saturating_pow(self.silent.min(16)).min(WAIT_MAX);
                    let words = on_one_line(&failure.message);
                    self.say(format!("alerts cannot be told: {words}"));
                    return;
                }
            }
        }
    }

    fn say(&mut self, text: String) {
        if self.said.insert(text.clone()) {
            eprintln!("{text}");
        }
    }

    /// What is to be told now, in a fixed order.
    fn alerts(&mut self) -> Stored<Vec<Alert>> {
        let mut alerts = self.refused_credentials()?;
        alerts.extend(self.aborted_runs()?);
        alerts.extend(self.dead_letters()?);
        alerts.extend(self.breaches()?);
        Ok(alerts)
    }

    fn list(&mut self, key: &str) -> Stored<BTreeSet<String>> {
        let text = self.store.meta(key)?.unwrap_or_default();
        // What cannot be read was never told.
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    fn refused_credentials(&mut self) -> Stored<Vec<Alert>> {
        let text = self.store.meta(TOLD_AUTH)?.unwrap_or_default();
        // What cannot be read was never told.
        let mut entered: Vec<Refusal> = serde_json::from_str(&text).unwrap_or_default();
        let live = self.live.get().clone();
        if std::mem::replace(&mut self.runner, live.runners) != live.runners {
            self.refused.clear();
        }
        if refusals::renew(&mut entered, &mut self.refused, &live) {
            self.store
                .set_meta(TOLD_AUTH, &json!(entered).to_string())?;
        }
        let mut alerts = Vec::new();
        for at in 0..entered.len() {
            if std::mem::replace(&mut entered[at].told, true) {
                continue;
            }
            let Refusal {
                system,
                since,
                error,
                ..
            } = &entered[at];
            alerts.push(Alert {
                kind: "system.auth_failed",
                data: json!({
                    "policy": self.program.plan.policy,
                    "system": system,
                    "error": error,
                    "since": text_of(*since),
                }),
                event: String::new(),
                after: (TOLD_AUTH, json!(entered).to_string()),
            });
        }
        Ok(alerts)
    }

    fn aborted_runs(&mut self) -> Stored<Vec<Alert>> {
        let told = self.store.meta(TOLD_RUNS)?.unwrap_or_default();
        let mut told = ToldRuns::read(&told);
        let runs = self.store.runs(None, RUNS_BACK)?;
        if let Some(oldest) = runs.last() {
            // What is not looked at any more is not told again either.
            told.beyond.retain(|id| *id >= oldest.id);
        }
        let policy = &self.program.plan.policy;
        let mut alerts = Vec::new();
        let aborted = |r: &&RunRecord| r.status == RunStatus::Aborted && r.ended.is_some();
        for run in runs.iter().rev().filter(aborted) {
            if run.id <= told.upto || !told.beyond.insert(run.id) {
                continue;
            }
            alerts.push(Alert {
                kind: "run.aborted",
                data: json!({
                    "policy": policy,
                    "scenario": run.scenario,
                    "run": run.id,
                    "started": text_of(run.started),
                    "read": run.counts.read,
                    "quarantined": run.counts.quarantined,
                    "reason": run.note.as_deref().map(cause),
                }),
                event: String::new(),
                after: (TOLD_RUNS, json!(told).to_string()),
            });
        }
        Ok(alerts)
    }

    /// By cause: an outage of a day is one alert a look, not one for each record.
    fn dead_letters(&mut self) -> Stored<Vec<Alert>> {
        let told = self.store.meta(TOLD_LETTERS)?.unwrap_or_default();
        // What cannot be read was never told.
        let told: LettersMark = serde_json::from_str(&told).unwrap_or_default();
        let mut made = Made::default();
        let mark = self.store.letters_since(told, |letter| made.add(letter))?;
        if made.count == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![Alert {
            kind: "dead_letter.created",
            data: json!({
                "policy": self.program.plan.policy,
                "count": made.count,
                "causes": made.causes(),
                "newest": made.newest.and_then(text_of),
            }),
            event: hex(&made.event.finalize()),
            after: (TOLD_LETTERS, json!(mark).to_string()),
        }])
    }

    /// Bounds that do not hold now and did before, and the other way round.
    fn breaches(&mut self) -> Stored<Vec<Alert>> {
        let mut told = self.list(TOLD_BREACHES)?;
        let now = now();
        let ages = ages(&self.program, &mut self.store, now, self.heard)?;
        let mut alerts = Vec::new();
        for age in ages {
            // What has never arrived has no age yet: it breaches nothing, and `status` shows it.
            let Some(old) = age.age else { continue };
            let name = format!("{} in {}", age.field, age.system);
            let (kind, changes) = match age.holds() {
                false => ("freshness.breached", told.insert(name)),
                true => ("freshness.restored", told.remove(&name)),
            };
            if !changes {
                continue;
            }
            // The moment since when it is too old stays the same from look to look.
            let since = Instant(now.0 - old.0 as i64 + age.within.0 as i64);
            let at = match age.holds() {
                false => since,
                true => now,
            };
            alerts.push(Alert {
                kind,
                data: json!({
                    "policy": self.program.plan.policy,
                    "field": age.field,
                    "system": age.system,
                    "within_seconds": age.within.as_secs_f64(),
                    "since": text_of(at),
                }),
                event: String::new(),
                after: (TOLD_BREACHES, json!(told).to_string()),
            });
        }
        Ok(alerts)
    }
}

/// Dead letters that are told together: of each no more is kept than goes into the message.
#[derive(Default)]
struct Made {
    count: u64,
    newest: Option<Instant>,
    /// How many there are of a system and a cause, and the numbers of the first.
    groups: BTreeMap<(String, String), (u64, Vec<i64>)>,
    /// Of which letter each is the how-manieth: what makes this message another than the next one
    /// of the same words.
    event: Sha256,
}

impl Made {
    fn add(&mut self, letter: &MadeLetter) {
        self.count += 1;
        self.newest = self.newest.max(Some(letter.at));
        let of = (letter.system.clone(), cause(&letter.error).to_owned());
        let (count, letters) = self.groups.entry(of).or_default();
        *count += 1;
        if letters.len() < LETTERS_NAMED {
            letters.push(letter.id);
        }
        let made = (letter.id, letter.again, letter.attempts, letter.at.0);
        self.event.update(format!("{made:?}"));
    }

    fn causes(&self) -> Vec<Json> {
        let groups = self.groups.iter();
        let shown = groups.map(|((system, error), (count, letters))| {
            json!({ "system": system, "error": error, "count": count, "letters": letters })
        });
        shown.collect()
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn text_of(at: Instant) -> Option<String> {
    let time = DateTime::<Utc>::from_timestamp_millis(at.0)?;
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}
