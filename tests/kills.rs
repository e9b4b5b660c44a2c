//! Kills the real binary at seeded random instants, while webhooks come in, their effects go out
//! to a database and over HTTP, and a batch is read and written; then asks what was lost.
//!
//! A short campaign runs with the suite. A long one: `SYNCLINE_KILLS=500 cargo test --release
//! --test kills -- --nocapture`; `SYNCLINE_SEED` picks its instants. `docs/reliability.md` has the
//! figures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Rows of the batch.
const ORDERS: usize = 3_000;
/// Records that the webhooks change again and again.
const PEOPLE: u64 = 40;

const POLICY: &str = r#"policy campaign { timezone "UTC" }
system forms { connector webhook option path = "/hooks/forms" secret signing = env("KEY") cleared pii }
system crm { connector sqlite option path = "crm.db" cleared pii }
system tracker {
  connector webhook
  option url  = env("TRACKER_URL")
  secret signing = env("KEY")
  cleared pii
}
system shop { connector sqlite option path = "shop.db" }
system warehouse { connector sqlite option path = "warehouse.db" }
entity contact {
  key email
  owner forms
  accepts none
  field email: email
  field name: text(60)?
}
entity order {
  key id
  owner shop
  accepts none
  field id: text(20)
  field total: int?
}
map contact in forms { same_names changed_at "at" }
map contact in crm "contacts" { same_names cursor "seq" }
map contact in tracker { same_names }
map order in shop "orders" { same_names cursor "seq" changed_at "at" }
map order in warehouse "orders" { same_names cursor "seq" }
scenario signup { when forms.submitted sync contact(name) from forms to crm, tracker mode realtime }
scenario nightly {
  sync order(total) from shop to warehouse
  mode every 1h
  batch 50
  checkpoint { require `order.total >= 0` else quarantine }
}
"#;

fn open(dir: &Path, name: &str) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(dir.join(name)).unwrap();
    db.busy_timeout(Duration::from_secs(20)).unwrap();
    db
}

fn set_up(dir: &Path) {
    std::fs::write(dir.join("policy.sync"), POLICY).unwrap();
    open(dir, "crm.db")
        .execute_batch("CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, seq INTEGER)")
        .unwrap();
    open(dir, "warehouse.db")
        .execute_batch("CREATE TABLE orders (id TEXT PRIMARY KEY, total INTEGER, seq INTEGER)")
        .unwrap();
    let shop = open(dir, "shop.db");
    shop.execute_batch(
        "CREATE TABLE orders (id TEXT PRIMARY KEY, total INTEGER, seq INTEGER, at TEXT)",
    )
    .unwrap();
    shop.execute_batch("BEGIN").unwrap();
    for n in 0..ORDERS {
        shop.execute(
            "INSERT INTO orders VALUES (?1, ?2, ?3, '2026-01-01T00:00:00Z')",
            (format!("o{n:05}"), n as i64, n as i64),
        )
        .unwrap();
    }
    shop.execute_batch("COMMIT").unwrap();
}

/// A destination that counts: what each message did, once for each id, as a receiver of Standard
/// Webhooks is to do it.
#[derive(Default)]
struct Tracker {
    seen: BTreeMap<String, u64>,
    /// By record: the names that took effect, in order.
    effects: BTreeMap<String, Vec<String>>,
}

fn tracker() -> (String, Arc<Mutex<Tracker>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/t", listener.local_addr().unwrap());
    let tracker = Arc::new(Mutex::new(Tracker::default()));
    let kept = Arc::clone(&tracker);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || serve(stream, &kept));
        }
    });
    (url, tracker)
}

