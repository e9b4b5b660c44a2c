//! What people mend beside the runner arrives: records whose cursor was none, destinations that were
//! emptied, moved or changed by hand.

use super::*;

const POLICY: &str = r#"
policy mended { timezone "UTC" }
system crm { connector csv option path = "crm" }
system lake { connector csv option path = "lake" }
entity contact {
  key id
  owner crm
  accepts none
  field id: text(20)
  field name: text(40)?
  field city: text(40)?
}
map contact in crm "people" { same_names CURSOR }
map contact in lake "people" { same_names }
scenario copy { sync contact(*) from crm to lake mode daily at 03:00 }
"#;

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new(cursor: &str) -> Desk {
        let desk = Desk {
            dir: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(desk.dir.path().join("crm")).unwrap();
        desk.policy(&POLICY.replace("CURSOR", cursor));
        desk
    }

    fn policy(&self, text: &str) {
        std::fs::write(self.dir.path().join("policy.sync"), text).unwrap();
    }

    /// The source's rows: id, name, city, changed.
    fn shows(&self, rows: &[[&str; 4]]) {
        let rows: Vec<String> = rows.iter().map(|r| r.join(",")).collect();
        let text = format!("id,name,city,changed\n{}\n", rows.join("\n"));
        std::fs::write(self.dir.path().join("crm/people.csv"), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        let out = command.current_dir(self.dir.path()).args(args).output();
        let out = out.unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(out.status.success(), "{args:?}: {out:?}");
        said(&out.stdout) + &said(&out.stderr)
    }

    fn run(&self) -> String {
        self.command(&["run", "--until-idle"])
    }

    /// A file's rows but for its header, sorted.
    fn rows(&self, path: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join(path)).unwrap_or_default();
        let mut rows: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        rows.sort();
        rows
    }
}

#[test]
fn a_cursor_that_is_none_never_passes_over_later_changes() {
    let bad = [
        ("n/a", "cursor \"changed\""),
        ("2099-01-01T00:00:00Z", "cursor \"changed\""),
        ("yesterday", "cursor \"changed\" changed_at \"changed\""),
        ("12/31/2025", "cursor \"changed\""),
    ];
    for (bad, cursor) in bad {
        let (first, then) = match bad {
            "12/31/2025" => ("11/30/2025", "01/05/2026"),
            _ => ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        };
        let desk = Desk::new(cursor);
        desk.shows(&[["a", "Ada", "Paris", first], ["b", "Bob", "Rome", bad]]);
        let said = desk.run();
        desk.shows(&[["a", "Ada", "Oslo", then], ["b", "Bob", "Rome", bad]]);
        desk.run();
        let rows = desk.rows("lake/people.csv");
        assert!(rows.contains(&"a,Oslo,Ada".to_owned()), "{bad}: {rows:?}");
        if bad == "2099-01-01T00:00:00Z" || bad == "12/31/2025" {
            assert!(said.contains(bad) && said.contains("mend"), "{said}");
            assert!(desk.command(&["runs"]).contains(bad));
        }
    }
}

#[test]
fn a_backfill_fills_a_destination_that_was_emptied_changed_or_replaced() {
    let desk = Desk::new("cursor \"changed\"");
    let at = "2026-01-01T00:00:00Z";
    desk.shows(&[["a", "Ada", "Paris", at], ["b", "Bob", "Rome", at]]);
    desk.run();
    let whole = ["a,Paris,Ada", "b,Rome,Bob"];
    assert_eq!(desk.rows("lake/people.csv"), whole);
    // A cell was changed by hand.
    let lake = desk.dir.path().join("lake/people.csv");
    let text = std::fs::read_to_string(&lake).unwrap();
    std::fs::write(&lake, text.replace("Rome", "HACK")).unwrap();
    desk.command(&["backfill", "copy"]);
    desk.run();
    assert_eq!(desk.rows("lake/people.csv"), whole);
    // The file is gone, and one field of one record changed at the source meanwhile.
    std::fs::remove_dir_all(desk.dir.path().join("lake")).unwrap();
    let then = "2026-01-03T00:00:00Z";
    desk.shows(&[["a", "Ada", "Oslo", then], ["b", "Bob", "Rome", at]]);
    desk.command(&["backfill", "copy"]);
    desk.run();
    let whole = ["a,Oslo,Ada", "b,Rome,Bob"];
    assert_eq!(desk.rows("lake/people.csv"), whole);
    // Another file takes its place.
    let policy = POLICY.replace("CURSOR", "cursor \"changed\"");
    desk.policy(&policy.replace("path = \"lake\"", "path = \"pond\""));
    let said = desk.run();
    assert!(said.contains("`syncline backfill copy`"), "{said}");
    desk.command(&["backfill", "copy"]);
    desk.run();
    assert_eq!(desk.rows("pond/people.csv"), whole);
}

