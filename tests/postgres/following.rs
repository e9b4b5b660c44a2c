//! Changes told by a trigger and by logical replication.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use syncline::connector::postgres::Postgres;
use syncline::connector::registry;
use syncline::engine::ports::{Connector, EventPage, FailureClass, RawEvent};

use crate::desk::{self, ANY_TEXT, text};
use crate::server::{Database, Server};

const TABLE: &str = "CREATE TABLE contacts (email text PRIMARY KEY, age smallint, \
    balance numeric(12,2), born date, doc jsonb, name text, opted_out boolean, \
    seen timestamptz, status text, tags text[])";

/// A feed that is followed as the runner does it.
struct Feed {
    connector: Postgres,
    position: Option<String>,
}

impl Feed {
    fn open(options: &str, url: &str) -> Feed {
        let plan = desk::plan_followed("same_names", options);
        let at = plan.systems.iter().position(|s| s.name == "desk").unwrap();
        let url = url.to_owned();
        let env = move |_: &str| Some(url.clone());
        Feed {
            connector: registry::postgres(&plan, at as u16, &env).unwrap(),
            position: None,
        }
    }

    fn page(&mut self, limit: usize) -> EventPage {
        let page = self
            .connector
            .events(self.position.as_deref(), limit)
            .unwrap();
        self.position.clone_from(&page.position);
        page
    }

    /// All that there is, as `name key column…`.
    fn all(&mut self) -> Vec<RawEvent> {
        let mut events = Vec::new();
        loop {
            let page = self.page(2);
            events.extend(page.events);
            if !page.more {
                return events;
            }
        }
    }
}

fn short(events: &[RawEvent]) -> Vec<String> {
    let short = |event: &RawEvent| {
        let body: Json = serde_json::from_str(&event.body).unwrap();
        assert_eq!(body["syncline_object"], "contacts");
        let (kind, key) = (&body["type"], &body["data"]["email"]);
        let name = body["data"]
            .get("name")
            .map_or("-", |n| n.as_str().unwrap_or("null"));
        format!(
            "{} {} {name}",
            kind.as_str().unwrap(),
            key.as_str().unwrap()
        )
    };
    events.iter().map(short).collect()
}

fn databases() -> Vec<(&'static str, Database)> {
    let logical = Arc::new(Server::start(&["wal_level=logical"]));
    vec![
        ("", Database::new()),
        ("trigger", Database::new()),
        ("replication", Database::on(logical)),
    ]
}

#[test]
fn changes_are_told_once_in_order_with_what_the_row_held() {
    for (options, database) in databases() {
        database.run(TABLE);
        database.run("INSERT INTO contacts (email, name) VALUES ('before@x', 'B')");
        let mut feed = Feed::open(options, &database.url());
        assert_eq!(short(&feed.all()), Vec::<String>::new(), "{options}");
        database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
        database.run("UPDATE contacts SET name = 'A2' WHERE email = 'a@x'");
        database.run("UPDATE contacts SET email = 'c@x', name = NULL WHERE email = 'a@x'");
        database.run("DELETE FROM contacts WHERE email = 'before@x'");
        let events = feed.all();
        assert_eq!(
            short(&events)[..4],
            [
                "inserted a@x A",
                "updated a@x A2",
                short(&events)[2].as_str(),
                "updated c@x null"
            ],
            "{options}"
        );
        assert!(short(&events)[2].starts_with("deleted a@x"), "{options}");
        assert!(
            short(&events)[4].starts_with("deleted before@x"),
            "{options}"
        );
        assert_eq!(events.len(), 5);
        let mut ids: Vec<&String> = events.iter().map(|e| &e.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 5);
        assert_eq!(feed.all(), []);
    }
}

/// Of each event: its key, whether it says that the follower made it, and what it says changed.
fn whose(events: &[RawEvent]) -> Vec<String> {
    let whose = |event: &RawEvent| {
        let body: Json = serde_json::from_str(&event.body).unwrap();
        let (own, changed) = (&body["syncline_own"], &body["syncline_changed"]);
        format!(
            "{} {own} {changed}",
            body["data"]["email"].as_str().unwrap()
        )
    };
    events.iter().map(whose).collect()
}

