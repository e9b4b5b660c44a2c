//! The power supply fails while the real binary works: what was not flushed is gone, or torn.
//!
//! The runner notes up to where its log is on the disk (`SYNCLINE_FLUSHED`). The test kills it and
//! takes away or garbles, block by block and by chance, what lies behind. What SQLite flushed of
//! the log itself, to write it back, counts as flushed. A longer campaign:
//! `SYNCLINE_LOSSES=200 SYNCLINE_SEED=3 cargo test --test live -- power --nocapture`.

#![cfg(debug_assertions)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

const SENDERS: usize = 4;
/// What a disk writes whole.
const BLOCK: usize = 512;

/// What a lost power supply did to the log.
#[derive(Debug, Default)]
struct Losses {
    /// Frames that were written and not flushed.
    behind: usize,
    /// Whether the log was begun anew and not flushed since.
    anew: bool,
    generation: u32,
}

/// Takes from the log of a killed runner what the disk need not have.
fn lose_power(dir: &Path, random: &mut fastrand::Rng) -> Losses {
    let path = |suffix: &str| dir.join(format!(".syncline.db{suffix}"));
    let noted = std::fs::read_to_string(dir.join("flushed")).unwrap();
    let (generation, frames) = noted.split_once(' ').unwrap();
    let generation = u32::from_str_radix(generation, 16).unwrap();
    let mut frames: usize = frames.parse().unwrap();
    let mut log = std::fs::read(path("-wal")).unwrap();
    let index = std::fs::read(path("-shm")).unwrap_or_default();
    // After a lost power supply the index is whatever it is.
    let _ = std::fs::remove_file(path("-shm"));
    if log.len() < 32 {
        return Losses::default();
    }
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page, now) = (number(8) as usize, number(16));
    let anew = now != generation;
    if anew {
        // All of the log before is in the database.
        frames = 0;
    }
    let native = |at: usize| -> usize {
        let bytes = index.get(at..at + 4).map(|b| b.try_into().unwrap());
        u32::from_ne_bytes(bytes.unwrap_or_default()) as usize
    };
    let mut last = frames;
    // The index is of this log, as its salt says.
    if index.get(32..36) == Some(&log[16..20]) {
        // What was written back was flushed by SQLite before.
        frames = frames.max(native(96));
        last = native(16).max(frames);
    }
    let end_of = |frames: usize| (32 + frames * (24 + page)).min(log.len());
    let (safe, end) = (end_of(frames), end_of(last));
    match random.u8(0..4) {
        // Nothing of it came to the disk.
        0 => log.truncate(safe),
        // It ends somewhere.
        1 => log.truncate(random.usize(safe..=end)),
        // Some blocks came, some are old or empty.
        _ => {
            let whole = random.u8(0..=100);
            for block in log[safe..].chunks_mut(BLOCK) {
                match random.u8(0..100) {
                    n if n < whole => {}
                    n if n % 2 == 0 => block.fill(0),
                    _ => block.iter_mut().for_each(|b| *b = random.u8(..)),
                }
            }
        }
    }
    std::fs::write(path("-wal"), &log).unwrap();
    Losses {
        behind: last - frames,
        anew,
        generation: now,
    }
}

