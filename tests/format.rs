//! The formatter: layouts held by snapshot and by pairs of files, and what holds for any text.

#[path = "support/mutate.rs"]
mod mutate;

use proptest::prelude::*;
use std::fs;
use std::path::Path;
use syncline::syntax;
use syncline::syntax::print::format;
use syncline::text::{SourceFile, Sources};

const GOOD: [&str; 3] = [
    include_str!("../examples/acme/policy.sync"),
    include_str!("fixtures/good/everything.sync"),
    include_str!("fixtures/good/shop.sync"),
];

fn formatted(source: &str) -> String {
    let formatted = format(source).expect("a proved layout");
    assert!(formatted.sound, "a policy with a syntax error: {source}");
    formatted.text
}

/// The tree with every place left out, the comments without their trailing blanks, the number of
/// syntax errors.
fn reading(text: &str) -> (String, Vec<String>, usize) {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new("t.sync", text));
    let (file, findings) = syntax::parse(&sources, id);
    let comments = file.comments.iter().map(|c| sources.slice(c.span));
    let comments = comments.map(|c| c.trim_end().to_owned()).collect();
    let mut tree = String::new();
    for (i, part) in format!("{:?}", file.items).split("Span {").enumerate() {
        let rest = part.split_once('}').filter(|_| i > 0);
        tree.push_str(rest.map_or(part, |(_, rest)| rest));
    }
    (tree, comments, findings.len())
}

fn words(text: &str) -> Vec<&str> {
    mutate::tokens(text).into_iter().map(|r| &text[r]).collect()
}

/// What holds for every sound policy.
fn holds(source: &str) -> String {
    let once = formatted(source);
    assert_eq!(formatted(&once), once, "twice");
    let plain = source.replace("\r\n", "\n");
    assert_eq!(words(&plain), words(&once), "the tokens");
    assert_eq!(reading(&plain), reading(&once), "the tree and the comments");
    assert!(once.is_empty() || once.ends_with('\n') && !once.ends_with("\n\n"));
    assert!(!once.contains("\n\n\n"), "two empty lines");
    once
}

#[test]
fn the_example_is_in_the_canonical_layout() {
    assert_eq!(formatted(GOOD[0]), GOOD[0]);
}

#[test]
fn pairs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".before.sync").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 6, "only {names:?}");
    for name in names {
        let read = |side| fs::read_to_string(folder.join(format!("{name}.{side}.sync"))).unwrap();
        let (before, after) = (read("before"), read("after"));
        assert_ne!(before, after, "{name} shows nothing");
        assert_eq!(holds(&before), after, "{name}");
        assert_eq!(formatted(&after), after, "{name} again");
    }
}

#[test]
fn everything_on_one_line() {
    let words = words(GOOD[0]).join(" ");
    let tight = words.replace(" ( ", "(").replace(" )", ")");
    insta::assert_snapshot!(holds(&tight));
}

#[test]
fn every_construct() {
    insta::assert_snapshot!(holds(GOOD[1]));
}

