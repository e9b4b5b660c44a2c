//! A slot of logical replication: the server keeps its log from where the slot stands, and tells
//! what was committed since, transaction by transaction, in the order of the commits.
//!
//! The slot is read by the functions of SQL rather than by a replication connection: `peek` gives
//! changes without moving it, and it is moved only over what a runner says it made durable.

use std::time::{Duration, Instant};

use postgres::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::super::Maps;
use super::log::Reader;
use super::{Change, Followed, event};
use crate::connector::codec::Binding;
use crate::connector::failure::{retry, setup};
use crate::connector::postgres::connect::{Address, Session};
use crate::connector::postgres::failure::statement;
use crate::connector::postgres::param::{Param, refs};
use crate::connector::postgres::quoted;
use crate::connector::postgres::table::{Kind, Table};
use crate::engine::ports::{EventPage, Failure};
use crate::failpoint::{Point, reach};

/// The first version of the server whose log can be asked for messages, as it numbers itself.
const TELLS_MESSAGES: i32 = 140_000;

/// The first version of the server that tells of a partition's rows as of those of the table that it
/// is part of.
const TELLS_THE_ROOT: i32 = 130_000;

/// Whether the server tells messages together with the changes.
pub(super) fn tells_messages(session: &mut Session) -> Result<bool, Error> {
    Ok(version(session)? >= TELLS_MESSAGES)
}

fn version(session: &mut Session) -> Result<i32, Error> {
    let sql = "SELECT current_setting('server_version_num')::int";
    session.client.query_one(sql, &[])?.try_get(0)
}

/// How often the slot is moved over a log that tells nothing.
const SKIP_EVERY: Duration = Duration::from_secs(10);

/// The position of a follower.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Position {
    /// Everything up to here was taken.
    lsn: String,
    /// Whether the slot is moved no further than positions say. Earlier versions moved it over a
    /// log that told nothing without a word of it here.
    #[serde(default)]
    leads: bool,
}

impl Position {
    /// What a runner holds; what another kind of feed noted is none of a slot.
    fn of(held: Option<&str>) -> Option<Position> {
        held.and_then(|p| serde_json::from_str(p).ok())
    }

    fn at(lsn: String) -> Option<String> {
        serde_json::to_string(&Position { lsn, leads: true }).ok()
    }
}

/// An open slot.
pub(in crate::connector::postgres) struct Slot {
    pub(in crate::connector::postgres) session: Session,
    name: String,
    tables: Vec<(String, Table)>,
    /// Up to where the slot was moved.
    moved: Option<String>,
    /// When it was last moved over what it does not tell of.
    skipped: Option<Instant>,
    /// When it was last looked at how much log the server keeps for it.
    looked: Option<Instant>,
    /// Tells what this opening told from what others did: after a restored backup the log tells
    /// other changes at the same places, and they must not pass for repeats.
    life: String,
    /// Whether transactions say who made them.
    signed: bool,
}

impl Slot {
    /// Makes the publication and the slot where they are missing. Where a runner holds a position
    /// of a slot that is not there as it left it, changes are missing: that is told instead.
    pub(super) fn install(
        mut session: Session,
        follower: &str,
        followed: &Followed<'_>,
        position: Option<&str>,
    ) -> Result<Slot, Failure> {
        let address = session.address.clone();
        let failed = |e: Error| statement(&address, "follow", &e);
        let level = session
            .client
            .query_one("SHOW wal_level", &[])
            .map_err(failed)?;
        let level: String = level.try_get(0).map_err(failed)?;
        if level != "logical" {
            return Err(setup(
                format!(
                    "`{}`: the server writes its log with wal_level = {level}, which cannot be followed",
                    address.system()
                ),
                "set `wal_level = logical` in postgresql.conf and restart the server, or follow by \
                 `option events = \"trigger\"`",
            ));
        }
        for (binding, table) in &followed.tables {
            identified(&mut session, binding, table)?;
        }
        publish(&mut session, follower, followed).map_err(failed)?;
        let held = Position::of(position);
        match trouble(&mut session, follower, held.as_ref()).map_err(failed)? {
            Some(why) => return Err(missing(&address, follower, &why)),
            None => create(&mut session, follower).map_err(failed)?,
        }
        let tables = followed.tables.iter();
        let signed = tells_messages(&mut session).map_err(failed)?;
        Ok(Slot {
            session,
            signed,
            name: follower.to_owned(),
            tables: tables
                .map(|(binding, table)| (binding.object().to_owned(), table.clone()))
                .collect(),
            moved: None,
            skipped: None,
            looked: None,
            life: format!("{:016x}", fastrand::u64(..)),
        })
    }

