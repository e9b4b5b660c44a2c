//! Applying the fixes of a report.
//!
//! The whole set is applied or none of it: everything happens in memory, round by round, until no
//! safe fix is left and the files are laid out. Only then, and only where nothing new is wrong, are
//! they written, all together.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::{Instead, Rewrite};
use super::failure::Failure;
use super::policy::is_markdown;
use super::unified;
use crate::finding::{Code, code_by_name};
use crate::render::{Edit, Fix, Report, Severity, Style};
use crate::syntax::print::format;

/// How often fixes may bring out further fixes before it is given up.
const ROUNDS_MAX: usize = 100;

/// The greatest code of what is found while a policy is read: once it is mended, more can be read.
const READING_LAST: Code = Code(8);
const BAD_EXPRESSION: Code = Code(405);
const SYNTAX: &str = "SL0001";

/// What a check of the same files, with some of their texts replaced, found.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    /// What is reported.
    pub report: Report,
    /// Every error, also of what is not reported.
    pub errors: Errors,
}

/// Errors by what they say, and how many: places move while fixes are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Errors {
    all: BTreeMap<(String, String), usize>,
    /// How much of each file cannot be read.
    syntax: BTreeMap<String, usize>,
}

impl Errors {
    /// The errors of a report.
    pub fn of(report: &Report) -> Self {
        let mut errors = Errors::default();
        let found = report.diagnostics.iter();
        for found in found.filter(|d| d.severity == Severity::Error) {
            let key = (found.code.clone(), found.message.clone());
            *errors.all.entry(key).or_default() += 1;
            if found.code == SYNTAX {
                *errors.syntax.entry(found.file.clone()).or_default() += 1;
            }
        }
        errors
    }

    /// What is wrong now and was not before. Where something that could not be read was mended,
    /// what stood in it may be wrong in ways that nobody could see: that is no fault of the mend,
    /// as long as no more of a file than before cannot be read.
    fn new_since(&self, before: &Errors, reads_more: bool) -> Option<String> {
        let less = |(file, count): (&String, &usize)| {
            let was = before.syntax.get(file).copied().unwrap_or_default();
            (*count > was).then(|| format!("less of `{file}` could be read"))
        };
        if let Some(what) = self.syntax.iter().find_map(less) {
            return Some(what);
        }
        let new = |((code, message), count): (&(String, String), &usize)| {
            let key = (code.clone(), message.clone());
            let was = before.all.get(&key).copied().unwrap_or_default();
            (*count > was).then(|| format!("{code} would be new: {message}"))
        };
        self.all.iter().find_map(new).filter(|_| !reads_more)
    }
}

/// What fixing came to.
#[derive(Debug)]
pub(super) struct Fixed {
    /// The files to rewrite, by name.
    pub rewrites: Vec<Rewrite>,
    /// How many fixes that are.
    pub applied: usize,
    /// What is left to find.
    pub left: Looked,
    /// Why nothing is to be changed, where that is so.
    pub refused: Option<String>,
}

/// Applies the safe fixes of what was found, checks again and goes on until none is left, then lays
/// the changed files out. Nothing is written: `look` checks with the new texts in place.
pub(super) fn fix(
    first: &Looked,
    look: &dyn Fn(&Instead) -> Result<Looked, Failure>,
) -> Result<Fixed, Failure> {
    let mut texts = Texts::default();
    let mut now = first.clone();
    let mut applied = 0;
    for round in 0.. {
        let next = plan(&now.report);
        if next.texts.is_empty() {
            break;
        }
        if round == ROUNDS_MAX {
            return Ok(refused(first, "the fixes undo one another".to_owned()));
        }
        texts.take(&now.report, next.texts);
        let then = look(&texts.overlay())?;
        if let Some(why) = then.errors.new_since(&now.errors, next.reads_more) {
            return Ok(refused(first, why));
        }
        applied += next.applied;
        now = then;
    }
    if texts.lay_out() {
        let then = look(&texts.overlay())?;
        if let Some(why) = then.errors.new_since(&now.errors, false) {
            return Ok(refused(first, why));
        }
        now = then;
    }
    Ok(Fixed {
        rewrites: texts.rewrites(),
        applied,
        left: now,
        refused: None,
    })
}

fn refused(first: &Looked, why: String) -> Fixed {
    Fixed {
        rewrites: Vec::new(),
        applied: 0,
        left: first.clone(),
        refused: Some(why),
    }
}

/// Files on their way from their old texts to their new ones, by their names as shown.
#[derive(Debug, Default)]
struct Texts(BTreeMap<String, (String, String)>);

impl Texts {
    fn take(&mut self, report: &Report, new: BTreeMap<String, String>) {
        for (name, new) in new {
            let stored = || report.texts.get(&name).map(|f| f.text.to_string());
            let old = match self.0.remove(&name) {
                Some((old, _)) => old,
                None => stored().unwrap_or_default(),
            };
            self.0.insert(name, (old, new));
        }
    }

    fn overlay(&self) -> Instead {
        let texts = self.0.iter();
        texts
            .filter_map(|(name, (_, new))| {
                let real = Path::new(name).canonicalize().ok()?;
                Some((real, new.clone().into_bytes()))
            })
            .collect()
    }

