//! What systems allow is shared by all scenarios, goes to the higher priority first and is never
//! exceeded, whatever is killed and whenever.

use syncline::engine::ports::{RunStatus, Store};
use syncline::engine::runner::Options;
use syncline::plan::VendorLimit;
use syncline::time::Millis;

use crate::basics::policy;
use crate::world::{Act, Bench, START, named, text};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The same systems as elsewhere, of which `b` has limits.
fn limited(limits: &str, flows: &str, seed: u64) -> Bench {
    let fields = "field name: text? field out: bool? accepts b, c resolve any_true class consent";
    let text = policy(fields, flows).replace(
        "system b { connector jsonl",
        &format!("system b {{ connector jsonl {limits}"),
    );
    // A line a record, so that a call is a record.
    Bench::new(&text, seed).with_plan(|plan| {
        quiet(plan);
        one_by_one(&mut plan.systems[1]);
        plan.systems[1].read_page = Some(2);
    })
}

/// Systems whose events come by themselves and are not asked for every second.
fn quiet(plan: &mut syncline::plan::Plan) {
    for system in &mut plan.systems {
        system.capabilities.events = false;
    }
}

/// One record a call, without a look-up before it.
fn one_by_one(system: &mut syncline::plan::System) {
    system.write_batch = Some(1);
    system.capabilities.upsert = true;
}

/// When calls on `b` that count were made.
fn calls(bench: &mut Bench) -> Vec<i64> {
    let asked = &bench.sim.system("b").asked;
    let mut times: Vec<i64> = asked
        .iter()
        .filter(|a| a.1 != "events")
        .map(|a| a.0)
        .collect();
    times.sort_unstable();
    times
}

/// The most calls that any window of that length saw.
fn most(times: &[i64], per: i64) -> usize {
    let within = |i: usize| {
        times[i..]
            .iter()
            .take_while(|t| **t - times[i] < per)
            .count()
    };
    (0..times.len()).map(within).max().unwrap_or(0)
}

fn fill(bench: &mut Bench, records: usize) {
    for i in 0..records {
        bench.seed("a", &format!("k{i:04}"), &[("name", text("x"))], -9_000);
    }
}

#[test]
fn no_limit_is_ever_exceeded_by_all_scenarios_together_nor_over_restarts() {
    let flows = "scenario s { sync contact(name) from a to b mode hourly scan full } \
         scenario t { sync contact(out) between a, b, c mode realtime } \
         scenario u { sync contact(name) from b to c mode every 30m }";
    for seed in 0..6 {
        let mut bench = limited("limit 3/second limit 40/minute limit 900/day", flows, seed);
        bench.sim.system("b").manner.slowness = 5;
        fill(&mut bench, 150);
        for i in 0..200 {
            let act = Act::Sets(
                if i % 2 == 0 { "a" } else { "c" },
                "contact".into(),
                format!("k{:04}", i % 170),
                named(&[("out", syncline::value::Value::Bool(i % 3 == 0))]),
            );
            bench.sim.at(i * 20_000, act);
        }
        for _ in 0..8 {
            let after = bench.sim.rng.u64(200..4_000);
            bench.until_killed(Options::default(), after, seed % 2 == 0);
        }
        bench.for_ms(bench.sim.now - START + 2 * HOUR);
        let times = calls(&mut bench);
        assert!(most(&times, 1_000) <= 3, "seed {seed}");
        assert!(most(&times, 60_000) <= 40, "seed {seed}");
        assert!(most(&times, DAY) <= 900, "seed {seed}");
        assert!(times.len() > 200, "seed {seed}: {} calls", times.len());
    }
}

