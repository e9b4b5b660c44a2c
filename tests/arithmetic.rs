//! The model's figures for whole policies, against sums done by hand.

mod support;

use support::fixtures;
use syncline::arithmetic::{Arithmetic, Guess, Timing, Turn};
use syncline::graph::Graph;
use syncline::model::{ModeKind, Policy};
use syncline::time::{Millis, Schedule};

struct World {
    policy: Policy,
    graph: Graph,
    figures: Arithmetic,
}

fn world(text: &str) -> World {
    lowered(text).unwrap_or_else(|findings| panic!("{findings}"))
}

fn lowered(text: &str) -> Result<World, String> {
    let parsed = fixtures::parse_text(text);
    let (policy, findings) = fixtures::lowered(&parsed);
    if !findings.is_empty() {
        return Err(format!("{findings:?}"));
    }
    let graph = Graph::build(&policy);
    let figures = Arithmetic::of(&policy, &graph);
    Ok(World {
        policy,
        graph,
        figures,
    })
}

impl World {
    /// Mean calls a day that a scenario makes at a system: reads, writes, bulk.
    fn calls(&self, scenario: &str, system: &str) -> (f64, f64, f64) {
        let scenario = self.policy.scenario_named(scenario).unwrap();
        let system = self.policy.system_named(system).unwrap();
        let load = self.figures.system(system).unwrap();
        let share = load.scenarios.iter().find(|s| s.scenario == scenario);
        share.map_or((0.0, 0.0, 0.0), |s| {
            (s.per_day.read, s.per_day.write, s.per_day.bulk)
        })
    }

    /// The oldest that a field gets in a system: worst and mean, in seconds.
    fn age(&self, field: &str, system: &str) -> (Option<f64>, Option<f64>) {
        let entity = self.policy.entity_named("contact").unwrap();
        let field = self.policy.field_named(entity, field).unwrap();
        let system = self.policy.system_named(system).unwrap();
        let paths = self.figures.paths(&self.policy, &self.graph, field, system);
        let oldest = paths
            .iter()
            .max_by(|a, b| a.worst.unwrap().total_cmp(&b.worst.unwrap()))
            .unwrap();
        (oldest.worst, oldest.mean)
    }
}

fn near(found: f64, expected: f64) {
    let most = 1e-6 * expected.abs().max(1.0);
    assert!((found - expected).abs() <= most, "{found} for {expected}");
}

/// CRM, mail platform and warehouse are databases: events within 1 s, writes 100 ms, pages and
/// batches of 10,000; the site posts whole records and takes them one by one in a second each.
fn policy(contact: &str, more: &str) -> String {
    format!(
        r#"policy shop {{}}
system crm {{ connector postgres secret url = env("A") }}
system mailer {{ connector postgres secret url = env("B") failure 20% }}
system warehouse {{ connector postgres secret url = env("C") }}
system site {{ connector webhook option path = "/s" option url = "https://s.example" secret signing = env("D") limit 10/second }}
entity contact {{
  key email
  volume 10_000 records, 8_640/day changes, peak 4x
  owner crm
  field email: email
  {contact}
}}
map contact in crm {{ same_names cursor "seq" }}
map contact in mailer {{ same_names cursor "seq" }}
map contact in warehouse {{ same_names cursor "seq" }}
map contact in site {{ same_names }}
{more}
"#
    )
}

#[test]
fn real_time_costs_a_write_for_each_change_and_its_retries() {
    let world = world(&policy(
        "field name: text?",
        "scenario live { sync contact(name) from crm to mailer mode realtime }",
    ));
    assert_eq!(
        world.calls("live", "crm"),
        (0.0, 0.0, 0.0),
        "events carry the values"
    );
    let (reads, writes, _) = world.calls("live", "mailer");
    assert_eq!(reads, 0.0);
    near(writes, 8_640.0 / 0.8);
    let mailer = world.policy.system_named("mailer").unwrap();
    near(
        world.figures.system(mailer).unwrap().peak().total(),
        4.0 * 0.1 / 0.8,
    );
    // D + L, no limit to wait for; the call under way is waited for, which seldom is one.
    let (worst, mean) = world.age("name", "mailer");
    near(worst.unwrap(), 1.1 + 0.1);
    near(mean.unwrap(), 1.1 + writes / 86_400.0 * 0.1 * 0.05);
}

