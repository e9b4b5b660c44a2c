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

#[test]
fn what_waited_is_told_by_the_hour_with_the_outage_that_it_waited_for() {
    let policy = CLEAN.replace("100/day", "1_000/day");
    let dir = Dir::with(&[("policy.sync", &policy)]);
    let waited = |outage: &str| {
        let ran = dir.run(&["simulate", "--for", "1d", "--outage", outage]);
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
        let mut lines = ran.stdout.lines().map(str::trim);
        let found = lines.find(|l| l.starts_with("writes waiting"));
        found.unwrap_or(&ran.stdout).to_owned()
    };
    insta::assert_snapshot!(waited("mailer@6h+4h"), @"writes waiting for `mailer`, which was down for 4h from 6h on: 47 after 7h, 156 after 10h (the most), none after 11h");
    insta::assert_snapshot!(waited("mailer@21h+1d"), @"writes waiting for `mailer`, which was down for 1d from 21h on: 39 after 22h, 121 after 1d (the most), when the time was up");
}

#[test]
fn an_outage_between_full_hours_is_told_of() {
    let policy = CLEAN.replace("100/day", "1_000/day");
    let dir = Dir::with(&[("policy.sync", &policy)]);
    let args = ["simulate", "--for", "1d", "--outage", "mailer@6h5m+50m"];
    let ran = dir.run(&args);
    let mut lines = ran.stdout.lines().map(str::trim);
    let found = lines.find(|l| l.starts_with("writes waiting"));
    insta::assert_snapshot!(found.unwrap_or(&ran.stdout), @"writes waiting for `mailer`, which was down for 50m from 6h5m on: 36 at most");
    let json = dir.run(&[&args[..], &["--format", "json"]].concat()).json();
    let mailer = &json["systems"][1];
    let hours = mailer["backlog"].as_array().unwrap();
    assert!(hours.iter().all(|n| n == 0), "{mailer}");
    assert!(mailer["backlog_most"].as_u64() > Some(10), "{mailer}");
}

#[test]
fn less_than_a_day_is_called_so() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let said = |span: &str| {
        let ran = dir.run(&["simulate", "--for", span]);
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
        ran.stdout
            .contains(" of a day were simulated, from midnight")
    };
    assert!(said("6h"));
    assert!(!said("1d"));
}

#[test]
fn parts_of_a_policy_and_seeds_that_are_none_are_told() {
    let dir = Dir::with(&[(
        "parts.md",
        "# Parts\n\n```sync fragment\nentity contact { key email }\n```\n",
    )]);
    for command in [&["test"][..], &["plan"], &["simulate", "--for", "1d"]] {
        let ran = dir.run(&[command, &["parts.md"]].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{command:?}");
        assert!(
            ran.stderr.contains("no policy here, only parts of one"),
            "{}",
            ran.stderr
        );
    }
    let ran = dir.run(&["simulate", "--for", "1d", "--seed", "abc"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("`abc` is no whole number"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_report_says_that_nothing_was_simulated() {
    let dir = Dir::with(&[("policy.sync", &crate::support::with_error())]);
    let ran = dir.run(&["report", "-o", "out.html", "--simulate", "1h"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("nothing was simulated"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_outage_that_could_change_nothing_is_refused() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let refused = |outage: &str| {
        let ran = dir.run(&["simulate", "--for", "2d", "--outage", outage]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{outage}");
        ran.stderr
    };
    insta::assert_snapshot!(refused("mailer@2d+1h"), @r#"
    error: the outage of `mailer` begins 2d after the start, but the simulation lasts only 2d
    help: let it begin sooner, as in `mailer@1d+1h`, or simulate more than 2d
    "#);
    insta::assert_snapshot!(refused("mailer@6h+0s"), @r#"
    error: invalid value 'mailer@6h+0s' for '--outage <SYSTEM@AT+LENGTH>': an outage needs a length: write one after the `+`, as in `mailer@6h+1h`

    For more information, try '--help'.
    "#);
    assert_eq!(
        refused("mailer@6h+0"),
        refused("mailer@6h+0s").replace("+0s'", "+0'")
    );
}

#[test]
fn a_span_in_units_that_there_are_not_is_offered_in_those_that_there_are() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let refused = |args: &[&str]| {
        let ran = dir.run(args);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{args:?}");
        ran.stderr
    };
    insta::assert_snapshot!(refused(&["simulate", "--for", "1w"]), @r#"
    error: invalid value '1w' for '--for <DURATION>': `1w` is no duration; the units are `d`, `h`, `m`, `s` and `ms`: write `7d`

    For more information, try '--help'.
    "#);
    for args in [
        &["simulate", "--for", "9d", "--outage", "mailer@1w+1h"][..],
        &["report", "-o", "out.html", "--simulate", "1w"],
        &["optimize", "--time-limit", "1w"],
    ] {
        let said = refused(args);
        assert!(said.contains("and `ms`: write `7d`"), "{said}");
    }
}

#[test]
fn a_duration_below_nothing_is_told_as_one() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let ran = dir.run(&["simulate", "--for", "-3d"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("`-3d` is no duration"),
        "{}",
        ran.stderr
    );
}
