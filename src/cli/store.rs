//! Which store a command works on.

use std::path::{Path, PathBuf};

use super::failure::Exit;
use super::shell::Shell;
use crate::engine::program::Program;
use crate::host::{HostError, remembered_plan};
use crate::plan::{Plan, Scenario};
use crate::store::{OpenMode, SqliteStore};
use crate::text::nearest;

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
    /// Opens it to change single things, whether or not a runner has it open, with the plan that
    /// it was last run with.
    pub fn operate(&self) -> Result<(SqliteStore, Program), HostError> {
        let path = store_path(self.store.as_deref(), Path::new("."))?;
        let mut store =
            SqliteStore::open(&path, OpenMode::Operate).map_err(HostError::from_store)?;
        let plan = remembered_plan(&mut store)?;
        let program = Program::new(plan).map_err(HostError::from_plan)?;
        Ok((store, program))
    }

    /// Opens it to look at, whether or not a runner has it open.
    pub fn open(&self) -> Result<SqliteStore, HostError> {
        let path = store_path(self.store.as_deref(), Path::new("."))?;
        SqliteStore::open(&path, OpenMode::Inspect).map_err(HostError::from_store)
    }
}

/// What a command was given wrong: nothing has been changed.
pub(super) fn wrong(message: String, remedy: Option<String>) -> (HostError, Exit) {
    (HostError { message, remedy }, Exit::Usage)
}

/// A store that could not be used.
pub(super) fn fault(error: HostError) -> (HostError, Exit) {
    (error, Exit::Unreachable)
}

/// Shows what a command did, or why it did not.
pub(super) fn told(done: Result<String, (HostError, Exit)>, shell: &mut Shell) -> Exit {
    match done {
        Ok(text) => {
            shell.print(&text);
            Exit::Clean
        }
        Err((error, exit)) => {
            shell.failure(&error);
            exit
        }
    }
}

/// The plan's scenario of that name.
pub(super) fn scenario<'p>(plan: &'p Plan, name: &str) -> Result<&'p Scenario, (HostError, Exit)> {
    let scenarios = || plan.scenarios.iter();
    scenarios().find(|s| s.name == name).ok_or_else(|| {
        let near = nearest(name, scenarios().map(|s| s.name.as_str()));
        wrong(
            format!("the plan has no scenario `{name}`"),
            near.map(|n| format!("did you mean `{n}`?")),
        )
    })
}

/// When what was asked for happens.
pub(super) const HEEDED: &str =
    "a runner that has the store open heeds it within a second, else the next `syncline run` does";

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
