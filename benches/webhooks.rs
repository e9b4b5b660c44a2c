//! `cargo bench --bench webhooks [-- [PART…] [--events N]]`: webhooks from the sender to their
//! effect, each figure beside what less would do in the same run. Parts, all by default:
//!
//! - `intake`: signature check and durable acknowledgement, beside the same HTTP server that only
//!   answers, and that appends the bodies to a file with the same group commit;
//! - `store`: event to outbox through the engine, without network;
//! - `backlog`: what waits for two destinations that are away while 10,000 records change again and
//!   again;
//! - `http`: a burst of events until the last has arrived at a webhook, and latency at 100 a
//!   second, beside a bare relay with the usual HTTP client, one with the client that Syncline has,
//!   and a runner that sends its traces to a collector which only answers, burst by burst in turns,
//!   and, where `NODE_RED` names the program
//!   (`npm install --prefix DIR node-red@4`, then `DIR/node_modules/node-red/red.js`), Node-RED;
//! - `bursts`: only the bursts, without Node-RED; not among all parts;
//! - `postgres`: the same into a PostgreSQL table;
//! - `losses`: acknowledged events that never arrive where the program is killed 20 times, and where
//!   the receiver is away when they come, beside Node-RED.
//!
//! The load, the runner and the receiver share the machine. A load waits for each answer before it
//! sends the next over the same connection.

#[path = "support/load.rs"]
mod load;
#[path = "support/losses.rs"]
mod losses;
#[path = "support/node_red.rs"]
mod node_red;
#[path = "../tests/support/postgres.rs"]
mod postgres;
#[path = "../tests/kills/sender.rs"]
mod sender;
#[path = "support/servers.rs"]
mod servers;
#[path = "support/spent.rs"]
mod spent;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use syncline::connector::decode::Events;
use syncline::engine::ports::*;
use syncline::engine::program::Program as Compiled;
use syncline::engine::runner::{Observer, Options, Progress, Runner};
use syncline::store::{OpenMode, SqliteStore};

use load::{Load, Requests, SECRET, quantile};
use servers::{Program, Role, Tracker};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the sender of the kill campaign signs by.
mod messages {
    /// The signature of a message sent at a time, in seconds.
    pub fn sign(id: &str, at: i64, body: &str) -> String {
        let signed = syncline::connector::signature::sign(super::SECRET, id, at, body.as_bytes());
        signed.expect("a good key")
    }
}

/// Connections of a burst.
const CONNECTIONS: usize = 256;
/// Connections at a fixed rate.
const PACED_CONNECTIONS: usize = 16;
/// Events at a fixed rate.
const PACED: usize = 2_000;
/// 100 a second.
const EVERY: Duration = Duration::from_millis(10);
/// Bursts of each server.
const BURSTS: usize = 4;
/// How long the last effect of a burst is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

const FORMS: &str = r#"policy bench { timezone "UTC" }
system forms { connector webhook option path = "/hooks/forms" secret signing = env("KEY") cleared pii }
entity contact {
  key email
  owner forms
  accepts none
  field email: email
  field name: text(60)?
  field city: text(60)?
  field score: int?
}
map contact in forms { same_names changed_at "at" }
"#;

const TRACKER: &str = r#"
system tracker { connector webhook option url = env("TRACKER_URL") secret signing = env("KEY") cleared pii }
map contact in tracker { same_names }
scenario tell { when forms.submitted sync contact(name, city, score) from forms to tracker mode realtime }
"#;

const DESK: &str = r#"
system desk { connector postgres secret url = env("DESK_URL") cleared pii }
map contact in desk "contacts" { same_names }
scenario tell { when forms.submitted sync contact(name, city, score) from forms to desk mode realtime }
"#;

