//! Deletions: told by events, by a column, by absence; coming back.

use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Bench, text};

const FIELDS: &str = "field name: text? field tag: text? accepts b resolve last_write_wins";

fn there(bench: &Bench, system: &str, key: &str) -> bool {
    bench.sim.values(system, "contact").contains_key(key)
}

#[test]
fn a_deletion_travels_only_where_it_is_told_to() {
    for propagate in [false, true] {
        let deletes = if propagate { "deletes propagate" } else { "" };
        let flow =
            format!("scenario s {{ sync contact(name) from a to b mode realtime {deletes} }}");
        let mut bench = Bench::new(&policy(FIELDS, &flow), 3);
        bench.sets("a", "k", &[("name", text("x"))]);
        bench.until_idle();
        bench.sim.now += 1_000;
        bench.sim.deletes("a", "contact", "k");
        bench.until_idle();
        assert_eq!(there(&bench, "b", "k"), !propagate);
        bench.until_idle();
        assert_eq!(bench.writes("b"), if propagate { 2 } else { 1 });
        bench.sim.now += 1_000;
        bench.sets("a", "k", &[("name", text("back"))]);
        bench.until_idle();
        assert_eq!(bench.value("b", "k", "name"), Some(text("back")));
    }
}

#[test]
fn a_column_that_says_deleted_counts() {
    let flow = "scenario s { sync contact(name) from a to b mode hourly deletes propagate }";
    let mut bench = Bench::new(&policy(FIELDS, flow), 3);
    bench.sim.system("a").manner.tombstones = true;
    bench.seed("a", "k", &[("name", text("x"))], -5_000);
    bench.seed("a", "l", &[("name", text("y"))], -5_000);
    bench.until_idle();
    bench.sim.now += 1_000;
    bench.sim.deletes("a", "contact", "k");
    bench.until_idle();
    assert!(!there(&bench, "b", "k") && there(&bench, "b", "l"));
    let before = bench.all_writes();
    bench.until_idle();
    assert_eq!(bench.all_writes(), before);
}

#[test]
fn absence_from_a_full_read_is_a_deletion_but_a_silent_source_is_a_warning() {
    let flow =
        "scenario s { sync contact(name) from a to b mode hourly scan full deletes propagate }";
    let mut bench = Bench::new(&policy(FIELDS, flow), 3);
    for i in 0..40 {
        bench.seed("a", &format!("k{i:02}"), &[("name", text("x"))], -5_000);
    }
    bench.until_idle();
    bench.sim.now += 1_000;
    bench.sim.deletes("a", "contact", "k07");
    bench.sim.deletes("a", "contact", "k39");
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 38);
    let before = bench.all_writes();
    bench.sim.now += 1_000;
    bench.until_idle();
    assert_eq!(bench.all_writes(), before);
    // Back again with the old change time: shown, so it is there.
    bench.seed("a", "k07", &[("name", text("x"))], -5_000);
    bench.sim.now += 1_000;
    bench.until_idle();
    assert!(there(&bench, "b", "k07"), "{}", bench.story("k07"));
    for i in 0..40 {
        bench.sim.deletes("a", "contact", &format!("k{i:02}"));
    }
    bench.sim.now += 1_000;
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 39);
    assert!(bench.tallies["s"].notes[0].contains("shows no `contact`"));
}

#[test]
fn a_source_without_a_cursor_that_suddenly_shows_nothing_is_told_of() {
    let flow = "scenario s { sync contact(name) from a to b mode hourly }";
    let text_policy = policy(FIELDS, flow).replace(" cursor \"seq\"", "");
    let mut bench = Bench::new(&text_policy, 3);
    bench.until_idle();
    assert_eq!(bench.run_records("s")[0].note, None, "it had none before");
    for i in 0..3 {
        bench.seed("a", &format!("k{i}"), &[("name", text("x"))], -5_000);
    }
    bench.until_idle();
    for i in 0..3 {
        bench.sim.deletes("a", "contact", &format!("k{i}"));
    }
    bench.until_idle();
    let notes: Vec<_> = bench.run_records("s").into_iter().map(|r| r.note).collect();
    let told = notes.iter().flatten().collect::<Vec<_>>();
    assert!(
        matches!(told[..], [note] if note.contains("shows no `contact`")),
        "{notes:?}"
    );
}

