//! The layout itself: items apart by a blank line, clauses one a line with their arguments in a
//! column, runs of fields in columns, long lines folded at their commas and words.

use super::WIDTH;
use super::tokens::{self, Token, spaced};
use crate::syntax::tree::{
    CheckpointClause, Clause, EntityClause, File, Item, ItemKind, MapClause, ScenarioClause,
};
use crate::text::{Sources, Span};

/// Two spaces a level.
const INDENT: usize = 2;
/// A folded line goes on this much deeper than its clause.
const FOLD: usize = 4;
/// A type longer than this does not widen the column of types.
const TYPE_COLUMN: usize = 16;
/// Arguments of a scenario's clauses stand in one column throughout.
const SCENARIO_KEYWORD: usize = 7;

/// How a clause's line is cut into columns: byte offsets at which a new column starts.
#[derive(Debug, Clone, Default)]
struct Shape {
    span: (usize, usize),
    cuts: Vec<usize>,
    kind: ShapeKind,
    /// A block of its own inside: `checkpoint { … }`.
    inner: Option<Body>,
    /// Offsets before which a long line may be folded, in order, each with whether a new part of
    /// the clause starts there (else it is the next member of a list).
    folds: Vec<(usize, bool)>,
}

/// Clauses of one kind share columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ShapeKind {
    #[default]
    Clause,
    Field,
    Mapped,
    /// Never padded.
    Free,
}

/// A body: its braces and its clauses.
#[derive(Debug, Clone)]
struct Body {
    open: usize,
    close: usize,
    clauses: Vec<Shape>,
    least_keyword: usize,
}

/// Prints a tree without errors.
pub(super) fn print(sources: &Sources, file: &File) -> String {
    let text: &str = &sources.file(file.id).text;
    let tokens = tokens::all(text);
    let mut printer = Printer {
        text,
        tokens: &tokens,
        at: 0,
        out: String::with_capacity(text.len()),
    };
    let mut before: Option<(usize, bool)> = None;
    for item in &file.items {
        let first_line = printer.out.is_empty();
        let lines_before = printer.out.len();
        let begin = printer.own_lines(item.span.start as usize, 0, before.is_some());
        let rendered = printer.item(item);
        let short = !rendered.contains('\n');
        if !first_line || lines_before != printer.out.len() {
            let gap = printer.blank_between(before.map(|b| b.0), item.span.start as usize);
            let both_short = before.is_some_and(|b| b.1) && short;
            if !begin && before.is_some() && (gap || !both_short) {
                printer.blank_line();
            }
        }
        printer.out.push_str(&rendered);
        printer.trailing(item.span.end as usize);
        printer.out.push('\n');
        before = Some((item.span.end as usize, short));
    }
    printer.own_lines(text.len(), 0, before.is_some());
    let end = printer.out.trim_end().len();
    printer.out.truncate(end);
    if !printer.out.is_empty() {
        printer.out.push('\n');
    }
    printer.out
}

struct Printer<'t> {
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
    out: String,
}

fn spaces(n: usize) -> String {
    " ".repeat(n)
}

fn width(text: &str) -> usize {
    text.chars().count()
}

