//! SL0008 policy-count: no `policy` item, or more than one.

use crate::finding::{Code, Finding};
use crate::text::{FileId, Span};

/// There is none; said at the start of the root file.
pub(in super::super) fn no_policy(has_file: bool) -> Finding {
    let root = Span::point(FileId(0), 0);
    let mut finding = Finding::new(Code(8), root, "the policy has no `policy` item")
        .help("begin the root file with `policy NAME { }`");
    if !has_file {
        finding.primary = None;
    }
    finding
}

/// There is another.
pub(in super::super) fn second_policy(name: &str, later: Span, first: Span) -> Finding {
    Finding::new(
        Code(8),
        later,
        format!("`policy {name}` is a second `policy` item"),
    )
    .mark("again here")
    .label(first, "the policy is declared here")
    .help("keep one `policy` item; a file that others use needs none")
}
