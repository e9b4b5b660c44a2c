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

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "// why\nentity e { key a, b\n /// doc\n field a: int owner crm }";

    fn lexemes<'a>(text: &'a str, parsed: &Parsed) -> Lexemes<'a> {
        Lexemes::new(text, &parsed.file)
    }

    fn verdict(output: &str) -> Result<(), FormatError> {
        let (source, output_parsed) = (Parsed::new(SOURCE), Parsed::new(output));
        let (a, b) = (lexemes(SOURCE, &source), lexemes(output, &output_parsed));
        same_lexemes(&a, &b)?;
        same_tree(source, &a, output_parsed, &b)
    }

    #[test]
    fn white_space_alone_is_no_change() {
        assert_eq!(verdict(SOURCE), Ok(()));
        let spread = SOURCE.replace(' ', "\n  ").replace("//\n  why", "// why");
        let spread = spread.replace("///\n  doc", "/// doc");
        assert_eq!(verdict(&spread), Ok(()));
    }

    #[test]
    fn a_word_or_a_comment_lost_added_or_moved_is_found() {
        let at = |needle: &str| {
            let at = SOURCE.find(needle).expect("a part of the source");
            Err(FormatError::Lexemes { at })
        };
        assert_eq!(verdict(&SOURCE.replace(", b", "")), at(", b"));
        assert_eq!(verdict(&SOURCE.replace("// why\n", "")), at("// why"));
        assert_eq!(verdict(&SOURCE.replace("why", "how")), at("// why"));
        assert_eq!(verdict(&SOURCE.replace("a, b", "b, a")), at("a, b"));
        assert_eq!(
            verdict(&format!("{SOURCE}\n// more")),
            Err(FormatError::Lexemes { at: SOURCE.len() })
        );
        // A doc comment that no longer stands on a line of its own documents nothing.
        assert_eq!(
            verdict(&SOURCE.replace("\n /// doc", " /// doc")),
            at("/// doc")
        );
    }

    #[test]
    fn a_tree_that_differs_is_found() {
        let source = || Parsed::new(SOURCE);
        let words = lexemes(SOURCE, &source());
        let mut lacking = source();
        lacking.file.items.clear();
        assert_eq!(
            same_tree(source(), &words, lacking, &words),
            Err(FormatError::Tree)
        );
        let mut moved = source();
        if let Some(item) = moved.file.items.first_mut() {
            item.span.start += 1;
        }
        assert_eq!(
            same_tree(source(), &words, moved, &words),
            Err(FormatError::Tree)
        );
    }
}
