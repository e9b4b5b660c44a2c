//! Unified diffs.

use similar::{ChangeTag, TextDiff};

use crate::render::Style;

/// The change of a file as a unified diff; empty where nothing changes.
pub(super) fn unified(name: &str, old: &str, new: &str, style: Style) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        if out.is_empty() {
            out.push_str(&style.bold(&format!("--- {name}\n+++ {name}\n")));
        }
        out.push_str(&style.dim(&format!("{}\n", hunk.header())));
        for change in hunk.iter_changes() {
            let value = change.value();
            let line = match change.tag() {
                ChangeTag::Delete => style.red(&format!("-{value}")),
                ChangeTag::Insert => style.green(&format!("+{value}")),
                ChangeTag::Equal => format!(" {value}"),
            };
            out.push_str(&line);
            if !value.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_can_be_applied_by_patch() {
        let diff = unified("a.sync", "a\nb\nc", "a\nB\nc", Style::PLAIN);
        let expected = "--- a.sync\n+++ a.sync\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n\\ No newline at end of file\n";
        assert_eq!(diff, expected);
        assert_eq!(unified("a.sync", "a\n", "a\n", Style::PLAIN), "");
    }
}
