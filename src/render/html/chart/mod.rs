//! Charts by the plotting library, in the colours of the page.
//!
//! The library knows fixed colours only. It is given one that stands for each of the page's, and
//! what it draws gets the page's variables in their places, so that a chart follows the reader's
//! theme and prints. What all charts share is here, with bars; each further kind has a file.

mod candidates;
mod measured;

use maud::{Markup, PreEscaped, html};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::checks::figures;

pub(super) use candidates::{Point, candidates};
pub(super) use measured::{AgeRow, Line, ages, backlog};

/// How many scenarios have a colour of their own.
pub(super) const COLORS: usize = 6;
/// The colour of all others.
pub(super) const OTHERS: usize = COLORS;

/// The page's colours by name; the position is what the library is given.
const INKS: [&str; 11] = [
    "--ink", "--muted", "--rule", "--s0", "--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--late",
];
const INK: RGBColor = RGBColor(0, 0, 1);
const MUTED: RGBColor = RGBColor(0, 0, 2);
const RULE: RGBColor = RGBColor(0, 0, 3);
const LATE: RGBColor = RGBColor(0, 0, 11);

fn series(at: usize) -> RGBColor {
    RGBColor(0, 0, 4 + at.min(OTHERS) as u8)
}

/// Type as the library measures it: the size written comes out at this over 1.24.
const TYPE: f64 = 12.0 * 1.24;
/// The mean width of a character of it.
const LETTER: f64 = 6.6;

/// A chart that could not be drawn is left out: the table beside it says the same.
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw(size: (u32, u32), with: impl FnOnce(&Area) -> Drawn) -> Markup {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        with(&area).and_then(|()| area.present())
    };
    match drawn {
        Ok(()) => PreEscaped(in_colors(&text)),
        Err(_) => html! {},
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// The library's picture with the page's colours, without what the page says once for all.
fn in_colors(text: &str) -> String {
    let mut out = text
        .replace(" xmlns=\"http://www.w3.org/2000/svg\"", "")
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(">\n", ">")
        .replace("\n<", "<");
    for (at, name) in INKS.iter().enumerate() {
        out = out.replace(
            &format!("\"#0000{:02X}\"", at + 1),
            &format!("\"var({name})\""),
        );
    }
    out
}

fn type_of(color: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    TextStyle {
        color: color.to_backend_color(),
        pos: Pos::new(h, v),
        ..TextStyle::from(("sans-serif", TYPE).into_font())
    }
}

/// An axis with marks where the chart wants them; without any, where the library does.
struct Axis {
    inner: RangedCoordf64,
    marks: Vec<f64>,
}

impl Axis {
    fn new(low: f64, high: f64, marks: Vec<f64>) -> Axis {
        Axis {
            inner: (low..high).into(),
            marks,
        }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.inner.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match self.marks.is_empty() {
            true => self.inner.key_points(hint),
            false => self.marks.clone(),
        }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.inner.range()
    }
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// A bar of parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar<'a> {
    /// What stands before it.
    pub name: &'a str,
    /// Colour and length of each part; 1 is all that is allowed.
    pub parts: Vec<(usize, f64)>,
}

impl Bar<'_> {
    /// Its whole length.
    pub fn total(&self) -> f64 {
        self.parts.iter().map(|p| p.1).sum()
    }
}

/// The ends that an axis of shares may have.
const ENDS: [f64; 9] = [0.004, 0.02, 0.04, 0.08, 0.2, 0.4, 0.8, 1.0, 1.2];

