//! `check --format gitlab`: a code quality report, as GitLab shows it on merge requests.

use serde::Serialize;

use super::fingerprint::Fingerprints;
use super::report::{Accepted, Diagnostic, Report, Severity};
use super::snippet::harmless;

/// One entry of the report.
#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// The report as JSON text with a final newline: errors are major, warnings minor, and what is
/// allowed is for information.
pub fn check(report: &Report) -> String {
    let mut fingerprints = Fingerprints::default();
    let issues: Vec<Issue> = report
        .diagnostics
        .iter()
        .map(|d| issue(d, fingerprints.next(d)))
        .collect();
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(&issues).unwrap_or_default();
    text.push('\n');
    text
}

fn issue(diagnostic: &Diagnostic, fingerprint: String) -> Issue<'_> {
    Issue {
        description: description(diagnostic),
        check_name: format!("{} {}", diagnostic.code, diagnostic.name),
        fingerprint,
        severity: match diagnostic.severity {
            Severity::Error => "major",
            Severity::Warning => "minor",
            Severity::Allowed => "info",
        },
        location: Location {
            path: diagnostic
                .file
                .strip_prefix("./")
                .unwrap_or(&diagnostic.file),
            lines: Lines {
                begin: diagnostic.range.start.line,
                end: diagnostic.range.end.line,
            },
        },
    }
}

/// GitLab shows one line of plain text.
fn description(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text.push_str("; ");
        text.push_str(help);
    }
    match diagnostic.accepted.first() {
        Some(Accepted::Allow { reason, .. }) => text = format!("allowed ({reason}): {text}"),
        Some(Accepted::Baseline) => text = format!("allowed by the baseline: {text}"),
        None => {}
    }
    harmless(&text.replace(['\r', '\n'], " ")).into_owned()
}
