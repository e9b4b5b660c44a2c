//! `graph`: what is drawn, in every form; what is not; names that would like to be more.

use crate::support::{CLEAN, Dir, Ran, with_error};

const ACME: &str = include_str!("../../examples/acme/policy.sync");

fn graph(policy: &str, args: &[&str]) -> Ran {
    let dir = Dir::with(&[("policy.sync", policy)]);
    let args: Vec<&str> = ["graph", "--now", "2026-11-26"]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    let ran = dir.run(&args);
    let again = dir.run(&args);
    assert_eq!(
        ran.stdout, again.stdout,
        "the same policy gives the same bytes"
    );
    ran
}

/// The names of all elements of a well-formed XML text.
fn elements(xml: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut names = Vec::new();
    let mut open = 0;
    loop {
        use quick_xml::events::Event;
        match reader
            .read_event()
            .unwrap_or_else(|e| panic!("{e} in\n{xml}"))
        {
            Event::Eof => break,
            Event::Start(tag) => {
                for attribute in tag.attributes() {
                    attribute.unwrap_or_else(|e| panic!("{e}"));
                }
                names.push(tag.name().as_ref().to_owned());
                open += 1;
            }
            Event::End(_) => open -= 1,
            _ => {}
        }
    }
    assert_eq!(open, 0);
    names
}

#[test]
fn the_graph_of_acme_in_every_form() {
    for format in ["dot", "mermaid", "svg"] {
        let ran = graph(ACME, &["--format", format]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        insta::assert_snapshot!(format!("graph_{format}"), ran.stdout);
    }
    let svg = graph(ACME, &[]).stdout;
    let names = elements(&svg);
    let count = |name: &str| names.iter().filter(|n| *n == name).count();
    assert_eq!(count("marker"), 6);
    assert!(count("path") >= 12 + 6, "an arrow each for twelve hops");
    assert!(svg.contains("prefers-color-scheme:dark"));
    assert!(svg.contains("<title id=\"flow-title\">policy acme_revops</title>"));
}

#[test]
fn one_field_is_followed_from_its_origins_to_everywhere() {
    let dot = graph(ACME, &["--format", "dot", "--field", "contact.opted_out"]).stdout;
    assert!(
        dot.contains(r#""mailer" [label="mailer\nhubspot\nowner\n≤ 9s of 1m"]"#),
        "{dot}"
    );
    assert!(
        dot.contains(r#""forms" [label="forms\nwebhook\naccepted"]"#),
        "{dot}"
    );
    assert!(
        dot.contains(r#""warehouse" [label="warehouse\npostgres\nreceives\n≤ 1d1h"]"#),
        "{dot}"
    );
    assert!(
        !dot.contains("lead_routing"),
        "it carries another field: {dot}"
    );
    // A derived field comes with the way of what it is derived from.
    let dot = graph(ACME, &["--format", "dot", "--field", "contact.full_name"]).stdout;
    assert!(
        dot.contains("contact.first_name, contact.last_name"),
        "{dot}"
    );
    assert!(
        dot.contains(r#""forms" -> "crm""#) && dot.contains(r#""crm" -> "warehouse""#),
        "{dot}"
    );
}

#[test]
fn an_unknown_field_is_told_with_the_nearest() {
    let ran = graph(ACME, &["--field", "contact.scor"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("no field `contact.scor`"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("did you mean `contact.score`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_policy_with_errors_is_drawn_and_one_that_cannot_be_read_is_not() {
    let ran = graph(&with_error(), &["--format", "dot"]);
    assert_eq!(ran.status, 0);
    assert!(
        ran.stdout.contains(r#""crm" -> "mailer""#),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("has errors"), "{}", ran.stderr);
    let ran = graph(&CLEAN.replace("to mailer", "to mialer"), &[]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("SL0003"), "{}", ran.stderr);
}

#[test]
fn what_is_late_is_said_and_not_only_coloured() {
    let late = CLEAN.replace("text?", "text? fresh 5m in mailer");
    let dot = graph(&late, &["--format", "dot"]).stdout;
    assert!(dot.contains("late: contact.name"), "{dot}");
    assert!(dot.contains("1 field late"), "{dot}");
}

#[test]
fn more_scenarios_than_can_be_told_apart_share_an_arrow() {
    let mut many = CLEAN.to_owned();
    for at in 0..6 {
        many.push_str(&format!(
            "scenario more_{at} {{ sync contact(name) from crm to mailer  mode every 4h }}\n"
        ));
    }
    let dot = graph(&many, &["--format", "dot"]).stdout;
    let arrows: Vec<&str> = dot.lines().filter(|l| l.contains(" -> ")).collect();
    assert_eq!(arrows.len(), 2, "{dot}");
    assert!(arrows[0].contains("names\\nevery 15m"), "{dot}");
    assert!(arrows[1].contains("6 scenarios\\nevery 4h"), "{dot}");
}

#[test]
fn no_name_gets_out_of_its_place() {
    let entry = include_str!("../../src/catalog/entries/sqlite.yaml");
    let hostile = CLEAN.replace(
        "connector csv  option path = \"mailer\"",
        "connector \"./a & <b> '; [x] #.yaml\"  option path = \"mailer\"",
    );
    let dir = Dir::with(&[("policy.sync", &hostile), ("a & <b> '; [x] #.yaml", entry)]);
    let svg = dir.run(&["graph"]);
    assert_eq!(svg.status, 0, "{}", svg.stderr);
    assert!(!svg.stdout.contains("<b>"));
    elements(&svg.stdout);
    let mermaid = dir.run(&["graph", "--format", "mermaid"]).stdout;
    assert!(
        mermaid.contains("a #38; #60;b#62; '#59; #91;x#93; #35;.yaml"),
        "{mermaid}"
    );
}
