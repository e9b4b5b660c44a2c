//! Where a field comes from and goes, for people.

use super::super::estimate::page::{NOTHING, Page, Section, delay};
use super::super::estimate::terminal;
use super::super::style::Style;
use super::{capital, errors, place};
use crate::checks::figures;
use crate::estimate::field::{FieldAgeIn, FieldExplained, Mapped, Said, Way};

/// How many hops are shown.
const HOPS_SHOWN: usize = 40;

/// The page.
pub fn human(explained: &FieldExplained, style: Style) -> String {
    let mut lines = Vec::new();
    lines.extend(errors(explained.errors));
    lines.push(who(explained));
    lines.push(format!(
        "Conflicts: {}{}.",
        explained.conflict.meaning,
        rule(explained)
    ));
    lines.extend(computed(explained));
    lines.extend(late(explained));
    let sections = [
        mapped(explained),
        hops(explained),
        ages(explained),
        ways(explained),
        unheard(explained),
    ];
    let page = Page {
        title: format!("field {}: {}", explained.field, explained.type_text),
        lines,
        sections: sections.into_iter().filter(|s| !s.is_empty()).collect(),
    };
    terminal(&page, style)
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    quoted.join(", ")
}

fn who(explained: &FieldExplained) -> String {
    let by = |said: &Said| {
        let inherited = if said.inherited {
            ", for the whole entity"
        } else {
            ""
        };
        format!("`{}` ({}{inherited})", said.system, place(&said.place))
    };
    let owner = match (&explained.owner, explained.key, &explained.derived) {
        (Some(owner), ..) => format!("Owned by {}", by(owner)),
        (None, true, _) => "Part of the key".to_owned(),
        (None, _, Some(derived)) => {
            format!(
                "Computed as `{}` ({})",
                derived.expression,
                place(&derived.place)
            )
        }
        (None, false, None) => "Nobody owns it".to_owned(),
    };
    let accepts: Vec<String> = explained.accepts.iter().map(by).collect();
    let accepts = match accepts.is_empty() {
        true => String::new(),
        false => format!("; also changed by {}", accepts.join(", ")),
    };
    let classes = match explained.classes.is_empty() {
        true => String::new(),
        false => format!("; class {}", explained.classes.join(", ")),
    };
    format!(
        "{owner}{accepts}{classes}; declared at {}.",
        place(&explained.place)
    )
}

fn rule(explained: &FieldExplained) -> String {
    let conflict = &explained.conflict;
    match (conflict.rule, &conflict.place) {
        (Some(rule), Some(at)) => format!(" (`{rule}`, {})", place(at)),
        _ => String::new(),
    }
}

fn computed(explained: &FieldExplained) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(derived) = &explained.derived {
        parts.push(format!("It is computed from {}", list(&derived.inputs)));
    }
    if !explained.feeds.is_empty() {
        parts.push(format!("{} is computed from it", list(&explained.feeds)));
    }
    if !explained.read_by.is_empty() {
        parts.push(format!(
            "conditions of {} read it",
            list(&explained.read_by)
        ));
    }
    (!parts.is_empty()).then(|| format!("{}.", capital(&parts.join("; "))))
}

/// The system in which it gets oldest, and whom to ask.
fn late(explained: &FieldExplained) -> Option<String> {
    let age = |a: &FieldAgeIn| a.worst_seconds.unwrap_or(f64::INFINITY);
    let ages = explained.ages.iter();
    let worst = ages.max_by(|a, b| age(a).total_cmp(&age(b)))?;
    let blame = worst.blame.as_ref()?;
    let how = match worst.worst_seconds {
        Some(seconds) => figures::duration(seconds),
        None => "older than any bound".to_owned(),
    };
    Some(format!(
        "It gets oldest in `{}`: {how}, {} of it by `{}`.",
        worst.system,
        figures::share(blame.share),
        blame.scenario
    ))
}

fn mapped(explained: &FieldExplained) -> Section {
    let head = [
        "in",
        "is",
        "read",
        "write",
        "values",
        "not cleared for",
        "from",
    ];
    let mut table = Section::new("what it is called", &head);
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    table.rows = explained
        .mapped
        .iter()
        .map(|m: &Mapped| {
            let values: Vec<String> = m
                .values
                .iter()
                .map(|(ours, theirs)| format!("{ours} = {theirs}"))
                .collect();
            vec![
                m.system.clone(),
                format!("{}.{}", m.object, m.column),
                or_nothing(m.read.clone()),
                or_nothing(m.write.clone()),
                or_nothing(Some(values.join(", ")).filter(|v| !v.is_empty())),
                or_nothing(Some(m.not_cleared.join(", ")).filter(|v| !v.is_empty())),
                place(&m.place),
            ]
        })
        .collect();
    table.slim(&["read", "write", "values", "not cleared for"])
}

fn hops(explained: &FieldExplained) -> Section {
    let head = [
        "scenario", "mode", "from", "to", "#mean", "#worst", "only if", "at",
    ];
    let mut table = Section::new("every hop", &head);
    let hops = explained.hops.iter();
    table.rows = hops
        .take(HOPS_SHOWN)
        .map(|h| {
            vec![
                h.scenario.clone(),
                h.mode.clone(),
                h.from.clone(),
                h.to.clone(),
                delay(h.mean_seconds),
                delay(h.worst_seconds),
                h.filter.clone().unwrap_or_else(|| NOTHING.to_owned()),
                place(&h.place),
            ]
        })
        .collect();
    if let Some(more) = explained
        .hops
        .len()
        .checked_sub(HOPS_SHOWN)
        .filter(|m| *m > 0)
    {
        table
            .notes
            .push(format!("and {more} more: see `--format json`"));
    }
    table.slim(&["only if"])
}

fn ages(explained: &FieldExplained) -> Section {
    let head = ["in", "#fresh", "#mean", "#worst", "holds", "most by"];
    let mut table = Section::new("how old it gets", &head);
    table.rows = explained
        .ages
        .iter()
        .map(|a| {
            let fresh = a.required_seconds.map(figures::duration);
            let holds = match a.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => NOTHING,
            };
            let blame = a.blame.as_ref();
            vec![
                a.system.clone(),
                fresh.unwrap_or_else(|| NOTHING.to_owned()),
                delay(a.mean_seconds),
                delay(a.worst_seconds),
                holds.to_owned(),
                blame.map_or(NOTHING.to_owned(), |b| b.scenario.clone()),
            ]
        })
        .collect();
    table
}

fn ways(explained: &FieldExplained) -> Section {
    let head = ["in", "from", "says", "#mean", "#worst", "by"];
    let mut table = Section::new("the ways to it", &head);
    for age in &explained.ages {
        table.rows.extend(age.ways.iter().map(|w: &Way| {
            let says = match w.field == explained.field {
                true => NOTHING.to_owned(),
                false => w.field.clone(),
            };
            let steps = w.hops.iter().map(|s| format!("{} → {}", s.scenario, s.to));
            vec![
                age.system.clone(),
                w.origin.clone(),
                says,
                delay(w.mean_seconds),
                delay(w.worst_seconds),
                steps.collect::<Vec<_>>().join(", "),
            ]
        }));
    }
    table.slim(&["says"])
}

fn unheard(explained: &FieldExplained) -> Section {
    let head = ["system", "why"];
    let mut table = Section::new("where it is never heard of", &head);
    table.rows = explained
        .unheard
        .iter()
        .map(|u| vec![u.system.clone(), u.why.clone()])
        .collect();
    table
}
