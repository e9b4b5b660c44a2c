//! The estimate is held against the real engine: simulated calls and ages of generated policies, and
//! of the worked one, beside what `estimate` says of them.
//!
//! A few short ones run with the suite. `SYNCLINE_POLICIES=200 cargo test --release --test honesty`
//! is the long run whose table `docs/honesty.md` shows; `SYNCLINE_FIRST` says with which number to
//! begin, `SYNCLINE_SHOW` prints every policy that is off.

mod support;

#[path = "support/policies.rs"]
mod policies;

use std::fmt::Write;

use chrono::NaiveDate;
use rayon::prelude::*;
use support::fixtures;
use syncline::arithmetic::Arithmetic;
use syncline::catalog::Catalog;
use syncline::checks::{self, Context};
use syncline::choice;
use syncline::engine::ports::Store as _;
use syncline::estimate::{self, Ground};
use syncline::finding::Severity;
use syncline::graph::Graph;
use syncline::model::{self, Input, OwnConnectors};
use syncline::plan;
use syncline::sim::first_day;
use syncline::sim::simulation::{BrokeOff, Reading, Simulated, Simulation, Span};
use syncline::store::MemoryStore;
use syncline::time::Millis;

/// Calls below which a day's figure is chance.
const CALLS_LEAST: f64 = 4.0;
/// Promises below this, in seconds, are of ways by event alone: the rarest run is every minute.
const BY_EVENT: f64 = 30.0;
/// Changes below which a mean is chance.
const CHANGES_LEAST: u64 = 300;

/// How far a simulation lies from its estimate.
#[derive(Debug, Default)]
struct Off {
    name: String,
    /// By system that is called: the share by which calls differ, and how many were made.
    calls: Vec<(f64, f64)>,
    /// By field and system with enough changes: the share by which the mean age differs, and how
    /// many changes there were.
    means: Vec<(f64, f64)>,
    /// Fields that were older than promised, and how old. The promise of a real-time hop is the
    /// wait that 99 of 100 calls stay under, so that is what it is held to.
    late: Vec<String>,
    /// Changes that never arrived.
    missing: u64,
    changes: u64,
}

fn simulate(text: &str, span: &Span) -> Result<Simulated, String> {
    with(text, |simulation| simulation.run(span))
}

