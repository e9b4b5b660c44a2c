//! A whole table into an empty one of PostgreSQL by the real binary, with rows that it refuses.

use super::*;
use crate::server::Database;

const ROWS: usize = 3_000;
/// What the table refuses, and how it says so.
const REFUSED: [(usize, &str); 3] = [(7, "bad"), (1_500, "bad"), (2_999, "bad")];

const POLICY: &str = r#"
policy copies { timezone "UTC" }
system shop { connector sqlite option path = "shop.db" }
system desk { connector postgres secret url = env("DESK_URL") }
entity order {
  key id
  owner shop
  accepts none
  field id: text(20)
  field state: text(20)?
}
map order in shop "orders" { same_names cursor "at" }
map order in desk "orders" { same_names }
scenario nightly { sync order(state) from shop to desk mode daily at 03:00 }
"#;

fn run(dir: &Path, url: &str, dies: Option<&str>) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command
        .args(["run", "--until-idle"])
        .arg(dir)
        .env("DESK_URL", url);
    if let Some(place) = dies {
        command.env("SYNCLINE_FAILPOINT", format!("{place}:1"));
    }
    command.output().unwrap()
}

#[test]
fn rows_that_an_empty_table_refuses_become_dead_letters_and_all_others_arrive() {
    // Killed before the batch is committed there, after it, and not at all.
    for dies in [None, Some("postgres.written"), Some("postgres.committed")] {
        if dies.is_some() && !cfg!(debug_assertions) {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("policy.sync"), POLICY).unwrap();
        let mut shop = rusqlite::Connection::open(dir.path().join("shop.db")).unwrap();
        shop.execute_batch("CREATE TABLE orders (id TEXT PRIMARY KEY, state TEXT, at TEXT)")
            .unwrap();
        let all = shop.transaction().unwrap();
        for n in 0..ROWS {
            let refused = REFUSED.iter().find(|(at, _)| *at == n);
            let state = refused.map_or("open", |(_, state)| state);
            let row = rusqlite::params![format!("o{n:05}"), state, "2026-01-01T00:00:00Z"];
            all.execute("INSERT INTO orders VALUES (?1, ?2, ?3)", row)
                .unwrap();
        }
        all.commit().unwrap();
        let desk = Database::new();
        desk.run(
            "CREATE TABLE orders (id text PRIMARY KEY, \
             state text CONSTRAINT known CHECK (state IN ('open', 'closed')))",
        );
        if dies.is_some() {
            let died = run(dir.path(), &desk.url(), dies);
            assert_eq!(died.status.code(), None, "{dies:?}: {died:?}");
        }
        let out = run(dir.path(), &desk.url(), None);
        assert!(out.status.code().is_some(), "{out:?}");
        let rows = desk.one("SELECT count(*) FROM orders WHERE state = 'open'");
        assert_eq!(rows, (ROWS - REFUSED.len()).to_string(), "{dies:?}");
        let store = rusqlite::Connection::open(dir.path().join(".syncline.db")).unwrap();
        let mut letters = store
            .prepare("SELECT key, payload, error FROM dead_letters ORDER BY key")
            .unwrap();
        let letters: Vec<(String, String, String)> = letters
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let keys: Vec<&str> = letters.iter().map(|l| &*l.0).collect();
        assert_eq!(keys, ["o00007", "o01500", "o02999"], "{dies:?}");
        for (_, payload, error) in &letters {
            assert_eq!(payload, r#"{"state":"bad"}"#);
            assert!(error.contains("known"), "{error}");
        }
        let waits: i64 = store
            .query_row("SELECT count(*) FROM outbox", [], |r| r.get(0))
            .unwrap();
        assert_eq!(waits, 0);
        // Mended at the source, it is delivered, and its letter goes.
        shop.execute_batch(
            "UPDATE orders SET state = 'closed', at = '2026-01-02T00:00:00Z' WHERE state = 'bad'",
        )
        .unwrap();
        let out = run(dir.path(), &desk.url(), None);
        assert!(out.status.success(), "{out:?}");
        let closed = desk.one("SELECT count(*) FROM orders WHERE state = 'closed'");
        assert_eq!(closed, REFUSED.len().to_string());
        let left: i64 = store
            .query_row("SELECT count(*) FROM dead_letters", [], |r| r.get(0))
            .unwrap();
        assert_eq!(left, 0);
    }
}
