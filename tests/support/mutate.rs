//! Single-token mutations of a good policy, for measuring how findings find them.
//!
//! Knows only what a token looks like, not the parser, so that it cannot inherit its mistakes.

#![allow(dead_code)]

use std::ops::Range;

/// What was done to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Taken out.
    Deleted,
    /// Written twice.
    Doubled,
    /// Exchanged with the next one.
    Swapped,
    /// One letter wrong (words and numbers), or another sign (signs).
    Misspelt,
}

/// A policy with one slip.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// What was done.
    pub kind: Kind,
    /// The token as it was.
    pub token: String,
    /// The whole text after it.
    pub text: String,
    /// The line (from 1) of the slip in the new text.
    pub line: u32,
}

/// The places of all tokens of `text`; comments and blanks are none.
pub fn tokens(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b if b.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\n' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(text.len());
                while !text.is_char_boundary(at) {
                    at += 1;
                }
            }
            b'`' => {
                let close = text[at + 1..].find('`');
                at = close.map_or(text.len(), |len| at + len + 2);
            }
            b'0'..=b'9' => {
                while at < bytes.len() {
                    match bytes[at] {
                        b if word(b) || b == b'%' => at += 1,
                        b'.' | b':' | b'-' if digit(at + 1) => at += 2,
                        b'/' if bytes.get(at + 1).is_some_and(|b| word(*b)) => at += 2,
                        _ => break,
                    }
                }
            }
            b if word(b) => {
                while at < bytes.len() && word(bytes[at]) {
                    at += 1;
                }
            }
            _ if text[at..].starts_with("..") || text[at..].starts_with("<=") => at += 2,
            _ => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
        all.push(start..at);
    }
    all
}

/// Every deletion, doubling, swap and misspelling of every token of `text`; which letter is wrong
/// is drawn from `seed`.
pub fn mutations(text: &str, seed: u64) -> Vec<Mutation> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let tokens = tokens(text);
    let mut all = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let old = &text[token.clone()];
        let mut push = |kind, range: Range<usize>, new: &str| {
            let line = text[..token.start].matches('\n').count() as u32 + 1;
            all.push(Mutation {
                kind,
                token: old.to_owned(),
                text: format!("{}{new}{}", &text[..range.start], &text[range.end..]),
                line,
            });
        };
        push(Kind::Deleted, token.clone(), "");
        push(Kind::Doubled, token.clone(), &format!("{old} {old}"));
        if let Some(next) = tokens.get(i + 1) {
            let gap = &text[token.end..next.start];
            let swapped = format!("{}{gap}{old}", &text[next.clone()]);
            push(Kind::Swapped, token.start..next.end, &swapped);
        }
        if let Some(new) = misspell(old, &mut rng) {
            push(Kind::Misspelt, token.clone(), &new);
        }
    }
    all
}

fn misspell(old: &str, rng: &mut fastrand::Rng) -> Option<String> {
    let mut chars: Vec<char> = old.chars().collect();
    if !old.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        let sign = *rng.choice(&['=', ':', ',', ';', '(', '}'])?;
        return (chars.len() == 1 && chars[0] != sign).then(|| sign.to_string());
    }
    let at = rng.usize(..chars.len());
    match rng.u8(..3) {
        0 if at + 1 < chars.len() && chars[at] != chars[at + 1] => chars.swap(at, at + 1),
        1 if chars.len() > 1 => {
            chars.remove(at);
        }
        _ => chars[at] = if chars[at] == 'q' { 'z' } else { 'q' },
    }
    Some(chars.into_iter().collect())
}