    /// Moves the slot over what was taken, and tells what was committed since.
    pub(super) fn events(
        &mut self,
        maps: &Maps,
        position: Option<&str>,
        limit: usize,
    ) -> Result<EventPage, Failure> {
        let address = self.session.address.clone();
        let failed = |e: Error| statement(&address, "follow", &e);
        if let Some(taken) = Position::of(position)
            && self.moved.as_ref() != Some(&taken.lsn)
        {
            self.advance(&taken.lsn).map_err(failed)?;
            reach(Point::FeedForgotten);
            self.moved = Some(taken.lsn);
        }
        // Only what is on the server's disk: what a loss of power takes back is no place to go by.
        let here = self
            .session
            .client
            .query_one("SELECT pg_current_wal_flush_lsn()::text", &[]);
        let here: String = here.and_then(|row| row.try_get(0)).map_err(failed)?;
        let peeked = self.peek(limit).map_err(failed)?;
        let mut page = EventPage {
            position: position.map(str::to_owned),
            ..EventPage::default()
        };
        if self.looked.is_none_or(|at| at.elapsed() >= SKIP_EVERY) {
            let state = state(&mut self.session, &self.name).map_err(failed)?;
            page.held_bytes = state.map(|s| s.held_bytes.unsigned_abs());
            self.looked = Some(Instant::now());
        }
        let full = peeked.len() >= limit;
        let last = peeked.last().map(|(lsn, _)| lsn.clone());
        let keys = self.tables.iter().filter_map(|(object, table)| {
            let binding = maps.values().find(|b| b.object() == object)?;
            let keys = binding.key_columns().map(|k| binding.name_of(k).to_owned());
            Some((table.sql.clone(), keys.collect()))
        });
        let mut reader = Reader::of(keys.collect(), self.signed.then(|| self.name.clone()));
        for (lsn, data) in peeked {
            let told = reader.read(&lsn, &data, &self.life).map_err(|why| {
                retry(
                    format!(
                        "`{}`: the slot `{}` cannot be read: {why}",
                        address.system(),
                        self.name
                    ),
                    "tell the makers of Syncline; `option events = \"trigger\"` does without",
                )
            })?;
            for (relation, change) in told.changes {
                let table = self.tables.iter().find(|(_, table)| table.sql == relation);
                let binding =
                    table.and_then(|(object, _)| maps.values().find(|b| b.object() == object));
                if let (Some((_, table)), Some(binding)) = (table, binding) {
                    let change = in_json(&mut self.session, table, change).map_err(failed)?;
                    page.events.push(event(binding, table, change));
                }
            }
            if let Some(lsn) = told.committed {
                page.position = Position::at(lsn);
                page.more = true;
            }
        }
        // What is told outside of transactions are messages of other programs.
        match last.filter(|_| full && !page.more) {
            Some(last) => {
                page.position = after(&last).and_then(Position::at).or(page.position);
                page.more = true;
            }
            None if !page.more => self.skip(here, &mut page),
            None => {}
        }
        Ok(page)
    }

    /// Goes on to where the log ended before it told of no transaction up to there, now and then.
    fn skip(&mut self, end: String, page: &mut EventPage) {
        if self.skipped.is_none_or(|at| at.elapsed() >= SKIP_EVERY) {
            // Else the log of what nobody here follows would be kept for ever. The slot is moved
            // once this is durable: so it never stands beyond what its runner knows of.
            page.position = Position::at(end);
            self.skipped = Some(Instant::now());
        }
    }

    fn peek(&mut self, limit: usize) -> Result<Vec<(String, Vec<u8>)>, Error> {
        // Whole transactions, as many as it takes to reach the limit.
        let messages = if self.signed {
            ", 'messages', 'true'"
        } else {
            ""
        };
        let sql = format!(
            "SELECT lsn::text, data FROM pg_logical_slot_peek_binary_changes(\
             $1::text::name, NULL, $2::text::int, 'proto_version', '1', \
             'publication_names', $3{messages})"
        );
        let prepared = self.session.prepare(&sql)?;
        let (limit, publication) = (limit.to_string(), quoted(&self.name));
        let params = [
            Param::text(&self.name),
            Param::text(&limit),
            Param::text(&publication),
        ];
        let rows = self.session.client.query(&prepared, &refs(&params))?;
        let change = |row: &postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.iter().map(change).collect()
    }

    fn advance(&mut self, lsn: &str) -> Result<(), Error> {
        let sql = "SELECT pg_replication_slot_advance(slot_name, $2::text::pg_lsn) \
             FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND confirmed_flush_lsn < $2::text::pg_lsn";
        let prepared = self.session.prepare(sql)?;
        let params = [Param::text(&self.name), Param::text(lsn)];
        self.session
            .client
            .execute(&prepared, &refs(&params))
            .map(|_| ())
    }
}

