//! `explain scenario` and `explain field`: what they say holds when it is written into the policy.

use serde_json::Value;

use crate::support::{Dir, with_error};

const ACME: &str = include_str!("../../examples/acme/policy.sync");
const NOW: [&str; 2] = ["--now", "2026-11-26"];

/// Two databases with prices, a quota, a burst limit and a bound.
const PRICED: &str = r#"policy priced {
  upkeep 90 USD/month
  alert  env("ALERT_URL")
}

system crm { connector postgres  secret url = env("A")  price 1 USD per 1_000 calls }

system mailer {
  connector postgres
  secret    url = env("B")
  limit     50_000/day
  limit     10/second
  price     1 USD per 1_000 calls
}

entity contact {
  key    email
  volume 100_000 records, 2_000/day changes, peak 4x
  owner  crm

  field email:  email
  field status: text?  fresh 2h in mailer
}

map contact in crm { same_names  cursor "seq"  changed_at "at" }
map contact in mailer { same_names  cursor "seq"  changed_at "at" }

scenario statuses {
  sync  contact(status) from crm to mailer
  mode  every 1h
  stale late_followup costs 0.001 USD/hour
}
"#;

fn explained(policy: &str, what: &str, name: &str) -> Value {
    let dir = Dir::with(&[("policy.sync", policy)]);
    let ran = dir.run(&["explain", what, name, "--format", "json", NOW[0], NOW[1]]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let json = ran.json();
    let schema = match what {
        "scenario" => include_str!("../../docs/explain_scenario.schema.json"),
        _ => include_str!("../../docs/explain_field.schema.json"),
    };
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&json)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    json
}

fn scenario(policy: &str) -> Value {
    explained(policy, "scenario", "statuses")
}

/// The thresholds of a lever on a side.
fn thresholds<'v>(json: &'v Value, lever: &str, when: &str) -> Vec<&'v Value> {
    let all = json["thresholds"].as_array().unwrap().iter();
    all.filter(|t| t["lever"] == lever && t["when"] == when)
        .collect()
}

