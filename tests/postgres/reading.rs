//! Whole tables, changes, pages, lost connections.

use crate::desk::{Desk, text};
use crate::server::Database;
use syncline::engine::ports::ReadRequest;
use syncline::value::Value;

const MAP: &str = r#"same_names cursor "updated_at" changed_at "updated_at" deleted "gone""#;

const TABLE: &str = "CREATE TABLE contacts (email text PRIMARY KEY, age smallint, \
    balance numeric(12,2), born date, doc jsonb, name text, opted_out boolean, \
    seen timestamptz, status text, tags text[], updated_at timestamptz, gone timestamptz)";

const INDEX: &str = "CREATE INDEX ON contacts (updated_at, email)";

fn filled(rows: usize) -> Database {
    let database = Database::new();
    database.run(TABLE);
    database.run(&format!(
        "INSERT INTO contacts (email, name, updated_at) \
         SELECT 'p' || lpad(i::text, 6, '0') || '@x.example', 'n' || i, \
                '2026-01-05T00:00:00Z'::timestamptz + i * interval '1 second' \
         FROM generate_series(1, {rows}) i"
    ));
    database
}

#[test]
fn a_table_is_read_page_by_page_and_each_row_once() {
    let database = filled(2_500);
    let mut desk = Desk::open(MAP, &database.url());
    let (rows, cursor) = desk.read(desk.request(1_000));
    let keys: Vec<&str> = rows.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(keys.len(), 2_500);
    assert!(keys.is_sorted());
    assert_eq!(cursor.as_deref(), Some("2026-01-05 00:41:40Z"));
    assert_eq!(rows[6].changed_at, Some(1_767_571_207_000_000));
    assert!(rows.iter().all(|r| r.problem.is_none() && !r.deleted));
}

#[test]
fn a_read_goes_on_after_a_lost_connection() {
    let database = filled(50);
    let mut desk = Desk::open(MAP, &database.url());
    let mut request = desk.request(20);
    let mut keys = Vec::new();
    loop {
        let page = desk.page(&request).unwrap();
        keys.extend(page.rows.iter().map(|r| r.key.clone()));
        let Some(next) = page.next else { break };
        request.page = Some(next);
        database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'syncline' AND datname = current_database()",
        );
        // The first call after it may be the one that notices.
        while desk.page(&request).is_err() {}
        let page = desk.page(&request);
        // A page that was asked for twice is given twice.
        assert_eq!(
            page.unwrap().rows.len(),
            desk.page(&request).unwrap().rows.len()
        );
    }
    keys.dedup();
    assert_eq!(keys.len(), 50);
}

/// The place where a page ended is one of several columns, or of one that is cursor and key at once.
#[test]
fn a_read_goes_on_by_a_key_of_several_columns_and_where_the_cursor_is_the_key() {
    let several = "shard int DEFAULT 1, email text, PRIMARY KEY (shard, email)";
    let one = "id bigint PRIMARY KEY, email text UNIQUE";
    for (keys, since) in [
        (several, None),
        (several, Some("2026-01-05T00:00:10Z")),
        (one, None),
        (one, Some("10")),
    ] {
        let by_id = keys == one;
        let database = Database::new();
        database.run(&TABLE.replace("email text PRIMARY KEY", keys));
        database.run(INDEX);
        let names = if by_id { "id, email" } else { "shard, email" };
        let first = if by_id { "i" } else { "i % 3" };
        database.run(&format!(
            "INSERT INTO contacts ({names}, name, updated_at) \
             SELECT {first}, 'p' || i || '@x.example', 'n' || i, \
                    '2026-01-05T00:00:00Z'::timestamptz + i * interval '1 second' \
             FROM generate_series(1, 50) i"
        ));
        let map = match by_id {
            true => r#"same_names cursor "id""#,
            false => MAP,
        };
        let mut desk = Desk::open(map, &database.url());
        let mut request = ReadRequest {
            since: since.map(str::to_owned),
            locate: true,
            ..desk.request(7)
        };
        let mut seen = Vec::new();
        loop {
            let page = (0..9).find_map(|_| desk.page(&request).ok()).unwrap();
            seen.extend(page.rows.iter().map(|r| r.key.to_string()));
            assert!(page.rows.iter().all(|r| r.locator.is_some()));
            let Some(next) = page.next else { break };
            request.page = Some(next);
            database.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'syncline' AND datname = current_database()",
            );
        }
        let read = seen.len();
        seen.sort();
        seen.dedup();
        let wanted = if since.is_some() { 41 } else { 50 };
        assert_eq!((read, seen.len()), (wanted, wanted), "{keys}, {since:?}");
    }
}

