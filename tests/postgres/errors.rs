//! What is told where the database is not as the policy says, or not there.

use crate::desk::{Desk, text};
use crate::server::{Database, Server};
use std::sync::Arc;
use syncline::engine::ports::FailureClass;

fn told(map: &str, url: &str) -> (FailureClass, String, String) {
    let mut desk = Desk::open(map, url);
    let request = desk.request(10);
    let failure = desk.page(&request).unwrap_err();
    (failure.class, failure.message, failure.remedy.unwrap())
}

#[test]
fn a_missing_table_or_column_is_named_with_what_is_near() {
    let database = Database::new();
    database.run("CREATE TABLE contact (email text PRIMARY KEY)");
    let map = r#"key email = "email" field tags = "tags" field balance = "amount""#;
    let (class, message, remedy) = told(map, &database.url());
    assert_eq!(class, FailureClass::Setup);
    assert!(message.contains("has no table `contacts`"), "{message}");
    assert!(remedy.contains("the database has `contact`"), "{remedy}");
    let create = remedy.split_once("create the table: ").unwrap().1;
    assert_eq!(
        create,
        "CREATE TABLE \"contacts\" (\"email\" text, \"amount\" numeric(12, 2), \"tags\" text[], PRIMARY KEY (\"email\"))"
    );
    database.run(create);
    database.run("ALTER TABLE contacts RENAME amount TO amounts");
    let (_, message, remedy) = told(map, &database.url());
    assert!(
        message.ends_with("table `contacts` has no column `amount`"),
        "{message}"
    );
    assert!(remedy.starts_with("the table has `amounts`"), "{remedy}");
    database.run(remedy.split_once("add the column: ").unwrap().1);
    assert!(Desk::open(map, &database.url()).all().is_empty());
}

#[test]
fn who_may_not_enter_or_write_is_told_what_to_grant() {
    let server = Database::new();
    server.run("CREATE TABLE contacts (email text PRIMARY KEY, name text); CREATE ROLE reader LOGIN; GRANT SELECT ON contacts TO reader");
    let url = server.url().replace("syncline@", "reader@");
    let map = r#"key email = "email" field name = "name""#;
    let mut desk = Desk::open(map, &url);
    assert!(desk.all().is_empty());
    let write = desk.upsert("a@x.example", &[("name", text("A"))]);
    let failure = desk.try_write(vec![write]).unwrap_err();
    assert_eq!(failure.class, FailureClass::Setup);
    assert!(failure.remedy.unwrap().contains("grant"));
    let (class, message, _) = told(map, &server.url().replace("syncline@", "nobody_here@"));
    assert_eq!(class, FailureClass::Auth, "{message}");
    let (class, message, _) = told(map, &server.url().replace(&server.name, "no_such_db"));
    assert_eq!(class, FailureClass::Setup, "{message}");
}

#[test]
fn what_comes_after_a_copy_that_was_refused_is_answered_for_itself() {
    let database = Database::new();
    database.run(
        "CREATE TABLE contacts (email text PRIMARY KEY, name text); \
         DROP ROLE IF EXISTS no_adder; CREATE ROLE no_adder LOGIN; \
         GRANT SELECT, UPDATE, DELETE ON contacts TO no_adder",
    );
    let url = database.url().replace("syncline@", "no_adder@");
    let mut desk = Desk::open(r#"key email = "email" field name = "name""#, &url);
    let both = |desk: &Desk, name: &str| {
        ["a@x", "b@x"]
            .map(|key| desk.upsert(key, &[("name", text(name))]))
            .to_vec()
    };
    for _ in 0..3 {
        let writes = both(&desk, "A");
        let failure = desk.try_write(writes).unwrap_err();
        assert_eq!(failure.class, FailureClass::Setup, "{failure}");
    }
    database.run("GRANT INSERT ON contacts TO no_adder");
    for name in ["A", "B", "C"] {
        let writes = both(&desk, name);
        assert_eq!(desk.write(writes), []);
        let held = "SELECT string_agg(name, ',') FROM contacts";
        assert_eq!(database.one(held), format!("{name},{name}"));
    }
    drop(desk);
    database.run("DROP OWNED BY no_adder; DROP ROLE no_adder");
}

#[test]
fn a_server_that_goes_away_is_tried_again_and_found_again() {
    let server = Arc::new(Server::start(&[]));
    let database = Database::on(server.clone());
    database.run("CREATE TABLE contacts (email text PRIMARY KEY, name text)");
    let mut desk = Desk::open(
        r#"key email = "email" field name = "name""#,
        &database.url(),
    );
    let write = desk.upsert("a@x.example", &[("name", text("A"))]);
    assert!(desk.try_write(vec![write.clone()]).is_ok());
    database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncline'");
    let mut tries = 0;
    while let Err(failure) = desk.try_write(vec![write.clone()]) {
        assert!(
            matches!(failure.class, FailureClass::Retry { .. }),
            "{failure}"
        );
        tries += 1;
        assert!(tries < 3);
    }
    let url = database.url();
    drop((database, server));
    let failure = desk.try_write(vec![write]).unwrap_err();
    assert!(
        matches!(failure.class, FailureClass::Retry { .. }),
        "{failure}"
    );
    let (class, message, _) = told(r#"key email = "email""#, &url);
    assert!(matches!(class, FailureClass::Retry { .. }), "{message}");
    assert!(message.contains("cannot connect to 127.0.0.1"), "{message}");
}
