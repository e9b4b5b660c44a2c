//! Files: how policies are read, and how results are written whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::syntax::load::FileReader;

/// Texts to read instead of what is stored, by their one absolute path.
pub(super) type Instead = BTreeMap<PathBuf, Vec<u8>>;

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

    fn names(&self, directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
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
    let beside = beside(&real, name, "tmp");
    let written = write_beside(&beside, &real, bytes).and_then(|()| fs::rename(&beside, &real));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A name beside a file that no other run uses.
fn beside(real: &Path, name: &std::ffi::OsStr, kind: &str) -> PathBuf {
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.{kind}", std::process::id()));
    real.with_file_name(beside)
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
    file.sync_all()
}

/// A file with the text that it is known to hold and the text that it is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewrite {
    /// The file, as people name it.
    pub name: String,
    /// What it holds.
    pub old: String,
    /// What it is to hold.
    pub new: String,
}

/// Replaces files all together or not at all: the new texts are written beside them first, and
/// where one cannot take its place those that did are put back.
pub(super) fn write_all(files: &[Rewrite]) -> Result<(), Failure> {
    let mut staged = Vec::new();
    for file in files {
        let place = Staged::new(file).map_err(|e| unwritten(&file.name, &e))?;
        staged.push((&file.name, place));
    }
    take_places(&staged)
}

fn take_places(staged: &[(&String, Staged)]) -> Result<(), Failure> {
    for (index, (name, place)) in staged.iter().enumerate() {
        if let Err(error) = fs::rename(&place.new, &place.real) {
            let done = staged.get(..index).unwrap_or_default();
            let lost: Vec<&str> = done
                .iter()
                .filter(|(_, place)| fs::rename(&place.old, &place.real).is_err())
                .map(|(name, _)| name.as_str())
                .collect();
            let failure = unwritten(name, &error);
            return Err(if lost.is_empty() {
                failure
            } else {
                failure.help(format!("these could not be put back: {}", lost.join(", ")))
            });
        }
    }
    Ok(())
}

fn unwritten(name: &str, error: &io::Error) -> Failure {
    Failure::input(format!("`{name}` cannot be written: {error}")).help("no file was changed")
}

/// A new text beside the file whose place it is to take, and the old one to put back.
struct Staged {
    real: PathBuf,
    new: PathBuf,
    old: PathBuf,
}

impl Staged {
    fn new(file: &Rewrite) -> io::Result<Staged> {
        let real = Path::new(&file.name).canonicalize()?;
        if fs::read(&real)? != file.old.as_bytes() {
            return Err(io::Error::other("it was changed meanwhile"));
        }
        let name = real
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
        let staged = Staged {
            new: beside(&real, name, "new"),
            old: beside(&real, name, "old"),
            real: real.clone(),
        };
        write_beside(&staged.new, &real, file.new.as_bytes())?;
        // A second name costs nothing; where the file system has none, a copy does.
        fs::hard_link(&real, &staged.old).or_else(|_| fs::copy(&real, &staged.old).map(|_| ()))?;
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Whichever took its place is gone already.
        let _ = fs::remove_file(&self.new);
        let _ = fs::remove_file(&self.old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(dir: &Path, name: &str, old: &str, new: &str) -> Rewrite {
        Rewrite {
            name: dir.join(name).to_string_lossy().into_owned(),
            old: old.into(),
            new: new.into(),
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_change_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::write(dir.join("a"), "1").unwrap();
        fs::write(dir.join("b"), "1").unwrap();
        let a = rewrite(dir, "a", "1", "2");
        for b in [
            rewrite(dir, "b", "0", "2"),
            rewrite(dir, "missing", "1", "2"),
        ] {
            assert!(write_all(&[a.clone(), b]).is_err());
            assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "1");
            assert_eq!(names(dir), ["a", "b"], "nothing is left behind");
        }
        write_all(&[a, rewrite(dir, "b", "1", "2")]).unwrap();
        assert_eq!(fs::read_to_string(dir.join("b")).unwrap(), "2");
        assert_eq!(names(dir), ["a", "b"]);
    }

    #[test]
    fn what_took_its_place_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::write(dir.join("a"), "1").unwrap();
        fs::write(dir.join("b"), "1").unwrap();
        let files = [rewrite(dir, "a", "1", "2"), rewrite(dir, "b", "1", "2")];
        let staged: Vec<Staged> = files.iter().map(|f| Staged::new(f).unwrap()).collect();
        // The place of the second becomes one that no file can take.
        fs::remove_file(dir.join("b")).unwrap();
        fs::create_dir(dir.join("b")).unwrap();
        let places: Vec<_> = files.iter().map(|f| &f.name).zip(staged).collect();
        assert!(take_places(&places).is_err());
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "1");
        drop(places);
        assert_eq!(names(dir), ["a", "b"]);
    }
}
