//! Rows that were appended, as events: JSON objects by the header's names, null where a cell is
//! empty.

use std::fs::File;
use std::io;
use std::path::Path;

use csv::{ByteRecord, Position, Reader};
use serde_json::{Map as Object, Value as Json};

use super::layout::{bytes_of, open_quote, read_at, reader};
use crate::connector::event::hashed_id;
use crate::connector::follow::{Pieces, Start};
use crate::engine::ports::RawEvent;

/// The rows of a file from some place on.
pub(super) struct Appended<'a> {
    system: &'a str,
    header: Vec<String>,
    reader: Reader<File>,
    cells: ByteRecord,
    still: Option<u64>,
}

impl<'a> Appended<'a> {
    /// The rows from `start` on, below the header.
    pub(super) fn from(start: Start, system: &'a str) -> io::Result<Self> {
        use io::Seek as _;
        let mut file = start.file;
        file.rewind()?;
        let mut reader = reader(file);
        let mut cells = ByteRecord::new();
        reader.read_byte_record(&mut cells)?;
        let name = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
        let mut appended = Appended {
            system,
            header: cells.iter().map(name).collect(),
            reader,
            cells,
            still: start.still,
        };
        if !appended.ended()? {
            // The header itself is not whole yet: nothing can be below it.
            appended.header.clear();
        } else if start.byte > appended.byte() {
            let mut position = Position::new();
            position.set_byte(start.byte);
            appended.reader.seek(position)?;
        }
        Ok(appended)
    }

    /// Whether what was read last ends a line.
    fn ended(&self) -> io::Result<bool> {
        let Some(last) = self.byte().checked_sub(1) else {
            return Ok(false);
        };
        let mut byte = [0];
        let read = read_at(self.reader.get_ref(), &mut byte, last)?;
        Ok(read == 1 && matches!(byte, [b'\r' | b'\n']))
    }

    /// Whether the row that was read last has its end: that of its line, not one within a quote that
    /// is still to be closed.
    fn whole(&self) -> io::Result<bool> {
        if !self.ended()? {
            return Ok(false);
        }
        let file = self.reader.get_ref();
        if self.byte() < file.metadata()?.len() {
            return Ok(true);
        }
        let start = self.cells.position().map_or(0, Position::byte);
        let raw = bytes_of(file, start..self.byte())?;
        Ok(open_quote(raw, 1, Path::new("")).is_none())
    }

    /// The row as a JSON object; an array where it has not as many cells as the header.
    fn body(&self) -> Json {
        let cell = |cell: &[u8]| match cell {
            [] => Json::Null,
            cell => Json::String(String::from_utf8_lossy(cell).into_owned()),
        };
        if self.cells.len() != self.header.len() {
            return Json::Array(self.cells.iter().map(cell).collect());
        }
        let names = self.header.iter().cloned();
        let object: Object<_, _> = names.zip(self.cells.iter().map(cell)).collect();
        Json::Object(object)
    }
}

impl Pieces for Appended<'_> {
    fn next(&mut self) -> io::Result<Option<Option<RawEvent>>> {
        if self.header.is_empty() || !self.reader.read_byte_record(&mut self.cells)? {
            return Ok(None);
        }
        // A row without an end may still grow, unless nothing came for long.
        if self.still != Some(self.byte()) && !self.whole()? {
            return Ok(None);
        }
        let body = self.body().to_string();
        Ok(Some(Some(RawEvent {
            id: hashed_id(self.system, body.as_bytes()),
            body,
        })))
    }

    fn byte(&self) -> u64 {
        self.reader.position().byte()
    }
}
