//! Reading records page by page.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::connector::codec::{Binding, Cell, Record};
use crate::connector::failure::file as file_failure;
use crate::connector::scan::{PAGE_ROWS_MAX, Scan};
use crate::connector::upserts::locator;
use crate::engine::ports::{Failure, Page, ReadRequest, Row};

/// A file's lines, each with where it starts.
#[derive(Debug)]
pub(super) struct Lines {
    input: BufReader<File>,
    /// Byte offset of the next line.
    pub byte: u64,
    /// Its number, from 1.
    pub line: u64,
}

impl Lines {
    /// The lines from a place on.
    pub(super) fn from(file: File, byte: u64, line: u64) -> io::Result<Lines> {
        let mut input = BufReader::with_capacity(256 * 1024, file);
        input.seek(SeekFrom::Start(byte))?;
        Ok(Lines { input, byte, line })
    }

    /// The file.
    fn file(&self) -> &File {
        self.input.get_ref()
    }

    /// Reads the next line with its line end into `into`; `false` at the end.
    pub(super) fn next(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        into.clear();
        let read = self.input.read_until(b'\n', into)?;
        self.byte += read as u64;
        self.line += 1;
        Ok(read > 0)
    }
}

/// A line without its line end and, in the first line, without a byte-order mark.
pub(super) fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.trim_ascii()
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    path: PathBuf,
    lines: Lines,
    scan: Scan,
}

impl Reading {
    /// Opens the file where the request wants to start.
    pub(super) fn open(
        binding: &Binding,
        path: &Path,
        request: &ReadRequest,
    ) -> Result<Reading, Failure> {
        let io = |e| file_failure("read", path, &e);
        let file = File::open(path).map_err(io)?;
        let found = file.metadata().map_err(io)?;
        if found.is_dir() {
            return Err(io(io::ErrorKind::IsADirectory.into()));
        }
        let mut scan = Scan::start(binding, request, &found);
        let place = scan.resume(request, path)?;
        let (byte, line) = place.map_or((0, 1), |p| (p.byte, p.line));
        Ok(Reading {
            path: path.to_path_buf(),
            lines: Lines::from(file, byte, line).map_err(io)?,
            scan,
        })
    }

    /// Whether this read stands where the request wants to go on.
    pub(super) fn goes_on(&self, request: &ReadRequest) -> bool {
        self.scan.goes_on(request)
    }

    /// Reads the next page.
    pub(super) fn page(
        &mut self,
        binding: &Binding,
        request: &ReadRequest,
    ) -> Result<Page, Failure> {
        let page = self.rows(binding, request);
        // First, since what is wrong with a file that changes may be nothing but that.
        self.scan
            .unchanged(&self.path, self.lines.file(), request)?;
        page
    }

    fn rows(&mut self, binding: &Binding, request: &ReadRequest) -> Result<Page, Failure> {
        let limit = request.limit.clamp(1, PAGE_ROWS_MAX);
        let mut page = Page::default();
        let mut line = Vec::new();
        loop {
            if page.rows.len() == limit {
                let (byte, number) = (self.lines.byte, self.lines.line);
                page.next = Some(self.scan.pause(&self.path, byte, number)?);
                break;
            }
            let number = self.lines.line;
            let more = self.lines.next(&mut line);
            if !more.map_err(|e| file_failure("read", &self.path, &e))? {
                break;
            }
            let text = content(&line);
            if !text.is_empty() {
                let mut row = self.row(binding, text, number);
                if request.locate
                    && let Some(row) = &mut row
                {
                    row.locator = Some(locator([text]));
                }
                page.rows.extend(row);
            }
        }
        page.cursor = self.scan.cursor();
        Ok(page)
    }

    /// The row, unless it is older than what is wanted.
    fn row(&mut self, binding: &Binding, text: &[u8], line: u64) -> Option<Row> {
        let parsed = serde_json::from_slice::<Json>(text);
        let record = Line {
            binding,
            json: parsed.as_ref().ok(),
            text,
            path: &self.path,
            line,
        };
        match &parsed {
            Err(error) => {
                let why = format!("it is no JSON: {}", position(error));
                return Some(binding.unreadable(&record, &why));
            }
            Ok(Json::Object(_)) => {}
            Ok(_) => return Some(binding.unreadable(&record, "it is no JSON object")),
        }
        if let Some(wanted) = binding.cursor() {
            let cursor = record.cell(wanted).text();
            if !self.scan.wants(cursor.as_deref()) {
                return None;
            }
        }
        Some(binding.decode(&record))
    }
}

/// The parser's words; its own line number is always 1.
fn position(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(" at line 1 column ", " at column ")
}

/// A line as a record of the map.
pub(super) struct Line<'a> {
    /// Whose columns are wanted.
    pub binding: &'a Binding,
    /// What it says, where it is JSON.
    pub json: Option<&'a Json>,
    /// The line.
    pub text: &'a [u8],
    /// The file.
    pub path: &'a Path,
    /// The line's number.
    pub line: u64,
}

impl Record for Line<'_> {
    fn cell(&self, wanted: usize) -> Cell<'_> {
        let name = self.binding.name_of(wanted);
        let member = self
            .json
            .and_then(Json::as_object)
            .and_then(|o| o.get(name));
        member.map_or(Cell::Absent, Cell::Json)
    }

    fn raw(&self) -> String {
        let text = String::from_utf8_lossy(self.text);
        match self.json {
            Some(_) => text.into_owned(),
            None => Json::String(text.into_owned()).to_string(),
        }
    }

    fn place(&self) -> String {
        format!("`{}` line {}", self.path.display(), self.line)
    }
}
