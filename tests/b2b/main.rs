//! The business example, held to what its policy says in words: every row of every system after
//! the run, worked out from the inputs without the library.

#[path = "../../examples/b2b/generate/mod.rs"]
mod generate;

mod companies;
mod inputs;
mod oracle;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use inputs::{Inputs, Row, csv, table};
use oracle::Expected;

/// A copy of the example with its own data.
struct Example {
    dir: tempfile::TempDir,
}

impl Example {
    fn new(contacts: usize, seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/b2b");
        for entry in fs::read_dir(example).expect("the example") {
            let path = entry.expect("a file").path();
            if path.extension().is_some_and(|e| e == "sync") {
                let name = path.file_name().expect("a name");
                fs::copy(&path, dir.path().join(name)).expect("a copy");
            }
        }
        let data = dir.path().join("data");
        generate::generate(&generate::Options {
            contacts,
            seed,
            dir: data,
        })
        .expect("data");
        Example { dir }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Runs to idle and gives what was printed.
    fn run(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args(["run", "policy.sync", "--until-idle", "--store", "store.db"])
            .current_dir(self.dir.path())
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{printed}");
        printed
    }

    fn store(&self) -> Connection {
        Connection::open(self.dir.path().join("store.db")).expect("the store")
    }

    /// What a query counts by name.
    fn counts(&self, sql: &str) -> BTreeMap<String, i64> {
        let store = self.store();
        let mut select = store.prepare(sql).expect("a query");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("rows").map(|row| row.expect("a row")).collect()
    }

    fn count(&self, sql: &str) -> i64 {
        self.store()
            .query_row(sql, [], |row| row.get(0))
            .expect("a number")
    }

    fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        for folder in ["", "feeds", "warehouse"] {
            for entry in fs::read_dir(self.data().join(folder)).expect("a folder") {
                let path = entry.expect("a file").path();
                if path.is_file() {
                    let bytes = fs::read(&path).expect("a file");
                    all.insert(path, bytes);
                }
            }
        }
        all
    }

    /// Holds every system to what is expected of it.
    fn assert_systems(&self, expected: &Expected) {
        let (data, house) = (self.data(), self.data().join("warehouse"));
        let crm = data.join("crm.db");
        // New rows get their ids as they come, and row versions count writes.
        let plain = |rows: Vec<Row>| strip(rows, &["id", "revision"]);
        same(
            "crm contacts",
            plain(table(&crm, "contacts")),
            plain(expected.contacts.clone()),
        );
        same(
            "crm accounts",
            table(&crm, "accounts"),
            expected.accounts.clone(),
        );
        let subscriptions = table(&crm, "subscriptions");
        same(
            "crm subscriptions",
            subscriptions,
            expected.crm_subscriptions.clone(),
        );
        let subscribers = table(&data.join("mailer.db"), "subscribers");
        same(
            "mailer",
            plain(subscribers),
            plain(expected.subscribers.clone()),
        );
        let product = data.join("product.db");
        same(
            "product users",
            table(&product, "users"),
            expected.users.clone(),
        );
        same(
            "product workspaces",
            table(&product, "workspaces"),
            expected.workspaces.clone(),
        );
        let reports = [
            ("contacts", &expected.warehouse_contacts),
            ("accounts", &expected.warehouse_accounts),
            ("subscriptions", &expected.warehouse_subscriptions),
        ];
        for (name, rows) in reports {
            let found = csv(&house.join(format!("{name}.csv")));
            same(&format!("warehouse {name}"), found, rows.clone());
        }
    }

