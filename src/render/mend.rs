//! What a mend would change, as lines before and after, so that a person can judge it and type it.

use std::collections::BTreeMap;

use super::report::{Edit, Fix};
use super::snippet::{LINE_MAX, harmless};
use crate::text::SourceFile;

/// More lines than this are counted, not shown.
const LINES_MAX: usize = 12;

/// A stretch of lines that a mend changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The file.
    pub file: String,
    /// Its first line, from 1.
    pub line: u32,
    /// The lines as they are.
    pub before: Vec<String>,
    /// The lines as they would be.
    pub after: Vec<String>,
}

/// What the edits of a mend change, by file and place; nothing where a text is not known or its
/// lines are too long or too many to show.
pub(super) fn changes<'a>(fix: &Fix, file: impl Fn(&str) -> Option<&'a SourceFile>) -> Vec<Change> {
    let mut by_file: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    for edit in &fix.edits {
        by_file.entry(&edit.file).or_default().push(edit);
    }
    let mut out = Vec::new();
    for (name, mut edits) in by_file {
        let Some(source) = file(name) else {
            return Vec::new();
        };
        edits.sort_by_key(|e| (e.range.start.offset, e.range.end.offset));
        for group in by_lines(&edits) {
            let Some(change) = change(name, source, group) else {
                return Vec::new();
            };
            out.push(change);
        }
    }
    let lines: usize = out.iter().map(|c| c.before.len() + c.after.len()).sum();
    if lines > LINES_MAX {
        return Vec::new();
    }
    out
}

/// Edits in groups whose lines touch.
fn by_lines<'e, 'a>(edits: &'e [&'a Edit]) -> impl Iterator<Item = &'e [&'a Edit]> {
    edits.chunk_by(|a, b| b.range.start.line <= a.range.end.line)
}

fn change(name: &str, source: &SourceFile, edits: &[&Edit]) -> Option<Change> {
    let first = edits.first()?.range.start.line;
    let last = edits.iter().map(|e| e.range.end.line).max()?;
    let from = source.line_start(first) as usize;
    let to = source.line_start(last + 1) as usize;
    let old = source.text.get(from..to)?;
    let mut new = String::new();
    let mut at = from;
    for edit in edits {
        let start = edit.range.start.offset as usize;
        new.push_str(source.text.get(at..start)?);
        new.push_str(&edit.text);
        at = edit.range.end.offset as usize;
    }
    new.push_str(source.text.get(at..to)?);
    let (before, after) = (lines(old)?, lines(&new)?);
    // What is the same at both ends need not be shown.
    let same = before.iter().zip(&after).take_while(|(a, b)| a == b);
    let head = same.count();
    let (old, new) = (before.get(head..)?, after.get(head..)?);
    let same = old.iter().rev().zip(new.iter().rev());
    let tail = same.take_while(|(a, b)| a == b).count();
    Some(Change {
        file: name.to_owned(),
        line: first + head as u32,
        before: old.get(..old.len() - tail)?.to_vec(),
        after: new.get(..new.len() - tail)?.to_vec(),
    })
}

fn lines(text: &str) -> Option<Vec<String>> {
    let fits = text.lines().all(|line| line.len() <= LINE_MAX);
    fits.then(|| text.lines().map(|l| harmless(l).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{self, Code, Finding, Grade};
    use crate::render::Report;
    use crate::text::{Sources, Span};

    fn shown(text: &str, edits: &[(usize, usize, &str)]) -> Vec<Change> {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.sync", text));
        let edits = edits.iter().map(|(start, end, text)| finding::Edit {
            span: Span::new(id, *start, *end),
            text: (*text).to_owned(),
        });
        let finding = Finding::new(Code(1), Span::point(id, 0), "m");
        let finding = finding.fix("f", Grade::Review, edits.collect());
        let mut report = Report::default();
        report.add(&[finding], &sources);
        let file = |name: &str| report.texts.get(name).map(|f| &**f);
        changes(&report.diagnostics[0].fixes[0], file)
    }

    fn change(line: u32, before: &[&str], after: &[&str]) -> Change {
        let own = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect();
        Change {
            file: "a.sync".into(),
            line,
            before: own(before),
            after: own(after),
        }
    }

    #[test]
    fn a_change_shows_the_lines_that_differ_and_no_other() {
        let text = "a {\n  b\n}\n";
        assert_eq!(shown(text, &[(6, 7, "c")]), [change(2, &["  b"], &["  c"])]);
        assert_eq!(
            shown(text, &[(7, 8, "\n  c\n")]),
            [change(3, &[], &["  c"])]
        );
        assert_eq!(shown(text, &[(4, 8, "")]), [change(2, &["  b"], &[])]);
        let both = shown(text, &[(0, 1, "x"), (8, 9, "]")]);
        assert_eq!(
            both,
            [change(1, &["a {"], &["x {"]), change(3, &["}"], &["]"])]
        );
    }

    #[test]
    fn what_is_too_long_is_not_shown() {
        assert_eq!(shown(&"y".repeat(1_000), &[(0, 1, "z")]), []);
        assert_eq!(shown("a\n", &[(0, 1, &"b\n".repeat(40))]), []);
    }
}
