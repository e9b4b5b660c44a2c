//! A run that owes many records takes the system's bulk job; all else is written in batches.

use syncline::engine::ports::RunStatus;
use syncline::plan::{Bulk, VendorLimit};
use syncline::time::Millis;

use crate::basics::policy;
use crate::world::{Act, Bench, START, named, text};

const HOUR: i64 = 3_600_000;

/// `b` takes jobs of 20 records where more than 30 are owed, with three calls beside.
fn bench(flows: &str, records: usize) -> Bench {
    let fields = "field name: text? accepts c resolve last_write_wins";
    let mut bench = Bench::new(&policy(fields, flows), 5).with_plan(|plan| {
        for system in &mut plan.systems {
            system.capabilities.events = false;
        }
        let b = &mut plan.systems[1];
        b.write_batch = Some(1);
        b.capabilities.upsert = true;
        b.bulk = Some(Bulk {
            from_records: 30,
            records: 20,
            fixed_calls: 3,
        });
    });
    for i in 0..records {
        bench.seed("a", &format!("k{i:04}"), &[("name", text("x"))], -9_000);
    }
    bench
}

const HOURLY: &str = "scenario s { sync contact(name) from a to b mode hourly }";

#[test]
fn a_run_that_owes_many_records_takes_a_job() {
    let mut many = bench(HOURLY, 50);
    many.until_idle();
    assert_eq!(many.writes("b"), 50);
    // What the job takes anyway goes with its first upload.
    assert_eq!(many.sim.system("b").jobs, [(4, 20), (1, 20), (1, 10)]);
    let run = many.run_records("s").remove(0);
    assert_eq!((run.status, run.calls["b"]), (RunStatus::Done, 6));
    let mut few = bench(HOURLY, 30);
    few.until_idle();
    assert_eq!(few.writes("b"), 30);
    assert_eq!(few.sim.system("b").jobs, []);
}

#[test]
fn who_says_a_batch_keeps_to_it() {
    let mut bench = bench(
        "scenario s { sync contact(name) from a to b mode hourly batch 10 }",
        50,
    );
    bench.until_idle();
    assert_eq!(bench.writes("b"), 50);
    assert_eq!(bench.sim.system("b").jobs, []);
}

#[test]
fn a_job_that_fails_is_tried_again_as_one() {
    let mut bench = bench(HOURLY, 50);
    bench.sim.system("b").loses_replies = 1;
    bench.for_ms(2 * HOUR);
    // Twenty records of the first upload waited in the outbox: too few for a job of their own.
    assert_eq!(bench.sim.system("b").jobs, [(4, 20), (1, 20), (1, 10)]);
    assert_eq!(bench.waiting(), 0);
    let mut bench = self::bench(HOURLY, 50).with_plan(|plan| {
        if let Some(bulk) = &mut plan.systems[1].bulk {
            bulk.records = 100;
        }
    });
    bench.sim.system("b").loses_replies = 1;
    bench.for_ms(2 * HOUR);
    assert_eq!(bench.sim.system("b").jobs, [(4, 50), (4, 50)]);
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn a_record_at_fault_in_a_job_is_found_by_plain_writes() {
    let mut bench = bench(HOURLY, 50);
    bench.sim.system("b").refuses_batch = ["k0007".to_owned()].into();
    bench.for_ms(2 * HOUR);
    assert_eq!(bench.writes("b"), 49);
    assert_eq!(bench.inner_letters().len(), 1);
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn what_moves_by_event_takes_no_job() {
    let mut bench = bench(
        "scenario s { sync contact(name) from c to b mode realtime }",
        0,
    );
    for i in 0..50 {
        let change = named(&[("name", text("y"))]);
        let act = Act::Sets("c", "contact".into(), format!("k{i:04}"), change);
        bench.sim.at(1_000, act);
    }
    bench.for_ms(HOUR);
    assert_eq!(bench.writes("b"), 50);
    assert_eq!(bench.sim.system("b").jobs, []);
}

#[test]
fn a_job_goes_by_the_limits_of_jobs() {
    let mut bench = bench(HOURLY, 50).with_plan(|plan| {
        plan.systems[1].vendor_limits = vec![VendorLimit {
            name: "jobs".into(),
            calls: 4,
            per: Millis::from_mins(1),
            fixed: false,
            read: 0,
            write: 0,
            bulk: 1,
        }];
    });
    bench.for_ms(HOUR + HOUR / 2);
    let asked = bench.sim.system("b").asked.clone();
    let writes: Vec<i64> = asked
        .iter()
        .filter(|a| a.1 == "write")
        .map(|a| a.0 - START)
        .collect();
    assert_eq!(bench.writes("b"), 50);
    assert_eq!(writes.len(), 3);
    assert!(writes[1] - writes[0] >= 60_000, "{writes:?}");
}
