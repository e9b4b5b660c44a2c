//! What a failed call means: for its system, for its record, and for who hears of it.

use syncline::engine::decide;
use syncline::engine::ports::{RunStatus, Store};
use syncline::time::Instant;

use crate::basics::policy;
use crate::world::{Act, Bench, START, text};

const HOUR: i64 = 3_600_000;
const FLOW: &str = "scenario s { sync contact(name) from a to b mode realtime \
     retry exponential from 1s to 1m, 3 attempts breaker 4 failures, 30s pause }";

fn bench(flow: &str, seed: u64) -> Bench {
    Bench::new(&policy("field name: text?", flow), seed)
}

fn tell(bench: &mut Bench, count: usize) {
    for i in 0..count {
        bench.sets("a", &format!("k{i:03}"), &[("name", text("x"))]);
    }
}

fn asked(bench: &mut Bench, system: &str) -> Vec<i64> {
    let asked = &bench.sim.system(system).asked;
    let writes = asked.iter().filter(|a| a.1 == "write");
    writes.map(|a| a.0 - START).collect()
}

#[test]
fn wrong_credentials_are_told_once_and_tried_ever_more_rarely() {
    let mut bench = bench(FLOW, 1);
    bench.sim.system("b").locked = true;
    tell(&mut bench, 3);
    let unlock = Act::Do(Box::new(|sim| sim.system("b").locked = false));
    bench.sim.at(3 * HOUR, unlock);
    bench.for_ms(4 * HOUR);
    assert_eq!(bench.alerts, ["b paused: 401", "b resumed"]);
    let tries = asked(&mut bench, "b");
    // 30 s, 1, 2, 4, 8 minutes, then every 15.
    assert!((15..20).contains(&tries.len()), "{tries:?}");
    assert_eq!(bench.sim.values("b", "contact").len(), 3);
    assert!(bench.inner().dead_letters().unwrap().is_empty());
}

#[test]
fn a_persons_word_has_a_paused_system_tried_at_once() {
    let mut bench = bench(FLOW, 2);
    bench.sim.system("b").locked = true;
    tell(&mut bench, 3);
    let mut store = bench.store.clone();
    let mend = Act::Do(Box::new(move |sim| {
        sim.system("b").locked = false;
        decide::resume(&mut store, "b", Instant(sim.now)).unwrap();
    }));
    // In the middle of a pause of fifteen minutes.
    bench.sim.at(2 * HOUR, mend);
    bench.for_ms(2 * HOUR + 20_000);
    assert_eq!(bench.sim.values("b", "contact").len(), 3);
    assert_eq!(bench.alerts, ["b paused: 401", "b resumed"]);
}

#[test]
fn a_word_that_came_too_early_is_no_reason_to_hammer() {
    let mut bench = bench(FLOW, 2);
    bench.sim.system("b").locked = true;
    tell(&mut bench, 1);
    let mut store = bench.store.clone();
    let hope = Act::Do(Box::new(move |sim| {
        decide::resume(&mut store, "b", Instant(sim.now)).unwrap();
    }));
    bench.sim.at(HOUR, hope);
    bench.for_ms(HOUR + HOUR / 2);
    assert!(asked(&mut bench, "b").len() < 20);
}

#[test]
fn a_system_that_was_down_is_tried_with_one_call() {
    let mut bench = bench(FLOW, 3).with_plan(|plan| {
        plan.systems[1].write_batch = Some(1);
        plan.systems[1].concurrency = 8;
    });
    bench.sim.system("b").down_until = START + HOUR;
    bench.sim.system("b").manner.slowness = 2_000;
    tell(&mut bench, 200);
    bench.for_ms(HOUR - 60_000);
    // Once the breaker is open, one call a pause.
    let late: Vec<i64> = asked(&mut bench, "b")
        .into_iter()
        .filter(|t| *t > 60_000)
        .collect();
    assert!(late.windows(2).all(|w| w[1] - w[0] >= 30_000), "{late:?}");
    assert!(late.len() > 50);
    bench.for_ms(HOUR);
    assert_eq!(bench.sim.values("b", "contact").len(), 200);
    assert_eq!(bench.sim.system("b").under_way.1, 8);
    let letters = bench.inner().dead_letters().unwrap();
    assert!(letters.is_empty(), "{letters:?}");
    // Told of once by each of the two runners, however often it was tried.
    assert_eq!(bench.alerts, ["b down: 503", "b down: 503", "b up"]);
}

#[test]
fn the_record_at_fault_is_found_by_halves_and_told_of() {
    let mut bench = bench(FLOW, 4);
    tell(&mut bench, 1_000);
    bench.sim.system("b").refuses_batch.insert("k617".into());
    bench.for_ms(HOUR);
    assert_eq!(bench.sim.values("b", "contact").len(), 999);
    assert_eq!(bench.alerts, ["letter: k617"]);
    // Two for each halving and as many to grow again, not one for each record.
    assert!(
        asked(&mut bench, "b").len() < 60,
        "{:?}",
        asked(&mut bench, "b").len()
    );
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn waits_grow_and_are_spread() {
    let mut waits = Vec::new();
    for seed in 0..40 {
        let flow = FLOW
            .replace("4 failures", "50 failures")
            .replace("3 attempts", "9 attempts");
        let mut bench = bench(&flow, seed);
        bench.sim.system("b").down_until = START + HOUR;
        bench.sim.system("b").manner.slowness = 0;
        tell(&mut bench, 1);
        bench.for_ms(HOUR / 2);
        let tries = asked(&mut bench, "b");
        waits.push(
            tries
                .windows(2)
                .take(5)
                .map(|w| w[1] - w[0])
                .collect::<Vec<_>>(),
        );
    }
    for n in 0..5 {
        let of_turn: Vec<i64> = waits.iter().map(|w| w[n]).collect();
        let most = *of_turn.iter().max().unwrap();
        assert!(most <= 1_000 << n, "{n}: {of_turn:?}");
        // Anywhere from nothing to the ceiling.
        assert!(most > 800 << n, "{n}: {of_turn:?}");
        assert!(
            *of_turn.iter().min().unwrap() < 400 << n,
            "{n}: {of_turn:?}"
        );
    }
}

#[test]
fn a_run_waits_for_a_source_that_is_away_and_says_so() {
    let mut bench = bench(
        "scenario s { sync contact(name) from a to b mode daily at 01:00 }",
        5,
    );
    bench.seed("a", "k", &[("name", text("x"))], -9_000);
    bench.sim.system("a").down_until = START + 3 * HOUR;
    let mut store = bench.store.clone();
    let look = Act::Do(Box::new(move |_| {
        let run = store.runs(None, 1).unwrap().remove(0);
        assert_eq!(run.status, RunStatus::Reading);
        assert!(run.note.unwrap().contains("`a` could not be read: 503"));
    }));
    bench.sim.at(2 * HOUR, look);
    bench.for_ms(4 * HOUR);
    let runs = bench.run_records("s");
    assert_eq!((runs.len(), runs[0].status), (1, RunStatus::Done));
    assert_eq!(runs[0].note, None);
    assert_eq!(bench.value("b", "k", "name"), Some(text("x")));
}
