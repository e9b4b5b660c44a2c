use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::Sqlite;
use crate::connector::testing::*;
use crate::engine::ports::{Connector, Failure, FailureClass, Page, ReadRequest, Row, Write};
use crate::value::Value;

fn file(sql: &str) -> (tempfile::TempDir, std::path::PathBuf, Connection) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("desk.db");
    let connection = Connection::open(&path).expect("opens");
    connection.execute_batch(sql).expect("a schema");
    (dir, path, connection)
}

fn open(path: &Path, map: serde_json::Value) -> Sqlite {
    let plan = plan(json!({"connector": "sqlite"}), map, true);
    let mut sqlite = Sqlite::open(&plan, 0, path.to_path_buf()).expect("opens");
    sqlite.busy_wait = Duration::from_millis(20);
    sqlite
}

fn with_cursor(fields: &[&str], cursor: &str) -> serde_json::Value {
    let mut map = same_names(fields);
    map["cursor"] = json!(cursor);
    map
}

/// All pages of a read, `limit` records each.
fn read(sqlite: &mut Sqlite, since: Option<&str>, limit: usize) -> Page {
    let mut whole = Page::default();
    let mut page = None;
    loop {
        let got = sqlite
            .read(&ReadRequest {
                since: since.map(str::to_owned),
                page: page.clone(),
                limit,
                ..all()
            })
            .expect("a page");
        assert!(got.rows.len() <= limit);
        whole.rows.extend(got.rows);
        whole.cursor = got.cursor;
        page = got.next;
        if page.is_none() {
            return whole;
        }
    }
}

fn keys(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|r| r.key.as_str()).collect()
}

fn write(sqlite: &mut Sqlite, writes: Vec<Write>) -> Vec<(usize, String)> {
    sqlite.write(&batch(writes)).expect("writes").rejected
}

fn column(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("prepares");
    let rows = statement.query_map([], |r| r.get(0)).expect("queries");
    rows.map(|r| r.expect("a text")).collect()
}

fn setup(result: Result<impl std::fmt::Debug, Failure>) -> (String, String) {
    let failure = result.expect_err("fails");
    assert_eq!(failure.class, FailureClass::Setup);
    (failure.message, failure.remedy.expect("a remedy"))
}

const INSERT: &str = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 24)
    INSERT INTO contacts SELECT printf('u%02d@x', i), printf('N%d', i), i / 5 FROM n;";

#[test]
fn every_kind_of_table_is_read_whole_page_by_page() {
    let columns = "email TEXT, name TEXT, version INTEGER";
    let tables = [
        format!("CREATE TABLE contacts ({columns}); {INSERT}"),
        format!(
            "CREATE TABLE contacts ({columns}, PRIMARY KEY (version, email DESC)) WITHOUT ROWID; {INSERT}"
        ),
        format!(
            "CREATE TABLE base ({columns}); CREATE VIEW contacts AS SELECT email, name, version FROM base; {}",
            INSERT.replace("INTO contacts", "INTO base")
        ),
        // A column that hides the rowid.
        format!(
            "CREATE TABLE contacts ({columns}, rowid TEXT); {}",
            INSERT.replace("i / 5", "i / 5, 'same'")
        ),
    ];
    for sql in tables {
        let (_dir, path, _held) = file(&sql);
        for limit in [1, 4, 5, 25, 100] {
            let mut sqlite = open(&path, with_cursor(&["name"], "version"));
            let whole = read(&mut sqlite, None, limit);
            let mut found = keys(&whole.rows);
            found.sort_unstable();
            let wanted: Vec<_> = (0..25).map(|i| format!("u{i:02}@x")).collect();
            assert_eq!(found, wanted, "{sql} by {limit}");
            assert_eq!(whole.cursor.as_deref(), Some("4"));
        }
    }
}

