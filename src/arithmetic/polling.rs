//! How fresh a copy is that is read now and then: freshness, age and harmonic staleness, and what
//! one more read does to each.
//!
//! Changes come at random (Poisson) at λ a day, reads at even intervals, f a day; x = λ/f is how
//! many changes fall between two reads on average. Freshness and age are those of Cho and
//! Garcia-Molina ("Synchronizing a Database to Improve Freshness", SIGMOD 2000); the harmonic
//! staleness is that of Kolobov, Peres, Lu and Horvitz ("Staying up to Date with Online Content
//! Changes Using Reinforcement Learning for Scheduling", NeurIPS 2019).
//!
//! Each formula takes differences of nearly equal numbers where x is small, so it is summed as a
//! series there. Every function is defined for λ ≥ 0 and f ≥ 0, the ends included.

/// Below this x the series is summed; above, the closed form loses no more than a digit.
const SERIES_BELOW: f64 = 1.0;

/// Terms of a series: the last is below 1e-18 at x = 1.
const TERMS: u32 = 20;

/// What is to be best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The share of the time in which nothing is outstanding: as much as can be.
    Freshness,
    /// How long the first change that is outstanding has waited: as little as can be.
    Age,
    /// The harmonic staleness, which counts each change outstanding, the first for most: as little
    /// as can be.
    Harmonic,
}

impl Measure {
    /// The measure itself: freshness (0 to 1), age (days) or harmonic staleness (0 and more).
    pub fn of(self, changes: f64, reads: f64) -> f64 {
        match self {
            Measure::Freshness => freshness(changes, reads),
            Measure::Age => age(changes, reads),
            Measure::Harmonic => harmonic(changes, reads),
        }
    }

    /// By how much the measure gets better for each further read a day, at so many reads a day:
    /// never below 0, and never growing in the reads, which is what makes the best sharing of a
    /// quota one of equal gain.
    pub fn gain(self, changes: f64, reads: f64) -> f64 {
        match self {
            Measure::Freshness => freshness_slope(changes, reads),
            Measure::Age => -age_slope(changes, reads),
            Measure::Harmonic => -harmonic_slope(changes, reads),
        }
    }
}

/// F = (1 − e^(−x))/x: the share of the time in which no change is outstanding. What never changes
/// is always fresh.
pub fn freshness(changes: f64, reads: f64) -> f64 {
    if changes <= 0.0 {
        return 1.0;
    }
    let x = changes / reads;
    match x {
        0.0 => 1.0,
        x if x.is_infinite() => 0.0,
        x => -(-x).exp_m1() / x,
    }
}

/// ∂F/∂f = (1 − (1 + x)e^(−x))/λ, which is 1/λ where nothing is read.
pub fn freshness_slope(changes: f64, reads: f64) -> f64 {
    if changes <= 0.0 {
        return 0.0;
    }
    let x = changes / reads;
    match x < SERIES_BELOW {
        true => x * bend(x, 0) / reads,
        false => (1.0 - left_of(x)) / changes,
    }
}

/// A = (1/f)·(1/2 − 1/x + (1 − e^(−x))/x²), in days: how long the first change outstanding has
/// waited, on the mean over time, the time without any counted as none.
pub fn age(changes: f64, reads: f64) -> f64 {
    if changes <= 0.0 {
        return 0.0;
    }
    let x = changes / reads;
    if x.is_infinite() {
        return f64::INFINITY;
    }
    let waited = match x < SERIES_BELOW {
        // x/3! − x²/4! + …
        true => series(x, 1, |k| reciprocal_factorial(k + 2)),
        false => 0.5 - 1.0 / x - (-x).exp_m1() / (x * x),
    };
    waited / reads
}

/// ∂A/∂f = −(1/f²)·(1/2 − (1 − (1 + x)e^(−x))/x²).
pub fn age_slope(changes: f64, reads: f64) -> f64 {
    if changes <= 0.0 {
        return 0.0;
    }
    let x = changes / reads;
    if x.is_infinite() {
        return f64::NEG_INFINITY;
    }
    let rest = match x < SERIES_BELOW {
        // The first term of the series is the 1/2 itself.
        true => -bend(x, 1),
        false => 0.5 - (1.0 - left_of(x)) / (x * x),
    };
    -rest / reads / reads
}

