//! The hand scanner below the grammar: it knows comments, strings, backticks and braces only.
//!
//! One pass over a file gathers the comments, the places where items begin, and the places that
//! no clause may be read across (a backtick that nothing closes, brackets nested too deep).
//! [`Scan::token`] reads one rough token at any offset, for recovery and for messages.

use super::tree::Comment;
use crate::text::{FileId, Span};

/// Keywords that begin an item.
pub(super) const ITEM_WORDS: [&str; 8] = [
    "use", "policy", "system", "entity", "extend", "map", "scenario", "test",
];

/// Brackets may nest this deep; more is refused, so that no reader of the tree can run out of
/// stack.
pub(super) const MAX_NESTING: u32 = 48;

/// What a rough token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and `_`, beginning with a letter or `_`.
    Word,
    /// Anything that begins with a digit: number, duration, rate, time, date.
    Number,
    /// A string.
    Str,
    /// An expression in backticks.
    Expr,
    /// A sign.
    Sign,
}

/// A rough token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
    /// Whether it is the first token of its line.
    pub line_first: bool,
    /// Whether a string or expression has its closing sign.
    pub closed: bool,
}

/// Why nothing may be read across a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// A backtick that nothing closes.
    Backtick,
    /// A bracket nested too deep.
    Nesting,
}

/// A place that no clause may be read across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stop {
    /// Where.
    pub start: usize,
    /// Where reading may go on.
    pub end: usize,
    /// Why.
    pub why: Obstacle,
}

/// What the scanner found in a range of a file.
pub(super) struct Scan<'a> {
    /// The whole text of the file.
    pub text: &'a str,
    /// The file.
    pub file: FileId,
    /// First byte of the range.
    pub start: usize,
    /// One past the last byte of the range.
    pub end: usize,
    /// The comments in order.
    pub comments: Vec<Comment>,
    /// Offsets of item keywords outside every brace, at the beginning of a line.
    pub starts: Vec<usize>,
    /// Where reading must stop, in order.
    pub stops: Vec<Stop>,
}

