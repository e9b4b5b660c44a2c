use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::value::{Type, Value};

fn field(name: &str) -> Option<Kind> {
    match name {
        "email" | "first" | "last" | "status" => Some(Kind::Text),
        "score" => Some(Kind::Int),
        "amount" => Some(Kind::Double),
        "opted" => Some(Kind::Bool),
        "born" => Some(Kind::Time),
        "tags" => Some(Kind::List(Box::new(Kind::Text))),
        _ => None,
    }
}

fn record(text: &str) -> Compiled {
    let words = ["new".to_owned(), "working".to_owned()];
    compile(
        text,
        Scope::Record {
            name: "contact",
            field: &field,
            words: &|name| (name == "status").then_some(&words[..]),
        },
    )
}

fn faults(text: &str) -> Vec<(String, String)> {
    let faults = record(text).faults;
    faults
        .into_iter()
        .map(|f| (text[f.range].to_owned(), f.message))
        .collect()
}

fn row(entries: &[(&str, Value)]) -> BTreeMap<String, Value> {
    entries
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect()
}

fn text(t: &str) -> Value {
    Value::Text(t.into())
}

#[test]
fn reads_are_found_at_their_exact_places() {
    let source = "\"ä\" + contact.first + contact . last + contact['email']";
    let compiled = record(source);
    let reads: Vec<_> = compiled
        .reads
        .iter()
        .map(|r| (r.field.as_str(), &source[r.range.clone()]))
        .collect();
    assert_eq!(
        reads,
        [("first", "first"), ("last", "last"), ("email", "'email'")]
    );
    assert_eq!(compiled.kind, Kind::Text);
    assert_eq!(
        compiled.program.unwrap().fields(),
        ["first", "last", "email"]
    );
}

#[test]
fn macros_hide_the_record_behind_their_own_name() {
    let compiled = record("contact.tags.exists(contact, contact == 'x') && has(contact.email)");
    let reads: Vec<_> = compiled.reads.iter().map(|r| r.field.as_str()).collect();
    assert_eq!(reads, ["tags", "email"]);
    assert!(compiled.faults.is_empty(), "{:?}", compiled.faults);
}

#[test]
fn syntax_errors_point_at_the_fault() {
    let at = |text: &str| {
        let fault = record(text).faults.remove(0);
        (fault.range.start, fault.range.end, fault.message)
    };
    assert_eq!(
        at("contact."),
        (8, 8, "the expression ends too early".into())
    );
    assert_eq!(
        at("contact.score = 1"),
        (14, 15, "`=` is no CEL operator".into())
    );
    assert_eq!(
        at("size(contact.tags"),
        (4, 5, "`(` is never closed".into())
    );
    assert_eq!(
        at("contact.score +* 2"),
        (15, 16, "`*` does not fit here".into())
    );
    assert_eq!(
        at("\"abc"),
        (0, 4, "the string has no closing quote".into())
    );
    assert_eq!(at("1 + ä"), (4, 6, "`ä` does not fit here".into()));
    assert_eq!(at(" "), (1, 1, "the expression is empty".into()));
    assert_eq!(
        at("\n\n contact.score b"),
        (17, 18, "`b` does not fit here".into())
    );
}

