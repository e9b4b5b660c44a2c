//! `report`: one page that holds all, asks for nothing, and lets no text out of its place.

use base64::Engine;
use sha2::{Digest, Sha256};

use crate::support::{CLEAN, Dir, with_error};

const ACME: &str = include_str!("../../examples/acme/policy.sync");

/// The page of a policy, and what was said of it.
fn report(policy: &str) -> (String, String) {
    let dir = Dir::with(&[("policy.sync", policy)]);
    let ran = dir.run(&["report", "-o", "out.html", "--now", "2026-11-26"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let page = dir.read("out.html");
    dir.run(&["report", "-o", "out.html", "--now", "2026-11-26"]);
    assert_eq!(
        page,
        dir.read("out.html"),
        "the same policy gives the same bytes"
    );
    well_formed(&page);
    (page, ran.stderr)
}

/// Every element ends where it must, and none but the page's own script and style hold raw text.
fn well_formed(page: &str) {
    const VOID: [&str; 4] = ["meta", "link", "input", "br"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "wrong end");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "<{tag}>");
        if name == "script" || name == "style" {
            let close = rest.find(&format!("</{name}>")).unwrap();
            rest = &rest[close + name.len() + 3..];
        } else if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "never ended: {open:?}");
}

/// The values of an attribute.
fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let before = format!(" {name}=\"");
    let parts = page.split(&before).skip(1);
    parts.map(|p| p.split('"').next().unwrap()).collect()
}

#[test]
fn the_page_holds_all_of_the_policy_and_its_figures() {
    let (page, _) = report(ACME);
    for name in ["crm", "mailer", "forms", "warehouse"] {
        assert!(
            page.contains(&format!("<th scope=\"row\">{name}</th>")),
            "{name}"
        );
    }
    let scenarios = ["demo_request", "unsubscribe", "lead_routing", "lead_scores"];
    for name in scenarios
        .iter()
        .chain(&["newsletter_refresh", "clean_contacts", "analytics"])
    {
        assert!(page.contains(&format!("id=\"scenario-{name}\"")), "{name}");
    }
    for name in [
        "email",
        "first_name",
        "last_name",
        "full_name",
        "lead_status",
        "opted_out",
        "score",
    ] {
        assert!(page.contains(&format!("contact.</span>{name} ")), "{name}");
    }
    assert!(page.contains("sha256:") && page.contains("2026-11-26"));
    assert!(page.contains("any_true") && page.contains("≤ 15m14s of 30m"));
    let ids = attributes(&page, "id");
    let sections = [
        "glance",
        "flows",
        "freshness",
        "fields",
        "calls",
        "scenarios",
        "findings",
    ];
    let places: Vec<usize> = sections
        .iter()
        .map(|s| {
            ids.iter()
                .position(|id| id == s)
                .unwrap_or_else(|| panic!("no {s}"))
        })
        .collect();
    assert!(places.is_sorted(), "{ids:?}");
    // Every address on the page is a place on the page, and no id stands twice.
    for link in attributes(&page, "href") {
        let to = link.strip_prefix('#');
        assert!(
            link == "data:," || ids.contains(&to.unwrap()),
            "{link} leads nowhere"
        );
    }
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len());
}

#[test]
fn nothing_is_loaded_and_only_the_pages_own_script_may_run() {
    let (page, _) = report(ACME);
    assert!(attributes(&page, "src").is_empty());
    assert!(!page.contains("@import") && !page.contains("url(http"));
    assert!(!page.contains("http://") && !page.contains("https://"));
    let script = page.split("<script>").nth(1).unwrap();
    let script = script.split("</script>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script));
    let policy =
        format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'");
    assert!(
        attributes(&page, "content")
            .iter()
            .any(|c| c.starts_with(&policy)),
        "{hash}"
    );
    assert_eq!(page.matches("<script").count(), 1);
}

#[test]
fn no_text_of_the_policy_gets_out_of_its_place() {
    let hostile = CLEAN
        .replace(
            "scenario names {",
            "/// Doc </style><script>alert(1)</script> \u{202e}turned\n\
             scenario names \"</script><img src=x onerror='alert(2)'>\" {",
        )
        .replace(
            "  field name:",
            "  /// \"><svg onload=alert(3)>\n  field name:",
        );
    let (page, _) = report(&hostile);
    assert!(!page.contains("<img") && !page.contains("<svg onload"));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;/script&gt;&lt;img src=x"));
    assert!(!page.contains('\u{202e}') && page.contains("⟨U+202E⟩turned"));
}

#[test]
fn errors_come_first_and_what_they_take_away_is_said() {
    let (page, said) = report(&with_error());
    let at = |id: &str| page.find(&format!("<section id=\"{id}\"")).unwrap();
    assert!(at("glance") < at("findings") && at("findings") < at("flows"));
    assert!(page.contains("SL0101") && page.contains("none: the policy has errors"));
    assert!(said.contains("the policy has 1 error"), "{said}");
    let (page, said) = report(&CLEAN.replace("to mailer", "to mialer"));
    assert!(page.contains("could not be read whole") && page.contains("SL0003"));
    assert!(!page.contains("<section id=\"calls\""));
    assert!(
        page.contains("contact.</span>name "),
        "owners are shown as far as they are known"
    );
    assert!(said.contains("left out"), "{said}");
}

#[test]
fn a_simulation_stands_beside_the_estimate() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let simulate = |more: &[&str]| {
        let words = ["report", "-o", "out.html", "--now", "2026-11-26"];
        let ran = dir.run(&[&words[..], more].concat());
        (ran.status, ran.stderr)
    };
    let outage = [
        "--simulate",
        "1d",
        "--seed",
        "3",
        "--outage",
        "mailer@6h+3h",
    ];
    assert_eq!(simulate(&outage), (0, "wrote out.html\n".to_owned()));
    let page = dir.read("out.html");
    well_formed(&page);
    for words in [
        "id=\"simulated\"",
        "over 1d of virtual time with made-up load (seed 3), with mailer down for 3h from 6h on",
        "How old changes were",
        "What waited",
        "href=\"#simulated\"",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(simulate(&outage).0, 0);
    assert_eq!(page, dir.read("out.html"), "the same seed, the same bytes");
    assert_eq!(simulate(&[]).0, 0);
    assert!(!dir.read("out.html").contains("id=\"simulated\""));
    let (status, said) = simulate(&["--outage", "mailer@6h+3h"]);
    assert!(status == 2 && said.contains("--simulate"), "{said}");
    let (status, said) = simulate(&["--simulate", "1d", "--outage", "mailr@1h+1h"]);
    assert!(status == 2 && said.contains("mailer"), "{said}");
}

#[test]
fn a_page_needs_a_file_to_go_to() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let ran = dir.run(&["report"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("--output <FILE>"), "{}", ran.stderr);
    let ran = dir.run(&["report", "-o", "no/such/out.html"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("make its directory first"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_page_grows_with_the_policy_and_no_faster() {
    let of = |count: usize| {
        let fields: String = (0..count)
            .map(|at| format!("  field f_{at}: text? fresh 2h in mailer\n"))
            .collect();
        let policy = CLEAN
            .replace("  field name:  text?\n", &fields)
            .replace("contact(name)", "contact(*)");
        report(&policy).0.len()
    };
    let (some, more) = (of(100), of(1_000));
    println!("100 fields: {some} bytes; 1,000 fields: {more} bytes");
    assert!(more < 2_000_000, "{more}");
    assert!(more < 10 * some, "{some} and {more}");
}