#[test]
fn batches_collapse_changes_and_share_one_read() {
    let world = world(&policy(
        "field name: text?",
        "scenario hourly { sync contact(name) from crm to mailer, warehouse mode every 1h }",
    ));
    // 24 starts; 360 changes in an hour meet 353.6 records: one page, one batch each.
    let (reads, writes, _) = world.calls("hourly", "crm");
    near(reads, 24.0 / 0.995);
    assert_eq!(writes, 0.0);
    near(world.calls("hourly", "warehouse").1, 24.0 / 0.995);
    near(world.calls("hourly", "mailer").1, 24.0 / 0.8);
    // T + run: a page is read, the slowest system written to, and the last write.
    let (read, write) = (0.1 / 0.995, 1.25 * 0.1);
    let (worst, mean) = world.age("name", "mailer");
    near(worst.unwrap(), 3_600.0 + read + write + 0.1);
    // From the page that shows a change, the first that is written waits for one call.
    near(mean.unwrap(), 1_800.0 + (write + 0.1) / 2.0);
}

#[test]
fn a_slow_destination_sets_the_length_of_the_run() {
    let world = world(&policy(
        "field name: text?",
        "scenario out { sync contact(name) from crm to site mode every 1h }",
    ));
    // N(1 − e^(−λt/N)) records, one call of 1 s each, at one time; the limit would be faster.
    let records = 10_000.0 * (1.0 - (-360.0_f64 / 10_000.0).exp());
    near(world.calls("out", "site").1, 24.0 * records / 0.995);
    // At worst the hour holds the busiest minute, lies in working hours, and has five standard
    // deviations more of them.
    let busier = 1.7 + 3.0 / 60.0;
    let mean = 10_000.0 * (1.0 - (-360.0 * busier / 10_000.0_f64).exp());
    let most = (mean + 5.0 * mean.sqrt() + 5.0).ceil();
    near(
        world.age("name", "site").0.unwrap(),
        3_600.0 + 0.1 / 0.995 + most / 0.995 + 1.0,
    );
}

#[test]
fn hybrids_read_both_ends_whole_and_write_what_drifted() {
    let world = world(&policy(
        "field name: text?",
        "scenario both { sync contact(name) from crm to mailer mode realtime with reconcile daily at 12:00 }",
    ));
    // Two dates of the year have no 24 hours only where clocks change; here every gap is a day.
    near(world.calls("both", "crm").0, 1.0 / 0.995);
    let drift = 1.0 - (-8.64_f64).exp();
    let (reads, writes, _) = world.calls("both", "mailer");
    near(reads, 1.0 / 0.8);
    near(writes, (8_640.0 + drift) / 0.8);
    // Events set the age.
    near(world.age("name", "mailer").0.unwrap(), 1.2);
}

#[test]
fn sources_share_the_changes_and_relays_pass_on_what_reached_them() {
    let world = world(&policy(
        "field name: text? accepts site resolve owner_wins",
        "scenario into { sync contact(name) from crm, site to mailer mode realtime }
         scenario on { sync contact(name) from mailer to warehouse if `contact.name != \"\"` passes 50% mode realtime }",
    ));
    near(world.calls("into", "mailer").1, 8_640.0 / 0.8);
    near(world.calls("on", "warehouse").1, 8_640.0 * 0.5 / 0.995);
    // The site's way is as long as the CRM's.
    near(world.age("name", "warehouse").0.unwrap(), 2.4);
}

#[test]
fn what_runs_bring_goes_on_when_they_bring_it() {
    let flows = |mode: &str| {
        policy(
            "field name: text?",
            &format!(
                "scenario first {{ sync contact(name) from crm to warehouse mode every 1h }}
                 scenario on {{ sync contact(name) from warehouse to mailer mode {mode} }}"
            ),
        )
    };
    // 360 changes an hour are of N(1 − e^(−360/N)) records, which come in one call and go in one.
    let hourly = 10_000.0 * -(-360.0f64 / 10_000.0).exp_m1();
    let live = world(&flows("realtime"));
    near(live.calls("on", "mailer").1, 24.0 / 0.8);
    let scenario = live.policy.scenario_named("on").unwrap();
    let figures = live.figures.scenario(scenario).unwrap();
    let records = figures.hops[0].records_per_day().unwrap();
    assert!((records / (24.0 * hourly) - 1.0).abs() < 1e-3, "{records}");
    // Of twelve starts an hour one finds anything: the first after what was brought, five minutes
    // later, since it comes just after a start.
    let often = world(&flows("every 5m"));
    let (reads, writes, _) = often.calls("on", "mailer");
    assert_eq!(reads, 0.0);
    assert!((writes / (24.0 / 0.8) - 1.0).abs() < 0.05, "{writes}");
    let (_, mean) = often.age("name", "mailer");
    let mean = mean.unwrap();
    assert!((mean - (1_800.0 + 300.0)).abs() < 2.0, "{mean}");
    // Taken apart, each five minutes find some.
    let apart = Arithmetic::apart(&often.policy, &often.graph);
    let mailer = often.policy.system_named("mailer").unwrap();
    near(apart.system(mailer).unwrap().per_day().write, 288.0 / 0.8);
}

