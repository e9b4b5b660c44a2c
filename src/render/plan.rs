//! A plan for people: its systems, who owns what, and each flow with its mode, class and reason.

use std::fmt::Write;

use super::style::{Style, count};
use crate::plan::{Plan, Route, Scenario};

/// The plan as text.
pub fn human(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", style.bold(&format!("policy {}", plan.policy)));
    let _ = writeln!(out, "digest   {}", plan.digest);
    let _ = writeln!(out, "timezone {}", plan.timezone);
    systems(&mut out, plan, style);
    owners(&mut out, plan, style);
    flows(&mut out, plan, style);
    out
}

fn systems(out: &mut String, plan: &Plan, style: Style) {
    heading(out, style, plan.systems.len(), "system");
    let mut table = Table::new(&["system", "connector", "tier", "budget", "can"]);
    for system in &plan.systems {
        let can = system.capabilities;
        let abilities = [
            (can.read, "read"),
            (can.write, "write"),
            (can.upsert, "upsert"),
            (can.events, "events"),
            (can.deletes, "deletes"),
        ];
        let abilities: Vec<&str> = abilities
            .iter()
            .filter_map(|(able, word)| able.then_some(*word))
            .collect();
        table.row([
            system.name.clone(),
            system.connector.clone(),
            system.tier.clone().unwrap_or_else(|| "-".to_owned()),
            format!("{}%", round(system.budget * 100.0)),
            abilities.join(", "),
        ]);
    }
    table.print(out, style);
}

fn owners(out: &mut String, plan: &Plan, style: Style) {
    let fields = plan.entities.iter().map(|e| e.fields.len()).sum();
    heading(out, style, fields, "field");
    let mut table = Table::new(&["field", "owner", "accepts", "resolve", "fresh"]);
    for entity in &plan.entities {
        for field in &entity.fields {
            let owner = match (&field.owner, &field.derived) {
                (_, _) if entity.keys.contains(&field.name) => "key".to_owned(),
                (_, Some(_)) => "derived".to_owned(),
                (Some(owner), None) => owner.clone(),
                (None, None) => "-".to_owned(),
            };
            let fresh = field
                .fresh
                .iter()
                .map(|f| format!("{} in {}", f.within, f.system));
            table.row([
                format!("{}.{}", entity.name, field.name),
                owner,
                or_dash(field.accepts.join(", ")),
                field.resolve.map_or("-", |r| r.word()).to_owned(),
                or_dash(fresh.collect::<Vec<_>>().join(", ")),
            ]);
        }
    }
    table.print(out, style);
}

fn flows(out: &mut String, plan: &Plan, style: Style) {
    heading(out, style, plan.scenarios.len(), "scenario");
    for scenario in &plan.scenarios {
        let _ = writeln!(
            out,
            "\n{}  {}  [{}]{}",
            style.bold(&scenario.name),
            scenario.mode.text,
            scenario.mode.class,
            scenario
                .title
                .as_ref()
                .map_or(String::new(), |t| format!("  {t}")),
        );
        let _ = writeln!(
            out,
            "  {}",
            style.dim(&format!(
                "{} ({}:{})",
                scenario.reason, scenario.at.file, scenario.at.line
            ))
        );
        if let Some(when) = &scenario.when {
            let _ = writeln!(out, "  when {}.{}", when.system, when.event);
        }
        for route in &scenario.routes {
            let _ = writeln!(out, "  {}", hop(route));
        }
        if let Some(clean) = &scenario.clean {
            let _ = writeln!(out, "  {} is cleaned in {}", clean.entity, clean.system);
        }
        for line in conditions(scenario) {
            let _ = writeln!(out, "  {line}");
        }
    }
}

fn hop(route: &Route) -> String {
    let filter = route.filter.as_ref().map(|f| format!(" if `{}`", f.cel));
    format!(
        "{} -> {}  {}({}){}",
        route.from,
        route.to,
        route.entity,
        route.fields.join(", "),
        filter.unwrap_or_default()
    )
}

/// What else governs a scenario, where it is not the usual.
fn conditions(scenario: &Scenario) -> Vec<String> {
    let mut lines = Vec::new();
    if !scenario.after.is_empty() {
        lines.push(format!("after {}", scenario.after.join(", ")));
    }
    if let Some(window) = &scenario.window {
        lines.push(format!("window {window}"));
    }
    if let Some(fresh) = scenario.fresh {
        lines.push(format!("fresh within {fresh}"));
    }
    let mut traits = vec![format!("priority {}", scenario.priority)];
    if let Some(impact) = scenario.stale {
        traits.push(format!("stale {impact}"));
    }
    if scenario.checkpoint.is_some() {
        traits.push("checkpoint".to_owned());
    }
    if scenario.propagate_deletes {
        traits.push("deletes propagate".to_owned());
    }
    lines.push(traits.join(", "));
    lines
}

fn heading(out: &mut String, style: Style, number: usize, what: &str) {
    let _ = writeln!(out, "\n{}", style.bold(&count(number, what)));
}

fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// At most two decimals, none where they are zero.
fn round(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Columns as wide as their widest cell.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(head: &[&str; N]) -> Self {
        Table {
            rows: vec![head.map(str::to_owned)],
        }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self, out: &mut String, style: Style) {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                let gap = width.saturating_sub(cell.chars().count()) + 2;
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', gap));
            }
            let line = line.trim_end();
            let line = if index == 0 {
                style.dim(line)
            } else {
                line.to_owned()
            };
            let _ = writeln!(out, "  {line}");
        }
    }
}
