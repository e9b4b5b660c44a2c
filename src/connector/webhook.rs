//! `webhook`, outgoing: each write a POST signed by Standard Webhooks.
//!
//! Option `url`, secret `signing`. The body is
//! `{"type": "<entity>.upserted", "timestamp": …, "data": {columns}}` (or `….deleted`, with the
//! key alone), the message's id is the write's idempotency key, so that a receiver can drop
//! repeats. Any 2xx is taken as durable there.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::FutureExt as _;
use serde::{Serialize, Serializer};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::codec::{Binding, Raw};
use super::failure::{panicked, reject};
use super::file::{bindings, no_such_map};
use super::post::{Headers, Post, Told, Whose};
use crate::engine::idempotency_key;
use crate::engine::ports::{
    Answer, Call, Connector, EventPage, Failure, Idempotency, MapIx, Page, ReadRequest, SystemIx,
    Write, WriteReport, WriteRequest,
};
use crate::failpoint::{Point, reach};
use crate::plan::Plan;
use crate::time::Instant;

/// Where the time comes from.
pub type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// A call on its way to a system.
#[derive(Debug)]
pub struct Handed {
    /// Its answer comes with the same.
    pub ticket: u64,
    /// What is asked.
    pub call: Call,
    /// What travels along over HTTP.
    pub headers: Headers,
}

/// A system that hears of changes.
pub struct Webhook {
    system: String,
    post: Post,
    maps: BTreeMap<MapIx, Binding>,
    /// The plan's scenarios, by position.
    scenarios: Vec<String>,
    now: Clock,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("system", &self.system)
            .field("post", &self.post)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// A system whose option `url` is `url` and whose secret `signing` is `secret`.
    ///
    /// Must not be dropped within an async runtime: it has one of its own.
    pub fn open(
        plan: &Plan,
        system: SystemIx,
        url: &str,
        secret: String,
        now: Clock,
    ) -> Result<Webhook, Failure> {
        let name = plan
            .systems
            .get(usize::from(system))
            .map(|s| s.name.clone())
            .unwrap_or_default();
        let whose = Whose {
            who: &format!("`{name}`"),
            address: &format!("the option `url` of `{name}`"),
            secret: &format!("the secret `signing` of `{name}`"),
        };
        Ok(Webhook {
            post: Post::to(whose, url, &secret)?,
            system: name,
            maps: bindings(plan, system)?.into_iter().collect(),
            scenarios: plan.scenarios.iter().map(|s| s.name.clone()).collect(),
            now,
        })
    }

    /// Carries out calls as they come, side by side, until no more can come. What is under way
    /// then is dropped.
    ///
    /// Must not be called from within an async runtime.
    pub fn carry_out(
        self,
        first: Vec<Handed>,
        mut calls: UnboundedReceiver<Vec<Handed>>,
        answer: impl Fn(u64, Answer) + Send + Sync + 'static,
    ) {
        let desk = Arc::new(Desk {
            webhook: self,
            answer,
            waiting: Mutex::default(),
            more: Notify::new(),
            idle: AtomicUsize::new(0),
        });
        desk.webhook.post.runtime().block_on(async {
            let mut tasks = JoinSet::new();
            tasks.spawn(keep_time());
            let mut next = Some(first);
            while let Some(handed) = next {
                for _ in 0..desk.put(handed) {
                    let desk = Arc::clone(&desk);
                    tasks.spawn(async move { desk.work().await });
                }
                next = calls.recv().await;
            }
            tasks.shutdown().await;
        });
    }

    async fn answer(&self, call: Call, headers: &Headers) -> Answer {
        match call {
            Call::Write(request) => {
                let all = AssertUnwindSafe(self.write_all(&request, headers));
                match all.catch_unwind().await.unwrap_or_else(|_| Err(panicked())) {
                    Ok(report) => Answer::Written(request, report),
                    Err(failure) => Answer::Failed(Some(request), failure),
                }
            }
            Call::Read(_) => Answer::Failed(None, self.no_reads()),
            Call::Events(_) => Answer::Failed(None, self.no_events()),
        }
    }

    async fn write_all(
        &self,
        request: &WriteRequest,
        headers: &Headers,
    ) -> Result<WriteReport, Failure> {
        let binding = self
            .maps
            .get(&request.map)
            .ok_or_else(|| no_such_map(request.map))?;
        let mut report = WriteReport::default();
        for (at, write) in request.writes.iter().enumerate() {
            report.calls += 1;
            let told = self.send((binding, request), write, headers).await;
            reach(Point::WebhookPosted);
            if let Told::Refused(why) = told? {
                report.rejected.push((at, why));
            }
        }
        Ok(report)
    }