#[test]
fn types_that_do_not_fit_are_found_where_they_stand() {
    let one = |source: &str| {
        let mut found = faults(source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        found.remove(0)
    };
    assert_eq!(
        one("contact.opted && contact.score + \"x\" == \"y\""),
        (
            "contact.score + \"x\"".into(),
            "`+` does not take an int and a string".into()
        )
    );
    assert_eq!(
        one("!contact.score"),
        (
            "contact.score".into(),
            "`!` takes a bool, and this is an int".into()
        )
    );
    assert_eq!(
        one("\"ä\" == contact.email.lower()"),
        ("lower".into(), "there is no function `lower`".into())
    );
    assert_eq!(
        one("contact.email.startsWith(1)"),
        (
            "startsWith".into(),
            "`startsWith` on a string does not take an int".into()
        )
    );
    assert_eq!(
        one("contact.score == (contact.email)").0,
        "contact.score == (contact.email)"
    );
    assert_eq!(
        one("other.email == ''"),
        ("other".into(), "`other` is not known here".into())
    );
    assert_eq!(one("size(contact) > 1").0, "contact");
    assert_eq!(one("contact.amount * 2").0, "contact.amount * 2");
    let (place, message) = one("contact.email.matches(\"(a\")");
    assert_eq!(place, "\"(a\"");
    assert!(message.contains("unclosed group"), "{message}");
}

#[test]
fn what_cannot_be_told_is_passed_over() {
    for source in [
        "contact.unknown + 1 == 2",
        "contact.tags.map(t, t + 'x').size() > 0",
        "contact.tags.filter(t, t.startsWith('a')) == []",
        "contact.score > 1.5 && contact.amount <= 3",
        "contact.born - duration('24h') < timestamp('2026-01-01T00:00:00Z')",
        "type(contact.email) == string",
        "contact.email == null || contact.email in ['a', 'b']",
        "{'a': contact.score}.a > 1",
        "contact.opted ? contact.score : 0",
        "contact.email.lowerAscii().split('@')[1] == 'x'",
    ] {
        assert_eq!(faults(source), [], "{source}");
    }
}

#[test]
fn conditions_run_over_records() {
    let holds = |source: &str, entries: &[(&str, Value)]| {
        let program = record(source).program.unwrap();
        program.holds(Input::Row(&row(entries)))
    };
    let valid = "contact.email.matches(\"^[^@ ]+@[^@ ]+$\")";
    assert_eq!(
        holds(valid, &[("email", text("ada@example.com"))]),
        Ok(true)
    );
    assert_eq!(holds(valid, &[("email", text("ada"))]), Ok(false));
    assert!(matches!(holds(valid, &[]), Err(EvalError::NoOverload(_))));
    assert_eq!(holds("contact.email == null", &[]), Ok(true));
    assert_eq!(holds("has(contact.email)", &[]), Ok(false));
    assert_eq!(
        holds("has(contact.email)", &[("email", text(""))]),
        Ok(true)
    );
    let amount = Value::Decimal("10.5".parse().unwrap());
    assert_eq!(
        holds("contact.amount > 10", &[("amount", amount)]),
        Ok(true)
    );
    let tags = Value::set(vec![text("a"), text("b")]);
    let both = "contact.tags.all(t, t in ['a', 'b']) && contact.tags.size() == 2";
    assert_eq!(holds(both, &[("tags", tags)]), Ok(true));
    let born = Value::Date("2000-02-29".parse().unwrap());
    assert_eq!(
        holds("contact.born.getMonth() == 1", &[("born", born)]),
        Ok(true)
    );
}

#[test]
fn results_become_values_of_the_wanted_type() {
    let ty = Type::Text { max: None };
    let program = record("contact.first + \" \" + contact.last")
        .program
        .unwrap();
    let full = [("first", text("Ada")), ("last", text("Lovelace"))];
    assert_eq!(
        program.derive(&row(&full), &ty),
        Ok(Some(text("Ada Lovelace")))
    );
    assert_eq!(program.derive(&row(&full[..1]), &ty), Ok(None));
    let program = record("contact.amount * 2.0").program.unwrap();
    let ty = Type::Decimal {
        precision: 6,
        scale: 2,
    };
    let row = row(&[("amount", Value::Decimal("1.005".parse().unwrap()))]);
    assert_eq!(
        program.derive(&row, &ty),
        Ok(Some(Value::Decimal("2.01".parse().unwrap())))
    );
}

#[test]
fn events_and_raw_values_are_variables() {
    let any = Kind::Any;
    let scope = |name| Scope::Variable { name, kind: &any };
    let program = compile("event.form == \"demo\" && event.n > 1", scope("event"))
        .program
        .unwrap();
    let event = Event::new(&json!({"form": "demo", "n": 2}));
    assert_eq!(program.holds(Input::Event(&event)), Ok(true));
    let event = Event::new(&json!({"n": 2}));
    assert_eq!(
        program.holds(Input::Event(&event)),
        Err(EvalError::Missing("form".into()))
    );
    let program = compile("value == \"true\"", scope("value"))
        .program
        .unwrap();
    let raw = Event::new(&json!("true"));
    assert_eq!(
        program.value(Input::Raw(&raw), &Type::Bool),
        Ok(Value::Bool(true))
    );
    let program = compile("string(value)", scope("value")).program.unwrap();
    assert_eq!(
        program.json(Input::Value(&Value::Bool(false))),
        Ok(json!("false"))
    );
    let program = compile("{'b': [1, 2.5], 'a': null}", Scope::Nothing)
        .program
        .unwrap();
    assert_eq!(
        program.json(Input::Nothing).map(|j| j.to_string()),
        Ok(r#"{"a":null,"b":[1,2.5]}"#.into())
    );
}

#[test]
fn hostile_texts_are_faults_and_never_panics() {
    let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let long = format!("1{}", "+1".repeat(3_000));
    let nots = format!("{}true", "!".repeat(4_000));
    let dots = format!("contact{}", ".a".repeat(5_000));
    let asks = "true ? ".repeat(1_000);
    for source in [deep, long, nots, dots, asks, "a".repeat(100_000)] {
        assert!(!record(&source).faults.is_empty());
    }
    for source in [
        "", "\u{0}", "'", "`", "[", "a.", "a..b", "has()", "[].map(", "0x", "1e", "\\",
    ] {
        assert!(!record(source).faults.is_empty(), "{source:?}");
    }
}

#[test]
fn programs_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&record("contact.score > 1").program.unwrap());
}

#[test]
fn the_deepest_expressions_still_run() {
    let deep = format!("{}contact.score{} == 1", "(".repeat(45), " + 0)".repeat(45));
    let program = record(&deep).program.unwrap();
    let score = row(&[("score", Value::Int(1))]);
    assert_eq!(program.holds(Input::Row(&score)), Ok(true));
    let ors = vec!["contact.score == 2"; 80].join(" || ");
    let program = record(&ors).program.unwrap();
    assert_eq!(program.holds(Input::Row(&score)), Ok(false));
}

proptest::proptest! {
    #[test]
    fn any_text_compiles_or_is_at_fault_within_itself(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "contact", ".", "email", "score", "tags", "(", ")", "[", "]", "{", "}", ",", "?", ":",
            "\"a\"", "'", "1", "2.5", "-", "!", "+", "*", "/", "%", "==", "<", "in", "&&", "||",
            "has", "all", "map", "exists", "x", "matches", "null", "true", "ä", "\n", "//", "b'",
            "0x", "r\"", "\\", "@", "$", "=", "size", "dyn", "type", "optional", "none", "`",
        ]), 0..14), gap in proptest::bool::ANY)
    {
        let text = words.join(if gap { " " } else { "" });
        let compiled = record(&text);
        for fault in &compiled.faults {
            proptest::prop_assert!(text.get(fault.range.clone()).is_some(), "{text:?} {fault:?}");
        }
        for read in &compiled.reads {
            proptest::prop_assert!(text.get(read.range.clone()).is_some());
        }
        if let Some(program) = compiled.program {
            let _ = program.holds(Input::Row(&row(&[("score", Value::Int(0))])));
            let _ = program.json(Input::Row(&row(&[("email", text_value())])));
        }
    }
}

fn text_value() -> Value {
    Value::Text("ä".into())
}
