//! The choice of modes against brute force: every assignment of small policies, each by the whole
//! arithmetic, and what the real checks say of the one that is chosen.

mod support;

use chrono::NaiveDate;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::fixtures;
use syncline::arithmetic::Arithmetic;
use syncline::checks::{self, Context};
use syncline::choice::{self, Free, Ground, Limits, Outcome, Problem, Proof, Work};
use syncline::finding::Severity;
use syncline::graph::Graph;
use syncline::model::{ModeKind, Policy};
use syncline::text::Sources;

struct World {
    sources: Sources,
    policy: Policy,
    graph: Graph,
}

fn now() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 5).unwrap()
}

fn world(text: &str) -> World {
    let parsed = fixtures::parse_text(text);
    let (policy, findings) = fixtures::lowered(&parsed);
    assert!(findings.is_empty(), "{findings:?}\n{text}");
    let graph = Graph::build(&policy);
    World {
        sources: parsed.sources,
        policy,
        graph,
    }
}

impl World {
    fn problem<'a>(&'a self, arithmetic: &'a Arithmetic, free: Free) -> Problem<'a> {
        let ground = Ground {
            policy: &self.policy,
            graph: &self.graph,
            arithmetic,
        };
        Problem::new(ground, free)
    }

    /// Errors that a mode can make, by the real checks.
    fn errors(&self, modes: &[ModeKind], free: Free) -> Vec<String> {
        let mut policy = self.policy.clone();
        let ids: Vec<_> = policy.scenarios.iter().map(|s| s.id).collect();
        for (id, mode) in ids.into_iter().zip(modes) {
            choice::put(&mut policy, id, mode.clone(), None);
        }
        let mut context = Context::new(&self.sources, &policy, &self.graph, now());
        // A choice looks at each scenario apart from when others run.
        context.arithmetic = Arithmetic::apart(&policy, &self.graph);
        // A declared mode that waits for events in vain is nothing that a choice can mend.
        let mut codes = vec![201, 203, 301, 302, 303, 307];
        codes.extend((free == Free::All).then_some(501));
        checks::run(&context, Vec::new())
            .into_iter()
            .filter(|f| f.severity == Severity::Error && codes.contains(&f.code.0))
            .map(|f| format!("{} {}", f.code, f.message))
            .collect()
    }
}

const ENDLESS: Limits = Limits {
    seconds_left: &|| None,
    work: Work::ASKED,
};

/// What a brute search over all assignments finds: cost and complexity of the best; none: nothing
/// is feasible.
fn brute(
    problem: &Problem,
    world: &World,
    arithmetic: &Arithmetic,
    free: Free,
) -> (Option<(f64, u32)>, Vec<Vec<ModeKind>>) {
    let ground = Ground {
        policy: &world.policy,
        graph: &world.graph,
        arithmetic,
    };
    let lists: Vec<Vec<(ModeKind, u32)>> = world
        .policy
        .scenarios
        .iter()
        .map(|s| {
            let own = s.mode.kind.clone();
            if free == Free::Auto && own != ModeKind::Auto {
                return vec![(own, 0)];
            }
            let restless = own == ModeKind::Auto || choice::says_how_late(ground, s);
            let modes = choice::choices(ground, s).into_iter();
            let modes = modes.filter(|m| choice::against_clauses(ground, s, m).is_empty());
            let rank = |m: &ModeKind| choice::rank(&world.policy, s, m, restless, *m == own);
            modes.map(|m| (m.clone(), rank(&m))).collect()
        })
        .collect();
    let mut held: Vec<(f64, u32)> = Vec::new();
    let mut tried = Vec::new();
    let mut pick = vec![0; lists.len()];
    loop {
        let chosen: Vec<&(ModeKind, u32)> = lists.iter().zip(&pick).map(|(l, p)| &l[*p]).collect();
        let modes: Vec<&ModeKind> = chosen.iter().map(|c| &c.0).collect();
        let truth = problem.truth_of(&modes);
        if tried.len() < 12 {
            tried.push(modes.iter().map(|m| (*m).clone()).collect());
        }
        if truth.faults.is_empty() && problem.hopeless.is_empty() {
            held.push((truth.cost, chosen.iter().map(|c| c.1).sum()));
        }
        let mut at = 0;
        while at < pick.len() {
            pick[at] += 1;
            if pick[at] < lists[at].len() {
                break;
            }
            pick[at] = 0;
            at += 1;
        }
        if at == pick.len() {
            break;
        }
    }
    let least = held.iter().map(|h| h.0).min_by(f64::total_cmp);
    let best = least.map(|least| {
        let most = least + (least.abs() * 1e-6).max(0.01);
        let equal = held.iter().filter(|h| h.0 <= most);
        (least, equal.map(|h| h.1).min().unwrap())
    });
    (best, tried)
}