#[test]
fn a_spent_day_holds_back_bulk_before_normal_before_intent_and_never_consent() {
    let flows = "scenario load { sync contact(name) from a to b mode hourly priority bulk } \
         scenario some { sync contact(name) from c to b mode realtime priority normal } \
         scenario soon { when c.asked if `event.name == \"now\"` sync contact(name) from c to b \
            mode realtime priority intent } \
         scenario opt { sync contact(out) from c to b mode realtime priority consent }";
    let fields = "field name: text? accepts c resolve last_write_wins \
         field out: bool? accepts c resolve any_true class consent";
    let text_policy = policy(fields, flows);
    let mut bench = Bench::new(&text_policy, 3).with_plan(|plan| {
        quiet(plan);
        let b = &mut plan.systems[1];
        one_by_one(b);
        b.budget = 0.5;
        b.vendor_limits = vec![VendorLimit {
            name: "daily_requests".into(),
            calls: 400,
            per: Millis::DAY,
            fixed: true,
            read: 1,
            write: 1,
            bulk: 0,
        }];
    });
    fill(&mut bench, 500);
    bench.for_ms(HOUR + HOUR / 2);
    let sent = |bench: &mut Bench, scenario: &str| {
        let ix = bench.program.scenario_ix(scenario);
        let asked = &bench.sim.system("b").asked;
        asked.iter().filter(|a| a.1 == "write" && a.2 == ix).count()
    };
    // Half of 400, of which a twentieth each is left to three higher priorities.
    assert_eq!(sent(&mut bench, "load"), 170);
    let run = bench.run_records("load").remove(0);
    assert_eq!(run.status, RunStatus::Partial);
    assert_eq!(run.goes_on.map(|at| at.0), Some(START + DAY));
    assert!(run.note.unwrap().contains("daily_requests"));
    // Plain events have ten more, and then wait as well; those that are urgent have ten more yet.
    for (name, more) in [("some", "later"), ("soon", "now")] {
        for i in 0..40 {
            bench.sim.now += 10;
            bench.sets("c", &format!("{name}{i:02}"), &[("name", text(more))]);
        }
        bench.for_ms(2 * HOUR);
        assert_eq!(sent(&mut bench, "load"), 170);
        assert_eq!(sent(&mut bench, name), 10, "{name}");
    }
    // Consent goes on beyond the budget, up to what the vendor takes.
    for i in 0..150 {
        bench.sim.now += 10;
        let out = syncline::value::Value::Bool(true);
        bench.sets("c", &format!("o{i:03}"), &[("out", out)]);
    }
    bench.for_ms(HOUR);
    assert_eq!(sent(&mut bench, "opt"), 150);
    // After midnight all of it goes on.
    bench.for_ms(3 * DAY);
    assert_eq!(bench.waiting(), 0);
    assert_eq!(bench.sim.values("b", "contact").len(), 500 + 80 + 150);
    let first = bench.run_records("load").pop().unwrap();
    assert!(first.ended.is_some() && first.goes_on.is_none());
    // What the runner had queued when it was stopped went the way of all that waits, once.
    assert_eq!(first.counts.written, 170);
    assert_eq!(sent(&mut bench, "load"), 500);
    for day in 0..4 {
        let times = calls(&mut bench);
        let of_day = times.iter().filter(|t| (**t - START) / DAY == day);
        assert!(of_day.count() <= 400);
    }
}

#[test]
fn what_is_urgent_overtakes_what_queues_and_ends_with_the_newest() {
    let flows = "scenario load { sync contact(name) from a to b mode hourly priority bulk } \
         scenario soon { sync contact(name) from c to b mode realtime priority intent }";
    let fields = "field name: text? accepts c resolve last_write_wins";
    for seed in 0..30 {
        let mut bench = Bench::new(&policy(fields, flows), seed).with_plan(|plan| {
            one_by_one(&mut plan.systems[1]);
        });
        bench.sim.system("b").manner.slowness = 1_000;
        fill(&mut bench, 100);
        // A record whose older value waits in the queue of the run.
        let act = Act::Sets(
            "c",
            "contact".into(),
            "k0090".into(),
            named(&[("name", text("newest"))]),
        );
        bench.sim.at(HOUR + 5_000, act);
        bench.for_ms(2 * HOUR - 1);
        let writes = &bench.sim.system("b").writes;
        let of = |key: &str| writes.iter().position(|w| w.1 == key).unwrap();
        assert!(of("k0090") < of("k0050"), "seed {seed}");
        assert_eq!(writes.iter().filter(|w| w.1 == "k0090").count(), 1);
        assert_eq!(
            bench.value("b", "k0090", "name"),
            Some(text("newest")),
            "seed {seed}"
        );
        assert_eq!(bench.sim.values("b", "contact").len(), 100);
    }
}

