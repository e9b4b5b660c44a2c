//! The short way and the long way make the same of any record.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::lanes;
use crate::engine::merge::{Found, Ground, Merged, Shown, merge_all};
use crate::engine::ports::FieldIx;
use crate::engine::program::Program;
use crate::engine::register_json;
use crate::engine::stage::Payload;
use crate::plan::Plan;
use crate::time::Instant;
use crate::value::{Type, Value};

/// A program that sends a contact's fields from `a` to `b`, which one type was given to all of.
fn program(ty: &Type, names: &[&str]) -> Program {
    let field = |name: &&str| json!({"name": name, "type": ty, "owner": "a"});
    let mut fields: Vec<Json> = names.iter().map(field).collect();
    fields.push(json!({"name": "key", "type": {"type": "text"}}));
    let system = |name: &str| {
        json!({"name": name, "connector": "csv",
            "capabilities": {"read": true, "write": true, "upsert": true, "events": true, "deletes": true},
            "budget": 1.0, "failure": 0.005, "latency": 100, "visibility_lag": 0})
    };
    let map = |system: &str| {
        json!({"entity": "contact", "system": system, "object": "contacts",
            "fields": [{"field": "key", "column": "key", "key": true}]})
    };
    let at = json!({"file": "policy.sync", "line": 1});
    let plan: Plan = serde_json::from_value(json!({
        "syncline_plan": 1, "policy": "p", "digest": "sha256:0", "timezone": "UTC",
        "systems": [system("a"), system("b")],
        "entities": [{"name": "contact", "keys": ["key"], "fields": fields}],
        "maps": [map("a"), map("b")],
        "scenarios": [{
            "name": "s", "mode": {"text": "every 1h", "class": "scheduled", "realtime": false},
            "reason": "", "at": at, "priority": "bulk", "order": "key",
            "routes": [{"id": "r", "entity": "contact", "from": "a", "to": "b", "fields": names, "at": at}],
            "retry": {"from": 1000, "to": 300000, "attempts": 12},
            "breaker": {"failures": 5, "pause": 30000}
        }]
    }))
    .expect("the test's plan is well formed");
    Program::new(plan).expect("the test's plan can be run")
}

fn types() -> Vec<Type> {
    vec![
        Type::Bool,
        Type::Int {
            min: None,
            max: None,
        },
        Type::Decimal {
            precision: 9,
            scale: 2,
        },
        Type::Text { max: None },
        Type::Date,
        Type::Datetime,
        Type::Json,
        Type::Set {
            of: Box::new(Type::Int {
                min: None,
                max: None,
            }),
        },
    ]
}

/// Few values, so that the same come again; some of them are spelt alike under several types.
fn value(random: &mut fastrand::Rng, ty: &Type) -> Value {
    let spellings: &[&str] = match ty {
        Type::Bool => &["true", "false", ""],
        Type::Int { .. } => &["1", "15", "-3", ""],
        Type::Decimal { .. } => &["1", "1.50", "15", "-3", ""],
        Type::Date => &["2026-01-05", "2026-02-28", ""],
        Type::Datetime => &["2026-01-05T00:00:00Z", "2026-01-05T00:00:00.5Z", ""],
        Type::Json => &["{\"a\":1}", "[1]", "1", "\"x\""],
        Type::Set { .. } => &["[1,2]", "[]", ""],
        _ => &[
            "",
            "1",
            "1.50",
            "true",
            "2026-01-05",
            "a \"quoted\\ é\"\n",
            "[",
            "}]",
        ],
    };
    ty.read_text(random.choice(spellings).unwrap_or(&""))
        .expect("the test's spellings fit")
}

struct Step {
    at: i64,
    now: Instant,
    settled: i64,
    run: Arc<str>,
}

fn payload(random: &mut fastrand::Rng, ty: &Type, fields: usize, step: &Step) -> Payload {
    let fields = (0..fields).map(|ix| (ix as FieldIx, value(random, ty)));
    let mut fields: Vec<(FieldIx, Value)> = fields.collect();
    if random.u8(..) < 20 {
        fields.remove(random.usize(..fields.len()));
    }
    Payload {
        entity: 0,
        key: "k|1".into(),
        native_key: (random.u8(..) < 8).then(|| "K|1".to_owned()),
        locator: None,
        at: step.at,
        timed: random.bool(),
        deleted: random.u8(..) < 6,
        present_only: false,
        fields,
    }
}

