//! `postgres`: tables and views of one PostgreSQL database.
//!
//! Secret `url`: the connection. A map's object is a table or a view, with or without its schema.
//!
//! Reading is one `COPY` of what a run reads, from one snapshot, in the order of the primary key
//! (or of the map's cursor column), taken page by page: the server sends no more than is taken, so
//! that memory stays flat, and a lost connection goes on where the last page ended. One page is
//! read ahead.
//!
//! Writing is one transaction a batch: `COPY` into a temporary table of the target's own types,
//! then one upsert. A record that the table refuses is found by halves and rejected with the
//! server's words while the others go on. What would change nothing is not written. A table that
//! was empty is filled by `COPY` alone.
//!
//! Events come from a trigger that notes changes, or from logical replication: see [`follow`].
//! What a runner writes is signed with the name under which it follows, so that both tell its own
//! changes from those of others.
//!
//! Values are read as text, in the spelling that the server itself gives under fixed settings, and
//! written as such too, so that every type that has a text form goes there and back unchanged;
//! where the columns' types are common ones, many go there in the server's binary form.

mod ahead;
mod binary;
mod client;
mod connect;
mod copy_out;
mod failure;
pub mod follow;
mod group;
mod line;
mod param;
mod read;
mod stage;
mod table;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codec::Binding;
use super::file::{bindings, no_such_map};
use crate::engine::ports::{
    Connector, EventPage, Failure, MapIx, Page, ReadRequest, SystemIx, WriteReport, WriteRequest,
};
use crate::plan::Plan;
use ahead::Ahead;
use connect::{Address, Backend, Session};
use follow::Feed;
use read::Reading;
use table::Table;

/// The system's maps. A read ahead has a hold of its own.
type Maps = BTreeMap<MapIx, Arc<Binding>>;

/// A system that is a PostgreSQL database.
pub struct Postgres {
    address: Address,
    maps: Maps,
    /// For writes and for looking at the schema.
    session: Option<Session>,
    /// The server's process behind the session that was lost last: what that had been sent it may
    /// still be about to carry out.
    left: Option<Backend>,
    /// For a read that goes on from page to page.
    reading: Option<Ahead>,
    tables: BTreeMap<MapIx, Table>,
    feed: Feed,
    follower: String,
    following: Option<follow::Open>,
}

impl Postgres {
    /// A system whose secret `url` is `url`; nothing is dialled before the first call.
    pub fn open(plan: &Plan, system: SystemIx, url: &str) -> Result<Postgres, Failure> {
        let found = plan.systems.get(usize::from(system));
        let name = found.map(|s| s.name.clone()).unwrap_or_default();
        let maps = bindings(plan, system)?.into_iter();
        Ok(Postgres {
            follower: follow::follower(plan, &name),
            feed: found.map_or(Ok(Feed::Trigger), Feed::of)?,
            following: None,
            address: Address::parse(name, url)?,
            maps: maps
                .map(|(map, binding)| (map, Arc::new(binding)))
                .collect(),
            session: None,
            left: None,
            reading: None,
            tables: BTreeMap::new(),
        })
    }

    /// The binding, the open session and the map's table as it is now.
    fn of(&mut self, map: MapIx) -> Result<(&Arc<Binding>, &mut Session, &Table), Failure> {
        let binding = self.maps.get(&map).ok_or_else(|| no_such_map(map))?;
        if self.session.as_ref().is_none_or(Session::is_closed) {
            let lost = self.session.take().and_then(|lost| lost.backend);
            self.left = lost.or(self.left.take());
            self.tables.clear();
        }
        let session = match self.session.take() {
            Some(open) => open,
            None => {
                let mut session = self.address.connect()?;
                follow::sign(&mut session, self.feed, &self.follower)?;
                session.succeed(self.left.as_ref())?;
                self.left = None;
                session
            }
        };
        let session = self.session.insert(session);
        let table = match self.tables.remove(&map) {
            Some(known) => known,
            None => Table::describe(session, binding)?,
        };
        Ok((binding, session, self.tables.entry(map).or_insert(table)))
    }

    /// After a failure that speaks of the schema, what is known of it is asked again.
    fn forget(&mut self, map: MapIx) {
        self.tables.remove(&map);
    }
}

impl Connector for Postgres {
    fn read(&mut self, request: &ReadRequest) -> Result<Page, Failure> {
        let going_on = self.reading.take().filter(|r| r.serves(request));
        if let Some(mut reading) = going_on
            && let Some(page) = reading.page()
        {
            self.reading = reading.goes_on().then_some(reading);
            return page.inspect_err(|_| self.forget(request.map));
        }
        let address = self.address.clone();
        let (binding, session, table) = self.of(request.map)?;
        table.complete(binding)?;
        let reading = Reading::start(&address, session, binding, table, request)?;
        let mut reading = Ahead::of(reading, Arc::clone(binding), request.clone())?;
        let page = reading.first();
        self.reading = reading.goes_on().then_some(reading);
        page.inspect_err(|_| self.forget(request.map))
    }

    fn write(&mut self, request: &WriteRequest) -> Result<WriteReport, Failure> {
        // The columns may have changed since the connection looked at them: then it looks again, once.
        for doubts in [true, false] {
            let (binding, session, table) = self.of(request.map)?;
            table.complete(binding)?;
            let done = write::batch(session, binding, table, &request.writes, doubts);
            if let Some(report) = done.transpose() {
                return report.inspect_err(|_| self.forget(request.map));
            }
            self.forget(request.map);
        }
        Err(failure::altered(&self.address))
    }

    fn events(&mut self, position: Option<&str>, limit: usize) -> Result<EventPage, Failure> {
        let open = self.following.take_if(|f| !f.is_closed());
        let mut open = match open {
            Some(open) => open,
            None => follow::Open::start(
                self.feed,
                &self.address,
                &self.follower,
                &self.maps,
                position,
            )?,
        };
        // After a failure it is opened anew: the schema may be another.
        let page = open.events(&self.maps, position, limit)?;
        self.following = Some(open);
        Ok(page)
    }
}

/// What is set up on a server for a system's events.
impl Postgres {
    /// The statements that install the trigger.
    pub fn installation(&mut self) -> Result<String, Failure> {
        let mut session = self.address.connect()?;
        let followed = follow::Followed::of(&mut session, &self.maps)?;
        Ok(follow::installation(&self.follower, &followed))
    }

    /// Sets up what the system's events need.
    pub fn install(&mut self) -> Result<Feed, Failure> {
        follow::Open::start(self.feed, &self.address, &self.follower, &self.maps, None)?;
        Ok(self.feed)
    }

    /// Takes away what was set up, of either kind.
    pub fn remove(&mut self) -> Result<follow::Removed, Failure> {
        self.following = None;
        let mut session = self.address.connect()?;
        follow::remove(&mut session, &self.follower)
    }

    /// What is set up, and what waits there.
    pub fn standing(&mut self) -> Result<follow::Standing, Failure> {
        let mut session = self.address.connect()?;
        follow::standing(&mut session, &self.follower)
    }
}

/// A name as SQL takes it, whatever it holds.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
