//! `cargo bench --bench check`: how long reading, resolving and checking take by size, and in which
//! phase the time goes; then how long an editor waits for the findings after each edit of a policy
//! of 5,000 lines, in one file and in ten.

#[path = "../tests/support/memory.rs"]
mod memory;
#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use memory::Memory;
use syncline::text::{SourceFile, Sources};
use syncline::workspace::Workspace;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM"));
    let kib: f64 = line
        .and_then(|l| l.split_whitespace().nth(1))
        .and_then(|n| n.parse().ok())
        .unwrap_or(0.0);
    kib / 1024.0
}

fn today() -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date")
}

fn main() {
    by_size();
    after_edits();
}

/// Lines of the policy that is edited.
const EDITED_LINES: usize = 5_000;

/// One file of the policy is open and typed into, a letter at a time, with a check after each.
fn after_edits() {
    println!("\nfiles  lines  edit            median     worst");
    for files in [1, 10] {
        let (disk, edited, lines) = split(files);
        let mut workspace = Workspace::new("policy.sync", "/w", disk.clone());
        let path = Path::new("/w").join(&edited);
        workspace.check(today()).expect("a policy");
        let text = String::from_utf8(disk.0[&path].clone()).expect("text");
        workspace.set_text(&path, text.as_str());
        let middle = text[text.len() / 2..].find("field_1:").expect("a field") + text.len() / 2;
        let comment = text.find("/// Records").expect("a comment") + 4;
        let spare = "use \"spare.sync\"\n";
        let edits: [(&str, usize, &str); 4] = [
            ("in a comment", comment, "x"),
            ("in a name", middle, "x"),
            ("a brace", middle, "}"),
            ("a `use`", 0, spare),
        ];
        for (name, at, new) in edits {
            let mut times = Vec::new();
            for _ in 0..25 {
                for (range, text) in [(at..at, new), (at..at + new.len(), "")] {
                    let begin = Instant::now();
                    workspace.apply_edit(&path, range, text).expect("an edit");
                    workspace.check(today()).expect("a policy");
                    times.push(begin.elapsed());
                }
            }
            let worst = times.iter().max().copied().unwrap_or_default();
            println!(
                "{files:5}  {lines:5}  {name:14}  {:7.1?}  {worst:7.1?}",
                median(times)
            );
        }
    }
}

/// A policy in so many files, the one of them to edit, and how many lines it has.
fn split(files: usize) -> (Memory, String, usize) {
    let lines = support::policy(1, 20).lines().count();
    let more = support::policy(2, 20).lines().count() - lines;
    let text = support::policy((EDITED_LINES - lines) / more + 1, 20);
    let count = text.lines().count();
    let mut disk = Memory::default();
    disk.0
        .insert("/w/spare.sync".into(), b"// nothing\n".to_vec());
    if files == 1 {
        disk.0.insert("/w/policy.sync".into(), text.into_bytes());
        return (disk, "policy.sync".to_owned(), count);
    }
    // An entity and all that speaks of it stay together.
    let mut parts: Vec<&str> = text.split("/// Records").collect();
    let head = parts.remove(0);
    let mut root = String::new();
    for (n, part) in parts.chunks(parts.len().div_ceil(files)).enumerate() {
        let name = format!("part_{n}.sync");
        root.push_str(&format!("use \"{name}\"\n"));
        let body: String = part.iter().map(|p| format!("/// Records{p}")).collect();
        disk.0.insert(Path::new("/w").join(name), body.into_bytes());
    }
    let root = format!("{root}\n{head}");
    disk.0.insert("/w/policy.sync".into(), root.into_bytes());
    (disk, "part_3.sync".to_owned(), count)
}

fn by_size() {
    println!(
        "entities  fields mapped  lines     MB     parse   resolve  graph    checks   total    findings  peak MiB"
    );
    for entities in [250, 500, 1_000] {
        let text = support::policy(entities, 60);
        let mut phases: [Vec<Duration>; 5] = Default::default();
        let mut findings = 0;
        for _ in 0..5 {
            let mut sources = Sources::default();
            let begin = Instant::now();
            let file = sources.add(SourceFile::new("policy.sync", text.as_str()));
            let (tree, early) = syncline::syntax::parse(&sources, file);
            let parsed = Instant::now();
            let trees = vec![tree];
            let today = today();
            let input = syncline::model::Input {
                sources: &sources,
                files: &trees,
                unread: false,
                catalog: syncline::catalog::Catalog::builtin(),
                own: &Default::default(),
                now: today,
            };
            let (policy, mut found) = syncline::model::lower(&input);
            let lowered = Instant::now();
            let graph = syncline::graph::Graph::build(&policy);
            let graphed = Instant::now();
            found.extend(early);
            let context = syncline::checks::Context::new(&sources, &policy, &graph, today);
            findings = syncline::checks::run(&context, found).len();
            let checked = Instant::now();
            for (slot, time) in phases.iter_mut().zip([
                parsed - begin,
                lowered - parsed,
                graphed - lowered,
                checked - graphed,
                checked - begin,
            ]) {
                slot.push(time);
            }
        }
        let [parse, resolve, graph, checks, total] = phases.map(median);
        println!(
            "{entities:8}  {:13}  {:8}  {:5.2}  {:7.1?}  {:7.1?}  {:7.1?}  {:7.1?}  {:7.1?}  {findings:8}  {:8.1}",
            entities * 60,
            text.lines().count(),
            text.len() as f64 / 1e6,
            parse,
            resolve,
            graph,
            checks,
            total,
            peak_memory_mib(),
        );
    }
}