#[test]
fn a_read_by_change_shows_every_tie_once() {
    let (_dir, path, connection) = file(&format!(
        "CREATE TABLE contacts (email TEXT, name TEXT, version INTEGER); {INSERT}
         INSERT INTO contacts VALUES ('none@x', 'N', NULL)"
    ));
    for limit in [1, 3, 5, 11, 50] {
        let mut sqlite = open(&path, with_cursor(&["name"], "version"));
        let changed = read(&mut sqlite, Some("3"), limit);
        let mut wanted = vec!["none@x".to_owned()];
        wanted.extend((15..25).map(|i| format!("u{i:02}@x")));
        assert_eq!(keys(&changed.rows), wanted, "by {limit}");
        assert_eq!(changed.cursor.as_deref(), Some("4"));
    }
    let mut sqlite = open(&path, with_cursor(&["name"], "version"));
    connection
        .execute("DELETE FROM contacts WHERE version = 4", [])
        .expect("deletes");
    let changed = read(&mut sqlite, Some("4"), 10);
    assert_eq!(keys(&changed.rows), ["none@x"]);
    assert_eq!(changed.cursor.as_deref(), Some("4"), "it never goes back");
}

#[test]
fn the_overlap_is_taken_from_times_however_they_are_written() {
    let (_dir, path, connection) =
        file("CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, at TEXT)");
    let mut map = with_cursor(&["name"], "at");
    map["overlap"] = json!(60_000);
    let cases = [
        (
            "2026-01-05T00:00:00Z",
            "2026-01-05T00:00:59.5Z",
            "2026-01-05T00:01:00Z",
        ),
        (
            "2026-01-05 00:00:00",
            "2026-01-05 00:00:59",
            "2026-01-05 00:01:00",
        ),
        ("1767571200", "1767571259", "1767571260"),
        ("1767571200000", "1767571259999", "1767571260000"),
    ];
    for (old, inside, last) in cases {
        for kind in ["TEXT", "INTEGER", "BLOB", "DATETIME"] {
            connection
                .execute_batch(&format!(
                    "DROP TABLE contacts; CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, at {kind});"
                ))
                .expect("a table");
            for (key, at) in [("old@x", old), ("in@x", inside), ("last@x", last)] {
                let text = rusqlite::params![key, at];
                let number = at.parse::<i64>().map(rusqlite::types::Value::Integer);
                let sql = "INSERT INTO contacts VALUES (?1, 'N', ?2)";
                match number {
                    Ok(n) => connection.execute(sql, rusqlite::params![key, n]),
                    Err(_) => connection.execute(sql, text),
                }
                .expect("inserts");
            }
            let mut sqlite = open(&path, map.clone());
            let full = read(&mut sqlite, None, 10);
            assert_eq!(full.cursor.as_deref(), Some(last));
            let changed = read(&mut sqlite, full.cursor.as_deref(), 1);
            let found = keys(&changed.rows);
            assert!(
                found.ends_with(&["in@x", "last@x"]),
                "{kind} {last}: {found:?}"
            );
        }
    }
}

#[test]
fn a_full_read_hands_on_no_cursor_that_passes_over_a_change_behind_it() {
    let (_dir, path, connection) = file(&format!(
        "CREATE TABLE contacts (email TEXT, name TEXT, version INTEGER); {INSERT}"
    ));
    let mut sqlite = open(&path, with_cursor(&["name"], "version"));
    let first = sqlite
        .read(&ReadRequest { limit: 5, ..all() })
        .expect("a page");
    connection
        .execute_batch(
            "UPDATE contacts SET version = 10 WHERE email = 'u00@x';
             UPDATE contacts SET version = 11 WHERE email = 'u20@x'",
        )
        .expect("updates");
    let rest = sqlite
        .read(&ReadRequest {
            page: first.next,
            ..all()
        })
        .expect("the rest");
    assert_eq!(rest.rows.len(), 20);
    let next = read(&mut sqlite, rest.cursor.as_deref(), 50);
    assert!(keys(&next.rows).contains(&"u00@x"));
}

