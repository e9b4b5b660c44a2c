//! Retries, dead letters, outages: what waits, what is given up, and what is not.

use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Act, Bench, Sim, named, text};

const FIELDS: &str = "field name: text?";
const FLOW: &str = "scenario s { sync contact(name) from a to b mode realtime \
     retry exponential from 1s to 1m, 3 attempts breaker 4 failures, 30s pause }";

fn bench(flow: &str) -> Bench {
    Bench::new(&policy(FIELDS, flow), 11)
}

fn tell(bench: &mut Bench, keys: std::ops::Range<u32>) {
    for i in keys {
        bench.sets(
            "a",
            &format!("k{i:02}"),
            &[("name", text(&format!("n{i}")))],
        );
    }
}

fn letters(bench: &Bench) -> Vec<String> {
    let letters = bench.inner().dead_letters().unwrap();
    letters.into_iter().map(|l| l.key).collect()
}

use syncline::engine::ports::Store;

#[test]
fn an_outage_makes_no_dead_letter_and_all_arrives_after_it() {
    let mut bench = bench(FLOW);
    tell(&mut bench, 0..20);
    let until = bench.sim.now + 3_600_000;
    bench.sim.system("b").down_until = until;
    bench.for_ms(3_600_000 - 1_000);
    assert_eq!(letters(&bench), [""; 0]);
    assert_eq!(bench.waiting(), 20);
    // A breaker that is open lets one call through a pause.
    let calls = bench
        .sim
        .system("b")
        .calls
        .iter()
        .filter(|c| c.1 == "write")
        .count();
    assert!(calls < 3 * 3_600 / 30, "{calls} calls");
    bench.for_ms(300_000);
    assert_eq!(bench.sim.values("b", "contact").len(), 20);
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn an_until_idle_run_ends_though_a_system_is_down_and_leaves_what_waits() {
    let mut bench = bench(FLOW);
    tell(&mut bench, 0..20);
    bench.sim.system("b").down_until = i64::MAX;
    bench.until_idle();
    assert_eq!((bench.waiting(), letters(&bench).len()), (20, 0));
    assert_eq!(bench.troubles.len(), 1);
    bench.sim.system("b").down_until = 0;
    bench.sim.now += 600_000;
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 20);
}

#[test]
fn a_newer_version_takes_the_place_of_one_that_waits() {
    let mut bench = bench(FLOW);
    bench.sim.system("b").down_until = i64::MAX;
    for i in 0..10 {
        bench.sim.now += 1_000;
        bench.sets("a", "k", &[("name", text(&format!("v{i}")))]);
        bench.until_idle();
    }
    assert_eq!(bench.waiting(), 1);
    bench.sim.system("b").down_until = 0;
    bench.sim.now += 600_000;
    bench.until_idle();
    assert_eq!(bench.writes("b"), 1);
    assert_eq!(bench.value("b", "k", "name"), Some(text("v9")));
}

#[test]
fn a_refused_record_is_a_dead_letter_at_once_and_its_siblings_go_on() {
    for whole in [false, true] {
        let mut bench = bench(FLOW);
        let b = bench.sim.system("b");
        let refuses = if whole {
            &mut b.refuses_batch
        } else {
            &mut b.refuses
        };
        refuses.insert("k07".into());
        tell(&mut bench, 0..40);
        bench.until_idle();
        assert_eq!(letters(&bench), ["k07"]);
        assert_eq!(bench.sim.values("b", "contact").len(), 39);
        assert_eq!(bench.waiting(), 0);
        let counts = bench.tallies["s"].counts;
        assert_eq!((counts.written, counts.failed), (39, 1));
        assert!(bench.sim.system("b").calls.len() < 20);
        // A newer version that is delivered clears it.
        bench.sim.system("b").refuses.clear();
        bench.sim.system("b").refuses_batch.clear();
        bench.sim.now += 1_000;
        bench.sets("a", "k07", &[("name", text("well"))]);
        bench.until_idle();
        assert_eq!(letters(&bench), [""; 0]);
        assert_eq!(bench.value("b", "k07", "name"), Some(text("well")));
    }
}

