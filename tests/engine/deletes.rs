//! Deletions: told by events, by a column, by absence; coming back.

use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Act, Bench, START, Sim, named, text};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

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

/// What it was sent it has, as much as what it told of itself.
#[test]
fn a_system_that_was_filled_and_shows_nothing_is_told_of_and_deletes_nothing() {
    let both =
        "scenario s { sync contact(tag) between a, b mode hourly scan full deletes propagate }";
    let on = "scenario s { sync contact(name) from a to b mode hourly } \
              scenario t { sync contact(name) from b to c mode hourly scan full deletes propagate }";
    for (flows, field, last, scenario) in [(both, "tag", "a", "s"), (on, "name", "c", "t")] {
        let mut bench = Bench::new(&policy(FIELDS, flows), 3);
        for i in 0..10 {
            bench.seed("a", &format!("k{i}"), &[(field, text("x"))], -5_000);
        }
        for _ in 0..3 {
            bench.until_idle();
            bench.sim.now += HOUR;
        }
        assert_eq!(bench.sim.values(last, "contact").len(), 10, "{flows}");
        bench.sim.system("b").records.clear();
        bench.until_idle();
        assert_eq!(bench.sim.values(last, "contact").len(), 10, "{flows}");
        let notes = &bench.tallies[scenario].notes;
        assert!(notes[0].contains("`b` shows no `contact`"), "{notes:?}");
    }
}

/// A run's writes queue while events say otherwise of the same records.
#[test]
fn what_becomes_of_a_record_meanwhile_is_not_undone_by_a_run_that_has_yet_to_write_it() {
    let flow = "scenario s { sync contact(name) from a to b mode realtime with reconcile hourly \
                deletes propagate }";
    for seed in 0..40 {
        let mut bench = Bench::new(&policy(FIELDS, flow), seed).with_plan(|plan| {
            plan.systems[1].write_batch = Some(1);
            plan.systems[1].concurrency = 1;
        });
        bench.sim.system("a").manner.tombstones = true;
        bench.sim.system("b").manner.slowness = 20_000;
        let key = |i: usize| format!("k{i}");
        (0..10).for_each(|i| bench.sets("a", &key(i), &[("name", text("x"))]));
        // Before the second hour begins: what drifts, and what has gone unheard.
        let drift = move |sim: &mut Sim| {
            for i in 0..10 {
                let drifted = named(&[("name", text("drifted"))]);
                sim.seed(
                    "b",
                    "contact",
                    &key(i),
                    &drifted,
                    START + HOUR + 50 * MINUTE,
                );
                if i >= 5 {
                    let at = ("contact".to_owned(), key(i));
                    let held = sim.system("a").records.get_mut(&at).unwrap();
                    held.deleted = true;
                    held.changed_at = (START + HOUR + 50 * MINUTE) * 1_000;
                }
            }
        };
        bench.sim.at(HOUR + 50 * MINUTE, Act::Do(Box::new(drift)));
        for i in 0..10 {
            let act = match i {
                0..5 => Act::Deletes("a", "contact".into(), key(i)),
                _ => {
                    let fields = named(&[("name", text("again"))]);
                    Act::Sets("a", "contact".into(), key(i), fields)
                }
            };
            let at = 2 * HOUR + bench.sim.rng.i64(1..200_000);
            bench.sim.at(at, act);
        }
        bench.for_ms(2 * HOUR + 40 * MINUTE);
        for i in 0..10 {
            let wanted = bench.value("a", &key(i), "name");
            let held = bench.value("b", &key(i), "name");
            assert_eq!(held, wanted, "{seed}, {i}\n{}", bench.story(&key(i)));
        }
    }
}

#[test]
fn a_deletion_that_waits_is_void_once_its_record_is_there_again() {
    let flow = "scenario s { sync contact(name) from a to b mode hourly scan full \
                deletes propagate retry exponential from 2h to 2h, 12 attempts \
                breaker 50 failures, 1s pause }";
    for seed in 0..20 {
        let mut bench = Bench::new(&policy(FIELDS, flow), seed);
        for key in ["k", "l"] {
            bench.seed("a", key, &[("name", text("x"))], -9_000);
        }
        let at = |minutes: i64, act: fn(&mut Sim)| (minutes * MINUTE, Act::Do(Box::new(act)));
        for (ms, act) in [
            at(90, |sim| {
                sim.system("a")
                    .records
                    .remove(&("contact".into(), "k".into()));
                sim.system("b").chokes_on.insert("k".into());
            }),
            at(150, |sim| {
                let back = named(&[("name", text("back"))]);
                sim.seed("a", "contact", "k", &back, START + 150 * MINUTE);
            }),
            at(179, |sim| sim.system("b").chokes_on.clear()),
        ] {
            bench.sim.at(ms, act);
        }
        bench.for_ms(7 * HOUR);
        let held = bench.value("b", "k", "name");
        assert_eq!(held, Some(text("back")), "{seed}\n{}", bench.story("k"));
    }
}

/// By the clock of its source, which is behind, it came before the run that does not show it.
#[test]
fn a_record_that_came_while_a_run_read_is_not_absent() {
    let flow = "scenario s { sync contact(name) from a to b mode realtime with reconcile hourly \
                deletes propagate }";
    for seed in 0..10 {
        let mut bench = Bench::new(&policy(FIELDS, flow), seed);
        bench.sim.system("a").manner.slowness = 2_000;
        bench.sets("a", "first", &[("name", text("x"))]);
        for n in 0..40 {
            let act = move |sim: &mut Sim| {
                let fields = named(&[("name", text("x"))]);
                let at = sim.now - 2_500;
                sim.sets_at("a", "contact", &format!("k{n:02}"), &fields, at);
            };
            bench.sim.at(HOUR + n * 100, Act::Do(Box::new(act)));
        }
        bench.for_ms(HOUR + 30 * MINUTE);
        assert_eq!(bench.sim.values("b", "contact").len(), 41, "{seed}");
    }
}

#[test]
fn what_a_destination_has_lost_is_put_back_by_every_flow_that_carries_it() {
    let fields = "field name: text? field tag: text? owner c";
    let flows = "scenario s { sync contact(name) from a to b mode realtime with reconcile hourly } \
                 scenario t { sync contact(tag) from c to b mode hourly }";
    let mut bench = Bench::new(&policy(fields, flows), 3);
    bench.sets("a", "k", &[("name", text("x"))]);
    // Not the last of what `c` has to tell, which is read once more each time.
    bench.seed("c", "k", &[("tag", text("y"))], -5_000);
    bench.seed("c", "l", &[("tag", text("z"))], -1_000);
    let lose = |sim: &mut Sim| sim.system("b").records.clear();
    bench.sim.at(HOUR + 30 * MINUTE, Act::Do(Box::new(lose)));
    bench.sim.at(
        90 * MINUTE - 1,
        Act::Do(Box::new(|sim| {
            assert_eq!(sim.values("b", "contact")["k"].len(), 2);
        })),
    );
    bench.for_ms(4 * HOUR);
    assert_eq!(bench.value("b", "k", "name"), Some(text("x")));
    assert_eq!(bench.value("b", "k", "tag"), Some(text("y")));
}
