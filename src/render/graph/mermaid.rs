//! A flow graph for Mermaid, which many forges show in Markdown.

use std::fmt::Write;

use super::words::{arrow_lines, node_lines, plain, summary};
use crate::overview::{Arrow, Picture};
use crate::terms::ModeClass;

/// A picture as a Mermaid flowchart.
pub fn mermaid(picture: &Picture) -> String {
    let mut out = String::from("flowchart LR\n");
    let _ = writeln!(out, "  accTitle: {}", line(&picture.title));
    let _ = writeln!(out, "  accDescr: {}", line(&summary(picture)));
    for (at, node) in picture.nodes.iter().enumerate() {
        let late = if node.late > 0 { ":::late" } else { "" };
        let _ = writeln!(out, "  s{at}[\"{}\"]{late}", label(&node_lines(node)));
    }
    for arrow in &picture.arrows {
        let text = label(&arrow_lines(picture, arrow));
        let _ = writeln!(out, "  s{} -->|\"{text}\"| s{}", arrow.from, arrow.to);
    }
    for (at, arrow) in picture.arrows.iter().enumerate() {
        let _ = writeln!(out, "  linkStyle {at} {}", style(arrow));
    }
    if picture.nodes.iter().any(|n| n.late > 0) {
        out.push_str("  classDef late stroke:#c9372c,stroke-width:2px\n");
    }
    out
}

/// Colour and dashes of a line. The colours stand out on light and dark grounds.
fn style(arrow: &Arrow) -> String {
    let (color, dashes) = match arrow.class {
        Some(ModeClass::Realtime) => ("#1f7ae0", ""),
        Some(ModeClass::Hybrid) => ("#8a5cd6", ",stroke-dasharray:10 3 2 3"),
        Some(ModeClass::NearRealTime) => ("#0e9384", ",stroke-dasharray:7 4"),
        Some(ModeClass::Scheduled) => ("#a87a00", ",stroke-dasharray:2 4"),
        None => ("#8a9099", ",stroke-dasharray:2 4"),
    };
    let width = if arrow.is_late() { 4 } else { 2 };
    format!("stroke:{color},stroke-width:{width}px{dashes}")
}

fn label(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|l| escaped(l)).collect();
    lines.join("<br/>")
}

/// A text between quotes: characters that Mermaid, Markdown or HTML would read are written by
/// their numbers.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | ';' | '|' | '[' | ']' | '{' | '}' | '*'
            | '$' => {
                let _ = write!(out, "#{};", c as u32);
            }
            '\n' | '\t' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A text that ends with its line and stands without quotes.
fn line(text: &str) -> String {
    let text = plain(text).replace(['\n', '\t', ';', '#', '{', '}'], " ");
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_quotes() {
        assert_eq!(
            escaped("a\"]; `b` <script>\n#x"),
            "a#34;#93;#59; #96;b#96; #60;script#62; #35;x"
        );
        assert_eq!(line("a\nb; c"), "a b  c");
    }
}