#[test]
fn a_refused_record_of_a_run_is_a_dead_letter_and_the_next_run_does_not_repeat_it() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode hourly batch 5 }");
    for i in 0..12 {
        bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -9_000);
    }
    bench.sim.system("b").refuses.insert("k03".into());
    bench.until_idle();
    assert_eq!(letters(&bench), ["k03"]);
    assert_eq!(bench.sim.values("b", "contact").len(), 11);
    let counts = bench.run_records("s")[0].counts;
    assert_eq!((counts.read, counts.written, counts.failed), (12, 11, 1));
    bench.sim.system("b").refuses.clear();
    bench.sim.now += 9_000;
    bench.seed("a", "k03", &[("name", text("y"))], 9_000);
    bench.until_idle();
    assert_eq!(letters(&bench), [""; 0]);
}

#[test]
fn a_newer_write_goes_out_though_an_older_one_of_a_run_is_refused() {
    let flows = "scenario s { sync contact(name) from a to b mode hourly } \
                 scenario soon { sync contact(name) from a to b mode realtime }";
    let mut bench = bench(flows);
    bench.seed("a", "k", &[("name", text("older"))], -9_000);
    let b = bench.sim.system("b");
    b.manner.slowness = 20_000;
    b.refuses.insert("k".into());
    // The run starts with the hour.
    for hundredth in 0..6_000 {
        let look = |sim: &mut Sim| {
            let b = sim.system("b");
            let under_way = b.asked.iter().any(|(_, kind, _)| *kind == "write");
            if b.calls.iter().any(|(_, kind)| *kind == "write") {
                b.refuses.clear();
            } else if under_way && sim.values("a", "contact")["k"]["name"] == text("older") {
                sim.sets("a", "contact", "k", &named(&[("name", text("newer"))]));
            }
        };
        bench
            .sim
            .at(3_600_000 + hundredth * 10, Act::Do(Box::new(look)));
    }
    bench.for_ms(7_200_000);
    assert_eq!(bench.run_records("s")[0].counts.failed, 1);
    assert_eq!(bench.value("b", "k", "name"), Some(text("newer")));
    assert_eq!(letters(&bench), [""; 0]);
}

/// Its receiver may have taken it, and knows it by its key: whatever else became of the record
/// meanwhile, what says the same once more says so under the same key.
#[test]
fn a_write_of_a_run_whose_reply_was_lost_keeps_its_key() {
    let flows = "scenario s { sync contact(name) from a to b mode hourly } \
                 scenario t { sync contact(city) from a to c mode realtime }";
    let policy = policy("field name: text? field city: text?", flows);
    for (seed, changed) in (0..20).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut bench = Bench::new(&policy, seed);
        bench.seed("a", "k", &[("name", text("x"))], -9_000);
        let b = bench.sim.system("b");
        b.manner.slowness = 20_000;
        b.loses_replies = 1;
        // The run starts with the hour; `b` has the write in hand.
        for second in 0..30 {
            let change = Act::Do(Box::new(move |sim: &mut Sim| {
                let b = sim.system("b");
                if b.handed.is_empty() || b.calls.iter().any(|(_, kind)| *kind == "write") {
                    return;
                }
                let name = if changed { "y" } else { "x" };
                let city = format!("c{second}");
                let fields = [("name", text(name)), ("city", text(&city))];
                sim.sets("a", "contact", "k", &named(&fields));
            }));
            bench.sim.at(3_600_000 + second * 1_000, change);
        }
        bench.for_ms(3 * 3_600_000);
        let handed = &bench.sim.system("b").handed;
        let keys = |value: &str| -> Vec<_> {
            let says = |w: &&syncline::engine::ports::Write| {
                w.fields.iter().any(|(_, v)| *v == text(value))
            };
            handed.iter().filter(says).map(|w| &w.idempotency).collect()
        };
        let (first, other) = (keys("x"), keys("y"));
        assert!(first.windows(2).all(|w| w[0] == w[1]), "{seed}: {handed:?}");
        assert!(first.len() > 1 || !other.is_empty(), "{seed}: {handed:?}");
        assert!(
            other.iter().all(|key| *key != first[0]),
            "{seed}: {handed:?}"
        );
        let wanted = bench.value("a", "k", "name");
        assert_eq!(bench.value("b", "k", "name"), wanted, "{seed}");
    }
}

