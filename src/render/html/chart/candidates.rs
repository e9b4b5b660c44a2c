//! Cost against delay of the modes that a scenario could have.

use super::*;

/// A mode that a scenario could have.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::render::html) struct Point {
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

/// So many times as high as all that may be had is still shown.
const REACH: f64 = 2.5;
const CANDIDATES: (u32, u32) = (440, 250);

/// Cost against delay of the modes that a scenario could have.
pub(in crate::render::html) fn candidates(points: &[Point]) -> Markup {
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

#[cfg(test)]
mod tests {
    use super::*;

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
