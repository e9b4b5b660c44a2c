//! Where lines begin: items, blocks and the clauses in them.

use super::columns;
use super::lexeme::Lexemes;
use super::outline::{BlockKind, Body, Item, Part, Shape};
use super::space::{Gap, Gaps, WIDTH};

/// How far the clauses of a block stand inside it.
const INDENT: u32 = 2;

/// Blanks between the clauses of a block on one line.
const BETWEEN: u32 = 2;

/// How far a line is indented that continues the head of an item.
const HANG: u32 = 4;

/// Chooses the white space before every lexeme.
pub(super) fn lay_out(lexemes: &Lexemes<'_>, items: &[Item]) -> Vec<Gap> {
    let mut layout = Layout {
        gaps: Gaps::new(lexemes),
        lexemes,
        keep: Vec::new(),
    };
    layout.items(items);
    layout.restore();
    layout.gaps.all
}

struct Layout<'a> {
    gaps: Gaps<'a>,
    lexemes: &'a Lexemes<'a>,
    /// Lexemes that keep the white space before them.
    keep: Vec<usize>,
}

impl Layout<'_> {
    fn items(&mut self, items: &[Item]) {
        let short: Vec<bool> = items.iter().map(|item| self.item_is_short(item)).collect();
        let mut at = 0;
        let mut before = None;
        for (item, is_short) in items.iter().zip(&short) {
            let apart = before.is_some_and(|(last, last_short): (&Item, bool)| {
                let alike = self.lexemes.str(last.first) == self.lexemes.str(item.first);
                !(alike && last_short && *is_short)
            });
            let opening = match apart {
                true => Opening::Apart,
                false => Opening::AsWritten,
            };
            self.lines(at, item.first, opening, 0);
            self.line(item.first, opening, self.is_next(at, item.first), 0);
            self.item(item, *is_short);
            (at, before) = (item.end, Some((item, *is_short)));
        }
        let opening = match before {
            Some(_) => Opening::Apart,
            None => Opening::AsWritten,
        };
        self.lines(at, self.lexemes.all.len(), opening, 0);
        self.align_braces(items, &short);
    }

    fn item(&mut self, item: &Item, short: bool) {
        if item.kept {
            self.keep.extend(item.first + 1..item.end);
            return;
        }
        let head = item.body.as_ref().map_or(item.end, |body| body.open + 1);
        // A head may be continued after a comment only: a line may not begin with its second word.
        for i in item.first..head {
            if self.lexemes.has_comment(i, i + 1) {
                self.gaps.clause(item.first, head, 0, HANG, &[]);
                break;
            }
        }
        if let Some(body) = &item.body {
            self.block(body, 0, short);
        }
    }

    fn block(&mut self, body: &Body, indent: u32, short: bool) {
        if body.parts.is_empty() && body.open + 1 == body.close {
            return;
        }
        if short {
            for (i, part) in body.parts.iter().enumerate() {
                let blanks = if i == 0 { 1 } else { BETWEEN };
                self.gaps.set(part.first, Gap::Space(blanks));
            }
            return;
        }
        let inner = indent + INDENT;
        let mut at = body.open + 1;
        let mut opening = Opening::Close;
        for part in &body.parts {
            self.lines(at, part.first, opening, inner);
            self.line(part.first, opening, self.is_next(at, part.first), inner);
            (at, opening) = (part.end, Opening::AsWritten);
        }
        self.lines(at, body.close, opening, inner);
        let blank = false;
        self.gaps.set(body.close, Gap::Line { blank, indent });
        let mut start = 0;
        for end in 1..=body.parts.len() {
            if self.continues(body.parts.get(end - 1), body.parts.get(end)) {
                continue;
            }
            let run = body.parts.get(start..end).unwrap_or_default();
            columns::lay(&mut self.gaps, body.kind, run, inner);
            start = end;
        }
        for part in &body.parts {
            match &part.shape {
                Shape::Kept => self.keep.extend(part.first + 1..part.end),
                Shape::Block(body) => {
                    if self.lexemes.has_comment(part.first, body.open) {
                        self.gaps
                            .clause(part.first, body.open + 1, inner, inner + HANG, &[]);
                    }
                    let short = self.is_short(part.first, body, inner);
                    self.block(body, inner, short);
                }
                _ => {}
            }
        }
    }

    /// Whether the second of two clauses stands in one run with the first.
    fn continues(&self, first: Option<&Part>, second: Option<&Part>) -> bool {
        let (Some(first), Some(second)) = (first, second) else {
            return false;
        };
        let alone = |part: &Part| matches!(part.shape, Shape::Kept | Shape::Block(_));
        let between = self.gaps.all.get(first.end..=second.first);
        !alone(first)
            && !alone(second)
            && !between
                .unwrap_or_default()
                .iter()
                .any(|gap| matches!(gap, Gap::Line { blank: true, .. }))
    }

    /// The comments `from..to` between two clauses or items.
    fn lines(&mut self, from: usize, to: usize, opening: Opening, indent: u32) {
        for i in from..to {
            let Some(lexeme) = self.lexemes.all.get(i) else {
                return;
            };
            if !lexeme.is_comment() {
                // Something that could not be read.
                self.keep.extend([i, i + 1]);
            } else if lexeme.breaks == 0 && i > 0 {
                let gap = match self.lexemes.str(i - 1) {
                    "{" | "}" => Gap::Space(2),
                    _ => Gap::Trail,
                };
                self.gaps.set(i, gap);
            } else {
                self.line(i, opening, self.is_next(from, i), indent);
            }
        }
    }

    /// Whether the line that begins at `index` is the next after one that ended before `from`,
    /// but for a comment at that line's end.
    fn is_next(&self, from: usize, index: usize) -> bool {
        let trails = |i: usize| {
            let lexeme = self.lexemes.all.get(i);
            i > 0 && lexeme.is_some_and(|l| l.is_comment() && l.breaks == 0)
        };
        index == from || (index == from + 1 && trails(from))
    }

    /// Begins a line at a lexeme; `first` tells whether it follows the last clause or item.
    fn line(&mut self, index: usize, opening: Opening, first: bool, indent: u32) {
        let Some(lexeme) = self.lexemes.all.get(index) else {
            return;
        };
        let before = index.checked_sub(1).and_then(|i| self.lexemes.all.get(i));
        let Some(before) = before else {
            return self.gaps.set(index, Gap::Space(0));
        };
        let blank = match opening {
            Opening::Apart if first => true,
            Opening::Close if first => false,
            _ => lexeme.breaks > 1 && !before.is_doc(),
        };
        self.gaps.set(index, Gap::Line { blank, indent });
    }

    /// Whether an item stays on one line.
    fn item_is_short(&self, item: &Item) -> bool {
        match &item.body {
            Some(body) => self.is_short(item.first, body, 0),
            None => !item.kept && !self.lexemes.has_comment(item.first, item.end),
        }
    }

    /// Whether a block stays on one line: an empty one, and one that the author wrote so, where it
    /// is a map or has a single clause.
    fn is_short(&self, first: usize, body: &Body, indent: u32) -> bool {
        if body.open + 1 == body.close {
            return !self.lexemes.has_comment(first, body.close);
        }
        let simple = |part: &Part| !matches!(part.shape, Shape::Kept | Shape::Block(_));
        let lexemes = self.lexemes.all.get(body.open + 1..=body.close);
        let end = body.close + 1;
        let between = body.parts.len().saturating_sub(1) as u32 * (BETWEEN - 1);
        (body.kind == BlockKind::Map || body.parts.len() == 1)
            && body.parts.iter().all(simple)
            && lexemes.is_some_and(|all| all.iter().all(|l| l.breaks == 0 && l.tail.is_none()))
            && !self.lexemes.has_comment(first, end)
            && indent + self.gaps.columns(first, end) + between <= WIDTH
    }

    /// Short blocks of one kind on adjacent lines: brace under brace, where all fit.
    fn align_braces(&mut self, items: &[Item], short: &[bool]) {
        let mut start = 0;
        for end in 1..=items.len() {
            let joined = items.get(end).is_some_and(|next| {
                let alike = short.get(end - 1) == Some(&true) && short.get(end) == Some(&true);
                let gap = self.gaps.all.get(next.first);
                let close = matches!(gap, Some(Gap::Line { blank: false, .. }));
                alike && close && items.get(end - 1).is_some_and(|i| i.end == next.first)
            });
            if !joined {
                self.align_run(items.get(start..end).unwrap_or_default());
                start = end;
            }
        }
    }

    fn align_run(&mut self, run: &[Item]) {
        let bodies = || run.iter().filter_map(|i| Some((i, i.body.as_ref()?)));
        let head = |gaps: &Gaps<'_>, item: &Item, body: &Body| gaps.columns(item.first, body.open);
        let widest = bodies()
            .map(|(item, body)| head(&self.gaps, item, body))
            .max()
            .unwrap_or(0);
        let all_fit = bodies()
            .all(|(_, body)| widest + 1 + self.gaps.columns(body.open, body.close + 1) <= WIDTH);
        if run.len() < 2 || !all_fit {
            return;
        }
        for (item, body) in bodies() {
            let blanks = widest - head(&self.gaps, item, body) + 1;
            self.gaps.set(body.open, Gap::Space(blanks));
        }
    }

    /// Gives back the author's white space where it stays.
    fn restore(&mut self) {
        for index in std::mem::take(&mut self.keep) {
            self.gaps.set(index, Gap::Keep);
        }
        for (first, last) in &self.lexemes.off {
            for index in first + 1..=*last {
                self.gaps.set(index, Gap::Keep);
            }
        }
    }
}

/// What stands before the first line after an item or clause, or at the top of a block.
#[derive(Debug, Clone, Copy)]
enum Opening {
    /// An empty line.
    Apart,
    /// No empty line.
    Close,
    /// One where the author left one.
    AsWritten,
}
