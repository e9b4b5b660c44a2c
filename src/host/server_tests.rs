//! What gathers while a flush is under way goes into the next one together.

use super::*;

fn plan(systems: &[&str]) -> Plan {
    let system = |name: &&str| {
        serde_json::json!({
            "name": name, "connector": "webhook", "concurrency": 1,
            "capabilities": {"read": false, "write": true, "upsert": true, "events": true, "deletes": true},
            "options": {}, "secrets": {},
            "budget": 1.0, "failure": 0.0, "latency": 100, "write_batch": 1, "visibility_lag": 0
        })
    };
    serde_json::from_value(serde_json::json!({
        "syncline_plan": 1, "policy": "p", "digest": "sha256:0", "timezone": "UTC",
        "systems": systems.iter().map(system).collect::<Vec<_>>(),
        "entities": [], "maps": [], "scenarios": []
    }))
    .expect("the test's plan is well formed")
}

fn delivery(n: usize) -> (Delivery, oneshot::Receiver<Result<(), String>>) {
    let (done, answer) = oneshot::channel();
    let event = RawEvent {
        id: n.to_string(),
        body: "{}".into(),
    };
    let delivery = Delivery {
        system: 0,
        event,
        done,
    };
    (delivery, answer)
}

#[test]
fn who_is_silent_is_heard_however_much_others_send() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s.db");
    let mut seen = SqliteStore::open(&path, OpenMode::Run).expect("a store");
    let mut store = SqliteStore::open(&path, OpenMode::Operate).expect("the store");
    let (sender, deliveries) = mpsc::channel();
    let writer = std::thread::spawn(move || {
        let plan = plan(&["busy", "silent"]);
        write(&mut store, &plan, &deliveries, &mut |_| {});
    });
    let mut notes = BTreeSet::new();
    let until = Instant::now() + Duration::from_secs(30);
    for n in 0.. {
        // Never so long silent that the intake has nothing else to do.
        let sent = sender.send(delivery(n).0);
        assert!(sent.is_ok() && Instant::now() < until, "{notes:?}");
        std::thread::sleep(HEARD_EVERY / 10);
        notes.extend(seen.meta("heard:silent").expect("a store"));
        if notes.len() == 3 {
            break;
        }
    }
    drop(sender);
    writer.join().expect("no panic");
}

#[test]
fn many_requests_share_one_flush() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s.db");
    drop(SqliteStore::open(&path, OpenMode::Run).expect("a store"));
    let mut store = SqliteStore::open(&path, OpenMode::Operate).expect("the store");
    let plan = plan(&[]);
    let (sender, deliveries) = mpsc::channel();
    let mut answers = Vec::new();
    for n in 0..2 * GROUP + 1 {
        let (delivery, answer) = delivery(n);
        answers.push(answer);
        sender.send(delivery).expect("somebody listens");
    }
    drop(sender);
    let (groups, committed) = mpsc::channel();
    let mut transactions = 0;
    write(&mut store, &plan, &deliveries, &mut |group| {
        transactions += 1;
        groups.send(group).expect("somebody listens");
    });
    assert_eq!(transactions, 3);
    // Nobody is told of what is not durable yet.
    for answer in &mut answers {
        assert!(answer.try_recv().is_err());
    }
    drop(groups);
    let (flusher, mut flushes) = (store.flusher(), 0);
    let mut make_durable = || {
        flushes += 1;
        flusher.flush()
    };
    flush(&mut make_durable, &committed);
    assert_eq!(flushes, 1, "of {} requests", answers.len());
    for answer in &mut answers {
        assert_eq!(answer.try_recv(), Ok(Ok(())));
    }
    assert_eq!(
        store.pending_events(usize::MAX).expect("events").len(),
        2 * GROUP + 1
    );
}
