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
