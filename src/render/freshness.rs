//! How quotas are spent on freshness, for people.

use std::fmt::Write;

use super::optimize::{pair, quotas, table};
use super::style::{Style, fill};
use crate::choice::figures;
use crate::optimize::freshness::{Freshness, Reading, SharedQuota};
use crate::optimize::{Ending, Optimization, ScenarioChange};

/// For the terminal.
pub fn human(policy: &str, found: &Optimization, spent: &Freshness, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", style.bold(&format!("policy {policy}")));
    let mut say = |text: &str| out.push_str(&fill(text, style.width));
    say(&verdict(found, spent));
    let (lead, breaks) = match found.result {
        Ending::Infeasible => ("cannot be held", &found.breaks.then),
        _ => ("breaks today", &found.breaks.today),
    };
    for text in breaks {
        say(&format!("  {lead}: {text}"));
    }
    if found.result != Ending::Infeasible {
        for text in [Some(meaning(spent)), Some(weights(spent))]
            .into_iter()
            .flatten()
        {
            say(&text);
        }
    }
    readings(&mut out, found, spent, style);
    quotas(&mut out, found, style);
    let notes: Vec<String> = notes(spent);
    if !notes.is_empty() {
        out.push('\n');
        for text in notes {
            out.push_str(&fill(&text, style.width));
        }
    }
    out
}

fn verdict(found: &Optimization, spent: &Freshness) -> String {
    if found.result == Ending::Infeasible {
        return "no intervals hold every bound and limit".to_owned();
    }
    if spent.readers.is_empty() {
        return "no quota counts reads by the clock: there is nothing to share out".to_owned();
    }
    let changed = found.scenarios.iter();
    let changed = changed.filter(|s| s.mode != s.proposed).count();
    let now = sum(spent, spent.total.today);
    let then = sum(spent, spent.total.then);
    let best = sum(spent, spent.total.best);
    let scenarios = match changed {
        0 => return format!("every interval stays as it is: {then}; reads of any size: {best}"),
        1 => "1 interval changes".to_owned(),
        n => format!("{n} intervals change"),
    };
    format!("{scenarios}: {now} → {then}; reads a day of any size would reach {best}")
}

/// A total as a mean over what counts.
fn sum(spent: &Freshness, total: Option<f64>) -> String {
    let weight: f64 = spent.readers.iter().map(|r| r.weight).sum();
    let mean = total.filter(|_| weight > 0.0).map(|t| t / weight);
    let Some(mean) = mean else {
        return "?".to_owned();
    };
    match spent.measure.as_str() {
        "age" => format!("{} waiting", figures::duration(mean * 86_400.0)),
        "harmonic" => format!("harmonic staleness {mean:.3}"),
        _ => format!("{} fresh", figures::share(mean)),
    }
}

fn meaning(spent: &Freshness) -> String {
    let text = match spent.measure.as_str() {
        "age" => {
            "best: the age, which is how long the first change outstanding has waited for a read, on \
             the mean over all time"
        }
        "harmonic" => {
            "best: the harmonic staleness, which is 0 where each change is known at once and never \
             leaves anything out"
        }
        _ => "best: freshness, which is the share of the time in which no change is outstanding",
    };
    text.to_owned()
}

fn weights(spent: &Freshness) -> String {
    match (spent.weights.as_str(), spent.silent.as_slice()) {
        ("costs", _) => "weights: what a day's changes cost for each hour of delay".to_owned(),
        (_, silent) => {
            let names: Vec<String> = silent.iter().map(|n| format!("`{n}`")).collect();
            let why = match names.as_slice() {
                [] => String::new(),
                [one] => format!(", since {one} does not say what lateness `costs`"),
                [one, two] => format!(", since {one} and {two} do not say what lateness `costs`"),
                [one, rest @ ..] => format!(
                    ", since {one} and {} others do not say what lateness `costs`",
                    rest.len()
                ),
            };
            format!("weights: all alike{why}")
        }
    }
}

fn readings(out: &mut String, found: &Optimization, spent: &Freshness, style: Style) {
    let mode = |name: &str| found.scenarios.iter().find(|s| s.name == name);
    let rows: Vec<Vec<String>> = spent
        .readers
        .iter()
        .map(|r| row(spent, r, mode(&r.scenario)))
        .collect();
    let mut head = vec![
        "scenario",
        "now",
        "proposed",
        "best reads/day",
        "fresh",
        "change waits",
    ];
    if spent.measure == "harmonic" {
        head.push("harmonic");
    }
    if spent.weights == "costs" {
        head.push("weight");
    }
    head.push("bound");
    table(out, style, "read by the clock", &head, &rows);
}

fn row(spent: &Freshness, reading: &Reading, mode: Option<&ScenarioChange>) -> Vec<String> {
    let proposed = mode.map_or("?".to_owned(), |s| match s.mode == s.proposed {
        true => "=".to_owned(),
        false => s.proposed.clone(),
    });
    let mut cells = vec![
        reading.scenario.clone(),
        mode.map_or("?".to_owned(), |s| s.mode.clone()),
        proposed,
        reading
            .reads_per_day
            .best
            .map_or("?".to_owned(), figures::count),
        pair(reading.freshness, figures::share),
        pair(reading.age_seconds, figures::duration),
    ];
    if spent.measure == "harmonic" {
        cells.push(pair(reading.harmonic, |h| format!("{h:.3}")));
    }
    if spent.weights == "costs" {
        cells.push(format!("{:.2}", reading.weight));
    }
    cells.push(reading.bound.clone().unwrap_or_else(|| "-".to_owned()));
    cells
}

fn notes(spent: &Freshness) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for quota in &spent.quotas {
        notes.extend(one_more_call(spent, quota));
    }
    for reading in spent.readers.iter().filter(|r| r.left_out) {
        let why = match &reading.bound {
            Some(bound) => format!("only as often as {bound} demands"),
            None => "as rarely as can be".to_owned(),
        };
        notes.push(format!(
            "`{}` is best read {why}: a further call buys more elsewhere",
            reading.scenario
        ));
    }
    for notice in &spent.notified {
        if let Some(share) = notice.best_share.filter(|s| *s < 1.0 - 1e-6) {
            notes.push(format!(
                "`{}` follows each of its notices; the same calls would be spent best if it followed {} \
                 of them",
                notice.scenario,
                figures::share(share)
            ));
        }
    }
    for held in &spent.held {
        notes.push(format!("`{}` keeps its mode: {}", held.scenario, held.why));
    }
    notes
}

/// What the multiplier means.
fn one_more_call(spent: &Freshness, quota: &SharedQuota) -> Option<String> {
    let worth = quota.multiplier?;
    let lead = format!("one more call a day on `{}`", quota.system);
    if worth <= 0.0 {
        return Some(format!(
            "{lead} buys nothing: not all of `{}` is used",
            quota.limit
        ));
    }
    let weighted = match spent.weights.as_str() {
        "costs" => ", each counted by its weight",
        _ => "",
    };
    Some(match spent.measure.as_str() {
        "freshness" => format!(
            "{lead} buys {} a day in which nothing is outstanding, over all scenarios \
             together{weighted} (multiplier {worth:.3e})",
            figures::duration(worth * 86_400.0)
        ),
        "age" => format!(
            "{lead} buys {} less of waiting, over all scenarios together{weighted} (multiplier \
             {worth:.3e})",
            figures::duration(worth * 86_400.0)
        ),
        _ => format!(
            "{lead} buys {worth:.3e} less of harmonic staleness, over all scenarios \
             together{weighted}"
        ),
    })
}
