//! Blocks: clause after clause, and what happens when one cannot be read.
//!
//! Each clause is read by pest for itself. One that fails is reported once, at the first token
//! that does not fit, and reading goes on at the next line that begins with a keyword of the open
//! block, at an item, or at the closing brace.

use super::Reader;
use super::grammar::Rule;
use super::report::Trouble;
use crate::syntax::scan::{Kind, Token};
use crate::syntax::tree::Clause;

/// What the clauses of a kind of block are.
pub(super) trait Clauses: Sized {
    /// What the block is called, with its article.
    const BLOCK: &'static str;
    /// The keywords.
    const WORDS: &'static [&'static str];
    /// Keywords that end a run of these clauses and belong to the block around them.
    const OUTER: &'static [&'static str] = &[];
    /// The rule for any one clause and nothing after it.
    const ALONE: Rule;

    /// The rule of the clause that begins with `word`.
    fn rule(word: &str) -> Option<Rule>;

    /// The clause of what `rule` has read.
    fn build(part: super::build::Part<'_>) -> Option<Self>;

    /// Reads the clause that begins at `word`; gives it and where to go on.
    fn read(reader: &mut Reader<'_>, word: Token, rule: Rule) -> (Clause<Self>, usize) {
        reader.clause::<Self>(word, rule)
    }
}

/// How a block was left.
pub(super) struct Read<C> {
    /// Its clauses.
    pub clauses: Vec<Clause<C>>,
    /// One past its closing brace, or past the last token where there is none.
    pub end: usize,
}

