//! The command line: typed arguments, what they mean, one library call, a form to show it in.
//!
//! Rank 11. May use everything. One file for each command; [`policy`] finds, reads and checks what
//! PATHs name; [`console`] is the only way to the terminal; [`failure`] maps every trouble to a
//! message and an exit status, once.

mod args;
mod baseline;
mod catalog;
mod check;
mod completions;
mod console;
mod diff;
mod disk;
mod explain;
mod failure;
mod fix;
mod init;
mod man;
mod plan;
mod policy;
mod reference;

pub use args::command;
pub use reference::markdown as reference;

use std::ffi::OsString;
use std::io::Write;

use clap::{ColorChoice, FromArgMatches};

use args::{Cli, Command};
use console::Console;
use failure::{Failure, Status};

/// Runs the program on its arguments (the first is its own name) and gives its exit status.
pub fn main(args: impl Iterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.collect();
    let choice = args::early_color(&args);
    let matches = match command().color(choice).try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => {
            // Nobody may be left to read it.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return 2;
        }
    };
    let mut console = Console::new(&cli.global);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let done = dispatch(&cli.command, &mut console);
        done.and_then(|status| console.finish().map(|()| status))
    }));
    match done {
        Ok(Ok(status)) => status.code(),
        Ok(Err(failure)) => {
            console.fail(&failure);
            failure.code()
        }
        Err(_) => {
            let plea = "this is a fault of Syncline's own, not of your policy; please report it \
                        with the lines above and, if you can, the policy";
            let _ = writeln!(std::io::stderr(), "{plea}");
            3
        }
    }
}

fn dispatch(command: &Command, console: &mut Console) -> Result<Status, Failure> {
    match command {
        Command::Init(args) => init::run(args, console),
        Command::Check(args) => check::run(args, console),
        Command::Plan(args) => plan::run(args, console),
        Command::Explain(args) => explain::run(args, console),
        Command::Catalog(args) => catalog::run(args, console),
        Command::Completions(args) => completions::run(args, console),
        Command::Man(args) => man::run(args, console),
    }
}

/// What `--color` says as clap wants it.
impl From<args::When> for ColorChoice {
    fn from(when: args::When) -> Self {
        match when {
            args::When::Auto => ColorChoice::Auto,
            args::When::Always => ColorChoice::Always,
            args::When::Never => ColorChoice::Never,
        }
    }
}
