//! Chunks of a run: what is worked out, what is sent, and in which order.

use std::num::NonZeroUsize;

use syncline::engine::runner::Options;
use syncline::plan::Limit;
use syncline::time::Millis;

use crate::basics::policy;
use crate::world::{Act, Bench, named, text};

const HOURLY: &str = "scenario s { sync contact(name) from a to b mode hourly }";
const FIELDS: &str = "field name: text? accepts c resolve last_write_wins";

/// Systems without events, of which `b` takes so many writes in a call, and counts its calls.
fn batches_of(flows: &str, writes: u32) -> Bench {
    Bench::new(&policy(FIELDS, flows), 3).with_plan(|plan| {
        for system in &mut plan.systems {
            system.capabilities.events = false;
        }
        plan.systems[1].write_batch = Some(writes);
        plan.systems[1].concurrency = 1;
        plan.systems[1].limits = vec![Limit {
            calls: 1_000_000,
            per: Millis(1_000),
        }];
    })
}

fn seeded(bench: &mut Bench, records: usize) {
    for i in 0..records {
        bench.seed("a", &format!("k{i:05}"), &[("name", text("x"))], -9_000);
    }
}

fn in_chunks_of(records: usize) -> Options {
    Options {
        until_idle: true,
        chunk: NonZeroUsize::new(records),
        ..Options::default()
    }
}

fn write_calls(bench: &mut Bench) -> usize {
    let calls = bench.sim.system("b").calls.iter();
    calls.filter(|(_, kind)| *kind == "write").count()
}

#[test]
fn a_chunk_that_is_ready_goes_out_before_a_further_one_is_worked_out() {
    let mut bench = batches_of(HOURLY, 1_000);
    seeded(&mut bench, 32_000);
    bench.run_with(in_chunks_of(6_000)).unwrap();
    assert_eq!(bench.writes("b"), 32_000);
    let at = |what: &str| bench.chunks.iter().position(|c| c == what);
    // Three are ahead at most: the answer to the first lets the second go, then the fourth begin.
    for chunk in 1..3 {
        let (sent, begun) = (format!("send {chunk}"), format!("begin {}", chunk + 2));
        assert!(at(&begun).is_some(), "{:?}", bench.chunks);
        assert!(at(&sent) < at(&begun), "{:?}", bench.chunks);
    }
}

#[test]
fn batches_are_filled_by_further_chunks() {
    // A batch larger than a chunk, one that chunks are no multiple of, and one that fits.
    for (batch, chunk, calls) in [(1_000, 300, 3), (70, 100, 36), (50, 100, 50)] {
        let mut bench = batches_of(HOURLY, batch);
        seeded(&mut bench, 2_500);
        bench.run_with(in_chunks_of(chunk)).unwrap();
        assert_eq!(bench.writes("b"), 2_500);
        assert_eq!(write_calls(&mut bench), calls, "{batch} of {chunk}");
    }
}

#[test]
fn a_system_that_counts_no_calls_does_not_stand_idle_until_a_batch_is_full() {
    // What a first chunk owes is worth a call, or what two do; the others are filled while that is
    // under way.
    for (batch, chunk, calls) in [(1_000, 300, 4), (1_000, 200, 4), (500, 1_000, 5)] {
        let mut bench = batches_of(HOURLY, batch).with_plan(|plan| {
            plan.systems[1].limits = Vec::new();
        });
        seeded(&mut bench, 2_500);
        bench.run_with(in_chunks_of(chunk)).unwrap();
        assert_eq!(bench.writes("b"), 2_500);
        assert_eq!(write_calls(&mut bench), calls, "{batch} of {chunk}");
        let alone = bench.chunks.iter().any(|c| c == "send 0");
        assert_eq!(alone, chunk * 4 >= batch as usize, "{:?}", bench.chunks);
    }
}

#[test]
fn the_few_that_chunks_owe_share_calls_but_not_without_end() {
    let flows = "scenario s { sync contact(name) from a to b mode hourly scan full }";
    let mut bench = batches_of(flows, 1_000);
    seeded(&mut bench, 4_000);
    bench.run_with(in_chunks_of(100)).unwrap();
    let before = write_calls(&mut bench);
    assert_eq!(before, 4);
    bench.sim.now += 3_600_000;
    for i in (0..4_000).step_by(100) {
        bench.sets("a", &format!("k{i:05}"), &[("name", text("y"))]);
    }
    bench.run_with(in_chunks_of(100)).unwrap();
    assert_eq!(bench.value("b", "k03900", "name"), Some(text("y")));
    // 40 chunks with one change each: 17 of them go together at most.
    assert_eq!(write_calls(&mut bench) - before, 3);
}

#[test]
fn a_long_run_with_a_single_difference_comes_to_its_end() {
    for differs in ["k00000", "k00700", "k01999"] {
        let flows = "scenario s { sync contact(name) from a to b mode hourly scan full }";
        let mut bench = batches_of(flows, 1_000);
        seeded(&mut bench, 2_000);
        bench.run_with(in_chunks_of(10)).unwrap();
        bench.sim.now += 3_600_000;
        bench.sets("a", differs, &[("name", text("y"))]);
        bench.run_with(in_chunks_of(10)).unwrap();
        assert_eq!(bench.value("b", differs, "name"), Some(text("y")));
        assert_eq!(bench.run_records("s")[0].counts.written, 1);
    }
}

#[test]
fn a_newer_write_of_another_run_is_not_overwritten_by_one_that_waits() {
    // `b` takes one call after the other, so that the large run is still under way when another, which
    // has a higher priority, brings what has changed since.
    let flows = "scenario large { sync contact(name) from a to b mode hourly priority bulk } \
                 scenario soon { sync contact(name) from c to b mode every 5m priority intent }";
    let mut bench = batches_of(flows, 10);
    bench.sim.system("b").manner.slowness = 20_000;
    seeded(&mut bench, 1_000);
    bench.sim.at(
        62 * 60_000,
        Act::Sets(
            "c",
            "contact".into(),
            "k00990".into(),
            named(&[("name", text("newer"))]),
        ),
    );
    bench.for_ms(3 * 3_600_000);
    assert_eq!(bench.value("b", "k00990", "name"), Some(text("newer")));
}

#[test]
fn what_was_read_before_an_event_of_the_same_time_does_not_undo_it() {
    // `a` tells times coarsely: two changes bear one time, and a page was read between them.
    let flows = "scenario s { sync contact(name) from a to b mode realtime with reconcile hourly }";
    let mut bench = Bench::new(&policy(FIELDS, flows), 3).with_plan(|plan| {
        plan.systems[0].read_page = Some(1);
    });
    bench.sim.system("a").manner.slowness = 20_000;
    seeded(&mut bench, 20);
    let told = crate::world::START + 3_600_000;
    for (ms, name) in [(3_599_999, "first"), (3_640_000, "second")] {
        let sets = move |sim: &mut crate::world::Sim| {
            let fields = named(&[("name", text(name))]);
            sim.sets_at("a", "contact", "k00000", &fields, told);
        };
        bench.sim.at(ms, Act::Do(Box::new(sets)));
    }
    bench.for_ms(4_500_000);
    assert_eq!(bench.value("b", "k00000", "name"), Some(text("second")));
    let written = bench.sim.system("b").writes.iter();
    let written: Vec<_> = written
        .filter(|w| w.1 == "k00000")
        .map(|w| w.2["name"].clone())
        .collect();
    assert_eq!(written, [text("x"), text("first"), text("second")]);
}