/// Only the owner's own word deletes: not what a destination lacks, what the store forgot, or what
/// stands at a destination alone. What a full read of the owner no longer shows is its word.
#[test]
fn a_backfill_deletes_nothing_for_a_gap_at_a_destination_or_in_the_store() {
    let at = "2026-01-01T00:00:00Z";
    let all = [
        ["a", "Ada", "Paris", at],
        ["b", "Bob", "Rome", at],
        ["c", "Cyd", "Bern", at],
    ];
    for full in [false, true] {
        let desk = Desk::new("cursor \"changed\"");
        let deletes = match full {
            true => "daily at 03:00 scan full deletes propagate",
            false => "daily at 03:00 deletes propagate",
        };
        let policy = POLICY.replace("CURSOR", "cursor \"changed\"");
        desk.policy(&policy.replace("daily at 03:00", deletes));
        let lake = desk.dir.path().join("lake/people.csv");
        let backfill = || {
            desk.command(&["backfill", "copy"]);
            desk.run();
            let rows = desk.rows("lake/people.csv");
            let keys = rows.iter().filter_map(|row| row.chars().next());
            keys.collect::<String>()
        };
        desk.shows(&all);
        desk.run();
        // The destination has lost `b` and has a record that nobody sent.
        std::fs::write(&lake, "id,name,city\na,Ada,Paris\nc,Cyd,Bern\nz,Zed,Ulm\n").unwrap();
        assert_eq!(backfill(), "abcz", "full: {full}");
        // What the owner does not show is deleted there only where each of its reads is whole.
        desk.shows(&all[..2]);
        let left = if full { "abz" } else { "abcz" };
        assert_eq!(backfill(), left, "full: {full}");
        // A store that knows nothing, and an owner that no longer has what was sent before.
        for file in [".syncline.db", ".syncline.db-wal", ".syncline.db-shm"] {
            let _ = std::fs::remove_file(desk.dir.path().join(file));
        }
        desk.shows(&all[..1]);
        desk.run();
        assert_eq!(backfill(), left, "full: {full}");
        // The store knows `b` of the destination alone, which loses it.
        std::fs::write(&lake, "id,name,city\na,Ada,Paris\nz,Zed,Ulm\n").unwrap();
        desk.shows(&all);
        assert_eq!(backfill(), "abcz", "full: {full}");
    }
}

