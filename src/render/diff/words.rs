//! What all forms for people say alike: groups of changes, figures side by side, how to approve.

use std::fmt::Write;

use crate::checks::figures::{count, duration, share};
use crate::diff::{Area, Change, Delta, Diff, Figures, Grade, Holds, Place, Unused, WhyUnused};

/// Changes that differ in nothing but their subject.
pub(super) struct Group<'d> {
    /// The first of them.
    pub change: &'d Change,
    /// What changes.
    pub all: Vec<&'d Change>,
}

/// The changes of a grade that are approved or not, in groups, in the order of the comparison.
pub(super) fn groups(diff: &Diff, grade: Grade, approved: bool) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    let wanted = |c: &&Change| c.grade == grade && c.approved.is_some() == approved;
    for change in diff.changes.iter().filter(wanted) {
        let text = |said: &Option<crate::diff::Said>| said.as_ref().map(|s| s.text.clone());
        let same = |c: &Change| {
            c.kind == change.kind
                && text(&c.old) == text(&change.old)
                && text(&c.new) == text(&change.new)
                && c.means == change.means
                && c.approved == change.approved
        };
        // Changes are sorted by kind and subject, so that those of one item stand close together.
        match groups
            .iter_mut()
            .rev()
            .take(SEARCHED)
            .find(|g| same(g.change))
        {
            Some(group) => group.all.push(change),
            None => groups.push(Group {
                change,
                all: vec![change],
            }),
        }
    }
    groups
}

/// How many groups are looked through for one that a change belongs to.
const SEARCHED: usize = 50;

/// Subjects that are named; the others are counted.
const NAMED: usize = 8;

impl Group<'_> {
    /// What changes: up to eight subjects, then how many more.
    pub fn subjects(&self, shape: impl Fn(&str) -> String) -> String {
        let named = self.all.iter().take(NAMED).map(|c| shape(&c.subject));
        let mut text = named.collect::<Vec<_>>().join(", ");
        if self.all.len() > NAMED {
            let _ = write!(text, " and {} more", self.all.len() - NAMED);
        }
        text
    }

    /// Where it stands in both versions.
    pub fn places(&self) -> String {
        let at =
            |said: &Option<crate::diff::Said>| said.as_ref().and_then(|s| s.at.as_ref().map(place));
        let (old, new) = (at(&self.change.old), at(&self.change.new));
        let mut text = match (old, new) {
            (Some(old), Some(new)) if old == new => new,
            (Some(old), Some(new)) => format!("{old} → {new}"),
            (Some(old), None) => format!("was {old}"),
            (None, Some(new)) => new,
            (None, None) => return String::new(),
        };
        if self.all.len() > 1 {
            let _ = write!(text, " and {} more", self.all.len() - 1);
        }
        text
    }

    /// Who is hit: the receivers and the scenarios of the whole group.
    pub fn hits(&self) -> Option<String> {
        let all = |of: fn(&Change) -> &Vec<String>| {
            let mut names: Vec<&str> = self
                .all
                .iter()
                .flat_map(|c| of(c))
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        let systems = all(|c| &c.hits.systems);
        let scenarios = all(|c| &c.hits.scenarios);
        match (systems.is_empty(), scenarios.is_empty()) {
            (true, _) => None,
            (false, true) => Some(listed(&systems)),
            (false, false) => Some(format!("{} by {}", listed(&systems), listed(&scenarios))),
        }
    }
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|n| format!("`{n}`")).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn place(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}

/// The verdict in a word or two.
pub(super) fn verdict(diff: &Diff) -> &'static str {
    match (diff.verdict, diff.is_empty()) {
        (Some(grade), _) => grade.word(),
        (None, true) => "no change in meaning",
        (None, false) => "approved",
    }
}

