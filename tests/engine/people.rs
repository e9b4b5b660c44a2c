//! What people ask for while a runner is under way, and while none is.

use std::cell::RefCell;
use std::rc::Rc;

use syncline::engine::decide::{backfill, choose, pause, unpause};
use syncline::engine::ports::{RunStatus, Store as _};
use syncline::sim::SharedStore;
use syncline::time::Instant;

use crate::basics::policy;
use crate::world::{Act, Bench, START, Sim, program, text};

const MINUTE: i64 = 60_000;

fn by_event() -> Bench {
    let flow = "scenario live { sync contact(name) from a to b mode realtime }";
    Bench::new(&policy("field name: text?", flow), 3)
}

fn by_clock() -> Bench {
    let flow = "scenario s { sync contact(name) from a to b mode every 15m }";
    let mut bench = Bench::new(&policy("field name: text?", flow), 3);
    for i in 0..20 {
        bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -9_000);
    }
    bench
}

/// Has a person ask for something after so many minutes.
fn asks(bench: &mut Bench, minute: i64, ask: impl FnOnce(&mut SharedStore, Instant) + 'static) {
    let act = Act::Do(Box::new(move |sim| {
        let mut store = sim.store.clone();
        ask(&mut store, Instant(sim.now));
    }));
    bench.sim.at(minute * MINUTE, act);
}

fn sets(bench: &mut Bench, minute: i64, key: &str, value: &str) {
    let fields = vec![("name".to_owned(), text(value))];
    let act = Act::Sets("a", "contact".into(), key.into(), fields);
    bench.sim.at(minute * MINUTE, act);
}

#[test]
fn what_a_paused_scenario_owes_waits_as_state_until_it_goes_on() {
    let mut bench = by_event();
    sets(&mut bench, 1, "ada", "before");
    asks(&mut bench, 2, |store, now| {
        assert!(pause(store, "live", now).unwrap())
    });
    for (minute, value) in [(3, "one"), (4, "two"), (5, "three")] {
        sets(&mut bench, minute, "ada", value);
    }
    bench.for_ms(10 * MINUTE);
    assert_eq!(bench.value("b", "ada", "name"), Some(text("before")));
    assert_eq!(
        bench.waiting(),
        1,
        "three changes of one record are one write"
    );
    let writes = bench.writes("b");

    // A runner that starts meanwhile knows of it too.
    bench.for_ms(10 * MINUTE);
    assert_eq!(bench.value("b", "ada", "name"), Some(text("before")));

    asks(&mut bench, 25, |store, now| {
        assert!(unpause(store, "live", now).unwrap())
    });
    bench.for_ms(10 * MINUTE);
    assert_eq!(bench.value("b", "ada", "name"), Some(text("three")));
    assert_eq!(bench.waiting(), 0);
    assert_eq!(bench.writes("b"), writes + 1);
}

