//! A length of time, with the units of the language.

use std::fmt;
use std::ops::Add;

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds, never negative.
///
/// In JSON an integer of milliseconds; as text the language's own form, `1h30m`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// The units, largest first: word and milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// What people write for a unit, and how long that is. A month and a year are left out:
/// they are no fixed number of days.
const MEANT: [(&[&str], Millis); 6] = [
    (&["w", "wk", "wks", "week", "weeks"], Millis(7 * 86_400_000)),
    (&["day", "days"], Millis::DAY),
    (&["hr", "hrs", "hour", "hours"], Millis::HOUR),
    (&["min", "mins", "minute", "minutes"], Millis::MINUTE),
    (&["sec", "secs", "second", "seconds"], Millis::SECOND),
    (&["msec", "msecs", "millisecond", "milliseconds"], Millis(1)),
];

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not made of integers and units.
    #[error(
        "`{0}` is no duration; write an integer and a unit, as in `500ms`, `15m` or `1h30m`; the \
         units are `d`, `h`, `m`, `s` and `ms`"
    )]
    Form(String),
    /// It has a unit that there is not, but plainly means something.
    #[error(
        "`{text}` is no duration; the units are `d`, `h`, `m`, `s` and `ms`: write `{instead}`"
    )]
    Unit {
        /// What was written.
        text: String,
        /// The same in units that there are.
        instead: Millis,
    },
    /// A unit comes twice or after a smaller one.
    #[error("the units of `{0}` are out of order; write the largest first, each once")]
    Order(String),
    /// It does not fit the calendar.
    #[error("`{0}` is too long a duration")]
    TooLong(String),
}

/// The longest duration that can be written: so long that sums of a few stay in range.
const LONGEST: u64 = 100_000 * 366 * 86_400_000;

impl Millis {
    /// No time at all.
    pub const ZERO: Millis = Millis(0);
    /// One second.
    pub const SECOND: Millis = Millis(1_000);
    /// One minute.
    pub const MINUTE: Millis = Millis(60_000);
    /// One hour.
    pub const HOUR: Millis = Millis(3_600_000);
    /// 24 hours.
    pub const DAY: Millis = Millis(86_400_000);

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Millis(seconds.saturating_mul(1_000))
    }

    /// So many minutes.
    pub const fn from_mins(minutes: u64) -> Self {
        Millis(minutes.saturating_mul(60_000))
    }

    /// In seconds, with their fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The longer by `factor`, saturating.
    pub fn times(self, factor: u64) -> Self {
        Millis(self.0.saturating_mul(factor))
    }

    /// What is left of it after `other`; zero where nothing is.
    pub fn saturating_sub(self, other: Millis) -> Self {
        Millis(self.0.saturating_sub(other.0))
    }

    /// Reads the language's form: `500ms`, `5s`, `15m`, `1h`, `7d`, `1h30m`; digits may be grouped
    /// by `_`.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let form = || match meant(text) {
            Some(instead) => DurationError::Unit {
                text: text.to_owned(),
                instead,
            },
            None => DurationError::Form(text.to_owned()),
        };
        let mut rest = text;
        let mut total: u64 = 0;
        let mut next_unit = 0;
        if rest.is_empty() {
            return Err(form());
        }
        while !rest.is_empty() {
            let digits = run(rest, |c| c.is_ascii_digit() || c == '_');
            let (number, tail) = rest.split_at_checked(digits).ok_or_else(form)?;
            let letters = run(tail, |c| c.is_ascii_alphabetic());
            let (word, tail) = tail.split_at_checked(letters).ok_or_else(form)?;
            let at = UNITS
                .iter()
                .position(|(w, _)| *w == word)
                .ok_or_else(form)?;
            let (_, size) = UNITS.get(at).ok_or_else(form)?;
            if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('_') {
                return Err(form());
            }
            if at < next_unit {
                return Err(DurationError::Order(text.to_owned()));
            }
            next_unit = at + 1;
            total = number
                .replace('_', "")
                .parse::<u64>()
                .ok()
                .and_then(|n| n.checked_mul(*size))
                .and_then(|n| n.checked_add(total))
                .filter(|n| *n <= LONGEST)
                .ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
            rest = tail;
        }
        Ok(Millis(total))
    }
}

