//! OpenTelemetry traces: where spans go, and how a trace crosses from one thread, process or system
//! to the next.
//!
//! Set up by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and its like); without an
//! endpoint there is none of it. Spans queue in memory and leave in a thread of their own: a
//! collector that is slow or down costs spans, never the runner's time. Ids of traces are kept in
//! memory alone, so a restart begins new traces.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};

use super::HostError;
use super::world::Env;
use crate::connector::post::Headers;
use crate::connector::tls::with_cryptography;

/// Events and owed writes of which the trace is remembered at a time.
const REMEMBERED: usize = 10_000;
/// How long a runner that ends waits for its last spans to leave.
const LEAVE: Duration = Duration::from_secs(2);

/// Where spans go; cheap to copy.
#[derive(Clone)]
pub(super) struct Traces {
    provider: SdkTracerProvider,
    pub tracer: SdkTracer,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    /// By system and id, the spans of requests whose event the engine has not seen yet.
    arrived: Bounded<(String, String), SpanContext>,
    /// By ticket, what a call under way is to carry.
    headers: BTreeMap<u64, Headers>,
}

impl Traces {
    /// The traces that the environment asks for, if it does.
    pub fn configured(env: &Env) -> Result<Option<Traces>, HostError> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let of_traces = |what: &str| {
            set(&format!("OTEL_EXPORTER_OTLP_TRACES_{what}"))
                .or_else(|| set(&format!("OTEL_EXPORTER_OTLP_{what}")))
        };
        let off = set("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"))
            || set("OTEL_TRACES_EXPORTER").is_some_and(|v| v == "none");
        if off || of_traces("ENDPOINT").is_none() {
            return Ok(None);
        }
        if let Some(protocol) = of_traces("PROTOCOL").filter(|p| p != "http/protobuf") {
            return Err(HostError {
                message: format!("traces cannot be sent by `{protocol}`"),
                remedy: Some(
                    "set OTEL_EXPORTER_OTLP_PROTOCOL to `http/protobuf`, and the endpoint to the collector's HTTP port (4318)".into(),
                ),
            });
        }
        with_cryptography();
        let exporter = SpanExporter::builder().with_http().build();
        let exporter = exporter.map_err(|e| HostError {
            message: format!("traces cannot be sent: {e}"),
            remedy: Some(
                "see OTEL_EXPORTER_OTLP_ENDPOINT; it is written as `http://host:4318`".into(),
            ),
        })?;
        let mut resource = Resource::builder();
        if set("OTEL_SERVICE_NAME").is_none()
            && !set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|v| v.contains("service.name="))
        {
            resource = resource.with_service_name("syncline");
        }
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.with_attribute(version).build())
            .build();
        Ok(Some(Traces {
            tracer: provider.tracer("syncline"),
            provider,
            shared: Arc::new(Mutex::new(Shared {
                arrived: Bounded::new(REMEMBERED),
                headers: BTreeMap::new(),
            })),
        }))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // Plain data is whole whatever became of a thread that held it.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the span of an accepted request, as part of the trace that its sender named.
    pub fn received<'h>(
        &self,
        (system, id): (&str, &str),
        header: &dyn Fn(&str) -> Option<&'h str>,
        began: SystemTime,
    ) -> Received {
        let named = ["traceparent", "tracestate"].into_iter();
        let carried: HashMap<String, String> = named
            .filter_map(|name| Some((name.to_owned(), header(name)?.to_owned())))
            .collect();
        let propagator = TraceContextPropagator::new();
        let parent = propagator.extract_with_context(&Context::new(), &carried);
        let span = self
            .tracer
            .span_builder(format!("receive {system}"))
            .with_kind(SpanKind::Server)
            .with_start_time(began)
            .with_attributes([
                KeyValue::new("http.request.method", "POST"),
                KeyValue::new("syncline.system", system.to_owned()),
                KeyValue::new("syncline.event.id", id.to_owned()),
            ])
            .start_with_context(&self.tracer, &parent);
        let key = (system.to_owned(), id.to_owned());
        let context = span.span_context().clone();
        self.shared().arrived.put(key, context);
        Received { span }
    }

    /// The span of the request that brought an event, once.
    pub fn arrived(&self, system: &str, id: &str) -> Option<SpanContext> {
        let key = (system.to_owned(), id.to_owned());
        self.shared().arrived.take(&key)
    }

    /// Has a call carry the trace of its span.
    pub fn carry(&self, ticket: u64, span: &SpanContext) {
        let mut carried: HashMap<String, String> = HashMap::new();
        let context = Context::new().with_remote_span_context(span.clone());
        TraceContextPropagator::new().inject_context(&context, &mut carried);
        let mut headers: Headers = carried.into_iter().filter(|h| !h.1.is_empty()).collect();
        headers.sort();
        self.shared().headers.insert(ticket, headers);
    }

    /// What a call is to carry, once.
    pub fn headers(&self, ticket: u64) -> Headers {
        self.shared().headers.remove(&ticket).unwrap_or_default()
    }

    /// Lets the last spans go, but waits for no collector that is slow.
    pub fn leave(&self) {
        // What did not arrive by then is lost, as with a collector that is down.
        let _ = self.provider.shutdown_with_timeout(LEAVE);
    }
}

