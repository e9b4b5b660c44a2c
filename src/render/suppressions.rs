//! `suppressions`: every `allow`, for people and for programs.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::Table;
use super::report::Range;
use super::snippet::harmless;
use super::style::{Style, count, wrap};

/// The version of the object's shape.
pub const VERSION: u32 = 1;

/// Every `allow` of the policies that were asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuppressionsOutput {
    /// The version of this shape, 1.
    pub version: u32,
    /// The day against which `until` was held, as 2027-01-31.
    pub today: String,
    /// Counts.
    pub summary: SuppressionsSummary,
    /// Expired ones first, then by their last day, then by place.
    pub suppressions: Vec<Suppression>,
}

/// Counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuppressionsSummary {
    /// All.
    pub total: usize,
    /// Those whose last day is over.
    pub expired: usize,
    /// Those that hold and silence nothing.
    pub idle: usize,
    /// Those without a last day.
    pub endless: usize,
}

/// One `allow`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suppression {
    /// The check's code, `SL0103`.
    pub code: String,
    /// The check's name, `write-to-owner`.
    pub name: String,
    /// Why, in the author's words.
    pub reason: String,
    /// The file, relative to the current directory, with `/`.
    pub file: String,
    /// Where in it.
    pub range: Range,
    /// What it covers: a block, a field, or the whole policy.
    pub covers: String,
    /// Its last day, as 2027-01-31; null: it has none.
    pub until: Option<String>,
    /// Days from today to its last day, negative once that is over; null: it has none.
    pub days_left: Option<i64>,
    /// Whether its last day is over, so that it silences nothing any more.
    pub expired: bool,
    /// How many findings it silences today.
    pub silences: usize,
    /// When its line was written.
    pub written: Written,
}

/// When a line was written, as git tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Written {
    /// It is committed.
    Committed {
        /// The day of the commit, as 2027-01-31.
        date: String,
        /// The commit.
        commit: String,
        /// Days from then to today.
        days: i64,
        /// The history here begins with that commit: the line may be older.
        at_least: bool,
    },
    /// It is not committed yet.
    Uncommitted,
    /// The file is in no repository, or there is no git.
    Unknown,
}

impl SuppressionsOutput {
    /// Puts `allow`s in order and counts them.
    pub fn new(today: String, mut suppressions: Vec<Suppression>) -> Self {
        suppressions.sort_by(|a, b| {
            let last = |s: &Suppression| s.days_left.unwrap_or(i64::MAX);
            (!a.expired, last(a), &a.file, a.range.start.offset).cmp(&(
                !b.expired,
                last(b),
                &b.file,
                b.range.start.offset,
            ))
        });
        let number =
            |which: fn(&Suppression) -> bool| suppressions.iter().filter(|s| which(s)).count();
        let summary = SuppressionsSummary {
            total: suppressions.len(),
            expired: number(|s| s.expired),
            idle: number(|s| !s.expired && s.silences == 0),
            endless: number(|s| s.until.is_none()),
        };
        SuppressionsOutput {
            version: VERSION,
            today,
            summary,
            suppressions,
        }
    }
}

/// The object as JSON text with a final newline.
pub fn json(output: &SuppressionsOutput) -> String {
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(output).unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema of the object, as published in `docs/suppressions.schema.json`.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<SuppressionsOutput>()
        .to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Syncline suppressions output".into());
    }
    schema
}

