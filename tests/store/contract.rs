//! What every store does, method by method.

use std::collections::BTreeMap;
use std::path::Path;

use syncline::engine::ports::{
    Conflict, DeadLetter, Quarantined, RawEvent, RunCounts, RunRecord, RunStatus, Staged, Store,
    Waiting,
};
use syncline::plan::Keep;
use syncline::store::{MemoryStore, OpenMode, SqliteStore};
use syncline::terms::Priority;
use syncline::time::Instant;

/// Holds a contract on each store: in memory, in SQLite's memory and in a file.
fn each(contract: impl Fn(&mut dyn Store)) {
    contract(&mut MemoryStore::new());
    contract(&mut SqliteStore::open(Path::new("unused"), OpenMode::Memory).unwrap());
    let dir = tempfile::tempdir().unwrap();
    contract(&mut SqliteStore::open(&dir.path().join("s.db"), OpenMode::Run).unwrap());
}

pub fn event(id: &str, body: &str) -> RawEvent {
    RawEvent {
        id: id.into(),
        body: body.into(),
    }
}

pub fn waiting(system: &str, key: &str, version: u64, since: i64, due: i64) -> Waiting {
    Waiting {
        system: system.into(),
        entity: "contact".into(),
        key: key.into(),
        scenario: "s".into(),
        fields: vec!["email".into(), "na\"me".into()],
        delete: version % 2 == 1,
        version,
        since: Instant(since),
        due: Instant(due),
        attempts: 3,
        error: (version > 5).then(|| "503".to_owned()),
        priority: Priority::Normal,
    }
}

pub fn letter(system: &str, key: &str, error: &str) -> DeadLetter {
    DeadLetter {
        id: 0,
        system: system.into(),
        entity: "contact".into(),
        key: key.into(),
        scenario: "s".into(),
        payload: r#"{"a":1}"#.into(),
        error: error.into(),
        attempts: 5,
        first_at: Instant(-1),
        last_at: Instant(9),
    }
}

pub fn run(scenario: &str, ended: Option<i64>) -> RunRecord {
    RunRecord {
        id: 0,
        scenario: scenario.into(),
        why: "schedule".into(),
        started: Instant(1),
        ended: ended.map(Instant),
        status: RunStatus::Reading,
        counts: RunCounts {
            read: 1,
            changed: 2,
            deduplicated: 3,
            quarantined: 4,
            written: 5,
            failed: 6,
            conflicts: 7,
            drift: u64::MAX,
            postponed: 8,
        },
        calls: BTreeMap::from([("crm".into(), 7)]),
        cursor_before: BTreeMap::new(),
        cursor_after: BTreeMap::from([("contact/crm".into(), "1|\"x".into())]),
        confirmed: None,
        committed: Some("k".into()),
        note: None,
        goes_on: Some(Instant(77)),
    }
}

pub fn row(key: &str, seq: i64, system: u16, group: &str, changed_at: i64) -> Staged {
    Staged {
        key: key.into(),
        seq,
        system,
        group: group.into(),
        changed_at,
        payload: vec![0, 255, seq as u8],
    }
}

fn keys(rows: &[Staged]) -> Vec<(&str, i64)> {
    rows.iter().map(|r| (r.key.as_str(), r.seq)).collect()
}

#[test]
fn a_transaction_takes_effect_whole_or_not_at_all() {
    each(|store| {
        assert!(store.commit().is_err(), "nothing to commit");
        store.rollback().unwrap();
        store.begin().unwrap();
        assert!(store.begin().is_err(), "no transaction inside another");
        store.put_record("e", "k", "1").unwrap();
        store
            .append_events("crm", &[event("1", "a")], Instant(1))
            .unwrap();
        assert_eq!(store.record("e", "k").unwrap().as_deref(), Some("1"));
        store.rollback().unwrap();
        assert_eq!(store.record("e", "k").unwrap(), None);
        assert_eq!(store.pending_events(9).unwrap(), []);

        store.begin().unwrap();
        store.put_record("e", "k", "2").unwrap();
        store.commit().unwrap();
        store.rollback().unwrap();
        assert_eq!(store.record("e", "k").unwrap().as_deref(), Some("2"));
    });
}

