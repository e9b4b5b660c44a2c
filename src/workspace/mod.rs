//! A policy from its files to its findings, once or again after every edit.
//!
//! Rank 7. May use everything below `plan`. [`check`] is the one chain from loaded files to
//! findings: the command line runs it once, an editor through a [`Workspace`], which holds unsaved
//! texts over the files and keeps what an edit did not touch. Does no I/O itself: files come
//! through [`FileReader`]. Must not know output formats, plans or the language server's protocol.

mod chain;
mod enclosing;
mod overlay;
mod own;
mod paths;

pub use chain::{Checked, check};
pub use enclosing::{declares_policy, enclosing};
pub use overlay::Overlay;
pub use paths::relative;

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::syntax::load::{FileReader, LoadError, Root, reload};
use crate::time::Date;

/// A policy that is edited: its root, the texts that are open over its files, and what was found
/// when it was last checked.
///
/// Texts may be opened, changed and closed in any order; the next [`Workspace::check`] sees them
/// all, and its answer is that of a first check of the same texts. Files are read anew on every
/// check, so that changes on disk are seen too; only those that differ are parsed.
pub struct Workspace<R> {
    root: PathBuf,
    /// The absolute path of the directory that shown names are relative to.
    current: PathBuf,
    files: Overlay<R>,
    checked: Option<Checked>,
}

/// An edit that does not fit the text it is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not open.
    #[error("`{}` is not open", .0.display())]
    NotOpen(PathBuf),
    /// The range lies outside the text, or cuts a character.
    #[error("bytes {} to {} are no part of the text", .0.start, .0.end)]
    Outside(Range<usize>),
}

impl<R: FileReader> Workspace<R> {
    /// A policy by its root: a file, or a directory with a `policy.sync`, as seen from `current`.
    pub fn new(root: impl Into<PathBuf>, current: impl Into<PathBuf>, files: R) -> Self {
        Workspace {
            root: root.into(),
            current: current.into(),
            files: Overlay::new(files),
            checked: None,
        }
    }

    /// Opens a text over a file, or replaces the one that is open. The file need not exist.
    pub fn set_text(&mut self, path: &Path, text: impl Into<String>) {
        let path = self.current.join(path);
        self.files.set(&path, text.into().into_bytes());
    }

    /// Replaces a range of bytes of an open text.
    pub fn apply_edit(
        &mut self,
        path: &Path,
        range: Range<usize>,
        text: &str,
    ) -> Result<(), EditError> {
        let open = self.files.open_text(&self.current.join(path));
        let open = open.ok_or_else(|| EditError::NotOpen(path.to_owned()))?;
        let mut new = open.to_owned();
        if new.get(range.clone()).is_none() {
            return Err(EditError::Outside(range));
        }
        new.replace_range(range, text);
        self.set_text(path, new);
        Ok(())
    }

    /// The text that is open over a file.
    pub fn text(&self, path: &Path) -> Option<&str> {
        self.files.open_text(&self.current.join(path))
    }

    /// Closes a text: the file counts again.
    pub fn close(&mut self, path: &Path) {
        let path = self.current.join(path);
        self.files.close(&path);
    }

    /// The files with the open texts over them.
    pub fn files(&self) -> &Overlay<R> {
        &self.files
    }

    /// Checks the policy as it is now. An error says that there is nothing at its root.
    pub fn check(&mut self, today: Date) -> Result<&Checked, LoadError> {
        let earlier = self.checked.take();
        let earlier = earlier.map(|c| c.loaded).unwrap_or_default();
        let root = Root::Path(&self.root);
        let loaded = reload(earlier, root, &self.files, &self.current)?;
        Ok(self.checked.insert(check(loaded, &self.files, today, &[])))
    }

    /// What the last check came to; none before the first, or where there was nothing to check.
    pub fn checked(&self) -> Option<&Checked> {
        self.checked.as_ref()
    }
}
