//! A trigger on each followed table notes its changes in `syncline.changes`; a notification says
//! that there are some.
//!
//! Changes of one row are numbered in the order in which they were made, since each is noted while
//! its writer holds the row. Numbers of different rows may become visible in any order, so what was
//! taken is named number by number, never "up to".

use std::time::{Duration, Instant};

use postgres::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::super::Maps;
use super::{Change, Followed, event};
use crate::connector::failure::setup;
use crate::connector::postgres::connect::Session;
use crate::connector::postgres::failure::statement;
use crate::connector::postgres::param::{Param, refs};
use crate::connector::postgres::quoted;
use crate::connector::postgres::table::Table;
use crate::engine::ports::{EventPage, Failure, FailureClass};
use crate::failpoint::{Point, reach};

/// How often the table is looked at though nothing was notified: a notification that was sent while
/// nobody listened is gone.
const LOOK_ANYWAY: Duration = Duration::from_secs(30);

/// The schema and what it holds, made once, and again where [`AS_NOW`] finds an earlier one.
const SCHEMA: &str = r#"
CREATE SCHEMA IF NOT EXISTS syncline;
CREATE TABLE IF NOT EXISTS syncline.changes (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  follower text NOT NULL,
  relation text NOT NULL,
  kind text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  record jsonb NOT NULL
);
-- Whether the follower itself wrote it, and which columns changed; a schema made by an earlier
-- version lacks both.
ALTER TABLE syncline.changes ADD COLUMN IF NOT EXISTS own boolean,
  ADD COLUMN IF NOT EXISTS changed jsonb;
CREATE INDEX IF NOT EXISTS changes_of_follower ON syncline.changes (follower, seq);
CREATE OR REPLACE FUNCTION syncline.note_change() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $body$
DECLARE
  -- The first argument names the follower, the others are the columns of the map's key.
  keys text[] := TG_ARGV[1:];
  before jsonb;
  after jsonb;
  changed jsonb;
  own boolean := current_setting('syncline.writer', true) IS NOT DISTINCT FROM TG_ARGV[0];
  relation text := format('"%s"."%s"', replace(TG_TABLE_SCHEMA, '"', '""'), replace(TG_TABLE_NAME, '"', '""'));
BEGIN
  -- A partition has a copy of the trigger of the table that it is part of, and that one is followed.
  IF pg_partition_root(TG_RELID) IS NOT NULL THEN
    SELECT format('"%s"."%s"', replace(n.nspname, '"', '""'), replace(c.relname, '"', '""')) INTO relation
      FROM pg_partition_ancestors(TG_RELID) AS a(relid)
        JOIN pg_trigger t ON t.tgrelid = a.relid AND t.tgname = TG_NAME AND t.tgparentid = 0
        JOIN pg_class c ON c.oid = a.relid JOIN pg_namespace n ON n.oid = c.relnamespace;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    SELECT jsonb_object_agg(key, value) INTO before FROM jsonb_each_text(to_jsonb(OLD));
  END IF;
  IF TG_OP <> 'DELETE' THEN
    SELECT jsonb_object_agg(key, value) INTO after FROM jsonb_each_text(to_jsonb(NEW));
  END IF;
  IF before = after THEN
    RETURN NULL;
  END IF;
  IF before IS NOT NULL AND (after IS NULL
      OR EXISTS (SELECT FROM unnest(keys) AS k WHERE before -> k IS DISTINCT FROM after -> k)) THEN
    INSERT INTO syncline.changes (follower, relation, kind, record, own)
    VALUES (TG_ARGV[0], relation, 'deleted', before, own);
  END IF;
  IF after IS NOT NULL THEN
    IF before IS NOT NULL THEN
      SELECT jsonb_agg(k) INTO changed FROM jsonb_object_keys(after) AS k
        WHERE before -> k IS DISTINCT FROM after -> k;
    END IF;
    INSERT INTO syncline.changes (follower, relation, kind, record, own, changed)
    VALUES (TG_ARGV[0], relation,
      CASE TG_OP WHEN 'INSERT' THEN 'inserted' ELSE 'updated' END, after, own, changed);
  END IF;
  PERFORM pg_notify('syncline_changes', TG_ARGV[0]);
  RETURN NULL;
END $body$;
"#;

/// What was taken: numbers in ranges, both ends included.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Position {
    taken: Vec<(i64, i64)>,
}

/// The feed of a trigger.
pub(in crate::connector::postgres) struct Trigger {
    pub(in crate::connector::postgres) session: Session,
    follower: String,
    tables: Vec<(String, Table)>,
    /// When the table was last looked at and found empty.
    looked: Option<Instant>,
}