#[test]
fn book_keeping_is_found_by_prefix_without_wildcards() {
    each(|store| {
        assert!(store.meta("format").unwrap().is_some());
        for key in ["p", "p%", "p_1", "p\u{10ffff}\u{10ffff}", "q", "P1", "pz"] {
            store.set_meta(key, key).unwrap();
        }
        store.set_meta("pz", "new").unwrap();
        assert_eq!(store.meta("pz").unwrap().as_deref(), Some("new"));
        assert_eq!(store.meta("none").unwrap(), None);
        let found = store.meta_with_prefix("p").unwrap();
        let found: Vec<&str> = found.iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(found, ["p", "p%", "p_1", "pz", "p\u{10ffff}\u{10ffff}"]);
        assert_eq!(store.meta_with_prefix("p%").unwrap().len(), 1);
        assert_eq!(store.meta_with_prefix("").unwrap().len(), 8);
    });
}

#[test]
fn an_event_is_taken_in_once() {
    each(|store| {
        let first = [event("1", "a"), event("2", "b"), event("1", "again")];
        let fresh = store.append_events("crm", &first, Instant(10)).unwrap();
        assert_eq!(fresh, [true, true, false]);
        let other = store
            .append_events("shop", &[event("1", "c")], Instant(20))
            .unwrap();
        assert_eq!(other, [true], "ids are each system's own");
        store.begin().unwrap();
        let fresh = store
            .append_events("crm", &[event("2", "x"), event("3", "d")], Instant(30))
            .unwrap();
        assert_eq!(fresh, [false, true]);
        store.commit().unwrap();

        let pending = store.pending_events(9).unwrap();
        let bodies: Vec<&str> = pending.iter().map(|e| e.body.as_str()).collect();
        assert_eq!(bodies, ["a", "b", "c", "d"]);
        assert!(pending.is_sorted_by_key(|e| e.seq));
        assert_eq!(pending[2].system, "shop");
        assert_eq!(pending[2].received_at, Instant(20));
        assert_eq!(store.pending_events(2).unwrap(), &pending[..2]);

        store.events_done(pending[3].seq).unwrap();
        assert_eq!(store.pending_events(9).unwrap(), []);
        let again = store
            .append_events("crm", &[event("3", "d")], Instant(40))
            .unwrap();
        assert_eq!(again, [false], "a done event is still known");
        store.forget_event_ids(Instant(30)).unwrap();
        let again = store
            .append_events("crm", &[event("1", "a"), event("3", "d")], Instant(50))
            .unwrap();
        assert_eq!(again, [true, false], "only older ids are forgotten");
        let seq = store.pending_events(9).unwrap()[0].seq;
        assert!(seq > pending[3].seq, "no number is given twice");
    });
}

#[test]
fn registers_come_by_key_as_bytes() {
    each(|store| {
        for key in ["b", "a", "B", "", "é", "a\0b", "z", "a|1"] {
            store
                .put_record("contact", key, &format!("{{{key}}}"))
                .unwrap();
        }
        store.put_record("contacts", "a", "other").unwrap();
        store.put_record("contact", "b", "new").unwrap();
        let all = store.records_after("contact", None, 99).unwrap();
        let found: Vec<&str> = all.iter().map(|r| r.key.as_str()).collect();
        assert_eq!(found, ["", "B", "a", "a\0b", "a|1", "b", "z", "é"]);
        assert_eq!(all[5].doc, "new");
        let some = store.records_after("contact", Some("a"), 2).unwrap();
        assert_eq!(some, &all[3..5]);
        assert_eq!(store.records_after("contact", Some("é"), 2).unwrap(), []);
        assert_eq!(store.records_after("c", None, 2).unwrap(), []);
        assert_eq!(
            store.record("contacts", "a").unwrap().as_deref(),
            Some("other")
        );
    });
}