    /// Lays out every policy file that can be read whole; says whether any text changed. The rest
    /// of a Markdown file is prose, so its blocks stay as they are.
    fn lay_out(&mut self) -> bool {
        let mut changed = false;
        for (name, (old, new)) in &mut self.0 {
            if is_markdown(Path::new(name)) || old == new {
                continue;
            }
            if let Ok(laid) = format(new)
                && laid.sound
                && laid.text != *new
            {
                *new = laid.text;
                changed = true;
            }
        }
        changed
    }

    fn rewrites(self) -> Vec<Rewrite> {
        let texts = self.0.into_iter();
        texts
            .filter(|(_, (old, new))| old != new)
            .map(|(name, (old, new))| Rewrite { name, old, new })
            .collect()
    }
}

/// How many findings a person may mend by a fix that waits to be looked at.
pub(super) fn waiting(report: &Report) -> usize {
    let open = report.diagnostics.iter();
    let open = open.filter(|d| d.severity != Severity::Allowed);
    open.filter(|d| !d.fixes.is_empty()).count()
}

/// Whether a check speaks of what could not be read.
fn is_of_reading(code: &str) -> bool {
    code_by_name(code).is_some_and(|code| code <= READING_LAST || code == BAD_EXPRESSION)
}

/// What one round of fixes makes.
#[derive(Debug, Default)]
struct Round {
    /// New texts of files, by their names as shown.
    texts: BTreeMap<String, String>,
    /// How many fixes that are.
    applied: usize,
    /// Whether they mend what could not be read.
    reads_more: bool,
}

/// What the safe fixes of a report make of its files. What could not be read is mended first, in a
/// round of its own, so that an error which then comes to light is known for what it is.
fn plan(report: &Report) -> Round {
    let first = round(report, true);
    if first.texts.is_empty() {
        return round(report, false);
    }
    first
}

/// Each fix whole or not at all, in order; one that overlaps an earlier one is passed over.
fn round(report: &Report, reading: bool) -> Round {
    let mut taken: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    let mut round = Round {
        reads_more: reading,
        ..Round::default()
    };
    let found = report.diagnostics.iter();
    let found = found.filter(|d| is_of_reading(&d.code) == reading);
    for found in found.filter(|d| d.severity != Severity::Allowed) {
        let safe = found.fixes.iter().find(|f| f.safe);
        let Some(fix) = safe.filter(|fix| fits(fix, &taken, report)) else {
            continue;
        };
        round.applied += 1;
        for edit in &fix.edits {
            taken.entry(&edit.file).or_default().push(edit);
        }
    }
    let texts = taken.into_iter().filter_map(|(name, edits)| {
        let old = &*report.texts.get(name)?.text;
        let new = edited(old, edits)?;
        (new != old).then(|| (name.to_owned(), new))
    });
    round.texts = texts.collect();
    round
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

/// The changes as a unified diff.
pub(super) fn diff(rewrites: &[Rewrite], style: Style) -> String {
    let files = rewrites.iter();
    files
        .map(|file| unified::unified(&file.name, &file.old, &file.new, style))
        .collect()
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
        plan(&report).texts.remove("a.sync")
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

    fn looked(findings: &[(u16, &str)]) -> Looked {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.sync", "x\n"));
        let findings: Vec<Finding> = findings
            .iter()
            .map(|(code, message)| Finding::new(Code(*code), Span::new(id, 0, 1), *message))
            .collect();
        let mut report = Report::default();
        report.add(&findings, &sources);
        let errors = Errors::of(&report);
        Looked { report, errors }
    }

    fn new(before: &[(u16, &str)], after: &[(u16, &str)], reads_more: bool) -> Option<String> {
        let before = looked(before).errors;
        looked(after).errors.new_since(&before, reads_more)
    }

    #[test]
    fn a_new_error_is_told_from_one_that_was_hidden() {
        let owner = (101, "no owner");
        assert_eq!(new(&[owner], &[owner], false), None);
        assert_eq!(new(&[owner], &[], false), None);
        assert!(new(&[], &[owner], false).unwrap().contains("SL0101"));
        assert!(new(&[owner], &[owner, owner], false).is_some(), "once more");
        assert_eq!(
            new(&[(1, "broken")], &[owner], true),
            None,
            "now it can be read"
        );
        assert_eq!(new(&[(1, "broken")], &[(1, "another")], true), None);
        assert!(
            new(&[(1, "a")], &[(1, "b"), (1, "c")], true).is_some(),
            "less can be read"
        );
        assert_eq!(new(&[], &[(110, "a warning")], false), None);
    }

    #[test]
    fn fixes_that_undo_one_another_change_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.sync");
        std::fs::write(&file, "x\n").unwrap();
        let name = file.to_string_lossy().into_owned();
        let look = |overlay: &Instead| {
            let text = overlay.values().next().map_or(&b"x\n"[..], |t| t);
            let text = String::from_utf8_lossy(text).into_owned();
            let other = if text.starts_with('x') { "y" } else { "x" };
            let mut sources = Sources::default();
            let id = sources.add(SourceFile::new(name.clone(), text));
            let span = Span::new(id, 0, 1);
            let edit = finding::Edit {
                span,
                text: other.into(),
            };
            let finding = Finding::new(Code(110), span, "m").fix("f", Grade::Safe, vec![edit]);
            let mut report = Report::default();
            report.add(&[finding], &sources);
            let errors = Errors::of(&report);
            Ok(Looked { report, errors })
        };
        let first = look(&Instead::new()).unwrap();
        let fixed = fix(&first, &look).unwrap();
        assert_eq!((fixed.rewrites.len(), fixed.applied), (0, 0));
        assert!(fixed.refused.is_some());
    }
}
