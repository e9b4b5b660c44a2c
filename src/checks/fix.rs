//! Edits that several checks make.

use super::Context;
use crate::finding::Edit;
use crate::graph::Edge;
use crate::model::{Carried, Field, FieldId, Scenario, Sync};
use crate::text::{Sources, Span};

/// Adds a clause at the end of a field's declaration.
pub(super) fn add_clause(field: &Field, clause: &str) -> Edit {
    Edit {
        span: Span::point(field.span.file, field.span.end as usize),
        text: format!("  {clause}"),
    }
}

/// Adds a clause as the last of a block, whose span ends with its brace: on a line of its own, or
/// where the block is one line, on that.
pub(super) fn add_line(block: Span, sources: &Sources, clause: &str) -> Option<Edit> {
    let text = sources.slice(block);
    let before = text.strip_suffix('}')?;
    let kept = before.trim_end_matches([' ', '\t', '\r', '\n']);
    let at = block.start as usize + kept.len();
    let text = match (text.contains('\n'), kept.ends_with('{')) {
        (true, _) => format!("\n  {clause}\n"),
        (false, true) => format!(" {clause} "),
        (false, false) => format!("  {clause} "),
    };
    Some(Edit {
        span: Span::new(block.file, at, block.end as usize - 1),
        text,
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
    Edit::removal(span, sources)
}

/// Writes a scenario's mode: over its own, or as a new clause.
pub(crate) fn set_mode(sources: &Sources, scenario: &Scenario, mode: &str) -> Option<Edit> {
    match scenario.mode.span.filter(|_| scenario.mode.written) {
        Some(span) => Some(Edit {
            span,
            text: mode.to_owned(),
        }),
        None => add_line(scenario.span, sources, &format!("mode {mode}")),
    }
}

/// Takes fields out of the list of a `sync`; where nothing would be left, the clause goes, unless
/// it is the scenario's only one. `None`: no edit can do it.
pub(super) fn uncarry(ctx: &Context, edge: Edge, fields: &[FieldId]) -> Option<Edit> {
    let (scenario, sync) = (ctx.scenario(edge), ctx.sync(edge));
    let Carried::Fields(named) = &sync.carried else {
        return None;
    };
    let goes = |f: &FieldId| fields.contains(f);
    let kept: Vec<&str> = named
        .iter()
        .filter(|n| !n.id.as_ref().is_some_and(goes))
        .map(|n| ctx.sources.slice(n.span))
        .collect();
    if kept.is_empty() {
        return (scenario.syncs.len() > 1).then(|| remove(sync.clause, ctx.sources));
    }
    let list = named.first()?.span.to(named.last()?.span);
    // A comment among the names would be lost.
    let plain = !ctx.sources.slice(list).contains("//");
    (plain && kept.len() < named.len()).then(|| Edit {
        span: list,
        text: kept.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceFile;

    #[test]
    fn a_clause_is_added_before_the_closing_brace() {
        let added = |text: &str| {
            let mut sources = Sources::default();
            let file = sources.add(SourceFile::new("a.sync", text));
            let edit = add_line(Span::new(file, 0, text.len() - 1), &sources, "b").unwrap();
            let mut text = text.to_owned();
            text.replace_range(edit.span.range(), &edit.text);
            text
        };
        assert_eq!(added("s {\n  a\n}\n"), "s {\n  a\n  b\n}\n");
        assert_eq!(added("s { a }\n"), "s { a  b }\n");
        assert_eq!(added("s {}\n"), "s { b }\n");
    }
}
