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

/// The length of a node's text without the space and comments behind its last token, which the
/// grammar takes in where something optional was looked for and not found.
pub fn written_len(text: &str) -> usize {
    if !text.ends_with(|c: char| c.is_ascii_whitespace()) && !text.contains("//") {
        return text.len();
    }
    let mut end = 0;
    let mut within: Option<u8> = None;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match (within, byte) {
            (Some(b'/'), b'\n') => within = None,
            (Some(b'/'), _) => continue,
            (Some(b'"'), b'\\') => {
                bytes.next();
            }
            (Some(open), _) if open == byte => within = None,
            (Some(_), _) => {}
            (None, b'"' | b'`') => within = Some(byte),
            (None, b'/') if bytes.peek().is_some_and(|(_, next)| *next == b'/') => {
                within = Some(b'/');
                continue;
            }
            (None, _) => {}
        }
        if within.is_some() || !byte.is_ascii_whitespace() {
            end = at + 1;
        }
    }
    end
}

impl<'i> Part<'i> {
    pub fn rule(&self) -> Rule {
        self.pair.as_rule()
    }

    pub fn span(&self) -> Span {
        let start = self.base + self.pair.as_span().start();
        let len = written_len(self.pair.as_str());
        Span::new(self.file, start, start + len)
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
