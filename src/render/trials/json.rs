//! `test --format json`: the shape of `docs/test.schema.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Results, kinds, lines};
use crate::engine::why::FieldStory;
use crate::render::Position;
use crate::sim::trial::{Difference, HeldBack, Of, Uncovered, Unmet};

/// The results of a policy's tests.
#[derive(Debug, Serialize, JsonSchema)]
struct Tests {
    /// The shape's version: 1.
    version: u32,
    /// The policy's name.
    policy: String,
    /// What became of each test, in the order of the policy.
    tests: Vec<OneTest>,
    /// How many there were.
    summary: Summary,
    /// What the tests touch; null where a filter left tests out.
    coverage: Option<Coverage>,
}

/// A test.
#[derive(Debug, Serialize, JsonSchema)]
struct OneTest {
    title: String,
    file: String,
    start: Position,
    /// `passed` or `failed`.
    status: &'static str,
    /// Virtual time that it covers.
    virtual_seconds: f64,
    failures: Vec<Failure>,
}

/// An expectation that did not come to be.
#[derive(Debug, Serialize, JsonSchema)]
struct Failure {
    /// `values`, `missing`, `present`, `calls`, `dead_letters`, `unfit` (the test cannot be
    /// carried out) or `fault` (of Syncline's own).
    kind: &'static str,
    file: String,
    start: Position,
    /// The clause's first line.
    clause: String,
    /// What is wrong, in words, a line for each thing.
    message: String,
    /// The record, where one is meant: `contact "ada@example.com"`.
    record: Option<String>,
    /// The system, where one is meant.
    system: Option<String>,
    /// The fields that differ.
    fields: Vec<Field>,
    /// The conditions that keep the record, or these fields of it, from there.
    held_back: Vec<Held>,
}

/// A condition that is not true.
#[derive(Debug, Serialize, JsonSchema)]
struct Held {
    /// The scenario that does not carry the record on.
    scenario: String,
    /// The condition as the policy has it.
    condition: String,
    /// The event that it is not true of; null: it is not true of the record.
    event: Option<String>,
}

/// A field that differs, as JSON texts.
#[derive(Debug, Serialize, JsonSchema)]
struct Field {
    field: String,
    /// Null: no value.
    expected: Option<String>,
    /// Null: no value.
    actual: Option<String>,
    /// What the runner knows of it, as `why --format json` tells it; null: nothing.
    #[schemars(with = "Option<serde_json::Value>")]
    why: Option<FieldStory>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Summary {
    total: usize,
    passed: usize,
    failed: usize,
    /// Tests that `--filter` left out.
    left_out: usize,
}

/// What tests touch: scenarios that wrote, fields that arrived, rules that had to choose between
/// origins that differ, origins that were heard.
#[derive(Debug, Serialize, JsonSchema)]
struct Coverage {
    scenarios: Kind,
    fields: Kind,
    rules: Kind,
    origins: Kind,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Kind {
    all: usize,
    touched: usize,
    missed: Vec<String>,
}

/// The results as JSON with a final newline.
pub fn json(results: &Results<'_>) -> String {
    let failed = results.failed();
    let tests = Tests {
        version: 1,
        policy: results.policy.to_owned(),
        tests: results.trials.iter().map(|t| test(results, t)).collect(),
        summary: Summary {
            total: results.trials.len(),
            passed: results.trials.len() - failed,
            failed,
            left_out: results.left_out,
        },
        coverage: results.coverage.map(|c| {
            let [scenarios, fields, rules, origins] = kinds(c).map(|(_, k)| kind(k));
            Coverage {
                scenarios,
                fields,
                rules,
                origins,
            }
        }),
    };
    // Plain data with text keys always serializes.
    let mut text = serde_json::to_string_pretty(&tests).unwrap_or_default();
    text.push('\n');
    text
}

/// The published schema of the shape.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Tests).to_value()
}

fn test(results: &Results<'_>, trial: &crate::sim::trial::Trial) -> OneTest {
    let (file, start) = results.place(trial.span);
    OneTest {
        title: trial.title.clone(),
        file: file.to_owned(),
        start,
        status: if trial.passed() { "passed" } else { "failed" },
        virtual_seconds: trial.lasted.as_secs_f64(),
        failures: trial.unmet.iter().map(|u| failure(results, u)).collect(),
    }
}

fn failure(results: &Results<'_>, unmet: &Unmet) -> Failure {
    let (file, start) = results.place(unmet.clause);
    let (kind, record, system) = match &unmet.what {
        Difference::Values { record, system, .. } => ("values", Some(record), Some(system)),
        Difference::Missing { record, system, .. } => ("missing", Some(record), Some(system)),
        Difference::Present { record, system } => ("present", Some(record), Some(system)),
        Difference::Calls { system, .. } => ("calls", None, Some(system)),
        Difference::DeadLetters { .. } => ("dead_letters", None, None),
        Difference::Unfit(_) => ("unfit", None, None),
        Difference::Fault(_) => ("fault", None, None),
    };
    let fields = match &unmet.what {
        Difference::Values { fields, .. } => fields
            .iter()
            .map(|f| Field {
                field: f.field.clone(),
                expected: f.expected.clone(),
                actual: f.actual.clone(),
                why: f.why.clone(),
            })
            .collect(),
        _ => Vec::new(),
    };
    let held = match &unmet.what {
        Difference::Values { held_back, .. } | Difference::Missing { held_back, .. } => held_back,
        _ => &Vec::new(),
    };
    Failure {
        kind,
        file: file.to_owned(),
        start,
        clause: results.first_line(unmet.clause).to_owned(),
        message: lines(unmet).join("\n"),
        record: record.cloned(),
        system: system.cloned(),
        fields,
        held_back: held.iter().map(held_back).collect(),
    }
}

fn held_back(held: &HeldBack) -> Held {
    Held {
        scenario: held.scenario.clone(),
        condition: held.condition.clone(),
        event: match &held.of {
            Of::Event(name) => Some(name.clone()),
            Of::Record(_) => None,
        },
    }
}

fn kind(kind: &Uncovered) -> Kind {
    Kind {
        all: kind.all,
        touched: kind.all - kind.missed.len(),
        missed: kind.missed.clone(),
    }
}
