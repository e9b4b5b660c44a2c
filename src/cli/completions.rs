//! `syncline completions`: completions for a shell.

use clap_complete::Shell;

use super::args;
use super::console::Console;
use super::failure::{Failure, Status};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &Args, console: &mut Console) -> Result<Status, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "syncline", &mut text);
    console.print(&String::from_utf8_lossy(&text))?;
    Ok(Status::Clean)
}
