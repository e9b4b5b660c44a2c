//! Any text at all: nothing panics, and every place lies in the text, between characters.

use proptest::prelude::*;
use syncline::syntax;
use syncline::text::{SourceFile, Sources};

/// Every span in the debug form of a tree or finding, which leaves out none.
fn spans(debug: &str) -> Vec<(usize, usize)> {
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a span's offset")
    };
    debug
        .split("Span { file: FileId(0), start: ")
        .skip(1)
        .map(|rest| {
            let (_, end) = rest.split_once("end: ").expect("a span's end");
            (number(rest), number(end))
        })
        .collect()
}

fn check(text: &str) {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new("any.sync", text));
    let (file, findings) = syntax::parse(&sources, id);
    for (start, end) in spans(&format!("{file:?}{findings:?}")) {
        assert!(text.get(start..end).is_some(), "{start}..{end} in {text:?}");
    }
    for block in syntax::markdown::blocks(text) {
        syntax::parse_range(&sources, id, block.range);
    }
}

const WORDS: &[&str] = &[
    "policy",
    "system",
    "entity",
    "extend",
    "map",
    "scenario",
    "test",
    "use",
    "key",
    "field",
    "owner",
    "accepts",
    "none",
    "fresh",
    "in",
    "class",
    "derived",
    "sync",
    "from",
    "to",
    "between",
    "mode",
    "realtime",
    "with",
    "reconcile",
    "daily",
    "at",
    "checkpoint",
    "require",
    "else",
    "abort",
    "allow",
    "given",
    "expect",
    "event",
    "values",
    "read",
    "a",
    "b",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "=",
    "*",
    "?",
    ".",
    "..",
    "<=",
    "/",
    "`",
    "`x`",
    "\"",
    "\"x\"",
    "\"\\q\"",
    "1",
    "-2",
    "40%",
    "15m",
    "02:00",
    ":15",
    "300/day",
    "8x",
    "2027-01-31",
    "USD",
    "é",
    "\u{a0}",
    "\r",
    "\n",
    "\n",
    "\n",
    "// c\n",
    "/// d\n",
    "text",
    "enum",
    "int",
    "set(",
    "{\n",
    "}\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_tokens(tokens in proptest::collection::vec(proptest::sample::select(WORDS), 0..60),
                  glue in proptest::sample::select(&[" ", "", "\n"][..])) {
        check(&tokens.join(glue));
    }

    #[test]
    fn any_cut_of_a_good_policy(from in 0usize..9_000, len in 0usize..400) {
        let good = include_str!("fixtures/good/everything.sync");
        let cut: String = good.chars().skip(from % good.len()).take(len).collect();
        check(&cut);
        check(&format!("system a {{\n{cut}"));
    }
}
