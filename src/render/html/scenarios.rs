//! Each scenario: how it runs, what it costs, what other modes would do.

use maud::{Markup, html};

use super::bits::{anchor, class_mark, counted, link, prose, scroll, sort_key};
use super::chart::{self, Point};
use super::{Content, Section};
use crate::checks::figures;
use crate::estimate::{Better, Candidate, Cost, HopEstimate, ScenarioEstimate};
use crate::overview::{Age, Figures, ScenarioRow};
use crate::render::estimate::{delay, known, money};
use crate::render::graph::of_bound;

/// With more scenarios than this, each is shown when it is asked for.
const OPEN_MAX: usize = 10;

/// The table holds so many; more are a matter for other programs.
const LISTED_MAX: usize = 1_000;

pub(super) fn section(content: Content) -> Option<Section> {
    let figures = content.figures?;
    if figures.scenarios.is_empty() {
        return None;
    }
    let pairs = || figures.scenarios.iter().zip(&figures.estimate.scenarios);
    let open = figures.scenarios.len() <= OPEN_MAX;
    let left = figures.scenarios.len().saturating_sub(LISTED_MAX);
    let body = html! {
        (scroll("Scenarios", table(figures)))
        @if left > 0 {
            p class="left" {
                "And " (counted(left, "scenario", "scenarios")) " more: see "
                code { "syncline estimate --format csv" } "."
            }
        }
        @if figures.undetailed() > 0 {
            p class="left" {
                "The " (counted(figures.scenarios.len() - figures.undetailed(), "scenario", "scenarios"))
                " that cost and call most are shown below with the modes that they could have; "
                code { "syncline estimate --what-if" } " has them for all."
            }
        }
        @for (row, estimate) in pairs().filter(|p| p.0.detailed) {
            (details(figures, row, estimate, open))
        }
    };
    Some(Section {
        id: "scenarios",
        title: "Scenarios",
        count: Some(figures::count(figures.scenarios.len() as f64)),
        body,
    })
}

fn table(figures: &Figures) -> Markup {
    let currency = &figures.estimate.currency;
    let pairs = figures.scenarios.iter().zip(&figures.estimate.scenarios);
    let priced = figures.sums.total > 0.0;
    html! {
        table data-sortable {
            caption class="unseen" { "Scenarios" }
            thead {
                tr {
                    th scope="col" { "Scenario" }
                    th scope="col" { "Mode" }
                    th scope="col" { "Class" }
                    th scope="col" class="n" data-by="number" { "Fields" }
                    th scope="col" class="n" data-by="number" { "Worst delay" }
                    th scope="col" class="n" data-by="number" { "Calls a day" }
                    @if priced {
                        th scope="col" class="n" data-by="number" { (currency) " a month" }
                    }
                    th scope="col" { "If late" }
                }
            }
            tbody {
                @for (row, estimate) in pairs.take(LISTED_MAX) {
                    (table_row(row, estimate, priced))
                }
            }
        }
    }
}

fn table_row(row: &ScenarioRow, estimate: &ScenarioEstimate, priced: bool) -> Markup {
    let age = slowest(row, &estimate.hops);
    let calls = calls(&estimate.hops);
    html! {
        tr class=[age.is_late().then_some("bad-row")] {
            th scope="row" { (link(&row.name, row.detailed)) }
            td class="runs" {
                (estimate.mode)
                @if let Some(declared) = &estimate.declared {
                    span class="quiet" { " (" (declared) ")" }
                }
            }
            td { (class_mark(estimate.class)) }
            td class="n" data-v=(row.fields) { (figures::count(row.fields as f64)) }
            td class="n" data-v=(sort_key(age.worst.or(Some(f64::INFINITY)))) { (of_bound(age)) }
            td class="n" data-v=(sort_key(calls)) { (known(calls, figures::count)) }
            @if priced {
                @let total = estimate.cost_per_month.total;
                td class="n" data-v=(sort_key(total)) { (known(total, money)) }
            }
            td { @if let Some(impact) = row.impact { (impact.word().replace('_', " ")) } }
        }
    }
}

/// The slowest of a scenario's hops, with its own bound.
fn slowest(row: &ScenarioRow, hops: &[HopEstimate]) -> Age {
    let most = |of: fn(&HopEstimate) -> Option<f64>| {
        let mut ages = hops.iter().map(of);
        ages.try_fold(0.0_f64, |most, next| Some(most.max(next?)))
    };
    Age {
        worst: most(|h| h.staleness_seconds.worst),
        mean: most(|h| h.staleness_seconds.mean),
        required: row.fresh_seconds,
    }
}

fn calls(hops: &[HopEstimate]) -> Option<f64> {
    let all = hops.iter().flat_map(|h| h.calls_per_day.values());
    all.copied().sum()
}

fn details(
    figures: &Figures,
    row: &ScenarioRow,
    estimate: &ScenarioEstimate,
    open: bool,
) -> Markup {
    let better = figures.better.iter().find(|b| b.scenario == row.name);
    let age = slowest(row, &estimate.hops);
    html! {
        details class="scenario" open[open] {
            summary {
                h3 id=(anchor(&row.name)) {
                    (row.name)
                    @if let Some(title) = &row.title {
                        span class="title" { (prose(title)) }
                    }
                }
                span class="how" { (class_mark(estimate.class)) " " (of_bound(age)) }
            }
            @if let Some(doc) = &row.doc { p { (prose(doc)) } }
            p class="about" { (sentence(figures, row, estimate, better)) }
            @if let Some(candidates) = &estimate.what_if {
                (compared(figures, estimate, candidates))
            }
        }
    }
}

