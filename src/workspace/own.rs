//! Connector entries of the author's own, read from beside the policy.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{self, Entry};
use crate::model::{self, OwnConnectors};
use crate::syntax::load::{FileReader, Loaded, MAX_FILE_BYTES};
use crate::text::FileId;

pub(super) struct Own<'a> {
    loaded: &'a Loaded,
    files: &'a dyn FileReader,
}

impl<'a> Own<'a> {
    pub(super) fn of(loaded: &'a Loaded, files: &'a dyn FileReader) -> Self {
        Own { loaded, files }
    }

    /// Every entry that a `connector "path"` of the policy names.
    pub(super) fn read_all(&self) -> OwnConnectors {
        model::own_connector_paths(&self.loaded.sources, &self.loaded.files)
            .into_iter()
            .map(|(span, path)| (span, self.read(span.file, &path)))
            .collect()
    }

    /// The entry that a path written in a file names, or what is wrong with it.
    fn read(&self, file: FileId, path: &str) -> Result<Arc<Entry>, String> {
        let from = self.loaded.places.get(file.0 as usize);
        let directory = from.and_then(|f| f.parent()).unwrap_or(Path::new("/"));
        if Path::new(path).is_absolute() {
            return Err(format!("`{path}` is no path relative to this file"));
        }
        let missing = || format!("`{path}`: there is no such file");
        let target = directory.join(path);
        if !self.files.exists(&target) {
            return Err(missing());
        }
        let real = self.files.canonical(&target).map_err(|_| missing())?;
        if !real.starts_with(&self.loaded.repository) {
            return Err(format!("`{path}` leaves the repository"));
        }
        let bytes = self
            .files
            .read(&real, MAX_FILE_BYTES)
            .map_err(|e| format!("`{path}` cannot be read: {e}"))?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(format!("`{path}` is larger than 64 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8"))?;
        catalog::parse_entry(&text)
            .map(Arc::new)
            .map_err(|e| format!("`{path}`: {e}"))
    }
}
