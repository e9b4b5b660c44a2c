//! What derived fields are computed from.

use std::collections::HashMap;

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use super::search;
use crate::model::{FieldId, Policy};

/// A node for each derived field and each field that one reads, an edge from a derived field to
/// each field that it reads.
#[derive(Debug)]
pub struct Derivations {
    graph: DiGraph<FieldId, ()>,
    nodes: HashMap<FieldId, NodeIndex>,
}

impl Derivations {
    pub(super) fn build(policy: &Policy) -> Derivations {
        let mut edges = Vec::new();
        let mut fields = Vec::new();
        for field in policy.fields() {
            let Some(derived) = &field.derived else {
                continue;
            };
            fields.push(field.id);
            for read in derived.expr.fields() {
                fields.push(read);
                edges.push((field.id, read));
            }
        }
        fields.sort_unstable();
        fields.dedup();
        let mut graph = DiGraph::with_capacity(fields.len(), edges.len());
        let nodes: HashMap<FieldId, NodeIndex> =
            fields.into_iter().map(|f| (f, graph.add_node(f))).collect();
        for (from, to) in edges {
            if let (Some(a), Some(b)) = (nodes.get(&from), nodes.get(&to)) {
                graph.add_edge(*a, *b, ());
            }
        }
        Derivations { graph, nodes }
    }

    /// The fields that are not derived themselves and that a derived field is computed from in the
    /// end, keys included, in reading order. Of a field that is not derived: none.
    pub fn inputs(&self, policy: &Policy, field: FieldId) -> Vec<FieldId> {
        let Some(node) = self.nodes.get(&field) else {
            return Vec::new();
        };
        search::reached(&self.graph, [*node])
            .into_iter()
            .zip(self.graph.raw_nodes())
            .filter(|(seen, node)| *seen && policy.field(node.weight).derived.is_none())
            .map(|(_, node)| node.weight)
            .collect()
    }

    /// Circles of fields that are derived from each other, each from its first field in reading
    /// order onwards: every field reads the next, the last reads the first.
    pub fn circles(&self) -> Vec<Vec<FieldId>> {
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

    /// The derived fields in an order in which each can be computed from those before it; `None`:
    /// there is a circle.
    pub fn in_order(&self, policy: &Policy) -> Option<Vec<FieldId>> {
        let mut order = toposort(&self.graph, None).ok()?;
        order.reverse();
        Some(
            order
                .into_iter()
                .filter_map(|n| self.graph.node_weight(n).copied())
                .filter(|f| policy.field(*f).derived.is_some())
                .collect(),
        )
    }
}
