//! How old a field gets in a system: the shortest path by hop bounds from each of its origins.

use super::Arithmetic;
use crate::graph::{Edge, Graph};
use crate::model::{FieldId, Policy, SystemId};

/// The way of a field from one of its origins to a system.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The field; of a derived field, the input that this path is about.
    pub field: FieldId,
    /// Where it starts.
    pub origin: SystemId,
    /// Its hops in order, at least one.
    pub edges: Vec<Edge>,
    /// The sum of the hops' worst delays in seconds; none: without bound.
    pub worst: Option<f64>,
    /// The sum of the hops' mean delays in seconds; none: without bound.
    pub mean: Option<f64>,
}

impl Arithmetic {
    /// A shortest path from each origin that has one, in the order of the origins; of a derived
    /// field, from each origin of each of its inputs. The oldest of them is the field's age.
    pub fn paths(
        &self,
        policy: &Policy,
        graph: &Graph,
        field: FieldId,
        system: SystemId,
    ) -> Vec<Path> {
        if policy.field(field).derived.is_none() {
            return self.direct(policy, graph, field, system);
        }
        let inputs = graph.derivations.inputs(policy, field);
        inputs
            .into_iter()
            .filter(|input| policy.field(*input).is_data())
            .flat_map(|input| self.through(policy, graph, field, input, system))
            .collect()
    }

    fn direct(
        &self,
        policy: &Policy,
        graph: &Graph,
        field: FieldId,
        system: SystemId,
    ) -> Vec<Path> {
        let Some(flow) = graph.flows.of(field) else {
            return Vec::new();
        };
        let others = policy.field(field).origins().into_iter();
        others
            .filter(|origin| *origin != system)
            .filter_map(|origin| {
                let edges = flow.cheapest_path(origin, system, |e| self.worst(e))?;
                Some(self.path(field, origin, edges))
            })
            .collect()
    }

    /// The paths of an input to wherever the derived field is computed for the system.
    fn through(
        &self,
        policy: &Policy,
        graph: &Graph,
        derived: FieldId,
        input: FieldId,
        system: SystemId,
    ) -> Vec<Path> {
        let Some(flow) = graph.flows.of(derived) else {
            return Vec::new();
        };
        let arriving: Vec<Edge> = flow.edges().filter(|e| e.to == system).collect();
        let feeding = graph.flows.of(input);
        let origins = policy.field(input).origins().into_iter();
        origins
            .filter(|origin| *origin != system)
            .filter_map(|origin| {
                let ways = arriving.iter().filter_map(|last| {
                    let mut edges = match last.from == origin {
                        true => Vec::new(),
                        false => feeding?.cheapest_path(origin, last.from, |e| self.worst(e))?,
                    };
                    edges.push(*last);
                    Some(self.path(input, origin, edges))
                });
                ways.min_by(|a, b| seconds(a.worst).total_cmp(&seconds(b.worst)))
            })
            .collect()
    }

    fn path(&self, field: FieldId, origin: SystemId, edges: Vec<Edge>) -> Path {
        let sum = |part: fn(&super::HopAge) -> super::Age| {
            edges
                .iter()
                .try_fold(0.0, |sum, e| Some(sum + part(self.age(e.hop)?).total()?))
        };
        Path {
            field,
            origin,
            worst: sum(|a| a.worst),
            mean: sum(|a| a.mean),
            edges,
        }
    }

    /// The worst delay of a hop in seconds, infinite where it has no bound.
    fn worst(&self, edge: Edge) -> f64 {
        seconds(self.age(edge.hop).and_then(|a| a.worst.total()))
    }
}

fn seconds(bound: Option<f64>) -> f64 {
    bound.unwrap_or(f64::INFINITY)
}
