//! Checkpoints: what is kept back, what stops a run, and that nothing moved then.

use syncline::engine::cause::cause;
use syncline::engine::ports::{RunStatus, Store};
use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Bench, text};

const FIELDS: &str = "field name: text? field tag: text? field out: bool?";

fn bench(checkpoint: &str) -> Bench {
    let flow = format!(
        "scenario s {{ sync contact(name, out) from a to b mode hourly checkpoint {{ {checkpoint} }} }}"
    );
    Bench::new(&policy(FIELDS, &flow), 4)
}

fn load(bench: &mut Bench, count: i64) {
    for i in 0..count {
        let name = if i % 5 == 0 { "" } else { "x" };
        let fields = [
            ("name", text(name)),
            ("tag", text(&format!("t{}", i / 2))),
            ("out", Value::Bool(false)),
        ];
        bench.seed("a", &format!("k{i:02}"), &fields, -90_000 + i * 10);
    }
}

#[test]
fn what_does_not_hold_is_kept_back_with_its_reason() {
    let mut bench = bench("require `contact.name != \"\"` else quarantine");
    load(&mut bench, 20);
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 16);
    let run = bench.run_records("s").remove(0);
    assert_eq!(
        (run.counts.read, run.counts.quarantined, run.counts.written),
        (20, 4, 16)
    );
    let kept = bench.inner().quarantined(run.id, 100).unwrap();
    assert_eq!(kept.len(), 4);
    assert!(kept[0].reason.contains("contact.name != \"\""));
    assert_eq!(kept[0].key, "k00");
}

#[test]
fn an_aborted_run_has_written_and_remembered_nothing() {
    for checkpoint in [
        "require `contact.name != \"\"` else abort",
        "require `contact.name != \"\"` else quarantine abort over 10%",
    ] {
        let mut bench = bench(checkpoint);
        load(&mut bench, 20);
        bench.until_idle();
        assert_eq!(bench.all_writes(), 0);
        let run = bench.run_records("s").remove(0);
        assert_eq!(run.status, RunStatus::Aborted);
        assert_eq!(bench.inner().meta_with_prefix("cursor:").unwrap(), []);
        assert_eq!(
            bench.inner().records_after("contact", None, 10).unwrap(),
            []
        );
        assert_eq!(bench.inner().stage_len(run.id).unwrap(), 0);
        assert_eq!(bench.tallies["s"].notes.len(), 1);
        // The cause is for logs and alerts: which record it was stands below it.
        let note = run.note.unwrap();
        assert!(!cause(&note).contains("k00"), "{note}");
        assert_eq!(note.contains("`k00`"), checkpoint.ends_with("else abort"));
        // Mended at the source, all of it comes with the next run.
        for i in 0..20 {
            bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], 1_000);
        }
        bench.sim.now += 60_000;
        bench.until_idle();
        assert_eq!(bench.sim.values("b", "contact").len(), 20);
    }
}

#[test]
fn of_repeats_one_stays() {
    for (keep, stays) in [("newest", ["k01", "k03"]), ("oldest", ["k00", "k02"])] {
        let mut bench = bench(&format!("dedupe by tag keep {keep}"));
        load(&mut bench, 4);
        bench.until_idle();
        let there: Vec<_> = bench.sim.values("b", "contact").into_keys().collect();
        assert_eq!(there, stays);
        assert_eq!(bench.tallies["s"].counts.deduplicated, 2);
    }
}

#[test]
fn one_record_seen_in_two_systems_is_no_repeat() {
    let fields = "field name: text? accepts b resolve last_write_wins";
    let flow = "scenario s { sync contact(name) between a, b mode hourly checkpoint { dedupe by id keep newest } }";
    let mut bench = Bench::new(&policy(fields, flow), 4);
    bench.seed("a", "k", &[("name", text("old"))], -90_000);
    bench.seed("b", "k", &[("name", text("new"))], -80_000);
    bench.until_idle();
    assert_eq!(bench.value("a", "k", "name"), Some(text("new")));
    assert_eq!(bench.tallies["s"].counts.deduplicated, 0);
}

#[test]
fn a_guard_stops_a_mass_change_but_no_first_load() {
    let mut bench = bench("guard out over 20%");
    load(&mut bench, 20);
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 20);
    let before = bench.all_writes();
    bench.sim.now += 60_000;
    for i in 0..20 {
        let out = Value::Bool(i < 6);
        bench.seed(
            "a",
            &format!("k{i:02}"),
            &[("out", out), ("name", text("z"))],
            50_000,
        );
    }
    bench.until_idle();
    assert_eq!(bench.all_writes(), before);
    let run = bench.run_records("s").remove(0);
    assert_eq!(run.status, RunStatus::Aborted);
    assert!(
        run.note
            .unwrap()
            .contains("`contact.out` on 6 of 20 records")
    );
}

#[test]
fn a_clean_deletes_all_but_one_of_each_group() {
    let flow =
        "scenario s { clean contact in a mode hourly checkpoint { dedupe by tag keep newest } }";
    let mut bench = Bench::new(&policy(FIELDS, flow), 4);
    load(&mut bench, 6);
    bench.until_idle();
    let left: Vec<_> = bench.sim.values("a", "contact").into_keys().collect();
    assert_eq!(left, ["k01", "k03", "k05"]);
    bench.until_idle();
    assert_eq!(bench.writes("a"), 3);
}
