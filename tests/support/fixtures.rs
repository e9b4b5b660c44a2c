//! Fixtures: policies that say themselves which findings they have.
//!
//! `tests/fixtures/SL0003/fail_system.sync` is a policy of one file; a folder
//! `tests/fixtures/SL0003/fail_in_use/` is one whose root is its `policy.sync`. Names begin with
//! `fail_` or `pass_`. A finding is expected by a comment, at the end of its line or on lines of
//! its own above that line:
//!
//! ```sync
//! //~ SL0003 "mailr"
//! owner mailr
//! owner mailr //~ SL0003 "mailr"
//! //~ SL0008 1:1
//! ```
//!
//! `//~ CODE` alone: the primary place begins on that line. With `"text"`: and it is exactly this
//! text (in an expression, that part of it). With `LINE:COLUMN`: it begins there, wherever the
//! comment stands. Each expectation stands for one finding; one line may have several comments
//! above it. Where the root itself cannot be read, `expect.txt` beside it holds what comes after
//! `//~`, a line each.

#![allow(dead_code)]

use std::io;
use std::path::{Path, PathBuf};

use syncline::catalog::Catalog;
use syncline::finding::Finding;
use syncline::model::{self, Input, OwnConnectors, Policy};
use syncline::plan::Plan;
use syncline::syntax::load::{self, FileReader, Root};
use syncline::syntax::{self, literal, tree};
use syncline::text::{FileId, Position, SourceFile, Sources, Span};

/// One fixture.
pub struct Fixture {
    /// The code whose folder it stands in, `SL0003`.
    pub code: String,
    /// `SL0003/fail_system`, for messages.
    pub name: String,
    /// Whether it is to have a finding of its code.
    pub fails: bool,
    /// The root file.
    pub root: PathBuf,
}

/// A fixture's files, parsed.
pub struct Parsed {
    /// The texts.
    pub sources: Sources,
    /// The trees.
    pub files: Vec<tree::File>,
    /// Findings of the parser.
    pub findings: Vec<Finding>,
}

/// A finding that a fixture expects.
#[derive(Debug)]
pub struct Expected {
    code: String,
    file: FileId,
    line: u32,
    column: Option<u32>,
    text: Option<String>,
}

/// The folder of fixtures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Every fixture of a code, by name; none where it has no folder.
pub fn of(code: &str) -> Vec<Fixture> {
    let Ok(entries) = std::fs::read_dir(folder().join(code)) else {
        return Vec::new();
    };
    let mut fixtures: Vec<Fixture> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let stem = path.file_stem()?.to_str()?.to_owned();
            let root = if path.is_dir() {
                path.join("policy.sync")
            } else {
                path
            };
            let fails = stem.starts_with("fail_");
            (fails || stem.starts_with("pass_")).then(|| Fixture {
                code: code.to_owned(),
                name: format!("{code}/{stem}"),
                fails,
                root,
            })
        })
        .collect();
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

/// The text of every fixture that is one file, by name, in order.
pub fn texts() -> Vec<(String, String)> {
    let folders = std::fs::read_dir(folder()).expect("the fixtures' folder can be read");
    let mut codes: Vec<String> = folders
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("SL"))
        .collect();
    codes.sort();
    let fixtures = codes.iter().flat_map(|code| of(code));
    fixtures
        .filter_map(|f| Some((f.name, std::fs::read_to_string(f.root).ok()?)))
        .collect()
}

/// Reads and parses a policy with the files it uses.
pub fn parse(root: &Path) -> Parsed {
    let mut parsed = Parsed {
        sources: Sources::default(),
        files: Vec::new(),
        findings: Vec::new(),
    };
    parse_into(root, &mut parsed, &mut Vec::new());
    parsed
}

/// Loads a policy with the files it uses as the program does, so that files which cannot be read
/// and circles of files are found. Paths are relative to the root's folder.
pub fn loaded(root: &Path) -> Parsed {
    let folder = root.parent().unwrap();
    let name = Path::new(root.file_name().unwrap());
    load_with(&Disk, name, folder)
}

