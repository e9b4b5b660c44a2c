//! SL0007 bad-value: well formed, but impossible.

use crate::finding::{Code, Edit, Finding, Grade};
use crate::text::Span;

/// A value that cannot be.
pub(in super::super) struct Bad<'a> {
    /// The word or value itself.
    pub(in super::super) at: Span,
    /// What is wrong with it.
    pub(in super::super) message: String,
    /// What to write.
    pub(in super::super) help: &'a str,
    /// Another place that makes it impossible, and why.
    pub(in super::super) because: Option<(Span, String)>,
    /// What mends it in one go: a title, whether it is safe, and the edits.
    pub(in super::super) mend: Option<(String, Grade, Vec<Edit>)>,
}

pub(in super::super) fn bad_value(bad: Bad<'_>) -> Finding {
    let mut finding = Finding::new(Code(7), bad.at, bad.message);
    if let Some((place, why)) = bad.because {
        finding = finding.label(place, why);
    }
    if let Some((title, grade, edits)) = bad.mend {
        finding = finding.fix(title, grade, edits);
    }
    if bad.help.is_empty() {
        finding
    } else {
        finding.help(bad.help)
    }
}
