//! `cargo bench --bench batch [-- ROWS…]`: CSV rows into SQLite through a scheduled run with a
//! checkpoint (dedupe, a regular expression on every record), by size, with peak memory.
//!
//! The floor in the same run: the same file read with the `csv` crate and inserted by one prepared
//! statement in one transaction, without stage, registers, checks or resumption. Each measurement
//! is a process of its own, so that its peak memory is its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const POLICY: &str = r#"
policy bench { timezone "UTC" }
system source {
  connector csv
  option path = "contacts.csv"
}
system target {
  connector sqlite
  option path = "target.db"
}
entity contact {
  key email
  owner source
  accepts none
  field email: email
  field first_name: text(40)?
  field last_name: text(80)?
  field company: text(80)?
  field score: int(0..100)?
  field opted_out: bool?
}
map contact in source "contacts" { same_names  changed_at "updated_at" }
map contact in target "contacts" { same_names  changed_at "updated_at" }
scenario load {
  sync contact(*) from source to target
  mode daily at 02:00
  checkpoint {
    dedupe by email keep newest
    require `contact.email.matches("^[^@ ]+@[^@ ]+$")` else quarantine
    abort over 5%
  }
}
"#;

struct Silent;

impl syncline::engine::runner::Observer for Silent {
    fn progress(&mut self, _: &syncline::engine::runner::Progress<'_>) {}
}

struct Disk;

impl syncline::syntax::load::FileReader for Disk {
    fn read(&self, path: &Path, _: usize) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
    fn canonical(&self, path: &Path) -> std::io::Result<PathBuf> {
        path.canonicalize()
    }
}

fn generate(path: &Path, rows: usize) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    let mut random = fastrand::Rng::with_seed(7);
    writeln!(
        out,
        "email,first_name,last_name,company,score,opted_out,updated_at"
    )
    .expect("written");
    for n in 0..rows {
        let id = random.u64(..);
        let email = if n % 1_000 == 0 {
            format!("broken {id}")
        } else {
            format!("{id:016x}@example.com")
        };
        writeln!(
            out,
            "{email},First{},Last{},\"Company {}, Inc.\",{},{},2026-10-{:02}T12:00:00Z",
            id % 977,
            id % 7_919,
            id % 499,
            id % 101,
            id.is_multiple_of(13),
            id % 28 + 1
        )
        .expect("written");
    }
    out.flush().expect("written");
}

fn schema(dir: &Path) -> rusqlite::Connection {
    let _ = std::fs::remove_file(dir.join("target.db"));
    let db = rusqlite::Connection::open(dir.join("target.db")).expect("a database");
    db.execute_batch("CREATE TABLE contacts (email TEXT PRIMARY KEY, first_name TEXT, last_name TEXT, company TEXT, score INTEGER, opted_out INTEGER, updated_at TEXT)").expect("a table");
    db
}

fn syncline_run(dir: &Path) -> u64 {
    schema(dir);
    let sources = [dir.join("policy.sync")];
    std::fs::write(&sources[0], POLICY).expect("written");
    let loaded =
        syncline::syntax::load::load(syncline::syntax::load::Root::Path(&sources[0]), &Disk, dir)
            .expect("loaded");
    let today = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date");
    let (policy, findings) = syncline::model::lower(&syncline::model::Input {
        sources: &loaded.sources,
        files: &loaded.files,
        unread: false,
        catalog: syncline::catalog::Catalog::builtin(),
        own: &Default::default(),
        now: today,
    });
    assert!(
        findings.is_empty() && loaded.findings.is_empty(),
        "{findings:?}"
    );
    let plan = syncline::plan::compile(&loaded.sources, &policy).expect("a plan");
    let settings = syncline::host::Settings {
        store: dir.join("store.db"),
        base_dir: dir.to_owned(),
        listen: None,
        until_idle: true,
        only: Default::default(),
        env: Arc::new(|_| None),
        held: Arc::new(|_| {}),
    };
    let outcome = syncline::host::run(&plan, &settings, &mut Silent, &mut |_, _| {}).expect("run");
    assert!(outcome.troubles.is_empty(), "{:?}", outcome.troubles);
    outcome
        .scenarios
        .iter()
        .map(|(_, t)| t.counts.written)
        .sum()
}

fn raw_run(dir: &Path) -> u64 {
    let mut db = schema(dir);
    db.execute_batch("PRAGMA synchronous = FULL").expect("set");
    let mut reader = csv::Reader::from_path(dir.join("contacts.csv")).expect("a file");
    let mut record = csv::StringRecord::new();
    let transaction = db.transaction().expect("a transaction");
    let mut written = 0;
    {
        let mut insert = transaction
            .prepare(
                "INSERT INTO contacts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )
            .expect("a statement");
        while reader.read_record(&mut record).expect("a record") {
            written += insert
                .execute(rusqlite::params_from_iter(record.iter()))
                .expect("inserted");
        }
    }
    transaction.commit().expect("committed");
    written as u64
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

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if let [kind, dir] = args.as_slice()
        && (kind == "syncline" || kind == "raw")
    {
        let begin = Instant::now();
        let dir = PathBuf::from(dir);
        let written = if kind == "raw" {
            raw_run(&dir)
        } else {
            syncline_run(&dir)
        };
        println!(
            "{written} {} {:.1}",
            begin.elapsed().as_millis(),
            peak_memory_mib()
        );
        return;
    }
    let sizes: Vec<usize> = args.iter().filter_map(|a| a.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        vec![1_000_000]
    } else {
        sizes
    };
    println!("rows        way       written     seconds   rows/s    peak MiB");
    for rows in sizes {
        let dir =
            std::env::temp_dir().join(format!("syncline-bench-{rows}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        generate(&dir.join("contacts.csv"), rows);
        for kind in ["raw", "syncline"] {
            let me = std::env::current_exe().expect("this program");
            let output = Command::new(me).arg(kind).arg(&dir).output().expect("run");
            let text = String::from_utf8_lossy(&output.stdout);
            let numbers: Vec<&str> = text.split_whitespace().collect();
            let [written, millis, peak] = numbers.as_slice() else {
                panic!("{kind}: {}", String::from_utf8_lossy(&output.stderr));
            };
            let seconds = millis.parse::<f64>().unwrap_or(1.0) / 1_000.0;
            println!(
                "{rows:10}  {kind:8}  {written:>10}  {seconds:8.2}  {:8.0}  {peak:>8}",
                rows as f64 / seconds
            );
        }
        std::fs::remove_dir_all(&dir).expect("removed");
    }
}
