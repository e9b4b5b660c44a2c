//! The real world: the system clock, threads for each system, randomness of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::clock::now;
use super::traces::Traces;
use crate::connector::failure::panicked;
use crate::connector::registry;
use crate::connector::webhook::Handed;
use crate::engine::ports::{Answer, Call, Connector, Failure, SystemIx, World};
use crate::plan::Plan;
use crate::time::Instant;

/// How often is looked for a stop while calls of a runner that is over are waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events in one read of a followed feed.
const EVENTS_AT_ONCE: usize = 5_000;

/// What reaches the engine's thread.
pub(super) enum Message {
    /// An answer to a call.
    Answer(u64, Answer),
    /// Something else wants attention: an event has arrived, a stop was asked for.
    Wake,
}

/// Wakes the engine from other threads.
#[derive(Clone)]
pub struct Waker {
    sender: Sender<Message>,
    stop: Arc<AtomicBool>,
}

impl Waker {
    /// Says that something has arrived.
    pub fn wake(&self) {
        // The engine being gone already is no trouble of the waker's.
        let _ = self.sender.send(Message::Wake);
    }

    /// Whether a stop was asked for.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Asks the runner to stop after the calls in flight.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake();
    }
}

/// The way to a worker.
enum Calls {
    /// It carries out one after the other.
    One(Sender<Handed>),
    /// It carries out all that it has side by side. Each time that it is handed some wakes it: those
    /// of one moment are gathered first.
    Many(UnboundedSender<Vec<Handed>>, Vec<Handed>),
}

impl Calls {
    /// Hands a call over, or keeps it for [`Calls::go`]; gives it back where the worker is gone.
    fn send(&mut self, handed: Handed) -> Result<(), Vec<Handed>> {
        match self {
            Calls::One(calls) => calls.send(handed).map_err(|e| vec![e.0]),
            Calls::Many(_, gathered) => {
                gathered.push(handed);
                Ok(())
            }
        }
    }

    /// Hands over what was gathered; gives it back where the worker is gone.
    fn go(&mut self) -> Result<(), Vec<Handed>> {
        match self {
            Calls::Many(calls, gathered) if !gathered.is_empty() => {
                calls.send(std::mem::take(gathered)).map_err(|e| e.0)
            }
            _ => Ok(()),
        }
    }
}

/// A thread that carries out calls to one system.
struct WorkerThread {
    calls: Calls,
    thread: JoinHandle<()>,
    /// Calls that it has and did not answer.
    under_way: BTreeSet<u64>,
}

/// Reads a variable of the environment.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The real world.
pub struct LiveWorld {
    plan: Arc<Plan>,
    base_dir: PathBuf,
    env: Env,
    /// By system, as many as its plan allows calls at a time, or one that carries them all out;
    /// started as they are needed.
    workers: BTreeMap<SystemIx, Vec<WorkerThread>>,
    inbox: Receiver<Message>,
    waker: Waker,
    random: fastrand::Rng,
    /// What is added to the runner's tickets, so that none is that of a runner before it.
    issued: u64,
    /// One more than the greatest ticket so far.
    next: u64,
    /// Who knows which trace a call belongs to.
    traces: Option<Traces>,
}

impl LiveWorld {
    /// A world for a plan; relative paths are read from `base_dir`.
    pub fn new(plan: Arc<Plan>, base_dir: PathBuf, env: Env) -> Self {
        let (sender, inbox) = mpsc::channel();
        let waker = Waker {
            sender,
            stop: Arc::new(AtomicBool::new(false)),
        };
        LiveWorld {
            plan,
            base_dir,
            env,
            workers: BTreeMap::new(),
            inbox,
            waker,
            random: fastrand::Rng::new(),
            issued: 0,
            next: 0,
            traces: None,
        }
    }

    /// Has calls over HTTP carry the trace that they belong to.
    pub(super) fn traced(&mut self, traces: Option<Traces>) {
        self.traces = traces;
    }