/// What a single integer stands for before a word that is no unit, where that is plain.
fn meant(text: &str) -> Option<Millis> {
    let (number, word) = text.split_at_checked(run(text, |c| c.is_ascii_digit()))?;
    // `M` may be minutes or months.
    let word = Some(word.trim_start()).filter(|word| *word != "M")?;
    let word = word.to_ascii_lowercase();
    let unit = UNITS.iter().find(|(unit, _)| *unit == word);
    let words = || MEANT.iter().find(|(words, _)| words.contains(&&*word));
    let size = unit.map(|u| u.1).or_else(|| words().map(|w| w.1.0))?;
    let total = number.parse::<u64>().ok()?.checked_mul(size)?;
    (total <= LONGEST).then_some(Millis(total))
}

/// How many bytes at the start of `text` satisfy `wanted`.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

impl Add for Millis {
    type Output = Millis;

    fn add(self, other: Millis) -> Millis {
        Millis(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Millis {
    fn sum<I: Iterator<Item = Millis>>(spans: I) -> Millis {
        spans.fold(Millis::ZERO, Add::add)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (word, size) in UNITS {
            if rest >= size {
                write!(f, "{}{word}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for Millis {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        Millis::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_the_units_of_the_language() {
        for (ms, text) in [
            (0, "0s"),
            (500, "500ms"),
            (900_000, "15m"),
            (5_400_000, "1h30m"),
            (86_400_000, "1d"),
            (90_061_001, "1d1h1m1s1ms"),
        ] {
            assert_eq!(Millis(ms).to_string(), text);
            assert_eq!(Millis::parse(text), Ok(Millis(ms)), "{text}");
        }
        assert_eq!(Millis::parse("90m"), Ok(Millis(5_400_000)));
        assert_eq!(Millis::parse("1_000s"), Ok(Millis::from_secs(1_000)));
    }

    #[test]
    fn says_why_a_text_is_no_duration() {
        for text in [
            "", "5", "m", "5x", "1h 30m", "_5m", "5_m", "-5m", "1.5h", "w", "2mo", "1y", "1w2x",
            "5M",
        ] {
            assert_eq!(
                Millis::parse(text),
                Err(DurationError::Form(text.into())),
                "{text}"
            );
        }
        assert_eq!(
            Millis::parse("30m1h"),
            Err(DurationError::Order("30m1h".into()))
        );
        assert_eq!(
            Millis::parse("1m1m"),
            Err(DurationError::Order("1m1m".into()))
        );
        assert_eq!(
            Millis::parse("99999999999999999999d"),
            Err(DurationError::TooLong("99999999999999999999d".into()))
        );
    }

    #[test]
    fn offers_what_a_word_stands_for() {
        for (text, instead) in [
            ("1w", "7d"),
            ("2weeks", "14d"),
            ("5 m", "5m"),
            ("5H", "5h"),
            ("90min", "1h30m"),
            ("36 hours", "1d12h"),
            ("250millisec", ""),
        ] {
            let error = Millis::parse(text).unwrap_err().to_string();
            let offered = match instead {
                "" => "the units are `d`, `h`, `m`, `s` and `ms`".to_owned(),
                _ => format!("the units are `d`, `h`, `m`, `s` and `ms`: write `{instead}`"),
            };
            assert!(error.ends_with(&offered), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(ms in 0..LONGEST) {
            prop_assert_eq!(Millis::parse(&Millis(ms).to_string()), Ok(Millis(ms)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = Millis::parse(&text);
        }
    }
}