/// Nothing that `--only` names takes events, so that they stay where the intake puts them.
const APART: &str = r#"
system shop { connector csv option path = "shop.csv" }
system copy { connector csv option path = "copy.csv" }
entity order { key id owner shop accepts none field id: text(20) field total: int? }
map order in shop { same_names }
map order in copy { same_names }
scenario nightly { sync order(total) from shop to copy mode daily at 03:00 scan full }
"#;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["serve", role, log, to] = words[..] {
        let role = Role::from_word(role).expect("a role");
        return servers::serve(role, log.into(), to);
    }
    let at = words.iter().position(|w| *w == "--events");
    let events = at.and_then(|at| words.get(at + 1)?.parse().ok());
    let parts: Vec<&str> = words
        .iter()
        .copied()
        .filter(|w| !w.starts_with("--") && w.parse::<usize>().is_err())
        .collect();
    let asked = |part: &str| parts.is_empty() || parts.contains(&part);
    if asked("intake") {
        intake(events.unwrap_or(200_000));
    }
    if asked("store") {
        store(events.unwrap_or(200_000));
    }
    if asked("backlog") {
        backlog(events.unwrap_or(1_000_000));
    }
    if asked("http") {
        http(events.unwrap_or(50_000), true);
    }
    if parts.contains(&"bursts") {
        http(events.unwrap_or(50_000), false);
    }
    if asked("postgres") {
        to_postgres(events.unwrap_or(50_000));
    }
    if asked("losses") {
        lost();
    }
}

/// The runner on a policy in a directory.
fn runner(dir: &Path, policy: &str, more: &[&str], env: &[(&str, &str)]) -> Program {
    std::fs::write(dir.join("policy.sync"), policy).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command
        .args(["run", "--listen", "127.0.0.1:0"])
        .args(more)
        .arg(dir)
        .env("KEY", SECRET)
        .env("TRACKER_URL", "http://127.0.0.1:9/")
        .envs(env.iter().copied());
    Program::start(&mut command)
}

fn directory() -> tempfile::TempDir {
    // Not a directory in memory: what is flushed has to reach a disk.
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
    let _ = std::io::stdout().flush();
}

fn head(titles: &[&str]) {
    println!();
    row(&titles.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
    println!("|{}", "---|".repeat(titles.len()));
}

fn figures(what: &str, load: &Load, memory: String) -> Vec<String> {
    assert_eq!(load.refused, 0, "{what}: some were not acknowledged");
    vec![
        what.to_owned(),
        format!("{:.0}", load.per_second()),
        format!("{:.2} ms", quantile(&load.latencies, 0.5)),
        format!("{:.2} ms", quantile(&load.latencies, 0.99)),
        memory,
    ]
}

fn memory(program: &Program) -> String {
    let (now, most) = program.memory();
    format!("{now} / {most} MiB")
}

fn intake(events: usize) {
    head(&["intake", "events/s", "p50", "p99", "memory now / peak"]);
    let policy = format!("{FORMS}{TRACKER}{APART}");
    let servers = ["only answers", "appends and flushes", "Syncline"];
    for (n, what) in servers.into_iter().enumerate() {
        let dir = directory();
        std::fs::write(dir.path().join("shop.csv"), "id,total\n").expect("a file");
        let log = dir.path().join("log");
        let server = match n {
            0 => servers::start(Role::Answers, &log, "-"),
            1 => servers::start(Role::Appends, &log, "-"),
            _ => runner(dir.path(), &policy, &["--only", "nightly"], &[]),
        };
        let paced = load::send(
            server.address,
            Requests::signed(0, 0, PACED),
            PACED_CONNECTIONS,
            Some(EVERY),
        );
        row(&figures(&format!("{what}, 100/s"), &paced, memory(&server)));
        for round in 1..=2 {
            let requests = Requests::signed(round, 0, events);
            let burst = load::send(server.address, requests, CONNECTIONS, None);
            row(&figures(
                &format!("{what}, {events} at once, round {round}"),
                &burst,
                memory(&server),
            ));
        }
    }
}

/// A world in which whatever is sent hangs, and which stops the runner at its first pause.
#[derive(Default)]
struct Hangs {
    first_pause: Option<Instant>,
    /// Of all worlds so far: a clock that one of them turned forward no later one turns back.
    pauses: i64,
}

impl World for Hangs {
    fn now(&self) -> syncline::time::Instant {
        // The time for which a stop waits for calls under way is over at the next pause.
        syncline::time::Instant(syncline::host::now().0 + self.pauses * 60_000)
    }
    fn call(&mut self, _: u64, _: SystemIx, _: Call) {}
    fn wait(&mut self, _: syncline::time::Instant) -> Option<(u64, Answer)> {
        self.first_pause.get_or_insert_with(Instant::now);
        self.pauses += 1;
        None
    }
    fn random(&mut self) -> f64 {
        0.5
    }
    fn stopping(&self) -> bool {
        self.first_pause.is_some()
    }
}

struct Nobody;

impl Observer for Nobody {
    fn progress(&mut self, _: &Progress<'_>) {}
}

fn compiled(policy: &str) -> (syncline::plan::Plan, Compiled) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("policy.sync"), policy).expect("a file");
    let printed = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["plan", "--format", "json"])
        .arg(dir.path())
        .output()
        .expect("a plan");
    let text = String::from_utf8_lossy(&printed.stdout);
    let plan = syncline::plan::read_plan(&text).expect("a plan");
    let program = Compiled::new(plan.clone()).expect("a good plan");
    (plan, program)
}

