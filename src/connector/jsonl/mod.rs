//! `jsonl`: files of one JSON object a line.
//!
//! Option `path`: a directory, in which each map's object is a file (`.jsonl` is appended where it
//! has no extension), or one file.
//!
//! Read as records, a file is what its lines say, read by change where the map has a cursor.
//! Followed as events, it is what was appended since the last look; a file that was replaced or
//! cut is followed from its start again. Writing rewrites the file whole and at once, as for `csv`.

mod appended;
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

/// A system of JSON-lines files.
#[derive(Debug)]
pub struct Jsonl {
    system: String,
    files: Files,
    /// The read that the last page left open.
    reading: Option<Reading>,
}

impl Jsonl {
    /// A system whose option `path` is `path`.
    pub fn open(plan: &Plan, system: SystemIx, path: PathBuf) -> Result<Jsonl, Failure> {
        Ok(Jsonl {
            system: plan
                .systems
                .get(usize::from(system))
                .map(|s| s.name.clone())
                .unwrap_or_default(),
            files: Files::open(plan, system, path, "jsonl")?,
            reading: None,
        })
    }
}

impl Connector for Jsonl {
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
        let id_is_column = self.files.map_column("id");
        follow::events(&self.files, position, limit, |start| {
            Appended::from(start, &self.system, id_is_column)
        })
    }
}