impl Trigger {
    /// Makes what is missing on the server, and listens.
    pub(super) fn install(
        mut session: Session,
        follower: &str,
        followed: &Followed<'_>,
    ) -> Result<Trigger, Failure> {
        let address = session.address.clone();
        let sql = installation(follower, followed);
        if !installed(&mut session, follower, followed)
            .map_err(|e| statement(&address, "follow", &e))?
        {
            session.client.batch_execute(&sql).map_err(|e| {
                let failure = statement(&address, "install the trigger in", &e);
                let _ = session.client.batch_execute("ROLLBACK");
                match failure.class {
                    FailureClass::Setup => setup(
                        failure.message,
                        "let the user of the secret `url` create a schema in the database and \
                         triggers on the tables it maps, or let somebody who may run what \
                         `syncline events install --sql` prints",
                    ),
                    _ => failure,
                }
            })?;
        }
        let listening = session.client.batch_execute("LISTEN syncline_changes");
        listening.map_err(|e| statement(&address, "follow", &e))?;
        let tables = followed.tables.iter();
        Ok(Trigger {
            session,
            follower: follower.to_owned(),
            tables: tables
                .map(|(binding, table)| (binding.object().to_owned(), table.clone()))
                .collect(),
            looked: None,
        })
    }

    /// Forgets what was taken, and gives what came since.
    pub(super) fn events(
        &mut self,
        maps: &Maps,
        position: Option<&str>,
        limit: usize,
    ) -> Result<EventPage, Failure> {
        let address = self.session.address.clone();
        let failed = |e: Error| statement(&address, "follow", &e);
        let taken = position.and_then(|p| serde_json::from_str::<Position>(p).ok());
        let taken = taken.unwrap_or_default();
        if !taken.taken.is_empty() {
            self.forget(&taken).map_err(failed)?;
            reach(Point::FeedForgotten);
        } else if !self.notified().map_err(failed)?
            && self.looked.is_some_and(|at| at.elapsed() < LOOK_ANYWAY)
        {
            return Ok(EventPage {
                position: position.map(str::to_owned),
                ..EventPage::default()
            });
        }
        let rows = self.rows(limit).map_err(failed)?;
        let mut page = EventPage::default();
        let mut taken = Position::default();
        for (seq, relation, change) in rows {
            match taken.taken.last_mut() {
                Some((_, last)) if *last + 1 == seq => *last = seq,
                _ => taken.taken.push((seq, seq)),
            }
            let table = self.tables.iter().find(|(_, table)| table.sql == relation);
            // A table that the policy no longer maps still has its trigger: nobody wants that.
            let binding =
                table.and_then(|(object, _)| maps.values().find(|b| b.object() == object));
            if let (Some((_, table)), Some(binding)) = (table, binding) {
                page.events.push(event(binding, table, change));
            }
        }
        page.more = !taken.taken.is_empty();
        self.looked = (!page.more).then(Instant::now);
        page.position = serde_json::to_string(&taken).ok();
        Ok(page)
    }

    /// Whether somebody said since the last look that there is something.
    fn notified(&mut self) -> Result<bool, Error> {
        // The server hands out what waits for this session before it answers.
        self.session.client.batch_execute("")?;
        let heard = self.session.client.heard();
        Ok(heard.contains(&self.follower))
    }

    fn forget(&mut self, taken: &Position) -> Result<(), Error> {
        let delete = "DELETE FROM syncline.changes WHERE follower = $1 AND seq >= $2 AND seq <= $3";
        let delete = self.session.prepare(delete)?;
        let follower = &self.follower;
        self.session.client.transaction(|client| {
            for (first, last) in &taken.taken {
                let (first, last) = (first.to_string(), last.to_string());
                let params = [
                    Param::text(follower),
                    Param::text(&first),
                    Param::text(&last),
                ];
                client.execute(&delete, &refs(&params))?;
            }
            Ok(())
        })
    }

    fn rows(&mut self, limit: usize) -> Result<Vec<(i64, String, Change)>, Error> {
        let select = "SELECT seq, id::text, relation, kind, replace(at::text, '+00', 'Z'), record::text, \
             own, changed::text \
             FROM syncline.changes WHERE follower = $1 ORDER BY seq LIMIT $2";
        let select = self.session.prepare(select)?;
        let limit = limit.to_string();
        let params = [Param::text(&self.follower), Param::text(&limit)];
        let rows = self.session.client.query(&select, &refs(&params))?;
        let change = |row: &postgres::Row| -> Result<_, Error> {
            let record: String = row.try_get(5)?;
            let kind: String = row.try_get(3)?;
            let changed: Option<String> = row.try_get(7)?;
            let change = Change {
                id: row.try_get(1)?,
                name: match kind.as_str() {
                    "inserted" => "inserted",
                    "deleted" => "deleted",
                    _ => "updated",
                },
                at: row.try_get(4)?,
                row: match serde_json::from_str(&record) {
                    Ok(Json::Object(members)) => members,
                    _ => serde_json::Map::new(),
                },
                own: row.try_get(6)?,
                changed: changed.and_then(|list| serde_json::from_str(&list).ok()),
            };
            Ok((row.try_get(0)?, row.try_get(2)?, change))
        };
        rows.iter().map(change).collect()
    }
}

