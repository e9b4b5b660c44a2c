//! The runner's steps as spans: which is whose parent, and what each says of itself.
//!
//! No span says a key or a value of a record. What a system answered is told by its class alone,
//! since its words may repeat what they were sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::Span;

use super::traces::{Bounded, Traces};
use crate::engine::ports::{
    Answer, Call, EntityIx, FailureClass, RunRecord, RunStatus, ScenarioIx, StoredEvent, SystemIx,
};
use crate::engine::program::Program;
use crate::engine::steps::{Cause, Step};

/// Spans that a batch may name besides its parent.
const LINKS: usize = 32;

/// A record at a destination.
type Slot = (SystemIx, EntityIx, String);

/// What waits for a destination belongs to this.
struct Owed {
    /// The evaluation that asked for it last.
    asked: SpanContext,
    /// Those that it replaced before it went out.
    replaced: Vec<SpanContext>,
    /// Attempts made.
    attempts: i64,
}

/// A call under way.
struct CallSpan {
    span: Span,
    slots: Vec<Slot>,
}

/// A run under way.
struct RunSpan {
    span: Span,
    scenario: String,
    check: Option<Span>,
    chunks: BTreeMap<u64, Span>,
}

/// The spans of a runner under way.
pub(super) struct Spans {
    traces: Traces,
    program: Arc<Program>,
    /// The evaluation under way, and the scenarios that it concerned.
    event: Option<(Span, BTreeSet<ScenarioIx>)>,
    /// By record, the evaluations of the transaction under way that took it in.
    taken: BTreeMap<(EntityIx, String), Vec<SpanContext>>,
    owed: Bounded<Slot, Owed>,
    calls: BTreeMap<u64, CallSpan>,
    runs: BTreeMap<i64, RunSpan>,
}

impl Spans {
    /// None yet.
    pub fn new(traces: Traces, program: Arc<Program>) -> Self {
        Spans {
            traces,
            program,
            event: None,
            taken: BTreeMap::new(),
            owed: Bounded::remembering(),
            calls: BTreeMap::new(),
            runs: BTreeMap::new(),
        }
    }

    /// Takes a step in.
    pub fn step(&mut self, step: &Step<'_>) {
        match *step {
            Step::EventBegins(event) => self.event_begins(event),
            Step::EventTaken {
                entity,
                key,
                scenarios,
            } => self.event_taken((entity, key), scenarios),
            Step::EventEnds => self.event_ends(),
            Step::Owed {
                system,
                entity,
                key,
            } => self.owe((system, entity, key)),
            Step::EventsEnd => self.taken.clear(),
            Step::CallBegins {
                ticket,
                system,
                cause,
                call,
            } => self.call_begins(ticket, system, cause, call),
            Step::CallEnds { ticket, answer } => self.call_ends(ticket, answer),
            Step::CheckBegins(run) => self.check_begins(run),
            Step::CheckEnds(run) => {
                let run = self.runs.get_mut(&run);
                // Dropped, a span ends.
                drop(run.and_then(|run| run.check.take()));
            }
            Step::ChunkBegins(run, chunk) => self.chunk_begins(run, chunk),
            Step::ChunksEnded(run, open) => {
                if let Some(run) = self.runs.get_mut(&run) {
                    run.chunks
                        .retain(|chunk, _| open.is_some_and(|open| *chunk >= open));
                }
            }
        }
    }

    fn start(&self, builder: SpanBuilder, parent: Option<&SpanContext>) -> Span {
        let none = Context::new();
        let context = match parent {
            Some(parent) => none.with_remote_span_context(parent.clone()),
            None => none,
        };
        builder.start_with_context(&self.traces.tracer, &context)
    }

    fn event_begins(&mut self, event: &StoredEvent) {
        let parent = self.traces.arrived(&event.system, &event.id);
        let builder = self
            .traces
            .tracer
            .span_builder(format!("evaluate {}", event.system))
            .with_kind(SpanKind::Consumer)
            .with_attributes([
                KeyValue::new("syncline.system", event.system.clone()),
                KeyValue::new("syncline.event.id", event.id.clone()),
            ]);
        let span = self.start(builder, parent.as_ref());
        self.event = Some((span, BTreeSet::new()));
    }

    fn event_taken(&mut self, (entity, key): (EntityIx, &str), scenarios: &[ScenarioIx]) {
        if let Some((span, concerned)) = &mut self.event {
            concerned.extend(scenarios);
            let by = self.taken.entry((entity, key.to_owned())).or_default();
            by.push(span.span_context().clone());
        }
    }