#[test]
fn upserts_find_their_row_with_or_without_a_unique_key() {
    let schemas = [
        "CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT, age INTEGER, note TEXT)",
        "CREATE TABLE contacts (email TEXT, name TEXT, age INTEGER, note TEXT)",
        "CREATE TABLE contacts (email TEXT, name TEXT, age INTEGER, note TEXT); CREATE UNIQUE INDEX k ON contacts (email COLLATE NOCASE)",
        "CREATE TABLE contacts (email TEXT UNIQUE, name TEXT, age INTEGER, note TEXT NOT NULL DEFAULT 'd')",
    ];
    for schema in schemas {
        let (_dir, path, connection) = file(&format!(
            "{schema}; INSERT INTO contacts VALUES ('a@x', 'A', 1, 'kept'), ('b@x', 'B', 2, 'kept')"
        ));
        let mut sqlite = open(&path, same_names(&["name", "age"]));
        let rejected = write(
            &mut sqlite,
            vec![
                upsert("a@x", &[("age", Value::Int(9))]),
                delete("b@x"),
                upsert("c@x", &[("name", text("C")), ("age", Value::Null)]),
                upsert("d@x", &[]),
                delete("nobody@x"),
            ],
        );
        assert_eq!(rejected, []);
        let sql = "SELECT email || '/' || ifnull(name, '-') || '/' || ifnull(age, '-') || '/' || (ifnull(note, '-') = 'kept') FROM contacts ORDER BY email";
        assert_eq!(
            column(&connection, sql),
            ["a@x/A/9/1", "c@x/C/-/0", "d@x/-/-/0"],
            "{schema}"
        );
    }
}

#[test]
fn a_field_of_a_row_is_changed_where_a_new_row_would_need_more() {
    let (_dir, path, connection) = file(
        "CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT NOT NULL, age INTEGER, CHECK (length(name) > 0 AND age < 100));
         INSERT INTO contacts VALUES ('a@x', 'A', 1)",
    );
    let mut sqlite = open(&path, same_names(&["name", "age"]));
    let rejected = write(
        &mut sqlite,
        vec![
            upsert("a@x", &[("age", Value::Int(2))]),
            upsert("b@x", &[("age", Value::Int(2))]),
            upsert("c@x", &[("name", text("C")), ("age", Value::Int(120))]),
            upsert("d@x", &[("name", text("D")), ("age", Value::Int(3))]),
        ],
    );
    let positions: Vec<_> = rejected.iter().map(|r| r.0).collect();
    assert_eq!(positions, [1, 2]);
    assert_eq!(rejected[0].1, "NOT NULL constraint failed: contacts.name");
    assert!(rejected[1].1.starts_with("CHECK constraint failed"));
    let found = column(&connection, "SELECT email || age FROM contacts ORDER BY 1");
    assert_eq!(found, ["a@x2", "d@x3"]);
}

#[test]
fn a_record_that_ends_the_transaction_takes_no_other_with_it() {
    let (_dir, path, connection) = file(
        "CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT);
         CREATE TRIGGER no BEFORE INSERT ON contacts WHEN new.name = 'bad'
         BEGIN SELECT raise(ROLLBACK, 'never'); END;",
    );
    let mut sqlite = open(&path, same_names(&["name"]));
    let writes = ["a", "bad", "c", "bad", "e"].iter().enumerate();
    let writes = writes.map(|(i, n)| upsert(&format!("{i}@x"), &[("name", text(n))]));
    let rejected = write(&mut sqlite, writes.collect());
    // What a trigger says may be made of values: it stands below the cause.
    let why = "a trigger of the table refuses it\nnever".to_owned();
    assert_eq!(rejected, [(1, why.clone()), (3, why)]);
    assert_eq!(
        column(&connection, "SELECT name FROM contacts"),
        ["a", "c", "e"]
    );
}

#[test]
fn the_key_is_sought_as_the_system_shows_it() {
    let map = json!({"fields": [
        {"field": "number", "column": "no", "key": true},
        {"field": "name", "column": "name"}
    ]});
    let (_dir, path, connection) = file(
        "CREATE TABLE contacts (no TEXT, name TEXT); INSERT INTO contacts VALUES ('0042', 'A')",
    );
    let mut sqlite = open(&path, map);
    let found = read(&mut sqlite, None, 10).rows;
    assert_eq!(
        (found[0].key.as_str(), found[0].native_key.as_deref()),
        ("42", Some("0042"))
    );
    let mut change = upsert("42", &[("name", text("B"))]);
    change.native_key = found[0].native_key.clone();
    assert_eq!(write(&mut sqlite, vec![change]), []);
    assert_eq!(
        column(&connection, "SELECT no || name FROM contacts"),
        ["0042B"]
    );
}

