//! `estimate`: figures done by hand, what is not known, other modes, every form.

use serde_json::Value;

use crate::support::{Dir, with_error};

const ACME: &str = include_str!("../../examples/acme/policy.sync");
const NOW: [&str; 2] = ["--now", "2026-11-26"];

/// Databases: events within 1 s, writes 100 ms, pages and batches of 10,000.
const SHOP: &str = r#"policy shop {
  upkeep 1 USD/day
}

system crm { connector postgres  secret url = env("A")  limit 100_000/day  budget 50% }

system mailer {
  connector postgres
  secret    url = env("B")
  failure   20%
  limit     20_000/day
  price     2 USD per 1_000 calls
}

entity contact {
  key    email
  volume 10_000 records, 8_640/day changes, peak 4x
  owner  crm

  field email: email
  field name:  text?
  field score: int(0..100)?  changes 864/day  fresh 2h in mailer
}

map contact in crm { same_names  cursor "seq"  changed_at "at" }
map contact in mailer { same_names  cursor "seq"  changed_at "at" }

scenario live {
  sync  contact(name) from crm to mailer
  mode  realtime
  stale late_followup costs 36 USD/hour
}

scenario hourly {
  sync  contact(score) from crm to mailer
  mode  every 1h
  stale reporting
}
"#;

