//! When runs start: the clock, windows, what was missed, what goes first.

use syncline::engine::decide;
use syncline::engine::ports::{RunStatus, Store};
use syncline::time::Instant;

use crate::basics::policy;
use crate::world::{Act, Bench, START, text};

const HOUR: i64 = 3_600_000;

fn bench(flows: &str) -> Bench {
    let mut bench = Bench::new(&policy("field name: text?", flows), 6);
    for i in 0..50 {
        bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -9_000);
    }
    bench
}

/// Starts in minutes since the beginning, with their reasons, oldest first.
fn starts(bench: &Bench, scenario: &str) -> Vec<(i64, String)> {
    let runs = bench.run_records(scenario).into_iter().rev();
    runs.map(|r| ((r.started.0 - START) / 60_000, r.why))
        .collect()
}

fn minutes(bench: &Bench, scenario: &str) -> Vec<i64> {
    starts(bench, scenario).into_iter().map(|s| s.0).collect()
}

#[test]
fn runs_start_by_the_clock_and_one_at_a_time() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode every 15m }");
    bench.for_ms(HOUR + 60_000);
    assert_eq!(minutes(&bench, "s"), [15, 30, 45, 60]);
    assert!(
        bench
            .run_records("s")
            .iter()
            .all(|r| r.status == RunStatus::Done)
    );
    // A run that takes longer than the gap: its missed starts are made up once.
    bench.sim.system("a").manner.slowness = 0;
    bench.sim.system("a").down_until = 0;
    let read = bench.sim.system("a").calls.len();
    assert_eq!(read, 4);
}

#[test]
fn what_was_missed_is_made_up_once() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode every 15m }");
    bench.for_ms(HOUR / 4 + 60_000);
    bench.sim.now += 5 * HOUR;
    bench.for_ms(HOUR / 3);
    let starts = starts(&bench, "s");
    let missed: Vec<_> = starts.iter().filter(|s| s.1 == "missed").collect();
    assert_eq!(missed.len(), 1, "{starts:?}");
    assert_eq!(starts.len(), 3, "{starts:?}");
}

#[test]
fn a_first_start_that_fell_into_a_pause_is_made_up_too() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode daily at 03:00 }");
    bench.for_ms(HOUR);
    bench.sim.now += 5 * HOUR;
    bench.for_ms(HOUR);
    assert_eq!(starts(&bench, "s"), [(6 * 60, "missed".to_owned())]);
}

#[test]
fn nothing_starts_outside_its_window_and_a_run_pauses_at_its_end() {
    let flow =
        "scenario s { sync contact(name) from a to b mode every 30m window 01:00..02:00 batch 1 }";
    let mut bench = bench(flow);
    // 50 writes of up to four minutes each do not fit into what is left of the hour, nor the next.
    bench.sim.system("b").manner.slowness = 240_000;
    bench.for_ms(96 * HOUR);
    assert!(
        minutes(&bench, "s")
            .iter()
            .all(|m| (60..120).contains(&(m % 1_440))),
        "{:?}",
        starts(&bench, "s")
    );
    let record = bench.run_records("s").pop().unwrap();
    assert_eq!(
        (record.status, record.counts.written),
        (RunStatus::Done, 50)
    );
    let days = record.ended.unwrap().since(record.started);
    assert!(days.0 > 24 * HOUR as u64, "{days:?}");
    let writes = bench.sim.system("b").asked.iter();
    let writes = writes.filter(|(_, kind, _)| *kind == "write");
    let hours: Vec<i64> = writes.map(|(at, ..)| (at - START) / HOUR).collect();
    assert_eq!(hours.len(), 50);
    assert!(hours.iter().all(|hour| hour % 24 == 1), "{hours:?}");
}

#[test]
fn a_run_that_a_person_holds_after_its_source_asked_for_patience_stands_still() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode every 30m }");
    bench.sim.system("a").asks_patience = Some((1_000, 1));
    let mut store = bench.store.clone();
    // While the page that is to be asked for again waits.
    let hold = Act::Do(Box::new(move |sim| {
        decide::pause(&mut store, "s", Instant(sim.now)).unwrap();
    }));
    bench.sim.at(HOUR / 2 + 950, hold);
    bench.sim.system("a").manner.slowness = 900;
    // A runner that turns without moving fails.
    bench.for_ms(2 * HOUR);
    assert!(bench.run_records("s")[0].status != RunStatus::Failed);
}

#[test]
fn a_missed_start_waits_for_the_window_to_open() {
    let flow =
        "scenario s { sync contact(name) from a to b mode daily at 01:30 window 01:00..02:00 }";
    let mut bench = bench(flow);
    bench.for_ms(HOUR);
    bench.sim.now = START + 10 * HOUR;
    bench.for_ms(26 * HOUR);
    assert_eq!(minutes(&bench, "s"), [25 * 60, 25 * 60 + 30]);
}

#[test]
fn what_goes_after_another_waits_for_it() {
    let flows = "scenario late { sync contact(name) from a to b mode every 30m after first } \
         scenario first { sync contact(name) from a to c mode every 30m }";
    let mut bench = bench(flows);
    bench.sim.system("c").manner.slowness = 300_000;
    bench.for_ms(HOUR / 2 + 20 * 60_000);
    let (late, first) = (
        bench.run_records("late").remove(0),
        bench.run_records("first").remove(0),
    );
    assert!(late.started >= first.ended.unwrap());
    let mut bench = self::bench(flows);
    bench.until_idle();
    let (late, first) = (bench.run_records("late"), bench.run_records("first"));
    assert_eq!((late.len(), first.len()), (1, 1));
    assert!(late[0].started >= first[0].ended.unwrap());
}

