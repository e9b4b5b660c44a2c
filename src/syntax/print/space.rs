//! The white space between two lexemes of one line, and where a line that is too long breaks.

use super::lexeme::{Kind, Lexemes};

/// No line is wider where it can be helped: lines stay under 100 columns.
pub(super) const WIDTH: u32 = 99;

/// What stands before a lexeme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// So many blanks.
    Space(u32),
    /// A comment at the end of a line: two blanks, or more to stand under the one above.
    Trail,
    /// A line end.
    Line {
        /// Whether an empty line stands between.
        blank: bool,
        /// Blanks that begin the new line.
        indent: u32,
    },
    /// What the author wrote.
    Keep,
}

/// Words before which a long clause breaks rather than elsewhere.
const JOINTS: [&str; 17] = [
    "at", "between", "costs", "else", "from", "if", "in", "keep", "on", "over", "peak", "read",
    "to", "until", "values", "with", "write",
];

/// How far the line after a break stands inside the one before, for each bracket or level.
const DEEPER: u32 = 2;

/// The last of the levels at which [`Gaps::place`] breaks lines.
const LAST_LEVEL: u8 = 3;

/// The gaps of a file, each before the lexeme of the same index.
pub(super) struct Gaps<'a> {
    /// The lexemes.
    pub lexemes: &'a Lexemes<'a>,
    /// The gaps.
    pub all: Vec<Gap>,
}

impl<'a> Gaps<'a> {
    /// Every gap as within a line.
    pub fn new(lexemes: &'a Lexemes<'a>) -> Self {
        let all = (0..lexemes.all.len())
            .map(|i| Gap::Space(flat(lexemes, i)))
            .collect();
        Gaps { lexemes, all }
    }

    /// Sets the gap before a lexeme.
    pub fn set(&mut self, index: usize, gap: Gap) {
        if let Some(slot) = self.all.get_mut(index) {
            *slot = gap;
        }
    }

    /// The blanks before a lexeme within a line.
    fn blanks(&self, index: usize) -> u32 {
        match self.all.get(index) {
            Some(Gap::Space(blanks)) => *blanks,
            _ => 0,
        }
    }

    /// Where `first..end` on one line ends that begins at column `col`; none where a line would be
    /// too wide.
    pub fn fits(&self, first: usize, end: usize, col: u32) -> Option<u32> {
        let mut col = col;
        for (i, lexeme) in (first..end).zip(self.lexemes.all.get(first..end)?) {
            col += if i > first { self.blanks(i) } else { 0 };
            col += lexeme.head;
            if col > WIDTH {
                return None;
            }
            col = lexeme.tail.unwrap_or(col);
        }
        Some(col)
    }

    /// Whether one of `first..end` has several lines.
    fn spans_lines(&self, first: usize, end: usize) -> bool {
        let lexemes = self.lexemes.all.get(first..end).unwrap_or_default();
        lexemes.iter().any(|lexeme| lexeme.tail.is_some())
    }

    /// Columns of `first..end` on one line.
    pub fn columns(&self, first: usize, end: usize) -> u32 {
        let lexemes = self.lexemes.all.get(first..end).unwrap_or_default();
        (first..end)
            .zip(lexemes)
            .map(|(i, lexeme)| lexeme.head + if i > first { self.blanks(i) } else { 0 })
            .sum()
    }

    /// Lays out the clause `first..end` that begins at column `col`; lines after the first begin
    /// at `hang`. `own` are lexemes before which it breaks rather than anywhere else.
    pub fn clause(&mut self, first: usize, end: usize, col: u32, hang: u32, own: &[usize]) {
        let (mut from, mut col, mut depth) = (first, col, 0_u32);
        for i in first..end {
            if !self.lexemes.all.get(i).is_some_and(|l| l.is_comment()) {
                depth = match self.lexemes.str(i) {
                    "(" | "[" | "{" => depth + 1,
                    ")" | "]" | "}" => depth.saturating_sub(1),
                    _ => depth,
                };
                continue;
            }
            self.place(from, i, 0, col, hang, own);
            let inner = if depth > 0 { hang + DEEPER } else { hang };
            self.comment(i, inner);
            let indent = match self.lexemes.str(i + 1) {
                ")" | "]" | "}" => hang,
                _ => inner,
            };
            let blank = false;
            self.set(i + 1, Gap::Line { blank, indent });
            (from, col) = (i + 1, indent);
        }
        self.place(from, end, 0, col, hang, own);
    }