#[test]
fn one_word_a_line() {
    let text = words(
        r#"system crm { connector salesforce option host = env("HOST", "crm.example") }
        scenario leads { sync contact(name, mail) from crm to mailer mode daily at 02:00, 14:00 }"#,
    )
    .join("\n\t");
    insta::assert_snapshot!(holds(&text), @r#"
    system crm {
      connector salesforce
      option    host = env("HOST", "crm.example")
    }

    scenario leads {
      sync    contact(name, mail) from crm to mailer
      mode    daily at 02:00, 14:00
    }
    "#);
}

#[test]
fn comments_stay_beside_their_words() {
    insta::assert_snapshot!(holds(
        "// first\n\n\n\n// second\n/// Doc.\n\n\nsystem crm{// why\n\n\n  // above\n  connector \
         salesforce//a\n  tier enterprise     // b\n\n\n  // between\n  budget // inside\n 40% // c\n\
         \n  // last\n\n}//end\n// after\n\n// the very last   "
    ), @r"
    // first

    // second
    /// Doc.
    system crm {  // why
      // above
      connector salesforce  //a
      tier      enterprise  // b

      // between
      budget      // inside
             40%  // c

      // last
    }  //end

    // after

    // the very last
    ");
}

#[test]
fn comments_inside_lists() {
    insta::assert_snapshot!(holds(
        "scenario s { sync contact( // carried\n name, // who\n // where from\n mail\n // all\n) \
         from crm, // the source\n shop to mailer\n mode realtime }"
    ));
}

#[test]
fn line_ends_tabs_and_byte_order_mark() {
    let text = "\u{feff}policy\tp {\r\n\ttimezone\t\"UTC\"\t// zone \r\n\r\n\r\n\tcurrency\tEUR\r\n}\r\n\r\n";
    let plain = text.trim_start_matches('\u{feff}');
    assert_eq!(
        formatted(text),
        "policy p {\n  timezone \"UTC\"  // zone\n\n  currency EUR\n}\n"
    );
    assert_eq!(formatted(text), holds(plain));
    let odd = "entity e {\r\n  key id\n  field id: int  derived `1\r\r\n`\r\n}  // x\r\r\n";
    assert_eq!(formatted(&formatted(odd)), formatted(odd));
    let several = "entity e {\r\n  key id\r\n  field id: int  derived `1 +\r\n    1`\r\n}";
    assert!(formatted(several).contains("derived `1 +\n    1`\n}"));
}

#[test]
fn nothing_and_comments_alone() {
    assert_eq!(formatted(""), "");
    assert_eq!(formatted("\u{feff} \r\n\t\n"), "");
    assert_eq!(formatted("\u{feff}\u{feff}"), "");
    assert_eq!(formatted("\n\n  // a\n\n\n\n//b"), "// a\n\n//b\n");
}

#[test]
fn long_lines_break_where_a_part_begins() {
    let names = |stem: &str, n: usize| {
        let all: Vec<_> = (0..n).map(|i| format!("{stem}_{i}")).collect();
        all.join(", ")
    };
    let text = format!(
        "system s {{ cleared {} }} entity e {{ key id field id: int field kind: enum({})? owner s \
         accepts {} resolve last_write_wins }} map e in s {{ field kind = \"k\" values {{ a = \"1\", {} }} \
         read `value` }} scenario n {{ sync e({}) from s to {} if `e.kind != \"a\"` passes 40% mode auto }}",
        names("class", 20),
        names("kind", 20),
        names("system", 12),
        "another_value = \"a long string\", ".repeat(5) + "z = \"2\"",
        names("field", 16),
        names("target", 14),
    );
    let out = holds(&text);
    assert_eq!(too_wide(&out), None);
    insta::assert_snapshot!(out);
}

#[test]
fn regions_that_are_off_stay() {
    let text = "system   crm{connector   salesforce\n // syncline: fmt off\n   tier     enterprise  \n\n\n\tbudget 40%\n// syncline: fmt on\n   failure   1% }\n// syncline: fmt off\nsystem   b{\r\n }  \n\n\n  map e   in b{  }\n   // syncline: fmt on\nmap e in   c { same_names  }\n // syncline: fmt off\n test   \"t\"{ }\n\n\n";
    insta::assert_snapshot!(formatted(text));
    assert_eq!(formatted(&formatted(text)), formatted(text));
}

#[test]
fn a_marker_at_the_end_of_a_line_switches_nothing_off() {
    let text = "system   a {  // syncline: fmt off\n tier    x }";
    assert_eq!(
        holds(text),
        "system a {  // syncline: fmt off\n  tier x\n}\n"
    );
}

#[test]
fn what_cannot_be_read_stays() {
    let text = "system   a{tier x}\n\nsystem b {\n  tier    enterprise\n  budget   forty   percent\n  seats    5\n}\n\nsystem   c   {\n tier\n\nscenario   d{mode   auto}";
    let out = format(text).expect("text, though broken");
    assert!(!out.sound);
    insta::assert_snapshot!(out.text);
    assert_eq!(reading(text), reading(&out.text));
}

#[test]
fn short_blocks_keep_their_line() {
    insta::assert_snapshot!(holds(
        "map a in b {same_names}\nmap a in long_name \"object\"{same_names cursor \"x\"}\n\nmap a in c {}\n\
         map a in d{\nsame_names\n}\nsystem s{tier t}\nsystem u{tier t seats 5}\nscenario x{\n}\nentity e{key a,b}\n\
         scenario y{mode auto checkpoint{abort over 2%}}\nuse_me"
            .trim_end_matches("use_me")
    ));
}

/// The first line of 100 columns or more.
fn too_wide(text: &str) -> Option<&str> {
    text.lines().find(|line| line.chars().count() >= 100)
}

/// White space and comments between two tokens.
fn trivia() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => Just(" "),
        3 => Just(""),
        2 => Just("   \t "),
        3 => Just("\n"),
        1 => Just("\r\n\r\n"),
        1 => Just("\n\n\n\n\t"),
        1 => Just(" // note, with `a tick and \"a quote {\n"),
        1 => Just(" // trailing   \r\n"),
        1 => Just("\n  /// Doc: é…\n"),
        1 => Just("\n//\n\n  //// four\n"),
        1 => Just(" // one\n // two\n\n\n"),
    ]
    .prop_map(str::to_owned)
}

