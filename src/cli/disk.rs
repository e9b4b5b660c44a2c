//! Files: how policies are read, and how results are written whole or not at all.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::syntax::load::FileReader;

/// The file system.
#[derive(Debug, Default)]
pub(super) struct Disk;

impl FileReader for Disk {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One byte more than the limit tells a file that is too large.
        let file = fs::File::open(path)?;
        file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }
}

/// The current directory.
pub(super) fn current() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|e| Failure::input(format!("the current directory cannot be read: {e}")))
}

/// All of standard input.
pub(super) fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::input(format!("standard input cannot be read: {e}")))?;
    Ok(bytes)
}

/// Replaces a file whole: whoever reads it sees the old text or the new one, never a part. A link
/// is followed, and what the file allows stays as it was.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text.as_bytes()).map_err(|error| {
        let failure = Failure::input(format!("`{}` cannot be written: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::NotFound => failure.help("make its directory first"),
            _ => failure,
        }
    })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    // A pipe or a device cannot be replaced, only written to.
    if fs::metadata(&real).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return fs::OpenOptions::new()
            .write(true)
            .open(&real)?
            .write_all(bytes);
    }
    let name = real
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    if real.is_dir() {
        return Err(io::Error::other("it is a directory"));
    }
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = real.with_file_name(beside);
    let written = write_beside(&beside, &real, bytes);
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_beside(beside: &Path, real: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(beside)?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(real) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    fs::rename(beside, real)
}
