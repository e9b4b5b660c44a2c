//! `cargo bench --bench postgres [-- ROWS [WAY…]]`: rows from one PostgreSQL database into another:
//! all of them into an empty table, all of them again after each has changed, 50,000 that changed;
//! and a CSV file into an empty table. Ways: `psql` (the floor: `COPY`, and `COPY` into a temporary
//! table with one `INSERT … ON CONFLICT`), `upsert` (the latter in an empty table too), `syncline`
//! (the program itself), `sling`, `dlt`.
//!
//! The peers are looked for in the directory that `SYNCLINE_PEERS` names; `benches/peers/install.sh`
//! puts them there. What is not there is left out. The server is the bench's own, on loopback. Each
//! time is that of whole processes; memory is the greatest sum over a way's processes, the server's
//! not counted. Processor time is told of the way's processes and of the server. Each way begins
//! after a checkpoint of the server; after each step its target is compared with the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[path = "../tests/support/postgres.rs"]
mod server;
#[path = "support/spent.rs"]
mod spent;

use server::{Database, Server};
use spent::spent;

/// No step takes longer.
const LONGEST: Duration = Duration::from_secs(600);
/// Between two looks at whether a way has ended: what a time may be too long by.
const TICK: Duration = Duration::from_millis(2);
/// Between two looks at a way's memory: what each process had at most is told at any time.
const LOOK: Duration = Duration::from_millis(100);
/// Rows that change for the last step.
const CHANGED: usize = 50_000;

const TABLE: &str = "CREATE TABLE contacts (id bigint PRIMARY KEY, email text NOT NULL, \
    name text NOT NULL, company text, score int, balance numeric(12, 2), \
    opted_out boolean NOT NULL, born date, updated_at timestamptz NOT NULL)";

const POLICY: &str = r#"
policy moved { timezone "UTC" }
system source { connector SOURCE }
system target { connector postgres  secret url = env("TARGET_URL") }
entity contact {
  key id
  owner source
  accepts none
  field id: int
  field email: email
  field name: text(80)
  field company: text(80)?
  field score: int(0..100)?
  field balance: decimal(12, 2)?
  field opted_out: bool
  field born: date?
  field updated_at: datetime
}
map contact in source "contacts" { same_names  changed_at "updated_at"  CURSOR }
map contact in target "contacts" { same_names }
scenario copy {
  sync contact(*) from source to target
  mode daily at 02:00
  SCAN
}
"#;

/// The source's rows, and what they are after each step.
const FILL: &str = "INSERT INTO contacts SELECT n, 'person' || n || '@example.com', \
    'First' || n % 977 || ' Last' || n % 7919, \
    CASE WHEN n % 9 > 0 THEN 'Company ' || n % 499 || ', Inc.' END, n % 101, \
    (n * 37 % 10000000)::numeric / 100, n % 13 = 0, \
    CASE WHEN n % 7 > 0 THEN date '1950-01-01' + (n % 20000)::int END, \
    timestamptz '2025-01-01 00:00+00' + n * interval '1 ms' FROM generate_series(1::bigint, ROWS) n";
const CHANGE_ALL: &str = "UPDATE contacts SET score = (score + 1) % 101, balance = balance + 1, \
    company = coalesce(company, 'Nobody') || '!', \
    updated_at = timestamptz '2025-03-01 00:00+00' + id * interval '1 ms'";
const CHANGE_SOME: &str = "UPDATE contacts SET score = (score + 1) % 101, opted_out = NOT opted_out, \
    updated_at = timestamptz '2025-05-01 00:00+00' + id * interval '1 ms' \
    WHERE id % greatest(ROWS / CHANGED, 1) = 0";

const COLUMNS: &str = "id, email, name, company, score, balance, opted_out, born, updated_at";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Psql,
    /// As [`Way::Psql`] where rows may be there already: what can be run again after it was cut off.
    Upsert,
    Syncline,
    Sling,
    Dlt,
}

const WAYS: [(Way, &str); 5] = [
    (Way::Psql, "psql"),
    (Way::Upsert, "upsert"),
    (Way::Syncline, "syncline"),
    (Way::Sling, "sling"),
    (Way::Dlt, "dlt"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Full,
    Upsert,
    Changed,
    Csv,
}

impl Step {
    /// Whether rows of it are there already.
    fn upserts(self) -> bool {
        matches!(self, Step::Upsert | Step::Changed)
    }

    fn name(self) -> &'static str {
        match self {
            Step::Full => "all, empty table",
            Step::Upsert => "all, changed",
            Step::Changed => "50,000 changed",
            Step::Csv => "CSV, empty table",
        }
    }
}

struct Bench {
    dir: tempfile::TempDir,
    server: Arc<Server>,
    source: Database,
    peers: PathBuf,
    rows: usize,
}

