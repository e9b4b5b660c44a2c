//! `syncline status`: how a store stands, whether or not a runner has it open.

use std::collections::BTreeMap;

use super::failure::Exit;
use super::shell::Shell;
use super::store::StoreArgs;
use crate::engine::decide;
use crate::engine::freshness::ages;
use crate::engine::ports::Store;
use crate::engine::program::Program;
use crate::host::{HostError, now, remembered_plan};
use crate::render::outcome::{grouped, table};

/// Show how a store stands: last runs, what waits, dead letters, ages against their bounds
///
/// Ends with status 1 where there are dead letters. What moves by event, and what the outbox sends
/// later, belongs to no run: runs count what they read and wrote themselves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    match text(args) {
        Ok((text, exit)) => {
            shell.print(&text);
            exit
        }
        Err(error) => shell.failure(&error),
    }
}

fn text(args: &Args) -> Result<(String, Exit), HostError> {
    let mut store = args.store.open()?;
    let plan = remembered_plan(&mut store)?;
    let program = Program::new(plan).map_err(HostError::from_plan)?;
    let fail = HostError::from_store;
    let mut rows = vec![
        [
            "scenario",
            "mode",
            "last run",
            "status",
            "read",
            "quarantined",
            "written",
            "failed",
            "note",
        ]
        .map(String::from)
        .to_vec(),
    ];
    for scenario in &program.plan.scenarios {
        let last = store.runs(Some(&scenario.name), 1).map_err(fail)?;
        let mut row = vec![scenario.name.clone(), scenario.mode.text.clone()];
        match last.first() {
            Some(run) => row.extend([
                run.started.to_string(),
                run.status.word().to_owned(),
                grouped(run.counts.read),
                grouped(run.counts.quarantined),
                grouped(run.counts.written),
                grouped(run.counts.failed),
                run.note.clone().unwrap_or_default(),
            ]),
            None if scenario.mode.realtime && scenario.mode.schedule.is_none() => {
                row.extend(["-", "by event", "", "", "", "", ""].map(String::from));
            }
            None => row.extend(["never", "", "", "", "", "", ""].map(String::from)),
        }
        rows.push(row);
    }
    let mut out = format!(
        "policy {} ({})\n\n",
        program.plan.policy, program.plan.digest
    );
    out.push_str(&table(&rows, 99));
    let waiting: BTreeMap<String, u64> = store
        .waiting_counts()
        .map_err(fail)?
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .collect();
    for (system, count) in &waiting {
        let waits = counted(*count, "write waits", "writes wait");
        out.push_str(&format!("\n{waits} for `{system}`"));
    }
    for scenario in &program.plan.scenarios {
        let name = &scenario.name;
        if let Some(since) = decide::paused_since(&mut store, name).map_err(fail)? {
            out.push_str(&format!("\n`{name}` is paused since {since}"));
        }
        let owed = store.owed(name).map_err(fail)?.len() as u64;
        if owed > 0 {
            let owed = counted(owed, "record waits", "records wait");
            out.push_str(&format!("\n{owed} for the next run of `{name}`"));
        }
        if let Some(asked) = decide::backfill_asked(&mut store, name).map_err(fail)? {
            out.push_str(&format!(
                "\n`{name}` is to be backfilled, asked for at {asked}"
            ));
        }
    }
    let conflicts = store.conflicts().map_err(fail)?.len();
    if conflicts > 0 {
        let conflicts = counted(conflicts as u64, "conflict waits", "conflicts wait");
        out.push_str(&format!("\n{conflicts} for a person"));
    }
    let letters = store.dead_letters().map_err(fail)?.len();
    let pending = store.pending_events(usize::MAX).map_err(fail)?.len();
    out.push_str(&format!(
        "\n{}, {} to be worked on\n",
        counted(letters as u64, "dead letter", "dead letters"),
        counted(pending as u64, "event", "events")
    ));
    let ages = ages(&program, &mut store, now(), false).map_err(fail)?;
    if !ages.is_empty() {
        let mut rows = vec![
            ["field", "in", "age", "bound", ""]
                .map(String::from)
                .to_vec(),
        ];
        for age in &ages {
            rows.push(vec![
                age.field.clone(),
                age.system.clone(),
                age.age.map_or("never arrived".into(), |a| a.to_string()),
                age.within.to_string(),
                if age.holds() {
                    "ok".into()
                } else {
                    "TOO OLD".into()
                },
            ]);
        }
        out.push('\n');
        out.push_str(&table(&rows, 99));
    }
    let exit = if letters > 0 {
        Exit::Findings
    } else {
        Exit::Clean
    };
    Ok((out, exit))
}

/// A number with its word.
fn counted(number: u64, one: &str, several: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { several }
    )
}