/// Takes messages of one connection until the sender goes away, also in the middle of one.
fn serve(stream: TcpStream, tracker: &Mutex<Tracker>) {
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    loop {
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("webhook-id: ") {
                id = value.to_owned();
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        {
            let mut tracker = tracker.lock().unwrap();
            let times = tracker.seen.entry(id).or_default();
            *times += 1;
            if *times == 1 {
                let text = |f: &str| body["data"][f].as_str().unwrap_or_default().to_owned();
                let (email, name) = (text("email"), text("name"));
                tracker.effects.entry(email).or_default().push(name);
            }
        }
        if writer
            .write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

struct Runner(Child, String);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path, url: &str) -> Runner {
    let mut child = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--listen", "127.0.0.1:0"])
        .arg(dir)
        .env("KEY", SECRET)
        .env("TRACKER_URL", url)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("it says where it listens").unwrap();
        if let Some((_, address)) = line.split_once("http://") {
            break address.trim().to_owned();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    Runner(child, address)
}

/// Sends an event; whether it was acknowledged.
fn deliver(address: &str, id: &str, body: &str) -> bool {
    let at = chrono::Utc::now().timestamp();
    let key = base64::engine::general_purpose::STANDARD
        .decode(SECRET.trim_start_matches("whsec_"))
        .unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let code = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let head = format!(
        "POST /hooks/forms HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {at}\r\n\
         webhook-signature: v1,{code}\r\n\r\n{body}",
        body.len()
    );
    if stream.write_all(head.as_bytes()).is_err() {
        return false;
    }
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.starts_with("HTTP/1.1 202")
}

struct Event {
    id: String,
    email: String,
    name: String,
    body: String,
}

/// The n-th event: one of a few people gets a new name, later than all before.
fn event(n: u64) -> Event {
    let email = format!("p{}@example.com", n * 7 % PEOPLE);
    let name = format!("name {n}");
    let at = chrono::DateTime::from_timestamp(1_767_225_600 + n as i64, 0).unwrap();
    let data = serde_json::json!({ "email": email, "name": name, "at": at.to_rfc3339() });
    let body = serde_json::json!({ "type": "submitted", "data": data }).to_string();
    Event {
        id: format!("evt_{n}"),
        email,
        name,
        body,
    }
}

/// Sends events in order, each until it is acknowledged, as senders do; at most until told to stop.
fn send(address: &str, next: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let n = next.load(Ordering::SeqCst);
        let event = event(n);
        if !deliver(address, &event.id, &event.body) {
            return;
        }
        next.store(n + 1, Ordering::SeqCst);
    }
}

fn rows(dir: &Path, db: &str, sql: &str) -> BTreeMap<String, String> {
    let db = open(dir, db);
    let mut query = db.prepare(sql).unwrap();
    let rows = query
        .query_map([], |r| Ok((r.get(0)?, r.get::<_, String>(1)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn nothing_acknowledged_is_lost_and_no_effect_comes_twice() {
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.map_or(default, |t| t.parse().expect("a number"))
    };
    let (kills, seed) = (number("SYNCLINE_KILLS", 12), number("SYNCLINE_SEED", 1));
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let (url, tracker) = tracker();
    let mut random = fastrand::Rng::with_seed(seed);
    let next = AtomicU64::new(0);
    let mut during_batch = 0;
    for kill in 0..kills {
        // Some totals change, and the whole set is to be read anew.
        let shop = open(dir.path(), "shop.db");
        for _ in 0..5 {
            let id = format!("o{:05}", random.usize(0..ORDERS));
            let at = chrono::DateTime::from_timestamp(1_767_225_600 + kill as i64, 0).unwrap();
            shop.execute(
                "UPDATE orders SET total = total + 1, seq = ?2, at = ?3 WHERE id = ?1",
                (id, ORDERS as i64 + kill as i64, at.to_rfc3339()),
            )
            .unwrap();
        }
        let runner = start(dir.path(), &url);
        if kill % 3 == 0 {
            let asked = Command::new(env!("CARGO_BIN_EXE_syncline"))
                .args(["backfill", "nightly", "--store"])
                .arg(dir.path().join(".syncline.db"))
                .output()
                .unwrap();
            assert!(asked.status.success(), "{asked:?}");
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let address = runner.1.clone();
            let (next, stop) = (&next, &stop);
            scope.spawn(move || send(&address, next, stop));
            std::thread::sleep(Duration::from_millis(random.u64(0..600)));
            drop(runner);
            stop.store(true, Ordering::SeqCst);
        });
        let store = open(dir.path(), ".syncline.db");
        let open_runs: i64 = store
            .query_row(
                "SELECT count(*) FROM runs WHERE ended_at IS NULL",
                [],
                |r| r.get(0),
            )
            .unwrap();
        during_batch += open_runs;
    }
    let sent = next.load(Ordering::SeqCst);
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for n in 0..sent {
        let event = event(n);
        expected.insert(event.email, event.name);
    }
    let orders = "SELECT id, CAST(total AS TEXT) FROM orders";
    let wanted = rows(dir.path(), "shop.db", orders);
    let runner = start(dir.path(), &url);
    let since = Instant::now();
    // The last event that was not acknowledged may have been stored all the same.
    let unsure = event(sent);
    let settled = || {
        let crm = rows(dir.path(), "crm.db", "SELECT email, name FROM contacts");
        let mut also = expected.clone();
        also.insert(unsure.email.clone(), unsure.name.clone());
        let tracked: BTreeMap<String, String> = {
            let tracker = tracker.lock().unwrap();
            let last = |(email, names): (&String, &Vec<String>)| {
                (email.clone(), names.last().cloned().unwrap_or_default())
            };
            tracker.effects.iter().map(last).collect()
        };
        let people = [&expected, &also]
            .into_iter()
            .any(|state| *state == crm && *state == tracked);
        people && rows(dir.path(), "warehouse.db", orders) == wanted
    };
    let asked = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["backfill", "nightly", "--store"])
        .arg(dir.path().join(".syncline.db"))
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    while !settled() {
        assert!(
            since.elapsed() < Duration::from_secs(120),
            "seed {seed}: after {kills} kills the systems do not hold what was acknowledged"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(runner);
    let tracker = tracker.lock().unwrap();
    for (email, names) in &tracker.effects {
        let mut once = names.clone();
        once.sort();
        once.dedup();
        assert_eq!(
            once.len(),
            names.len(),
            "seed {seed}: {email} had an effect twice: {names:?}"
        );
    }
    let effects: usize = tracker.effects.values().map(Vec::len).sum();
    let repeats: u64 = tracker.seen.values().map(|n| n - 1).sum();
    println!(
        "seed {seed}: {kills} kills, {during_batch} of them during a run; {sent} events \
         acknowledged, {effects} effects over HTTP, {repeats} repeats known by their id, \
         {} rows",
        wanted.len()
    );
}
