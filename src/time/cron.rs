//! Cron patterns of five fields.
//!
//! The text is read here, field by field, so that each error names its field and its characters;
//! `croner` then holds the sets and decides which days match. It is corrected where it differs
//! from what crontabs mean: names are whole words, a list has no empty item, `5/15` counts on from
//! 5, `mon/2` ends on Saturday, and where a day field begins with `*` both day fields must match.

use std::fmt;
use std::ops::Range;

use chrono::{Datelike, NaiveDate};

use croner::parser::{CronParser, Seconds, Year};

/// A field of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CronField {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12, or `jan` to `dec`.
    Month,
    /// 0 to 7, or `sun` to `sat`; 0 and 7 are Sunday.
    DayOfWeek,
}

const FIELDS: [CronField; 5] = [
    CronField::Minute,
    CronField::Hour,
    CronField::DayOfMonth,
    CronField::Month,
    CronField::DayOfWeek,
];

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl CronField {
    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            CronField::Minute => "minute",
            CronField::Hour => "hour",
            CronField::DayOfMonth => "day of month",
            CronField::Month => "month",
            CronField::DayOfWeek => "day of week",
        }
    }

    /// The least and the greatest number that may stand in it.
    pub fn bounds(self) -> (u16, u16) {
        match self {
            CronField::Minute => (0, 59),
            CronField::Hour => (0, 23),
            CronField::DayOfMonth => (1, 31),
            CronField::Month => (1, 12),
            CronField::DayOfWeek => (0, 7),
        }
    }

    /// The greatest number that a `*` or an open range reaches.
    fn top(self) -> u16 {
        match self {
            CronField::DayOfWeek => 6,
            _ => self.bounds().1,
        }
    }

    /// The number that a name stands for.
    fn named(self, word: &str) -> Option<u16> {
        let (names, first): (&[&str], u16) = match self {
            CronField::Month => (&MONTHS, 1),
            CronField::DayOfWeek => (&DAYS, 0),
            _ => return None,
        };
        let at = names.iter().position(|n| n.eq_ignore_ascii_case(word))?;
        Some(first + u16::try_from(at).ok()?)
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronProblem {
    /// It has not five fields, but so many.
    #[error("a cron pattern has five fields, this has {0}")]
    FieldCount(usize),
    /// A word such as `@daily` in place of the fields.
    #[error("`{0}` is no cron pattern of five fields")]
    Nickname(String),
    /// A sign of other dialects: `L`, `W`, `#` or `?`.
    #[error("`{sign}` is not supported in the {field} of a cron pattern")]
    Sign {
        /// The sign.
        sign: char,
        /// Where it stands.
        field: CronField,
    },
    /// Neither a number nor a name that the field knows.
    #[error("`{text}` is no {field}")]
    Value {
        /// The text, possibly empty.
        text: String,
        /// Where it stands.
        field: CronField,
    },
    /// A number outside the field.
    #[error("{field} `{text}` is out of range {}-{}", field.bounds().0, field.bounds().1)]
    OutOfRange {
        /// The number as written.
        text: String,
        /// Where it stands.
        field: CronField,
    },
    /// A range whose end is below its start.
    #[error("the range `{text}` runs backwards")]
    Backwards {
        /// The range.
        text: String,
        /// Where it stands.
        field: CronField,
    },
    /// A step of nothing, or beyond the field.
    #[error("the step `{text}` of the {field} is not between 1 and {}", field.top())]
    Step {
        /// The step as written.
        text: String,
        /// Where it stands.
        field: CronField,
    },
}

/// A pattern that cannot be read, with the characters at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct CronError {
    /// What is wrong.
    pub problem: CronProblem,
    /// The bytes of the pattern at fault.
    pub range: Range<usize>,
}

