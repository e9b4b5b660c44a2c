//! `syncline runs`: the record of each run.

use super::failure::Exit;
use super::shell::Shell;
use super::store::StoreArgs;
use crate::engine::cause::on_one_line;
use crate::engine::ports::{RunRecord, Store};
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
    shell.print(&text(&runs));
    Exit::Clean
}

/// A line a run. Only reconciles find drift: it has its column where some run did.
fn text(runs: &[RunRecord]) -> String {
    let drifted = runs.iter().any(|run| run.counts.drift > 0);
    let mut rows = vec![row(
        ["run", "scenario", "why", "started", "status", "took"],
        [
            "read",
            "changed",
            "duplicates",
            "quarantined",
            "written",
            "failed",
            "postponed",
        ],
        drifted.then_some("drift"),
        "note",
    )];
    for run in runs {
        let c = &run.counts;
        let took = run.ended.map(|end| end.since(run.started).to_string());
        let note = run.note.as_deref().unwrap_or_default();
        rows.push(row(
            [
                &run.id.to_string(),
                &run.scenario,
                &run.why,
                &run.started.to_string(),
                run.status.word(),
                took.as_deref().unwrap_or("-"),
            ],
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
            drifted.then(|| grouped(c.drift)),
            &on_one_line(note),
        ));
    }
    table(&rows, 99)
}

fn row<T: Into<String>>(
    which: [&str; 6],
    counts: [T; 7],
    drift: Option<T>,
    note: &str,
) -> Vec<String> {
    let mut row: Vec<String> = which.map(str::to_owned).into();
    row.extend(counts.into_iter().chain(drift).map(Into::into));
    row.push(note.to_owned());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: i64, drift: u64) -> RunRecord {
        let run = serde_json::json!({
            "id": id, "scenario": "sync", "why": "reconcile", "started": 0, "ended": 5000,
            "status": "done", "calls": {}, "cursor_before": {}, "cursor_after": {},
            "confirmed": null, "committed": null, "note": "a cause\nwords",
            "counts": {
                "read": 20, "changed": 0, "deduplicated": 0, "quarantined": 0, "written": 3,
                "failed": 0, "postponed": 0, "conflicts": 0, "drift": drift,
            },
        });
        serde_json::from_value(run).expect("every field is there")
    }

    /// The last cells of each line.
    fn ends(text: &str, cells: usize) -> Vec<Vec<&str>> {
        let lines = text.lines().map(|line| {
            let all: Vec<&str> = line.split("  ").map(str::trim).collect();
            let mut all: Vec<&str> = all.into_iter().filter(|cell| !cell.is_empty()).collect();
            all.split_off(all.len() - cells)
        });
        lines.collect()
    }

    #[test]
    fn drift_is_shown_where_a_run_found_any() {
        let text_of = |drift: &[u64]| {
            let runs: Vec<RunRecord> = drift.iter().map(|d| run(1, *d)).collect();
            text(&runs)
        };
        let with = text_of(&[0, 1_200]);
        let wanted = [
            ["postponed", "drift", "note"],
            ["0", "0", "a cause: words"],
            ["0", "1,200", "a cause: words"],
        ];
        assert_eq!(ends(&with, 3), wanted, "{with}");
        let without = text_of(&[0]);
        let wanted = [["postponed", "note"], ["0", "a cause: words"]];
        assert_eq!(ends(&without, 2), wanted, "{without}");
    }
}
