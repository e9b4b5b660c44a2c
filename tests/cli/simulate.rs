//! `simulate`: what stands beside the figures, what it refuses.

use crate::support::{CLEAN, Dir};

#[test]
fn what_the_estimate_says_of_its_calls_stands_below_the_figures() {
    let dir = Dir::new();
    let entry = include_str!("../../src/catalog/entries/hubspot.yaml").replace(
        "name: hubspot\n",
        "name: vendor\nprices:\n  - amount: { value: \"0.01\", verified: false }\n    \
         currency: EUR\n    per_calls: 1\n",
    );
    dir.write("vendor.yaml", entry);
    let policy = CLEAN
        .replace(
            "from crm to mailer",
            r#"from crm to mailer if `contact.name != "x"`"#,
        )
        .replace(
            r#"connector csv  option path = "mailer""#,
            r#"connector "./vendor.yaml"  secret token = env("TOKEN")"#,
        )
        .replace(
            r#"mailer { same_names  cursor "modified" }"#,
            "mailer { same_names }",
        );
    dir.write("policy.sync", policy);
    let ran = dir.run(&["simulate", "--for", "1d"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let (_, notes) = ran.stdout.split_once("notes of the estimate\n").unwrap();
    insta::assert_snapshot!(notes, @r#"
    `mailer` names no `tier`: the limits are those of the smallest, `free`
    `names`: its figures are upper bounds: its `if` is taken to let everything pass; add `passes` and a percentage
    "#);
    let json = dir.run(&["simulate", "--for", "1d", "--format", "json"]);
    let json = json.json();
    let told = json["estimate_notes"].as_array().unwrap();
    let told: Vec<&str> = told.iter().map(|n| n.as_str().unwrap()).collect();
    let shown: Vec<&str> = notes.lines().map(str::trim).collect();
    assert_eq!(told, shown);
    // The simulation counts no money.
    let json = dir.run(&["estimate", "--format", "json"]).json();
    assert!(json["notes"].to_string().contains("in EUR, not in USD"));
}

#[test]
fn an_estimate_without_notes_adds_none() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let ran = dir.run(&["simulate", "--for", "1h"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        !ran.stdout.contains("notes of the estimate"),
        "{}",
        ran.stdout
    );
}