impl CronError {
    /// What to write instead.
    pub fn help(&self) -> String {
        const ORDER: &str = "write `minute hour day-of-month month day-of-week`";
        match &self.problem {
            CronProblem::FieldCount(6 | 7) => format!("{ORDER}, without seconds or years"),
            CronProblem::FieldCount(_) => format!("{ORDER}, as in `*/15 8-18 * * mon-fri`"),
            CronProblem::Nickname(word) => match spelled_out(word) {
                Some(fields) => format!("write `{fields}`"),
                None => format!("{ORDER}, as in `0 4 * * *`"),
            },
            CronProblem::Sign { sign: '?', .. } => "write `*` for any day".to_owned(),
            CronProblem::Sign { .. } | CronProblem::Value { .. } => {
                "write numbers, names, `*`, lists `1,15`, ranges `1-5` and steps `*/15`".to_owned()
            }
            CronProblem::OutOfRange { field, .. } => {
                let (low, high) = field.bounds();
                format!("write a number from {low} to {high}")
            }
            CronProblem::Backwards { text, field } => match text.split_once('-') {
                Some((from, to)) => {
                    let (low, high) = (field.bounds().0, field.top());
                    format!("write `{from}-{high},{low}-{to}` to go past the end")
                }
                None => "write the smaller number first".to_owned(),
            },
            CronProblem::Step { field, .. } => {
                format!("write a step from 1 to {}", field.top())
            }
        }
    }
}

/// The five fields that a nickname of other tools stands for.
fn spelled_out(nickname: &str) -> Option<&'static str> {
    match nickname.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => Some("0 0 1 1 *"),
        "@monthly" => Some("0 0 1 * *"),
        "@weekly" => Some("0 0 * * 0"),
        "@daily" | "@midnight" => Some("0 0 * * *"),
        "@hourly" => Some("0 * * * *"),
        _ => None,
    }
}

/// A cron pattern that was read.
#[derive(Debug, Clone)]
pub struct Cron {
    pattern: croner::CronPattern,
    /// Minutes of the day at which it fires on a day that matches, in order.
    minutes: Vec<u16>,
    /// Every one of the 24 hours.
    pub(super) every_hour: bool,
    /// Steps through hours, or fires every minute of its hours.
    pub(super) interval: bool,
}

impl Cron {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Cron, CronError> {
        let words = words(text);
        if let [(start, word)] = words.as_slice()
            && word.starts_with('@')
        {
            return Err(CronError {
                problem: CronProblem::Nickname((*word).to_owned()),
                range: *start..start + word.len(),
            });
        }
        let [minute, hour, dom, month, dow] = words.as_slice() else {
            return Err(CronError {
                problem: CronProblem::FieldCount(words.len()),
                range: 0..text.len(),
            });
        };
        let mut plain = Vec::with_capacity(5);
        for (field, (start, word)) in FIELDS.into_iter().zip([minute, hour, dom, month, dow]) {
            plain.push(read_field(field, *start, word)?);
        }
        let starred = |word: &(usize, &str)| word.1.starts_with('*');
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .dom_and_dow(starred(dom) || starred(dow))
            .build();
        // What `read_field` lets through is within what croner reads.
        let pattern = parser.parse(&plain.join(" ")).map_err(|_| CronError {
            problem: CronProblem::FieldCount(words.len()),
            range: 0..text.len(),
        })?;
        let pattern = pattern.pattern;
        let minutes_of_hour = pattern.minutes.values();
        let hours = pattern.hours.values();
        let minutes = hours
            .iter()
            .flat_map(|h| minutes_of_hour.iter().map(move |m| h * 60 + m))
            .collect();
        let every_hour = hours.len() == 24;
        Ok(Cron {
            every_hour,
            interval: every_hour || starred(hour) || starred(minute) || minutes_of_hour.len() == 60,
            pattern,
            minutes,
        })
    }

    /// Whether it fires on that date.
    pub fn on(&self, date: NaiveDate) -> bool {
        let weekday = croner::Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        self.pattern.month_match(date.month()).unwrap_or(false)
            && self
                .pattern
                .day_match(date.year(), date.month(), date.day(), weekday)
                .unwrap_or(false)
    }

    /// The minutes of the day at which it fires on a day that matches, in order; never empty.
    pub fn minutes_of_day(&self) -> &[u16] {
        &self.minutes
    }

