//! What the parser reads: every construct, exact places, comments, and how it recovers.

use syncline::finding::{Code, Finding};
use syncline::syntax::{self, tree::*};
use syncline::text::{FileId, SourceFile, Sources};

const EVERYTHING: &str = include_str!("fixtures/good/everything.sync");

fn parse(text: &str) -> (Sources, File, Vec<Finding>) {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new("t.sync", text));
    let (file, findings) = syntax::parse(&sources, id);
    assert_eq!(id, FileId(0));
    assert!(findings.iter().all(|f| f.code == Code(1)));
    (sources, file, findings)
}

fn sound(text: &str) -> (Sources, File) {
    let (sources, file, findings) = parse(text);
    assert_eq!(findings, [], "in {text}");
    (sources, file)
}

/// `line:column [text] message` of every finding.
fn said(text: &str) -> Vec<String> {
    let (sources, _, findings) = parse(text);
    let say = |f: &Finding| {
        let span = f.primary.unwrap();
        let at = sources.start(span);
        format!(
            "{}:{} [{}] {}",
            at.line,
            at.column,
            sources.slice(span),
            f.message
        )
    };
    findings.iter().map(say).collect()
}

#[test]
fn the_example_reads_without_a_finding() {
    let (_, file) = sound(include_str!("../examples/acme/policy.sync"));
    assert_eq!(file.items.len(), 18);
    assert!(
        !file
            .items
            .iter()
            .any(|i| matches!(i.kind, ItemKind::Error { .. }))
    );
}

#[test]
fn every_construct_is_in_the_tree() {
    let (_, file) = sound(EVERYTHING);
    let kinds: String = file
        .items
        .iter()
        .map(|item| match item.kind {
            ItemKind::Use(_) => 'u',
            ItemKind::Policy(_) => 'p',
            ItemKind::System(_) => 's',
            ItemKind::Entity(_) => 'e',
            ItemKind::Extend(_) => 'x',
            ItemKind::Map(_) => 'm',
            ItemKind::Scenario(_) => 'c',
            ItemKind::Test(_) => 't',
            ItemKind::Error { .. } => '!',
        })
        .collect();
    assert_eq!(kinds, "uupsssexmmcccccccccct");
    let clauses: Vec<usize> = file
        .items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Policy(b) => b.clauses.len(),
            ItemKind::System(b) => b.clauses.len(),
            ItemKind::Entity(b) | ItemKind::Extend(b) => b.clauses.len(),
            ItemKind::Map(m) => m.clauses.len(),
            ItemKind::Scenario(s) => s.clauses.len(),
            ItemKind::Test(t) => t.clauses.len(),
            _ => 0,
        })
        .collect();
    let expected = [
        0, 0, 7, 17, 3, 1, 23, 1, 8, 1, 17, 6, 3, 2, 2, 2, 2, 3, 2, 3, 13,
    ];
    assert_eq!(clauses, expected);
}

