//! The whole way that the program goes with a policy: read, resolve, check, print in every form,
//! lay out, plan. Holds what is true of every answer, whatever the text.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use chrono::NaiveDate;
use syncline::finding::{Code, Finding, Grade};
use syncline::render::{Report, Style, human, json};
use syncline::syntax::load::{Root, load, load_markdown};
use syncline::syntax::print;
use syncline::text::{Sources, Span};
use syncline::workspace::{self, Checked};

use super::memory::Memory;

/// A form in which findings are printed.
type Form = fn(&Report) -> String;

/// Every form in which findings are printed.
const FORMS: &[Form] = &[
    |report| human::check(report, Style::PLAIN, true),
    |report| human::check(report, COLOURED, true),
    |report| human::check(report, NARROW, false),
    json::check,
];

const COLOURED: Style = Style {
    color: true,
    width: 100,
};

const NARROW: Style = Style {
    color: false,
    width: 20,
};

/// The day on which everything is checked.
pub fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 5).unwrap()
}

/// Checks `/w/policy.sync` among files in memory.
pub fn check(files: &Memory) -> Checked {
    let root = Root::Path(Path::new("policy.sync"));
    let loaded = load(root, files, Path::new("/w")).expect("a root");
    workspace::check(loaded, files, today(), &[])
}

/// Checks one text.
pub fn check_text(text: &str) -> Checked {
    check(&Memory::new(&[("/w/policy.sync", text)]))
}

/// Goes the whole way with the bytes of one file: as a policy and as a Markdown text.
pub fn go(bytes: &[u8]) -> Checked {
    let files = Memory::of_bytes(&[("/w/policy.sync", bytes), ("/w/text.md", bytes)]);
    let root = Root::Path(Path::new("text.md"));
    for block in load_markdown(root, &files, Path::new("/w")).expect("a root") {
        hold(&workspace::check(block, &files, today(), &[Code(804)]));
    }
    go_among(&files)
}

/// Goes the whole way with `/w/policy.sync` among files in memory.
pub fn go_among(files: &Memory) -> Checked {
    let checked = check(files);
    hold(&checked);
    let texts = checked.sources().iter();
    for (_, file) in texts.filter(|(_, file)| file.text.len() <= LAID_OUT) {
        print::format(&file.text).expect("a layout that proves itself");
    }
    if !checked.has_errors() {
        let plan = syncline::plan::compile(checked.sources(), &checked.policy);
        assert!(plan.is_some(), "a policy without an error has a plan");
    }
    checked
}

/// What is true of every answer.
fn hold(checked: &Checked) {
    let sources = checked.sources();
    for finding in &checked.findings {
        hold_finding(finding, sources);
    }
    let mut sorted = checked.findings.clone();
    syncline::finding::sort(&mut sorted, sources);
    assert_eq!(sorted, checked.findings, "findings come in order");
    let mut report = Report::default();
    report.add(&checked.findings, sources);
    report.sort();
    for form in FORMS {
        assert!(!form(&report).is_empty());
    }
}

fn hold_finding(finding: &Finding, sources: &Sources) {
    let message = &finding.message;
    assert!(!message.is_empty() && !message.ends_with('.'), "{message}");
    let places = finding.primary.into_iter();
    let labels = finding.labels.iter().chain(&finding.path).map(|l| l.span);
    let edits = finding.fixes.iter().flat_map(|f| &f.edits).map(|e| e.span);
    for place in places.chain(labels).chain(edits) {
        let text = &sources.file(place.file).text;
        let inside = text.get(place.range()).is_some();
        assert!(inside, "{place:?} of {message}");
    }
    for fix in &finding.fixes {
        let mut spans: Vec<Span> = fix.edits.iter().map(|e| e.span).collect();
        spans.sort();
        let apart = |w: &[Span]| w[0].file != w[1].file || w[0].end <= w[1].start;
        assert!(spans.windows(2).all(apart), "{} of {message}", fix.title);
        assert!(
            fix.grade != Grade::Safe || !fix.edits.is_empty(),
            "{message}"
        );
    }
}

/// The longest text that is laid out too: a layout is proved by reading it again.
const LAID_OUT: usize = 1 << 20;

/// Far more than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Does some work; where it hangs, says on what and ends the process.
pub fn watched<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let (done, watch) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if watch.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{name}: no answer after {PATIENCE:?}");
                std::process::abort();
            }
        });
        // Dropped at the end of the work, also where it panics.
        let _done = done;
        work()
    })
}

/// Findings by code and message, for comparing two answers whose places differ.
pub fn counted(findings: &[Finding]) -> BTreeMap<(u16, &str), usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts
            .entry((finding.code.0, finding.message.as_str()))
            .or_default() += 1;
    }
    counts
}

/// What `findings` has beyond what stands in `before`.
pub fn news<'a>(findings: &'a [Finding], before: &[Finding]) -> Vec<&'a Finding> {
    let mut known = counted(before);
    findings
        .iter()
        .filter(|f| match known.get_mut(&(f.code.0, f.message.as_str())) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

/// Good policies of one file each, by name.
pub fn good() -> Vec<(&'static str, String)> {
    let b2b: String = [
        include_str!("../../examples/b2b/policy.sync"),
        include_str!("../../examples/b2b/systems.sync"),
        include_str!("../../examples/b2b/entities.sync"),
        include_str!("../../examples/b2b/maps.sync"),
        include_str!("../../examples/b2b/flows.sync"),
        include_str!("../../examples/b2b/feeds_recorded.sync"),
        include_str!("../../examples/b2b/tests.sync"),
    ]
    .concat();
    let lines = b2b.lines().filter(|line| !line.starts_with("use "));
    let b2b = lines.map(|line| format!("{line}\n")).collect();
    let acme = include_str!("../../examples/acme/policy.sync");
    let shop = include_str!("../fixtures/good/shop.sync");
    vec![("acme", acme.into()), ("shop", shop.into()), ("b2b", b2b)]
}
