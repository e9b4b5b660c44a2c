//! The messages of a server's log, one after the other, as changes of rows.

use std::collections::BTreeMap;

use pg_walstream::{ColumnInfo, LogicalReplicationMessage, LogicalReplicationParser, TupleData};
use serde_json::{Map as Object, Value as Json};

use super::Change;
use super::slot::spelt;
use crate::connector::postgres::quoted;

/// The prefix of the message by which a transaction says who made it.
pub(super) const MARK: &str = "syncline";

/// What one message of the log told.
#[derive(Default)]
pub(super) struct Told {
    /// Changes, each with its table.
    pub changes: Vec<(String, Change)>,
    /// A transaction ended here.
    pub committed: Option<String>,
}

/// Reads messages in their order.
pub(super) struct Reader {
    parser: LogicalReplicationParser,
    relations: BTreeMap<u32, (String, Vec<ColumnInfo>)>,
    /// The columns of the map's key, by table.
    keys: BTreeMap<String, Vec<String>>,
    at: Option<String>,
    count: usize,
    /// Who follows, where transactions say who made them.
    follower: Option<String>,
    /// Whether the follower made the transaction that is read.
    own: bool,
}

impl Reader {
    /// One that knows the columns of the map's key, by table, and who follows, where transactions
    /// say who made them.
    pub fn of(keys: BTreeMap<String, Vec<String>>, follower: Option<String>) -> Reader {
        Reader {
            parser: LogicalReplicationParser::with_protocol_version(1),
            relations: BTreeMap::new(),
            keys,
            at: None,
            count: 0,
            follower,
            own: false,
        }
    }

    /// Takes in the next message.
    pub fn read(&mut self, lsn: &str, data: &[u8], life: &str) -> Result<Told, String> {
        let parsed = self
            .parser
            .parse_wal_message(data)
            .map_err(|e| e.to_string())?;
        let mut told = Told::default();
        match parsed.message {
            LogicalReplicationMessage::Begin { timestamp, .. } => {
                (self.at, self.count) = (rfc3339(timestamp), 0);
                self.own = false;
            }
            LogicalReplicationMessage::Message {
                prefix, content, ..
            } if prefix == MARK => {
                let follower = self.follower.as_ref().map(String::as_bytes);
                self.own |= follower == Some(content.as_ref());
            }
            LogicalReplicationMessage::Commit { end_lsn, .. } => {
                told.committed = Some(spelt(end_lsn));
            }
            LogicalReplicationMessage::Relation {
                relation_id,
                namespace,
                relation_name,
                columns,
                ..
            } => {
                let name = format!("{}.{}", quoted(&namespace), quoted(&relation_name));
                self.relations.insert(relation_id, (name, columns));
            }
            LogicalReplicationMessage::Insert { relation_id, tuple } => {
                told.changes
                    .extend(self.change(relation_id, "inserted", &tuple, lsn, life));
            }
            LogicalReplicationMessage::Update {
                relation_id,
                old_tuple,
                new_tuple,
                key_type,
            } => {
                // The old row is told where its identity changed, or where that is all of it.
                let moved = old_tuple
                    .as_ref()
                    .filter(|old| self.key_changed(relation_id, old, &new_tuple));
                if let Some(old) = moved {
                    told.changes
                        .extend(self.change(relation_id, "deleted", old, lsn, life));
                }
                let mut change = self.change(relation_id, "updated", &new_tuple, lsn, life);
                if let (Some((_, change)), Some('O')) = (&mut change, key_type) {
                    let old = old_tuple.as_ref();
                    change.changed = old.and_then(|old| self.changed(relation_id, old, &new_tuple));
                }
                told.changes.extend(change);
            }
            LogicalReplicationMessage::Delete {
                relation_id,
                old_tuple,
                ..
            } => {
                told.changes
                    .extend(self.change(relation_id, "deleted", &old_tuple, lsn, life));
            }
            _ => {}
        }
        Ok(told)
    }

    /// Whether a row is another record now.
    fn key_changed(&self, relation: u32, old: &TupleData, new: &TupleData) -> bool {
        let Some((table, columns)) = self.relations.get(&relation) else {
            return false;
        };
        let keys = self.keys.get(table).map_or(&[][..], Vec::as_slice);
        let text = |tuple: &TupleData, at| tuple.get_column(at).map(|c| c.as_bytes().to_vec());
        let keys = keys.iter().filter_map(|key| {
            let mut names = columns.iter().map(|column| &*column.name);
            names.position(|name| name == key)
        });
        keys.into_iter().any(|at| text(old, at) != text(new, at))
    }

    /// The columns in which two versions of a row differ.
    fn changed(&self, relation: u32, old: &TupleData, new: &TupleData) -> Option<Vec<String>> {
        let (_, columns) = self.relations.get(&relation)?;
        let differs = |at: usize| match (old.get_column(at), new.get_column(at)) {
            (Some(old), Some(new)) => {
                // What the log leaves out of the new row is as it was.
                !new.is_unchanged()
                    && (old.is_null() != new.is_null() || old.as_bytes() != new.as_bytes())
            }
            _ => true,
        };
        let columns = columns.iter().enumerate();
        let changed = columns.filter(|(at, _)| differs(*at));
        Some(changed.map(|(_, column)| column.name.to_string()).collect())
    }

    fn change(
        &mut self,
        relation: u32,
        name: &'static str,
        tuple: &TupleData,
        lsn: &str,
        life: &str,
    ) -> Option<(String, Change)> {
        let (table, columns) = self.relations.get(&relation)?;
        let mut row = Object::new();
        for (at, column) in columns.iter().enumerate() {
            let Some(data) = tuple.get_column(at) else {
                continue;
            };
            if data.is_unchanged() || (name == "deleted" && data.is_null()) {
                continue;
            }
            let value = match data.is_null() {
                true => Json::Null,
                false => Json::String(String::from_utf8_lossy(data.as_bytes()).into_owned()),
            };
            row.insert(column.name.to_string(), value);
        }
        self.count += 1;
        let change = Change {
            id: format!("{life}:{lsn}:{}", self.count),
            name,
            at: self.at.clone(),
            row,
            own: self.follower.is_some().then_some(self.own),
            changed: None,
        };
        Some((table.clone(), change))
    }
}

/// Microseconds since 2000 as RFC 3339.
fn rfc3339(timestamp: i64) -> Option<String> {
    const FROM_1970_TO_2000_US: i64 = 946_684_800_000_000;
    let at = timestamp.checked_add(FROM_1970_TO_2000_US)?;
    let at = chrono::DateTime::<chrono::Utc>::from_timestamp_micros(at)?;
    Some(at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}
