//! Registers that are put apart and move into the great table do what one table would.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::engine::ports::Store;
use crate::store::{OpenMode, SqliteStore};

const ENTITY: &str = "contact";

/// What is done to the store: records at even distances are written, singly or together; what was
/// done since the last commit is kept or taken back; the store is opened anew.
#[derive(Debug, Clone)]
enum Act {
    Put(usize),
    Several {
        first: usize,
        apart: usize,
        count: usize,
    },
    TakeBack,
    Commit,
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    let several = (0_usize..900, 1_usize..30, 1_usize..200);
    prop_oneof![
        3 => (0_usize..4_000).prop_map(Act::Put),
        8 => several.prop_map(|(first, apart, count)| Act::Several { first, apart, count }),
        1 => Just(Act::TakeBack),
        2 => Just(Act::Commit),
        1 => Just(Act::Reopen),
    ]
}

fn key(n: usize) -> String {
    format!("{n:05}")
}

fn doc(said: &str) -> String {
    serde_json::json!({ "said": said, "again": said }).to_string()
}

fn table(store: &SqliteStore, name: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {name}");
    (store.db.conn)
        .query_row(&sql, [], |row| row.get(0))
        .expect("it is counted")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_tables_are_one(acts in prop::collection::vec(act(), 1..40)) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s.db");
        let open = || SqliteStore::open(&path, OpenMode::Run).expect("it opens");
        let mut store = open();
        let mut model: BTreeMap<String, String> = BTreeMap::new();
        let all: Vec<(String, String)> = (0..2_000).map(|n| (key(n * 2), doc("first"))).collect();
        let given: Vec<(&str, &str)> = all.iter().map(|(k, d)| (&**k, &**d)).collect();
        store.put_records(ENTITY, &given).expect("they are written");
        model.extend(all);
        let mut stayed = model.clone();
        store.begin().expect("it begins");
        for (n, act) in acts.iter().enumerate() {
            // Of many lengths: rows are parted, filled up and shared.
            let doc = doc(&format!("{n}\"{}", "é\n".repeat(n * 17 % 300)));
            match act {
                Act::Put(at) => {
                    store.put_record(ENTITY, &key(*at), &doc).expect("it is written");
                    model.insert(key(*at), doc);
                }
                Act::Several { first, apart, count } => {
                    let keys: Vec<String> = (0..*count).map(|i| key(first + i * apart)).collect();
                    let given: Vec<(&str, &str)> = keys.iter().map(|k| (&**k, &*doc)).collect();
                    store.put_records(ENTITY, &given).expect("they are written");
                    model.extend(keys.into_iter().map(|k| (k, doc.clone())));
                }
                Act::TakeBack => {
                    store.rollback().expect("it is taken back");
                    model.clone_from(&stayed);
                    store.begin().expect("it begins");
                }
                Act::Commit => {
                    store.commit_later().expect("it commits");
                    stayed.clone_from(&model);
                    store.begin().expect("it begins");
                }
                Act::Reopen => {
                    store.commit().expect("it commits");
                    stayed.clone_from(&model);
                    drop(store);
                    store = open();
                    store.begin().expect("it begins");
                }
            }
            // Where records stand tells nobody anything.
            let from = (n * 131) % 4_000;
            let wanted: Vec<String> = (0..40).map(|i| key(from + i * (n % 7 + 1))).collect();
            let asked: Vec<&str> = wanted.iter().map(|k| &**k).collect();
            let found = store.records_of(ENTITY, &asked).expect("they are found");
            let meant: Vec<Option<String>> = wanted.iter().map(|k| model.get(k).cloned()).collect();
            prop_assert_eq!(found, meant);
            let one = store.record(ENTITY, &key(from)).expect("it is found");
            prop_assert_eq!(one.as_ref(), model.get(&key(from)));
            let after = store.records_after(ENTITY, Some(&key(from)), 60).expect("they are listed");
            let listed: Vec<(String, String)> = after.into_iter().map(|r| (r.key, r.doc)).collect();
            let meant = model.range(key(from)..).filter(|(k, _)| **k != key(from)).take(60);
            let meant: Vec<(String, String)> = meant.map(|(k, d)| (k.clone(), d.clone())).collect();
            prop_assert_eq!(listed, meant);
        }
        // The view tells the same to whoever reads the file.
        let seen = i64::try_from(model.len()).expect("few");
        prop_assert_eq!(table(&store, "records"), seen);
    }
}

