//! What the lines of a picture mean.

use maud::{Markup, html};

use super::svg::px;
use super::words::{class_name, left_out};
use crate::overview::{Arrow, Picture};

/// The styles that lines have.
pub(super) const MARKERS: [&str; 6] = ["realtime", "hybrid", "near", "scheduled", "open", "late"];

/// The length of a sample of a line.
const SAMPLE: f64 = 34.0;
/// Room for the words of one entry.
const ENTRY: f64 = 140.0;
const ROW: f64 = 30.0;

/// One arrow of each style that occurs, in the order of the styles.
fn styles(picture: &Picture) -> Vec<(&'static str, String)> {
    let of = |name: &&'static str| {
        let mut arrows = picture.arrows.iter();
        let found: Option<&Arrow> = match *name {
            "late" => arrows.find(|a| a.is_late()),
            name => arrows.find(|a| class_name(a.class) == name),
        };
        found.map(|arrow| match *name {
            "late" => (*name, "later than allowed".to_owned()),
            name => (name, arrow.class.map_or("no mode", |c| c.word()).to_owned()),
        })
    };
    MARKERS.iter().filter_map(of).collect()
}

/// The height of the legend of a file.
pub(super) fn height(picture: &Picture) -> f64 {
    let left = if left_out(picture).is_some() {
        20.0
    } else {
        0.0
    };
    match picture.arrows.is_empty() {
        true => left,
        false => ROW + left,
    }
}

/// Its width.
pub(super) fn width(picture: &Picture) -> f64 {
    16.0 + styles(picture).len() as f64 * (SAMPLE + ENTRY)
}

/// The legend of a file, below its picture.
pub(super) fn drawn(picture: &Picture, top: f64) -> Markup {
    let middle = top + ROW / 2.0 - 4.0;
    html! {
        @for (at, (class, words)) in styles(picture).into_iter().enumerate() {
            @let left = 16.0 + at as f64 * (SAMPLE + ENTRY);
            g class=(format!("arrow {class}")) {
                path class="shaft" d=(format!("M{} {}h{}", px(left), px(middle), px(SAMPLE - 4.0)))
                    marker-end=(format!("url(#head-{class})")) {}
                text x=(px(left + SAMPLE + 6.0)) y=(px(middle + 4.0)) {
                    tspan class="line" { (words) }
                }
            }
        }
    }
}

/// The legend of a page, beside its picture.
pub(in crate::render) fn legend(picture: &Picture) -> Markup {
    html! {
        ul class="legend" aria-label="What the lines mean" {
            @for (class, words) in styles(picture) {
                li {
                    svg class="flow" width="40" height="12" viewBox="0 0 40 12" aria-hidden="true" {
                        g class=(format!("arrow {class}")) {
                            path class="shaft" d="M1 6h36"
                                marker-end=(format!("url(#head-{class})")) {}
                        }
                    }
                    (words)
                }
            }
        }
    }
}