impl<'a> Scan<'a> {
    /// Scans `start..end` of `text`; both must be character boundaries in it. Every index below is
    /// held under `end`, which is why indexing the bytes cannot fail.
    pub fn new(text: &'a str, file: FileId, start: usize, end: usize) -> Self {
        let mut scan = Scan {
            text,
            file,
            start,
            end,
            comments: Vec::new(),
            starts: Vec::new(),
            stops: Vec::new(),
        };
        scan.run();
        scan
    }

    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = self.start;
        let (mut braces, mut brackets) = (0_usize, 0_u32);
        let mut fresh_line = true;
        let mut after_word = false;
        while at < self.end {
            let byte = bytes[at];
            let was_word = std::mem::take(&mut after_word);
            match byte {
                b'\n' => {
                    fresh_line = true;
                    after_word = was_word;
                    at += 1;
                    continue;
                }
                b' ' | b'\t' | b'\r' => {
                    after_word = was_word;
                    at += 1;
                    continue;
                }
                b'/' if bytes.get(at + 1) == Some(&b'/') && at + 1 < self.end => {
                    let end = self.line_end(at);
                    self.comments.push(Comment {
                        span: Span::new(self.file, at, end),
                        doc: false,
                    });
                    after_word = was_word;
                    at = end;
                    continue;
                }
                b'"' => at = self.string_end(at).0,
                b'`' => at = self.backtick(at),
                b'{' => {
                    braces += 1;
                    brackets = 0;
                    at += 1;
                }
                b'}' => {
                    braces = braces.saturating_sub(1);
                    brackets = 0;
                    at += 1;
                }
                b'(' | b'[' => {
                    brackets += 1;
                    if brackets == MAX_NESTING {
                        self.stops.push(Stop {
                            start: at,
                            end: at + 1,
                            why: Obstacle::Nesting,
                        });
                    }
                    at += 1;
                }
                b')' | b']' => {
                    brackets = brackets.saturating_sub(1);
                    at += 1;
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    // Two words in a row stand in no nested form: what was open is broken anyway.
                    if was_word {
                        brackets = 0;
                    }
                    after_word = true;
                    let end = word_end(bytes, at, self.end);
                    if fresh_line && braces == 0 && self.begins_item(at, end) {
                        self.starts.push(at);
                    }
                    at = end;
                }
                _ => at += 1,
            }
            fresh_line = false;
        }
    }

    /// Whether the word at `start..end` is an item keyword followed by a name or a string.
    fn begins_item(&self, start: usize, end: usize) -> bool {
        let word = self.text.get(start..end).unwrap_or_default();
        let before = self.text.get(..start).unwrap_or_default().trim_end();
        // `extend` may stand on the line before its `entity`.
        let extended = word == "entity" && before.ends_with("extend");
        ITEM_WORDS.contains(&word)
            && !extended
            && self
                .token(end)
                .is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Str))
    }

    /// Whether `token` begins an item: its keyword followed by a name or a string.
    pub fn item_start(&self, token: Token) -> bool {
        token.kind == Kind::Word && self.begins_item(token.start, token.end)
    }

    /// The end of the line that holds `at`, without its line end.
    pub fn line_end(&self, at: usize) -> usize {
        let bytes = &self.text.as_bytes()[at..self.end];
        let mut end = at
            + bytes
                .iter()
                .position(|b| *b == b'\n')
                .unwrap_or(bytes.len());
        if end > at && end < self.end && self.text.as_bytes()[end - 1] == b'\r' {
            end -= 1;
        }
        end
    }

    /// The end of the string that opens at `at`, and whether it is closed on its line.
    fn string_end(&self, at: usize) -> (usize, bool) {
        let bytes = self.text.as_bytes();
        let mut i = at + 1;
        while i < self.end {
            match bytes[i] {
                b'"' => return (i + 1, true),
                b'\n' => break,
                b'\\' if i + 1 < self.end && matches!(bytes[i + 1], b'"' | b'\\') => i += 2,
                _ => i += 1,
            }
        }
        (self.line_end(at), false)
    }

    /// The end of the expression that opens at `at`; one that nothing closes becomes a stop and
    /// ends with its line, so that the lines below are read for themselves.
    fn backtick(&mut self, at: usize) -> usize {
        match self.closing_backtick(at) {
            Some(end) => end,
            None => {
                let end = self.line_end(at);
                self.stops.push(Stop {
                    start: at,
                    end,
                    why: Obstacle::Backtick,
                });
                end
            }
        }
    }

    /// One past the backtick that closes the one at `at`; none where a line in between can only be
    /// the policy's: no CEL line puts a name or a literal straight after a name.
    fn closing_backtick(&self, at: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut i = at + 1;
        while i < self.end {
            match bytes[i] {
                b'`' => return Some(i + 1),
                b'\n' if self.policy_line(i + 1) => return None,
                _ => i += 1,
            }
        }
        None
    }

    /// Whether the line at `at` begins with a keyword of an item or a clause and goes on as no
    /// expression could.
    fn policy_line(&self, at: usize) -> bool {
        let bytes = self.text.as_bytes();
        let blank = |i: &usize| matches!(bytes[*i], b' ' | b'\t');
        let start = (at..self.end).find(|i| !blank(i)).unwrap_or(self.end);
        let end = word_end(bytes, start, self.end);
        let next = (end..self.end).find(|i| !blank(i)).unwrap_or(self.end);
        let word = self.text.get(start..end).unwrap_or_default();
        if next == end || next >= self.end || !super::parse::is_keyword(word) {
            return false;
        }
        let follower = self
            .text
            .get(next..word_end(bytes, next, self.end))
            .unwrap_or_default();
        match bytes[next] {
            b'"' | b'0'..=b'9' => true,
            _ => !follower.is_empty() && follower != "in",
        }
    }

    /// The first stop from `at` on.
    pub fn next_stop(&self, at: usize) -> Option<Stop> {
        let next = self.stops.partition_point(|stop| stop.start < at);
        self.stops.get(next).copied()
    }

    /// The stop that begins at `at`.
    pub fn stop_at(&self, at: usize) -> Option<Stop> {
        self.next_stop(at).filter(|stop| stop.start == at)
    }

    /// The rough token at or after `at`; none at the end of the range.
    pub fn token(&self, at: usize) -> Option<Token> {
        let bytes = self.text.as_bytes();
        let mut start = at;
        loop {
            match bytes.get(start).filter(|_| start < self.end)? {
                b' ' | b'\t' | b'\n' => start += 1,
                b'\r' if bytes.get(start + 1) == Some(&b'\n') => start += 1,
                b'/' if start + 1 < self.end && bytes[start + 1] == b'/' => {
                    start = self.line_end(start);
                }
                _ => break,
            }
        }
        let (end, kind, closed) = self.measure(start)?;
        Some(Token {
            start,
            end,
            kind,
            line_first: self.line_first(start),
            closed,
        })
    }

    fn measure(&self, start: usize) -> Option<(usize, Kind, bool)> {
        let bytes = self.text.as_bytes();
        let rest = self.text.get(start..self.end)?;
        let first = rest.chars().next()?;
        Some(match first {
            '"' => {
                let (end, closed) = self.string_end(start);
                (end, Kind::Str, closed)
            }
            '`' => match self.stop_at(start) {
                Some(stop) => (stop.end, Kind::Expr, false),
                None => match rest.get(1..).and_then(|r| r.find('`')) {
                    Some(len) => (start + len + 2, Kind::Expr, true),
                    None => (self.line_end(start), Kind::Expr, false),
                },
            },
            '0'..='9' => (number_end(bytes, start, self.end), Kind::Number, true),
            c if c == '_' || c.is_alphanumeric() => {
                let len = rest
                    .find(|c: char| c != '_' && !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                (start + len, Kind::Word, true)
            }
            _ if ["..", "<=", "=="].iter().any(|s| rest.starts_with(s)) => {
                (start + 2, Kind::Sign, true)
            }
            c => (start + c.len_utf8(), Kind::Sign, true),
        })
    }

    /// Whether only blanks stand before `at` on its line.
    pub fn line_first(&self, at: usize) -> bool {
        let before = &self.text.as_bytes()[self.start..at];
        match before.iter().rposition(|b| !matches!(b, b' ' | b'\t')) {
            Some(i) => before[i] == b'\n',
            None => true,
        }
    }

    /// The text of a token.
    pub fn str(&self, token: Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    /// A span of this file.
    pub fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    /// The doc comment that stands before `at`: from the first `///` line to the end of the last.
    pub fn doc_before(&self, at: usize) -> Option<Span> {
        let mut next = self
            .comments
            .partition_point(|c| (c.span.end as usize) <= at);
        let (mut edge, mut doc) = (at, None::<Span>);
        while let Some(comment) = next.checked_sub(1).and_then(|i| self.comments.get(i)) {
            let gap = self.text.get(comment.span.end as usize..edge)?;
            if !gap.bytes().all(|b| b.is_ascii_whitespace())
                || !self.line_first(comment.span.start as usize)
            {
                break;
            }
            if is_doc(self.text.get(comment.span.range()).unwrap_or_default()) {
                doc = Some(doc.map_or(comment.span, |last| comment.span.to(last)));
            }
            edge = comment.span.start as usize;
            next -= 1;
        }
        doc
    }
}

/// Whether a comment has the form of a doc comment: three slashes, not four.
pub(super) fn is_doc(comment: &str) -> bool {
    comment.starts_with("///") && !comment.starts_with("////")
}

/// The end of the ASCII word at `at` (which may be empty).
fn word_end(bytes: &[u8], at: usize, end: usize) -> usize {
    (at..end)
        .find(|i| !(bytes[*i].is_ascii_alphanumeric() || bytes[*i] == b'_'))
        .unwrap_or(end)
}

/// The end of everything that hangs on the number at `at`: `300/day`, `02:00`, `2027-01-31`.
fn number_end(bytes: &[u8], at: usize, end: usize) -> usize {
    let digit = |i: usize| i < end && bytes[i].is_ascii_digit();
    let mut i = at;
    while i < end {
        match bytes[i] {
            b'%' | b'_' => i += 1,
            c if c.is_ascii_alphanumeric() => i += 1,
            b'.' | b':' | b'-' if digit(i + 1) => i += 2,
            b'/' if i + 1 < end && bytes[i + 1].is_ascii_alphanumeric() => i += 2,
            _ => break,
        }
    }
    i
}