impl Printer<'_> {
    /// Whether an empty line stands before the token at `to` in the source.
    fn blank_between(&self, from: Option<usize>, to: usize) -> bool {
        let from = from.unwrap_or(0);
        let between = self.text.get(from..to).unwrap_or_default();
        // Only the white space right before counts; comments between are lines of their own.
        let space = &between[between.trim_end().len()..];
        space.matches('\n').count() > 1
    }

    fn blank_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Prints comments that stand before `upto` as lines of their own; an empty line between them
    /// is kept, and one before the first where `apart`. Says whether there were any.
    fn own_lines(&mut self, upto: usize, indent: usize, apart: bool) -> bool {
        let mut any = false;
        while let Some(token) = self.tokens.get(self.at).copied() {
            if !token.comment || token.start >= upto {
                break;
            }
            let previous = self.at.checked_sub(1).map_or(0, |i| self.tokens[i].end);
            if (apart && !any && indent == 0) || self.blank_between(Some(previous), token.start) {
                let opens = self.out.ends_with("{\n");
                if !opens {
                    self.blank_line();
                }
            }
            self.out.push_str(&spaces(indent));
            self.out.push_str(token.text(self.text));
            self.out.push('\n');
            self.at += 1;
            any = true;
        }
        if any {
            let last = self.at.checked_sub(1).map_or(0, |i| self.tokens[i].end);
            let next = upto.min(self.text.len());
            let more = self.tokens.get(self.at).is_some_and(|t| !t.comment);
            if more && self.blank_between(Some(last), next) {
                self.blank_line();
            }
        }
        any
    }

    /// Prints a comment that stands behind `end` on the same line.
    fn trailing(&mut self, end: usize) {
        if let Some(token) = self.tokens.get(self.at).copied()
            && token.comment
            && token.start >= end
            && !self
                .text
                .get(end..token.start)
                .unwrap_or("\n")
                .contains('\n')
        {
            self.out.push_str("  ");
            self.out.push_str(token.text(self.text));
            self.at += 1;
        }
    }

    fn item(&mut self, item: &Item) -> String {
        let mut inner = Printer {
            text: self.text,
            tokens: self.tokens,
            at: self.at,
            out: String::new(),
        };
        match body_of(item, self.text) {
            None => {
                let line = inner.line(item.span.end as usize, 0, &[]);
                inner.out.push_str(&line);
            }
            Some(body) => inner.block(&body, 0),
        }
        self.at = inner.at;
        inner.out
    }

    /// Prints a head, its body and the closing brace; the cursor stands at the head.
    fn block(&mut self, body: &Body, indent: usize) {
        let head = self.line(body.open, indent, &[]);
        self.out.push_str(&head);
        if !head.is_empty() && !head.ends_with('\n') {
            self.out.push(' ');
        }
        self.at += 1;
        if let Some(line) = self.on_one_line(body, indent) {
            self.out.push_str(&line);
            return;
        }
        self.out.push('{');
        self.trailing(body.open + 1);
        self.out.push('\n');
        self.clauses(body, indent + INDENT);
        self.own_lines(body.close, indent + INDENT, false);
        while self.out.ends_with("\n\n") {
            self.out.pop();
        }
        self.out.push_str(&spaces(indent));
        self.out.push('}');
        self.at += 1;
    }

    /// `{}`, or `{ clause }` for a body of one simple clause without comments, where it fits.
    fn on_one_line(&mut self, body: &Body, indent: usize) -> Option<String> {
        let ahead: Vec<Token> = self.tokens[self.at..]
            .iter()
            .copied()
            .take_while(|t| t.start < body.close)
            .collect();
        if ahead
            .iter()
            .any(|t| t.comment || t.text(self.text).contains('\n'))
        {
            return None;
        }
        if body.clauses.is_empty() {
            self.at += ahead.len() + 1;
            return Some("{}".into());
        }
        let [only] = body.clauses.as_slice() else {
            return None;
        };
        if only.inner.is_some() {
            return None;
        }
        let at = self.at;
        let columns = self.columns(only);
        let line = format!("{{ {} }}", columns.join(" "));
        let head = self.out.rsplit('\n').next().map_or(0, width);
        if head + width(&line) > WIDTH || indent > 0 && only.kind == ShapeKind::Field {
            self.at = at;
            return None;
        }
        self.at += 1;
        Some(line)
    }

    fn clauses(&mut self, body: &Body, indent: usize) {
        let mut run: Vec<&Shape> = Vec::new();
        let mut i = 0;
        while i < body.clauses.len() {
            run.clear();
            run.push(&body.clauses[i]);
            let mut j = i + 1;
            while j < body.clauses.len() && self.runs_on(&body.clauses[j - 1], &body.clauses[j]) {
                run.push(&body.clauses[j]);
                j += 1;
            }
            self.run(&run, body.least_keyword, indent, i > 0);
            i = j;
        }
    }

    /// Whether two neighbours share columns: same kind, no empty line or comment line between.
    fn runs_on(&self, a: &Shape, b: &Shape) -> bool {
        let between = self.text.get(a.span.1..b.span.0).unwrap_or_default();
        let own_comment = between
            .lines()
            .skip(1)
            .any(|line| line.trim_start().starts_with("//"));
        let empty = self.blank_between(Some(a.span.1), b.span.0);
        let kinds = a.kind == b.kind
            || !matches!(a.kind, ShapeKind::Field) && !matches!(b.kind, ShapeKind::Field);
        kinds && !own_comment && !empty
    }

    /// Prints a run of clauses with its columns aligned.
    fn run(&mut self, run: &[&Shape], least_keyword: usize, indent: usize, later: bool) {
        let start = self.at;
        let mut rows: Vec<Vec<String>> = Vec::new();
        for shape in run {
            self.seek(shape.span.0);
            rows.push(self.columns(shape));
        }
        self.at = start;
        let widths = column_widths(run, &rows, least_keyword);
        for (i, shape) in run.iter().enumerate() {
            let previous = self.at.checked_sub(1).map_or(0, |t| self.tokens[t].end);
            let empty = self.blank_between(Some(previous), self.next_start());
            let had = self.own_lines(shape.span.0, indent, false);
            if !had && empty && (later || i > 0) && !self.out.ends_with("{\n") {
                self.blank_line();
            }
            self.out.push_str(&spaces(indent));
            match &shape.inner {
                Some(inner) => self.block(inner, indent),
                None => {
                    let line = self.padded(shape, &widths, indent);
                    self.out.push_str(line.trim_end());
                }
            }
            self.trailing(shape.span.1);
            self.out.push('\n');
        }
    }

    fn next_start(&self) -> usize {
        self.tokens
            .get(self.at)
            .map_or(self.text.len(), |t| t.start)
    }

    fn seek(&mut self, start: usize) {
        while self.tokens.get(self.at).is_some_and(|t| t.start < start) {
            self.at += 1;
        }
    }

    /// The columns of a clause, each with single spaces; the cursor moves behind the clause.
    fn columns(&mut self, shape: &Shape) -> Vec<String> {
        let mut columns = Vec::new();
        for (i, cut) in shape.cuts.iter().enumerate() {
            let end = shape.cuts.get(i + 1).copied().unwrap_or(shape.span.1);
            self.seek(*cut);
            columns.push(self.plain(end));
        }
        columns
    }

    /// Tokens up to `end` with single spaces, comments left out of account.
    fn plain(&mut self, end: usize) -> String {
        let mut out = String::new();
        let mut previous: Option<Token> = None;
        while let Some(token) = self.tokens.get(self.at).copied() {
            if token.start >= end {
                break;
            }
            if let Some(p) = previous
                && spaced(self.text, p, token)
            {
                out.push(' ');
            }
            out.push_str(token.text(self.text));
            previous = Some(token);
            self.at += 1;
        }
        out
    }

    /// A clause with its columns padded; folded where it is too long.
    fn padded(&mut self, shape: &Shape, widths: &[usize], indent: usize) -> String {
        let start = self.at;
        let columns = self.columns(shape);
        let comments = self.tokens[start..self.at].iter().any(|t| t.comment);
        let last = columns.len().saturating_sub(1);
        let mut line = String::new();
        for (i, column) in columns.iter().enumerate() {
            line.push_str(column);
            if i < last {
                let wanted = widths.get(i).copied().unwrap_or(0);
                let gap = if i > 0 && shape.kind == ShapeKind::Field {
                    2
                } else {
                    1
                };
                let pad = wanted.saturating_sub(width(column)) + gap;
                line.push_str(&spaces(pad));
            }
        }
        if !comments && indent + widest(&line) <= WIDTH {
            return line;
        }
        self.at = start;
        let pads: Vec<(usize, usize)> = shape
            .cuts
            .iter()
            .skip(1)
            .zip(columns.iter().zip(widths))
            .map(|(cut, (column, wanted))| (*cut, wanted.saturating_sub(width(column))))
            .collect();
        self.folded(shape, &pads, indent)
    }

    /// A clause over several lines: greedy, broken before the tokens that `shape` allows.
    fn folded(&mut self, shape: &Shape, pads: &[(usize, usize)], indent: usize) -> String {
        let mut out = String::new();
        let mut used = indent;
        let mut previous: Option<Token> = None;
        let from = self.at;
        while let Some(token) = self.tokens.get(self.at).copied() {
            if token.start >= shape.span.1 {
                break;
            }
            let words = token.text(self.text);
            let field_gap = shape.kind == ShapeKind::Field
                && shape.cuts.iter().skip(2).any(|c| *c == token.start);
            let gap = match previous {
                None => 0,
                Some(p) if p.comment => 0,
                Some(p) => {
                    let pad = pads.iter().find(|p| p.0 == token.start).map_or(0, |p| p.1);
                    usize::from(spaced(self.text, p, token)) + pad + usize::from(field_gap)
                }
            };
            let fold = shape
                .folds
                .iter()
                .find(|(f, _)| *f == token.start)
                .filter(|_| self.at > from);
            let too_long = fold.is_some_and(|(_, part)| {
                let next = shape
                    .folds
                    .iter()
                    .find(|(f, p)| *f > token.start && (*p || !part));
                let need = self.need(token.start, next.map_or(shape.span.1, |(f, _)| *f));
                // A part that is longer than any line is better filled up than moved down whole.
                let hopeless = *part && indent + FOLD + need > WIDTH;
                used + gap + need > WIDTH && !hopeless
            });
            let breaks = previous.is_some_and(|p| p.comment) || too_long;
            if breaks {
                let end = out.trim_end().len();
                out.truncate(end);
                out.push('\n');
                out.push_str(&spaces(indent + FOLD));
                used = indent + FOLD;
            } else if token.comment {
                out.push_str("  ");
            } else {
                out.push_str(&spaces(gap));
                used += gap;
            }
            out.push_str(words);
            used += width(words);
            previous = Some(token);
            self.at += 1;
        }
        out
    }

    /// Characters of the tokens from `start` up to `end` on one line.
    fn need(&self, start: usize, end: usize) -> usize {
        let mut previous: Option<Token> = None;
        let mut total = 0;
        for token in &self.tokens[self.at..] {
            if token.start >= end || token.comment {
                break;
            }
            if token.start >= start {
                let gap = previous.is_some_and(|p| spaced(self.text, p, *token));
                total += usize::from(gap) + width(token.text(self.text));
                previous = Some(*token);
            }
        }
        total
    }

    /// A head or another line without columns, up to `end`.
    fn line(&mut self, end: usize, indent: usize, folds: &[(usize, bool)]) -> String {
        let start = self.next_start();
        let shape = Shape {
            span: (start, end),
            cuts: vec![start],
            kind: ShapeKind::Free,
            inner: None,
            folds: folds.to_vec(),
        };
        self.padded(&shape, &[], indent).trim_end().to_owned()
    }
}

