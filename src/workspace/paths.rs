//! Paths as people read them.

use std::path::{Component, Path, PathBuf};

/// A path as seen from a directory, both absolute and without links.
pub fn relative(directory: &Path, path: &Path) -> PathBuf {
    let shared = directory
        .components()
        .zip(path.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = directory.components().skip(shared);
    up.map(|_| Component::ParentDir)
        .chain(path.components().skip(shared))
        .collect()
}
