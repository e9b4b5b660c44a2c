//! How old what has a bound gets, beside its bound.

use maud::{Markup, html};

use super::bits::{age_bar, counted, link, scroll};
use super::{Content, Section};
use crate::checks::figures;
use crate::overview::{Bound, Bounded, Figures};
use crate::render::estimate::delay;

/// Rows beyond are counted: the table of fields has every bound.
const SHOWN: usize = 20;

pub(super) fn section(content: Content) -> Option<Section> {
    let figures = content.figures?;
    if figures.bounds.is_empty() {
        return None;
    }
    let shown = figures.bounds.iter().take(SHOWN);
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "Held" }
                    th scope="col" { "Arrives in" }
                    th scope="col" class="wide-cell" { "Worst, as a share of its bound" }
                    th scope="col" class="n" { "Worst" }
                    th scope="col" class="n" { "Mean" }
                    th scope="col" class="n" { "Bound" }
                }
            }
            tbody { @for bound in shown { (row(figures, bound)) } }
        }
    };
    let left = figures.bounds.len().saturating_sub(SHOWN);
    let body = html! {
        p class="about" {
            "The nearest to its bound first. A field counts over all hops on its way; a scenario \
             over its own."
        }
        (scroll("Ages beside their bounds", table))
        @if left > 0 {
            p class="left" {
                "And " (counted(left, "bound", "bounds")) " further from being missed: see "
                a href="#fields" { "the fields" } "."
            }
        }
    };
    Some(Section {
        id: "freshness",
        title: "Freshness",
        count: (figures.late > 0).then(|| format!("{} late", figures.late)),
        body,
    })
}

fn row(figures: &Figures, bound: &Bound) -> Markup {
    let late = bound.age.is_late();
    let first = bound.names.first().map_or("", |n| n.as_str());
    let more = bound.names.len().saturating_sub(1);
    html! {
        tr class=[late.then_some("bad-row")] {
            th scope="row" {
                @match bound.what {
                    Bounded::Field => {
                        code { (first) }
                        @if more > 0 { " and " (counted(more, "field", "fields")) " alike" }
                    }
                    Bounded::Hop => { (link(first, detailed(figures, first))) }
                }
            }
            td { (bound.system) }
            td class="wide-cell" {
                (age_bar(bound.age))
                span class="share" {
                    @match bound.age.share() {
                        Some(share) if share.is_finite() => (figures::share(share)),
                        _ => "∞",
                    }
                    @if late { " late" }
                }
            }
            td class="n" { (delay(bound.age.worst)) }
            td class="n" { (delay(bound.age.mean)) }
            td class="n" { (delay(bound.age.required)) }
        }
    }
}

fn detailed(figures: &Figures, name: &str) -> bool {
    figures
        .scenarios
        .iter()
        .any(|s| s.name == name && s.detailed)
}
