//! `cargo bench --bench worlds`: how many of a policy's tests run in a second, on one core and on
//! all, and how much virtual time that is.

#[path = "../tests/support/memory.rs"]
mod memory;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use memory::Memory;
use syncline::model::Test;
use syncline::sim::trial::Suite;
use syncline::syntax::load::{Root, load};
use syncline::workspace;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The worked policy.
const POLICY: &str = include_str!("../examples/acme/policy.sync");
/// Tests of each kind.
const TESTS: usize = 1_000;

/// The worked policy with a consent, a demo request, an outage and a day of batches, each so often.
fn policy() -> String {
    let mut text = POLICY.to_owned();
    for n in 0..TESTS {
        let key = format!("p{n}@example.com");
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            r#"
test "consent {n}" {{
  given contact "{key}" {{ opted_out = false }} in crm, mailer
  at 0s mailer sets contact "{key}" {{ opted_out = true }}
  at 2s crm sets contact "{key}" {{ opted_out = false }}
  expect at 1m contact "{key}" in crm {{ opted_out = true }}
}}
test "status {n}" {{
  at 1s crm sets contact "{key}" {{ lead_status = working }}
  expect at 6m contact "{key}" in mailer {{ lead_status = working }}
}}
test "outage {n}" {{
  at 0s crm down for 1h
  at 1m mailer sets contact "{key}" {{ opted_out = true }}
  expect at 2h contact "{key}" in crm {{ opted_out = true }}
}}
test "day {n}" {{
  at 1s crm sets contact "{key}" {{ first_name = "Ada", opted_out = false }}
  expect at 24h contact "{key}" in mailer {{ first_name = "Ada" }}
}}
"#
        );
    }
    text
}

fn main() {
    let text = policy();
    let files = Memory::new(&[("/w/policy.sync", &text)]);
    let root = Root::Path(Path::new("policy.sync"));
    let loaded = load(root, &files, Path::new("/w")).expect("a policy");
    let day = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date");
    let checked = workspace::check(loaded, &files, day, &[]);
    let plan = syncline::plan::compile(checked.sources(), &checked.policy).expect("a plan");
    let suite = Suite::new(&checked.policy, plan).expect("a suite");
    println!("| tests | cores | seconds | tests/s | virtual days |");
    println!("|---|---|---|---|---|");
    for kind in ["consent", "status", "outage", "day"] {
        let tests: Vec<&Test> = checked
            .policy
            .tests
            .iter()
            .filter(|test| test.title.text.starts_with(kind))
            .collect();
        for cores in [1, 0] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build();
            let pool = pool.expect("a pool");
            let started = Instant::now();
            let trials = pool.install(|| suite.run(&tests));
            let seconds = started.elapsed().as_secs_f64();
            let failed = trials.iter().find(|t| !t.passed());
            assert!(failed.is_none(), "{failed:?}");
            let days: f64 = trials.iter().map(|t| t.lasted.as_secs_f64()).sum();
            println!(
                "| {} of {kind} | {} | {seconds:.2} | {:.0} | {:.1} |",
                tests.len(),
                pool.current_num_threads(),
                tests.len() as f64 / seconds,
                days / 86_400.0
            );
        }
    }
}