impl Reader<'_> {
    /// Reads clauses from `at` up to the brace that closes the one at `open`.
    pub fn block<C: Clauses>(&mut self, open: usize, at: usize) -> Read<C> {
        let mut clauses = Vec::new();
        let mut at = at;
        let mut last = open + 1;
        loop {
            let Some(token) = self.token(at) else {
                self.unclosed(open, None);
                return Read { clauses, end: last };
            };
            let word = self.scan.str(token);
            if word == "}" {
                return Read {
                    clauses,
                    end: token.end,
                };
            }
            if let Some(rule) = C::rule(word) {
                let (clause, next) = C::read(self, token, rule);
                last = clause.span.end as usize;
                clauses.push(clause);
                // Reading never stands still, whatever a clause says about its end.
                at = next.max(token.end);
                continue;
            }
            let outer = token.line_first && C::OUTER.contains(&word);
            if outer || (token.line_first && self.scan.item_start(token)) {
                self.unclosed(open, Some(token));
                return Read { clauses, end: last };
            }
            self.report(Trouble::unknown_clause::<C>(token));
            let (end, next) = self.resume::<C>(token.start, token.end);
            clauses.push(self.broken_clause(token, end));
            last = end;
            at = next.max(token.end);
        }
    }

    /// A clause that could not be read.
    pub fn broken_clause<C>(&self, word: Token, end: usize) -> Clause<C> {
        Clause {
            span: self.scan.span(word.start, end.max(word.end)),
            keyword: self.scan.span(word.start, word.end),
            kind: None,
        }
    }

    /// Reads one clause of which `word` is the keyword.
    pub fn clause<C: Clauses>(&mut self, word: Token, rule: Rule) -> (Clause<C>, usize) {
        let trouble = match self.pest(rule, word.start, self.end) {
            Ok((part, end)) => match self.trouble_after::<C>(word, end, C::ALONE) {
                None => {
                    let clause = Clause {
                        span: part.span(),
                        keyword: self.scan.span(word.start, word.end),
                        kind: C::build(part),
                    };
                    return (clause, end);
                }
                Some(trouble) => trouble,
            },
            Err(failure) => self
                .cut_short::<C>(word, C::ALONE, failure.at)
                .unwrap_or_else(|| Trouble::expected(failure.at, failure.expected).within::<C>()),
        };
        let at = trouble.at;
        self.report(trouble);
        let (end, next) = self.resume::<C>(at, word.end);
        (self.broken_clause(word, end), next)
    }

    /// Trouble with what follows a clause that was read up to `end`: none where it can follow, or
    /// begins a line and so is the next clause's own trouble. `alone` is the rule for the clause
    /// and nothing after it.
    pub fn trouble_after<C: Clauses>(
        &mut self,
        word: Token,
        end: usize,
        alone: Rule,
    ) -> Option<Trouble> {
        let token = self.trailing::<C>(end)?;
        let cut = self.cut_short::<C>(word, alone, token.start);
        if cut.is_some() {
            return cut;
        }
        match self.pest(alone, word.start, self.end) {
            // Something that may go on the clause began and broke off.
            Err(failure) if failure.at > token.start => {
                let cut = self.cut_short::<C>(word, alone, failure.at);
                Some(cut.unwrap_or_else(|| {
                    Trouble::expected(failure.at, failure.expected).within::<C>()
                }))
            }
            _ if token.line_first => None,
            Err(failure) if failure.at == token.start => {
                Some(Trouble::after(token.start, failure.expected).within::<C>())
            }
            _ => Some(Trouble::after(token.start, Vec::new()).within::<C>()),
        }
    }

    /// The token after a clause, where it can begin nothing that may follow one.
    pub fn trailing<C: Clauses>(&self, end: usize) -> Option<Token> {
        let token = self.token(end)?;
        let word = self.scan.str(token);
        let fits = word == "}"
            || C::rule(word).is_some()
            || C::OUTER.contains(&word)
            || (token.line_first && self.scan.item_start(token));
        (!fits).then_some(token)
    }

    /// A clause that swallowed the beginning of the next line's clause: `owner`, line end,
    /// `accepts crm` reads as an owner called `accepts`. The trouble is then where that line
    /// begins. `until` is the first token that fits nowhere.
    pub fn cut_short<C: Clauses>(
        &mut self,
        word: Token,
        alone: Rule,
        until: usize,
    ) -> Option<Trouble> {
        let mut at = word.end;
        while let Some(token) = self.token(at).filter(|t| t.start < until) {
            at = token.end;
            let text = self.scan.str(token);
            let begins = C::rule(text).is_some() || C::OUTER.contains(&text);
            if !token.line_first || !begins || !self.spend(token.start - word.start) {
                continue;
            }
            if let Err(failure) = self.pest(alone, word.start, token.start)
                && self
                    .token(failure.at)
                    .is_none_or(|t| t.start >= token.start)
            {
                return Some(Trouble::expected(token.start, failure.expected).within::<C>());
            }
        }
        None
    }

    /// Where reading goes on after trouble at `from` in a clause that began before: the end of the
    /// last token passed over and the offset of the next to read.
    pub fn resume<C: Clauses>(&mut self, from: usize, clause: usize) -> (usize, usize) {
        let (mut depth, mut last) = self.passed_over(clause, from);
        let mut at = from;
        while let Some(token) = self.token(at) {
            let word = self.scan.str(token);
            let begins = C::rule(word).is_some() || C::OUTER.contains(&word);
            if token.line_first && token.start > clause && (begins || self.scan.item_start(token)) {
                return (last, token.start);
            }
            match word {
                "{" => depth += 1,
                "}" if depth == 0 && self.closes::<C>(token) => return (last, token.start),
                "}" => {
                    depth = depth.saturating_sub(1);
                    self.passed_brace = true;
                }
                _ => {}
            }
            last = token.end;
            at = token.end;
        }
        (last, self.end)
    }

    /// How many braces are open at `to` of those that opened since `from`, and the end of the last
    /// token between them.
    fn passed_over(&self, from: usize, to: usize) -> (usize, usize) {
        let (mut at, mut depth) = (from, 0_usize);
        while let Some(token) = self.token(at).filter(|t| t.start < to) {
            match self.scan.str(token) {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            at = token.end;
        }
        (depth, at)
    }

    /// Whether the brace `token` closes the open block rather than something inside a broken
    /// clause: after it there is no further clause of this block.
    fn closes<C: Clauses>(&self, token: Token) -> bool {
        match self.token(token.end) {
            None => true,
            Some(next) if next.kind == Kind::Word => {
                let word = self.scan.str(next);
                C::rule(word).is_none() || C::OUTER.contains(&word) || self.scan.item_start(next)
            }
            Some(next) => self.scan.str(next) == "}",
        }
    }
}
