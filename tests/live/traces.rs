//! OpenTelemetry traces of the real binary, as a collector on loopback gets them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

use super::*;

/// A request as it came.
struct Request {
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// A server on loopback that keeps what it is sent and answers the n-th request with the status
/// that `answers` has for it, or its last; 0: it never answers.
struct Listener {
    address: String,
    requests: Requests,
    over: Arc<AtomicBool>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // So that it notices.
        let _ = TcpStream::connect(&self.address);
    }
}

impl Listener {
    fn start(answers: &'static [u16]) -> Listener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Listener {
            address: listener.local_addr().unwrap().to_string(),
            requests: Arc::default(),
            over: Arc::default(),
        };
        let (requests, over) = (Arc::clone(&server.requests), Arc::clone(&server.over));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (requests, stream) = (Arc::clone(&requests), stream.unwrap());
                std::thread::spawn(move || serve(stream, &requests, answers));
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn len(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Every span that came, with the name of the service that sent it.
    fn spans(&self) -> Vec<(String, Span)> {
        let mut all = Vec::new();
        for request in self.requests.lock().unwrap().iter() {
            assert_eq!(request.path, "/v1/traces");
            assert_eq!(request.headers["content-type"], "application/x-protobuf");
            assert_eq!(request.headers["x-key"], "open");
            let sent = ExportTraceServiceRequest::decode(&*request.body).unwrap();
            for resource in sent.resource_spans {
                let of = resource.resource.unwrap_or_default().attributes;
                let service = of.iter().find(|a| a.key == "service.name").unwrap();
                let Some(Value::StringValue(service)) = value_of(&service.value) else {
                    panic!("the service has no name: {of:?}");
                };
                for scope in resource.scope_spans {
                    all.extend(scope.spans.into_iter().map(|s| (service.clone(), s)));
                }
            }
        }
        all
    }

    fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.spans().into_iter().map(|(_, span)| span);
        let mut spans: Vec<Span> = spans.filter(|s| s.name == name).collect();
        spans.sort_by_key(|s| s.start_time_unix_nano);
        spans
    }
}

fn serve(stream: TcpStream, requests: &Requests, answers: &[u16]) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let headers: BTreeMap<String, String> = lines[1..]
            .iter()
            .filter_map(|l| l.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(Request {
                path: lines[0].split(' ').nth(1).unwrap().to_owned(),
                headers,
                body,
            });
            requests.len() - 1
        };
        let status = answers[number.min(answers.len() - 1)];
        if status == 0 {
            // Nothing more comes but the end.
            let _ = reader.read(&mut [0]);
            return;
        }
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn value_of(value: &Option<opentelemetry_proto::tonic::common::v1::AnyValue>) -> Option<Value> {
    value.as_ref()?.value.clone()
}

fn says(span: &Span, key: &str) -> Option<Value> {
    let attribute = span.attributes.iter().find(|a| a.key == key)?;
    value_of(&attribute.value)
}

fn word(text: &str) -> Option<Value> {
    Some(Value::StringValue(text.to_owned()))
}

fn number(n: i64) -> Option<Value> {
    Some(Value::IntValue(n))
}

fn traced<'a>(collector: &'a str, tracker: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=open"),
        ("OTEL_SERVICE_NAME", "contacts"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("TRACKER_URL", tracker),
        ("NO_PROXY", "127.0.0.1"),
    ]
}

fn deliver_in(runner: &Runner, id: &str, body: &str, traceparent: &str) -> u16 {
    let at = chrono::Utc::now().timestamp();
    let headers = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", sign(id, at, body)),
        ("traceparent", traceparent.to_owned()),
    ];
    post(&runner.address, "/hooks/forms", &headers, body.as_bytes()).0
}

