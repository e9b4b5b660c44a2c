//! `syncline status`: how a store stands, whether or not a runner has it open.

use std::collections::BTreeMap;

use super::failure::Exit;
use super::shell::Shell;
use super::store::StoreArgs;
use crate::engine::cause::on_one_line;
use crate::engine::decide;
use crate::engine::freshness::{Age, ages};
use crate::engine::ports::{RunRecord, Store};
use crate::engine::program::Program;
use crate::host::{HostError, now, remembered_plan};
use crate::render::outcome::{grouped, table};
use crate::time::Instant;

/// Show how a store stands: last runs, what waits, dead letters, ages against their bounds
///
/// Ends with status 1 where there are dead letters. What moves by event, and what the outbox sends
/// later, belongs to no run: runs count what they read and wrote themselves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    let standing = match look(args) {
        Ok(standing) => standing,
        Err(error) => return shell.failure(&error),
    };
    match args.format.as_str() {
        "json" => match serde_json::to_value(&standing) {
            Ok(shown) => shell.print_json(&shown),
            // Plain numbers and texts always become JSON.
            Err(_) => return Exit::Unreachable,
        },
        _ => shell.print(&text(&standing)),
    }
    match standing.dead_letters {
        0 => Exit::Clean,
        _ => Exit::Findings,
    }
}

/// How a store stands.
#[derive(serde::Serialize)]
struct Standing {
    version: u32,
    policy: String,
    digest: String,
    /// In the plan's order.
    scenarios: Vec<ScenarioStanding>,
    /// Systems that wait for a person to mend something, in the plan's order.
    paused_systems: Vec<PausedSystem>,
    /// Systems that failed too often in a row and are tried again now and then, in the plan's order.
    down_systems: Vec<DownSystem>,
    /// Writes that wait, by system; only where there are any.
    waiting: BTreeMap<String, u64>,
    conflicts: u64,
    dead_letters: u64,
    /// Events that are durable and not yet worked on.
    events: u64,
    /// Events whose content was kept back.
    kept_back: u64,
    ages: Vec<AgeStanding>,
}

#[derive(serde::Serialize)]
struct ScenarioStanding {
    name: String,
    mode: String,
    /// Whether it moves by events alone, so that it has no runs.
    by_event: bool,
    last_run: Option<RunRecord>,
    paused_since: Option<Instant>,
    /// Records that wait for its next run.
    owed: u64,
    backfill_asked: Option<Instant>,
}

#[derive(serde::Serialize)]
struct PausedSystem {
    name: String,
    paused_since: Instant,
    error: String,
}

#[derive(serde::Serialize)]
struct DownSystem {
    name: String,
    down_since: Instant,
    error: String,
}

#[derive(serde::Serialize)]
struct AgeStanding {
    #[serde(flatten)]
    age: Age,
    holds: bool,
}

fn look(args: &Args) -> Result<Standing, HostError> {
    let mut store = args.store.open()?;
    let plan = remembered_plan(&mut store)?;
    let program = Program::new(plan).map_err(HostError::from_plan)?;
    let fail = HostError::from_store;
    let mut scenarios = Vec::new();
    for scenario in &program.plan.scenarios {
        let name = &scenario.name;
        let last = store.runs(Some(name), 1).map_err(fail)?;
        scenarios.push(ScenarioStanding {
            name: name.clone(),
            mode: scenario.mode.text.clone(),
            by_event: scenario.mode.realtime && scenario.mode.schedule.is_none(),
            last_run: last.into_iter().next(),
            paused_since: decide::paused_since(&mut store, name).map_err(fail)?,
            owed: store.owed(name).map_err(fail)?.len() as u64,
            backfill_asked: decide::backfill_asked(&mut store, name).map_err(fail)?,
        });
    }
    let (mut paused_systems, mut down_systems) = (Vec::new(), Vec::new());
    for system in &program.plan.systems {
        let paused = decide::system_paused(&mut store, &system.name).map_err(fail)?;
        paused_systems.extend(paused.map(|(paused_since, error)| PausedSystem {
            name: system.name.clone(),
            paused_since,
            error,
        }));
        let down = decide::system_down(&mut store, &system.name).map_err(fail)?;
        down_systems.extend(down.map(|(down_since, error)| DownSystem {
            name: system.name.clone(),
            down_since,
            error,
        }));
    }
    let waiting = store.waiting_counts().map_err(fail)?;
    let ages = ages(&program, &mut store, now(), false).map_err(fail)?;
    let ages = ages.into_iter().map(|age| AgeStanding {
        holds: age.holds(),
        age,
    });
    Ok(Standing {
        version: 1,
        policy: program.plan.policy.clone(),
        digest: program.plan.digest.clone(),
        scenarios,
        paused_systems,
        down_systems,
        waiting: waiting.into_iter().filter(|(_, n)| *n > 0).collect(),
        conflicts: store.conflicts().map_err(fail)?.len() as u64,
        dead_letters: store.dead_letters().map_err(fail)?.len() as u64,
        events: store.pending_events(usize::MAX).map_err(fail)?.len() as u64,
        // No run has the number 0: what was kept back of it came by event.
        kept_back: store.quarantined(0, usize::MAX).map_err(fail)?.len() as u64,
        ages: ages.collect(),
    })
}