/// The statements that install the triggers of a follower.
pub(in crate::connector::postgres) fn installation(
    follower: &str,
    followed: &Followed<'_>,
) -> String {
    let mut sql = format!("BEGIN;{SCHEMA}");
    for (binding, table) in &followed.tables {
        let keys = binding.key_columns().map(|k| binding.name_of(k));
        let words: Vec<String> = std::iter::once(follower)
            .chain(keys)
            .map(|word| format!("'{}'", word.replace('\'', "''")))
            .collect();
        let (name, words) = (quoted(follower), words.join(", "));
        sql.push_str(&format!(
            "CREATE OR REPLACE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {} \
             FOR EACH ROW EXECUTE FUNCTION syncline.note_change({words});\n",
            table.sql
        ));
    }
    sql.push_str("COMMIT;\n");
    sql
}

/// Whether every followed table has its trigger, with the map's key as it is now.
fn installed(
    session: &mut Session,
    follower: &str,
    followed: &Followed<'_>,
) -> Result<bool, Error> {
    let select = "SELECT encode(t.tgargs, 'escape') FROM pg_catalog.pg_trigger t \
         JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE t.tgname = $1 AND t.tgrelid = $2::text::regclass AND t.tgenabled <> 'D' \
           AND n.nspname = 'syncline' AND p.proname = 'note_change'";
    if !session.client.query_one(AS_NOW, &[])?.try_get(0)? {
        return Ok(false);
    }
    for (binding, table) in &followed.tables {
        let prepared = session.prepare(select)?;
        let params = [Param::text(follower), Param::text(&table.sql)];
        let found = session.client.query_opt(&prepared, &refs(&params))?;
        let words = found.and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten());
        let keys = binding.key_columns().map(|k| binding.name_of(k));
        let wanted: Vec<&str> = std::iter::once(follower).chain(keys).collect();
        let has = words.is_some_and(|words| {
            let words: Vec<&str> = words.trim_end_matches("\\000").split("\\000").collect();
            words == wanted
        });
        if !has {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The tables on which a follower's trigger was made; those of partitions are copies, which come
/// and go with it.
const TRIGGERED: &str = "SELECT t.tgrelid::regclass::text FROM pg_catalog.pg_trigger t \
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
    WHERE t.tgname = $1 AND n.nspname = 'syncline' AND p.proname = 'note_change' \
      AND t.tgparentid = 0 ORDER BY 1";

/// Whether the table of changes has all that this version notes, and the function notes it so.
const AS_NOW: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute \
      WHERE attrelid = to_regclass('syncline.changes') AND attname = 'changed') \
    AND EXISTS (SELECT FROM pg_catalog.pg_proc \
      WHERE oid = to_regproc('syncline.note_change') AND prosrc LIKE '%pg_partition_ancestors%')";

const THERE: &str = "SELECT to_regclass('syncline.changes') IS NOT NULL";

fn triggered(session: &mut Session, follower: &str) -> Result<Vec<String>, Error> {
    let prepared = session.prepare(TRIGGERED)?;
    let rows = session
        .client
        .query(&prepared, &refs(&[Param::text(follower)]))?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// The tables that have a follower's trigger, and how many changes wait.
pub(super) fn state(session: &mut Session, follower: &str) -> Result<(Vec<String>, i64), Error> {
    let tables = triggered(session, follower)?;
    if !session
        .client
        .query_one(THERE, &[])?
        .try_get::<_, bool>(0)?
    {
        return Ok((tables, 0));
    }
    let count = "SELECT count(*) FROM syncline.changes WHERE follower = $1";
    let waiting = session.client.query_one(count, &[&follower])?.try_get(0)?;
    Ok((tables, waiting))
}

/// Takes a follower's triggers and changes away, and with the last follower all that was installed;
/// gives how many triggers went.
pub(super) fn remove(session: &mut Session, follower: &str) -> Result<usize, Error> {
    let tables = triggered(session, follower)?;
    session.client.transaction(|client| {
        for table in &tables {
            client.batch_execute(&format!("DROP TRIGGER {} ON {table}", quoted(follower)))?;
        }
        if client.query_one(THERE, &[])?.try_get(0)? {
            let forget = "DELETE FROM syncline.changes WHERE follower = $1";
            client.execute(forget, &[&follower])?;
            let others = "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger \
             WHERE tgfoid = 'syncline.note_change'::regproc)";
            if !client.query_one(others, &[])?.try_get::<_, bool>(0)? {
                client.batch_execute(
                    "DROP FUNCTION syncline.note_change(); DROP TABLE syncline.changes; \
                 DROP SCHEMA syncline",
                )?;
            }
        }
        Ok(())
    })?;
    Ok(tables.len())
}
