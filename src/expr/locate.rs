//! Where in the text a part of an expression stands.
//!
//! The fast parser keeps no places, so they are found only where something is wrong: by parsing
//! once more with the slow parser, which keeps them, and following the same path down its tree.

use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::parser::pratt_parser::TokenKind;

use super::syntax::children;
use super::tokens::Tokens;
use super::{Fault, Instead};

/// Which part of a node is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The name of the function it calls.
    Name,
}

/// Something wrong at a node.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// Which child to take at each step from the root.
    pub(super) path: Vec<u32>,
    pub(super) part: Part,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) instead: Option<Instead>,
}

/// Gives each trouble its place.
pub(super) fn locate(text: &str, tokens: &Tokens<'_>, troubles: Vec<Trouble>) -> Vec<Fault> {
    if troubles.is_empty() {
        return Vec::new();
    }
    let placed = cel::Program::compile(text).ok();
    let mut faults: Vec<Fault> = Vec::new();
    for trouble in troubles {
        let range = placed.as_ref().and_then(|program| {
            let mut node = program.expression();
            for step in &trouble.path {
                node = children(node).into_iter().nth(*step as usize)?;
            }
            let info = program.source_info();
            match trouble.part {
                Part::Whole => extent(tokens, info, node),
                Part::Name => name(tokens, info, node),
            }
        });
        let range = range.unwrap_or_else(|| tokens.whole());
        // A macro may hold one part of the text twice.
        if !faults.iter().any(|f| f.range == range) {
            faults.push(Fault {
                range,
                message: trouble.message,
                help: trouble.help,
                instead: trouble.instead,
            });
        }
    }
    faults
}

/// The bytes of a node's own mark.
fn mark(info: &SourceInfo, id: u64) -> Option<Range<usize>> {
    let (start, stop) = info.offset_for(id)?;
    Some(start as usize..stop as usize + 1)
}

fn extent(tokens: &Tokens<'_>, info: &SourceInfo, node: &IdedExpr) -> Option<Range<usize>> {
    let mut range: Option<Range<usize>> = None;
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        if let Some(mark) = mark(info, node.id) {
            range = Some(match range {
                None => mark,
                Some(r) => r.start.min(mark.start)..r.end.max(mark.end),
            });
        }
        stack.extend(children(node));
    }
    let range = range?;
    let (mut first, mut last) = (tokens.at(range.start), tokens.at(range.end).checked_sub(1)?);
    // A select is marked at its dot, so the name after it belongs to it.
    if tokens.list.get(last)?.kind == TokenKind::TokDot {
        last += 1;
    }
    loop {
        let (open, close) = balance(tokens, first, last);
        match (open, close) {
            (Some(open), _) => last = tokens.closing(open)?,
            (None, true) if first > 0 => first -= 1,
            _ => break,
        }
    }
    Some(tokens.list.get(first)?.start..tokens.list.get(last)?.end)
}

/// The outermost bracket between two tokens that is not closed there, and whether one is closed
/// that was not opened there.
fn balance(tokens: &Tokens<'_>, first: usize, last: usize) -> (Option<usize>, bool) {
    let mut open = Vec::new();
    let mut extra = false;
    for i in first..=last {
        match tokens.list.get(i).map(|t| t.kind) {
            Some(TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace) => {
                open.push(i)
            }
            Some(
                TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace,
            ) => extra |= open.pop().is_none(),
            _ => {}
        }
    }
    (open.first().copied(), extra)
}

/// The name before a call's parenthesis.
fn name(tokens: &Tokens<'_>, info: &SourceInfo, node: &IdedExpr) -> Option<Range<usize>> {
    let at = tokens.at(mark(info, node.id)?.start);
    let token = match tokens.list.get(at)?.kind {
        TokenKind::TokLeftParen => tokens.list.get(at.checked_sub(1)?)?,
        _ => tokens.list.get(at)?,
    };
    Some(token.start..token.end)
}