fn estimate(policy: &str, more: &[&str]) -> Value {
    let dir = Dir::with(&[("policy.sync", policy)]);
    let args: Vec<&str> = ["estimate", "--format", "json"]
        .into_iter()
        .chain(NOW)
        .chain(more.iter().copied())
        .collect();
    let ran = dir.run(&args);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let json = ran.json();
    let schema: Value =
        serde_json::from_str(include_str!("../../docs/estimate.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&json)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    json
}

fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
    let mut all = list.as_array().unwrap().iter();
    all.find(|v| v["name"] == name || v["mode"] == name)
        .unwrap_or_else(|| panic!("no {name} in {list}"))
}

fn near(found: &Value, expected: f64) {
    let found = found
        .as_f64()
        .unwrap_or_else(|| panic!("{found} is no number"));
    let most = 1e-6 * expected.abs().max(1.0);
    assert!((found - expected).abs() <= most, "{found} for {expected}");
}

#[test]
fn real_time_is_paid_by_the_call_and_batches_by_the_run() {
    let json = estimate(SHOP, &[]);
    assert_eq!(
        (&json["version"], &json["currency"]),
        (&1.into(), &"USD".into())
    );
    let live = named(&json["scenarios"], "live");
    assert_eq!(
        (&live["mode"], &live["class"]),
        (&"realtime".into(), &"realtime".into())
    );
    let hop = &live["hops"][0];
    // λ·w/(1−p), k of that a second; D + L, and the call under way: all of it at worst, half of it
    // in the eightieth part of the time on the mean.
    near(&hop["calls_per_day"]["mailer"], 8_640.0 / 0.8);
    near(&hop["calls_per_day"]["crm"], 0.0);
    near(&hop["records_per_day"], 8_640.0);
    near(&hop["peak_calls_per_second"]["mailer"], 4.0 * 0.1 / 0.8);
    let mean = 1.1 + 0.1 / 2.0 / 80.0;
    near(&hop["staleness_seconds"]["worst"], 1.2);
    near(&hop["staleness_seconds"]["mean"], mean);
    let cost = &live["cost_per_month"];
    near(&cost["api"], 10_800.0 * 30.0 * 0.002);
    near(&cost["upkeep"], 30.0);
    let late = 8_640.0 * 30.0 * mean * 36.0 / 3_600.0;
    near(&cost["staleness"], late);
    near(&cost["total"], 648.0 + 30.0 + late);

    let hop = &named(&json["scenarios"], "hourly")["hops"][0];
    // 24 starts; a read call finds what any field's change touched, 36 changes an hour collapse.
    near(&hop["calls_per_day"]["crm"], 24.0 / 0.995);
    near(&hop["calls_per_day"]["mailer"], 30.0);
    let an_hour = 10_000.0 * (1.0 - (-36.0_f64 / 10_000.0).exp());
    near(&hop["records_per_day"], 24.0 * an_hour);
    near(&hop["peak_calls_per_second"]["mailer"], 0.0);
    // A page, a write and one more, and at both ends a call of the other scenario before it.
    let run = 0.1 / 0.995 + 1.25 * 0.1 + 0.1;
    near(
        &hop["staleness_seconds"]["worst"],
        3_600.0 + run + 2.0 * 0.1,
    );
    near(
        &hop["staleness_seconds"]["mean"],
        1_800.0 + (1.25 * 0.1 + 0.1) / 2.0,
    );
    let cost = &named(&json["scenarios"], "hourly")["cost_per_month"];
    near(&cost["upkeep"], 0.0);
    near(&cost["total"], 30.0 * 30.0 * 0.002);
}

#[test]
fn systems_and_fields_are_held_against_what_is_allowed() {
    let json = estimate(SHOP, &[]);
    let mailer = named(&json["systems"], "mailer");
    near(&mailer["calls_per_day"], 10_830.0);
    near(&mailer["quota_per_day"], 20_000.0);
    near(&mailer["budget_per_day"], 20_000.0);
    near(&mailer["utilisation"], 0.5415);
    let crm = named(&json["systems"], "crm");
    near(&crm["quota_per_day"], 100_000.0);
    near(&crm["budget_per_day"], 50_000.0);
    near(&crm["utilisation"], 24.0 / 0.995 / 50_000.0);
    let fields = json["fields"].as_array().unwrap();
    let pairs: Vec<_> = fields
        .iter()
        .map(|f| (&f["field"], &f["required_seconds"]))
        .collect();
    assert_eq!(pairs.len(), 2);
    assert_eq!(pairs[0], (&"contact.name".into(), &Value::Null));
    assert_eq!(pairs[1], (&"contact.score".into(), &7_200.0.into()));
    near(&fields[1]["worst_seconds"], 3_600.425 + 0.1 / 0.995);
    near(&fields[1]["mean_seconds"], 1_800.112_5);
}

#[test]
fn what_nobody_declares_is_null_and_never_nothing() {
    let silent = SHOP
        .replace("  volume 10_000 records, 8_640/day changes, peak 4x\n", "")
        .replace("  limit     20_000/day\n", "");
    let json = estimate(&silent, &[]);
    let live = named(&json["scenarios"], "live");
    assert_eq!(live["hops"][0]["calls_per_day"]["mailer"], Value::Null);
    assert_eq!(live["hops"][0]["records_per_day"], Value::Null);
    assert_eq!(live["cost_per_month"]["api"], Value::Null);
    assert_eq!(live["cost_per_month"]["staleness"], Value::Null);
    assert_eq!(live["cost_per_month"]["total"], Value::Null);
    near(&live["cost_per_month"]["upkeep"], 30.0);
    // `score` declares how often it changes.
    let hourly = named(&json["scenarios"], "hourly");
    near(&hourly["hops"][0]["calls_per_day"]["mailer"], 30.0);
    let mailer = named(&json["systems"], "mailer");
    assert_eq!(mailer["quota_per_day"], Value::Null, "unlimited");
    assert_eq!(mailer["utilisation"], Value::Null);
    assert_eq!(mailer["without"], serde_json::json!(["live"]));
    near(&mailer["calls_per_day"], 30.0);
    let note = json["notes"][0].as_str().unwrap();
    assert!(note.contains("`live`: no `volume`"), "{note}");
}

#[test]
fn what_never_catches_up_has_no_bound() {
    let slow = SHOP
        .replace(
            "  upkeep 1 USD/day\n",
            "  allow SL0303 \"seen\"\n  allow SL0201 \"seen\"\n",
        )
        .replace("  limit     20_000/day\n", "  limit     30/minute\n");
    let json = estimate(&slow, &[]);
    let old = &named(&json["scenarios"], "live")["hops"][0]["staleness_seconds"];
    assert_eq!(
        old,
        &serde_json::json!({"mean": null, "worst": null, "unbounded": true})
    );
    let field = &json["fields"][0];
    assert_eq!(
        (&field["worst_seconds"], &field["unbounded"]),
        (&Value::Null, &true.into())
    );
    let cost = &named(&json["scenarios"], "live")["cost_per_month"];
    assert_eq!(cost["staleness"], Value::Null);
    near(
        &named(&json["systems"], "mailer")["burst_limit"]["utilisation"],
        1.0,
    );
}

#[test]
fn a_tier_includes_calls_that_all_scenarios_share() {
    let entry = include_str!("../../src/catalog/entries/postgres.yaml").replace(
        "name: postgres\n",
        "name: vendor\nprices:\n  - amount: { value: \"0.01\", verified: false }\n    \
         currency: EUR\n    per_calls: 1\n    \
         included_calls: { value: 162450, verified: false }\n",
    );
    let shop = SHOP.replacen(
        "system mailer {\n  connector postgres",
        "system mailer {\n  connector \"./vendor.yaml\"",
        1,
    );
    let dir = Dir::with(&[("policy.sync", &shop), ("vendor.yaml", &entry)]);
    let json = dir.run(&["estimate", "--format", "json"]).json();
    // Half of 10,830 · 30 calls is included; the policy's own price holds for the rest.
    near(
        &named(&json["scenarios"], "live")["cost_per_month"]["api"],
        324.0,
    );
    near(
        &named(&json["scenarios"], "hourly")["cost_per_month"]["api"],
        0.9,
    );
    dir.write(
        "policy.sync",
        shop.replace("  price     2 USD per 1_000 calls\n", ""),
    );
    let json = dir.run(&["estimate", "--format", "json"]).json();
    let cost = &named(&json["scenarios"], "live")["cost_per_month"];
    assert_eq!(
        cost["api"],
        Value::Null,
        "a price in another currency is none"
    );
    assert!(
        json["notes"].to_string().contains("in EUR, not in USD"),
        "{}",
        json["notes"]
    );
    dir.write(
        "policy.sync",
        shop.replace("  price     2 USD per 1_000 calls\n", "")
            .replace("USD", "EUR")
            .replacen("policy shop {", "policy shop {\n  currency EUR", 1),
    );
    let json = dir.run(&["estimate", "--format", "json"]).json();
    near(
        &named(&json["scenarios"], "live")["cost_per_month"]["api"],
        1_620.0,
    );
}

#[test]
fn each_mode_says_what_it_would_do_and_whether_it_may() {
    let json = estimate(SHOP, &["--what-if"]);
    let hourly = &named(&json["scenarios"], "hourly")["what_if"];
    let modes: Vec<&str> = hourly
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["mode"].as_str().unwrap())
        .collect();
    let all = [
        "realtime",
        "every 5m",
        "every 10m",
        "every 15m",
        "every 30m",
        "every 1h",
        "every 4h",
        "daily at 03:00",
    ];
    assert_eq!(modes, all);
    let slow = named(hourly, "every 4h");
    assert_eq!(slow["feasible"], false);
    let why = slow["why_not"].as_str().unwrap();
    assert_eq!(
        why,
        "`contact.score` can be 4h old in `mailer`, older than its `fresh 2h`"
    );
    let live = named(hourly, "realtime");
    assert_eq!(
        (&live["feasible"], &live["why_not"]),
        (&true.into(), &Value::Null)
    );
    near(&live["cost_per_month"]["upkeep"], 30.0);
    near(&live["hops"][0]["calls_per_day"]["mailer"], 864.0 / 0.8);
    let mailer = named(&live["systems"], "mailer");
    near(&mailer["calls_per_day"], 10_800.0 + 1_080.0);
    near(&mailer["utilisation"], 11_880.0 / 20_000.0);
    // As it stands it is what the estimate itself says.
    let now = named(hourly, "every 1h");
    let scenario = named(&json["scenarios"], "hourly");
    let mut hops = scenario["hops"].clone();
    for hop in hops.as_array_mut().unwrap() {
        hop.as_object_mut().unwrap().remove("ranges");
    }
    assert_eq!(now["hops"], hops);
    assert_eq!(now["cost_per_month"], scenario["cost_per_month"]);
    // Twice as many changes would break the budget in real time, and only there.
    let json = estimate(
        &SHOP.replace("864/day  fresh", "8_000/day  fresh"),
        &["--what-if"],
    );
    let hourly = &named(&json["scenarios"], "hourly")["what_if"];
    let why = named(hourly, "realtime")["why_not"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        why,
        "it needs 104 % of the calls that may be used of `mailer` a day"
    );
    assert_eq!(named(hourly, "every 5m")["feasible"], true);
}

