//! What was acknowledged is there after the process was killed, whenever that was.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use syncline::engine::ports::{Staged, Store};
use syncline::store::{OpenMode, SqliteStore};
use syncline::time::Instant;

use super::contract::{event, row, run};

/// Where the child finds the store; without it the child does nothing.
const STORE: &str = "SYNCLINE_TEST_STORE";

/// Which round it is, for ids that no other round gives.
const ROUND: &str = "SYNCLINE_TEST_ROUND";

/// Events that share a transaction.
const GROUP: usize = 5;

/// Rows of one put into the stage: now a tail, now a chunk.
const PUTS: [usize; 3] = [3, 700, 4_500];

/// Not a test: what the killed process runs.
#[test]
#[ignore = "started by `what_was_acknowledged_survives_a_kill`"]
fn child() {
    let (Ok(path), Ok(round)) = (std::env::var(STORE), std::env::var(ROUND)) else {
        return;
    };
    let mut store = SqliteStore::open(Path::new(&path), OpenMode::Run).unwrap();
    let staged = store.open_runs().unwrap()[0].id;
    for n in 0.. {
        let ids: Vec<String> = (0..GROUP).map(|i| format!("{round}-{n}-{i}")).collect();
        let events: Vec<_> = ids.iter().map(|id| event(id, "body")).collect();
        if n % 2 == 0 {
            store.append_events("crm", &events, Instant(n)).unwrap();
        } else {
            store.begin().unwrap();
            store.append_events("crm", &events, Instant(n)).unwrap();
            store.put_record("contact", &ids[0], "{}").unwrap();
            store.commit().unwrap();
        }
        for id in ids {
            eprintln!("event {id}");
        }
        let rows = PUTS[n as usize % PUTS.len()];
        let rows = (0..rows).map(|i| row(&format!("k{:x}", i * 7_919 % 9_973), i as i64, 0, "", 0));
        let rows: Vec<Staged> = rows.collect();
        store.stage_put(staged, rows).unwrap();
        eprintln!("staged {}", store.stage_len(staged).unwrap());
    }
}

/// Starts the child, lets it work for a while, kills it; gives what it acknowledged.
fn killed(path: &Path, round: usize, after: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--ignored", "--nocapture"])
        .env(STORE, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = BufReader::new(child.stderr.take().unwrap());
    let mut lines = Vec::new();
    let mut line = String::new();
    pipe.read_line(&mut line).unwrap();
    assert!(line.starts_with("event "), "the child says: {line}");
    // Somebody has to read on, or a full pipe would hold the child up.
    let reader = std::thread::spawn(move || {
        loop {
            // A line without its end was cut off by the kill.
            if !line.ends_with('\n') {
                return lines;
            }
            lines.push(line.trim_end().to_owned());
            line.clear();
            pipe.read_line(&mut line).unwrap();
        }
    });
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let staged = store.open_run(&run("nightly", None)).unwrap();
    drop(store);
    let mut random = fastrand::Rng::with_seed(20);
    let mut acknowledged = BTreeSet::new();
    for round in 0..20 {
        let lines = killed(&path, round, Duration::from_micros(random.u64(..60_000)));
        let mut rows = 0;
        for line in lines {
            match line.split_once(' ') {
                Some(("event", id)) => {
                    acknowledged.insert(id.to_owned());
                }
                Some(("staged", n)) => rows = n.parse().unwrap(),
                _ => panic!("the child says: {line}"),
            }
        }
        let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
        let kept = store.pending_events(usize::MAX).unwrap();
        let ids: BTreeSet<String> = kept.iter().map(|e| e.id.clone()).collect();
        assert_eq!(ids.len(), kept.len(), "nothing is there twice");
        let lost: Vec<&String> = acknowledged.difference(&ids).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        assert_eq!(ids.len() % GROUP, 0, "a transaction is there in part");
        for event in &kept {
            let (head, last) = event.id.rsplit_once('-').unwrap();
            let odd = head.rsplit_once('-').unwrap().1.parse::<u64>().unwrap() % 2 == 1;
            let register = store.record("contact", &event.id).unwrap();
            assert_eq!(register.is_some(), odd && last == "0", "{}", event.id);
        }
        let len = store.stage_len(staged).unwrap();
        assert!(len >= rows, "round {round}: {len} rows of {rows}");
        let walked = store.stage_after(staged, None, usize::MAX).unwrap();
        assert_eq!(walked.len() as u64, len);
        assert!(walked.is_sorted_by(|a, b| (&a.key, a.seq) <= (&b.key, b.seq)));
        if round % 4 == 3 {
            store.stage_drop(staged).unwrap();
        }
    }
    assert!(acknowledged.len() > 20 * GROUP, "the child hardly worked");
}
