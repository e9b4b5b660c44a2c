//! Calls against what the systems allow.

use std::collections::HashMap;

use maud::{Markup, html};

use super::bits::{bar, link, scroll, sort_key};
use super::chart::{self, Bar, COLORS, OTHERS};
use super::{Content, Section};
use crate::checks::figures;
use crate::estimate::SystemEstimate;
use crate::overview::{Figures, Usage};
use crate::render::estimate::{known, rate};

/// Systems beyond are in the table only.
const CHARTED: usize = 20;

/// Scenarios of a system that are told by name.
const NAMED: usize = 3;

pub(super) fn section(content: Content) -> Option<Section> {
    let figures = content.figures?;
    if figures.estimate.systems.is_empty() {
        return None;
    }
    let colors = colors(figures);
    let bars = bars(figures, &colors);
    let body = html! {
        @if !bars.is_empty() {
            p class="about" {
                "The share of its daily budget that each system uses on a mean day, by scenario. \
                 The table below has the same in figures."
            }
            (legend(figures, &colors, &bars))
            div class="chart wide" aria-hidden="true" { (chart::bars(&bars, 900)) }
            div class="chart narrow" aria-hidden="true" { (chart::bars(&bars, 350)) }
        }
        (scroll("Calls by system", table(figures)))
    };
    Some(Section {
        id: "calls",
        title: "Calls and quotas",
        count: None,
        body,
    })
}

/// The scenarios that have a colour of their own: those that use most of any budget.
fn colors(figures: &Figures) -> HashMap<&str, usize> {
    let mut most: Vec<(&str, f64)> = Vec::new();
    let parts = figures.usage.iter().flat_map(|u| &u.parts);
    let mut place: HashMap<&str, usize> = HashMap::new();
    for part in parts {
        let Some(share) = part.of_budget else {
            continue;
        };
        match place
            .get(part.scenario.as_str())
            .and_then(|at| most.get_mut(*at))
        {
            Some(known) => known.1 = known.1.max(share),
            None => {
                place.insert(&part.scenario, most.len());
                most.push((&part.scenario, share));
            }
        }
    }
    most.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first = most.into_iter().take(COLORS);
    first
        .enumerate()
        .map(|(at, (name, _))| (name, at))
        .collect()
}

/// The systems with a known budget, those that use most of it first.
fn bars<'f>(figures: &'f Figures, colors: &HashMap<&str, usize>) -> Vec<Bar<'f>> {
    let mut bars: Vec<Bar> = figures
        .usage
        .iter()
        .filter_map(|usage| bar_of(usage, colors))
        .collect();
    bars.sort_by(|a, b| b.total().total_cmp(&a.total()));
    bars.truncate(CHARTED);
    bars
}

fn bar_of<'f>(usage: &'f Usage, colors: &HashMap<&str, usize>) -> Option<Bar<'f>> {
    let mut parts: Vec<(usize, f64)> = Vec::new();
    let mut others = 0.0;
    for part in &usage.parts {
        let share = part.of_budget?;
        match colors.get(part.scenario.as_str()) {
            Some(color) => parts.push((*color, share)),
            None => others += share,
        }
    }
    if others > 0.0 {
        parts.push((OTHERS, others));
    }
    (!parts.is_empty()).then(|| Bar {
        name: &usage.system,
        parts,
    })
}

fn legend(figures: &Figures, colors: &HashMap<&str, usize>, bars: &[Bar]) -> Markup {
    let mut named: Vec<(&str, usize)> = colors.iter().map(|(n, at)| (*n, *at)).collect();
    named.sort_by_key(|n| n.1);
    let others = bars.iter().any(|b| b.parts.iter().any(|p| p.0 == OTHERS));
    html! {
        ul class="legend" aria-hidden="true" {
            @for (name, at) in named {
                li { i class=(format!("swatch s{at}")) {} (link(name, detailed(figures, name))) }
            }
            @if others { li { i class=(format!("swatch s{OTHERS}")) {} "all others" } }
        }
    }
}

fn detailed(figures: &Figures, name: &str) -> bool {
    figures
        .scenarios
        .iter()
        .any(|s| s.name == name && s.detailed)
}

fn table(figures: &Figures) -> Markup {
    let rows = figures.estimate.systems.iter().zip(&figures.usage);
    html! {
        table data-sortable {
            caption class="unseen" { "Calls by system" }
            thead {
                tr {
                    th scope="col" { "System" }
                    th scope="col" class="n" data-by="number" { "Calls a day" }
                    th scope="col" class="n" data-by="number" { "Budget a day" }
                    th scope="col" class="wide-cell" data-by="number" { "Used on the busiest day" }
                    th scope="col" class="n" data-by="number" { "Mean day" }
                    th scope="col" class="n" data-by="number" { "Peak a second" }
                    th scope="col" { "Most by" }
                }
            }
            tbody { @for (system, usage) in rows { (row(figures, system, usage)) } }
        }
    }
}

fn row(figures: &Figures, system: &SystemEstimate, usage: &Usage) -> Markup {
    let busiest = system.busiest_utilisation;
    let over = busiest.is_some_and(|b| b > 1.0);
    let at_least = if system.without.is_empty() {
        ""
    } else {
        "≥ "
    };
    html! {
        tr class=[over.then_some("bad-row")] {
            th scope="row" { (system.name) }
            td class="n" data-v=(sort_key(system.calls_per_day)) {
                (at_least) (known(system.calls_per_day, figures::count))
            }
            td class="n" data-v=(sort_key(system.budget_per_day)) {
                @match (system.budget_per_day, system.quota_per_day) {
                    (Some(budget), Some(quota)) => {
                        (figures::count(budget))
                        @if quota > budget {
                            span class="quiet" { " of " (figures::count(quota)) }
                        }
                    }
                    _ => span class="quiet" { "no quota known" },
                }
            }
            td class="wide-cell" data-v=(sort_key(busiest)) {
                @if let Some(share) = busiest {
                    (bar(share))
                    span class="share" { (figures::share(share)) @if over { " over" } }
                }
            }
            td class="n" data-v=(sort_key(system.utilisation)) {
                @if let Some(share) = system.utilisation { (figures::share(share)) }
            }
            td class="n" data-v=(sort_key(system.peak_calls_per_second)) {
                (known(system.peak_calls_per_second, rate))
                @if let Some(limit) = &system.burst_limit {
                    span class="quiet" { " of " (rate(limit.calls_per_second)) }
                }
            }
            td class="by" {
                @for (at, part) in usage.parts.iter().take(NAMED).enumerate() {
                    @if at > 0 { ", " }
                    (link(&part.scenario, detailed(figures, &part.scenario))) " "
                    (figures::share(part.of_calls))
                }
                @if usage.parts.len() > NAMED {
                    span class="quiet" { ", " (usage.parts.len() - NAMED) " more" }
                }
            }
        }
    }
}
