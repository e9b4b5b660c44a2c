//! The laws of a sharing, and examples that are published.

use proptest::prelude::*;

use super::super::polling::{Measure, freshness};
use super::{Part, Reader, Shared, Short, Way, gain, price_of, share};

fn polled(changes: f64) -> Reader {
    Reader {
        way: Way::Polled(vec![Part {
            weight: 1.0,
            changes,
        }]),
        calls: vec![1.0],
        least: 0.0,
        most: f64::INFINITY,
    }
}

fn shared(measure: Measure, readers: &[Reader], quota: f64) -> Shared {
    share(measure, readers, &[quota]).expect("floors that fit")
}

/// Calls a day of one quota.
fn calls(quota: usize, readers: &[Reader], reads: &[f64]) -> f64 {
    let each = readers.iter().zip(reads);
    each.map(|(r, f)| r.calls[quota] * f).sum()
}

/// Cho and Garcia-Molina's table: five elements that change once to five times a day, five reads a
/// day in all.
#[test]
fn the_published_example_comes_out() {
    let five: Vec<Reader> = (1..=5).map(|n| polled(f64::from(n))).collect();
    let found = shared(Measure::Freshness, &five, 5.0);
    for (reads, published) in found.reads.iter().zip([1.15, 1.36, 1.35, 1.14, 0.00]) {
        assert!((reads - published).abs() < 0.005, "{:?}", found.reads);
    }
    // It is better than equal shares and than shares in proportion to the changes.
    let sum = |reads: &[f64]| -> f64 {
        let pairs = reads.iter().zip(1..);
        pairs.map(|(f, n)| freshness(f64::from(n), *f)).sum()
    };
    let best = sum(&found.reads);
    assert!(best > sum(&[1.0; 5]) + 0.01);
    assert!(best > sum(&[1.0, 2.0, 3.0, 4.0, 5.0].map(|n| n / 3.0)) + 0.01);
}

#[test]
fn age_and_harmonic_leave_nothing_out_where_freshness_does() {
    let two = [polled(1.0), polled(1e6)];
    assert_eq!(shared(Measure::Freshness, &two, 2.0).reads[1], 0.0);
    for measure in [Measure::Age, Measure::Harmonic] {
        let found = shared(measure, &two, 2.0);
        assert!(found.reads.iter().all(|f| *f > 0.3), "{found:?}");
    }
}

#[test]
fn alike_get_alike_and_floors_come_first() {
    for measure in [Measure::Freshness, Measure::Age, Measure::Harmonic] {
        let mut three = [polled(2.0), polled(2.0), polled(2.0)];
        let found = shared(measure, &three, 12.0);
        assert!(found.reads.iter().all(|f| (f - 4.0).abs() < 1e-9));
        three[0].least = 10.0;
        let found = shared(measure, &three, 12.0);
        assert_eq!(found.reads[0], 10.0);
        assert!((found.reads[1] - 1.0).abs() < 1e-9, "{found:?}");
        three[1].least = 2.5;
        let short = Short {
            quota: 0,
            needs: 12.5,
        };
        assert_eq!(share(measure, &three, &[12.0]), Err(short));
    }
}

#[test]
fn a_read_that_costs_more_calls_is_made_less_often() {
    let mut two = [polled(3.0), polled(3.0)];
    two[1].calls = vec![4.0];
    for measure in [Measure::Freshness, Measure::Age, Measure::Harmonic] {
        let found = shared(measure, &two, 20.0);
        assert!(found.reads[0] > 1.5 * found.reads[1], "{found:?}");
    }
}

#[test]
fn what_notifies_is_read_at_most_once_a_change() {
    let notified = Reader {
        way: Way::Notified(Part {
            weight: 1.0,
            changes: 10.0,
        }),
        most: 10.0,
        ..polled(0.0)
    };
    let two = [polled(10.0), notified];
    // 1/n = λ/(f(f + λ)) and f + n = 12: f² + 2λf − 12λ = 0.
    let found = shared(Measure::Harmonic, &two, 12.0);
    let polls = -10.0 + 220.0_f64.sqrt();
    assert!((found.reads[0] - polls).abs() < 1e-9, "{found:?}");
    assert!((found.multipliers[0] - 1.0 / (12.0 - polls)).abs() < 1e-9);
    let plenty = shared(Measure::Harmonic, &two, 100.0);
    assert_eq!(plenty.reads[1], 10.0);
    assert!((plenty.reads[0] - 90.0).abs() < 1e-9);
}

