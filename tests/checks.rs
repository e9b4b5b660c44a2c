//! Holds the checks to their fixtures and to their pages.
//!
//! `support/fixtures.rs` says how a fixture tells what it expects. A fixture speaks of the codes
//! listed here and of those found while it is read; findings of other families are left aside, so
//! that each family's fixtures can stay as short as its point.

#[path = "checks/pages.rs"]
mod pages;
mod support;

use std::fmt::Write;

use chrono::NaiveDate;
use support::fixtures::{self, Parsed};
use syncline::catalog::Catalog;
use syncline::checks::{self, Context};
use syncline::finding::{CODES as ALL, Code, Finding, Severity};
use syncline::graph::Graph;
use syncline::model::{self, Input, OwnConnectors};
use syncline::text::{Sources, Span};

/// The codes whose findings every fixture lists, whatever its own code is: mistakes that make a
/// policy wrong however it is used.
const EVERYWHERE: &[u16] = &[
    101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 401, 402, 403,
    406, 501, 503, 504, 505, 801,
];

/// The codes of what is found while a policy is read and resolved.
const READING: &[u16] = &[1, 2, 3, 4, 5, 6, 7, 8, 405];

/// The codes whose fixtures are held here: the table's, those of reading, and what applying the
/// `allow`s finds.
fn codes() -> impl Iterator<Item = Code> {
    let reading = READING.iter().map(|c| Code(*c));
    let table = checks::CHECKS.iter().map(|c| c.code);
    reading.chain(table).chain([Code(801)])
}

fn check(parsed: &Parsed) -> Vec<Finding> {
    check_asking(parsed, &[])
}

/// The same with checks that are off unless asked for.
fn check_asking(parsed: &Parsed, asked: &[Code]) -> Vec<Finding> {
    let own = OwnConnectors::new();
    let now = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap();
    let (mut policy, mut earlier) = model::lower(&Input {
        sources: &parsed.sources,
        files: &parsed.files,
        unread: parsed.findings.iter().any(|f| f.code == Code(4)),
        catalog: Catalog::builtin(),
        own: &own,
        now,
    });
    earlier.extend(parsed.findings.iter().cloned());
    let graph = Graph::build(&policy);
    syncline::choice::settle(&mut policy, &graph);
    let context = Context::new(&parsed.sources, &policy, &graph, now).asking(asked);
    checks::run(&context, earlier)
}

/// What a fixture of a code speaks of: that code's family, what was found while it was read, and
/// the codes that concern every fixture; one about reading speaks of nothing but reading. Findings
/// of other families are left aside, so that a fixture can stay as short as its point. An allowed finding counts as found only by what it
/// leaves behind. Tidiness has something to say of nearly every short policy, so its fixtures speak
/// of their own code alone.
fn spoken_of(own: Code, findings: Vec<Finding>) -> Vec<Finding> {
    findings
        .into_iter()
        .filter(|f| f.severity != Severity::Allowed)
        .filter(|f| {
            let tidiness = f.code.0 / 100 == 8;
            let family = f.code.0 / 100 == own.0 / 100 && !tidiness;
            let wanted = f.code == own || family || EVERYWHERE.contains(&f.code.0);
            READING.contains(&f.code.0) || wanted && !READING.contains(&own.0)
        })
        .collect()
}

/// Codes and severities of everything found, allowed findings included.
fn found(text: &str) -> Vec<(u16, Severity)> {
    let findings = check(&fixtures::parse_text(text));
    let known = |f: &&Finding| EVERYWHERE.contains(&f.code.0) || f.code.0 < 100;
    let findings = findings.iter().filter(known);
    findings.map(|f| (f.code.0, f.severity)).collect()
}

/// A policy with a copy that writes back to the owner.
fn writes_back(in_policy: &str, on_field: &str, in_back: &str) -> String {
    format!(
        r#"policy shop {{ {in_policy} }}
system crm {{ connector postgres secret url = env("A") }}
system mailer {{ connector postgres secret url = env("B") }}
entity contact {{
  key email
  owner crm
  field email: email
  field name: text? {on_field}
}}
map contact in crm {{ same_names cursor "seq" }}
map contact in mailer {{ same_names cursor "seq" }}
scenario out {{ sync contact(name) from crm to mailer }}
scenario back {{ sync contact(name) from mailer to crm {in_back} }}
"#
    )
}