fn codes(policy: &str) -> Vec<String> {
    let dir = Dir::with(&[("policy.sync", policy)]);
    let json = dir
        .run(&["check", "--format", "json", NOW[0], NOW[1]])
        .json();
    let found = json["diagnostics"].as_array().unwrap().iter();
    found
        .filter(|d| d["severity"] == "error")
        .map(|d| d["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_four_questions_are_answered_with_figures() {
    let json = scenario(PRICED);
    let near = |value: &Value, expected: f64| {
        let found = value.as_f64().unwrap();
        assert!(
            (found - expected).abs() <= 1e-6 * expected.max(1.0),
            "{found}"
        );
    };
    let bound = &json["fresh"]["bounds"][0];
    assert_eq!(bound["field"], "contact.status");
    near(&bound["required_seconds"], 7_200.0);
    assert_eq!(bound["holds"], true);
    let cost = &json["staleness"];
    near(&cost["records_per_day"], 2_000.0);
    near(&cost["per_record_hour"], 0.001);
    near(&cost["if_24_hours"], 2_000.0 * 30.0 * 24.0 * 0.001);
    near(
        &cost["if_5_seconds"],
        2_000.0 * 30.0 * 5.0 / 3_600.0 * 0.001,
    );
    near(&cost["per_day"], cost["per_month"].as_f64().unwrap() / 30.0);
    let estimate = {
        let dir = Dir::with(&[("policy.sync", PRICED)]);
        let args = ["estimate", "--what-if", "--format", "json", NOW[0], NOW[1]];
        dir.run(&args).json()
    };
    assert_eq!(
        cost["per_month"],
        estimate["scenarios"][0]["cost_per_month"]["staleness"]
    );
    assert_eq!(json["candidates"], estimate["scenarios"][0]["what_if"]);
    let limits = json["limits"].as_array().unwrap();
    let quota = limits.iter().find(|l| l["kind"] == "quota").unwrap();
    assert_eq!(quota["system"], "mailer");
    near(&quota["allowed"], 50_000.0);
    let parts = json["running"]["parts"].as_array().unwrap();
    assert!(
        parts
            .iter()
            .any(|p| p["part"] == "reads of `crm`" && p["settled"] == true)
    );
    near(&json["running"]["run"]["has_seconds"], 3_600.0);
}

#[test]
fn a_price_of_delay_beyond_its_threshold_changes_the_answer() {
    let json = scenario(PRICED);
    let answer = json["verdict"]["mode"].as_str().unwrap().to_owned();
    for side in ["above", "below"] {
        let found = thresholds(&json, "costs", side);
        assert_eq!(found.len(), 1, "{side}: {json:#}");
        let then = found[0]["then"]["mode"].as_str().unwrap();
        let turn = found[0]["value"].as_f64().unwrap();
        let at = |costs: f64| {
            let costs = format!("costs {costs:.9} USD/hour");
            let policy = PRICED.replace("costs 0.001 USD/hour", &costs);
            scenario(&policy)["candidates"].clone()
        };
        // On either side the cheaper one of the two is another one.
        let total = |list: &Value, mode: &str| {
            let all = list.as_array().unwrap();
            let one = all.iter().find(|c| c["mode"] == mode).unwrap();
            one["cost_per_month"]["total"].as_f64().unwrap()
        };
        let gap = |costs: f64| {
            let list = at(costs);
            total(&list, &answer) - total(&list, then)
        };
        let (low, high) = (gap(turn * 0.98), gap(turn * 1.02));
        assert!(low * high < 0.0, "{side} {turn}: {low} {high}");
    }
}

#[test]
fn a_dearer_delay_needs_real_time_and_says_from_where() {
    let json = scenario(PRICED);
    let dear = PRICED.replace("costs 0.001 USD/hour", "costs 5 USD/hour");
    let told = scenario(&dear);
    assert_eq!(told["verdict"]["answer"], "cheaper");
    assert_eq!(told["verdict"]["mode"], "realtime");
    assert!(told["verdict"]["saves_per_month"].as_f64().unwrap() > 1_000.0);
    // The upkeep from which on it no longer pays is what it saves and costs now.
    let upkeep = thresholds(&told, "upkeep", "above")[0];
    let clause = upkeep["clauses"][0]["text"].as_str().unwrap();
    let then = scenario(&dear.replace("upkeep 90 USD/month", clause));
    assert_eq!(then["verdict"]["mode"], upkeep["then"]["mode"]);
    assert_ne!(json["verdict"]["mode"], "realtime");
}

#[test]
fn a_bound_just_below_its_threshold_breaks_the_mode() {
    let policy = PRICED.replace("costs 0.001 USD/hour", "costs 0.1 USD/hour");
    let json = scenario(&policy);
    let answer = json["verdict"]["mode"].as_str().unwrap();
    let written = policy.replace("mode  every 1h", &format!("mode  {answer}"));
    let tighter = thresholds(&json, "fresh", "below")[0];
    assert_eq!(tighter["of"], "contact.status in mailer");
    let clause = tighter["clauses"][0]["text"].as_str().unwrap();
    assert_eq!(codes(&written), Vec::<String>::new());
    let broken = codes(&written.replace("fresh 2h in mailer", clause));
    assert_eq!(broken, ["SL0201"], "{clause}");
    let within = tighter["value"].as_f64().unwrap().ceil() as u64;
    let holds = written.replace("fresh 2h in mailer", &format!("fresh {within}s in mailer"));
    assert_eq!(codes(&holds), Vec::<String>::new(), "{within}");
    // And a looser one lets a cheaper mode in.
    let strict = PRICED.replace("fresh 2h in mailer", "fresh 10m in mailer");
    let json = scenario(&strict);
    assert_eq!(json["verdict"]["answer"], "breaks");
    let looser = thresholds(&json, "fresh", "above")[0];
    let clause = looser["clauses"][0]["text"].as_str().unwrap();
    let then = scenario(&strict.replace("fresh 10m in mailer", clause));
    assert_eq!(then["verdict"]["mode"], looser["then"]["mode"]);
}

#[test]
fn a_volume_beyond_its_threshold_breaks_the_limit() {
    let live = PRICED.replace("costs 0.001 USD/hour", "costs 5 USD/hour");
    let live = live.replace("mode  every 1h", "mode  realtime");
    let json = scenario(&live);
    assert_eq!(json["verdict"]["answer"], "stands");
    let found = thresholds(&json, "volume", "above");
    let quota = found.iter().find(|t| t["then"]["what"] == "quota").unwrap();
    assert_eq!(quota["then"]["system"], "mailer");
    let clause = quota["clauses"][0]["text"].as_str().unwrap();
    let with = |clause: &str| {
        codes(&live.replace("  mode  realtime", &format!("  mode  realtime\n  {clause}")))
    };
    assert_eq!(with(clause), ["SL0301"], "{clause}");
    let below = quota["value"].as_f64().unwrap() * 0.999;
    let clause = format!("volume {below:.0}/day peak 4x");
    assert_eq!(with(&clause), Vec::<String>::new(), "{clause}");
    let burst = found.iter().find(|t| t["then"]["what"] == "burst").unwrap();
    let clause = burst["clauses"][0]["text"].as_str().unwrap();
    assert!(with(clause).contains(&"SL0302".to_owned()), "{clause}");
}

#[test]
fn what_is_wrong_is_named_and_an_unknown_name_is_mended() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let ran = dir.run(&["explain", "scenario", "lead_rooting"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("did you mean `lead_routing`?"));
    for (name, near) in [
        ("contact.emial", "contact.email"),
        ("contcat.email", "contact"),
        ("score", "contact.score"),
    ] {
        let ran = dir.run(&["explain", "field", name]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
        let hint = format!("did you mean `{near}`?");
        assert!(ran.stderr.contains(&hint), "{}", ran.stderr);
    }
    let ran = dir.run(&["explain", "lead_routing"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("`explain scenario lead_routing`"));
    let ran = dir.run(&["explain", "contact.score"]);
    assert!(ran.stderr.contains("`explain field contact.score`"));
    assert_eq!(dir.run(&["explain"]).status, 2);
    // What could be read of a policy with errors is explained all the same.
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    let ran = dir.run(&["explain", "scenario", "names"]);
    assert_eq!(ran.status, 0);
    assert!(
        ran.stdout.contains("The policy has an error"),
        "{}",
        ran.stdout
    );
    let ran = dir.run(&["explain", "field", "contact.name"]);
    assert_eq!(ran.status, 0);
    assert!(ran.stdout.contains("Nobody owns it"), "{}", ran.stdout);
    let ran = dir.run_with(
        &["explain", "field", "contact.name", "-"],
        crate::support::CLEAN,
    );
    assert!(ran.stdout.contains("Owned by `crm` (-:"), "{}", ran.stdout);
}

#[test]
fn a_field_is_followed_from_its_origins_to_where_it_is_never_heard_of() {
    let json = explained(ACME, "field", "contact.opted_out");
    assert_eq!(json["owner"]["system"], "mailer");
    assert_eq!(json["conflict"]["rule"], "any_true");
    let accepts = json["accepts"].as_array().unwrap();
    assert_eq!(accepts.len(), 2);
    let line = ACME
        .lines()
        .position(|l| l.contains("field opted_out:"))
        .unwrap()
        + 1;
    assert_eq!(json["place"]["line"], line);
    let mailer = &json["mapped"][1];
    assert_eq!(mailer["column"], "hs_email_optout");
    assert_eq!(mailer["read"], "value == \"true\"");
    assert_eq!(mailer["not_cleared"], serde_json::json!([]));
    assert_eq!(json["read_by"], serde_json::json!(["newsletter_refresh"]));
    assert_eq!(json["hops"].as_array().unwrap().len(), 5);
    let ages = json["ages"].as_array().unwrap();
    let warehouse = ages.iter().find(|a| a["system"] == "warehouse").unwrap();
    assert_eq!(warehouse["blame"]["scenario"], "analytics");
    assert_eq!(warehouse["ways"].as_array().unwrap().len(), 3);
    let estimate = {
        let dir = Dir::with(&[("policy.sync", ACME)]);
        dir.run(&["estimate", "--format", "json", NOW[0], NOW[1]])
            .json()
    };
    for age in estimate["fields"].as_array().unwrap() {
        if age["field"] == "contact.opted_out" {
            let ours = ages.iter().find(|a| a["system"] == age["system"]).unwrap();
            assert_eq!(ours["worst_seconds"], age["worst_seconds"]);
            assert_eq!(ours["mean_seconds"], age["mean_seconds"]);
        }
    }
    let json = explained(ACME, "field", "contact.full_name");
    let inputs = serde_json::json!(["contact.first_name", "contact.last_name"]);
    assert_eq!(json["derived"]["inputs"], inputs);
    let unheard: Vec<&str> = json["unheard"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["system"].as_str().unwrap())
        .collect();
    assert_eq!(unheard, ["mailer", "forms"]);
    let json = explained(ACME, "field", "contact.first_name");
    assert_eq!(json["feeds"], serde_json::json!(["contact.full_name"]));
    let uncleared = ACME.replace(
        "  secret    url = env(\"WAREHOUSE_URL\")\n  cleared   pii, consent\n",
        "  secret    url = env(\"WAREHOUSE_URL\")\n",
    );
    let json = explained(&uncleared, "field", "contact.opted_out");
    let warehouse = &json["mapped"][3];
    assert_eq!(warehouse["not_cleared"], serde_json::json!(["consent"]));
}

#[test]
fn people_read_pages() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let page = |what: &str, name: &str| {
        let ran = dir.run(&["explain", what, name, NOW[0], NOW[1]]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        ran.stdout
    };
    insta::assert_snapshot!("explain_scenario", page("scenario", "lead_routing"));
    insta::assert_snapshot!("explain_hybrid", page("scenario", "unsubscribe"));
    insta::assert_snapshot!("explain_field", page("field", "contact.opted_out"));
    let dir = Dir::with(&[("policy.sync", PRICED)]);
    let ran = dir.run(&["explain", "scenario", "statuses", NOW[0], NOW[1]]);
    insta::assert_snapshot!("explain_priced", ran.stdout);
}

#[test]
fn a_mode_that_was_left_open_is_told_with_what_decided_it() {
    let policy = r#"
policy p { }
system a { connector sqlite option path = "a.db" limit 2_000/day }
system b { connector sqlite option path = "b.db" limit 2_000/day }
entity contact {
  key email
  volume 5_000 records, 900/day changes
  owner a
  accepts none
  resolve owner_wins
  field email: email
  field name: text?  fresh 20m in b
}
map contact in a "contacts" { same_names cursor "updated" }
map contact in b "contacts" { same_names }
scenario names { sync contact(name) from a to b  mode auto }
"#;
    let dir = Dir::with(&[("policy.sync", policy)]);
    let ran = dir.run(&["explain", "scenario", "names", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let json = ran.json();
    assert_eq!(json["declared"], "auto");
    assert_eq!(json["mode"], "every 15m");
    assert!(json["chosen"].as_str().is_some_and(|why| !why.is_empty()));
    let shown = dir.run(&["explain", "scenario", "names"]).stdout;
    assert!(shown.contains("mode `auto`, chosen `every 15m`"), "{shown}");
}
