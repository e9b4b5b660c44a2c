//! What a check found, resolved to files, lines and columns: what every form of it is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{self, Finding, Grade};
use crate::text::{FileId, SourceFile, Sources, Span};

/// A place in a file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Position {
    /// Bytes from the start of the file as stored.
    pub offset: u32,
    /// The line, from 1.
    #[schemars(range(min = 1))]
    pub line: u32,
    /// The column in Unicode scalar values, from 1; a tab counts one, a byte-order mark none.
    #[schemars(range(min = 1))]
    pub column: u32,
}

impl Position {
    const START: Position = Position {
        offset: 0,
        line: 1,
        column: 1,
    };
}

/// A stretch of a file; where it is empty, a point.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Range {
    /// Where it begins.
    pub start: Position,
    /// One past its end.
    pub end: Position,
}

/// How a finding counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy must not be planned.
    Error,
    /// Worth mending.
    Warning,
    /// Accepted by an `allow` or a baseline.
    Allowed,
}

impl From<finding::Severity> for Severity {
    fn from(severity: finding::Severity) -> Self {
        match severity {
            finding::Severity::Error => Severity::Error,
            finding::Severity::Warning => Severity::Warning,
            finding::Severity::Allowed => Severity::Allowed,
        }
    }
}

/// A further place that takes part in a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Label {
    /// The file, relative to the current directory, with `/`.
    pub file: String,
    /// Where in it.
    pub range: Range,
    /// What that place has to do with the finding.
    pub message: String,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The file, relative to the current directory, with `/`.
    pub file: String,
    /// What is replaced; empty: an insertion.
    pub range: Range,
    /// The new text.
    pub text: String,
}

/// A mend: edits that belong together and do not overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// Its edits.
    pub edits: Vec<Edit>,
    /// Whether `--fix` applies it without a look.
    #[serde(skip)]
    pub safe: bool,
}

/// Why a finding is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// An `allow` says so.
    Allow {
        /// Why, in the author's words.
        reason: String,
        /// The file that holds the `allow`.
        file: String,
        /// Where in it.
        range: Range,
    },
    /// A baseline lists it.
    Baseline,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// The check's code, `SL0103`.
    #[schemars(regex(pattern = r"^SL[0-9]{4}$"))]
    pub code: String,
    /// The check's name, `write-to-owner`.
    pub name: String,
    /// How it counts.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// What to hand to `syncline explain` for the check's page.
    pub docs: String,
    /// The file, relative to the current directory, with `/`.
    pub file: String,
    /// Where in it the first repair would be typed.
    pub range: Range,
    /// Every other place involved.
    pub labels: Vec<Label>,
    /// Mends.
    pub fixes: Vec<Fix>,
    /// What stands under the primary place, for people.
    #[serde(skip)]
    pub mark: String,
    /// Whether it has a place, and is not about the policy as a whole.
    #[serde(skip)]
    pub placed: bool,
    /// The places of the path that it is about, in order.
    #[serde(skip)]
    pub path: Vec<Label>,
    /// What accepts it.
    #[serde(skip)]
    pub accepted: Vec<Accepted>,
    /// Whether it is a warning where one would count.
    #[serde(skip)]
    pub mild: bool,
    /// Whether it is a warning that was asked to count as a reason to fail.
    #[serde(skip)]
    pub denied: bool,
}

impl Diagnostic {
    /// How it counts where nothing accepts it.
    pub fn level(&self) -> Severity {
        match self.severity {
            Severity::Allowed if self.mild => Severity::Warning,
            Severity::Allowed => Severity::Error,
            severity => severity,
        }
    }

    /// Whether it is a reason to fail.
    pub fn fails(&self) -> bool {
        match self.severity {
            Severity::Error => true,
            Severity::Warning => self.denied,
            Severity::Allowed => false,
        }
    }

    /// Notes that a baseline accepts it.
    pub fn accept_by_baseline(&mut self) {
        self.severity = Severity::Allowed;
        self.accepted.push(Accepted::Baseline);
    }
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Accepted by an `allow` or a baseline.
    pub allowed: usize,
}

/// All that was found in one or several policies.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The findings; in the order in which they are shown once [`Report::sort`] was called.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts of the files, by the names as shown.
    pub texts: BTreeMap<String, Arc<SourceFile>>,
    /// The files whose findings are all here, by the names as shown: where none of them stands in
    /// such a file, it is clean.
    pub covered: BTreeSet<String>,
}

impl Report {
    /// Adds what was found in one policy.
    pub fn add(&mut self, findings: &[Finding], sources: &Sources) {
        self.add_within(findings, sources, None);
    }

    /// Adds what was found in one policy, where only these of its files were asked about.
    pub fn add_within(
        &mut self,
        findings: &[Finding],
        sources: &Sources,
        only: Option<&BTreeSet<String>>,
    ) {
        self.diagnostics
            .extend(findings.iter().map(|f| diagnostic(f, sources)));
        for (_, file) in sources.iter() {
            if only.is_none_or(|only| only.contains(&file.path)) {
                self.covered.insert(file.path.clone());
            }
            self.texts
                .entry(file.path.clone())
                .or_insert_with(|| Arc::new(file.clone()));
        }
    }

