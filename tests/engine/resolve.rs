//! Every rule end to end: whatever the order, repetition and batching of the same changes, every
//! system ends with the same value, the one that the rule gives.

use std::sync::Arc;

use syncline::engine::register::{FieldRegister, Stamp};
use syncline::engine::resolve::{Rule, shown};
use syncline::terms::ResolveRule;
use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Bench, START};

const RULES: [(ResolveRule, &str); 8] = [
    (ResolveRule::OwnerWins, "int"),
    (ResolveRule::LastWriteWins, "int"),
    (ResolveRule::FirstWriteWins, "int"),
    (ResolveRule::AnyTrue, "bool"),
    (ResolveRule::AllTrue, "bool"),
    (ResolveRule::Max, "int"),
    (ResolveRule::Min, "int"),
    (ResolveRule::Union, "set(int)"),
];

const SYSTEMS: [&str; 3] = ["a", "b", "c"];

/// A change: system, key, value, milliseconds after the start.
type Change = (usize, usize, Value, i64);

fn sync(flows: usize) -> &'static str {
    match flows {
        0 => "scenario s { sync contact(f) between a, b, c mode MODE }",
        // The same hops as several scenarios, the last of them a star.
        1 => {
            "scenario s { sync contact(f) between a, b mode MODE } \
             scenario t { sync contact(f) between b, c mode MODE } \
             scenario u { sync contact(f) from a to c mode MODE } \
             scenario v { sync contact(f) from c to a mode MODE }"
        }
        // No hop between `a` and `c`: what one says reaches the other by way of `b`.
        _ => {
            "scenario s { sync contact(f) between a, b mode MODE } \
             scenario t { sync contact(f) between b, c mode MODE }"
        }
    }
}

fn bench(rule: ResolveRule, ty: &str, flows: usize, mode: &str, seed: u64) -> Bench {
    let field = format!("field f: {ty}? accepts b, c resolve {rule}");
    Bench::new(&policy(&field, &sync(flows).replace("MODE", mode)), seed)
}

/// Changes at different times, no two of one value but where the type has only two.
fn changes(rule: ResolveRule, rng: &mut fastrand::Rng) -> Vec<Change> {
    let count = rng.usize(2..9);
    let mut out: Vec<Change> = Vec::new();
    for i in 0..count {
        let system = rng.usize(0..3);
        let key = rng.usize(0..2);
        let n = i as i64 * 7 % 11;
        let value = match rule {
            // Only the owner takes the value back, so only it says the other one.
            ResolveRule::AnyTrue => Value::Bool(system != 0 || rng.bool()),
            ResolveRule::AllTrue => Value::Bool(system == 0 && rng.bool()),
            ResolveRule::Union => Value::set(vec![Value::Int(n), Value::Int(100 + rng.i64(0..4))]),
            _ => Value::Int(n),
        };
        out.push((system, key, value, i as i64 * 1_000 + rng.i64(0..900)));
    }
    out
}

fn wanted(rule: ResolveRule, changes: &[Change], key: usize) -> Option<Value> {
    let mut field = FieldRegister::default();
    for (i, (system, of, value, at)) in changes.iter().enumerate() {
        if *of == key {
            let stamp = Stamp {
                value: value.clone(),
                at: (START + at) * 1_000,
                id: Arc::from(format!("e{}", i + 1)),
            };
            field.merge(*system as u16, stamp);
        }
    }
    let rule = Rule {
        resolve: Some(rule),
        owner: Some(0),
    };
    shown(rule, &field).value().cloned()
}

fn check(bench: &Bench, rule: ResolveRule, changes: &[Change], what: &str) {
    for key in 0..2 {
        let Some(value) = wanted(rule, changes, key) else {
            continue;
        };
        for system in SYSTEMS {
            assert_eq!(
                bench.value(system, &format!("k{key}"), "f").as_ref(),
                Some(&value),
                "{what}: `{system}`, key {key}, {rule}, {changes:?}\n{}",
                bench.story(&format!("k{key}"))
            );
        }
    }
}

