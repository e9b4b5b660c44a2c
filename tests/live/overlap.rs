//! Reads by cursor begin before where the last one ended: what became visible late is found, a tie
//! is no gap, and nothing is written twice for it.

use std::collections::BTreeMap;

use super::*;
use crate::server::Database;

const POLICY: &str = r#"
policy overlap { timezone "UTC" }
system shop { CONNECTOR }
system copy { connector sqlite option path = "copy.db" }
entity order {
  key id
  owner shop
  accepts none
  field id: text(20)
  field total: int?
}
map order in shop "orders" { same_names cursor "at" overlap 10m changed_at "at" }
map order in copy "orders" { same_names cursor "seq" }
scenario nightly { sync order(total) from shop to copy mode daily at 03:00 }
"#;

/// Where the orders come from.
enum Shop {
    Sqlite(rusqlite::Connection),
    Postgres(Database),
}

impl Shop {
    fn run(&self, sql: &str) {
        match self {
            Shop::Sqlite(db) => db.execute_batch(sql).unwrap(),
            Shop::Postgres(db) => db.run(sql),
        }
    }
}

/// A run to its end; gives what its record says: read and written.
fn ran(dir: &Path, url: &str) -> (i64, i64) {
    let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--until-idle"])
        .arg(dir)
        .env("SHOP_URL", url)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let runs = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["runs", "--limit", "1", "--format", "json", "--store"])
        .arg(dir.join(".syncline.db"))
        .output()
        .unwrap();
    let runs: serde_json::Value = serde_json::from_slice(&runs.stdout).unwrap();
    let counts = &runs["runs"][0]["counts"];
    (
        counts["read"].as_i64().unwrap(),
        counts["written"].as_i64().unwrap(),
    )
}

fn effects(copy: &rusqlite::Connection) -> BTreeMap<String, i64> {
    let sql = "SELECT id, count(*) FROM effects GROUP BY id";
    let mut query = copy.prepare(sql).unwrap();
    let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn late_rows_are_found(dir: &Path, shop: &Shop, url: &str) {
    let copy = rusqlite::Connection::open(dir.join("copy.db")).unwrap();
    copy.execute_batch(
        "CREATE TABLE orders (id TEXT PRIMARY KEY, total INTEGER, seq INTEGER);
         CREATE TABLE effects (id TEXT);
         CREATE TRIGGER inserted AFTER INSERT ON orders BEGIN INSERT INTO effects VALUES (NEW.id); END;
         CREATE TRIGGER updated AFTER UPDATE ON orders BEGIN INSERT INTO effects VALUES (NEW.id); END;",
    )
    .unwrap();
    shop.run(
        "INSERT INTO orders VALUES
           ('old', 1, '2026-01-05 09:00:00'), ('a', 1, '2026-01-05 10:00:00'),
           ('b', 1, '2026-01-05 10:05:00'), ('last', 1, '2026-01-05 10:10:00')",
    );
    assert_eq!(ran(dir, url), (4, 4));
    // Committed after that read: one with a time before its end, one with the very time of its
    // end, one that was changed within its last second, and one that is new.
    shop.run(
        "INSERT INTO orders VALUES
           ('late', 1, '2026-01-05 10:03:00'), ('tie', 1, '2026-01-05 10:10:00'),
           ('new', 1, '2026-01-05 10:20:00');
         UPDATE orders SET total = 2 WHERE id = 'last';",
    );
    // Beyond the overlap nothing is looked for.
    shop.run("INSERT INTO orders VALUES ('too late', 1, '2026-01-05 09:30:00')");
    let (read, written) = ran(dir, url);
    // `a`, `b` and `last` are shown again with what is new.
    assert_eq!((read, written), (6, 4));
    let once: Vec<(String, i64)> = effects(&copy).into_iter().collect();
    let once: Vec<(&str, i64)> = once.iter().map(|(id, n)| (id.as_str(), *n)).collect();
    let wanted = [
        ("a", 1),
        ("b", 1),
        ("last", 2),
        ("late", 1),
        ("new", 1),
        ("old", 1),
        ("tie", 1),
    ];
    assert_eq!(once, wanted);
    // Another read of the same overlap writes nothing.
    assert_eq!(ran(dir, url).1, 0);
    assert_eq!(effects(&copy).values().sum::<i64>(), 8);
}

#[test]
fn what_became_visible_late_in_sqlite_is_found_and_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let connector = "connector sqlite option path = \"shop.db\"";
    let policy = POLICY.replace("CONNECTOR", connector);
    std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
    let db = rusqlite::Connection::open(dir.path().join("shop.db")).unwrap();
    let shop = Shop::Sqlite(db);
    shop.run("CREATE TABLE orders (id TEXT PRIMARY KEY, total INTEGER, at TEXT)");
    late_rows_are_found(dir.path(), &shop, "");
}

#[test]
fn what_became_visible_late_in_postgres_is_found_and_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let connector = "connector postgres secret url = env(\"SHOP_URL\")";
    let policy = POLICY.replace("CONNECTOR", connector);
    std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
    let database = Database::new();
    let url = database.url();
    let shop = Shop::Postgres(database);
    shop.run("CREATE TABLE orders (id text PRIMARY KEY, total bigint, at timestamptz)");
    shop.run(
        "ALTER DATABASE CURRENT_DB SET timezone = 'UTC'"
            .replace("CURRENT_DB", url.rsplit('/').next().unwrap())
            .as_str(),
    );
    late_rows_are_found(dir.path(), &shop, &url);
}