#[test]
fn what_is_missing_is_named_with_the_statement_that_mends_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("none.db");
    let (message, remedy) = setup(open(&path, same_names(&["age"])).read(&all()));
    assert!(message.contains("none.db"), "{message}");
    let create =
        r#"CREATE TABLE "contacts" ("email" TEXT NOT NULL, "age" INTEGER, PRIMARY KEY ("email"))"#;
    assert!(remedy.contains(create), "{remedy}");
    assert!(!path.exists(), "asking creates nothing");

    let (_dir, path, connection) = file("CREATE TABLE contact (email TEXT)");
    let (message, remedy) = setup(open(&path, same_names(&["age"])).write(&batch(vec![])));
    assert!(message.ends_with("has no table `contacts`"), "{message}");
    assert!(
        remedy.contains("`contact`") && remedy.contains(create),
        "{remedy}"
    );

    connection
        .execute_batch("CREATE TABLE contacts (email TEXT, \"aeg\" INTEGER)")
        .expect("a table");
    let mut sqlite = open(&path, same_names(&["age"]));
    let (message, remedy) = setup(sqlite.read(&all()));
    assert!(
        message.ends_with("table `contacts` has no column `age`"),
        "{message}"
    );
    let alter = r#"ALTER TABLE "contacts" ADD COLUMN "age" INTEGER"#;
    assert!(
        remedy.contains("`aeg`") && remedy.ends_with(alter),
        "{remedy}"
    );
    connection.execute_batch(alter).expect("the remedy works");
    assert_eq!(sqlite.read(&all()).expect("reads").rows, []);

    std::fs::write(
        &path,
        "no database at all, but long enough to be looked at ".repeat(40),
    )
    .expect("a file");
    setup(open(&path, same_names(&["age"])).read(&all()));
}

#[test]
fn a_lock_is_waited_for_and_then_left_for_later() {
    let (_dir, path, connection) =
        file("CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT)");
    let mut sqlite = open(&path, same_names(&["name"]));
    connection.execute_batch("BEGIN EXCLUSIVE").expect("locks");
    let failure = sqlite
        .write(&batch(vec![upsert("a@x", &[])]))
        .expect_err("locked");
    assert_eq!(failure.class, FailureClass::Retry { after_ms: None });
    assert!(failure.remedy.is_some());
    let failure = sqlite.read(&all()).expect_err("locked");
    assert_eq!(failure.class, FailureClass::Retry { after_ms: None });
    connection.execute_batch("COMMIT").expect("unlocks");
    assert_eq!(write(&mut sqlite, vec![upsert("a@x", &[])]), []);
    assert_eq!(read(&mut sqlite, None, 10).rows.len(), 1);
}

#[test]
fn a_file_that_takes_the_place_of_another_is_the_one_that_is_used() {
    let (dir, path, _held) = file("CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT)");
    let mut sqlite = open(&path, same_names(&["name"]));
    assert_eq!(write(&mut sqlite, vec![upsert("a@x", &[])]), []);
    let other = dir.path().join("other.db");
    let connection = Connection::open(&other).expect("opens");
    connection
        .execute_batch("CREATE TABLE contacts (email TEXT PRIMARY KEY, name TEXT)")
        .expect("a table");
    std::fs::rename(&other, &path).expect("replaced");
    assert_eq!(write(&mut sqlite, vec![upsert("b@x", &[])]), []);
    assert_eq!(column(&connection, "SELECT email FROM contacts"), ["b@x"]);
}