/// −ln(f/(f + λ)): the harmonic staleness of what is read f times a day.
pub fn harmonic(changes: f64, reads: f64) -> f64 {
    match changes <= 0.0 {
        true => 0.0,
        false => (changes / reads).ln_1p(),
    }
}

/// Its slope in f, −λ/(f(f + λ)).
pub fn harmonic_slope(changes: f64, reads: f64) -> f64 {
    match changes <= 0.0 {
        true => 0.0,
        false => -changes / reads / (reads + changes),
    }
}

/// −ln p: the harmonic staleness of what tells of its changes, a share p of which is followed by a
/// read, so that it takes pλ reads a day.
pub fn harmonic_notified(share: f64) -> f64 {
    match share >= 1.0 {
        true => 0.0,
        false => -share.max(0.0).ln(),
    }
}

/// Its slope in the reads a day n = pλ, −1/n.
pub fn harmonic_notified_slope(reads: f64) -> f64 {
    -1.0 / reads
}

/// (1 + x)e^(−x): the chance of fewer than two changes between two reads.
fn left_of(x: f64) -> f64 {
    match x.is_infinite() {
        true => 0.0,
        false => (1.0 + x) * (-x).exp(),
    }
}

/// (1 − (1 + x)e^(−x))/x² = 1/2 − x/3 + x²/8 − …, from its term `first` on.
fn bend(x: f64, first: u32) -> f64 {
    let sum = series(x, first, |k| f64::from(k + 1) * reciprocal_factorial(k + 2));
    // `series` begins with a plus; this one alternates from its first term of all.
    match first % 2 {
        0 => sum,
        _ => -sum,
    }
}

/// a(first)·x^first − a(first + 1)·x^(first + 1) + …, smallest terms first so that none is lost.
fn series(x: f64, first: u32, factor: impl Fn(u32) -> f64) -> f64 {
    (first..first + TERMS).rev().fold(0.0, |sum, k| {
        // Powers of at most x = 1; as a product, each term keeps its own digits.
        let sign = if (k - first).is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        sum + sign * factor(k) * x.powi(k as i32)
    })
}

/// 1/n!; nothing of it is left in a double where the table ends.
fn reciprocal_factorial(n: u32) -> f64 {
    RECIPROCAL_FACTORIALS
        .get(n as usize)
        .copied()
        .unwrap_or(0.0)
}

