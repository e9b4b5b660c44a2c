//! What people do to a store while a runner has it open.

use super::*;

fn syncline(dir: &Path, args: &[&str]) -> (i32, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn a_paused_scenario_waits_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let runner = start(dir.path());
    assert_eq!(
        deliver(&runner, "m1", &submission("ada@x.example", "Ada")),
        202
    );
    wait_for("Ada", || name_of(dir.path(), "ada@x.example").is_some());
    let (status, said) = syncline(dir.path(), &["pause", "signup"]);
    assert_eq!(status, 0, "{said}");
    assert!(said.starts_with("`signup` is paused"), "{said}");
    // A runner heeds it within a second; give it three.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        deliver(&runner, "m2", &submission("bob@x.example", "Bob")),
        202
    );
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(name_of(dir.path(), "bob@x.example"), None);
    let (_, status) = syncline(dir.path(), &["status"]);
    assert!(status.contains("`signup` is paused since"), "{status}");
    assert!(status.contains("1 write waits for `crm`"), "{status}");
    assert_eq!(syncline(dir.path(), &["resume", "signup"]).0, 0);
    wait_for("Bob", || name_of(dir.path(), "bob@x.example").is_some());
    let (status, said) = syncline(dir.path(), &["resume", "sign_up"]);
    assert_eq!(status, 2);
    assert!(said.contains("did you mean `signup`?"), "{said}");
    let (status, said) = syncline(dir.path(), &["backfill", "signup"]);
    assert_eq!(status, 2, "{said}");
    assert!(
        said.contains("`forms`") && said.contains("cannot be read"),
        "{said}"
    );
}

#[test]
fn a_dead_letter_is_shown_replayed_and_discarded() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
    crm.execute_batch(
        "CREATE TRIGGER no_bob BEFORE INSERT ON contacts WHEN NEW.name = 'Bob'
         BEGIN SELECT RAISE(ABORT, 'no Bobs'); END;",
    )
    .unwrap();
    let runner = start(dir.path());
    for (id, email) in [("m1", "bob@x.example"), ("m2", "rob@x.example")] {
        assert_eq!(deliver(&runner, id, &submission(email, "Bob")), 202);
    }
    let letters = || {
        let (_, said) = syncline(dir.path(), &["dead-letters", "list", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&said).unwrap();
        json["dead_letters"].as_array().unwrap().clone()
    };
    wait_for("two letters", || letters().len() == 2);
    let first = letters()[0]["id"].to_string();
    let (status, said) = syncline(dir.path(), &["dead-letters", "show", &first]);
    assert_eq!(status, 0);
    assert!(
        said.contains("no Bobs") && said.contains("\"name\":\"Bob\""),
        "{said}"
    );
    assert_eq!(syncline(dir.path(), &["dead-letters", "show", "99"]).0, 2);
    assert_eq!(syncline(dir.path(), &["dead-letters", "replay"]).0, 2);
    assert_eq!(
        syncline(dir.path(), &["dead-letters", "replay", &first, "99"]).0,
        2
    );
    // Mended: the present state of the record arrives and the letter is over.
    crm.execute_batch("DROP TRIGGER no_bob").unwrap();
    let (status, said) = syncline(dir.path(), &["dead-letters", "replay", &first]);
    assert_eq!(status, 0, "{said}");
    let email = letters()[0]["key"].as_str().unwrap().to_owned();
    wait_for("Bob", || {
        name_of(dir.path(), &email).as_deref() == Some("Bob")
    });
    wait_for("one letter", || letters().len() == 1);
    let (status, said) = syncline(dir.path(), &["dead-letters", "discard", "--all"]);
    assert_eq!((status, said.as_str()), (0, "1 letter discarded\n"));
    assert!(letters().is_empty());
}

fn people(dir: &Path, system: &str) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(dir.join(format!("{system}.db"))).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db
}

/// Two systems that hold one person alike, and a person's word where they differ.
fn set_up_manual(dir: &Path) {
    std::fs::write(dir.join("policy.sync"), MANUAL).unwrap();
    for system in ["left", "right"] {
        let person = "CREATE TABLE people (id TEXT PRIMARY KEY, note TEXT, at TEXT);
             INSERT INTO people VALUES ('1', 'same', '2026-01-01T00:00:00Z')";
        people(dir, system).execute_batch(person).unwrap();
    }
}

fn set_note(dir: &Path, system: &str, note: &str, at: &str) {
    let sql = "UPDATE people SET note = ?1, at = ?2";
    people(dir, system).execute(sql, [note, at]).unwrap();
}

fn note(dir: &Path, system: &str) -> String {
    let sql = "SELECT note FROM people";
    people(dir, system)
        .query_row(sql, [], |r| r.get(0))
        .unwrap()
}