fn text(standing: &Standing) -> String {
    let head = [
        "scenario",
        "mode",
        "last run",
        "status",
        "read",
        "quarantined",
        "written",
        "failed",
        "postponed",
        "note",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for scenario in &standing.scenarios {
        let mut row = vec![scenario.name.clone(), scenario.mode.clone()];
        match &scenario.last_run {
            Some(run) => {
                row.extend([run.started.to_string(), run.status.word().to_owned()]);
                let c = &run.counts;
                let counts = [c.read, c.quarantined, c.written, c.failed, c.postponed];
                row.extend(counts.map(grouped));
                row.push(on_one_line(run.note.as_deref().unwrap_or_default()).into_owned());
            }
            None if scenario.by_event => {
                row.extend(["-", "by event", "", "", "", "", "", ""].map(String::from));
            }
            None => row.extend(["never", "", "", "", "", "", "", ""].map(String::from)),
        }
        rows.push(row);
    }
    let mut out = format!("policy {} ({})\n\n", standing.policy, standing.digest);
    out.push_str(&table(&rows, 99));
    for system in &standing.paused_systems {
        let (name, since) = (&system.name, system.paused_since);
        out.push_str(&format!(
            "\n`{name}` is paused since {since}: {}",
            on_one_line(&system.error)
        ));
    }
    for system in &standing.down_systems {
        let (name, since) = (&system.name, system.down_since);
        out.push_str(&format!(
            "\n`{name}` is taken to be down since {since} and tried again now and then: {}",
            on_one_line(&system.error)
        ));
    }
    for (system, count) in &standing.waiting {
        let waits = counted(*count, "write waits", "writes wait");
        out.push_str(&format!("\n{waits} for `{system}`"));
    }
    for scenario in &standing.scenarios {
        let name = &scenario.name;
        if let Some(since) = scenario.paused_since {
            out.push_str(&format!("\n`{name}` is paused since {since}"));
        }
        if scenario.owed > 0 {
            let owed = counted(scenario.owed, "record waits", "records wait");
            out.push_str(&format!("\n{owed} for the next run of `{name}`"));
        }
        if let Some(asked) = scenario.backfill_asked {
            out.push_str(&format!(
                "\n`{name}` is to be backfilled, asked for at {asked}"
            ));
        }
    }
    if standing.conflicts > 0 {
        let conflicts = counted(standing.conflicts, "conflict waits", "conflicts wait");
        out.push_str(&format!("\n{conflicts} for a person"));
    }
    if standing.kept_back > 0 {
        let events = counted(standing.kept_back, "event was", "events were");
        out.push_str(&format!("\n{events} kept back: `syncline runs 0` says why"));
    }
    out.push_str(&format!(
        "\n{}, {} to be worked on\n",
        counted(standing.dead_letters, "dead letter", "dead letters"),
        counted(standing.events, "event", "events")
    ));
    if !standing.ages.is_empty() {
        let head = ["field", "in", "age", "bound", ""];
        let mut rows = vec![head.map(String::from).to_vec()];
        for AgeStanding { age, holds } in &standing.ages {
            rows.push(vec![
                age.field.clone(),
                age.system.clone(),
                age.age.map_or("never arrived".into(), |a| a.to_string()),
                age.within.to_string(),
                if *holds { "ok" } else { "TOO OLD" }.into(),
            ]);
        }
        out.push('\n');
        out.push_str(&table(&rows, 99));
    }
    out
}

/// A number with its word.
fn counted(number: u64, one: &str, several: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { several }
    )
}