#[test]
fn several_registers_are_those_that_one_call_each_gives() {
    each(|store| {
        let key = |n: usize| format!("{n:04}");
        // Dense, with gaps of all lengths, and with another entity's on both sides.
        let there: Vec<String> = (0..400)
            .filter(|n| n % 7 > 0 && !(100..160).contains(n))
            .map(key)
            .collect();
        let docs: Vec<(&str, &str)> = there.iter().map(|k| (&**k, &**k)).collect();
        store.put_records("b", &docs).unwrap();
        store
            .put_records("a", &[("0003", "a"), ("0500", "a")])
            .unwrap();
        store
            .put_records("c", &[("0000", "c"), ("0500", "c")])
            .unwrap();
        for step in [1, 2, 9, 10, 31, 150] {
            let keys: Vec<String> = (0..450).step_by(step).map(key).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let found = store.records_of("b", &keys).unwrap();
            let each = keys.iter().map(|k| store.record("b", k).unwrap());
            assert_eq!(found, each.collect::<Vec<_>>(), "every {step}");
        }
        assert_eq!(store.records_of("b", &[]).unwrap(), []);
        assert_eq!(store.records_of("d", &["", "x"]).unwrap(), [None, None]);
        store
            .put_records("b", &[("0001", "new"), ("0007", "new")])
            .unwrap();
        let found = store.records_of("b", &["0001", "0002", "0007"]).unwrap();
        let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, [Some("new"), Some("0002"), Some("new")]);
    });
}

#[test]
fn the_newest_write_waits_and_the_earliest_due_goes_first() {
    each(|store| {
        for w in [
            waiting("crm", "c", 1, 5, 20),
            waiting("crm", "b", u64::MAX, 4, 20),
            waiting("crm", "a", 3, 5, 20),
            waiting("crm", "late", 4, 1, 99),
            waiting("crm", "first", 5, 9, 10),
            waiting("shop", "a", 6, 1, 1),
        ] {
            store.put_waiting(&w).unwrap();
        }
        let there = store.waiting("crm", "contact", "b").unwrap();
        assert_eq!(there, Some(waiting("crm", "b", u64::MAX, 4, 20)));
        assert_eq!(store.waiting("crm", "company", "b").unwrap(), None);
        let urgent = Waiting {
            priority: Priority::Consent,
            ..waiting("crm", "urgent", 9, 0, 15)
        };
        store.put_waiting(&urgent).unwrap();
        let normal = Priority::Normal;
        let due = store.due_waiting("crm", normal, Instant(20), 9).unwrap();
        let order: Vec<&str> = due.iter().map(|w| w.key.as_str()).collect();
        assert_eq!(order, ["first", "b", "a", "c"]);
        let two = store.due_waiting("crm", normal, Instant(20), 2).unwrap();
        assert_eq!(two, &due[..2]);
        let records = store.due_records("crm", normal, Instant(20), 3).unwrap();
        let order: Vec<(&str, &str)> = records.iter().map(|(e, k)| (&**e, &**k)).collect();
        let wanted = ["first", "b", "a"].map(|key| ("contact", key));
        assert_eq!(order, wanted);
        assert_eq!(
            store.next_due("crm", normal, None).unwrap(),
            Some(Instant(10))
        );
        for (after, next) in [(9, Some(10)), (10, Some(20)), (99, None)] {
            let later = store.next_due("crm", normal, Some(Instant(after)));
            assert_eq!(later.unwrap(), next.map(Instant), "after {after}");
        }
        let due = store.due_waiting("crm", Priority::Consent, Instant(20), 9);
        assert_eq!(due.unwrap(), [urgent]);
        let next = store.next_due("crm", Priority::Consent, None).unwrap();
        assert_eq!(next, Some(Instant(15)));
        assert_eq!(store.next_due("crm", Priority::Bulk, None).unwrap(), None);
        assert_eq!(store.next_due("none", normal, None).unwrap(), None);
        assert_eq!(store.waiting_since("crm").unwrap(), Some(Instant(0)));
        assert_eq!(store.waiting_since("none").unwrap(), None);
        store
            .take_waiting("crm", "contact", "urgent", 9, None)
            .unwrap();
        let counts = store.waiting_counts().unwrap();
        assert_eq!(counts, [("crm".to_owned(), 5), ("shop".to_owned(), 1)]);

        store.put_waiting(&waiting("crm", "a", 8, 5, 20)).unwrap();
        assert!(!store.take_waiting("crm", "contact", "a", 3, None).unwrap());
        assert!(store.take_waiting("crm", "contact", "a", 8, None).unwrap());
        assert!(!store.take_waiting("crm", "contact", "a", 8, None).unwrap());
        assert!(
            store
                .take_waiting("crm", "contact", "b", u64::MAX, None)
                .unwrap()
        );
        assert_eq!(store.waiting_counts().unwrap()[0].1, 3);
    });
}

