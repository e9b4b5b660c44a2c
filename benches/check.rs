//! `cargo bench --bench check`: how long reading, resolving and checking take by size, and in which
//! phase the time goes. The peer in the same run is the generated pest parser alone, on the same
//! text, on one thread: the floor under anything built on it.

#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use syncline::text::{SourceFile, Sources};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM"));
    let kib: f64 = line
        .and_then(|l| l.split_whitespace().nth(1))
        .and_then(|n| n.parse().ok())
        .unwrap_or(0.0);
    kib / 1024.0
}

fn main() {
    println!(
        "entities  fields mapped  lines     MB     parse   resolve  graph    checks   total    findings  peak MiB"
    );
    for entities in [250, 500, 1_000] {
        let text = support::policy(entities, 60);
        let mut phases: [Vec<Duration>; 5] = Default::default();
        let mut findings = 0;
        for _ in 0..5 {
            let mut sources = Sources::default();
            let begin = Instant::now();
            let file = sources.add(SourceFile::new("policy.sync", text.as_str()));
            let (tree, early) = syncline::syntax::parse(&sources, file);
            let parsed = Instant::now();
            let trees = vec![tree];
            let today = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date");
            let input = syncline::model::Input {
                sources: &sources,
                files: &trees,
                unread: false,
                catalog: syncline::catalog::Catalog::builtin(),
                own: &Default::default(),
                now: today,
            };
            let (policy, mut found) = syncline::model::lower(&input);
            let lowered = Instant::now();
            let graph = syncline::graph::Graph::build(&policy);
            let graphed = Instant::now();
            found.extend(early);
            let context = syncline::checks::Context::new(&sources, &policy, &graph, today);
            findings = syncline::checks::run(&context, found).len();
            let checked = Instant::now();
            for (slot, time) in phases.iter_mut().zip([
                parsed - begin,
                lowered - parsed,
                graphed - lowered,
                checked - graphed,
                checked - begin,
            ]) {
                slot.push(time);
            }
        }
        let [parse, resolve, graph, checks, total] = phases.map(median);
        println!(
            "{entities:8}  {:13}  {:8}  {:5.2}  {:7.1?}  {:7.1?}  {:7.1?}  {:7.1?}  {:7.1?}  {findings:8}  {:8.1}",
            entities * 60,
            text.lines().count(),
            text.len() as f64 / 1e6,
            parse,
            resolve,
            graph,
            checks,
            total,
            peak_memory_mib(),
        );
    }
}
