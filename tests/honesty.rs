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
use syncline::sim::simulation::{
    BrokeOff, FieldSimulated, Reading, Simulated, Simulation, Span, SystemSimulated,
};
use syncline::store::MemoryStore;
use syncline::time::Millis;

/// Calls below which a day's figure is chance.
const CALLS_LEAST: f64 = 4.0;
/// Promises below this, in seconds, are of ways by event alone: no run is more often than every minute.
const BY_EVENT: f64 = 30.0;
/// Changes below which a mean is chance.
const CHANGES_LEAST: u64 = 300;

/// Further simulations of a policy one of whose figures is off, each with a seed of its own.
const AGAIN: u64 = 24;
/// How long the worked policy is simulated in the long run.
const WORKED_DAYS: u64 = 7;
/// Shares by which calls and mean ages may be off beyond chance.
const CALLS_OFF: f64 = 0.03;
const MEANS_OFF: f64 = 0.05;
/// Standard deviations that are left to chance.
const SURE: f64 = 3.0;

/// How far a figure lies from its estimate, and how far by chance it may; shares of the estimate.
#[derive(Debug, Clone, Copy)]
struct Distance {
    off: f64,
    chance: f64,
}

impl Distance {
    fn beyond(self) -> f64 {
        self.off - self.chance
    }
}

/// How far a simulation lies from its estimate.
#[derive(Debug, Default)]
struct Off {
    name: String,
    /// By system that is called.
    calls: Vec<Distance>,
    /// The mean age by field and system with enough changes.
    means: Vec<Distance>,
    /// Fields that were older than promised, and how old. The promise of a real-time hop is the
    /// wait that 99 of 100 calls stay under, so that is what it is held to.
    late: Vec<String>,
    /// Changes that never arrived.
    missing: u64,
    changes: u64,
}

impl Off {
    fn is_beyond(&self) -> bool {
        most_beyond(&self.calls) >= CALLS_OFF || most_beyond(&self.means) >= MEANS_OFF
    }
}