#[test]
fn events_in_any_order_and_repeated_end_in_one_value_everywhere() {
    for seed in 0..40u64 {
        for (rule, ty) in RULES {
            let mut rng = fastrand::Rng::with_seed(seed * 31 + rule as u64);
            let flows = rng.usize(0..3);
            let mut bench = bench(rule, ty, flows, "realtime", seed);
            let changes = changes(rule, &mut rng);
            bench.sim.held_events = Some(Vec::new());
            for (system, key, value, at) in &changes {
                let fields = vec![("f".to_owned(), value.clone())];
                let key = format!("k{key}");
                let at = START + at;
                bench
                    .sim
                    .sets_at(SYSTEMS[*system], "contact", &key, &fields, at);
            }
            bench.sim.now = START + 20_000;
            let mut undelivered = bench.sim.held_events.replace(Vec::new()).unwrap();
            while !undelivered.is_empty() {
                let take = rng.usize(1..=undelivered.len());
                rng.shuffle(&mut undelivered);
                for (system, event) in undelivered.drain(..take).collect::<Vec<_>>() {
                    bench.sim.push(&system, event.clone());
                    if rng.u8(0..4) == 0 {
                        bench.sim.push(&system, event);
                    }
                }
                bench.until_idle();
                bench.sim.now += rng.i64(0..3_000);
                undelivered.extend(bench.sim.held_events.replace(Vec::new()).unwrap());
            }
            let what = format!("seed {seed}, flows {flows}");
            check(&bench, rule, &changes, &what);
            let before = bench.all_writes();
            bench.until_idle();
            assert_eq!(bench.all_writes(), before, "{what}: {rule}");
        }
    }
}

#[test]
fn scheduled_reads_in_any_batching_end_in_one_value_everywhere() {
    for seed in 0..40u64 {
        for (rule, ty) in RULES {
            // Of the values that a system had between two reads none but the last can be known;
            // these rules ask for no more.
            if matches!(
                rule,
                ResolveRule::FirstWriteWins | ResolveRule::AnyTrue | ResolveRule::AllTrue
            ) {
                continue;
            }
            let mut rng = fastrand::Rng::with_seed(seed * 37 + rule as u64);
            let mut bench = bench(rule, ty, 0, "hourly", seed);
            let changes = changes(rule, &mut rng);
            let mut seen: Vec<Change> = Vec::new();
            let mut batch: Vec<Change> = Vec::new();
            for change in &changes {
                let (system, key, value, at) = change;
                bench.sim.now = bench.sim.now.max(START + at);
                let now = bench.sim.now;
                let fields = vec![("f".to_owned(), value.clone())];
                let key_text = format!("k{key}");
                bench
                    .sim
                    .seed(SYSTEMS[*system], "contact", &key_text, &fields, now);
                batch.retain(|c| (c.0, c.1) != (*system, *key));
                batch.push((*system, *key, value.clone(), now - START));
                if rng.bool() {
                    bench.until_idle();
                    seen.append(&mut batch);
                }
            }
            bench.until_idle();
            seen.append(&mut batch);
            check(&bench, rule, &seen, &format!("seed {seed}"));
            let before = bench.all_writes();
            bench.until_idle();
            bench.sim.now += 1_000;
            bench.until_idle();
            assert_eq!(bench.all_writes(), before, "seed {seed}: {rule}");
        }
    }
}

#[test]
fn a_write_of_one_flow_does_not_make_what_another_reads_there_look_new() {
    let fields = "field name: text? field f: bool? owner b accepts a resolve any_true";
    let flows = "scenario s { sync contact(name) from a to b mode hourly } \
         scenario t { sync contact(f) between a, b mode daily at 03:00 }";
    let mut bench = Bench::new(&policy(fields, flows), 1);
    bench.seed("b", "k", &[("f", Value::Bool(false))], -90_000);
    let told = [("f", Value::Bool(true)), ("name", Value::Text("x".into()))];
    bench.seed("a", "k", &told, -50_000);
    bench.until_idle();
    assert_eq!(bench.value("b", "k", "f"), Some(Value::Bool(true)));
    assert_eq!(bench.value("a", "k", "f"), Some(Value::Bool(true)));
}