#[test]
fn an_allow_holds_where_the_finding_or_one_of_its_labels_lies() {
    let allow = "allow SL0103 \"while we move\"";
    let allowed = vec![(103, Severity::Allowed)];
    assert_eq!(found(&writes_back("", "", "")), [(103, Severity::Error)]);
    assert_eq!(found(&writes_back(allow, "", "")), allowed);
    assert_eq!(found(&writes_back("", allow, "")), allowed);
    assert_eq!(found(&writes_back("", "", allow)), allowed);
    let elsewhere = writes_back("", "", "").replace("mailer }", &format!("mailer {allow} }}"));
    let unused = [(801, Severity::Warning), (103, Severity::Error)];
    assert_eq!(found(&elsewhere), unused);
}

#[test]
fn an_allow_holds_to_the_end_of_its_last_day() {
    let until = |day: &str| format!("allow SL0103 \"while we move\" until 2026-01-{day}");
    let allowed = vec![(103, Severity::Allowed)];
    assert_eq!(found(&writes_back("", "", &until("05"))), allowed);
    let expired = [(103, Severity::Error), (801, Severity::Warning)];
    assert_eq!(found(&writes_back("", "", &until("04"))), expired);
}

/// Codes that [`EACH_BLOCK`] has, each with a line after which an `allow` of it may stand: in a system, an
/// entity, a field, a map, a scenario, a checkpoint, a test.
const IN_EACH_BLOCK: &[(u16, &str)] = &[
    (502, "secret token = env(\"CHAT_TOKEN\")"),
    (803, "owner store"),
    (803, "field Level: int"),
    (404, "field name = \"first_name\""),
    (601, "mode daily at 02:00"),
    (601, "require `shopper.asked` else quarantine"),
    (701, "given shopper \"a@example.com\" { name = 7 } in store"),
];

/// A policy with a finding in each kind of block.
const EACH_BLOCK: &str = r#"policy shop {
}
system chat {
  connector intercom
  secret token = env("CHAT_TOKEN")
}
system mailer { connector sendgrid secret token = env("MAILER_TOKEN") }
system store { connector postgres secret url = env("STORE_URL") cleared consent }
entity shopper {
  key email
  owner store
  field email: email
  field name: text(60)
  field Level: int
  field asked: bool class consent
}
map shopper in chat "contacts" { same_names }
map shopper in mailer "contacts" {
  key email = "email"
  field name = "first_name"
}
map shopper in store { same_names cursor "seq" }
scenario chats { sync shopper(Level) from store to chat }
scenario mails {
  sync shopper(name) from store to mailer
  mode daily at 02:00
  checkpoint {
    require `shopper.asked` else quarantine
  }
}
test "names" {
  given shopper "a@example.com" { name = 7 } in store
}
"#;

#[test]
fn an_allow_holds_in_every_block_that_it_may_stand_in() {
    let text = EACH_BLOCK;
    let severity = |text: &str, code: u16| -> Vec<Severity> {
        let found = check_asking(&fixtures::parse_text(text), &[Code(code)]);
        let read: Vec<_> = found.iter().filter(|f| f.code.0 < 100).collect();
        assert!(read.is_empty(), "{read:#?}");
        let of = found.iter().filter(|f| f.code.0 == code);
        of.map(|f| f.severity).collect()
    };
    for (code, after) in IN_EACH_BLOCK {
        assert!(text.contains(after), "{after}");
        let plain = severity(text, *code);
        assert!(
            !plain.is_empty() && !plain.contains(&Severity::Allowed),
            "SL{code:04}"
        );
        let allow = format!("allow SL{code:04} \"as agreed\"");
        let here = text.replacen(after, &format!("{after}\n{allow}"), 1);
        let allowed = severity(&here, *code);
        assert!(
            allowed.contains(&Severity::Allowed),
            "SL{code:04} after {after}"
        );
        assert!(severity(&here, 801).is_empty(), "SL{code:04} after {after}");
        let in_policy = text.replacen("policy shop {", &format!("policy shop {{\n{allow}"), 1);
        let allowed = severity(&in_policy, *code);
        assert!(
            allowed.iter().all(|s| *s == Severity::Allowed),
            "SL{code:04} in the policy"
        );
    }
}

#[test]
fn an_allow_accepts_what_was_found_while_reading() {
    let text = writes_back("", "owner crm owner mailer allow SL0002 \"both\"", "");
    let back = "scenario back { sync contact(name) from mailer to crm  }\n";
    let text = text.replace(back, "");
    assert_eq!(found(&text), [(2, Severity::Allowed)]);
}

