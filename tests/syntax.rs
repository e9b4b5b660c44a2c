//! What the parser reads: every construct, exact places, comments.

use syncline::finding::Finding;
use syncline::syntax::{self, tree};
use syncline::text::{FileId, SourceFile, Sources};

fn parse(text: &str) -> (Sources, tree::File, Vec<Finding>) {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new("t.sync", text));
    let (file, findings) = syntax::parse(&sources, id);
    assert_eq!(id, FileId(0));
    (sources, file, findings)
}

fn sound(text: &str) -> (Sources, tree::File) {
    let (sources, file, findings) = parse(text);
    assert_eq!(findings, [], "in {text}");
    (sources, file)
}

#[test]
fn the_example_reads_without_a_finding() {
    let (_, file) = sound(include_str!("../examples/acme/policy.sync"));
    assert_eq!(file.items.len(), 18);
    assert!(
        file.items
            .iter()
            .all(|i| !matches!(i.kind, tree::ItemKind::Error { .. }))
    );
}
