//! Lines that were appended, as events.

use std::io;

use serde_json::Value as Json;

use super::read::{Lines, content};
use crate::connector::event::{hashed_id, own_id};
use crate::connector::follow::{Pieces, Start};
use crate::engine::ports::RawEvent;

/// The lines of a file from some place on.
pub(super) struct Appended<'a> {
    system: &'a str,
    id_is_column: bool,
    lines: Lines,
    line: Vec<u8>,
}

impl<'a> Appended<'a> {
    /// The lines from `start` on; `id_is_column` where a member `id` is the record's.
    pub(super) fn from(start: Start, system: &'a str, id_is_column: bool) -> io::Result<Self> {
        Ok(Appended {
            system,
            id_is_column,
            lines: Lines::from(start.file, start.byte, 1)?,
            line: Vec::new(),
        })
    }
}

impl Pieces for Appended<'_> {
    fn next(&mut self) -> io::Result<Option<Option<RawEvent>>> {
        if !self.lines.next(&mut self.line)? {
            return Ok(None);
        }
        let text = content(&self.line);
        let parsed = serde_json::from_slice::<Json>(text).ok();
        // Whoever appends is not done with a line that has no end and no meaning yet.
        if !self.line.ends_with(b"\n") && !matches!(parsed, Some(Json::Object(_))) {
            return Ok(None);
        }
        if text.is_empty() {
            return Ok(Some(None));
        }
        // A line that is no JSON is an event too: whoever reads its body says what is wrong.
        let own = parsed.and_then(|json| own_id(&json, self.id_is_column));
        Ok(Some(Some(RawEvent {
            id: own.unwrap_or_else(|| hashed_id(self.system, text)),
            body: String::from_utf8_lossy(text).into_owned(),
        })))
    }

    fn byte(&self) -> u64 {
        self.lines.byte
    }
}