/// A write of a run joins what waits: that is another content than either, and has its own key.
#[test]
fn no_two_contents_go_out_under_one_key() {
    let flow = "scenario s { sync contact(name, city) from a to b mode realtime with reconcile hourly \
                retry exponential from 2h to 2h, 12 attempts breaker 50 failures, 1s pause }";
    let policy = policy("field name: text? field city: text?", flow);
    const MINUTE: i64 = 60_000;
    for seed in 0..20 {
        let mut bench = Bench::new(&policy, seed);
        bench.sets("a", "k", &[("name", text("n")), ("city", text("c"))]);
        type At = (i64, fn(&mut Sim));
        let acts: [At; 4] = [
            (90, |sim| {
                sim.system("b").chokes_on.insert("k".into());
            }),
            (100, |sim| {
                sim.sets("a", "contact", "k", &named(&[("city", text("d"))]))
            }),
            (110, |sim| {
                // No event tells of it: the run finds it.
                let unheard = named(&[("name", text("m"))]);
                sim.seed("a", "contact", "k", &unheard, sim.now);
            }),
            (125, |sim| sim.system("b").chokes_on.clear()),
        ];
        for (minute, act) in acts {
            bench.sim.at(minute * MINUTE, Act::Do(Box::new(act)));
        }
        bench.for_ms(7 * 60 * MINUTE);
        let mut contents = std::collections::BTreeMap::new();
        for write in &bench.sim.system("b").handed {
            let key = format!("{:?}", write.idempotency);
            let content = contents.entry(key).or_insert(&write.fields);
            assert_eq!(*content, &write.fields, "{seed}");
        }
        for (field, value) in [("name", "m"), ("city", "d")] {
            assert_eq!(bench.value("b", "k", field), Some(text(value)), "{seed}");
        }
    }
}

#[test]
fn what_a_paused_scenario_held_is_not_stuck_where_that_is_renamed() {
    let mut bench = bench(FLOW);
    bench.sim.system("b").down_until = i64::MAX;
    tell(&mut bench, 0..3);
    bench.for_ms(60_000);
    let now = syncline::time::Instant(bench.sim.now);
    syncline::engine::decide::pause(&mut bench.store.clone(), "s", now).unwrap();
    bench.sim.system("b").down_until = 0;
    bench.for_ms(60_000);
    assert_eq!(bench.waiting(), 3);
    let renamed = policy(
        "field name: text?",
        &FLOW.replace("scenario s", "scenario z"),
    );
    bench.program = Bench::new(&renamed, 1).program;
    bench.for_ms(60_000);
    assert_eq!(bench.waiting(), 0);
    assert_eq!(bench.sim.values("b", "contact").len(), 3);
}

#[test]
fn what_a_plan_had_no_map_for_goes_out_once_one_has() {
    let mut bench = bench(FLOW);
    bench.sim.system("b").down_until = i64::MAX;
    tell(&mut bench, 0..3);
    bench.for_ms(60_000);
    assert_eq!(bench.waiting(), 3);
    let elsewhere = policy("field name: text?", &FLOW.replace("to b", "to c"));
    let map = elsewhere
        .lines()
        .find(|l| l.starts_with("map contact in b"))
        .unwrap();
    let mut other = Bench::new(&elsewhere.replace(map, ""), 1).program;
    bench.sim.system("b").down_until = 0;
    std::mem::swap(&mut bench.program, &mut other);
    bench.for_ms(60_000);
    assert_eq!(bench.waiting(), 3);
    std::mem::swap(&mut bench.program, &mut other);
    bench.for_ms(60_000);
    assert_eq!(bench.waiting(), 0);
    assert_eq!(bench.sim.values("b", "contact").len(), 3);
}

