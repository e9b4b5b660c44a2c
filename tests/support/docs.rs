//! Published files that the program itself writes. `UPDATE_DOCS=1` writes them anew.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// The folder of the documentation.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Holds `docs/NAME` to a text.
pub fn in_step(name: &str, text: &str) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/{name} is behind; run the tests with UPDATE_DOCS=1"
    );
}
