//! Edits that several checks make.

use crate::finding::Edit;
use crate::model::{Field, Sync};
use crate::text::{Sources, Span};

/// Adds a clause at the end of a field's declaration.
pub(super) fn add_clause(field: &Field, clause: &str) -> Edit {
    Edit {
        span: Span::point(field.span.file, field.span.end as usize),
        text: format!("  {clause}"),
    }
}

/// Adds a clause as the last line of a block, whose span ends with its brace.
pub(super) fn add_line(block: Span, sources: &Sources, clause: &str) -> Option<Edit> {
    let text = sources.slice(block);
    let before = text.strip_suffix('}')?;
    let kept = before.trim_end_matches([' ', '\t', '\r', '\n']).len();
    let at = block.start as usize + kept;
    Some(Edit {
        span: Span::new(block.file, at, block.end as usize - 1),
        text: format!("\n  {clause}\n"),
    })
}

/// Adds a condition to a `sync` that has none.
pub(super) fn add_filter(sync: &Sync, condition: &str) -> Option<Edit> {
    sync.filter.is_none().then(|| Edit {
        span: Span::point(sync.clause.file, sync.clause.end as usize),
        text: format!(" if `{condition}`"),
    })
}

/// Takes an item or a field away with its doc comment.
pub(super) fn remove_documented(span: Span, doc: Option<Span>, sources: &Sources) -> Edit {
    remove(doc.map_or(span, |doc| doc.to(span)), sources)
}

/// Takes a clause away, with the white space before it and, where it stands on a line of its own,
/// that line.
pub(super) fn remove(span: Span, sources: &Sources) -> Edit {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceFile;

    fn without(text: &str, clause: &str) -> String {
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new("a.sync", text));
        let at = text.find(clause).unwrap();
        let edit = remove(Span::new(file, at, at + clause.len()), &sources);
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

    #[test]
    fn a_clause_is_added_before_the_closing_brace() {
        let mut sources = Sources::default();
        let text = "s {\n  a\n}\n";
        let file = sources.add(SourceFile::new("a.sync", text));
        let edit = add_line(Span::new(file, 0, text.len() - 1), &sources, "b").unwrap();
        let mut text = text.to_owned();
        text.replace_range(edit.span.range(), &edit.text);
        assert_eq!(text, "s {\n  a\n  b\n}\n");
    }
}
