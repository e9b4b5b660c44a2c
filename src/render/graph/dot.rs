//! A flow graph for GraphViz.

use std::fmt::Write;

use super::words::{arrow_lines, details, node_lines, plain, summary};
use crate::overview::{Arrow, Node, Picture};
use crate::terms::ModeClass;

/// A picture in the DOT language.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from("digraph syncline {\n");
    let _ = writeln!(out, "  label={};", quoted(&summary(picture)));
    out.push_str(
        "  rankdir=LR;\n  fontname=\"Helvetica\";\n  \
         node [shape=box, style=rounded, fontname=\"Helvetica\", fontsize=12];\n  \
         edge [fontname=\"Helvetica\", fontsize=10];\n",
    );
    for node in &picture.nodes {
        out.push_str(&of_node(node));
    }
    for arrow in &picture.arrows {
        out.push_str(&of_arrow(picture, arrow));
    }
    out.push_str("}\n");
    out
}

fn of_node(node: &Node) -> String {
    let late = match node.late {
        0 => "",
        _ => ", color=\"#b3261e\", fontcolor=\"#b3261e\"",
    };
    let label = lines(&node_lines(node));
    format!("  {} [label={label}{late}];\n", quoted(&node.name))
}

fn of_arrow(picture: &Picture, arrow: &Arrow) -> String {
    let name = |at: usize| picture.nodes.get(at).map_or("", |n| n.name.as_str());
    // A line in the colour of its class and in a style of its own, so that neither is needed alone.
    let (color, style) = match arrow.class {
        Some(ModeClass::Realtime) => ("#0b62c4", "solid"),
        Some(ModeClass::Hybrid) => ("#7340c8", "bold"),
        Some(ModeClass::NearRealTime) => ("#00766a", "dashed"),
        Some(ModeClass::Scheduled) => ("#7a5a00", "dotted"),
        None => ("#5b616a", "dotted"),
    };
    let late = match arrow.is_late() {
        true => ", fontcolor=\"#b3261e\", penwidth=2",
        false => "",
    };
    format!(
        "  {} -> {} [label={}, color=\"{color}\", style={style}{late}, tooltip={}];\n",
        quoted(name(arrow.from)),
        quoted(name(arrow.to)),
        lines(&arrow_lines(picture, arrow)),
        quoted(&details(picture, arrow)),
    )
}

/// Lines of a label.
fn lines(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|l| escaped(l)).collect();
    format!("\"{}\"", lines.join("\\n"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A text between quotes. Doubled backslashes also keep `\N` and its like from being replaced.
fn escaped(text: &str) -> String {
    let text = plain(text).replace('\\', "\\\\").replace('"', "\\\"");
    text.replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_quotes() {
        assert_eq!(
            quoted("a\"];\n\\N\\"),
            r#""a\"]; \\N\\\\""#.replace(r"\\\\", r"\\")
        );
    }
}
