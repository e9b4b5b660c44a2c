//! Exponential waits with full jitter against the figures that are known of them: clients that
//! contend for one row, each in turn beaten by all others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use syncline::engine::program::{Program, full_jitter};

use crate::basics::policy;
use crate::world::program;

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Its read arrives.
    Reads,
    /// The version that it read comes back.
    Knows(u32),
    /// Its write of the row as it was at that version arrives.
    Writes(u32),
    /// Whether it was written comes back.
    Hears(bool),
}

/// Microseconds that a message takes: about 10 ms, give or take 2.
fn message(random: &mut fastrand::Rng) -> u64 {
    let (a, b) = (1.0 - random.f64(), random.f64());
    let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    ((10.0 + 2.0 * normal).abs() * 1_000.0) as u64
}

/// So many clients write one row, all at once; gives when the last is done, in milliseconds, and
/// how many writes it took.
fn contend(program: &Program, clients: usize, random: &mut fastrand::Rng) -> (f64, f64) {
    let (mut version, mut writes, mut end) = (0, 0, 0);
    let mut failures = vec![0; clients];
    let first = (0..clients).map(|client| Reverse((message(random), client, Step::Reads)));
    let mut steps: BinaryHeap<_> = first.collect();
    while let Some(Reverse((now, client, step))) = steps.pop() {
        let (wait, next) = match step {
            Step::Reads => (0, Step::Knows(version)),
            Step::Knows(read) => (0, Step::Writes(read)),
            Step::Writes(read) => {
                writes += 1;
                let fits = read == version;
                version += u32::from(fits);
                (0, Step::Hears(fits))
            }
            Step::Hears(true) => {
                end = end.max(now);
                continue;
            }
            Step::Hears(false) => {
                failures[client] += 1;
                let ceiling = program.backoff(0, failures[client]);
                (full_jitter(ceiling, random.f64()).0 * 1_000, Step::Reads)
            }
        };
        steps.push(Reverse((now + wait + message(random), client, next)));
    }
    (end as f64 / 1_000.0, f64::from(writes))
}

#[test]
fn full_jitter_spreads_contending_clients_as_it_is_known_to() {
    // A base of 5 ms doubled for the first retry already, at most 2 s.
    let flow = "scenario s { sync contact(name) from a to b mode realtime \
         retry exponential from 10ms to 2s, 40 attempts }";
    let program = program(&policy("field name: text?", flow));
    // Clients, mean time until the last is done in ms, mean writes: published for full jitter.
    let known = [
        (10, 455.3, 39.0),
        (20, 982.6, 100.3),
        (30, 1_734.7, 172.3),
        (40, 2_259.2, 249.2),
        (50, 2_883.0, 332.9),
    ];
    let mut random = fastrand::Rng::with_seed(5);
    for (clients, ms, writes) in known {
        let runs = 200;
        let (mut time, mut made) = (0.0, 0.0);
        for _ in 0..runs {
            let (end, writes) = contend(&program, clients, &mut random);
            time += end / f64::from(runs);
            made += writes / f64::from(runs);
        }
        let near = |found: f64, known: f64| (found / known - 1.0).abs() < 0.05;
        assert!(near(made, writes), "{clients} clients: {made} writes");
        assert!(near(time, ms), "{clients} clients: {time} ms");
    }
    for attempt in (1..12).chain([80]) {
        let wanted = 10u64.saturating_mul(1 << (attempt - 1).min(20)).min(2_000);
        let ceiling = program.backoff(0, attempt);
        assert_eq!(ceiling.0, wanted, "{attempt}");
        let draws = 100_000;
        let waits = (0..draws).map(|_| full_jitter(ceiling, random.f64()).0);
        let (mut sum, mut most) = (0, 0);
        waits.for_each(|wait| (sum, most) = (sum + wait, most.max(wait)));
        let mean = sum as f64 / f64::from(draws);
        assert!(most <= wanted, "{attempt}: {most}");
        assert!(
            (mean / (wanted as f64 / 2.0) - 1.0).abs() < 0.03,
            "{attempt}: {mean}"
        );
    }
}