    /// Whether any date of the calendar matches (`0 0 30 2 *` has none).
    pub fn ever(&self) -> bool {
        // Every pairing of date and weekday comes within 40 years, the longest wait for one
        // 29 February on a given weekday across a century without a leap day.
        let first = NaiveDate::from_epoch_days(0).unwrap_or_default();
        first.iter_days().take(41 * 366).any(|date| self.on(date))
    }
}

/// The words of a text with their byte offsets.
fn words(text: &str) -> Vec<(usize, &str)> {
    let offset = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .map(|word| (offset(word), word))
        .collect()
}

/// Reads one field and writes it plainly: `*` where it is that, else numbers and closed ranges.
fn read_field(field: CronField, start: usize, word: &str) -> Result<String, CronError> {
    if word == "*" {
        return Ok("*".to_owned());
    }
    let mut plain = Vec::new();
    let mut at = start;
    for item in word.split(',') {
        plain.push(read_item(field, at, item)?);
        at += item.len() + 1;
    }
    Ok(plain.join(","))
}

/// Reads one item of a list: `*`, a value or a range, with or without a step.
fn read_item(field: CronField, start: usize, item: &str) -> Result<String, CronError> {
    let (base, step) = match item.split_once('/') {
        Some((base, step)) => (base, Some((start + base.len() + 1, step))),
        None => (item, None),
    };
    let (low, high) = if base == "*" {
        (field.bounds().0, field.top())
    } else if let Some((from, to)) = base.split_once('-') {
        let low = read_value(field, start, from)?;
        let to_start = start + from.len() + 1;
        let high = match read_value(field, to_start, to)? {
            // A week may end on Sunday.
            0 if field == CronField::DayOfWeek && low > 0 => 7,
            high => high,
        };
        if high < low {
            return Err(CronError {
                problem: CronProblem::Backwards {
                    text: base.to_owned(),
                    field,
                },
                range: start..start + base.len(),
            });
        }
        (low, high)
    } else {
        let value = read_value(field, start, base)?;
        match step {
            // Sunday as 7 has no day after it to count on to.
            Some(_) => (value, field.top().max(value)),
            None => (value, value),
        }
    };
    match step {
        Some((at, step)) => Ok(format!("{low}-{high}/{}", read_step(field, at, step)?)),
        None => Ok(format!("{low}-{high}")),
    }
}

/// Reads a number or a name.
fn read_value(field: CronField, start: usize, text: &str) -> Result<u16, CronError> {
    let error = |problem| {
        Err(CronError {
            problem,
            range: start..start + text.len(),
        })
    };
    if let Some(value) = field.named(text) {
        return Ok(value);
    }
    let owned = text.to_owned();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        let sign = |c: &char| matches!(c.to_ascii_uppercase(), 'L' | 'W' | '#' | '?');
        let foreign =
            text.chars().all(|c| sign(&c) || c.is_ascii_digit()) || text.contains(['#', '?']);
        if let Some(found) = text.chars().find(sign).filter(|_| foreign) {
            let sign = found.to_ascii_uppercase();
            return error(CronProblem::Sign { sign, field });
        }
        return error(CronProblem::Value { text: owned, field });
    }
    let (low, high) = field.bounds();
    match text.parse::<u16>() {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        _ => error(CronProblem::OutOfRange { text: owned, field }),
    }
}

