//! The runner's clock is set forward and back, by an hour and by a day, while the systems' clocks
//! go on.

use crate::basics::policy;
use crate::world::{Act, Bench, START, named, text};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From a minute on the runner's clock is wrong by so much.
fn skewed(bench: &mut Bench, at: i64, skew: i64) {
    let act = Act::Do(Box::new(move |sim| sim.skew = skew));
    bench.sim.at(at, act);
}

/// Nothing is followed: the clock moves from one thing to the next.
fn quiet(plan: &mut syncline::plan::Plan) {
    for system in &mut plan.systems {
        system.capabilities.events = false;
    }
}

/// When the source was read, in true time.
fn reads(bench: &mut Bench) -> Vec<i64> {
    let asked = &bench.sim.system("a").asked;
    let reads = asked.iter().filter(|a| a.1 == "read");
    reads.map(|a| a.0 - START).collect()
}

const JUMPS: [i64; 6] = [-DAY, -HOUR, -90_000, 90_000, HOUR, DAY];

#[test]
fn frequent_starts_are_neither_missed_nor_doubled() {
    for jump in JUMPS {
        let flow = "scenario s { sync contact(name) from a to b mode every 15m }";
        let mut bench = Bench::new(&policy("field name: text?", flow), 3);
        bench.seed("a", "k", &[("name", text("x"))], -9_000);
        // There, and right again.
        skewed(&mut bench, 70 * MINUTE, jump);
        skewed(&mut bench, 200 * MINUTE, 0);
        bench.for_ms(6 * HOUR);
        let times = reads(&mut bench);
        // A start by each of the clocks may lie between two of the other.
        assert!((23..=25).contains(&times.len()), "{jump}: {times:?}");
        let longest = times.windows(2).map(|w| w[1] - w[0]).max();
        assert!(longest <= Some(31 * MINUTE), "{jump}: {times:?}");
    }
}

#[test]
fn a_daily_start_is_had_once_a_date_and_none_is_left_out_for_two() {
    for jump in JUMPS {
        // Just before and just after the start, and far from it.
        for at in [2 * HOUR + 59 * MINUTE, 3 * HOUR + 1_000, 15 * HOUR] {
            let flow = "scenario s { sync contact(name) from a to b mode daily at 03:00 }";
            let mut bench = Bench::new(&policy("field name: text?", flow), 3);
            bench.seed("a", "k", &[("name", text("x"))], -9_000);
            skewed(&mut bench, 2 * DAY + at, jump);
            skewed(&mut bench, 2 * DAY + at + 7 * HOUR, 0);
            bench.for_ms(9 * DAY);
            let times = reads(&mut bench);
            let what = format!("{jump} at {at}: {times:?}");
            assert!((8..=9).contains(&times.len()), "{what}");
            let longest = times.windows(2).map(|w| w[1] - w[0]).max();
            assert!(longest <= Some(2 * DAY), "{what}");
        }
    }
}

#[test]
fn no_event_is_lost_and_none_is_late() {
    for timed in [false, true] {
        for restarts in [false, true] {
            for jump in [-DAY, -HOUR, DAY] {
                let flow = "scenario s { sync contact(name) from a to b mode realtime } \
                     scenario t { sync contact(tag) from b to a mode realtime }";
                let fields = "field name: text? field tag: text? owner b";
                let mut bench = Bench::new(&policy(fields, flow), 3).with_plan(quiet);
                for system in ["a", "b"] {
                    bench.sim.system(system).manner.timed = timed;
                }
                skewed(&mut bench, 60 * MINUTE, jump);
                skewed(&mut bench, 120 * MINUTE, 0);
                for i in 0..180 {
                    let value = text(&format!("v{i}"));
                    let (system, field) = [("a", "name"), ("b", "tag")][i as usize % 2];
                    let key = format!("k{}", i % 6);
                    let fields = named(&[(field, value)]);
                    let act = Act::Sets(system, "contact".into(), key, fields);
                    bench.sim.at(i * MINUTE + 500, act);
                }
                for hour in 0..3 {
                    // A runner that is stopped when the clock jumps, and one that is not.
                    let stops = (hour + 1) * HOUR - if restarts { 1 } else { MINUTE / 3 };
                    let left = stops - (bench.sim.now - START);
                    bench.for_ms(left);
                    let what = format!("{jump}, timed {timed}, restarts {restarts}, hour {hour}");
                    // What was set half a minute ago and before is there.
                    let last = (bench.sim.now - START - 30_000) / MINUTE;
                    for i in (0..=last).rev().take(6) {
                        let (to, field) = [("b", "name"), ("a", "tag")][i as usize % 2];
                        let found = bench.value(to, &format!("k{}", i % 6), field);
                        assert_eq!(found, Some(text(&format!("v{i}"))), "{what}");
                    }
                    assert_eq!(bench.waiting(), 0, "{what}");
                }
            }
        }
    }
}

#[test]
fn what_waits_for_another_attempt_does_not_wait_for_the_clock() {
    for (jump, restarts) in [(-DAY, false), (-HOUR, false), (-DAY, true), (DAY, false)] {
        let flow = "scenario s { sync contact(name) from a to b mode realtime }";
        let mut bench = Bench::new(&policy("field name: text?", flow), 3);
        bench.sim.system("b").down_until = START + 40 * MINUTE;
        for i in 0..30 {
            bench.sets("a", &format!("k{i:02}"), &[("name", text("x"))]);
        }
        match restarts {
            false => skewed(&mut bench, 20 * MINUTE, jump),
            true => {
                bench.for_ms(20 * MINUTE);
                bench.sim.skew = jump;
            }
        }
        bench.for_ms(60 * MINUTE - (bench.sim.now - START));
        assert_eq!(bench.waiting(), 0, "{jump} {restarts}");
        assert_eq!(bench.sim.values("b", "contact").len(), 30);
        assert!(bench.inner_letters().is_empty());
    }
}

#[test]
fn what_is_spent_stays_spent_when_the_clock_is_put_right() {
    for jump in JUMPS {
        let flow = "scenario s { sync contact(name) from a to b mode realtime }";
        let text_policy = policy("field name: text?", flow).replace(
            "system b { connector jsonl",
            "system b { connector jsonl limit 60/day",
        );
        let mut bench = Bench::new(&text_policy, 5).with_plan(|plan| {
            quiet(plan);
            // Without an upsert each write is two calls.
            plan.systems[1].write_batch = Some(1);
            plan.systems[1].budget = 1.0;
        });
        let sets = |bench: &mut Bench, at: i64, n: i64| {
            for i in 0..n {
                let key = format!("k{at}-{i}");
                let act = Act::Sets("a", "contact".into(), key, named(&[("name", text("x"))]));
                bench.sim.at(at + i * 1_000, act);
            }
        };
        sets(&mut bench, MINUTE, 40);
        skewed(&mut bench, HOUR, 0);
        if jump < DAY {
            skewed(&mut bench, HOUR, jump);
        }
        skewed(&mut bench, 2 * HOUR, 0);
        sets(&mut bench, 3 * HOUR, 10);
        bench.for_ms(20 * HOUR);
        let first = bench.writes("b");
        assert!((25..=30).contains(&first), "{jump}: {first}");
        // The next day brings the rest: nothing counts longer than it must because of the jump.
        bench.for_ms(2 * DAY + 4 * HOUR);
        assert_eq!((bench.writes("b"), bench.waiting()), (50, 0), "{jump}");
    }
}
