//! The laws of a sharing, and examples that are published.

use proptest::prelude::*;

use super::super::polling::{Measure, freshness};
use super::{Part, Reader, Shared, Way, calls, share, value_per_call};

fn polled(changes: f64) -> Reader {
    Reader {
        way: Way::Polled(vec![Part {
            weight: 1.0,
            changes,
        }]),
        calls: 1.0,
        least: 0.0,
        most: f64::INFINITY,
    }
}

fn shared(measure: Measure, readers: &[Reader], quota: f64) -> Shared {
    share(measure, readers, quota).expect("floors that fit")
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
        assert_eq!(share(measure, &three, 12.0).unwrap_err().needs, 12.5);
    }
}

#[test]
fn a_read_that_costs_more_calls_is_made_less_often() {
    let mut two = [polled(3.0), polled(3.0)];
    two[1].calls = 4.0;
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
    assert!((found.multiplier - 1.0 / (12.0 - polls)).abs() < 1e-9);
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
    assert_eq!(found.multiplier, 0.0);
    // Nor is it where nothing changes, or nothing counts.
    let idle = shared(Measure::Age, &[polled(0.0)], 100.0);
    assert_eq!((idle.reads[0], idle.multiplier), (0.0, 0.0));
    assert_eq!(shared(Measure::Age, &[], 5.0).multiplier, 0.0);
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
        let said = shared(measure, &readers, 40.0).multiplier;
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
    fn readers()(
        list in prop::collection::vec(
            (-2.0f64..5.0, 0.1f64..50.0, 0.5f64..20.0, prop::option::of(0.01f64..3.0), any::<bool>()),
            1..12,
        ),
    ) -> Vec<Reader> {
        list.into_iter().map(|(changes, weight, calls, least, both)| {
            let changes = 10f64.powf(changes);
            let part = |changes| Part { weight, changes };
            let parts = match both {
                true => vec![part(changes), part(changes / 3.0)],
                false => vec![part(changes)],
            };
            Reader {
                way: Way::Polled(parts),
                calls,
                least: least.unwrap_or(0.0),
                most: f64::INFINITY,
            }
        }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The condition of the optimum: among all that is read beyond its floor, a further call buys
    /// the same; at its floor, or left out, no more than that.
    #[test]
    fn a_further_call_buys_the_same_wherever_it_goes(
        measure in measures(), readers in readers(), spare in 0.1f64..5_000.0,
    ) {
        let floors: Vec<f64> = readers.iter().map(|r| r.least).collect();
        let quota = calls(&readers, &floors) + spare;
        let found = shared(measure, &readers, quota);
        let spent = calls(&readers, &found.reads);
        prop_assert!((spent - quota).abs() <= 1e-9 * quota, "{spent} of {quota}");
        for (reader, reads) in readers.iter().zip(&found.reads) {
            prop_assert!(*reads >= reader.least);
            let value = value_per_call(measure, reader, *reads);
            if *reads > reader.least * (1.0 + 1e-9) {
                prop_assert!(
                    (value - found.multiplier).abs() <= 1e-6 * found.multiplier,
                    "{measure:?}: {value} for {}", found.multiplier
                );
            } else {
                prop_assert!(value <= found.multiplier * (1.0 + 1e-6));
            }
            if measure != Measure::Freshness {
                prop_assert!(*reads > 0.0, "{measure:?} starves {reader:?}");
            }
        }
    }

    /// Nothing that can be reached by moving calls from one to another is better.
    #[test]
    fn no_move_between_two_is_better(
        measure in measures(), readers in readers(), spare in 1.0f64..500.0,
        from in 0usize..12, to in 0usize..12, part in 0.01f64..0.9,
    ) {
        let floors: Vec<f64> = readers.iter().map(|r| r.least).collect();
        let quota = calls(&readers, &floors) + spare;
        let found = shared(measure, &readers, quota);
        let (from, to) = (from % readers.len(), to % readers.len());
        let mut moved = found.reads.clone();
        let calls_moved = (moved[from] - readers[from].least) * readers[from].calls * part;
        moved[from] -= calls_moved / readers[from].calls;
        moved[to] += calls_moved / readers[to].calls;
        let sum = |reads: &[f64]| -> f64 {
            let all = readers.iter().zip(reads).flat_map(|(r, f)| match &r.way {
                Way::Polled(parts) => parts.iter().map(|p| p.weight * measure.of(p.changes, *f)).collect(),
                Way::Notified(_) => vec![],
            });
            let all: f64 = all.sum();
            if measure == Measure::Freshness { -all } else { all }
        };
        let (best, other) = (sum(&found.reads), sum(&moved));
        prop_assert!(best <= other + 1e-9 * best.abs(), "{best} {other}");
    }
}
