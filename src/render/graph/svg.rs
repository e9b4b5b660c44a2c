//! A flow graph as a picture: a file of its own, or a part of a page.

use maud::{Markup, html};

use super::layout::{At, Line, Placed, PlacedLine, Size, place};
use super::legend::{self, MARKERS};
use super::words::{arrow_lines, class_name, details, left_out, node_lines, plain, summary};
use crate::overview::{Arrow, Node, Picture};

/// Sizes of type in pixels, and how wide a mean character of it is as a share of that.
const NAME_SIZE: f64 = 13.0;
const LINE_SIZE: f64 = 11.5;
const NAME_WIDTH: f64 = 0.60;
const LINE_WIDTH: f64 = 0.545;
/// From line to line.
const LEADING: f64 = 15.0;
/// Room inside a box.
const PADDING: Size = (14.0, 9.0);
/// The least width of a box.
const BOX_MIN: f64 = 84.0;

/// How the file's own picture looks; a page brings its own style.
const STYLE: &str = include_str!("flow.css");
const FILE_STYLE: &str = include_str!("file.css");

/// A picture as a file.
pub fn svg(picture: &Picture) -> String {
    let drawn = Drawn::of(picture);
    let (width, height) = drawn.placed.size;
    let foot = legend::height(picture);
    let width = width.max(legend::width(picture));
    let full = height + foot;
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" class="flow" role="img"
            aria-labelledby="flow-title flow-text"
            width=(px(width)) height=(px(full)) viewBox=(format!("0 0 {} {}", px(width), px(full))) {
            title id="flow-title" { (plain(&picture.title)) }
            desc id="flow-text" { (summary(picture)) }
            style { (maud::PreEscaped(FILE_STYLE)) (maud::PreEscaped(STYLE)) }
            (markers())
            rect class="ground" width="100%" height="100%" {}
            (drawn.body(None))
            (legend::drawn(picture, height))
            @if let Some(left) = left_out(picture) {
                text class="line" x="16" y=(px(full - 8.0)) { (left) }
            }
        }
    };
    let mut out = markup.into_string();
    out.push('\n');
    out
}

/// A picture as a part of a page, where each arrow leads to what `link` says of it.
pub(in crate::render) fn inline(picture: &Picture, link: &dyn Fn(&Arrow) -> String) -> Markup {
    let drawn = Drawn::of(picture);
    let (width, height) = drawn.placed.size;
    html! {
        svg class="flow" role="group" aria-label=(summary(picture))
            style=(format!("--w:{}", px(width)))
            width=(px(width)) height=(px(height))
            viewBox=(format!("0 0 {} {}", px(width), px(height))) {
            (markers())
            (drawn.body(Some(link)))
        }
    }
}

/// A picture with its places.
struct Drawn<'p> {
    picture: &'p Picture,
    boxes: Vec<(Size, Vec<String>)>,
    words: Vec<Vec<String>>,
    placed: Placed,
}

