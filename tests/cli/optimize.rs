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

/// One CRM whose quota three scenarios share by the clock.
const POLLED: &str = r#"policy polled {
  timezone "UTC"
}

system crm { connector postgres  secret url = env("A")  limit 100/day }

system desk { connector postgres  secret url = env("B") }

entity lead {
  key    id
  volume 10_000 records, 20/day changes
  owner  crm
  field id:    text
  field stage: text?
}

entity deal {
  key    id
  volume 10_000 records, 60/day changes
  owner  crm
  field id:   text
  field size: text?
}

entity visit {
  key    id
  volume 10_000 records, 900/day changes
  owner  crm
  field id:   text
  field page: text?
}

map lead in crm { same_names  cursor "seq"  changed_at "at" }
map lead in desk { same_names  cursor "seq"  changed_at "at" }
map deal in crm { same_names  cursor "seq"  changed_at "at" }
map deal in desk { same_names  cursor "seq"  changed_at "at" }
map visit in crm { same_names  cursor "seq"  changed_at "at" }
map visit in desk { same_names  cursor "seq"  changed_at "at" }

scenario leads {
  sync lead(stage) from crm to desk
  mode every 1h // as ever
}

scenario deals {
  sync deal(size) from crm to desk
  mode every 1h
}

scenario visits {
  sync visit(page) from crm to desk
  mode every 1h
}
"#;

const FRESH: [&str; 2] = ["--objective", "freshness"];

fn freshest(text: &str, more: &[&str]) -> (Dir, serde_json::Value) {
    let dir = Dir::with(&[("policy.sync", text)]);
    let args: Vec<&str> = FRESH
        .iter()
        .chain(more)
        .chain(&["--format", "json"])
        .copied()
        .collect();
    let ran = optimize(&dir, &args);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let json = ran.json();
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/optimize.schema.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &json));
    (dir, json)
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_quota_is_spent_on_what_reads_can_keep_fresh() {
    let (_, json) = freshest(POLLED, &[]);
    let spent = &json["freshness"];
    assert_eq!(spent["measure"], "freshness");
    assert_eq!(json["objective"], "freshness");
    // Visits change far too often for 100 calls a day.
    assert_eq!(spent["readers"][2]["left_out"], true);
    let calls = number(&spent["quotas"][0]["calls_per_day"]["then"]);
    assert!(calls <= number(&spent["quotas"][0]["allowed_per_day"]) * (1.0 + 1e-6));
    let total = |name: &str| number(&spent["total"][name]);
    assert!(total("then") > 1.1 * total("today"), "{spent:#}");
    assert!(total("best") >= total("then"));
    assert!(total("then") > 0.9 * total("best"), "{spent:#}");
}

/// Every reader that is above its floor gains by one more call what the multiplier says.
#[test]
fn the_multiplier_is_what_one_more_call_is_worth_to_each() {
    use syncline::arithmetic::polling::Measure;
    for (word, measure) in [
        ("freshness", Measure::Freshness),
        ("age", Measure::Age),
        ("harmonic", Measure::Harmonic),
    ] {
        let (_, json) = freshest(POLLED, &["--measure", word]);
        let spent = &json["freshness"];
        let said = number(&spent["quotas"][0]["multiplier"]);
        assert!(said > 0.0);
        let mut above = 0;
        for reader in spent["readers"].as_array().unwrap() {
            let (changes, reads) = (
                number(&reader["changes_per_day"]),
                number(&reader["reads_per_day"]["best"]),
            );
            let gained = measure.gain(changes, reads);
            // A read costs a call, and the 0.5 % that fail are tried again.
            let worth = gained * 0.995;
            match reader["left_out"].as_bool().unwrap() {
                true => assert!(worth <= said * 1.01, "{word}: {worth} for {said}"),
                false => {
                    above += 1;
                    assert!(
                        (worth / said - 1.0).abs() < 0.01,
                        "{word}: {worth} for {said}"
                    );
                }
            }
        }
        // Under F the fast one is left out, under the others nothing is.
        assert_eq!(above, if word == "freshness" { 2 } else { 3 });
    }
}

