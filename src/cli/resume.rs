//! `syncline resume`: lets a paused scenario go on.

use super::failure::Exit;
use super::shell::Shell;
use super::store::{HEEDED, StoreArgs, failed, fault, scenario};
use crate::engine::decide;
use crate::host::{HostError, now};

/// Let a paused scenario go on
///
/// What waits goes out, and a start that was missed meanwhile is made up once.
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
    match resume(args) {
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

fn resume(args: &Args) -> Result<String, (HostError, Exit)> {
    let (mut store, program) = args.store.operate().map_err(fault)?;
    let name = &scenario(&program, &args.scenario)?.name;
    let resumed = decide::unpause(&mut store, name, now()).map_err(|e| fault(failed(e)))?;
    Ok(match resumed {
        true => format!("`{name}` goes on: {HEEDED}\n"),
        false => format!("`{name}` is not paused\n"),
    })
}
