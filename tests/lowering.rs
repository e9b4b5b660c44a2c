//! Holds the reading of names and values to its fixtures; `support/fixtures.rs` says how a
//! fixture tells what it expects.

mod support;

use chrono::NaiveDate;
use support::fixtures::{self, Parsed};
use syncline::catalog::Catalog;
use syncline::finding::{self, Finding};
use syncline::model::{self, Input, OwnConnectors, Policy};

/// The codes that lowering reports.
const CODES: &[&str] = &["SL0002", "SL0003", "SL0006", "SL0007", "SL0008", "SL0405"];

fn lower(parsed: &Parsed) -> (Policy, Vec<Finding>) {
    let own = OwnConnectors::new();
    let (policy, mut findings) = model::lower(&Input {
        sources: &parsed.sources,
        files: &parsed.files,
        unread: false,
        catalog: Catalog::builtin(),
        own: &own,
        now: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
    });
    findings.extend(parsed.findings.iter().cloned());
    finding::sort(&mut findings, &parsed.sources);
    (policy, findings)
}

fn lower_text(text: &str) -> (Policy, Vec<String>) {
    let parsed = fixtures::parse_text(text);
    let (policy, findings) = lower(&parsed);
    (
        policy,
        findings
            .iter()
            .map(|f| fixtures::show(&parsed.sources, f))
            .collect(),
    )
}

#[test]
fn every_fixture_has_the_findings_it_expects_and_no_other() {
    let mut wrong = String::new();
    for code in CODES {
        let all = fixtures::of(code);
        for fails in [true, false] {
            let count = all.iter().filter(|f| f.fails == fails).count();
            assert!(
                count >= 2,
                "{code} has {count} fixtures with fails = {fails}"
            );
        }
        for fixture in all {
            let parsed = fixtures::parse(&fixture.root);
            let (_, findings) = lower(&parsed);
            let differences = fixtures::differences(&parsed.sources, &findings);
            if !differences.is_empty() {
                wrong.push_str(&format!("{}:\n{differences}", fixture.name));
            }
            let has = findings.iter().any(|f| f.code.to_string() == fixture.code);
            if has != fixture.fails {
                wrong.push_str(&format!("{}: has its own finding: {has}\n", fixture.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_example_policy_has_no_finding() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme/policy.sync");
    let parsed = fixtures::parse(&root);
    let (policy, findings) = lower(&parsed);
    let shown: Vec<String> = findings
        .iter()
        .map(|f| fixtures::show(&parsed.sources, f))
        .collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert_eq!(policy.systems.len(), 4);
    assert_eq!(policy.scenarios.len(), 7);
}