#[test]
fn a_run_that_a_quota_cuts_short_goes_on_where_it_was_after_a_restart() {
    let flow = "scenario s { sync contact(name) from a to b mode daily at 01:00 }";
    let mut bench = limited("limit 100/day", flow, 5);
    fill(&mut bench, 250);
    bench.for_ms(2 * HOUR);
    let run = bench.run_records("s").remove(0);
    assert_eq!((run.status, run.ended), (RunStatus::Partial, None));
    assert!(run.goes_on.is_some_and(|at| at.0 > START + 24 * HOUR));
    // An until-idle round ends all the same, and spends nothing.
    let before = bench.writes("b");
    bench.until_idle();
    assert_eq!(bench.writes("b"), before);
    let run = bench.run_records("s").pop().unwrap();
    // What was queued when the first runner was stopped waits in the outbox.
    assert_eq!(run.status, RunStatus::Partial);
    assert_eq!((run.counts.written, run.counts.postponed), (100, 150));
    bench.for_ms(4 * DAY);
    assert!(most(&calls(&mut bench), DAY) <= 100);
    assert_eq!(bench.sim.values("b", "contact").len(), 250);
    assert!(
        bench
            .run_records("s")
            .iter()
            .all(|r| r.status != RunStatus::Failed)
    );
}

#[test]
fn a_read_that_a_quota_cuts_short_says_so_and_moves_no_cursor_until_it_is_whole() {
    let flow = "scenario s { sync contact(name) from b to a mode daily at 01:00 }";
    let fields = "field name: text? owner b";
    let text_policy = policy(fields, flow).replace(
        "system b { connector jsonl",
        "system b { connector jsonl limit 30/day",
    );
    let mut bench = Bench::new(&text_policy, 5).with_plan(|plan| {
        quiet(plan);
        plan.systems[1].read_page = Some(2);
    });
    for i in 0..80 {
        bench.seed("b", &format!("k{i:04}"), &[("name", text("x"))], -9_000);
    }
    bench.for_ms(2 * HOUR);
    let run = bench.run_records("s").remove(0);
    assert_eq!(run.status, RunStatus::Partial);
    assert!(run.cursor_after.is_empty() && run.goes_on.is_some());
    assert_eq!(bench.all_writes(), 0);
    bench.for_ms(2 * DAY);
    assert_eq!(bench.sim.values("a", "contact").len(), 80);
    assert!(most(&calls(&mut bench), DAY) <= 30);
}

/// How a runner ends while a quota holds its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stopped,
    Killed,
    PowerLost,
}

#[test]
fn a_read_that_a_quota_cuts_short_goes_on_where_it_was_after_a_restart() {
    for end in [End::Stopped, End::Killed, End::PowerLost] {
        let flow = "scenario s { sync contact(name) from b to a mode daily at 01:00 }";
        let text_policy = policy("field name: text? owner b", flow).replace(
            "system b { connector jsonl",
            "system b { connector jsonl limit 30/day",
        );
        let mut bench = Bench::new(&text_policy, 5).with_plan(|plan| {
            quiet(plan);
            plan.systems[1].read_page = Some(2);
            plan.systems[1].budget = 1.0;
        });
        for i in 0..80 {
            bench.seed("b", &format!("k{i:04}"), &[("name", text("x"))], -9_000);
        }
        match end {
            End::Stopped => bench.for_ms(2 * HOUR),
            End::Killed | End::PowerLost => {
                let kill = |sim: &mut crate::world::Sim| sim.store.cut().left = Some(0);
                bench.sim.at(2 * HOUR, Act::Do(Box::new(kill)));
                assert!(bench.run_with(Options::default()).is_err());
                let mut cut = bench.store.cut();
                cut.left = None;
                cut.store.crash(end == End::PowerLost);
            }
        }
        assert_eq!(calls(&mut bench).len(), 30, "{end:?}");
        let run = bench.run_records("s").remove(0);
        assert_eq!((run.status, run.counts.read), (RunStatus::Partial, 60));
        // An until-idle round between spends nothing and leaves it as it is.
        bench.until_idle();
        assert_eq!(calls(&mut bench).len(), 30, "{end:?}");
        bench.for_ms(2 * DAY);
        assert!(most(&calls(&mut bench), DAY) <= 30);
        let first = bench.run_records("s").pop().unwrap();
        match end {
            // A page is read once, and the run is the same.
            End::Stopped | End::Killed => {
                assert_eq!(first.status, RunStatus::Done, "{end:?}");
                assert_eq!((first.counts.read, first.counts.written), (80, 80));
                assert_eq!(bench.sim.values("a", "contact").len(), 80);
            }
            // What was staged may be lost with the power: it reads anew.
            End::PowerLost => assert_eq!(first.status, RunStatus::Failed),
        }
    }
}

