//! Which scenario waits for which.

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use super::search;
use crate::model::{Policy, ScenarioId};

/// A node for each scenario, an edge from a scenario to each that its `after` names.
#[derive(Debug)]
pub struct Order {
    graph: DiGraph<ScenarioId, ()>,
}

impl Order {
    pub(super) fn build(policy: &Policy) -> Order {
        let mut graph = DiGraph::with_capacity(policy.scenarios.len(), 0);
        for scenario in &policy.scenarios {
            graph.add_node(scenario.id);
        }
        for scenario in &policy.scenarios {
            for waits_for in scenario.after.iter().filter_map(|r| r.id) {
                // Nodes are added in the order of the scenarios, so a node's index is its id.
                graph.add_edge(
                    NodeIndex::new(scenario.id.index()),
                    NodeIndex::new(waits_for.index()),
                    (),
                );
            }
        }
        Order { graph }
    }

    /// Circles of scenarios, each from its first in reading order onwards: every scenario waits
    /// for the next, the last waits for the first.
    pub fn circles(&self) -> Vec<Vec<ScenarioId>> {
        search::circles(&self.graph)
            .into_iter()
            .map(|edges| {
                edges
                    .into_iter()
                    .filter_map(|e| self.graph.edge_endpoints(e))
                    .filter_map(|(from, _)| self.graph.node_weight(from).copied())
                    .collect()
            })
            .collect()
    }

    /// Whether a scenario waits for another, directly or through others.
    pub fn waits_for(&self, scenario: ScenarioId, other: ScenarioId) -> bool {
        search::reached(&self.graph, [NodeIndex::new(scenario.index())])
            .get(other.index())
            .copied()
            .unwrap_or(false)
    }

    /// The scenarios in an order in which each comes after those it waits for; `None`: there is a
    /// circle.
    pub fn in_order(&self) -> Option<Vec<ScenarioId>> {
        let mut order = toposort(&self.graph, None).ok()?;
        order.reverse();
        Some(
            order
                .into_iter()
                .filter_map(|n| self.graph.node_weight(n).copied())
                .collect(),
        )
    }
}