#[test]
fn a_record_has_one_dead_letter_a_system_and_keeps_its_number() {
    each(|store| {
        let a = store.put_dead_letter(&letter("crm", "a", "x")).unwrap();
        let b = store.put_dead_letter(&letter("crm", "b", "x")).unwrap();
        let again = store.put_dead_letter(&letter("crm", "a", "y")).unwrap();
        assert_eq!(a, again);
        assert!(b > a);
        let all = store.dead_letters().unwrap();
        let numbered = |id, l| DeadLetter { id, ..l };
        assert_eq!(
            all,
            [
                numbered(a, letter("crm", "a", "y")),
                numbered(b, letter("crm", "b", "x"))
            ]
        );
        store.clear_dead_letter("crm", "contact", "b").unwrap();
        store.clear_dead_letter("crm", "contact", "none").unwrap();
        let c = store.put_dead_letter(&letter("crm", "b", "z")).unwrap();
        assert!(c > b, "a cleared letter's number is not given again");
    });
}

#[test]
fn runs_are_numbered_and_come_back_whole() {
    each(|store| {
        let one = store.open_run(&run("nightly", None)).unwrap();
        let two = store.open_run(&run("hourly", None)).unwrap();
        let three = store.open_run(&run("nightly", Some(5))).unwrap();
        assert!(one < two && two < three);
        let numbered = |id, r| RunRecord { id, ..r };
        let open = store.open_runs().unwrap();
        assert_eq!(
            open,
            [
                numbered(one, run("nightly", None)),
                numbered(two, run("hourly", None))
            ]
        );
        let ended = RunRecord {
            id: one,
            status: RunStatus::Partial,
            confirmed: Some("z".into()),
            note: Some("quota".into()),
            ended: Some(Instant(77)),
            ..run("nightly", None)
        };
        store.put_run(&ended).unwrap();
        let listed = store.runs(Some("nightly"), 9).unwrap();
        assert_eq!(listed, [numbered(three, run("nightly", Some(5))), ended]);
        let ids: Vec<i64> = store.runs(None, 2).unwrap().iter().map(|r| r.id).collect();
        assert_eq!(ids, [three, two]);
        assert_eq!(store.open_runs().unwrap().len(), 1);
        assert!(store.put_run(&numbered(99, run("x", None))).is_err());
    });
}

#[test]
fn every_status_is_kept() {
    each(|store| {
        for status in [
            RunStatus::Reading,
            RunStatus::Writing,
            RunStatus::Done,
            RunStatus::Partial,
            RunStatus::Aborted,
            RunStatus::Failed,
        ] {
            let record = RunRecord {
                status,
                ..run("s", None)
            };
            store.open_run(&record).unwrap();
            assert_eq!(store.runs(None, 1).unwrap()[0].status, status);
        }
    });
}

