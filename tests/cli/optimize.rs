//! `optimize`: the modes proposed, what is written, what cannot be held.

use crate::support::Dir;

const NOW: [&str; 2] = ["--now", "2026-11-26"];

/// Real time costs upkeep that nothing is worth here; the quota holds either way.
const SHOP: &str = r#"policy shop {
  upkeep 30 USD/month
  unsure every 5m
}

system crm { connector postgres  secret url = env("A") }

system mailer { connector postgres  secret url = env("B")  limit 20_000/day }

entity contact {
  key    email
  volume 10_000 records, 2_000/day changes
  owner  crm

  field email: email
  field name:  text?
  field score: int(0..100)?  fresh 2h in mailer
}

map contact in crm { same_names  cursor "seq"  changed_at "at" }
map contact in mailer { same_names  cursor "seq"  changed_at "at" }

// Names may wait.
scenario names {
  sync  contact(name) from crm to mailer
  mode  realtime // for now
  stale reporting
}

scenario scores {
  sync contact(score) from crm to mailer
}
"#;

fn optimize(dir: &Dir, more: &[&str]) -> crate::support::Ran {
    let args: Vec<&str> = ["optimize"].into_iter().chain(NOW).collect();
    let args: Vec<&str> = args.into_iter().chain(more.iter().copied()).collect();
    dir.run(&args)
}

#[test]
fn the_cheapest_modes_are_proposed_and_proven() {
    let dir = Dir::with(&[("policy.sync", SHOP)]);
    let ran = optimize(&dir, &["--format", "json"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let json = ran.json();
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/optimize.schema.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &json));
    assert_eq!(json["result"], "optimal");
    assert_eq!(json["scenarios"][0]["proposed"], "daily at 03:00");
    assert_eq!(json["scenarios"][0]["cost_per_month"]["today"], 30.0);
    assert_eq!(json["scenarios"][0]["cost_per_month"]["then"], 0.0);
    // Two hours hold an hour and a run, not four hours.
    assert_eq!(json["scenarios"][1]["proposed"], "every 1h");
}

#[test]
fn people_see_it_at_a_glance() {
    let dir = Dir::with(&[("policy.sync", SHOP)]);
    let ran = optimize(&dir, &[]);
    assert_eq!(ran.status, 0);
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn writing_changes_modes_alone_and_twice_changes_nothing() {
    let dir = Dir::with(&[("policy.sync", SHOP)]);
    let ran = optimize(&dir, &["--write"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let written = std::fs::read_to_string(dir.path().join("policy.sync")).unwrap();
    let expected = SHOP
        .replace(
            "mode  realtime // for now",
            "mode  daily at 03:00 // for now",
        )
        .replace(
            "from crm to mailer\n}",
            "from crm to mailer\n  mode every 1h\n}",
        );
    assert_eq!(written, expected);
    let again = optimize(&dir, &["--write"]);
    assert!(
        again.stderr.contains("nothing to write"),
        "{}",
        again.stderr
    );
    assert_eq!(
        std::fs::read_to_string(dir.path().join("policy.sync")).unwrap(),
        written
    );
}

#[test]
fn what_no_modes_can_hold_is_said_and_nothing_is_written() {
    let text = SHOP.replace("fresh 2h in mailer", "fresh 1s in mailer");
    let dir = Dir::with(&[("policy.sync", &text)]);
    let ran = optimize(&dir, &["--write"]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.stdout.contains("older than its `fresh 1s`"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        std::fs::read_to_string(dir.path().join("policy.sync")).unwrap(),
        text
    );
}

#[test]
fn a_bound_that_breaks_today_is_mended() {
    let text = SHOP.replace("fresh 2h in mailer", "fresh 4m in mailer");
    let dir = Dir::with(&[("policy.sync", &text)]);
    assert_eq!(dir.run(&["check"]).status, 1);
    let ran = optimize(&dir, &["--write"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(dir.run(&["check", "--only", "SL0201"]).status, 0);
}