#[test]
fn a_read_that_a_stop_cuts_short_goes_on_where_it_was() {
    let flow = "scenario s { sync contact(name) from a to b mode daily at 01:00 }";
    for seed in 0..20 {
        let mut bench = Bench::new(&policy("field name: text?", flow), seed).with_plan(|plan| {
            quiet(plan);
            plan.systems[0].read_page = Some(10);
        });
        bench.sim.system("a").manner.slowness = 60_000;
        fill(&mut bench, 100);
        bench.for_ms(HOUR + 100_000 + seed as i64 * 7_000);
        bench.for_ms(HOUR);
        let run = bench.run_records("s").remove(0);
        assert_eq!((run.id, run.status), (1, RunStatus::Done), "seed {seed}");
        assert_eq!((run.counts.read, run.counts.written), (100, 100));
        // None but the page that was under way at the stop is asked for once more.
        let reads = bench.sim.system("a").asked.iter();
        let reads = reads.filter(|a| a.1 == "read").count();
        assert!(reads <= 11, "seed {seed}: {reads}");
    }
}

#[test]
fn calls_at_a_time_are_as_many_as_the_system_takes_and_a_record_has_one() {
    let flow = "scenario s { sync contact(name) from a to b mode realtime }";
    for (at_a_time, seed) in [(1, 1), (4, 2)] {
        let mut bench = Bench::new(&policy("field name: text?", flow), seed).with_plan(|plan| {
            one_by_one(&mut plan.systems[1]);
            plan.systems[1].concurrency = at_a_time;
        });
        bench.sim.system("b").manner.slowness = 900;
        for i in 0..120 {
            let value = named(&[("name", text(&format!("v{i}")))]);
            let act = Act::Sets("a", "contact".into(), format!("k{}", i % 9), value);
            bench.sim.at(i * 50, act);
        }
        bench.for_ms(120_000);
        assert_eq!(bench.sim.system("b").under_way.1, at_a_time as usize);
        assert_eq!(bench.waiting(), 0);
        for k in 0..9 {
            let last = (0..120).rev().find(|i| i % 9 == k).unwrap();
            let wanted = text(&format!("v{last}"));
            assert_eq!(bench.value("b", &format!("k{k}"), "name"), Some(wanted));
        }
    }
}