/// Appends events as the intake does, a flush for 1,000; gives how long that took.
fn append(store: &mut SqliteStore, raw: &[RawEvent]) -> Duration {
    let began = Instant::now();
    for group in raw.chunks(1_000) {
        store.begin().expect("a store");
        let now = syncline::host::now();
        store.append_events("forms", group, now).expect("appended");
        store.commit().expect("flushed");
    }
    began.elapsed()
}

/// Takes all events into registers and outbox; gives how long that took. `pauses`: see [`Hangs`].
fn take(
    (plan, program): &(syncline::plan::Plan, Compiled),
    store: &mut SqliteStore,
    pauses: &mut i64,
) -> Duration {
    let mut world = Hangs {
        pauses: *pauses,
        ..Hangs::default()
    };
    let decoder = Events::new(plan).expect("good maps");
    let mut observer = Nobody;
    let options = Options {
        until_idle: true,
        ..Options::default()
    };
    let began = Instant::now();
    let runner = Runner::new(program, store, &mut world, &decoder, &mut observer, options);
    runner.and_then(|mut runner| runner.run()).expect("taken");
    *pauses = world.pauses;
    assert_eq!(store.pending_events(1).expect("a store").len(), 0);
    world.first_pause.expect("it pauses once all is taken") - began
}

fn per_second(events: usize, took: Duration) -> String {
    format!("{:.0}/s", events as f64 / took.as_secs_f64())
}

fn store(events: usize) {
    let compiled = compiled(&format!("{FORMS}{TRACKER}"));
    head(&[
        "event to outbox",
        "append, 1,000 a flush",
        "register, dedupe, resolve, outbox",
        "both",
    ]);
    let dir = directory();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path, OpenMode::Run).expect("a store");
    let mut pauses = 0;
    for (round, what) in ["new records", "the same records, changed"]
        .into_iter()
        .enumerate()
    {
        let raw: Vec<RawEvent> = (0..events)
            .map(|n| RawEvent {
                id: format!("msg_{round}_{n:08}"),
                body: load::body(round, n),
            })
            .collect();
        let appended = append(&mut store, &raw);
        let took = take(&compiled, &mut store, &mut pauses);
        row(&[
            what.to_owned(),
            per_second(events, appended),
            per_second(events, took),
            per_second(events, appended + took),
        ]);
    }
}

/// An outage of two destinations while 10,000 records change again and again.
fn backlog(changes: usize) {
    const RECORDS: usize = 10_000;
    let second = TRACKER
        .replace("tracker", "other")
        .replace("tell", "tell_other");
    let compiled = compiled(&format!("{FORMS}{TRACKER}{second}"));
    head(&[
        "changes",
        "of records",
        "waiting at most, for each of two destinations",
        "store",
        "changes/s",
    ]);
    let dir = directory();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path, OpenMode::Run).expect("a store");
    let (mut pauses, mut took, mut most) = (0, Duration::ZERO, BTreeMap::new());
    for round in 0..changes / RECORDS {
        let raw: Vec<RawEvent> = (0..RECORDS)
            .map(|n| RawEvent {
                id: format!("msg_{round}_{n}"),
                body: format!(
                    r#"{{"type":"submitted","data":{{"email":"p{n}@example.com","name":"Number {n} {round}","city":"c","score":{round},"at":"2026-01-01T{:02}:{:02}:00Z"}}}}"#,
                    round / 60,
                    round % 60
                ),
            })
            .collect();
        took += append(&mut store, &raw) + take(&compiled, &mut store, &mut pauses);
        for (system, count) in store.waiting_counts().expect("a store") {
            let most: &mut u64 = most.entry(system).or_default();
            *most = (*most).max(count);
        }
    }
    drop(store);
    let bytes = std::fs::metadata(&path).expect("a file").len();
    row(&[
        changes.to_string(),
        RECORDS.to_string(),
        most.values()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        format!("{} MiB", bytes >> 20),
        per_second(changes, took),
    ]);
}

