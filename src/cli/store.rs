//! Which store a command works on.

use std::path::{Path, PathBuf};

use crate::host::HostError;
use crate::store::{OpenMode, SqliteStore};

/// The store's file where `--store` names none.
const FILE: &str = ".syncline.db";

/// The store that a command looks at.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct StoreArgs {
    /// The store; default: .syncline.db in the current directory
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
}

impl StoreArgs {
    /// Opens it to look at, whether or not a runner has it open.
    pub fn open(&self) -> Result<SqliteStore, HostError> {
        let path = store_path(self.store.as_deref(), Path::new("."))?;
        SqliteStore::open(&path, OpenMode::Inspect).map_err(|e| HostError {
            message: e.message,
            remedy: e.remedy,
        })
    }
}

/// The file of a store: as given, plainly or as `sqlite:FILE`, else beside the policy.
pub(super) fn store_path(given: Option<&str>, base: &Path) -> Result<PathBuf, HostError> {
    let Some(given) = given else {
        return Ok(base.join(FILE));
    };
    match given
        .split_once("://")
        .or_else(|| given.split_once("sqlite:").map(|(_, p)| ("sqlite", p)))
    {
        Some(("sqlite" | "file", path)) if !path.is_empty() => Ok(path.into()),
        None if !given.is_empty() => Ok(given.into()),
        _ => Err(HostError {
            message: format!("`{given}` is no store"),
            remedy: Some("name a file, as in `--store state.syncline.db`".to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::store_path;
    use std::path::Path;

    #[test]
    fn a_store_is_a_file_by_itself_or_as_a_url() {
        let base = Path::new("p");
        let path = |given| store_path(given, base).ok();
        assert_eq!(path(None).as_deref(), Some(Path::new("p/.syncline.db")));
        assert_eq!(path(Some("a.db")).as_deref(), Some(Path::new("a.db")));
        assert_eq!(
            path(Some("sqlite:a.db")).as_deref(),
            Some(Path::new("a.db"))
        );
        assert_eq!(
            path(Some("sqlite:///tmp/a.db")).as_deref(),
            Some(Path::new("/tmp/a.db"))
        );
        assert_eq!(path(Some("postgres://host/db")), None);
        assert_eq!(path(Some("")), None);
    }
}