    /// Sets the gap before a comment within a clause.
    fn comment(&mut self, index: usize, indent: u32) {
        let trails = self
            .lexemes
            .all
            .get(index)
            .is_some_and(|lexeme| lexeme.breaks == 0);
        let gap = match trails {
            true => Gap::Trail,
            false => Gap::Line {
                blank: false,
                indent,
            },
        };
        self.set(index, gap);
    }

    /// Breaks `first..end`, which begins at column `col` and holds no comment, where it has to be
    /// broken; gives the column where it ends and whether it was broken.
    ///
    /// Each level knows places of its own to break at; a piece between two of them that fits no
    /// line is handed to the next level.
    fn place(
        &mut self,
        first: usize,
        end: usize,
        level: u8,
        col: u32,
        hang: u32,
        own: &[usize],
    ) -> (u32, bool) {
        let many = level < 2 && self.spans_lines(first, end);
        if let Some(col) = self.fits(first, end, col).filter(|_| !many) {
            return (col, false);
        }
        if level > LAST_LEVEL || first >= end {
            let width = self.columns(first, end);
            return (col + width, false);
        }
        let places = self.places(first, end, level, own);
        if places.is_empty() {
            return self.place(first, end, level + 1, col, hang, own);
        }
        let (mut from, mut col, mut broken, mut piece_broken) = (first, col, false, false);
        for next in places.into_iter().chain([end]) {
            if from > first {
                let beside = col + self.blanks(from);
                let stays = self.fits(from, next, beside).is_some();
                if stays && !(piece_broken && level < 2) {
                    col = beside;
                } else {
                    let indent = hang;
                    self.set(
                        from,
                        Gap::Line {
                            blank: false,
                            indent,
                        },
                    );
                    (col, broken) = (hang, true);
                }
            }
            (col, piece_broken) = self.place(from, next, level + 1, col, hang + DEEPER, own);
            broken |= piece_broken;
            piece_broken |= self.spans_lines(from, next);
            from = next;
        }
        (col, broken)
    }

    /// Where `first..end` may break at a level.
    fn places(&self, first: usize, end: usize, level: u8, own: &[usize]) -> Vec<usize> {
        if level == 0 {
            let mine = own.iter().copied().filter(|i| *i > first && *i < end);
            return mine.collect();
        }
        let mut depth = 0_usize;
        let mut places = Vec::new();
        for i in first..end {
            let before = self.lexemes.str(i.wrapping_sub(1));
            let here = match level {
                1 => {
                    depth == 0
                        && i > first + 1
                        && before != ","
                        && JOINTS.contains(&self.lexemes.str(i))
                }
                2 => i > first && before == ",",
                _ => i > first && (self.blanks(i) > 0 || matches!(before, "(" | "[")),
            };
            if here {
                places.push(i);
            }
            match self.lexemes.str(i) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        places
    }
}

/// The blanks between a lexeme and the one before it on one line.
fn flat(lexemes: &Lexemes<'_>, index: usize) -> u32 {
    let Some(before) = index.checked_sub(1) else {
        return 0;
    };
    let kind = |i: usize| lexemes.all.get(i).map(|lexeme| lexeme.kind);
    let (left, right) = (lexemes.str(before), lexemes.str(index));
    let (left_sign, right_sign) = (
        kind(before) == Some(Kind::Sign),
        kind(index) == Some(Kind::Sign),
    );
    let after_word = kind(before) == Some(Kind::Word);
    let glued = match right {
        // `:15` is one token; the colon after a field's name is not.
        ":" if right_sign => kind(index + 1) != Some(Kind::Number),
        "," | ")" | "]" | "?" | "." | ".." | "/" if right_sign => true,
        "(" if right_sign => after_word,
        "-" if right_sign => after_word,
        "}" if right_sign => left_sign && left == "{",
        _ => false,
    };
    let sticky = match left {
        ":" if left_sign => kind(index) == Some(Kind::Number),
        "(" | "[" | "." | ".." | "/" | "-" if left_sign => true,
        _ => false,
    };
    u32::from(!glued && !sticky)
}