#[test]
fn a_relay_goes_on_with_what_is_known_of_a_record_that_is_shown() {
    let flows = |beside: &str| {
        policy(
            "field name: text?\n  field note: text?",
            &format!(
                "scenario first {{ sync contact(name) from crm to warehouse mode every 1h }}
                 scenario note {{ sync contact(note) from crm to warehouse mode realtime }}
                 scenario on {{ sync contact(name, note) from warehouse to mailer mode realtime }}
                 {beside}"
            ),
        )
    };
    // Each change comes twice: its note at once, its name within the hour.
    let apart = world(&flows(""));
    let (_, mean) = apart.age("name", "mailer");
    assert!((mean.unwrap() - 1_802.0).abs() < 3.0, "{mean:?}");
    let twice = apart.calls("on", "mailer").1;
    assert!(
        (twice / ((8_640.0 + 24.0) / 0.8) - 1.0).abs() < 0.01,
        "{twice}"
    );
    // Where the runner is told of the name at once, the note's event takes it along.
    let known = world(&flows(
        "scenario beside { sync contact(name) from crm to site mode realtime }",
    ));
    let (_, mean) = known.age("name", "mailer");
    assert!(mean.unwrap() < 5.0, "{mean:?}");
}

#[test]
fn own_volumes_and_declared_changes_go_before_the_entitys() {
    let world = world(&policy(
        "field name: text? changes 100/day\n  field plan: text? changes 20/day\n  field note: text?",
        "scenario few { sync contact(name, plan) from crm to mailer mode realtime }
         scenario all { sync contact(name, note) from crm to mailer mode realtime }
         scenario own { sync contact(name) from crm to mailer mode realtime volume 70/week }",
    ));
    near(world.calls("few", "mailer").1, 120.0 / 0.8);
    near(world.calls("all", "mailer").1, 8_640.0 / 0.8);
    near(world.calls("own", "mailer").1, 10.0 / 0.8);
}

#[test]
fn higher_priorities_leave_less_and_equal_ones_wait_together() {
    let world = world(&policy(
        "field name: text?\n  field plan: text?",
        "scenario first { sync contact(name) from crm to site mode realtime priority intent volume 86_400/day peak 4x }
         scenario second { sync contact(plan) from crm to site mode realtime priority normal volume 86_400/day peak 3x }",
    ));
    // 10 calls a second: 4/0.995 arrive first, 3/0.995 have the rest.
    let a = 1.0 / 0.995;
    let p99 = |arrivals: f64, service: f64| {
        let rho = arrivals / service;
        (100.0 * rho).ln() / service / (2.0 * (1.0 - rho))
    };
    near(
        world.age("name", "site").0.unwrap(),
        2.0 + p99(4.0 * a, 10.0),
    );
    near(
        world.age("plan", "site").0.unwrap(),
        2.0 + p99(3.0 * a, 10.0 - 4.0 * a),
    );
}

#[test]
fn an_unknown_volume_is_said_to_be_unknown() {
    let text = policy(
        "field name: text?",
        "scenario live { sync contact(name) from crm to mailer mode realtime }",
    )
    .replace("  volume 10_000 records, 8_640/day changes, peak 4x\n", "");
    let world = world(&text);
    let scenario = world.policy.scenario_named("live").unwrap();
    let figures = world.figures.scenario(scenario).unwrap();
    assert!(figures.hops.iter().all(|h| h.volume_is_unknown()));
    assert_eq!(world.calls("live", "mailer").1, 0.0);
}

