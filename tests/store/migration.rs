//! Stores of older formats with everything that a runner can leave in one, opened by the real
//! binary, which is killed at every point of the migration and started again.

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use syncline::store::{APPLICATION_ID, FORMAT};

const POLICY: &str = r#"
policy old { timezone "UTC" }
system forms {
  connector webhook
  option path = "/hooks/forms"
  secret signing = env("FORMS_SECRET")
}
system crm { connector sqlite option path = "crm.db" }
system copy { connector sqlite option path = "copy.db" }
entity contact {
  key email
  owner crm
  accepts forms
  resolve last_write_wins
  field email: email
  field name: text(40)?
}
map contact in forms { same_names  changed_at "at" }
map contact in crm "contacts" { same_names  cursor "updated_at"  changed_at "updated_at" }
map contact in copy "contacts" { same_names  cursor "updated_at" }
scenario signup {
  when forms.submitted
  sync contact(name) from forms to crm
  mode realtime
}
scenario nightly { sync contact(name) from crm to copy mode daily at 03:00 }
"#;

/// The steps to each format, as they were released.
const STEPS: [&str; 5] = [
    include_str!("../../src/store/sqlite/schema.sql"),
    include_str!("../../src/store/sqlite/schema_2.sql"),
    include_str!("../../src/store/sqlite/schema_3.sql"),
    include_str!("../../src/store/sqlite/schema_4.sql"),
    include_str!("../../src/store/sqlite/schema_5.sql"),
];

/// Registers as format 3 has them: fields of one origin under `said`, unless they have changed.
const AS_FORMAT_3: &str = r#"
UPDATE records SET doc = '{"version":1,"marks":[[1767571200000000,"evt_1"]],"said":{"forms":[[0,{"name":"Ada"}]]},"systems":{"crm":{"known":{"name":0}}}}'
  WHERE key = 'ada@x.example';
UPDATE records SET doc = '{"version":2,"marks":[[1767571200000000,"evt_2"],[1767571100000000,"evt_0"]],"fields":{"name":{"forms":{"latest":["Bob",0],"earliest":["Rob",1]}}},"systems":{"crm":{"known":{"name":0},"sent":[["name","Rob",1767571100000000,1767571200000000]]}}}'
  WHERE key = 'bob@x.example';
UPDATE outbox SET version = 2;
"#;

/// Registers as format 5 has them: those of a few among many are apart, and hold.
const AS_FORMAT_5: &str = r#"
INSERT INTO records_fresh SELECT * FROM records_settled WHERE key = 'bob@x.example';
UPDATE records_settled SET doc = '{"version":1}' WHERE key = 'bob@x.example';
"#;

/// What a runner of format 1 left: an event that was acknowledged and not worked on, a write that
/// waits, one that was given up, a run that was killed while it wrote, and what it knew of records.
const LEFT: &str = r#"
INSERT INTO events (system, id, body, received_at) VALUES ('forms', 'evt_9',
  '{"type":"submitted","data":{"email":"eve@x.example","name":"Eve","at":"2026-01-05T00:00:00Z"}}', 1767571200000);
INSERT INTO event_ids SELECT 'forms', 'evt_1', CAST(strftime('%s', 'now') AS INTEGER) * 1000;
INSERT INTO event_ids SELECT 'forms', 'evt_9', CAST(strftime('%s', 'now') AS INTEGER) * 1000;
INSERT INTO records VALUES
  ('contact', 'ada@x.example', '{"version":1,"marks":[[1767571200000000,"evt_1"]],"fields":{"name":{"forms":["Ada",0]}},"systems":{"crm":{"known":{"name":0}}}}'),
  ('contact', 'bob@x.example', '{"version":1,"marks":[[1767571200000000,"evt_2"]],"fields":{"name":{"forms":["Bob",0]}},"systems":{"crm":{"known":{"name":0}}}}'),
  ('contact', 'dan@x.example', '{"version":1,"marks":[[1767571200000000,"evt_3"]],"fields":{"name":{"forms":["Dan",0]}},"systems":{}}');