    /// Holds what was kept back and dropped to what the inputs hold of it.
    fn assert_counts(&self, inputs: &Inputs, expected: &Expected) {
        let refused = expected.refused_contacts as i64;
        let of = |n: usize| n as i64;
        let (forms, mail, product) = (&inputs.forms, &inputs.mail, &inputs.product);
        let wanted = [
            // Half lines belong to no scenario.
            ("", of(forms.cut + mail.cut + product.cut)),
            ("analytics", refused),
            ("clean_contacts", refused),
            // Hybrids compare twice in the first round: before the events and after them.
            ("content_downloads", 2 * refused),
            (
                "demo_requests",
                2 * refused + of(forms.nobody + forms.wrong),
            ),
            ("lead_routing", refused),
            ("lead_scores", of(inputs.scores_refused)),
            ("newsletter_refresh", refused),
            ("product_consent", refused),
            // Of two records that both fail the event is kept back once.
            ("product_signals", of(product.nobody + product.wrong)),
            ("unsubscribes", 2 * refused + of(mail.nobody + mail.wrong)),
            ("webinar_signups", of(inputs.webinars_refused)),
        ];
        let wanted: BTreeMap<String, i64> = wanted
            .iter()
            .map(|(name, n)| (name.to_string(), *n))
            .collect();
        let found = self.counts("SELECT scenario, count(*) FROM quarantine GROUP BY scenario");
        assert_eq!(found, wanted, "quarantined by scenario");
        let dropped = [
            ("clean_contacts", of(expected.duplicates)),
            ("lead_scores", of(inputs.scores_repeated)),
            ("webinar_signups", of(inputs.webinars_repeated)),
        ];
        let dropped: BTreeMap<String, i64> = dropped
            .iter()
            .map(|(name, n)| (name.to_string(), *n))
            .collect();
        let found = self.counts(
            "SELECT scenario, sum(deduplicated) FROM runs GROUP BY scenario HAVING sum(deduplicated) > 0",
        );
        assert_eq!(found, dropped, "duplicates by scenario");
        self.assert_nothing_left();
    }

    fn assert_nothing_left(&self) {
        assert_eq!(
            self.count("SELECT count(*) FROM dead_letters"),
            0,
            "dead letters"
        );
        assert_eq!(
            self.count("SELECT count(*) FROM outbox"),
            0,
            "waiting writes"
        );
        assert_eq!(
            self.count("SELECT count(*) FROM events"),
            0,
            "events not taken"
        );
        assert_eq!(
            self.count("SELECT count(*) FROM runs WHERE status <> 'done'"),
            0,
            "runs"
        );
    }
}

fn strip(mut rows: Vec<Row>, columns: &[&str]) -> Vec<Row> {
    for row in &mut rows {
        row.retain(|name, _| !columns.contains(&name.as_str()));
    }
    rows
}

/// Compares two sets of rows and shows the first that differ.
fn same(what: &str, mut found: Vec<Row>, mut wanted: Vec<Row>) {
    found.sort();
    wanted.sort();
    if found == wanted {
        return;
    }
    let odd = |one: &[Row], other: &[Row]| {
        let odd = one.iter().filter(|row| other.binary_search(row).is_err());
        odd.take(5)
            .map(|row| format!("  {row:?}\n"))
            .collect::<String>()
    };
    panic!(
        "{what}: {} rows found, {} wanted\nfound, not wanted:\n{}wanted, not found:\n{}",
        found.len(),
        wanted.len(),
        odd(&found, &wanted),
        odd(&wanted, &found)
    );
}

fn holds(contacts: usize, seed: u64) {
    let example = Example::new(contacts, seed);
    let inputs = inputs::read(&example.data());
    let expected = oracle::expect(&inputs);
    let printed = example.run();
    example.assert_systems(&expected);
    example.assert_counts(&inputs, &expected);
    for name in [
        "demo_requests",
        "clean_contacts",
        "unsubscribes",
        "analytics",
    ] {
        assert!(
            printed.contains(name),
            "the summary lacks `{name}`:\n{printed}"
        );
    }

    // Once more, at once: nothing is written anywhere.
    let (before, last) = (example.bytes(), example.count("SELECT max(id) FROM runs"));
    example.run();
    let after = example.bytes();
    for (path, bytes) in &before {
        assert!(
            after.get(path) == Some(bytes),
            "{} was written again",
            path.display()
        );
    }
    assert_eq!(before.len(), after.len(), "files");
    let sum = format!("SELECT sum(written) + sum(failed) + sum(drift) FROM runs WHERE id > {last}");
    assert_eq!(example.count(&sum), 0, "writes of the second run");
    example.assert_nothing_left();
}

