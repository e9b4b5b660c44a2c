//! How old each field gets in each system.

use std::collections::HashMap;

use rayon::prelude::*;

use super::build::Ground;
use super::types::{FieldAge, Ranges};
use crate::arithmetic::Path;
use crate::choice::{bound, reached};
use crate::model::{Entity, Field, FieldId, SystemId};

/// What decides a field's age: fields of the same flow and the same origins have one age. Derived
/// fields are each looked at for themselves.
type Alike = (u32, Vec<SystemId>, Option<FieldId>);

/// The ages of one flow: system, worst, mean.
type Ages = Vec<(SystemId, Option<f64>, Option<f64>)>;

/// Every pair of a field and a system to which a path leads, in reading order.
pub(super) fn of_policy(ground: Ground) -> Vec<FieldAge> {
    let entities = ground.policy.entities.par_iter();
    entities.flat_map_iter(|e| of_entity(ground, e)).collect()
}

fn of_entity(ground: Ground, entity: &Entity) -> Vec<FieldAge> {
    // Only ever looked up, so its order reaches nobody.
    let mut known: HashMap<Alike, Ages> = HashMap::new();
    let mut out = Vec::new();
    for field in entity.fields.iter().filter(|f| !f.is_key) {
        let Some(flow) = ground.graph.flows.number_of(field.id) else {
            continue;
        };
        let derived = field.derived.is_some().then_some(field.id);
        let alike = (flow, field.origins(), derived);
        let ages = known.entry(alike).or_insert_with(|| ages(ground, field));
        out.extend(ages.iter().map(|(system, worst, mean)| FieldAge {
            field: format!("{}.{}", entity.name, field.name),
            system: ground.name(*system).to_owned(),
            required_seconds: bound(field, *system),
            worst_seconds: *worst,
            mean_seconds: *mean,
            unbounded: worst.is_none(),
            ranges: Ranges::new(),
        }));
    }
    out
}

fn ages(ground: Ground, field: &Field) -> Ages {
    reached(ground, field.id)
        .into_iter()
        .filter_map(|system| {
            let paths = ground
                .arithmetic
                .paths(ground.policy, ground.graph, field.id, system);
            if paths.is_empty() {
                return None;
            }
            Some((system, worst(&paths), mean(ground, &paths)))
        })
        .collect()
}

/// The oldest that paths bring; none: without bound.
pub(super) fn worst(paths: &[Path]) -> Option<f64> {
    let mut worst = paths.iter().map(|p| p.worst);
    worst.try_fold(0.0_f64, |most, next| Some(most.max(next?)))
}

/// The mean over the origins, each as often as it changes the field; alike where that is not known.
pub(super) fn mean(ground: Ground, paths: &[Path]) -> Option<f64> {
    let changes = |path: &Path| {
        let load = ground.arithmetic.load(path.edges.first()?.hop)?;
        Some(load.demand.records_per_day.as_ref()?.value)
    };
    let weights: Option<Vec<f64>> = paths.iter().map(changes).collect();
    let weights = weights
        .filter(|w| w.iter().sum::<f64>() > 0.0)
        .unwrap_or_else(|| vec![1.0; paths.len()]);
    let all: f64 = weights.iter().sum();
    let mut parts = paths.iter().zip(&weights);
    let sum = parts.try_fold(0.0, |sum, (path, weight)| Some(sum + path.mean? * weight))?;
    Some(sum / all)
}
