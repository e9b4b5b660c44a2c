//! `syncline runs`: the record of each run.

use super::failure::Exit;
use super::shell::Shell;
use super::store::StoreArgs;
use crate::engine::cause::on_one_line;
use crate::engine::ports::Store;
use crate::host::HostError;
use crate::render::outcome::{grouped, table};

/// Lists runs, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Only runs of this scenario
    #[arg(long, value_name = "SCENARIO")]
    only: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    let runs = args.store.open().and_then(|mut store| {
        store
            .runs(args.only.as_deref(), args.limit)
            .map_err(HostError::from_store)
    });
    let runs = match runs {
        Ok(runs) => runs,
        Err(error) => return shell.failure(&error),
    };
    if let Some(only) = args.only.as_deref().filter(|_| runs.is_empty()) {
        shell.note(&format!("no run of `{only}` is in the store; without `--only` the runs of every scenario are listed"));
    }
    if args.format == "json" {
        shell.print_json(&serde_json::json!({ "version": 1, "runs": runs }));
        return Exit::Clean;
    }
    let head = [
        "run",
        "scenario",
        "why",
        "started",
        "status",
        "took",
        "read",
        "changed",
        "duplicates",
        "quarantined",
        "written",
        "failed",
        "postponed",
        "note",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for run in &runs {
        let c = &run.counts;
        let took = run
            .ended
            .map_or("-".into(), |end| end.since(run.started).to_string());
        let mut row = vec![
            run.id.to_string(),
            run.scenario.clone(),
            run.why.clone(),
            run.started.to_string(),
            run.status.word().to_owned(),
            took,
        ];
        row.extend(
            [
                c.read,
                c.changed,
                c.deduplicated,
                c.quarantined,
                c.written,
                c.failed,
                c.postponed,
            ]
            .map(grouped),
        );
        row.push(on_one_line(run.note.as_deref().unwrap_or_default()).into_owned());
        rows.push(row);
    }
    shell.print(&table(&rows, 99));
    Exit::Clean
}