#[test]
fn a_stop_leaves_everything_durable() {
    for ms in (0..4_000).step_by(37) {
        let flows = "scenario s { sync contact(name) from a to b, c mode every 1s batch 3 }";
        let mut bench = bench(&flows.replace("every 1s", "every 1m"));
        bench.for_ms(60_000 + ms);
        bench.until_idle();
        assert_eq!(
            bench.sim.values("b", "contact").len(),
            50,
            "stopped after {ms} ms"
        );
        assert_eq!(
            bench.sim.values("c", "contact").len(),
            50,
            "stopped after {ms} ms"
        );
        assert!(bench.inner_open_runs().is_empty());
    }
}

#[test]
fn a_stop_does_not_wait_for_a_call_that_hangs() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode realtime }");
    bench.sim.system("b").manner.slowness = 1 << 40;
    bench.sets("a", "k", &[("name", text("new"))]);
    bench.for_ms(1_000);
    assert!(bench.sim.now - START <= 31_000 + 1_000);
    assert_eq!(bench.waiting(), 1);
}

#[test]
fn a_source_that_cannot_be_read_fails_its_run_and_moves_no_cursor() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode hourly }");
    bench.sim.system("a").down_until = i64::MAX;
    bench.until_idle();
    assert_eq!(bench.run_records("s")[0].status, RunStatus::Failed);
    assert_eq!(bench.all_writes(), 0);
    bench.sim.system("a").down_until = 0;
    // A hiccup within a read is tried again.
    bench.sim.system("a").asks_patience = Some((1_000, 2));
    bench.until_idle();
    let run = bench.run_records("s").remove(0);
    assert_eq!(
        (run.status, run.counts.read, run.counts.written),
        (RunStatus::Done, 50, 50)
    );
}

#[test]
fn a_run_whose_stage_lost_rows_has_not_ended_well() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode daily at 01:00 }")
        .with_plan(|plan| plan.systems[0].read_page = Some(10));
    bench.sim.system("a").manner.slowness = 60_000;
    let mut store = bench.store.clone();
    // Somebody empties the stage while pages are still to come.
    let lose = Act::Do(Box::new(move |sim| {
        assert!(sim.system("a").calls.iter().any(|c| c.1 == "read"));
        store.stage_open(1).unwrap();
    }));
    bench.sim.at(HOUR + 90_000, lose);
    bench.for_ms(2 * HOUR);
    let run = bench.run_records("s").pop().unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.note.unwrap().contains("of 50 records that were staged"));
    assert!(run.cursor_after.is_empty());
    assert_eq!(bench.all_writes(), 0);
}

#[test]
fn the_first_event_waits_only_for_the_first_look_at_what_is_there() {
    let mode = "mode realtime with reconcile daily at";
    let mut bench = bench(&format!(
        "scenario r {{ sync contact(name) from a to b {mode} 03:00 }}
         scenario s {{ sync contact(name) from a to c {mode} 04:00 }}"
    ));
    let sets = vec![("name".to_owned(), text("n"))];
    bench
        .sim
        .at(1, Act::Sets("a", "contact".into(), "k00".into(), sets));
    bench.for_ms(20_000);
    for system in ["b", "c"] {
        assert_eq!(
            bench.value(system, "k00", "name"),
            Some(text("n")),
            "{system}"
        );
    }
}

#[test]
fn a_run_whose_stage_is_lost_while_it_writes_is_not_done_and_the_next_one_reads_it_again() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode daily at 01:00 }");
    bench.store.cut().stage_lost = true;
    bench.until_idle();
    let run = bench.run_records("s").pop().unwrap();
    assert_eq!(run.status, RunStatus::Partial);
    let note = run.note.unwrap();
    assert!(
        note.contains("50 records were staged and 0 worked on") && note.contains("report it"),
        "{note}"
    );
    assert!(run.cursor_after.is_empty());
    assert_eq!(bench.tallies["s"].notes, [note]);
    bench.store.cut().stage_lost = false;
    bench.until_idle();
    assert_eq!(bench.run_records("s")[0].status, RunStatus::Done);
    assert_eq!(bench.sim.values("b", "contact").len(), 50);
}

#[test]
fn a_run_whose_writes_do_not_add_up_is_not_done() {
    let mut bench = bench("scenario s { sync contact(name) from a to b mode daily at 01:00 }");
    // A connector that answers for fewer records than it was given.
    bench.sim.system("b").forgets_one = true;
    bench.until_idle();
    let run = bench.run_records("s").remove(0);
    assert_eq!((run.status, run.counts.written), (RunStatus::Partial, 49));
    let note = run.note.unwrap();
    assert!(
        note.contains("50 writes were owed, and 49 were made, refused or left to the outbox"),
        "{note}"
    );
    assert!(run.cursor_after.is_empty());
    // Nobody knows how fresh anything is by it.
    let read = bench.inner().meta_with_prefix("read:").unwrap();
    assert!(read.is_empty(), "{read:?}");
}