    /// A handle for other threads.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// A worker that has nothing to do, a new one, or the one that has least.
    fn worker(&mut self, system: SystemIx) -> &mut WorkerThread {
        let plan = &self.plan.systems[system as usize];
        let workers = self.workers.entry(system).or_default();
        let least = workers.iter().map(|w| w.under_way.len()).min();
        let many = registry::many_at_a_time(plan);
        let most = if many { 1 } else { plan.concurrency.max(1) };
        if least.is_none_or(|n| n > 0) && workers.len() < most as usize {
            let worker = Worker {
                plan: Arc::clone(&self.plan),
                system,
                base_dir: self.base_dir.clone(),
                env: Arc::clone(&self.env),
                connector: None,
            };
            let answers = self.waker.sender.clone();
            let (calls, thread) = match many {
                true => {
                    let (sender, calls) = unbounded_channel();
                    let run = move || worker.run_many(calls, answers);
                    (Calls::Many(sender, Vec::new()), std::thread::spawn(run))
                }
                false => {
                    let (sender, calls) = mpsc::channel();
                    let run = move || worker.run(&calls, &answers);
                    (Calls::One(sender), std::thread::spawn(run))
                }
            };
            workers.push(WorkerThread {
                calls,
                thread,
                under_way: BTreeSet::new(),
            });
        }
        let at = (0..workers.len())
            .min_by_key(|at| workers[*at].under_way.len())
            .unwrap_or_default();
        &mut workers[at]
    }
}

impl LiveWorld {
    /// Another runner takes over, which counts its calls from the first on. Those under way are
    /// waited for, each as long as its connector allows it: one that was left behind could have its
    /// effect after a newer one. No answer of theirs reaches the new runner.
    pub(super) fn begin_anew(&mut self) {
        let busy = |worker: &WorkerThread| !worker.under_way.is_empty();
        while self.workers.values().flatten().any(busy) && !self.stopping() {
            if let Ok(Message::Answer(ticket, _)) = self.inbox.recv_timeout(LOOK_EVERY) {
                self.came_back(ticket);
            }
        }
        self.issued = self.next;
    }

    /// Waits, however often it is woken; says whether the runner is to go on.
    pub(super) fn pause(&mut self, time: Duration) -> bool {
        let until = std::time::Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            if self.stopping() || left.is_zero() {
                return !self.stopping();
            }
            // Whatever it is, the next runner looks for itself.
            let _ = self.inbox.recv_timeout(left);
        }
    }

    fn came_back(&mut self, ticket: u64) {
        for worker in self.workers.values_mut().flatten() {
            worker.under_way.remove(&ticket);
        }
    }

    /// A worker's thread is gone, which only a panic in a connector does: its calls have failed.
    fn lost(&mut self, system: SystemIx, calls: Vec<Handed>) {
        self.workers.remove(&system);
        for Handed { ticket, call, .. } in calls {
            let answer = Answer::Failed(request_of(call), panicked());
            // The world holds the other end.
            let _ = self.waker.sender.send(Message::Answer(ticket, answer));
        }
    }
}

impl Drop for LiveWorld {
    fn drop(&mut self) {
        for worker in std::mem::take(&mut self.workers).into_values().flatten() {
            drop(worker.calls);
            // One whose call hangs is left behind: whoever stops the runner must not wait for it.
            if worker.under_way.is_empty() {
                // A worker that panicked has nothing left to clean up.
                let _ = worker.thread.join();
            }
        }
    }
}

impl World for LiveWorld {
    fn now(&self) -> Instant {
        now()
    }

    fn call(&mut self, ticket: u64, system: SystemIx, call: Call) {
        let headers = self.traces.as_ref().map(|t| t.headers(ticket));
        let headers = headers.unwrap_or_default();
        let ticket = self.issued + ticket;
        self.next = self.next.max(ticket + 1);
        let worker = self.worker(system);
        let handed = Handed {
            ticket,
            call,
            headers,
        };
        worker.under_way.insert(ticket);
        if let Err(lost) = worker.calls.send(handed) {
            self.lost(system, lost);
        }
    }

    fn in_hand(&self, system: SystemIx) -> u32 {
        let plan = self.plan.systems.get(system as usize);
        // What carries several out side by side would do so with this one.
        let one = plan.is_some_and(|p| p.concurrency <= 1 && !registry::many_at_a_time(p));
        u32::from(one)
    }