/// `2 breaking, 1 risky, 4 safe changes; 1 approved`.
pub(super) fn summary(diff: &Diff) -> String {
    let s = diff.summary;
    let parts: Vec<String> = [
        (s.breaking, "breaking"),
        (s.risky, "risky"),
        (s.safe, "safe"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    let mut text = parts.join(", ");
    if !parts.is_empty() {
        text.push_str(if s.breaking + s.risky + s.safe == 1 {
            " change"
        } else {
            " changes"
        });
    }
    if s.approved > 0 {
        let mark = if parts.is_empty() { "" } else { "; " };
        let _ = write!(text, "{mark}{} approved", s.approved);
    }
    text
}

/// What is compared with what.
pub(super) fn compared(diff: &Diff, shape: impl Fn(&str) -> String) -> String {
    match diff.old.holds {
        Holds::Nothing => format!("{}, which is new", shape(&diff.new.label)),
        _ => format!("{} → {}", shape(&diff.old.label), shape(&diff.new.label)),
    }
}

fn number(value: Option<f64>, shape: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "?".to_owned(), shape)
}

fn money(amount: f64) -> String {
    match amount {
        0.0 => "0".to_owned(),
        small if small.abs() < 99.995 => format!("{small:.2}"),
        large if large < 0.0 => format!("-{}", count(-large)),
        large => count(large),
    }
}

/// How much more or less, with its share.
fn change(delta: &Delta, shape: impl Fn(f64) -> String) -> String {
    if !delta.differs() && delta.old.is_some() {
        return "=".to_owned();
    }
    let Some(by) = delta.change else {
        return "?".to_owned();
    };
    let sign = if by < 0.0 { "-" } else { "+" };
    let mut text = format!("{sign}{}", shape(by.abs()));
    if let Some(growth) = delta.growth() {
        let _ = write!(text, " ({sign}{})", share(growth.abs()));
    }
    text
}

/// A row of a table.
type Row = [String; 5];

/// A table: its title, its head and its rows.
pub(super) struct Table {
    pub title: String,
    pub head: [&'static str; 5],
    pub rows: Vec<Row>,
    /// Rows that are left out.
    pub more: usize,
}

/// Rows of a table that are shown.
const ROWS: usize = 30;

/// Calls, scenarios and ages whose figures differ.
pub(super) fn tables(figures: &Figures) -> Vec<Table> {
    let tables = [
        table(
            "calls a day",
            [
                "system",
                "before",
                "after",
                "change",
                "of budget, busiest day",
            ],
            rows_of_systems(figures),
        ),
        table(
            "scenarios",
            [
                "scenario",
                "mode",
                "calls a day",
                "worst delay",
                "cost a month",
            ],
            rows_of_scenarios(figures),
        ),
        table(
            "fields with a bound",
            ["field", "in", "worst age before", "after", "bound"],
            rows_of_ages(figures),
        ),
    ];
    tables.into_iter().filter(|t| !t.rows.is_empty()).collect()
}

fn table(title: &str, head: [&'static str; 5], mut rows: Vec<Row>) -> Table {
    let more = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    Table {
        title: title.to_owned(),
        head,
        rows,
        more,
    }
}

/// A figure that may not be there, as a share or an age.
fn or_dash(value: Option<f64>, shape: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), shape)
}

fn rows_of_systems(figures: &Figures) -> Vec<Row> {
    let systems = figures.systems.iter().filter(|s| {
        s.calls_per_day.differs() || s.busiest_utilisation.differs() || s.quota_per_day.differs()
    });
    systems
        .map(|s| {
            let used = &s.busiest_utilisation;
            [
                s.name.clone(),
                number(s.calls_per_day.old, count),
                number(s.calls_per_day.new, count),
                change(&s.calls_per_day, count),
                format!(
                    "{} → {}",
                    or_dash(used.old, share),
                    or_dash(used.new, share)
                ),
            ]
        })
        .collect()
}

fn rows_of_scenarios(figures: &Figures) -> Vec<Row> {
    let scenarios = figures.scenarios.iter();
    scenarios
        .map(|s| {
            let mode = |m: &Option<String>| m.clone().unwrap_or_else(|| "-".to_owned());
            let modes = match s.old_mode == s.new_mode {
                true => mode(&s.new_mode),
                false => format!("{} → {}", mode(&s.old_mode), mode(&s.new_mode)),
            };
            let worst = &s.worst_seconds;
            [
                s.name.clone(),
                modes,
                change(&s.calls_per_day, count),
                format!(
                    "{} → {}",
                    or_dash(worst.old, duration),
                    or_dash(worst.new, duration)
                ),
                change(&s.cost_per_month, money),
            ]
        })
        .collect()
}

fn rows_of_ages(figures: &Figures) -> Vec<Row> {
    let asked = figures
        .ages
        .iter()
        .filter(|a| a.required_seconds.old.is_some() || a.required_seconds.new.is_some());
    asked
        .map(|a| {
            let bound = &a.required_seconds;
            let required = |r: Option<f64>| or_dash(r, duration);
            [
                a.field.clone(),
                a.system.clone(),
                or_dash(a.worst_seconds.old, duration),
                or_dash(a.worst_seconds.new, duration),
                match bound.differs() {
                    true => format!("{} → {}", required(bound.old), required(bound.new)),
                    false => required(bound.new),
                },
            ]
        })
        .collect()
}

/// What the policy costs, before and after, where that changes.
pub(super) fn cost(figures: &Figures) -> Option<String> {
    let month = &figures.cost_per_month;
    if !month.differs() {
        return None;
    }
    let currency = figures.currency.as_deref().unwrap_or_default();
    let day = &figures.cost_per_day;
    let room = if currency.is_empty() { "" } else { " " };
    Some(format!(
        "cost a month: {} → {}{room}{currency}, {}; a day: {} → {}",
        number(month.old, money),
        number(month.new, money),
        change(month, money),
        number(day.old, money),
        number(day.new, money),
    ))
}

/// That figures stay as they are, where both sides have them and none differs.
pub(super) fn unmoved(figures: &Figures) -> bool {
    tables(figures).is_empty() && !figures.cost_per_month.differs()
}

/// An approval that accepts nothing, in a sentence.
pub(super) fn unused(unused: &Unused) -> String {
    let subjects: Vec<String> = unused.subject.iter().map(|s| format!("`{s}`")).collect();
    let what = format!("`{}` of {}", unused.change, subjects.join(", "));
    let why = match unused.why {
        WhyUnused::Stale => "there is no such change here; take it out once it is merged",
        WhyUnused::Expired => "its last day is over",
        WhyUnused::Other => "the change comes to something else than what was approved",
    };
    format!(
        "{}: the approval of {what} accepts nothing: {why}",
        place(&unused.at)
    )
}

/// Approvals that are shown; more are counted.
pub(super) const APPROVALS: usize = 20;

/// Entries that would approve the breaking changes, so many at most, and how many are left out.
pub(super) fn approvals(diff: &Diff, today: &str, most: usize) -> Option<(String, usize)> {
    let groups = groups(diff, Grade::Breaking, false);
    let errors =
        |g: &&Group| g.change.area != Area::Policy || g.change.kind.name() != "error-added";
    let groups: Vec<&Group> = groups.iter().filter(errors).collect();
    if groups.is_empty() {
        return None;
    }
    // A JSON string is a YAML string, whatever it holds.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = String::from("approvals:\n");
    for group in groups.iter().take(most) {
        let _ = writeln!(out, "  - change: {}", group.change.kind);
        let subjects: Vec<String> = group.all.iter().map(|c| quoted(&c.subject)).collect();
        match subjects.as_slice() {
            [one] => _ = writeln!(out, "    subject: {one}"),
            several => _ = writeln!(out, "    subject: [{}]", several.join(", ")),
        }
        if let Some(new) = &group.change.new {
            let _ = writeln!(out, "    to: {}", quoted(&new.text));
        }
        let _ = writeln!(out, "    reason: \"\" # say why");
        let _ = writeln!(out, "    date: {today}");
    }
    Some((out, groups.len().saturating_sub(most)))
}
