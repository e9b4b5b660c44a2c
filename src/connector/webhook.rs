//! `webhook`, outgoing: each write a POST signed by Standard Webhooks.
//!
//! Option `url`, secret `signing`. The body is
//! `{"type": "<entity>.upserted", "timestamp": …, "data": {columns}}` (or `….deleted`, with the
//! key alone), the message's id is the write's idempotency key, so that a receiver can drop
//! repeats. Any 2xx is taken as durable there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map as Object, Value as Json, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local};

use super::codec::Binding;
use super::failure::reject;
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
pub type Clock = Box<dyn Fn() -> Instant + Send>;

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
            post: Post::to(whose, url, secret)?,
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
        answer: impl Fn(u64, Answer) + 'static,
    ) {
        let webhook = Rc::new(self);
        let answer = Rc::new(answer);
        // Dropped first, and with it what is under way.
        let local = LocalSet::new();
        local.block_on(webhook.post.runtime(), async {
            let mut next = Some(first);
            while let Some(handed) = next {
                for handed in handed {
                    let (webhook, answer) = (Rc::clone(&webhook), Rc::clone(&answer));
                    spawn_local(async move {
                        let answered = webhook.answer(handed.call, &handed.headers).await;
                        answer(handed.ticket, answered);
                    });
                }
                next = calls.recv().await;
            }
        });
    }

    async fn answer(&self, call: Call, headers: &Headers) -> Answer {
        match call {
            Call::Write(request) => match self.write_all(&request, headers).await {
                Ok(report) => Answer::Written(request, report),
                Err(failure) => Answer::Failed(Some(request), failure),
            },
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
                let body = body.to_string();
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

/// The body of a write.
fn body(binding: &Binding, write: &Write, now: Instant) -> Result<Json, String> {
    let key = binding.encode_key(write)?;
    let mut data: Object<String, Json> = binding
        .key_columns()
        .zip(&key)
        .map(|(wanted, raw)| (binding.name_of(wanted).to_owned(), raw.json()))
        .collect();
    if !write.delete {
        let cells = binding.encode(write)?;
        data.extend(
            cells
                .iter()
                .map(|(wanted, raw)| (binding.name_of(*wanted).to_owned(), raw.json())),
        );
    }
    let what = if write.delete { "deleted" } else { "upserted" };
    let at = DateTime::<Utc>::from_timestamp_millis(now.0)
        .map(|t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    Ok(json!({
        "type": format!("{}.{what}", binding.entity()),
        "timestamp": at,
        "data": data,
    }))
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
