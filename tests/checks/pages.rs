//! Pages of checks: their policies do what they say, and what is published quotes the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::support::docs;
use super::support::fixtures::{self, Memory, Parsed};
use super::{check_asking, codes, spoken_of};
use syncline::checks::pages::{self, Page, PageFile};
use syncline::finding::{Code, Finding, Grade, Severity};
use syncline::render::page::{self, Mends};
use syncline::render::{Report, Style, human};
use syncline::syntax::print;

/// What cannot be read has no layout.
const NO_LAYOUT: &[u16] = &[1];

fn page(code: Code) -> Page<'static> {
    Page::parse(pages::source(code).unwrap()).unwrap_or_else(|e| panic!("{code}: {e}"))
}

fn load(files: &[PageFile<'_>]) -> Parsed {
    let folder = Path::new("/pages");
    let files = files
        .iter()
        .map(|f| (folder.join(f.name), f.text.to_owned()))
        .collect::<BTreeMap<PathBuf, String>>();
    fixtures::load_with(&Memory(files), Path::new("policy.sync"), folder)
}

fn found(code: Code, files: &[PageFile<'_>]) -> (Parsed, Vec<Finding>) {
    let parsed = load(files);
    let findings = check_asking(&parsed, &[code]);
    (parsed, findings)
}

#[test]
fn the_failing_policy_fails_for_its_code_alone_and_the_mended_one_does_not() {
    let mut wrong = String::new();
    for code in pages::codes() {
        let page = page(code);
        let (parsed, findings) = found(code, &page.failing);
        if !findings
            .iter()
            .any(|f| f.code == code && f.severity != Severity::Allowed)
        {
            writeln!(wrong, "{code}: the failing policy does not fail").unwrap();
        }
        let others = |f: &&Finding| f.severity == Severity::Error && f.code != code;
        for other in findings.iter().filter(others) {
            let shown = fixtures::show(&parsed.sources, other);
            writeln!(wrong, "{code}: fails: {shown}").unwrap();
        }
        let (parsed, findings) = found(code, &page.mended);
        let bad = |f: &&Finding| f.severity == Severity::Error || f.code == code;
        for left in findings.iter().filter(bad) {
            let shown = fixtures::show(&parsed.sources, left);
            writeln!(wrong, "{code}: mended: {shown}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// With `UPDATE_DOCS=1` they are laid out.
#[test]
fn policies_of_pages_are_laid_out_as_fmt_does() {
    let mut wrong = String::new();
    for code in pages::codes() {
        let page = page(code);
        let mut source = pages::source(code).unwrap().to_owned();
        let failing = page.failing.iter().filter(|_| !NO_LAYOUT.contains(&code.0));
        for file in failing.chain(&page.mended) {
            let laid_out = print::format(file.text).unwrap();
            if laid_out.text != file.text {
                writeln!(wrong, "{code} {}:\n{}", file.name, laid_out.text).unwrap();
                source = source.replace(file.text, &laid_out.text);
            }
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let path = format!("src/checks/pages/{code}.md");
            std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), source).unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "run the tests with UPDATE_DOCS=1\n{wrong}"
    );
}

#[test]
fn every_check_that_runs_has_a_page() {
    let without: Vec<Code> = codes().filter(|c| pages::source(*c).is_none()).collect();
    assert_eq!(without, []);
}

/// The best that the program can do for a code, over its fixtures and its page.
fn mends(code: Code) -> Mends {
    let fixtures = fixtures::of(&code.to_string()).into_iter();
    let policies = fixtures
        .filter(|f| f.fails)
        .map(|f| fixtures::loaded(&f.root))
        .chain([load(&page(code).failing)]);
    policies
        .flat_map(|parsed| spoken_of(code, check_asking(&parsed, &[code])))
        .filter(|f| f.code == code)
        .flat_map(|f| f.fixes)
        .map(|fix| match fix.grade {
            Grade::Safe => Mends::Safely,
            Grade::Review => Mends::Proposes,
        })
        .max()
        .unwrap_or(Mends::Never)
}

/// What `check` prints for the failing policy.
fn output(code: Code, page: &Page<'_>) -> String {
    let (parsed, findings) = found(code, &page.failing);
    let mut report = Report::default();
    report.add(&findings, &parsed.sources);
    report.sort();
    human::check(&report, Style::PLAIN, false)
}

#[test]
fn the_pages_are_published() {
    let rows: Vec<(Code, Page<'_>, Mends)> = pages::codes()
        .map(|code| (code, page(code), mends(code)))
        .collect();
    for (code, page, mends) in &rows {
        let text = page::published(*code, page, *mends, &output(*code, page));
        docs::in_step(&format!("checks/{code}.md"), &text);
    }
    docs::in_step("checks/README.md", &page::index(&rows));
}

#[test]
fn links_between_published_pages_lead_somewhere() {
    let folder = docs::folder().join("checks");
    let names: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = pages::codes().map(|c| format!("{c}.md"));
    let expected: BTreeSet<String> = expected.chain(["README.md".to_owned()]).collect();
    assert_eq!(names, expected);
    for name in &names {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let mut in_code = false;
        let prose = text.lines().filter(|line| {
            in_code ^= line.starts_with("```");
            !in_code
        });
        for line in prose {
            for (_, link) in line.match_indices("](").map(|(at, m)| (m, &line[at + 2..])) {
                let target = link.split(')').next().unwrap();
                let outside = target.starts_with("https://");
                assert!(outside || folder.join(target).exists(), "{name}: {target}");
            }
        }
    }
}
