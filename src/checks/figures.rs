//! Figures as messages say them: durations, counts, rates and shares.

use super::words;
use crate::time::Millis;

/// A time in seconds as the language writes durations, in two units at most: `6m12s`, `1.4s`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "for ever".to_owned();
    }
    if seconds < 9.95 {
        let tenths = (seconds * 10.0).round() / 10.0;
        return match tenths {
            t if t == t.trunc() => format!("{t:.0}s"),
            _ => format!("{tenths:.1}s"),
        };
    }
    let unit = match seconds {
        s if s < 3_600.0 => 1.0,
        s if s < 86_400.0 => 60.0,
        _ => 3_600.0,
    };
    Millis::from_secs(((seconds / unit).round() * unit) as u64).to_string()
}

/// The same in plain seconds: `312 s`, `0.4 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round() / 10.0;
    match tenths == tenths.trunc() || seconds >= 10.0 {
        true => format!("{} s", grouped(seconds.round())),
        false => format!("{tenths:.1} s"),
    }
}

/// A count, thousands apart; below ten with one digit behind the point.
pub(crate) fn count(number: f64) -> String {
    let tenths = (number * 10.0).round() / 10.0;
    match number < 9.95 && tenths != tenths.trunc() {
        true => format!("{tenths:.1}"),
        false => grouped(number.round()),
    }
}

/// "1 call", "12,000 calls".
pub(crate) fn calls(number: f64) -> String {
    let text = count(number);
    match text.as_str() {
        "1" => "1 call".to_owned(),
        _ => format!("{text} calls"),
    }
}

/// A share as a percentage: `64 %`, `0.4 %`.
pub(crate) fn share(share: f64) -> String {
    match share.is_finite() {
        true => format!("{} %", count(share * 100.0)),
        false => "∞ %".to_owned(),
    }
}

fn grouped(number: f64) -> String {
    words::grouped(number.max(0.0) as u64, ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(duration(0.0), "0s");
        assert_eq!(duration(1.44), "1.4s");
        assert_eq!(duration(372.4), "6m12s");
        assert_eq!(duration(5_400.0), "1h30m");
        assert_eq!(duration(90_000.0), "1d1h");
        assert_eq!(duration(f64::INFINITY), "for ever");
        assert_eq!(seconds(312.2), "312 s");
        assert_eq!(seconds(90_000.0), "90,000 s");
        assert_eq!(seconds(0.42), "0.4 s");
        assert_eq!(calls(1.0), "1 call");
        assert_eq!(calls(1_234_567.4), "1,234,567 calls");
        assert_eq!(calls(0.25), "0.3 calls");
        assert_eq!(share(0.004), "0.4 %");
        assert_eq!(share(1.28), "128 %");
        assert_eq!(share(f64::INFINITY), "∞ %");
    }
}
