//! How well syntax errors are placed: every single-token slip in good policies.
//!
//! By default every second slip is measured. `SYNCLINE_MUTATION_SEEDS=50 cargo test --test
//! syntax_mutations -- --nocapture` measures all of them fifty times over, each time with other
//! letters wrong; `SYNCLINE_MUTATION_SHOW=1` prints each that was missed.

#[path = "support/mutate.rs"]
mod mutate;

use std::collections::BTreeMap;
use syncline::syntax;
use syncline::text::{SourceFile, Sources};

const GOOD: [(&str, &str); 3] = [
    ("acme", include_str!("../examples/acme/policy.sync")),
    ("everything", include_str!("fixtures/good/everything.sync")),
    ("shop", include_str!("fixtures/good/shop.sync")),
];

#[derive(Default)]
struct Tally {
    all: usize,
    silent: usize,
    near: usize,
    few: usize,
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn slips_are_found_where_they_are() {
    let seeds: Option<u64> = env("SYNCLINE_MUTATION_SEEDS").and_then(|n| n.parse().ok());
    let step = if seeds.is_some() { 1 } else { 2 };
    let show = env("SYNCLINE_MUTATION_SHOW").is_some();
    let mut tallies: BTreeMap<mutate::Kind, Tally> = BTreeMap::new();
    for seed in 0..seeds.unwrap_or(1) {
        for (name, text) in GOOD {
            for slip in mutate::mutations(text, seed).into_iter().step_by(step) {
                let tally = tallies.entry(slip.kind).or_default();
                tally.all += 1;
                let mut sources = Sources::default();
                let id = sources.add(SourceFile::new(name, slip.text.as_str()));
                let (_, findings) = syntax::parse(&sources, id);
                let lines: Vec<u32> = findings
                    .iter()
                    .map(|f| sources.start(f.primary.expect("a place")).line)
                    .collect();
                let Some(first) = lines.first() else {
                    tally.silent += 1;
                    continue;
                };
                let (near, few) = (first.abs_diff(slip.line) <= 2, lines.len() <= 3);
                tally.near += usize::from(near);
                tally.few += usize::from(few);
                if show && !(near && few) {
                    let first = &findings[0].message;
                    println!(
                        "{name}:{} {:?} `{}` -> {lines:?} {first}",
                        slip.line, slip.kind, slip.token
                    );
                }
            }
        }
    }
    let mut sum = Tally::default();
    for (kind, tally) in &tallies {
        let told = tally.all - tally.silent;
        println!(
            "{kind:?}: {} slips, {} still grammatical, near {:.2} %, at most three {:.2} %",
            tally.all,
            tally.silent,
            100.0 * tally.near as f64 / told as f64,
            100.0 * tally.few as f64 / told as f64
        );
        sum.all += told;
        sum.near += tally.near;
        sum.few += tally.few;
    }
    assert!(sum.all > 1_000);
    assert!(
        sum.near * 100 >= sum.all * 95,
        "near: {} of {}",
        sum.near,
        sum.all
    );
    assert!(
        sum.few * 100 >= sum.all * 95,
        "few: {} of {}",
        sum.few,
        sum.all
    );
}