#[test]
fn what_is_left_where_all_have_their_most_is_worth_nothing() {
    let few = Reader {
        most: 3.0,
        ..polled(1.0)
    };
    let found = shared(Measure::Age, &[few.clone(), few], 100.0);
    assert_eq!(found.reads, [3.0, 3.0]);
    assert_eq!(found.multipliers[0], 0.0);
    // Nor is it where nothing changes, or nothing counts.
    let idle = shared(Measure::Age, &[polled(0.0)], 100.0);
    assert_eq!((idle.reads[0], idle.multipliers[0]), (0.0, 0.0));
    assert_eq!(shared(Measure::Age, &[], 5.0).multipliers[0], 0.0);
}

#[test]
fn the_multiplier_is_what_one_more_call_buys() {
    let readers = [polled(1.0), polled(7.0), polled(300.0)];
    for measure in [Measure::Age, Measure::Harmonic, Measure::Freshness] {
        let sum = |quota: f64| -> f64 {
            let found = shared(measure, &readers, quota);
            let rates = [1.0, 7.0, 300.0].into_iter().zip(&found.reads);
            let read = rates.filter(|(_, f)| measure == Measure::Freshness || **f > 0.0);
            read.map(|(changes, f)| measure.of(changes, *f)).sum()
        };
        let bought = (sum(40.001) - sum(39.999)).abs() / 0.002;
        let said = shared(measure, &readers, 40.0).multipliers[0];
        assert!(
            (bought - said).abs() < 1e-4 * said,
            "{measure:?} {bought} {said}"
        );
    }
}

fn measures() -> impl Strategy<Value = Measure> {
    prop::sample::select(vec![Measure::Freshness, Measure::Age, Measure::Harmonic])
}

prop_compose! {
    /// Readers of so many quotas; each needs calls of at least one.
    fn readers(quotas: usize)(
        list in prop::collection::vec(
            (
                -2.0f64..5.0,
                0.1f64..50.0,
                prop::collection::vec(0.5f64..20.0, quotas),
                0usize..3 * quotas,
                prop::option::of(0.01f64..3.0),
                any::<bool>(),
            ),
            1..8,
        ),
    ) -> Vec<Reader> {
        list.into_iter().map(|(changes, weight, mut calls, alone, least, both)| {
            let changes = 10f64.powf(changes);
            let part = |changes| Part { weight, changes };
            let parts = match both {
                true => vec![part(changes), part(changes / 3.0)],
                false => vec![part(changes)],
            };
            if alone < calls.len() {
                let own = calls[alone];
                calls.fill(0.0);
                calls[alone] = own;
            }
            Reader {
                way: Way::Polled(parts),
                calls,
                least: least.unwrap_or(0.0),
                most: f64::INFINITY,
            }
        }).collect()
    }
}

/// What the floors need of each quota and so much more.
fn quotas(readers: &[Reader], spare: &[f64]) -> Vec<f64> {
    let floors: Vec<f64> = readers.iter().map(|r| r.least).collect();
    let each = spare.iter().enumerate();
    each.map(|(quota, more)| calls(quota, readers, &floors) + more)
        .collect()
}

/// The conditions of the optimum: every quota that is worth anything is spent and none is
/// exceeded; what is read beyond its floor gains by a further read just what its calls are worth;
/// what is at its floor, or left out, gains no more.
fn is_optimal(
    measure: Measure,
    readers: &[Reader],
    quotas: &[f64],
    found: &Shared,
    tolerance: f64,
) -> Result<(), TestCaseError> {
    for (quota, (allowed, worth)) in quotas.iter().zip(&found.multipliers).enumerate() {
        let spent = calls(quota, readers, &found.reads);
        prop_assert!(spent <= allowed * (1.0 + 1e-8), "{spent} of {allowed}");
        if *worth > 0.0 {
            let missing = (allowed - spent) / allowed;
            prop_assert!(missing <= tolerance, "{spent} of {allowed} at {worth}");
        }
    }
    for (reader, reads) in readers.iter().zip(&found.reads) {
        prop_assert!(*reads >= reader.least);
        let (gained, price) = (
            gain(measure, reader, *reads),
            price_of(reader, &found.multipliers),
        );
        if *reads > reader.least * (1.0 + 1e-9) {
            prop_assert!(
                (gained - price).abs() <= tolerance * price,
                "{measure:?}: {gained} for {price}"
            );
        } else {
            prop_assert!(gained <= price * (1.0 + tolerance));
        }
        if measure != Measure::Freshness {
            prop_assert!(*reads > 0.0, "{measure:?} starves {reader:?}");
        }
    }
    Ok(())
}

