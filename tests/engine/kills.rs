//! Runners killed at any call of the store: nothing is lost, and the end is that of an
//! undisturbed run.

use std::num::NonZeroUsize;

use syncline::engine::ports::Store as _;
use syncline::engine::runner::Options;
use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Bench, text};

const FIELDS: &str = "field name: text? field score: int? owner b accepts c resolve max \
     field out: bool? accepts b, c resolve any_true";

fn until_idle() -> Options {
    Options {
        until_idle: true,
        chunk: NonZeroUsize::new(7),
        ..Options::default()
    }
}

/// Calls of the store that an undisturbed runner makes, and what it leaves behind.
fn undisturbed(prepare: &dyn Fn(&mut Bench), flows: &str) -> (u64, Vec<String>) {
    let mut bench = Bench::new(&policy(FIELDS, flows), 7);
    prepare(&mut bench);
    bench.until_idle();
    let calls = bench.store.cut().calls;
    (calls, picture(&bench))
}

fn picture(bench: &Bench) -> Vec<String> {
    let values = |s| format!("{s}: {:?}", bench.sim.values(s, "contact"));
    ["a", "b", "c"].into_iter().map(values).collect()
}

fn killed_everywhere(prepare: &dyn Fn(&mut Bench), flows: &str, power_lost: bool) {
    let (calls, wanted) = undisturbed(prepare, flows);
    let step = (calls / 150).max(1);
    let mut after = 0;
    while after <= calls {
        let mut bench = Bench::new(&policy(FIELDS, flows), after);
        prepare(&mut bench);
        let mut next = after;
        // Killed once, and then now and then again on the way.
        for _ in 0..4 {
            if bench.until_killed(until_idle(), next, power_lost) {
                break;
            }
            bench.sim.now += 10;
            next = bench.sim.rng.u64(1..=calls);
        }
        bench.until_idle();
        for (got, wanted) in picture(&bench).iter().zip(&wanted) {
            assert!(
                got == wanted,
                "killed after {after} of {calls}:\n{got}\n{wanted}"
            );
        }
        assert_eq!(bench.waiting(), 0);
        assert!(bench.inner_open_runs().is_empty());
        let before = bench.all_writes();
        bench.until_idle();
        assert_eq!(
            bench.all_writes(),
            before,
            "killed after {after} of {calls}"
        );
        after += step;
    }
}

#[test]
fn what_has_gone_out_survives_a_lost_power_supply() {
    let flows = "scenario s { sync contact(name) from a to b mode hourly }";
    let mut gone_out = false;
    for after in 0.. {
        let mut bench = Bench::new(&policy("field name: text?", flows), 1);
        for i in 0..5 {
            bench.seed("a", &format!("k{i}"), &[("name", text("n"))], -1_000);
        }
        let lived = bench.until_killed(until_idle(), after, true);
        let there = bench.sim.values("b", "contact");
        for key in there.keys() {
            let kept = bench.inner().record("contact", key).unwrap();
            assert!(kept.is_some(), "`{key}`, killed after {after} calls");
        }
        if lived {
            break;
        }
        gone_out |= !there.is_empty();
    }
    assert!(gone_out);
}

fn records(bench: &mut Bench) {
    for i in 0..30i64 {
        let key = format!("k{i:02}");
        let fields = [
            ("name", text(&format!("n{i}"))),
            ("out", Value::Bool(i % 3 == 0)),
        ];
        bench.seed("a", &key, &fields, -90_000 + i);
        if i % 2 == 0 {
            let fields = [("score", Value::Int(i)), ("out", Value::Bool(i % 5 == 0))];
            bench.seed("b", &key, &fields, -80_000 + i);
        }
        if i % 7 == 0 {
            bench.seed("c", &key, &[("score", Value::Int(100 + i))], -70_000 + i);
        }
    }
}

const RUNS: &str = "scenario s { sync contact(name) from a to b, c mode hourly batch 4 } \
     scenario t { sync contact(score) between b, c mode every 2h batch 3 } \
     scenario u { sync contact(out) between a, b, c mode daily at 03:00 }";

#[test]
fn scheduled_runs_killed_at_any_step_end_as_undisturbed() {
    killed_everywhere(&records, RUNS, false);
}

#[test]
fn scheduled_runs_that_lose_their_stage_end_as_undisturbed() {
    killed_everywhere(&records, RUNS, true);
}

#[test]
fn acknowledged_events_survive_any_kill() {
    let flows = "scenario s { sync contact(name) from a to b, c mode realtime } \
         scenario t { sync contact(score) between b, c mode realtime } \
         scenario u { sync contact(out) between a, b, c mode realtime }";
    let events = |bench: &mut Bench| {
        for i in 0..12i64 {
            let key = format!("k{:02}", i % 5);
            bench.sim.now += 50;
            match i % 3 {
                0 => bench.sets("a", &key, &[("name", text(&format!("n{i}")))]),
                1 => bench.sets("b", &key, &[("score", Value::Int(i))]),
                _ => bench.sets(
                    "c",
                    &key,
                    &[("score", Value::Int(i)), ("out", Value::Bool(true))],
                ),
            }
        }
    };
    killed_everywhere(&events, flows, false);
}

#[test]
fn deletions_killed_at_any_step_arrive_all_the_same() {
    let flows = "scenario s { sync contact(name) from a to b mode hourly scan full deletes propagate batch 2 }";
    let (calls, _) = undisturbed(&records, flows);
    for after in 0..calls * 2 {
        let mut bench = Bench::new(&policy(FIELDS, flows), after);
        records(&mut bench);
        bench.until_idle();
        for i in 0..8 {
            bench.sim.deletes("a", "contact", &format!("k{i:02}"));
        }
        bench.sim.now += 1_000;
        let survived = bench.until_killed(until_idle(), after, after % 2 == 0);
        bench.until_idle();
        let left = bench.sim.values("b", "contact");
        assert_eq!(left.len(), 22, "killed after {after}");
        if survived {
            break;
        }
    }
}

/// What a killed run had committed and not sent is owed by whichever scenario carries it now.
#[test]
fn a_scenario_that_is_renamed_after_a_kill_sends_what_the_other_had_yet_to_send() {
    let flow =
        |name: &str| format!("scenario {name} {{ sync contact(name) from a to b mode hourly }}");
    let before = policy("field name: text?", &flow("s"));
    let mut cut_off = 0;
    for after in (10..400).step_by(3) {
        let mut bench = Bench::new(&before, 3).with_plan(|plan| {
            plan.systems[1].write_batch = Some(5);
        });
        for i in 0..60 {
            bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -9_000);
        }
        let options = Options {
            until_idle: true,
            chunk: NonZeroUsize::new(10),
            ..Options::default()
        };
        if bench.until_killed(options, after, false) {
            break;
        }
        let written =
            |r: &syncline::engine::ports::RunRecord| r.committed.is_some() && r.ended.is_none();
        cut_off += usize::from(bench.run_records("s").iter().any(written));
        bench.program = Bench::new(&policy("field name: text?", &flow("renamed")), 3).program;
        bench.until_idle();
        bench.sim.now += 3_600_000;
        bench.until_idle();
        assert_eq!(bench.sim.values("b", "contact").len(), 60, "after {after}");
    }
    assert!(cut_off > 5, "{cut_off}");
}