/// The span of a request under way.
pub(super) struct Received {
    span: Span,
}

impl Received {
    /// It was answered.
    pub fn answered(mut self, status: u16) {
        let code = KeyValue::new("http.response.status_code", i64::from(status));
        self.span.set_attribute(code);
        if status >= 500 {
            self.span.set_status(Status::error("not stored"));
        }
        self.span.end();
    }
}

/// A map that forgets what was put into it first where it would hold too much.
pub(super) struct Bounded<K, V> {
    most: usize,
    next: u64,
    values: BTreeMap<K, (u64, V)>,
    keys: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V> Bounded<K, V> {
    /// One that holds so many.
    pub fn new(most: usize) -> Self {
        Bounded {
            most,
            next: 0,
            values: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// One of [`REMEMBERED`].
    pub fn remembering() -> Self {
        Self::new(REMEMBERED)
    }

    /// Puts a value in the place of the one that is there.
    pub fn put(&mut self, key: K, value: V) {
        if let Some((number, _)) = self.values.insert(key.clone(), (self.next, value)) {
            self.keys.remove(&number);
        }
        self.keys.insert(self.next, key);
        self.next += 1;
        if self.values.len() > self.most
            && let Some((_, oldest)) = self.keys.pop_first()
        {
            self.values.remove(&oldest);
        }
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key).map(|(_, value)| value)
    }

    /// Takes it out.
    pub fn take(&mut self, key: &K) -> Option<V> {
        let (number, value) = self.values.remove(key)?;
        self.keys.remove(&number);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_is_forgotten_first() {
        let mut map = Bounded::new(2);
        for key in [1, 2, 1, 3] {
            map.put(key, key * 10);
        }
        assert_eq!(map.take(&2), None);
        assert_eq!((map.take(&1), map.take(&1)), (Some(10), None));
        map.put(4, 40);
        assert_eq!(map.get_mut(&3), Some(&mut 30));
        assert_eq!(map.values.len(), map.keys.len());
    }

    #[test]
    fn without_an_endpoint_there_are_no_traces_and_an_unknown_way_is_told() {
        let with = |pairs: &'static [(&str, &str)]| {
            let env: Env = Arc::new(move |name| {
                let found = pairs.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            Traces::configured(&env)
        };
        let none = |found: Result<Option<Traces>, HostError>| found.is_ok_and(|t| t.is_none());
        assert!(none(with(&[("OTEL_SERVICE_NAME", "x")])));
        assert!(none(with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")])));
        assert!(none(with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ])));
        let refused = with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ]);
        let error = refused.err().unwrap();
        assert!(error.message.contains("`grpc`"), "{error}");
    }
}
