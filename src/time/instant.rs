//! A point in time.

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::Millis;

/// A point in time: milliseconds since 1970-01-01T00:00Z, leap seconds left out.
///
/// In JSON an integer; as text RFC 3339 in UTC.
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
pub struct Instant(pub i64);

/// A text that is no RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no instant; write it as `2026-01-05T00:00:00Z`")]
pub struct InstantError(pub String);

/// The years that the calendar can show, in milliseconds; beyond them arithmetic saturates.
const MILLIS_MAX: i64 = 8_000_000_000_000_000;

impl Instant {
    /// 1970-01-01T00:00Z.
    pub const EPOCH: Instant = Instant(0);

    /// Reads RFC 3339, any offset; parts of a millisecond are dropped.
    pub fn parse(text: &str) -> Result<Self, InstantError> {
        DateTime::parse_from_rfc3339(text)
            .map(|t| Instant(t.timestamp_millis()))
            .map_err(|_| InstantError(text.to_owned()))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Instant) -> Millis {
        Millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The UTC date.
    pub fn date(self) -> super::Date {
        self.naive().date()
    }

    /// The wall clock of UTC; saturates at the ends of the calendar.
    pub(super) fn naive(self) -> NaiveDateTime {
        let held = self.0.clamp(-MILLIS_MAX, MILLIS_MAX);
        DateTime::<Utc>::from_timestamp_millis(held)
            .unwrap_or_default()
            .naive_utc()
    }
}

impl Add<Millis> for Instant {
    type Output = Instant;

    fn add(self, span: Millis) -> Instant {
        Instant(self.0.saturating_add_unsigned(span.0))
    }
}

impl Sub<Millis> for Instant {
    type Output = Instant;

    fn sub(self, span: Millis) -> Instant {
        Instant(self.0.saturating_sub_unsigned(span.0))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.naive().and_utc();
        f.write_str(&text.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl std::str::FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Self, InstantError> {
        Instant::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_rfc_3339() {
        let t = Instant::parse("2026-01-05T00:00:00-05:00").unwrap();
        assert_eq!(t.to_string(), "2026-01-05T05:00:00Z");
        let t = Instant::parse("2026-01-05T00:00:00.250Z").unwrap();
        assert_eq!(t.to_string(), "2026-01-05T00:00:00.250Z");
        assert_eq!(
            Instant::parse("yesterday").unwrap_err().to_string(),
            "`yesterday` is no instant; write it as `2026-01-05T00:00:00Z`"
        );
    }

    #[test]
    fn is_an_integer_in_json() {
        assert_eq!(serde_json::to_string(&Instant(1500)).unwrap(), "1500");
        assert_eq!(serde_json::from_str::<Instant>("-3").unwrap(), Instant(-3));
    }

    #[test]
    fn the_ends_of_time_saturate() {
        assert_eq!(Instant(i64::MAX) + Millis(5), Instant(i64::MAX));
        assert_eq!(Instant(i64::MIN) - Millis(5), Instant(i64::MIN));
        assert_eq!(Instant(3).since(Instant(9)), Millis(0));
        assert!(!Instant(i64::MAX).to_string().is_empty());
    }
}
