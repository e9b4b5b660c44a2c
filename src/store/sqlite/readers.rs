//! Looking up many registers at once, by connections of their own on as many threads.
//!
//! A register among many that are not wanted costs the reading of its whole row. While the engine's
//! transaction is open nobody else can commit: another connection sees what was there when it
//! began, and so finds every register but those that the transaction itself has written. Which
//! those are is noted here.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::engine::ports::Stored;

use super::failure::Place;
use super::{Db, records};

/// Registers that one thread looks up at least: fewer cost more to hand out than to look up.
const AT_ONCE: usize = if cfg!(test) { 20 } else { 256 };
/// Connections beside the engine's own at most: each has pages of its own in memory.
const MOST: usize = 3;
/// KB of pages in memory: what leads to a row; the row itself is wanted once.
const PAGES: i32 = -2_048;

/// The connections, and what they do not see.
#[derive(Debug, Default)]
pub(super) struct Readers {
    open: Vec<Db>,
    /// Whether one could not be opened or read from: then none is tried again.
    failed: bool,
    /// By entity, the greatest key of the registers that the open transaction has written.
    unseen: BTreeMap<String, String>,
}

impl Readers {
    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        self.unseen.clear();
    }

    /// The open transaction writes registers up to a key.
    pub(super) fn note(&mut self, entity: &str, last: &str) {
        match self.unseen.get_mut(entity) {
            Some(greatest) if last > greatest.as_str() => {
                greatest.clear();
                greatest.push_str(last);
            }
            Some(_) => {}
            None => drop(self.unseen.insert(entity.to_owned(), last.to_owned())),
        }
    }

    /// So many connections as these registers are worth, if they see what the open transaction does.
    fn of(&mut self, place: &Place, entity: &str, keys: &[&str]) -> &mut [Db] {
        let wanted = MOST
            .min(rayon::current_num_threads().saturating_sub(1))
            .min((keys.len() / AT_ONCE).saturating_sub(1));
        let sees = |first: &&str| {
            let written = self.unseen.get(entity);
            written.is_none_or(|greatest| greatest.as_str() < *first)
        };
        if wanted == 0 || !keys.first().is_some_and(sees) {
            return &mut [];
        }
        while self.open.len() < wanted && !self.failed {
            match connect(place.path()) {
                Ok(conn) => self.open.push(Db::new(conn, place.clone(), None)),
                Err(_) => self.failed = true,
            }
        }
        let there = self.open.len().min(wanted);
        &mut self.open[..there]
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", PAGES)?;
    Ok(conn)
}

/// Registers of keys that ascend, those of each piece by another connection.
pub(super) fn several(db: &Db, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
    // Outside of a transaction somebody else might commit in between.
    if !db.open || !db.moves_records || db.shared.is_none() {
        return records::several(db, entity, keys);
    }
    let mut all = db.readers.borrow_mut();
    let readers = all.of(&db.place, entity, keys);
    if readers.is_empty() {
        return records::several(db, entity, keys);
    }
    let pieces = keys.chunks(keys.len().div_ceil(readers.len() + 1));
    let mut theirs: Vec<_> = pieces.skip(1).map(|keys| (keys, None)).collect();
    let own = &keys[..keys.len() - theirs.iter().map(|(keys, _)| keys.len()).sum::<usize>()];
    let mut found = rayon::in_place_scope(|scope| {
        for ((keys, found), reader) in theirs.iter_mut().zip(readers) {
            scope.spawn(|_| *found = read(reader, entity, keys).ok());
        }
        records::several(db, entity, own)
    })?;
    if theirs.iter().any(|(_, there)| there.is_none()) {
        // One that failed may be left in a transaction, and would go on seeing what was there then.
        all.open.clear();
        all.failed = true;
    }
    for (keys, there) in theirs {
        match there {
            Some(there) => found.extend(there),
            // Whatever failed is found out again, by the connection that tells of it.
            None => found.extend(records::several(db, entity, keys)?),
        }
    }
    Ok(found)
}

/// In one transaction: statements of their own would each look for what was committed.
fn read(db: &mut Db, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
    db.read_together()?;
    let found = records::several(db, entity, keys);
    db.end_reading()?;
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::Store as _;
    use crate::store::{OpenMode, SqliteStore};

    /// The registers of so many keys, by the first letter of what they say.
    fn said(store: &mut SqliteStore, from: usize) -> String {
        let keys: Vec<String> = (from..400).map(|n| format!("{n:03}")).collect();
        let keys: Vec<&str> = keys.iter().map(|k| &**k).collect();
        let found = store.records_of("e", &keys).unwrap();
        let letter = |doc: Option<String>| doc.and_then(|d| d.chars().nth(2)).unwrap_or('-');
        let letters: Vec<char> = found.into_iter().map(letter).collect();
        let runs = letters.chunk_by(|a, b| a == b);
        runs.map(|same| format!("{}{}", same[0], same.len()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn write(store: &mut SqliteStore, numbers: std::ops::Range<usize>, letter: char) {
        let keys: Vec<String> = numbers.map(|n| format!("{n:03}")).collect();
        let doc = format!("{{\"{letter}\":0}}");
        let records: Vec<(&str, &str)> = keys.iter().map(|k| (&**k, &*doc)).collect();
        store.put_records("e", &records).unwrap();
    }

    #[test]
    fn others_look_up_only_what_the_open_transaction_has_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&dir.path().join("s.db"), OpenMode::Run).unwrap();
        let open = |store: &SqliteStore| store.db.readers.borrow().open.len();
        write(&mut store, 0..400, 'a');
        // Outside of a transaction another process might commit in between.
        assert_eq!(said(&mut store, 0), "a400");
        assert_eq!(open(&store), 0);
        store.begin().unwrap();
        assert_eq!(said(&mut store, 0), "a400");
        let most = MOST.min(rayon::current_num_threads() - 1);
        assert_eq!(open(&store), most);
        write(&mut store, 0..100, 'b');
        assert_eq!(said(&mut store, 100), "a300");
        store.put_record("e", "390", "{\"c\":0}").unwrap();
        assert_eq!(said(&mut store, 100), "a290 c1 a9");
        store.rollback().unwrap();
        store.begin().unwrap();
        write(&mut store, 350..400, 'b');
        assert_eq!(said(&mut store, 50), "a300 b50");
        store.rollback().unwrap();
        store.begin().unwrap();
        assert_eq!(said(&mut store, 0), "a400");
        write(&mut store, 300..350, 'd');
        store.commit_later().unwrap();
        // What is committed others see, durable or not.
        store.begin().unwrap();
        assert_eq!(said(&mut store, 0), "a300 d50 a50");
        assert_eq!(open(&store), most);
        store.commit().unwrap();
        drop(store);
        // Whoever closes the store last writes the log back.
        assert!(!dir.path().join("s.db-wal").exists());
    }
}