/// Whether two tokens must not stand apart: `:15`, `-5`, `check-name`.
fn one(left: &str, right: &str) -> bool {
    let digit = |s: &str| s.starts_with(|c: char| c.is_ascii_digit());
    left == "-" || (right == "-") || (left == ":" && digit(right))
}

/// Whether two tokens must not touch.
fn two(left: &str, right: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '%';
    left.ends_with(word) && right.starts_with(word)
}

/// Tokens with other white space and comments between them, which are never the same token or two
/// tokens more.
fn rejoined(words: &[String], gaps: &[String]) -> String {
    let mut text = String::new();
    let mut braces = 0;
    let pairs = words
        .iter()
        .zip(words.iter().skip(1).map(String::as_str).chain([""]));
    for ((left, right), gap) in pairs.zip(gaps.iter().cycle()) {
        text.push_str(left);
        braces += i32::from(left == "{") - i32::from(left == "}");
        // Outside braces a line that begins with an item's keyword begins an item.
        let head = braces == 0 && left != "}" && !left.starts_with('"');
        if (one(left, right) && !matches!(left.as_str(), "=" | "[" | "," | "(" | ".."))
            || right.is_empty()
        {
            continue;
        }
        let gap = if head && gap.contains('\n') { " " } else { gap };
        text.push_str(if gap.is_empty() && two(left, right) {
            " "
        } else {
            gap
        });
    }
    text
}