/// The place right behind the start of an entry of the log, so that this entry is not told again.
fn after(lsn: &str) -> Option<String> {
    let (high, low) = lsn.split_once('/')?;
    let high = u64::from_str_radix(high, 16).ok()?;
    let low = u64::from_str_radix(low, 16).ok()?;
    Some(spelt(((high << 32) | low).checked_add(1)?))
}

/// A place in the log as the server spells it.
pub(super) fn spelt(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)
}

/// Values in the spelling that events have: the server makes lists of its arrays.
fn in_json(session: &mut Session, table: &Table, mut change: Change) -> Result<Change, Error> {
    for (name, value) in &mut change.row {
        let Json::String(text) = value else { continue };
        match table.column(name) {
            Some(column) if column.kind == Kind::Array => {
                let sql = format!("SELECT to_jsonb($1::text::{})::text", column.type_name);
                let prepared = session.prepare(&sql)?;
                let row = session
                    .client
                    .query_one(&prepared, &refs(&[Param::text(text)]))?;
                *text = row.try_get(0)?;
            }
            Some(column) if column.kind == Kind::Time && text.ends_with("+00") => {
                text.truncate(text.len() - "+00".len());
                text.push('Z');
            }
            // The short words of a bool, as `COPY` has them.
            Some(column) if column.type_name == "boolean" => match text.as_str() {
                "t" => *text = "true".to_owned(),
                "f" => *text = "false".to_owned(),
                _ => {}
            },
            _ => {}
        }
    }
    Ok(change)
}

/// What speaks against going on with a slot, in words; none where it stands as its runner left it,
/// or where no runner has taken anything of it.
fn trouble(
    session: &mut Session,
    follower: &str,
    held: Option<&Position>,
) -> Result<Option<String>, Error> {
    let sql = "SELECT s.wal_status::text, s.confirmed_flush_lsn > $2::text::pg_lsn, \
           pg_current_wal_flush_lsn()::text, pg_current_wal_flush_lsn() < $2::text::pg_lsn, \
           s.slot_name IS NOT NULL \
         FROM (VALUES (1)) AS one LEFT JOIN pg_catalog.pg_replication_slots s \
           ON s.slot_name = $1 AND s.database = current_database()";
    let taken = held.map(|p| p.lsn.as_str());
    let row = session.client.query_one(sql, &[&follower, &taken])?;
    let status: Option<String> = row.try_get(0)?;
    let ahead: Option<bool> = row.try_get(1)?;
    let end: String = row.try_get(2)?;
    let behind: Option<bool> = row.try_get(3)?;
    let there: bool = row.try_get(4)?;
    Ok(match held {
        _ if status.as_deref() == Some("lost") => {
            Some("fell too far behind and the server threw away what it should have told".into())
        }
        Some(held) if behind == Some(true) => Some(format!(
            "was taken up to {}, and the server's log ends at {end}: the server was put back to an \
             earlier state, or is another one",
            held.lsn
        )),
        Some(held) if !there => Some(format!(
            "was taken up to {}, and is not on the server any more",
            held.lsn
        )),
        Some(held) if held.leads && ahead == Some(true) => Some(format!(
            "was taken up to {}, and somebody moved it on since, or made it anew",
            held.lsn
        )),
        _ => None,
    })
}

/// Changes that nobody will tell.
fn missing(address: &Address, follower: &str, why: &str) -> Failure {
    setup(
        format!(
            "`{}`: the slot `{follower}` {why}: changes are missing",
            address.system()
        ),
        "run `syncline events remove`, which also forgets up to where it was taken, start the runner \
         again, and let `syncline backfill`, a reconcile or `scan full` find what was missed; raise \
         max_slot_wal_keep_size where the server throws its log away too soon",
    )
}

/// Makes a slot where there is none.
fn create(session: &mut Session, follower: &str) -> Result<(), Error> {
    let create = "SELECT pg_create_logical_replication_slot($1::text::name, 'pgoutput') \
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots \
           WHERE slot_name = $1::text AND database = current_database())";
    session.client.execute(create, &[&follower]).map(|_| ())
}

