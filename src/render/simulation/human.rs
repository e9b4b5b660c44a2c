//! `simulate --format human`.

use crate::checks::figures;
use crate::render::Style;
use crate::render::estimate::page::{NOTHING, Page, Section, known, rate};
use crate::render::estimate::terminal;
use crate::sim::simulation::{
    AgesSimulated, Beside, FieldSimulated, ScenarioSimulated, Simulated, SystemSimulated,
};

/// Fields are listed one by one where they are few; else those with a bound, and those that missed
/// what the estimate says.
const FIELDS_SHOWN: usize = 30;

/// What a simulation found, for people: each figure with how far it lies from the estimate.
pub fn human(simulated: &Simulated, style: Style) -> String {
    let page = Page {
        title: title(simulated),
        lines: Vec::new(),
        sections: sections(simulated),
    };
    terminal(&page, style)
}

fn title(simulated: &Simulated) -> String {
    format!(
        "{}: {} of virtual time from {}, seed {}, {} changes",
        simulated.policy,
        figures::duration(simulated.seconds),
        simulated.start,
        simulated.seed,
        figures::count(simulated.changes as f64)
    )
}

fn sections(simulated: &Simulated) -> Vec<Section> {
    let mut sections = vec![
        systems(simulated),
        limits(simulated),
        scenarios(simulated),
        fields(simulated),
        letters(simulated),
    ];
    let mut notes = Section::new("notes", &[]);
    notes.notes = simulated.notes.clone();
    if simulated.untold > 0 {
        notes.notes.push(format!(
            "no event told of {} of the changes: what only events carry has not heard of them",
            figures::count(simulated.untold as f64)
        ));
    }
    sections.push(notes);
    let mut of_estimate = Section::new("notes of the estimate", &[]);
    of_estimate.notes = simulated.estimate_notes.clone();
    sections.push(of_estimate);
    sections.retain(|s| !s.is_empty());
    sections
}

fn systems(simulated: &Simulated) -> Section {
    let head = [
        "system",
        "#calls/day",
        "#estimate",
        "#off by",
        "#busiest minute/s",
        "#429s",
        "#failed",
        "#looked up/day",
        "#most waiting",
    ];
    let mut table = Section::new("systems", &head);
    let row = |s: &SystemSimulated| {
        let [made, said, off] = beside(s.calls_per_day, figures::count);
        let number = |n: u64| figures::count(n as f64);
        vec![
            s.name.clone(),
            made,
            said,
            off,
            known(s.peak_calls_per_second.simulated, rate),
            number(s.too_many),
            number(s.failed),
            figures::count(s.looked_up_per_day),
            number(s.backlog_most),
        ]
    };
    table.rows = simulated.systems.iter().map(row).collect();
    table.notes = simulated
        .systems
        .iter()
        .filter_map(|s| backlog(simulated, s))
        .collect();
    table.slim(&["429s", "failed", "looked up/day", "most waiting"])
}

/// The course of what waited, where it was much.
fn backlog(simulated: &Simulated, system: &SystemSimulated) -> Option<String> {
    const MUCH: u64 = 20;
    let found = &system.backlog;
    let Some(first) = found.iter().position(|n| *n >= MUCH) else {
        return between_hours(simulated, system);
    };
    let highest = found.iter().max()?;
    let most = found.iter().position(|n| n == highest)?;
    let last = found.iter().rposition(|n| *n >= MUCH)?;
    let mut told = vec![first, most, (last + 1).min(found.len() - 1)];
    told.dedup();
    let told: Vec<String> = told
        .into_iter()
        .map(|at| {
            let waited = match found[at] {
                0 => "none".to_owned(),
                n => figures::count(n as f64),
            };
            // The first count is that of one hour after the start.
            let hours = figures::duration((at as f64 + 1.0) * 3_600.0);
            let mark = if at == most { " (the most)" } else { "" };
            format!("{waited} after {hours}{mark}")
        })
        .collect();
    let end = match (last + 1 == found.len(), system.backlog_most > *highest) {
        (true, _) => ", when the time was up".to_owned(),
        (false, true) => format!(
            "; {} when it came back",
            figures::count(system.backlog_most as f64)
        ),
        (false, false) => String::new(),
    };
    Some(format!(
        "writes waiting for `{}`{}: {}{end}",
        system.name,
        outages(simulated, system),
        told.join(", "),
    ))
}

/// What waited during outages that no full hour shows.
fn between_hours(simulated: &Simulated, system: &SystemSimulated) -> Option<String> {
    let clause = outages(simulated, system);
    let most = match system.backlog_most {
        0 => "none".to_owned(),
        n => format!("{} at most", figures::count(n as f64)),
    };
    (!clause.is_empty()).then(|| format!("writes waiting for `{}`{clause}: {most}", system.name))
}

/// When a system was down, as a clause after its name.
fn outages(simulated: &Simulated, system: &SystemSimulated) -> String {
    let asked = simulated.outages.iter().filter(|o| o.system == system.name);
    let outages: Vec<String> = asked
        .map(|o| {
            let lasts = figures::duration(o.seconds);
            format!("for {lasts} from {} on", figures::duration(o.at_seconds))
        })
        .collect();
    match outages.is_empty() {
        true => String::new(),
        false => format!(", which was down {}", outages.join(" and ")),
    }
}