#[test]
fn a_limit_to_statements_does_not_end_a_read_that_waits_for_its_run() {
    let database = filled(300_000);
    database.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 300', \
         current_database()); END $$",
    );
    let mut desk = Desk::open(MAP, &database.url());
    let mut request = desk.request(10_000);
    let first = desk.page(&request).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(900));
    request.page = first.next;
    let (rest, _) = desk.read(request);
    assert_eq!(first.rows.len() + rest.len(), 300_000);
}

#[test]
fn a_change_to_a_page_already_read_is_in_the_next_read() {
    let database = filled(50);
    let mut desk = Desk::open(MAP, &database.url());
    let change = |n: u8, at: &str| {
        database.run(&format!(
            "UPDATE contacts SET name = 'changed', updated_at = '{at}' WHERE name = 'n{n}'"
        ));
        format!("p{n:06}@x.example")
    };
    // While the whole table is read: one record of a page that is read already, one of a page that
    // is not, each with the greatest change there is.
    let mut request = desk.request(20);
    let mut page = desk.page(&request).unwrap();
    let passed = change(3, "2026-01-06T00:00:00Z");
    let to_come = change(45, "2026-01-07T00:00:00Z");
    while let Some(next) = page.next {
        request.page = Some(next);
        page = desk.page(&request).unwrap();
    }
    let cursor = page.cursor.unwrap();
    let next = desk.since(&cursor);
    assert!(
        next.contains(&passed) && next.contains(&to_come),
        "{next:?}"
    );
    // While changes are read: one that was shown already changes again.
    let mut request = ReadRequest {
        since: Some("2026-01-05T00:00:10Z".into()),
        ..desk.request(5)
    };
    let mut page = desk.page(&request).unwrap();
    let again = page.rows[0].key.clone();
    database.run(&format!(
        "UPDATE contacts SET name = 'again', updated_at = '2026-01-08T00:00:00Z' WHERE email = '{again}'"
    ));
    while let Some(next) = page.next {
        request.page = Some(next);
        page = desk.page(&request).unwrap();
    }
    let next = desk.since(&page.cursor.unwrap());
    assert!(next.iter().any(|key| *key == again), "{next:?}");
}

/// Both ways to read changes, in the order of an index by cursor and in the table's own, over a
/// connection that is lost: what changes in a page that is read already is found by the next read.
#[test]
fn a_change_to_a_page_already_read_is_found_though_the_read_was_cut_off() {
    for index in ["", INDEX] {
        let database = filled(50);
        if !index.is_empty() {
            database.run(index);
        }
        let mut desk = Desk::open(MAP, &database.url());
        let mut request = ReadRequest {
            since: Some("2026-01-05T00:00:10Z".into()),
            ..desk.request(15)
        };
        let mut page = desk.page(&request).unwrap();
        let mut seen: Vec<String> = page.rows.iter().map(|r| r.key.to_string()).collect();
        let passed = seen[0].clone();
        // The greatest change there is comes to a record that is still to come.
        database.run(&format!(
            "UPDATE contacts SET updated_at = '2026-01-06' WHERE email = '{passed}'; \
             UPDATE contacts SET updated_at = '2026-01-07' WHERE name = 'n45'"
        ));
        database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'syncline' AND datname = current_database()",
        );
        while let Some(next) = page.next {
            request.page = Some(next);
            page = (0..9).find_map(|_| desk.page(&request).ok()).unwrap();
            seen.extend(page.rows.iter().map(|r| r.key.to_string()));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 41, "{index}");
        let next = desk.since(&page.cursor.unwrap());
        assert!(next.contains(&passed), "{index}: {next:?}");
    }
}

#[test]
fn changes_come_in_order_with_ties_and_what_has_no_cursor() {
    let database = filled(5);
    database.run("INSERT INTO contacts (email, name) VALUES ('zz@x.example', 'never dated')");
    database
        .run("UPDATE contacts SET updated_at = '2026-01-05T00:00:04Z' WHERE name IN ('n3', 'n5')");
    let mut desk = Desk::open(MAP, &database.url());
    let p = |n: u8| format!("p00000{n}@x.example");
    let zz = || "zz@x.example".to_owned();
    // Without an index by cursor they come by key.
    let since = desk.since("2026-01-05 00:00:02Z");
    assert_eq!(since, [p(2), p(3), p(4), p(5), zz()]);
    database.run(INDEX);
    let mut desk = Desk::open(MAP, &database.url());
    let since = desk.since("2026-01-05 00:00:02Z");
    assert_eq!(since, [zz(), p(2), p(3), p(4), p(5)]);
    assert_eq!(
        desk.since("2026-01-05T01:00:04+01:00"),
        [zz(), p(3), p(4), p(5)]
    );
    let mut overlapping = Desk::open(
        r#"same_names cursor "updated_at" overlap 2s changed_at "updated_at""#,
        &database.url(),
    );
    assert_eq!(overlapping.since("2026-01-05 00:00:04Z").len(), 5);
}