#[test]
fn staged_rows_come_by_key_and_a_key_is_never_cut() {
    each(|store| {
        assert_eq!(store.stage_len(1).unwrap(), 0);
        assert_eq!(store.stage_after(1, None, 9).unwrap(), []);
        store.stage_open(1).unwrap();
        let rows = vec![
            row("b", 0, 0, "b", 5),
            row("a", 1, 1, "g", i64::MIN),
            row("b", 2, 1, "b", 5),
        ];
        store.stage_put(1, rows).unwrap();
        let rows = vec![
            row("", 3, 0, "", 5),
            row("a", 4, 0, "a", 5),
            row("é", 5, 0, "", 1),
        ];
        store.stage_put(1, rows).unwrap();
        assert_eq!(store.stage_len(1).unwrap(), 6);
        let all = store.stage_after(1, None, 99).unwrap();
        assert_eq!(
            keys(&all),
            [("", 3), ("a", 1), ("a", 4), ("b", 0), ("b", 2), ("é", 5)]
        );
        assert_eq!(all[1], row("a", 1, 1, "g", i64::MIN));
        assert_eq!(all[5], row("é", 5, 0, "", 1));
        let two = store.stage_after(1, None, 2).unwrap();
        assert_eq!(two, &all[..3], "all rows of `a`, though that is one more");
        let on = store.stage_after(1, Some("a"), 1).unwrap();
        assert_eq!(on, &all[3..5]);
        assert_eq!(store.stage_after(1, Some("a"), 0).unwrap(), &all[3..5]);
        assert_eq!(store.stage_after(1, Some("b"), 9).unwrap(), &all[5..]);
        assert_eq!(store.stage_after(1, Some("é"), 9).unwrap(), []);
        assert_eq!(
            store.stage_after(1, Some("aa"), 1).unwrap(),
            &all[3..5],
            "a start between keys"
        );

        store.stage_put(1, vec![row("aa", 6, 0, "aa", 0)]).unwrap();
        let on = store.stage_after(1, Some("a"), 1).unwrap();
        assert_eq!(keys(&on), [("aa", 6)], "rows may come after a first look");

        store.stage_put(2, vec![row("x", 0, 0, "x", 0)]).unwrap();
        assert_eq!(store.stage_len(2).unwrap(), 1, "each run has its own");
        assert_eq!(store.stage_len(1).unwrap(), 7);
        store.stage_open(1).unwrap();
        assert_eq!(store.stage_len(1).unwrap(), 0);
        store.stage_drop(2).unwrap();
        store.stage_drop(2).unwrap();
        assert_eq!(store.stage_len(2).unwrap(), 0);
    });
}

fn staged(store: &mut dyn Store) {
    let rows = vec![
        row("a", 0, 0, "g", 5),
        row("b", 1, 1, "g", 9),
        row("c", 2, 0, "g", 9),
        row("d", 3, 1, "h", 1),
        row("e", 4, 0, "h", 0),
        row("f", 5, 0, "", 0),
        row("g", 6, 0, "", 0),
        row("k", 7, 0, "k", i64::MIN),
        row("k", 8, 0, "k", 3),
    ];
    store.stage_open(1).unwrap();
    store.stage_put(1, rows).unwrap();
}