#[test]
fn findings_come_in_one_order_however_often_and_on_however_many_threads() {
    let root = fixtures::folder().join("SL0401/fail_fields_and_pairs.sync");
    let parsed = fixtures::parse(&root);
    let first = check(&parsed);
    let mut places: Vec<_> = first.iter().filter_map(|f| f.primary).collect();
    places.dedup();
    assert!(places.is_sorted_by_key(|s| (s.file, s.start)));
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let alone = single.unwrap().install(|| check(&parsed));
    assert_eq!(first, alone);
    assert_eq!(first, check(&parsed));
}

#[test]
fn every_fixture_has_the_findings_it_expects_and_no_other() {
    let mut wrong = String::new();
    for own in codes() {
        let code = own.to_string();
        let all = fixtures::of(&code);
        for fails in [true, false] {
            let count = all.iter().filter(|f| f.fails == fails).count();
            if count < 2 {
                writeln!(wrong, "{code}: {count} fixtures with fails = {fails}").unwrap();
            }
        }
        for fixture in all {
            let parsed = fixtures::loaded(&fixture.root);
            let findings = spoken_of(own, check_asking(&parsed, &[own]));
            let differences = fixtures::differences_of(&fixture.root, &parsed.sources, &findings);
            if !differences.is_empty() {
                write!(wrong, "{}:\n{differences}", fixture.name).unwrap();
            }
            let has = findings.iter().any(|f| f.code.to_string() == fixture.code);
            if has != fixture.fails {
                writeln!(wrong, "{}: has its own finding: {has}", fixture.name).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_code_has_a_fixture_across_files() {
    let missing: Vec<String> = codes()
        .map(|c| c.to_string())
        .filter(|c| {
            !fixtures::of(c)
                .iter()
                .any(|f| f.root.ends_with("policy.sync"))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn findings_say_what_is_wrong_where_and_what_to_write() {
    for own in codes() {
        let code = own.to_string();
        let mut shown = String::new();
        for fixture in fixtures::of(&code).into_iter().filter(|f| f.fails) {
            let parsed = fixtures::loaded(&fixture.root);
            writeln!(shown, "=== {}", fixture.name).unwrap();
            for finding in spoken_of(own, check_asking(&parsed, &[own])) {
                if finding.code == own {
                    shown.push_str(&in_full(&parsed.sources, &finding));
                }
            }
        }
        insta::assert_snapshot!(code, shown);
    }
}

#[test]
fn every_mend_leaves_a_policy_without_that_finding() {
    let mut wrong = String::new();
    for own in codes() {
        for fixture in fixtures::of(&own.to_string()) {
            let parsed = fixtures::loaded(&fixture.root);
            let before = check_asking(&parsed, &[own]);
            let syntax = |findings: &[Finding]| {
                let syntax = findings.iter().filter(|f| f.code == Code(1));
                syntax.count()
            };
            for finding in spoken_of(own, before.clone()) {
                let alike = |findings: &[Finding]| {
                    let alike = findings.iter().filter(|f| {
                        f.message == finding.message && f.severity != Severity::Allowed
                    });
                    alike.count()
                };
                for fix in &finding.fixes {
                    let mended = mended(&parsed.sources, fix);
                    let after = check_asking(&reparse(&mended), &[own]);
                    if syntax(&after) > syntax(&before) {
                        writeln!(wrong, "{}: `{}` breaks it", fixture.name, fix.title).unwrap();
                    } else if alike(&after) >= alike(&before) {
                        let message = &finding.message;
                        writeln!(wrong, "{}: `{}` leaves {message}", fixture.name, fix.title)
                            .unwrap();
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Forms that know paths show their places; they stand among the others too.
#[test]
fn every_step_of_a_path_is_a_place_of_its_finding() {
    let mut steps = 0;
    for own in codes() {
        for fixture in fixtures::of(&own.to_string()) {
            let parsed = fixtures::loaded(&fixture.root);
            for finding in check(&parsed) {
                for step in &finding.path {
                    let labels = finding.labels.iter().map(|l| l.span);
                    let known = labels.chain(finding.primary).any(|s| s == step.span);
                    assert!(
                        known,
                        "{}: {}: {}",
                        fixture.name, finding.code, step.message
                    );
                    steps += 1;
                }
            }
        }
    }
    assert!(steps > 20, "{steps}");
}

#[test]
fn the_worked_policy_has_no_error() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme/policy.sync");
    let parsed = fixtures::parse(&root);
    let shown: Vec<String> = check(&parsed)
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| fixtures::show(&parsed.sources, f))
        .collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

#[test]
fn the_table_is_sorted_and_its_codes_are_known() {
    assert!(checks::CHECKS.windows(2).all(|w| w[0].code < w[1].code));
    for check in checks::CHECKS {
        assert!(ALL.iter().any(|c| c.code == check.code), "{}", check.code);
    }
}

/// A lost event is a warning, and an error where it may have been an opt-out.
#[test]
fn a_lost_consent_is_an_error() {
    let root = fixtures::folder().join("SL0208/fail_no_reconcile.sync");
    let lost: Vec<_> = check(&fixtures::parse(&root))
        .iter()
        .filter(|f| f.code == Code(208))
        .map(|f| (f.message.contains("opted_out"), f.severity))
        .collect();
    assert_eq!(lost, [(false, Severity::Warning), (true, Severity::Error)]);
}

/// Follow-up findings of what is missing are for people to judge; here nothing may panic.
#[test]
fn a_policy_may_be_cut_anywhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme/policy.sync");
    let text = std::fs::read_to_string(root).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let without: Vec<&str> = [&lines[..at], &lines[at + 1..]].concat();
        check(&fixtures::parse_text(&without.join("\n")));
        check(&fixtures::parse_text(&lines[..at].join("\n")));
        check(&fixtures::parse_text(&lines[at..].join("\n")));
    }
}

/// A clause that cannot be read is one finding; what it may have said is not missed.
#[test]
fn what_could_not_be_read_has_no_follow_up() {
    let plain = writes_back("", "", "");
    let policies = [
        plain.replace("owner crm", "ownr crm"),
        plain.replace(
            "owner crm",
            "owner crm\n  acepts mailer\n  resolv owner_wins",
        ),
        plain.replace(
            "field name: text?",
            "field name: txt? acepts mailer resolv owner_wins",
        ),
        // Names that are lost with what declares them.
        plain.replace("system mailer {", "system {"),
        plain.replace("entity contact {", "entity {"),
        plain.replace("field name:", "field :"),
        plain
            .replace("key email", "key name, email")
            .replace("field name:", "field :"),
        plain.replace("text? ", "\n"),
        // A brace too many: what follows belongs to the item before it.
        plain.replace("owner crm", "owner crm }"),
    ];
    for text in policies {
        let other: Vec<_> = found(&text).into_iter().filter(|f| f.0 != 1).collect();
        assert_eq!(other, [], "{text}");
    }
}

/// The texts after a mend.
fn mended(sources: &Sources, fix: &syncline::finding::Fix) -> Vec<(String, String)> {
    sources
        .iter()
        .map(|(id, file)| {
            let mut text = file.text.to_string();
            let mut edits: Vec<_> = fix.edits.iter().filter(|e| e.span.file == id).collect();
            edits.sort_by_key(|e| std::cmp::Reverse(e.span.start));
            for edit in edits {
                text.replace_range(edit.span.range(), &edit.text);
            }
            (file.path.clone(), text)
        })
        .collect()
}

fn reparse(files: &[(String, String)]) -> Parsed {
    let mut parsed = Parsed {
        sources: Sources::default(),
        files: Vec::new(),
        findings: Vec::new(),
    };
    for (path, text) in files {
        let file = syncline::text::SourceFile::new(path.clone(), text.clone());
        let id = parsed.sources.add(file);
        let (file, findings) = syncline::syntax::parse(&parsed.sources, id);
        parsed.files.push(file);
        parsed.findings.extend(findings);
    }
    parsed
}

/// A finding with everything that it says.
fn in_full(sources: &Sources, finding: &Finding) -> String {
    let mut out = String::new();
    let primary = finding.primary.unwrap();
    writeln!(out, "{} {}", finding.code, finding.message).unwrap();
    writeln!(
        out,
        "  {} <- {}",
        place(sources, primary),
        finding.primary_label
    )
    .unwrap();
    for label in &finding.labels {
        writeln!(out, "  {} -- {}", place(sources, label.span), label.message).unwrap();
    }
    for (number, step) in finding.path.iter().enumerate() {
        let (line, number) = (place(sources, step.span), number + 1);
        writeln!(out, "  step {number}: {line} -- {}", step.message).unwrap();
    }
    if let Some(help) = &finding.help {
        writeln!(out, "  help: {help}").unwrap();
    }
    for fix in &finding.fixes {
        writeln!(out, "  fix ({:?}): {}", fix.grade, fix.title).unwrap();
        for edit in &fix.edits {
            let place = place(sources, edit.span);
            writeln!(out, "    {place} => {:?}", edit.text).unwrap();
        }
    }
    out
}

fn place(sources: &Sources, span: Span) -> String {
    let at = sources.start(span);
    let path = sources.file(span.file).path.rsplit('/').next().unwrap();
    let text: String = sources
        .slice(span)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    format!("{path}:{}:{} \"{text}\"", at.line, at.column)
}
