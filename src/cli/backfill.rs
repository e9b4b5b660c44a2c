//! `syncline backfill`: has a scenario read everything anew.

use super::failure::Exit;
use super::shell::Shell;
use super::store::{HEEDED, StoreArgs, fault, scenario, told, wrong};
use crate::engine::decide;
use crate::host::{HostError, now};

/// Have a scenario read all that its sources and destinations hold and write what differs
///
/// Cursors are left aside for this one run. A scenario by event gets what was there before it.
/// What a destination that can be read holds is read, whatever was written there before; nothing is
/// written that it holds already. Checkpoints and limits hold as always.
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
    told(backfill(args), shell)
}

fn backfill(args: &Args) -> Result<String, (HostError, Exit)> {
    let (mut store, program) = args.store.operate().map_err(fault)?;
    let plan = scenario(&program.plan, &args.scenario)?;
    let name = &plan.name;
    let can_be_read = |system: &str| {
        let found = program.plan.systems.iter().find(|s| s.name == system);
        found.is_some_and(|s| s.capabilities.read)
    };
    let sources: Vec<&str> = plan.routes.iter().map(|r| r.from.as_str()).collect();
    if !sources.is_empty() && !sources.iter().any(|s| can_be_read(s)) {
        let first = sources.first().copied().unwrap_or_default();
        return Err(wrong(
            format!("`{first}`, from which `{name}` takes its records, cannot be read"),
            Some("have its sender deliver the events once more".into()),
        ));
    }
    let stored = |e| fault(HostError::from_store(e));
    decide::backfill(&mut store, name, now()).map_err(stored)?;
    let paused = decide::paused_since(&mut store, name).map_err(stored)?;
    let after = match paused {
        Some(_) => format!(", once `syncline resume {name}` lets it go on"),
        None => String::new(),
    };
    Ok(format!(
        "`{name}` is to read everything anew{after}: {HEEDED}\n"
    ))
}
