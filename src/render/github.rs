//! `check --format github`: workflow commands, from which GitHub makes annotations on the lines.
//!
//! GitHub shows the first ten errors and the first ten warnings of a step and drops the rest
//! without a word. So errors come first, and where there are more than ten of a kind the tenth
//! says how many are left; those follow as plain lines, which stand in the step's log.

use std::fmt::Write;

use super::concise;
use super::human::summary;
use super::report::{Diagnostic, Report, Severity};
use super::snippet::harmless;
use super::style::{Style, count};

/// How many annotations of a kind GitHub shows for a step.
const SHOWN_MAX: usize = 10;

/// The findings that are not allowed, errors first, then a line that counts all.
pub fn check(report: &Report) -> String {
    let mut out = String::new();
    kind(&mut out, report, Severity::Error, "error");
    kind(&mut out, report, Severity::Warning, "warning");
    let _ = writeln!(out, "{}", summary(report, Style::PLAIN));
    out
}

fn kind(out: &mut String, report: &Report, severity: Severity, command: &str) {
    let all = report.diagnostics.iter();
    let all: Vec<&Diagnostic> = all.filter(|d| d.severity == severity).collect();
    let shown = if all.len() > SHOWN_MAX {
        SHOWN_MAX - 1
    } else {
        all.len()
    };
    for diagnostic in all.iter().take(shown) {
        let _ = writeln!(out, "{}", annotation(diagnostic, command));
    }
    let rest = all.get(shown..).unwrap_or_default();
    if rest.is_empty() {
        return;
    }
    let title = format!("{} more", count(rest.len(), command));
    let text = "GitHub shows ten of a kind; the log of this step lists all";
    let _ = writeln!(out, "::{command} title={}::{text}", property(&title));
    for diagnostic in rest {
        // Never at the start of a line: a file's name could else be read as a command.
        let _ = writeln!(out, "- {}", concise::line(diagnostic, Style::PLAIN));
    }
}

fn annotation(diagnostic: &Diagnostic, command: &str) -> String {
    let (start, end) = (diagnostic.range.start, diagnostic.range.end);
    let mut place = format!("file={},line={}", property(&diagnostic.file), start.line);
    let _ = write!(place, ",endLine={}", end.line);
    // The runner drops columns that span lines.
    if start.line == end.line {
        let _ = write!(place, ",col={},endColumn={}", start.column, end.column);
    }
    let title = format!("{} {}", diagnostic.code, diagnostic.name);
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        let _ = write!(text, "\nhelp: {help}");
    }
    for label in &diagnostic.labels {
        let at = label.range.start;
        let place = format!("{}:{}:{}", label.file, at.line, at.column);
        let _ = write!(text, "\n{place}: {}", label.message);
    }
    let _ = write!(text, "\nmore: syncline explain {}", diagnostic.code);
    format!(
        "::{command} {place},title={}::{}",
        property(&title),
        data(&text)
    )
}

/// A message of a command.
fn data(text: &str) -> String {
    // Line ends are escaped first: else they would count as control characters to be replaced.
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push_str("%0A");
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        out.push_str(&harmless(line).replace('%', "%25"));
    }
    out
}

/// A value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Code, Finding};
    use crate::text::{SourceFile, Sources, Span};

    fn shown(name: &str, findings: &[Finding]) -> String {
        let mut sources = Sources::default();
        sources.add(SourceFile::new(name, "a b\nc d\n"));
        let mut report = Report::default();
        report.add(findings, &sources);
        report.sort();
        check(&report)
    }

    fn at(start: usize, end: usize) -> Span {
        Span::new(crate::text::FileId(0), start, end)
    }

    #[test]
    fn nothing_that_an_author_writes_makes_a_command_of_its_own() {
        let finding = Finding::new(
            Code(101),
            at(0, 1),
            "100% `x\n::error::y`: a, b\r\n\u{1b}[1m",
        )
        .help("one\ntwo");
        let text = shown("a,b:c%.sync", &[finding]);
        let expected = "::error file=a%2Cb%3Ac%25.sync,line=1,endLine=1,col=1,endColumn=2,\
                        title=SL0101 no-owner::100%25 `x%0A::error::y`: a, b%0A?[1m%0A\
                        help: one%0Atwo%0Amore: syncline explain SL0101\n1 error\n";
        assert_eq!(text, expected);
        assert_eq!(property("100%: a, b"), "100%25%3A a%2C b");
    }

    #[test]
    fn a_place_that_spans_lines_has_no_columns() {
        let text = shown("a.sync", &[Finding::new(Code(101), at(0, 5), "m")]);
        assert!(
            text.starts_with("::error file=a.sync,line=1,endLine=2,title="),
            "{text}"
        );
    }

    #[test]
    fn what_github_would_drop_is_counted_and_stands_in_the_log() {
        let many: Vec<Finding> = (0..13)
            .map(|i| Finding::new(Code(110), at(0, 1), format!("warning {i:02}")))
            .chain([Finding::new(Code(101), at(4, 5), "the error")])
            .collect();
        let text = shown("a.sync", &many);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("::error "), "errors come first");
        let warnings = lines.iter().filter(|l| l.starts_with("::warning "));
        assert_eq!(warnings.count(), 10);
        assert!(
            lines[10].starts_with("::warning title=4 warnings more::"),
            "{}",
            lines[10]
        );
        assert_eq!(
            lines[11],
            "- a.sync:1:1: warning[SL0110] accepts-unused: warning 09"
        );
        assert_eq!(lines.len(), 16);
    }
}
