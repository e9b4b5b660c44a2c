//! Which way each field goes.

use std::collections::HashMap;
use std::sync::OnceLock;

use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::search;
use crate::model::{FieldId, Hop, Policy, Scenario, ScenarioId, Sync, SystemId};

/// A hop of a scenario: its position among all hops of the policy, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HopId(
    /// The position.
    pub u32,
);

/// An edge of a field's graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// From where.
    pub from: SystemId,
    /// To where.
    pub to: SystemId,
    /// By which hop.
    pub hop: HopId,
}

/// The systems that a field passes, with an edge for each hop that carries it.
#[derive(Debug)]
pub struct Flow {
    graph: DiGraph<SystemId, HopId>,
    /// By node, the nodes that it reaches: thousands of fields ask the same graph.
    reach: OnceLock<Vec<Vec<bool>>>,
    circles: OnceLock<Vec<Vec<Edge>>>,
}

/// The most systems for which who reaches whom is kept; beyond, each question is a search.
const KEPT_REACH_MAX: usize = 512;

/// The flow graphs of all fields.
#[derive(Debug)]
pub struct Flows {
    hops: Vec<(ScenarioId, u32)>,
    /// Position of each scenario's first hop.
    first_hop: Vec<u32>,
    flows: Vec<Flow>,
    /// By entity and field, the position in `flows`.
    of: Vec<Vec<Option<u32>>>,
}

impl Flow {
    fn new(policy: &Policy, flows: &[(ScenarioId, u32)], hops: &[HopId]) -> Flow {
        let ends: Vec<(SystemId, SystemId, HopId)> = hops
            .iter()
            .filter_map(|id| {
                let (scenario, hop) = flows.get(id.0 as usize)?;
                let hop = policy.scenario(*scenario).hops.get(*hop as usize)?;
                Some((hop.from.value, hop.to.value, *id))
            })
            .collect();
        let mut systems: Vec<SystemId> = ends.iter().flat_map(|e| [e.0, e.1]).collect();
        systems.sort_unstable();
        systems.dedup();
        let mut graph = DiGraph::with_capacity(systems.len(), ends.len());
        let node = |s: SystemId| systems.binary_search(&s).ok().map(NodeIndex::new);
        for system in &systems {
            graph.add_node(*system);
        }
        for (from, to, hop) in ends {
            if let (Some(a), Some(b)) = (node(from), node(to)) {
                graph.add_edge(a, b, hop);
            }
        }
        Flow {
            graph,
            reach: OnceLock::new(),
            circles: OnceLock::new(),
        }
    }

    /// Nodes are added in the order of their systems.
    fn node(&self, system: SystemId) -> Option<NodeIndex> {
        self.graph
            .raw_nodes()
            .binary_search_by_key(&system, |n| n.weight)
            .ok()
            .map(NodeIndex::new)
    }

    fn edge(&self, id: EdgeIndex) -> Option<Edge> {
        let (a, b) = self.graph.edge_endpoints(id)?;
        Some(Edge {
            from: *self.graph.node_weight(a)?,
            to: *self.graph.node_weight(b)?,
            hop: *self.graph.edge_weight(id)?,
        })
    }

    fn path_edges(&self, ids: Vec<EdgeIndex>) -> Vec<Edge> {
        ids.into_iter().filter_map(|id| self.edge(id)).collect()
    }

    /// The systems that it touches, in reading order.
    pub fn systems(&self) -> impl Iterator<Item = SystemId> {
        self.graph.raw_nodes().iter().map(|n| n.weight)
    }

    /// Its edges in reading order.
    pub fn edges(&self) -> impl Iterator<Item = Edge> {
        self.graph.edge_indices().filter_map(|id| self.edge(id))
    }

    /// The edges that leave a system.
    pub fn leaving(&self, system: SystemId) -> impl Iterator<Item = Edge> {
        self.node(system)
            .into_iter()
            .flat_map(|n| self.graph.edges(n))
            .filter_map(|e| self.edge(e.id()))
    }

    /// Whether a hop takes the field from the system.
    pub fn is_source(&self, system: SystemId) -> bool {
        self.leaving(system).next().is_some()
    }

    /// The systems that a path of at least one hop reaches from any of `starts`, in reading order.
    pub fn reached_from(&self, starts: &[SystemId]) -> Vec<SystemId> {
        let nodes = starts.iter().filter_map(|s| self.node(*s));
        let seen = match self.graph.node_count() {
            0..=KEPT_REACH_MAX => self.kept_reach(nodes),
            _ => search::reached(&self.graph, nodes),
        };
        self.systems()
            .zip(seen)
            .filter_map(|(s, seen)| seen.then_some(s))
            .collect()
    }

    fn kept_reach(&self, starts: impl Iterator<Item = NodeIndex>) -> Vec<bool> {
        let rows = self.reach.get_or_init(|| {
            let nodes = self.graph.node_indices();
            nodes.map(|n| search::reached(&self.graph, [n])).collect()
        });
        let mut seen = vec![false; self.graph.node_count()];
        for row in starts.filter_map(|n| rows.get(n.index())) {
            seen.iter_mut().zip(row).for_each(|(s, r)| *s |= r);
        }
        seen
    }