#[cfg(all(unix, debug_assertions))]
#[test]
fn a_backfill_that_is_killed_while_it_reads_goes_on_as_one() {
    use std::os::unix::process::ExitStatusExt;
    let places = [
        "run.opened:1",
        "run.read:1",
        "run.staged:1",
        "run.read:2",
        "run.staged:2",
        "run.checking:1",
        "run.checked:1",
    ];
    let at = "2026-01-01T00:00:00Z";
    let desk = Desk::new("cursor \"changed\"");
    desk.shows(&[["a", "Ada", "Paris", at], ["b", "Bob", "Rome", at]]);
    desk.run();
    let lake = desk.dir.path().join("lake/people.csv");
    let whole = std::fs::read_to_string(&lake).unwrap();
    for place in places {
        // Only a run that compares what the destination holds finds this.
        std::fs::write(&lake, whole.replace("Rome", "HACK")).unwrap();
        desk.command(&["backfill", "copy"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.current_dir(desk.dir.path());
        command.args(["run", "--until-idle"]);
        let died = command.env("SYNCLINE_FAILPOINT", place).output().unwrap();
        assert_eq!(died.status.signal(), Some(6), "{place}: {died:?}");
        assert!(std::fs::read_to_string(&lake).unwrap().contains("HACK"));
        desk.run();
        assert_eq!(std::fs::read_to_string(&lake).unwrap(), whole, "{place}");
    }
}

/// A system that a person has to mend is named, waited for aloud, and tried again on their word.
#[test]
fn a_paused_system_is_told_of_once_shown_and_tried_again() {
    let desk = Desk::new("cursor \"changed\"");
    let order = r#"
entity order {
  key id
  owner crm
  accepts none
  field id: text(20)
  field name: text(40)?
}
map order in crm "orders" { same_names cursor "changed" }
map order in lake "orders" { same_names }
scenario orders { sync order(*) from crm to lake mode daily at 03:00 }
"#;
    let policy = POLICY.replace("CURSOR", "cursor \"changed\"");
    let breaker = "daily at 03:00 breaker 4 failures, 1s pause";
    desk.policy(&(policy.replace("daily at 03:00", breaker) + order));
    let orders = "id,name,changed\n1,Pen,2026-01-01T00:00:00Z\n";
    std::fs::write(desk.dir.path().join("crm/orders.csv"), orders).unwrap();
    let try_run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.current_dir(desk.dir.path());
        let args = [&["run", "--until-idle"], args].concat();
        let out = command.args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (out.status.code(), text(out.stdout), text(out.stderr))
    };
    let missing = "no such file or directory";
    // Nothing else to do: the summary says what is wrong, once.
    let (status, out, err) = try_run(&["--only", "copy"]);
    assert_eq!(status, Some(3), "{out}{err}");
    assert_eq!((out + &err).matches(missing).count(), 1, "{err}");
    // Another run reads from there: it waits, and says so before the summary does.
    let (_, out, err) = try_run(&[]);
    assert_eq!(out.matches(missing).count(), 1, "{out}");
    assert_eq!(err.matches(missing).count(), 1, "{err}");
    assert!(err.contains("; it is tried again at 20"), "{err}");
    assert!(err.contains("`crm` answers again"), "{err}");
    assert_eq!(desk.rows("lake/orders.csv"), ["1,Pen"]);
    assert!(!desk.command(&["status"]).contains("is paused"));
    let resume = || desk.command(&["resume", "--system", "crm"]);
    assert_eq!(resume(), "`crm` is neither paused nor down\n");

    try_run(&["--only", "copy"]);
    let said = desk.command(&["status"]);
    assert!(said.contains("`crm` is paused since 20") && said.contains(missing));
    let json = desk.command(&["status", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let [paused] = json["paused_systems"].as_array().unwrap().as_slice() else {
        panic!("{json}");
    };
    assert_eq!(paused["name"], "crm");
    assert!(paused["paused_since"].is_number(), "{json}");
    assert!(resume().starts_with("`crm` is tried again: "));
    desk.shows(&[["a", "Ada", "Paris", "2026-01-01T00:00:00Z"]]);
    desk.run();
    assert_eq!(resume(), "`crm` is neither paused nor down\n");
}

/// What the page on webhooks tells people to do.
#[test]
fn the_page_on_webhooks_holds() {
    let page = include_str!("../../docs/webhooks.md");
    let fenced = |fence: &str| -> Vec<&str> {
        let begin = format!("```{fence}\n");
        let parts = page.split(&*begin).skip(1);
        parts.filter_map(|p| p.split("```").next()).collect()
    };
    let desk = Desk::new("");
    desk.policy(fenced("sync")[0]);
    desk.command(&["check", "policy.sync", "--deny", "warnings"]);
    let has = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if !["openssl", "curl", "od", "base64"].into_iter().all(has) {
        // The rest are commands of these tools.
        return;
    }
    let shell = |text: &str, env: &[(&str, &str)]| {
        let mut command = Command::new("sh");
        let out = command
            .args(["-ec", text])
            .envs(env.iter().copied())
            .output();
        let out = out.unwrap();
        assert!(out.status.success(), "{text}: {out:?}");
        String::from_utf8(out.stdout).unwrap()
    };
    let blocks = fenced("sh");
    let key = shell(&format!("{}\nprintf %s \"$FORMS_SIGNING\"", blocks[0]), &[]);
    let runner = start_with(desk.dir.path(), &[("FORMS_SIGNING", &key)]);
    let signed = blocks[0].lines().skip(1).collect::<Vec<_>>().join("\n");
    let post = blocks[1].replace("127.0.0.1:8787", &runner.address);
    let said = shell(&format!("{signed}\n{post}"), &[("FORMS_SIGNING", &key)]);
    assert_eq!(said, "stored\n");
    wait_for("the lead", || {
        desk.rows("crm/leads.csv") == ["ada@example.com,Ada"]
    });
}
