//! What gathers while a flush is under way goes into the next one together.

use super::*;

#[test]
fn many_requests_share_one_flush() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s.db");
    drop(SqliteStore::open(&path, OpenMode::Run).expect("a store"));
    let mut store = SqliteStore::open(&path, OpenMode::Operate).expect("the store");
    let plan: Plan = serde_json::from_value(serde_json::json!({
        "syncline_plan": 1, "policy": "p", "digest": "sha256:0", "timezone": "UTC",
        "systems": [], "entities": [], "maps": [], "scenarios": []
    }))
    .expect("the test's plan is well formed");
    let (sender, deliveries) = mpsc::channel();
    let mut answers = Vec::new();
    for n in 0..2 * GROUP + 1 {
        let (done, answer) = oneshot::channel();
        answers.push(answer);
        let event = RawEvent {
            id: n.to_string(),
            body: "{}".into(),
        };
        let delivery = Delivery {
            system: 0,
            event,
            done,
        };
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