#[test]
fn clauses_sources_and_consent_rule_modes_out() {
    let json = estimate(ACME, &["--what-if"]);
    let why = |scenario: &str, mode: &str| {
        let scenario = named(&json["scenarios"], scenario);
        let why = &named(&scenario["what_if"], mode)["why_not"];
        why.as_str().unwrap_or_default().to_owned()
    };
    let demo = why("demo_request", "every 5m");
    assert!(demo.contains("its `when` needs real time"), "{demo}");
    assert!(demo.contains("`forms` cannot be read"), "{demo}");
    let consent = why("unsubscribe", "every 5m");
    assert!(
        consent.contains("`stale compliance` needs real time"),
        "{consent}"
    );
    assert!(consent.contains("in `mailer` has no `cursor`"), "{consent}");
    let news = why("newsletter_refresh", "realtime");
    // A CRM has a quota of events that it delivers, too.
    assert!(
        news.starts_with("its `after` needs a schedule; its `window` needs a schedule"),
        "{news}"
    );
    let clean = &named(&json["scenarios"], "clean_contacts")["what_if"];
    assert!(
        !clean.to_string().contains("realtime"),
        "a clean hears no event"
    );
    let unsubscribe = named(&json["scenarios"], "unsubscribe");
    let own = named(
        &unsubscribe["what_if"],
        "realtime with reconcile daily at 03:00",
    );
    assert_eq!(own["feasible"], true);
}