#[test]
fn runs_conflicts_and_reasons_are_told_and_decided_beside_a_runner() {
    let dir = tempfile::tempdir().unwrap();
    set_up_manual(dir.path());
    let mut runner = start(dir.path());
    let runs = || {
        let (_, said) = syncline(dir.path(), &["runs", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&said).expect(&said);
        let runs = json["runs"].as_array().unwrap();
        runs.iter().filter(|run| run["status"] == "done").count()
    };
    assert_eq!(syncline(dir.path(), &["backfill", "both"]).0, 0);
    wait_for("a first run", || runs() == 1);
    set_note(dir.path(), "left", "from the left", "2026-02-01T00:00:00Z");
    set_note(
        dir.path(),
        "right",
        "from the right",
        "2026-02-02T00:00:00Z",
    );
    assert_eq!(syncline(dir.path(), &["backfill", "both"]).0, 0);
    wait_for("a second run", || runs() == 2);
    let (status, listed) = syncline(dir.path(), &["conflicts", "list"]);
    assert!(listed.contains("person:1.note"), "{status}: {listed}");
    let (status, why) = syncline(dir.path(), &["why", "person:1.note"]);
    assert!(status == 0 && why.contains("from the right"), "{why}");
    let choose = ["conflicts", "resolve", "person:1.note", "--take", "left"];
    let (status, said) = syncline(dir.path(), &choose);
    assert_eq!(status, 0, "{said}");
    // It goes out with the next run.
    assert_eq!(syncline(dir.path(), &["backfill", "both"]).0, 0);
    wait_for("what was chosen", || {
        note(dir.path(), "right") == "from the left"
    });
    let (_, listed) = syncline(dir.path(), &["conflicts", "list"]);
    assert_eq!(listed, "no conflicts\n");
    terminate(&runner);
    assert_eq!(runner.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_conflict_is_listed_and_a_choice_goes_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    set_up_manual(dir.path());
    let run = || syncline(dir.path(), &["run", "--until-idle", "."]);
    assert_eq!(run().0, 0);
    let set = |system: &str, note: &str, at: &str| set_note(dir.path(), system, note, at);
    let note = |system: &str| note(dir.path(), system);
    set("left", "from the left", "2026-02-01T00:00:00Z");
    set("right", "from the right", "2026-02-02T00:00:00Z");
    assert_eq!(run().0, 0);
    assert_eq!(
        (note("left").as_str(), note("right").as_str()),
        ("from the left", "from the right")
    );
    let (_, listed) = syncline(dir.path(), &["conflicts", "list"]);
    assert!(
        listed.contains("person:1.note") && listed.contains("from the right"),
        "{listed}"
    );
    let (status, said) = syncline(
        dir.path(),
        &["conflicts", "resolve", "person:1.note", "--take", "middle"],
    );
    assert_eq!(status, 2);
    assert!(said.contains("take one of `left`, `right`"), "{said}");
    let choose = [
        "conflicts",
        "resolve",
        "person:1.note",
        "--value",
        "agreed",
        "--by",
        "ada",
    ];
    let (status, said) = syncline(dir.path(), &choose);
    assert_eq!(status, 0, "{said}");
    assert_eq!(run().0, 0);
    assert_eq!(
        (note("left").as_str(), note("right").as_str()),
        ("agreed", "agreed")
    );
    assert_eq!(
        syncline(dir.path(), &["conflicts", "list"]).1,
        "no conflicts\n"
    );
    let (_, why) = syncline(dir.path(), &["why", "person:1.note"]);
    assert!(why.contains("ada"), "{why}");
    let (status, why) = syncline(dir.path(), &["why", "person:1.notes"]);
    assert_eq!(status, 2);
    let told = "person has no field `notes`";
    assert!(
        why.contains(told) && why.contains("did you mean `note`?"),
        "{why}"
    );
}

const MANUAL: &str = r#"policy manual { timezone "UTC" }
system left { connector sqlite option path = "left.db" }
system right { connector sqlite option path = "right.db" }
entity person {
  key id
  owner left
  accepts right
  resolve manual
  field id: text
  field note: text?
}
map person in left "people" { same_names cursor "at" changed_at "at" }
map person in right "people" { same_names cursor "at" changed_at "at" }
scenario both { sync person(note) between left, right mode every 15m }
"#;

#[test]
fn how_a_store_stands_is_told_as_json_too() {
    let dir = tempfile::tempdir().unwrap();
    with_a_copy(dir.path());
    let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--until-idle"])
        .arg(dir.path())
        .env("FORMS_SECRET", SECRET)
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(syncline(dir.path(), &["pause", "signup"]).0, 0);
    let json = |args: &[&str], status: i32| -> serde_json::Value {
        let (ended, said) = syncline(dir.path(), &[args, &["--format", "json"]].concat());
        assert_eq!(ended, status, "{said}");
        serde_json::from_str(&said).expect(&said)
    };
    // There is a dead letter.
    let status = json(&["status"], 1);
    assert_eq!(
        (&status["version"], &status["policy"]),
        (&1.into(), &"live".into())
    );
    assert_eq!(
        (&status["dead_letters"], &status["events"]),
        (&1.into(), &0.into())
    );
    let [nightly, signup] = status["scenarios"].as_array().unwrap().as_slice() else {
        panic!("{status}");
    };
    assert_eq!(
        (&signup["name"], &signup["by_event"]),
        (&"signup".into(), &true.into())
    );
    assert!(signup["paused_since"].is_number() && signup["last_run"].is_null());
    assert!(nightly["paused_since"].is_null() && nightly["backfill_asked"].is_null());
    let run = &json(&["runs"], 0)["runs"][0];
    assert_eq!(&nightly["last_run"], run);
    assert_eq!(
        (&run["status"], &run["scenario"]),
        (&"done".into(), &"nightly".into())
    );
    let counts = ["read", "written", "failed", "postponed"].map(|c| run["counts"][c].as_u64());
    assert_eq!(counts, [Some(2), Some(1), Some(1), Some(0)]);
    let (_, human) = syncline(dir.path(), &["runs"]);
    assert!(
        human.lines().next().unwrap().contains("postponed"),
        "{human}"
    );
}

#[test]
fn a_run_is_shown_with_what_it_kept_back_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let policy = r#"policy kept { timezone "UTC" }
system desk { connector csv option path = "desk.csv" }
system copy { connector jsonl option path = "copy.jsonl" }
entity person { key id owner desk field id: text field age: int(0..150)? field name: text? }
map person in desk { same_names }
map person in copy { same_names }
scenario move {
  sync person(age, name) from desk to copy
  mode daily at 02:00  scan full
  checkpoint { require `person.name != "nobody"` else quarantine }
}
"#;
    std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
    let desk = "id,age,name\na,30,Ada\nb,300,Bob\nc,40,nobody\n";
    std::fs::write(dir.path().join("desk.csv"), desk).unwrap();
    let (_, said) = syncline(dir.path(), &["run", "--until-idle"]);
    assert!(dir.path().join("copy.jsonl").exists(), "{said}");
    let (status, shown) = syncline(dir.path(), &["runs", "1"]);
    assert_eq!(status, 0, "{shown}");
    for told in [
        "scenario  move",
        "3 read",
        "2 quarantined",
        "1 written",
        "to `copy`",
        "person:b",
        "column `age`",
        "person:c",
        "does not hold",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    assert!(!shown.contains("person:a"), "{shown}");
    let (_, json) = syncline(dir.path(), &["runs", "1", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["run"]["counts"]["read"], 3);
    assert_eq!(json["quarantined"].as_array().unwrap().len(), 2);
    assert_eq!(json["quarantined"][0]["key"], "b");
    let (status, none) = syncline(dir.path(), &["runs", "0"]);
    assert_eq!((status, &*none), (0, "nothing was kept back\n"));
    let (status, said) = syncline(dir.path(), &["runs", "7"]);
    assert!(status == 2 && said.contains("there is no run 7"), "{said}");
}

/// A system that is down is told of by `status`, with what it says, and tried at once on a person's
/// word: not first when its pause is over.
#[test]
fn a_system_that_is_down_is_shown_and_tried_again_on_a_persons_word() {
    use super::troubles::{Manner, Receiver, TROUBLED};
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let patient = TROUBLED.replace("300ms pause", "1h pause");
    std::fs::write(dir.path().join("policy.sync"), patient.replace("LIMIT", "")).unwrap();
    let receiver = Receiver::start(Manner::Broken);
    let runner = start_with(dir.path(), &[("TRACKER_URL", &receiver.url)]);
    let resume = || syncline(dir.path(), &["resume", "--system", "tracker"]).1;
    assert_eq!(resume(), "`tracker` is neither paused nor down\n");
    let ada = submission("ada@x.example", "Ada");
    assert_eq!(deliver(&runner, "m1", &ada), 202);
    let status = || syncline(dir.path(), &["status"]).1;
    wait_for("it to be taken for down", || {
        status().contains("down since")
    });
    let said = status();
    let told = "`tracker` is taken to be down since 20";
    assert!(
        said.contains(told) && said.contains("answered 500"),
        "{said}"
    );
    assert!(said.contains("1 write waits for `tracker`"), "{said}");
    let json = syncline(dir.path(), &["status", "--format", "json"]).1;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let [down] = json["down_systems"].as_array().unwrap().as_slice() else {
        panic!("{json}");
    };
    assert_eq!(down["name"], "tracker");
    assert!(down["down_since"].is_number(), "{json}");
    assert_eq!(json["paused_systems"].as_array().unwrap().len(), 0);
    // Still broken: one call, and then it rests again.
    let calls = receiver.calls();
    assert!(resume().starts_with("`tracker` is tried again: "));
    wait_for("a try", || receiver.calls() > calls);
    assert!(status().contains(told));
    receiver.turns(Manner::Well);
    assert!(resume().starts_with("`tracker` is tried again: "));
    wait_for("Ada", || receiver.last().contains_key("ada@x.example"));
    wait_for("it to be up", || !status().contains("down since"));
    assert_eq!(resume(), "`tracker` is neither paused nor down\n");
}