fn sentence(
    figures: &Figures,
    row: &ScenarioRow,
    estimate: &ScenarioEstimate,
    better: Option<&Better>,
) -> Markup {
    let mut ways: Vec<String> = Vec::new();
    for hop in &estimate.hops {
        let way = match hop.from == hop.to {
            true => format!("in {}", hop.to),
            false => format!("{} to {}", hop.from, hop.to),
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    let currency = &figures.estimate.currency;
    html! {
        "Runs " code { (estimate.mode) } ", " (ways.join(", "))
        @if row.fields > 0 { "; carries " (counted(row.fields, "field", "fields")) }
        @if !row.after.is_empty() { "; waits for " (row.after.join(", ")) }
        "; its calls go in the order of " code { (row.priority.word()) } "."
        @if let Some(better) = better {
            " " strong { "Cheaper: " code { "mode " (better.mode) } } " saves "
            @if better.saves > 0.0 {
                (money(better.saves)) " " (currency) " a month"
            } @else {
                (figures::calls(better.fewer_calls)) " a day"
            }
            ", at most " (delay(better.worst_seconds)) " old then."
        }
    }
}

/// The modes that a scenario could have: as a chart, and in figures.
fn compared(figures: &Figures, estimate: &ScenarioEstimate, candidates: &[Candidate]) -> Markup {
    let total = |c: &Candidate| c.cost_per_month.total.filter(|t| *t > 0.0);
    let priced = candidates.iter().any(|c| total(c).is_some());
    let currency = &figures.estimate.currency;
    let points: Vec<Point> = candidates
        .iter()
        .filter_map(|c| point(estimate, c, priced))
        .collect();
    let chart = chart::candidates(&points);
    let any = !chart.0.is_empty();
    html! {
        div class=(if any { "compared" } else { "compared alone" }) {
            @if any {
                figure {
                    figcaption {
                        @if priced { (currency) " a month" } @else { "Calls a day" }
                        " by worst delay. Filled: may be had. Ring: now."
                    }
                    div class="chart" aria-hidden="true" { (chart) }
                }
            }
            (scroll(
                &format!("Modes of {}", estimate.name),
                candidate_table(estimate, candidates, priced.then_some(currency)),
            ))
        }
    }
}

fn point(estimate: &ScenarioEstimate, candidate: &Candidate, priced: bool) -> Option<Point> {
    let worst = |h: &HopEstimate| h.staleness_seconds.worst;
    let mut ages = candidate.hops.iter().map(worst);
    let seconds = ages.try_fold(0.0_f64, |most, next| Some(most.max(next?)))?;
    let height = match priced {
        true => candidate.cost_per_month.total?,
        false => calls(&candidate.hops)?,
    };
    let name = candidate.mode.trim_start_matches("every ");
    let name = name.split(" at ").next().unwrap_or(name);
    let name = match name.starts_with("realtime with") {
        true => "hybrid",
        false => name,
    };
    Some(Point {
        seconds,
        height,
        name: name.to_owned(),
        feasible: candidate.feasible,
        now: candidate.mode == estimate.mode,
    })
}

fn candidate_table(
    estimate: &ScenarioEstimate,
    candidates: &[Candidate],
    currency: Option<&String>,
) -> Markup {
    html! {
        table class="modes" {
            thead {
                tr {
                    th scope="col" { "Mode" }
                    th scope="col" class="n" { "Worst" }
                    th scope="col" class="n" { "Calls a day" }
                    @if let Some(currency) = currency {
                        th scope="col" class="n" { (currency) " a month" }
                    }
                    th scope="col" { "May be had" }
                }
            }
            tbody {
                @for candidate in candidates {
                    @let now = candidate.mode == estimate.mode;
                    tr class=[now.then_some("now")] {
                        th scope="row" { (candidate.mode) @if now { " " b { "now" } } }
                        td class="n" { (worst_of(&candidate.hops)) }
                        td class="n" { (known(calls(&candidate.hops), figures::count)) }
                        @if currency.is_some() {
                            td class="n" { (cost_cell(&candidate.cost_per_month)) }
                        }
                        td { (verdict(candidate)) }
                    }
                }
            }
        }
    }
}

fn worst_of(hops: &[HopEstimate]) -> String {
    let mut ages = hops.iter().map(|h| h.staleness_seconds.worst);
    delay(ages.try_fold(0.0_f64, |most, next| Some(most.max(next?))))
}

fn cost_cell(cost: &Cost) -> Markup {
    let parts = [
        ("calls", cost.api),
        ("upkeep", cost.upkeep),
        ("delays", cost.staleness),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(name, part)| format!("{name} {}", known(part, money)))
        .collect();
    html! { span title=(parts.join(", ")) { (known(cost.total, money)) } }
}

fn verdict(candidate: &Candidate) -> Markup {
    html! {
        @match &candidate.why_not {
            None => "yes",
            Some(why) => {
                @let mut reasons = why.split("; ");
                span class="quiet" { "no: " (prose(reasons.next().unwrap_or(why))) }
                @let more: Vec<&str> = reasons.collect();
                @if !more.is_empty() {
                    span class="quiet" title=(more.join("; ")) {
                        " (and " (more.len()) " more)"
                    }
                }
            }
        }
    }
}
