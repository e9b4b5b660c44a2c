//! Why a scenario has its mode, for people: four questions, the answer, what would change it.

use super::super::estimate::page::{NOTHING, Page, Section, delay, known, money, rate};
use super::super::estimate::{tables, terminal};
use super::super::style::Style;
use super::{capital, errors, place};
use crate::checks::figures;
use crate::estimate::scenario::{
    Answer, Bound, Clause, HowFresh, Lever, LimitKind, LimitUse, Part, ScenarioExplained, Side,
    Then, Threshold, WhatItTakes, WhatStalenessCosts,
};
use crate::terms::Impact;
use crate::time::Millis;

/// How many bounds are shown.
const BOUNDS_SHOWN: usize = 12;

/// The page.
pub fn human(explained: &ScenarioExplained, style: Style) -> String {
    let mode = match &explained.declared {
        Some(declared) => format!("`{declared}`, chosen `{}`", explained.mode),
        None => format!("`{}`", explained.mode),
    };
    let chosen = explained.chosen.as_ref();
    let title = explained.title.as_ref();
    let title = title.map_or(String::new(), |t| format!(" \"{t}\""));
    let mut lines = Vec::new();
    lines.extend(errors(explained.errors));
    lines.push(format!(
        "{} at {}.",
        capital(&answer(explained)),
        place(&explained.place)
    ));
    lines.extend(chosen.map(|why| {
        format!(
            "`{}` was chosen together with all others: {why}.",
            explained.mode
        )
    }));
    let page = Page {
        title: format!("scenario {}{title}: mode {mode}", explained.scenario),
        lines,
        sections: vec![
            fresh(&explained.fresh),
            staleness(&explained.staleness, &explained.currency),
            running(&explained.running, &explained.currency),
            limits(&explained.limits),
            tables::modes(explained),
            thresholds(explained),
        ],
    };
    terminal(&page, style)
}

/// The verdict in a sentence without its end.
fn answer(explained: &ScenarioExplained) -> String {
    let verdict = &explained.verdict;
    let now = &explained.mode;
    let best = verdict.mode.as_deref().unwrap_or_default();
    let why = verdict.why_not.join("; ");
    match verdict.answer {
        Answer::Stands => {
            let simpler = verdict.simpler.as_ref().map_or(String::new(), |mode| {
                format!(
                    "; `{mode}` would be simpler at the same price, so nothing that is written \
                         asks for more"
                )
            });
            format!(
                "the mode stands: `{now}` keeps every bound and limit, and no mode that was tried costs less{simpler}; it is declared"
            )
        }
        Answer::Cheaper => format!(
            "`{best}` would save {} {} a month and keep every bound and limit; `{now}` is declared",
            money(verdict.saves_per_month.unwrap_or(0.0)),
            explained.currency
        ),
        Answer::Breaks => format!(
            "`{now}` does not do: {why}; `{best}` is the cheapest that would; the scenario stands"
        ),
        Answer::NothingFits => {
            format!("no mode keeps all that is asked; of `{now}`: {why}; the scenario stands")
        }
    }
}

fn impact(impact: Option<Impact>) -> &'static str {
    match impact {
        None => "nothing says what a late arrival does: `stale` would",
        Some(Impact::LostLead) => "late means: a lead is lost",
        Some(Impact::LateFollowup) => "late means: a follow-up comes late",
        Some(Impact::Compliance) => "late means: a rule or a law is broken",
        Some(Impact::WrongContent) => "late means: somebody reads the wrong content",
        Some(Impact::Reporting) => "late means: a report is old",
        Some(Impact::None) => "late means: nothing",
    }
}

