//! Alerts, against a receiver on this machine.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::values::round;
use super::*;

/// What a receiver of alerts has heard: id and body, in order.
pub(super) type Heard = Arc<Mutex<Vec<(String, serde_json::Value)>>>;

/// A receiver that answers the first `failures` calls with 500 and verifies all.
pub(super) fn receiver(failures: usize) -> (String, Heard) {
    answering(move |at, _| match at < failures {
        true => ("500 Oh", String::new()),
        false => ("204 OK", String::new()),
    })
}

/// A receiver that verifies all calls and answers by their number and body: a status and a body.
pub(super) fn answering(
    answer: impl Fn(usize, &str) -> (&'static str, String) + Send + 'static,
) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut headers = Vec::new();
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim_end().split_once(": ") else {
                    match line.trim_end().is_empty() {
                        true => break,
                        false => continue,
                    }
                };
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.parse().unwrap();
                }
                headers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let header = |name: &str| {
                let found = headers.iter().find(|(n, _)| n == name);
                found.map(|(_, v)| v.clone()).unwrap()
            };
            let body = String::from_utf8(body).unwrap();
            let id = header("webhook-id");
            let time = header("webhook-timestamp").parse().unwrap();
            assert_eq!(header("webhook-signature"), sign(&id, time, &body));
            kept.lock()
                .unwrap()
                .push((id, serde_json::from_str(&body).unwrap()));
            let (status, words) = answer(at, &body);
            let length = words.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{words}"
            );
        }
    });
    (format!("http://{address}/alerts"), heard)
}

fn with_alert(dir: &Path, field: &str) {
    let policy = POLICY
        .replace(
            "policy live { timezone \"UTC\" }",
            "policy live { timezone \"UTC\"  alert env(\"ALERT_URL\") }",
        )
        .replace("field name: text(40)?", field);
    std::fs::write(dir.join("policy.sync"), policy).unwrap();
}

fn types(heard: &Heard) -> Vec<String> {
    let heard = heard.lock().unwrap();
    let kinds = heard
        .iter()
        .map(|(_, b)| b["type"].as_str().unwrap().to_owned());
    kinds.collect()
}

#[test]
fn a_dead_letter_is_told_once_it_is_there_and_again_until_it_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    with_alert(dir.path(), "field name: text(40)?");
    let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
    crm.execute_batch(
        "DROP TABLE contacts;
         CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT CHECK (name <> 'Bob'), updated_at TEXT)",
    )
    .unwrap();
    let (url, heard) = receiver(1);
    let env = [
        ("ALERT_URL", url.as_str()),
        ("SYNCLINE_ALERT_SECRET", SECRET),
    ];
    let runner = start_with(dir.path(), &env);
    assert_eq!(
        deliver(&runner, "m1", &submission("bob@example.com", "Bob")),
        202
    );
    assert_eq!(
        deliver(&runner, "m2", &submission("ada@example.com", "Ada")),
        202
    );
    wait_for("two attempts", || types(&heard).len() >= 2);
    let told = heard.lock().unwrap().clone();
    assert_eq!(told[0].0, told[1].0, "the same message has the same id");
    let body = &told[1].1;
    assert_eq!(body["type"], "dead_letter.created");
    assert_eq!(body["data"]["count"], 1);
    assert_eq!(body["data"]["causes"][0]["system"], "crm");
    assert!(!body.to_string().contains("bob@"), "no keys: {body}");
    // What was heard is not told again, by the next runner neither, once it is remembered.
    wait_for("the memory of it", || {
        let store = rusqlite::Connection::open(dir.path().join(".syncline.db")).unwrap();
        let told = "SELECT value FROM meta WHERE key = 'alerted:letters'";
        store.query_row(told, [], |r| r.get::<_, String>(0)).is_ok()
    });
    drop(runner);
    // Made and told while the clock was far ahead, it does not hide what comes after the clock is
    // set right.
    let store = rusqlite::Connection::open(dir.path().join(".syncline.db")).unwrap();
    let ahead = "UPDATE dead_letters SET last_at = 4102444800000;
                 DELETE FROM meta WHERE key = 'alerted:letters'";
    store.execute_batch(ahead).unwrap();
    drop(store);
    let runner = start_with(dir.path(), &env);
    wait_for("the first letter once more", || types(&heard).len() >= 3);
    assert_eq!(
        deliver(&runner, "m3", &submission("bob@example.org", "Bob")),
        202
    );
    wait_for("the next letter", || types(&heard).len() >= 4);
    let told = heard.lock().unwrap().clone();
    assert_eq!(told[3].1["data"]["count"], 1, "{:?}", told[3]);
    let of = |at: usize| heard.lock().unwrap()[at].1["data"]["causes"][0]["letters"].clone();
    assert_eq!(of(3), serde_json::json!([2]));
    // Sent again and refused again, a letter keeps its number and is told again.
    let replayed = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["dead-letters", "replay", "2"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(replayed.status.success());
    wait_for("the letter again", || types(&heard).len() >= 5);
    assert_eq!(of(4), serde_json::json!([2]));
    assert_ne!(heard.lock().unwrap()[4].0, told[3].0);
}