/// A table, the reasons below it by number, and the counts.
pub fn human(output: &SuppressionsOutput, style: Style) -> String {
    let mut out = String::new();
    if output.suppressions.is_empty() {
        out.push_str("no suppressions\n");
        return out;
    }
    let head = [
        "", "check", "where", "until", "silences", "written", "covers",
    ];
    let mut table = Table::new(&head);
    for (index, one) in output.suppressions.iter().enumerate() {
        table.row([
            (index + 1).to_string(),
            format!("{} {}", one.code, one.name),
            format!("{}:{}", harmless(&one.file), one.range.start.line),
            until(one),
            silences(one),
            written(&one.written),
            harmless(&one.covers).into_owned(),
        ]);
    }
    table.print(&mut out, style);
    out.push_str("\n  reasons\n");
    let number = output.suppressions.len().to_string().len();
    for (index, one) in output.suppressions.iter().enumerate() {
        let room = style.width.saturating_sub(number + 4).max(20);
        let mut lead = format!("{:>number$}", index + 1);
        for line in harmless(&one.reason).lines() {
            for part in wrap(line, room) {
                let _ = writeln!(out, "  {lead}  {part}");
                lead = " ".repeat(number);
            }
        }
    }
    let _ = writeln!(out, "\n{}", summary(output.summary, style));
    out
}

fn until(one: &Suppression) -> String {
    match (&one.until, one.days_left) {
        (Some(date), Some(days)) if one.expired => {
            format!(
                "{date}, expired {} ago",
                count(days.unsigned_abs() as usize, "day")
            )
        }
        (Some(date), Some(0)) => format!("{date}, today"),
        (Some(date), Some(days)) => {
            format!(
                "{date}, {} left",
                count(days.unsigned_abs() as usize, "day")
            )
        }
        _ => "no end".to_owned(),
    }
}

fn silences(one: &Suppression) -> String {
    match one.silences {
        0 => "nothing".to_owned(),
        number => count(number, "finding"),
    }
}

fn written(written: &Written) -> String {
    match written {
        Written::Committed { days, at_least, .. } => {
            let days = count(days.unsigned_abs() as usize, "day");
            let least = if *at_least { " or more" } else { "" };
            format!("{days}{least} ago")
        }
        Written::Uncommitted => "not committed yet".to_owned(),
        Written::Unknown => "unknown".to_owned(),
    }
}

fn summary(summary: SuppressionsSummary, style: Style) -> String {
    let mut parts = vec![count(summary.total, "suppression")];
    if summary.expired > 0 {
        parts.push(style.red(&format!("{} expired", summary.expired)));
    }
    if summary.idle > 0 {
        parts.push(style.yellow(&format!("{} silencing nothing", summary.idle)));
    }
    if summary.endless > 0 {
        parts.push(format!("{} without an end", summary.endless));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Position;

    fn one(line: u32, days_left: Option<i64>, silences: usize, written: Written) -> Suppression {
        let at = Position {
            offset: line * 10,
            line,
            column: 3,
        };
        Suppression {
            code: "SL0110".into(),
            name: "accepts-unused".into(),
            reason: format!("reason {line}"),
            file: "policy.sync".into(),
            range: Range { start: at, end: at },
            covers: "field contact.name".into(),
            until: days_left.map(|d| format!("2026-02-{:02}", 10 + d)),
            days_left,
            expired: days_left.is_some_and(|d| d < 0),
            silences,
            written,
        }
    }

    fn output() -> SuppressionsOutput {
        let committed = |days, at_least| Written::Committed {
            date: "2026-01-01".into(),
            commit: "c0ffee".into(),
            days,
            at_least,
        };
        let all = vec![
            one(1, None, 2, committed(40, true)),
            one(2, Some(5), 0, Written::Uncommitted),
            one(3, Some(0), 1, Written::Unknown),
            one(4, Some(-1), 0, committed(1, false)),
            one(5, Some(-7), 0, committed(300, false)),
        ];
        SuppressionsOutput::new("2026-02-10".into(), all)
    }

    #[test]
    fn expired_ones_come_first_then_by_last_day() {
        let output = output();
        let lines: Vec<u32> = output
            .suppressions
            .iter()
            .map(|s| s.range.start.line)
            .collect();
        assert_eq!(lines, [5, 4, 3, 2, 1]);
        let summary = output.summary;
        assert_eq!(
            (
                summary.total,
                summary.expired,
                summary.idle,
                summary.endless
            ),
            (5, 2, 1, 1)
        );
    }

    #[test]
    fn people_read_a_table() {
        insta::assert_snapshot!(human(&output(), Style::PLAIN));
    }
}
