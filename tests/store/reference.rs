//! `docs/reference/store.md` describes the store as it is: every table, every column, in order.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use syncline::store::{APPLICATION_ID, OpenMode, SqliteStore};

type Tables = BTreeMap<String, Vec<(String, String)>>;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/store.md");
    std::fs::read_to_string(path).unwrap()
}

fn store() -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    drop(SqliteStore::open(&path, OpenMode::Run).unwrap());
    (dir, Connection::open(path).unwrap())
}

/// Headings that are a name in backticks, with the name and type columns of the table below.
fn described(page: &str) -> Tables {
    let mut tables = Tables::new();
    let mut open = None;
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            open = heading
                .strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'));
            if let Some(name) = open {
                tables.insert(name.to_owned(), Vec::new());
            }
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let (Some(table), ["", name, kind, holds, ""]) = (open, cells.as_slice())
            && let Some(name) = name.strip_prefix('`').and_then(|n| n.strip_suffix('`'))
        {
            assert!(!holds.is_empty(), "{table}.{name} is not explained");
            let column = (name.to_owned(), (*kind).to_owned());
            tables.get_mut(table).unwrap().push(column);
        }
    }
    tables
}

#[test]
fn the_page_has_every_table_and_column() {
    let (_dir, conn) = store();
    let mut real = Tables::new();
    let mut columns = conn
        .prepare(
            "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_xinfo(t.name) c \
             WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid",
        )
        .unwrap();
    let mut rows = columns.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (table, name): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        // SQLite adds what computes a column to its type.
        let kind: String = row.get(2).unwrap();
        let kind = kind.split_whitespace().next().unwrap_or("").to_owned();
        real.entry(table).or_default().push((name, kind));
    }
    // What a view only adds times as text to is described once, as that view.
    let kept: Vec<String> = real
        .keys()
        .filter(|t| t.ends_with("_kept"))
        .cloned()
        .collect();
    assert_eq!(kept, ["event_ids_kept", "events_kept", "outbox_kept"]);
    for table in kept {
        let columns = real.remove(&table).unwrap();
        let shown = &real[table.trim_end_matches("_kept")];
        let texts = shown.iter().filter(|column| !columns.contains(column));
        let texts: Vec<String> = texts.map(|(name, _)| format!("{name}_at")).collect();
        assert!(!texts.is_empty());
        assert!(
            texts
                .iter()
                .all(|at| columns.iter().any(|(name, _)| name == at))
        );
        assert_eq!(shown.len(), columns.len() + texts.len());
    }
    assert_eq!(described(&page()), real);
}

#[test]
fn the_questions_on_the_page_can_be_asked() {
    let (_dir, conn) = store();
    let page = page();
    let mut asked = 0;
    for block in page.split("```sql\n").skip(1) {
        let sql = block.split("```").next().unwrap();
        let mut statement = conn.prepare(sql).unwrap();
        assert!(statement.query([]).unwrap().next().unwrap().is_none());
        asked += 1;
    }
    assert_eq!(asked, 6);
    assert!(page.contains(&APPLICATION_ID.to_string()));
}

#[test]
fn times_can_be_read_as_text() {
    let (_dir, conn) = store();
    conn.execute_batch(
        "INSERT INTO event_ids_kept (system, id, received_at) VALUES \
         ('crm', 'a', 1709210096789), ('crm', 'b', -1)",
    )
    .unwrap();
    let text = |id: &str| -> String {
        let sql = "SELECT received FROM event_ids WHERE id = ?1";
        conn.query_row(sql, [id], |row| row.get(0)).unwrap()
    };
    assert_eq!(text("a"), "2024-02-29T12:34:56.789Z");
    assert_eq!(text("b"), "1969-12-31T23:59:59.999Z");
}
