//! What destinations say of records stays in the store: logs and alerts tell the cause alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::alerts::{Heard, answering, receiver};
use super::*;
use crate::server::Database;

pub(super) const POLICY: &str = r#"
policy values { timezone "UTC"  alert env("ALERT_URL") }
system crm { connector sqlite option path = "crm.db" }
system desk { connector postgres secret url = env("DESK_URL") }
system tracker {
  connector webhook
  option url = env("TRACKER_URL")
  secret signing = env("FORMS_SECRET")
}
entity contact {
  key email
  owner crm
  accepts none
  field email: email
  field name: text(40)?
}
map contact in crm "contacts" { same_names cursor "updated_at" }
map contact in desk "contacts" { same_names }
map contact in tracker { same_names }
scenario copied { sync contact(name) from crm to desk mode daily at 03:00 }
scenario tracked { sync contact(name) from crm to tracker mode daily at 04:00 }
"#;

/// What a run wrote to standard error, with the status that it ended with.
pub(super) fn round(dir: &Path, env: &[(&str, &str)]) -> (Option<i32>, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--until-idle", "--log", "json"])
        .arg(dir)
        .env("FORMS_SECRET", SECRET)
        .env("SYNCLINE_ALERT_SECRET", SECRET)
        .envs(env.iter().copied())
        .output()
        .unwrap();
    (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
}

/// A policy, and the three records that it is about.
pub(super) fn set_up(dir: &Path, policy: &str) -> rusqlite::Connection {
    std::fs::write(dir.join("policy.sync"), policy).unwrap();
    let crm = rusqlite::Connection::open(dir.join("crm.db")).unwrap();
    crm.execute_batch(
        "CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, updated_at TEXT);
         INSERT INTO contacts VALUES ('hidden1@x.example', 'Hidden One', '2026-01-01'),
           ('hidden2@x.example', 'Hidden Two', '2026-01-02'),
           ('hidden3@x.example', 'Hidden Three', '2026-01-03')",
    )
    .unwrap();
    crm
}

fn asked(dir: &Path, args: &[&str]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap();
    String::from_utf8(ran.stdout).unwrap()
}

fn all(heard: &Heard) -> String {
    format!("{:?}", heard.lock().unwrap())
}

#[test]
fn what_a_destination_says_of_a_record_reaches_neither_log_nor_alert() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path(), POLICY);
    let desk = Database::new();
    desk.run(
        "CREATE TABLE contacts (email text PRIMARY KEY, name text CONSTRAINT one_name UNIQUE);
         INSERT INTO contacts VALUES ('a@x.example', 'Hidden One'), ('b@x.example', 'Hidden Two'),
           ('c@x.example', 'Hidden Three')",
    );
    let (url, heard) = receiver(0);
    let (tracker, told) = answering(|_, body| ("422 No", format!("cannot take {body}")));
    let env = [
        ("ALERT_URL", url.as_str()),
        ("DESK_URL", &desk.url()),
        ("TRACKER_URL", &tracker),
    ];
    let (status, log) = round(dir.path(), &env);
    assert_eq!(status, Some(1), "{log}");
    assert!(all(&told).contains("Hidden One"), "it got the records");

    assert_eq!(log.matches("\"dead_letter\"").count(), 6, "{log}");
    assert!(
        log.contains("one_name") && log.contains("answered 422"),
        "{log}"
    );
    assert!(!log.to_lowercase().contains("hidden"), "{log}");
    assert!(
        !all(&heard).to_lowercase().contains("hidden"),
        "{}",
        all(&heard)
    );
    let alerts = heard.lock().unwrap().clone();
    let causes: Vec<(&str, u64)> = alerts
        .iter()
        .flat_map(|(_, alert)| alert["data"]["causes"].as_array().unwrap())
        .map(|cause| {
            (
                cause["system"].as_str().unwrap(),
                cause["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(causes, [("desk", 3), ("tracker", 3)]);

    // A person at the command line sees one cause as well, and each letter with all its words.
    let listed = asked(dir.path(), &["dead-letters", "list"]);
    let one = "3 into `desk`: duplicate key value violates unique constraint \"one_name\"\n";
    assert!(listed.contains(one), "{listed}");
    let shown = asked(dir.path(), &["dead-letters", "show", "1"]);
    assert!(
        shown.contains("Key (name)=(Hidden One) already exists"),
        "{shown}"
    );
}

#[test]
fn refused_credentials_are_told_once_for_each_time_that_they_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut policy = POLICY.to_owned();
    for line in ["system desk", "map contact in desk", "scenario copied"] {
        let gone = POLICY.lines().find(|l| l.starts_with(line)).unwrap();
        policy = policy.replace(gone, "");
    }
    let crm = set_up(dir.path(), &policy);
    let refuses = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&refuses);
    let (tracker, _) = answering(move |_, body| match answers.load(Ordering::SeqCst) {
        true => ("401 No", format!("no such user, and so no {body}")),
        false => ("204 OK", String::new()),
    });
    // The receiver of alerts does not take the first one.
    let (url, heard) = receiver(1);
    let env = [("ALERT_URL", url.as_str()), ("TRACKER_URL", &tracker)];
    let told = || heard.lock().unwrap().clone();
    let changes = |day: u32| {
        let sql = "UPDATE contacts SET name = 'Hidden ' || ?1, updated_at = '2026-02-0' || ?1";
        assert_eq!(crm.execute(sql, [day]).unwrap(), 3);
    };

    // The refusal is the last answer that this runner gets.
    let (_, log) = round(dir.path(), &env);
    assert_eq!(told().len(), 1, "{log}");
    assert!(
        log.contains("\"system.paused\"") && !log.contains("idden"),
        "{log}"
    );
    // It is mended before it could be told: it is told all the same, as the same message.
    refuses.store(false, Ordering::SeqCst);
    round(dir.path(), &env);
    assert_eq!(told().len(), 2);
    assert_eq!(told()[0].0, told()[1].0);
    let body = &told()[1].1;
    assert_eq!(body["type"], "system.auth_failed");
    assert_eq!(body["data"]["system"], "tracker");
    assert_eq!(body["data"], told()[0].1["data"]);
    assert!(body["data"]["since"].is_string(), "{body}");
    assert!(!body.to_string().contains("idden"), "{body}");

    // The next refusal has the same words and is another message; while it lasts, one.
    changes(2);
    refuses.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        round(dir.path(), &env);
        assert_eq!(told().len(), 3);
    }
    assert_eq!(told()[2].1["data"]["error"], body["data"]["error"]);
    assert_ne!(told()[2].0, told()[1].0);

    // It takes them in between, and that is the last answer that this runner gets.
    refuses.store(false, Ordering::SeqCst);
    round(dir.path(), &env);
    changes(3);
    refuses.store(true, Ordering::SeqCst);
    round(dir.path(), &env);
    assert_eq!(told().len(), 4);
}