#[test]
fn few_of_many_are_put_apart_and_move_when_there_are_many() {
    let mut store = SqliteStore::open("unused".as_ref(), OpenMode::Memory).expect("it opens");
    let write = |store: &mut SqliteStore, numbers: &mut dyn Iterator<Item = usize>, doc: &str| {
        let keys: Vec<String> = numbers.map(key).collect();
        let doc = self::doc(doc);
        let given: Vec<(&str, &str)> = keys.iter().map(|k| (&**k, &*doc)).collect();
        store.put_records(ENTITY, &given).expect("they are written");
    };
    write(&mut store, &mut (0..5_000), "old");
    assert_eq!(table(&store, "records"), 5_000);
    assert_eq!(table(&store, "records_fresh"), 0);
    let rows = table(&store, "records_settled");
    assert!((20..60).contains(&rows), "{rows}");
    write(&mut store, &mut (0..5_000).step_by(20), "new");
    assert_eq!(table(&store, "records_fresh"), 250);
    // One that is fresh is written where it is; another one is fresh from then on.
    for n in [40, 41] {
        store
            .put_record(ENTITY, &key(n), &doc("newer"))
            .expect("it is written");
    }
    assert_eq!(table(&store, "records_fresh"), 251);
    // More than may be fresh: the next ones move, twice as many as came.
    write(&mut store, &mut (7..4_007).step_by(40), "new");
    assert_eq!(table(&store, "records_fresh"), 151);
    // Whatever lies around what is written side by side moves along.
    write(&mut store, &mut (4_000..5_000), "side by side");
    assert_eq!(table(&store, "records_fresh"), 151 - 50);
    let found = store.records_of(ENTITY, &[&*key(40), &key(41), &key(60), &key(4_020)]);
    let found: Vec<Option<String>> = found.expect("they are found");
    let meant = ["newer", "newer", "new", "side by side"];
    assert_eq!(found, meant.map(|said| Some(doc(said))));
    assert_eq!(table(&store, "records"), 5_000);
}

/// Rows of which a few were written again and again keep to their pages, and stay few.
#[test]
fn rows_stay_full_enough_where_registers_grow() {
    let mut store = SqliteStore::open("unused".as_ref(), OpenMode::Memory).expect("it opens");
    let docs: Vec<(String, String)> = (0..2_000)
        .map(|n| (key(n), doc(&"x".repeat(100))))
        .collect();
    let given: Vec<(&str, &str)> = docs.iter().map(|(k, d)| (&**k, &**d)).collect();
    store.put_records(ENTITY, &given).expect("they are written");
    for round in 0..40 {
        for from in (0..2_000).step_by(100) {
            let grown = doc(&"x".repeat(100 + round * 3));
            let keys: Vec<String> = (from..from + 20).map(key).collect();
            let given: Vec<(&str, &str)> = keys.iter().map(|k| (&**k, &*grown)).collect();
            store.put_records(ENTITY, &given).expect("they are written");
        }
    }
    let bytes = "SELECT sum(octet_length(docs)) / count(*) FROM records_settled";
    let bytes: i64 = (store.db.conn)
        .query_row(bytes, [], |row| row.get(0))
        .expect("it is told");
    assert!(bytes > 8_140 / 2, "{bytes}");
    let most = "SELECT max(octet_length(docs)) FROM records_settled";
    let most: i64 = (store.db.conn)
        .query_row(most, [], |row| row.get(0))
        .expect("it is told");
    assert!(most <= 8_140, "{most}");
}
