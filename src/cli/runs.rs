//! `syncline runs`: the record of each run, and what one kept back.

use std::collections::{BTreeMap, BTreeSet};

use super::failure::Exit;
use super::shell::Shell;
use super::store::{StoreArgs, fault, told, wrong};
use crate::engine::cause::on_one_line;
use crate::engine::ports::{Quarantined, RunRecord, Store};
use crate::host::HostError;
use crate::render::outcome::{grouped, table};

/// Lists runs, newest first, or shows one
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// That run alone, with its calls and cursors and with each record that it kept back; 0: the
    /// messages kept back outside of any run
    #[arg(value_name = "RUN", conflicts_with = "only")]
    run: Option<i64>,
    /// Only runs of this scenario
    #[arg(long, value_name = "SCENARIO")]
    only: Option<String>,
    /// At most so many, of runs or of records that one kept back
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    if let Some(id) = args.run {
        return told(one(args, id), shell);
    }
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

/// One run with what it kept back.
fn one(args: &Args, id: i64) -> Result<String, (HostError, Exit)> {
    let mut store = args.store.open().map_err(fault)?;
    let failed = |e| fault(HostError::from_store(e));
    let run = store.run(id).map_err(failed)?;
    if run.is_none() && id != 0 {
        let see = "see `syncline runs`; 0 stands for what was kept back outside of any run";
        return Err(wrong(format!("there is no run {id}"), Some(see.into())));
    }
    let more = args.limit.saturating_add(1);
    let mut kept_back = store.quarantined(id, more).map_err(failed)?;
    let cut = kept_back.len() > args.limit;
    kept_back.truncate(args.limit);
    if args.format == "json" {
        let shown = serde_json::json!({ "version": 1, "run": run, "quarantined": kept_back });
        return Ok(format!("{shown:#}\n"));
    }
    let mut out = run.as_ref().map(of_run).unwrap_or_default();
    out.push_str(&records(&kept_back));
    if cut {
        let limit = args.limit;
        out.push_str(&format!("no more than {limit} are shown: see `--limit`\n"));
    }
    Ok(out)
}

fn of_run(run: &RunRecord) -> String {
    let mut rows = vec![
        ("run", run.id.to_string()),
        ("scenario", run.scenario.clone()),
        ("why", run.why.clone()),
        ("started", run.started.to_string()),
    ];
    let ended = run.ended.map(|end| (end, end.since(run.started)));
    rows.extend(ended.map(|(end, took)| ("ended", format!("{end}, after {took}"))));
    rows.push(("status", run.status.word().to_owned()));
    let c = &run.counts;
    let counts = [
        ("read", c.read),
        ("changed", c.changed),
        ("duplicates", c.deduplicated),
        ("quarantined", c.quarantined),
        ("written", c.written),
        ("failed", c.failed),
        ("postponed", c.postponed),
        ("conflicts", c.conflicts),
        ("drift", c.drift),
    ];
    let counts = counts.map(|(name, count)| format!("{} {name}", grouped(count)));
    rows.push(("records", counts.join(", ")));
    for (system, calls) in &run.calls {
        rows.push(("calls", format!("{} to `{system}`", grouped(*calls))));
    }
    let sources = run.cursor_before.keys().chain(run.cursor_after.keys());
    for source in sources.collect::<BTreeSet<_>>() {
        let at = |cursors: &BTreeMap<String, String>| match cursors.get(source) {
            Some(cursor) => format!("`{cursor}`"),
            None => "none".to_owned(),
        };
        let (before, after) = (at(&run.cursor_before), at(&run.cursor_after));
        rows.push((
            "cursor",
            format!("{source}: {before} before, {after} after"),
        ));
    }
    let note = run.note.as_deref().map(on_one_line);
    rows.extend(note.map(|note| ("note", note.into_owned())));
    let lines = rows
        .iter()
        .map(|(name, value)| format!("{name:<9} {value}\n"));
    lines.collect()
}

/// Records that were kept back, a line each: the table `quarantine` has all of each.
fn records(kept_back: &[Quarantined]) -> String {
    if kept_back.is_empty() {
        return "nothing was kept back\n".to_owned();
    }
    let mut rows = vec![["kept back", "from", "why"].map(str::to_owned).to_vec()];
    for record in kept_back {
        let name = match (&*record.entity, &*record.key) {
            ("", "") => "a message".to_owned(),
            ("", key) => key.to_owned(),
            (entity, key) => format!("{entity}:{key}"),
        };
        let why = on_one_line(&record.reason).into_owned();
        rows.push(vec![name, record.system.clone(), why]);
    }
    table(&rows, 99)
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
