//! The runner as people start it: the real binary, real files, real HTTP on loopback.

#[path = "live/alerts.rs"]
mod alerts;
#[path = "live/clock.rs"]
mod clock;
#[path = "live/copies.rs"]
mod copies;
#[path = "live/disorder.rs"]
mod disorder;
#[path = "live/full.rs"]
mod full;
#[path = "live/held.rs"]
mod held;
#[path = "live/latencies.rs"]
mod latencies;
#[path = "live/logs.rs"]
mod logs;
#[path = "live/mended.rs"]
mod mended;
#[path = "support/messages.rs"]
mod messages;
#[path = "live/metrics.rs"]
mod metrics;
#[path = "live/overlap.rs"]
mod overlap;
#[path = "live/people.rs"]
mod people;
#[path = "live/power.rs"]
mod power;
#[path = "support/postgres.rs"]
mod server;
#[path = "live/strings.rs"]
mod strings;
#[path = "live/tls.rs"]
mod tls;
#[path = "live/traces.rs"]
mod traces;
#[path = "live/troubles.rs"]
mod troubles;
#[path = "live/values.rs"]
mod values;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use messages::{SECRET, sign};

const POLICY: &str = r#"
policy live { timezone "UTC" }
system forms {
  connector webhook
  option path = "/hooks/forms"
  secret signing = env("FORMS_SECRET")
}
system crm {
  connector sqlite
  option path = "crm.db"
}
entity contact {
  key email
  owner crm
  accepts forms
  resolve last_write_wins
  field email: email
  field name: text(40)?
}
map contact in forms { same_names  changed_at "at" }
map contact in crm "contacts" { same_names  cursor "updated_at"  changed_at "updated_at" }
scenario signup {
  when forms.submitted if `event.form == "demo"`
  sync contact(name) from forms to crm
  mode realtime
}
"#;

fn set_up(dir: &Path) {
    std::fs::write(dir.join("policy.sync"), POLICY).unwrap();
    let crm = rusqlite::Connection::open(dir.join("crm.db")).unwrap();
    crm.execute_batch("CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, updated_at TEXT)")
        .unwrap();
}

/// A runner under way; killed when dropped.
struct Runner {
    child: Child,
    address: String,
    /// Lines that it has written since to standard error.
    said: Arc<Mutex<Vec<String>>>,
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(dir: &Path) -> Runner {
    start_with(dir, &[])
}

fn start_with(dir: &Path, env: &[(&str, &str)]) -> Runner {
    let mut child = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--listen", "127.0.0.1:0"])
        .arg(dir)
        .env("FORMS_SECRET", SECRET)
        .envs(env.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines
            .next()
            .expect("the runner says where it listens")
            .unwrap();
        if let Some((_, address)) = line.split_once("http://") {
            break address.trim().to_owned();
        }
    };
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = Arc::clone(&said);
    // What it says later must not fill the pipe.
    std::thread::spawn(move || {
        let each = lines.map_while(Result::ok);
        each.for_each(|line| hears.lock().unwrap().push(line));
    });
    Runner {
        child,
        address,
        said,
    }
}

/// Asks a runner to stop.
fn terminate(runner: &Runner) {
    let pid = runner.child.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
}

/// The set-up with a nightly copy of the contacts, which refuses one of the two that there are.
fn with_a_copy(dir: &Path) {
    set_up(dir);
    let policy = POLICY.to_owned()
        + r#"system copy { connector sqlite option path = "copy.db" }
map contact in copy "contacts" { same_names cursor "updated_at" }
scenario nightly { sync contact(name) from crm to copy mode daily at 03:00 }
"#;
    std::fs::write(dir.join("policy.sync"), policy).unwrap();
    let copy = rusqlite::Connection::open(dir.join("copy.db")).unwrap();
    copy.execute_batch(
        "CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT CHECK (name <> 'Bob'), updated_at TEXT)",
    )
    .unwrap();
    let crm = rusqlite::Connection::open(dir.join("crm.db")).unwrap();
    crm.execute_batch(
        "INSERT INTO contacts VALUES ('bob@x.example', 'Bob', '2026-01-01'), ('ada@x.example', 'Ada', '2026-01-01')",
    )
    .unwrap();
}

fn post(address: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    // A refused body may be cut off while it is still being sent.
    let _ = stream.write_all(body);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    (status, answer)
}

fn deliver(runner: &Runner, id: &str, body: &str) -> u16 {
    let at = chrono::Utc::now().timestamp();
    let headers = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", sign(id, at, body)),
        ("content-type", "application/json".to_owned()),
    ];
    post(&runner.address, "/hooks/forms", &headers, body.as_bytes()).0
}

