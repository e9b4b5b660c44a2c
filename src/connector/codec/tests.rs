use serde_json::{Value as Json, json};

use super::Binding;
use crate::connector::testing::*;
use crate::engine::ports::{FailureClass, Row};
use crate::value::Value;

fn bind(fields: Json) -> Binding {
    let plan = plan(
        json!({"connector": "jsonl"}),
        json!({ "fields": fields }),
        true,
    );
    Binding::compile(&plan, 0).expect("binds")
}

fn key() -> Json {
    json!({"field": "email", "column": "Email", "key": true})
}

fn read(binding: &Binding, record: Json) -> Row {
    binding.row_from_json(&record)
}

fn problem(row: &Row) -> &str {
    row.problem.as_deref().unwrap_or("none")
}

#[test]
fn expressions_stand_between_the_raw_and_the_policys_value() {
    let binding = bind(json!([
        key(),
        {"field": "opted_out", "column": "out", "read": "value == \"true\"", "write": "string(value)"},
        {"field": "balance", "column": "cents", "read": "double(value) / 100.0", "write": "int(value * 100.0 + 0.5)"}
    ]));
    let row = read(
        &binding,
        json!({"Email": "a@x", "out": "true", "cents": 1999}),
    );
    assert_eq!(shown(&row, "opted_out"), Some(&Value::Bool(true)));
    let balance = Value::Decimal("19.99".parse().expect("a decimal"));
    assert_eq!(shown(&row, "balance"), Some(&balance));
    // The expression decides what nothing means; where it cannot, nothing stays nothing.
    let row = read(
        &binding,
        json!({"Email": "a@x", "out": null, "cents": null}),
    );
    assert_eq!(shown(&row, "opted_out"), Some(&Value::Bool(false)));
    assert_eq!(shown(&row, "balance"), Some(&Value::Null));
    let row = read(&binding, json!({"Email": "a@x", "cents": "many"}));
    assert!(
        problem(&row).contains("column `cents`: "),
        "{}",
        problem(&row)
    );
    assert_eq!(shown(&row, "opted_out"), None, "not shown is not null");

    let write = upsert(
        "a@x",
        &[("opted_out", Value::Bool(true)), ("balance", balance)],
    );
    let cells = binding.encode(&write).expect("writes");
    let written: Vec<_> = cells
        .iter()
        .map(|(w, raw)| (binding.name_of(*w), raw.json()))
        .collect();
    assert_eq!(written, [("cents", json!(1999)), ("out", json!("true"))]);
}

#[test]
fn spellings_come_after_read_and_before_write() {
    let binding = bind(json!([
        key(),
        {"field": "status", "column": "stage", "values": {"new": "open", "lost": "closed"},
            "read": "value.split(\"/\")[0]", "write": "value + \"/x\""}
    ]));
    let plain = bind(json!([
        key(),
        {"field": "status", "column": "stage", "values": {"new": "Open"}}
    ]));
    for (raw, status) in [
        (json!("Open"), text("new")),
        (json!(" Open "), text("new")),
        (json!(""), Value::Null),
        (Json::Null, Value::Null),
    ] {
        let row = read(&plain, json!({"Email": "a@x", "stage": raw}));
        assert_eq!(shown(&row, "status"), Some(&status), "{}", problem(&row));
    }
    let row = read(&plain, json!({"Email": "a@x", "stage": "open"}));
    assert_eq!(
        problem(&row),
        "the event's body: column `stage`: `open` is none of the `values` of `status`: `Open`"
    );
    assert_eq!(
        row.raw.as_deref(),
        Some(r#"{"Email":"a@x","stage":"open"}"#)
    );

    let write = upsert("a@x", &[("status", text("lost"))]);
    let cells = binding.encode(&write).expect("writes");
    assert_eq!(cells[0].1.json(), json!("closed/x"));
    let refused = plain.encode(&write).expect_err("no spelling");
    assert_eq!(
        refused,
        "a value has no spelling among the `values` of `status`\nvalue `lost`"
    );
}

#[test]
fn a_key_that_would_be_written_otherwise_is_kept_as_it_was() {
    let lower = bind(json!([
        {"field": "email", "column": "Email", "key": true, "read": "value.trim()"},
        {"field": "name", "column": "name"}
    ]));
    let row = read(&lower, json!({"Email": " a|b@x ", "name": "A"}));
    assert_eq!(
        (row.key.as_str(), row.native_key.as_deref()),
        ("a\\|b@x", Some(" a\\|b@x "))
    );
    let mut write = upsert(&row.key, &[]);
    assert_eq!(lower.encode_key(&write).expect("a key")[0].text(), "a|b@x");
    write.native_key = row.native_key;
    assert_eq!(
        lower.encode_key(&write).expect("a key")[0].text(),
        " a|b@x "
    );
    let row = read(&lower, json!({"Email": "a@x"}));
    assert_eq!(row.native_key, None);
}

#[test]
fn keys_of_several_parts_keep_them_apart() {
    let mut plan = plan(
        json!({"connector": "jsonl"}),
        json!({"fields": [
            {"field": "number", "column": "no", "key": true},
            {"field": "email", "column": "mail", "key": true}
        ]}),
        true,
    );
    plan.entities[0].keys = vec!["email".into(), "number".into()];
    let binding = Binding::compile(&plan, 0).expect("binds");
    let row = read(&binding, json!({"no": "07", "mail": "a|b"}));
    assert_eq!(row.key, "a\\|b|7");
    assert_eq!(row.native_key.as_deref(), Some("a\\|b|07"));
    let write = upsert(&row.key, &[]);
    let cells = binding.encode_key(&write).expect("a key");
    let texts: Vec<_> = cells.iter().map(|c| c.text().into_owned()).collect();
    assert_eq!(texts, ["a|b", "7"]);
    assert!(binding.encode_key(&upsert("a", &[])).is_err());
    assert!(binding.encode_key(&upsert("a|x", &[])).is_err());
    assert!(
        problem(&read(&binding, json!({"no": 1}))).contains("column `mail`: the key is missing")
    );
}

#[test]
fn a_plan_that_does_not_fit_together_is_said_to() {
    let fields = [
        json!([key(), {"field": "nobody", "column": "x"}]),
        json!([key(), {"field": "name", "column": "x", "read": "value +"}]),
    ];
    for fields in fields {
        let plan = plan(
            json!({"connector": "csv"}),
            json!({ "fields": fields }),
            true,
        );
        let failure = Binding::compile(&plan, 0).expect_err("does not fit");
        assert_eq!(failure.class, FailureClass::Setup);
        assert!(failure.remedy.is_some());
        assert!(Binding::compile(&plan, 7).is_err());
    }
}

#[test]
fn a_huge_record_is_kept_short_but_readable() {
    let binding = bind(json!([key()]));
    let row = read(&binding, json!({"Email": null, "x": "ä".repeat(100_000)}));
    let raw: Json = serde_json::from_str(&row.raw.expect("kept")).expect("JSON");
    assert!(
        raw.as_str()
            .is_some_and(|r| r.len() < 70_000 && r.ends_with('…'))
    );
}
