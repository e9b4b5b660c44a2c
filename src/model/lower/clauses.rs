//! Walks over the clauses of a block: which stand twice, which could not be read.

use super::Lowering;
use crate::finding::Edit;
use crate::model::report::{Twice, duplicate};
use crate::syntax::tree::Clause;
use crate::text::Span;

/// The clauses of a block that could be read, repeats left out.
pub(super) struct Read<'a, C> {
    pub(super) clauses: Vec<(&'a Clause<C>, &'a C)>,
    /// Keywords of the clauses that could not be read.
    pub(super) broken: Vec<&'a str>,
}

impl<C> Read<'_, C> {
    /// Whether a clause of another keyword than these could not be read.
    pub(super) fn is_broken_beside(&self, keywords: &[&str]) -> bool {
        self.broken.iter().any(|k| !keywords.contains(k))
    }

    /// Whether a clause of that keyword stands there but could not be read.
    pub(super) fn lost(&self, keyword: &str) -> bool {
        self.broken.contains(&keyword)
    }

    pub(super) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }
}

impl<'a> Lowering<'a> {
    /// What takes a later text away where it repeats the first word for word, white space and line
    /// ends apart.
    pub(super) fn repetition(&self, first: Span, later: Span) -> Option<Edit> {
        let (first, again) = (self.text(first), self.text(later));
        // What looks like a comment may hold back the rest of its line.
        let plain = !first.contains("//") && !again.contains("//");
        let same = first.split_whitespace().eq(again.split_whitespace());
        (same && plain).then(|| Edit::removal(later, self.sources))
    }

    /// What takes an entry of a list away together with the comma before it.
    pub(super) fn without_entry(&self, entry: Span) -> Option<Edit> {
        let text = &self.sources.file(entry.file).text;
        let before = text.get(..entry.start as usize)?.trim_end();
        let comma = before.strip_suffix(',')?.trim_end().len();
        Some(Edit {
            span: Span::new(entry.file, comma, entry.end as usize),
            text: String::new(),
        })
    }

    /// Reads a block's clauses; those not in `many` may stand once. `help` says what to do with a
    /// repeat where it is not plain.
    pub(super) fn read_clauses<C>(
        &mut self,
        clauses: &'a [Clause<C>],
        many: &[&str],
        help: impl Fn(&str) -> Option<String>,
    ) -> Read<'a, C> {
        let mut read = Read {
            clauses: Vec::with_capacity(clauses.len()),
            broken: Vec::new(),
        };
        let mut seen: Vec<(&str, Span)> = Vec::new();
        for clause in clauses {
            let keyword = self.text(clause.keyword);
            let Some(kind) = &clause.kind else {
                self.broken_clause(clause.span);
                read.broken.push(keyword);
                continue;
            };
            if !many.contains(&keyword) {
                if let Some((_, first)) = seen.iter().find(|(k, _)| *k == keyword) {
                    self.report(duplicate(Twice {
                        what: "clause",
                        name: keyword,
                        first: *first,
                        later: clause.span,
                        help: help(keyword),
                        same: self.repetition(*first, clause.span),
                    }));
                    continue;
                }
                seen.push((keyword, clause.span));
            }
            read.clauses.push((clause, kind));
        }
        read
    }
}
