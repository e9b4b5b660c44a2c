//! Ages beside what is allowed, the nearest to its bound first.

use std::collections::HashMap;

use super::picture::Age;
use crate::estimate::Estimate;
use crate::model::Policy;

/// An age that a bound holds, of one or several that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// What is held.
    pub what: Bounded,
    /// The fields by their paths, or the scenario.
    pub names: Vec<String>,
    /// The system that it is held in.
    pub system: String,
    /// The age and the bound.
    pub age: Age,
}

/// What a bound holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bounded {
    /// Fields, over all hops on their way.
    Field,
    /// A scenario's own hop.
    Hop,
}

/// Every bound of a policy, alike ones together, the tightest first.
pub(super) fn of_policy(policy: &Policy, estimate: &Estimate) -> Vec<Bound> {
    let mut bounds: Vec<Bound> = Vec::new();
    let mut known: HashMap<(&str, u64, u64), usize> = HashMap::new();
    for field in &estimate.fields {
        let age = Age::from(field);
        let Some(required) = age.required else {
            continue;
        };
        let worst = age.worst.unwrap_or(f64::INFINITY);
        let key = (field.system.as_str(), worst.to_bits(), required.to_bits());
        match known.get(&key).and_then(|at| bounds.get_mut(*at)) {
            Some(bound) => bound.names.push(field.field.clone()),
            None => {
                known.insert(key, bounds.len());
                bounds.push(Bound {
                    what: Bounded::Field,
                    names: vec![field.field.clone()],
                    system: field.system.clone(),
                    age,
                });
            }
        }
    }
    bounds.extend(hops(policy, estimate));
    bounds.sort_by(|a, b| {
        let share = |bound: &Bound| bound.age.share().unwrap_or(0.0);
        share(b).total_cmp(&share(a))
    });
    bounds
}

/// The bounds that scenarios set on their own hops.
fn hops(policy: &Policy, estimate: &Estimate) -> Vec<Bound> {
    let mut bounds: Vec<Bound> = Vec::new();
    for scenario in &estimate.scenarios {
        let declared = policy.scenario_named(&scenario.name);
        let declared = declared.and_then(|id| policy.scenario(id).fresh);
        let Some(required) = declared.map(|f| f.value.as_secs_f64()) else {
            continue;
        };
        let first = bounds.len();
        for hop in &scenario.hops {
            let age = Age {
                worst: hop.staleness_seconds.worst,
                mean: hop.staleness_seconds.mean,
                required: Some(required),
            };
            let own = bounds.iter_mut().skip(first);
            match own.into_iter().find(|b| b.system == hop.to) {
                // Of the hops into one system the slowest counts.
                Some(known) if known.age.share() < age.share() => known.age = age,
                Some(_) => {}
                None => bounds.push(Bound {
                    what: Bounded::Hop,
                    names: vec![scenario.name.clone()],
                    system: hop.to.clone(),
                    age,
                }),
            }
        }
    }
    bounds
}