/// Refuses a table whose log would not tell the map's key of a deleted row. It is the partitions
/// that have the rows, and each has a replica identity of its own.
fn identified(session: &mut Session, binding: &Binding, table: &Table) -> Result<(), Failure> {
    let address = session.address.clone();
    let sql = "SELECT format('\"%s\".\"%s\"', replace(n.nspname, '\"', '\"\"'), replace(c.relname, '\"', '\"\"')) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE (c.oid = $1::text::regclass AND c.relkind <> 'p' OR c.oid IN (\
             SELECT relid FROM pg_partition_tree($1::text::regclass) WHERE isleaf)) \
           AND c.relkind <> 'f' AND c.relreplident <> 'f' AND EXISTS (\
           SELECT FROM unnest($2::text[]) AS wanted WHERE wanted NOT IN (\
             SELECT a.attname FROM pg_catalog.pg_index i \
             CROSS JOIN LATERAL unnest(i.indkey::int2[]) AS k(attnum) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
             WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'i' THEN i.indisreplident \
               WHEN 'd' THEN i.indisprimary ELSE false END)) \
         ORDER BY 1";
    let keys: Vec<&str> = binding.key_columns().map(|k| binding.name_of(k)).collect();
    let rows = session.client.query(sql, &[&table.sql, &keys]);
    let lacking: Result<Vec<String>, Error> =
        rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
    let lacking = lacking.map_err(|e| statement(&address, "follow", &e))?;
    if lacking.is_empty() {
        return Ok(());
    }
    let alter = lacking
        .iter()
        .map(|table| format!("ALTER TABLE {table} REPLICA IDENTITY FULL"));
    Err(setup(
        format!(
            "`{}`: the log of `{}` would not tell which record was deleted: its replica \
             identity lacks the map's key",
            address.system(),
            binding.object()
        ),
        alter.collect::<Vec<_>>().join("; "),
    ))
}

/// Makes the publication name just the followed tables, and tell of the rows of their partitions as
/// of theirs.
fn publish(session: &mut Session, name: &str, followed: &Followed<'_>) -> Result<(), Error> {
    let mut tables: Vec<&str> = followed
        .tables
        .iter()
        .map(|(_, t)| t.sql.as_str())
        .collect();
    tables.sort_unstable();
    tables.dedup();
    let listed = tables.join(", ");
    let name_sql = quoted(name);
    let by_root = version(session)? >= TELLS_THE_ROOT;
    let there = "SELECT to_jsonb(p) ->> 'pubviaroot' FROM pg_catalog.pg_publication p \
         WHERE pubname = $1";
    let Some(there) = session.client.query_opt(there, &[&name])? else {
        let with = match by_root {
            true => " WITH (publish_via_partition_root = true)",
            false => "",
        };
        let create = format!("CREATE PUBLICATION {name_sql} FOR TABLE {listed}{with}");
        return session.client.batch_execute(&create);
    };
    let via_root: Option<String> = there.try_get(0)?;
    if by_root && via_root.as_deref() != Some("true") {
        session.client.batch_execute(&format!(
            "ALTER PUBLICATION {name_sql} SET (publish_via_partition_root = true)"
        ))?;
    }
    match published(session, name)? == tables {
        true => Ok(()),
        false => session
            .client
            .batch_execute(&format!("ALTER PUBLICATION {name_sql} SET TABLE {listed}")),
    }
}

/// The tables that a publication names, in order.
fn published(session: &mut Session, name: &str) -> Result<Vec<String>, Error> {
    let held = "SELECT format('\"%s\".\"%s\"', replace(n.nspname, '\"', '\"\"'), replace(c.relname, '\"', '\"\"')) \
         FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid \
         JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE p.pubname = $1";
    let held = session.client.query(held, &[&name])?;
    let held: Result<Vec<String>, Error> = held.iter().map(|row| row.try_get(0)).collect();
    let mut held = held?;
    held.sort_unstable();
    Ok(held)
}

/// How a slot stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    /// Bytes of log that the server keeps because of it.
    pub held_bytes: i64,
    /// The server's own word: `reserved`, `extended`, `unreserved`, `lost`.
    pub status: Option<String>,
}

/// How a follower's slot stands; none where it has none.
pub(in crate::connector::postgres) fn state(
    session: &mut Session,
    name: &str,
) -> Result<Option<SlotState>, Error> {
    let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, wal_status::text \
         FROM pg_catalog.pg_replication_slots WHERE slot_name = $1";
    let found = session.client.query_opt(sql, &[&name])?;
    let state = found.map(|row| -> Result<SlotState, Error> {
        Ok(SlotState {
            held_bytes: row.try_get::<_, Option<i64>>(0)?.unwrap_or(0),
            status: row.try_get(1)?,
        })
    });
    state.transpose()
}

/// Drops a follower's slot and publication; whether there was any.
pub(in crate::connector::postgres) fn remove(
    session: &mut Session,
    name: &str,
) -> Result<bool, Error> {
    let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots \
         WHERE slot_name = $1 AND database = current_database()";
    let dropped = session.client.query(drop, &[&name])?.len();
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $1)";
    let there: bool = session.client.query_one(there, &[&name])?.try_get(0)?;
    if there {
        session
            .client
            .batch_execute(&format!("DROP PUBLICATION {}", quoted(name)))?;
    }
    Ok(dropped > 0 || there)
}