/// Reads a step.
fn read_step(field: CronField, start: usize, text: &str) -> Result<u16, CronError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u16>()
        .ok()
        .filter(|step| digits && (1..=field.top()).contains(step))
        .ok_or_else(|| CronError {
            problem: CronProblem::Step {
                text: text.to_owned(),
                field,
            },
            range: start..start + text.len(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn refused(pattern: &str, message: &str, marked: &str, help: &str) {
        let error = Cron::parse(pattern).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(&pattern[error.range.clone()], marked);
        assert_eq!(error.help(), help);
    }

    #[test]
    fn errors_name_the_field_and_its_characters() {
        refused(
            "0 30 4 * * *",
            "a cron pattern has five fields, this has 6",
            "0 30 4 * * *",
            "write `minute hour day-of-month month day-of-week`, without seconds or years",
        );
        refused(
            "@daily",
            "`@daily` is no cron pattern of five fields",
            "@daily",
            "write `0 0 * * *`",
        );
        let forms = "write numbers, names, `*`, lists `1,15`, ranges `1-5` and steps `*/15`";
        let sign = |s, f| format!("`{s}` is not supported in the {f} of a cron pattern");
        refused("0 4 L * *", &sign("L", "day of month"), "L", forms);
        refused("0 4 15w * *", &sign("W", "day of month"), "15w", forms);
        refused("0 4 * * 5#3", &sign("#", "day of week"), "5#3", forms);
        refused("0 4 * * mon#1", &sign("#", "day of week"), "mon#1", forms);
        refused(
            "0 4 ? * 1",
            &sign("?", "day of month"),
            "?",
            "write `*` for any day",
        );
        refused("0 4 * * fir", "`fir` is no day of week", "fir", forms);
        refused(
            "0 1,24 * * *",
            "hour `24` is out of range 0-23",
            "24",
            "write a number from 0 to 23",
        );
        refused(
            "0 22-6 * * *",
            "the range `22-6` runs backwards",
            "22-6",
            "write `22-23,0-6` to go past the end",
        );
        refused(
            "*/60 * * * *",
            "the step `60` of the minute is not between 1 and 59",
            "60",
            "write a step from 1 to 59",
        );
    }

    #[test]
    fn days_may_be_names_numbers_and_wrap_to_sunday() {
        let days = |pattern: &str| {
            let cron = Cron::parse(&format!("0 0 * * {pattern}")).unwrap();
            let monday: NaiveDate = "2026-01-05".parse().unwrap();
            monday
                .iter_days()
                .take(7)
                .map(|d| cron.on(d))
                .collect::<Vec<_>>()
        };
        let t = true;
        let f = false;
        assert_eq!(days("0"), [f, f, f, f, f, f, t]);
        assert_eq!(days("7"), days("SUN"));
        assert_eq!(days("fri-sun"), [f, f, f, f, t, t, t]);
        assert_eq!(days("5-7"), days("fri-sun"));
        assert_eq!(days("sun-tue"), [t, t, f, f, f, f, t]);
        assert_eq!(days("mon/3"), [t, f, f, t, f, f, f]);
        assert_eq!(days("mon-fri/2"), [t, f, t, f, t, f, f]);
        assert_eq!(days("0-7"), [t; 7]);
    }

    #[test]
    fn either_day_field_matches_where_both_are_set() {
        let on =
            |pattern: &str, date: &str| Cron::parse(pattern).unwrap().on(date.parse().unwrap());
        // 2026-01-13 is a Tuesday, 2026-01-16 a Friday.
        assert!(on("0 0 13 * fri", "2026-01-13"));
        assert!(on("0 0 13 * fri", "2026-01-16"));
        assert!(!on("0 0 13 * fri", "2026-01-14"));
        assert!(!on("0 0 * * fri", "2026-01-13"));
        assert!(!on("0 0 13 * *", "2026-01-16"));
        // A field that begins with `*` is not set: both have to match.
        assert!(!on("0 0 */2 * fri", "2026-01-13"));
        assert!(on("0 0 13 * */2", "2026-01-13"));
        assert!(!on("0 0 14 * */5", "2026-01-16"));
    }

    #[test]
    fn a_date_may_never_come() {
        assert!(Cron::parse("0 0 29 2 *").unwrap().ever());
        assert!(!Cron::parse("0 0 30 2 *").unwrap().ever());
        assert!(Cron::parse("0 0 */31 2,3 mon").unwrap().ever());
        assert!(!Cron::parse("0 0 31 2,4 */1").unwrap().ever());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-*/,0-9a-zA-Z#?@ \\PC]{0,24}") {
            if let Err(error) = Cron::parse(&text) {
                prop_assert!(text.get(error.range.clone()).is_some());
                prop_assert!(!error.help().is_empty());
            }
        }
    }
}