#[test]
fn a_small_company_ends_as_its_policy_says() {
    holds(3_000, 41);
}

#[test]
fn the_example_ends_as_its_policy_says() {
    holds(24_000, 7);
}

/// A row by one of its columns.
fn row_where<'r>(rows: &'r [Row], column: &str, value: &str) -> Option<&'r Row> {
    rows.iter().find(|row| {
        row.get(column)
            .is_some_and(|cell| inputs::key(cell) == value)
    })
}

#[test]
fn the_next_day_moves_what_has_changed_and_nothing_else() {
    let example = Example::new(1_500, 5);
    let data = example.data();
    let crm = Connection::open(data.join("crm.db")).expect("the CRM");
    let product = Connection::open(data.join("product.db")).expect("the product");
    example.run();
    let before = table(&data.join("crm.db"), "contacts");
    let address = |n: usize, out: &str| {
        let fits = |row: &&Row| {
            let key = inputs::key(row.get("email").map_or("", String::as_str));
            inputs::is_address(&key) && row["has_opted_out"] == out && row["status"] == "Working"
        };
        let row = before.iter().filter(fits).nth(n).expect("somebody");
        (row["id"].clone(), inputs::key(&row["email"]))
    };
    let ((_, stops), (moved_id, moved), (_, scored)) =
        (address(0, "0"), address(1, "0"), address(2, "0"));
    let (stale_id, stale) = address(0, "1");
    let update = |sql: &str, id: &str| {
        let changed = crm.execute(sql, [id]).expect("an edit");
        assert_eq!(changed, 1);
    };
    let day = "edited_at = '2026-11-02 09:00:00' WHERE id = ?1";
    update(
        &format!("UPDATE contacts SET status = 'Qualified', {day}"),
        &moved_id,
    );
    // Somebody in sales clears an opt-out, which is not for sales to do.
    update(
        &format!("UPDATE contacts SET has_opted_out = 0, {day}"),
        &stale_id,
    );
    let gone: String = product
        .query_row(
            "SELECT id FROM workspaces WHERE deleted_at IS NULL LIMIT 1",
            [],
            |r| r.get(0),
        )
        .expect("a workspace");
    let sql = "UPDATE workspaces SET deleted_at = ?1, updated_at = ?1 WHERE id = ?2";
    product
        .execute(sql, ["2026-11-02T08:00:00Z", &gone])
        .expect("a deletion");
    let append = |file: &str, line: String| {
        let path = data.join(file);
        let old = fs::read_to_string(&path).expect("a file");
        fs::write(&path, old + &line + "\n").expect("a file");
    };
    append(
        "feeds/mail_events.jsonl",
        format!(
            r#"{{"id":"evt_late_1","type":"mail_events.unsubscribed","data":{{"recipient":"{stops}","unsubscribed":true,"at":"2026-11-02T10:00:00Z"}}}}"#
        ),
    );
    append(
        "feeds/forms.jsonl",
        r#"{"id":"evt_late_2","type":"forms.submitted","data":{"form":"demo","email":" New.Lead@newcomer.example","first_name":"Nora","last_name":"Ní Bhriain","at":"2026-11-02T10:00:00Z"}}"#.to_owned(),
    );
    append(
        "warehouse/lead_scores.csv",
        format!("{scored},99,m8,2026-11-02T10:00:00Z"),
    );

    example.run();
    let after = table(&data.join("crm.db"), "contacts");
    let mailer = table(&data.join("mailer.db"), "subscribers");
    let reports = csv(&data.join("warehouse/contacts.csv"));
    let people = |key: &str| {
        let found = |rows: &[Row], column| row_where(rows, column, key).expect("a row").clone();
        (
            found(&after, "email"),
            found(&mailer, "address"),
            found(&reports, "email"),
        )
    };
    for out in [&stops, &stale] {
        let (crm, mailer, report) = people(out);
        assert_eq!(crm["has_opted_out"], "1", "{out} in the CRM");
        assert_eq!(mailer["unsubscribed"], "1", "{out} in the mail platform");
        assert_eq!(report["opted_out"], "true", "{out} in the reports");
    }
    let (_, subscriber, report) = people(&moved);
    assert_eq!(
        (&*subscriber["stage"], &*report["lead_status"]),
        ("sales_ready", "qualified")
    );
    let (crm_row, subscriber, report) = people(&scored);
    for score in [
        &crm_row["lead_score"],
        &subscriber["score"],
        &report["score"],
    ] {
        assert_eq!(score, "99");
    }
    let (crm_row, subscriber, report) = people("new.lead@newcomer.example");
    assert_eq!(
        (&*crm_row["first_name"], &*crm_row["status"]),
        ("Nora", "Open")
    );
    assert_eq!(subscriber["full_name"], "Nora Ní Bhriain");
    assert_eq!(report["last_name"], "Ní Bhriain");
    let reported = csv(&data.join("warehouse/subscriptions.csv"));
    assert!(
        row_where(&reported, "workspace", &gone).is_none(),
        "`{gone}` is still reported"
    );
    let known = table(&data.join("crm.db"), "subscriptions");
    assert!(
        row_where(&known, "workspace_id", &gone).is_some(),
        "the CRM forgot `{gone}`"
    );

    // Whoever has nothing to do with any of this is as before.
    let touched = [&stops, &moved, &scored, &stale, "new.lead@newcomer.example"];
    let others = |rows: &[Row]| {
        let other = |row: &&Row| {
            let key = inputs::key(row.get("email").map_or("", String::as_str));
            !touched.contains(&key.as_str())
        };
        rows.iter().filter(other).cloned().collect::<Vec<_>>()
    };
    same("crm contacts of others", others(&after), others(&before));
    example.assert_nothing_left();
}

