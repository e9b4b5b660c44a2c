//! The figures of an estimate by name: what a table of one figure a row, and a range, call them.

use super::types::{Cost, FieldAge, HopEstimate, ScenarioEstimate, SystemEstimate};

/// A figure by name; none: not known, or without bound.
pub type Named = (String, Option<f64>);

impl Cost {
    /// Its parts and their sum, in the estimate's currency.
    pub fn figures(&self) -> Vec<Named> {
        let parts = [
            ("api", self.api),
            ("upkeep", self.upkeep),
            ("staleness", self.staleness),
            ("total", self.total),
        ];
        let name = |part| format!("cost_per_month.{part}");
        parts.map(|(part, sum)| (name(part), sum)).into()
    }
}

impl ScenarioEstimate {
    /// What it costs.
    pub fn figures(&self) -> Vec<Named> {
        self.cost_per_month.figures()
    }
}

impl HopEstimate {
    /// Calls, records, rates and ages.
    pub fn figures(&self) -> Vec<Named> {
        let by_system = |figure: &'static str| {
            move |(system, value): (&String, &Option<f64>)| (format!("{figure}.{system}"), *value)
        };
        let calls = self.calls_per_day.iter().map(by_system("calls_per_day"));
        let rates = self.peak_calls_per_second.iter();
        let mut all: Vec<Named> = calls.collect();
        all.push(("records_per_day".to_owned(), self.records_per_day));
        all.extend(rates.map(by_system("peak_calls_per_second")));
        all.push(("staleness.mean".to_owned(), self.staleness_seconds.mean));
        all.push(("staleness.worst".to_owned(), self.staleness_seconds.worst));
        all
    }
}

impl SystemEstimate {
    /// Calls, quota, use and rate.
    pub fn figures(&self) -> Vec<Named> {
        [
            ("calls_per_day", self.calls_per_day),
            ("quota_per_day", self.quota_per_day),
            ("budget_per_day", self.budget_per_day),
            ("utilisation", self.utilisation),
            ("busiest_utilisation", self.busiest_utilisation),
            ("peak_calls_per_second", self.peak_calls_per_second),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

impl FieldAge {
    /// Its bound and its ages, in seconds.
    pub fn figures(&self) -> Vec<Named> {
        [
            ("required", self.required_seconds),
            ("worst", self.worst_seconds),
            ("mean", self.mean_seconds),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