fn sum(measure: Measure, readers: &[Reader], reads: &[f64]) -> f64 {
    let of = |(reader, reads): (&Reader, &f64)| match &reader.way {
        Way::Polled(parts) => parts
            .iter()
            .map(|p| p.weight * measure.of(p.changes, *reads))
            .sum(),
        Way::Notified(_) => 0.0,
    };
    let sum: f64 = readers.iter().zip(reads).map(of).sum();
    match measure {
        Measure::Freshness => -sum,
        _ => sum,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_further_call_buys_the_same_wherever_it_goes(
        measure in measures(), readers in readers(1), spare in 0.1f64..5_000.0,
    ) {
        let quotas = quotas(&readers, &[spare]);
        let found = shared(measure, &readers, quotas[0]);
        let spent = calls(0, &readers, &found.reads);
        prop_assert!((spent - quotas[0]).abs() <= 1e-9 * quotas[0], "{spent} of {quotas:?}");
        is_optimal(measure, &readers, &quotas, &found, 1e-6)?;
    }

    #[test]
    fn with_several_quotas_a_read_gains_what_its_calls_are_worth(
        measure in measures(), readers in readers(3), spare in prop::collection::vec(0.5f64..2_000.0, 3),
    ) {
        let quotas = quotas(&readers, &spare);
        let found = share(measure, &readers, &quotas).unwrap();
        is_optimal(measure, &readers, &quotas, &found, 1e-4)?;
    }

    /// Nothing that can be reached by moving calls from one to another is better.
    #[test]
    fn no_move_between_two_is_better(
        measure in measures(), readers in readers(1), spare in 1.0f64..500.0,
        from in 0usize..8, to in 0usize..8, part in 0.01f64..0.9,
    ) {
        let quota = quotas(&readers, &[spare])[0];
        let found = shared(measure, &readers, quota);
        let (from, to) = (from % readers.len(), to % readers.len());
        let mut moved = found.reads.clone();
        let calls_moved = (moved[from] - readers[from].least) * readers[from].calls[0] * part;
        moved[from] -= calls_moved / readers[from].calls[0];
        moved[to] += calls_moved / readers[to].calls[0];
        let (best, other) = (
            sum(measure, &readers, &found.reads),
            sum(measure, &readers, &moved),
        );
        prop_assert!(best <= other + 1e-9 * best.abs(), "{best} {other}");
    }

    /// Brute force: no point of a grid of shares that keep within two quotas is better.
    #[test]
    fn no_feasible_share_of_a_grid_is_better(
        measure in measures(),
        changes in prop::collection::vec(0.1f64..30.0, 3),
        weights in prop::collection::vec(0.2f64..5.0, 3),
        calls_each in prop::collection::vec((0.5f64..4.0, 0.0f64..4.0), 3),
        least in prop::collection::vec(0.0f64..1.0, 3),
        spare in (1.0f64..40.0, 1.0f64..40.0),
    ) {
        let readers: Vec<Reader> = (0..3).map(|at| Reader {
            way: Way::Polled(vec![Part { weight: weights[at], changes: changes[at] }]),
            calls: vec![calls_each[at].0, calls_each[at].1],
            least: least[at],
            most: f64::INFINITY,
        }).collect();
        let quotas = quotas(&readers, &[spare.0, spare.1]);
        let found = share(measure, &readers, &quotas).unwrap();
        let best = sum(measure, &readers, &found.reads);
        const STEPS: usize = 24;
        let at = |reader: usize, step: usize| {
            let top = quotas[0] / readers[reader].calls[0];
            readers[reader].least + (top - readers[reader].least) * step as f64 / STEPS as f64
        };
        for (a, b, c) in (0..=STEPS).flat_map(|a| (0..=STEPS).flat_map(move |b| (0..=STEPS).map(move |c| (a, b, c)))) {
            let reads = [at(0, a), at(1, b), at(2, c)];
            let fits = (0..2).all(|quota| calls(quota, &readers, &reads) <= quotas[quota]);
            if fits {
                let other = sum(measure, &readers, &reads);
                prop_assert!(best <= other + 1e-7 * other.abs(), "{best} {other} by {reads:?}, not {:?}", found.reads);
            }
        }
    }
}