#[test]
fn a_record_that_fails_while_the_system_is_up_is_given_up_after_its_attempts() {
    let mut bench = bench(FLOW);
    bench.sim.system("b").chokes_on.insert("k03".into());
    tell(&mut bench, 0..9);
    bench.for_ms(900_000);
    assert_eq!(letters(&bench), ["k03"]);
    assert_eq!(bench.sim.values("b", "contact").len(), 8);
    let letter = bench.inner().dead_letters().unwrap().remove(0);
    assert_eq!(letter.attempts, 3);
    assert_eq!(letter.error, "500");
    assert!(letter.payload.contains("n3"));
}

#[test]
fn patience_asked_for_is_given() {
    let mut bench = bench(FLOW);
    bench.sim.system("b").asks_patience = Some((90_000, 1));
    tell(&mut bench, 0..3);
    bench.for_ms(300_000);
    let calls: Vec<i64> = bench
        .sim
        .system("b")
        .calls
        .iter()
        .filter(|c| c.1 == "write")
        .map(|c| c.0)
        .collect();
    assert!(calls[1] - calls[0] >= 90_000, "{calls:?}");
    assert_eq!(bench.sim.values("b", "contact").len(), 3);
}

#[test]
fn patience_asked_for_is_given_though_earlier_calls_still_go_through() {
    let mut bench = bench(FLOW).with_plan(|plan| {
        plan.systems[1].write_batch = Some(1);
        plan.systems[1].concurrency = 8;
    });
    let b = bench.sim.system("b");
    b.asks_patience = Some((90_000, 1));
    b.manner.slowness = 5_000;
    tell(&mut bench, 0..30);
    bench.for_ms(300_000);
    let b = bench.sim.system("b");
    assert!(b.under_way.1 > 1, "calls overlapped");
    let refused = b.calls.iter().find(|c| c.1 == "write").unwrap().0;
    let asked: Vec<i64> = b.asked.iter().map(|a| a.0).collect();
    let within = |at: &&i64| (refused + 1..refused + 90_000).contains(*at);
    assert_eq!(
        asked.iter().filter(within).count(),
        0,
        "{refused}: {asked:?}"
    );
    assert_eq!(bench.sim.values("b", "contact").len(), 30);
}

#[test]
fn wrong_credentials_pause_their_system_alone() {
    let mut bench = bench("scenario s { sync contact(name) from a to b, c mode realtime }");
    bench.sim.system("b").locked = true;
    tell(&mut bench, 0..5);
    bench.for_ms(600_000);
    assert_eq!(bench.sim.values("c", "contact").len(), 5);
    assert_eq!((bench.waiting(), letters(&bench).len()), (5, 0));
    assert_eq!(bench.troubles.len(), 1);
    assert!(bench.sim.system("b").calls.len() <= 60);
    bench.sim.system("b").locked = false;
    bench.for_ms(400_000);
    assert_eq!(bench.sim.values("b", "contact").len(), 5);
}

