//! `suppressions`: which are listed, in which order, and what git knows of them.

use crate::support::{CLEAN, Dir};

const NOW: &str = "2030-02-01";

/// Four `allow`s: one expired, one that ends, one without an end in the policy, one idle.
fn policy() -> String {
    CLEAN
        .replace(
            "policy tiny { }",
            "policy tiny { allow naming \"names came from the old system\" }",
        )
        .replace(
            "field name:  text?",
            "field name:  text?  accepts mailer  allow SL0110 \"phase two\" until 2030-02-15\n  \
             field city:  text?  accepts mailer  allow accepts-unused \"phase one\" until 2030-01-20",
        )
}

fn listed(dir: &Dir) -> serde_json::Value {
    let ran = dir.run(&["suppressions", "--format", "json", "--now", NOW]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    ran.json()
}

#[test]
fn every_allow_is_listed_expired_ones_first() {
    let dir = Dir::with(&[("policy.sync", &policy())]);
    let json = listed(&dir);
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/suppressions.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&json)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let brief: Vec<_> = json["suppressions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            let text = |key: &str| s[key].as_str().unwrap().to_owned();
            let number = |key: &str| s[key].as_i64();
            (
                text("code"),
                text("covers"),
                number("days_left"),
                number("silences").unwrap(),
            )
        })
        .collect();
    assert_eq!(
        brief,
        [
            ("SL0110".into(), "field contact.city".into(), Some(-12), 0),
            ("SL0110".into(), "field contact.name".into(), Some(14), 1),
            ("SL0803".into(), "the whole policy".to_owned(), None, 0),
        ]
    );
    assert_eq!(json["suppressions"][0]["expired"], true);
    assert_eq!(json["suppressions"][1]["reason"], "phase two");
    assert_eq!(json["suppressions"][0]["written"]["state"], "unknown");
    let human = dir.run(&["suppressions", "--now", NOW]);
    insta::assert_snapshot!("suppressions", human.stdout);
}

#[test]
fn expired_ones_fail_only_where_that_is_asked() {
    let dir = Dir::with(&[("policy.sync", &policy())]);
    let args = ["suppressions", "--now", NOW, "--deny", "expired"];
    assert_eq!(dir.run(&args).status, 1);
    let args = ["suppressions", "--now", "2030-01-20", "--deny", "expired"];
    assert_eq!(dir.run(&args).status, 0);
    assert_eq!(dir.run(&["suppressions", "--deny", "all"]).status, 2);
}

#[test]
fn no_policy_is_no_answer_and_none_is_one() {
    let dir = Dir::new();
    let ran = dir.run(&["suppressions"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    dir.write("policy.sync", CLEAN);
    let ran = dir.run(&["suppressions"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "no suppressions\n"));
}

#[test]
fn a_part_shows_its_own_and_broken_text_hides_no_other() {
    let part = "scenario back {\n  sync contact(name) from mailer to crm\n  mode every 1h\n  \
                stale reporting\n  allow SL0105 \"they type there\"\n}\n\
                scenario odd { ??? }\n";
    let root = format!("use \"part.sync\"\n{}", policy());
    let dir = Dir::with(&[("policy.sync", &root), ("part.sync", part)]);
    let ran = dir.run(&["suppressions", "part.sync", "--format", "json"]);
    let json = ran.json();
    assert_eq!(json["summary"]["total"], 1, "{json:#}");
    assert_eq!(json["suppressions"][0]["covers"], "scenario back");
    assert_eq!(json["suppressions"][0]["silences"], 1);
    assert_eq!(listed(&dir)["summary"]["total"], 4);
}

#[test]
fn git_tells_since_when() {
    let dir = Dir::with(&[("policy.sync", &policy())]);
    if !dir.git(&["init", "-q"]) {
        println!("skipped: git cannot be run");
        return;
    }
    let written = |dir: &Dir| {
        let json = listed(dir);
        let all = json["suppressions"].as_array().unwrap().clone();
        all.into_iter()
            .map(|s| s["written"].clone())
            .collect::<Vec<_>>()
    };
    for written in written(&dir) {
        assert_eq!(written["state"], "uncommitted");
    }
    assert!(dir.git(&["add", "."]) && dir.git(&["commit", "-q", "-m", "one"]));
    for written in written(&dir) {
        assert_eq!(written["state"], "committed");
        assert_eq!(
            (&written["date"], &written["days"]),
            (&"2030-01-02".into(), &30.into())
        );
        assert_eq!(written["at_least"], false);
    }
    // A line that moves keeps its age, one that changes has none yet.
    let changed = policy().replace("phase two", "phase three");
    dir.write("policy.sync", format!("// moved\n{changed}"));
    let states: Vec<_> = written(&dir).iter().map(|w| w["state"].clone()).collect();
    assert_eq!(states, ["committed", "uncommitted", "committed"]);
    let human = dir.run(&["suppressions", "--now", NOW]);
    assert!(human.stdout.contains("30 days ago"), "{}", human.stdout);
    assert!(
        human.stdout.contains("not committed yet"),
        "{}",
        human.stdout
    );
}
