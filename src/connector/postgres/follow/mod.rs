//! Following a database: a trigger that notes changes in a table of Syncline's own, or a slot of
//! logical replication. What both have in common: who follows what, and how a change becomes an
//! event.
//!
//! Both keep what was not yet taken on the server, so that nothing is missed while no runner is
//! there, and forget it when the position that a runner made durable says that it was taken.

mod log;
mod slot;
mod trigger;

use serde_json::{Map as Object, Value as Json, json};

use super::Maps;
use super::connect::{Address, Session};
use super::failure::statement;
use super::table::{Kind, Table};
use crate::connector::codec::Binding;
use crate::connector::event::{CHANGED, OBJECT, OWN};
use crate::connector::failure::setup;
use crate::engine::ports::{EventPage, Failure, RawEvent};
use crate::plan::{Plan, Setting, System};

pub(super) use slot::Slot;
pub use slot::SlotState;
pub(super) use trigger::{Trigger, installation};

/// How a database is followed: option `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// `"trigger"`, the default: works wherever Syncline may create one.
    Trigger,
    /// `"replication"`: no cost for those who write, but the server has to run with
    /// `wal_level = logical` and the user needs REPLICATION.
    Replication,
}

impl Feed {
    /// Reads the option.
    pub(super) fn of(system: &System) -> Result<Feed, Failure> {
        match system.options.get("events") {
            None => Ok(Feed::Trigger),
            Some(Setting::Value(Json::String(word))) if word == "trigger" => Ok(Feed::Trigger),
            Some(Setting::Value(Json::String(word))) if word == "replication" => {
                Ok(Feed::Replication)
            }
            Some(_) => Err(setup(
                format!(
                    "the option `events` of `{}` is neither word that it knows",
                    system.name
                ),
                "write `option events = \"trigger\"` or `option events = \"replication\"`",
            )),
        }
    }
}

/// Who follows: one policy and system, so that several can follow one database.
pub(super) fn follower(plan: &Plan, system: &str) -> String {
    let plain = |text: &str| -> String {
        let kept = text.chars().map(|c| match c {
            'a'..='z' | '0'..='9' => c,
            'A'..='Z' => c.to_ascii_lowercase(),
            _ => '_',
        });
        kept.take(24).collect()
    };
    format!("syncline_{}_{}", plain(&plan.policy), plain(system))
}

/// The tables that are followed, each with the maps' key.
pub(super) struct Followed<'a> {
    pub tables: Vec<(&'a Binding, Table)>,
}

