//! The forms of a report: one policy with everything in it, in each of them.

use std::path::{Path, PathBuf};

use crate::support::{CLEAN, Dir, Ran, with_error};

const ROOT: &str = r#"use "teams/mail team.sync"

policy rich { }

system crm { connector csv  option path = "crm" }
system mailer { connector csv  option path = "mailer" }

entity contact {
  key   email
  volume 1_000 records, 100/day changes
  owner crm

  field email: email
  field name:  text?
  field city:  text?  accepts mailer  allow SL0110 "until the mailer asks for it" until 2030-01-31
  field title: text?  accepts mailer
}

map contact in crm { same_names  cursor "modified"  changed_at "modified" }
map contact in mailer { same_names  cursor "modified" }

scenario names {
  sync  contact(name, city, title) from crm to mailer
  mode  every 15m
  stale reporting  allow SL0101 "there is an owner"
}
"#;

const PART: &str = r#"// naïve 🦜
scenario back {
  sync  contact(name) from mailer to crm
  mode  every 15m
  stale reporting
}
"#;

const NOW: &str = "2030-01-01";

/// A safe fix, one to be reviewed, an allowed finding, labels in two files.
fn rich() -> Dir {
    Dir::with(&[("policy.sync", ROOT), ("teams/mail team.sync", PART)])
}

fn in_form(dir: &Dir, format: &str) -> Ran {
    dir.run(&["check", "--format", format, "--now", NOW])
}

#[test]
fn people_see_mends_and_their_grades() {
    let ran = in_form(&rich(), "human");
    assert_eq!(ran.status, 1);
    insta::assert_snapshot!("human", ran.stdout);
    let more = rich().run(&["check", "-v", "--now", NOW]);
    assert!(
        more.stdout
            .contains("allowed: until the mailer asks for it (policy.sync:15)"),
        "{}",
        more.stdout
    );
}

#[test]
fn concise_is_one_line_for_each_finding() {
    let ran = in_form(&rich(), "concise");
    assert_eq!(ran.status, 1);
    insta::assert_snapshot!("concise", ran.stdout);
}

#[test]
fn github_gets_workflow_commands() {
    let ran = in_form(&rich(), "github");
    assert_eq!(ran.status, 1);
    insta::assert_snapshot!("github", ran.stdout);
}

#[test]
fn gitlab_gets_a_code_quality_report() {
    let ran = in_form(&rich(), "gitlab");
    assert_eq!(ran.status, 1);
    insta::assert_snapshot!("gitlab", ran.stdout);
    let report = ran.json();
    for issue in report.as_array().unwrap() {
        for member in ["description", "check_name", "fingerprint", "severity"] {
            assert!(!issue[member].as_str().unwrap().is_empty(), "{issue:#}");
        }
        assert!(issue["location"]["lines"]["begin"].as_u64().unwrap() >= 1);
    }
    fits("gitlab-codequality.schema.json", &report);
}

#[test]
fn junit_has_a_suite_for_each_file() {
    let ran = in_form(&rich(), "junit");
    assert_eq!(ran.status, 1);
    insta::assert_snapshot!("junit", ran.stdout);
    is_junit(&ran.stdout);
    // Nothing found is not nothing tested.
    let clean = Dir::with(&[("policy.sync", CLEAN)]);
    let ran = in_form(&clean, "junit");
    assert_eq!(ran.status, 0);
    assert!(
        ran.stdout.contains("tests=\"1\" failures=\"0\""),
        "{}",
        ran.stdout
    );
    is_junit(&ran.stdout);
    // A denied warning fails its case.
    let dir = Dir::with(&[("policy.sync", &with_warning())]);
    let ran = in_form(&dir, "junit");
    assert!(ran.stdout.contains("failures=\"0\""), "{}", ran.stdout);
    let ran = dir.run(&["check", "--format", "junit", "--deny", "warnings"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.contains("failures=\"1\""), "{}", ran.stdout);
}

#[test]
fn sarif_holds_all_that_there_is() {
    let ran = in_form(&rich(), "sarif");
    assert_eq!(ran.status, 1);
    let mut log = ran.json();
    is_sarif(&log);
    fits("sarif-schema-2.1.0.json", &log);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array_mut();
    let rules = rules.unwrap();
    assert_eq!(rules.len(), syncline::finding::CODES.len());
    for rule in &*rules {
        let short = rule["shortDescription"]["text"].as_str().unwrap();
        assert!(short.len() > 20, "{rule:#}");
    }
    rules.retain(|rule| rule["id"] == "SL0103");
    log["runs"][0]["tool"]["driver"]["version"] = "VERSION".into();
    log["runs"][0]["tool"]["driver"]["semanticVersion"] = "VERSION".into();
    insta::assert_snapshot!("sarif", format!("{log:#}"));
}

#[test]
fn a_clean_report_is_valid_in_every_form() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let log = in_form(&dir, "sarif").json();
    is_sarif(&log);
    fits("sarif-schema-2.1.0.json", &log);
    let run = &log["runs"][0];
    assert_eq!(run["results"], serde_json::json!([]));
    assert_eq!(run["artifacts"][0]["location"]["uri"], "policy.sync");
    assert_eq!(in_form(&dir, "gitlab").stdout, "[]\n");
    assert_eq!(in_form(&dir, "github").stdout, "no errors, no warnings\n");
    assert_eq!(in_form(&dir, "concise").stdout, "no errors, no warnings\n");
}