/// What came of events sent to their end.
struct Arrived {
    acknowledged: Load,
    /// From the first sent to the last arrived.
    took: Duration,
    /// From sending to arriving, sorted.
    latencies: Vec<Duration>,
    repeats: usize,
}

fn through(address: SocketAddr, tracker: &Tracker, requests: Requests, paced: bool) -> Arrived {
    let count = requests.len();
    tracker.expect(count);
    let acknowledged = match paced {
        true => load::send(address, requests, PACED_CONNECTIONS, Some(EVERY)),
        false => load::send(address, requests, CONNECTIONS, None),
    };
    let until = Instant::now() + PATIENCE;
    while tracker.count().0 < count && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let times = tracker.times();
    let lost = times.iter().filter(|t| t.is_none()).count();
    assert_eq!(lost, 0, "events did not arrive");
    let arrived = times.iter().zip(&acknowledged.sent);
    let mut latencies: Vec<Duration> = arrived
        .filter_map(|(arrived, sent)| Some(arrived.as_ref()?.saturating_duration_since(*sent)))
        .collect();
    latencies.sort();
    let last = times.into_iter().flatten().max();
    Arrived {
        took: last.map_or(PATIENCE, |l| l - acknowledged.began),
        latencies,
        repeats: tracker.count().1,
        acknowledged,
    }
}

/// `before`: the processor time that the server had taken before.
fn end_to_end(what: &str, arrived: &Arrived, server: &Program, before: Duration) {
    let count = arrived.latencies.len();
    let cpu = server.cpu().saturating_sub(before);
    row(&[
        what.to_owned(),
        count.to_string(),
        format!("{:.0}", arrived.acknowledged.per_second()),
        format!("{:.0}", count as f64 / arrived.took.as_secs_f64()),
        format!("{:.2} ms", quantile(&arrived.latencies, 0.5)),
        format!("{:.2} ms", quantile(&arrived.latencies, 0.99)),
        arrived.repeats.to_string(),
        format!("{:.0} µs", cpu.as_secs_f64() * 1e6 / count as f64),
        memory(server),
    ]);
}

const END_TO_END: [&str; 9] = [
    "end to end",
    "events",
    "acknowledged/s",
    "arrived/s",
    "p50",
    "p99",
    "repeats",
    "processor time each",
    "memory now / peak",
];

/// Servers that forward to the same receiver, each at a fixed rate, then so many bursts in turns: a
/// machine that is slower for a while is so for all of them.
fn in_turns(servers: &[(&str, &Program)], tracker: &Tracker, events: usize, paced: bool) {
    for (what, server) in servers.iter().filter(|_| paced) {
        let requests = Requests::signed(0, 0, PACED);
        let cpu = server.cpu();
        let arrived = through(server.address, tracker, requests, true);
        end_to_end(&format!("{what}, 100/s"), &arrived, server, cpu);
    }
    for round in 1..=BURSTS {
        for (what, server) in servers {
            let requests = Requests::signed(round, 0, events);
            let cpu = server.cpu();
            let arrived = through(server.address, tracker, requests, false);
            end_to_end(&format!("{what}, burst {round}"), &arrived, server, cpu);
        }
    }
}

fn http(events: usize, all: bool) {
    head(&END_TO_END);
    let tracker = Tracker::start();
    let dir = directory();
    let log = dir.path().join("log");
    let relay = servers::start(Role::Relays, &log, &tracker.url());
    let log = dir.path().join("log-alike");
    let alike = servers::start(Role::RelaysAlike, &log, &tracker.url());
    let policy = format!("{FORMS}{TRACKER}");
    let env = [("TRACKER_URL", &*tracker.url())];
    let plain = runner(dir.path(), &policy, &[], &env);
    let apart = directory();
    let collector = servers::start(Role::Answers, &apart.path().join("log"), "-");
    let endpoint = format!("http://{}{}", collector.address, load::PATH);
    let env = [env[0], ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*endpoint)];
    let traced = runner(apart.path(), &policy, &[], &env);
    let servers = [
        ("bare relay", &relay),
        ("Syncline", &plain),
        ("bare relay, client alike", &alike),
        ("Syncline with traces", &traced),
    ];
    in_turns(&servers, &tracker, events, all);
    drop((relay, alike, plain, traced, collector));
    if !all {
        return;
    }
    for (early, what) in [
        (false, "Node-RED, answers after forwarding"),
        (true, "Node-RED, answers at once"),
    ] {
        match node_red::start(early, &tracker.url()) {
            Some(peer) => in_turns(
                &[(what, peer.program())],
                &tracker,
                events.min(10_000),
                true,
            ),
            None => println!("{what} is left out: NODE_RED names no program"),
        }
    }
}

