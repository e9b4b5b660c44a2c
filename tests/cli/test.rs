//! `test`: every form of a test item on the real engine, what a failure shows, every form of output.

use crate::support::Dir;

const POLICY: &str = r#"policy shop { timezone "Europe/Berlin" }

system crm { connector postgres secret url = env("A") cleared consent }
system mailer { connector postgres secret url = env("B") cleared consent }
system forms { connector webhook option path = "/hooks/forms" secret signing = env("C") cleared consent }
system books { connector sqlite option path = "books.db" }

entity contact {
  key    email
  owner  crm
  field email:  email
  field name:   text(20)?  accepts forms  resolve last_write_wins
  field status: enum(new, lost)?  accepts none
  field cents:  int?  accepts none
  field opted_out: bool?  class consent  owner mailer  accepts crm  resolve any_true  fresh 1m
}
entity invoice {
  key    region, number
  owner  crm
  accepts none
  field region: text
  field number: int
  field paid:   bool?
}

map contact in crm {
  same_names
  field status = "stage" values { new = "Open", lost = "Closed" }
  changed_at "at"
  cursor "at"
}
map contact in mailer { same_names changed_at "at" cursor "at" }
map contact in forms "f" { key email = "e" read `value.trim()` field name = "n" }
map invoice in crm { same_names cursor "at" changed_at "at" }
map invoice in books { same_names cursor "at" }

scenario consent {
  sync  contact(opted_out) between crm, mailer
  mode  realtime
  stale compliance
  deletes propagate
}
scenario signups {
  when  forms.submitted if `event.kind == "demo"`
  sync  contact(name) from forms to crm, mailer
  mode  realtime
  retry exponential from 1s to 10s, 3 attempts
}
scenario names { sync contact(name, status, cents) from crm to mailer mode every 15m }
scenario bills { sync invoice(paid) from crm to books mode hourly }
"#;

fn with(tests: &str) -> Dir {
    Dir::with(&[("policy.sync", &format!("{POLICY}\n{tests}"))])
}

fn passes(tests: &str) {
    let ran = with(tests).run(&["test"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("0 failed"), "{}", ran.stdout);
}

#[test]
fn an_origin_sets_and_others_receive() {
    passes(
        r#"test "t" {
  given contact "a@x" { opted_out = false } in crm, mailer
  at 0s mailer sets contact "a@x" { opted_out = true }
  at 2s crm sets contact "a@x" { opted_out = false }
  expect at 1m contact "a@x" in crm { opted_out = true }
}"#,
    );
}

#[test]
fn schedules_run_by_the_clock_and_spellings_are_the_systems_own() {
    passes(
        r#"test "t" {
  at 1s crm sets contact "a@x" { name = "Ada", status = lost, cents = 5 }
  expect at 14m contact "a@x" in mailer absent
  expect at 16m contact "a@x" in mailer { name = "Ada", status = lost, cents = 5, opted_out = absent }
  expect calls mailer <= 3
  expect dead_letters <= 0
}
test "the start can be another" {
  start "2026-03-29T00:59:00Z"
  at 1s crm sets contact "a@x" { name = "Ada" }
  expect at 2m contact "a@x" in mailer { name = "Ada" }
}"#,
    );
}

#[test]
fn keys_of_several_parts_and_deletions() {
    passes(
        r#"test "t" {
  given invoice "north|7" { paid = false } in crm
  at 10m crm sets invoice "north|7" { paid = true }
  expect at 61m invoice "north|7" in books { paid = true }
}
test "gone" {
  given contact "a@x" { opted_out = true } in crm, mailer
  at 1s mailer sets contact "a@x" { opted_out = true }
  at 1m mailer deletes contact "a@x"
  expect at 30s contact "a@x" in crm { opted_out = true }
  expect at 5m contact "a@x" in mailer absent
  expect at 5m contact "a@x" in crm absent
}"#,
    );
}

#[test]
fn events_pass_their_condition_and_outages_delay() {
    passes(
        r#"test "t" {
  at 1s event forms.submitted `{"kind": "demo", "e": " a@x ", "n": "Ada"}`
  at 1s event forms.submitted `{"kind": "other", "e": "b@x", "n": "Bob"}`
  expect at 1m contact "a@x" in crm { name = "Ada" }
  expect at 1m contact "b@x" in crm absent
}
test "down" {
  at 0s crm down for 20m
  at 1s event forms.submitted `{"kind": "demo", "e": "a@x", "n": "Ada"}`
  expect at 1m contact "a@x" in mailer { name = "Ada" }
  expect at 19m contact "a@x" in crm absent
  expect at 30m contact "a@x" in crm { name = "Ada" }
  expect dead_letters <= 0
}"#,
    );
}

const FAILING: &str = r#"test "names arrive at once" {
  at 1s crm sets contact "a@x" { name = "Ada" }
  expect at 1m contact "a@x" in mailer { name = "Ada" }
  expect at 20m contact "a@x" in mailer { name = "Bob", cents = 1 }
  expect at 20m contact "a@x" in crm absent
  expect calls crm <= 0
}
test "that is right" {
  at 1s crm sets contact "a@x" { name = "Ada" }
  expect at 16m contact "a@x" in mailer { name = "Ada" }
}
"#;