/// Brute force over all usual intervals of all three: none within the quota is fresher by more than
/// a thousandth.
#[test]
fn no_intervals_within_the_quota_are_fresher() {
    use syncline::arithmetic::polling::freshness;
    let (_, json) = freshest(POLLED, &[]);
    let found = number(&json["freshness"]["total"]["then"]);
    let minutes = [
        1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1_440,
    ];
    let reads: Vec<f64> = minutes.iter().map(|m| 1_440.0 / f64::from(*m)).collect();
    let mut best = 0.0_f64;
    for a in &reads {
        for b in &reads {
            for c in reads.iter().filter(|c| (a + b + **c) / 0.995 <= 100.0) {
                best = best.max(freshness(20.0, *a) + freshness(60.0, *b) + freshness(900.0, *c));
            }
        }
    }
    assert!(found >= best - 1e-3, "{found} for {best}");
}

#[test]
fn people_see_what_one_more_call_buys() {
    let dir = Dir::with(&[("policy.sync", POLLED)]);
    let ran = optimize(&dir, &FRESH);
    assert_eq!(ran.status, 0);
    assert!(ran.stdout.contains("one more call a day on `crm` buys"));
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn intervals_are_written_in_place_and_hold() {
    let dir = Dir::with(&[("policy.sync", POLLED)]);
    let args = [FRESH[0], FRESH[1], "--write"];
    let ran = optimize(&dir, &args);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let written = std::fs::read_to_string(dir.path().join("policy.sync")).unwrap();
    assert!(written.contains(" // as ever\n"), "{written}");
    assert_ne!(written, POLLED);
    assert_eq!(dir.run(&["check", "--only", "SL0301"]).status, 0);
    let again = optimize(&dir, &args);
    assert!(
        again.stderr.contains("nothing to write"),
        "{}",
        again.stderr
    );
}

#[test]
fn bounds_come_first_and_who_does_not_fit_is_named() {
    let bounded = POLLED.replace("field page: text?", "field page: text?  fresh 30m in desk");
    let (_, json) = freshest(&bounded, &[]);
    let visits = &json["freshness"]["readers"][2];
    assert_eq!(visits["bound"], "`visit.page` within 30m in `desk`");
    let then = number(&visits["reads_per_day"]["then"]);
    assert!(
        then >= number(&visits["least_per_day"]) && then >= 48.0,
        "{visits}"
    );
    let tight = POLLED.replace("field page: text?", "field page: text?  fresh 6m in desk");
    let dir = Dir::with(&[("policy.sync", &tight)]);
    let ran = optimize(&dir, &FRESH);
    assert_eq!(ran.status, 1);
    let words = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("the policy may make 100 calls a day"),
        "{words}"
    );
    assert!(
        words.contains("for `visit.page` within 6m in `desk`"),
        "{words}"
    );
}

#[test]
fn a_measure_without_its_objective_is_wrong_usage() {
    let dir = Dir::with(&[("policy.sync", POLLED)]);
    let ran = optimize(&dir, &["--measure", "age"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("--objective freshness"),
        "{}",
        ran.stderr
    );
}

#[test]
fn sources_that_notify_are_weighed_by_the_harmonic_staleness() {
    let text = format!(
        "{POLLED}\nentity note {{\n  key id\n  volume 1_000 records, 40/day changes\n  owner desk\n  \
         field id: text\n  field body: text?\n}}\n\nmap note in crm {{ same_names }}\n\
         map note in desk {{ same_names  cursor \"seq\" }}\n\nscenario notes {{\n  \
         sync note(body) from desk to crm\n  mode realtime\n}}\n"
    );
    let (_, json) = freshest(&text, &[]);
    let spent = &json["freshness"];
    assert_eq!(spent["measure"], "harmonic");
    assert_eq!(spent["notified"][0]["scenario"], "notes");
    let share = number(&spent["notified"][0]["best_share"]);
    assert!(share > 0.0 && share <= 1.0, "{share}");
    let (_, json) = freshest(&text, &["--measure", "freshness"]);
    assert_eq!(json["freshness"]["measure"], "freshness");
    assert!(json["freshness"]["notified"][0]["best_share"].is_null());
}
