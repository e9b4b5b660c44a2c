//! The command line: typed arguments, what they mean, one library call, a form to show it in.
//!
//! Rank 11. May use everything. One file for each command; [`policy`] finds, reads and checks what
//! PATHs name; [`shell`] is the only way to the terminal; [`failure`] maps every trouble to a
//! message and an exit status, once.

mod args;
mod backfill;
mod baseline;
mod blame;
mod catalog;
mod check;
mod completions;
mod conflicts;
mod dead_letters;
mod diff;
mod disk;
mod estimate;
mod events;
mod explain;
mod failure;
mod fix;
mod fmt;
mod git;
mod graph;
mod init;
mod log;
mod man;
mod optimize;
mod pause;
mod plan;
mod policy;
mod reference;
mod report;
mod resume;
mod rules;
mod run;
mod runs;
mod shell;
mod simulate;
mod status;
mod store;
mod suppressions;
mod test;
mod unified;
mod why;

pub use args::command;
pub use reference::markdown as reference;
pub use run::Bar;

use std::ffi::OsString;
use std::io::Write;

use clap::{ColorChoice, FromArgMatches};

use args::{Cli, Command};
use failure::{Exit, Failure};
use shell::Shell;

/// Runs the program on its arguments (the first is its own name) and gives its exit status.
pub fn main(args: impl Iterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.collect();
    let choice = args::early_color(&args);
    let matches = match command().color(choice).try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => return said(&error).code(),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return said(&error).code(),
    };
    let mut shell = Shell::new(&cli.global);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let done = dispatch(&cli.command, &mut shell);
        done.and_then(|exit| shell.finish().map(|()| exit))
            .unwrap_or_else(|failure| shell.fail(&failure))
    }));
    match done {
        Ok(exit) => exit.code(),
        Err(_) => {
            let plea = "this is a fault of Syncline's own, not of your policy; please report it \
                        with the lines above and, if you can, the policy";
            let _ = writeln!(std::io::stderr(), "{plea}");
            Exit::Unreachable.code()
        }
    }
}

/// Prints clap's own answer: help, the version, or what is wrong with the arguments.
fn said(error: &clap::Error) -> Exit {
    // Nobody may be left to read it.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Clean
    }
}

fn dispatch(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(args, shell),
        Command::Check(args) => check::run(args, shell),
        Command::Fmt(args) => fmt::run(args, shell),
        Command::Events(args) => events::run(args, shell),
        Command::Suppressions(args) => suppressions::run(args, shell),
        Command::Plan(args) => plan::run(args, shell),
        Command::Estimate(args) => estimate::run(args, shell),
        Command::Diff(args) => diff::run(args, shell),
        Command::Optimize(args) => optimize::run(args, shell),
        Command::Test(args) => test::run(args, shell),
        Command::Simulate(args) => simulate::run(args, shell),
        Command::Graph(args) => graph::run(args, shell),
        Command::Report(args) => report::run(args, shell),
        Command::Run(args) => Ok(run::run(args, shell)),
        Command::Status(args) => Ok(status::run(args, shell)),
        Command::Runs(args) => Ok(runs::run(args, shell)),
        Command::DeadLetters(args) => Ok(dead_letters::run(args, shell)),
        Command::Conflicts(args) => Ok(conflicts::run(args, shell)),
        Command::Backfill(args) => Ok(backfill::run(args, shell)),
        Command::Pause(args) => Ok(pause::run(args, shell)),
        Command::Resume(args) => Ok(resume::run(args, shell)),
        Command::Why(args) => Ok(why::run(args, shell)),
        Command::Explain(args) => explain::run(args, shell),
        Command::Catalog(args) => catalog::run(args, shell),
        Command::Completions(args) => completions::run(args, shell),
        Command::Man(args) => man::run(args, shell),
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
