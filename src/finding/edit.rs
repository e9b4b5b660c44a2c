//! Edits that every layer makes.

use super::Edit;
use crate::text::{Sources, Span};

impl Edit {
    /// Takes a text away, with the white space before it and, where it stands on lines of its own,
    /// those lines.
    pub fn removal(span: Span, sources: &Sources) -> Edit {
        let whole = sources
            .iter()
            .find(|(id, _)| *id == span.file)
            .map_or("", |(_, f)| &*f.text);
        let before = whole.get(..span.start as usize).unwrap_or_default();
        let after = whole.get(span.end as usize..).unwrap_or_default();
        let indent = before.len() - before.trim_end_matches([' ', '\t']).len();
        let line_start = before.len() == indent || before[..before.len() - indent].ends_with('\n');
        let line_end = after
            .trim_start_matches([' ', '\t', '\r'])
            .starts_with('\n');
        let end = match after.find('\n') {
            Some(newline) if line_start && line_end => span.end as usize + newline + 1,
            _ => span.end as usize,
        };
        // A clause that shares its line with what follows keeps that line's indent.
        let start = if line_start && !line_end {
            span.start as usize
        } else {
            span.start as usize - indent
        };
        Edit {
            span: Span::new(span.file, start, end),
            text: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceFile;

    fn without(text: &str, clause: &str) -> String {
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new("a.sync", text));
        let at = text.find(clause).unwrap();
        let edit = Edit::removal(Span::new(file, at, at + clause.len()), &sources);
        let mut text = text.to_owned();
        text.replace_range(edit.span.range(), &edit.text);
        text
    }

    #[test]
    fn a_removed_clause_leaves_no_blank_line() {
        assert_eq!(without("a {\n  x\n  y\n}\n", "x"), "a {\n  y\n}\n");
        assert_eq!(without("a { x  y }", "x"), "a {  y }");
        assert_eq!(without("  f: int  allow z\n", "allow z"), "  f: int\n");
        assert_eq!(without("x // why\n", "x"), " // why\n");
    }
}