#[test]
fn a_runner_that_hears_no_posts_tells_that_what_comes_by_them_gets_old() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    with_alert(dir.path(), "field name: text(40)?  fresh 3s in crm");
    let (url, heard) = receiver(0);
    let env = [
        ("ALERT_URL", url.as_str()),
        ("SYNCLINE_ALERT_SECRET", SECRET),
    ];
    let runner = start_with(dir.path(), &env);
    assert_eq!(
        deliver(&runner, "m1", &submission("ada@example.com", "Ada")),
        202
    );
    wait_for("Ada", || name_of(dir.path(), "ada@example.com").is_some());
    drop(runner);
    assert_eq!(types(&heard), [""; 0]);
    let child = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .arg("run")
        .arg(dir.path())
        .env("FORMS_SECRET", SECRET)
        .envs(env)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _deaf = Runner {
        child,
        address: String::new(),
        said: Arc::default(),
    };
    wait_for("the breach", || types(&heard) == ["freshness.breached"]);
}

#[test]
fn a_bound_that_breaks_is_told_and_so_is_that_it_holds_again() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    with_alert(dir.path(), "field name: text(40)?  fresh 3s in crm");
    let (url, heard) = receiver(0);
    let env = [
        ("ALERT_URL", url.as_str()),
        ("SYNCLINE_ALERT_SECRET", SECRET),
    ];
    let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
    crm.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let runner = start_with(dir.path(), &env);
    assert_eq!(
        deliver(&runner, "m1", &submission("ada@example.com", "Ada")),
        202
    );
    wait_for("the breach", || types(&heard) == ["freshness.breached"]);
    crm.execute_batch("ROLLBACK").unwrap();
    wait_for("its end", || {
        types(&heard) == ["freshness.breached", "freshness.restored"]
    });
    let told = heard.lock().unwrap().clone();
    assert_eq!(told[0].1["data"]["field"], "contact.name");
    assert_eq!(told[0].1["data"]["within_seconds"], 3.0);
    drop(runner);
}

#[test]
fn an_alert_without_a_key_is_refused_before_anything_moves() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    with_alert(dir.path(), "field name: text(40)?");
    let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--listen", "127.0.0.1:0"])
        .arg(dir.path())
        .env("FORMS_SECRET", SECRET)
        .env("ALERT_URL", "https://alerts.example/x?token=hidden")
        .env_remove("SYNCLINE_ALERT_SECRET")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains("`SYNCLINE_ALERT_SECRET`"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}

#[test]
fn an_aborted_run_is_told_once_and_without_the_record_that_it_was() {
    let dir = tempfile::tempdir().unwrap();
    with_a_copy(dir.path());
    let file = dir.path().join("policy.sync");
    let policy = std::fs::read_to_string(&file)
        .unwrap()
        .replace(
            "policy live { timezone \"UTC\" }",
            "policy live { timezone \"UTC\"  alert env(\"ALERT_URL\") }",
        )
        .replace(
            "mode daily at 03:00",
            "mode daily at 03:00 checkpoint { require `contact.name != \"Ada\"` else abort }",
        );
    std::fs::write(&file, policy).unwrap();
    let (url, heard) = receiver(0);
    let (status, log) = round(dir.path(), &[("ALERT_URL", &url)]);
    assert_eq!(status, Some(1), "{log}");
    let told = heard.lock().unwrap().clone();
    assert_eq!(types(&heard), ["run.aborted"], "{told:?}");
    let data = &told[0].1["data"];
    assert_eq!(
        (&data["scenario"], &data["run"]),
        (&"nightly".into(), &1.into())
    );
    let reason = data["reason"].as_str().unwrap();
    assert!(reason.contains("does not hold: contact.name"), "{reason}");
    let line = log.lines().find(|l| l.contains("run.ended")).unwrap();
    assert!(line.contains("does not hold: contact.name"), "{line}");
    let everything = format!("{log} {told:?}");
    assert!(!everything.contains("ada@x"), "{everything}");
    // Who looks at the store is told which record it was.
    let runs = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .current_dir(dir.path())
        .arg("runs")
        .output()
        .unwrap();
    let runs = String::from_utf8(runs.stdout).unwrap();
    assert!(runs.contains("record `ada@x.example`"), "{runs}");
    // The next round aborts too; the first is not told again.
    round(dir.path(), &[("ALERT_URL", &url)]);
    let told = heard.lock().unwrap().clone();
    let runs: Vec<i64> = told
        .iter()
        .filter_map(|(_, alert)| alert["data"]["run"].as_i64())
        .collect();
    assert_eq!(runs, [1, 2]);
    assert_ne!(told[0].0, told[1].0);
    // One that ends after a later one was told is told all the same.
    let store = rusqlite::Connection::open(dir.path().join(".syncline.db")).unwrap();
    let columns = "scenario, why, status, started_at, ended_at, read, changed, deduplicated, \
                   quarantined, written, failed, conflicts, drift, calls, cursor_before, \
                   cursor_after, note, postponed";
    for (late, wanted) in [(9, vec![1, 2, 9, 10]), (5, vec![1, 2, 9, 10, 5, 11])] {
        let sql = format!(
            "INSERT INTO runs (id, {columns}) SELECT {late}, {columns} FROM runs WHERE id = 2"
        );
        store.execute(&sql, []).unwrap();
        round(dir.path(), &[("ALERT_URL", &url)]);
        let told = heard.lock().unwrap().clone();
        let runs = told
            .iter()
            .filter_map(|(_, alert)| alert["data"]["run"].as_i64());
        assert_eq!(runs.collect::<Vec<_>>(), wanted);
    }
}