#[test]
fn the_tree_says_what_was_written() {
    let (sources, file) = sound(EVERYTHING);
    let text = |span| sources.slice(span);
    let ItemKind::Policy(policy) = &file.items[2].kind else {
        panic!()
    };
    let Some(PolicyClause::Unsure(mode)) = &policy.clauses[2].kind else {
        panic!()
    };
    assert_eq!(
        text(mode.span),
        "realtime with reconcile weekly on sun, wed at 04:00, 16:00"
    );
    let ModeKind::Hybrid(Schedule::Weekly(days, times)) = &mode.kind else {
        panic!()
    };
    assert_eq!((days.len(), text(times[1].0)), (2, "16:00"));
    let Some(PolicyClause::Allow(allow)) = policy.clauses[5].kind else {
        panic!()
    };
    assert_eq!(text(allow.until.unwrap().0), "2027-01-31");

    let ItemKind::Entity(entity) = &file.items[6].kind else {
        panic!()
    };
    let Some(EntityClause::Accepts(Accepts::Systems(names))) = &entity.clauses[3].kind else {
        panic!()
    };
    assert_eq!(
        names.iter().map(|n| text(n.0)).collect::<Vec<_>>(),
        ["own", "system"]
    );
    let fields: Vec<_> = entity
        .clauses
        .iter()
        .filter_map(|c| match &c.kind {
            Some(EntityClause::Field(f)) => Some(f),
            _ => None,
        })
        .collect();
    let owner = fields[2];
    assert_eq!(text(owner.ty.span), "text?");
    assert!(owner.ty.optional);
    assert!(matches!(
        owner.clauses[1].kind,
        Some(FieldClause::Accepts(Accepts::None(_)))
    ));
    assert_eq!(text(owner.clauses[5].span), "changes 5/hour");
    assert_eq!(text(owner.clauses[5].keyword), "changes");
    let TypeKind::Int(Some((low, high))) = fields[3].ty.kind else {
        panic!()
    };
    assert_eq!((text(low.0), text(high.0)), ("-5", "100"));
    let TypeKind::Set(inner) = &fields[13].ty.kind else {
        panic!()
    };
    assert!(matches!(inner.kind, TypeKind::Set(_)));
    assert_eq!(text(inner.span), "set(text(5)?)");

    let ItemKind::Map(map) = &file.items[8].kind else {
        panic!()
    };
    let Some(MapClause::Key(key)) = &map.clauses[1].kind else {
        panic!()
    };
    let [MapPart::Write(..), MapPart::Values(whole, values)] = &key.parts[..] else {
        panic!()
    };
    assert_eq!(
        text(*whole),
        r#"values { eu = "EU", us = "US", none = "" }"#
    );
    assert_eq!(text(values[2].0.0), "none");

    let ItemKind::Scenario(scenario) = &file.items[10].kind else {
        panic!()
    };
    let Some(ScenarioClause::Sync(sync)) = &scenario.clauses[1].kind else {
        panic!()
    };
    let Ends::FromTo(from, to) = &sync.ends else {
        panic!()
    };
    assert_eq!((from.len(), to.len()), (2, 1));
    assert_eq!(text(sync.filter.unwrap().passes.unwrap().0), "40%");
    let ItemKind::Test(test) = &file.items[20].kind else {
        panic!()
    };
    let Some(TestClause::Given(_, _, record, systems)) = &test.clauses[1].kind else {
        panic!()
    };
    assert_eq!((record.fields.len(), systems.len()), (7, 2));
    let TestValue::List(span, values) = &record.fields[6].1 else {
        panic!()
    };
    assert_eq!((text(*span), values.len()), (r#"[a, "b", [1, 2]]"#, 3));
    assert!(matches!(test.clauses[6].kind, Some(TestClause::Event(..))));
    assert!(matches!(test.clauses[7].kind, Some(TestClause::Sets(..))));
}

#[test]
fn places_are_exact() {
    let source = "\u{feff}// é\r\nsystem  crm {\r\n  tier x // end\r\n}\r\n";
    let (sources, file) = sound(source);
    let item = &file.items[0];
    assert_eq!(
        sources.slice(item.span),
        "system  crm {\r\n  tier x // end\r\n}"
    );
    let ItemKind::System(block) = &item.kind else {
        panic!()
    };
    assert_eq!((block.keyword.start, block.keyword.end), (10, 16));
    assert_eq!((block.name.0.start, block.name.0.end), (18, 21));
    assert_eq!((block.body.start, block.body.end), (22, 43));
    assert_eq!(sources.slice(block.clauses[0].span), "tier x");
    let comments: Vec<_> = file
        .comments
        .iter()
        .map(|c| sources.slice(c.span))
        .collect();
    assert_eq!(comments, ["// é", "// end"]);
}

#[test]
fn comments_are_kept_and_doc_comments_known() {
    let source = "//// four\n/// one\n\n// plain\n/// two\nentity a {\n  /// no item here\n  key b\n  \
                  key /// nor here\n    c\n  /// doc\n  field b: text /// tail\n  field c: text\n}\n/// end\n";
    let (sources, file, findings) = parse(source);
    assert_eq!(findings, []);
    let docs: Vec<_> = file
        .comments
        .iter()
        .map(|c| (sources.slice(c.span), c.doc))
        .collect();
    let expected = [
        ("//// four", false),
        ("/// one", true),
        ("// plain", false),
        ("/// two", true),
        ("/// no item here", false),
        ("/// nor here", false),
        ("/// doc", true),
        ("/// tail", false),
        ("/// end", false),
    ];
    assert_eq!(docs, expected);
    let doc = file.items[0].doc.unwrap();
    assert_eq!(sources.slice(doc), "/// one\n\n// plain\n/// two");
}

#[test]
fn three_broken_clauses_are_three_findings() {
    let text = "system a {\n  tier 5\n  seats 3\n}\nentity b {\n  key id\n  field id: txt\n  \
                field c: text fresh soon class pii\n}\nscenario s {\n  mode sometimes\n  fresh 5m\n}\n\
                map b in a { key id \"Id\"\n  same_names }\n";
    assert_eq!(
        said(text),
        [
            "2:8 [5] expected a tier's name, found `5`",
            "7:13 [txt] `txt` is no type",
            "8:23 [soon] expected a duration such as `15m`, found `soon`",
            "11:8 [sometimes] `sometimes` is no mode",
            "14:21 [\"Id\"] expected `=`, found `\"Id\"`",
        ]
    );
    let (sources, file, _) = parse(text);
    let ItemKind::Entity(entity) = &file.items[1].kind else {
        panic!()
    };
    assert!(entity.clauses[1].kind.is_none());
    // The field is known although one of its clauses is not.
    let Some(EntityClause::Field(field)) = &entity.clauses[2].kind else {
        panic!()
    };
    assert_eq!(sources.slice(field.name.0), "c");
    assert!(field.clauses[0].kind.is_none());
}

#[test]
fn one_missing_brace_is_one_finding() {
    let text = "system a {\n  tier x\n\nsystem b {\n  tier y\n}\n";
    assert_eq!(said(text), ["4:1 [system] expected `}` before `system`"]);
    let (_, file, findings) = parse(text);
    assert_eq!(file.items.len(), 2);
    assert_eq!(findings[0].labels.len(), 1);
    let text = "system a {\n  tier x\n}\nscenario b {\n  mode auto\n  checkpoint {\n    abort over 2%\n  }\n";
    assert_eq!(said(text), ["4:12 [{] this block is not closed"]);
    let text = "scenario b {\n  checkpoint {\n    abort over 2%\n  mode auto\n}\n";
    assert_eq!(said(text), ["4:3 [mode] expected `}` before `mode`"]);
}

#[test]
fn an_unclosed_backtick_or_string_takes_no_more_than_it_must() {
    let text = "scenario a {\n  sync e(x) from a to b if `x\n  mode auto\n}\nsystem b { tier x }\n\
                scenario c {\n  sync e(x) from a to b if `y`\n}\n";
    assert_eq!(said(text), ["2:28 [`x] this expression is not closed"]);
    let (_, file, _) = parse(text);
    assert_eq!(file.items.len(), 3);
    let text = "map e in b {\n  field a = \"A\n  field b = \"B\"\n}\n";
    assert_eq!(said(text), ["2:13 [\"A] this string is not closed"]);
    // Nothing in a closed expression is Syncline's.
    sound(
        "entity e {\n  key a\n  field a: text derived `x +\n  // tier {\n  y\n  policy in z`\n}\n",
    );
}

#[test]
fn only_blanks_and_line_ends_separate() {
    for (odd, code) in [
        ("\u{a0}", "U+00A0"),
        ("\u{c}", "U+000C"),
        ("\r", "U+000D"),
        ("\0", "U+0000"),
    ] {
        let text = format!("system a {{\n  tier{odd}x\n}}\n");
        let found = said(&text);
        assert_eq!(found.len(), 1, "{code}");
        assert!(
            found[0].ends_with(&format!("the character {code} separates nothing")),
            "{found:?}"
        );
    }
    sound("system a {\r\n\ttier x // \u{a0}\u{c}\n  option b = \"\u{a0}\u{c}\"\n}");
}

#[test]
fn keywords_are_plain_names_elsewhere() {
    sound("system email { connector map tier system cleared use, policy }");
    sound(
        "entity field { key key, field field key: text owner owner accepts accepts, owner\n field in: text }",
    );
    sound("map map in in \"x\" { key key = \"k\" field field = \"f\" values { values = \"v\" } }");
    sound(
        "scenario scenario { sync from(to, if) from from to to if `x` after after, mode mode auto }",
    );
    // Item keywords at the beginning of a line inside a list.
    sound(
        "entity e {\n accepts a,\n  system\n resolve max\n owner\n  scenario\n key id\n field id: text }",
    );
}

#[test]
fn values_out_of_range_are_no_syntax_errors() {
    sound(
        "scenario s { mode daily at 24:00, 99:99 window 25:00..31:61 fresh 99999999999999999999d }",
    );
    sound(
        "scenario s { mode monthly on 0, 99 at 00:00 } policy p { currency XQZ allow x \"\" until 2027-13-99 }",
    );
    sound("scenario s { mode hourly at :99 volume 0/0s peak 0x } system a { budget 900% }");
}

#[test]
fn use_after_another_item_is_still_read() {
    let text = "use \"a\"\nsystem b { tier x }\nuse \"c\"\n";
    assert_eq!(said(text), ["3:1 [use] `use` stands after another item"]);
    let (sources, file, _) = parse(text);
    let uses: Vec<_> = file.uses().map(|s| sources.slice(s)).collect();
    assert_eq!(uses, ["\"a\"", "\"c\""]);
}

#[test]
fn broken_items_keep_their_names() {
    let (sources, file, findings) =
        parse("scenario late \"x\" [\n mode auto\n}\nextend entity e\n");
    assert_eq!(findings.len(), 2);
    let names: Vec<_> = file
        .items
        .iter()
        .map(|i| match i.kind {
            ItemKind::Error { keyword, name } => (
                sources.slice(keyword.unwrap()),
                sources.slice(name.unwrap().0),
            ),
            _ => panic!(),
        })
        .collect();
    assert_eq!(names, [("scenario", "late"), ("extend", "e")]);
}

#[test]
fn fixes_mend_what_they_say() {
    let cases = [
        ("system a { teir x }", "system a { tier x }"),
        ("system a { limit 5/dya }", "system a { limit 5/day }"),
        ("system a { latency 5 min }", "system a { latency 5m }"),
        (
            "entity e { key a field a text }",
            "entity e { key a field a : text }",
        ),
        (
            "entity e { key a field a: enum(x, y,) }",
            "entity e { key a field a: enum(x, y) }",
        ),
        (
            "scenario s { stale lost_lead costs 4 eur/day }",
            "scenario s { stale lost_lead costs 4 EUR/day }",
        ),
        ("sytem a { tier x }", "system a { tier x }"),
        (
            "policy p { timezone Europe/Berlin }",
            "policy p { timezone \"Europe/Berlin\" }",
        ),
        ("entity e { key \"a\" }", "entity e { key a }"),
    ];
    for (bad, good) in cases {
        let (_, _, findings) = parse(bad);
        assert_eq!(findings.len(), 1, "{bad}");
        let edit = &findings[0].fixes[0].edits[0];
        let mut mended = bad.to_owned();
        mended.replace_range(edit.span.range(), &edit.text);
        assert_eq!(mended, good);
        sound(&mended);
    }
}

#[test]
fn hostile_files_end_soon() {
    let deep = format!(
        "entity e {{ key a field a: {}text{} }}",
        "set(".repeat(50_000),
        ")".repeat(50_000)
    );
    assert_eq!(said(&deep).len(), 1);
    let list = format!(
        "test \"x\" {{ given e \"a\" {{ x = {} }} in b }}",
        "[\n".repeat(50_000)
    );
    assert_eq!(said(&list).len(), 1);
    for line in [
        "cleared a,\n",
        "`\n",
        "\"\n",
        "{\n",
        "}\n",
        "system a {\n",
        "tier `x\n",
        "(",
        "/",
        "é",
        "key a field ",
    ] {
        let text = format!("system a {{\n{}", line.repeat(20_000));
        let (_, _, findings) = parse(&text);
        assert!(
            !findings.is_empty() && findings.len() <= syntax::MAX_FINDINGS + 1,
            "{line}"
        );
    }
}

#[test]
fn an_endless_list_of_errors_is_cut_and_says_so() {
    let (_, _, findings) = parse(&"}\n".repeat(5_000));
    assert_eq!(findings.len(), syntax::MAX_FINDINGS + 1);
    let last = &findings[syntax::MAX_FINDINGS].message;
    assert_eq!(
        last,
        "4000 further syntax errors in this file are not shown"
    );
}

#[test]
fn a_part_of_a_file_keeps_the_files_places() {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new(
        "t.md",
        "# T\n```sync\nsystem a { tir x }\n```\n",
    ));
    let (_, findings) = syntax::parse_range(&sources, id, 12..31);
    assert_eq!(sources.slice(findings[0].primary.unwrap()), "tir");
    let (file, findings) = syntax::parse_range(&sources, id, 9..999);
    assert!(file.items.is_empty() && findings.is_empty());
}

#[test]
fn clauses_of_any_length_read_alike() {
    // Whatever buffer the reader works with ends at another token each time.
    for count in (1..900).step_by(37) {
        let list = vec!["abc"; count].join(", ");
        let systems = format!(
            "entity e {{\n  key a\n  accepts {list}\n  fresh 5m in {list}\n  field a: enum({list})? owner x \
             accepts {list} fresh 1h30m in {list} derived `{list}` allow x \"{list}\" until 2027-01-31\n}}\n\
             scenario s {{ mode weekly on mon at {}02:00 stale none }}\n",
            "02:00, ".repeat(count)
        );
        let (_, file) = sound(&systems);
        assert_eq!(file.items.len(), 2);
        let broken = systems.replace("until 2027", "untl 2027");
        let found = said(&broken);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("[untl]"), "{found:?}");
    }
}