/// The tokens of a policy with names and strings of any length up to 24.
fn policy() -> impl Strategy<Value = Vec<String>> {
    let name = "[a-z_]{1,23}".prop_map(|name| format!("n{name}"));
    let names = proptest::collection::vec(name.clone(), 1..12).prop_map(|n| n.join(" , "));
    let string = "[A-Za-z .]{0,24}".prop_map(|s| format!("\"{}\"", s.replace(' ', "\u{b7}")));
    let field = (name.clone(), names.clone(), names.clone(), 0..6_u8).prop_map(
        |(n, a, b, kind)| match kind {
            0 => format!("field {n} : text"),
            1 => format!("field {n} : enum ( {a} ) ? class {b}"),
            2 => format!("field {n} : int ( 0 .. 100 ) accepts {a} fresh 5m in {b} changes 5/day"),
            3 => format!("field {n} : set ( text ( 5 ) ? ) owner {n} resolve union"),
            4 => format!("owner {n}"),
            _ => format!("fresh 1h30m in {a}"),
        },
    );
    let mapped =
        (name.clone(), string.clone(), names.clone(), 0..4_u8).prop_map(|(n, s, a, kind)| {
            let values = a.replace(" ,", &format!(" = {s} ,"));
            match kind {
                0 => format!("key {n} = {s}"),
                1 => format!("field {n} = {s} values {{ {values} = {s} }} read `value`"),
                2 => "same_names".to_owned(),
                _ => format!("cursor {s} overlap 10m"),
            }
        });
    let part =
        (names.clone(), names.clone(), name.clone(), 0..7_u8).prop_map(
            |(a, b, n, kind)| match kind {
                0 => format!("sync {n} ( {a} ) from {b} to {a} if `x` passes 40%"),
                1 => format!("sync {n} ( * ) between {a}"),
                2 => "mode monthly on 1 , 15 at 04:00 , 05:00".to_owned(),
                3 => format!("after {a}"),
                4 => "stale lost_lead costs 40 USD / hour".to_owned(),
                5 => format!("checkpoint {{ dedupe by {a} keep newest abort over 2% }}"),
                _ => "retry exponential from 1s to 5m , 12 attempts".to_owned(),
            },
        );
    let step =
        (name.clone(), string.clone(), names.clone(), 0..5_u8).prop_map(|(n, s, a, kind)| {
            let record = a.replace(" ,", " = [ 1 , off ] ,");
            match kind {
                0 => format!("given {n} {s} {{ {record} = {s} }} in {a}"),
                1 => format!("at 10s {n} sets {n} {s} {{ {record} = true }}"),
                2 => format!("at 1h {n} down for 5m"),
                3 => format!("expect at 1m {n} {s} in {n} {{ {record} = absent }}"),
                _ => format!("expect calls {n} <= 5"),
            }
        });
    let block = |head: &'static str, parts: BoxedStrategy<String>| {
        (name.clone(), proptest::collection::vec(parts, 0..6)).prop_map(move |(n, parts)| {
            format!("{} {{ {} }}", head.replace('N', &n), parts.join(" "))
        })
    };
    let item = prop_oneof![
        block("entity N", field.boxed()),
        block("map N in N \"object\"", mapped.boxed()),
        block("scenario N", part.boxed()),
        block("test \"N\"", step.boxed()),
    ];
    proptest::collection::vec(item, 1..4).prop_map(|items| {
        items
            .join(" ")
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_white_space_and_comments(
        which in 0..GOOD.len(),
        gaps in proptest::collection::vec(trivia(), 7..60),
    ) {
        let words: Vec<String> = words(GOOD[which]).into_iter().map(str::to_owned).collect();
        holds(&rejoined(&words, &gaps));
    }

    #[test]
    fn any_policy(words in policy(), gaps in proptest::collection::vec(trivia(), 7..60)) {
        holds(&rejoined(&words, &gaps));
    }

    #[test]
    fn lines_stay_narrow(words in policy()) {
        let out = holds(&words.join(" "));
        prop_assert_eq!(too_wide(&out), None);
        // The white space between tokens decides nothing but empty lines and short blocks.
        prop_assert_eq!(formatted(&words.join("\n")).replace("\n\n", "\n"), formatted(&words.join("\n \t")).replace("\n\n", "\n"));
    }

    #[test]
    fn any_text(text in "(?s).{0,200}") {
        let out = format(&text).expect("a text");
        prop_assert_eq!(format(&out.text).map(|f| f.text), Ok(out.text));
    }

    #[test]
    fn broken_policies_read_as_before(
        which in 0..GOOD.len(),
        from in 0..400_usize,
        length in 0..6_usize,
        put in prop_oneof![Just(""), Just("{"), Just("}"), Just("`"), Just("\""), Just("("), Just("field"), Just("// syncline: fmt off\n")],
    ) {
        let tokens = mutate::tokens(GOOD[which]);
        let at = |i: usize| tokens.get(i).map_or(GOOD[which].len(), |t| t.start);
        let text = format!("{}{put} {}", &GOOD[which][..at(from)], &GOOD[which][at(from + length)..]);
        let out = format(&text).expect("a text");
        prop_assert_eq!(reading(&text), reading(&out.text));
        prop_assert_eq!(format(&out.text).map(|f| f.text), Ok(out.text));
    }
}
