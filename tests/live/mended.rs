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
