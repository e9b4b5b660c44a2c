//! What a run came to, for a person: per scenario, per system, per field, and where to look next.

use std::fmt::Write;
use std::path::Path;

use crate::engine::cause::on_one_line;
use crate::host::Outcome;
use crate::plan::Plan;

/// The summary of a run.
pub fn human(plan: &Plan, outcome: &Outcome, store: &Path) -> String {
    let mut out = String::new();
    scenarios(&mut out, plan, outcome);
    conflicts(&mut out, outcome);
    calls(&mut out, plan, outcome);
    freshness(&mut out, outcome);
    troubles(&mut out, outcome);
    next(&mut out, plan, outcome, store);
    out
}

fn line(out: &mut String, text: impl std::fmt::Display) {
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn scenarios(out: &mut String, plan: &Plan, outcome: &Outcome) {
    let mut rows = vec![
        [
            "scenario",
            "mode",
            "read",
            "changed",
            "duplicates",
            "quarantined",
            "written",
            "failed",
            "conflicts",
            "drift",
        ]
        .map(String::from)
        .to_vec(),
    ];
    for (name, tally) in &outcome.scenarios {
        let mode = plan
            .scenarios
            .iter()
            .find(|s| s.name == *name)
            .map_or("", |s| &s.mode.text);
        let c = &tally.counts;
        let mut row = vec![name.clone(), mode.to_owned()];
        row.extend(
            [
                c.read,
                c.changed,
                c.deduplicated,
                c.quarantined,
                c.written,
                c.failed,
                c.conflicts,
                c.drift,
            ]
            .map(grouped),
        );
        rows.push(row);
    }
    out.push_str(&table(&rows, 2));
}

fn conflicts(out: &mut String, outcome: &Outcome) {
    let mut rows = vec![
        ["scenario", "field", "winner", "times"]
            .map(String::from)
            .to_vec(),
    ];
    for (name, tally) in &outcome.scenarios {
        for ((field, winner), times) in &tally.winners {
            let winner = winner.clone().unwrap_or_else(|| "held for a person".into());
            rows.push(vec![name.clone(), field.clone(), winner, grouped(*times)]);
        }
    }
    if rows.len() > 1 {
        line(out, "\nConflicts and who won");
        out.push_str(&table(&rows, 3));
    }
}

fn calls(out: &mut String, plan: &Plan, outcome: &Outcome) {
    let mut rows = vec![["system", "connector", "calls"].map(String::from).to_vec()];
    for system in &plan.systems {
        let of = |t: &crate::engine::runner::Tally| t.calls.get(&system.name).copied();
        let total: u64 = outcome.scenarios.iter().filter_map(|(_, t)| of(t)).sum();
        rows.push(vec![
            system.name.clone(),
            system.connector.clone(),
            grouped(total),
        ]);
    }
    line(out, "\nCalls by system");
    out.push_str(&table(&rows, 2));
}

fn freshness(out: &mut String, outcome: &Outcome) {
    if outcome.ages.is_empty() {
        return;
    }
    let mut rows = vec![
        ["field", "in", "age", "bound", ""]
            .map(String::from)
            .to_vec(),
    ];
    for age in &outcome.ages {
        let (shown, verdict) = match age.age {
            Some(_) if age.holds() => (age_text(age.age), "ok"),
            Some(_) => (age_text(age.age), "TOO OLD"),
            None => ("never arrived".to_owned(), "TOO OLD"),
        };
        rows.push(vec![
            age.field.clone(),
            age.system.clone(),
            shown,
            age.within.to_string(),
            verdict.to_owned(),
        ]);
    }
    line(out, "\nAge of each field against its bound");
    out.push_str(&table(&rows, 5));
}

/// Ages are shown in whole seconds: the bound's unit is never finer.
fn age_text(age: Option<crate::time::Millis>) -> String {
    let age = age.unwrap_or_default();
    if age.0 < 1_000 {
        "under 1s".into()
    } else {
        crate::time::Millis(age.0 / 1_000 * 1_000).to_string()
    }
}

fn troubles(out: &mut String, outcome: &Outcome) {
    for (scenario, tally) in &outcome.scenarios {
        for note in &tally.notes {
            let note = on_one_line(note);
            line(out, format_args!("\n`{scenario}` did not finish: {note}"));
        }
    }
    for (scenario, tally) in &outcome.scenarios {
        for hint in &tally.hints {
            line(out, format_args!("\n`{scenario}`: {}", on_one_line(hint)));
        }
    }
    for remark in &outcome.remarks {
        line(out, format_args!("\n{remark}"));
    }
    for (system, error) in &outcome.troubles {
        // A run that did not finish for the same has said so.
        let mut notes = outcome.scenarios.iter().flat_map(|(_, t)| &t.notes);
        if notes.any(|note| note.contains(error)) {
            continue;
        }
        line(
            out,
            format_args!("\n`{system}` failed: {}", on_one_line(error)),
        );
    }
    for (system, waiting) in outcome.waiting.iter().filter(|(_, n)| *n > 0) {
        line(
            out,
            match *waiting {
                1 => format!("1 write waits for `{system}`"),
                n => format!("{} writes wait for `{system}`", grouped(n)),
            },
        );
    }
    if !outcome.dead_letters.is_empty() {
        line(
            out,
            format_args!(
                "\n{}",
                match outcome.dead_letters.len() {
                    1 => "1 dead letter".to_owned(),
                    n => format!("{} dead letters", grouped(n as u64)),
                }
            ),
        );
        for letter in outcome.dead_letters.iter().take(5) {
            let (entity, key) = (&letter.entity, &letter.key);
            line(
                out,
                format_args!(
                    "  {entity}:{key} into `{}`: {}",
                    letter.system,
                    on_one_line(&letter.error)
                ),
            );
        }
    }
}

fn next(out: &mut String, plan: &Plan, outcome: &Outcome, store: &Path) {
    let store = store.display();
    line(out, "\nWhere to look next");
    line(out, format_args!("  syncline runs --store {store}"));
    // The entity that most routes carry is the one that people ask about.
    let routes = |name: &str| {
        let all = plan.scenarios.iter().flat_map(|s| &s.routes);
        all.filter(|r| r.entity == name).count()
    };
    if let Some(entity) = plan.entities.iter().rev().max_by_key(|e| routes(&e.name)) {
        line(
            out,
            format_args!("  syncline why {}:KEY --store {store}", entity.name),
        );
    }
    let kept_back = outcome.kept_back > 0
        || outcome
            .scenarios
            .iter()
            .any(|(_, t)| t.counts.quarantined > 0);
    if kept_back {
        line(
            out,
            format_args!(
                "  sqlite3 {store} \"select reason, count(*) from quarantine group by reason\""
            ),
        );
    }
    for (scenario, tally) in &outcome.scenarios {
        let by_event = plan
            .scenarios
            .iter()
            .any(|s| s.name == *scenario && s.mode.realtime);
        if tally.counts.quarantined > 0 && !by_event {
            line(
                out,
                format_args!(
                    "  syncline backfill {scenario} --store {store}   # once they are mended"
                ),
            );
        }
    }
    if !outcome.dead_letters.is_empty() {
        line(
            out,
            format_args!("  syncline dead-letters list --store {store}"),
        );
    }
}

/// `12,345`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Columns side by side under a header; from the column `numbers` on they are flush right.
pub fn table(rows: &[Vec<String>], numbers: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|r| r.get(column))
            .map(|c| c.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut text = String::from("  ");
        for (i, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[i].saturating_sub(cell.chars().count()));
            if i > 0 {
                text.push_str("  ");
            }
            if i >= numbers {
                text.push_str(&pad);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&pad);
            }
        }
        line(&mut out, text.trim_end());
    }
    out
}
