//! Reading page by page.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Position, Reader};
use serde::{Deserialize, Serialize};

use super::layout::{CsvRow, Layout, failure, reader};
use crate::connector::codec::{Binding, Record};
use crate::connector::cursor::Mark;
use crate::connector::failure::{file as file_failure, reject, setup};
use crate::connector::file::identity;
use crate::engine::ports::{Failure, MapIx, Page, ReadRequest, Row};

/// Records in a page, whatever the request allows: a page is what memory holds.
const PAGE_ROWS_MAX: usize = 100_000;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    /// Byte offset of the next row.
    byte: u64,
    /// Line there.
    line: u64,
    /// Which file it was, whatever its name says by now.
    file: String,
    /// The greatest cursor so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    map: MapIx,
    since: Option<String>,
    path: PathBuf,
    identity: String,
    reader: Reader<File>,
    layout: Layout,
    /// The page token that this read answers to next.
    token: Option<String>,
    /// Rows older than this are passed over.
    lower: Option<Mark>,
    greatest: Option<(Mark, String)>,
}

impl Reading {
    /// Opens the file where the request wants to start.
    pub(super) fn open(
        binding: &Binding,
        path: &Path,
        request: &ReadRequest,
    ) -> Result<Reading, Failure> {
        let file = File::open(path).map_err(|e| file_failure("read", path, &e))?;
        let io = |e| file_failure("read", path, &e);
        let found = file.metadata().map_err(io)?;
        if found.is_dir() {
            return Err(io(std::io::ErrorKind::IsADirectory.into()));
        }
        let identity = identity(&found);
        let mut reader = reader(file);
        let mut header = ByteRecord::new();
        if !reader
            .read_byte_record(&mut header)
            .map_err(|e| failure(&e, path))?
        {
            return Err(setup(
                format!("`{}` is empty: it has no header line", path.display()),
                format!("write the columns' names into its first line: {}", {
                    binding.wanted().join(",")
                }),
            ));
        }
        let layout = Layout::find(binding, &header, path)?;
        layout.complete(binding, path)?;
        let since = request.since.clone().filter(|_| binding.cursor().is_some());
        let mut reading = Reading {
            map: request.map,
            lower: since
                .as_deref()
                .map(|s| Mark::parse(s).back(binding.overlap_ms())),
            greatest: since.clone().map(|s| (Mark::parse(&s), s)),
            since,
            path: path.to_path_buf(),
            identity,
            reader,
            layout,
            token: None,
        };
        if let Some(token) = &request.page {
            reading.seek(token)?;
        }
        Ok(reading)
    }

    /// Whether this read stands where the request wants to go on.
    pub(super) fn goes_on(&self, request: &ReadRequest) -> bool {
        request.page.is_some()
            && request.page == self.token
            && request.map == self.map
            && (request.since == self.since || self.lower.is_none())
    }

    fn seek(&mut self, token: &str) -> Result<(), Failure> {
        let token: Token = serde_json::from_str(token)
            .map_err(|_| self.changed("the page to go on from is not one of this file"))?;
        if token.file != self.identity {
            return Err(self.changed("it was replaced while it was being read"));
        }
        let mut position = Position::new();
        position.set_byte(token.byte).set_line(token.line);
        self.reader
            .seek(position)
            .map_err(|e| failure(&e, &self.path))?;
        if let Some(cursor) = token.cursor {
            self.greatest = Some((Mark::parse(&cursor), cursor));
        }
        Ok(())
    }

    fn changed(&self, why: &str) -> Failure {
        reject(
            format!("`{}` cannot be read on: {why}", self.path.display()),
            "read it again from the start; the next run does so by itself",
        )
    }

    /// Reads the next page.
    pub(super) fn page(&mut self, binding: &Binding, limit: usize) -> Result<Page, Failure> {
        let limit = limit.clamp(1, PAGE_ROWS_MAX);
        let mut rows = Vec::with_capacity(limit.min(4_096));
        let mut cells = ByteRecord::new();
        let mut at_end = false;
        while rows.len() < limit {
            let more = self.reader.read_byte_record(&mut cells);
            if !more.map_err(|e| failure(&e, &self.path))? {
                at_end = true;
                break;
            }
            if let Some(row) = self.row(binding, &cells) {
                rows.push(row);
            }
        }
        let cursor = self.greatest.as_ref().map(|(_, text)| text.clone());
        self.token = if at_end {
            None
        } else {
            Some(self.mark(cursor.clone())?)
        };
        Ok(Page {
            rows,
            next: self.token.clone(),
            cursor,
        })
    }

    fn mark(&self, cursor: Option<String>) -> Result<String, Failure> {
        let token = Token {
            byte: self.reader.position().byte(),
            line: self.reader.position().line(),
            file: self.identity.clone(),
            cursor,
        };
        serde_json::to_string(&token).map_err(|e| self.changed(&e.to_string()))
    }

    /// The row, unless it is older than what is wanted.
    fn row(&mut self, binding: &Binding, cells: &ByteRecord) -> Option<Row> {
        let record = CsvRow {
            cells,
            layout: &self.layout,
            path: &self.path,
            file: self.reader.get_ref(),
        };
        if cells.len() != self.layout.header.len() {
            let (has, wants) = (cells.len(), self.layout.header.len());
            let why = format!("the row has {has} cells where the header has {wants}");
            return Some(binding.unreadable(&record, &why));
        }
        if let Some(wanted) = binding.cursor() {
            let cursor = record.cell(wanted).text();
            let cursor = cursor.as_deref().filter(|c| !c.trim().is_empty());
            if let Some(cursor) = cursor {
                // A cursor is most often equal to the one before: then nothing is to compare.
                let known = self.greatest.as_ref().is_some_and(|(_, g)| g == cursor);
                if !known {
                    let mark = Mark::parse(cursor);
                    if self.lower.as_ref().is_some_and(|lower| mark < *lower) {
                        return None;
                    }
                    if self.greatest.as_ref().is_none_or(|(g, _)| mark > *g) {
                        self.greatest = Some((mark, cursor.to_owned()));
                    }
                }
            }
        }
        Some(binding.decode(&record))
    }
}
