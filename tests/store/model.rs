//! Any order of calls does the same to a file as to the plain maps of the memory store.

use proptest::prelude::*;
use syncline::engine::ports::{Staged, Store, Waiting};
use syncline::plan::Keep;
use syncline::store::{MemoryStore, OpenMode, SqliteStore};
use syncline::terms::Priority;
use syncline::time::Instant;

use super::contract::{event, letter, row, run, waiting};

/// One call, by small numbers, so that calls meet.
#[derive(Debug, Clone)]
enum Call {
    Begin,
    Commit,
    Rollback,
    SetMeta(u8, u8),
    Append(u8, Vec<u8>, i64),
    Done(i64),
    Forget(i64),
    PutRecord(u8, u8, u8),
    PutWaiting(u8, u8, u64, i64, i64),
    TakeWaiting(u8, u8, u64),
    HoldWaiting(u8, Option<i64>),
    PutLetter(u8, u8, u8),
    ClearLetter(u8, u8),
    OpenRun(u8, bool),
    PutRun(i64, bool),
    StageOpen(i64),
    StagePut(i64, Vec<(u8, u8, u8, i64)>),
    StageDedupe(i64, u8, Option<u16>),
    StageDrop(i64),
    PutOwed(u8, u8),
    ClearOwed(u8),
}

fn call() -> impl Strategy<Value = Call> {
    let small = 0_u8..4;
    let rows = prop::collection::vec((0_u8..12, 0_u8..3, 0_u8..6, 0_i64..5), 0..40);
    prop_oneof![
        2 => Just(Call::Begin),
        2 => Just(Call::Commit),
        1 => Just(Call::Rollback),
        1 => (small.clone(), small.clone()).prop_map(|(a, b)| Call::SetMeta(a, b)),
        3 => (small.clone(), prop::collection::vec(0_u8..20, 0..6), 0_i64..9)
            .prop_map(|(a, b, c)| Call::Append(a, b, c)),
        1 => (0_i64..40).prop_map(Call::Done),
        1 => (0_i64..9).prop_map(Call::Forget),
        3 => (small.clone(), 0_u8..9, small.clone()).prop_map(|(a, b, c)| Call::PutRecord(a, b, c)),
        3 => (small.clone(), small.clone(), 0_u64..9, 0_i64..4, 0_i64..4)
            .prop_map(|(a, b, c, d, e)| Call::PutWaiting(a, b, c, d, e)),
        2 => (small.clone(), small.clone(), 0_u64..9)
            .prop_map(|(a, b, c)| Call::TakeWaiting(a, b, c)),
        1 => (small.clone(), prop::option::of(0_i64..4))
            .prop_map(|(a, b)| Call::HoldWaiting(a, b)),
        2 => (small.clone(), small.clone(), small.clone())
            .prop_map(|(a, b, c)| Call::PutLetter(a, b, c)),
        1 => (small.clone(), small.clone()).prop_map(|(a, b)| Call::ClearLetter(a, b)),
        1 => (small.clone(), any::<bool>()).prop_map(|(a, b)| Call::OpenRun(a, b)),
        1 => (0_i64..6, any::<bool>()).prop_map(|(a, b)| Call::PutRun(a, b)),
        1 => (0_i64..2).prop_map(Call::StageOpen),
        3 => (0_i64..2, rows).prop_map(|(a, b)| Call::StagePut(a, b)),
        2 => (0_i64..2, 0_u8..3, prop::option::of(0_u16..3))
            .prop_map(|(a, b, c)| Call::StageDedupe(a, b, c)),
        1 => (0_i64..2).prop_map(Call::StageDrop),
        2 => (small.clone(), small.clone()).prop_map(|(a, b)| Call::PutOwed(a, b)),
        1 => small.prop_map(Call::ClearOwed),
    ]
}

const KEYS: [&str; 12] = [
    "",
    "a",
    "A",
    "a\0",
    "ab",
    "b",
    "é",
    "aaaaaaaaa",
    "aaaaaaaab",
    "aaaaaaaa",
    "z|",
    "z\\",
];

fn name(n: u8) -> &'static str {
    KEYS[usize::from(n) % KEYS.len()]
}

