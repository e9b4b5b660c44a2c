//! Who calls each system how often.

use std::collections::HashMap;

use crate::estimate::Estimate;

/// What all scenarios ask of a system, by scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// The system.
    pub system: String,
    /// What each scenario asks that asks anything, the most first.
    pub parts: Vec<Part>,
}

/// A scenario's part.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The scenario.
    pub scenario: String,
    /// Its calls on a mean day.
    pub calls_per_day: f64,
    /// The share of the system's daily budget that they use; none: no quota is known.
    pub of_budget: Option<f64>,
    /// The share of all calls to the system.
    pub of_calls: f64,
}

/// By system, in the order of the policy.
pub(super) fn of_policy(estimate: &Estimate) -> Vec<Usage> {
    // Only ever looked up; the lists keep the order of the scenarios.
    let mut calls: HashMap<&str, Vec<(&str, f64)>> = HashMap::new();
    for scenario in &estimate.scenarios {
        for (system, number) in scenario.hops.iter().flat_map(|h| &h.calls_per_day) {
            let Some(number) = number.filter(|n| *n > 0.0) else {
                continue;
            };
            let list = calls.entry(system).or_default();
            match list.last_mut().filter(|l| l.0 == scenario.name) {
                Some(last) => last.1 += number,
                None => list.push((&scenario.name, number)),
            }
        }
    }
    let systems = estimate.systems.iter().map(|system| {
        let mut list = calls.remove(system.name.as_str()).unwrap_or_default();
        list.sort_by(|a, b| b.1.total_cmp(&a.1));
        let all: f64 = list.iter().map(|l| l.1).sum();
        let whole = list
            .iter()
            .map(|(scenario, number)| Part {
                scenario: (*scenario).to_owned(),
                calls_per_day: *number,
                // A quota on some calls only counts some of these, so shares follow the sum's.
                of_budget: system.utilisation.map(|used| used * number / all),
                of_calls: number / all,
            })
            .collect();
        Usage {
            system: system.name.clone(),
            parts: whole,
        }
    });
    systems.collect()
}
