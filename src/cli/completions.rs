//! `syncline completions`: completions for a shell.

use clap_complete::Shell as For;

use super::args;
use super::failure::{Exit, Failure};
use super::shell::Shell;

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: For,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "syncline", &mut text);
    shell.print(&String::from_utf8_lossy(&text));
    Ok(Exit::Clean)
}