fn merged(
    program: &Program,
    step: &Step,
    payload: &Payload,
    doc: Option<&str>,
    short: bool,
) -> Merged {
    let scenario = &program.scenarios[0];
    let ground = Ground {
        program,
        scenario: 0,
        stamp: Arc::clone(&step.run),
        now: step.now,
        settled: vec![step.settled; 2],
        redo: None,
        ahead: None,
        lanes: if short {
            lanes(program, scenario)
        } else {
            Vec::new()
        },
    };
    let found = Found {
        rows: vec![Shown {
            system: 0,
            payload: payload.clone(),
            waits: false,
        }],
        doc: doc.map(str::to_owned),
    };
    let mut merged = merge_all(&ground, vec![found]).expect("the register can be read");
    merged.pop().expect("one record")
}

#[test]
fn the_short_way_makes_of_a_record_what_the_long_way_makes() {
    let mut random = fastrand::Rng::with_seed(3);
    let (types, names) = (types(), ["f", "g\"h", "i", "j"]);
    let mut ways = [0, 0];
    for _ in 0..1_500 {
        let mut ty = random.choice(&types).expect("a type").clone();
        let mut fields = random.usize(1..=4);
        let mut doc: Option<String> = None;
        // What was stored under another type may be the same in other letters.
        let mut retyped = false;
        let mut step = Step {
            at: 1_000_000_000,
            now: Instant(2_000_000),
            settled: 2_000_000_000,
            run: Arc::from("run 1"),
        };
        for run in 1..8 {
            if random.u8(..) < 12 {
                retyped = true;
                ty = random.choice(&types).expect("a type").clone();
            }
            if random.u8(..) < 12 {
                fields = random.usize(1..=4);
            }
            let program = program(&ty, &names[..fields]);
            let payload = payload(&mut random, &ty, fields, &step);
            let long = merged(&program, &step, &payload, doc.as_deref(), false);
            let short = merged(&program, &step, &payload, doc.as_deref(), true);
            let read = |merged: &Merged| {
                let doc = merged.doc.as_deref();
                doc.map(|doc| register_json::parse(&program.entities[0], doc).expect("a register"))
            };
            assert_eq!(read(&short), read(&long), "{payload:?} upon {doc:?}");
            if !retyped {
                assert_eq!(short.doc, long.doc, "{payload:?} upon {doc:?}");
            }
            assert_eq!(short.writes, long.writes, "{payload:?} upon {doc:?}");
            assert_eq!(
                (short.shown_changed, short.besides.is_some()),
                (long.shown_changed, long.besides.is_some()),
                "{payload:?} upon {doc:?}"
            );
            assert_eq!(short.owed, long.owed);
            assert_eq!((&short.key, short.entity), (&long.key, long.entity));
            let lane = lanes(&program, &program.scenarios[0]).remove(0);
            let reading = super::Reading {
                id: &step.run,
                now: step.now.0 * 1_000,
                settled: step.settled,
            };
            let passed = lane.and_then(|lane| {
                lane.pass(
                    &mut payload.clone(),
                    doc.as_deref(),
                    reading,
                    &mut super::Room::default(),
                )
            });
            ways[usize::from(passed.is_some())] += 1;
            doc = if random.bool() { long.doc } else { short.doc }.or(doc);
            let on = random
                .choice([0, 1, 500, 1_000_000, 400_000_000])
                .unwrap_or(0);
            step = Step {
                at: step.at + on - random.choice([0, 0, 0, 2, 2_000]).unwrap_or(0),
                now: Instant(step.now.0 + random.i64(0..700_000)),
                settled: step.settled + on - random.choice([0, 600_000_000]).unwrap_or(0),
                run: Arc::from(format!("run {}", run + 1)),
            };
        }
    }
    assert!(ways.iter().all(|n| *n > 2_000), "long and short: {ways:?}");
}