#[test]
fn a_run_has_its_turns_where_urgent_writes_come_without_a_break() {
    // `b` takes one call at a time, a second on average; changes of a higher priority come every
    // half second, which would keep it busy for good.
    let flows = "scenario all { sync contact(name) from a to b mode every 10m scan full priority bulk } \
         scenario some { sync contact(out) from c to b mode realtime priority intent }";
    let fields = "field name: text? field out: bool? accepts c";
    let mut bench = Bench::new(&policy(fields, flows), 1).with_plan(|plan| {
        one_by_one(&mut plan.systems[1]);
        plan.systems[1].concurrency = 1;
    });
    bench.sim.system("b").manner.slowness = 2_000;
    fill(&mut bench, 20);
    let urgent = |i: i64| format!("u{i:05}");
    for i in 0..3_600 {
        let set = named(&[("out", syncline::value::Value::Bool(true))]);
        let told = Act::Sets("c", "contact".into(), urgent(i), set);
        bench.sim.at(i * 500, told);
    }
    bench.for_ms(HOUR / 2);
    let writes = &bench.sim.system("b").writes;
    let bulk: Vec<usize> = (0..writes.len())
        .filter(|i| writes[*i].1.starts_with('k'))
        .collect();
    assert_eq!(bulk.len(), 20, "the run was left no turn: {}", writes.len());
    let urgent = writes.len() - bulk.len();
    assert!(urgent >= 1_500, "{urgent}");
    // It takes no more than its share: one call in twenty.
    let gaps = bulk.windows(2).map(|w| w[1] - w[0]);
    assert_eq!(gaps.min(), Some(20), "{bulk:?}");
}

#[test]
fn pages_of_a_reconcile_of_consent_leave_every_second_call_to_what_else_waits() {
    // `b` takes one call at a time, a second on average, and shows two records a page.
    let flows = "scenario soon { sync contact(out) from b to c \
         mode realtime with reconcile every 1h priority consent } \
         scenario some { sync contact(name) from a to b mode realtime priority normal }";
    let fields = "field name: text? field out: bool? accepts b resolve any_true class consent";
    let mut bench = Bench::new(&policy(fields, flows), 1).with_plan(|plan| {
        one_by_one(&mut plan.systems[1]);
        plan.systems[1].read_page = Some(2);
        plan.systems[1].concurrency = 1;
    });
    bench.sim.system("b").manner.slowness = 2_000;
    let no = [("out", syncline::value::Value::Bool(false))];
    for i in 0..400 {
        bench.seed("b", &format!("k{i:04}"), &no, -9_000);
    }
    bench.for_ms(HOUR / 2);
    // Somewhere in the next hour the reconcile reads for minutes.
    for i in 0..1_800 {
        let set = named(&[("name", text("x"))]);
        let told = Act::Sets("a", "contact".into(), format!("n{i:04}"), set);
        bench.sim.at(HOUR / 2 + i * 2_000, told);
    }
    bench.for_ms(2 * HOUR);
    let asked = &bench.sim.system("b").asked;
    let calls: Vec<&str> = asked
        .iter()
        .filter(|a| (START + HOUR / 2..START + 3 * HOUR / 2).contains(&a.0) && a.1 != "events")
        .map(|a| a.1)
        .collect();
    let reads = calls.iter().filter(|what| **what == "read").count();
    assert!(reads >= 200, "{reads}");
    // Half as many writes come as there are pages: a few pages in a row, never all of them.
    let row = |what: &[&str]| what.iter().filter(|w| **w == "read").count();
    let most = calls.chunk_by(|a, b| a == b).map(row).max();
    assert!(most.is_some_and(|most| most <= 12), "{most:?}");
}

#[test]
fn a_backlog_goes_out_by_priority() {
    let flows = "scenario soon { sync contact(out) from c to b mode realtime priority consent } \
         scenario some { sync contact(name) from a to b mode realtime priority normal }";
    let fields = "field name: text? field out: bool? accepts c resolve any_true class consent";
    let mut bench =
        Bench::new(&policy(fields, flows), 1).with_plan(|p| one_by_one(&mut p.systems[1]));
    bench.sim.system("b").down_until = START + HOUR;
    for i in 0..30 {
        bench.sets("a", &format!("k{i:02}"), &[("name", text("x"))]);
    }
    bench.for_ms(HOUR / 2);
    bench.sets("c", "z", &[("out", syncline::value::Value::Bool(true))]);
    bench.for_ms(2 * HOUR);
    let writes = &bench.sim.system("b").writes;
    assert_eq!(writes.len(), 31);
    let at = writes.iter().position(|w| w.1 == "z").unwrap();
    // The call that shows that the system is up again may be another one's.
    assert!(at <= 1, "{at}: {writes:?}");
    assert!(bench.inner().dead_letters().unwrap().is_empty());
}
