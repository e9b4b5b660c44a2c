//! How well mistakes are placed: every single-token slip in good policies.
//!
//! Twice: syntax errors alone, as the parser finds them, and everything that a check finds. By
//! default some of the slips are measured. `SYNCLINE_MUTATION_SEEDS=50 cargo test --test
//! syntax_mutations -- --nocapture` measures all of them fifty times over, each time with other
//! letters wrong; `SYNCLINE_MUTATION_SHOW=1` prints each that was missed.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/mutate.rs"]
mod mutate;
#[path = "support/whole.rs"]
mod whole;

use mutate::Mutation;
use rayon::prelude::*;
use std::collections::BTreeMap;
use syncline::syntax;
use syncline::text::{SourceFile, Sources};

const GOOD: [(&str, &str); 3] = [
    ("acme", include_str!("../examples/acme/policy.sync")),
    ("everything", include_str!("fixtures/good/everything.sync")),
    ("shop", include_str!("fixtures/good/shop.sync")),
];

/// The lines of the findings of a slip in the order shown, and the first one's message.
type Told = (Vec<u32>, String);

#[derive(Default)]
struct Tally {
    all: usize,
    silent: usize,
    near: usize,
    few: usize,
}

impl Tally {
    /// Counts a slip; gives back whether it was placed as it should be.
    fn add(&mut self, slip: &Mutation, lines: &[u32]) -> bool {
        self.all += 1;
        let Some(first) = lines.first() else {
            self.silent += 1;
            return true;
        };
        let (near, few) = (first.abs_diff(slip.line) <= 2, lines.len() <= 3);
        self.near += usize::from(near);
        self.few += usize::from(few);
        near && few
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How many corpora are measured, and every how manieth slip of each; `few` where none is asked for.
fn extent(few: usize) -> (u64, usize) {
    match env("SYNCLINE_MUTATION_SEEDS").and_then(|n| n.parse().ok()) {
        Some(seeds) => (seeds, 1),
        None => (1, few),
    }
}

/// Measures slips of some policies; holds that `share` of a hundred are placed well.
fn measure(
    good: &[(&str, String)],
    every: usize,
    share: usize,
    told: impl Fn(&str, &str) -> Told + Sync,
) {
    let (seeds, step) = extent(every);
    let show = env("SYNCLINE_MUTATION_SHOW").is_some();
    let mut tallies: BTreeMap<mutate::Kind, Tally> = BTreeMap::new();
    for seed in 0..seeds {
        for (name, text) in good {
            // An odd step meets every kind of slip.
            let slips: Vec<Mutation> = mutate::mutations(text, seed)
                .into_iter()
                .step_by(step)
                .collect();
            let all: Vec<Told> = slips
                .par_iter()
                .map(|slip| told(name, &slip.text))
                .collect();
            for (slip, (lines, message)) in slips.iter().zip(all) {
                let well = tallies.entry(slip.kind).or_default().add(slip, &lines);
                if show && !well {
                    let Mutation {
                        line, kind, token, ..
                    } = slip;
                    println!("{name}:{line} {kind:?} `{token}` -> {lines:?} {message}");
                }
            }
        }
    }
    hold(&tallies, share);
}

fn hold(tallies: &BTreeMap<mutate::Kind, Tally>, share: usize) {
    let mut sum = Tally::default();
    for (kind, tally) in tallies {
        let told = tally.all - tally.silent;
        println!(
            "{kind:?}: {} slips, {} found nothing, near {:.2} %, at most three {:.2} %",
            tally.all,
            tally.silent,
            100.0 * tally.near as f64 / told as f64,
            100.0 * tally.few as f64 / told as f64
        );
        sum.all += told;
        sum.near += tally.near;
        sum.few += tally.few;
    }
    println!(
        "together: {} told, near {:.2} %, at most three {:.2} %",
        sum.all,
        100.0 * sum.near as f64 / sum.all as f64,
        100.0 * sum.few as f64 / sum.all as f64
    );
    assert!(sum.all > 300);
    assert!(
        sum.near * 100 >= sum.all * share,
        "near: {} of {}",
        sum.near,
        sum.all
    );
    assert!(
        sum.few * 100 >= sum.all * share,
        "few: {} of {}",
        sum.few,
        sum.all
    );
}

#[test]
fn slips_of_syntax_are_found_where_they_are() {
    let good = GOOD.map(|(name, text)| (name, text.to_owned()));
    measure(&good, 3, 95, |name, text| {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new(name, text));
        let (_, findings) = syntax::parse(&sources, id);
        let line = |f: &syncline::finding::Finding| sources.start(f.primary.expect("a place")).line;
        let message = findings.first().map(|f| f.message.clone());
        (
            findings.iter().map(line).collect(),
            message.unwrap_or_default(),
        )
    });
}

/// With every check on. What the good policy is told too does not count.
#[test]
fn slips_of_any_kind_are_found_where_they_are() {
    let good = whole::good();
    let before: BTreeMap<&str, _> = good
        .iter()
        .map(|(name, text)| (*name, whole::check_text(text).findings))
        .collect();
    measure(&good, 13, 95, |name, text| {
        let checked = whole::check_text(text);
        let news = whole::news(&checked.findings, &before[name]);
        let line = |f: &&syncline::finding::Finding| {
            f.primary
                .map_or(1, |place| checked.sources().start(place).line)
        };
        let message = news.first().map(|f| format!("{} {}", f.code, f.message));
        (news.iter().map(line).collect(), message.unwrap_or_default())
    });
}