#[test]
fn absence_never_takes_what_is_still_on_its_way_for_deleted() {
    let flow =
        "scenario s { sync contact(tag) between a, b mode hourly scan full deletes propagate }";
    let mut bench = Bench::new(&policy(FIELDS, flow), 3);
    bench.seed("a", "k", &[("tag", text("x"))], -5_000);
    bench.seed("b", "l", &[("tag", text("y"))], -5_000);
    // `a` can be read and not written: what it is owed waits.
    bench.sim.system("a").chokes_on.insert("l".into());
    for _ in 0..3 {
        bench.until_idle();
        bench.sim.now += 60_000;
    }
    assert!(there(&bench, "b", "l") && there(&bench, "b", "k"));
    bench.sim.system("a").chokes_on.clear();
    bench.until_idle();
    bench.until_idle();
    assert!(there(&bench, "a", "l") && there(&bench, "b", "l"));
}

#[test]
fn a_record_kept_back_is_not_absent() {
    let flow = "scenario s { sync contact(name) from a to b mode hourly scan full deletes propagate \
        checkpoint { require `contact.name != \"bad\"` else quarantine dedupe by tag keep newest } }";
    let mut bench = Bench::new(&policy(FIELDS, flow), 3);
    bench.seed("a", "k", &[("name", text("x")), ("tag", text("1"))], -5_000);
    bench.seed("a", "l", &[("name", text("x")), ("tag", text("2"))], -5_000);
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 2);
    bench.sim.now += 1_000;
    bench.seed("a", "k", &[("name", text("bad")), ("tag", text("1"))], 500);
    bench.seed("a", "m", &[("name", text("x")), ("tag", text("2"))], 600);
    bench.until_idle();
    assert_eq!(bench.tallies["s"].counts.quarantined, 1);
    assert_eq!(bench.tallies["s"].counts.deduplicated, 1);
    let left: Vec<_> = bench.sim.values("b", "contact").into_keys().collect();
    assert_eq!(left, ["k", "l", "m"]);
}

#[test]
fn between_two_origins_a_later_change_outlives_a_deletion_and_an_older_one_does_not() {
    let flow = "scenario s { sync contact(tag) between a, b mode realtime deletes propagate }";
    for later in [false, true] {
        for b_first in [false, true] {
            let mut bench = Bench::new(&policy(FIELDS, flow), 5);
            bench.sets("a", "k", &[("tag", text("x"))]);
            bench.until_idle();
            bench.sim.held_events = Some(Vec::new());
            bench.sim.now += 10_000;
            if later {
                bench.sim.deletes("a", "contact", "k");
                bench.sim.now += 100;
            }
            bench.sets("b", "k", &[("tag", text("y"))]);
            if !later {
                bench.sim.now += 100;
                bench.sim.deletes("a", "contact", "k");
            }
            let mut events = bench.sim.held_events.take().unwrap();
            if (events[0].0 == "b") != b_first {
                events.reverse();
            }
            for (system, event) in events {
                bench.sim.push(&system, event);
                bench.until_idle();
            }
            bench.until_idle();
            let what = format!("later {later}, b first {b_first}\n{}", bench.story("k"));
            assert_eq!(there(&bench, "a", "k"), there(&bench, "b", "k"), "{what}");
            if later {
                assert_eq!(bench.value("a", "k", "tag"), Some(text("y")), "{what}");
            } else if !b_first {
                // Told of the change first, the runner made the record again before it could know.
                assert!(!there(&bench, "b", "k"), "{what}");
            }
        }
    }
}

#[test]
fn a_reconcile_puts_back_what_a_destination_lost_and_counts_it() {
    let flow =
        "scenario s { sync contact(name) from a to b mode realtime with reconcile daily at 03:00 }";
    let mut bench = Bench::new(&policy(FIELDS, flow), 3);
    for i in 0..5 {
        bench.seed("a", &format!("k{i}"), &[("name", text("x"))], -5_000);
    }
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 5);
    bench.sim.now += 60_000;
    let slot = ("contact".to_owned(), "k3".to_owned());
    bench.sim.system("b").records.remove(&slot);
    // Put back from an old copy, change time and all.
    bench.seed("b", "k4", &[("name", text("old"))], -400_000);
    bench.until_idle();
    assert_eq!(bench.value("b", "k3", "name"), Some(text("x")));
    assert_eq!(bench.value("b", "k4", "name"), Some(text("x")));
    assert_eq!(bench.tallies["s"].counts.drift, 2);
    assert_eq!(bench.value("a", "k4", "name"), Some(text("x")));
    assert_eq!(bench.value("a", "k4", "tag"), None::<Value>);
}
