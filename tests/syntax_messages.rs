//! The wording of syntax errors for typical slips, as one snapshot to be read by a person.

use std::fmt::Write;
use syncline::syntax;
use syncline::text::{SourceFile, Sources};

#[test]
fn typical_slips() {
    let mut out = String::new();
    for text in include_str!("fixtures/slips.txt").split("=====\n") {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("slip.sync", text));
        let (_, findings) = syntax::parse(&sources, id);
        for finding in findings {
            let place = finding.primary.expect("a place");
            let at = sources.start(place);
            let line = sources.file(id).line_text(at.line);
            let width = sources
                .slice(place)
                .lines()
                .next()
                .unwrap_or("")
                .chars()
                .count()
                .max(1);
            let indent = " ".repeat(at.column as usize - 1);
            let _ = writeln!(
                out,
                "{line}\n{indent}{} {}",
                "^".repeat(width),
                finding.message
            );
            if !finding.primary_label.is_empty() {
                let _ = writeln!(out, "{indent}| {}", finding.primary_label);
            }
            for label in &finding.labels {
                let line = sources.start(label.span).line;
                let _ = writeln!(out, "  line {line}: {}", label.message);
            }
            if let Some(help) = &finding.help {
                let _ = writeln!(out, "  help: {help}");
            }
            for fix in &finding.fixes {
                let _ = writeln!(out, "  fix ({:?}): {}", fix.grade, fix.title);
            }
            out.push('\n');
        }
    }
    insta::assert_snapshot!(out);
}
