//! How fast the store is, and what its stage was chosen from. Prints rows a second; holds nothing.
//!
//! `cargo bench --bench store -- 1000000 [WAY]`: the number of rows, and one way only (`store`, `dedupe`,
//! `events`, `index`, `whole-index`, `keyed`, `second-table`).

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant as Clock;

use rusqlite::{Connection, params};
use syncline::engine::ports::{RawEvent, Staged, Store};
use syncline::plan::Keep;
use syncline::store::{OpenMode, SqliteStore};
use syncline::time::Instant;

/// Rows a page, as a source gives them.
const PAGE: usize = 10_000;

/// Rows a chunk, as a run writes them.
const CHUNK: usize = 5_000;

/// Bytes of a row besides its key.
const PAYLOAD: usize = 120;

/// Ways to sort in SQLite: name, table, statement that sorts, table to walk.
const WAYS: [(&str, &str, &str, &str); 4] = [
    (
        "index",
        "",
        "CREATE INDEX by_key ON staged (key, seq)",
        "staged",
    ),
    (
        "whole-index",
        "",
        "CREATE INDEX by_key ON staged (key, seq, payload)",
        "staged",
    ),
    (
        "keyed",
        ", PRIMARY KEY (key, seq)) WITHOUT ROWID",
        "",
        "staged",
    ),
    (
        "second-table",
        "",
        "CREATE TABLE sorted (key TEXT, seq INTEGER, payload BLOB, PRIMARY KEY (key, seq)) \
         WITHOUT ROWID; INSERT INTO sorted SELECT key, seq, payload FROM staged ORDER BY key, seq",
        "sorted",
    ),
];

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` starts benches too, without this: then there is nothing to do.
    if !args.iter().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let mut args = args.iter().filter(|arg| !arg.starts_with("--"));
    let rows: usize = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let only = args.next();
    let wanted = |way: &str| only.is_none_or(|only| only == way);
    let dir = tempfile::tempdir()?;
    if wanted("store") {
        whole(dir.path(), rows)?;
    }
    if wanted("dedupe") {
        dedupe(dir.path(), rows)?;
    }
    if wanted("events") {
        events(dir.path())?;
    }
    for way in WAYS {
        if wanted(way.0) {
            alternative(dir.path(), rows, way)?;
        }
    }
    Ok(())
}

/// Random e-mail addresses, the same in each run.
struct Keys(fastrand::Rng);

impl Keys {
    fn new() -> Self {
        Keys(fastrand::Rng::with_seed(7))
    }

    fn next(&mut self, key: &mut String) {
        key.clear();
        let (a, b) = (self.0.u32(..), self.0.u32(..1 << 24));
        // Writing to a string does not fail.
        let _ = write!(key, "{a:08x}.{b:06x}@example.com");
    }
}

fn say(way: &str, what: &str, rows: usize, since: Clock) {
    let seconds = since.elapsed().as_secs_f64();
    let rate = rows as f64 / seconds;
    println!(
        "{way:14} {what:28} {rows:>9} in {seconds:7.2} s = {rate:>9.0}/s, peak {} MB",
        peak()
    );
}

/// The most memory held so far, in MB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kb.unwrap_or(0) / 1024
}

/// A run as the engine drives it: pages into the stage, then chunk by chunk registers in key order
/// with one commit each; then the same again over registers that are there.
fn whole(dir: &Path, rows: usize) -> Outcome {
    let mut store = SqliteStore::open(&dir.join("s.db"), OpenMode::Run)?;
    let doc = "x".repeat(200);
    for pass in ["first run", "run over what is there"] {
        let all = Clock::now();
        let (mut keys, mut key, mut seq) = (Keys::new(), String::new(), 0);
        store.stage_open(1)?;
        while seq < rows {
            let page = (seq..rows.min(seq + PAGE)).map(|seq| {
                keys.next(&mut key);
                Staged {
                    key: key.clone().into(),
                    seq: seq as i64,
                    system: 0,
                    group: key.clone().into(),
                    changed_at: 1_700_000_000_000_000 + seq as i64,
                    payload: vec![b'x'; PAYLOAD],
                }
            });
            let page: Vec<Staged> = page.collect();
            seq += page.len();
            store.stage_put(1, page)?;
        }
        say("store", "stage_put", rows, all);
        let (mut after, mut read, mut put) = (None, 0.0, 0.0);
        loop {
            let part = Clock::now();
            let chunk = store.stage_after(1, after.as_deref(), CHUNK)?;
            read += part.elapsed().as_secs_f64();
            let Some(last) = chunk.last() else { break };
            after = Some(last.key.clone());
            let part = Clock::now();
            store.begin()?;
            for row in &chunk {
                store.put_record("contact", &row.key, &doc)?;
            }
            store.commit()?;
            put += part.elapsed().as_secs_f64();
        }
        println!("store          stage_after {read:.2} s, put_record and commit {put:.2} s");
        store.stage_drop(1)?;
        say("store", pass, rows, all);
    }
    Ok(())
}

/// Repeats by something else than the key: a tenth of the rows goes.
fn dedupe(dir: &Path, rows: usize) -> Outcome {
    let mut store = SqliteStore::open(&dir.join("d.db"), OpenMode::Run)?;
    let (mut keys, mut key) = (Keys::new(), String::new());
    let groups = rows * 9 / 10;
    for page in 0..rows.div_ceil(PAGE) {
        let page = (page * PAGE..rows.min((page + 1) * PAGE)).map(|seq| {
            keys.next(&mut key);
            Staged {
                key: key.clone().into(),
                seq: seq as i64,
                system: 0,
                group: format!(
                    "{:016x}",
                    (seq % groups).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                )
                .into(),
                changed_at: seq as i64,
                payload: vec![b'x'; PAYLOAD],
            }
        });
        store.stage_put(1, page.collect())?;
    }
    let since = Clock::now();
    let gone = store.stage_drop_duplicates(1, Keep::Newest, None)?;
    assert_eq!(gone as usize, rows - groups, "a tenth is gone");
    say("dedupe", "stage_drop_duplicates", rows, since);
    Ok(())
}

/// Event intake, by how many share a commit.
fn events(dir: &Path) -> Outcome {
    let mut store = SqliteStore::open(&dir.join("e.db"), OpenMode::Run)?;
    let mut id = 0_usize;
    for (group, groups) in [(1, 300), (10, 300), (100, 300), (1_000, 100)] {
        let since = Clock::now();
        for _ in 0..groups {
            let batch = (0..group).map(|_| {
                id += 1;
                RawEvent {
                    id: format!("evt_{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                    body: "x".repeat(400),
                }
            });
            let batch: Vec<RawEvent> = batch.collect();
            store.append_events("crm", &batch, Instant(0))?;
        }
        say(
            "events",
            &format!("{group} a commit"),
            group * groups,
            since,
        );
    }
    Ok(())
}

/// One way to sort staged rows in SQLite.
fn alternative(dir: &Path, rows: usize, way: (&str, &str, &str, &str)) -> Outcome {
    let (name, table, sort, walked) = way;
    let conn = Connection::open(dir.join(format!("{name}.db")))?;
    conn.execute_batch(
        "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; \
         PRAGMA cache_size = -65536; PRAGMA locking_mode = EXCLUSIVE;",
    )?;
    let end = if table.is_empty() { ")" } else { table };
    conn.execute_batch(&format!(
        "CREATE TABLE staged (key TEXT, seq INTEGER, payload BLOB{end}"
    ))?;
    let all = Clock::now();
    let (mut keys, mut key, payload) = (Keys::new(), String::new(), [b'x'; PAYLOAD]);
    for seq in 0..rows {
        if seq % PAGE == 0 {
            conn.execute_batch("BEGIN")?;
        }
        keys.next(&mut key);
        conn.prepare_cached("INSERT INTO staged VALUES (?1, ?2, ?3)")?
            .execute(params![key, seq as i64, payload])?;
        if (seq + 1) % PAGE == 0 || seq + 1 == rows {
            conn.execute_batch("COMMIT")?;
        }
    }
    say(name, "put", rows, all);
    let part = Clock::now();
    conn.execute_batch(sort)?;
    say(name, "sort", rows, part);
    let part = Clock::now();
    let sql = format!("SELECT key, seq, payload FROM {walked} ORDER BY key, seq");
    let mut statement = conn.prepare(&sql)?;
    let mut found = statement.query([])?;
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let (key, payload): (String, Vec<u8>) = (row.get(0)?, row.get(2)?);
        bytes += key.len() + payload.len();
    }
    assert!(bytes > rows * PAYLOAD, "all rows were walked");
    say(name, "walk", rows, part);
    say(name, "all", rows, all);
    Ok(())
}
