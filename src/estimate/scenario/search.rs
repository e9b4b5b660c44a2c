//! Searching for the figure at which something turns, and writing it as a policy would.

use super::Side;
use crate::time::Millis;

/// Up to how many times today's records the search for a limit goes.
const BUSIER_MAX: f64 = 1_024.0;

/// How often an interval is halved: to a millionth of itself.
const HALVINGS: u32 = 24;

/// The greatest factor from 1 on for which something holds that does not hold for greater ones;
/// none: it does not hold today, or holds as far as is looked.
pub(super) fn last_that_holds(holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(1.0) {
        return None;
    }
    let (mut low, mut high) = (1.0, 2.0);
    while holds(high) {
        if high >= BUSIER_MAX {
            return None;
        }
        low = high;
        high *= 2.0;
    }
    Some(halve(low, high, holds))
}

/// The factor nearest to 1, above or below, from which on something holds; none: as far as is
/// looked it does not. Looks in steps of a third, then halves.
pub(super) fn first_that_wins(wins: impl Fn(f64) -> bool, side: Side) -> Option<f64> {
    let step = match side {
        Side::Above => 4.0 / 3.0,
        Side::Below => 0.75,
    };
    let mut before = 1.0;
    if wins(before) {
        return None;
    }
    for _ in 0..16 {
        let next = before * step;
        if wins(next) {
            return Some(halve(before, next, |t| !wins(t)));
        }
        before = next;
    }
    None
}

/// The place between a factor for which something holds and one for which it does not: the last
/// for which it holds.
fn halve(mut holds_at: f64, mut fails_at: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = (holds_at + fails_at) / 2.0;
        match holds(middle) {
            true => holds_at = middle,
            false => fails_at = middle,
        }
    }
    holds_at
}

/// The longest duration in whole seconds, or minutes from an hour on, that is shorter than that.
pub(super) fn no_longer_than(seconds: f64) -> Millis {
    let unit = unit_of(seconds);
    let most = (seconds / unit).ceil() - 1.0;
    Millis::from_secs((most.max(0.0) * unit) as u64)
}

/// The shortest duration in whole seconds, or minutes from an hour on, that is no shorter.
pub(super) fn no_shorter_than(seconds: f64) -> Millis {
    let unit = unit_of(seconds);
    Millis::from_secs(((seconds / unit).ceil() * unit) as u64)
}

fn unit_of(seconds: f64) -> f64 {
    match seconds < 3_600.0 {
        true => 1.0,
        false => 60.0,
    }
}

/// Money beyond an amount on a side, to three digits or to the hundredth, as a policy writes it: a
/// clause of it lies beyond the threshold.
pub(super) fn money_beyond(amount: f64, side: Side) -> String {
    let places = match amount {
        a if a > 0.0 && a < 1.0 => (2.0 - a.log10().floor()).clamp(2.0, 12.0),
        _ => 2.0,
    };
    let unit = 10.0_f64.powf(-places);
    let beyond = match side {
        Side::Above => (amount / unit).floor() + 1.0,
        Side::Below => ((amount / unit).ceil() - 1.0).max(0.0),
    };
    let text = format!("{:.*}", places as usize, beyond * unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count as a policy writes it: `41_000`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_are_written_beyond_their_threshold() {
        assert_eq!(money_beyond(12.3, Side::Above), "12.31");
        assert_eq!(money_beyond(12.0, Side::Below), "11.99");
        assert_eq!(money_beyond(0.000_123_4, Side::Above), "0.000124");
        assert_eq!(money_beyond(0.000_123_4, Side::Below), "0.000123");
        assert_eq!(no_longer_than(300.2).to_string(), "5m");
        assert_eq!(no_longer_than(300.0).to_string(), "4m59s");
        assert_eq!(no_shorter_than(300.2).to_string(), "5m1s");
        assert_eq!(no_shorter_than(90_001.0).to_string(), "1d1h1m");
        assert_eq!(grouped(1_234_567), "1_234_567");
    }

    proptest! {
        #[test]
        fn the_turn_is_found(turn in 1.01f64..900.0) {
            let found = last_that_holds(|x| x <= turn).unwrap();
            prop_assert!(found <= turn && found >= turn * 0.999);
        }

        #[test]
        fn the_first_win_is_found(turn in 1.01f64..60.0) {
            let above = first_that_wins(|x| x >= turn, Side::Above).unwrap();
            prop_assert!((above / turn - 1.0).abs() < 1e-3);
            let below = first_that_wins(|x| x <= 1.0 / turn, Side::Below).unwrap();
            prop_assert!((below * turn - 1.0).abs() < 1e-3);
        }
    }
}