INSERT INTO outbox (system, entity, key, scenario, fields, deletes, version, since_at, due_at, attempts, error)
  VALUES ('crm', 'contact', 'bob@x.example', 'signup', '["name"]', 0, 1, 1767571200000, 1767571201000, 2, 'crm was away');
INSERT INTO dead_letters (id, system, entity, key, scenario, payload, error, attempts, first_at, last_at)
  VALUES (7, 'crm', 'contact', 'dan@x.example', 'signup', '{"name":"Dan"}', 'refused', 5, 1767571200000, 1767571300000);
INSERT INTO runs (id, scenario, why, status, started_at, ended_at, read, changed, deduplicated, quarantined,
    written, failed, conflicts, drift, calls, cursor_before, cursor_after, confirmed, committed, note)
  VALUES (3, 'nightly', 'schedule', 'done', 1767571200000, 1767571260000, 4, 3, 0, 1, 3, 0, 0, 0,
    '{"crm":1,"copy":1}', '{}', '{"contact/crm":"2026-01-01T00:00:00Z"}', 'zoe@x.example', 'zoe@x.example', NULL),
  (4, 'nightly', 'schedule', 'writing', 1767657600000, NULL, 1, 1, 0, 0, 0, 0, 0, 0,
    '{"crm":1}', '{"contact/crm":"2026-01-01T00:00:00Z"}', '{"contact/crm":"2026-01-04T00:00:00Z"}', NULL, 'kim@x.example', NULL);
INSERT INTO quarantine (run, scenario, system, entity, key, reason, record)
  VALUES (3, 'nightly', 'crm', 'contact', 'bad', 'no address', '{"email":"bad"}');
INSERT INTO conflicts (entity, key, field, "values", since_at)
  VALUES ('contact', 'ada@x.example', 'name', '{"forms":"Ada","crm":"Ida"}', 1767571200000);
INSERT INTO owed VALUES ('nightly', 'contact', 'ada@x.example');
INSERT INTO meta VALUES ('cursor:nightly/contact/crm', '2026-01-01T00:00:00Z');
"#;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn old_store(path: &Path, format: usize) {
    let store = Connection::open(path).unwrap();
    store.pragma_update(None, "journal_mode", "wal").unwrap();
    let (steps, later) = STEPS[..format].split_at(format.min(4));
    for step in steps {
        store.execute_batch(step).unwrap();
    }
    store.execute_batch(LEFT).unwrap();
    store
        .execute_batch(&format!(
            "INSERT INTO meta VALUES ('format', '{format}');
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {format};"
        ))
        .unwrap();
    if format == 3 {
        store.execute_batch(AS_FORMAT_3).unwrap();
    }
    if format >= 2 {
        let sql =
            "UPDATE outbox SET priority = 'intent'; UPDATE runs SET postponed = 2 WHERE id = 3";
        store.execute_batch(sql).unwrap();
    }
    // From format 5 on some of it is seen through views.
    for step in later {
        store.execute_batch(step).unwrap();
        store.execute_batch(AS_FORMAT_5).unwrap();
    }
}

fn set_up(dir: &Path, format: usize) -> PathBuf {
    std::fs::write(dir.join("policy.sync"), POLICY).unwrap();
    for name in ["crm.db", "copy.db"] {
        let there = Connection::open(dir.join(name)).unwrap();
        there
            .execute_batch(
                "CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, updated_at TEXT)",
            )
            .unwrap();
    }
    let crm = Connection::open(dir.join("crm.db")).unwrap();
    crm.execute_batch(
        "INSERT INTO contacts VALUES ('ada@x.example', 'Ada', '2026-01-05T00:00:00Z'),
         ('kim@x.example', 'Kim', '2026-01-03T00:00:00Z'), ('zoe@x.example', 'Zoe', '2025-12-01T00:00:00Z')",
    )
    .unwrap();
    let path = dir.join(".syncline.db");
    old_store(&path, format);
    path
}