/// While a record's write waits, the runner keeps its register at hand.
#[test]
fn what_a_person_chose_beside_a_runner_is_not_undone_by_what_it_keeps_at_hand() {
    let fields = "field name: text? accepts b resolve manual  field city: text?";
    let flow = "scenario s { sync contact(name) between a, b mode realtime }
        scenario t { sync contact(city) from a to b mode realtime }";
    let policy = policy(fields, flow);
    let mut bench = Bench::new(&policy, 3);
    for (minute, system, field, value) in [
        (1, "a", "name", "x"),
        (2, "b", "name", "y"),
        (4, "a", "city", "Ulm"),
    ] {
        let fields = vec![(field.to_owned(), text(value))];
        let act = Act::Sets(system, "contact".into(), "k".into(), fields);
        bench.sim.at(minute * MINUTE, act);
    }
    let goes_down = |sim: &mut Sim| sim.system("b").down_until = START + 10 * MINUTE;
    bench.sim.at(3 * MINUTE, Act::Do(Box::new(goes_down)));
    // The runner finds both at once: what was chosen, and an event of the same record.
    let program = program(&policy);
    let field = program.entities[0].field("name").unwrap();
    let chosen = move |sim: &mut Sim| {
        let (mut store, now) = (sim.store.clone(), Instant(sim.now));
        assert_eq!(store.conflicts().unwrap().len(), 1);
        choose(&program, &mut store, now, (0, "k", field), text("z"), "ada").unwrap();
        sim.sets("a", "contact", "k", &[("city".to_owned(), text("Bonn"))]);
    };
    bench.sim.at(6 * MINUTE, Act::Do(Box::new(chosen)));
    bench.for_ms(30 * MINUTE);
    for system in ["a", "b"] {
        let name = bench.value(system, "k", "name");
        assert_eq!(name, Some(text("z")), "{}", bench.story("k"));
    }
    assert_eq!(bench.value("b", "k", "city"), Some(text("Bonn")));
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn pausing_twice_is_pausing_once() {
    let bench = by_event();
    let mut store = bench.store.clone();
    let now = Instant(START);
    assert!(pause(&mut store, "live", now).unwrap());
    assert!(!pause(&mut store, "live", now).unwrap());
    assert!(unpause(&mut store, "live", now).unwrap());
    assert!(!unpause(&mut store, "live", now).unwrap());
}

#[test]
fn a_start_missed_in_a_pause_is_made_up_once() {
    let mut bench = by_clock();
    asks(&mut bench, 20, |store, now| {
        assert!(pause(store, "s", now).unwrap())
    });
    asks(&mut bench, 100, |store, now| {
        assert!(unpause(store, "s", now).unwrap())
    });
    bench.for_ms(110 * MINUTE);
    let runs = bench.run_records("s").into_iter().rev();
    let starts: Vec<(i64, String)> = runs
        .map(|r| ((r.started.0 - START) / MINUTE, r.why))
        .collect();
    assert_eq!(
        starts,
        [
            (15, "schedule".to_owned()),
            (100, "missed".to_owned()),
            (105, "schedule".to_owned())
        ]
    );
}

#[test]
fn a_pause_holds_a_run_under_way_and_it_goes_on_where_it_was() {
    let flow = "scenario s { sync contact(name) from a to b mode every 15m batch 1 }";
    let mut bench = Bench::new(&policy("field name: text?", flow), 3);
    for i in 0..30 {
        bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -9_000);
    }
    bench.sim.system("b").manner.slowness = 60_000;
    let arrived = Rc::new(RefCell::new(Vec::new()));
    for minute in [20, 120, 240] {
        let arrived = Rc::clone(&arrived);
        let look = move |sim: &mut Sim| {
            let there = sim.values("b", "contact").len();
            arrived.borrow_mut().push(there);
        };
        bench.sim.at(minute * MINUTE, Act::Do(Box::new(look)));
    }
    asks(&mut bench, 18, |store, now| {
        assert!(pause(store, "s", now).unwrap());
    });
    asks(&mut bench, 121, |store, now| {
        assert!(unpause(store, "s", now).unwrap());
    });
    bench.for_ms(241 * MINUTE);
    let arrived = arrived.borrow();
    assert!(arrived[0] > 0 && arrived[0] < 30, "{arrived:?}");
    assert_eq!((arrived[1], arrived[2]), (arrived[0], 30));
    let run = bench.run_records("s").pop().unwrap();
    assert_eq!((run.status, run.counts.read), (RunStatus::Done, 30));
    assert!(run.ended.unwrap().0 > START + 121 * MINUTE);
}

#[test]
fn a_backfill_reads_everything_anew_and_writes_what_differs() {
    let mut bench = by_clock();
    bench.for_ms(16 * MINUTE);
    // Somebody else changed a copy behind everybody's back.
    bench.seed("b", "k03", &[("name", text("spoilt"))], -20_000);
    bench.for_ms(16 * MINUTE);
    let mut store = bench.store.clone();
    backfill(&mut store, "s", Instant(bench.sim.now)).unwrap();
    bench.for_ms(2 * MINUTE);
    let runs = bench.run_records("s");
    assert_eq!(runs[0].why, "backfill");
    // All of the source, whatever the cursor says, and of the destination, whatever is known of it.
    assert_eq!(runs[0].counts.read, 40);
    assert_eq!(
        bench.value("b", "k03", "name"),
        bench.value("a", "k03", "name")
    );
    assert!(runs[1].counts.read < 20, "{:?}", runs[1]);
    // It is started once, by the next runner neither again.
    bench.for_ms(2 * MINUTE);
    let again = bench.run_records("s");
    assert_eq!(again.iter().filter(|r| r.why == "backfill").count(), 1);
}