impl<'p> Drawn<'p> {
    fn of(picture: &'p Picture) -> Drawn<'p> {
        let boxes: Vec<(Size, Vec<String>)> = picture
            .nodes
            .iter()
            .map(|node| {
                let lines = node_lines(node);
                let (width, height) = room(&lines);
                let width = (width + 2.0 * PADDING.0).max(BOX_MIN);
                ((width, height + 2.0 * PADDING.1), lines)
            })
            .collect();
        let words: Vec<Vec<String>> = picture
            .arrows
            .iter()
            .map(|a| arrow_lines(picture, a))
            .collect();
        let sizes: Vec<Size> = boxes.iter().map(|b| b.0).collect();
        let lines = picture
            .arrows
            .iter()
            .zip(&words)
            .map(|(arrow, words)| Line {
                from: arrow.from,
                to: arrow.to,
                words: room(words),
            });
        let lines: Vec<Line> = lines.collect();
        Drawn {
            picture,
            boxes,
            words,
            placed: place(&sizes, &lines),
        }
    }

    fn body(&self, link: Option<&dyn Fn(&Arrow) -> String>) -> Markup {
        let arrows = || self.picture.arrows.iter().zip(&self.placed.lines);
        let nodes = self.picture.nodes.iter().zip(&self.boxes);
        let nodes = nodes.zip(&self.placed.nodes);
        // All lines lie below all words.
        html! {
            @for (arrow, line) in arrows() {
                g class=(arrow_class(arrow)) { (shaft(arrow, line)) }
            }
            @for ((node, (size, lines)), middle) in nodes {
                (of_node(node, *size, lines, *middle))
            }
            @for ((arrow, line), words) in arrows().zip(&self.words) {
                @match link {
                    Some(link) => a class=(arrow_class(arrow)) href=(link(arrow))
                        aria-label=(plain(&details(self.picture, arrow))) {
                        path class="reach" d=(way(&line.points)) {}
                        (words_of(self.picture, arrow, words, line))
                    },
                    None => g class=(arrow_class(arrow)) {
                        (words_of(self.picture, arrow, words, line))
                    },
                }
            }
        }
    }
}

fn arrow_class(arrow: &Arrow) -> String {
    let late = if arrow.is_late() { " late" } else { "" };
    format!("arrow {}{late}", class_name(arrow.class))
}

fn shaft(arrow: &Arrow, line: &PlacedLine) -> Markup {
    let head = match arrow.is_late() {
        true => "late",
        false => class_name(arrow.class),
    };
    html! {
        path class="shaft" d=(way(&line.points)) marker-end=(format!("url(#head-{head})")) {}
    }
}

fn words_of(picture: &Picture, arrow: &Arrow, words: &[String], line: &PlacedLine) -> Markup {
    let (width, height) = room(words);
    let (x, y) = line.words;
    html! {
        title { (plain(&details(picture, arrow))) }
        rect class="back" x=(px(x - width / 2.0)) y=(px(y - height / 2.0))
            width=(px(width)) height=(px(height)) rx="4" {}
        (text(words, line.words, "middle"))
    }
}

fn of_node(node: &Node, (width, height): Size, lines: &[String], (x, y): At) -> Markup {
    let class = if node.late > 0 { "node late" } else { "node" };
    html! {
        g class=(class) {
            rect x=(px(x - width / 2.0)) y=(px(y - height / 2.0))
                width=(px(width)) height=(px(height)) rx="8" {}
            (text(lines, (x, y), "middle"))
        }
    }
}

/// Lines of text around a middle, the first of them as a name.
fn text(lines: &[String], (x, y): At, anchor: &str) -> Markup {
    let first = y - room_height(lines) / 2.0 + LEADING - 3.5;
    html! {
        text x=(px(x)) text-anchor=(anchor) {
            @for (at, line) in lines.iter().enumerate() {
                tspan class=(line_class(at, line)) x=(px(x)) y=(px(first + at as f64 * LEADING)) {
                    (plain(line))
                }
            }
        }
    }
}

fn line_class(at: usize, line: &str) -> &'static str {
    match at {
        0 => "name",
        _ if line.starts_with("late") || line.contains("over") => "line bad",
        _ => "line",
    }
}

fn room(lines: &[String]) -> Size {
    let widths = lines.iter().enumerate().map(|(at, line)| {
        let letters = line.chars().count() as f64;
        match at {
            0 => letters * NAME_SIZE * NAME_WIDTH,
            _ if line_class(at, line) != "line" => letters * LINE_SIZE * NAME_WIDTH,
            _ => letters * LINE_SIZE * LINE_WIDTH,
        }
    });
    (widths.fold(0.0, f64::max), room_height(lines))
}

fn room_height(lines: &[String]) -> f64 {
    lines.len() as f64 * LEADING
}

/// A smooth line through points: cubic curves whose tangents follow the points on both sides.
fn way(points: &[At]) -> String {
    let mut out = String::new();
    let Some((first, last)) = points.first().zip(points.last()) else {
        return out;
    };
    let point = |p: At| format!("{} {}", px(p.0), px(p.1));
    // A sixth of the way between its neighbours on either side of a point.
    let sixth = |a: &At, b: &At| ((b.0 - a.0) / 6.0, (b.1 - a.1) / 6.0);
    out.push_str(&format!("M{}", point(*first)));
    for (at, pair) in points.windows(2).enumerate() {
        let [from, to] = pair else { continue };
        let before = at.checked_sub(1).and_then(|at| points.get(at));
        let (before, after) = (before.unwrap_or(first), points.get(at + 2).unwrap_or(last));
        let (leave, arrive) = (sixth(before, to), sixth(from, after));
        out.push_str(&format!(
            "C{} {} {}",
            point((from.0 + leave.0, from.1 + leave.1)),
            point((to.0 - arrive.0, to.1 - arrive.1)),
            point(*to)
        ));
    }
    out
}

/// A length to a tenth of a pixel.
pub(super) fn px(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// The heads of arrows, one for each colour.
fn markers() -> Markup {
    html! {
        defs {
            @for name in MARKERS {
                marker id=(format!("head-{name}")) class=(format!("head {name}")) viewBox="0 0 8 8"
                    refX="7.2" refY="4" markerWidth="8" markerHeight="8"
                    markerUnits="userSpaceOnUse" orient="auto" {
                    path d="M0.5 0.5L7.5 4L0.5 7.5z" {}
                }
            }
        }
    }
}
