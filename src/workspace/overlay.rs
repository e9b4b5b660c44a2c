//! Texts that are open in an editor (or come from standard input) over the files below.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::syntax::load::{FileReader, normal};

/// Files, some of them replaced by texts that are in no file yet.
#[derive(Debug, Default)]
pub struct Overlay<R> {
    below: R,
    /// By their one path.
    texts: BTreeMap<PathBuf, Vec<u8>>,
}

impl<R: FileReader> Overlay<R> {
    /// The files alone.
    pub fn new(below: R) -> Self {
        Overlay {
            below,
            texts: BTreeMap::new(),
        }
    }

    /// Puts a text over a file, which need not exist. The path is absolute.
    pub fn set(&mut self, path: &Path, bytes: Vec<u8>) {
        let key = self.key(path);
        self.texts.insert(key, bytes);
    }

    /// Takes the text over a file away.
    pub fn close(&mut self, path: &Path) {
        let key = self.key(path);
        self.texts.remove(&key);
    }

    /// The text that is open over a file.
    pub fn open_text(&self, path: &Path) -> Option<&str> {
        let bytes = self.texts.get(&self.key(path))?;
        std::str::from_utf8(bytes).ok()
    }

    /// The one path of what stands, or would stand, at `path`.
    fn key(&self, path: &Path) -> PathBuf {
        if let Ok(real) = self.below.canonical(path) {
            return real;
        }
        // A file that is not saved yet, perhaps in a directory behind a link.
        let path = normal(path);
        let beside = path.parent().zip(path.file_name());
        beside
            .and_then(|(parent, name)| Some(self.below.canonical(parent).ok()?.join(name)))
            .unwrap_or(path)
    }

    /// Whether a text lies below a directory.
    fn holds(&self, directory: &Path) -> bool {
        self.texts
            .keys()
            .any(|p| p != directory && p.starts_with(directory))
    }
}

impl<R: FileReader> FileReader for Overlay<R> {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        match self.texts.get(&self.key(path)) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.below.read(path, limit),
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.below.is_dir(path) || (!self.texts.is_empty() && self.holds(&self.key(path)))
    }

    fn exists(&self, path: &Path) -> bool {
        if self.below.exists(path) {
            return true;
        }
        if self.texts.is_empty() {
            return false;
        }
        let key = self.key(path);
        self.texts.contains_key(&key) || self.holds(&key)
    }

    fn names(&self, directory: &Path) -> Vec<String> {
        self.below.names(directory)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        match self.below.canonical(path) {
            Ok(real) => Ok(real),
            Err(error) => {
                let key = self.key(path);
                let here = self.texts.contains_key(&key) || self.holds(&key);
                if here { Ok(key) } else { Err(error) }
            }
        }
    }
}
