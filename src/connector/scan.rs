//! Reading a file from its start to its end in pages: where a page ended, what is newer.

use std::fs::{File, Metadata};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::codec::Binding;
use super::cursor::Mark;
use super::failure::{file as file_failure, reject, retry};
use super::file::identity;
use crate::engine::ports::{Failure, MapIx, ReadRequest};
use crate::value::has_digit;

/// Records in a page, whatever the request allows: a page is what memory holds.
pub(super) const PAGE_ROWS_MAX: usize = 100_000;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Byte offset of the next record.
    pub byte: u64,
    /// Line there, from 1.
    pub line: u64,
    /// Which file it was, whatever its name says by now.
    file: String,
    /// Its length and time; earlier versions did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// The greatest cursor so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A read that goes from page to page.
#[derive(Debug)]
pub(super) struct Scan {
    map: MapIx,
    since: Option<String>,
    /// Which file is read.
    file: String,
    /// Its length and time when it was opened.
    state: String,
    /// The page token that this read answers to next.
    token: Option<String>,
    /// Records older than this are passed over.
    lower: Option<Mark>,
    greatest: Option<(Mark, String)>,
}

impl Scan {
    /// A read of a file.
    pub(super) fn start(binding: &Binding, request: &ReadRequest, file: &Metadata) -> Scan {
        let since = request.since.clone().filter(|_| binding.cursor().is_some());
        Scan {
            map: request.map,
            lower: since
                .as_deref()
                .map(|s| Mark::parse(s).back(binding.overlap_ms())),
            greatest: since.clone().map(|s| (Mark::parse(&s), s)),
            since,
            file: identity(file),
            state: state(file),
            token: None,
        }
    }

    /// Where the request wants to go on, for a read that was not left open.
    pub(super) fn resume(
        &mut self,
        request: &ReadRequest,
        path: &Path,
    ) -> Result<Option<Place>, Failure> {
        let Some(token) = &request.page else {
            return Ok(None);
        };
        let place: Place = serde_json::from_str(token)
            .map_err(|_| changed(path, "the page to go on from is not one of this file"))?;
        if place.file != self.file {
            return Err(changed(path, "it was replaced while it was being read"));
        }
        if place.state.as_ref().is_some_and(|s| *s != self.state) {
            return Err(changed(path, CHANGED));
        }
        if let Some(cursor) = place.cursor.clone() {
            self.greatest = Some((Mark::parse(&cursor), cursor));
        }
        Ok(Some(place))
    }

    /// Refuses what was read of a file that is no longer as it was when it was opened: one that is
    /// rewritten in its place shows some of what it held and some of what it is to hold, and one that
    /// grows may be a copy that is not done. Nobody can tell that from rows that are appended.
    pub(super) fn unchanged(
        &self,
        path: &Path,
        file: &File,
        request: &ReadRequest,
    ) -> Result<(), Failure> {
        let found = file.metadata();
        if state(&found.map_err(|e| file_failure("read", path, &e))?) == self.state {
            return Ok(());
        }
        Err(match request.page {
            // Nothing of it was taken yet.
            None => retry(
                format!("`{}` was not read: {CHANGED}", path.display()),
                REST,
            ),
            Some(_) => changed(path, CHANGED),
        })
    }

    /// Whether this read, left open, stands where the request wants to go on.
    pub(super) fn goes_on(&self, request: &ReadRequest) -> bool {
        request.page.is_some()
            && request.page == self.token
            && request.map == self.map
            && (request.since == self.since || self.lower.is_none())
    }

    /// Whether a record with that cursor is wanted. One without is: nobody can tell whether it
    /// changed.
    pub(super) fn wants(&mut self, cursor: Option<&str>) -> bool {
        let Some(cursor) = cursor.filter(|c| !c.trim().is_empty()) else {
            return true;
        };
        // A cursor is most often equal to the one before: then nothing is to compare.
        if self.greatest.as_ref().is_some_and(|(_, g)| g == cursor) {
            return true;
        }
        let mark = Mark::parse(cursor);
        let beside = |lower: &Mark| is_word(&mark) && !is_word(lower);
        let older = |lower: &Mark| !beside(lower) && mark < *lower;
        if self.lower.as_ref().is_some_and(older) {
            return false;
        }
        let tells = |mark: &Mark| !is_word(mark);
        let newer = |greatest: &Mark| match (tells(&mark), tells(greatest)) {
            // Beside numbers and times a text tells nobody whether the record changed.
            (false, true) => false,
            (true, false) => true,
            _ => mark > *greatest,
        };
        if self.greatest.as_ref().is_none_or(|(g, _)| newer(g)) {
            self.greatest = Some((mark, cursor.to_owned()));
        }
        true
    }

    /// The greatest cursor so far.
    pub(super) fn cursor(&self) -> Option<String> {
        self.greatest.as_ref().map(|(_, text)| text.clone())
    }

    /// Ends a page before the record at a place; gives the token of the next one.
    pub(super) fn pause(&mut self, path: &Path, byte: u64, line: u64) -> Result<String, Failure> {
        let place = Place {
            byte,
            line,
            file: self.file.clone(),
            state: Some(self.state.clone()),
            cursor: self.cursor(),
        };
        let token = serde_json::to_string(&place).map_err(|e| changed(path, &e.to_string()))?;
        self.token = Some(token.clone());
        Ok(token)
    }
}

const CHANGED: &str = "it was changed while it was being read";

const REST: &str = "write a new version beside the file and rename it into its place, or let the file \
    rest while it is read";

/// What a file's content is told from that it had before: its length and time.
fn state(found: &Metadata) -> String {
    let modified = found.modified().ok();
    let since = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!("{:x}-{:x}", found.len(), since.map_or(0, |s| s.as_nanos()))
}

/// A text that counts nothing, like `n/a`.
fn is_word(mark: &Mark) -> bool {
    matches!(mark, Mark::Text(text) if !has_digit(text))
}

fn changed(path: &Path, why: &str) -> Failure {
    reject(
        format!("`{}` cannot be read on: {why}", path.display()),
        "read it again from the start; the next run does so by itself",
    )
}
