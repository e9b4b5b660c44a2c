//! Where boxes and lines stand: the layout library's answer.

use dagre::graph::{Graph, GraphOptions};
use dagre::layout::types::LabelPos;
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir};

/// Room between boxes of one column, between lines, and between columns, in pixels.
const NODES_APART: f64 = 34.0;
const LINES_APART: f64 = 20.0;
const COLUMNS_APART: f64 = 46.0;
const MARGIN: f64 = 16.0;

/// A width and a height.
pub(super) type Size = (f64, f64);

/// A point.
pub(super) type At = (f64, f64);

/// A line that is to be placed.
pub(super) struct Line {
    /// The box that it leaves.
    pub from: usize,
    /// The box that it leads to.
    pub to: usize,
    /// The room that its words take.
    pub words: Size,
}

/// Where everything stands.
pub(super) struct Placed {
    /// The size of the whole.
    pub size: Size,
    /// The middle of each box.
    pub nodes: Vec<At>,
    /// Each line.
    pub lines: Vec<PlacedLine>,
}

/// A line that has its place.
pub(super) struct PlacedLine {
    /// The points that it passes.
    pub points: Vec<At>,
    /// The middle of its words.
    pub words: At,
}

/// Places boxes of these sizes from left to right along the lines between them.
pub(super) fn place(nodes: &[Size], lines: &[Line]) -> Placed {
    let mut graph: Graph<NodeLabel, EdgeLabel> = Graph::with_options(GraphOptions {
        directed: true,
        multigraph: true,
        compound: false,
    });
    for (at, (width, height)) in nodes.iter().enumerate() {
        let label = NodeLabel {
            width: *width,
            height: *height,
            ..NodeLabel::default()
        };
        graph.set_node(at.to_string(), Some(label));
    }
    for (at, line) in lines.iter().enumerate() {
        let label = EdgeLabel {
            width: line.words.0,
            height: line.words.1,
            labelpos: LabelPos::Center,
            ..EdgeLabel::default()
        };
        let ends = (line.from.to_string(), line.to.to_string());
        graph.set_edge(ends.0, ends.1, Some(label), Some(&at.to_string()));
    }
    let options = LayoutOptions {
        rankdir: RankDir::LR,
        nodesep: NODES_APART,
        edgesep: LINES_APART,
        ranksep: COLUMNS_APART,
        marginx: MARGIN,
        marginy: MARGIN,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    read(&graph, nodes, lines)
}

fn read(graph: &Graph<NodeLabel, EdgeLabel>, nodes: &[Size], lines: &[Line]) -> Placed {
    let middle = |at: usize| {
        let node = graph.node(&at.to_string());
        let node = node.and_then(|n| Some((n.x?, n.y?)));
        node.unwrap_or((0.0, 0.0))
    };
    let placed: Vec<At> = (0..nodes.len()).map(middle).collect();
    let lines: Vec<PlacedLine> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let (from, to) = (line.from.to_string(), line.to.to_string());
            let edge = graph.edge(&from, &to, Some(&at.to_string()));
            let points = edge.map_or(&[][..], |e| &e.points);
            PlacedLine {
                points: points.iter().map(|p| (p.x, p.y)).collect(),
                words: edge.and_then(|e| Some((e.x?, e.y?))).unwrap_or((0.0, 0.0)),
            }
        })
        .collect();
    Placed {
        size: extent(nodes, &placed, &lines),
        nodes: placed,
        lines,
    }
}

/// How far to the right and down anything reaches.
fn extent(sizes: &[Size], nodes: &[At], lines: &[PlacedLine]) -> Size {
    let boxes = sizes.iter().zip(nodes);
    let corners = boxes.map(|((w, h), (x, y))| (x + w / 2.0, y + h / 2.0));
    let points = lines.iter().flat_map(|l| l.points.iter().copied());
    let far = corners.chain(points).fold((0.0_f64, 0.0_f64), |far, next| {
        (far.0.max(next.0), far.1.max(next.1))
    });
    (far.0 + MARGIN, far.1 + MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_graph_gets_its_places(
            count in 1usize..9,
            ends in prop::collection::vec((0usize..9, 0usize..9), 0..24),
        ) {
            let nodes = vec![(90.0, 40.0); count];
            let lines: Vec<Line> = ends
                .iter()
                .map(|(a, b)| Line { from: a % count, to: b % count, words: (120.0, 30.0) })
                .collect();
            let placed = place(&nodes, &lines);
            let again = place(&nodes, &lines);
            prop_assert_eq!(&placed.nodes, &again.nodes);
            for (x, y) in &placed.nodes {
                prop_assert!(x.is_finite() && y.is_finite());
                prop_assert!(*x >= 45.0 - 1e-6 && x + 45.0 <= placed.size.0 + 1e-6, "{}", x);
                prop_assert!(*y >= 20.0 - 1e-6 && y + 20.0 <= placed.size.1 + 1e-6, "{}", y);
            }
            for (at, (x, y)) in placed.nodes.iter().enumerate() {
                for (other_x, other_y) in placed.nodes.iter().skip(at + 1) {
                    let apart = (x - other_x).abs() >= 90.0 || (y - other_y).abs() >= 40.0;
                    prop_assert!(apart, "two boxes lie on each other");
                }
            }
            for line in &placed.lines {
                prop_assert!(line.points.len() >= 2, "a line has no way");
                prop_assert!(line.points.iter().all(|p| p.0.is_finite() && p.1.is_finite()));
            }
        }
    }
}
