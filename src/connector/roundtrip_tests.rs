//! What is written to a system is what is read from it.

use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;

use super::csv::Csv;
use super::jsonl::Jsonl;
use super::sqlite::Sqlite;
use super::testing::*;
use crate::engine::ports::{Connector, key_text};
use crate::plan::Plan;
use crate::value::Value;

const FIELDS: [&str; 9] = [
    "age",
    "balance",
    "born",
    "doc",
    "name",
    "opted_out",
    "seen",
    "status",
    "tags",
];

fn some_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[\"',\r\n\\\\|; a]{1,6}", "\\PC{1,12}"]
}

fn value(field: &'static str) -> BoxedStrategy<Value> {
    let value = match field {
        "age" => (0i64..=150).prop_map(Value::Int).boxed(),
        "balance" => (-99_999_999_999i64..99_999_999_999)
            .prop_map(|n| Value::Decimal(rust_decimal::Decimal::new(n, 2)))
            .boxed(),
        "born" => (-300_000i32..700_000)
            .prop_filter_map("a four-digit year", |d| {
                let day = chrono::NaiveDate::from_num_days_from_ce_opt(d + 400_000)?;
                (1..=9999)
                    .contains(&chrono::Datelike::year(&day))
                    .then_some(Value::Date(day))
            })
            .boxed(),
        "doc" => (some_text(), any::<i32>())
            .prop_map(|(t, n)| {
                Value::Json(json!({ "a": t, "n": [n, null, true] }).to_string().into())
            })
            .boxed(),
        "opted_out" => any::<bool>().prop_map(Value::Bool).boxed(),
        "seen" => (-60_000_000_000_000_000i64..250_000_000_000_000_000)
            .prop_map(Value::Datetime)
            .boxed(),
        "status" => prop_oneof![Just(text("new")), Just(text("lost"))].boxed(),
        "tags" => proptest::collection::vec(some_text(), 0..4)
            .prop_map(|tags| Value::set(tags.iter().map(|t| text(t)).collect()))
            .boxed(),
        // An empty cell is a null in CSV, for texts as well.
        _ => some_text()
            .prop_filter("not empty", |t| !t.is_empty())
            .prop_map(|t| Value::Text(t.into()))
            .boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 6 => value].boxed()
}

fn record() -> impl Strategy<Value = (String, Vec<(&'static str, Value)>)> {
    let key = some_text().prop_filter("no empty key", |t| !t.trim().is_empty());
    let fields: Vec<_> = FIELDS
        .iter()
        .map(|f| value(f).prop_map(move |v| (*f, v)))
        .collect();
    (key, fields)
}

fn plan_of(connector: &str) -> Plan {
    let mut map = same_names(&FIELDS);
    for field in map["fields"].as_array_mut().expect("fields") {
        if field["field"] == "status" {
            field["values"] = json!({"new": "Open, \"new\"", "lost": "Closed\n"});
        }
    }
    plan(json!({ "connector": connector }), map, false)
}

fn systems(dir: &Path) -> Vec<Box<dyn Connector>> {
    let db = dir.join("x.db");
    let columns = FIELDS.map(|f| format!("\"{f}\" TEXT"));
    let sql = format!(
        "CREATE TABLE contacts (email TEXT PRIMARY KEY, {})",
        columns.join(", ")
    );
    Connection::open(&db)
        .and_then(|c| c.execute_batch(&sql))
        .expect("a table");
    vec![
        Box::new(Csv::open(&plan_of("csv"), 0, dir.join("csv")).expect("opens")),
        Box::new(Jsonl::open(&plan_of("jsonl"), 0, dir.join("jsonl")).expect("opens")),
        Box::new(Sqlite::open(&plan_of("sqlite"), 0, db).expect("opens")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_value_comes_back_from_every_system(
        records in proptest::collection::vec(record(), 1..4),
        second in record(),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut records: Vec<_> = records;
        records.sort_by(|a, b| a.0.cmp(&b.0));
        records.dedup_by(|a, b| a.0 == b.0);
        for mut system in systems(dir.path()) {
            // The second batch changes the first record: what is there has to be found.
            let changed = (records[0].0.clone(), second.1.clone());
            for batch_of in [&records[..], std::slice::from_ref(&changed)] {
                let writes = batch_of
                    .iter()
                    .map(|(key, fields)| upsert(&key_text([&text(key)]), fields))
                    .collect();
                let report = system.write(&batch(writes)).expect("writes");
                prop_assert_eq!(report.rejected, vec![]);
            }
            let rows = system.read(&all()).expect("reads").rows;
            prop_assert_eq!(rows.len(), records.len());
            for (at, (key, fields)) in records.iter().enumerate() {
                let wanted = if at == 0 { &changed.1 } else { fields };
                let key = key_text([&text(key)]);
                let row = rows.iter().find(|r| r.key == key).expect("the record");
                prop_assert_eq!(&row.problem, &None);
                prop_assert_eq!(&row.native_key, &None);
                for (name, value) in wanted {
                    prop_assert_eq!(shown(row, name), Some(value), "{}", name);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_or_a_writer_trip(bytes in proptest::collection::vec(
        prop_oneof![any::<u8>(), Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'{'), Just(b'}')], 0..200)
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let csv = [b"email,name\n", bytes.as_slice()].concat();
        std::fs::create_dir(dir.path().join("csv")).expect("a directory");
        std::fs::create_dir(dir.path().join("jsonl")).expect("a directory");
        std::fs::write(dir.path().join("csv/contacts.csv"), csv).expect("a file");
        std::fs::write(dir.path().join("jsonl/contacts.jsonl"), &bytes).expect("a file");
        let plan = plan(json!({"connector": "csv"}), same_names(&["name"]), true);
        let mut systems: Vec<Box<dyn Connector>> = vec![
            Box::new(Csv::open(&plan, 0, dir.path().join("csv")).expect("opens")),
            Box::new(Jsonl::open(&plan, 0, dir.path().join("jsonl")).expect("opens")),
        ];
        for system in &mut systems {
            let read = system.read(&all());
            let writes = vec![upsert("new@x", &[("name", text("N"))])];
            let written = system.write(&batch(writes));
            // An open quote is refused; all else can be read, and written below.
            prop_assert_eq!(read.is_ok(), written.is_ok());
            let Ok(before) = read.map(|page| page.rows.len()) else {
                continue;
            };
            let rows = system.read(&all()).expect("reads").rows;
            prop_assert_eq!(rows.len(), before + 1);
            prop_assert_eq!(&rows[before].key, "new@x");
        }
    }
}
