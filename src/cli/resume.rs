//! `syncline resume`: lets a paused scenario go on, or a system that is paused or down be tried at once.

use super::failure::Exit;
use super::shell::Shell;
use super::store::{HEEDED, StoreArgs, fault, scenario, told, wrong};
use crate::engine::decide;
use crate::host::{HostError, now};
use crate::text::nearest;

/// Let a paused scenario go on, or a system that is paused or down be tried at once
///
/// What waits goes out, and a start that was missed meanwhile is made up once. A system that
/// refused its credentials is paused by itself, one that failed too often in a row is taken to be
/// down; both are tried again now and then. Once that is mended, `--system` has it tried at once.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["scenario", "system"])))]
pub(super) struct Args {
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    scenario: Option<String>,
    /// A system that `status` lists as paused or down
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    told(resume(args), shell)
}

fn resume(args: &Args) -> Result<String, (HostError, Exit)> {
    let (mut store, program) = args.store.operate().map_err(fault)?;
    if let Some(system) = &args.system {
        if program.system(system).is_none() {
            let all = program.plan.systems.iter().map(|s| s.name.as_str());
            let near = nearest(system, all).map(|n| format!("did you mean `{n}`?"));
            return Err(wrong(format!("the plan has no system `{system}`"), near));
        }
        let resumed = decide::resume(&mut store, system, now())
            .map_err(|e| fault(HostError::from_store(e)))?;
        return Ok(match resumed {
            true => format!("`{system}` is tried again: {HEEDED}\n"),
            false => format!("`{system}` is neither paused nor down\n"),
        });
    }
    // The parser wants one of both.
    let name = args.scenario.as_deref().unwrap_or_default();
    let name = &scenario(&program.plan, name)?.name;
    let resumed =
        decide::unpause(&mut store, name, now()).map_err(|e| fault(HostError::from_store(e)))?;
    Ok(match resumed {
        true => format!("`{name}` goes on: {HEEDED}\n"),
        false => format!("`{name}` is not paused\n"),
    })
}
