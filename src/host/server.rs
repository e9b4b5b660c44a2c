//! The intake server: signed webhooks in, acknowledged only when durable.
//!
//! Requests are verified where they arrive and handed to one writer thread, which appends whatever
//! has gathered in one transaction. A second thread flushes what was committed and answers: many
//! requests share one flush, and while the disk is waited for the next ones are appended.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE as TEXT;
use tokio::sync::oneshot;

use super::HostError;
use super::clock::now;
use super::metrics::Metrics;
use super::traces::{Received, Traces};
use super::watch::SharedLive;
use super::world::Waker;
use crate::connector::intake::{Intake, IntakeRequest};
use crate::engine::ports::{RawEvent, Store, Stored, SystemIx};
use crate::engine::program::Program;
use crate::failpoint::{Point, reach};
use crate::plan::Plan;
use crate::store::{OpenMode, SqliteStore};

/// Bodies over this are refused: 1 MiB.
const MAX_BODY: usize = 1024 * 1024;
/// How often it is noted that the intake listens.
const HEARD_EVERY: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5_000 });
/// Events in one transaction.
const GROUP: usize = 1_000;

struct Delivery {
    system: SystemIx,
    event: RawEvent,
    done: oneshot::Sender<Result<(), String>>,
}

/// Deliveries of one transaction, and what became of it.
struct Group {
    deliveries: Vec<Delivery>,
    /// For each of them whether it is new.
    committed: Result<Vec<bool>, String>,
}

struct Shared {
    intake: Intake,
    writer: Sender<Delivery>,
    metrics: Metrics,
    live: SharedLive,
    waker: Waker,
    /// With the names of the plan's systems.
    traces: Option<(Traces, Vec<String>)>,
}

/// A server under way; dropping it stops it.
pub struct IntakeServer {
    /// Where it listens.
    pub address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for IntakeServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        }
    }
}

/// Starts listening.
pub fn start(
    (plan, program): (Arc<Plan>, Arc<Program>),
    env: &super::world::Env,
    address: &str,
    store: PathBuf,
    waker: Waker,
    (live, traces): (SharedLive, Option<Traces>),
) -> Result<IntakeServer, HostError> {
    let lookup = |name: &str| env(name);
    let intake = Intake::new(&plan, &lookup).map_err(HostError::from_failure)?;
    let listener = std::net::TcpListener::bind(address).map_err(|e| HostError {
        message: format!("cannot listen on `{address}`: {e}"),
        remedy: Some(match e.kind() {
            std::io::ErrorKind::InvalidInput => {
                "write it as host and port, such as `--listen 127.0.0.1:8787`".into()
            }
            _ => "name a free address with `--listen`, such as `127.0.0.1:8787`".into(),
        }),
    })?;
    let unusable = |e: std::io::Error| HostError {
        message: format!("cannot listen on `{address}`: {e}"),
        remedy: None,
    };
    listener.set_nonblocking(true).map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let seen = SqliteStore::open(&store, OpenMode::Inspect).map_err(HostError::from_store)?;
    let metrics = Metrics::new(program, seen, live.clone());
    let mut store = SqliteStore::open(&store, OpenMode::Operate).map_err(HostError::from_store)?;
    let (writer, deliveries) = mpsc::channel();
    let (groups, committed) = mpsc::channel();
    let names = plan.systems.iter().map(|s| s.name.clone()).collect();
    let (flusher, arrived) = (store.flusher(), waker.clone());
    let counted = live.clone();
    std::thread::spawn(move || {
        write(&mut store, &plan, &deliveries, &mut |group| {
            count(&counted, &group);
            // What is made of an event is flushed before it goes out, and the event with it.
            arrived.wake();
            // The other end goes only after this one.
            let _ = groups.send(group);
        });
    });
    std::thread::spawn(move || flush(&mut || flusher.flush(), &committed));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(unusable)?;
    let shared = Arc::new(Shared {
        intake,
        writer,
        metrics,
        live,
        waker,
        traces: traces.map(|t| (t, names)),
    });
    runtime.spawn(async move {
        let app = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(tell))
            .fallback(receive)
            .with_state(shared);
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        // It serves until the runtime is shut down.
        let _ = axum::serve(listener, app).await;
    });
    Ok(IntakeServer {
        address,
        runtime: Some(runtime),
    })
}

/// Ready once the runner has made its first step. A system that is down does not make it unready:
/// what is sent to the runner meanwhile is durable all the same.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match shared.live.get().ready {
        true => (StatusCode::OK, "ready\n").into_response(),
        false => refuse(503, "the runner has not started yet"),
    }
}