fn lost() {
    head(&["losses", "acknowledged", "lost", "repeats"]);
    let told = |what: &str, lost: &losses::Lost| {
        row(&[
            what.to_owned(),
            lost.acknowledged.to_string(),
            lost.lost.to_string(),
            lost.repeats.to_string(),
        ]);
    };
    let policy = format!("{FORMS}{TRACKER}");
    let ours = |dir: &Path, to: &str| {
        let env = [("TRACKER_URL", to)];
        runner(dir, &policy, &[], &env)
    };
    let dir = directory();
    let killed = losses::killed(&|to| ours(dir.path(), to));
    told("Syncline, killed 20 times", &killed);
    let dir = directory();
    let away = losses::away(&|to| ours(dir.path(), to));
    told("Syncline, receiver away", &away);
    for (early, what) in [
        (false, "Node-RED, answers after forwarding"),
        (true, "Node-RED, answers at once"),
    ] {
        if std::env::var_os("NODE_RED").is_none() {
            println!("{what} is left out: NODE_RED names no program");
            continue;
        }
        let start = |to: &str| {
            node_red::start(early, to)
                .expect("it starts")
                .into_program()
        };
        told(&format!("{what}, killed 20 times"), &losses::killed(&start));
        told(&format!("{what}, receiver away"), &losses::away(&start));
    }
}

fn to_postgres(events: usize) {
    head(&END_TO_END);
    let server = postgres::Server::start(&["track_commit_timestamp=on"]);
    let database = postgres::Database::on(std::sync::Arc::new(server));
    database
        .run("CREATE TABLE contacts (email text PRIMARY KEY, name text, city text, score bigint)");
    let policy = format!("{FORMS}{DESK}");
    let dir = directory();
    let runner = runner(dir.path(), &policy, &[], &[("DESK_URL", &database.url())]);
    let mut client = database.client();
    for (round, count) in [(0, PACED), (1, events), (2, events)] {
        let requests = Requests::signed(round, round * 10_000_000, count);
        let (wall, before) = (chrono::Utc::now(), runner.cpu());
        let begun = Instant::now();
        let acknowledged = match round {
            0 => load::send(runner.address, requests, PACED_CONNECTIONS, Some(EVERY)),
            _ => load::send(runner.address, requests, CONNECTIONS, None),
        };
        let from = format!("p{:08}", round * 10_000_000);
        let until = Instant::now() + PATIENCE;
        let there = "SELECT count(*) FROM contacts WHERE email >= $1";
        loop {
            let n: i64 = client.query_one(there, &[&from]).expect("rows").get(0);
            if n as usize >= count {
                break;
            }
            assert!(Instant::now() < until, "only {n} of {count} arrived");
            std::thread::sleep(Duration::from_millis(20));
        }
        // When each row became visible, by the server's own account.
        let asked = "SELECT substr(email, 2, 8)::int8, \
                     (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1e6)::int8 \
                     FROM contacts WHERE email >= $1";
        let mut latencies = Vec::new();
        let mut last = Duration::ZERO;
        for row in client.query(asked, &[&from]).expect("rows") {
            let (n, at): (i64, i64) = (row.get(0), row.get(1));
            let at = Duration::from_micros((at - wall.timestamp_micros()).max(0) as u64);
            let sent = acknowledged.sent[n as usize - round * 10_000_000] - begun;
            latencies.push(at.saturating_sub(sent));
            last = last.max(at);
        }
        latencies.sort();
        let arrived = Arrived {
            took: last.saturating_sub(acknowledged.began - begun),
            latencies,
            repeats: 0,
            acknowledged,
        };
        let what = match round {
            0 => "Syncline to PostgreSQL, 100/s".to_owned(),
            n => format!("Syncline to PostgreSQL, burst {n}"),
        };
        end_to_end(&what, &arrived, &runner, before);
    }
}
