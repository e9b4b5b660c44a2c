//! How old a field gets in a system: the shortest path by hop bounds from each of its origins.

use super::age::{Age, HopAge};
use super::{Alternative, Arithmetic};
use crate::graph::{Edge, Graph, HopId};
use crate::model::{FieldId, Policy, SystemId};
use crate::time::{Leg, Runs, passage};

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
    /// The sum of the hops' mean delays in seconds; none: without bound. [`Arithmetic::paths`] walks
    /// the starts of runs by the clock that follow one another.
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
        let age = |hop| self.age(hop);
        let age = &age;
        let mut paths = Search { policy, graph, age }.paths(field, system);
        for path in &mut paths {
            let passed = self.passed_on(path);
            path.mean = passed.or_else(|| self.walked(policy, path)).or(path.mean);
        }
        paths
    }

    /// The mean of a way whose last hop passes on what runs by the clock bring.
    fn passed_on(&self, path: &Path) -> Option<f64> {
        let (first, last) = (path.edges.first()?, path.edges.last()?);
        let load = self.load(last.hop)?;
        let (begins, _) = *self.hops.get(first.hop.0 as usize)?;
        let field = (load.entity, path.field);
        let taken = load.delays.as_ref()?.of(field, path.origin, begins)?;
        let mean = self.age(last.hop)?.mean;
        match self.age(last.hop)?.taken {
            None => Some(taken + mean.total()?),
            Some(run) => Some(taken + f64::midpoint(run.first, run.last) + mean.queue?),
        }
    }

    /// The mean of a way on which runs by the clock follow one another: what one of them brings
    /// comes at its time, not at any. None: the sum of the hops' means holds.
    fn walked(&self, policy: &Policy, path: &Path) -> Option<f64> {
        let mut before = 0.0;
        let mut first: Option<(Runs, f64)> = None;
        let mut then = Vec::new();
        for edge in &path.edges {
            let (scenario, _) = *self.hops.get(edge.hop.0 as usize)?;
            let (age, figures) = (self.age(edge.hop)?, self.scenario(scenario)?);
            let schedule = figures.schedule.as_ref().zip(age.taken);
            let runs = schedule.map(|(schedule, taken)| {
                let window = policy.scenario(scenario).window.as_ref();
                let waits = age.mean.queue.unwrap_or(0.0);
                Runs {
                    schedule: schedule.clone(),
                    window: window.map(|w| w.value.clone()),
                    looks: taken.looks,
                    read: taken.read,
                    share: taken.share,
                    first: taken.first + waits,
                    last: taken.last + waits,
                }
            });
            match (runs, &first) {
                (Some(runs), None) => {
                    // Until it is known is counted up to the page that shows it.
                    let shown = age.taken.map_or(0.0, |t| t.shown);
                    first = Some((runs, age.mean.detect? - shown));
                }
                (Some(runs), Some(_)) => then.push(Leg::Runs(runs)),
                (None, None) => before += age.mean.total()?,
                (None, Some(_)) => then.push(Leg::Delay(age.mean.total()?)),
            }
        }
        let (first, until_start) = first?;
        let passed = passage(&policy.calendar, &first, &then)?;
        Some(before + until_start + passed)
    }
}

impl Arithmetic {
    /// The same by other ages of the hops.
    pub fn paths_by<'a>(
        policy: &'a Policy,
        graph: &'a Graph,
        (field, system): (FieldId, SystemId),
        age: &'a dyn Fn(HopId) -> Option<&'a HopAge>,
    ) -> Vec<Path> {
        Search { policy, graph, age }.paths(field, system)
    }
}

impl Alternative {
    /// The same if the scenario had the other mode.
    pub fn paths(
        &self,
        today: &Arithmetic,
        policy: &Policy,
        graph: &Graph,
        field: FieldId,
        system: SystemId,
    ) -> Vec<Path> {
        let age = |hop| match graph.flows.scenario(policy, hop).id == self.scenario {
            true => {
                let at = self.figures.hops.iter().position(|h| h.hop == Some(hop))?;
                self.figures.ages.get(at)
            }
            false => today.age(hop),
        };
        let age = &age;
        Search { policy, graph, age }.paths(field, system)
    }
}

/// Looking for paths by the ages of hops.
struct Search<'a> {
    policy: &'a Policy,
    graph: &'a Graph,
    age: &'a dyn Fn(HopId) -> Option<&'a HopAge>,
}

impl Search<'_> {
    fn paths(&self, field: FieldId, system: SystemId) -> Vec<Path> {
        if self.policy.field(field).derived.is_none() {
            return self.direct(field, system);
        }
        let inputs = self.graph.derivations.inputs(self.policy, field);
        inputs
            .into_iter()
            .filter(|input| self.policy.field(*input).is_data())
            .flat_map(|input| self.through(field, input, system))
            .collect()
    }

    fn direct(&self, field: FieldId, system: SystemId) -> Vec<Path> {
        let Some(flow) = self.graph.flows.of(field) else {
            return Vec::new();
        };
        let others = self.policy.field(field).origins().into_iter();
        others
            .filter(|origin| *origin != system)
            .filter_map(|origin| {
                let edges = flow.cheapest_path(origin, system, |e| self.worst(e))?;
                Some(self.path(field, origin, edges))
            })
            .collect()
    }

    /// The paths of an input to wherever the derived field is computed for the system.
    fn through(&self, derived: FieldId, input: FieldId, system: SystemId) -> Vec<Path> {
        let Some(flow) = self.graph.flows.of(derived) else {
            return Vec::new();
        };
        let arriving: Vec<Edge> = flow.edges().filter(|e| e.to == system).collect();
        let feeding = self.graph.flows.of(input);
        let origins = self.policy.field(input).origins().into_iter();
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
        let sum = |part: fn(&HopAge) -> Age| {
            edges
                .iter()
                .try_fold(0.0, |sum, e| Some(sum + part((self.age)(e.hop)?).total()?))
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
        seconds((self.age)(edge.hop).and_then(|a| a.worst.total()))
    }
}

fn seconds(bound: Option<f64>) -> f64 {
    bound.unwrap_or(f64::INFINITY)
}
