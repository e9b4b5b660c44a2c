//! Whatever is handed in, there is an answer: no panic, no hang, every place inside its text.
//!
//! A corpus of broken policies made from good ones by seed, texts in the wrong encoding, texts made
//! to be hostile, files that use one another wrongly, and arbitrary text, all the way from bytes
//! through every check to every form of printing. `SYNCLINE_ROBUST_SEEDS=50 cargo test --test
//! robust` makes fifty corpora.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/mutate.rs"]
mod mutate;
#[path = "support/whole.rs"]
mod whole;

use memory::Memory;
use proptest::prelude::*;
use rayon::prelude::*;
use syncline::finding::Code;
use syncline::workspace::Checked;
use whole::{go, go_among, watched};

/// A broken policy and how it came about.
struct Broken {
    name: String,
    bytes: Vec<u8>,
}

/// Where a text may be cut.
fn cut_at(text: &str, rng: &mut fastrand::Rng) -> usize {
    let mut at = rng.usize(..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `count` slips, one after another.
fn slipped(text: &str, count: usize, rng: &mut fastrand::Rng) -> String {
    let mut text = text.to_owned();
    for _ in 0..count {
        let tokens = mutate::tokens(&text);
        let Some(token) = rng.choice(&tokens).cloned() else {
            break;
        };
        let word = text[token.clone()].to_owned();
        let new = match rng.u8(..5) {
            0 => String::new(),
            1 => format!("{word} {word}"),
            2 => rng
                .choice(&tokens)
                .map_or(word, |t| text[t.clone()].to_owned()),
            3 => word.chars().rev().collect(),
            _ => ["{", "}", "(", ",", "`", "\"", "/", "//", ".."][rng.usize(..9)].to_owned(),
        };
        text.replace_range(token, &new);
    }
    text
}

fn corpus(seed: u64) -> Vec<Broken> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    let good = whole::good();
    for (name, text) in &good {
        let mut push = |how: &str, n: usize, bytes: Vec<u8>| {
            let name = format!("{name}, seed {seed}, {how} {n}");
            all.push(Broken { name, bytes });
        };
        let slips = mutate::mutations(text, seed);
        for n in 0..30 {
            let slip = &slips[rng.usize(..slips.len())];
            push("one slip", n, slip.text.clone().into_bytes());
        }
        for (count, how) in [(2, "two slips"), (5, "five slips"), (40, "forty slips")] {
            for n in 0..14 {
                push(how, n, slipped(text, count, &mut rng).into_bytes());
            }
        }
        for n in 0..10 {
            let (a, b) = (cut_at(text, &mut rng), cut_at(text, &mut rng));
            let (a, b) = (a.min(b), a.max(b));
            push("head", n, text.as_bytes()[..a].to_vec());
            push("tail", n, text.as_bytes()[b..].to_vec());
            push(
                "hole",
                n,
                format!("{}{}", &text[..a], &text[b..]).into_bytes(),
            );
            let other = &good[rng.usize(..good.len())].1;
            let from = cut_at(other, &mut rng);
            push(
                "joined",
                n,
                format!("{}{}", &text[..b], &other[from..]).into_bytes(),
            );
            let mut lines: Vec<&str> = text.lines().collect();
            for _ in 0..=n {
                let (a, b) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
                lines.swap(a, b);
            }
            push("lines swapped", n, lines.join("\n").into_bytes());
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=n {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
            push("bytes", n, bytes);
        }
    }
    all
}

#[test]
fn broken_policies_have_an_answer() {
    let seeds = std::env::var("SYNCLINE_ROBUST_SEEDS");
    let seeds = seeds.ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let all: Vec<Broken> = (0..seeds).flat_map(corpus).collect();
    assert!(all.len() >= 300, "only {}", all.len());
    let with_findings = all.par_iter().filter(|broken| {
        let checked = watched(&broken.name, || go(&broken.bytes));
        !checked.findings.is_empty()
    });
    // Some slips are none: two equal words swapped, a tail cut where an item ends.
    let found = with_findings.count();
    assert!(found * 100 >= all.len() * 90, "{found} of {}", all.len());
}

#[test]
fn good_policies_have_a_plan() {
    for (name, text) in whole::good() {
        let checked = watched(name, || go(text.as_bytes()));
        assert!(!checked.has_errors(), "{name}: {:#?}", checked.findings);
    }
}

/// The first finding of some bytes: code, line and message.
fn first(bytes: &[u8]) -> Option<(Code, u32, String)> {
    let checked = watched("an encoding", || go(bytes));
    first_of(&checked)
}

fn first_of(checked: &Checked) -> Option<(Code, u32, String)> {
    let finding = checked.findings.first()?;
    let line = checked.sources().start(finding.primary?).line;
    Some((finding.code, line, finding.message.clone()))
}

const TINY: &str = "policy tiny { }\n";

#[test]
fn other_encodings_are_one_clear_finding() {
    let unreadable = |bytes: &[u8], says: &str| {
        let checked = go(bytes);
        assert_eq!(checked.findings.len(), 1, "{:?}", checked.findings);
        let (code, line, message) = first_of(&checked).unwrap();
        assert_eq!((code, line), (Code(4), 1));
        assert!(message.contains(says), "{message}");
    };
    let wide: Vec<u16> = TINY.encode_utf16().collect();
    let little = wide.iter().flat_map(|u| u.to_le_bytes());
    let big = wide.iter().flat_map(|u| u.to_be_bytes());
    let (little, big): (Vec<u8>, Vec<u8>) = (little.collect(), big.collect());
    unreadable(&[&[0xff, 0xfe][..], &little].concat(), "UTF-16");
    unreadable(&[&[0xfe, 0xff][..], &big].concat(), "UTF-16");
    unreadable(b"// caf\xe9\npolicy tiny { }\n", "not UTF-8");
    unreadable(b"policy tiny { }\n// cut \xf0\x9f\x98", "not UTF-8");
    unreadable(b"\xc0\xaf", "not UTF-8");
    unreadable(b"\xed\xa0\x80", "not UTF-8");
    // UTF-32 with its mark begins like UTF-16.
    unreadable(&[0xff, 0xfe, 0, 0, b'p', 0, 0, 0], "UTF-16");
    // Without a mark, two bytes a letter are what they look like: NUL bytes between letters.
    unreadable(&little, "UTF-16");
    unreadable(&big, "UTF-16");
}

#[test]
fn odd_characters_are_found_where_they_stand() {
    // A byte-order mark at the start counts for nothing, a second one does.
    assert_eq!(first(format!("\u{feff}{TINY}").as_bytes()), None);
    for (text, line) in [
        (format!("\u{feff}\u{feff}{TINY}"), 1),
        (
            format!("{TINY}\n\u{feff}system crm {{ connector csv }}\n"),
            3,
        ),
        (format!("{TINY}\0\n"), 2),
        (format!("{TINY}\rsystem crm {{ connector csv }}\r"), 2),
        (format!("{TINY}\u{a0}\u{2028}\n"), 2),
        (format!("{TINY}\u{c}\n"), 2),
        // Look-alikes: a Cyrillic letter, a full-width brace, a smart quote, a zero-width joiner.
        (format!("{TINY}syst\u{435}m crm {{ connector csv }}\n"), 2),
        (format!("{TINY}system crm \u{ff5b} connector csv }}\n"), 2),
        (format!("{TINY}test \u{201c}x\u{201d} {{ }}\n"), 2),
        (format!("{TINY}system c\u{200d}rm {{ connector csv }}\n"), 2),
        (format!("{TINY}system crm\u{202e} {{ connector csv }}\n"), 2),
    ] {
        let (code, at, message) = first(text.as_bytes()).expect("a finding");
        let near = at.abs_diff(line) <= 1;
        assert!(code == Code(1) && near, "{text:?}: {code} {at} {message}");
    }
    // In comments and strings any character but a line end is the author's own.
    let kept = "// \u{0}\u{feff}\u{2028}\u{202e} kept\npolicy tiny { }\n";
    assert_eq!(first(kept.as_bytes()), None);
}

#[test]
fn hostile_texts_have_an_answer() {
    let many = |text: &str, times: usize| text.repeat(times).into_bytes();
    let inside = |open: &str, body: &str, times: usize| {
        format!("{TINY}{open}{}", body.repeat(times)).into_bytes()
    };
    let nested = |before: &str, open: &str, close: &str, times: usize| {
        let (open, close) = (open.repeat(times), close.repeat(times));
        format!("{TINY}{before}{open}1{close}").into_bytes()
    };
    let key = "entity e { key k field k: text ";
    let test = "test \"t\" { given e \"k\" { f = ";
    let derived = "entity e { key k field k: text field d: int derived `";
    let texts = [
        ("braces", many("{", 10 << 20)),
        ("closing braces", many("}", 1 << 20)),
        ("strings", many("\"x\n", 100_000)),
        ("backticks", many("`x\n", 100_000)),
        (
            "backticks in clauses",
            inside("entity e {\n", "field f: int derived `x\n", 5_000),
        ),
        (
            "strings in clauses",
            inside("system s {\n", "option a = \"x\n", 10_000),
        ),
        (
            "one line",
            inside("system s { ", "option a = \"x\" ", 20_000),
        ),
        ("one word", many("x", 1 << 20)),
        (
            "one string",
            format!("{TINY}test \"{}\" {{ }}", "x".repeat(1 << 20)).into_bytes(),
        ),
        (
            "one comment",
            format!("// {}\n{TINY}", "x".repeat(1 << 20)).into_bytes(),
        ),
        ("comments", many("// x\n", 200_000)),
        ("line ends", many("\r\n", 500_000)),
        ("items", many("system s { connector csv }\n", 5_000)),
        ("unknown items", many("sistem s { }\n", 30_000)),
        ("heads", many("system\n", 20_000)),
        ("fields", inside(key, "field f: int ", 5_000)),
        (
            "types",
            nested(&format!("{key} field f: "), "set(", ")", 100_000),
        ),
        ("lists", nested(test, "[", "]", 100_000)),
        (
            "brackets in an expression",
            nested(derived, "(", ")", 100_000),
        ),
        ("lists in an expression", nested(derived, "[", "]", 50_000)),
        (
            "operators in an expression",
            nested(derived, "1 + ", "", 20_000),
        ),
        ("minuses in an expression", nested(derived, "-", "", 50_000)),
        (
            "choices in an expression",
            nested(derived, "true ? 1 : ", "", 20_000),
        ),
        ("calls in an expression", nested(derived, "f(", ")", 50_000)),
        (
            "names in a list",
            inside("scenario s { sync e(", "a, ", 30_000),
        ),
        ("documents", many("```sync\n", 100_000)),
        ("numbers", inside("system s { seats ", "9", 100_000)),
        ("escapes", inside("test \"", "\\u{10ffff}", 20_000)),
    ];
    texts.par_iter().for_each(|(name, bytes)| {
        watched(name, || go(bytes));
    });
}

#[test]
fn files_that_use_one_another_wrongly_have_an_answer() {
    let root = "policy p { }\nuse \"a.sync\"\n";
    let trees: &[&[(&str, &str)]] = &[
        &[("/w/policy.sync", "use \"policy.sync\"\n")],
        &[("/w/policy.sync", "use \"\"\n"), ("/w/a.sync", "")],
        &[
            ("/w/policy.sync", "use \"a.sync\"\n"),
            ("/w/a.sync", "use \"policy.sync\"\n"),
        ],
        &[
            ("/w/policy.sync", "use \"a.sync\"\n"),
            ("/w/a.sync", "->/w/policy.sync"),
        ],
        &[
            ("/w/policy.sync", "use \"a.sync\"\n"),
            ("/w/a.sync", "->/w/a.sync"),
        ],
        &[
            ("/w/policy.sync", "use \"a.sync\"\n"),
            ("/w/a.sync", "->/nowhere"),
        ],
        &[("/w/policy.sync", "use \"d\"\n"), ("/w/d/x", "")],
        &[(
            "/w/policy.sync",
            "use \"/etc/passwd\"\nuse \"../../etc/passwd\"\n",
        )],
        &[("/w/policy.sync", root), ("/w/a.sync", "policy q { }\n")],
        &[("/w/policy.sync", "use \"a\\u{0}.sync\"\nuse \"a\\q\"\n")],
    ];
    for tree in trees {
        let checked = watched("a tree of files", || go_among(&Memory::new(tree)));
        assert!(checked.has_errors(), "{tree:?}");
    }
    // A chain that is far too long, and a thousand files that all use the next ten.
    let chain = |wide: usize, count: usize| {
        let name = |n: usize| match n {
            0 => "/w/policy.sync".to_owned(),
            n => format!("/w/f{n}.sync"),
        };
        let files = (0..count).map(|n| {
            let uses = (n + 1..=n + wide).filter(|to| *to < count);
            let uses: String = uses.map(|to| format!("use \"f{to}.sync\"\n")).collect();
            (name(n).into(), uses.into_bytes())
        });
        Memory(files.collect())
    };
    for (wide, count) in [(1, 1_000), (10, 200)] {
        let checked = watched("a chain of files", || go_among(&chain(wide, count)));
        assert!(checked.has_errors());
    }
}

/// Pieces of good policies: whole lines, in any order.
fn lines() -> Vec<String> {
    let all = whole::good().into_iter().flat_map(|(_, text)| {
        let lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
        lines
    });
    all.collect()
}

/// Whole items of good policies.
fn items() -> Vec<String> {
    let all = whole::good().into_iter().flat_map(|(_, text)| {
        let parts = text.split("\n}\n").map(|item| format!("{item}\n}}\n"));
        parts.collect::<Vec<_>>()
    });
    all.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        go(text.as_bytes());
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        go(&bytes);
    }

    #[test]
    fn any_lines(lines in proptest::collection::vec(proptest::sample::select(lines()), 0..80)) {
        go(lines.concat().as_bytes());
    }

    #[test]
    fn any_items(items in proptest::collection::vec(proptest::sample::select(items()), 0..12)) {
        go(items.concat().as_bytes());
    }

    #[test]
    fn any_tokens_in_a_block(
        item in proptest::sample::select(&["policy p", "system s", "entity e", "map e in s", "scenario s", "test \"t\""][..]),
        tokens in proptest::collection::vec(proptest::sample::select(words()), 0..60),
        glue in proptest::sample::select(&[" ", "\n"][..]),
    ) {
        go(format!("{item} {{\n{}\n}}\n", tokens.join(glue)).as_bytes());
    }
}

/// Every token of the good policies, each once.
fn words() -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (_, text) in whole::good() {
        words.extend(
            mutate::tokens(&text)
                .into_iter()
                .map(|t| text[t].to_owned()),
        );
    }
    words.sort();
    words.dedup();
    words
}
