//! Threads of the live world against a receiver that never answers.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::engine::ports::{
    EventPage, FailureClass, Idempotency, Page, ReadRequest, Write, WriteReport, WriteRequest,
};

/// A plan with one webhook that takes three calls at a time.
fn plan(url: &str) -> Plan {
    serde_json::from_value(serde_json::json!({
        "syncline_plan": 1, "policy": "p", "digest": "sha256:0", "timezone": "UTC",
        "systems": [{
            "name": "desk", "connector": "webhook", "concurrency": 3,
            "capabilities": {"read": false, "write": true, "upsert": true, "events": false, "deletes": true},
            "options": {"url": {"value": url}}, "secrets": {"signing": {"env": "SIGNING"}},
            "budget": 1.0, "failure": 0.0, "latency": 100, "write_batch": 1, "visibility_lag": 0
        }],
        "entities": [{"name": "contact", "keys": ["id"], "fields": [
            {"name": "id", "type": {"type": "text"}},
            {"name": "name", "type": {"type": "text"}, "optional": true}
        ]}],
        "maps": [{"entity": "contact", "system": "desk", "object": "contacts", "fields": [
            {"field": "id", "column": "id", "key": true},
            {"field": "name", "column": "name"}
        ]}],
        "scenarios": []
    }))
    .expect("the test's plan is well formed")
}

fn write(key: &str) -> Call {
    Call::Write(WriteRequest {
        map: 0,
        scenario: 0,
        job_calls: 0,
        writes: vec![Write {
            key: key.into(),
            native_key: None,
            locator: None,
            fields: vec![(1, crate::value::Value::Text("x".into()))],
            delete: false,
            idempotency: Idempotency::Key(key.into()),
        }],
    })
}

#[test]
fn calls_go_side_by_side_and_one_that_hangs_does_not_keep_the_world() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let env =
        |name: &str| (name == "SIGNING").then(|| "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
    let mut world = LiveWorld::new(Arc::new(plan(&url)), PathBuf::from("."), Arc::new(env));
    for (ticket, key) in ["a", "b", "c"].into_iter().enumerate() {
        world.call(ticket as u64, 0, write(key));
    }
    world.calls_go();
    // All three are there before any is answered; none ever is.
    let held: Vec<_> = (0..3).map(|_| silent.accept().expect("a call")).collect();
    assert_eq!(world.workers[&0].len(), 1);
    let (gone, told) = channel();
    std::thread::spawn(move || {
        drop(world);
        let _ = gone.send(());
    });
    // Far less than the call itself may take.
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(()));
    drop(held);
}

#[test]
fn an_answer_does_not_wait_behind_those_who_wake_the_world() {
    let env = |_: &str| None;
    let mut world = LiveWorld::new(
        Arc::new(plan("http://127.0.0.1:9/")),
        PathBuf::from("."),
        Arc::new(env),
    );
    for _ in 0..1_000 {
        world.waker().wake();
    }
    let failure = Failure {
        class: FailureClass::Setup,
        message: String::new(),
        remedy: None,
    };
    let answer = Message::Answer(7, Answer::Failed(None, failure));
    world.waker.sender.send(answer).expect("the world listens");
    // One look at the inbox finds it, however many woke the world before.
    assert!(matches!(world.wait(now()), Some((7, Answer::Failed(..)))));
    world.waker().wake();
    world.waker().wake();
    // Whoever is only woken goes on at once, and once.
    let long = Instant(now().0 + 3_600_000);
    assert_eq!(world.wait(long), None);
    assert_eq!(world.wait(now()), None);
}

struct Panics;

impl Connector for Panics {
    fn read(&mut self, _: &ReadRequest) -> Result<Page, Failure> {
        panic!("on purpose")
    }
    fn write(&mut self, _: &WriteRequest) -> Result<WriteReport, Failure> {
        panic!("on purpose")
    }
    fn events(&mut self, _: Option<&str>, _: usize) -> Result<EventPage, Failure> {
        panic!("on purpose")
    }
}

#[test]
fn a_call_whose_connector_panics_has_failed_and_the_next_one_finds_a_new_one() {
    let mut worker = Worker {
        plan: Arc::new(plan("http://127.0.0.1:9/")),
        system: 0,
        base_dir: PathBuf::from("."),
        env: Arc::new(|_: &str| None),
        connector: Some(Box::new(Panics)),
    };
    let Answer::Failed(Some(request), failure) = worker.answer(write("a")) else {
        panic!("it failed, and its records are told");
    };
    assert_eq!(&*request.writes[0].key, "a");
    assert!(matches!(failure.class, FailureClass::Retry { .. }));
    assert!(failure.message.contains("unexpectedly"), "{failure:?}");
    // The one that is opened now has no key to sign with.
    let Answer::Failed(_, failure) = worker.answer(write("b")) else {
        panic!("it has no key");
    };
    assert!(failure.message.contains("SIGNING"), "{failure:?}");
}
