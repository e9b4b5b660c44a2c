//! `syncline init`: a small policy to start from.

use std::fs;
use std::path::{Path, PathBuf};

use super::disk;
use super::failure::{Exit, Failure};
use super::shell::Shell;

/// Begin a policy: a small working one with sample data, ready for `syncline run`.
///
/// Overwrites nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where; default: the current directory
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
}

/// What is written: names relative to the directory, and texts.
const FILES: &[(&str, &str)] = &[
    ("policy.sync", include_str!("init/policy.sync")),
    ("data/crm/contacts.csv", include_str!("init/crm.csv")),
    ("data/mailer/contacts.csv", include_str!("init/mailer.csv")),
];

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let directory = &args.directory;
    for (name, _) in FILES {
        let path = directory.join(name);
        if path.symlink_metadata().is_ok() {
            let shown = path.strip_prefix(".").unwrap_or(&path).display();
            let failure = Failure::input(format!("`{shown}` is there already"));
            return Err(failure.help("name an empty directory: nothing is overwritten"));
        }
    }
    for (name, text) in FILES {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            make(parent)?;
        }
        disk::write(&path, text)?;
        shell.print(&format!(
            "{}\n",
            path.strip_prefix(".").unwrap_or(&path).display()
        ));
    }
    let enter = if directory == Path::new(".") {
        String::new()
    } else {
        format!("cd {} && ", directory.display())
    };
    shell.note(&format!(
        "next: {enter}syncline check, syncline plan --format human, syncline run --until-idle"
    ));
    Ok(Exit::Clean)
}

fn make(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory)
        .map_err(|e| Failure::input(format!("`{}` cannot be made: {e}", directory.display())))
}
