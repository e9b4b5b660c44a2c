//! The formatter: one canonical layout for every policy.
//!
//! Part of `syntax`, rank 2. May use `text`, `finding`, the tree, the parser and the scanner below
//! it. Must not know the model, the catalog or the command line.
//!
//! A file is a row of lexemes (tokens and comments); the formatter chooses the white space between
//! them and can do nothing else. Before it answers it proves that its text has the same lexemes
//! and the same tree and that formatting it again changes nothing.

mod columns;
mod layout;
mod lexeme;
mod outline;
mod proof;
mod space;
mod spans;
mod write;

use super::tree::File;
use crate::finding::Finding;
use crate::text::{BOM, SourceFile, Sources};
use lexeme::Lexemes;
use std::borrow::Cow;

/// A text in the canonical layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// The text: LF line ends, no byte-order mark, one line end at the end (none in an empty file).
    pub text: String,
    /// Whether the source has no syntax error. Where it has one, what could not be read stands in
    /// `text` as it was (or all of it, where no part can safely move), and a command should leave
    /// the file alone and show what [`crate::syntax::parse`] finds.
    pub sound: bool,
}

/// Why there is no formatted text: never the author's fault but an error of the formatter, which
/// answers with this rather than with a text that says something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The text is too large for offsets into it.
    #[error("the text is larger than {limit} bytes, more than the formatter reads")]
    TooLarge {
        /// The most it reads, in bytes.
        limit: usize,
    },
    /// A clause does not begin and end with a token.
    #[error("the formatter cannot tell which words belong together; the file is unchanged")]
    Outline,
    /// A word or a comment was lost, added or moved.
    #[error("the formatter would change the word at byte {at}; the file is unchanged")]
    Lexemes {
        /// Where, as an offset into the source without byte-order mark and with LF line ends.
        at: usize,
    },
    /// The words are the same but read differently.
    #[error("the formatted text would read differently; the file is unchanged")]
    Tree,
    /// Formatting the result changes it again.
    #[error("formatting twice would change the text again; the file is unchanged")]
    Unstable,
}

/// The largest text that is formatted, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// Formats the text of one policy file.
///
/// # Errors
///
/// Only where the formatter itself is at fault (or the text is larger than 64 MiB): its result is
/// proved against the source before it is given.
pub fn format(source: &str) -> Result<Formatted, FormatError> {
    if source.len() > LARGEST {
        return Err(FormatError::TooLarge { limit: LARGEST });
    }
    let plain = plain(source);
    let parsed = Parsed::new(&plain);
    let sound = parsed.findings.is_empty();
    match proved(&plain, parsed) {
        Ok(text) => Ok(Formatted { text, sound }),
        // Around an error the reading of a line may depend on where lines begin.
        Err(_) if !sound => Ok(Formatted {
            text: source.to_owned(),
            sound,
        }),
        Err(error) => Err(error),
    }
}

/// A text with LF line ends and without byte-order mark. Carriage returns before a line end go all
/// of them, so that none is left to make a CRLF of its own.
fn plain(source: &str) -> Cow<'_, str> {
    // Tools that join files leave several: a second one would be the first of the next pass.
    let text = source.trim_start_matches(BOM);
    if !text.contains("\r\n") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                plain.push_str(line.trim_end_matches('\r'));
                plain.push('\n');
            }
            None => plain.push_str(line),
        }
    }
    Cow::Owned(plain)
}

/// A tree and what was found wrong with its text.
struct Parsed {
    file: File,
    findings: Vec<Finding>,
}

impl Parsed {
    fn new(text: &str) -> Self {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("", text));
        let (file, findings) = super::parse(&sources, id);
        Parsed { file, findings }
    }
}

/// The layout of `text`, with the proof.
fn proved(text: &str, parsed: Parsed) -> Result<String, FormatError> {
    let lexemes = Lexemes::new(text, &parsed.file);
    let printed = print(&parsed, &lexemes)?;
    let again = Parsed::new(&printed);
    let relexed = Lexemes::new(&printed, &again.file);
    proof::same_lexemes(&lexemes, &relexed)?;
    if print(&again, &relexed)? != printed {
        return Err(FormatError::Unstable);
    }
    proof::same_tree(parsed, &lexemes, again, &relexed)?;
    Ok(printed)
}

/// The layout of a text, without proof.
fn print(parsed: &Parsed, lexemes: &Lexemes<'_>) -> Result<String, FormatError> {
    let outline = outline::outline(&parsed.file, lexemes).ok_or(FormatError::Outline)?;
    let gaps = layout::lay_out(lexemes, &outline);
    Ok(write::write(lexemes, &gaps))
}
