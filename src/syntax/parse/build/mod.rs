//! From pest's pairs to the tree, one file per kind of block.
//!
//! The grammar has already settled the shape, so a missing part cannot happen; where a builder
//! would have to assume one, it gives `None`, and the clause becomes a broken one.

pub(super) mod common;
pub(super) mod entity;
pub(super) mod map;
pub(super) mod policy;
pub(super) mod scenario;
pub(super) mod system;
pub(super) mod test;

use super::grammar::Rule;
use crate::syntax::tree::{Allow, CheckName, DateTok, Name};
use crate::text::{FileId, Span};
use pest::iterators::{Pair, Pairs};

/// The parts of one node in order, signs and keywords left out.
pub(super) struct Parts<'i> {
    pairs: Pairs<'i, Rule>,
    base: usize,
    file: FileId,
}

/// One part: its rule, place and what lies inside.
pub(super) struct Part<'i> {
    pair: Pair<'i, Rule>,
    base: usize,
    file: FileId,
}

impl<'i> Parts<'i> {
    /// The parts of a pair whose text begins at byte `base` of `file`.
    pub fn new(pairs: Pairs<'i, Rule>, base: usize, file: FileId) -> Self {
        Parts { pairs, base, file }
    }

    /// The next part of any kind that carries meaning.
    pub fn any(&mut self) -> Option<Part<'i>> {
        let pair = self.pairs.find(|p| p.as_rule() < Rule::open_brace)?;
        Some(Part {
            pair,
            base: self.base,
            file: self.file,
        })
    }

    /// The next part if it is of `rule`; otherwise it stays.
    pub fn maybe(&mut self, rule: Rule) -> Option<Part<'i>> {
        while self
            .pairs
            .peek()
            .is_some_and(|p| p.as_rule() >= Rule::open_brace)
        {
            self.pairs.next();
        }
        if self.pairs.peek()?.as_rule() != rule {
            return None;
        }
        self.any()
    }

    /// The place of the next part, which must be of `rule`.
    pub fn token(&mut self, rule: Rule) -> Option<Span> {
        self.maybe(rule).map(|p| p.span())
    }

    /// The place of the keyword `rule` among all that is left; consumes nothing.
    pub fn keyword(&self, rule: Rule) -> Option<Span> {
        let (base, file) = (self.base, self.file);
        let pair = self.pairs.clone().find(|p| p.as_rule() == rule)?;
        Some(Part { pair, base, file }.span())
    }

    /// The rest, each part being of `rule`.
    pub fn rest(mut self, rule: Rule) -> Vec<Span> {
        let mut all = Vec::new();
        while let Some(span) = self.token(rule) {
            all.push(span);
        }
        all
    }
}

impl<'i> Part<'i> {
    pub fn rule(&self) -> Rule {
        self.pair.as_rule()
    }

    pub fn span(&self) -> Span {
        let span = self.pair.as_span();
        Span::new(self.file, self.base + span.start(), self.base + span.end())
    }

    pub fn text(&self) -> &'i str {
        self.pair.as_str()
    }

    pub fn parts(self) -> Parts<'i> {
        Parts::new(self.pair.into_inner(), self.base, self.file)
    }

    /// The names of a list node.
    pub fn names(self, rule: Rule) -> Vec<Name> {
        self.parts().rest(rule).into_iter().map(Name).collect()
    }
}

/// `allow …`.
pub(super) fn allow(part: Part<'_>) -> Option<Allow> {
    let span = part.span();
    let mut parts = part.parts();
    Some(Allow {
        span,
        check: CheckName(parts.token(Rule::check_name)?),
        reason: crate::syntax::tree::Str(parts.token(Rule::string)?),
        until: parts.token(Rule::date).map(DateTok),
    })
}
