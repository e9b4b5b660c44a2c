//! An expression's tokens with their places, and what can be told from them alone.

use std::ops::Range;

use cel::parser::pratt_parser::{Lexer, TokenKind};

use super::Read;

/// A token that is neither space nor comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// All tokens of an expression.
pub(super) struct Tokens<'a> {
    pub(super) text: &'a str,
    pub(super) list: Vec<Token>,
}

/// Macros that bind a name for the rest of their parentheses.
const BINDING: &[&str] = &["all", "exists", "exists_one", "existsOne", "map", "filter"];

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut lexer = Lexer::new(text);
        let mut list = Vec::new();
        loop {
            let token = lexer.lex();
            match token.kind {
                TokenKind::TokWhitespace | TokenKind::TokComment => continue,
                TokenKind::TokEnd | TokenKind::TokError => break,
                kind => list.push(Token {
                    kind,
                    start: token.start,
                    end: token.end,
                }),
            }
            if list.len() > super::MAX_BYTES {
                break;
            }
        }
        Tokens { text, list }
    }

    pub(super) fn str(&self, token: Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.list.get(at).map(|t| t.kind)
    }

    /// Position of the token that starts at or after an offset.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.list.partition_point(|t| t.start < offset)
    }

    /// The greatest depth of brackets.
    pub(super) fn depth(&self) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        for token in &self.list {
            match token.kind {
                TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                TokenKind::TokRightParen
                | TokenKind::TokRightBracket
                | TokenKind::TokRightBrace => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest
    }

    /// Position of the bracket that closes the one at a position.
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (i, token) in self.list.iter().enumerate().skip(open) {
            match token.kind {
                TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace => {
                    depth += 1;
                }
                TokenKind::TokRightParen
                | TokenKind::TokRightBracket
                | TokenKind::TokRightBrace => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(i);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The whole expression without the space around it.
    pub(super) fn whole(&self) -> Range<usize> {
        match (self.list.first(), self.list.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..self.text.len(),
        }
    }

    /// Every `record.field` and `record["field"]`, where no macro binds the record's name.
    pub(super) fn reads(&self, record: &str) -> Vec<Read> {
        let mut reads = Vec::new();
        let mut bound_until = 0;
        for (i, token) in self.list.iter().enumerate() {
            let after_dot = i > 0 && self.kind(i - 1) == Some(TokenKind::TokDot);
            if token.kind != TokenKind::TokIdent {
                continue;
            }
            if after_dot && BINDING.contains(&self.str(*token)) {
                bound_until = bound_until.max(self.binds(i, record));
            }
            if after_dot || i < bound_until || self.str(*token) != record {
                continue;
            }
            match (self.kind(i + 1), self.list.get(i + 2)) {
                (Some(TokenKind::TokDot), Some(field)) if field.kind == TokenKind::TokIdent => {
                    reads.push(Read {
                        field: self.str(*field).to_owned(),
                        range: field.start..field.end,
                    });
                }
                (Some(TokenKind::TokLeftBracket), Some(key))
                    if key.kind == TokenKind::TokString
                        && self.kind(i + 3) == Some(TokenKind::TokRightBracket) =>
                {
                    let name = self.str(*key).trim_matches(['"', '\'']);
                    reads.push(Read {
                        field: name.to_owned(),
                        range: key.start..key.end,
                    });
                }
                _ => {}
            }
        }
        reads
    }

    /// Where the binding of `record` by the macro named at `at` ends, if it binds that name.
    fn binds(&self, at: usize, record: &str) -> usize {
        let binds = self.kind(at + 1) == Some(TokenKind::TokLeftParen)
            && self.kind(at + 3) == Some(TokenKind::TokComma)
            && self
                .list
                .get(at + 2)
                .is_some_and(|t| self.str(*t) == record);
        if binds {
            self.closing(at + 1).unwrap_or(self.list.len())
        } else {
            0
        }
    }
}