/// Bars below each other, in a picture of this width.
pub(super) fn bars(bars: &[Bar], width: u32) -> Markup {
    let longest = bars.iter().map(Bar::total).fold(0.0, f64::max);
    if bars.is_empty() || !longest.is_finite() {
        return html! {};
    }
    let fitting = ENDS.into_iter().find(|end| *end >= longest * 1.02);
    let end = fitting.unwrap_or(longest * 1.1);
    let steps = if width < 500 { 2 } else { 4 };
    let ticks: Vec<f64> = (0..=steps)
        .map(|at| end * f64::from(at) / f64::from(steps))
        .collect();
    let names: Vec<&str> = bars.iter().map(|b| b.name).collect();
    let count = bars.len();
    draw(rows_size(count, width), |area| {
        let along = Axis::new(0.0, end, ticks);
        let mut chart = rows(area, (&names, width), along, figures::share)?;
        for (at, bar) in bars.iter().enumerate() {
            let low = (count - 1 - at) as f64;
            let mut from = 0.0;
            for (color, length) in &bar.parts {
                let corners = [(from, low + 0.22), (from + length, low + 0.78)];
                chart.draw_series([Rectangle::new(corners, series(*color).filled())])?;
                from += length;
            }
        }
        if end >= 1.0 {
            let line = vec![(1.0, 0.0), (1.0, count as f64)];
            chart.draw_series([PathElement::new(line, LATE.stroke_width(2))])?;
        }
        Ok(())
    })
}

/// The size of a chart of rows of this width.
fn rows_size(count: usize, width: u32) -> (u32, u32) {
    (width, 26 * count as u32 + 44)
}

/// An empty chart of rows below each other, each with its name before it; the first is the topmost,
/// from its number below up to the next.
fn rows<'a, 'b>(
    area: &'a Area<'b>,
    (names, width): (&[&str], u32),
    along: Axis,
    words: fn(f64) -> String,
) -> Result<Chart<'a, 'b>, DrawingAreaErrorKind<std::io::Error>> {
    let count = names.len();
    let longest = names.iter().map(|n| n.chars().count()).max();
    let room = (longest.unwrap_or(0) as f64 * LETTER + 16.0).min(f64::from(width) * 0.42);
    let middles: Vec<f64> = (0..count).map(|at| at as f64 + 0.5).collect();
    let name_of = |y: &f64| {
        let from_above = count.checked_sub(1 + *y as usize);
        let name = from_above.and_then(|at| names.get(at));
        name.map_or(String::new(), |name| shortened(name, room))
    };
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .margin_right(26)
        .margin_bottom(4)
        .x_label_area_size(26)
        .y_label_area_size(room as u32)
        .build_cartesian_2d(along, Axis::new(0.0, count as f64, middles))?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .axis_style(RULE)
        .bold_line_style(RULE)
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|x| words(*x))
        .y_label_formatter(&name_of)
        .x_label_style(type_of(MUTED, HPos::Center, VPos::Top))
        .y_label_style(type_of(INK, HPos::Right, VPos::Center))
        .draw()?;
    Ok(chart)
}

fn shortened(name: &str, room: f64) -> String {
    let fitting = ((room - 16.0) / LETTER).round() as usize;
    match name.chars().count() > fitting {
        true => name.chars().take(fitting.max(2) - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// Where an axis of delays may have its marks.
const MARKS: [f64; 13] = [
    0.01,
    0.1,
    1.0,
    10.0,
    60.0,
    600.0,
    3_600.0,
    21_600.0,
    86_400.0,
    604_800.0,
    2_592_000.0,
    3.2e7,
    3.2e8,
];
/// Money or calls on an axis, in few letters.
fn short(amount: f64) -> String {
    match amount {
        n if n >= 1e7 => format!("{}M", figures::count((n / 1e6).round())),
        n if n >= 1e6 => format!("{}M", figures::count(n / 1e6)),
        n if n >= 1e4 => format!("{}k", figures::count((n / 1e3).round())),
        0.0 => "0".to_owned(),
        n => figures::count(n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_have_the_pages_colours_and_no_others() {
        let shown = bars(
            &[Bar {
                name: "crm",
                parts: vec![(0, 0.2), (OTHERS, 0.9)],
            }],
            900,
        )
        .into_string();
        assert!(
            shown.contains("var(--s0)") && shown.contains("var(--s6)"),
            "{shown}"
        );
        assert!(
            shown.contains("var(--late)"),
            "all that is allowed is marked: {shown}"
        );
        assert!(!shown.contains("\"#"), "{shown}");
        assert!(shown.contains(">crm<"), "{shown}");
    }

    #[test]
    fn what_has_no_bar_is_left_out() {
        assert_eq!(bars(&[], 900).into_string(), "");
    }
}
