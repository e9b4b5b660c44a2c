//! The proof that a layout says what the source says: the same lexemes in the same order, the same
//! tree, and nothing left to change.

use super::lexeme::Lexemes;
use super::spans::Spans;
use super::{FormatError, Parsed};
use crate::syntax::tree::File;
use crate::text::Span;

/// Whether `output` has the lexemes of `source`, comments among them and in the same order.
pub(super) fn same_lexemes(source: &Lexemes<'_>, output: &Lexemes<'_>) -> Result<(), FormatError> {
    let same = |i: usize| {
        let (a, b) = (source.all.get(i), output.all.get(i));
        a.map(|l| l.kind) == b.map(|l| l.kind) && source.str(i) == output.str(i)
    };
    let longest = source.all.len().max(output.all.len());
    match (0..longest).find(|i| !same(*i)) {
        None => Ok(()),
        Some(i) => Err(FormatError::Lexemes {
            at: source
                .all
                .get(i)
                .map_or(source.text.len(), |l| l.start as usize),
        }),
    }
}

/// Whether the trees are equal but for where things stand. Both files have the same lexemes, so
/// counted in lexemes everything stands at the same place.
pub(super) fn same_tree(
    mut source: Parsed,
    lexemes: &Lexemes<'_>,
    mut output: Parsed,
    printed: &Lexemes<'_>,
) -> Result<(), FormatError> {
    let counted = count(&mut source.file, lexemes) && count(&mut output.file, printed);
    let alike = source.findings.len() == output.findings.len() && source.file == output.file;
    match counted && alike {
        true => Ok(()),
        false => Err(FormatError::Tree),
    }
}

/// Counts the places of a tree in lexemes instead of bytes; false where one is no whole row of
/// them.
fn count(file: &mut File, lexemes: &Lexemes<'_>) -> bool {
    let mut whole = true;
    file.shift(&mut |span| match lexemes.of(*span) {
        Some((first, end)) => *span = Span::new(span.file, first, end),
        None => whole = false,
    });
    whole
}