    /// A path with the fewest hops (at least one) from one system to another over the edges that
    /// `passable` lets through.
    pub fn path(
        &self,
        from: SystemId,
        to: SystemId,
        passable: impl Fn(Edge) -> bool,
    ) -> Option<Vec<Edge>> {
        let (a, b) = (self.node(from)?, self.node(to)?);
        let passable = |id| self.edge(id).is_some_and(&passable);
        search::shortest_path(&self.graph, a, b, passable).map(|ids| self.path_edges(ids))
    }

    /// A path of at least one hop from one system to another whose hops cost least together; none:
    /// no path. Costs are not negative; an infinite one is taken only where every path has one.
    pub fn cheapest_path(
        &self,
        from: SystemId,
        to: SystemId,
        cost: impl Fn(Edge) -> f64,
    ) -> Option<Vec<Edge>> {
        let (a, b) = (self.node(from)?, self.node(to)?);
        let cost = |id| self.edge(id).map_or(f64::INFINITY, &cost);
        search::cheapest_path(&self.graph, a, b, cost).map(|ids| self.path_edges(ids))
    }

    /// For each set of systems that feed each other a shortest circle through the first of them.
    pub fn circles(&self) -> &[Vec<Edge>] {
        self.circles.get_or_init(|| {
            search::circles(&self.graph)
                .into_iter()
                .map(|ids| self.path_edges(ids))
                .collect()
        })
    }

    /// A shortest circle through the system.
    pub fn circle_through(&self, system: SystemId) -> Option<Vec<Edge>> {
        self.path(system, system, |_| true)
    }
}

impl Flows {
    pub(super) fn build(policy: &Policy) -> Flows {
        let mut hops = Vec::new();
        let mut first_hop = Vec::with_capacity(policy.scenarios.len());
        let mut carried_by: Vec<Vec<Vec<HopId>>> = policy
            .entities
            .iter()
            .map(|e| vec![Vec::new(); e.fields.len()])
            .collect();
        for scenario in &policy.scenarios {
            first_hop.push(hops.len() as u32);
            for (position, hop) in scenario.hops.iter().enumerate() {
                let id = HopId(hops.len() as u32);
                hops.push((scenario.id, position as u32));
                for field in hop.fields.iter() {
                    let list = carried_by
                        .get_mut(field.entity.index())
                        .and_then(|e| e.get_mut(field.index as usize));
                    list.into_iter().for_each(|l| l.push(id));
                }
            }
        }
        let mut known: HashMap<Vec<HopId>, u32> = HashMap::new();
        let mut flows = Vec::new();
        let of = carried_by
            .into_iter()
            .map(|fields| {
                fields
                    .into_iter()
                    .map(|list| {
                        if list.is_empty() {
                            return None;
                        }
                        Some(*known.entry(list).or_insert_with_key(|list| {
                            flows.push(Flow::new(policy, &hops, list));
                            flows.len() as u32 - 1
                        }))
                    })
                    .collect()
            })
            .collect();
        Flows {
            hops,
            first_hop,
            flows,
            of,
        }
    }

    /// The graph of a field; `None`: no scenario carries it.
    pub fn of(&self, field: FieldId) -> Option<&Flow> {
        self.flows.get(self.number_of(field)? as usize)
    }

    /// The number of a field's graph: fields of one number travel by the very same hops.
    pub fn number_of(&self, field: FieldId) -> Option<u32> {
        *self
            .of
            .get(field.entity.index())?
            .get(field.index as usize)?
    }

    /// How many different graphs there are.
    pub fn distinct(&self) -> usize {
        self.flows.len()
    }

    /// The hop of a scenario at a position of [`Scenario::hops`].
    pub fn hop_id(&self, scenario: ScenarioId, position: usize) -> HopId {
        let first = self.first_hop.get(scenario.index()).copied().unwrap_or(0);
        HopId(first + position as u32)
    }

    /// The scenario of a hop.
    pub fn scenario<'p>(&self, policy: &'p Policy, hop: HopId) -> &'p Scenario {
        // Hop ids are made only by `build`, from this policy's scenarios.
        policy.scenario(self.hops[hop.0 as usize].0)
    }

    /// A hop.
    pub fn hop<'p>(&self, policy: &'p Policy, hop: HopId) -> &'p Hop {
        let (scenario, position) = self.hops[hop.0 as usize];
        &policy.scenario(scenario).hops[position as usize]
    }

    /// The `sync` clause of a hop.
    pub fn sync<'p>(&self, policy: &'p Policy, hop: HopId) -> &'p Sync {
        let (scenario, position) = self.hops[hop.0 as usize];
        let scenario = policy.scenario(scenario);
        // Lowering makes a hop only from a clause of its own scenario.
        &scenario.syncs[scenario.hops[position as usize].sync as usize]
    }
}
