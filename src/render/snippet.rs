//! Stretches of a file as miette wants them, found by the line index: miette's own search starts
//! at the first byte for every marker, which thousands of findings cannot afford.

use std::borrow::Cow;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::report::Range;
use crate::text::SourceFile;

/// Lines with more bytes than this are not shown: a snippet of them helps nobody.
pub(super) const LINE_MAX: usize = 500;

/// A file whose lines can be shown on a terminal.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    file: &'a SourceFile,
    text: Cow<'a, str>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(file: &'a SourceFile) -> Self {
        Shown {
            file,
            text: harmless(&file.text),
        }
    }

    /// The file itself.
    pub(super) fn source(&self) -> &'a SourceFile {
        self.file
    }

    /// Whether the line of a place and its neighbours are short enough to show.
    pub(super) fn fits(&self, range: &Range) -> bool {
        let first = range.start.line.saturating_sub(1).max(1);
        (first..=range.start.line + 1).all(|line| self.file.line_text(line).len() <= LINE_MAX)
    }

    /// A place as a span; of one that reaches over several lines, what stands in the first.
    pub(super) fn span(&self, range: &Range) -> SourceSpan {
        let start = range.start.offset as usize;
        let mut end = range.end.offset as usize;
        if range.end.line > range.start.line {
            let line = self.file.line_text(range.start.line);
            let line_end = self.file.line_start(range.start.line) as usize + line.len();
            end = line_end.max(start);
        }
        (start, end - start).into()
    }
}

/// Control characters replaced byte for byte, so that no text can steer the terminal and every
/// offset still holds.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let mut chars = text.chars().peekable();
    let mut harmful = false;
    while let Some(c) = chars.next() {
        let line_end = c == '\n' || c == '\r' && chars.peek() == Some(&'\n');
        if c.is_control() && c != '\t' && !line_end {
            harmful = true;
            break;
        }
    }
    if !harmful {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let line_end = c == '\n' || c == '\r' && chars.peek() == Some(&'\n');
        if c.is_control() && c != '\t' && !line_end {
            out.extend(std::iter::repeat_n('?', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

impl SourceCode for Shown<'_> {
    fn read_span<'s>(
        &'s self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'s> + 's>, MietteError> {
        let offset = |at: usize| u32::try_from(at).map_err(|_| MietteError::OutOfBounds);
        let start = offset(span.offset())?;
        let end = offset(span.offset() + span.len())?;
        let first = self.file.line_of(start);
        let (from, line, column) = if lines_before == 0 {
            let column = self.file.position(start).column - 1;
            (start, first, column)
        } else {
            let line = first.saturating_sub(lines_before as u32).max(1);
            (self.file.line_start(line), line, 0)
        };
        let to = if lines_before == 0 && lines_after == 0 {
            end
        } else {
            let last = self.file.line_of(end) + lines_after as u32;
            self.file.line_start(last + 1)
        };
        let data = self
            .text
            .get(from as usize..to as usize)
            .ok_or(MietteError::OutOfBounds)?;
        let lines = data.bytes().filter(|b| *b == b'\n').count();
        Ok(Box::new(MietteSpanContents::new_named(
            harmless(&self.file.path).into_owned(),
            data.as_bytes(),
            (from as usize, data.len()).into(),
            line as usize - 1,
            column as usize,
            lines,
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn control_characters_lose_their_effect_and_keep_their_bytes() {
        assert_eq!(harmless("a\tb\r\nc\n"), "a\tb\r\nc\n");
        assert_eq!(harmless("a\u{1b}[2Jb\r"), "a?[2Jb?");
        assert_eq!(harmless("\u{9b}x").len(), "\u{9b}x".len());
    }
}
