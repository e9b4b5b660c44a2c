//! Applying the fixes of a report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::diff;
use super::disk;
use super::failure::Failure;
use super::shell::Shell;
use crate::render::{Edit, Fix, Report, Style};

/// New texts of files, by their names as shown.
pub(super) type Changes = BTreeMap<String, String>;

/// What the safe fixes of a report make of its files: each fix whole or not at all, in order; one
/// that overlaps an earlier one is passed over.
pub(super) fn plan(report: &Report) -> Changes {
    let mut taken: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    let fixes = report.diagnostics.iter();
    let fixes = fixes.filter(|d| d.severity != crate::render::Severity::Allowed);
    for fix in fixes.filter_map(|d| d.fixes.iter().find(|f| f.safe)) {
        if fits(fix, &taken, report) {
            for edit in &fix.edits {
                taken.entry(&edit.file).or_default().push(edit);
            }
        }
    }
    taken
        .into_iter()
        .filter_map(|(name, edits)| {
            let old = &*report.texts.get(name)?.text;
            let new = edited(old, edits)?;
            (new != old).then(|| (name.to_owned(), new))
        })
        .collect()
}

fn span(edit: &Edit) -> (usize, usize) {
    (
        edit.range.start.offset as usize,
        edit.range.end.offset as usize,
    )
}

/// Whether every edit lies in a known text and none meets one that is taken.
fn fits(fix: &Fix, taken: &BTreeMap<&str, Vec<&Edit>>, report: &Report) -> bool {
    !fix.edits.is_empty()
        && fix.edits.iter().all(|edit| {
            let (start, end) = span(edit);
            let inside = report
                .texts
                .get(&edit.file)
                .is_some_and(|f| f.text.get(start..end).is_some());
            let others = taken.get(edit.file.as_str()).into_iter().flatten();
            inside
                && others.into_iter().all(|other| {
                    let (from, to) = span(other);
                    // Two insertions at one place have no order: they count as an overlap.
                    start != from && (end <= from || to <= start)
                })
        })
}

fn edited(old: &str, mut edits: Vec<&Edit>) -> Option<String> {
    edits.sort_by_key(|e| span(e));
    let mut new = String::with_capacity(old.len());
    let mut at = 0;
    for edit in edits {
        let (start, end) = span(edit);
        new.push_str(old.get(at..start)?);
        new.push_str(&edit.text);
        at = end;
    }
    new.push_str(old.get(at..)?);
    Some(new)
}

/// Writes the new texts.
pub(super) fn apply(changes: &Changes, shell: &mut Shell) -> Result<(), Failure> {
    for (name, text) in changes {
        disk::write(&PathBuf::from(name), text)?;
        shell.note(&format!("fixed {name}"));
    }
    Ok(())
}

/// The changes as a unified diff.
pub(super) fn diff(report: &Report, changes: &Changes, style: Style) -> String {
    let mut out = String::new();
    for (name, new) in changes {
        let old = report.texts.get(name).map_or("", |f| &*f.text);
        out.push_str(&diff::unified(name, old, new, style));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{self, Code, Finding, Grade};
    use crate::text::{FileId, SourceFile, Sources, Span};

    /// Start, end and new text.
    type Replaced<'a> = (usize, usize, &'a str);

    fn fixed(text: &str, fixes: &[(Grade, &[Replaced<'_>])]) -> Option<String> {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.sync", text));
        assert_eq!(id, FileId(0));
        let findings: Vec<Finding> = fixes
            .iter()
            .enumerate()
            .map(|(i, (grade, edits))| {
                let edits = edits.iter().map(|(start, end, text)| finding::Edit {
                    span: Span::new(id, *start, *end),
                    text: (*text).to_owned(),
                });
                Finding::new(Code(1), Span::point(id, i), "m").fix("f", *grade, edits.collect())
            })
            .collect();
        let mut report = Report::default();
        report.add(&findings, &sources);
        report.sort();
        plan(&report).remove("a.sync")
    }

    #[test]
    fn fixes_apply_whole_in_order_and_skip_what_overlaps() {
        use Grade::{Review, Safe};
        assert_eq!(
            fixed("abcdef", &[(Safe, &[(0, 1, "A"), (5, 6, "F")])]).as_deref(),
            Some("AbcdeF")
        );
        assert_eq!(
            fixed(
                "abcdef",
                &[(Safe, &[(0, 2, "X")]), (Safe, &[(1, 3, "Y"), (5, 6, "F")])]
            )
            .as_deref(),
            Some("Xcdef"),
            "half of a fix is no fix"
        );
        assert_eq!(fixed("abc", &[(Review, &[(0, 1, "X")])]), None);
        assert_eq!(
            fixed("abc", &[(Safe, &[(1, 1, "x")]), (Safe, &[(1, 1, "y")])]).as_deref(),
            Some("axbc")
        );
        assert_eq!(
            fixed("abc", &[(Safe, &[(1, 2, "x")]), (Safe, &[(2, 3, "y")])]).as_deref(),
            Some("axy"),
            "neighbours do not overlap"
        );
    }
}
