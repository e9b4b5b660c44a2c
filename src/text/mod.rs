//! Source text: the files of a policy, spans into them, line and column arithmetic, nearest names.
//!
//! Rank 0. Knows nothing of the language: only bytes, characters and lines. Does no I/O; texts are
//! handed in by whoever read them.

mod nearest;

pub use nearest::nearest;

use std::sync::Arc;

/// Index of a file in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file the range lies in.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A range of bytes in `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        // Files over 64 MiB are refused before any span is made, so u32 holds every offset.
        Span {
            file,
            start: start as u32,
            end: end as u32,
        }
    }

    /// An empty range at `offset`.
    pub fn point(file: FileId, offset: usize) -> Self {
        Span::new(file, offset, offset)
    }

    /// From the start of `self` to the end of `other` (both in one file).
    pub fn to(self, other: Span) -> Span {
        Span {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Whether `inner` lies wholly inside `self`.
    pub fn contains(self, inner: Span) -> bool {
        self.file == inner.file && self.start <= inner.start && inner.end <= self.end
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether the range marks a point.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The range as usize offsets.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A line and a column, both counted from 1; the column counts Unicode scalar values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; a tab counts one and a byte-order mark none.
    pub column: u32,
}

/// One file: its name as shown to people and its text as stored (byte-order mark included).
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path as shown: relative to the current directory, with `/`.
    pub path: String,
    /// The whole text as stored.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
}

/// The byte-order mark, which has no column and is no token.
pub const BOM: &str = "\u{feff}";

impl SourceFile {
    /// Indexes the lines of `text`.
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let mut line_starts = vec![0];
        line_starts.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, b)| *b == b'\n')
                .map(|(i, _)| i as u32 + 1),
        );
        SourceFile {
            path: path.into(),
            text,
            line_starts,
        }
    }

    /// Line (from 1) that holds the byte `offset`.
    pub fn line_of(&self, offset: u32) -> u32 {
        self.line_starts.partition_point(|s| *s <= offset) as u32
    }

    /// Line and column of a byte offset. An offset inside a character counts as its start; one
    /// past the end counts as the end.
    pub fn position(&self, offset: u32) -> Position {
        let line = self.line_of(offset);
        let start = self.line_starts[line as usize - 1] as usize;
        let mut end = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let mut before = &self.text[start.min(end)..end];
        if start == 0 {
            before = before.strip_prefix(BOM).unwrap_or(before);
        }
        Position {
            line,
            column: before.chars().count() as u32 + 1,
        }
    }

    /// Number of lines.
    pub fn line_count(&self) -> usize {
        self.line_starts.len()
    }

    /// First byte of a line (from 1); of a line past the last, the end of the text.
    pub fn line_start(&self, line: u32) -> u32 {
        self.line_starts
            .get(line.saturating_sub(1) as usize)
            .copied()
            .unwrap_or(self.text.len() as u32)
    }

    /// The text of a line (from 1) without its line end.
    pub fn line_text(&self, line: u32) -> &str {
        let Some(start) = self.line_starts.get(line.saturating_sub(1) as usize) else {
            return "";
        };
        let end = self
            .line_starts
            .get(line as usize)
            .map_or(self.text.len(), |next| *next as usize);
        self.text[*start as usize..end].trim_end_matches(['\n', '\r'])
    }
}

/// All files of a policy, in reading order (the root first).
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file and gives its id.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        self.files.push(file);
        FileId(self.files.len() as u32 - 1)
    }

    /// A file by its id.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// Every file, in reading order.
    pub fn into_files(self) -> Vec<SourceFile> {
        self.files
    }

    /// Every file with its id.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files
            .iter()
            .enumerate()
            .map(|(i, f)| (FileId(i as u32), f))
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The text of a span; empty where the span does not fit (never panics).
    pub fn slice(&self, span: Span) -> &str {
        self.files
            .get(span.file.0 as usize)
            .and_then(|f| f.text.get(span.range()))
            .unwrap_or_default()
    }

    /// Line and column of the start of a span.
    pub fn start(&self, span: Span) -> Position {
        self.file(span.file).position(span.start)
    }

    /// Line and column of the end of a span (exclusive).
    pub fn end(&self, span: Span) -> Position {
        self.file(span.file).position(span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_skip_the_byte_order_mark() {
        let file = SourceFile::new("a.sync", "\u{feff}né\tx\r\nzwei");
        assert_eq!(file.position(3), Position { line: 1, column: 1 });
        let x = file.text.find('x').unwrap() as u32;
        assert_eq!(file.position(x), Position { line: 1, column: 4 });
        let zwei = file.text.find("zwei").unwrap() as u32;
        assert_eq!(file.position(zwei), Position { line: 2, column: 1 });
        assert_eq!(file.line_text(1), "\u{feff}né\tx");
        assert_eq!(file.position(9_999), Position { line: 2, column: 5 });
    }
}