const SYSTEMS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone)]
struct Flow {
    from: usize,
    to: usize,
    field: usize,
    mode: &'static str,
    stale: &'static str,
    fresh: &'static str,
    priority: &'static str,
}

fn flow() -> impl Strategy<Value = Flow> {
    let mode = prop_oneof![
        5 => Just("auto"),
        1 => Just("every 15m"),
        1 => Just("realtime"),
        1 => Just("hourly"),
        1 => Just("realtime with reconcile daily at 02:00"),
    ];
    let stale = prop_oneof![
        3 => Just(""),
        2 => Just("stale lost_lead costs 0.5 USD/hour"),
        2 => Just("stale wrong_content costs 0.02 USD/hour"),
        2 => Just("stale late_followup costs 3 USD/day"),
        1 => Just("stale compliance"),
        1 => Just("stale none"),
    ];
    let fresh = prop_oneof![5 => Just(""), 1 => Just("fresh 20m"), 1 => Just("fresh 2h"), 1 => Just("fresh 5m")];
    let priority =
        prop_oneof![4 => Just(""), 1 => Just("priority bulk"), 1 => Just("priority intent")];
    (
        0..4usize,
        1..4usize,
        0..3usize,
        mode,
        stale,
        fresh,
        priority,
    )
        .prop_map(|(from, step, field, mode, stale, fresh, priority)| Flow {
            from,
            to: (from + step) % 4,
            field,
            mode,
            stale,
            fresh,
            priority,
        })
}

fn policy_text() -> impl Strategy<Value = String> {
    let system = prop_oneof![
        4 => Just("connector postgres secret url = env(\"U\")"),
        2 => Just("connector customerio secret token = env(\"T\")"),
        2 => Just("connector hubspot secret token = env(\"T\")"),
        1 => Just("connector sqlite option path = \"x.db\""),
    ];
    let limit = prop_oneof![
        2 => Just(String::new()),
        3 => (50u32..6_000).prop_map(|n| format!("limit {n}/day")),
    ];
    let burst = prop_oneof![
        2 => Just(String::new()),
        2 => (1u32..20).prop_map(|n| format!("limit {n}/minute")),
        1 => (1u32..4).prop_map(|n| format!("limit {n}/second")),
    ];
    let price = prop_oneof![2 => Just(""), 1 => Just("price 0.01 USD per calls"), 1 => Just("price 1 USD per 1000 calls")];
    let system = (system, limit, burst, price).prop_map(|(connector, limit, burst, price)| {
        format!("{connector} {limit} {burst} {price}")
    });
    let bound = prop_oneof![3 => Just(""), 1 => Just("fresh 30m"), 1 => Just("fresh 6m"), 1 => Just("fresh 3h"), 1 => Just("fresh 10m in c")];
    let consent = prop_oneof![3 => Just(""), 1 => Just("class consent")];
    let upkeep = prop_oneof![Just(""), Just("upkeep 20 USD/month")];
    (
        proptest::collection::vec(system, 4),
        proptest::collection::vec(bound, 3),
        consent,
        proptest::collection::vec(flow(), 2..=3),
        100u32..4_000,
        upkeep,
        1usize..=4,
    )
        .prop_map(|(systems, bounds, consent, flows, volume, upkeep, _)| {
            let mut text = format!("policy shop {{ {upkeep} }}\n");
            for (name, system) in SYSTEMS.iter().zip(&systems) {
                text += &format!("system {name} {{ {system} cleared consent }}\n");
            }
            text += &format!(
                "entity contact {{ key id volume 20_000 records, {volume}/day changes, peak 4x\n \
                 owner a\n field id: text(20)\n field x: text(9)? {}\n \
                 field y: text(9)? accepts b resolve last_write_wins {}\n \
                 field z: bool {} {consent} }}\n",
                bounds[0], bounds[1], bounds[2]
            );
            for name in SYSTEMS {
                text += &format!(
                    "map contact in {name} {{ same_names cursor \"s\" changed_at \"t\" }}\n"
                );
            }
            for (at, f) in flows.iter().enumerate() {
                let (from, to) = (SYSTEMS[f.from], SYSTEMS[f.to]);
                text += &format!(
                    "scenario s{at} {{ sync contact({}) from {from} to {to} mode {} {} {} {} }}\n",
                    ["x", "y", "z"][f.field],
                    f.mode,
                    f.stale,
                    f.fresh,
                    f.priority
                );
            }
            text
        })
}

