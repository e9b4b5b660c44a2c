//! Parsing, with messages of our own.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr};
use cel::parser::PrattParser;
use cel::parser::pratt_parser::{Lexer, TokenKind};

use super::tokens::Tokens;
use super::{Fault, Instead, MAX_BYTES, MAX_DEPTH};

/// Parses an expression, within limits that keep parser and evaluator off the end of the stack.
pub(super) fn parse(text: &str, tokens: &Tokens<'_>) -> Result<IdedExpr, Fault> {
    let too = |message: String, help: &str| Fault {
        range: tokens.whole(),
        message,
        help: Some(help.to_owned()),
        instead: None,
    };
    if text.len() > MAX_BYTES {
        let message = format!("the expression is longer than {MAX_BYTES} bytes");
        return Err(too(message, "move part of it into a derived field"));
    }
    let nested = || {
        let message = format!("the expression nests more than {MAX_DEPTH} levels deep");
        too(message, "move part of it into a derived field")
    };
    if tokens.depth() > MAX_DEPTH || prefixes(tokens) > MAX_DEPTH {
        return Err(nested());
    }
    match PrattParser::new().parse(text) {
        Ok(root) if depth_within(&root, MAX_DEPTH) => Ok(root),
        Ok(_) => Err(nested()),
        Err(errors) => Err(explain(text, tokens, &errors)),
    }
}

/// The longest run of prefix operators and of conditionals, which nest without brackets.
fn prefixes(tokens: &Tokens<'_>) -> usize {
    let (mut run, mut longest, mut questions) = (0, 0, 0);
    for token in &tokens.list {
        match token.kind {
            TokenKind::TokExclamation | TokenKind::TokMinus => {
                run += 1;
                longest = longest.max(run);
            }
            TokenKind::TokQuestion => questions += 1,
            _ => run = 0,
        }
    }
    longest.max(questions)
}

/// The parts of a node, always in the same order.
pub(super) fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Comprehension(c) => {
            vec![
                &c.iter_range,
                &c.accu_init,
                &c.loop_cond,
                &c.loop_step,
                &c.result,
            ]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|e| entry_parts(&e.expr))
            .collect(),
        Expr::Struct(s) => s
            .entries
            .iter()
            .flat_map(|e| entry_parts(&e.expr))
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

fn depth_within(node: &IdedExpr, left: usize) -> bool {
    left > 0
        && children(node)
            .into_iter()
            .all(|child| depth_within(child, left - 1))
}

/// The first thing wrong, in plain words.
fn explain(text: &str, tokens: &Tokens<'_>, errors: &cel::ParseErrors) -> Fault {
    let placed = errors
        .errors
        .iter()
        .filter(|e| e.pos.0 > 0)
        .map(|e| (offset(text, e.pos), e));
    let Some((at, error)) = placed.min_by_key(|(at, _)| *at) else {
        return Fault {
            range: tokens.whole(),
            message: "this is no CEL expression".into(),
            help: None,
            instead: None,
        };
    };
    let (range, kind) = token_at(text, at);
    let found = text.get(range.clone()).unwrap_or_default().to_owned();
    let fault = |message: String, help: Option<&str>| Fault {
        range: range.clone(),
        message,
        help: help.map(str::to_owned),
        instead: None,
    };
    let message = error.msg.as_str();
    if tokens.list.is_empty() && text.trim().is_empty() {
        return fault("the expression is empty".into(), None);
    }
    if let Some(close) = unclosed(tokens).filter(|_| found.is_empty()) {
        return Fault {
            range: close.0,
            message: format!("`{}` is never closed", close.1),
            help: Some(format!("add `{}`", close.2)),
            instead: None,
        };
    }
    if message.contains("unterminated") {
        return fault("the string has no closing quote".into(), None);
    }
    if message.contains("unescape") || message.contains("escape") {
        return fault(
            format!("`{found}` has an escape that CEL does not know"),
            Some("write a backslash as `\\\\`, or put `r` before the string"),
        );
    }
    if message.contains("literal") {
        return fault(format!("`{found}` is no number that CEL can hold"), None);
    }
    if message.contains("reserved identifier") || kind == TokenKind::TokReservedWord {
        return fault(format!("`{found}` is a reserved word of CEL"), None);
    }
    if message.contains("has() macro") {
        let help = "write `has(record.field)`";
        return fault(
            "`has` asks about a field, not about a value".into(),
            Some(help),
        );
    }
    if message.contains("simple name") {
        let help = "write a name, as in `list.exists(x, x == 1)`";
        return fault(
            format!("`{found}` is no name for the list's members"),
            Some(help),
        );
    }
    if message.contains("':' in conditional") {
        return fault(
            "the conditional has no `:`".into(),
            Some("write `condition ? a : b`"),
        );
    }
    if found.is_empty() {
        return fault(
            "the expression ends too early".into(),
            Some("write what is missing here"),
        );
    }
    let (sign, help) = match found.as_str() {
        "=" => ("==", "write `==` to compare"),
        "&" | "and" => ("&&", "write `&&` for and"),
        "|" | "or" => ("||", "write `||` for or"),
        "not" => ("!", "write `!` for not"),
        _ => return fault(format!("`{found}` does not fit here"), None),
    };
    Fault {
        instead: Some(Instead::plain(sign)),
        ..fault(format!("`{found}` is no CEL operator"), Some(help))
    }
}

/// A parser's position (line and byte column, both from 1) as an offset.
fn offset(text: &str, pos: (isize, isize)) -> usize {
    let line = usize::try_from(pos.0 - 1).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut at = (start + usize::try_from(pos.1 - 1).unwrap_or(0)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The token (or the one stray character) at an offset.
fn token_at(text: &str, at: usize) -> (std::ops::Range<usize>, TokenKind) {
    let mut lexer = Lexer::new(text);
    // Every token but the last moves on by a byte at least.
    for _ in 0..=text.len() {
        let token = lexer.lex();
        if token.kind == TokenKind::TokEnd {
            break;
        }
        if token.kind == TokenKind::TokWhitespace || token.end <= at {
            continue;
        }
        let mut end = token.end.max(at + 1).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        return (at.min(end)..end, token.kind);
    }
    (at..at, TokenKind::TokEnd)
}

/// The innermost bracket that nothing closes: its place, itself, and what closes it.
fn unclosed(tokens: &Tokens<'_>) -> Option<(std::ops::Range<usize>, &'static str, &'static str)> {
    let mut open = Vec::new();
    for token in &tokens.list {
        match token.kind {
            TokenKind::TokLeftParen => open.push((token.start..token.end, "(", ")")),
            TokenKind::TokLeftBracket => open.push((token.start..token.end, "[", "]")),
            TokenKind::TokLeftBrace => open.push((token.start..token.end, "{", "}")),
            TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}
