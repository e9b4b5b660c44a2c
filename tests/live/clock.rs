//! The real binary while its clock jumps: nothing is lost, no run is made twice, what was missed
//! is made up once, and limits hold.

use std::collections::BTreeMap;

use super::troubles::{Manner, Receiver, contacts, in_store, set_up_troubled};
use super::*;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A clock that a runner goes by, some milliseconds off.
struct Clock {
    file: std::path::PathBuf,
    by: i64,
}

impl Clock {
    fn new(dir: &Path) -> Clock {
        let mut clock = Clock {
            file: dir.join("clock"),
            by: 0,
        };
        clock.jump(0);
        clock
    }

    fn jump(&mut self, by: i64) {
        self.by += by;
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, self.by.to_string()).unwrap();
        std::fs::rename(&beside, &self.file).unwrap();
    }

    fn now(&self) -> i64 {
        chrono::Utc::now().timestamp_millis() + self.by
    }

    /// Jumps to shortly before the next 03:00 by UTC.
    fn jump_to_shortly_before_three(&mut self) {
        let three = 3 * HOUR;
        let past = (self.now() - three).rem_euclid(DAY);
        self.jump(DAY - past - 10 * MINUTE);
    }
}

/// Sends a change by a sender whose clock agrees with the runner's. What arrives wakes the runner,
/// which looks at its clock again.
fn tell(runner: &Runner, clock: &Clock, id: &str) -> String {
    let at = clock.now() / 1_000;
    let email = format!("{id}@example.com");
    let shown = chrono::DateTime::from_timestamp(at, 0)
        .unwrap()
        .to_rfc3339();
    let body = submission(&email, id).replace("2026-10-01T00:00:00Z", &shown);
    let headers = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", sign(id, at, &body)),
    ];
    let answer = post(&runner.address, "/hooks/forms", &headers, body.as_bytes());
    assert_eq!(answer.0, 202, "{answer:?}");
    email
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_starts_each_run_once() {
    let dir = tempfile::tempdir().unwrap();
    with_a_copy(dir.path());
    let mut clock = Clock::new(dir.path());
    clock.jump_to_shortly_before_three();
    let env = [("SYNCLINE_CLOCK", clock.file.to_str().unwrap().to_owned())];
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, &**v)).collect();
    let mut runner = start_with(dir.path(), &env);
    let runs = || in_store(dir.path(), "runs WHERE ended_at IS NOT NULL");
    // By how much the clock jumps, and how many runs there have been once it has.
    let jumps = [
        ("before", 0, 0),
        ("past-three", HOUR, 1),
        ("back", -HOUR, 1),
        ("again", HOUR, 1),
        ("back-a-day", -DAY, 1),
        ("right-again", DAY, 1),
        // Three starts were missed: they are made up once.
        ("three-days-on", 3 * DAY, 2),
        ("an-hour-back", -HOUR, 2),
        ("a-day-on", DAY + HOUR, 3),
    ];
    let mut told = Vec::new();
    for (at, (id, by, wanted)) in jumps.into_iter().enumerate() {
        clock.jump(by);
        if at == 4 {
            // Killed, and started by a clock that is a day behind.
            drop(runner);
            runner = start_with(dir.path(), &env);
        }
        for n in 0..3 {
            told.push(tell(&runner, &clock, &format!("{id}-{n}")));
        }
        wait_for(&format!("what was told {id}"), || {
            told.iter()
                .all(|email| name_of(dir.path(), email).is_some())
        });
        wait_for(&format!("the runs {id}"), || runs() >= wanted);
        // Another event and its write: whatever a look at the clock would start has started.
        told.push(tell(&runner, &clock, &format!("{id}-after")));
        wait_for("the last one", || {
            name_of(dir.path(), told.last().unwrap()).is_some()
        });
        assert_eq!(in_store(dir.path(), "runs"), wanted, "{id}");
    }
    assert_eq!(in_store(dir.path(), "dead_letters WHERE system = 'crm'"), 0);
    let copied = rusqlite::Connection::open(dir.path().join("copy.db")).unwrap();
    let copied = copied
        .query_row("SELECT count(*) FROM contacts", [], |r| r.get::<_, i64>(0))
        .unwrap();
    // All but the one that the copy refuses, and what came after the last run.
    assert!(
        copied >= told.len() as i64 - 4,
        "{copied} of {}",
        told.len()
    );
}

