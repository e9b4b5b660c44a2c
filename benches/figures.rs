//! `cargo bench --bench figures`: the estimate and the comparison of a policy of 60,000 fields, and
//! the joint choice of modes for 200 scenarios under 30 shared quotas, by how tight these are.

#[path = "../tests/support/memory.rs"]
mod memory;
#[path = "support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use memory::Memory;
use syncline::arithmetic::Arithmetic;
use syncline::choice::{Free, Ground, Limits, Outcome, Problem, Proof, Work};
use syncline::diff::{self, Side, Source};
use syncline::estimate::{self, Estimate};
use syncline::graph::Graph;
use syncline::plan::Plan;
use syncline::syntax::load::{Root, load};
use syncline::workspace::{self, Checked};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often the shorter ones are repeated; the median counts.
const ROUNDS: usize = 5;

/// What a choice of modes may take.
const CHOICE_TIME: Duration = Duration::from_secs(10);

fn today() -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date")
}

fn checked(text: &str) -> Checked {
    let files = Memory::new(&[("/w/policy.sync", text)]);
    let root = Root::Path(Path::new("policy.sync"));
    let loaded = load(root, &files, Path::new("/w")).expect("a policy");
    workspace::check(loaded, &files, today(), &[])
}

fn estimated(checked: &Checked) -> Estimate {
    let graph = Graph::build(&checked.policy);
    let arithmetic = Arithmetic::of(&checked.policy, &graph);
    estimate::of(Ground {
        policy: &checked.policy,
        graph: &graph,
        arithmetic: &arithmetic,
    })
}

/// What `estimate` shows: the figures with the ends between which guesses put them.
fn ranged(checked: &Checked) -> Estimate {
    let graph = Graph::build(&checked.policy);
    let arithmetic = Arithmetic::of(&checked.policy, &graph);
    let ground = Ground {
        policy: &checked.policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let mut estimate = estimate::of(ground);
    estimate::add_ranges(ground, checked.sources(), &mut estimate);
    estimate
}

fn planned(checked: &Checked) -> Plan {
    syncline::plan::compile(checked.sources(), &checked.policy).expect("a plan")
}

fn side<'a>(checked: &'a Checked, plan: &'a Plan, estimate: &'a Estimate) -> Side<'a> {
    let source = Source {
        policy: &checked.policy,
        sources: checked.sources(),
        findings: &checked.findings,
        estimate: Some(estimate),
    };
    Side::policy("policy", plan, source)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn main() {
    of_many_fields();
    choice();
}

fn of_many_fields() {
    let text = support::policy(1_000, 60);
    let other = text.replacen("  fresh 30m\n", "  fresh 40m\n", 100);
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut changes = 0;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let old = checked(&text);
        let read = Instant::now();
        std::hint::black_box(ranged(&old));
        let ranged = read.elapsed();
        let read_again = Instant::now();
        let old_figures = estimated(&old);
        let figured = Instant::now();
        let new = checked(&other);
        let new_figures = estimated(&new);
        let again = Instant::now();
        let (old_plan, new_plan) = (planned(&old), planned(&new));
        let found = diff::between(
            side(&old, &old_plan, &old_figures),
            &side(&new, &new_plan, &new_figures),
        );
        changes = found.changes.len();
        let compared = Instant::now();
        let reading = read - begin;
        times[0].push(reading + ranged);
        times[1].push(ranged);
        times[2].push(reading + (figured - read_again) + (again - figured) + (compared - again));
    }
    let [whole, figures, diff] = times.map(median);
    println!("60,000 fields, read and checked each time");
    println!("  estimate       {whole:7.1?}  (figures alone {figures:.1?})");
    println!(
        "  diff           {diff:7.1?}  ({changes} changes; both sides read, checked, estimated)"
    );
}

fn choice() {
    println!("\n200 scenarios, 30 quotas, 10 s at most");
    println!("calls/day  result");
    for quota in [4_000, 2_000, 1_500, 1_250] {
        let checked = checked(&many_scenarios(200, 30, quota));
        let graph = Graph::build(&checked.policy);
        let arithmetic = Arithmetic::of(&checked.policy, &graph);
        let ground = Ground {
            policy: &checked.policy,
            graph: &graph,
            arithmetic: &arithmetic,
        };
        let begin = Instant::now();
        let problem = Problem::new(ground, Free::All);
        let left = || Some(CHOICE_TIME.saturating_sub(begin.elapsed()).as_secs_f64());
        let outcome = problem.solve(&Limits {
            seconds_left: &left,
            work: Work::ASKED,
        });
        let time = begin.elapsed();
        let said = match outcome {
            Outcome::Solved(solved) => match solved.proof {
                Proof::Optimal => format!("optimal, {} solves", solved.solves),
                Proof::AtLeast(bound) => format!(
                    "{:.2} found, nothing below {bound:.2}: a gap of {:.2} %",
                    solved.truth.cost,
                    (solved.truth.cost - bound) / solved.truth.cost * 100.0
                ),
            },
            Outcome::Infeasible { .. } => "proven infeasible".to_owned(),
            Outcome::Open { .. } => "unknown".to_owned(),
        };
        println!("{quota:9}  {time:7.2?}  {said}");
    }
}

/// Scenarios between random pairs of systems, each system with one quota, all drawn from one seed.
fn many_scenarios(scenarios: usize, systems: usize, quota: u32) -> String {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut text = String::from("policy big {\n  upkeep 40 USD/month\n}\n");
    for s in 0..systems {
        let _ = writeln!(
            text,
            "system s{s} {{\n  connector postgres\n  secret url = env(\"S{s}\")\n  limit {quota}/day\n  price 1 USD per 1_000 calls\n}}"
        );
    }
    for i in 0..scenarios {
        let from = rng.usize(0..systems);
        let to = (from + 1 + rng.usize(0..systems - 1)) % systems;
        let changes = 10_f64.powf(1.0 + 2.0 * rng.f64()) as u64;
        let records = changes * rng.u64(5..50);
        let cost = ["0.001", "0.01", "0.05", "0.2"][rng.usize(0..4)];
        let _ = writeln!(
            text,
            "entity e{i} {{\n  key id\n  volume {records} records, {changes}/day changes\n  owner s{from}\n  accepts none\n  resolve owner_wins\n  field id: text\n  field v: text?\n}}\n\
             map e{i} in s{from} \"e{i}\" {{\n  same_names\n  cursor \"u\"\n  changed_at \"u\"\n}}\n\
             map e{i} in s{to} \"e{i}\" {{ same_names }}\n\
             scenario c{i} {{\n  sync e{i}(v) from s{from} to s{to}\n  mode every 4h\n  stale late_followup costs {cost} USD/hour\n}}"
        );
    }
    text
}