    fn event_ends(&mut self) {
        let Some((mut span, concerned)) = self.event.take() else {
            return;
        };
        let names = concerned.iter().filter_map(|s| self.scenario(*s));
        let names: Vec<opentelemetry::StringValue> = names.map(|n| n.to_owned().into()).collect();
        let names = opentelemetry::Value::Array(names.into());
        span.set_attribute(KeyValue::new("syncline.scenarios", names));
        span.end();
    }

    fn scenario(&self, scenario: ScenarioIx) -> Option<&str> {
        let plan = self.program.plan.scenarios.get(usize::from(scenario))?;
        Some(&plan.name)
    }

    fn owe(&mut self, (system, entity, key): (SystemIx, EntityIx, &str)) {
        let record = (entity, key.to_owned());
        let Some((asked, earlier)) = self.taken.get(&record).and_then(|by| by.split_last()) else {
            // It was owed before, and only looked at.
            return;
        };
        let slot = (system, entity, record.1);
        let before = self.owed.take(&slot);
        let mut replaced: Vec<SpanContext> = before
            .into_iter()
            .flat_map(|owed| [owed.replaced, vec![owed.asked]])
            .flatten()
            .chain(earlier.iter().cloned())
            .collect();
        replaced.drain(..replaced.len().saturating_sub(LINKS));
        let owed = Owed {
            asked: asked.clone(),
            replaced,
            attempts: 0,
        };
        self.owed.put(slot, owed);
    }

    fn call_begins(&mut self, ticket: u64, system: SystemIx, cause: Cause, call: &Call) {
        let name = self.program.system_name(system).to_owned();
        let doing = match call {
            Call::Read(_) => "read",
            Call::Write(_) => "write",
            // Feeds are looked at all the time; what they tell of shows by its evaluation.
            Call::Events(_) => return,
        };
        let mut attributes = vec![KeyValue::new("syncline.system", name.clone())];
        let mut links = Vec::new();
        let mut slots = Vec::new();
        let mut parent = match cause {
            Cause::Read(run) => self.run(run),
            Cause::Chunk(run, chunk) => self.chunk(run, chunk),
            Cause::Outbox | Cause::Feed => None,
        };
        let scenario = match (call, cause) {
            (Call::Write(request), _) => self.scenario(request.scenario).map(str::to_owned),
            (_, Cause::Read(run) | Cause::Chunk(run, _)) => {
                self.runs.get(&run).map(|run| run.scenario.clone())
            }
            _ => None,
        };
        attributes.extend(scenario.map(|s| KeyValue::new("syncline.scenario", s)));
        if let Cause::Read(run) | Cause::Chunk(run, _) = cause {
            attributes.push(KeyValue::new("syncline.run", run));
        }
        let map = match call {
            Call::Read(request) => Some(request.map),
            Call::Write(request) => Some(request.map),
            Call::Events(_) => None,
        };
        let entity = map.map(|map| self.program.map_ends(map).0);
        let named = entity.and_then(|e| self.program.entities.get(usize::from(e)));
        attributes.extend(named.map(|e| KeyValue::new("syncline.entity", e.name.clone())));
        if let (Call::Write(request), Some(entity)) = (call, entity) {
            let writes = request.writes.len() as i64;
            attributes.push(KeyValue::new("syncline.writes", writes));
            let keys = request.writes.iter().map(|w| w.key.to_string());
            slots.extend(keys.map(|key| (system, entity, key)));
            let attempts = self.attempt(&mut slots, &mut parent, &mut links);
            if attempts > 0 {
                attributes.push(KeyValue::new("syncline.attempt", attempts));
            }
        }
        links.truncate(LINKS);
        let builder = self
            .traces
            .tracer
            .span_builder(format!("{doing} {name}"))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .with_links(links.into_iter().map(Link::with_context).collect());
        let span = self.start(builder, parent.as_ref());
        self.traces.carry(ticket, span.span_context());
        self.calls.insert(ticket, CallSpan { span, slots });
    }

    /// Another attempt at writes: leaves those of the slots that some evaluation
    /// asked for, with the parent and the links that this gives; gives the greatest number of
    /// attempts.
    fn attempt(
        &mut self,
        slots: &mut Vec<Slot>,
        parent: &mut Option<SpanContext>,
        links: &mut Vec<SpanContext>,
    ) -> i64 {
        let mut attempts = 0;
        slots.retain(|slot| {
            let Some(owed) = self.owed.get_mut(slot) else {
                return false;
            };
            owed.attempts += 1;
            attempts = attempts.max(owed.attempts);
            match parent {
                None => *parent = Some(owed.asked.clone()),
                Some(_) => links.push(owed.asked.clone()),
            }
            links.extend(owed.replaced.iter().cloned());
            true
        });
        attempts
    }