async fn tell(State(shared): State<Arc<Shared>>) -> Response {
    let told = tokio::task::spawn_blocking(move || shared.metrics.text(now()));
    match told.await {
        Ok(Ok(text)) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Ok(Err(error)) => refuse(503, &error.message),
        Err(_) => refuse(500, "the metrics could not be told; please report it"),
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if shared.waker.stopping() {
        return refuse(503, "the runner is stopping; send it again");
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return refuse(413, "the body is larger than 1 MiB or was cut off");
    };
    let began = SystemTime::now();
    match accept(&shared, &method, &uri, &headers, &body) {
        Err((status, reason)) => refuse(status, &reason),
        Ok((system, event)) => {
            let span = received(&shared, (system, &event), &headers, began);
            let (done, durable) = oneshot::channel();
            let delivery = Delivery {
                system,
                event,
                done,
            };
            let answer = match shared.writer.send(delivery) {
                Err(_) => refuse(503, "the store is closed"),
                Ok(()) => match durable.await {
                    Ok(Ok(())) => (StatusCode::ACCEPTED, "stored\n").into_response(),
                    Ok(Err(reason)) => refuse(503, &reason),
                    Err(_) => refuse(503, "the store is closed"),
                },
            };
            if let Some(span) = span {
                span.answered(answer.status().as_u16());
            }
            answer
        }
    }
}

/// The span of an accepted request, where traces are kept.
fn received(
    shared: &Shared,
    (system, event): (SystemIx, &RawEvent),
    headers: &HeaderMap,
    began: SystemTime,
) -> Option<Received> {
    let (traces, names) = shared.traces.as_ref()?;
    let name = names.get(usize::from(system))?;
    let header = |name: &str| headers.get(name)?.to_str().ok();
    Some(traces.received((name, &event.id), &header, began))
}

fn accept(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(SystemIx, RawEvent), (u16, String)> {
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let request = IntakeRequest {
        method: method.as_str(),
        path: uri.path(),
        headers: &headers,
        body,
    };
    shared
        .intake
        .accept(&request, now())
        .map_err(|r| (r.status, r.reason))
}

fn refuse(status: u16, reason: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, format!("{reason}\n")).into_response()
}

/// Appends what has gathered and hands it on; `committed` hears of each transaction.
fn write(
    store: &mut SqliteStore,
    plan: &Plan,
    deliveries: &Receiver<Delivery>,
    committed: &mut dyn FnMut(Group),
) {
    heard(store, plan);
    let mut noted = Instant::now();
    loop {
        let first = match deliveries.recv_timeout(HEARD_EVERY) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut group = Vec::from_iter(first);
        while group.len() < GROUP
            && let Ok(next) = deliveries.try_recv()
        {
            group.push(next);
        }
        let all = group.len() < GROUP;
        if !group.is_empty() {
            committed(Group {
                committed: append(store, plan, &group),
                deliveries: group,
            });
        }
        // However much some send, others are heard no less while they are silent.
        if all && noted.elapsed() >= HEARD_EVERY {
            heard(store, plan);
            noted = Instant::now();
        }
    }
}

/// Flushes once for all groups that are there, and answers them.
fn flush(make_durable: &mut dyn FnMut() -> Stored<()>, groups: &Receiver<Group>) {
    while let Ok(first) = groups.recv() {
        let mut all = vec![first];
        all.extend(groups.try_iter());
        let flushed = make_durable().map_err(|e| e.to_string());
        reach(Point::IntakeDurable);
        for group in all {
            let stored = group.committed.and(flushed.clone());
            for delivery in group.deliveries {
                // A sender that hung up is told nothing; its event is durable all the same.
                let _ = delivery.done.send(stored.clone());
            }
        }
    }
}

/// Counts what was committed, for the metrics.
fn count(live: &SharedLive, group: &Group) {
    let Ok(new) = &group.committed else {
        return;
    };
    let mut live = live.get();
    for (delivery, new) in group.deliveries.iter().zip(new) {
        let counts = live.events.entry(delivery.system).or_default();
        match new {
            true => counts.stored += 1,
            false => counts.repeated += 1,
        }
    }
}

/// Notes that whatever was posted up to now is stored, so that others can tell silence from deafness.
fn heard(store: &mut SqliteStore, plan: &Plan) {
    let now = now().0.to_string();
    let hooks = plan.systems.iter().filter(|s| s.connector == "webhook");
    let noted = store.begin().and_then(|()| {
        for system in hooks {
            store.set_meta(&format!("heard:{}", system.name), &now)?;
        }
        store.commit()
    });
    if noted.is_err() {
        // It is noted the next time; ages only look greater until then.
        let _ = store.rollback();
    }
}

/// Appends events in one transaction; says of each whether it is new.
fn append(store: &mut SqliteStore, plan: &Plan, group: &[Delivery]) -> Result<Vec<bool>, String> {
    let now = now();
    let name = |system: SystemIx| {
        let system = plan.systems.get(system as usize);
        system.map_or("", |s| s.name.as_str())
    };
    let appended = store.begin().and_then(|()| {
        let mut new = Vec::with_capacity(group.len());
        for delivery in group {
            let event = std::slice::from_ref(&delivery.event);
            new.extend(store.append_events(name(delivery.system), event, now)?);
        }
        let systems: BTreeSet<SystemIx> = group.iter().map(|d| d.system).collect();
        for system in systems {
            store.set_meta(&format!("heard:{}", name(system)), &now.0.to_string())?;
        }
        reach(Point::IntakeGathered);
        store.commit_later()?;
        Ok(new)
    });
    appended.map_err(|e| {
        // What failed is answered with 503; the sender tries again.
        let _ = store.rollback();
        e.to_string()
    })
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