#[test]
fn a_write_whose_reply_is_lost_has_its_effect_once_more_and_no_other() {
    let mut bench = bench(FLOW);
    bench.sim.system("b").loses_replies = 1;
    tell(&mut bench, 0..3);
    bench.until_idle();
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 3);
    assert_eq!(bench.writes("b"), 6);
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn what_a_flow_no_longer_lets_through_is_not_sent_late() {
    let fields = "field name: text? field out: bool?";
    let flow = "scenario s { sync contact(name) from a to b if `!contact.out` mode realtime }";
    let mut bench = Bench::new(&policy(fields, flow), 2);
    bench.sim.system("b").down_until = i64::MAX;
    bench.sets(
        "a",
        "k",
        &[("name", text("x")), ("out", Value::Bool(false))],
    );
    bench.until_idle();
    assert_eq!(bench.waiting(), 1);
    bench.sim.now += 1_000;
    bench.sets("a", "k", &[("out", Value::Bool(true))]);
    bench.sim.system("b").down_until = 0;
    bench.sim.now += 600_000;
    bench.until_idle();
    assert_eq!((bench.writes("b"), bench.waiting()), (0, 0));
    bench.sets("a", "k", &[("out", Value::Bool(false))]);
    bench.until_idle();
    assert_eq!(bench.value("b", "k", "name"), Some(text("x")));
}

#[test]
fn a_run_into_a_system_that_is_down_leaves_its_writes_to_the_outbox() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode hourly batch 2 }");
    for i in 0..30 {
        bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -9_000);
    }
    bench.sim.system("b").down_until = bench.sim.now + 7_200_000;
    bench.for_ms(7_000_000);
    assert_eq!(bench.waiting(), 30);
    assert_eq!(
        bench.run_records("s").last().unwrap().status,
        syncline::engine::ports::RunStatus::Partial
    );
    bench.for_ms(900_000);
    assert_eq!(bench.sim.values("b", "contact").len(), 30);
    assert_eq!(letters(&bench), [""; 0]);
}

#[test]
fn a_change_made_while_a_write_is_under_way_is_not_lost() {
    let both = "scenario s { sync contact(name) between a, b mode realtime }";
    let apart = "scenario s { sync contact(name) from b to a mode realtime } \
                 scenario t { sync contact(name) from a to b mode realtime }";
    for (seed, flow) in (0..200).flat_map(|seed| [(seed, both), (seed, apart)]) {
        let fields = "field name: text? accepts b resolve last_write_wins";
        let mut bench = Bench::new(&policy(fields, flow), seed);
        bench.sim.system("b").manner.echoes = seed % 2 == 0;
        bench.sim.system("a").manner.echoes = seed % 3 == 0;
        bench.sim.system("b").manner.slowness = 400;
        let sets = |system, value: &str| {
            Act::Sets(
                system,
                "contact".into(),
                "k".into(),
                named(&[("name", text(value))]),
            )
        };
        bench.sim.at(0, sets("a", "x"));
        let at = bench.sim.rng.i64(1..900);
        bench.sim.at(at, sets("b", "y"));
        bench.for_ms(60_000);
        bench.until_idle();
        let (a, b) = (bench.value("a", "k", "name"), bench.value("b", "k", "name"));
        assert_eq!(a, b, "seed {seed}, {at} ms\n{}", bench.story("k"));
    }
}

#[test]
fn a_replayed_letter_sends_what_is_now_and_not_what_was() {
    let mut bench = bench(FLOW);
    bench.sim.system("b").refuses.insert("k00".into());
    tell(&mut bench, 0..2);
    bench.until_idle();
    let letter = bench.inner().dead_letters().unwrap().remove(0);
    // Changed since, and refused again.
    bench.sim.now += 1_000;
    bench.sets("a", "k00", &[("name", text("newest"))]);
    bench.until_idle();
    assert_eq!(letters(&bench), ["k00"]);
    bench.sim.system("b").refuses.clear();
    let now = syncline::time::Instant(bench.sim.now);
    let mut store = bench.store.clone();
    use syncline::engine::decide::{Replayed, replay};
    let replayed = replay(&bench.program, &mut store, now, &letter).unwrap();
    assert_eq!(replayed, Replayed::Waits);
    bench.until_idle();
    assert_eq!(bench.value("b", "k00", "name"), Some(text("newest")));
    assert_eq!(letters(&bench), [""; 0]);
}