const RECIPROCAL_FACTORIALS: [f64; 32] = {
    let mut table = [1.0; 32];
    let mut n = 1;
    while n < table.len() {
        table[n] = table[n - 1] / n as f64;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Measure; 3] = [Measure::Freshness, Measure::Age, Measure::Harmonic];

    fn near(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance * b.abs()
    }

    #[test]
    fn values_are_those_of_the_formulas() {
        // x = 1: 1 − 1/e, and 1/2 − 1 + 1 − 1/e; x = 2 at half a day.
        assert!(near(freshness(1.0, 1.0), 0.632_120_558_828_557_7, 1e-14));
        assert!(near(age(1.0, 1.0), 0.132_120_558_828_557_7, 1e-14));
        assert!(near(
            age(4.0, 2.0),
            0.5 * (1.0 - (-2.0_f64).exp()) / 4.0,
            1e-14
        ));
        assert!(near(harmonic(3.0, 1.0), 4.0_f64.ln(), 1e-14));
        assert!(near(harmonic_notified(0.5), 2.0_f64.ln(), 1e-14));
    }

    #[test]
    fn what_never_changes_is_fresh_and_gains_nothing() {
        for reads in [0.0, 1e-9, 1.0, 1e9] {
            assert_eq!(freshness(0.0, reads), 1.0);
            assert_eq!(age(0.0, reads), 0.0);
            assert_eq!(harmonic(0.0, reads), 0.0);
            for measure in ALL {
                assert_eq!(measure.gain(0.0, reads), 0.0);
            }
        }
    }

    #[test]
    fn limits_hold_for_rare_changes_and_for_many_reads() {
        // λ → 0: F = 1 − x/2, A = x/(6f), harmonic = x, to the first order.
        for changes in [1e-15, 1e-9, 1e-6] {
            assert!(near(1.0 - freshness(changes, 1.0), changes / 2.0, 1e-2) || changes < 1e-12);
            assert!(near(age(changes, 1.0), changes / 6.0, 1e-6));
            assert!(near(harmonic(changes, 1.0), changes, 1e-6));
            assert!(near(freshness_slope(changes, 1.0), changes / 2.0, 1e-6));
            assert!(near(-age_slope(changes, 1.0), changes / 3.0, 1e-6));
        }
        // f → ∞: nothing is outstanding, and nothing more is to be gained.
        for reads in [1e9, 1e150, f64::INFINITY] {
            assert!(near(freshness(5.0, reads), 1.0, 1e-8));
            assert!(age(5.0, reads) < 1e-17);
            assert!(harmonic(5.0, reads) < 1e-8);
            for measure in ALL {
                assert!(measure.gain(5.0, reads) < 1e-16, "{measure:?} {reads}");
            }
        }
        // f → 0: A = 1/(2f) − 1/λ, and its gain 1/(2f²); F gains 1/λ at most.
        assert!(near(age(5.0, 1e-9), 0.5e9, 1e-6));
        assert!(near(-age_slope(5.0, 1e-9), 0.5e18, 1e-6));
        assert_eq!(freshness(5.0, 0.0), 0.0);
        assert_eq!(freshness_slope(5.0, 0.0), 0.2);
        assert_eq!(age(5.0, 0.0), f64::INFINITY);
        assert_eq!(age_slope(5.0, 0.0), f64::NEG_INFINITY);
        assert_eq!(harmonic(5.0, 0.0), f64::INFINITY);
        assert_eq!(harmonic_slope(5.0, 0.0), f64::NEG_INFINITY);
    }

    #[test]
    fn the_series_and_the_closed_form_meet() {
        for measure in ALL {
            let (below, above) = (SERIES_BELOW * (1.0 - 1e-13), SERIES_BELOW);
            assert!(near(measure.of(below, 1.0), measure.of(above, 1.0), 1e-11));
            assert!(near(
                measure.gain(below, 1.0),
                measure.gain(above, 1.0),
                1e-11
            ));
        }
    }

    proptest! {
        #[test]
        fn gains_are_the_slopes(changes in -2.0f64..4.0, ratio in -2.0f64..2.0) {
            let changes = 10f64.powf(changes);
            let reads = changes * 10f64.powf(ratio);
            let step = reads * 1e-5;
            for measure in ALL {
                let (less, more) = (measure.of(changes, reads - step), measure.of(changes, reads + step));
                let better = if measure == Measure::Freshness { more - less } else { less - more };
                let found = measure.gain(changes, reads);
                // Differences of F near 1 lose digits: hold them to what the difference can tell.
                let blur = 1e-15 * less.abs().max(more.abs()) / step;
                prop_assert!(
                    (found - better / (2.0 * step)).abs() <= 1e-5 * found + blur,
                    "{measure:?}: {found} for {}", better / (2.0 * step)
                );
            }
            let notified = |n: f64| harmonic_notified(n / (2.0 * reads));
            let slope = (notified(reads + step) - notified(reads - step)) / (2.0 * step);
            prop_assert!(near(harmonic_notified_slope(reads), slope, 1e-5));
        }

        #[test]
        fn more_reads_never_hurt_and_gain_ever_less(
            changes in -9.0f64..9.0, reads in -9.0f64..9.0, times in 0.001f64..3.0,
        ) {
            let (changes, reads) = (10f64.powf(changes), 10f64.powf(reads));
            let more = reads * (1.0 + times);
            for measure in ALL {
                let (few, many) = (measure.gain(changes, reads), measure.gain(changes, more));
                prop_assert!(few.is_finite() && many >= 0.0);
                prop_assert!(many <= few * (1.0 + 1e-12), "{measure:?}: {few}, then {many}");
                let (before, after) = (measure.of(changes, reads), measure.of(changes, more));
                let (worse, better) = match measure {
                    Measure::Freshness => (before, after),
                    _ => (after, before),
                };
                prop_assert!(worse <= better * (1.0 + 1e-12));
            }
        }
    }
}
