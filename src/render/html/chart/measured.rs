//! What a simulation measured: ages beside what is promised and required, and what waited when.

use super::*;

/// The ages of a field in a system.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::render::html) struct AgeRow {
    /// What stands before it.
    pub name: String,
    /// Half of the changes were younger, in seconds.
    pub p50: f64,
    /// 99 of 100 were, in seconds.
    pub p99: f64,
    /// The oldest, in seconds.
    pub worst: f64,
    /// What the estimate promises, in seconds.
    pub promised: Option<f64>,
    /// What the policy asks for, in seconds.
    pub required: Option<f64>,
}

/// The youngest age that is told from none, in seconds.
const YOUNGEST: f64 = 0.01;

/// Ages below each other on a scale of orders: a bar from the middle to 99 of 100, a line on to the
/// oldest, a stroke where the estimate's promise ends and one where the bound stands.
pub(in crate::render::html) fn ages(rows: &[AgeRow], width: u32) -> Markup {
    let place = |seconds: f64| seconds.max(YOUNGEST).ln();
    let all = |row: &AgeRow| {
        let bounds = [row.promised, row.required].into_iter().flatten();
        let bounds = bounds.filter(|b| b.is_finite());
        [row.p50, row.worst]
            .into_iter()
            .chain(bounds)
            .map(place)
            .collect::<Vec<_>>()
    };
    let places: Vec<f64> = rows.iter().flat_map(all).collect();
    let low = places.iter().copied().fold(f64::INFINITY, f64::min) - 0.4;
    let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max) + 0.4;
    if rows.is_empty() || !low.is_finite() || !high.is_finite() {
        return html! {};
    }
    let marks = MARKS.into_iter().map(f64::ln);
    let marks: Vec<f64> = marks.filter(|m| (low..=high).contains(m)).collect();
    let names: Vec<&str> = rows.iter().map(|r| &*r.name).collect();
    let count = rows.len();
    draw(rows_size(count, width), |area| {
        let along = Axis::new(low, high, marks);
        let words = |x: f64| figures::duration(x.exp());
        let mut chart = super::rows(area, (&names, width), along, words)?;
        for (at, row) in rows.iter().enumerate() {
            let base = (count - 1 - at) as f64;
            let middle = base + 0.5;
            let corners = [(place(row.p50), base + 0.3), (place(row.p99), base + 0.7)];
            chart.draw_series([Rectangle::new(corners, series(0).filled())])?;
            let on = vec![(place(row.p50), middle), (place(row.worst), middle)];
            chart.draw_series([PathElement::new(on, series(0).stroke_width(2))])?;
            let strokes = [(row.promised, INK), (row.required, LATE)];
            for (bound, color) in strokes {
                let Some(bound) = bound.filter(|b| b.is_finite()) else {
                    continue;
                };
                let stroke = vec![(place(bound), base + 0.15), (place(bound), base + 0.85)];
                chart.draw_series([PathElement::new(stroke, color.stroke_width(2))])?;
            }
        }
        Ok(())
    })
}

/// What waited for a system.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::render::html) struct Line<'a> {
    /// Its colour.
    pub color: usize,
    /// Writes that waited at each full hour, the first one hour after the start.
    pub hours: &'a [u64],
}

/// Where an axis of passing time may have its steps, in hours.
const STEPS: [f64; 12] = [
    1.0, 2.0, 4.0, 6.0, 12.0, 24.0, 48.0, 96.0, 168.0, 336.0, 720.0, 2_160.0,
];

/// What waited for each system over time.
pub(in crate::render::html) fn backlog(lines: &[Line], width: u32) -> Markup {
    let hours = lines.iter().map(|l| l.hours.len()).max().unwrap_or(0);
    let all = lines.iter().flat_map(|l| l.hours);
    let most = all.copied().max().unwrap_or(0);
    if hours < 2 || most == 0 {
        return html! {};
    }
    let end = hours as f64;
    let wanted = if width < 500 { 4.0 } else { 8.0 };
    let step = STEPS.into_iter().find(|step| end / step <= wanted);
    let step = step.unwrap_or(end / wanted);
    let marks = (0..=(end / step) as u32).map(|at| f64::from(at) * step);
    draw((width, 220), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(26)
            .margin_bottom(4)
            .x_label_area_size(26)
            .y_label_area_size(58)
            .build_cartesian_2d(
                Axis::new(0.0, end, marks.collect()),
                Axis::new(0.0, most as f64 * 1.1, Vec::new()),
            )?;
        chart
            .configure_mesh()
            .axis_style(RULE)
            .bold_line_style(RULE)
            .light_line_style(TRANSPARENT)
            .y_labels(4)
            .x_label_formatter(&|x| figures::duration(x * 3_600.0))
            .y_label_formatter(&|y| short(*y))
            .x_label_style(type_of(MUTED, HPos::Center, VPos::Top))
            .y_label_style(type_of(MUTED, HPos::Right, VPos::Center))
            .draw()?;
        for line in lines {
            let hours = line.hours.iter().enumerate();
            let points = hours.map(|(at, waiting)| (at as f64 + 1.0, *waiting as f64));
            let points = std::iter::once((0.0, 0.0)).chain(points).collect();
            let style = series(line.color).stroke_width(2);
            chart.draw_series([PathElement::<(f64, f64)>::new::<Vec<_>, _>(points, style)])?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(worst: f64, required: Option<f64>) -> AgeRow {
        AgeRow {
            name: "contact.status in crm".into(),
            p50: 0.0,
            p99: worst / 2.0,
            worst,
            promised: Some(f64::INFINITY),
            required,
        }
    }

    #[test]
    fn a_bound_has_its_stroke_and_what_is_without_end_has_none() {
        let shown = ages(&[row(90.0, Some(300.0))], 900).into_string();
        assert!(shown.contains("contact.status in crm"), "{shown}");
        assert_eq!(shown.matches("var(--late)").count(), 1, "{shown}");
        let shown = ages(&[row(90.0, None)], 900).into_string();
        assert!(!shown.contains("var(--late)"), "{shown}");
        assert_eq!(ages(&[], 900).into_string(), "");
    }

    #[test]
    fn what_never_waited_has_no_chart() {
        let line = |hours| Line { color: 0, hours };
        assert_eq!(backlog(&[line(&[0, 0, 0])], 900).into_string(), "");
        assert_eq!(backlog(&[line(&[9])], 900).into_string(), "");
        let shown = backlog(&[line(&[0, 120, 3])], 900).into_string();
        assert!(
            shown.contains("var(--s0)") && shown.contains(">2h<"),
            "{shown}"
        );
    }
}