#[test]
fn an_event_tells_whose_change_it_is_and_of_what() {
    for (options, database) in databases() {
        database.run(TABLE);
        database.run("ALTER TABLE contacts REPLICA IDENTITY FULL");
        let mut feed = Feed::open(options, &database.url());
        assert_eq!(feed.all(), []);
        let plan = desk::plan_followed("same_names", options);
        let mut desk = desk::Desk::of(plan, &database.url());
        let name = |to: &str| [("name", text(to))];
        // One record, refused and taken; another program's; two in a batch, of which one changes
        // nothing; deletions by both.
        let refused = desk.write(vec![desk.upsert("a@x", &[("balance", text("x"))])]);
        assert_eq!(refused.len(), 1, "{options}");
        assert_eq!(desk.write(vec![desk.upsert("a@x", &name("A"))]), []);
        database.run("UPDATE contacts SET name = 'B', age = 7 WHERE email = 'a@x'");
        let both = vec![
            desk.upsert("a@x", &name("B")),
            desk.upsert("b@x", &name("B")),
        ];
        assert_eq!(desk.write(both), []);
        assert_eq!(desk.write(vec![desk.upsert("b@x", &name("C"))]), []);
        assert_eq!(desk.write(vec![desk.delete("b@x")]), []);
        database.run("DELETE FROM contacts");
        assert_eq!(
            whose(&feed.all()),
            [
                "a@x true null",
                "a@x false [\"age\",\"name\"]",
                "b@x true null",
                "b@x true [\"name\"]",
                "b@x true null",
                "a@x false null",
            ],
            "{options}"
        );
    }
}

#[test]
fn what_an_earlier_version_installed_is_brought_up_to_date() {
    let database = Database::new();
    database.run(TABLE);
    let mut feed = Feed::open("", &database.url());
    assert_eq!(feed.all(), []);
    database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
    database.run("ALTER TABLE syncline.changes DROP COLUMN own, DROP COLUMN changed");
    let mut feed = Feed::open("", &database.url());
    // Nobody noted whose that was.
    assert_eq!(whose(&feed.all()), ["a@x null null"]);
    database.run("UPDATE contacts SET name = 'B'");
    assert_eq!(whose(&feed.all()), ["a@x false [\"name\"]"]);
}

/// The same table in parts, one of them in parts again.
fn parted(database: &Database) {
    let table = TABLE.replacen(';', "", 1);
    database.run(&format!("{table} PARTITION BY RANGE (email)"));
    database.run(
        "CREATE SCHEMA parts; \
         CREATE TABLE parts.early PARTITION OF contacts FOR VALUES FROM (MINVALUE) TO ('m'); \
         CREATE TABLE parts.late PARTITION OF contacts FOR VALUES FROM ('m') TO (MAXVALUE) \
           PARTITION BY RANGE (email); \
         CREATE TABLE parts.later PARTITION OF parts.late DEFAULT",
    );
}

#[test]
fn changes_of_a_partitioned_table_are_told_as_its_own() {
    for (options, database) in databases() {
        parted(&database);
        let mut feed = Feed::open(options, &database.url());
        assert_eq!(feed.all(), [], "{options}");
        database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A'), ('z@x', 'Z')");
        database.run("UPDATE contacts SET name = 'Z2' WHERE email = 'z@x'");
        database.run("UPDATE parts.early SET name = 'A2'");
        database.run("DELETE FROM contacts WHERE email = 'a@x'");
        let told = short(&feed.all());
        assert_eq!(
            told[..4],
            [
                "inserted a@x A",
                "inserted z@x Z",
                "updated z@x Z2",
                "updated a@x A2"
            ],
            "{options}"
        );
        assert!(told[4].starts_with("deleted a@x"), "{options}: {told:?}");
        assert_eq!(told.len(), 5, "{options}: {told:?}");
        let standing = feed.connector.standing().unwrap();
        let removed = feed.connector.remove().unwrap();
        if options != "replication" {
            assert_eq!(standing.tables, ["contacts"]);
            assert_eq!(removed.triggers, 1);
        }
        let traces = "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'syncline%') \
             + (SELECT count(*) FROM pg_namespace WHERE nspname = 'syncline') \
             + (SELECT count(*) FROM pg_publication)";
        assert_eq!(database.one(traces), "0", "{options}");
    }
}

#[test]
fn a_partition_that_is_mapped_itself_is_told_under_its_own_name() {
    for (options, database) in databases() {
        database.run(&format!(
            "{} PARTITION BY RANGE (email)",
            TABLE.replacen("contacts", "everybody", 1)
        ));
        database.run("CREATE TABLE contacts PARTITION OF everybody DEFAULT");
        let mut feed = Feed::open(options, &database.url());
        assert_eq!(feed.all(), [], "{options}");
        database.run("INSERT INTO everybody (email, name) VALUES ('a@x', 'A')");
        assert_eq!(short(&feed.all()), ["inserted a@x A"], "{options}");
    }
}

