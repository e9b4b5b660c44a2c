//! `postgres`: tables and views of one PostgreSQL database.
//!
//! Secret `url`: the connection. A map's object is a table or a view, with or without its schema.
//!
//! Reading goes through a cursor on the server, in the order of the primary key (or of the map's
//! cursor column), so that memory stays flat and a lost connection goes on where the last page
//! ended. What has no such order is read in one transaction, from one snapshot.
//!
//! Writing is one transaction a batch: `COPY` into a temporary table of the target's own types,
//! then one upsert. A record that the table refuses is found by halves and rejected with the
//! server's words while the others go on. What would change nothing is not written.
//!
//! Values travel as text, in the spelling that the server itself gives and takes under fixed
//! settings, so that every type that has a text form goes there and back unchanged.

mod connect;
mod failure;
mod param;
mod read;
mod stage;
mod table;
mod write;

use std::collections::BTreeMap;

use super::codec::Binding;
use super::failure::reject;
use super::file::{bindings, no_such_map};
use crate::engine::ports::{
    Connector, EventPage, Failure, MapIx, Page, ReadRequest, SystemIx, WriteReport, WriteRequest,
};
use crate::plan::Plan;
use connect::{Address, Session};
use read::Reading;
use table::Table;

/// A system that is a PostgreSQL database.
pub struct Postgres {
    address: Address,
    maps: BTreeMap<MapIx, Binding>,
    /// For writes and for looking at the schema.
    session: Option<Session>,
    /// For a read that goes on from page to page.
    reading: Option<Reading>,
    tables: BTreeMap<MapIx, Table>,
}

impl Postgres {
    /// A system whose secret `url` is `url`; nothing is dialled before the first call.
    pub fn open(plan: &Plan, system: SystemIx, url: &str) -> Result<Postgres, Failure> {
        let name = plan.systems.get(usize::from(system));
        let name = name.map(|s| s.name.clone()).unwrap_or_default();
        Ok(Postgres {
            address: Address::parse(name, url)?,
            maps: bindings(plan, system)?.into_iter().collect(),
            session: None,
            reading: None,
            tables: BTreeMap::new(),
        })
    }

    /// The binding, the open session and the map's table as it is now.
    fn of(&mut self, map: MapIx) -> Result<(&Binding, &mut Session, &Table), Failure> {
        let binding = self.maps.get(&map).ok_or_else(|| no_such_map(map))?;
        if self.session.as_ref().is_none_or(Session::is_closed) {
            self.session = None;
            self.tables.clear();
        }
        let session = match self.session.take() {
            Some(open) => open,
            None => self.address.connect()?,
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
        let going_on = self.reading.take_if(|r| r.serves(request));
        let mut reading = match going_on {
            Some(reading) => reading,
            None => {
                self.reading = None;
                let address = self.address.clone();
                let (binding, session, table) = self.of(request.map)?;
                table.complete(binding)?;
                Reading::start(&address, session, binding, table, request)?
            }
        };
        let binding = self.maps.get(&request.map);
        let binding = binding.ok_or_else(|| no_such_map(request.map))?;
        let page = reading.page(binding, request);
        match page {
            Ok(page) => {
                self.reading = page.next.is_some().then_some(reading);
                Ok(page)
            }
            Err(failure) => {
                self.forget(request.map);
                Err(failure)
            }
        }
    }

    fn write(&mut self, request: &WriteRequest) -> Result<WriteReport, Failure> {
        let (binding, session, table) = self.of(request.map)?;
        table.complete(binding)?;
        let report = write::batch(session, binding, table, &request.writes);
        if report.is_err() {
            self.forget(request.map);
        }
        report
    }

    fn events(&mut self, _: Option<&str>, _: usize) -> Result<EventPage, Failure> {
        Err(reject(
            format!("`{}` cannot be followed yet", self.address.system()),
            "read it on a schedule, by a cursor column",
        ))
    }
}

/// A name as SQL takes it, whatever it holds.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
