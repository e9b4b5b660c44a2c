//! A system that is down, slow or silent harms no other, and costs no more than its records.

use std::num::NonZeroUsize;

use syncline::engine::ports::Store;
use syncline::engine::runner::Options;

use crate::basics::policy;
use crate::world::{Act, Bench, START, named, text};

const MINUTE: i64 = 60_000;

#[test]
fn a_destination_that_never_answers_delays_no_other() {
    let flows = "scenario s { sync contact(name) from a to b, c mode realtime } \
         scenario t { sync contact(name) from a to b, c mode every 5m }";
    let mut bench = Bench::new(&policy("field name: text?", flows), 1);
    bench.sim.system("b").hangs = true;
    for i in 0..100i64 {
        let act = Act::Sets(
            "a",
            "contact".into(),
            format!("k{i:02}"),
            named(&[("name", text("x"))]),
        );
        bench.sim.at(i * 6_000, act);
    }
    bench.for_ms(12 * MINUTE);
    let c = bench.sim.system("c").writes.clone();
    assert_eq!(c.len(), 100);
    // Each went out before the next one came.
    for (i, write) in c.iter().enumerate() {
        assert!(
            write.0 - START < (i as i64 + 1) * 6_000 + 1_000,
            "{write:?}"
        );
    }
    assert_eq!(bench.writes("b"), 0);
    // What was under way when the runner had to go is made up by the next one.
    bench.sim.system("b").hangs = false;
    bench.sim.runner_died();
    bench.for_ms(10 * MINUTE);
    assert_eq!(bench.sim.values("b", "contact").len(), 100);
}

#[test]
fn a_write_that_is_tried_again_does_not_wait_for_one_that_hangs() {
    let flow = "scenario s { sync contact(name) from a to b mode realtime }";
    let mut bench = Bench::new(&policy("field name: text?", flow), 1).with_plan(|plan| {
        // Nothing else wakes the runner: events are heard, not asked for.
        plan.systems[0].connector = "webhook".into();
        plan.systems[1].connector = "webhook".into();
        plan.systems[1].write_batch = Some(1);
        plan.systems[1].concurrency = 2;
    });
    bench.sim.system("b").hangs_on.insert("k1".into());
    bench.sim.system("b").chokes_on.insert("k2".into());
    for key in ["k1", "k2"] {
        let value = named(&[("name", text("x"))]);
        bench
            .sim
            .at(1_000, Act::Sets("a", "contact".into(), key.into(), value));
    }
    let mends = |sim: &mut crate::world::Sim| sim.system("b").chokes_on.clear();
    bench.sim.at(1_200, Act::Do(Box::new(mends)));
    bench.for_ms(5 * MINUTE);
    let writes = &bench.sim.system("b").writes;
    let k2: Vec<i64> = writes.iter().map(|w| w.0 - START).collect();
    // One try again, after a second at the most.
    assert!(k2.len() == 1 && k2[0] < 4_000, "{k2:?}");
}

#[test]
fn what_has_arrived_is_confirmed_soon_however_long_others_take() {
    let flow = "scenario s { sync contact(name) from a to b, c mode realtime }";
    for crowd in [1, 2, 1_000] {
        let mut bench = Bench::new(&policy("field name: text?", flow), 1);
        bench.sim.system("b").hangs = true;
        for (i, key) in ["k1", "k2", "k3"].into_iter().enumerate() {
            let value = named(&[("name", text("x"))]);
            let act = Act::Sets("a", "contact".into(), key.into(), value);
            bench.sim.at(i as i64 * 10_000, act);
            let mut store = bench.store.clone();
            // The call to `b` hangs, so that arrivals might wait for it to come back.
            let look = Act::Do(Box::new(move |sim| {
                let counts = store.waiting_counts().unwrap();
                let of_c = counts.iter().find(|(system, _)| system == "c");
                assert_eq!(of_c.map_or(0, |c| c.1), 0, "crowd {crowd}");
                let arrived = sim.system("c").writes.last().unwrap().0;
                let doc = store.record("contact", key).unwrap().unwrap();
                // Known since it arrived, and not since it was confirmed.
                let known = doc.contains(&format!("{}", arrived * 1_000));
                assert!(known, "crowd {crowd}: {arrived} {doc}");
            }));
            bench.sim.at(i as i64 * 10_000 + 5_000, look);
        }
        bench.sim.at(29_000, Act::Stop);
        let crowd = Options {
            crowd: NonZeroUsize::new(crowd),
            ..Options::default()
        };
        bench.run_with(crowd).unwrap();
        assert_eq!(bench.writes("c"), 3);
    }
}

#[test]
fn a_backlog_is_as_large_as_its_records_and_not_as_its_changes() {
    let flow = "scenario s { sync contact(name) from a to b, c mode realtime }";
    let mut bench = Bench::new(&policy("field name: text?", flow), 2);
    bench.sim.system("b").down_until = START + 60 * MINUTE;
    let (records, changes) = (200, 10_000i64);
    for i in 0..changes {
        let key = format!("k{:03}", i * 7 % records);
        let value = named(&[("name", text(&format!("v{i}")))]);
        bench
            .sim
            .at(i * 300, Act::Sets("a", "contact".into(), key, value));
    }
    let mut store = bench.store.clone();
    for minute in 1..50 {
        let mut store = store.clone();
        let look = Act::Do(Box::new(move |_| {
            let counts = store.waiting_counts().unwrap();
            assert!(
                counts.iter().all(|(_, n)| *n <= records as u64),
                "{counts:?}"
            );
        }));
        bench.sim.at(minute * MINUTE, look);
    }
    bench.for_ms(55 * MINUTE);
    let counts = store.waiting_counts().unwrap();
    assert_eq!(counts, [("b".to_owned(), records as u64)]);
    bench.for_ms(30 * MINUTE);
    assert_eq!(bench.waiting(), 0);
    // One write a record, of what holds now.
    assert_eq!(bench.writes("b") as i64, records);
    assert_eq!(
        bench.sim.values("b", "contact"),
        bench.sim.values("a", "contact")
    );
}

#[test]
fn a_stop_lets_calls_under_way_finish_and_hands_out_no_more() {
    for seed in 0..20 {
        let flow = "scenario s { sync contact(name) from a to b mode hourly }";
        let mut bench = Bench::new(&policy("field name: text?", flow), seed).with_plan(|plan| {
            plan.systems[1].write_batch = Some(1);
        });
        bench.sim.system("b").manner.slowness = 20_000;
        for i in 0..60 {
            bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -9_000);
        }
        let stop = 62 * MINUTE + seed as i64 * 1_700;
        bench.for_ms(stop);
        let asked = &bench.sim.system("b").asked;
        assert!(asked.iter().all(|a| a.0 <= START + stop), "seed {seed}");
        let sent = asked.iter().filter(|a| a.1 == "write").count();
        assert_eq!(bench.writes("b"), sent, "seed {seed}");
        // What was confirmed is not sent once more, and the rest is.
        bench.until_idle();
        assert_eq!(bench.writes("b"), 60, "seed {seed}");
        assert_eq!(bench.sim.values("b", "contact").len(), 60);
    }
}