/// Loads `name` in `folder` from a reader.
pub fn load_with(reader: &dyn FileReader, name: &Path, folder: &Path) -> Parsed {
    let loaded = load::load(Root::Path(name), reader, folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    Parsed {
        sources: loaded.sources,
        files: loaded.files,
        findings: loaded.findings,
    }
}

/// The file system.
struct Disk;

impl FileReader for Disk {
    fn read(&self, path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
    fn names(&self, directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }
}

/// Files in memory by absolute path.
pub struct Memory(pub std::collections::BTreeMap<PathBuf, String>);

impl FileReader for Memory {
    fn read(&self, path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        let text = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().into_bytes())
    }
    fn is_dir(&self, path: &Path) -> bool {
        self.0.keys().any(|p| p != path && p.starts_with(path))
    }
    fn exists(&self, path: &Path) -> bool {
        self.0.keys().any(|p| p.starts_with(path))
    }
    fn names(&self, directory: &Path) -> Vec<String> {
        let inside = self.0.keys().filter_map(|p| p.strip_prefix(directory).ok());
        inside.map(|p| p.display().to_string()).collect()
    }
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

/// Parses one text.
pub fn parse_text(text: &str) -> Parsed {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new("policy.sync", text));
    let (file, findings) = syntax::parse(&sources, id);
    Parsed {
        sources,
        files: vec![file],
        findings,
    }
}

/// What parsed files mean, on 2026-01-05, with what was found on the way, the parser's first.
pub fn lowered(parsed: &Parsed) -> (Policy, Vec<Finding>) {
    let own = OwnConnectors::new();
    let (policy, findings) = model::lower(&Input {
        sources: &parsed.sources,
        files: &parsed.files,
        unread: false,
        catalog: Catalog::builtin(),
        own: &own,
        now: chrono::NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
    });
    let all = parsed.findings.iter().cloned().chain(findings);
    (policy, all.collect())
}

/// The plan of a text, with what was found in it.
pub fn planned(text: &str) -> (Plan, Vec<Finding>) {
    let parsed = parse_text(text);
    let (policy, findings) = lowered(&parsed);
    let plan = syncline::plan::compile(&parsed.sources, &policy);
    let plan = plan.unwrap_or_else(|| panic!("no plan: {findings:?}"));
    (plan, findings)
}

fn parse_into(path: &Path, parsed: &mut Parsed, seen: &mut Vec<PathBuf>) {
    let real = path
        .canonicalize()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if seen.contains(&real) {
        return;
    }
    seen.push(real.clone());
    let text = std::fs::read_to_string(&real).unwrap();
    let id = parsed
        .sources
        .add(SourceFile::new(path.display().to_string(), text));
    let (file, findings) = syntax::parse(&parsed.sources, id);
    parsed.findings.extend(findings);
    let uses: Vec<PathBuf> = file
        .items
        .iter()
        .filter_map(|item| match item.kind {
            tree::ItemKind::Use(path) => {
                let text = literal::string(parsed.sources.slice(path.0)).ok()?;
                let path = real.parent()?.join(&*text);
                Some(if path.is_dir() {
                    path.join("policy.sync")
                } else {
                    path
                })
            }
            _ => None,
        })
        .collect();
    parsed.files.push(file);
    for used in uses {
        parse_into(&used, parsed, seen);
    }
    parsed.files.sort_by_key(|f| f.id);
}

/// What the comments of a policy expect.
pub fn expectations(sources: &Sources) -> Vec<Expected> {
    let mut all = Vec::new();
    for (id, file) in sources.iter() {
        let mut waiting: Vec<Expected> = Vec::new();
        for number in 1..=file.line_count() as u32 {
            let line = file.line_text(number);
            let before = line.split("//~").next().unwrap_or_default();
            let alone = before.trim().is_empty();
            let found = line
                .split("//~")
                .skip(1)
                .map(|text| expected(text, id, number));
            if alone && line.contains("//~") {
                waiting.extend(found);
                continue;
            }
            for mut expected in waiting.drain(..) {
                if expected.column.is_none() {
                    expected.line = number;
                }
                all.push(expected);
            }
            all.extend(found);
        }
        all.extend(waiting);
    }
    all
}

fn expected(text: &str, file: FileId, line: u32) -> Expected {
    let (code, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    assert!(code.starts_with("SL"), "`//~ {text}` begins with no code");
    let rest = rest.trim();
    let quoted = rest.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let place = rest.split_once(':').filter(|_| quoted.is_none());
    let place = place.map(|(l, c)| (l.parse::<u32>().unwrap(), c.parse::<u32>().unwrap()));
    assert!(
        rest.is_empty() || quoted.is_some() || place.is_some(),
        "`//~ {text}` cannot be read"
    );
    Expected {
        code: code.to_owned(),
        file,
        line: place.map_or(line, |p| p.0),
        column: place.map(|p| p.1),
        text: quoted.map(str::to_owned),
    }
}

impl Expected {
    fn meets(&self, finding: &Finding, sources: &Sources) -> bool {
        let span = finding.primary.unwrap_or(Span::point(FileId(0), 0));
        let Position { line, column } = sources.start(span);
        finding.code.to_string() == self.code
            && span.file == self.file
            && line == self.line
            && self.column.is_none_or(|c| c == column)
            && self
                .text
                .as_deref()
                .is_none_or(|t| t == sources.slice(span))
    }
}

/// What `expect.txt` beside a root expects.
fn expected_beside(root: &Path) -> Vec<Expected> {
    let text = std::fs::read_to_string(root.with_file_name("expect.txt")).unwrap_or_default();
    let lines = text.lines();
    lines.map(|line| expected(line, FileId(0), 1)).collect()
}

/// Compares findings with what the policy expects; the answer lists every difference.
pub fn differences(sources: &Sources, findings: &[Finding]) -> String {
    compare(sources, findings, expectations(sources))
}

/// The same, with what stands beside the root.
pub fn differences_of(root: &Path, sources: &Sources, findings: &[Finding]) -> String {
    let mut all = expectations(sources);
    all.extend(expected_beside(root));
    compare(sources, findings, all)
}

fn compare(sources: &Sources, findings: &[Finding], all: Vec<Expected>) -> String {
    let mut open: Vec<Option<&Finding>> = findings.iter().map(Some).collect();
    let mut out = String::new();
    for expected in all {
        let met = open
            .iter()
            .position(|f| f.is_some_and(|f| expected.meets(f, sources)));
        match met {
            Some(at) => open[at] = None,
            None => out.push_str(&format!(
                "  missing: {} at line {} {}\n",
                expected.code,
                expected.line,
                expected.text.unwrap_or_default()
            )),
        }
    }
    for finding in open.into_iter().flatten() {
        out.push_str(&format!("  not expected: {}\n", show(sources, finding)));
    }
    out
}

/// A finding on one line.
pub fn show(sources: &Sources, finding: &Finding) -> String {
    let span = finding.primary.unwrap_or(Span::point(FileId(0), 0));
    let Position { line, column } = sources.start(span);
    format!(
        "{} {line}:{column} \"{}\" {} (help: {})",
        finding.code,
        sources.slice(span),
        finding.message,
        finding.help.as_deref().unwrap_or("none")
    )
}