fn fresh(fresh: &HowFresh) -> Section {
    let head = ["bound on", "in", "#fresh", "#worst", "holds", "from"];
    let mut table = Section::new("1. how fresh does it have to be?", &head);
    table.rows = fresh
        .bounds
        .iter()
        .take(BOUNDS_SHOWN)
        .map(|b: &Bound| {
            vec![
                b.field.clone().unwrap_or_else(|| "the scenario".to_owned()),
                b.system.clone(),
                figures::duration(b.required_seconds),
                delay(b.worst_seconds),
                yes(b.holds),
                place(&b.place),
            ]
        })
        .collect();
    if fresh.bounds.is_empty() {
        table
            .notes
            .push("no `fresh` bounds what it carries".to_owned());
    }
    if let Some(more) = fresh
        .bounds
        .len()
        .checked_sub(BOUNDS_SHOWN)
        .filter(|m| *m > 0)
    {
        table
            .notes
            .push(format!("and {more} bounds with more room"));
    }
    table.notes.extend(fresh.must_not_wait.clone());
    table.notes.push(impact(fresh.impact).to_owned());
    table
}

fn yes(holds: bool) -> String {
    match holds {
        true => "yes",
        false => "no",
    }
    .to_owned()
}

fn staleness(costs: &WhatStalenessCosts, currency: &str) -> Section {
    let month = format!("#{currency}/month");
    let head = ["if each record waits", &month];
    let mut table = Section::new("2. what does staleness cost?", &head);
    if costs.per_record_hour == 0.0 {
        table
            .notes
            .push(format!("nothing that is written: {}", place(&costs.place)));
        return table;
    }
    let row = |wait: &str, amount| vec![wait.to_owned(), known(amount, money)];
    let now = format!("{} (now, the mean)", delay(costs.mean_seconds));
    table.rows = vec![
        row("5s", costs.if_5_seconds),
        row(&now, costs.per_month),
        row("24h", costs.if_24_hours),
    ];
    table.notes.push(format!(
        "{} records wait a day, each costs {} {currency} an hour ({}): {} an hour, {} a day",
        known(costs.records_per_day, figures::count),
        price(costs.per_record_hour),
        place(&costs.place),
        known(costs.per_hour, money),
        known(costs.per_day, money),
    ));
    table
}

fn running(takes: &WhatItTakes, currency: &str) -> Section {
    let head = ["it takes", "", "how"];
    let mut table = Section::new("3. what does it take to run?", &head);
    let row = |p: &Part| {
        let mark = if p.settled { "" } else { "open" };
        vec![p.part.clone(), mark.to_owned(), p.how.clone()]
    };
    table.rows = takes.parts.iter().map(row).collect();
    if let Some(run) = &takes.run {
        let slowed = run.slowed_by.as_ref();
        let slowed = slowed.map_or(String::new(), |by| format!(", held up by the limit {by}"));
        let takes = match run.seconds {
            Some(seconds) => figures::duration(seconds),
            None => "for ever".to_owned(),
        };
        table.notes.push(format!(
            "a run takes {takes} of the {} that it has{slowed}",
            figures::duration(run.has_seconds)
        ));
    }
    if takes.upkeep_per_month > 0.0 {
        table.notes.push(format!(
            "upkeep: {} {currency} a month",
            money(takes.upkeep_per_month)
        ));
    }
    table
}

fn limits(limits: &[LimitUse]) -> Section {
    let head = [
        "system", "limit", "#allows", "#this", "#share", "#others", "#share", "#left", "from",
    ];
    let mut table = Section::new("4. what do the API limits allow?", &head);
    table.rows = limits
        .iter()
        .map(|l| {
            let (calls, per): (fn(f64) -> String, &str) = match l.kind {
                LimitKind::Quota => (figures::count, "/day"),
                LimitKind::Burst => (rate, "/s"),
                LimitKind::None => (figures::count, ""),
            };
            let counted = |value: Option<f64>| match l.kind {
                LimitKind::None => NOTHING.to_owned(),
                _ => known(value, calls),
            };
            let share = |value: Option<f64>| match l.kind {
                LimitKind::None => NOTHING.to_owned(),
                _ => known(value, signed_share),
            };
            vec![
                l.system.clone(),
                l.limit.clone().unwrap_or_else(|| "none known".to_owned()),
                match l.counts.as_str() {
                    "calls" => format!("{}{per}", counted(l.allowed)),
                    unit => format!("{} {unit}{per}", counted(l.allowed)),
                },
                counted(l.own),
                share(l.own_share),
                counted(l.others),
                share(l.others_share),
                share(l.headroom),
                place(&l.place),
            ]
        })
        .collect();
    table
}