#[test]
fn a_failure_shows_what_was_found_and_why() {
    let ran = with(FAILING).run(&["test"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(ran.stdout);
}

/// A policy whose scenario of names sends only some contacts on.
fn held_back() -> Dir {
    let policy = POLICY.replace(
        "contact(name, status, cents) from crm to mailer",
        "contact(name, status, cents) from crm to mailer if `contact.status == \"new\"`",
    );
    let test = r#"test "all names arrive" {
  at 1s crm sets contact "a@x" { name = "Ada", status = lost }
  at 1s crm sets contact "b@x" { name = "Bob", status = new }
  at 30m crm sets contact "b@x" { name = "Bo", status = lost }
  at 40m event forms.submitted `{"kind": "other", "e": "c@x", "n": "Cy"}`
  expect at 1h contact "a@x" in mailer { name = "Ada" }
  expect at 1h contact "b@x" in mailer { name = "Bo" }
  expect at 1h contact "c@x" in crm { name = "Cy" }
}"#;
    Dir::with(&[("policy.sync", &format!("{policy}\n{test}"))])
}

#[test]
fn a_failure_says_which_condition_held_the_record_back() {
    let dir = held_back();
    let ran = dir.run(&["test"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    let (failure, _) = ran.stdout.split_once("\n\n").unwrap();
    insta::assert_snapshot!(failure);
    let json = dir.run(&["test", "--format", "json"]).json();
    let failures = json["tests"][0]["failures"].as_array().unwrap();
    let held: Vec<&serde_json::Value> = failures.iter().map(|f| &f["held_back"]).collect();
    let by_status = serde_json::json!([
        {"scenario": "names", "condition": "contact.status == \"new\"", "event": null}
    ]);
    let by_kind = serde_json::json!([
        {"scenario": "signups", "condition": "event.kind == \"demo\"", "event": "forms.submitted"}
    ]);
    assert_eq!(held, [&by_status, &by_status, &by_kind]);
    let junit = dir.run(&["test", "--format", "junit"]).stdout;
    assert_eq!(junit.matches("holds it back").count(), 6, "{junit}");
}

#[test]
fn a_failure_says_what_still_waits_for_a_system() {
    let ran = with(
        r#"test "away" {
  given contact "ada@x.example" { status = new } in crm, mailer
  at 1m mailer down for 2h
  at 2m crm sets contact "ada@x.example" { status = lost }
  expect at 1h contact "ada@x.example" in mailer { status = lost }
}"#,
    )
    .run(&["test"]);
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    let mut lines = ran.stdout.lines().map(str::trim);
    let found = lines.find(|l| l.contains("waits to be written since"));
    insta::assert_snapshot!(found.unwrap_or(&ran.stdout), @r#"in   `mailer`: "lost" waits to be written since 2026-01-04T23:15:00.100Z (`mailer` is down (503))"#);
}

#[test]
fn json_is_as_published_and_says_the_same() {
    let ran = with(FAILING).run(&["test", "--format", "json"]);
    assert_eq!(ran.status, 1);
    let json = ran.json();
    let schema = syncline::render::trials::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(&json)
        .map(|e| e.to_string())
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    let kinds: Vec<&str> = json["tests"][0]["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["missing", "values", "present", "calls"]);
    assert_eq!(json["tests"][1]["status"], "passed");
    assert_eq!(
        json["tests"][0]["failures"][1]["fields"][1]["field"],
        "name"
    );
    assert_eq!(json["coverage"]["scenarios"]["touched"], 1);
    let missed = json["coverage"]["origins"]["missed"].as_array().unwrap();
    assert!(missed.contains(&serde_json::json!("contact.opted_out from mailer")));
}

#[test]
fn junit_has_a_case_for_each_test() {
    let ran = with(FAILING).run(&["test", "--format", "junit"]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.stdout.contains("tests=\"2\" failures=\"1\""),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("name=\"that is right\""));
    assert_eq!(ran.stdout.matches("<failure ").count(), 4);
}

#[test]
fn a_filter_takes_titles_and_names_the_nearest_where_none_holds_it() {
    let dir = with(FAILING);
    let ran = dir.run(&["test", "--filter", "right"]);
    assert_eq!(ran.status, 0);
    assert!(
        ran.stdout
            .contains("1 test: 1 passed, 0 failed, 1 left out")
    );
    assert!(!ran.stdout.contains("touched"));
    let ran = dir.run(&["test", "--filter", "that is rigth"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("that is right"), "{}", ran.stderr);
}

#[test]
fn a_policy_with_errors_is_refused_and_one_without_tests_says_so() {
    let ran =
        with("scenario bad { sync contact(nme) from crm to mailer mode hourly }").run(&["test"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("SL0003"), "{}", ran.stderr);
    let ran = with("").run(&["test"]);
    assert_eq!(ran.status, 0);
    assert!(ran.stderr.contains("no tests"), "{}", ran.stderr);
}

#[test]
fn what_a_system_could_not_hold_is_told() {
    let policy = POLICY.replace("field n = \"n\"", "");
    let policy = policy.replace(
        "map contact in mailer { same_names",
        "map contact in mailer { same_names field cents = \"euros\" read `value * 100`",
    );
    let test = r#"test "t" {
  at 1s crm sets contact "a@x" { cents = 5 }
  at 2s mailer sets contact "a@x" { cents = 5 }
  expect at 1h contact "a@x" in mailer { cents = 5 }
}"#;
    let dir = Dir::with(&[("policy.sync", &format!("{policy}\n{test}"))]);
    let ran = dir.run(&["test"]);
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("would be read as 500"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}
