//! The formatter: one layout, comments kept, meaning kept, a second pass changing nothing.

use proptest::prelude::*;
use syncline::syntax::print::{Formatted, WIDTH, format};

fn formatted(text: &str) -> String {
    match format("policy.sync", text).unwrap_or_else(|fault| panic!("{fault}\n{text}")) {
        Formatted::Text(out) => out,
        Formatted::Broken(findings) => panic!("{findings:#?}\n{text}"),
    }
}

fn good_policies() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["examples/acme", "examples/b2b", "tests/fixtures/good"] {
        let Ok(entries) = std::fs::read_dir(root.join(dir)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "sync") {
                files.push((
                    path.display().to_string(),
                    std::fs::read_to_string(path).unwrap(),
                ));
            }
        }
    }
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    files
}

#[test]
fn examples_are_in_their_one_layout() {
    for (path, text) in good_policies() {
        let changed = formatted(&text) != text;
        assert!(
            !path.contains("/examples/") || !changed,
            "run `syncline fmt {path}`"
        );
    }
}

#[test]
fn ugly_policies_come_out_tidy() {
    let one_line = "policy p { timezone \"UTC\" currency USD } system a { connector csv option path=\"x\" } entity e { key k field k:text field long_name :enum( a,b )?owner a accepts none class pii field x:int( -5 .. 100 ) } map e in a{same_names}";
    insta::assert_snapshot!("one_line", formatted(one_line));
    let comments = "// head\n\n\n\n/// Doc.\npolicy p { // behind the brace\n// inside\n  timezone \"UTC\" // behind\n\n\n  // last\n}\n// between\nsystem a{connector csv\n option path = \"x\" // y\n}\nscenario s \"Title\"\n{ // why\nsync e(a, // first\n b) from a to b\n mode every 5m checkpoint { dedupe by a keep newest // k\n } }// end\n// tail";
    insta::assert_snapshot!("comments", formatted(comments));
    let long = "scenario s { sync contact(first_name, last_name, company_name, lead_status, opted_out, telephone_number) from crm_production, billing_system to mailer_production, warehouse_production if `contact.first_name != \"\" && contact.opted_out != true`\n mode weekly on sun,mon , tue at 01:00 , 13:00 stale lost_lead costs 40 USD / hour }";
    insta::assert_snapshot!("long_lines", formatted(long));
    let dos = "\u{feff}policy p {\r\n\ttimezone \"UTC\"\r\n}\r\n";
    assert_eq!(formatted(dos), "policy p { timezone \"UTC\" }\n");
}

#[test]
fn broken_text_is_told_and_not_touched() {
    let broken = format("policy.sync", "policy p {\n  timezone\n}\n").unwrap();
    assert!(matches!(broken, Formatted::Broken(f) if f.len() == 1));
}

/// Splits a good policy at white space outside strings, expressions and comments, and puts it
/// together again with other white space.
fn shaken(text: &str, seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    if c == '\\' {
                        out.extend(chars.next());
                    } else if c == '"' {
                        break;
                    }
                }
            }
            '`' => {
                out.push(c);
                for c in chars.by_ref() {
                    out.push(c);
                    if c == '`' {
                        break;
                    }
                }
            }
            '/' if chars.peek() == Some(&'/') => {
                out.push(c);
                for c in chars.by_ref() {
                    out.push(c);
                    if c == '\n' {
                        break;
                    }
                }
            }
            c if c.is_whitespace() => {
                while chars.peek().is_some_and(|c| c.is_whitespace()) {
                    chars.next();
                }
                // A line that begins with an item's keyword and a name is where reading resumes
                // after a fault, so an item's own name stays on its keyword's line.
                const HEADS: &[&str] = &[
                    "policy", "system", "entity", "map", "scenario", "test", "use",
                ];
                let word = out
                    .rsplit(|c: char| !c.is_ascii_lowercase())
                    .next()
                    .unwrap_or("");
                let space = match random.u8(..8) {
                    _ if HEADS.contains(&word) => " ",
                    0 => "\n",
                    1 => "\n\n\n",
                    2 => "  \t ",
                    3 => "\r\n",
                    4 => "\n// a comment\n",
                    _ => " ",
                };
                out.push_str(space);
            }
            c => out.push(c),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_white_space_comes_out_stable_and_narrow(seed: u64) {
        for (path, text) in good_policies() {
            let ugly = shaken(&text, seed);
            let once = match format(&path, &ugly) {
                Ok(Formatted::Text(once)) => once,
                other => panic!("{other:?}\n{ugly}"),
            };
            prop_assert_eq!(formatted(&once), once.clone());
            for line in once.lines() {
                let unbreakable = line.contains(['"', '`']) || line.contains("//");
                prop_assert!(line.chars().count() <= WIDTH || unbreakable, "{}", line);
                prop_assert_eq!(line.trim_end(), line);
            }
        }
    }

    #[test]
    fn no_text_makes_it_fail(text in "(?s).{0,300}") {
        format("any", &text).unwrap();
    }

    #[test]
    fn no_soup_of_tokens_makes_it_fail(words in prop::collection::vec(prop::sample::select(vec![
        "policy", "p", "{", "}", "system", "a", "connector", "csv", "entity", "field", ":", "text",
        "(", ")", ",", "scenario", "sync", "from", "to", "mode", "every", "5m", "\n", "// c\n",
        "\"x\"", "`y`", "checkpoint", "test", "map", "in", "same_names", "=", "?", "..", "1",
    ]), 0..60)) {
        format("any", &words.join(" ")).unwrap();
    }
}