fn most_beyond(all: &[Distance]) -> f64 {
    all.iter().map(|d| d.beyond()).fold(0.0, f64::max)
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

/// A figure of each of some simulations beside its estimate: the first simulation's alone with what
/// a Poisson load leaves to chance, or the mean of all with what lies between them.
fn distance(all: &[f64], estimated: f64, poisson: f64) -> Distance {
    let n = all.len() as f64;
    let mean = all.iter().sum::<f64>() / n;
    let chance = match all {
        [_] => poisson,
        _ => {
            let squares = all.iter().map(|one| (one - mean).powi(2)).sum::<f64>();
            (squares / (n - 1.0) / n).sqrt() / estimated
        }
    };
    Distance {
        off: ((mean - estimated) / estimated).abs(),
        chance: SURE * chance,
    }
}

/// Figures are those of the first; what the others are for is [`distance`].
fn off(all: &[Simulated]) -> Off {
    let found = &all[0];
    let days = found.seconds / 86_400.0;
    let calls = |(at, system): (usize, &SystemSimulated)| {
        let estimated = system.calls_per_day.estimated?;
        let made = all.iter().map(|a| a.systems[at].calls_per_day.simulated);
        let made: Vec<f64> = made.collect::<Option<_>>()?;
        let chance = 1.0 / (estimated * days).sqrt();
        (estimated >= CALLS_LEAST).then(|| distance(&made, estimated, chance))
    };
    let mean = |(at, field): (usize, &FieldSimulated)| {
        let ages = field.age_seconds;
        let estimated = ages.mean.estimated?;
        let old = all.iter().map(|a| a.fields[at].age_seconds.mean.simulated);
        let old: Vec<f64> = old.collect::<Option<_>>()?;
        // An age by the clock is spread evenly over its gap.
        let chance = 0.6 / (ages.changes as f64).sqrt();
        (ages.changes >= CHANGES_LEAST).then(|| distance(&old, estimated, chance))
    };
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
        calls: found.systems.iter().enumerate().filter_map(calls).collect(),
        means: found.fields.iter().enumerate().filter_map(mean).collect(),
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
        Some(policies) => (policies, 20, days.unwrap_or(1)),
        None => (3, 1, 1),
    };
    let mut found: Vec<(bool, Off, Option<Off>)> = (first..first + policies)
        .into_par_iter()
        .map(|number| {
            let made = policies::policy(number, busy);
            let simulated = |seed| {
                let span = Span {
                    lasts: Millis::DAY.times(days),
                    seed,
                    outages: Vec::new(),
                };
                let found = simulate(&made.text, &span);
                found.unwrap_or_else(|why| panic!("policy {number}: {why}"))
            };
            if std::env::var("SYNCLINE_SHOW").is_ok_and(|what| what == "texts") {
                println!("policy {number}:\n{}", made.text);
            }
            let mut all = vec![simulated(number)];
            let once = off(&all);
            // A bulk job that is taken by chance is a day's calls more or less: what a Poisson load
            // leaves to chance knows nothing of it. Many days do.
            let often = once.is_beyond().then(|| {
                let seeds = (1..=AGAIN).map(|n| number + 1_000 * n);
                all.extend(seeds.map(simulated));
                off(&all)
            });
            if std::env::var("SYNCLINE_SHOW").is_ok() {
                show(number, &made.text, &all, often.as_ref().unwrap_or(&once));
            }
            (made.fails, once, often)
        })
        .collect();
    if long.is_some() {
        let span = Span {
            lasts: Millis::DAY.times(WORKED_DAYS),
            seed: 1,
            outages: Vec::new(),
        };
        let worked = simulate(include_str!("../examples/acme/policy.sync"), &span).unwrap();
        println!(
            "{}",
            syncline::render::simulation::human(&worked, syncline::render::Style::PLAIN)
        );
        // Calls of its vendors fail by chance.
        found.push((true, off(&[worked]), None));
    }
    let once = |of: fn(&Off) -> &Vec<Distance>| -> Vec<f64> {
        let all = found.iter().flat_map(|f| of(&f.1));
        all.map(|d| d.off).collect()
    };
    let (calls, means) = (once(|o| &o.calls), once(|o| &o.means));
    let beyond = |of: fn(&Off) -> &Vec<Distance>| {
        let last = found.iter().map(|f| f.2.as_ref().unwrap_or(&f.1));
        last.map(|o| most_beyond(of(o))).fold(0.0, f64::max)
    };
    let again = found.iter().filter(|f| f.2.is_some()).count();
    let (calls_beyond, means_beyond) = (beyond(|o| &o.calls), beyond(|o| &o.means));
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
        "{policies} policies, {changes} changes, {missing} missing, {} later than promised; \
         {again} simulated again, at most {:.1} % and {:.1} % off beyond chance\n{table}",
        late.len(),
        calls_beyond * 100.0,
        means_beyond * 100.0
    );
    for line in &late {
        println!("late: {line}");
    }
    assert!(calls_beyond < CALLS_OFF, "{calls_beyond} {table}");
    assert!(means_beyond < MEANS_OFF, "{means_beyond} {table}");
    if long.is_some() {
        assert!(call.0 < 0.01, "{table}");
        assert!(missing <= changes / 10_000, "{missing} of {changes}");
    }
    assert!(late.is_empty(), "{late:#?}");
}

fn show(number: u64, text: &str, all: &[Simulated], off: &Off) {
    if off.is_beyond() || off.missing > 0 || !off.late.is_empty() {
        let style = syncline::render::Style::PLAIN;
        let page = syncline::render::simulation::human(&all[0], style);
        println!("policy {number}:\n{text}\n{page}\n{off:#?}");
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
        let mut found = simulate(&made.text, &span).unwrap();
        // Told of, so that it alone would make them differ.
        found.seed = 0;
        syncline::render::simulation::json(&found)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn first_days_are_mondays() {
    assert_eq!(first_day(), NaiveDate::from_ymd_opt(2026, 1, 5).unwrap());
}