#[test]
fn fingerprints_survive_moved_lines_and_differ() {
    let prints = |dir: &Dir, form: &str| -> Vec<String> {
        let json = in_form(dir, form).json();
        let list = match form {
            "sarif" => &json["runs"][0]["results"],
            _ => &json,
        };
        let print = |result: &serde_json::Value| {
            let sarif = &result["partialFingerprints"]["primaryLocationLineHash"];
            sarif
                .as_str()
                .or(result["fingerprint"].as_str())
                .unwrap()
                .to_owned()
        };
        list.as_array().unwrap().iter().map(print).collect()
    };
    let moved = rich();
    moved.write("policy.sync", format!("// one\n\n// two\n{ROOT}"));
    for form in ["sarif", "gitlab"] {
        let before = prints(&rich(), form);
        assert_eq!(before, prints(&moved, form));
        let mut each = before.clone();
        each.sort();
        each.dedup();
        assert_eq!(each.len(), before.len(), "{before:?}");
        assert!(before.len() >= 4);
    }
}

#[test]
fn a_baseline_is_a_suppression_from_outside() {
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    dir.run(&["check", "--write-baseline", "base.json"]);
    let ran = dir.run(&["check", "--baseline", "base.json", "--format", "sarif"]);
    assert_eq!(ran.status, 0);
    let result = ran.json()["runs"][0]["results"][0].clone();
    assert_eq!(result["suppressions"][0]["kind"], "external");
    assert_eq!(result["level"], "error");
    let ran = dir.run(&["check", "--baseline", "base.json", "--format", "junit"]);
    assert!(
        ran.stdout
            .contains("<skipped message=\"the baseline lists it\"/>")
    );
}

#[test]
fn all_forms_come_from_one_run_over_several_policies() {
    let dir = rich();
    dir.write("other.sync", CLEAN);
    let ran = dir.run(&[
        "check",
        "policy.sync",
        "other.sync",
        "--format",
        "concise",
        "--output",
        "sarif=a.sarif",
        "--output",
        "junit=a.xml",
        "--output",
        "gitlab=a.json",
        "--output",
        "github=a.txt",
        "--now",
        NOW,
    ]);
    assert_eq!((ran.status, ran.stderr.as_str()), (1, "read 3 files\n"));
    let log: serde_json::Value = serde_json::from_str(&dir.read("a.sarif")).unwrap();
    is_sarif(&log);
    is_junit(&dir.read("a.xml"));
    assert!(dir.read("a.xml").contains("testsuite name=\"other.sync\""));
    let shown = ran.stdout.lines().count() - 1;
    let results = log["runs"][0]["results"].as_array().unwrap();
    let open = results
        .iter()
        .filter(|r| r["suppressions"] == serde_json::json!([]));
    assert_eq!(open.count(), shown, "{}", ran.stdout);
}

#[test]
fn only_limits_every_form_and_the_status() {
    let dir = rich();
    let only = |form: &str, code: &str| {
        dir.run(&["check", "--only", code, "--format", form, "--now", NOW])
    };
    let ran = only("concise", "SL0110");
    assert_eq!(ran.status, 0, "a warning is no reason to fail");
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(
        ran.stdout.ends_with("1 warning, 1 allowed\n"),
        "{}",
        ran.stdout
    );
    let results = only("sarif", "SL0103").json()["runs"][0]["results"].clone();
    assert_eq!(results.as_array().unwrap().len(), 1);
    assert_eq!(only("sarif", "SL0103").status, 1);
}

