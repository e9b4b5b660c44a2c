//! An estimate as CSV: one figure a row, so that any spreadsheet can turn it as it likes.

use super::Shown;
use crate::estimate::{HopEstimate, Named, Ranges, ScenarioEstimate};

/// `kind, name, mode, part, figure, value, unit, low, high`; a figure that is not known has no
/// value. What rests on guesses lies between `low` and `high`; without `high` there is no bound.
pub fn text(shown: Shown) -> String {
    let mut rows = Rows(vec![HEAD.map(str::to_owned)]);
    let estimate = shown.estimate;
    for s in &estimate.scenarios {
        let of = ["scenario", &s.name, &s.mode];
        rows.all(of, "", s.figures(), &s.ranges, &estimate.currency);
        hops(&mut rows, of, s);
        what_if(&mut rows, s, &estimate.currency);
    }
    for s in &estimate.systems {
        rows.all(["system", &s.name, ""], "", s.figures(), &s.ranges, "");
    }
    for f in &estimate.fields {
        let of = ["field", &f.field, ""];
        rows.all(of, &f.system, f.figures(), &f.ranges, "s");
    }
    for feed in &estimate.feeds {
        let figures = vec![("survives".to_owned(), feed.survives_seconds)];
        let of = ["feed", &feed.system, ""];
        rows.all(of, "", figures, &Ranges::new(), "s");
    }
    rows.text()
}

const HEAD: [&str; 9] = [
    "kind", "name", "mode", "part", "figure", "value", "unit", "low", "high",
];

fn hops(rows: &mut Rows, of: [&str; 3], scenario: &ScenarioEstimate) {
    for hop in &scenario.hops {
        rows.all(of, &part(hop), hop.figures(), &hop.ranges, "");
    }
}

fn what_if(rows: &mut Rows, scenario: &ScenarioEstimate, currency: &str) {
    let none = Ranges::new();
    for c in scenario.what_if.iter().flatten() {
        let of = ["what_if", &scenario.name, &c.mode];
        let feasible = if c.feasible { 1.0 } else { 0.0 };
        let feasible = vec![("feasible".to_owned(), Some(feasible))];
        rows.all(of, "", feasible, &none, "");
        rows.all(of, "", c.cost_per_month.figures(), &none, currency);
        for hop in &c.hops {
            rows.all(of, &part(hop), hop.figures(), &none, "");
        }
    }
}

fn part(hop: &HopEstimate) -> String {
    format!("{} -> {}", hop.from, hop.to)
}

/// The unit of a figure, where not all of its kind have one.
fn unit(figure: &str) -> &'static str {
    match figure.split('.').next().unwrap_or_default() {
        "calls_per_day" | "quota_per_day" | "budget_per_day" => "calls",
        "records_per_day" => "records",
        "peak_calls_per_second" => "calls/s",
        "utilisation" | "busiest_utilisation" => "share",
        "staleness" => "s",
        _ => "",
    }
}

struct Rows(Vec<[String; HEAD.len()]>);

impl Rows {
    fn all(
        &mut self,
        [kind, name, mode]: [&str; 3],
        part: &str,
        figures: Vec<Named>,
        ranges: &Ranges,
        all: &str,
    ) {
        let text = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
        for (figure, value) in figures {
            let range = ranges.get(&figure);
            let unit = match all {
                "" => unit(&figure),
                all => all,
            };
            let (low, high) = (text(range.map(|r| r.low)), text(range.and_then(|r| r.high)));
            let value = text(value);
            let row = [kind, name, mode, part, &figure, &value, unit, &low, &high];
            self.0.push(row.map(str::to_owned));
        }
    }

    fn text(&self) -> String {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        for row in &self.0 {
            // A vector takes whatever is written to it.
            let _ = writer.write_record(row);
        }
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}
