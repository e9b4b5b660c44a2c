//! What a failed call means: for its system, for its record, and for who hears of it.

use std::sync::{Arc, Mutex};

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

/// Whether its events are followed or a run reads it.
#[test]
fn a_persons_word_has_a_source_that_was_away_read_at_once() {
    for (mode, seed) in ["realtime", "daily at 01:00"]
        .into_iter()
        .flat_map(|mode| (0..20).map(move |seed| (mode, seed)))
    {
        let flow = "scenario s { sync contact(name) from a to b mode MODE \
             retry exponential from 4m to 5m, 3 attempts breaker 4 failures, 30s pause }";
        let mut bench = bench(&flow.replace("MODE", mode), seed);
        bench.sim.system("a").down_until = START + 2 * HOUR;
        bench.seed("a", "k", &[("name", text("x"))], -9_000);
        bench.sets("a", "k", &[("name", text("y"))]);
        let mut store = bench.store.clone();
        let mend = Act::Do(Box::new(move |sim| {
            sim.system("a").calls.clear();
            assert!(decide::resume(&mut store, "a", Instant(sim.now)).unwrap());
        }));
        bench.sim.at(2 * HOUR + 1_000, mend);
        bench.for_ms(2 * HOUR + 6_000);
        let value = bench.value("b", "k", "name");
        assert_eq!(value, Some(text("y")), "{mode}, {seed}");
    }
}

#[test]
fn a_system_that_fails_otherwise_once_it_is_mended_is_down_and_not_hammered() {
    let mut bench = bench(FLOW, 2);
    bench.sim.system("b").locked = true;
    tell(&mut bench, 3);
    let mut store = bench.store.clone();
    let mend = Act::Do(Box::new(move |sim| {
        sim.system("b").locked = false;
        sim.system("b").down_until = START + 3 * HOUR;
        decide::resume(&mut store, "b", Instant(sim.now)).unwrap();
    }));
    bench.sim.at(2 * HOUR, mend);
    let mut store = bench.store.clone();
    let look = Act::Do(Box::new(move |_| {
        assert_eq!(decide::system_paused(&mut store, "b").unwrap(), None);
        let (since, error) = decide::system_down(&mut store, "b").unwrap().unwrap();
        assert!((2 * HOUR..2 * HOUR + 10_000).contains(&(since.0 - START)));
        assert_eq!(error, "503");
    }));
    bench.sim.at(2 * HOUR + HOUR / 2, look);
    bench.for_ms(4 * HOUR);
    let tries = asked(&mut bench, "b");
    let later: Vec<i64> = tries.into_iter().filter(|at| *at >= 2 * HOUR).collect();
    let down = later.iter().position(|at| *at >= 3 * HOUR).unwrap();
    let apart = later[..down].windows(2).all(|w| w[1] - w[0] >= 30_000);
    assert!(apart && down > 50, "{later:?}");
    assert_eq!(bench.sim.values("b", "contact").len(), 3);
    assert_eq!(bench.alerts, ["b paused: 401", "b down: 503", "b up"]);
}

#[test]
fn a_system_that_is_down_is_tried_once_a_pause_whatever_the_patience_of_who_tries() {
    let flows = "scenario s { sync contact(name) from a to b mode realtime \
         breaker 3 failures, 30s pause } \
         scenario t { sync contact(city) from a to b mode realtime \
         breaker 50 failures, 30s pause }";
    let policy = policy("field name: text? field city: text?", flows);
    for seed in 0..10 {
        let mut bench = Bench::new(&policy, seed);
        bench.sim.system("b").down_until = START + HOUR;
        for i in 0..20 {
            let key = format!("k{i:03}");
            let field = if i % 2 == 0 { "name" } else { "city" };
            bench.sets("a", &key, &[(field, text("x"))]);
        }
        bench.for_ms(HOUR);
        let tries = asked(&mut bench, "b");
        let late: Vec<i64> = tries.into_iter().filter(|t| *t > 20_000).collect();
        assert!(late.windows(2).all(|w| w[1] - w[0] >= 30_000), "{late:?}");
        assert!(late.len() > 50);
    }
}

#[test]
fn what_a_system_that_is_down_said_last_is_known_and_since_when_first() {
    let mut bench = bench(FLOW, 2);
    bench.sim.system("b").down_until = START + HOUR;
    bench.sim.system("b").chokes_on.insert("k000".into());
    tell(&mut bench, 1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    for at in [HOUR / 2, 2 * HOUR] {
        let (mut store, seen) = (bench.store.clone(), Arc::clone(&seen));
        let look = Act::Do(Box::new(move |sim| {
            seen.lock()
                .unwrap()
                .push(decide::system_down(&mut store, "b").unwrap().unwrap());
            // Whoever asks for a try asks for no other beginning.
            decide::resume(&mut store, "b", Instant(sim.now)).unwrap();
        }));
        bench.sim.at(at, look);
    }
    bench.for_ms(3 * HOUR);
    let seen = seen.lock().unwrap().clone();
    let said: Vec<&str> = seen.iter().map(|(_, error)| &**error).collect();
    assert_eq!(said, ["503", "500"]);
    assert_eq!(seen[0].0, seen[1].0);
    assert_eq!(bench.alerts, ["b down: 503"]);
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
