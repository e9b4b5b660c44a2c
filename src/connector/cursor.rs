//! What is newer: cursors as text, compared as what they mean.

use std::cmp::Ordering;

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;

use crate::value::parse_instant;

/// Numbers from here on are Unix times (1973 in seconds), not counters.
const UNIX_SECONDS_MIN: i64 = 100_000_000;
/// Numbers from here on are Unix times in milliseconds.
const UNIX_MILLIS_MIN: i64 = 100_000_000_000;

/// A cursor's meaning.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A counter or a Unix time.
    Number(Decimal),
    /// An instant in microseconds.
    Time(i64),
    /// Anything else: by code point.
    Text(String),
}

impl Mark {
    /// Reads a cursor.
    pub(super) fn parse(text: &str) -> Mark {
        let trimmed = text.trim();
        let numeric = !trimmed.is_empty()
            && trimmed
                .bytes()
                .enumerate()
                .all(|(i, b)| b.is_ascii_digit() || b == b'.' || (i == 0 && b == b'-'));
        if numeric && let Ok(number) = Decimal::from_str_exact(trimmed) {
            return Mark::Number(number);
        }
        match parse_instant(trimmed) {
            Some(us) => Mark::Time(us),
            None => Mark::Text(text.to_owned()),
        }
    }

    /// The mark `overlap_ms` before this one, where it is a time; else itself.
    pub(super) fn back(&self, overlap_ms: u64) -> Mark {
        let ms = i64::try_from(overlap_ms).unwrap_or(i64::MAX);
        match self {
            Mark::Time(us) => Mark::Time(us.saturating_sub(ms.saturating_mul(1000))),
            Mark::Number(n) if *n >= Decimal::from(UNIX_MILLIS_MIN) => {
                Mark::Number(n.saturating_sub(Decimal::from(ms)))
            }
            Mark::Number(n) if *n >= Decimal::from(UNIX_SECONDS_MIN) => {
                Mark::Number(n.saturating_sub(Decimal::new(ms, 3)))
            }
            other => other.clone(),
        }
    }

    fn text(&self) -> String {
        match self {
            Mark::Number(n) => n.to_string(),
            Mark::Time(us) => DateTime::<Utc>::from_timestamp_micros(*us)
                .map(|t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true))
                .unwrap_or_default(),
            Mark::Text(text) => text.clone(),
        }
    }
}

/// Numbers by size, instants by time, all else by text.
impl PartialOrd for Mark {
    fn partial_cmp(&self, other: &Mark) -> Option<Ordering> {
        Some(match (self, other) {
            (Mark::Number(a), Mark::Number(b)) => a.cmp(b),
            (Mark::Time(a), Mark::Time(b)) => a.cmp(b),
            (Mark::Text(a), Mark::Text(b)) => a.cmp(b),
            (a, b) => a.text().cmp(&b.text()),
        })
    }
}

/// The least text that a time-ordered text column can hold for instants from `overlap_ms` before
/// `since` on, in the way `since` itself is written; `since` where it is no time in text.
///
/// The zone and the fraction are left off, since `12:00:00` sorts before both `12:00:00Z` and
/// `12:00:00.5Z`: at most a second is read twice, nothing is passed over.
pub(super) fn lower_text(since: &str, overlap_ms: u64) -> String {
    let shape = since.as_bytes();
    let separator = match shape.get(10) {
        Some(b'T') => 'T',
        Some(b' ') => ' ',
        _ => {
            let day = chrono::NaiveDate::parse_from_str(since, "%Y-%m-%d");
            let back = chrono::Days::new(overlap_ms.div_ceil(86_400_000));
            return match day.ok().and_then(|d| d.checked_sub_days(back)) {
                Some(day) => day.to_string(),
                None => since.to_owned(),
            };
        }
    };
    let local = since.get(..19).and_then(|s| {
        chrono::NaiveDateTime::parse_from_str(&s.replace(' ', "T"), "%Y-%m-%dT%H:%M:%S").ok()
    });
    let back = chrono::TimeDelta::try_milliseconds(i64::try_from(overlap_ms).unwrap_or(i64::MAX));
    match local
        .zip(back)
        .and_then(|(at, back)| at.checked_sub_signed(back))
    {
        Some(at) => at
            .format(&format!("%Y-%m-%d{separator}%H:%M:%S"))
            .to_string(),
        None => since.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_compare_as_what_they_mean() {
        let newer = |a: &str, b: &str| Mark::parse(a) > Mark::parse(b);
        assert!(newer("10", "9"));
        assert!(newer("2026-01-05T01:00:00+01:00", "2026-01-04T23:59:59Z"));
        assert!(!newer("2026-01-05T01:00:00+01:00", "2026-01-05 00:00:00"));
        assert!(newer("b", "a"));
        assert_eq!(
            Mark::parse("1767571200").back(1500),
            Mark::Number(Decimal::new(17675711985, 1))
        );
        assert_eq!(Mark::parse("41").back(1500), Mark::parse("41"));
    }

    #[test]
    fn a_lower_bound_passes_over_no_spelling_of_its_second() {
        assert_eq!(
            lower_text("2026-01-05T00:00:05.25Z", 2_000),
            "2026-01-05T00:00:03"
        );
        assert_eq!(lower_text("2026-01-05 00:00:00", 1), "2026-01-04 23:59:59");
        assert_eq!(lower_text("2026-01-05", 1), "2026-01-04");
        assert_eq!(lower_text("v17", 5), "v17");
        assert!(lower_text("2026-01-05T00:00:05Z", 0).as_str() <= "2026-01-05T00:00:05.1Z");
    }
}