#[test]
fn a_trace_goes_from_the_sender_of_a_webhook_to_the_receiver_of_another() {
    let dir = tempfile::tempdir().unwrap();
    troubles::set_up_troubled(dir.path(), "");
    let collector = Listener::start(&[200]);
    let tracker = Listener::start(&[503, 202]);
    let runner = start_with(dir.path(), &traced(&collector.url(), &tracker.url()));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let body = submission("ada@example.com", "Ada");
    assert_eq!(deliver_in(&runner, "msg_1", &body, &parent), 202);
    // One that is not accepted has no span, nor has the trace that it names.
    let headers = [("traceparent", parent.replace("0af7", "ffff"))];
    assert_eq!(
        post(&runner.address, "/hooks/forms", &headers, b"{}").0,
        401
    );
    wait_for("both attempts", || {
        collector.named("write tracker").len() == 2 && collector.named("write crm").len() == 1
    });
    let spans = collector.spans();
    assert!(spans.iter().all(|(service, _)| service == "contacts"));
    let all: Vec<&str> = spans.iter().map(|(_, s)| &*s.name).collect();
    assert_eq!(all.len(), 5, "{all:?}");
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    for (_, span) in &spans {
        assert_eq!(hex(&span.trace_id), trace, "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        let told = format!("{:?}", (&span.attributes, &span.events, &span.status));
        assert!(!told.contains("ada") && !told.contains("Ada"), "{told}");
    }
    let received = &collector.named("receive forms")[0];
    assert_eq!(hex(&received.parent_span_id), "b7ad6b7169203331");
    assert_eq!(received.kind(), SpanKind::Server);
    assert_eq!(says(received, "http.response.status_code"), number(202));
    assert_eq!(says(received, "syncline.event.id"), word("msg_1"));
    let evaluated = &collector.named("evaluate forms")[0];
    assert_eq!(evaluated.parent_span_id, received.span_id);
    assert_eq!(evaluated.kind(), SpanKind::Consumer);
    let wrote = &collector.named("write crm")[0];
    assert_eq!(wrote.parent_span_id, evaluated.span_id);
    assert_eq!(says(wrote, "syncline.scenario"), word("signup"));
    assert_eq!(says(wrote, "syncline.entity"), word("contact"));
    assert_eq!(says(wrote, "syncline.writes"), number(1));
    assert_eq!(says(wrote, "syncline.outcome"), word("ok"));
    let attempts = collector.named("write tracker");
    for (at, attempt) in attempts.iter().enumerate() {
        assert_eq!(attempt.parent_span_id, evaluated.span_id);
        assert_eq!(attempt.kind(), SpanKind::Client);
        assert_eq!(says(attempt, "syncline.attempt"), number(at as i64 + 1));
        let sent = &tracker.requests.lock().unwrap()[at].headers["traceparent"];
        assert_eq!(*sent, format!("00-{trace}-{}-01", hex(&attempt.span_id)));
    }
    let status = |span: &Span| span.status.clone().unwrap_or_default().code();
    assert_eq!(status(&attempts[0]), StatusCode::Error);
    assert_eq!(says(&attempts[0], "syncline.outcome"), word("retry"));
    assert_eq!(attempts[0].events[0].name, "retry");
    assert_eq!(status(&attempts[1]), StatusCode::Unset);
    assert!(attempts[1].events.is_empty());
}

#[test]
fn a_run_has_its_reads_its_check_and_its_chunks_below_it() {
    let dir = tempfile::tempdir().unwrap();
    with_a_copy(dir.path());
    let collector = Listener::start(&[200]);
    let run = || {
        let out = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args(["run", "--until-idle"])
            .arg(dir.path())
            .env("FORMS_SECRET", SECRET)
            .envs(traced(&collector.url(), ""))
            .output()
            .unwrap();
        String::from_utf8(out.stderr).unwrap()
    };
    // What is under way when it ends leaves with it.
    let told = run();
    let runs = collector.named("run nightly");
    assert_eq!(runs.len(), 1, "{told}");
    let run_span = &runs[0];
    assert_eq!(says(run_span, "syncline.why"), word("until-idle"));
    assert_eq!(says(run_span, "syncline.read"), number(2));
    assert_eq!(says(run_span, "syncline.written"), number(1));
    assert_eq!(says(run_span, "syncline.failed"), number(1));
    assert!(run_span.parent_span_id.is_empty());
    for name in ["read crm", "check nightly", "chunk nightly"] {
        let parts = collector.named(name);
        assert_eq!(parts.len(), 1, "{name}");
        assert_eq!(parts[0].parent_span_id, run_span.span_id, "{name}");
        assert_eq!(says(&parts[0], "syncline.scenario"), word("nightly"));
    }
    assert_eq!(
        says(&collector.named("read crm")[0], "syncline.rows"),
        number(2)
    );
    let chunk = &collector.named("chunk nightly")[0];
    let writes = collector.named("write copy");
    assert_eq!(writes[0].parent_span_id, chunk.span_id);
    assert_eq!(says(&writes[0], "syncline.writes"), number(2));
    assert_eq!(says(&writes[0], "syncline.rejected"), number(1));
}

#[test]
fn a_collector_that_is_down_or_never_answers_holds_nothing_up() {
    let away = {
        let there = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", there.local_addr().unwrap())
    };
    let hanging = Listener::start(&[0]);
    for collector in [away, hanging.url()] {
        let dir = tempfile::tempdir().unwrap();
        set_up(dir.path());
        let mut runner = start_with(dir.path(), &traced(&collector, ""));
        // More spans than the queue holds.
        for n in 0..1_000 {
            let body = submission(&format!("p{n}@example.com"), "Pat");
            assert_eq!(deliver(&runner, &format!("msg_{n}"), &body), 202);
        }
        wait_for("the last one", || {
            name_of(dir.path(), "p999@example.com").is_some()
        });
        terminate(&runner);
        wait_for("the end", || runner.child.try_wait().unwrap().is_some());
        assert!(runner.child.wait().unwrap().success());
    }
    assert!(hanging.len() > 0, "the collector that hangs was tried");
}