/// Runs the plan until it is idle; `dies`: at that place.
fn run(dir: &Path, dies: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command
        .args(["run", "--until-idle"])
        .arg(dir)
        .env("FORMS_SECRET", "whsec_c3luY2xpbmUgc3luY2xpbmUgc3luY2xpbmU=");
    if let Some(place) = dies {
        command.env("SYNCLINE_FAILPOINT", format!("{place}:1"));
    }
    let out = command.output().unwrap();
    (
        out.status.code().is_some(),
        String::from_utf8(out.stderr).unwrap(),
    )
}

fn lines(path: &Path, sql: &str) -> Vec<String> {
    let there = Connection::open(path).unwrap();
    let mut query = there.prepare(sql).unwrap();
    let rows = query.query_map([], |r| r.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Everything of the old store, whatever its format.
fn holdings(path: &Path) -> Vec<String> {
    let tables = [
        "SELECT 'event ' || system || id || body FROM events",
        "SELECT 'id ' || system || id || received_at FROM event_ids",
        "SELECT 'record ' || key || doc FROM records",
        "SELECT 'waits ' || system || key || fields || version || since_at || attempts || error FROM outbox",
        "SELECT 'letter ' || id || system || key || payload || error || attempts FROM dead_letters",
        "SELECT 'run ' || id || status || read || written || calls || cursor_after || coalesce(ended_at, '') FROM runs",
        "SELECT 'kept back ' || run || reason || record FROM quarantine",
        "SELECT 'conflict ' || key || field || \"values\" FROM conflicts",
        "SELECT 'owed ' || scenario || key FROM owed",
        "SELECT 'meta ' || key || value FROM meta WHERE key NOT IN ('format')",
        "SELECT 'whole ' || integrity_check FROM pragma_integrity_check",
    ];
    let sql = tables.join(" UNION ALL ") + " ORDER BY 1";
    lines(path, &sql)
}

fn format_of(path: &Path) -> String {
    let sql = "SELECT value || '/' || (SELECT user_version FROM pragma_user_version) \
               FROM meta WHERE key = 'format'";
    lines(path, sql).remove(0)
}

#[test]
fn an_older_store_loses_nothing_wherever_its_migration_is_killed() {
    if !cfg!(debug_assertions) {
        return;
    }
    for format in [1, 2, 3, 4, 5] {
        for places in [
            &["store.set_up"][..],
            &["store.migrating"],
            &["store.migrated"],
            &["store.migrating", "store.set_up", "store.migrated"],
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = set_up(dir.path(), format);
            let before = holdings(&path);
            assert_eq!(before.len(), 15, "{before:#?}");
            for place in places {
                let (lived, told) = run(dir.path(), Some(place));
                assert!(!lived, "{place} was not reached: {told}");
                // As a copy, so that what looks at it mends nothing.
                let copy = dir.path().join("copy-of-store.db");
                for suffix in ["", "-wal"] {
                    let _ = std::fs::remove_file(beside(&copy, suffix));
                    let _ = std::fs::copy(beside(&path, suffix), beside(&copy, suffix));
                }
                let _ = std::fs::remove_file(beside(&copy, "-shm"));
                assert_eq!(holdings(&copy), before, "format {format}, {place}");
                let now = match *place {
                    "store.migrated" => FORMAT as usize,
                    _ => format,
                };
                assert_eq!(format_of(&copy), format!("{now}/{now}"), "{place}");
            }
            let (lived, told) = run(dir.path(), None);
            assert!(lived, "{told}");
            whole(dir.path(), &path, &told);
        }
    }
}

/// All that the old runner had promised is done, and what waits for people still waits.
fn whole(dir: &Path, path: &Path, told: &str) {
    assert_eq!(format_of(path), format!("{FORMAT}/{FORMAT}"));
    let all = "SELECT email || '=' || name FROM contacts ORDER BY 1";
    assert_eq!(
        lines(&dir.join("crm.db"), all),
        [
            "ada@x.example=Ada",
            "bob@x.example=Bob",
            "eve@x.example=Eve",
            "kim@x.example=Kim",
            "zoe@x.example=Zoe"
        ],
        "{told}"
    );
    // By the cursor: what is older than the last run's end was copied then.
    let copied = lines(&dir.join("copy.db"), all);
    assert!(
        copied.contains(&"ada@x.example=Ada".into())
            && copied.contains(&"kim@x.example=Kim".into()),
        "{copied:?} {told}"
    );
    assert!(!copied.contains(&"zoe@x.example=Zoe".into()), "{copied:?}");
    let count = |sql: &str| lines(path, &format!("SELECT CAST(count(*) AS TEXT) FROM {sql}"));
    assert_eq!(count("outbox"), ["0"]);
    assert_eq!(count("events"), ["0"]);
    assert_eq!(count("event_ids WHERE id IN ('evt_1', 'evt_9')"), ["2"]);
    assert_eq!(count("runs WHERE ended_at IS NULL"), ["0"]);
    assert_eq!(count("runs WHERE id IN (3, 4)"), ["2"]);
    assert_eq!(
        count("dead_letters WHERE id = 7 AND error = 'refused'"),
        ["1"]
    );
    assert_eq!(count("quarantine WHERE key = 'bad'"), ["1"]);
}

/// Registers of which there was one in each row, and a few apart: all of them, by any key.
#[test]
fn many_registers_of_an_older_store_are_found_as_before() {
    use syncline::engine::ports::Store as _;
    use syncline::store::{OpenMode, SqliteStore};

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let old = Connection::open(&path).unwrap();
    for step in STEPS {
        old.execute_batch(step).unwrap();
    }
    // What people made of it goes on.
    old.execute_batch("CREATE VIEW mine AS SELECT key, doc FROM records WHERE entity = 'contact'")
        .unwrap();
    let mut meant = std::collections::BTreeMap::new();
    let key = |n: usize| match n % 500 {
        7 => format!("k{n:05}\"\\\n\u{1}é😀"),
        _ => format!("k{n:05}"),
    };
    let mut put = |table: &str, key: String, said: String| {
        let doc = serde_json::json!({ "said": said }).to_string();
        let sql = format!("INSERT INTO {table} VALUES ('contact', ?1, ?2)");
        old.execute(&sql, [&key, &doc]).unwrap();
        meant.insert(key, doc);
    };
    for n in 0..3_000 {
        // One of them fills more than a page.
        let long = if n == 1_234 { 20_000 } else { n % 400 };
        put("records_settled", key(n), "é\n".repeat(long));
    }
    for n in (0..3_100).step_by(31) {
        put("records_fresh", key(n), format!("fresh {n}"));
    }
    old.execute_batch(&format!(
        "INSERT INTO meta VALUES ('format', '5');
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 5;"
    ))
    .unwrap();
    drop(old);
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let all = store.records_after("contact", None, 9_999).unwrap();
    let all: Vec<(String, String)> = all.into_iter().map(|r| (r.key, r.doc)).collect();
    assert_eq!(all, meant.clone().into_iter().collect::<Vec<_>>());
    for n in [0, 1, 7, 507, 1_234, 2_999, 3_007] {
        let found = store.record("contact", &key(n)).unwrap();
        assert_eq!(found.as_ref(), meant.get(&key(n)), "{n}");
    }
    let keys: Vec<&str> = meant.keys().step_by(3).map(String::as_str).collect();
    let found = store.records_of("contact", &keys).unwrap();
    let expected = keys.iter().map(|key| meant.get(*key).cloned());
    assert_eq!(found, expected.collect::<Vec<_>>());
    drop(store);
    let meant: Vec<String> = meant.into_iter().map(|(k, d)| k + &d).collect();
    for view in ["records", "mine"] {
        let seen = format!("SELECT key || doc FROM {view} ORDER BY key");
        assert!(lines(&path, &seen) == meant, "{view}");
    }
}
