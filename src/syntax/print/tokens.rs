//! Tokens and comments of a text in one list, and the space between two of them.

use crate::syntax::scan::{Kind, Scan};
use crate::text::FileId;

/// A token or a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub start: usize,
    pub end: usize,
    pub comment: bool,
    /// Whether it is a sign such as `,` or `..`.
    pub sign: bool,
}

impl Token {
    /// Its text; of a comment without blanks at its end.
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        let own = text.get(self.start..self.end).unwrap_or_default();
        if self.comment { own.trim_end() } else { own }
    }
}

/// Every token and comment in order.
pub(super) fn all(text: &str) -> Vec<Token> {
    let start = if text.starts_with(crate::text::BOM) {
        crate::text::BOM.len()
    } else {
        0
    };
    let scan = Scan::new(text, FileId(0), start, text.len());
    let mut comments = scan.comments.iter().peekable();
    let mut out = Vec::with_capacity(text.len() / 6);
    let mut at = start;
    let comment = |span: crate::text::Span| Token {
        start: span.start as usize,
        end: span.end as usize,
        comment: true,
        sign: false,
    };
    while let Some(token) = scan.token(at) {
        while let Some(c) = comments.next_if(|c| (c.span.start as usize) < token.start) {
            out.push(comment(c.span));
        }
        out.push(Token {
            start: token.start,
            end: token.end,
            comment: false,
            sign: token.kind == Kind::Sign,
        });
        at = token.end.max(token.start + 1);
    }
    out.extend(comments.map(|c| comment(c.span)));
    out
}

/// Whether a space stands between two neighbours of one clause.
pub(super) fn spaced(text: &str, a: Token, b: Token) -> bool {
    let (left, right) = (a.text(text), b.text(text));
    let adjacent = a.end == b.start;
    if a.comment || b.comment {
        return true;
    }
    match (left, right) {
        ("{", "}") | ("(" | "[" | ".." | "." | "/" | "-", _) => false,
        (_, ")" | "]" | "," | ".." | "." | "/" | "?") => false,
        // `text(40)`, `env("X")`, `contact(*)`: a word takes its bracket along.
        (_, "(") => a.sign,
        // `:15` stands apart, a field's own colon does not.
        (_, ":") => text.as_bytes().get(b.end).is_some_and(u8::is_ascii_digit),
        (":", _) => !adjacent,
        // `two-owners`, but `= -5`.
        (_, "-") => !adjacent,
        _ => true,
    }
}