/// The widest line of a text (expressions may span lines).
fn widest(text: &str) -> usize {
    text.lines().map(width).max().unwrap_or(0)
}

fn column_widths(run: &[&Shape], rows: &[Vec<String>], least_keyword: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::new();
    for (shape, row) in run.iter().zip(rows) {
        if shape.inner.is_some() || shape.kind == ShapeKind::Free {
            continue;
        }
        let aligned = match shape.kind {
            ShapeKind::Clause => 1,
            ShapeKind::Field => 2,
            ShapeKind::Mapped => 2,
            ShapeKind::Free => 0,
        };
        for (i, column) in row
            .iter()
            .take(aligned.min(row.len().saturating_sub(1)))
            .enumerate()
        {
            if widths.len() <= i {
                widths.resize(i + 1, 0);
            }
            let wide = width(column);
            let outlier = shape.kind == ShapeKind::Field && i == 1 && wide > TYPE_COLUMN;
            // The second column is shared by clauses of one kind only.
            if !outlier {
                widths[i] = widths[i].max(wide);
            }
        }
    }
    if let Some(first) = widths.first_mut() {
        let fields = run.iter().any(|s| s.kind == ShapeKind::Field);
        *first = if fields {
            *first
        } else {
            (*first).max(least_keyword)
        };
    }
    widths
}

