//! What a finding is known by from one run to the next.
//!
//! Lines move and figures change, the finding stays: it is known by its check, its file and the
//! words of its message with the names in it. Those that are alike are numbered in order.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::report::Diagnostic;

/// Bytes of the hash that are kept.
const KEPT: usize = 16;

/// Gives each finding of a report its fingerprint, one after the other. The map is only looked up,
/// never walked.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    seen: HashMap<[u8; KEPT], usize>,
}

impl Fingerprints {
    /// The fingerprint of the next finding, unlike that of all before.
    pub(super) fn next(&mut self, diagnostic: &Diagnostic) -> String {
        let mut hash = Sha256::new();
        for part in [
            diagnostic.code.as_str(),
            &diagnostic.file,
            &steady(&diagnostic.message),
        ] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let hash = hash.finalize();
        let mut kept = [0; KEPT];
        for (to, from) in kept.iter_mut().zip(hash.iter()) {
            *to = *from;
        }
        let number = self.seen.entry(kept).or_default();
        *number += 1;
        let digits: String = kept.iter().map(|b| format!("{b:02x}")).collect();
        format!("{digits}:{number}")
    }
}

/// A message without its figures: outside backticks each run of digits reads as one sign.
fn steady(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut named = false;
    let mut digits = false;
    for c in message.chars() {
        named ^= c == '`';
        let digit = !named && (c.is_ascii_digit() || digits && matches!(c, '.' | ',' | '_'));
        if !digit {
            out.push(c);
        } else if !digits {
            out.push('#');
        }
        digits = digit;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Code, Finding};
    use crate::render::Report;
    use crate::text::{SourceFile, Sources, Span};

    fn prints(text: &str, findings: &[(usize, &str)]) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.sync", text));
        let findings: Vec<Finding> = findings
            .iter()
            .map(|(at, message)| Finding::new(Code(301), Span::point(id, *at), *message))
            .collect();
        let mut report = Report::default();
        report.add(&findings, &sources);
        report.sort();
        let mut prints = Fingerprints::default();
        report.diagnostics.iter().map(|d| prints.next(d)).collect()
    }

    #[test]
    fn a_finding_keeps_its_fingerprint_where_lines_move_and_figures_change() {
        let before = prints("abc\n", &[(0, "`crm` needs 1,204.5 calls a day")]);
        let after = prints("\n\nabc\n", &[(2, "`crm` needs 990 calls a day")]);
        assert_eq!(before, after);
        assert_eq!(before[0].len(), 34);
        let other = prints("abc\n", &[(0, "`crm2` needs 1,204.5 calls a day")]);
        assert_ne!(before, other);
    }

    #[test]
    fn findings_that_are_alike_are_numbered() {
        let two = prints("abc\n", &[(0, "`a` is odd"), (2, "`a` is odd")]);
        assert!(two[0].ends_with(":1") && two[1].ends_with(":2"), "{two:?}");
        assert_eq!(two[0][..32], two[1][..32]);
    }

    #[test]
    fn names_keep_their_digits() {
        assert_eq!(steady("`s1` of 12.5 and 3"), "`s1` of # and #");
    }
}
