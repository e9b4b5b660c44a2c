//! What `run --log` writes.

use super::*;

#[test]
fn each_line_of_the_log_is_an_object_and_no_record_stands_in_it() {
    let dir = tempfile::tempdir().unwrap();
    with_a_copy(dir.path());
    let run = |format: &str| {
        let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args(["run", "--until-idle", "--log", format])
            .arg(dir.path())
            .env("FORMS_SECRET", SECRET)
            .output()
            .unwrap();
        String::from_utf8(ran.stderr).unwrap()
    };
    let log = run("json");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let events: Vec<&str> = lines.iter().map(|l| l["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["run.started", "dead_letter", "run.ended"], "{log}");
    assert_eq!(lines[2]["scenario"], "nightly");
    assert_eq!(
        (&lines[2]["read"], &lines[2]["written"]),
        (&2.into(), &1.into())
    );
    for line in &lines {
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(["info", "warn", "error"].contains(&line["level"].as_str().unwrap()));
    }
    assert!(!log.contains("bob@"), "{log}");
    let text = run("text");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        text.contains(" info run.started scenario=\"nightly\" run=2 why=\"until-idle\"\n"),
        "{text}"
    );
}

#[test]
fn an_event_that_is_kept_back_is_logged_without_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let log = dir.path().join("log");
    let child = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--listen", "127.0.0.1:0", "--log", "json"])
        .arg(dir.path())
        .env("FORMS_SECRET", SECRET)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut runner = Runner {
        child,
        address: String::new(),
        said: Arc::default(),
    };
    let line = |event: &str| {
        let text = std::fs::read_to_string(&log).unwrap();
        let whole = text.lines().filter_map(|l| serde_json::from_str(l).ok());
        let mut lines: Vec<serde_json::Value> = whole.collect();
        lines.retain(|l| l["event"] == event);
        lines.pop()
    };
    wait_for("where it listens", || line("listening").is_some());
    let url = line("listening").unwrap()["url"].clone();
    let address = url.as_str().unwrap().trim_start_matches("http://");
    runner.address = address.to_owned();
    let long = "Ada ".repeat(20);
    let body = submission("ada@example.com", &long);
    assert_eq!(deliver(&runner, "msg_1", &body), 202);
    wait_for("the line", || line("event.kept_back").is_some());
    let line = line("event.kept_back").unwrap();
    assert_eq!(
        (&line["level"], &line["system"], &line["id"]),
        (&"warn".into(), &"forms".into(), &"msg_1".into())
    );
    assert_eq!(line["scenario"], "signup");
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.ends_with("column `name`"), "{line}");
    assert!(!line.to_string().contains("Ada"), "{line}");
}

#[test]
fn without_a_log_what_goes_wrong_is_told_in_words_and_once() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
    crm.execute_batch(
        "DROP TABLE contacts;
         CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT CHECK (name <> 'Bob'), updated_at TEXT)",
    )
    .unwrap();
    let runner = start(dir.path());
    for n in 0..3 {
        let refused = submission(&format!("bob{n}@x.example"), "Bob");
        assert_eq!(deliver(&runner, &format!("refused_{n}"), &refused), 202);
        let keyless = r#"{"type":"submitted","data":{"form":"demo","name":"Nobody"}}"#;
        assert_eq!(deliver(&runner, &format!("keyless_{n}"), keyless), 202);
    }
    let last = submission("ada@x.example", "Ada");
    assert_eq!(deliver(&runner, "last", &last), 202);
    wait_for("the last", || {
        name_of(dir.path(), "ada@x.example").is_some()
    });
    let lines = |wanted: &str| {
        let said = runner.said.lock().unwrap();
        let lines = said.iter().filter(|line| line.contains(wanted));
        lines.cloned().collect::<Vec<_>>()
    };
    wait_for("words", || {
        !lines("was given up").is_empty() && !lines("was kept back").is_empty()
    });
    let (given_up, kept_back) = (lines("was given up"), lines("was kept back"));
    assert_eq!((given_up.len(), kept_back.len()), (1, 1));
    assert!(
        given_up[0].contains("a write of `signup` to `crm` was given up: ")
            && given_up[0].contains("`syncline dead-letters` lists it"),
        "{}",
        given_up[0]
    );
    assert!(
        kept_back[0].contains("an event of `forms` was kept back: ")
            && kept_back[0].contains("`syncline runs 0` lists it"),
        "{}",
        kept_back[0]
    );
}