#[test]
fn a_hybrid_is_one_hop_and_a_clean_goes_from_its_system_to_itself() {
    let json = estimate(ACME, &[]);
    let hybrid = named(&json["scenarios"], "unsubscribe");
    assert_eq!(hybrid["class"], "hybrid");
    assert_eq!(hybrid["hops"].as_array().unwrap().len(), 4);
    let clean = named(&json["scenarios"], "clean_contacts");
    let hops = clean["hops"].as_array().unwrap();
    assert_eq!(hops.len(), 1);
    assert_eq!(
        (&hops[0]["from"], &hops[0]["to"]),
        (&"crm".into(), &"crm".into())
    );
    assert_eq!(hops[0]["calls_per_day"].as_object().unwrap().len(), 1);
    let feeds = json["feeds"].as_array().unwrap();
    let forms = feeds.iter().find(|f| f["system"] == "forms").unwrap();
    assert_eq!(forms["survives_seconds"], Value::Null);
    assert_eq!(
        forms["lost_for"],
        serde_json::json!(["demo_request", "unsubscribe"])
    );
    let crm = feeds.iter().find(|f| f["system"] == "crm").unwrap();
    near(&crm["survives_seconds"], 72.0 * 3_600.0);
    assert_eq!(crm["reconciled_for"], serde_json::json!(["unsubscribe"]));
}

#[test]
fn auto_shows_the_mode_that_is_taken() {
    let auto = SHOP.replace("mode  every 1h", "mode  auto");
    let json = estimate(&auto, &[]);
    let hourly = named(&json["scenarios"], "hourly");
    assert_eq!(
        (&hourly["mode"], &hourly["declared"]),
        (&"every 1h".into(), &"auto".into())
    );
    assert_eq!(named(&json["scenarios"], "live").get("declared"), None);
}