/// What a way keeps from step to step.
struct Mover {
    way: Way,
    dir: PathBuf,
    target: Database,
}

struct Figure {
    seconds: f64,
    /// Processor time of the way's own processes, and of the server's, in seconds.
    own: f64,
    servers: f64,
    peak_mib: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` starts benches too, without this: then there is nothing to do.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let rows = args.iter().find_map(|a| a.parse().ok());
    let rows: usize = rows.unwrap_or(1_000_000);
    let named = |name: &str| args.iter().any(|a| a == name);
    let any = WAYS.iter().any(|(_, name)| named(name));
    let server = Arc::new(Server::start(&[
        "shared_buffers=512MB",
        "max_wal_size=8GB",
        "checkpoint_timeout=15min",
        "autovacuum=off",
    ]));
    let bench = Bench {
        dir: tempfile::tempdir().expect("a directory"),
        source: Database::on(Arc::clone(&server)),
        server,
        peers: std::env::var_os("SYNCLINE_PEERS").map_or_else(PathBuf::new, PathBuf::from),
        rows,
    };
    let movers: Vec<Mover> = WAYS
        .iter()
        .filter(|(way, name)| (!any || named(name)) && bench.has(*way))
        .map(|(way, name)| bench.mover(*way, name))
        .collect();
    bench.fill();
    println!(
        "{:17} {:9} {:>10} {:>9} {:>10} {:>9} {:>9} {:>8} {:>8} {:>8}",
        "step",
        "way",
        "rows",
        "seconds",
        "rows/s",
        "of psql",
        "of upsert",
        "MiB",
        "own s",
        "server s"
    );
    for step in [Step::Full, Step::Upsert, Step::Changed, Step::Csv] {
        let moved = bench.prepare(step, &movers);
        let (mut floor, mut upsert) = (None, None);
        for mover in &movers {
            if mover.way == Way::Upsert && step.upserts() {
                // It is what `psql` does anyway.
                bench.measure(mover, step);
                continue;
            }
            let figure = bench.measure(mover, step);
            bench.compare(mover, step);
            if mover.way == Way::Psql {
                floor = Some(figure.seconds);
            }
            if mover.way == Way::Upsert || (mover.way == Way::Psql && step.upserts()) {
                upsert = Some(figure.seconds);
            }
            let of = |floor: Option<f64>| {
                let share = floor.map(|f| format!("{:.2}", f / figure.seconds));
                share.unwrap_or_default()
            };
            println!(
                "{:17} {:9} {moved:>10} {:>9.2} {:>10.0} {:>9} {:>9} {:>8.0} {:>8.2} {:>8.2}",
                step.name(),
                format!("{:?}", mover.way).to_lowercase(),
                figure.seconds,
                moved as f64 / figure.seconds,
                of(floor),
                of(upsert),
                figure.peak_mib,
                figure.own,
                figure.servers,
            );
        }
    }
}

impl Bench {
    fn has(&self, way: Way) -> bool {
        match way {
            Way::Psql | Way::Upsert | Way::Syncline => true,
            Way::Sling => self.peers.join("sling").exists(),
            Way::Dlt => self.peers.join("venv/bin/dlt").exists(),
        }
    }

    fn mover(&self, way: Way, name: &str) -> Mover {
        let dir = self.dir.path().join(name);
        std::fs::create_dir(&dir).expect("a directory");
        Mover {
            way,
            dir,
            target: Database::on(Arc::clone(&self.server)),
        }
    }

    fn fill(&self) {
        self.source.run(TABLE);
        self.source
            .run(&FILL.replace("ROWS", &self.rows.to_string()));
        self.source.run("CREATE INDEX ON contacts (updated_at)");
        self.source.run("VACUUM ANALYZE contacts");
    }

    /// Readies source and targets; gives the number of rows that move.
    fn prepare(&self, step: Step, movers: &[Mover]) -> usize {
        let rows = self.rows.to_string();
        let moved = match step {
            Step::Full => self.rows,
            Step::Upsert => {
                self.source.run(CHANGE_ALL);
                self.source.run("VACUUM ANALYZE contacts");
                self.rows
            }
            Step::Changed => {
                let change = CHANGE_SOME.replace("ROWS", &rows);
                self.source
                    .run(&change.replace("CHANGED", &CHANGED.to_string()));
                self.source.run("VACUUM ANALYZE contacts");
                let since =
                    "SELECT count(*) FROM contacts WHERE updated_at >= '2025-05-01 00:00+00'";
                self.source.one(since).parse().expect("a number")
            }
            Step::Csv => {
                let out = std::fs::File::create(self.csv()).expect("a file");
                let mut copy = self.psql(&self.source);
                copy.arg("-c").arg("SET TimeZone = 'UTC'").arg("-c");
                copy.arg("COPY contacts TO STDOUT (FORMAT csv, HEADER)");
                let copied = copy.stdout(out).status().expect("psql");
                assert!(copied.success(), "the file was not written");
                self.rows
            }
        };
        for mover in movers {
            if matches!(step, Step::Full | Step::Csv) {
                let again = "DROP TABLE IF EXISTS contacts; DROP SCHEMA IF EXISTS loaded CASCADE;";
                mover.target.run(again);
                mover.target.run(TABLE);
                for entry in std::fs::read_dir(&mover.dir)
                    .expect("a directory")
                    .flatten()
                {
                    let path = entry.path();
                    let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
                }
            } else {
                mover.target.run("VACUUM ANALYZE");
            }
        }
        moved
    }

    fn csv(&self) -> PathBuf {
        self.dir.path().join("contacts.csv")
    }

    fn psql(&self, database: &Database) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(database.url());
        psql.stdin(Stdio::null());
        psql
    }

    fn measure(&self, mover: &Mover, step: Step) -> Figure {
        let mut command = match mover.way {
            Way::Psql | Way::Upsert => self.by_psql(mover, step),
            Way::Syncline => self.by_syncline(mover, step),
            Way::Sling => self.by_sling(mover, step),
            Way::Dlt => self.by_dlt(mover, step),
        };
        let log = mover.dir.join("log");
        let out = std::fs::File::create(&log).expect("a file");
        let errors = out.try_clone().expect("a file");
        command
            .current_dir(&mover.dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors);
        // Else a way would write out what the ways before it left in the server's memory.
        self.source.run("CHECKPOINT");
        let ([_, before], servers_before) = (spent("self"), self.of_servers());
        let begin = Instant::now();
        let mut child = command.spawn().expect("it starts");
        let (success, peak_kib) = watch(&mut child, begin);
        let seconds = begin.elapsed().as_secs_f64();
        let own = spent("self")[1].saturating_sub(before).as_secs_f64();
        let servers = self.of_servers() - servers_before;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(success, "{:?}, {}: {}", mover.way, step.name(), said());
        Figure {
            seconds,
            own,
            servers,
            peak_mib: peak_kib as f64 / 1024.0,
        }
    }

    /// Processor time of the server with all its connections, in seconds.
    fn of_servers(&self) -> f64 {
        let root = self
            .source
            .one("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)");
        let of = |id: u32| {
            let [own, children] = spent(&id.to_string());
            (own + children).as_secs_f64()
        };
        family(root.parse().unwrap_or_default())
            .into_iter()
            .map(of)
            .sum()
    }

    /// The floor: what the server's own tools do, with nothing remembered in between.
    fn by_psql(&self, mover: &Mover, step: Step) -> Command {
        let reads = |rows: &str| {
            format!(
                "psql -X -q -d {} -c \"COPY {rows} TO STDOUT\"",
                self.source.url()
            )
        };
        let mut command = self.psql(&mover.target);
        let csv = format!("'{}' (FORMAT csv, HEADER)", self.csv().display());
        match step {
            Step::Full | Step::Csv if mover.way == Way::Upsert => {
                let from = match step {
                    Step::Csv => csv,
                    _ => format!("PROGRAM '{}'", reads("contacts")),
                };
                command.arg("-f").arg(upsert_script(mover, &from));
            }
            Step::Full => {
                command.arg("-c").arg(format!(
                    "\\copy contacts FROM PROGRAM '{}'",
                    reads("contacts")
                ));
            }
            Step::Csv => {
                command.arg("-c").arg(format!("\\copy contacts FROM {csv}"));
            }
            Step::Upsert | Step::Changed => {
                let since = mover.target.one("SELECT max(updated_at) FROM contacts");
                let rows =
                    format!("(SELECT * FROM contacts WHERE updated_at > timestamptz ''{since}'')");
                let from = format!("PROGRAM '{}'", reads(&rows));
                command.arg("-f").arg(upsert_script(mover, &from));
            }
        }
        command
    }

    fn by_syncline(&self, mover: &Mover, step: Step) -> Command {
        let (connector, cursor, scan) = match step {
            Step::Csv => {
                let path = self.csv();
                let connector = format!("csv  option path = \"{}\"", path.display());
                (connector, "", "scan full")
            }
            _ => {
                let connector = "postgres  secret url = env(\"SOURCE_URL\")".to_owned();
                (connector, "cursor \"updated_at\"", "")
            }
        };
        let policy = POLICY.replace("SCAN", scan).replace("CURSOR", cursor);
        let policy = policy.replace("connector SOURCE", &format!("connector {connector}"));
        std::fs::write(mover.dir.join("policy.sync"), policy).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.args(["run", "--until-idle", "--store", "store.db"]);
        command
            .env("SOURCE_URL", self.source.url())
            .env("TARGET_URL", mover.target.url());
        command
    }

    fn by_sling(&self, mover: &Mover, step: Step) -> Command {
        let mut command = Command::new(self.peers.join("sling"));
        command.arg("run");
        command
            .env("SLING_HOME_DIR", &mover.dir)
            .env("SLING_DISABLE_TELEMETRY", "true");
        let plain = |url: String| format!("{url}?sslmode=disable");
        command
            .env("SOURCE", plain(self.source.url()))
            .env("TARGET", plain(mover.target.url()));
        match step {
            Step::Csv => {
                let stream = format!("file://{}", self.csv().display());
                command.args(["--src-stream", &stream, "--mode", "full-refresh"]);
            }
            Step::Full => {
                command.args(["--src-conn", "SOURCE", "--src-stream", "public.contacts"]);
                command.args(["--mode", "full-refresh", "--primary-key", "id"]);
            }
            Step::Upsert | Step::Changed => {
                command.args(["--src-conn", "SOURCE", "--src-stream", "public.contacts"]);
                command.args([
                    "--mode",
                    "incremental",
                    "--primary-key",
                    "id",
                    "--update-key",
                    "updated_at",
                ]);
            }
        }
        command.args(["--tgt-conn", "TARGET", "--tgt-object", "public.contacts"]);
        command
    }

    fn by_dlt(&self, mover: &Mover, step: Step) -> Command {
        let mut command = Command::new(self.peers.join("venv/bin/python"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/move.py");
        command.arg(script);
        command.arg(if matches!(step, Step::Full | Step::Csv) {
            "full"
        } else {
            "changed"
        });
        match step {
            Step::Csv => command.arg(self.csv()),
            _ => command.arg(self.source.url()),
        };
        command.arg(mover.target.url()).arg(mover.dir.join("state"));
        command
    }

    /// The target is what the source is. Types may be others: values are compared as text.
    fn compare(&self, mover: &Mover, step: Step) {
        let table = match mover.way {
            Way::Dlt => "loaded.contacts",
            _ => "contacts",
        };
        let digest = |table: &str| {
            format!(
                "SELECT count(*) || ' ' || sum(hashtextextended(concat_ws('|', id, email, name, \
                 coalesce(company, ''), score, balance::numeric(12, 2), opted_out::boolean, \
                 coalesce(born::date::text, ''), \
                 extract(epoch FROM updated_at::timestamptz)::numeric(20, 6)), 0)::numeric) FROM {table}"
            )
        };
        let source = self.source.one(&digest("contacts"));
        let target = mover.target.one(&digest(table));
        if source != target {
            println!(
                "{:17} {:?}: the target differs from the source: {target} for {source}",
                step.name(),
                mover.way
            );
        }
    }
}

/// Waits for a program's end; gives whether it ended well and its peak memory with that of all it
/// started, in KiB.
fn watch(child: &mut Child, begin: Instant) -> (bool, u64) {
    let (mut peak, mut looked) = (0, None);
    loop {
        if looked.is_none_or(|at: Instant| at.elapsed() >= LOOK) {
            peak = tree(child.id()).max(peak);
            looked = Some(Instant::now());
        }
        if let Ok(Some(status)) = child.try_wait() {
            return (status.success(), peak);
        }
        if begin.elapsed() > LONGEST {
            let _ = child.kill();
        }
        std::thread::sleep(TICK);
    }
}

/// A process and its descendants.
fn family(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after = stat.rsplit(')').next().unwrap_or_default();
        if let Some(parent) = after.split_whitespace().nth(1).and_then(|p| p.parse().ok()) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut all = vec![root];
    let mut at = 0;
    while let Some(id) = all.get(at) {
        all.extend(children.get(id).into_iter().flatten());
        at += 1;
    }
    all
}

/// The memory of a process and its descendants, in KiB: of each what it had at most.
fn tree(root: u32) -> u64 {
    let peak = |id: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    family(root).iter().map(peak).sum()
}

/// A script that fills a temporary table from somewhere and upserts what it holds.
fn upsert_script(mover: &Mover, from: &str) -> PathBuf {
    let set = COLUMNS.split(", ").skip(1);
    let set: Vec<String> = set.map(|c| format!("{c} = excluded.{c}")).collect();
    let script = format!(
        "BEGIN;\nCREATE TEMP TABLE stage (LIKE contacts) ON COMMIT DROP;\n\\copy stage FROM {from}\n\
         INSERT INTO contacts SELECT * FROM stage ON CONFLICT (id) DO UPDATE SET {};\nCOMMIT;\n",
        set.join(", ")
    );
    let file = mover.dir.join("upsert.sql");
    std::fs::write(&file, script).expect("written");
    file
}