impl<'a> Followed<'a> {
    /// Looks at every table that the system's maps name; a view tells of nothing.
    pub(super) fn of(session: &mut Session, maps: &'a Maps) -> Result<Followed<'a>, Failure> {
        let mut tables = Vec::new();
        for binding in maps.values() {
            let table = Table::describe(session, binding)?;
            table.complete(binding)?;
            if !table.is_table {
                return Err(setup(
                    format!(
                        "`{}`: `{}` is no table, and only tables tell of their changes",
                        session.address.system(),
                        binding.object()
                    ),
                    "map the table itself, or read the view on a schedule",
                ));
            }
            tables.push((&**binding, table));
        }
        Ok(Followed { tables })
    }
}

/// A change of one row.
struct Change {
    id: String,
    /// `inserted`, `updated`, `deleted`.
    name: &'static str,
    /// When, as RFC 3339.
    at: Option<String>,
    /// The row's values in the server's text; a column that was not shown is missing.
    row: Object<String, Json>,
    /// Whether the follower itself made it; `None`: nobody noted that.
    own: Option<bool>,
    /// The columns that changed; `None`: all, or nobody knows which.
    changed: Option<Vec<String>>,
}

/// Signs what a connection writes with the follower's name, in the way that its feed tells of.
pub(super) fn sign(session: &mut Session, feed: Feed, follower: &str) -> Result<(), Failure> {
    let address = session.address.clone();
    let failed = |e| statement(&address, "set up the connection to", &e);
    let name = follower.replace('\'', "''");
    match feed {
        Feed::Trigger => {
            let sign = format!("SET syncline.writer = '{name}'");
            session.client.batch_execute(&sign).map_err(failed)
        }
        Feed::Replication => {
            let told = slot::tells_messages(session).map_err(failed)?;
            session.mark = told.then(|| {
                let prefix = log::MARK;
                format!("SELECT pg_logical_emit_message(true, '{prefix}', '{name}')")
            });
            Ok(())
        }
    }
}

/// The event of a change, as the decoder takes it apart.
fn event(binding: &Binding, table: &Table, change: Change) -> RawEvent {
    let mut data = Object::new();
    for (name, value) in change.row {
        let kind = table.column(&name).map(|c| c.kind);
        let value = match (kind, value) {
            // What is a document or a list is one in the event too.
            (Some(Kind::Json | Kind::Jsonb | Kind::Array), Json::String(text)) => {
                serde_json::from_str(&text).unwrap_or(Json::String(text))
            }
            (_, value) => value,
        };
        data.insert(name, value);
    }
    let mut body = json!({
        "type": change.name,
        OBJECT: binding.object(),
        "data": data,
    });
    if let Some(at) = change.at {
        body["timestamp"] = at.into();
    }
    if let Some(own) = change.own {
        body[OWN] = own.into();
    }
    if let Some(changed) = change.changed {
        body[CHANGED] = changed.into();
    }
    RawEvent {
        id: change.id,
        body: body.to_string(),
    }
}

/// A feed, open.
pub(super) enum Open {
    Trigger(Trigger),
    Replication(Slot),
}

impl Open {
    /// Sets the feed up on the server where it is not yet, and opens it for whoever has taken all
    /// up to a position.
    pub(super) fn start(
        feed: Feed,
        address: &Address,
        follower: &str,
        maps: &Maps,
        position: Option<&str>,
    ) -> Result<Open, Failure> {
        let mut session = address.connect()?;
        session.client.be_patient(address.patience.long);
        let followed = Followed::of(&mut session, maps)?;
        Ok(match feed {
            Feed::Trigger => Open::Trigger(Trigger::install(session, follower, &followed)?),
            Feed::Replication => {
                Open::Replication(Slot::install(session, follower, &followed, position)?)
            }
        })
    }

    /// Whether its connection is known to be gone.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Open::Trigger(trigger) => trigger.session.is_closed(),
            Open::Replication(slot) => slot.session.is_closed(),
        }
    }

    /// What came since a position.
    pub(super) fn events(
        &mut self,
        maps: &Maps,
        position: Option<&str>,
        limit: usize,
    ) -> Result<EventPage, Failure> {
        match self {
            Open::Trigger(trigger) => trigger.events(maps, position, limit),
            Open::Replication(slot) => slot.events(maps, position, limit),
        }
    }
}

/// What was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// Triggers that went.
    pub triggers: usize,
    /// Whether a slot or a publication went.
    pub slot: bool,
}

/// Takes away all that a follower set up.
pub(super) fn remove(session: &mut Session, follower: &str) -> Result<Removed, Failure> {
    let address = session.address.clone();
    let failed = |e| statement(&address, "remove what follows", &e);
    Ok(Removed {
        triggers: trigger::remove(session, follower).map_err(failed)?,
        slot: slot::remove(session, follower).map_err(failed)?,
    })
}

/// How a follower stands on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name there.
    pub follower: String,
    /// Tables with its trigger.
    pub tables: Vec<String>,
    /// Changes that wait to be taken.
    pub waiting: i64,
    /// Its slot.
    pub slot: Option<SlotState>,
}

/// Looks at what a follower set up.
pub(super) fn standing(session: &mut Session, follower: &str) -> Result<Standing, Failure> {
    let address = session.address.clone();
    let failed = |e| statement(&address, "look at what follows", &e);
    let (tables, waiting) = trigger::state(session, follower).map_err(failed)?;
    Ok(Standing {
        follower: follower.to_owned(),
        tables,
        waiting,
        slot: slot::state(session, follower).map_err(failed)?,
    })
}