fn ends(span: Span) -> (usize, usize) {
    (span.start as usize, span.end as usize)
}

fn body_of(item: &Item, text: &str) -> Option<Body> {
    let plain = |span: Span, clauses: Vec<Shape>, least: usize| Body {
        open: span.start as usize,
        close: span.end as usize - 1,
        clauses,
        least_keyword: least,
    };
    Some(match &item.kind {
        ItemKind::Use(_) | ItemKind::Error { .. } => return None,
        ItemKind::Policy(b) => plain(
            b.body,
            b.clauses.iter().map(|c| clause(c, text)).collect(),
            0,
        ),
        ItemKind::System(b) => plain(
            b.body,
            b.clauses.iter().map(|c| clause(c, text)).collect(),
            0,
        ),
        ItemKind::Entity(b) | ItemKind::Extend(b) => plain(
            b.body,
            b.clauses.iter().map(|c| entity_clause(c, text)).collect(),
            0,
        ),
        ItemKind::Map(m) => plain(
            m.body,
            m.clauses.iter().map(|c| map_clause(c, text)).collect(),
            0,
        ),
        ItemKind::Scenario(s) => {
            let clauses = s.clauses.iter().map(|c| scenario_clause(c, text)).collect();
            plain(s.body, clauses, SCENARIO_KEYWORD)
        }
        ItemKind::Test(t) => {
            let free = |c: &Clause<_>| Shape {
                kind: ShapeKind::Free,
                ..clause(c, text)
            };
            let clauses = t.clauses.iter().map(free).map(|s| Shape {
                cuts: vec![s.span.0],
                ..s
            });
            plain(t.body, clauses.collect(), 0)
        }
    })
}