#[test]
fn a_backfill_that_is_stopped_while_it_reads_goes_on_as_one() {
    // Three pages of each system, each within a minute.
    let mut read = Vec::new();
    for stopped in [10_000, 40_000, 70_000, 100_000, 150_000] {
        let mut bench = by_clock().with_plan(|plan| {
            for system in &mut plan.systems {
                system.read_page = Some(7);
            }
        });
        bench.for_ms(16 * MINUTE);
        // Somebody else changed copies behind everybody's back.
        for key in ["k03", "k19"] {
            bench.seed("b", key, &[("name", text("spoilt"))], -20_000);
        }
        for system in ["a", "b"] {
            bench.sim.system(system).manner.slowness = 60_000;
        }
        let mut store = bench.store.clone();
        backfill(&mut store, "s", Instant(bench.sim.now)).unwrap();
        bench.for_ms(stopped);
        let begun = bench.run_records("s");
        assert_eq!(begun[0].why, "backfill");
        assert_eq!(begun[0].status, RunStatus::Reading, "{stopped}");
        read.push(begun[0].counts.read);
        bench.for_ms(10 * MINUTE);
        let runs = bench.run_records("s");
        let asked: Vec<_> = runs.iter().filter(|r| r.why == "backfill").collect();
        assert_eq!(asked.len(), 1, "{stopped}: it goes on, not anew: {asked:?}");
        assert_eq!(asked[0].status, RunStatus::Done, "{stopped}");
        assert_eq!(asked[0].counts.read, 40, "{stopped}: each record once");
        for key in ["k03", "k19"] {
            let value = bench.value("b", key, "name");
            assert_eq!(value, bench.value("a", key, "name"), "{stopped}: {key}");
        }
    }
    // Within the source and within the destination.
    assert!(
        read.iter().any(|n| *n < 20) && read.iter().any(|n| *n > 20),
        "{read:?}"
    );
}

#[test]
fn a_backfill_gives_a_scenario_by_event_what_was_there_before_it() {
    let mut bench = by_event();
    bench.seed("a", "old", &[("name", text("Old"))], -9_000);
    bench.for_ms(MINUTE);
    assert_eq!(bench.value("b", "old", "name"), None);
    let mut store = bench.store.clone();
    backfill(&mut store, "live", Instant(bench.sim.now)).unwrap();
    bench.until_idle();
    assert_eq!(bench.value("b", "old", "name"), Some(text("Old")));
}

#[test]
fn a_backfill_asked_for_during_a_run_starts_when_that_ends() {
    let mut bench = by_clock();
    bench.sim.system("b").manner.slowness = 120_000;
    let ask = |sim: &mut Sim| {
        let mut store = sim.store.clone();
        backfill(&mut store, "s", Instant(sim.now)).unwrap();
    };
    let asked = 15 * MINUTE + 2_000;
    bench.sim.at(asked, Act::Do(Box::new(ask)));
    bench.for_ms(29 * MINUTE);
    let runs = bench.run_records("s").into_iter().rev();
    let starts: Vec<(String, Instant, Option<Instant>)> =
        runs.map(|r| (r.why, r.started, r.ended)).collect();
    assert_eq!(starts[0].0, "schedule");
    assert_eq!(starts[1].0, "backfill");
    assert!(starts[0].2.unwrap().0 > START + asked, "{starts:?}");
    assert_eq!(starts[1].1, starts[0].2.unwrap(), "at once: {starts:?}");
}
