//! Walks over the clauses of a block: which stand twice, which could not be read.

use super::Lowering;
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
