//! What flows where.

use maud::html;

use super::bits::{anchor, counted, scroll};
use super::{Content, Section};
use crate::overview::Arrow;
use crate::render::graph::{inline, legend};

pub(super) fn section(content: Content) -> Option<Section> {
    let figures = content.figures?;
    let picture = &figures.picture;
    if picture.nodes.is_empty() {
        return None;
    }
    let detailed = |name: &str| {
        let mut rows = figures.scenarios.iter();
        rows.any(|s| s.name == name && s.detailed)
    };
    let link = |arrow: &Arrow| match arrow.scenarios.as_slice() {
        [one] if detailed(one) => format!("#{}", anchor(one)),
        _ => "#scenarios".to_owned(),
    };
    let late = picture.arrows.iter().filter(|a| a.is_late()).count();
    let body = html! {
        p class="about" {
            "Each arrow is what one scenario carries, with the oldest that a change gets on it. "
            @if picture.arrows.iter().any(|a| a.scenarios.len() > 1) {
                "Where many scenarios lead from one system to another, those of a class share one. "
            }
            @match late {
                0 => "No arrow is later than it may be.",
                n => { strong class="bad" { (counted(n, "arrow is", "arrows are")) " later than it may be." } }
            }
        }
        (legend(picture))
        (scroll("Flow graph", inline(picture, &link)))
        @if picture.nodes_left + picture.arrows_left > 0 {
            p class="left" {
                "Not drawn: " (counted(picture.nodes_left, "system", "systems")) " and "
                (counted(picture.arrows_left, "flow", "flows")) " that carry least; "
                code { "syncline graph --format dot" } " has all of them."
            }
        }
        p id="flow-details" class="details" role="status" hidden {
            "Point at a flow, or go to it with the Tab key, to see what it carries."
        }
    };
    Some(Section {
        id: "flows",
        title: "Flows",
        count: None,
        body,
    })
}