    async fn send(
        &self,
        (binding, request): (&Binding, &WriteRequest),
        write: &Write,
        headers: &Headers,
    ) -> Result<Told, Failure> {
        let now = (self.now)();
        match body(binding, write, now) {
            Ok(body) => {
                let id = self.key(binding, request, write);
                self.post.deliver(&id, now, body, headers).await
            }
            Err(why) => Ok(Told::Refused(why)),
        }
    }

    fn key<'w>(&self, binding: &Binding, request: &WriteRequest, write: &'w Write) -> Cow<'w, str> {
        match &write.idempotency {
            Idempotency::Key(key) => Cow::Borrowed(key),
            Idempotency::Version(version) => {
                let scenario = self.scenarios.get(usize::from(request.scenario));
                let scenario = scenario.map_or("", String::as_str);
                let (entity, system) = (binding.entity(), binding.system());
                Cow::Owned(idempotency_key(
                    scenario, entity, &write.key, *version, system,
                ))
            }
        }
    }

    fn no_reads(&self) -> Failure {
        reject(
            format!("`{}` is a webhook: it cannot be read", self.system),
            "read a system that holds the records",
        )
    }

    fn no_events(&self) -> Failure {
        reject(
            format!("the events of `{}` are heard, not read", self.system),
            "have its sender post to the option `path`",
        )
    }
}

/// Calls that wait for somebody to carry them out. Who has done one takes the next: there are as many
/// tasks as there were calls at a time, since making one for each is no small part of what a call costs.
struct Desk<A> {
    webhook: Webhook,
    /// Who hears the answers.
    answer: A,
    waiting: Mutex<VecDeque<Handed>>,
    more: Notify,
    /// Tasks that wait and were not told of anything.
    idle: AtomicUsize,
}

impl<A: Fn(u64, Answer)> Desk<A> {
    /// Puts calls down and tells those who wait; says how many more it takes to have all of them
    /// carried out side by side.
    fn put(&self, handed: Vec<Handed>) -> usize {
        let told = self.idle.load(Ordering::SeqCst).min(handed.len());
        self.idle.fetch_sub(told, Ordering::SeqCst);
        let wanted = handed.len() - told;
        self.waiting().extend(handed);
        for _ in 0..told {
            self.more.notify_one();
        }
        wanted
    }

    /// Carries out calls as long as the task lives.
    async fn work(&self) {
        loop {
            let next = self.waiting().pop_front();
            match next {
                Some(handed) => {
                    let answered = self.webhook.answer(handed.call, &handed.headers).await;
                    (self.answer)(handed.ticket, answered);
                }
                None => {
                    self.idle.fetch_add(1, Ordering::SeqCst);
                    self.more.notified().await;
                }
            }
        }
    }

    /// One thread does all of this: nobody ever waits for the lock.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Handed>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime looks at its clock at least this often. Without any such look ahead each call that is
/// given its time wakes the runtime, which is awake, by a system call of its own.
const LOOK_EVERY: Duration = Duration::from_secs(5);

async fn keep_time() {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Connector for Webhook {
    fn read(&mut self, _: &ReadRequest) -> Result<Page, Failure> {
        Err(self.no_reads())
    }

    fn write(&mut self, request: &WriteRequest) -> Result<WriteReport, Failure> {
        self.post
            .runtime()
            .block_on(self.write_all(request, &Headers::new()))
    }

    fn events(&mut self, _: Option<&str>, _: usize) -> Result<EventPage, Failure> {
        Err(self.no_events())
    }
}

/// The message of a write.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Option<String>,
    #[serde(serialize_with = "as_object")]
    data: Vec<(&'a str, Raw<'a>)>,
}

fn as_object<S: Serializer>(data: &[(&str, Raw<'_>)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(data.iter().map(|(name, raw)| (name, raw)))
}

/// The body of a write.
fn body(binding: &Binding, write: &Write, now: Instant) -> Result<String, String> {
    let keys = binding.key_columns().zip(binding.encode_key(write)?);
    let fields = match write.delete {
        true => Vec::new(),
        false => binding.encode(write)?,
    };
    let mut columns: Vec<(usize, Raw<'_>)> = Vec::with_capacity(keys.len() + fields.len());
    for (wanted, raw) in keys.chain(fields) {
        // Several fields may share a column: the last one counts.
        match columns.iter_mut().find(|(column, _)| *column == wanted) {
            Some(there) => there.1 = raw,
            None => columns.push((wanted, raw)),
        }
    }
    let named = |(wanted, raw)| (binding.name_of(wanted), raw);
    let data = columns.into_iter().map(named).collect();
    let what = if write.delete { "deleted" } else { "upserted" };
    let message = Message {
        kind: format!("{}.{what}", binding.entity()),
        timestamp: DateTime::<Utc>::from_timestamp_millis(now.0)
            .map(|t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        data,
    };
    serde_json::to_string(&message).map_err(|why| why.to_string())
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
