//! `syncline pause`: nothing of a scenario starts or goes out until it is resumed.

use super::failure::Exit;
use super::shell::Shell;
use super::store::{HEEDED, StoreArgs, fault, scenario, told};
use crate::engine::decide;
use crate::host::{HostError, now};

/// Pause a scenario
///
/// Nothing of it starts or goes out until `syncline resume`; a run under way stands still. Events
/// are still taken in: what they change waits as one write a record, however often it changes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    told(pause(args), shell)
}

fn pause(args: &Args) -> Result<String, (HostError, Exit)> {
    let (mut store, program) = args.store.operate().map_err(fault)?;
    let name = &scenario(&program.plan, &args.scenario)?.name;
    let stored = |e| fault(HostError::from_store(e));
    Ok(
        match decide::pause(&mut store, name, now()).map_err(stored)? {
            true => format!("`{name}` is paused: {HEEDED}\n"),
            false => {
                let since = decide::paused_since(&mut store, name).map_err(stored)?;
                let since = since.map_or(String::new(), |at| format!(" since {at}"));
                format!("`{name}` is paused{since} already\n")
            }
        },
    )
}