fn submission(email: &str, name: &str) -> String {
    format!(
        r#"{{"type":"submitted","data":{{"form":"demo","email":"{email}","name":"{name}","at":"2026-10-01T00:00:00Z"}}}}"#
    )
}

fn name_of(dir: &Path, email: &str) -> Option<String> {
    let crm = rusqlite::Connection::open(dir.join("crm.db")).unwrap();
    crm.busy_timeout(Duration::from_secs(10)).unwrap();
    crm.query_row("SELECT name FROM contacts WHERE email = ?1", [email], |r| {
        r.get(0)
    })
    .ok()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn signed_webhooks_move_records_and_bad_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let runner = start(dir.path());
    let body = submission("ada@example.com", "Ada");
    assert_eq!(deliver(&runner, "msg_1", &body), 202);
    wait_for("Ada", || {
        name_of(dir.path(), "ada@example.com").as_deref() == Some("Ada")
    });

    // The same delivery again is acknowledged and dropped; another event of the same id too.
    assert_eq!(
        deliver(&runner, "msg_1", &submission("ada@example.com", "Other")),
        202
    );
    // A form that the scenario does not take starts nothing.
    assert_eq!(
        deliver(
            &runner,
            "msg_2",
            &body.replace("demo", "poll").replace("ada", "bob")
        ),
        202
    );
    assert_eq!(
        deliver(&runner, "msg_3", &submission("eve@example.com", "Eve")),
        202
    );
    wait_for("Eve", || name_of(dir.path(), "eve@example.com").is_some());
    assert_eq!(
        name_of(dir.path(), "ada@example.com").as_deref(),
        Some("Ada")
    );
    assert_eq!(name_of(dir.path(), "bob@example.com"), None);

    // Wrong, missing, old signatures: 401. Malformed: 400. Too large: 413. Elsewhere: 404.
    let at = chrono::Utc::now().timestamp();
    let signed = |id: &str, at: i64, body: &str| {
        [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", sign(id, at, body)),
        ]
    };
    let send = |headers: &[(&str, String)], body: &[u8]| {
        post(&runner.address, "/hooks/forms", headers, body).0
    };
    assert_eq!(send(&[], body.as_bytes()), 401);
    assert_eq!(
        send(&signed("msg_4", at, "something else"), body.as_bytes()),
        401
    );
    assert_eq!(
        send(&signed("msg_5", at - 301, &body), body.as_bytes()),
        401
    );
    assert_eq!(send(&signed("msg_6", at, "{broken"), b"{broken"), 400);
    let large = "x".repeat(1024 * 1024 + 1);
    assert_eq!(send(&signed("msg_7", at, &large), large.as_bytes()), 413);
    assert_eq!(post(&runner.address, "/elsewhere", &[], b"{}").0, 404);
    for junk in [&b"\xff\xfe\x00"[..], b"", b"null", b"[]", b"{\"data\":3}"] {
        let status = send(&[], junk);
        assert!((400..500).contains(&status), "{junk:?}: {status}");
    }
    // It is still there.
    assert_eq!(
        deliver(&runner, "msg_8", &submission("zoe@example.com", "Zoë 🦊")),
        202
    );
    wait_for("Zoë", || {
        name_of(dir.path(), "zoe@example.com").as_deref() == Some("Zoë 🦊")
    });
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let mut random = fastrand::Rng::with_seed(11);
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        let mut runner = start(dir.path());
        let stop_after = random.usize(1..12);
        for n in 0..stop_after {
            let email = format!("p{round}-{n}@example.com");
            let name = format!("Person {round}-{n}");
            if deliver(
                &runner,
                &format!("msg_{round}_{n}"),
                &submission(&email, &name),
            ) == 202
            {
                acknowledged.push((email, name));
            }
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..30)));
        // SIGKILL on Unix.
        runner.child.kill().unwrap();
        runner.child.wait().unwrap();
    }
    assert!(acknowledged.len() > 10);
    let runner = start(dir.path());
    wait_for("everything acknowledged", || {
        acknowledged
            .iter()
            .all(|(email, name)| name_of(dir.path(), email).as_ref() == Some(name))
    });
    drop(runner);
}