/// Does something with the simulation of a policy.
fn with<T>(
    text: &str,
    act: impl FnOnce(&Simulation<'_>) -> Result<T, BrokeOff>,
) -> Result<T, String> {
    let parsed = fixtures::parse_text(text);
    let own = OwnConnectors::new();
    let (mut policy, findings) = model::lower(&Input {
        sources: &parsed.sources,
        files: &parsed.files,
        unread: false,
        catalog: Catalog::builtin(),
        own: &own,
        now: first_day(),
    });
    if !parsed.findings.is_empty() || !findings.is_empty() {
        return Err(format!("{:?}{findings:?}\n{text}", parsed.findings));
    }
    let graph = Graph::build(&policy);
    choice::settle(&mut policy, &graph);
    let context = Context::new(&parsed.sources, &policy, &graph, first_day());
    let errors: Vec<String> = checks::run(&context, Vec::new())
        .into_iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| format!("{} {}", f.code, f.message))
        .collect();
    if !errors.is_empty() {
        return Err(format!("{}\n{text}", errors.join("\n")));
    }
    let arithmetic = Arithmetic::of(&policy, &graph);
    let ground = Ground {
        policy: &policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let estimate = estimate::of(ground);
    let plan = plan::compile(&parsed.sources, &policy).ok_or("no plan")?;
    let simulation = Simulation::new(ground, &estimate, plan).map_err(|e| e.to_string())?;
    act(&simulation).map_err(|e| e.to_string())
}

fn off(found: &Simulated) -> Off {
    let days = found.seconds / 86_400.0;
    let systems = found.systems.iter().map(|s| &s.calls_per_day);
    let called = systems.filter(|c| c.estimated.is_some_and(|e| e >= CALLS_LEAST));
    let many = found
        .fields
        .iter()
        .filter(|f| f.age_seconds.changes >= CHANGES_LEAST);
    let late = found.fields.iter().filter_map(|field| {
        let ages = field.age_seconds;
        let promised = ages.worst.estimated?;
        let found = match promised < BY_EVENT {
            true => ages.p99?,
            false => ages.worst.simulated?,
        };
        let late = format!(
            "{} in {}: {found} over {promised}",
            field.field, field.system
        );
        (found > promised + 0.001).then_some(late)
    });
    Off {
        name: found.policy.clone(),
        calls: called
            .filter_map(|c| Some((c.difference?.abs(), c.simulated? * days)))
            .collect(),
        means: many
            .filter_map(|f| {
                let ages = f.age_seconds;
                Some((ages.mean.difference?.abs(), ages.changes as f64))
            })
            .collect(),
        late: late.collect(),
        missing: found.fields.iter().map(|f| f.missing).sum(),
        changes: found.changes,
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What a list of shares comes to: median, 95 of 100, most.
fn summary(mut all: Vec<f64>) -> (f64, f64, f64) {
    all.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = all.len().saturating_sub(1) as f64;
        all.get((share * last).round() as usize)
            .copied()
            .unwrap_or(0.0)
    };
    (at(0.5), at(0.95), at(1.0))
}

#[test]
fn the_estimate_is_what_the_engine_does() {
    let long = number("SYNCLINE_POLICIES");
    let first = number("SYNCLINE_FIRST").unwrap_or(0);
    let days = number("SYNCLINE_DAYS");
    let (policies, busy, days) = match long {
        Some(policies) => (policies, 20, days.unwrap_or(7)),
        None => (3, 1, 1),
    };
    let found: Vec<(bool, Off)> = (first..first + policies)
        .into_par_iter()
        .map(|number| {
            let made = policies::policy(number, busy);
            let span = Span {
                lasts: Millis::DAY.times(days),
                seed: number,
                outages: Vec::new(),
            };
            if std::env::var("SYNCLINE_SHOW").is_ok_and(|what| what == "texts") {
                println!("policy {number}:\n{}", made.text);
            }
            let found = simulate(&made.text, &span);
            let found = found.unwrap_or_else(|why| panic!("policy {number}: {why}"));
            let off = off(&found);
            if std::env::var("SYNCLINE_SHOW").is_ok() {
                show(number, &made.text, &found, &off);
            }
            (made.fails, off)
        })
        .collect();
    let all =
        |of: fn(&Off) -> &Vec<(f64, f64)>| found.iter().flat_map(move |f| of(&f.1).iter().copied());
    let calls: Vec<f64> = all(|o| &o.calls).map(|c| c.0).collect();
    let means: Vec<f64> = all(|o| &o.means).map(|m| m.0).collect();
    // What is left beyond three standard deviations of what a Poisson load leaves to chance; an
    // age by the clock is spread evenly over its gap.
    let beyond = |pairs: &mut dyn Iterator<Item = (f64, f64)>, spread: f64| {
        pairs.fold(0.0_f64, |most, (off, n)| {
            most.max(off - 3.0 * spread / n.sqrt())
        })
    };
    let calls_beyond = beyond(&mut all(|o| &o.calls), 1.0);
    let means_beyond = beyond(&mut all(|o| &o.means), 0.6);
    let sure = || found.iter().filter(|f| !f.0).map(|f| &f.1);
    let late: Vec<String> = sure()
        .flat_map(|o| o.late.iter().map(|l| format!("{}: {l}", o.name)))
        .collect();
    let missing: u64 = found.iter().map(|f| f.1.missing).sum();
    let changes: u64 = found.iter().map(|f| f.1.changes).sum();
    let (call, mean) = (summary(calls.clone()), summary(means.clone()));
    let mut table = String::new();
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let _ = writeln!(
        table,
        "| what | compared | median | 95 of 100 | most |\n|---|---|---|---|---|"
    );
    for (what, count, (median, most_of, most)) in [
        ("calls a day, by system", calls.len(), call),
        ("mean age, by field and system", means.len(), mean),
    ] {
        let [a, b, c] = [median, most_of, most].map(percent);
        let _ = writeln!(table, "| {what} | {count} | {a} | {b} | {c} |");
    }
    println!(
        "{policies} policies, {changes} changes, {missing} missing, {} later than promised\n{table}",
        late.len()
    );
    for line in &late {
        println!("late: {line}");
    }
    assert!(calls_beyond < 0.03, "{calls_beyond} {table}");
    assert!(means_beyond < 0.05, "{means_beyond} {table}");
    if long.is_some() {
        assert!(call.0 < 0.01, "{table}");
    }
    assert!(late.is_empty(), "{late:#?}");
}

fn show(number: u64, text: &str, found: &Simulated, off: &Off) {
    let much =
        |shares: &[(f64, f64)], most: f64| shares.iter().any(|(s, n)| *s - 3.0 / n.sqrt() > most);
    if much(&off.calls, 0.03) || much(&off.means, 0.05) || off.missing > 0 || !off.late.is_empty() {
        let style = syncline::render::Style::PLAIN;
        let page = syncline::render::simulation::human(found, style);
        println!("policy {number}:\n{text}\n{page}");
    }
}

/// All that a store holds but what its runs counted, and how many records its runs read.
fn stored(mut store: MemoryStore, entities: &[&str]) -> (Vec<String>, u64) {
    let mut all: Vec<String> = Vec::new();
    for (key, value) in store.meta_with_prefix("").unwrap() {
        all.push(format!("{key} = {value}"));
    }
    for entity in entities {
        let records = store.records_after(entity, None, usize::MAX).unwrap();
        all.extend(records.iter().map(|r| format!("{} = {}", r.key, r.doc)));
    }
    let mut read = 0;
    for mut run in store.runs(None, usize::MAX).unwrap() {
        read += run.counts.read;
        (run.counts, run.calls) = Default::default();
        all.push(format!("{run:?}"));
        all.push(format!("{:?}", store.quarantined(run.id, usize::MAX)));
        all.push(format!("{:?}", store.owed(&run.scenario)));
    }
    all.push(format!("{:?}", store.dead_letters()));
    all.push(format!("{:?}", store.conflicts()));
    all.push(format!("{:?}", store.waiting_counts()));
    (all, read)
}

/// What is worked out record by record is what the engine leaves that reads everything.
#[test]
fn both_ways_to_get_to_know_the_systems_end_in_the_same_store() {
    let worked = include_str!("../examples/acme/policy.sync").replace("250_000", "3_000");
    let mut texts = vec![(worked, vec!["contact"])];
    for number in 0..24 {
        texts.push((policies::policy(number, 1).text, vec!["thing_0", "thing_1"]));
    }
    let mut shorter = Vec::new();
    for (at, (text, entities)) in texts.iter().enumerate() {
        let known = |reading| with(text, |s| s.known(7, reading)).map(|s| stored(s, entities));
        let (all, of_all) = known(Reading::All).unwrap();
        let (sampled, of_sample) = known(Reading::Sample).unwrap();
        assert!(all.len() > 500, "{}\n{text}", all.len());
        for (a, b) in all.iter().zip(&sampled) {
            assert_eq!(a, b, "{text}");
        }
        assert_eq!(all.len(), sampled.len(), "{text}");
        if of_sample < of_all / 2 {
            shorter.push(at);
        }
    }
    assert!(shorter.contains(&0), "the worked policy");
    assert!(shorter.len() > 16, "{shorter:?}");
}

/// The same seed, the same bytes; another one, others.
#[test]
fn a_simulation_is_the_same_each_time() {
    let made = policies::policy(4, 1);
    let run = |seed| {
        let span = Span {
            lasts: Millis::HOUR.times(6),
            seed,
            outages: Vec::new(),
        };
        syncline::render::simulation::json(&simulate(&made.text, &span).unwrap())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn first_days_are_mondays() {
    assert_eq!(first_day(), NaiveDate::from_ymd_opt(2026, 1, 5).unwrap());
}