fn signed_share(share: f64) -> String {
    match share < 0.0 {
        true => format!("-{}", figures::share(-share)),
        false => figures::share(share),
    }
}

fn thresholds(explained: &ScenarioExplained) -> Section {
    let head = ["if", "today", "then", "written as"];
    let mut table = Section::new("what would change the answer", &head);
    table.rows = explained
        .thresholds
        .iter()
        .map(|t| {
            vec![
                condition(t),
                today(t),
                then(&t.then, &explained.currency),
                clauses(&t.clauses),
            ]
        })
        .collect();
    if explained.thresholds.is_empty() {
        let note = "nothing within a thousand times of today's figures";
        table.notes.push(note.to_owned());
    }
    table
}

fn condition(threshold: &Threshold) -> String {
    let t = threshold;
    let of = &t.of;
    match (t.lever, t.when) {
        (Lever::Fresh, Side::Below) => {
            format!("{of} has to be fresher than {}", exact(t.value))
        }
        (Lever::Fresh, Side::Above) => format!("{of} may be {} old", exact(t.value)),
        (Lever::Costs, side) => format!(
            "a record late by an hour costs {} {}",
            more(side),
            price(t.value)
        ),
        (Lever::Upkeep, side) => {
            format!(
                "real time costs {} {} a month to keep up",
                more(side),
                money(t.value)
            )
        }
        (Lever::Volume, side) => format!(
            "it carries {} {} records a day",
            more(side),
            figures::count(t.value)
        ),
    }
}

/// A time to the second, or to the minute from an hour on: a bound is written so.
fn exact(seconds: f64) -> String {
    match seconds < 3_600.0 {
        true => figures::duration(seconds),
        false => Millis::from_mins((seconds / 60.0).ceil() as u64).to_string(),
    }
}

fn more(side: Side) -> &'static str {
    match side {
        Side::Above => "more than",
        Side::Below => "less than",
    }
}

fn today(threshold: &Threshold) -> String {
    let Some(today) = threshold.today else {
        return "no bound".to_owned();
    };
    match threshold.lever {
        Lever::Fresh => figures::duration(today),
        Lever::Costs => price(today),
        Lever::Upkeep => money(today),
        Lever::Volume => figures::count(today),
    }
}

fn then(then: &Then, currency: &str) -> String {
    match then {
        Then::Mode {
            mode: Some(mode),
            saves_per_month: Some(saves),
        } => {
            format!("`{mode}`, which saves {} {currency} a month", money(*saves))
        }
        Then::Mode {
            mode: Some(mode), ..
        } => format!("`{mode}`"),
        Then::Mode { mode: None, .. } => "no mode would do".to_owned(),
        Then::Quota { system } => format!("what may be used of `{system}` a day is used up"),
        Then::Burst { system, limit } => {
            format!("its peak uses up the limit `{limit}` of `{system}`")
        }
        Then::Overrun => "a run no longer ends in time".to_owned(),
        Then::Late { why } => why.clone(),
    }
}

/// Money of one record, with as many digits as it takes not to read as nothing.
fn price(amount: f64) -> String {
    match amount > 0.0 && amount < 0.1 {
        true => {
            let places = (2.0 - amount.log10().floor()).clamp(2.0, 12.0) as usize;
            let text = format!("{amount:.places$}");
            text.trim_end_matches('0').to_owned()
        }
        false => money(amount),
    }
}

fn clauses(clauses: &[Clause]) -> String {
    let Some(first) = clauses.first() else {
        return NOTHING.to_owned();
    };
    let more = match clauses.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    format!("{}: {}{more}", first.of, first.text)
}