/// Where a long clause may be folded: behind a comma, before a word that opens a new part.
fn folds(span: (usize, usize), text: &str) -> Vec<(usize, bool)> {
    const PARTS: &[&str] = &[
        "if", "from", "to", "between", "values", "read", "write", "in", "until", "with", "else",
        "keep", "costs", "passes",
    ];
    let scan = crate::syntax::scan::Scan::new(text, crate::text::FileId(0), span.0, span.1);
    let mut out = Vec::new();
    let mut at = span.0;
    let mut behind_comma = false;
    while let Some(token) = scan.token(at) {
        let words = scan.str(token);
        let part = token.start > span.0 && !behind_comma && PARTS.contains(&words);
        if behind_comma || part {
            out.push((token.start, part));
        }
        behind_comma = words == ",";
        at = token.end.max(token.start + 1);
    }
    out
}

/// A clause in two columns: its keyword and the rest.
fn clause<C>(c: &Clause<C>, text: &str) -> Shape {
    let span = ends(c.span);
    let scan = crate::syntax::scan::Scan::new(text, crate::text::FileId(0), span.0, span.1);
    let mut cuts = vec![span.0];
    if let Some(second) = scan.token(c.keyword.end as usize) {
        cuts.push(second.start);
    }
    Shape {
        span,
        cuts,
        kind: ShapeKind::Clause,
        inner: None,
        folds: folds(span, text),
    }
}

fn entity_clause(c: &Clause<EntityClause>, text: &str) -> Shape {
    let plain = clause(c, text);
    let Some(EntityClause::Field(field)) = &c.kind else {
        return plain;
    };
    // `field name:`, the type, then each clause.
    let mut cuts = vec![plain.span.0, field.ty.span.start as usize];
    cuts.extend(field.clauses.iter().map(|c| c.span.start as usize));
    let starts = |at: usize| field.clauses.iter().any(|c| c.span.start as usize == at);
    let mut folds: Vec<(usize, bool)> = plain
        .folds
        .iter()
        .map(|(at, _)| (*at, starts(*at)))
        .collect();
    folds.extend(field.clauses.iter().map(|c| (c.span.start as usize, true)));
    folds.sort_unstable();
    folds.dedup();
    folds.retain(|(at, _)| *at > field.ty.span.start as usize);
    Shape {
        cuts,
        kind: ShapeKind::Field,
        folds,
        ..plain
    }
}

fn map_clause(c: &Clause<MapClause>, text: &str) -> Shape {
    let plain = clause(c, text);
    let Some(MapClause::Key(field) | MapClause::Field(field)) = &c.kind else {
        return plain;
    };
    // The keyword, the name, then `= "column"` and what follows.
    let scan =
        crate::syntax::scan::Scan::new(text, crate::text::FileId(0), plain.span.0, plain.span.1);
    let equals = scan.token(field.field.0.end as usize).map(|t| t.start);
    let mut cuts = vec![plain.span.0, field.field.0.start as usize];
    cuts.extend(equals);
    Shape {
        cuts,
        kind: ShapeKind::Mapped,
        ..plain
    }
}

fn scenario_clause(c: &Clause<ScenarioClause>, text: &str) -> Shape {
    let plain = clause(c, text);
    let Some(ScenarioClause::Checkpoint(checkpoint)) = &c.kind else {
        return plain;
    };
    let inner = Body {
        open: checkpoint.body.start as usize,
        close: checkpoint.body.end as usize - 1,
        clauses: checkpoint
            .clauses
            .iter()
            .map(|c: &Clause<CheckpointClause>| clause(c, text))
            .collect(),
        least_keyword: 0,
    };
    Shape {
        inner: Some(inner),
        ..plain
    }
}
