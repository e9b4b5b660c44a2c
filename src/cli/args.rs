//! The command line's shape; what each command takes stands in its own file.

use std::ffi::OsString;

use clap::{Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};

use super::{
    backfill, catalog, check, completions, conflicts, dead_letters, diff, estimate, events,
    explain, fmt, graph, init, man, optimize, pause, plan, report, resume, run, runs, simulate,
    status, suppressions, test, why,
};

/// Keep business data in step: check, plan and run sync policies.
#[derive(Debug, Parser)]
#[command(
    name = "syncline",
    bin_name = "syncline",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = EXIT_STATUSES
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands, and what `--help` says of the answers.
pub(super) const EXIT_STATUSES: &str = "\
Exit status:
  0  done and clean
  1  findings at error level, or another negative answer
  2  wrong usage, or input that cannot be read
  3  a system or store that cannot be reached, or a fault of Syncline's own";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Whether to use colours; `auto`: on a terminal, unless NO_COLOR or CLICOLOR_FORCE says
    /// otherwise
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t = When::Auto,
        hide_possible_values = true,
        help = "Colours: auto, always or never"
    )]
    pub color: When,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on standard error but what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Init(init::Args),
    Check(check::Args),
    Fmt(fmt::Args),
    Suppressions(suppressions::Args),
    Test(test::Args),
    Simulate(simulate::Args),
    Plan(plan::Args),
    Estimate(estimate::Args),
    Diff(diff::Args),
    Optimize(optimize::Args),
    Graph(graph::Args),
    Report(report::Args),
    /// Runs a plan, or compiles a policy first
    Run(run::Args),
    Status(status::Args),
    /// Lists runs, newest first
    Runs(runs::Args),
    DeadLetters(dead_letters::Args),
    Conflicts(conflicts::Args),
    Backfill(backfill::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Events(events::Args),
    /// Tells who won a record's fields, why, what lost, and what each system holds
    Why(why::Args),
    Explain(explain::Args),
    Catalog(catalog::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The whole command line, for help pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// What `--color` says before anything is parsed, so that complaints about the arguments keep to
/// it too.
pub(super) fn early_color(args: &[OsString]) -> ColorChoice {
    let mut words = args.iter().filter_map(|a| a.to_str());
    let mut choice = When::Auto;
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color") {
            Some("") => words.next().unwrap_or_default(),
            Some(value) => value.trim_start_matches('='),
            None if word == "--" => break,
            None => continue,
        };
        choice = When::from_str(value, false).unwrap_or(choice);
    }
    choice.into()
}
