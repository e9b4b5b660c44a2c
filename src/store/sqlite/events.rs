//! The tables `events` and `event_ids`: what came in and what is known already.

use rusqlite::params;

use crate::engine::ports::{RawEvent, Stored, StoredEvent};
use crate::time::Instant;

use super::{Db, limit};

/// Needs an open transaction: the id and the body have to become durable together.
pub(super) fn append(
    db: &Db,
    system: &str,
    events: &[RawEvent],
    now: Instant,
) -> Stored<Vec<bool>> {
    db.check()?;
    let all = || -> rusqlite::Result<Vec<bool>> {
        let mut remember = db.conn.prepare_cached(
            "INSERT INTO event_ids_kept (system, id, received_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT (system, id) DO NOTHING",
        )?;
        let mut keep = db.conn.prepare_cached(
            "INSERT INTO events_kept (system, id, body, received_at) VALUES (?1, ?2, ?3, ?4)",
        )?;
        let mut fresh = Vec::with_capacity(events.len());
        for event in events {
            let new = remember.execute(params![system, event.id, now.0])? == 1;
            if new {
                keep.execute(params![system, event.id, event.body, now.0])?;
            }
            fresh.push(new);
        }
        Ok(fresh)
    };
    all().map_err(|e| db.failed(e))
}

pub(super) fn pending(db: &Db, most: usize) -> Stored<Vec<StoredEvent>> {
    let sql = "SELECT seq, system, id, body, received_at FROM events_kept ORDER BY seq LIMIT ?1";
    db.all(sql, [limit(most)], |row| {
        Ok(StoredEvent {
            seq: row.get(0)?,
            system: row.get(1)?,
            id: row.get(2)?,
            body: row.get(3)?,
            received_at: Instant(row.get(4)?),
        })
    })
}

pub(super) fn done(db: &Db, seq: i64) -> Stored<()> {
    db.run("DELETE FROM events_kept WHERE seq <= ?1", [seq])
        .map(drop)
}

pub(super) fn forget_ids(db: &Db, before: Instant) -> Stored<()> {
    let sql = "DELETE FROM event_ids_kept WHERE received_at < ?1";
    db.run(sql, [before.0]).map(drop)
}
