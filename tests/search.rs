//! Looks for faults of the engine: policies, histories and troubles made by chance, on the real
//! engine under virtual time, held to what the rules say.
//!
//! Each case is a policy, what people did in its systems, and what went wrong meanwhile: crashes at
//! any call of the store, lost and repeated answers, failing, slow and absent systems, events that
//! come late, twice and out of order, clocks that are off. After each the laws are held
//! ([`laws`]). A case that breaks one is shrunk and printed with the seed that makes it again.
//!
//! A short search runs with the suite. A long one: `SYNCLINE_HISTORIES=100000 cargo test --release
//! --test search -- --nocapture`; `SYNCLINE_SEED` picks where it starts. `docs/reliability.md` has
//! the figures.

#[path = "support/fixtures.rs"]
mod fixtures;

#[path = "search/case.rs"]
mod case;
#[path = "search/laws.rs"]
mod laws;
#[path = "search/play.rs"]
mod play;
#[path = "search/truth.rs"]
mod truth;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rayon::prelude::*;

use case::Case;
use play::{Played, play};

/// Histories of one seed.
const AT_ONCE: u64 = 10;

/// What a search went through.
#[derive(Default)]
struct Sum {
    histories: u64,
    virtual_ms: u64,
    crashes: u64,
    changes: u64,
    writes: u64,
    calls: u64,
    lost_replies: u64,
    failed_calls: u64,
}

impl Sum {
    fn add(&mut self, played: &Played) {
        self.histories += 1;
        self.virtual_ms += played.virtual_ms;
        self.crashes += played.crashes;
        self.changes += played.changes;
        self.writes += played.writes;
        self.calls += played.calls;
        self.lost_replies += played.lost_replies;
        self.failed_calls += played.failed_calls;
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), rng)
}

/// The smallest case found that still breaks a law, with what it breaks.
fn shrunk(mut tree: impl ValueTree<Value = Case>, mut broken: Vec<String>) -> (Case, Vec<String>) {
    let mut case = tree.current();
    let mut tries = 0;
    let mut moved = tree.simplify();
    while moved && tries < 200 {
        tries += 1;
        let next = tree.current();
        let played = play(&next);
        if played.broken.is_empty() {
            moved = tree.complicate();
        } else {
            (case, broken) = (next, played.broken);
            moved = tree.simplify();
        }
    }
    (case, broken)
}

/// Searches the histories of one seed; the first fault as a message.
fn search(seed: u64, histories: u64, sum: &Mutex<Sum>) -> Option<String> {
    let mut runner = runner(seed);
    let strategy = case::any_case();
    for n in 0..histories {
        // A strategy without filters gives a case each time.
        let tree = strategy.new_tree(&mut runner).unwrap();
        let played = play(&tree.current());
        sum.lock().unwrap().add(&played);
        if !played.broken.is_empty() {
            let found = format!("history {} of SYNCLINE_SEED={seed}", n + 1);
            let (case, broken) = shrunk(tree, played.broken);
            return Some(format!(
                "{found} breaks:\n  {}\n\nthe smallest case found:\n{case:#?}\n\n{}",
                broken.join("\n  "),
                case.policy()
            ));
        }
    }
    None
}

#[test]
fn no_history_breaks_a_law() {
    let histories = number("SYNCLINE_HISTORIES", 20);
    let first = number("SYNCLINE_SEED", 1);
    let sum = Mutex::new(Sum::default());
    let stop = AtomicBool::new(false);
    let started = std::time::Instant::now();
    let seeds = histories.div_ceil(AT_ONCE);
    let faults: BTreeMap<u64, String> = (first..first + seeds)
        .into_par_iter()
        .filter_map(|seed| {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let fault = search(seed, AT_ONCE.min(histories), &sum)?;
            stop.store(true, Ordering::Relaxed);
            Some((seed, fault))
        })
        .collect();
    let sum = sum.into_inner().unwrap();
    println!(
        "{} histories, {:.0} virtual days, {} changes, {} calls, {} writes, {} crashes, {} lost \
         replies, {} failed calls, in {:.1} s",
        sum.histories,
        sum.virtual_ms as f64 / 86_400_000.0,
        sum.changes,
        sum.calls,
        sum.writes,
        sum.crashes,
        sum.lost_replies,
        sum.failed_calls,
        started.elapsed().as_secs_f64()
    );
    if let Some((_, fault)) = faults.first_key_value() {
        panic!("{fault}");
    }
}

#[test]
fn a_seed_makes_the_same_histories_again() {
    let tell = || {
        let mut runner = runner(3);
        let mut out = String::new();
        for _ in 0..5 {
            let case = case::any_case().new_tree(&mut runner).unwrap().current();
            out += &format!("{case:?}\n{:?}\n", play(&case));
        }
        out
    };
    assert_eq!(tell(), tell());
}