#[test]
fn a_second_runner_is_refused_and_an_unset_variable_is_named() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let runner = start(dir.path());
    let second = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--until-idle"])
        .arg(dir.path())
        .env("FORMS_SECRET", SECRET)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(&runner.child.id().to_string()), "{said}");
    assert!(second.stdout.is_empty());
    drop(runner);
    let unset = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--listen", "127.0.0.1:0"])
        .arg(dir.path())
        .env_remove("FORMS_SECRET")
        .output()
        .unwrap();
    assert_eq!(unset.status.code(), Some(3));
    let said = String::from_utf8_lossy(&unset.stderr);
    assert!(
        said.contains("`FORMS_SECRET`") && said.contains("`forms`"),
        "{said}"
    );
}

#[test]
fn an_address_that_cannot_be_called_is_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    troubles::set_up_troubled(dir.path(), "");
    for (url, why) in [
        ("http://tracker.example/t", "is not encrypted"),
        ("tracker.example/t", "is no URL"),
        ("ftp://tracker.example/t", "has the scheme `ftp`"),
    ] {
        let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args(["run", "--listen", "127.0.0.1:0"])
            .arg(dir.path())
            .env("FORMS_SECRET", SECRET)
            .env("TRACKER_URL", url)
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(3));
        let said = String::from_utf8_lossy(&ran.stderr);
        let told = format!("the option `url` of `tracker` {why}");
        assert!(said.contains(&told), "{said}");
        assert!(said.contains("https://host/path"), "{said}");
        // Nothing was begun.
        assert!(!dir.path().join(".syncline.db").exists());
    }
}

#[cfg(unix)]
#[test]
fn what_cannot_be_stored_is_not_acknowledged_and_a_stop_ends_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let mut runner = start(dir.path());
    assert_eq!(
        deliver(&runner, "msg_1", &submission("ada@example.com", "Ada")),
        202
    );
    let holder = rusqlite::Connection::open(dir.path().join(".syncline.db")).unwrap();
    holder.busy_timeout(Duration::from_secs(10)).unwrap();
    // The runner itself has nothing to write any more.
    wait_for("Ada, and that it is noted", || {
        let sql = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM events)";
        let left: i64 = holder.query_row(sql, [], |row| row.get(0)).unwrap();
        left == 0 && name_of(dir.path(), "ada@example.com").is_some()
    });
    // Somebody holds the store: nothing becomes durable.
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let eve = submission("eve@example.com", "Eve");
    assert_eq!(deliver(&runner, "msg_2", &eve), 503);
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    // It may have been the runner whose turn it was: then it has ended, and nothing is lost.
    if let Ok(Some(_)) = runner.child.try_wait() {
        runner = start(dir.path());
    }
    // The sender tries again, by the same id.
    assert_eq!(deliver(&runner, "msg_2", &eve), 202);
    wait_for("both", || {
        ["ada@example.com", "eve@example.com"]
            .iter()
            .all(|email| name_of(dir.path(), email).is_some())
    });
    terminate(&runner);
    let status = runner.child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
}
