//! Charts by the plotting library, in the colours of the page.
//!
//! The library knows fixed colours only. It is given one that stands for each of the page's, and
//! what it draws gets the page's variables in their places, so that a chart follows the reader's
//! theme and prints.

use maud::{Markup, PreEscaped, html};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::checks::figures;

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
    let names = bars.iter().map(|b| b.name.chars().count()).max();
    let room = (names.unwrap_or(0) as f64 * LETTER + 16.0).min(f64::from(width) * 0.42);
    let count = bars.len();
    let height = 26 * count as u32 + 44;
    let steps = if width < 500 { 2 } else { 4 };
    let ticks: Vec<f64> = (0..=steps)
        .map(|at| end * f64::from(at) / f64::from(steps))
        .collect();
    let rows: Vec<f64> = (0..count).map(|at| at as f64 + 0.5).collect();
    let name_of = |y: &f64| {
        let from_above = count.checked_sub(1 + *y as usize);
        let bar = from_above.and_then(|at| bars.get(at));
        bar.map_or(String::new(), |b| shortened(b.name, room))
    };
    draw((width, height), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(8)
            .margin_right(26)
            .margin_bottom(4)
            .x_label_area_size(26)
            .y_label_area_size(room as u32)
            .build_cartesian_2d(
                Axis::new(0.0, end, ticks),
                Axis::new(0.0, count as f64, rows),
            )?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .axis_style(RULE)
            .bold_line_style(RULE)
            .light_line_style(TRANSPARENT)
            .x_label_formatter(&|x| figures::share(*x))
            .y_label_formatter(&name_of)
            .x_label_style(type_of(MUTED, HPos::Center, VPos::Top))
            .y_label_style(type_of(INK, HPos::Right, VPos::Center))
            .draw()?;
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

fn shortened(name: &str, room: f64) -> String {
    let fitting = ((room - 16.0) / LETTER).round() as usize;
    match name.chars().count() > fitting {
        true => name.chars().take(fitting.max(2) - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// A mode that a scenario could have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    /// The oldest that a change gets, in seconds.
    pub seconds: f64,
    /// What it costs, or how often it calls.
    pub height: f64,
    /// Its mode in few letters.
    pub name: String,
    /// Whether every rule and limit would hold.
    pub feasible: bool,
    /// Whether it is the mode that the scenario has.
    pub now: bool,
}

/// Where the axis of delays may have its marks.
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
/// So many times as high as all that may be had is still shown.
const REACH: f64 = 2.5;
const CANDIDATES: (u32, u32) = (440, 250);

/// Cost against delay of the modes that a scenario could have.
pub(super) fn candidates(points: &[Point]) -> Markup {
    let finite = |p: &&Point| p.seconds.is_finite() && p.seconds > 0.0 && p.height.is_finite();
    let points: Vec<&Point> = points.iter().filter(finite).collect();
    let times = || points.iter().map(|p| p.seconds);
    let (least, most) = (
        times().fold(f64::INFINITY, f64::min),
        times().fold(0.0, f64::max),
    );
    if points.len() < 2 || least >= most {
        return html! {};
    }
    let scale = Scale::of(&points);
    let points = match scale {
        Scale::Even => in_reach(points),
        Scale::Log(_) => points,
    };
    let (top, heights) = scale.axis(&points);
    let (low, high) = ((least / 1.8).ln(), (most * 2.4).ln());
    let marks = MARKS.into_iter().map(f64::ln);
    let marks: Vec<f64> = marks.filter(|m| (low..=high).contains(m)).collect();
    draw(CANDIDATES, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(12)
            .margin_bottom(2)
            .x_label_area_size(26)
            .y_label_area_size(58)
            .build_cartesian_2d(Axis::new(low, high, marks), Axis::new(0.0, top, heights))?;
        chart
            .configure_mesh()
            .axis_style(RULE)
            .bold_line_style(RULE)
            .light_line_style(TRANSPARENT)
            .y_labels(5)
            .x_label_formatter(&|x| figures::duration(x.exp()))
            .y_label_formatter(&|y| short(scale.value(*y)))
            .x_label_style(type_of(MUTED, HPos::Center, VPos::Top))
            .y_label_style(type_of(MUTED, HPos::Right, VPos::Center))
            .draw()?;
        let place = |p: &Point| (p.seconds.ln(), scale.place(p.height));
        for point in &points {
            mark(&mut chart, place(point), point)?;
        }
        name_points(&mut chart, &points, place)
    })
}

/// How heights are laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    /// Twice as much stands twice as high.
    Even,
    /// Ten times as much stands so much higher; below this unit nearly evenly, so that nothing at
    /// all has its place too.
    Log(f64),
}

/// From how many times the least on the most is too far away for an even scale.
const FAR: f64 = 30.0;

impl Scale {
    fn of(points: &[&Point]) -> Scale {
        let real = points.iter().filter(|p| p.feasible || p.now);
        let heights = || real.clone().map(|p| p.height).filter(|h| *h > 0.0);
        let least = heights().fold(f64::INFINITY, f64::min);
        let most = heights().fold(0.0, f64::max);
        match most > least * FAR {
            true => Scale::Log(least),
            false => Scale::Even,
        }
    }

    fn place(self, height: f64) -> f64 {
        match self {
            Scale::Even => height,
            Scale::Log(unit) => (height / unit).ln_1p(),
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Scale::Even => place,
            Scale::Log(unit) => unit * place.exp_m1(),
        }
    }

    /// The axis' end and its marks; none: where the library wants them.
    fn axis(self, points: &[&Point]) -> (f64, Vec<f64>) {
        let highest = points.iter().map(|p| p.height).fold(0.0, f64::max);
        let Scale::Log(unit) = self else {
            let top = if highest > 0.0 { highest * 1.16 } else { 1.0 };
            return (top, Vec::new());
        };
        let top = self.place(highest) * 1.12;
        let first = unit.log10().floor() as i32;
        let tens = (first..first + 24).map(|power| 10_f64.powi(power));
        let tens = tens.filter(|ten| *ten > unit * 0.8 && self.place(*ten) <= top);
        let marks = std::iter::once(0.0).chain(tens.map(|ten| self.place(ten)));
        (top, marks.collect())
    }
}

/// Without points that are far above all that may be had or is had now: they would press the
/// others onto the axis.
fn in_reach(points: Vec<&Point>) -> Vec<&Point> {
    let real = points.iter().filter(|p| p.feasible || p.now);
    let most = real.map(|p| p.height).fold(0.0, f64::max) * REACH;
    let near: Vec<&Point> = points
        .iter()
        .copied()
        .filter(|p| p.height <= most)
        .collect();
    match near.len() {
        0 | 1 => points,
        _ => near,
    }
}

fn mark(chart: &mut Chart, place: (f64, f64), point: &Point) -> Drawn {
    let color = if point.feasible { series(0) } else { MUTED };
    match point.feasible {
        true => chart.draw_series([Circle::new(place, 5, color.filled())])?,
        false => chart.draw_series([Circle::new(place, 4, color.stroke_width(2))])?,
    };
    if point.now {
        chart.draw_series([Circle::new(place, 9, INK.stroke_width(2))])?;
    }
    Ok(())
}

/// Names beside the points, as many as have room: the present mode's before those that may be had,
/// and these before the others.
fn name_points(
    chart: &mut Chart,
    points: &[&Point],
    place: impl Fn(&Point) -> (f64, f64),
) -> Drawn {
    let at = |p: &Point| chart.backend_coord(&place(p));
    let mut order: Vec<(&&Point, (i32, i32))> = points.iter().map(|p| (p, at(p))).collect();
    order.sort_by_key(|(p, _)| (!p.now, !p.feasible));
    let dots: Vec<(i32, i32)> = order.iter().map(|o| o.1).collect();
    let mut taken: Vec<(i32, i32, i32, i32)> = Vec::new();
    let mut words = Vec::new();
    for (point, (x, y)) in order {
        let width = (point.name.chars().count() as f64 * LETTER) as i32;
        let color = match (point.now, point.feasible) {
            (true, _) => INK,
            (_, true) => series(0),
            _ => MUTED,
        };
        let gap = if point.now { 12 } else { 8 };
        let spots = [
            (x + gap, y, HPos::Left, x + gap),
            (x - gap, y, HPos::Right, x - gap - width),
            (x, y - gap - 7, HPos::Center, x - width / 2),
            (x, y + gap + 7, HPos::Center, x - width / 2),
        ];
        let free = spots.into_iter().find_map(|(to_x, to_y, h, left)| {
            let room = (left, to_y - 7, left + width, to_y + 7);
            let inside = room.0 > 56
                && room.2 < CANDIDATES.0 as i32 - 2
                && room.1 > 0
                && room.3 < CANDIDATES.1 as i32 - 26;
            let apart = |other: &(i32, i32, i32, i32)| {
                room.2 < other.0 || other.2 < room.0 || room.3 < other.1 || other.3 < room.1
            };
            let clear = dots.iter().filter(|d| **d != (x, y)).all(|d| {
                d.0 + 5 < room.0 || d.0 - 5 > room.2 || d.1 + 5 < room.1 || d.1 - 5 > room.3
            });
            (inside && clear && taken.iter().all(apart)).then_some((to_x, to_y, h, room))
        });
        if let Some((to_x, to_y, h, room)) = free {
            taken.push(room);
            words.push((
                point.name.clone(),
                (to_x, to_y),
                type_of(color, h, VPos::Center),
            ));
        }
    }
    let area = chart.plotting_area().strip_coord_spec();
    let (left, top) = area.get_base_pixel();
    for (name, (x, y), style) in words {
        area.draw(&Text::new(name, (x - left, y - top), style))?;
    }
    Ok(())
}

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
    fn what_is_far_above_does_not_press_the_rest_down() {
        let point = |height, feasible| Point {
            seconds: 60.0,
            height,
            name: String::new(),
            feasible,
            now: false,
        };
        let (low, high, far) = (point(1.0, true), point(10.0, true), point(1e6, false));
        assert_eq!(in_reach(vec![&low, &high, &far]), [&low, &high]);
        assert_eq!(
            in_reach(vec![&low, &far]),
            [&low, &far],
            "one alone says nothing"
        );
        assert_eq!(
            [short(0.0), short(1.5e6), short(45_000.0)],
            ["0", "1.5M", "45k"]
        );
    }

    #[test]
    fn what_differs_by_orders_stands_on_a_scale_of_them() {
        let point = |height| Point {
            seconds: 60.0,
            height,
            name: String::new(),
            feasible: true,
            now: false,
        };
        let points = [point(0.0), point(2.0), point(90_000.0)];
        let points: Vec<&Point> = points.iter().collect();
        let scale = Scale::of(&points);
        assert_eq!(scale, Scale::Log(2.0));
        for height in [0.0, 2.0, 50.0, 90_000.0] {
            let back = scale.value(scale.place(height));
            assert!((back - height).abs() <= 1e-9 * height.max(1.0), "{back}");
        }
        let (top, marks) = scale.axis(&points);
        let marks: Vec<f64> = marks.iter().map(|m| scale.value(*m).round()).collect();
        assert_eq!(marks, [0.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0]);
        assert!(scale.place(90_000.0) < top);
        assert_eq!(Scale::of(&points[..2]), Scale::Even);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        assert_eq!(bars(&[], 900).into_string(), "");
        let one = Point {
            seconds: f64::INFINITY,
            height: 1.0,
            name: "daily".into(),
            feasible: true,
            now: true,
        };
        assert_eq!(candidates(&[one.clone(), one]).into_string(), "");
    }
}