#[test]
fn what_was_installed_before_partitions_were_known_is_brought_up_to_date() {
    for (options, database) in databases() {
        parted(&database);
        Feed::open(options, &database.url())
            .connector
            .install()
            .unwrap();
        // As an earlier version left it.
        match options {
            "replication" => database
                .run("ALTER PUBLICATION syncline_p_desk SET (publish_via_partition_root = false)"),
            _ => database.run(
                "CREATE OR REPLACE FUNCTION syncline.note_change() RETURNS trigger \
                   LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            ),
        }
        Feed::open(options, &database.url())
            .connector
            .install()
            .unwrap();
        let mut feed = Feed::open(options, &database.url());
        database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
        assert_eq!(short(&feed.all()), ["inserted a@x A"], "{options}");
    }
}

#[test]
fn a_partition_whose_log_would_not_tell_the_key_is_named() {
    let database = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    database.run(&format!(
        "{} PARTITION BY RANGE (email)",
        TABLE.replacen("email text PRIMARY KEY", "email text NOT NULL", 1)
    ));
    database.run("CREATE TABLE early PARTITION OF contacts DEFAULT");
    database.run("ALTER TABLE contacts REPLICA IDENTITY FULL");
    let mut feed = Feed::open("replication", &database.url());
    let failure = feed.connector.events(None, 10).unwrap_err();
    assert_eq!(
        failure.remedy.as_deref(),
        Some("ALTER TABLE \"public\".\"early\" REPLICA IDENTITY FULL")
    );
    database.run("ALTER TABLE early REPLICA IDENTITY FULL");
    assert_eq!(feed.all(), []);
    database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A'); DELETE FROM contacts");
    assert_eq!(short(&feed.all()), ["inserted a@x A", "deleted a@x A"]);
}

#[test]
fn what_was_not_made_durable_is_told_again_and_what_came_meanwhile_too() {
    for (options, database) in databases() {
        database.run(TABLE);
        let mut feed = Feed::open(options, &database.url());
        feed.all();
        database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
        let durable = feed.position.clone();
        let first = feed.page(10);
        // The runner dies before it stored the page; another starts where the store stands.
        let mut feed = Feed::open(options, &database.url());
        feed.position = durable;
        database.run("INSERT INTO contacts (email, name) VALUES ('b@x', 'B')");
        let again = feed.all();
        assert_eq!(
            short(&again),
            ["inserted a@x A", "inserted b@x B"],
            "{options}"
        );
        if options != "replication" {
            assert_eq!(first.events[0].id, again[0].id);
        }
    }
}

#[test]
fn values_of_every_type_are_told_as_they_are() {
    for (options, database) in databases() {
        database.run(TABLE);
        let mut feed = Feed::open(options, &database.url());
        feed.all();
        let mut client = database.client();
        client
            .execute(
                "INSERT INTO contacts VALUES ('a@x', 7, '-9999999999.99', '1899-12-31', '{\"a\": [1, null]}', $1, true, \
                 '2026-03-29T03:59:59.123456+02:00', 'lost', ARRAY['a\"b', 'c,d', ''])",
                &[&ANY_TEXT],
            )
            .unwrap();
        let events = feed.all();
        let body: Json = serde_json::from_str(&events[0].body).unwrap();
        let data = &body["data"];
        assert_eq!(data["name"], ANY_TEXT, "{options}");
        assert_eq!(data["balance"], "-9999999999.99");
        assert_eq!(data["tags"], json!(["a\"b", "c,d", ""]));
        assert_eq!(data["doc"], json!({"a": [1, null]}));
        let seen = data["seen"].as_str().unwrap();
        let seen = syncline::value::parse_instant(seen);
        assert_eq!(
            seen,
            Some(1_774_749_599_123_456),
            "{options}: {}",
            data["seen"]
        );
        assert!(["true", "t"].contains(&data["opted_out"].as_str().unwrap()));
        let at = syncline::value::parse_instant(body["timestamp"].as_str().unwrap());
        assert!(at.unwrap() > 1_767_571_200_000_000);
    }
}

#[test]
fn what_was_rolled_back_is_not_told_and_late_commits_are() {
    for (options, database) in databases() {
        database.run(TABLE);
        let mut feed = Feed::open(options, &database.url());
        feed.all();
        let mut late = database.client();
        let mut late = late.transaction().unwrap();
        late.execute(
            "INSERT INTO contacts (email, name) VALUES ('late@x', 'L')",
            &[],
        )
        .unwrap();
        database.run("INSERT INTO contacts (email, name) VALUES ('soon@x', 'S')");
        database.run("BEGIN; INSERT INTO contacts (email) VALUES ('never@x'); ROLLBACK");
        assert_eq!(short(&feed.all()), ["inserted soon@x S"], "{options}");
        late.commit().unwrap();
        assert_eq!(short(&feed.all()), ["inserted late@x L"], "{options}");
    }
}

#[test]
fn what_was_installed_is_removed_without_a_trace() {
    for (options, database) in databases() {
        database.run(TABLE);
        let mut feed = Feed::open(options, &database.url());
        feed.all();
        database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
        let standing = feed.connector.standing().unwrap();
        match options {
            "replication" => assert!(standing.slot.is_some() && standing.tables.is_empty()),
            _ => assert_eq!((standing.tables.len(), standing.waiting), (1, 1)),
        }
        let removed = feed.connector.remove().unwrap();
        assert_eq!(removed.slot, options == "replication");
        let traces = "(SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'syncline%') \
             + (SELECT count(*) FROM pg_namespace WHERE nspname = 'syncline') \
             + (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) \
             + (SELECT count(*) FROM pg_publication)";
        assert_eq!(database.one(&format!("SELECT {traces}")), "0", "{options}");
        database.run("UPDATE contacts SET name = 'still works'");
    }
}

#[test]
fn a_slot_does_not_hold_back_the_log_of_what_nobody_follows() {
    let database = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    database.run(TABLE);
    let mut before = Feed::open("replication", &database.url());
    before.all();
    let mut feed = Feed::open("replication", &database.url());
    feed.position = before.position.clone();
    database.run("CREATE TABLE noise (t text); INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
    let held = feed.page(2).held_bytes.unwrap();
    assert!(held > 5_000_000, "{held} bytes are kept for it");
    // The server lets its log go from one checkpoint to the next. First it is told up to where
    // nothing concerns the runner; the slot is moved once that is kept.
    for _ in 0..3 {
        database.run("CHECKPOINT");
        let position = feed.position.clone();
        feed = Feed::open("replication", &database.url());
        feed.position = position;
        feed.all();
        feed.all();
    }
    let held = feed.connector.standing().unwrap().slot.unwrap();
    assert!(held.held_bytes < 1_000_000, "{held:?}");
    assert_eq!(held.status.as_deref(), Some("reserved"));
}

#[test]
fn messages_of_other_programs_do_not_hold_up_a_slot() {
    let database = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    database.run(TABLE);
    let mut feed = Feed::open("replication", &database.url());
    assert_eq!(feed.all(), []);
    let beat = |count: usize| {
        database.run(&format!(
            "SELECT pg_logical_emit_message(false, 'heartbeat', 'x') FROM generate_series(1, {count})"
        ));
    };
    let stands =
        "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'syncline_p_desk'";
    // More than a page takes, and a change behind them; the runner looks again while there is more.
    beat(25);
    database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
    let before = database.one(stands);
    let mut told = Vec::new();
    for _ in 0..10 {
        let page = feed.page(10);
        told.extend(page.events);
        if !page.more {
            break;
        }
    }
    assert_eq!(short(&told), ["inserted a@x A"]);
    let after = database.one(stands);
    assert!(
        database.one(&format!("SELECT '{after}'::pg_lsn > '{before}'::pg_lsn")) == "true",
        "{before} {after}"
    );
    // A few, and nothing else: the log does not stay for their sake.
    beat(3);
    let end = database.one("SELECT pg_current_wal_flush_lsn()");
    let position = feed.position.clone();
    let mut feed = Feed::open("replication", &database.url());
    feed.position = position;
    assert_eq!(feed.all(), []);
    assert_eq!(feed.all(), []);
    let stands = database.one(stands);
    assert!(
        database.one(&format!("SELECT '{stands}'::pg_lsn >= '{end}'::pg_lsn")) == "true",
        "{stands} {end}"
    );
}

#[test]
fn a_server_that_cannot_be_followed_says_what_to_set() {
    let database = Database::new();
    database.run(TABLE);
    let mut feed = Feed::open("replication", &database.url());
    let failure = feed.connector.events(None, 10).unwrap_err();
    assert_eq!(failure.class, FailureClass::Setup);
    assert!(failure.message.contains("wal_level = replica"), "{failure}");
    let logical = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    logical.run("CREATE TABLE contacts (id int PRIMARY KEY, email text, age int, balance numeric, born date, doc jsonb, name text, opted_out bool, seen timestamptz, status text, tags text[])");
    let mut feed = Feed::open("replication", &logical.url());
    let failure = feed.connector.events(None, 10).unwrap_err();
    let remedy = failure.remedy.unwrap();
    assert_eq!(
        remedy,
        "ALTER TABLE \"public\".\"contacts\" REPLICA IDENTITY FULL"
    );
    logical.run(&remedy);
    assert!(feed.connector.events(None, 10).is_ok());
    let views = Database::new();
    views.run(&TABLE.replace("contacts", "people"));
    views.run("CREATE VIEW contacts AS SELECT * FROM people; CREATE ROLE looker LOGIN");
    let failure = Feed::open("", &views.url())
        .connector
        .events(None, 10)
        .unwrap_err();
    assert!(failure.message.contains("is no table"), "{failure}");
    views.run("DROP VIEW contacts; ALTER TABLE people RENAME TO contacts; GRANT SELECT ON contacts TO looker");
    let url = views.url().replace("syncline@", "looker@");
    let failure = Feed::open("", &url).connector.events(None, 10).unwrap_err();
    assert_eq!(failure.class, FailureClass::Setup);
    assert!(
        failure
            .remedy
            .unwrap()
            .contains("syncline events install --sql")
    );
}

/// What a feed that goes on from a position tells of instead of events.
fn told(database: &Database, position: Option<&String>) -> String {
    let mut feed = Feed::open("replication", &database.url());
    let position = position.map(String::as_str);
    let failure = feed.connector.events(position, 10).unwrap_err();
    assert_eq!(failure.class, FailureClass::Setup);
    let remedy = failure.remedy.unwrap();
    assert!(remedy.contains("syncline events remove"), "{remedy}");
    assert!(remedy.contains("syncline backfill"), "{remedy}");
    failure.message
}

const DROP: &str = "SELECT pg_drop_replication_slot('syncline_p_desk')";

#[test]
fn a_slot_that_has_vanished_or_is_another_is_told_of_and_not_made_anew_in_silence() {
    let database = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    database.run(TABLE);
    let mut feed = Feed::open("replication", &database.url());
    // Nothing has been told yet, and still the runner knows where the slot stood.
    assert_eq!(feed.all(), []);
    let began = feed.position.clone();
    assert!(began.is_some());
    drop(feed);
    database.run(DROP);
    database.run("INSERT INTO contacts (email, name) VALUES ('missed@x', 'M')");
    let slots = "SELECT count(*) FROM pg_replication_slots";
    for position in [&began, &began] {
        let message = told(&database, position.as_ref());
        assert!(
            message.contains("is not on the server any more"),
            "{message}"
        );
        assert!(message.ends_with("changes are missing"), "{message}");
        assert_eq!(database.one(slots), "0", "nothing is made behind its back");
    }
    // Somebody makes it by hand: that does not bring back what it never told.
    Feed::open("replication", &database.url())
        .connector
        .install()
        .unwrap();
    let message = told(&database, began.as_ref());
    assert!(message.contains("or made it anew"), "{message}");
    // Who begins without a position begins.
    let mut feed = Feed::open("replication", &database.url());
    assert_eq!(feed.all(), []);
    database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
    assert_eq!(short(&feed.all()), ["inserted a@x A"]);
    let position = feed.position.clone();
    let mut feed = Feed::open("replication", &database.url());
    feed.position = position;
    assert_eq!(feed.all(), []);
}

#[test]
fn a_server_that_ends_before_what_was_taken_of_it_is_told_of() {
    let database = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    database.run(TABLE);
    let mut feed = Feed::open("replication", &database.url());
    assert_eq!(feed.all(), []);
    database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
    // As after a backup: the slot is there, and what it tells was never taken from this server.
    let ahead = r#"{"lsn":"FF/0","leads":true}"#.to_owned();
    let message = told(&database, Some(&ahead));
    assert!(
        message.contains("put back to an earlier state"),
        "{message}"
    );
    assert_eq!(short(&feed.all()), ["inserted a@x A"], "it is still there");
}

#[test]
fn equal_places_of_a_log_are_no_repeats_to_the_next_that_opens_it() {
    let database = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    database.run(TABLE);
    let mut feed = Feed::open("replication", &database.url());
    assert_eq!(feed.all(), []);
    let position = feed.position.clone();
    database.run("INSERT INTO contacts (email, name) VALUES ('a@x', 'A')");
    let first = feed.page(10).events;
    let mut feed = Feed::open("replication", &database.url());
    feed.position = position;
    let again = feed.page(10).events;
    assert_eq!(
        (short(&first), first[0].body.len()),
        (short(&again), again[0].body.len())
    );
    assert_ne!(first[0].id, again[0].id);
}
