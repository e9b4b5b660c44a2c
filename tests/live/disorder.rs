//! Events that come repeated, in any order and late, to the real binary.

use std::collections::BTreeMap;

use super::troubles::{Manner, Receiver, contacts, in_store, set_up_troubled};
use super::*;

/// People, changes of each, and how often each change is told at most.
const PEOPLE: u32 = 40;
const CHANGES: u32 = 6;
const TIMES: u32 = 3;

/// A change of somebody: when, and his name from then on.
fn change(person: u32, change: u32) -> (String, String) {
    let at = format!("2026-10-{:02}T00:00:{:02}Z", change + 1, person);
    let name = format!("name {change} of {person}");
    let body = submission(&format!("p{person}@example.com"), &name);
    (
        format!("msg_{person}_{change}"),
        body.replace("2026-10-01T00:00:00Z", &at),
    )
}

#[test]
fn repeated_events_in_any_order_come_to_the_newest_change_and_to_no_effect_twice() {
    for seed in [1, 2, 3] {
        let mut random = fastrand::Rng::with_seed(seed);
        let dir = tempfile::tempdir().unwrap();
        set_up_troubled(dir.path(), "");
        let receiver = Receiver::start(Manner::Well);
        let mut runner = start_with(dir.path(), &[("TRACKER_URL", &receiver.url)]);
        let mut told: Vec<(String, String)> = Vec::new();
        for person in 0..PEOPLE {
            for n in 0..CHANGES {
                let times = random.u32(1..=TIMES);
                told.extend((0..times).map(|_| change(person, n)));
            }
        }
        random.shuffle(&mut told);
        let restart = random.usize(0..told.len());
        for (n, (id, body)) in told.iter().enumerate() {
            assert_eq!(deliver(&runner, id, body), 202, "seed {seed}");
            if n == restart {
                // What was told before is remembered by whoever comes next.
                drop(runner);
                runner = start_with(dir.path(), &[("TRACKER_URL", &receiver.url)]);
            }
        }
        let last: BTreeMap<String, String> = (0..PEOPLE)
            .map(|p| {
                let newest = format!("name {} of {p}", CHANGES - 1);
                (format!("p{p}@example.com"), newest)
            })
            .collect();
        wait_for(&format!("the newest of each, seed {seed}"), || {
            in_store(dir.path(), "events") == 0
                && in_store(dir.path(), "outbox") == 0
                && contacts(dir.path()) == last
                // Fails where an effect came twice.
                && receiver.last() == last
        });
        assert_eq!(in_store(dir.path(), "dead_letters"), 0);
    }
}
