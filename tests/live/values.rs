//! What destinations say of records stays in the store: logs and alerts tell the cause alone.

use super::alerts::{Heard, answering, receiver};
use super::*;
use crate::server::Database;

const POLICY: &str = r#"
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
    std::fs::write(dir.path().join("policy.sync"), POLICY).unwrap();
    let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
    crm.execute_batch(
        "CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, updated_at TEXT);
         INSERT INTO contacts VALUES ('hidden1@x.example', 'Hidden One', '2026-01-01'),
           ('hidden2@x.example', 'Hidden Two', '2026-01-02'),
           ('hidden3@x.example', 'Hidden Three', '2026-01-03')",
    )
    .unwrap();
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
