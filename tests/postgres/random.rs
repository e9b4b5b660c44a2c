//! Random values go to a real server and come back, one by one and many at once.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use syncline::engine::ports::Write;
use syncline::value::Value;

use crate::desk::{Desk, text};
use crate::server::Database;

const TABLE: &str = "CREATE TABLE contacts (email text PRIMARY KEY, age smallint, \
    balance numeric(12,2), born date, doc jsonb, name text, opted_out boolean, \
    seen timestamptz, status text, tags text[])";

/// Any text that PostgreSQL can hold: it has no U+0000.
fn some_text() -> impl Strategy<Value = String> {
    let any = prop_oneof![
        any::<String>(),
        "[\"',{}\r\n\t\\\\|;N aé]{0,8}",
        "\\PC{1,12}"
    ];
    any.prop_map(|t| t.replace('\0', ""))
}

fn value(field: &'static str) -> BoxedStrategy<Value> {
    let value = match field {
        "age" => (0i64..=150).prop_map(Value::Int).boxed(),
        "balance" => (-999_999_999_999i64..=999_999_999_999)
            .prop_map(|n| Value::Decimal(rust_decimal::Decimal::new(n, 2)))
            .boxed(),
        "born" => (1i32..=3_652_059)
            .prop_map(|d| Value::Date(chrono::NaiveDate::from_num_days_from_ce_opt(d).unwrap()))
            .boxed(),
        "doc" => (some_text(), some_text(), any::<i32>())
            .prop_map(|(name, t, n)| {
                let doc = json!({ name: t, "n": [n, null, true, 2.5] });
                Value::Json(doc.to_string().into())
            })
            .boxed(),
        "name" => some_text().prop_map(|t| text(&t)).boxed(),
        "opted_out" => any::<bool>().prop_map(Value::Bool).boxed(),
        // Years 1 to 9999, to the microsecond.
        "seen" => (-62_135_596_800_000_000i64..253_402_300_800_000_000)
            .prop_map(Value::Datetime)
            .boxed(),
        "status" => prop_oneof![Just(text("new")), Just(text("lost"))].boxed(),
        _ => proptest::collection::vec(some_text(), 0..4)
            .prop_map(|tags| Value::set(tags.iter().map(|t| text(t)).collect()))
            .boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 6 => value].boxed()
}

type Record = Vec<(&'static str, Value)>;

fn record() -> impl Strategy<Value = Record> {
    let fields = [
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
    let fields = fields.map(|f| value(f).prop_map(move |v| (f, v)));
    fields.into_iter().collect::<Vec<_>>()
}

/// Whether two values say the same: the server lays a document out its own way.
fn same(a: &Value, b: &Value) -> bool {
    let read = |doc: &str| serde_json::from_str::<serde_json::Value>(doc).unwrap();
    match (a, b) {
        (Value::Json(a), Value::Json(b)) => read(a) == read(b),
        _ => a == b,
    }
}

/// Writes records under fresh keys and reads them back.
fn there_and_back(desk: &mut Desk, round: &str, records: &[Record]) {
    let key = |at: usize| format!("{round}.{at}@x.example");
    let each = records.iter().enumerate();
    let writes: Vec<Write> = each.map(|(at, r)| desk.upsert(&key(at), r)).collect();
    assert_eq!(desk.write(writes), []);
    let rows = desk.all();
    for (at, record) in records.iter().enumerate() {
        let row = rows.iter().find(|r| r.key == *key(at)).unwrap();
        assert_eq!(row.problem, None);
        for (name, value) in record {
            let shown = desk.shown(row, name).unwrap();
            assert!(same(shown, value), "{name}: {shown:?} of {value:?}");
        }
    }
}

#[test]
fn random_values_come_back_alone_and_in_a_batch() {
    let database = Database::new();
    database.run(TABLE);
    let mut desk = Desk::open("same_names", &database.url());
    // A table that has a row takes batches by the way of all later ones.
    there_and_back(&mut desk, "first", &[vec![("age", Value::Int(1))]]);
    let config = ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut round = 0;
    let cell = std::cell::RefCell::new((&mut desk, &mut round));
    let done = TestRunner::new(config).run(&proptest::collection::vec(record(), 2..6), |records| {
        let (desk, round) = &mut *cell.borrow_mut();
        **round += 1;
        database.run("DELETE FROM contacts WHERE email NOT LIKE 'first%'");
        // The first goes alone, as text; the others together, in the server's binary form.
        there_and_back(desk, &format!("alone{round}"), &records[..1]);
        there_and_back(desk, &format!("many{round}"), &records);
        Ok(())
    });
    if let Err(error) = done {
        panic!("{error}");
    }
}