fn agrees(text: &str, free: Free) -> Result<&'static str, TestCaseError> {
    let world = world(text);
    let arithmetic = Arithmetic::apart(&world.policy, &world.graph);
    let problem = world.problem(&arithmetic, free);
    let (best, tried) = brute(&problem, &world, &arithmetic, free);
    let outcome = problem.solve(&ENDLESS);
    for modes in &tried {
        let kinds: Vec<&ModeKind> = modes.iter().collect();
        let faults = problem.truth_of(&kinds).faults;
        let errors = world.errors(modes, free);
        let clean = faults.is_empty() && problem.hopeless.is_empty();
        prop_assert_eq!(clean, errors.is_empty(), "{:?} but {:?}", faults, errors);
    }
    if !problem.hopeless.is_empty() {
        prop_assert!(best.is_none());
        return Ok("hopeless");
    }
    match (outcome, best) {
        (Outcome::Solved(solved), Some((cost, complexity))) => {
            prop_assert_eq!(solved.proof, Proof::Optimal);
            let most = (cost.abs() * 1e-6).max(0.01);
            prop_assert!(
                (solved.truth.cost - cost).abs() <= 2.0 * most,
                "{} for {cost}",
                solved.truth.cost
            );
            prop_assert!(solved.simplest);
            prop_assert_eq!(problem.complexity(&solved.pick), complexity);
            let modes: Vec<ModeKind> = (0..world.policy.scenarios.len())
                .map(|at| problem.mode(&solved.pick, at).unwrap().clone())
                .collect();
            let errors = world.errors(&modes, free);
            prop_assert!(errors.is_empty(), "{errors:?}");
            Ok("solved")
        }
        (Outcome::Infeasible { .. }, None) => Ok("infeasible"),
        (outcome, best) => Err(TestCaseError::fail(format!("{outcome:?} for {best:?}"))),
    }
}

#[test]
fn the_choice_is_that_of_brute_force() {
    let cases = std::env::var("CHOICE_CASES")
        .ok()
        .and_then(|c| c.parse().ok());
    let mut runner = TestRunner::new(Config {
        cases: cases.unwrap_or(200),
        failure_persistence: None,
        ..Config::default()
    });
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::<&str, u32>::new());
    let strategy = (policy_text(), any::<bool>());
    runner
        .run(&strategy, |(text, all)| {
            let free = if all { Free::All } else { Free::Auto };
            let how = agrees(&text, free).map_err(|e| match e {
                TestCaseError::Fail(why) => TestCaseError::fail(format!("{why}\n{text}")),
                reject => reject,
            })?;
            *seen.borrow_mut().entry(how).or_default() += 1;
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    println!("{seen:?}");
    assert!(seen.get("solved").is_some_and(|n| *n > 20), "{seen:?}");
}