#[test]
fn a_denied_warning_says_why_the_check_fails() {
    let dir = Dir::with(&[("policy.sync", &with_warning())]);
    let ran = dir.run(&["check", "--deny", "SL0110"]);
    assert_eq!(ran.status, 1);
    let why = "1 warning counts as a reason to fail, as --deny says\n";
    assert!(ran.stderr.ends_with(why), "{}", ran.stderr);
    let ran = dir.run(&["check", "-q", "--deny", "SL0110"]);
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_part_of_a_policy_vouches_for_no_other_file() {
    let dir = rich();
    let part = "teams/mail team.sync";
    let ran = dir.run(&["check", part, "--format", "junit"]);
    assert!(ran.stdout.contains("SL0103"), "{}", ran.stdout);
    assert!(
        !ran.stdout.contains("name=\"policy.sync\""),
        "{}",
        ran.stdout
    );
}

fn with_warning() -> String {
    CLEAN.replace("field name:  text?", "field name:  text?  accepts mailer")
}

/// The published schemas, where they lie beside the repository.
fn shared(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("SYNCLINE_SHARED").map_or(beside, PathBuf::from);
    let file = folder.join("foreign/schemas").join(name);
    if !file.exists() {
        println!("skipped: there is no {}", file.display());
        return None;
    }
    Some(file)
}

fn fits(schema: &str, value: &serde_json::Value) {
    let Some(file) = shared(schema) else {
        return;
    };
    // A bracket that nothing opens stands for itself in the regular expressions of ECMAScript, as
    // the published schema of SARIF has it; here that has to be said.
    let schema = std::fs::read_to_string(file).unwrap();
    let schema = schema.replace("{2}]?$", r"{2}\\]?$");
    let schema = serde_json::from_str(&schema).unwrap();
    let options = jsonschema::options().should_validate_formats(true);
    let validator = options.build(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|e| format!("{e} at {}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// What the standard asks of a file beyond its schema, and what the schema asks most: holds where
/// the schema is not at hand.
fn is_sarif(log: &serde_json::Value) {
    assert_eq!(log["version"], "2.1.0");
    let runs = log["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let rules = runs[0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(runs[0]["columnKind"], "unicodeCodePoints");
    for result in runs[0]["results"].as_array().unwrap() {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(
            result["suppressions"].is_array(),
            "all results say it or none"
        );
        let mut places = vec![&result["locations"][0]["physicalLocation"]];
        for label in result["relatedLocations"].as_array().into_iter().flatten() {
            places.push(&label["physicalLocation"]);
            assert!(label["message"]["text"].is_string());
        }
        for place in places {
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            assert!(!uri.contains([' ', '\\']) && uri.is_ascii(), "{uri}");
            assert!(place["artifactLocation"]["uriBaseId"] == "SRCROOT");
            let region = &place["region"];
            let at = |name: &str| region[name].as_u64().unwrap();
            let start = (at("startLine"), at("startColumn"));
            assert!(start <= (at("endLine"), at("endColumn")), "{region:#}");
        }
        for fix in result["fixes"].as_array().into_iter().flatten() {
            assert!(["safe", "review"].contains(&fix["properties"]["grade"].as_str().unwrap()));
            let changes = fix["artifactChanges"].as_array().unwrap();
            assert!(!changes.is_empty());
        }
    }
}

/// Elements, attributes and counts as build servers read them; and the published schema, where
/// both it and `xmllint` are at hand.
fn is_junit(text: &str) {
    use quick_xml::Reader;
    use quick_xml::events::Event;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let (mut cases, mut failures) = (0, 0);
    let mut told = (0, 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::End(_) => {
                open.pop().unwrap();
            }
            event @ (Event::Start(_) | Event::Empty(_)) => {
                let (Event::Start(start) | Event::Empty(start)) = &event else {
                    unreachable!();
                };
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let name = text(start.name().as_ref().as_ref());
                let value = |key: &str| {
                    let found = start.try_get_attribute(key).unwrap();
                    found.map(|a| text(a.value.as_ref().as_ref()))
                };
                let parent = open.last().map(String::as_str);
                let number = |key: &str| value(key).unwrap().parse::<usize>().unwrap();
                match name.as_str() {
                    "testsuites" => {
                        assert_eq!(parent, None);
                        told = (number("tests"), number("failures"));
                    }
                    "testsuite" => {
                        assert_eq!(parent, Some("testsuites"));
                        assert!(value("name").is_some() && number("errors") == 0);
                    }
                    "testcase" => {
                        assert_eq!(parent, Some("testsuite"));
                        assert!(value("name").is_some() && value("classname").is_some());
                        cases += 1;
                    }
                    "failure" => {
                        assert_eq!(parent, Some("testcase"));
                        failures += 1;
                    }
                    "skipped" | "system-out" => assert_eq!(parent, Some("testcase")),
                    other => panic!("no such element in JUnit: {other}"),
                }
                if matches!(event, Event::Start(_)) {
                    open.push(name);
                }
            }
            _ => {}
        }
    }
    assert!(open.is_empty());
    assert_eq!((cases, failures), told);
    lint(text);
}

fn lint(text: &str) {
    let Some(schema) = shared("jenkins-junit-10.xsd") else {
        return;
    };
    let dir = Dir::with(&[("report.xml", text)]);
    let mut xmllint = std::process::Command::new("xmllint");
    let xmllint = xmllint.arg("--noout").arg("--schema").arg(schema);
    match xmllint.arg(dir.file("report.xml")).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}\n{text}");
        }
        Err(error) => println!("skipped: xmllint cannot be run: {error}"),
    }
}

#[test]
fn what_was_found_is_shown_even_where_a_file_has_no_place() {
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    let ran = dir.run(&[
        "check",
        "--format",
        "concise",
        "--output",
        "json=no/such.json",
    ]);
    assert_eq!(ran.status, 2);
    assert!(ran.stdout.contains("error[SL0101]"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("make its directory first"),
        "{}",
        ran.stderr
    );
}
