//! No text makes the parser panic or hang, and every finding lies in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline::syntax;
use syncline::text::{SourceFile, Sources};

fuzz_target!(|text: &str| {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new("fuzz.sync", text));
    let (_, findings) = syntax::parse(&sources, id);
    for finding in findings {
        let place = finding.primary.expect("a syntax error has a place");
        assert!(text.get(place.range()).is_some());
    }
    for block in syntax::markdown::blocks(text) {
        syntax::parse_range(&sources, id, block.range);
    }
});
