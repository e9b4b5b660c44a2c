//! Plans for the tests of connectors.

use serde_json::{Value as Json, json};

use crate::engine::ports::{Idempotency, MapIx, ReadRequest, Row, Write, WriteRequest};
use crate::plan::Plan;
use crate::value::Value;

/// A plan of one entity `contact` with key `email`, mapped in one system `desk` by `map`, which
/// also is the source of a scenario where `source`.
pub(super) fn plan(system: Json, map: Json, source: bool) -> Plan {
    let fields = json!([
        {"name": "age", "type": {"type": "int", "min": 0, "max": 150}, "optional": true},
        {"name": "balance", "type": {"type": "decimal", "precision": 12, "scale": 2}, "optional": true},
        {"name": "born", "type": {"type": "date"}, "optional": true},
        {"name": "doc", "type": {"type": "json"}, "optional": true},
        {"name": "email", "type": {"type": "email"}},
        {"name": "name", "type": {"type": "text"}, "optional": true},
        {"name": "opted_out", "type": {"type": "bool"}, "optional": true},
        {"name": "seen", "type": {"type": "datetime"}, "optional": true},
        {"name": "status", "type": {"type": "enum", "values": ["new", "lost"]}, "optional": true},
        {"name": "tags", "type": {"type": "set", "of": {"type": "text"}}, "optional": true},
        {"name": "number", "type": {"type": "int"}, "optional": true}
    ]);
    let mut system = system;
    merge(
        &mut system,
        json!({
            "name": "desk",
            "capabilities": {"read": true, "write": true, "upsert": true, "events": true, "deletes": true},
            "budget": 1.0, "failure": 0.005, "latency": 100, "visibility_lag": 0
        }),
    );
    let mut map = map;
    merge(
        &mut map,
        json!({"entity": "contact", "system": "desk", "object": "contacts"}),
    );
    let key = map
        .get("fields")
        .and_then(Json::as_array)
        .and_then(|fields| fields.iter().find(|f| f.get("key").is_some()))
        .and_then(|f| f.get("field"))
        .cloned();
    let mut plan: Plan = serde_json::from_value(json!({
        "syncline_plan": 1, "policy": "p", "digest": "sha256:0", "timezone": "UTC",
        "systems": [system],
        "entities": [{"name": "contact", "keys": [key.unwrap_or(json!("email"))], "fields": fields}],
        "maps": [map], "scenarios": []
    }))
    .expect("the test's plan is well formed");
    if source {
        plan.scenarios = serde_json::from_value(json!([{
            "name": "s", "mode": {"text": "every 1h", "class": "scheduled", "realtime": false},
            "reason": "", "at": {"file": "policy.sync", "line": 1},
            "clean": {"entity": "contact", "system": "desk"},
            "priority": "bulk", "order": "key",
            "retry": {"from": 1000, "to": 300000, "attempts": 12},
            "breaker": {"failures": 5, "pause": 30000}
        }]))
        .expect("the test's scenario is well formed");
    }
    plan
}

fn merge(into: &mut Json, defaults: Json) {
    if let (Json::Object(into), Json::Object(defaults)) = (into, defaults) {
        for (name, value) in defaults {
            into.entry(name).or_insert(value);
        }
    }
}

/// A map of `email` and all named fields under their own names.
pub(super) fn same_names(fields: &[&str]) -> Json {
    let mut mapped = vec![json!({"field": "email", "column": "email", "key": true})];
    mapped.extend(fields.iter().map(|f| json!({"field": f, "column": f})));
    json!({ "fields": mapped })
}

/// Position of a field of the test's entity.
pub(super) fn field(name: &str) -> u16 {
    let names = [
        "age",
        "balance",
        "born",
        "doc",
        "email",
        "name",
        "opted_out",
        "seen",
        "status",
        "tags",
        "number",
    ];
    names.iter().position(|n| *n == name).expect("a field") as u16
}

/// A read of everything in one page.
pub(super) fn all() -> ReadRequest {
    ReadRequest {
        locate: false,
        map: 0,
        since: None,
        page: None,
        limit: 10_000,
    }
}

/// An upsert.
pub(super) fn upsert(key: &str, fields: &[(&str, Value)]) -> Write {
    let mut fields: Vec<_> = fields.iter().map(|(n, v)| (field(n), v.clone())).collect();
    fields.sort_by_key(|f| f.0);
    Write {
        locator: None,
        key: key.into(),
        native_key: None,
        fields,
        delete: false,
        idempotency: Idempotency::Key(format!("idem-{key}")),
    }
}

/// A deletion.
pub(super) fn delete(key: &str) -> Write {
    Write {
        locator: None,
        delete: true,
        ..upsert(key, &[])
    }
}

/// A batch for the only map.
pub(super) fn batch(writes: Vec<Write>) -> WriteRequest {
    WriteRequest {
        map: 0 as MapIx,
        scenario: 0,
        writes,
        job_calls: 0,
    }
}

/// Text.
pub(super) fn text(t: &str) -> Value {
    Value::Text(t.into())
}

/// The value of a field in a row.
pub(super) fn shown<'a>(row: &'a Row, name: &str) -> Option<&'a Value> {
    let field = field(name);
    row.fields.iter().find(|(f, _)| *f == field).map(|(_, v)| v)
}

/// A text with a character of every plane and the traps of every format.
pub(super) const ANY_TEXT: &str = "a,\"b\"\r\nc\t'd\\|\u{1}\u{7f}é漢\u{200f}\u{feff}😀\u{2ffff}\u{3134a}\u{40abc}\u{50abc}\u{60abc}\u{70abc}\u{80abc}\u{90abc}\u{a0abc}\u{b0abc}\u{c0abc}\u{d0abc}\u{e0abc}\u{f0abc}\u{10fffd} z";
