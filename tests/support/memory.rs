//! A file system in memory.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use syncline::syntax::load::FileReader;

/// Files by absolute path; a value that begins with `->` is a link to another path.
#[derive(Debug, Clone, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let bytes = files.iter().map(|(p, t)| (*p, t.as_bytes()));
        Memory::of_bytes(&bytes.collect::<Vec<_>>())
    }

    pub fn of_bytes(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter();
        Memory(files.map(|(p, t)| (PathBuf::from(p), t.to_vec())).collect())
    }
}

impl FileReader for Memory {
    fn read(&self, path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        let path = self.canonical(path)?;
        self.0
            .get(&path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.0.keys().any(|p| p != path && p.starts_with(path))
    }
    fn exists(&self, path: &Path) -> bool {
        self.0.keys().any(|p| p.starts_with(path))
    }
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        match self.0.get(path).and_then(|t| t.strip_prefix(b"->")) {
            Some(target) => Ok(PathBuf::from(String::from_utf8_lossy(target).into_owned())),
            None => Ok(path.to_owned()),
        }
    }
}
