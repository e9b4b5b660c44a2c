//! Figures as messages say them: durations, counts, rates and shares.

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

/// A count, thousands apart; below ten with one digit behind the point, and a small one with as
/// many as it takes not to read as none.
pub(crate) fn count(number: f64) -> String {
    if number > 0.0 && number < 0.05 {
        let places = (-number.log10()).ceil().min(9.0) as usize;
        return format!("{number:.places$}");
    }
    let tenths = (number * 10.0).round() / 10.0;
    match number < 9.95 && tenths != tenths.trunc() {
        true => format!("{tenths:.1}"),
        false => grouped(number.round()),
    }
}

/// Money, with two digits behind the point where it is small.
pub(crate) fn money(amount: f64) -> String {
    match amount.abs() < 1_000.0 {
        true => format!("{amount:.2}"),
        false => format!(
            "{}{}",
            if amount < 0.0 { "-" } else { "" },
            grouped(amount.abs().round())
        ),
    }
}

/// A count that is more than another, and that count, so that both read so: with as many digits
/// behind the point as it takes, "just over" where no three do.
pub(crate) fn more_than(number: f64, other: f64) -> (String, String) {
    if count(number) != count(other) || number <= other {
        return (count(number), count(other));
    }
    let told = (1..=3).find_map(|digits| {
        let (more, less) = (format!("{number:.digits$}"), format!("{other:.digits$}"));
        (more != less && number < 10_000.0).then_some((more, less))
    });
    told.unwrap_or_else(|| (format!("just over {}", count(number)), count(other)))
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

/// A number with a mark between its thousands.
pub(crate) fn grouped_by(number: u64, mark: char) -> String {
    let text = number.to_string();
    let mut out = String::new();
    for (i, digit) in text.chars().enumerate() {
        if i > 0 && (text.len() - i).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

fn grouped(number: f64) -> String {
    grouped_by(number.max(0.0) as u64, ',')
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
        assert_eq!(count(1.0 / 60.0), "0.02");
        assert_eq!(count(0.0005), "0.0005");
        assert_eq!(count(0.0), "0");
        assert_eq!(share(0.004), "0.4 %");
        assert_eq!(share(1.28), "128 %");
        assert_eq!(share(f64::INFINITY), "∞ %");
    }

    #[test]
    fn what_is_more_reads_as_more() {
        let told = |a, b| {
            let (more, less) = more_than(a, b);
            format!("{more} > {less}")
        };
        assert_eq!(told(314.0, 19.0), "314 > 19");
        assert_eq!(told(19.003, 19.0), "19.003 > 19.000");
        assert_eq!(told(0.104_2, 0.083_3), "0.10 > 0.08");
        assert_eq!(told(62_500.3, 62_500.0), "just over 62,500 > 62,500");
    }
}