#[test]
fn the_data_is_the_same_for_the_same_seed_only() {
    let [one, same, other] = [(400, 1), (400, 1), (400, 2)].map(|(n, seed)| {
        let example = Example::new(n, seed);
        let bytes = example.bytes().into_iter();
        bytes
            .map(|(path, bytes)| (path.file_name().map(|n| n.to_owned()), bytes))
            .collect::<BTreeMap<_, _>>()
    });
    assert!(one == same, "the same seed made other data");
    assert!(one != other, "another seed made the same data");
}

#[test]
fn the_data_is_as_untidy_as_it_says() {
    let example = Example::new(24_000, 7);
    let inputs = inputs::read(&example.data());
    let expected = oracle::expect(&inputs);
    let people = expected.contacts.len() - expected.refused_contacts;
    assert!(inputs.contacts.len() - expected.duplicates >= 20_000);
    assert!(people > 22_000 && expected.duplicates > 1_000 && expected.refused_contacts > 200);
    let scripts = [
        "伟",
        "さくら",
        "민준",
        "Анна",
        "Ελένη",
        "ليلى",
        "תמר",
        "प्रिया",
        "Łukasz",
    ];
    for name in scripts {
        let known = inputs
            .contacts
            .iter()
            .any(|r| r.get("first_name").is_some_and(|n| n == name));
        assert!(known, "nobody is called {name}");
    }
    let typed = |row: &Row| row.get("email").is_some_and(|e| *e != inputs::key(e));
    assert!(inputs.contacts.iter().filter(|r| typed(r)).count() > 3_000);
    let late = inputs
        .mail
        .events
        .windows(2)
        .filter(|w| w[0].at > w[1].at)
        .count();
    assert!(late > 50, "{late} events out of order");
}
