//! `plan`: what it gives, that it gives the same everywhere, what it refuses.

use crate::support::{CLEAN, Dir, with_error};

const ACME: &str = include_str!("../../examples/acme/policy.sync");

fn digest(plan: &serde_json::Value) -> &str {
    plan["digest"].as_str().unwrap()
}

/// The items of a policy, split where one begins in the first column.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        let starts = line.starts_with(|c: char| c.is_ascii_lowercase() || c == '/');
        let doc = items
            .last()
            .is_some_and(|i| i.lines().all(|l| l.starts_with("///")));
        if items.is_empty() || starts && !doc {
            items.push(String::new());
        }
        let item = items.last_mut().unwrap();
        item.push_str(line);
        item.push('\n');
    }
    items
}

#[test]
fn the_plan_fits_the_published_schema_and_holds_no_secret() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let secret = "hunter2-do-not-tell";
    let vars: Vec<(&str, &str)> = ["SALESFORCE_TOKEN", "HUBSPOT_TOKEN", "WAREHOUSE_URL"]
        .iter()
        .map(|name| (*name, secret))
        .collect();
    let ran = dir.run_in(".", &["plan"], b"", &vars);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(!ran.stdout.contains(secret));
    let plan = ran.json();
    assert_eq!(plan["syncline_plan"], 1);
    assert_eq!(plan["policy"], "acme_revops");
    assert!(digest(&plan).starts_with("sha256:"));
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/plan.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&plan)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert!(!validator.is_valid(&serde_json::json!({"syncline_plan": 1})));
}

#[test]
fn the_same_policy_gives_the_same_bytes_from_everywhere() {
    let dir = Dir::with(&[
        ("a/policy.sync", ACME),
        ("b/.git/HEAD", ""),
        (
            "b/p/policy.sync",
            &format!("use \"../shared/rest.sync\"\n{}", items(ACME)[..4].concat()),
        ),
        ("b/shared/rest.sync", &items(ACME)[4..].concat()),
    ]);
    let first = dir.run(&["plan", "a"]).stdout;
    assert!(first.len() > 1_000);
    assert_eq!(dir.run(&["plan", "a"]).stdout, first);
    assert_eq!(dir.run_in("a", &["plan"], b"", &[]).stdout, first);
    let absolute = dir.file("a/policy.sync");
    assert_eq!(
        dir.run_in("b", &["plan", absolute.to_str().unwrap()], b"", &[])
            .stdout,
        first
    );
    let split = dir.run(&["plan", "b/p"]).stdout;
    assert!(
        split.contains("\"../shared/rest.sync\""),
        "files are named from the root file's"
    );
    for below in ["b", "b/p", "b/shared"] {
        let path = match below {
            "b" => "p",
            "b/p" => ".",
            _ => "../p",
        };
        let here = dir.run_in(below, &["plan", path], b"", &[]).stdout;
        assert!(here == split, "another plan from {below}");
    }
}

#[test]
fn layout_order_and_split_do_not_change_the_digest() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let whole = dir.run(&["plan"]).json();
    let mut parts = items(ACME);
    assert!(parts.len() > 10, "{} items", parts.len());
    parts.reverse();
    dir.write("reversed.sync", parts.concat());
    let reversed = dir.run(&["plan", "reversed.sync"]).json();
    assert_eq!(digest(&reversed), digest(&whole));
    let bare: Vec<&str> = ACME.split_whitespace().collect();
    assert!(bare.len() > 100);
    let spaced = ACME.replace("\n", "\n\n  // a comment\n");
    dir.write("spaced.sync", spaced);
    let spaced = dir.run(&["plan", "spaced.sync"]).json();
    assert_eq!(digest(&spaced), digest(&whole));
    let (left, right) = parts.split_at(parts.len() / 2);
    dir.write(
        "left.sync",
        format!("use \"right.sync\"\n{}", left.concat()),
    );
    dir.write("right.sync", right.concat());
    let split = dir.run(&["plan", "left.sync"]).json();
    assert_eq!(digest(&split), digest(&whole));
    // A change of meaning does.
    dir.write("other.sync", ACME.replace("every 5m", "every 4m"));
    let other = dir.run(&["plan", "other.sync"]).json();
    assert_ne!(digest(&other), digest(&whole));
}

#[test]
fn laying_a_policy_out_keeps_its_digest() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let before = dir.run(&["plan"]).json();
    assert_eq!(dir.run(&["fmt"]).status, 0);
    let after = dir.run(&["plan"]).json();
    assert_eq!(digest(&after), digest(&before));
}

#[test]
fn yaml_says_the_same_as_json() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let json = dir.run(&["plan", "--format", "json"]).json();
    let yaml = dir.run(&["plan", "--format", "yaml"]).stdout;
    let yaml: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
    assert_eq!(yaml, json);
}

#[test]
fn a_file_takes_the_plan_in_the_form_its_name_asks_for() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let json = dir.run(&["plan"]).stdout;
    let yaml = dir.run(&["plan", "--format", "yaml"]).stdout;
    for (name, expected) in [
        ("p.json", &json),
        ("p.yaml", &yaml),
        ("p.yml", &yaml),
        ("p", &json),
    ] {
        let ran = dir.run(&["plan", "-o", name]);
        assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
        assert_eq!(&dir.read(name), expected, "{name}");
    }
    let ran = dir.run(&["plan", "-o", "p.json", "--format", "yaml"]);
    assert_eq!(ran.status, 0);
    assert_eq!(dir.read("p.json"), yaml);
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(dir.run(&["plan", "-o", "no/such/p.json"]).status, 2);
    assert_eq!(dir.run(&["plan", "-o", "."]).status, 2);
}

#[test]
fn a_policy_with_errors_has_no_plan() {
    let dir = Dir::with(&[("policy.sync", &with_error()), ("p.json", "kept")]);
    let ran = dir.run(&["plan"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("SL0101 no-owner"), "{}", ran.stderr);
    assert_eq!(dir.run(&["plan", "-o", "p.json"]).status, 1);
    assert_eq!(dir.read("p.json"), "kept");
    assert_eq!(dir.run(&["plan", "missing"]).status, 2);
}

#[test]
fn people_read_systems_owners_and_flows() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let ran = dir.run(&["plan", "--format", "human"]);
    assert_eq!(ran.status, 0);
    insta::with_settings!({filters => vec![
        ("sha256:[0-9a-f]{64}", "sha256:[digest]"),
        (r"policy\.sync:[0-9]+", "policy.sync:[line]"),
    ]}, {
        insta::assert_snapshot!(ran.stdout);
    });
}
