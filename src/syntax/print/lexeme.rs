//! A file as a row of lexemes: tokens and comments in the order written, nothing but white space
//! between them. The formatter chooses that white space and can therefore lose, move or change
//! nothing else.

use crate::syntax::scan::{self, Scan};
use crate::syntax::tree::File;
use crate::text::Span;

/// What a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word.
    Word,
    /// Anything that begins with a digit.
    Number,
    /// A string or an expression.
    Quoted,
    /// A sign.
    Sign,
    /// A comment.
    Comment {
        /// Whether it documents what follows.
        doc: bool,
    },
}

/// A token or a comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexeme {
    /// First byte.
    pub start: u32,
    /// One past the last byte; of a comment: of its last character that is no blank.
    pub end: u32,
    /// One past the last byte, a comment's trailing blanks included.
    pub raw_end: u32,
    /// What it is.
    pub kind: Kind,
    /// Line ends in the white space before it.
    pub breaks: u32,
    /// Columns of its first line.
    pub head: u32,
    /// Columns of its last line, where it has more than one.
    pub tail: Option<u32>,
}

impl Lexeme {
    /// Whether it is a comment.
    pub fn is_comment(&self) -> bool {
        matches!(self.kind, Kind::Comment { .. })
    }

    /// Whether it is a comment that documents what follows.
    pub fn is_doc(&self) -> bool {
        self.kind == Kind::Comment { doc: true }
    }
}

/// The lexemes of a text.
pub(super) struct Lexemes<'a> {
    /// The text.
    pub text: &'a str,
    /// The lexemes in order.
    pub all: Vec<Lexeme>,
    /// Lexemes between which the white space stays as it is: each pair is the first and the last.
    pub off: Vec<(usize, usize)>,
    // By byte offset: the lexeme that begins there, plus one; 0 is none.
    starts: Vec<u32>,
    // The same for the lexeme that ends there, or that is the last token before white space and
    // comments there: the tree's spans may take in what follows their last token.
    ends: Vec<u32>,
}

impl<'a> Lexemes<'a> {
    /// Cuts `text`, of which `file` is the tree.
    pub fn new(text: &'a str, file: &File) -> Self {
        let scan = Scan::new(text, file.id, 0, text.len());
        let mut lexemes = Lexemes {
            text,
            all: Vec::with_capacity(text.len() / 5),
            off: Vec::new(),
            starts: vec![0; text.len() + 1],
            ends: vec![0; text.len() + 1],
        };
        let mut comments = file.comments.iter().peekable();
        let mut at = 0;
        loop {
            let token = scan.token(at);
            let until = token.map_or(text.len(), |t| t.start);
            while let Some(comment) = comments.next_if(|c| (c.span.start as usize) < until) {
                let (start, end) = (comment.span.start as usize, comment.span.end as usize);
                lexemes.push(start, end, Kind::Comment { doc: comment.doc });
            }
            let Some(token) = token else { break };
            let kind = match token.kind {
                scan::Kind::Word => Kind::Word,
                scan::Kind::Number => Kind::Number,
                scan::Kind::Str | scan::Kind::Expr => Kind::Quoted,
                scan::Kind::Sign => Kind::Sign,
            };
            lexemes.push(token.start, token.end, kind);
            at = token.end;
        }
        lexemes.fill_ends();
        lexemes.find_off();
        lexemes
    }

    fn push(&mut self, start: usize, end: usize, kind: Kind) {
        let before = self.all.last().map_or(0, |last| last.raw_end as usize);
        let raw = self.text.get(start..end).unwrap_or_default();
        let word = match kind {
            Kind::Comment { .. } => raw.trim_end(),
            _ => raw,
        };
        let gap = self.text.as_bytes().get(before..start).unwrap_or_default();
        let (head, tail) = match word.split_once('\n').filter(|_| kind == Kind::Quoted) {
            Some((head, rest)) => {
                let tail = rest.rsplit('\n').next().unwrap_or_default();
                (columns(head), Some(columns(tail)))
            }
            None => (columns(word), None),
        };
        self.all.push(Lexeme {
            start: start as u32,
            end: (start + word.len()) as u32,
            raw_end: end as u32,
            kind,
            breaks: gap.iter().filter(|b| **b == b'\n').count() as u32,
            head,
            tail,
        });
        let number = self.all.len() as u32;
        if let Some(slot) = self.starts.get_mut(start) {
            *slot = number;
        }
        if let Some(slot) = self.ends.get_mut(end) {
            *slot = number;
        }
    }

    /// Gives every byte between two tokens the token before it.
    fn fill_ends(&mut self) {
        let mut before: Option<(usize, u32)> = None;
        let tokens = self.all.iter().zip(1..).filter(|(l, _)| !l.is_comment());
        let spots = tokens.map(|(l, number)| (l.start as usize, l.end as usize, number));
        let last = (self.text.len(), self.text.len(), 0);
        for (start, end, number) in spots.chain([last]) {
            if let Some((from, token)) = before
                && let Some(gap) = self.ends.get_mut(from..=start)
            {
                let free = gap.iter_mut().filter(|slot| **slot == 0);
                free.for_each(|slot| *slot = token);
            }
            before = Some((end, number));
        }
    }

    /// Finds what lies between `// syncline: fmt off` and `on`; both stand on lines of their own.
    fn find_off(&mut self) {
        let mut open = None;
        for (i, lexeme) in self.all.iter().enumerate() {
            if !lexeme.is_comment() || (lexeme.breaks == 0 && i > 0) {
                continue;
            }
            match self.str(i) {
                "// syncline: fmt off" => open = open.or(Some(i)),
                "// syncline: fmt on" => self.off.extend(open.take().map(|first| (first, i))),
                _ => {}
            }
        }
        let last = self.all.len().saturating_sub(1);
        self.off.extend(open.map(|first| (first, last)));
    }

    /// Whether one of the lexemes `first..end` lies where the formatter is off.
    pub fn is_off(&self, first: usize, end: usize) -> bool {
        let next = self.off.partition_point(|(_, last)| *last < first);
        self.off.get(next).is_some_and(|(from, _)| *from < end)
    }

    /// The text of a lexeme; empty where there is none.
    pub fn str(&self, index: usize) -> &'a str {
        self.all.get(index).map_or("", |lexeme| {
            let range = lexeme.start as usize..lexeme.end as usize;
            self.text.get(range).unwrap_or_default()
        })
    }

    /// The lexeme that begins at a byte.
    pub fn starting(&self, at: u32) -> Option<usize> {
        let number = self.starts.get(at as usize).copied()?;
        number.checked_sub(1).map(|i| i as usize)
    }

    /// The lexeme that ends at a byte, or the last token before it.
    pub fn ending(&self, at: u32) -> Option<usize> {
        let number = self.ends.get(at as usize).copied()?;
        number.checked_sub(1).map(|i| i as usize)
    }

    /// The lexemes of a span: the first, and one past the last.
    pub fn of(&self, span: Span) -> Option<(usize, usize)> {
        let (first, last) = (self.starting(span.start)?, self.ending(span.end)?);
        (first <= last).then_some((first, last + 1))
    }

    /// Whether there is a comment among `first..end`.
    pub fn has_comment(&self, first: usize, end: usize) -> bool {
        let lexemes = self.all.get(first..end).unwrap_or_default();
        lexemes.iter().any(Lexeme::is_comment)
    }
}

/// How many columns a text without line ends takes.
fn columns(text: &str) -> u32 {
    match text.is_ascii() {
        true => text.len() as u32,
        false => text.chars().count() as u32,
    }
}
