//! A comparison for the terminal.

use std::fmt::Write;

use super::words::{self, Group, Table};
use crate::diff::{APPROVALS_FILE, Diff, Grade};
use crate::render::style::{Style, count, fill, wrap};

/// For the terminal. `today` dates the approvals that are proposed.
pub fn human(diff: &Diff, today: &str, style: Style) -> String {
    let mut out = String::new();
    let verdict = words::verdict(diff);
    let _ = writeln!(
        out,
        "{} {}",
        style.bold(&format!("policy {}:", diff.policy)),
        painted(diff.verdict, verdict, style)
    );
    let plain = |s: &str| s.to_owned();
    let _ = writeln!(out, "{}", style.dim(&words::compared(diff, plain)));
    if !diff.is_empty() {
        let _ = writeln!(out, "{}", words::summary(diff));
    }
    for note in &diff.notes {
        out.push_str(&fill(&format!("note: {note}"), style.width));
    }
    for grade in Grade::ALL {
        section(
            &mut out,
            &words::groups(diff, grade, false),
            grade.word(),
            style,
        );
    }
    let approved = Grade::ALL
        .iter()
        .flat_map(|g| words::groups(diff, *g, true));
    section(&mut out, &approved.collect::<Vec<_>>(), "approved", style);
    figures(&mut out, diff, style);
    if !diff.approvals.is_empty() {
        out.push('\n');
        for unused in &diff.approvals {
            out.push_str(&fill(&words::unused(unused), style.width));
        }
    }
    if let Some((entries, more)) = words::approvals(diff, today, words::APPROVALS) {
        let _ = writeln!(
            out,
            "\n{}",
            style.dim(&format!(
                "to accept what is breaking, write into {APPROVALS_FILE} beside the policy:"
            ))
        );
        for line in entries.lines() {
            let _ = writeln!(out, "  {line}");
        }
        if more > 0 {
            let _ = writeln!(out, "  # and {more} more");
        }
    }
    out
}

fn painted(grade: Option<Grade>, text: &str, style: Style) -> String {
    match grade {
        Some(Grade::Breaking) => style.red(text),
        Some(Grade::Risky) => style.yellow(text),
        Some(Grade::Safe) | None => style.green(text),
    }
}

fn section(out: &mut String, groups: &[Group], title: &str, style: Style) {
    let Some(first) = groups.first() else {
        return;
    };
    let grade = (title != "approved").then_some(first.change.grade);
    let _ = writeln!(out, "\n{}", style.bold(&painted(grade, title, style)));
    for group in groups {
        let change = group.change;
        let subjects = group.subjects(str::to_owned);
        let name = change.kind.name();
        let room = style.width.saturating_sub(name.len() + 4);
        let mut lines = wrap(&subjects, room).into_iter();
        let head = lines.next().unwrap_or_default();
        let _ = writeln!(
            out,
            "  {}  {}",
            painted(grade, name, style),
            style.bold(&head)
        );
        for line in lines {
            let _ = writeln!(out, "    {}", style.bold(&line));
        }
        let mut told = |text: &str| {
            for line in wrap(text, style.width.saturating_sub(4)) {
                let _ = writeln!(out, "    {line}");
            }
        };
        let text = |said: &Option<crate::diff::Said>| said.as_ref().map(|s| one_line(&s.text));
        match (text(&change.old), text(&change.new)) {
            (Some(old), Some(new)) => told(&format!("{old} → {new}")),
            (Some(old), None) => told(&format!("- {old}")),
            (None, Some(new)) => told(&format!("+ {new}")),
            (None, None) => {}
        }
        told(&change.means);
        if let Some(hits) = group.hits() {
            told(&format!("hits {hits}"));
        }
        if let Some(approved) = &change.approved {
            let until = approved.until.as_ref().map(|u| format!(" until {u}"));
            told(&format!(
                "approved on {}{}: {}",
                approved.date,
                until.unwrap_or_default(),
                approved.reason
            ));
        }
        let places = group.places();
        if !places.is_empty() {
            let _ = writeln!(out, "    {}", style.dim(&places));
        }
    }
}

/// A text in one line: expressions may go over several.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn figures(out: &mut String, diff: &Diff, style: Style) {
    let Some(figures) = &diff.figures else {
        return;
    };
    if words::unmoved(figures) {
        if !diff.is_empty() {
            let _ = writeln!(out, "\ncalls, ages and costs stay as they are");
        }
        return;
    }
    for table in words::tables(figures) {
        let _ = writeln!(out, "\n{}", style.bold(&table.title));
        print(out, &table, style);
        if table.more > 0 {
            let _ = writeln!(out, "  and {} more", count(table.more, "row"));
        }
    }
    if let Some(cost) = words::cost(figures) {
        let _ = writeln!(out, "\n{cost}");
    }
}

fn print(out: &mut String, table: &Table, style: Style) {
    let head = table.head.map(str::to_owned);
    let mut widths = [0; 5];
    for row in std::iter::once(&head).chain(&table.rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for (number, row) in std::iter::once(&head).chain(&table.rows).enumerate() {
        let mut line = String::from("  ");
        for (cell, width) in row.iter().zip(widths) {
            let gap = width.saturating_sub(cell.chars().count()) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', gap));
        }
        let line = line.trim_end();
        let line = if number == 0 {
            style.dim(line)
        } else {
            line.to_owned()
        };
        let _ = writeln!(out, "{line}");
    }
}
