//! `syncline man`: the manual page.

use super::args;
use super::failure::{Exit, Failure};
use super::shell::Shell;

/// Print the manual page, in roff.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The command whose page to print; default: Syncline's own
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let mut command = args::command();
    command.build();
    if let Some(name) = &args.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| Failure::input(format!("there is no command `{name}`")))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|e| Failure::own(format!("the manual page cannot be made: {e}")))?;
    shell.print(&String::from_utf8_lossy(&page));
    Ok(Exit::Clean)
}