#[test]
fn of_a_group_the_right_row_stays() {
    let cases: [(Keep, Option<u16>, [&str; 5], i64); 5] = [
        (Keep::Newest, None, ["c", "d", "f", "g", "k"], 8),
        (Keep::Oldest, None, ["a", "e", "f", "g", "k"], 7),
        (Keep::Owner, Some(1), ["b", "d", "f", "g", "k"], 8),
        (Keep::Owner, Some(0), ["c", "e", "f", "g", "k"], 8),
        (Keep::Owner, None, ["c", "d", "f", "g", "k"], 8),
    ];
    for (keep, owner, kept, k) in cases {
        each(|store| {
            staged(store);
            if owner == Some(0) {
                store.stage_after(1, None, 2).unwrap();
            }
            assert_eq!(store.stage_drop_duplicates(1, keep, owner).unwrap(), 4);
            assert_eq!(store.stage_len(1).unwrap(), 5);
            let all = store.stage_after(1, None, 99).unwrap();
            let found: Vec<&str> = all.iter().map(|r| r.key.as_str()).collect();
            assert_eq!(found, kept, "{keep:?} {owner:?}");
            assert_eq!(all[4].seq, k, "{keep:?} {owner:?}");
            assert_eq!(store.stage_drop_duplicates(1, keep, owner).unwrap(), 0);
            assert_eq!(store.stage_drop_duplicates(7, keep, owner).unwrap(), 0);
        });
    }
}

#[test]
fn a_stage_stands_outside_transactions() {
    each(|store| {
        store.begin().unwrap();
        store.stage_open(1).unwrap();
        store.stage_put(1, vec![row("a", 0, 0, "a", 0)]).unwrap();
        store.rollback().unwrap();
        assert_eq!(store.stage_len(1).unwrap(), 1);
    });
}

#[test]
fn kept_back_records_come_in_order() {
    each(|store| {
        let record = |run, key: &str| Quarantined {
            run,
            scenario: "s".into(),
            system: "crm".into(),
            entity: "contact".into(),
            key: key.into(),
            reason: "no e-mail".into(),
            record: "{}".into(),
        };
        let many = [record(1, "z"), record(2, "x"), record(1, "a")];
        store.put_quarantined(&many).unwrap();
        store.put_quarantined(&[record(1, "m")]).unwrap();
        let found = store.quarantined(1, 9).unwrap();
        assert_eq!(found, [record(1, "z"), record(1, "a"), record(1, "m")]);
        assert_eq!(store.quarantined(1, 2).unwrap(), &found[..2]);
        assert_eq!(store.quarantined(3, 2).unwrap(), []);
    });
}

#[test]
fn conflicts_are_set_replaced_and_cleared() {
    each(|store| {
        let conflict = |key: &str, field: &str, values: &str| Conflict {
            entity: "contact".into(),
            key: key.into(),
            field: field.into(),
            values: values.into(),
            since: Instant(3),
        };
        store.put_conflict(&conflict("b", "x", "1")).unwrap();
        store.put_conflict(&conflict("a", "y", "2")).unwrap();
        store.put_conflict(&conflict("a", "x", "3")).unwrap();
        store.put_conflict(&conflict("b", "x", "4")).unwrap();
        let all = store.conflicts().unwrap();
        let expected = [
            conflict("a", "x", "3"),
            conflict("a", "y", "2"),
            conflict("b", "x", "4"),
        ];
        assert_eq!(all, expected);
        store.clear_conflict("contact", "a", "y").unwrap();
        store.clear_conflict("contact", "a", "none").unwrap();
        assert_eq!(store.conflicts().unwrap().len(), 2);
    });
}

#[test]
fn owed_records_are_marked_once_and_cleared_by_scenario() {
    each(|store| {
        for (scenario, entity, key) in [
            ("s", "b", "1"),
            ("s", "a", "2"),
            ("s", "b", "1"),
            ("s", "a", "10"),
            ("ss", "a", "1"),
        ] {
            store.put_owed(scenario, entity, key).unwrap();
        }
        let owned = |e: &str, k: &str| (e.to_owned(), k.to_owned());
        let expected = [owned("a", "10"), owned("a", "2"), owned("b", "1")];
        assert_eq!(store.owed("s").unwrap(), expected);
        store.clear_owed("s").unwrap();
        assert_eq!(store.owed("s").unwrap(), []);
        assert_eq!(store.owed("ss").unwrap().len(), 1);
    });
}