#[test]
fn what_was_acknowledged_survives_a_lost_power_supply() {
    let number = |name: &str, other: u64| {
        let set = std::env::var(name).ok();
        set.map_or(other, |n| n.parse().unwrap())
    };
    let (losses, seed) = (number("SYNCLINE_LOSSES", 8), number("SYNCLINE_SEED", 1));
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let flushed = dir.path().join("flushed").to_str().unwrap().to_owned();
    let acknowledged: Arc<Mutex<Vec<usize>>> = Arc::default();
    let next = Arc::new(AtomicUsize::new(0));
    let (mut behind, mut anew) = (0, 0);
    let mut generations = std::collections::BTreeSet::new();
    for round in 0..losses {
        let _ = std::fs::remove_file(&flushed);
        let runner = start_with(dir.path(), &[("SYNCLINE_FLUSHED", &flushed)]);
        let over = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (address, over) = (runner.address.clone(), Arc::clone(&over));
                let (acknowledged, next) = (Arc::clone(&acknowledged), Arc::clone(&next));
                std::thread::spawn(move || {
                    while !over.load(Ordering::SeqCst) {
                        let n = next.fetch_add(1, Ordering::SeqCst);
                        if send(&address, n) {
                            acknowledged.lock().unwrap().push(n);
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(random.u64(100..900)));
        drop(runner);
        over.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.join().unwrap();
        }
        let lost = lose_power(dir.path(), &mut random);
        behind += lost.behind;
        anew += u32::from(lost.anew);
        generations.insert(lost.generation);
        let all = acknowledged.lock().unwrap().clone();
        let missing = missing(dir.path(), &all);
        assert!(
            missing.is_empty(),
            "seed {seed}, round {round}, {lost:?}: {} of {} are lost: {missing:?}",
            missing.len(),
            all.len()
        );
    }
    let all = acknowledged.lock().unwrap().clone();
    assert!(all.len() > 20 * losses as usize, "{}", all.len());
    // What is left is a store that works on.
    let _runner = start(dir.path());
    wait_for("everything acknowledged", || {
        let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
        crm.busy_timeout(Duration::from_secs(10)).unwrap();
        let mut held = crm
            .prepare("SELECT 1 FROM contacts WHERE email = ?1")
            .unwrap();
        all.iter().all(|n| held.exists([email(*n)]).unwrap())
    });
    println!(
        "seed {seed}: {losses} lost power supplies, {} events acknowledged, {behind} frames of \
         the log not flushed, {} logs, {anew} begun anew unflushed",
        all.len(),
        generations.len()
    );
}

fn email(n: usize) -> String {
    format!("p{n}@example.com")
}

/// Sends an event; whether it was acknowledged before the runner died.
fn send(address: &str, n: usize) -> bool {
    let (id, body) = (
        format!("msg_{n}"),
        submission(&email(n), &format!("Pat {n}")),
    );
    let at = chrono::Utc::now().timestamp();
    let head = format!(
        "POST /hooks/forms HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {at}\r\n\
         webhook-signature: {}\r\n\r\n{body}",
        body.len(),
        sign(&id, at, &body)
    );
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let mut answer = String::new();
    stream.write_all(head.as_bytes()).is_ok() && {
        let _ = stream.read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 202")
    }
}

/// The events that the store does not know, or knows without holding what they said.
fn missing(dir: &Path, events: &[usize]) -> Vec<usize> {
    // A copy, so that a runner finds what the loss left.
    let copy = dir.join("copy-of-store.db");
    for suffix in ["", "-wal", "-shm"] {
        let to = dir.join(format!("copy-of-store.db{suffix}"));
        let _ = std::fs::remove_file(&to);
        let _ = std::fs::copy(dir.join(format!(".syncline.db{suffix}")), to);
    }
    let store = rusqlite::Connection::open(copy).unwrap();
    let whole: String = store
        .query_row("PRAGMA integrity_check", [], |r| r.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
    let mut id = store
        .prepare("SELECT 1 FROM event_ids WHERE id = ?1")
        .unwrap();
    let mut pending = store.prepare("SELECT 1 FROM events WHERE id = ?1").unwrap();
    let mut record = store
        .prepare("SELECT 1 FROM records WHERE key = ?1")
        .unwrap();
    let mut held = |n: usize| {
        let message = format!("msg_{n}");
        let there = pending.exists([&message]).unwrap() || record.exists([email(n)]).unwrap();
        id.exists([&message]).unwrap() && there
    };
    let events = events.iter().copied();
    events.filter(|n| !held(*n)).collect()
}