/// Does a call; gives what it answered, as text. An error is told from an answer, not by its words.
fn act(store: &mut dyn Store, call: &Call, seq: &mut i64) -> String {
    fn show<T: std::fmt::Debug, E>(result: Result<T, E>) -> String {
        match result {
            Ok(value) => format!("{value:?}"),
            Err(_) => "refused".into(),
        }
    }
    match call {
        Call::Begin => show(store.begin()),
        Call::Commit => show(store.commit()),
        Call::Rollback => show(store.rollback()),
        Call::SetMeta(k, v) => show(store.set_meta(name(*k), name(*v))),
        Call::Append(system, ids, now) => {
            let events: Vec<_> = ids.iter().map(|id| event(&id.to_string(), "b")).collect();
            show(store.append_events(name(*system), &events, Instant(*now)))
        }
        Call::Done(seq) => show(store.events_done(*seq)),
        Call::Forget(before) => show(store.forget_event_ids(Instant(*before))),
        Call::PutRecord(entity, key, doc) => {
            show(store.put_record(name(*entity), name(*key), name(*doc)))
        }
        Call::PutWaiting(system, key, version, since, due) => {
            let w = Waiting {
                priority: Priority::ALL[usize::from(*key) % Priority::ALL.len()],
                ..waiting(name(*system), name(*key), *version, *since, *due)
            };
            show(store.put_waiting(&w))
        }
        Call::TakeWaiting(system, key, version) => {
            show(store.take_waiting(name(*system), "contact", name(*key), *version, None))
        }
        Call::HoldWaiting(scenario, due) => {
            show(store.hold_waiting(name(*scenario), due.map(Instant)))
        }
        Call::PutLetter(system, key, error) => {
            show(store.put_dead_letter(&letter(name(*system), name(*key), name(*error))))
        }
        Call::ClearLetter(system, key) => {
            show(store.clear_dead_letter(name(*system), "contact", name(*key)))
        }
        Call::OpenRun(scenario, ended) => {
            show(store.open_run(&run(name(*scenario), ended.then_some(3))))
        }
        Call::PutRun(id, ended) => {
            let mut record = run("put", ended.then_some(4));
            record.id = *id;
            show(store.put_run(&record))
        }
        Call::StageOpen(run) => show(store.stage_open(*run)),
        Call::StagePut(run, rows) => {
            let rows = rows.iter().map(|(key, system, group, at)| {
                *seq += 1;
                let group = if *group == 5 {
                    name(*key)
                } else {
                    name(*group)
                };
                row(name(*key), *seq, u16::from(*system), group, *at)
            });
            let rows: Vec<Staged> = rows.collect();
            show(store.stage_put(*run, rows))
        }
        Call::StageDedupe(run, keep, owner) => {
            let keep = [Keep::Newest, Keep::Oldest, Keep::Owner][usize::from(*keep)];
            show(store.stage_drop_duplicates(*run, keep, *owner))
        }
        Call::StageDrop(run) => show(store.stage_drop(*run)),
        Call::PutOwed(scenario, key) => show(store.put_owed(name(*scenario), "e", name(*key))),
        Call::ClearOwed(scenario) => show(store.clear_owed(name(*scenario))),
    }
}

/// All that a store tells.
fn all(store: &mut dyn Store) -> Vec<String> {
    let mut out = vec![
        format!("{:?}", store.meta_with_prefix("").unwrap()),
        format!("{:?}", store.pending_events(7).unwrap()),
        format!("{:?}", store.waiting_counts().unwrap()),
        format!("{:?}", store.dead_letters().unwrap()),
        format!("{:?}", store.runs(None, 5).unwrap()),
        format!("{:?}", store.open_runs().unwrap()),
    ];
    for n in 0..4 {
        let name = name(n);
        out.push(format!("{:?}", store.records_after(name, None, 3).unwrap()));
        let some = store.records_after(name, Some("a"), 9).unwrap();
        out.push(format!("{some:?}"));
        for priority in Priority::ALL {
            let due = store.due_waiting(name, *priority, Instant(2), 3);
            out.push(format!("{due:?}"));
            for after in [None, Some(Instant(1)), Some(Instant(2))] {
                let next = store.next_due(name, *priority, after);
                out.push(format!("{:?}", next.unwrap()));
            }
        }
        out.push(format!("{:?}", store.waiting_since(name).unwrap()));
        out.push(format!("{:?}", store.waiting(name, "contact", "a")));
        out.push(format!("{:?}", store.owed(name).unwrap()));
        out.push(format!("{:?}", store.runs(Some(name), 2).unwrap()));
    }
    for run in 0..2 {
        out.push(format!("{:?}", store.stage_len(run).unwrap()));
        let mut after: Option<String> = None;
        loop {
            let rows = store.stage_after(run, after.as_deref(), 3).unwrap();
            out.push(format!("{rows:?}"));
            let Some(last) = rows.last() else { break };
            after = Some(last.key.to_string());
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_file_does_what_the_maps_do(calls in prop::collection::vec(call(), 1..60)) {
        let mut model = MemoryStore::new();
        let mut file = SqliteStore::open("unused".as_ref(), OpenMode::Memory).unwrap();
        let (mut model_seq, mut file_seq) = (0, 0);
        for (i, call) in calls.iter().enumerate() {
            let expected = act(&mut model, call, &mut model_seq);
            let got = act(&mut file, call, &mut file_seq);
            prop_assert_eq!(got, expected, "call {}: {:?}", i, call);
            if i % 7 == 0 {
                prop_assert_eq!(all(&mut file), all(&mut model), "after call {}: {:?}", i, call);
            }
        }
        prop_assert_eq!(all(&mut file), all(&mut model));
    }

    #[test]
    fn a_file_that_is_left_in_the_middle_keeps_what_was_committed(
        calls in prop::collection::vec(call(), 1..40),
        stop in 0_usize..40,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let mut model = MemoryStore::new();
        let mut file = SqliteStore::open(&path, OpenMode::Run).unwrap();
        let (mut model_seq, mut file_seq) = (0, 0);
        for (i, call) in calls.iter().enumerate() {
            // Stages of runs that are not open go when the store is opened.
            if matches!(call, Call::StageOpen(_) | Call::StagePut(..)) {
                continue;
            }
            if i == stop {
                model.crash(false);
                drop(file);
                file = SqliteStore::open(&path, OpenMode::Run).unwrap();
            }
            let expected = act(&mut model, call, &mut model_seq);
            prop_assert_eq!(act(&mut file, call, &mut file_seq), expected);
        }
        model.crash(false);
        drop(file);
        file = SqliteStore::open(&path, OpenMode::Run).unwrap();
        prop_assert_eq!(all(&mut file), all(&mut model));
    }
}
