//! A receiver that takes calls and answers none of them for longer than a call may take, beside
//! one that is well: what reaches the other one, and how late.
//!
//! It takes real time, so it runs on demand alone and prints its figures:
//! `SYNCLINE_HANG=35 cargo test --test live -- hangs --nocapture` (seconds).

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

/// How late what was told arrived there, sorted.
fn latencies(told: &BTreeMap<String, (String, Instant)>, receiver: &Receiver) -> Vec<Duration> {
    let arrived = receiver.arrived();
    let late = told.values().map(|(name, sent)| arrived[name] - *sent);
    let mut late: Vec<Duration> = late.collect();
    late.sort();
    late
}

fn shown(late: &[Duration]) -> String {
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!(
        "{} events, p50 {:.1} ms, p99 {:.1} ms, last {:.1} ms",
        late.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

#[test]
fn a_receiver_that_hangs_makes_another_wait_no_longer() {
    let Ok(seconds) = std::env::var("SYNCLINE_HANG") else {
        return;
    };
    let lasts = Duration::from_secs(seconds.parse().unwrap());
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
    let (well, hangs) = (Receiver::start(Manner::Well), Receiver::start(Manner::Well));
    let env = [("CRM_URL", &*well.url), ("TRACKER_URL", &*hangs.url)];
    let runner = start_with(dir.path(), &env);
    let before = feed(&runner, "before", lasts);
    let count = before.len();
    wait_for("all at both", || {
        well.last().len() == count && hangs.last().len() == count
    });
    hangs.turns(Manner::Hangs);
    let meanwhile = feed(&runner, "meanwhile", lasts);
    let all = count + meanwhile.len();
    wait_for("all at the other one", || well.last().len() == all);
    assert_eq!(hangs.last().len(), count, "nothing of it while it hangs");
    assert_eq!(in_store(dir.path(), "outbox WHERE system = 'crm'"), 0);
    hangs.turns(Manner::Well);
    wait_for("all at the one that hung", || {
        hangs.last().len() == all && in_store(dir.path(), "outbox") == 0
    });
    assert_eq!(in_store(dir.path(), "dead_letters"), 0);
    println!(
        "the other one before: {}",
        shown(&latencies(&before, &well))
    );
    let late = latencies(&meanwhile, &well);
    println!("the other one meanwhile: {}", shown(&late));
    let late = latencies(&meanwhile, &hangs);
    println!("the one that hung: {}", shown(&late));
}
