//! Which dead letters were made since somebody last asked, without any clock.
//!
//! Numbers of letters only grow. A letter that was made again keeps its number: a count that only
//! grows too says in `meta` when that was, until the letter is cleared.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::engine::ports::Stored;
use crate::time::Instant;

use super::{Db, SqliteStore};

/// Up to which letter somebody has been told of, and how many were made again until then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LettersMark {
    /// The greatest number.
    pub letter: i64,
    /// The count of those that were made again.
    pub again: i64,
}

/// What there is to tell of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeLetter {
    /// Its number.
    pub id: i64,
    /// The destination.
    pub system: String,
    /// Why it was given up.
    pub error: String,
    /// Attempts made.
    pub attempts: u32,
    /// When it was given up.
    pub at: Instant,
    /// As which of those that were made again it was made last; 0 for one that was made once.
    pub again: i64,
}

impl SqliteStore {
    /// Shows the letters that were made, or made again, since a mark, one after the other; gives the
    /// mark to ask from next time.
    pub fn letters_since(
        &mut self,
        mark: LettersMark,
        mut each: impl FnMut(&MadeLetter),
    ) -> Stored<LettersMark> {
        // One made between two of the questions would be told twice, or never.
        self.db.read_together()?;
        let asked = since(&self.db, mark, &mut each);
        self.db.end_reading()?;
        asked
    }
}

fn since(db: &Db, mark: LettersMark, each: &mut dyn FnMut(&MadeLetter)) -> Stored<LettersMark> {
    let counted = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'letters:again'";
    let counted: Option<i64> = db.one(counted, [], |row| row.get(0))?;
    let mut next = LettersMark {
        again: counted.unwrap_or_default(),
        ..mark
    };
    let mut show = |row: &rusqlite::Row<'_>| {
        let letter = MadeLetter {
            id: row.get(0)?,
            system: row.get(1)?,
            error: row.get(2)?,
            attempts: row.get(3)?,
            at: Instant(row.get(4)?),
            again: row.get(5)?,
        };
        next.letter = next.letter.max(letter.id);
        each(&letter);
        Ok(())
    };
    let new = "SELECT d.id, d.system, d.error, d.attempts, d.last_at, \
               coalesce(CAST(m.value AS INTEGER), 0) FROM dead_letters AS d \
               LEFT JOIN meta AS m ON m.key = 'letter:again:' || d.id \
               WHERE d.id > ?1 ORDER BY d.id";
    db.all(new, [mark.letter], &mut show)?;
    let again = "SELECT d.id, d.system, d.error, d.attempts, d.last_at, CAST(m.value AS INTEGER) \
                 FROM meta AS m CROSS JOIN dead_letters AS d \
                 ON d.id = CAST(substr(m.key, length('letter:again:') + 1) AS INTEGER) \
                 WHERE m.key > 'letter:again:' AND m.key < 'letter:again;' \
                 AND CAST(m.value AS INTEGER) > ?2 AND d.id <= ?1 ORDER BY d.id";
    db.all(again, params![mark.letter, mark.again], &mut show)?;
    Ok(next)
}

/// A letter was made again. Needs an open transaction.
pub(super) fn made_again(db: &Db, letter: i64) -> Stored<()> {
    db.run(
        "INSERT INTO meta (key, value) VALUES ('letters:again', '1') \
         ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1",
        [],
    )?;
    let sql = "INSERT OR REPLACE INTO meta (key, value) \
               SELECT 'letter:again:' || ?1, value FROM meta WHERE key = 'letters:again'";
    db.run(sql, [letter]).map(drop)
}

/// A letter goes. Needs an open transaction, and comes before that.
pub(super) fn forget(db: &Db, system: &str, entity: &str, key: &str) -> Stored<()> {
    let sql = "DELETE FROM meta WHERE key IN (SELECT 'letter:again:' || id FROM dead_letters \
               WHERE system = ?1 AND entity = ?2 AND key = ?3)";
    db.run(sql, [system, entity, key]).map(drop)
}
