//! What a reader looks for first.

use maud::{Markup, html};

use super::bits::{counted, link, prose};
use super::{Content, Section};
use crate::checks::figures;
use crate::overview::{Bounded, Figures};
use crate::render::estimate::{delay, further, money, nearest_burst};

pub(super) fn section(content: Content) -> Option<Section> {
    let body = html! {
        @match content.figures {
            Some(figures) => {
                div class="tiles" {
                    (runs_out(figures))
                    (cost(figures))
                    (late(figures))
                    (findings(content))
                }
                (in_words(figures))
            }
            None => {
                p class="missing" {
                    "The policy could not be read whole, so that no figure that follows from it \
                     would be sure: flows, ages, calls and costs are left out until the errors \
                     below are mended. Owners and rules are shown as far as they are known."
                }
                div class="tiles" { (findings(content)) }
            }
        }
    };
    Some(Section {
        id: "glance",
        title: "At a glance",
        count: None,
        body,
    })
}

fn tile(class: &str, label: &str, figure: Markup, note: Markup) -> Markup {
    html! {
        div class=(format!("tile {class}")) {
            h3 { (label) }
            p class="figure" { (figure) }
            p class="note" { (note) }
        }
    }
}

fn runs_out(figures: &Figures) -> Markup {
    let Some(first) = &figures.first_out else {
        return tile(
            "",
            "Runs out first",
            html! { "nothing known" },
            html! { "No system that is called has a daily quota that is known." },
        );
    };
    let class = if first.share > 1.0 { "bad" } else { "" };
    let detailed = |name: &str| {
        let mut rows = figures.scenarios.iter();
        rows.any(|s| s.name == name && s.detailed)
    };
    tile(
        class,
        "Runs out first",
        html! {
            (first.system) " " small {
                @if first.at_least { "≥ " }
                (figures::share(first.share))
            }
        },
        html! {
            "of "
            @match first.budget_per_day {
                Some(budget) => { "the " (figures::calls(budget)) " that it may use" }
                None => "what it may use",
            }
            " on its busiest day"
            @if let Some((scenario, part)) = &first.most {
                "; " (link(scenario, detailed(scenario))) " makes " (figures::share(*part))
                " of its calls"
            }
        },
    )
}

fn cost(figures: &Figures) -> Markup {
    let sums = &figures.sums;
    let all = figures.scenarios.len();
    let unknown = html! {
        @if sums.unknown > 0 {
            "; not known for " (counted(sums.unknown, "scenario", "scenarios"))
        }
    };
    if sums.total == 0.0 {
        let known = sums.unknown < all;
        return tile(
            "",
            "Costs a month",
            html! { @if known { "nothing priced" } @else { "?" } },
            html! {
                "Write " code { "price" } ", " code { "upkeep" } " or " code { "stale … costs" }
                " to see what it costs" (unknown)
            },
        );
    }
    tile(
        "",
        "Costs a month",
        html! { (money(sums.total)) " " small { (figures.estimate.currency) } },
        html! {
            "calls " (money(sums.api)) ", upkeep " (money(sums.upkeep)) ", delays "
            (money(sums.staleness)) (unknown)
        },
    )
}

fn late(figures: &Figures) -> Markup {
    let nearest = figures.bounds.iter().find(|b| b.what == Bounded::Field);
    let note = html! {
        @match nearest {
            None => { "No field has a " code { "fresh" } " where a flow brings it" }
            Some(bound) => {
                @if figures.late > 0 { "worst: " } @else { "nearest: " }
                code { (bound.names.first().map_or("", |n| n.as_str())) }
                " in " (bound.system) ", " (delay(bound.age.worst)) " of "
                (delay(bound.age.required))
            }
        }
    };
    let class = if figures.late > 0 { "bad" } else { "" };
    let figure = html! {
        (figures::count(figures.late as f64)) " "
        small { "of " (figures::count(figures.bounded as f64)) }
    };
    tile(class, "Late fields", figure, note)
}

fn findings(content: Content) -> Markup {
    let sum = content.findings.summary();
    let class = if sum.errors > 0 { "bad" } else { "" };
    let all = sum.errors + sum.warnings;
    tile(
        class,
        "Findings",
        html! { (figures::count(all as f64)) },
        html! {
            a href="#findings" {
                (counted(sum.errors, "error", "errors")) ", "
                (counted(sum.warnings, "warning", "warnings"))
            }
            @if sum.allowed > 0 { ", " (sum.allowed) " allowed" }
        },
    )
}

fn in_words(figures: &Figures) -> Markup {
    let mut lines: Vec<String> = nearest_burst(&figures.estimate).into_iter().collect();
    lines.extend(further(&figures.estimate, &figures.better));
    html! {
        @if !lines.is_empty() {
            ul class="words" {
                @for line in &lines { li { (prose(line)) } }
            }
        }
    }
}