    fn calls_go(&mut self) {
        let mut lost = Vec::new();
        for (system, workers) in &mut self.workers {
            for worker in workers {
                if let Err(calls) = worker.calls.go() {
                    lost.push((*system, calls));
                }
            }
        }
        for (system, calls) in lost {
            self.lost(system, calls);
        }
    }

    fn wait(&mut self, until: Instant) -> Option<(u64, Answer)> {
        self.calls_go();
        let mut left = Duration::from_millis(until.since(now()).0);
        loop {
            let message = match left.is_zero() {
                true => self.inbox.try_recv().ok(),
                false => self.inbox.recv_timeout(left).ok(),
            };
            match message? {
                Message::Answer(ticket, answer) => {
                    self.came_back(ticket);
                    // None to a call of a runner before this one.
                    let ticket = ticket.checked_sub(self.issued)?;
                    return Some((ticket, answer));
                }
                // Whoever is woken looks around once, however often it was: an answer that came in
                // after a thousand wakes is not to wait for a thousand looks.
                Message::Wake => left = Duration::ZERO,
            }
        }
    }

    fn random(&mut self) -> f64 {
        self.random.f64()
    }

    fn stopping(&self) -> bool {
        self.waker.stop.load(Ordering::SeqCst)
    }
}

fn request_of(call: Call) -> Option<crate::engine::ports::WriteRequest> {
    match call {
        Call::Write(request) => Some(request),
        Call::Read(_) | Call::Events(_) => None,
    }
}

struct Worker {
    plan: Arc<Plan>,
    system: SystemIx,
    base_dir: PathBuf,
    env: Env,
    connector: Option<Box<dyn Connector>>,
}

impl Worker {
    /// The connector is opened with the first call for which that works.
    fn run_many(self, mut calls: UnboundedReceiver<Vec<Handed>>, answers: Sender<Message>) {
        while let Some(handed) = calls.blocking_recv() {
            let env = |name: &str| (self.env)(name);
            match registry::webhook(&self.plan, self.system, &env, Box::new(now)) {
                Ok(webhook) => {
                    let answer = move |ticket, answer| {
                        // The engine being gone already is no trouble of the worker's.
                        let _ = answers.send(Message::Answer(ticket, answer));
                    };
                    return webhook.carry_out(handed, calls, answer);
                }
                Err(failure) => {
                    for Handed { ticket, call, .. } in handed {
                        let failed = Answer::Failed(request_of(call), failure.clone());
                        if answers.send(Message::Answer(ticket, failed)).is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn run(mut self, calls: &Receiver<Handed>, answers: &Sender<Message>) {
        while let Ok(handed) = calls.recv() {
            let answer = Message::Answer(handed.ticket, self.answer(handed.call));
            if answers.send(answer).is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, call: Call) -> Answer {
        match call {
            Call::Read(request) => match self.carry_out(|c| c.read(&request)) {
                Ok(page) => Answer::Page(page),
                Err(failure) => Answer::Failed(None, failure),
            },
            Call::Events(position) => {
                let from = position.as_deref();
                match self.carry_out(|c| c.events(from, EVENTS_AT_ONCE)) {
                    Ok(page) => Answer::Events(page),
                    Err(failure) => Answer::Failed(None, failure),
                }
            }
            Call::Write(request) => match self.carry_out(|c| c.write(&request)) {
                Ok(report) => Answer::Written(request, report),
                Err(failure) => Answer::Failed(Some(request), failure),
            },
        }
    }

    /// What comes of a call to the connector, which is opened where it is not. One that panics has
    /// failed: a call without an answer would be waited for for ever.
    fn carry_out<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Connector) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut connector = match self.connector.take() {
            Some(connector) => connector,
            None => {
                let env = |name: &str| (self.env)(name);
                registry::open(&self.plan, self.system, &self.base_dir, &env, Box::new(now))?
            }
        };
        match catch_unwind(AssertUnwindSafe(|| call(&mut *connector))) {
            Ok(done) => {
                self.connector = Some(connector);
                done
            }
            // Nobody knows what it is left in: the next call opens it anew.
            Err(_) => Err(panicked()),
        }
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
