//! `test --format human`.

use std::fmt::Write;

use super::{Results, kinds, lines, story};
use crate::render::Style;
use crate::render::style::count;
use crate::sim::trial::{Difference, Uncovered, Unmet};

/// Names shown of each kind that no test touches.
const SHOWN: usize = 6;

/// The results for people: a line for each test, what failed with its reasons, and what no test
/// touches.
pub fn human(results: &Results<'_>, style: Style) -> String {
    let mut out = String::new();
    for trial in results.trials {
        let mark = match trial.passed() {
            true => style.green("ok    "),
            false => style.red("FAILED"),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{mark}  {}", trial.title);
        for unmet in &trial.unmet {
            failure(&mut out, results, unmet, style);
        }
    }
    let failed = results.failed();
    let total = results.trials.len();
    if total > 0 {
        let words = format!(
            "{}: {} passed, {failed} failed",
            count(total, "test"),
            total - failed
        );
        let words = match failed {
            0 => style.green(&words),
            _ => style.red(&words),
        };
        let _ = write!(out, "\n{words}");
        let left = match results.left_out {
            0 => String::new(),
            n => format!(", {n} left out"),
        };
        let _ = writeln!(out, "{left}");
    }
    if let Some(coverage) = results.coverage {
        for (name, kind) in kinds(coverage) {
            uncovered(&mut out, name, kind, style);
        }
    }
    out
}

fn failure(out: &mut String, results: &Results<'_>, unmet: &Unmet, style: Style) {
    let (file, at) = results.place(unmet.clause);
    let line = results.first_line(unmet.clause);
    let _ = writeln!(
        out,
        "  {}  {}",
        style.dim(&format!("{file}:{}:{}", at.line, at.column)),
        style.bold(line)
    );
    let mut texts = lines(unmet).into_iter();
    if let Difference::Values { fields, system, .. } = &unmet.what {
        for (field, text) in fields.iter().zip(texts.by_ref()) {
            let _ = writeln!(out, "    {text}");
            match &field.why {
                Some(told) => indented(out, &story(told, system), style),
                None => unknown(out, style),
            }
        }
    }
    for text in texts {
        let _ = writeln!(out, "    {text}");
    }
    if let Difference::Missing {
        system,
        why,
        held_back,
        ..
    } = &unmet.what
    {
        // An event that a condition stopped did come, and so something is known of the record.
        if why.is_empty() && held_back.is_empty() {
            unknown(out, style);
        }
        for told in why {
            indented(out, &story(told, system), style);
        }
    }
}

fn unknown(out: &mut String, style: Style) {
    let text = "the runner knows nothing of this record: no event of it came and no run read it";
    indented(out, text, style);
}

fn indented(out: &mut String, text: &str, style: Style) {
    for line in text.lines() {
        let _ = writeln!(out, "      {}", style.dim(line));
    }
}

fn uncovered(out: &mut String, name: &str, kind: &Uncovered, style: Style) {
    if kind.all == 0 {
        return;
    }
    let touched = kind.all - kind.missed.len();
    let mut line = format!("touched {touched} of {} {name}", kind.all);
    if !kind.missed.is_empty() {
        let shown: Vec<&str> = kind.missed.iter().take(SHOWN).map(String::as_str).collect();
        let _ = write!(line, "; not {}", shown.join(", "));
        if kind.missed.len() > SHOWN {
            let _ = write!(line, " and {} more", kind.missed.len() - SHOWN);
        }
    }
    let _ = writeln!(out, "{}", style.dim(&line));
}
