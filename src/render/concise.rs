//! `check --format concise`: one line for each finding, as compilers write it, so that editors and
//! `grep` can read it; a last line counts them.

use std::fmt::Write;

use super::human::summary;
use super::report::{Diagnostic, Report, Severity};
use super::snippet::harmless;
use super::style::Style;

/// The findings, one a line; those that are allowed only where `allowed` asks for them.
pub fn check(report: &Report, style: Style, allowed: bool) -> String {
    let mut out = String::new();
    for diagnostic in &report.diagnostics {
        if allowed || diagnostic.severity != Severity::Allowed {
            let _ = writeln!(out, "{}", line(diagnostic, style));
        }
    }
    let _ = writeln!(out, "{}", summary(report, style));
    out
}

/// `policy.sync:7:3: error[SL0103] write-to-owner: …`.
pub(super) fn line(diagnostic: &Diagnostic, style: Style) -> String {
    let start = diagnostic.range.start;
    let place = format!(
        "{}:{}:{}",
        harmless(&diagnostic.file),
        start.line,
        start.column
    );
    let kind = match diagnostic.severity {
        Severity::Error => style.red("error"),
        Severity::Warning => style.yellow("warning"),
        Severity::Allowed => style.dim("allowed"),
    };
    // A message is one line by its own rule; an author's names in it may not be.
    let message = harmless(&diagnostic.message).replace(['\r', '\n'], " ");
    format!(
        "{}: {kind}[{}] {}: {message}",
        style.bold(&place),
        diagnostic.code,
        diagnostic.name,
    )
}