#[test]
fn every_value_and_character_comes_back_as_it_was() {
    let fields = [
        "age",
        "balance",
        "born",
        "doc",
        "name",
        "opted_out",
        "seen",
        "status",
        "tags",
    ];
    let name = "odd \"name\" -- ; '";
    let mut map = same_names(&fields);
    map["object"] = json!(name);
    map["fields"][5]["column"] = json!("na\"me");
    let plan = plan(json!({"connector": "sqlite"}), map, true);
    let (_dir, path, connection) = file("");
    let mut sqlite = Sqlite::open(&plan, 0, path).expect("opens");
    let (_, remedy) = setup(sqlite.read(&all()));
    let (_, create) = remedy.split_once(": ").expect("a statement");
    connection.execute_batch(create).expect("the remedy works");
    let written = upsert(
        ANY_TEXT,
        &[
            ("age", Value::Int(36)),
            (
                "balance",
                Value::Decimal("1234567890.25".parse().expect("a decimal")),
            ),
            ("born", Value::Date("1815-12-10".parse().expect("a date"))),
            (
                "doc",
                Value::Json(json!({ ANY_TEXT: [1, null] }).to_string().into()),
            ),
            ("name", text(&format!("\0{ANY_TEXT}"))),
            ("opted_out", Value::Bool(true)),
            ("seen", Value::Datetime(1_767_571_200_123_456)),
            ("status", text("lost")),
            ("tags", Value::set(vec![text("b"), text(ANY_TEXT)])),
        ],
    );
    let mut written = written;
    written.key = crate::engine::ports::key_text([&text(ANY_TEXT)]).into();
    assert_eq!(write(&mut sqlite, vec![written.clone()]), []);
    let found = read(&mut sqlite, None, 10).rows;
    assert_eq!(found[0].problem, None);
    assert_eq!(found[0].key, written.key);
    assert_eq!(found[0].fields, written.fields);
    assert_eq!(found[0].native_key, None);
}

#[test]
fn a_cell_that_does_not_fit_is_a_problem_of_its_row() {
    let (_dir, path, _held) = file(
        "CREATE TABLE contacts (email TEXT, age ANY, deleted TEXT, changed TEXT);
         INSERT INTO contacts VALUES ('a@x', 12.0, NULL, '2026-01-05T00:00:00Z'), ('b@x', 'old', '2026-01-05', ''),
            (NULL, 1, 0, NULL), (x'ff', 1, 'maybe', NULL), ('c@x', 3, 1, 'never')",
    );
    let mut map = same_names(&["age"]);
    map["deleted"] = json!("deleted");
    map["changed_at"] = json!("changed");
    let rows = read(&mut open(&path, map), None, 2).rows;
    let ends: Vec<_> = rows
        .iter()
        .map(|r| {
            r.problem
                .as_deref()
                .and_then(|p| p.split_once("`contacts` "))
                .map(|p| p.1)
        })
        .collect();
    assert_eq!(
        ends,
        [
            None,
            Some("rowid 2: column `age`: `old` is no int(0..150)"),
            Some("rowid 3: column `email`: the key is empty"),
            Some("rowid 4: column `email`: `\u{fffd}` is not UTF-8 text"),
            Some("rowid 5: column `changed`: `never` is no time"),
        ]
    );
    let deleted: Vec<_> = rows.iter().map(|r| r.deleted).collect();
    assert_eq!(deleted, [false, true, false, false, true]);
    assert_eq!(rows[0].changed_at, Some(1_767_571_200_000_000));
    assert_eq!(
        rows[1].raw.as_deref(),
        Some(r#"{"email":"b@x","age":"old","changed":"","deleted":"2026-01-05"}"#)
    );
}

#[test]
fn one_of_several_records_of_a_key_goes_by_its_locator() {
    let columns = "email TEXT, name TEXT, n INTEGER";
    for end in [")", ", PRIMARY KEY (n, name)) WITHOUT ROWID"] {
        let (_dir, path, connection) = file(&format!(
            "CREATE TABLE contacts ({columns}{end};
             INSERT INTO contacts VALUES ('a@x', 'A', 1), ('a@x', 'B', 2), ('b@x', 'B', 3)"
        ));
        let mut sqlite = open(&path, same_names(&["name"]));
        let request = ReadRequest {
            locate: true,
            ..all()
        };
        let found = sqlite.read(&request).expect("reads").rows;
        let gone = |at: usize, key: &str| Write {
            locator: found[at].locator.clone(),
            ..delete(key)
        };
        // The place of another record by now: nothing of that one goes.
        let writes = vec![gone(0, "a@x"), gone(2, "c@x")];
        assert_eq!(write(&mut sqlite, writes), []);
        let left = column(&connection, "SELECT email || name FROM contacts ORDER BY 1");
        assert_eq!(left, ["a@xB", "b@xB"], "{end}");
    }
}
