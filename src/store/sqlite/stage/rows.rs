//! The rows of a stage: put in reading order, taken out in key order.

use rusqlite::{Row, params};

use crate::engine::ports::{Staged, Stored, SystemIx};
use crate::plan::Keep;

use super::super::Db;
use super::Stage;

fn staged(row: &Row<'_>) -> rusqlite::Result<Staged> {
    let key: String = row.get(0)?;
    let group: Option<String> = row.get(3)?;
    Ok(Staged {
        seq: row.get(1)?,
        system: row.get(2)?,
        group: group.unwrap_or_else(|| key.clone()),
        changed_at: row.get(4)?,
        payload: row.get(5)?,
        key,
    })
}

impl Stage {
    pub(super) fn put(&mut self, rows: &[Staged]) -> Stored<()> {
        self.sorted = false;
        self.db.together(|db| {
            let all = || -> rusqlite::Result<()> {
                let mut insert = db.conn.prepare_cached(
                    "INSERT INTO rows (key, seq, system, \"group\", changed_at, payload) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                for row in rows {
                    let group = (row.group != row.key).then_some(row.group.as_str());
                    insert.execute(params![
                        row.key,
                        row.seq,
                        row.system,
                        group,
                        row.changed_at,
                        row.payload,
                    ])?;
                }
                Ok(())
            };
            all().map_err(|e| db.failed(e))?;
            count(db, i64::try_from(rows.len()).unwrap_or(i64::MAX))
        })
    }

    pub(super) fn len(&mut self) -> Stored<u64> {
        let len = self
            .db
            .one("SELECT rows FROM stage", [], |row| row.get::<_, i64>(0))?;
        Ok(len.unwrap_or(0).unsigned_abs())
    }

    pub(super) fn drop_duplicates(&mut self, keep: Keep, owner: Option<SystemIx>) -> Stored<u64> {
        self.sorted = false;
        let order = match keep {
            Keep::Newest => "changed_at DESC, seq DESC, pos DESC",
            Keep::Oldest => "changed_at, seq, pos",
            Keep::Owner => "system = ?1 DESC, changed_at DESC, seq DESC, pos DESC",
        };
        let sql = format!(
            "DELETE FROM rows WHERE pos IN (SELECT pos FROM (SELECT pos, row_number() OVER \
             (PARTITION BY coalesce(\"group\", key) ORDER BY {order}) AS place FROM rows \
             WHERE coalesce(\"group\", key) <> '' AND ?1 IS ?1) WHERE place > 1)"
        );
        self.db.together(|db| {
            let gone = db.run(&sql, [owner.map_or(-1, i64::from)])?;
            count(db, -i64::try_from(gone).unwrap_or(i64::MAX))?;
            Ok(gone as u64)
        })
    }

    /// The first call sorts: an index that holds whole rows, built at once, costs less than a
    /// table that is kept sorted row by row.
    pub(super) fn after(&mut self, after: Option<&str>, limit: usize) -> Stored<Vec<Staged>> {
        if !self.sorted {
            self.db.run(
                "CREATE INDEX IF NOT EXISTS rows_by_key ON rows \
                 (key, seq, system, \"group\", changed_at, payload)",
                [],
            )?;
            self.sorted = true;
        }
        let sql = if after.is_some() {
            "SELECT key, seq, system, \"group\", changed_at, payload FROM rows \
             WHERE key > ?1 ORDER BY key, seq"
        } else {
            "SELECT key, seq, system, \"group\", changed_at, payload FROM rows \
             WHERE key >= ?1 ORDER BY key, seq"
        };
        let (mut got, mut last) = (0_usize, String::new());
        self.db.rows(sql, params![after.unwrap_or("")], |row| {
            let row = staged(row)?;
            if got >= limit.max(1) && row.key != last {
                return Ok(None);
            }
            got += 1;
            if got >= limit.max(1) {
                last.clone_from(&row.key);
            }
            Ok(Some(row))
        })
    }
}

fn count(db: &Db, by: i64) -> Stored<()> {
    db.run("UPDATE stage SET rows = rows + ?1", [by]).map(drop)
}
