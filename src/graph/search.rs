//! Searches that petgraph leaves to its users: shortest paths and circles as lists of edges.

use std::collections::VecDeque;

use petgraph::algo::{astar, tarjan_scc};
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

/// The edges of a shortest path of at least one edge from `from` to `to` (which may be the same
/// node) over the edges that `passable` lets through. Among equally short ones always the same.
pub(super) fn shortest_path<N, E>(
    graph: &DiGraph<N, E>,
    from: NodeIndex,
    to: NodeIndex,
    passable: impl Fn(EdgeIndex) -> bool,
) -> Option<Vec<EdgeIndex>> {
    let mut came_by: Vec<Option<EdgeIndex>> = vec![None; graph.node_count()];
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        for edge in leaving(graph, node) {
            let next = edge.1;
            if !passable(edge.0) || came_by[next.index()].is_some() {
                continue;
            }
            came_by[next.index()] = Some(edge.0);
            if next == to {
                return Some(walk_back(graph, &came_by, from, to));
            }
            queue.push_back(next);
        }
    }
    None
}

/// The edges of a path between two different nodes whose costs sum to the least. Among equally
/// cheap edges between two nodes the first one added.
pub(super) fn cheapest_path<N, E>(
    graph: &DiGraph<N, E>,
    from: NodeIndex,
    to: NodeIndex,
    cost: impl Fn(EdgeIndex) -> f64,
) -> Option<Vec<EdgeIndex>> {
    let (_, nodes) = astar(graph, from, |n| n == to, |e| cost(e.id()), |_| 0.0)?;
    nodes
        .windows(2)
        .map(|pair| {
            let [a, b] = pair else { return None };
            let between = leaving(graph, *a).into_iter().filter(|e| e.1 == *b);
            between
                .map(|e| e.0)
                .min_by(|x, y| cost(*x).total_cmp(&cost(*y)))
        })
        .collect()
}

/// The edges that leave a node in the order in which they were added.
fn leaving<N, E>(graph: &DiGraph<N, E>, node: NodeIndex) -> Vec<(EdgeIndex, NodeIndex)> {
    let mut edges: Vec<_> = graph.edges(node).map(|e| (e.id(), e.target())).collect();
    // petgraph lists the newest first.
    edges.reverse();
    edges
}

fn walk_back<N, E>(
    graph: &DiGraph<N, E>,
    came_by: &[Option<EdgeIndex>],
    from: NodeIndex,
    to: NodeIndex,
) -> Vec<EdgeIndex> {
    let mut path = Vec::new();
    let mut at = to;
    while let Some(edge) = came_by[at.index()] {
        path.push(edge);
        let Some((source, _)) = graph.edge_endpoints(edge) else {
            break;
        };
        at = source;
        if at == from {
            break;
        }
    }
    path.reverse();
    path
}

/// The strongly connected sets of nodes that hold a circle, each sorted, the sets by their first
/// node.
pub(super) fn circular_sets<N, E>(graph: &DiGraph<N, E>) -> Vec<Vec<NodeIndex>> {
    let mut sets: Vec<Vec<NodeIndex>> = tarjan_scc(graph)
        .into_iter()
        .filter(|set| match set.as_slice() {
            [single] => graph.contains_edge(*single, *single),
            _ => true,
        })
        .collect();
    for set in &mut sets {
        set.sort_unstable();
    }
    sets.sort_unstable();
    sets
}

/// For each circular set the shortest circle through its first node.
pub(super) fn circles<N, E>(graph: &DiGraph<N, E>) -> Vec<Vec<EdgeIndex>> {
    circular_sets(graph)
        .into_iter()
        .filter_map(|set| {
            let first = *set.first()?;
            shortest_path(graph, first, first, |_| true)
        })
        .collect()
}

/// The nodes that a path of at least one edge reaches from any of `starts`, by node index.
pub(super) fn reached<N, E>(
    graph: &DiGraph<N, E>,
    starts: impl IntoIterator<Item = NodeIndex>,
) -> Vec<bool> {
    let mut seen = vec![false; graph.node_count()];
    let mut stack: Vec<NodeIndex> = starts.into_iter().collect();
    while let Some(node) = stack.pop() {
        for next in graph.neighbors(node) {
            if !seen[next.index()] {
                seen[next.index()] = true;
                stack.push(next);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(u32, u32)]) -> DiGraph<(), ()> {
        DiGraph::from_edges(edges)
    }

    #[test]
    fn paths_are_shortest_and_have_an_edge() {
        let g = graph(&[(0, 1), (1, 2), (0, 2), (2, 0)]);
        let n = NodeIndex::new;
        let path = shortest_path(&g, n(0), n(2), |_| true);
        assert_eq!(path, Some(vec![EdgeIndex::new(2)]));
        let round = shortest_path(&g, n(0), n(0), |_| true).unwrap();
        assert_eq!(round, vec![EdgeIndex::new(2), EdgeIndex::new(3)]);
        let detour = shortest_path(&g, n(0), n(2), |e| e.index() != 2).unwrap();
        assert_eq!(detour, vec![EdgeIndex::new(0), EdgeIndex::new(1)]);
        assert_eq!(shortest_path(&g, n(1), n(1), |e| e.index() != 3), None);
    }

    #[test]
    fn a_node_that_points_at_itself_is_a_circle() {
        let g = graph(&[(0, 1), (1, 1), (2, 3), (3, 4), (4, 2), (3, 2)]);
        let circles = circles(&g);
        assert_eq!(circles.len(), 2);
        assert_eq!(circles[0], vec![EdgeIndex::new(1)]);
        assert_eq!(circles[1], vec![EdgeIndex::new(2), EdgeIndex::new(5)]);
    }

    #[test]
    fn a_start_is_reached_only_by_coming_back() {
        let g = graph(&[(0, 1), (1, 2)]);
        assert_eq!(reached(&g, [NodeIndex::new(0)]), [false, true, true]);
    }
}