#[test]
fn every_input_says_where_it_comes_from() {
    let json = estimate(ACME, &["--explain", "lead_routing"]);
    let explained = &json["explain"];
    let inputs = explained["inputs"].as_array().unwrap();
    let input = |of: &str, symbol: &str| {
        let mut all = inputs.iter();
        all.find(|i| i["of"] == of && i["symbol"] == symbol)
            .unwrap_or_else(|| panic!("no {symbol} of {of}"))
    };
    let line = |text: &str| ACME.lines().position(|l| l.contains(text)).unwrap() + 1;
    let policy = |text: &str| serde_json::json!({"from": "policy", "file": "policy.sync", "line": line(text)});
    assert_eq!(input("contact", "N")["place"], policy("volume  250_000"));
    assert_eq!(
        input("crm → mailer", "λ")["place"],
        policy("volume  250_000")
    );
    assert_eq!(input("crm", "B")["place"], policy("budget    40%"));
    assert_eq!(input("lead_routing", "mode")["place"], policy("every 5m"));
    assert_eq!(
        input("lead_routing", "costs")["place"],
        policy("costs 2 USD")
    );
    let quota = &input("mailer", "Q")["place"];
    assert_eq!(
        (&quota["from"], &quota["entry"]),
        (&"catalog".into(), &"hubspot".into())
    );
    assert!(
        quota["page"].is_string() && quota["date"].is_string(),
        "{quota}"
    );
    assert_eq!(
        input("crm", "g")["place"]["page"],
        Value::Null,
        "unverified"
    );
    assert_eq!(input("mailer", "p")["place"]["from"], "default");
    // What comes out is what the estimate says.
    let scenario = named(&json["scenarios"], "lead_routing");
    let term = |what: &str| {
        let mut terms = explained["terms"].as_array().unwrap().iter();
        terms.find(|t| t["what"] == what).unwrap()["value"].clone()
    };
    let hop = &scenario["hops"][0];
    assert_eq!(term("calls a day at crm"), hop["calls_per_day"]["crm"]);
    assert_eq!(
        term("worst delay, in all"),
        hop["staleness_seconds"]["worst"]
    );
    assert_eq!(term("cost a month"), scenario["cost_per_month"]["total"]);
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let ran = dir.run(&["estimate", "--explain", "lead_routing"]);
    assert!(ran.stdout.contains("unverified") && ran.stdout.contains("default: "));
    let ran = dir.run(&["estimate", "--explain", "lead_rooting"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("did you mean `lead_routing`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn people_see_what_runs_out_what_it_costs_and_what_would_be_cheaper() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let ran = dir.run(&["estimate", NOW[0], NOW[1]]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("estimate_human", ran.stdout);
    let ran = dir.run(&[
        "estimate",
        "--format",
        "markdown",
        "--what-if",
        NOW[0],
        NOW[1],
    ]);
    assert_eq!(ran.status, 0);
    insta::assert_snapshot!("estimate_markdown", ran.stdout);
}

#[test]
fn a_spreadsheet_gets_one_figure_a_row() {
    let dir = Dir::with(&[("policy.sync", SHOP)]);
    let ran = dir.run(&["estimate", "--format", "csv", "--what-if"]);
    let rows: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(rows[0], "kind,name,mode,part,figure,value,unit,low,high");
    let has = |row: &str| {
        let found = rows.iter().any(|r| r.starts_with(row));
        assert!(found, "{row} in\n{}", ran.stdout);
    };
    has("scenario,live,realtime,crm -> mailer,records_per_day,8640,records");
    has("system,mailer,,,calls_per_day,10830,calls");
    has("system,crm,,,budget_per_day,50000,calls");
    has("field,contact.name,,mailer,required,,s");
    has("what_if,hourly,every 4h,,feasible,0,");
    assert!(rows.iter().all(|r| r.split(',').count() == 9));
}

#[test]
fn a_gate_fails_over_a_share_of_the_budget() {
    let dir = Dir::with(&[("policy.sync", SHOP)]);
    let over = |condition: &str| dir.run(&["estimate", "--fail-over", condition]);
    assert_eq!(over("mailer > 55%").status, 0);
    let ran = over("mailer>54%");
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.contains("runs out first"), "{}", ran.stdout);
    assert!(
        ran.stderr
            .contains("`mailer` uses 54 % of its daily budget"),
        "{}",
        ran.stderr
    );
    assert_eq!(over("* > 54%").status, 1);
    assert_eq!(over("crm > 54%").status, 0);
    for wrong in [
        "mailer",
        "mailer > 5",
        "> 5%",
        "mailer > x%",
        "mailer > NaN%",
    ] {
        assert_eq!(over(wrong).status, 2, "{wrong}");
    }
    let ran = over("mailor > 54%");
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("did you mean `mailer`?"),
        "{}",
        ran.stderr
    );
    let dir = Dir::with(&[("policy.sync", &SHOP.replace("  limit     20_000/day\n", ""))]);
    let ran = dir.run(&["estimate", "--fail-over", "mailer > 54%"]);
    assert_eq!(ran.status, 0);
    assert!(
        ran.stderr.contains("no daily quota that is known"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_policy_with_errors_has_no_estimate() {
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    let ran = dir.run(&["estimate"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("SL0101 no-owner"), "{}", ran.stderr);
    assert_eq!(dir.run(&["estimate", "missing"]).status, 2);
    let ran = dir.run_with(&["estimate", "-", "--format", "json"], SHOP);
    assert_eq!(ran.json()["currency"], "USD");
}

#[test]
fn what_rests_on_guesses_lies_between_two_ends_and_says_why() {
    let filtered = SHOP.replace(
        "from crm to mailer\n  mode  realtime",
        "from crm to mailer if `contact.name != \"\"`\n  mode  realtime",
    );
    let json = estimate(&filtered, &[]);
    let live = named(&json["scenarios"], "live");
    // 8,640 changes a day, one write each, a fifth of which is tried again: nothing to 10,800.
    let calls = &live["hops"][0]["ranges"]["calls_per_day.mailer"];
    near(&calls["low"], 0.0);
    near(&calls["high"], 10_800.0);
    let passes = json["guesses"].as_array().unwrap().iter();
    let passes: Vec<&Value> = passes.filter(|g| g["what"] == "passes its `if`").collect();
    assert_eq!(passes.len(), 1);
    assert_eq!(passes[0]["of"], serde_json::json!(["live"]));
    assert_eq!(passes[0]["place"]["from"], "default");
    // Said, the same figure has no ends.
    let said = filtered.replace("!= \"\"`", "!= \"\"` passes 50%");
    let json = estimate(&said, &[]);
    let live = named(&json["scenarios"], "live");
    assert_eq!(live["hops"][0]["ranges"].get("calls_per_day.mailer"), None);
    near(&live["hops"][0]["calls_per_day"]["mailer"], 5_400.0);
}

#[test]
fn people_are_told_which_bounds_bad_guesses_would_break() {
    let dir = Dir::with(&[("policy.sync", ACME)]);
    let ran = dir.run(&["estimate", "--now", "2026-11-26"]);
    let said = ran.stdout.replace('\n', " ");
    let told = "`contact.opted_out` gets 1m10s old in `crm`, over its `fresh 1m`";
    assert!(said.contains(told), "{}", ran.stdout);
}

#[test]
fn cheaper_real_time_comes_with_a_reconcile_where_events_can_be_lost() {
    let policy = SHOP
        .replace(
            "system crm { connector postgres  secret url = env(\"A\")  limit 100_000/day  budget 50% }",
            "system crm { connector hubspot  secret token = env(\"A\") }",
        )
        .replace("map contact in crm { same_names  cursor \"seq\"  changed_at \"at\" }", "map contact in crm \"contacts\" { same_names  cursor \"seq\" }")
        .replace("mode  realtime", "mode  every 1h");
    let dir = Dir::with(&[("policy.sync", &policy)]);
    let ran = dir.run(&["estimate", "--now", "2026-11-26"]);
    let said = ran.stdout.replace('\n', " ");
    let told = "`mode realtime with reconcile";
    assert!(said.contains(told), "{}{}", ran.stdout, ran.stderr);
}
