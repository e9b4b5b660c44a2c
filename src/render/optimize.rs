//! What `optimize` proposes, for people.

use std::fmt::Write;

use super::style::{Style, fill};
use crate::choice::figures;
use crate::optimize::{Change, Ending, Optimization};

/// For the terminal.
pub fn human(policy: &str, found: &Optimization, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", style.bold(&format!("policy {policy}")));
    out.push('\n');
    out.push_str(&fill(&verdict(found), style.width));
    let breaks = match found.result {
        Ending::Infeasible => &found.breaks.then,
        _ => &found.breaks.today,
    };
    let lead = match found.result {
        Ending::Infeasible => "breaks in every case that was looked at, at the nearest",
        _ => "breaks today",
    };
    for text in breaks {
        out.push_str(&fill(&format!("  {lead}: {text}"), style.width));
    }
    let (head, rows) = scenarios(found);
    table(&mut out, style, "scenarios", &head, &rows);
    quotas(&mut out, found, style);
    out
}

/// Each system with a quota: calls a day, and the share of the budget that they are.
pub(super) fn quotas(out: &mut String, found: &Optimization, style: Style) {
    let rows: Vec<Vec<String>> = found
        .systems
        .iter()
        .map(|s| {
            vec![
                s.name.clone(),
                pair(s.calls_per_day, figures::count),
                pair(s.busiest_utilisation, figures::share),
            ]
        })
        .collect();
    let head = ["system", "calls/day", "budget on the busiest day"];
    table(out, style, "quotas", &head, &rows);
}

fn verdict(found: &Optimization) -> String {
    let currency = &found.currency;
    let changed = found
        .scenarios
        .iter()
        .filter(|s| s.mode != s.proposed)
        .count();
    let Change { today, then } = found.cost_per_month;
    let saves = today.zip(then).map_or(0.0, |(today, then)| today - then);
    let solves = found.solves.map_or(String::new(), |n| match n {
        1 => " in 1 solve".to_owned(),
        n => format!(" in {n} solves"),
    });
    let proof = match (found.result, found.at_least, then) {
        (Ending::Optimal, ..) => format!("proven the cheapest of the modes tried{solves}"),
        (Ending::Feasible, Some(least), Some(then)) => format!(
            "not proven{solves}: nothing costs less than {} {currency}, a gap of {}",
            figures::money(least),
            figures::share((then - least) / then.abs().max(0.01))
        ),
        _ => String::new(),
    };
    let total = then.map_or(String::new(), |t| {
        format!("{} {currency} a month", figures::money(t))
    });
    match found.result {
        Ending::Unknown => "nothing was found in the time given".to_owned(),
        Ending::Infeasible => {
            "no assignment of modes holds every bound and limit; shown is what comes nearest"
                .to_owned()
        }
        _ if changed == 0 => format!("every mode is the best already: {total}, {proof}"),
        _ => {
            let scenarios = match changed {
                1 => "1 scenario changes".to_owned(),
                n => format!("{n} scenarios change"),
            };
            let money = match saves {
                s if s >= 0.005 => format!("saves {} {currency} a month", figures::money(s)),
                s if s <= -0.005 => format!("costs {} {currency} a month more", figures::money(-s)),
                _ => "costs the same".to_owned(),
            };
            format!("{scenarios}, which {money}: {total} in all, {proof}")
        }
    }
}

fn scenarios(found: &Optimization) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let head = vec![
        "scenario",
        "today",
        "proposed",
        "saves/month",
        "calls/day",
        "worst delay",
        "allowed",
    ];
    let rows = found.scenarios.iter().map(|s| {
        let Change { today, then } = s.cost_per_month;
        let saves = today.zip(then).map(|(today, then)| today - then);
        let own = match &s.declared {
            Some(declared) => format!("{declared} ({})", s.mode),
            None => s.mode.clone(),
        };
        vec![
            s.name.clone(),
            own,
            if s.mode == s.proposed {
                "=".to_owned()
            } else {
                s.proposed.clone()
            },
            saves.map_or("?".to_owned(), figures::money),
            pair(s.calls_per_day, figures::count),
            pair(s.worst_seconds, figures::duration),
            s.required_seconds.map_or("-".to_owned(), figures::duration),
        ]
    });
    let rows = rows.collect();
    (head, rows)
}

/// "1,200 → 300", or one figure where both read the same.
pub(super) fn pair(change: Change, shape: fn(f64) -> String) -> String {
    let one = |value: Option<f64>| value.map_or("?".to_owned(), shape);
    let (today, then) = (one(change.today), one(change.then));
    match today == then {
        true => today,
        false => format!("{today} → {then}"),
    }
}

pub(super) fn table(
    out: &mut String,
    style: Style,
    title: &str,
    head: &[&str],
    rows: &[Vec<String>],
) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.bold(title));
    let width = |at: usize| {
        let cells = rows
            .iter()
            .filter_map(|r| r.get(at))
            .map(|c| c.chars().count());
        let own = head.get(at).map_or(0, |h| h.chars().count());
        cells.max().unwrap_or(0).max(own)
    };
    let line = |cells: &[String]| {
        let mut line = String::from(" ");
        for (at, cell) in cells.iter().enumerate() {
            let gap = width(at).saturating_sub(cell.chars().count());
            let _ = write!(line, " {cell}{} ", " ".repeat(gap));
        }
        line.trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    let _ = writeln!(out, "{}", style.dim(&line(&head)));
    for row in rows {
        let _ = writeln!(out, "{}", line(row));
    }
}
