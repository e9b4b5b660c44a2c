//! The formatter: one canonical layout, whatever the white space of the source.
//!
//! Works on the tokens of a text with the tree's spans for structure: tokens are never changed,
//! added, dropped or moved, only the space between them is. Comments stand where they stood.
//! Before it answers it proves its own result (see [`format()`]).

mod layout;
mod proof;
mod tokens;

use crate::finding::Finding;
use crate::text::{SourceFile, Sources};

/// What formatting came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Formatted {
    /// The text in its one layout (which may be the text that it was).
    Text(String),
    /// The text has syntax errors: nothing is changed.
    Broken(Vec<Finding>),
}

/// A result that does not hold what it promises; the source is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the formatter did not keep the meaning of `{path}`: {what}")]
pub struct FormatFault {
    /// The file.
    pub path: String,
    /// What would have changed.
    pub what: String,
}

/// The greatest width of a line, in characters, where tokens allow it.
pub const WIDTH: usize = 100;

/// Formats a text named `path`.
///
/// # Errors
/// Where the result would not have the same tokens and comments in the same order, or formatting
/// it once more would change it: a fault of the formatter, told instead of written.
pub fn format(path: &str, text: &str) -> Result<Formatted, FormatFault> {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new(path, text));
    let (tree, findings) = super::parse(&sources, file);
    if !findings.is_empty() {
        return Ok(Formatted::Broken(findings));
    }
    let out = layout::print(&sources, &tree);
    proof::same(path, text, &out)?;
    if out != text {
        proof::stable(path, &out)?;
    }
    Ok(Formatted::Text(out))
}

/// Formats a text that has no syntax error, without the proof of stability.
fn once(path: &str, text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new(path, text));
    let (tree, findings) = super::parse(&sources, file);
    findings.is_empty().then(|| layout::print(&sources, &tree))
}