#[test]
fn cursors_of_every_kind_are_followed() {
    for (ty, values, since, left) in [
        ("bigint", ["7", "8", "9"], "8", 2),
        ("numeric", ["7.5", "8.25", "100"], "8.25", 2),
        (
            "timestamp",
            [
                "'2026-01-05 00:00:01'",
                "'2026-01-05 00:00:02.5'",
                "'2026-01-06'",
            ],
            "2026-01-05 00:00:02.5",
            2,
        ),
        (
            "date",
            ["'2026-01-05'", "'2026-01-06'", "'2026-01-07'"],
            "2026-01-06",
            2,
        ),
        ("text", ["'a'", "'b'", "'c'"], "b", 2),
        (
            "uuid",
            [
                "'00000000-0000-0000-0000-000000000001'",
                "'00000000-0000-0000-0000-000000000002'",
                "'00000000-0000-0000-0000-000000000003'",
            ],
            "00000000-0000-0000-0000-000000000002",
            2,
        ),
    ] {
        let database = Database::new();
        database.run(&format!(
            "CREATE TABLE contacts (email text PRIMARY KEY, name text, c {ty})"
        ));
        for (at, value) in values.iter().enumerate() {
            database.run(&format!(
                "INSERT INTO contacts VALUES ('{at}@x.example', 'n', {value})"
            ));
        }
        for index in [false, true] {
            if index {
                database.run("CREATE INDEX ON contacts (c)");
            }
            let mut desk = Desk::open(
                r#"key email = "email" field name = "name" cursor "c""#,
                &database.url(),
            );
            let (_, cursor) = desk.read(desk.request(10));
            assert_eq!(desk.since(since).len(), left, "{ty}");
            assert_eq!(desk.since(&cursor.unwrap()), ["2@x.example"], "{ty}");
            // What a read by change ends with is as good.
            let changes = ReadRequest {
                since: Some(since.into()),
                ..desk.request(10)
            };
            let (_, cursor) = desk.read(changes);
            assert_eq!(desk.since(&cursor.unwrap()), ["2@x.example"], "{ty}");
        }
    }
}

#[test]
fn tables_without_a_key_and_views_are_read_from_one_snapshot() {
    let database = filled(30);
    database
        .run("ALTER TABLE contacts RENAME TO people; CREATE VIEW contacts AS SELECT * FROM people");
    let mut desk = Desk::open(MAP, &database.url());
    let mut request = desk.request(10);
    let first = desk.page(&request).unwrap();
    database.run("DELETE FROM people");
    request.page = first.next;
    let (rest, _) = desk.read(request.clone());
    assert_eq!(first.rows.len() + rest.len(), 30);
    // Nobody holds that snapshot any more.
    let failure = desk.page(&request).unwrap_err();
    assert!(
        failure.message.contains("cannot go on where it ended"),
        "{failure}"
    );
}

#[test]
fn schemas_odd_names_and_what_cannot_be_a_value_are_told() {
    let database = Database::new();
    database.run(
        "CREATE SCHEMA \"Sales 1\"; CREATE TABLE \"Sales 1\".\"odd \"\"table\" \
         (\"E Mail\" text PRIMARY KEY, \"N'ame\" text, at timestamptz, gone boolean)",
    );
    database.run(
        "INSERT INTO \"Sales 1\".\"odd \"\"table\" VALUES ('a@x.example', 'A', 'infinity', true), \
         ('b@x.example', 'B', '2026-01-05', false)",
    );
    let map = r#"key email = "E Mail" field name = "N'ame" field seen = "at" deleted "gone""#;
    let policy_map = format!("{map} }} // ");
    let mut desk = Desk::open(&policy_map.replace("} // ", ""), &database.url());
    // The map names `contacts`: a view of that name stands for the odd table.
    database.run("CREATE VIEW contacts AS SELECT * FROM \"Sales 1\".\"odd \"\"table\"");
    let rows = desk.all();
    assert_eq!(rows.len(), 2);
    let a = rows
        .iter()
        .find(|r| r.key.starts_with("a@") || r.problem.is_some())
        .unwrap();
    assert!(a.problem.as_deref().unwrap().contains("infinity"), "{a:?}");
    let b = rows.iter().find(|r| r.key.starts_with("b@")).unwrap();
    assert_eq!(desk.shown(b, "name"), Some(&text("B")));
    assert!(!b.deleted && b.problem.is_none());
    let _ = Value::Null;
}