    /// Puts the findings in order (file by bytes, position, code, message) and drops those that
    /// several policies have in common.
    pub fn sort(&mut self) {
        fn key(d: &Diagnostic) -> (&[u8], u32, &str, u32, &str, Severity) {
            (
                d.file.as_bytes(),
                d.range.start.offset,
                &d.code,
                d.range.end.offset,
                &d.message,
                d.severity,
            )
        }
        self.diagnostics.sort_by(|a, b| key(a).cmp(&key(b)));
        self.diagnostics.dedup_by(|later, first| {
            (&later.file, later.range, &later.code, &later.message)
                == (&first.file, first.range, &first.code, &first.message)
        });
    }

    /// The counts.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for diagnostic in &self.diagnostics {
            match diagnostic.severity {
                Severity::Error => summary.errors += 1,
                Severity::Warning => summary.warnings += 1,
                Severity::Allowed => summary.allowed += 1,
            }
        }
        summary
    }
}

fn position(file: &SourceFile, offset: u32) -> Position {
    let at = file.position(offset);
    Position {
        offset,
        line: at.line,
        column: at.column,
    }
}

/// A span as file name and range; a span of no file as the start of the root.
pub fn place(span: Span, sources: &Sources) -> (String, Range) {
    if span.file.0 as usize >= sources.len() {
        return (
            String::new(),
            Range {
                start: Position::START,
                end: Position::START,
            },
        );
    }
    let file = sources.file(span.file);
    let range = Range {
        start: position(file, span.start),
        end: position(file, span.end),
    };
    (file.path.clone(), range)
}

fn diagnostic(finding: &Finding, sources: &Sources) -> Diagnostic {
    let info = finding.code.info();
    let (file, range) = place(
        finding.primary.unwrap_or(Span::point(FileId(0), 0)),
        sources,
    );
    let was = finding.accepted.first().map_or(finding.severity, |a| a.was);
    let accepted = finding.accepted.iter().map(|accepted| {
        let (file, range) = place(accepted.allow, sources);
        Accepted::Allow {
            reason: accepted.reason.clone(),
            file,
            range,
        }
    });
    Diagnostic {
        code: finding.code.to_string(),
        name: info.name.to_owned(),
        severity: finding.severity.into(),
        message: finding.message.clone(),
        help: finding.help.clone(),
        docs: finding.code.to_string(),
        file,
        range,
        labels: finding.labels.iter().map(|l| label(l, sources)).collect(),
        fixes: finding.fixes.iter().map(|fix| mend(fix, sources)).collect(),
        mark: finding.primary_label.clone(),
        placed: finding.primary.is_some(),
        path: finding.path.iter().map(|l| label(l, sources)).collect(),
        accepted: accepted.collect(),
        mild: was == finding::Severity::Warning,
        denied: false,
    }
}

fn label(label: &finding::Label, sources: &Sources) -> Label {
    let (file, range) = place(label.span, sources);
    Label {
        file,
        range,
        message: label.message.clone(),
    }
}

fn mend(fix: &finding::Fix, sources: &Sources) -> Fix {
    let edits = fix.edits.iter().map(|edit| {
        let (file, range) = place(edit.span, sources);
        Edit {
            file,
            range,
            text: edit.text.clone(),
        }
    });
    Fix {
        title: fix.title.clone(),
        edits: edits.collect(),
        safe: fix.grade == Grade::Safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Code;

    #[test]
    fn a_finding_without_a_place_stands_at_the_start_of_the_root() {
        let mut sources = Sources::default();
        sources.add(SourceFile::new("p/policy.sync", "system a { }\n"));
        let mut finding = Finding::new(Code(8), Span::point(FileId(0), 5), "no policy");
        finding.primary = None;
        let mut report = Report::default();
        report.add(&[finding], &sources);
        let found = &report.diagnostics[0];
        assert_eq!(found.file, "p/policy.sync");
        assert_eq!(
            (found.range.start, found.range.end),
            (Position::START, Position::START)
        );
        assert!(!found.placed);
    }

    #[test]
    fn a_byte_order_mark_counts_in_offsets_and_in_no_column() {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.sync", "\u{feff}\tné x\r\n"));
        let x = sources.file(id).text.find('x').unwrap();
        let mut report = Report::default();
        report.add(
            &[Finding::new(Code(1), Span::new(id, x, x + 1), "m")],
            &sources,
        );
        let range = report.diagnostics[0].range;
        assert_eq!(
            (range.start.offset, range.start.line, range.start.column),
            (8, 1, 5)
        );
        assert_eq!((range.end.offset, range.end.column), (9, 6));
    }

    #[test]
    fn a_finding_of_a_shared_file_stands_once_and_order_is_by_bytes() {
        let mut report = Report::default();
        for root in ["b.sync", "B.sync"] {
            let mut sources = Sources::default();
            let root = sources.add(SourceFile::new(root, "xx\n"));
            let shared = sources.add(SourceFile::new("common.sync", "y\n"));
            let findings = [
                Finding::new(Code(1), Span::new(shared, 0, 1), "shared"),
                Finding::new(Code(3), Span::new(root, 1, 2), "own"),
                Finding::new(Code(2), Span::new(root, 1, 2), "own"),
            ];
            report.add(&findings, &sources);
        }
        report.sort();
        let order: Vec<_> = report
            .diagnostics
            .iter()
            .map(|d| (d.file.as_str(), d.code.as_str()))
            .collect();
        assert_eq!(
            order,
            [
                ("B.sync", "SL0002"),
                ("B.sync", "SL0003"),
                ("b.sync", "SL0002"),
                ("b.sync", "SL0003"),
                ("common.sync", "SL0001"),
            ]
        );
        assert_eq!(report.summary().errors, 5);
    }
}
