//! An estimate as CSV: one figure a row, so that any spreadsheet can turn it as it likes.

use super::Shown;
use crate::estimate::{Cost, Estimate, HopEstimate, Old};

/// `kind, name, mode, part, figure, value, unit`; a figure that is not known has no value.
pub fn text(shown: Shown) -> String {
    let mut rows = Rows(vec![
        ["kind", "name", "mode", "part", "figure", "value", "unit"].map(str::to_owned),
    ]);
    let estimate = shown.estimate;
    scenarios(&mut rows, estimate);
    systems(&mut rows, estimate);
    for f in &estimate.fields {
        let mut add = |figure: &str, value| {
            rows.add(["field", &f.field, "", &f.system, figure], value, "s");
        };
        add("required", f.required_seconds);
        add("worst", f.worst_seconds);
        add("mean", f.mean_seconds);
    }
    for feed in &estimate.feeds {
        let place = ["feed", &feed.system, "", "", "survives"];
        rows.add(place, feed.survives_seconds, "s");
    }
    rows.text()
}

fn scenarios(rows: &mut Rows, estimate: &Estimate) {
    let currency = &estimate.currency;
    for s in &estimate.scenarios {
        cost(
            rows,
            ["scenario", &s.name, &s.mode],
            &s.cost_per_month,
            currency,
        );
        hops(rows, ["scenario", &s.name, &s.mode], &s.hops);
        for c in s.what_if.iter().flatten() {
            let of = ["what_if", &s.name, &c.mode];
            let feasible = if c.feasible { 1.0 } else { 0.0 };
            rows.add([of[0], of[1], of[2], "", "feasible"], Some(feasible), "");
            cost(rows, of, &c.cost_per_month, currency);
            hops(rows, of, &c.hops);
        }
    }
}

fn cost(rows: &mut Rows, [kind, name, mode]: [&str; 3], cost: &Cost, currency: &str) {
    let parts = [
        ("api", cost.api),
        ("upkeep", cost.upkeep),
        ("staleness", cost.staleness),
        ("total", cost.total),
    ];
    for (part, amount) in parts {
        let figure = format!("cost_per_month.{part}");
        rows.add([kind, name, mode, "", &figure], amount, currency);
    }
}

fn hops(rows: &mut Rows, [kind, name, mode]: [&str; 3], hops: &[HopEstimate]) {
    for hop in hops {
        let part = format!("{} -> {}", hop.from, hop.to);
        let mut add = |figure: &str, value, unit: &str| {
            rows.add([kind, name, mode, &part, figure], value, unit);
        };
        for (system, calls) in &hop.calls_per_day {
            add(&format!("calls_per_day.{system}"), *calls, "calls");
        }
        add("records_per_day", hop.records_per_day, "records");
        for (system, rate) in &hop.peak_calls_per_second {
            add(&format!("peak_calls_per_second.{system}"), *rate, "calls/s");
        }
        let Old { mean, worst, .. } = hop.staleness_seconds;
        add("staleness.mean", mean, "s");
        add("staleness.worst", worst, "s");
    }
}

fn systems(rows: &mut Rows, estimate: &Estimate) {
    for s in &estimate.systems {
        let mut add = |figure: &str, value, unit: &str| {
            rows.add(["system", &s.name, "", "", figure], value, unit);
        };
        add("calls_per_day", s.calls_per_day, "calls");
        add("quota_per_day", s.quota_per_day, "calls");
        add("budget_per_day", s.budget_per_day, "calls");
        add("utilisation", s.utilisation, "share");
        add("busiest_utilisation", s.busiest_utilisation, "share");
        add("peak_calls_per_second", s.peak_calls_per_second, "calls/s");
    }
}

struct Rows(Vec<[String; 7]>);

impl Rows {
    fn add(&mut self, [kind, name, mode, part, figure]: [&str; 5], value: Option<f64>, unit: &str) {
        let value = value.map_or(String::new(), |v| v.to_string());
        let row = [kind, name, mode, part, figure, &value, unit];
        self.0.push(row.map(str::to_owned));
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