#[test]
fn a_clock_that_jumps_spends_no_limit_twice() {
    let dir = tempfile::tempdir().unwrap();
    set_up_troubled(dir.path(), "limit 20/hour");
    let receiver = Receiver::start(Manner::Well);
    let mut clock = Clock::new(dir.path());
    let file = clock.file.to_str().unwrap().to_owned();
    let env = [("TRACKER_URL", &*receiver.url), ("SYNCLINE_CLOCK", &*file)];
    let runner = start_with(dir.path(), &env);
    let mut told = 0;
    let mut tell_some = |clock: &Clock, n: usize| {
        for _ in 0..n {
            tell(&runner, clock, &format!("q{told}"));
            told += 1;
        }
        let all = told;
        wait_for("crm", || contacts(dir.path()).len() == all);
    };
    tell_some(&clock, 25);
    wait_for("what the hour allows", || receiver.calls() == 20);
    for by in [-30 * MINUTE, 30 * MINUTE, 40 * MINUTE, -40 * MINUTE] {
        clock.jump(by);
        tell_some(&clock, 5);
        assert_eq!(receiver.calls(), 20, "{by}");
    }
    // An hour on by the clock, and what waited has its turn, as far as that hour allows.
    clock.jump(61 * MINUTE);
    tell_some(&clock, 1);
    wait_for("the next hour", || receiver.calls() == 40);
    tell_some(&clock, 1);
    assert_eq!(receiver.calls(), 40);
    assert_eq!(in_store(dir.path(), "dead_letters"), 0);
}

#[test]
fn what_piled_up_while_a_receiver_was_away_for_an_hour_drains_at_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    set_up_troubled(dir.path(), "limit 20/minute");
    let receiver = Receiver::start(Manner::Away);
    let mut clock = Clock::new(dir.path());
    let file = clock.file.to_str().unwrap().to_owned();
    let env = [("TRACKER_URL", &*receiver.url), ("SYNCLINE_CLOCK", &*file)];
    let runner = start_with(dir.path(), &env);
    let mut last = BTreeMap::new();
    for minute in 0..60 {
        // A new person each minute, and a change of the first.
        for id in [format!("m{minute}"), format!("first-{minute}")] {
            let email = tell(&runner, &clock, &id);
            last.insert(email, id);
        }
        wait_for("the other destination", || contacts(dir.path()) == last);
        clock.jump(MINUTE);
    }
    assert_eq!(receiver.calls(), 0);
    assert_eq!(in_store(dir.path(), "dead_letters"), 0);
    assert_eq!(in_store(dir.path(), "outbox WHERE system = 'tracker'"), 120);
    receiver.turns(Manner::Well);
    // The breaker tries it now and then; from then on, minute by minute, no more than the limit.
    let mut calls = 0;
    for minute in 0..20 {
        clock.jump(MINUTE);
        let email = tell(&runner, &clock, &format!("after-{minute}"));
        last.insert(email.clone(), format!("after-{minute}"));
        let due = (120 + minute + 1 - calls).min(20);
        let known = calls;
        wait_for("this minute's calls", || {
            receiver.calls() as i64 - known >= due || in_store(dir.path(), "outbox") == 0
        });
        let made = receiver.calls() as i64 - calls;
        assert!(made <= 20, "{made} calls in minute {minute}");
        calls += made;
        if in_store(dir.path(), "outbox") == 0 && receiver.last() == last {
            break;
        }
    }
    wait_for("the rest", || receiver.last() == last);
    assert_eq!(in_store(dir.path(), "dead_letters"), 0);
}
