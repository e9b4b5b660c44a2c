//! An estimate in the forms in which people and spreadsheets read it.

pub mod csv;
mod glance;
pub(super) mod page;
pub(super) mod tables;

use std::fmt::Write;

use self::page::{Page, cell_width};
pub(super) use self::{
    glance::{further, nearest_burst},
    page::{delay, known, money, rate},
};
use super::style::{Style, fill};
use crate::estimate::{Better, Estimate};

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The policy's name.
    pub policy: &'a str,
    /// Its estimate.
    pub estimate: &'a Estimate,
    /// Modes that would be cheaper.
    pub better: &'a [Better],
}

/// For the terminal.
pub fn human(shown: Shown, style: Style) -> String {
    terminal(&page_of(shown), style)
}

/// A page for the terminal.
pub(super) fn terminal(page: &Page, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", style.bold(&page.title));
    for line in &page.lines {
        out.push('\n');
        out.push_str(&fill(line, style.width));
    }
    for section in &page.sections {
        let _ = writeln!(out, "\n{}", style.bold(&section.title));
        let widths = section.widths();
        for (number, row) in std::iter::once(&section.head)
            .chain(&section.rows)
            .enumerate()
        {
            let mut line = String::from("  ");
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width.saturating_sub(cell_width(cell)));
                match section.is_number(at) {
                    true => line.extend([&gap, cell.as_str(), "  "]),
                    false => line.extend([cell.as_str(), &gap, "  "]),
                }
            }
            let line = line.trim_end();
            // A section of notes alone has no head.
            if line.is_empty() {
                continue;
            }
            match number {
                0 => out.push_str(&style.dim(line)),
                _ => out.push_str(line),
            }
            out.push('\n');
        }
        for note in &section.notes {
            let _ = writeln!(out, "  {}", style.dim(note));
        }
    }
    out
}

/// For a comment on a change.
pub fn markdown(shown: Shown) -> String {
    let page = page_of(shown);
    let mut out = format!("## {}\n", page.title);
    for line in &page.lines {
        let _ = write!(out, "\n{}\n", line);
    }
    for section in &page.sections {
        let _ = write!(out, "\n### {}\n\n", capital(&section.title));
        let row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        out.push_str(&row(&section.head));
        let marks: Vec<&str> = (0..section.head.len())
            .map(|at| match section.is_number(at) {
                true => "---:",
                false => "---",
            })
            .collect();
        let _ = writeln!(out, "|{}|", marks.join("|"));
        for cells in &section.rows {
            out.push_str(&row(cells));
        }
        for note in &section.notes {
            let _ = write!(out, "\n{note}\n");
        }
    }
    out
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

fn page_of(shown: Shown) -> Page {
    let estimate = shown.estimate;
    if let Some(explained) = &estimate.explain {
        return Page {
            title: format!("scenario {} of policy {}", explained.scenario, shown.policy),
            lines: Vec::new(),
            sections: tables::explanation(explained),
        };
    }
    let mut sections = vec![
        tables::systems(estimate),
        tables::scenarios(estimate),
        tables::fields(estimate),
        tables::feeds(estimate),
        tables::guesses(estimate),
    ];
    sections.extend(tables::what_if(estimate));
    Page {
        title: format!("policy {}", shown.policy),
        lines: glance::lines(estimate, shown.better),
        sections: sections.into_iter().filter(|s| !s.is_empty()).collect(),
    }
}
