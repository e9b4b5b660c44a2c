//! What is wrong with the policy, with place and help.

use maud::{Markup, html};

use super::bits::{counted, prose};
use super::{Content, Section};
use crate::render::graph::plain;
use crate::render::report::{Accepted, Diagnostic, Report, Severity};

/// More findings than this are for `check` to show.
const SHOWN: usize = 200;

/// Characters of a line that are quoted.
const QUOTED: usize = 160;

pub(super) fn section(content: Content) -> Section {
    let report = content.findings;
    let sum = report.summary();
    let mut order: Vec<&Diagnostic> = report.diagnostics.iter().collect();
    // Within a severity they stay in the order of the files.
    order.sort_by_key(|d| d.severity);
    let left = order.len().saturating_sub(SHOWN);
    let body = html! {
        @if order.is_empty() {
            p class="about" { "Nothing was found: every check of the policy passed." }
        }
        ol class="findings" {
            @for finding in order.into_iter().take(SHOWN) { (of_finding(report, finding)) }
        }
        @if left > 0 {
            p class="left" {
                "And " (counted(left, "finding", "findings")) " more: see "
                code { "syncline check" } "."
            }
        }
    };
    Section {
        id: "findings",
        title: "Findings",
        count: Some((sum.errors + sum.warnings).to_string()),
        body,
    }
}

fn of_finding(report: &Report, finding: &Diagnostic) -> Markup {
    let (class, word) = match finding.severity {
        Severity::Error => ("error", "error"),
        Severity::Warning => ("warning", "warning"),
        Severity::Allowed => ("allowed", "allowed"),
    };
    let start = finding.range.start;
    html! {
        li class=(class) {
            p class="what" {
                span class="severity" { (word) } " "
                span class="code" { (finding.code) " " (finding.name) }
            }
            h3 { (prose(&capital(&finding.message))) }
            @if let Some(help) = &finding.help { p class="help" { (prose(&capital(help))) } }
            @for accepted in &finding.accepted { (reason(accepted)) }
            p class="place" {
                span class="file" { bdi { (plain(&finding.file)) } ":" (start.line) ":" (start.column) }
            }
            @if finding.placed { (quote(report, finding)) }
        }
    }
}

fn reason(accepted: &Accepted) -> Markup {
    html! {
        p class="help" {
            @match accepted {
                Accepted::Allow { reason, .. } => { "Allowed: " (prose(reason)) }
                Accepted::Baseline => "Allowed by the baseline.",
            }
        }
    }
}

/// The line that a finding is about, with the place marked.
fn quote(report: &Report, finding: &Diagnostic) -> Markup {
    let Some(file) = report.texts.get(&finding.file) else {
        return html! {};
    };
    let line = file.line_text(finding.range.start.line);
    let from = finding.range.start.column.saturating_sub(1) as usize;
    let until = match finding.range.end.line == finding.range.start.line {
        true => finding.range.end.column.saturating_sub(1) as usize,
        false => usize::MAX,
    };
    let part = |from: usize, until: usize| -> String {
        let until = until.min(QUOTED);
        let letters = line.trim_start_matches('\u{feff}').chars();
        letters
            .skip(from)
            .take(until.saturating_sub(from))
            .collect()
    };
    html! {
        pre {
            code {
                (plain(&part(0, from)))
                mark { (plain(&part(from, until.max(from)))) }
                (plain(&part(until.max(from), usize::MAX)))
            }
        }
    }
}

/// A sentence with its first letter large and its full stop.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    let mut out = format!("{first}{}", letters.as_str());
    if !out.ends_with(['.', '?', '!', ':']) {
        out.push('.');
    }
    out
}
