//! Findings about a policy: what was found, where, why it matters and how to mend it.
//!
//! Rank 1. Knows spans and codes. Must not know the tree, the model or any output format.

mod code;
mod edit;

pub use code::{CODES, Code, CodeInfo, Level, code_by_name};

use crate::text::{Sources, Span};

/// How a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy must not be planned.
    Error,
    /// Worth mending; does not stop a plan.
    Warning,
    /// Accepted by an `allow` (or a baseline); counts only in `summary.allowed`.
    Allowed,
}

/// A further place that takes part in a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What that place has to do with it, in lower case without a full stop.
    pub message: String,
}

/// One replacement of a range by a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced (empty: an insertion).
    pub span: Span,
    /// The new text.
    pub text: String,
}

/// Whether a fix may be applied without a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Keeps what the author plainly meant.
    Safe,
    /// Decides something that a person should look at.
    Review,
}

/// A mend: edits that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an imperative.
    pub title: String,
    /// The edits; they do not overlap.
    pub edits: Vec<Edit>,
    /// Whether `--fix` applies it.
    pub grade: Grade,
}

/// An `allow` that accepts a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The whole `allow`.
    pub allow: Span,
    /// Why, in the author's words.
    pub reason: String,
    /// How the finding would count without it.
    pub was: Severity,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its code, which carries name and default level.
    pub code: Code,
    /// Error, warning or allowed.
    pub severity: Severity,
    /// What is wrong: one sentence in lower case without a full stop, names in backticks.
    pub message: String,
    /// The primary place, where the first repair would be typed; `None`: the policy as a whole
    /// (shown at 1:1 of the root).
    pub primary: Option<Span>,
    /// What the primary place is, for the marker under it (may be empty).
    pub primary_label: String,
    /// Every other place involved.
    pub labels: Vec<Label>,
    /// The places of a path in the order in which it is walked, where the finding is about one.
    /// Each stands among the primary place and the labels too; forms that know paths show the order.
    pub path: Vec<Label>,
    /// How to mend it.
    pub help: Option<String>,
    /// Mends that one edit set carries.
    pub fixes: Vec<Fix>,
    /// Every `allow` that accepts it; empty where it counts.
    pub accepted: Vec<Accepted>,
}

impl Finding {
    /// A finding at the code's own level (errors and warnings as in [`Code::info`]).
    pub fn new(code: Code, primary: Span, message: impl Into<String>) -> Self {
        Finding {
            code,
            severity: match code.info().level {
                Level::Error => Severity::Error,
                Level::Warning | Level::Off => Severity::Warning,
            },
            message: message.into(),
            primary: Some(primary),
            primary_label: String::new(),
            labels: Vec::new(),
            path: Vec::new(),
            help: None,
            fixes: Vec::new(),
            accepted: Vec::new(),
        }
    }

    /// Whether it says that a text could not be read or a name or value not understood (SL00xx):
    /// then nothing that follows from the policy is sure.
    pub fn is_of_reading(&self) -> bool {
        self.code.0 < 100
    }

    /// Sets what is written under the primary place.
    pub fn mark(mut self, text: impl Into<String>) -> Self {
        self.primary_label = text.into();
        self
    }

    /// Adds another place.
    pub fn label(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            message: message.into(),
        });
        self
    }

    /// Adds the next place of the path that it is about.
    pub fn step(mut self, span: Span, message: impl Into<String>) -> Self {
        self.path.push(Label {
            span,
            message: message.into(),
        });
        self
    }

    /// Says how to mend it.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Carries a mend.
    pub fn fix(mut self, title: impl Into<String>, grade: Grade, edits: Vec<Edit>) -> Self {
        self.fixes.push(Fix {
            title: title.into(),
            edits,
            grade,
        });
        self
    }

    /// Notes that an `allow` accepts it.
    pub fn accept(&mut self, allow: Span, reason: impl Into<String>) {
        let was = self.accepted.first().map_or(self.severity, |a| a.was);
        self.severity = Severity::Allowed;
        self.accepted.push(Accepted {
            allow,
            reason: reason.into(),
            was,
        });
    }

    /// Overrides the severity (a warning that is an error in some cases).
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// Puts findings in the one order in which they are shown: by path as bytes, then position, then
/// code, then message; drops exact repeats.
pub fn sort(findings: &mut Vec<Finding>, sources: &Sources) {
    findings.sort_by(|a, b| {
        let key = |f: &Finding| {
            let path = f.primary.or(Some(Span::point(crate::text::FileId(0), 0)));
            path.map(|s| (s.file, s.start, s.end))
        };
        let path = |f: &Finding| match f.primary {
            Some(s) if !sources.is_empty() => sources.file(s.file).path.as_bytes(),
            _ if sources.is_empty() => &[][..],
            _ => sources.file(crate::text::FileId(0)).path.as_bytes(),
        };
        let at = |f: &Finding| key(f).map(|(_, start, end)| (start, end));
        path(a)
            .cmp(path(b))
            .then_with(|| at(a).map(|k| k.0).cmp(&at(b).map(|k| k.0)))
            .then_with(|| a.code.cmp(&b.code))
            .then_with(|| at(a).cmp(&at(b)))
            .then_with(|| a.message.cmp(&b.message))
    });
    findings.dedup();
}