    fn call_ends(&mut self, ticket: u64, answer: &Answer) {
        let Some(CallSpan { mut span, slots }) = self.calls.remove(&ticket) else {
            return;
        };
        let outcome = match answer {
            Answer::Page(page) => {
                span.set_attribute(KeyValue::new("syncline.rows", page.rows.len() as i64));
                "ok"
            }
            Answer::Written(_, report) => {
                let rejected = report.rejected.len() as i64;
                span.set_attribute(KeyValue::new("syncline.calls", report.calls as i64));
                span.set_attribute(KeyValue::new("syncline.rejected", rejected));
                for slot in &slots {
                    self.owed.take(slot);
                }
                "ok"
            }
            Answer::Events(_) => "ok",
            Answer::Failed(_, failure) => {
                let (word, after) = match failure.class {
                    FailureClass::Retry { after_ms } => ("retry", after_ms),
                    FailureClass::Auth => ("auth", None),
                    FailureClass::Reject => ("reject", None),
                    FailureClass::Setup => ("setup", None),
                };
                span.set_status(Status::error(word));
                if word == "retry" {
                    let after = after.and_then(|ms| i64::try_from(ms).ok());
                    let after = after.map(|ms| KeyValue::new("syncline.retry_after_ms", ms));
                    span.add_event("retry", after.into_iter().collect());
                }
                word
            }
        };
        span.set_attribute(KeyValue::new("syncline.outcome", outcome));
        span.end();
    }

    /// A run began, anew or where a killed runner left it.
    pub fn run_started(&mut self, run: &RunRecord) {
        let builder = self
            .traces
            .tracer
            .span_builder(format!("run {}", run.scenario))
            .with_attributes([
                KeyValue::new("syncline.scenario", run.scenario.clone()),
                KeyValue::new("syncline.run", run.id),
                KeyValue::new("syncline.why", run.why.clone()),
            ]);
        let span = self.start(builder, None);
        let run_span = RunSpan {
            span,
            scenario: run.scenario.clone(),
            check: None,
            chunks: BTreeMap::new(),
        };
        self.runs.insert(run.id, run_span);
    }

    /// A run is over.
    pub fn run_ended(&mut self, run: &RunRecord) {
        let Some(RunSpan {
            mut span, chunks, ..
        }) = self.runs.remove(&run.id)
        else {
            return;
        };
        drop(chunks);
        let counts = [
            ("syncline.read", run.counts.read),
            ("syncline.changed", run.counts.changed),
            ("syncline.written", run.counts.written),
            ("syncline.failed", run.counts.failed),
            ("syncline.quarantined", run.counts.quarantined),
        ];
        for (name, count) in counts {
            span.set_attribute(KeyValue::new(name, count as i64));
        }
        span.set_attribute(KeyValue::new("syncline.outcome", run.status.word()));
        if matches!(run.status, RunStatus::Aborted | RunStatus::Failed) {
            span.set_status(Status::error(run.status.word()));
        }
        span.end();
    }

    fn run(&self, run: i64) -> Option<SpanContext> {
        Some(self.runs.get(&run)?.span.span_context().clone())
    }

    fn chunk(&self, run: i64, chunk: u64) -> Option<SpanContext> {
        let there = self.runs.get(&run)?.chunks.get(&chunk);
        there
            .map(|span| span.span_context().clone())
            .or_else(|| self.run(run))
    }

    /// A span of a run's own work.
    fn part(&self, what: &str, run: i64) -> Option<Span> {
        let of = self.runs.get(&run)?;
        let builder = self
            .traces
            .tracer
            .span_builder(format!("{what} {}", of.scenario))
            .with_attributes([
                KeyValue::new("syncline.scenario", of.scenario.clone()),
                KeyValue::new("syncline.run", run),
            ]);
        Some(self.start(builder, Some(of.span.span_context())))
    }

    fn check_begins(&mut self, run: i64) {
        let span = self.part("check", run);
        if let Some(of) = self.runs.get_mut(&run) {
            of.check = span;
        }
    }

    fn chunk_begins(&mut self, run: i64, chunk: u64) {
        let Some(span) = self.part("chunk", run) else {
            return;
        };
        if let Some(of) = self.runs.get_mut(&run) {
            of.chunks.insert(chunk, span);
        }
    }
}
