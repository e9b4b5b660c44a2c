//! A receiver in each kind of trouble beside one that is well: what reaches the other one, and how
//! late, before and meanwhile.
//!
//! It takes real time, so it runs on demand alone and prints its figures:
//! `SYNCLINE_TROUBLE=40 cargo test --test live -- latencies --nocapture` (seconds of each phase; a
//! call may take 30).

use std::collections::BTreeMap;

use super::troubles::{Manner, Receiver, TROUBLED, in_store};
use super::*;

/// 50 a second.
const EVERY: Duration = Duration::from_millis(20);

/// Sends events at a steady rate for so long, each of a person of its own; gives what it told.
fn feed(runner: &Runner, round: &str, lasts: Duration) -> BTreeMap<String, (String, Instant)> {
    let began = Instant::now();
    let mut told = BTreeMap::new();
    let mut n = 0;
    while began.elapsed() < lasts {
        let due = began + EVERY * n;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (email, name) = (format!("{round}{n}@example.com"), format!("{round} {n}"));
        let sent = Instant::now();
        let id = format!("{round}-{n}");
        assert_eq!(deliver(runner, &id, &submission(&email, &name)), 202);
        told.insert(email, (name, sent));
        n += 1;
    }
    told
}

/// How late what was told arrived there: half of it, 99 of 100, the last; milliseconds.
fn latencies(told: &BTreeMap<String, (String, Instant)>, receiver: &Receiver) -> [f64; 3] {
    let arrived = receiver.arrived();
    let late = told.values().map(|(name, sent)| arrived[name] - *sent);
    let mut late: Vec<Duration> = late.collect();
    late.sort();
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    [0.5, 0.99, 1.0].map(at)
}

#[test]
fn a_receiver_in_trouble_makes_another_wait_no_longer() {
    let Ok(seconds) = std::env::var("SYNCLINE_TROUBLE") else {
        return;
    };
    let lasts = Duration::from_secs(seconds.parse().unwrap());
    println!(
        "| trouble | events before, meanwhile | the other one before: p50, p99, last (ms) | meanwhile | \
         calls to the one in trouble | its effects twice | dead letters | the rest is there after |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for trouble in Manner::TROUBLES {
        beside(trouble, lasts);
    }
}

/// Two phases with one trouble in the second, and what came of them.
fn beside(trouble: Manner, lasts: Duration) {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let policy = TROUBLED
        .replace("LIMIT", "")
        .replace(
            r#"system crm { connector sqlite option path = "crm.db" }"#,
            r#"system crm { connector webhook option url = env("CRM_URL") secret signing = env("FORMS_SECRET") }"#,
        )
        .replace(
            r#"map contact in crm "contacts" { same_names  cursor "updated_at" }"#,
            "map contact in crm { same_names }",
        );
    std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
    let (well, other) = (Receiver::start(Manner::Well), Receiver::start(Manner::Well));
    let env = [("CRM_URL", &*well.url), ("TRACKER_URL", &*other.url)];
    let runner = start_with(dir.path(), &env);
    let before = feed(&runner, "before", lasts);
    let count = before.len();
    wait_for("all at both", || {
        well.last().len() == count && other.last().len() == count
    });
    let calls = other.calls();
    other.turns(trouble);
    let meanwhile = feed(&runner, "meanwhile", lasts);
    let all = count + meanwhile.len();
    wait_for("all at the other one", || well.last().len() == all);
    let takes = matches!(trouble, Manner::Slow | Manner::LosesReply);
    assert!(
        takes || other.last().len() == count,
        "nothing of it meanwhile"
    );
    assert_eq!(in_store(dir.path(), "outbox WHERE system = 'crm'"), 0);
    let calls = other.calls() - calls;
    let over = Instant::now();
    other.turns(Manner::Well);
    wait_for("all at the one that was in trouble", || {
        // Fails where an effect came twice.
        other.last().len() == all && in_store(dir.path(), "outbox") == 0
    });
    let rest = over.elapsed();
    let letters = in_store(dir.path(), "dead_letters");
    assert_eq!(letters, 0);
    let shown = |[p50, p99, last]: [f64; 3]| format!("{p50:.1}, {p99:.1}, {last:.1}");
    println!(
        "| {trouble:?} | {count}, {} | {} | {} | {calls} | 0 | {letters} | {:.1} s |",
        meanwhile.len(),
        shown(latencies(&before, &well)),
        shown(latencies(&meanwhile, &well)),
        rest.as_secs_f64(),
    );
}
