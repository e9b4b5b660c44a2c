//! `diff`: what is a change in meaning, how it is graded, what accepts it.

use crate::support::{CLEAN, Dir};

const DAY: &str = "2026-11-26";

#[test]
fn layout_is_no_change_in_meaning() {
    let flat = CLEAN.replace("\n\n", "\n// a note\n");
    let dir = Dir::with(&[("a.sync", CLEAN), ("b.sync", &flat)]);
    let ran = dir.run(&["diff", "a.sync", "b.sync", "--exit-code", "--now", DAY]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("no change in meaning"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_slower_mode_is_told_and_can_be_approved() {
    let slower = CLEAN.replace("every 15m", "every 4h\n  fresh 5h");
    let faster = CLEAN.replace("every 15m", "every 15m\n  fresh 1h");
    let dir = Dir::with(&[("a.sync", &faster), ("new/policy.sync", &slower)]);
    let args = [
        "diff",
        "a.sync",
        "new",
        "--fail-on",
        "breaking",
        "--format",
        "json",
        "--now",
        DAY,
    ];
    let ran = dir.run(&args);
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    let json = ran.json();
    assert_eq!(json["changes"][0]["kind"], "fresh-loosened");
    assert_eq!(json["changes"][0]["grade"], "breaking");
    assert_eq!(json["changes"][0]["subject"], "names");
    let entry = |reason: &str| {
        format!(
            "approvals:\n  - change: fresh-loosened\n    subject: names\n    reason: \"{reason}\"\n    date: {DAY}\n"
        )
    };
    dir.write("new/approvals.yaml", entry(""));
    assert_eq!(dir.run(&args).status, 2);
    dir.write("new/approvals.yaml", entry("agreed with sales"));
    let ran = dir.run(&args);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json()["summary"]["approved"], 1);
}
