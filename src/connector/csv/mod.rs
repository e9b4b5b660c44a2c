//! `csv`: files of comma-separated values with a header line.
//!
//! Option `path`: a directory, in which each map's object is a file (`.csv` is appended where it
//! has no extension), or one file.
//!
//! Reading streams: memory holds one page and one buffer, whatever the file's length. Where the map
//! has a cursor, a read by change shows the rows whose cursor is not older than the last one less
//! the overlap; ties are shown again, and so is a row without a cursor, since nobody can tell
//! whether it changed.
//!
//! Followed as events, it is the rows that were appended since the last look; a file that was
//! replaced or cut is followed from its start again. A row is whole once its line has an end; a last
//! one that gets none is taken when nothing was written to the file for a minute. An event's id is
//! a hash of its row: rows that were seen lately are known again, and so is a row that went back to
//! what it was, unless a column tells when it changed.
//!
//! Writing rewrites the file whole and at once: each call copies the file once, row by row, and
//! holds in memory only the batch and an index over its keys. Rows that the batch does not name are
//! copied byte for byte.

mod appended;
mod layout;
mod read;
mod write;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::file::Files;
use super::follow;
use crate::engine::ports::{
    Connector, EventPage, Failure, Page, ReadRequest, SystemIx, WriteReport, WriteRequest,
};
use crate::plan::Plan;
use appended::Appended;
use read::Reading;

/// A system of CSV files.
#[derive(Debug)]
pub struct Csv {
    system: String,
    files: Files,
    /// The read that the last page left open.
    reading: Option<Reading>,
}

impl Csv {
    /// A system whose option `path` is `path`.
    pub fn open(plan: &Plan, system: SystemIx, path: PathBuf) -> Result<Csv, Failure> {
        Ok(Csv {
            system: plan
                .systems
                .get(usize::from(system))
                .map(|s| s.name.clone())
                .unwrap_or_default(),
            files: Files::open(plan, system, path, "csv")?,
            reading: None,
        })
    }
}

impl Connector for Csv {
    fn read(&mut self, request: &ReadRequest) -> Result<Page, Failure> {
        let (binding, path) = self.files.of(request.map)?;
        let mut reading = match self.reading.take() {
            Some(open) if open.goes_on(request) => open,
            _ => match Reading::open(binding, &path, request) {
                Ok(opened) => opened,
                Err(_) if self.files.may_be_absent(request.map) && !path.exists() => {
                    return Ok(Page::default());
                }
                Err(failure) => return Err(failure),
            },
        };
        let page = reading.page(binding, request)?;
        self.reading = page.next.is_some().then_some(reading);
        Ok(page)
    }

    fn write(&mut self, request: &WriteRequest) -> Result<WriteReport, Failure> {
        let (binding, path) = self.files.to_write(request.map)?;
        write::upsert(binding, &path, &request.writes)
    }

    fn events(&mut self, position: Option<&str>, limit: usize) -> Result<EventPage, Failure> {
        follow::events(&self.files, position, limit, |start| {
            Appended::from(start, &self.system)
        })
    }
}