fn limits(simulated: &Simulated) -> Section {
    let head = [
        "system",
        "limit",
        "#allows",
        "per",
        "#most used",
        "#refused",
    ];
    let mut table = Section::new("limits", &head);
    for system in &simulated.systems {
        for limit in system.limits.iter().filter(|l| l.most > 0) {
            table.rows.push(vec![
                system.name.clone(),
                limit.name.clone(),
                figures::count(limit.allows as f64),
                figures::duration(limit.per_seconds),
                figures::count(limit.most as f64),
                figures::count(limit.exceeded as f64),
            ]);
        }
    }
    table.slim(&["refused"])
}

fn scenarios(simulated: &Simulated) -> Section {
    let head = [
        "scenario",
        "mode",
        "system",
        "#calls/day",
        "#estimate",
        "#off by",
        "runs",
        "#written/day",
        "#drift found",
    ];
    let mut table = Section::new("scenarios", &head);
    for scenario in &simulated.scenarios {
        let mut first = true;
        for (system, calls) in &scenario.calls_per_day {
            let [made, said, off] = beside(*calls, figures::count);
            let own = |text: String| if first { text } else { String::new() };
            let row = vec![
                own(scenario.name.clone()),
                own(scenario.mode.clone()),
                system.clone(),
                made,
                said,
                off,
                own(runs(scenario)),
                own(known(scenario.written_per_day.simulated, figures::count)),
                own(figures::count(scenario.drift as f64)),
            ];
            table.rows.push(row);
            first = false;
        }
    }
    table.slim(&["drift found"])
}

fn runs(scenario: &ScenarioSimulated) -> String {
    let words: Vec<String> = scenario
        .runs
        .iter()
        .map(|(how, n)| format!("{n} {how}"))
        .collect();
    match words.is_empty() {
        true => NOTHING.to_owned(),
        false => words.join(", "),
    }
}

fn fields(simulated: &Simulated) -> Section {
    let head = [
        "field",
        "in",
        "#changes",
        "#mean",
        "#estimate",
        "#off by",
        "#p50",
        "#p99",
        "#worst",
        "#promised",
        "#required",
        "#missing",
    ];
    let mut table = Section::new("freshness", &head);
    let all = simulated.fields.len() <= FIELDS_SHOWN;
    let shown = |f: &&FieldSimulated| all || f.required_seconds.is_some() || late(f);
    table.rows = simulated.fields.iter().filter(shown).map(field).collect();
    let left = simulated.fields.len() - table.rows.len();
    if left > 0 {
        table.notes.push(format!(
            "{left} fields without a bound that arrived as promised are left out; `--format json` \
             has them"
        ));
    }
    table.slim(&["required", "missing"])
}

/// Whether a field was older than the estimate promises, or than its bound.
fn late(field: &FieldSimulated) -> bool {
    let worst = field.age_seconds.worst.simulated;
    let over = |bound: Option<f64>| worst.zip(bound).is_some_and(|(w, b)| w > b);
    over(field.age_seconds.worst.estimated) || over(field.required_seconds) || field.missing > 0
}

fn field(field: &FieldSimulated) -> Vec<String> {
    let ages: AgesSimulated = field.age_seconds;
    let [mean, said, off] = beside(ages.mean, figures::duration);
    let age = |seconds: Option<f64>| seconds.map_or_else(|| NOTHING.to_owned(), figures::duration);
    vec![
        field.field.clone(),
        field.system.clone(),
        figures::count(ages.changes as f64),
        mean,
        said,
        off,
        age(ages.p50),
        age(ages.p99),
        age(ages.worst.simulated),
        age(ages.worst.estimated),
        age(field.required_seconds),
        figures::count(field.missing as f64),
    ]
}

fn letters(simulated: &Simulated) -> Section {
    let mut table = Section::new("dead letters", &["system", "#letters", "cause"]);
    let row = |l: &crate::sim::simulation::DeadLetters| {
        vec![
            l.system.clone(),
            figures::count(l.count as f64),
            l.cause.clone(),
        ]
    };
    table.rows = simulated.dead_letters.iter().map(row).collect();
    table
}

/// What was measured, what was estimated, and the difference in percent.
/// How much more was measured than estimated, in percent.
pub(in crate::render) fn off_by(both: Beside) -> String {
    both.difference.map_or_else(
        || NOTHING.to_owned(),
        |share| {
            let percent = format!("{:+.1} %", share * 100.0);
            match percent.as_str() {
                "-0.0 %" | "+0.0 %" => "0.0 %".to_owned(),
                _ => percent,
            }
        },
    )
}

fn beside(both: Beside, shape: fn(f64) -> String) -> [String; 3] {
    let cell = |figure: Option<f64>| figure.map_or_else(|| NOTHING.to_owned(), shape);
    let off = off_by(both);
    [cell(both.simulated), cell(both.estimated), off]
}
