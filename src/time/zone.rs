//! Time zones by their IANA names, and what a wall clock's reading means in them.

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Instant;
use crate::terms::Weekday;

/// A time zone of the IANA database.
///
/// In JSON its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A name that no zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{0}`")]
pub struct UnknownZone(pub String);

/// The instants at which a wall clock shows one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// One.
    Once(Instant),
    /// None: a spring change skips it; the gap ends here.
    Skipped(Instant),
    /// Two: an autumn change repeats it.
    Twice(Instant, Instant),
}

impl Reading {
    /// When a fixed time runs: at the gap's end, on the first pass.
    pub(super) fn first(self) -> Instant {
        match self {
            Reading::Once(t) | Reading::Skipped(t) | Reading::Twice(t, _) => t,
        }
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(Tz::UTC);

    /// The zone of that IANA name, upper and lower case as the database has it.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        name.parse::<Tz>()
            .map(Zone)
            .map_err(|_| UnknownZone(name.to_owned()))
    }

    /// Its IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Every name, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// The date and the minute of the day that a wall clock shows then; seconds are cut.
    pub fn date_and_minute(self, at: Instant) -> (NaiveDate, u16) {
        let local = self.local(at);
        // A minute of a day is below 1 440.
        let minute = (local.hour() * 60 + local.minute()) as u16;
        (local.date(), minute)
    }

    /// The first instant of that date.
    pub fn start_of(self, date: NaiveDate) -> Instant {
        self.reading(date, 0).first()
    }

    /// RFC 3339 with the zone's own offset, to the second.
    pub fn show(self, at: Instant) -> String {
        let offset = self.0.offset_from_utc_datetime(&at.naive()).fix();
        let local = offset.from_utc_datetime(&at.naive());
        local.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }

    /// What a wall clock shows then.
    pub(super) fn local(self, at: Instant) -> NaiveDateTime {
        let utc = at.naive();
        let offset = self.0.offset_from_utc_datetime(&utc).fix();
        utc + TimeDelta::seconds(i64::from(offset.local_minus_utc()))
    }

    /// How far the wall clock is ahead of UTC then, in milliseconds.
    pub(super) fn offset_ms(self, at: Instant) -> i64 {
        let offset = self.0.offset_from_utc_datetime(&at.naive()).fix();
        i64::from(offset.local_minus_utc()) * 1_000
    }

    /// When a wall clock shows that minute (1 440: the next midnight) of that date.
    pub(super) fn reading(self, date: NaiveDate, minute: u16) -> Reading {
        let midnight = date.and_time(chrono::NaiveTime::MIN);
        // The calendar's last day has no next midnight.
        let local = midnight
            .checked_add_signed(TimeDelta::minutes(i64::from(minute)))
            .unwrap_or(midnight);
        let instant = |t: chrono::DateTime<Tz>| Instant(t.timestamp_millis());
        match self.0.from_local_datetime(&local) {
            chrono::LocalResult::Single(t) => Reading::Once(instant(t)),
            chrono::LocalResult::Ambiguous(a, b) => {
                let (a, b) = (instant(a), instant(b));
                Reading::Twice(a.min(b), a.max(b))
            }
            chrono::LocalResult::None => {
                let end = GapInfo::new(&local, &self.0).and_then(|gap| gap.end);
                // Without an end (never seen in the database) the reading counts as UTC.
                Reading::Skipped(end.map_or(Instant(local.and_utc().timestamp_millis()), instant))
            }
        }
    }
}

/// The day of the week of a date.
pub(super) fn weekday(date: NaiveDate) -> Weekday {
    use chrono::Datelike;
    match date.weekday() {
        chrono::Weekday::Mon => Weekday::Mon,
        chrono::Weekday::Tue => Weekday::Tue,
        chrono::Weekday::Wed => Weekday::Wed,
        chrono::Weekday::Thu => Weekday::Thu,
        chrono::Weekday::Fri => Weekday::Fri,
        chrono::Weekday::Sat => Weekday::Sat,
        chrono::Weekday::Sun => Weekday::Sun,
    }
}

impl Default for Zone {
    fn default() -> Self {
        Zone::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Zone::parse(&name).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Zone {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Zone".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A time zone of the IANA database by its name.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_those_of_the_database() {
        assert_eq!(
            Zone::parse("Europe/London").unwrap().name(),
            "Europe/London"
        );
        assert_eq!(
            Zone::parse("europe/london").unwrap_err().to_string(),
            "there is no time zone `europe/london`"
        );
        assert!(Zone::names().any(|n| n == "America/New_York"));
        let json = serde_json::to_string(&Zone::parse("Asia/Tokyo").unwrap()).unwrap();
        assert_eq!(json, "\"Asia/Tokyo\"");
        assert!(serde_json::from_str::<Zone>("\"Mars/Olympus\"").is_err());
    }

    #[test]
    fn a_reading_may_happen_never_once_or_twice() {
        let ny = Zone::parse("America/New_York").unwrap();
        let at = |text| Instant::parse(text).unwrap();
        assert_eq!(
            ny.reading(date("2026-03-08"), 150),
            Reading::Skipped(at("2026-03-08T07:00:00Z"))
        );
        assert_eq!(
            ny.reading(date("2026-11-01"), 90),
            Reading::Twice(at("2026-11-01T05:30:00Z"), at("2026-11-01T06:30:00Z"))
        );
        assert_eq!(
            ny.reading(date("2026-07-01"), 1440),
            Reading::Once(at("2026-07-02T04:00:00Z"))
        );
        assert_eq!(
            ny.show(at("2026-07-01T04:00:00Z")),
            "2026-07-01T00:00:00-04:00"
        );
    }

    #[test]
    fn a_skipped_day_ends_where_the_next_begins() {
        let apia = Zone::parse("Pacific/Apia").unwrap();
        assert_eq!(
            apia.reading(date("2011-12-30"), 720),
            Reading::Skipped(Instant::parse("2011-12-30T10:00:00Z").unwrap())
        );
    }
}