#[test]
fn another_mode_changes_only_its_scenario() {
    let world = world(&policy(
        "field name: text?",
        "scenario live { sync contact(name) from crm to mailer mode realtime }
         scenario nightly { sync contact(name) from crm to warehouse mode daily at 12:00 }",
    ));
    let scenario = world.policy.scenario_named("live").unwrap();
    let scenario = world.policy.scenario(scenario);
    let hourly = ModeKind::Scheduled(Some(Schedule::Every(Millis::HOUR)));
    let then = world
        .figures
        .as_if(&world.policy, &world.graph, scenario, &hourly);
    assert!(matches!(then.figures.timing, Timing::Scheduled(_)));
    let before = world.figures.calls_per_day();
    let expected = before - 8_640.0 / 0.8 + 24.0 / 0.8 + 24.0 / 0.995;
    near(then.calls_per_day(), expected);
    let same = world
        .figures
        .as_if(&world.policy, &world.graph, scenario, &scenario.mode.kind);
    near(same.calls_per_day(), before);
}

#[test]
fn bulk_jobs_are_taken_for_many_records_unless_a_batch_is_declared() {
    let text = |batch: &str| {
        format!(
            r#"policy shop {{}}
system db {{ connector postgres secret url = env("A") }}
system crm {{ connector salesforce tier enterprise option instance = env("B") secret token = env("C") }}
entity contact {{
  key email
  volume 1_000_000 records, 36_000/day changes
  owner db
  field email: email
  field plan: text(20)?
}}
map contact in db {{ same_names cursor "seq" }}
map contact in crm "Contact" {{ key email = "Email" field plan = "Plan__c" }}
scenario nightly {{ sync contact(plan) from db to crm mode every 24h {batch} }}
"#
        )
    };
    let records = 1_000_000.0 * (1.0 - (-0.036_f64).exp());
    let bulk = world(&text(""));
    let (_, writes, jobs) = bulk.calls("nightly", "crm");
    assert_eq!(writes, 0.0);
    // 35,360 records in uploads of 10,000: four, with five calls around them.
    near(jobs, (4.0 + 5.0) / 0.995);
    let batches = world(&text("batch 200"));
    let (_, writes, jobs) = batches.calls("nightly", "crm");
    assert_eq!(jobs, 0.0);
    let expected = (records / 200.0 + 199.0 / 400.0) / 0.995;
    assert!((writes - expected).abs() < 0.5, "{writes} for {expected}");
}

#[test]
fn each_guess_only_adds_or_only_takes_away() {
    let mut tried = 0;
    for (name, text) in fixtures::texts() {
        let Ok(world) = lowered(&text) else {
            continue;
        };
        tried += 1;
        let ends = [Turn::Well, Turn::Taken, Turn::Badly]
            .map(|turn| world.figures.turned(&world.policy, &world.graph, turn));
        for pair in ends.windows(2) {
            for system in &world.policy.systems {
                let calls = |a: &Arithmetic| a.system(system.id).unwrap().per_day().total();
                let (less, more) = (calls(&pair[0]), calls(&pair[1]));
                assert!(
                    less <= more * (1.0 + 1e-9),
                    "{name}: {} {less} {more}",
                    system.name
                );
            }
            for scenario in &world.policy.scenarios {
                let ages = |a: &Arithmetic| -> Vec<f64> {
                    let ages = a.scenario(scenario.id).unwrap().ages.iter();
                    let bound = |a: &syncline::arithmetic::HopAge| a.worst.total();
                    ages.map(|a| bound(a).unwrap_or(f64::INFINITY)).collect()
                };
                for (less, more) in ages(&pair[0]).into_iter().zip(ages(&pair[1])) {
                    assert!(
                        less <= more * (1.0 + 1e-9),
                        "{name}: {} {less} {more}",
                        scenario.name
                    );
                }
            }
        }
    }
    assert!(tried >= 100, "only {tried} policies can be tried");
}

#[test]
fn a_figure_that_is_said_is_no_guess() {
    let said = "field name: text?";
    let flow = "scenario a { sync contact(name) from crm to mailer mode realtime }";
    let world = world(&policy(said, flow));
    let guesses = |system: &str| -> Vec<(Guess, f64, f64)> {
        let id = world.policy.system_named(system).unwrap();
        let all = world.figures.guesses_of_system(&world.policy, id);
        all.into_iter().map(|g| (g.what, g.well, g.badly)).collect()
    };
    // The mail platform says its `failure`, and its latency has a source.
    assert_eq!(guesses("mailer"), []);
    // What is only heard is not called, so that its failures decide nothing.
    assert_eq!(guesses("crm"), []);
    let scenario = world.policy.scenario_named("a").unwrap();
    let demand = &world.figures.scenario(scenario).unwrap().hops[0].demand;
    let drift = demand.guesses();
    assert_eq!(
        drift.len(),
        1,
        "only the drift, which real time alone does not use"
    );
}
