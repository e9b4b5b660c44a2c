//! The header line: which column of the file is which column of the map.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, Position, Reader, ReaderBuilder};
use serde_json::{Map as Object, Value as Json};

use crate::connector::codec::{Binding, Cell, Record};
use crate::connector::failure::{reject, setup};
use crate::engine::ports::Failure;
use crate::text::nearest;

/// Where each wanted column stands in a file's rows.
#[derive(Debug)]
pub(super) struct Layout {
    /// The file's columns.
    pub header: Vec<String>,
    /// Position in the file by position among the wanted columns.
    positions: Vec<Option<usize>>,
}

impl Layout {
    /// Finds the wanted columns; a column that stands twice cannot be told apart.
    pub(super) fn find(
        binding: &Binding,
        header: &ByteRecord,
        path: &Path,
    ) -> Result<Layout, Failure> {
        let header: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        let mut positions = Vec::with_capacity(binding.wanted().len());
        for wanted in binding.wanted() {
            let mut found = header.iter().enumerate().filter(|(_, h)| *h == wanted);
            let first = found.next().map(|(at, _)| at);
            if found.next().is_some() {
                return Err(setup(
                    format!(
                        "`{}` line 1: column `{wanted}` stands there twice",
                        path.display()
                    ),
                    "give each column of the file a name of its own",
                ));
            }
            positions.push(first);
        }
        Ok(Layout { header, positions })
    }

    /// The wanted columns that the file lacks.
    pub(super) fn missing<'a>(&self, binding: &'a Binding) -> Vec<&'a str> {
        let lacks =
            |(at, name): (&Option<usize>, &'a String)| at.is_none().then_some(name.as_str());
        self.positions
            .iter()
            .zip(binding.wanted())
            .filter_map(lacks)
            .collect()
    }

    /// Refuses a file that lacks a wanted column.
    pub(super) fn complete(&self, binding: &Binding, path: &Path) -> Result<(), Failure> {
        let missing = self.missing(binding);
        let Some(first) = missing.first() else {
            return Ok(());
        };
        let file = path.display();
        let remedy = match nearest(first, self.header.iter().map(String::as_str)) {
            Some(near) => format!(
                "the file has `{near}`: write that in the map of `{}` in `{}`, or rename the column",
                binding.entity(),
                binding.system()
            ),
            None => format!(
                // Where the header is missing these are a record's values.
                "add the column to the file, or map another of its columns\nit has {}",
                list(&self.header)
            ),
        };
        let names: Vec<_> = missing.iter().map(|m| format!("`{m}`")).collect();
        let columns = if missing.len() == 1 {
            "column"
        } else {
            "columns"
        };
        Err(setup(
            format!("`{file}` line 1: no {columns} {}", names.join(", ")),
            remedy,
        ))
    }

    /// Position in the file of a wanted column.
    pub(super) fn position(&self, wanted: usize) -> Option<usize> {
        self.positions.get(wanted).copied().flatten()
    }
}

fn list(names: &[String]) -> String {
    let mut shown: Vec<_> = names.iter().take(20).map(|n| format!("`{n}`")).collect();
    if names.len() > shown.len() {
        shown.push("…".into());
    }
    shown.join(", ")
}

/// A reader that shows every line, the header included, however many cells it has.
pub(super) fn reader<R: Read>(input: R) -> Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(256 * 1024)
        .from_reader(input)
}

/// A reader's trouble: with `has_headers` off and `flexible` on only I/O remains.
pub(super) fn failure(error: &csv::Error, path: &Path) -> Failure {
    match error.kind() {
        csv::ErrorKind::Io(io) => crate::connector::failure::file("read", path, io),
        _ => reject(
            format!("`{}` is no CSV file: {error}", path.display()),
            "write the file again with a header line and comma-separated cells",
        ),
    }
}

/// The trouble of a file's last row, where a quote in it is never closed: every row below it has
/// become part of one cell. `line` is that of the place from which `raw` was read, line ends that
/// precede the row included.
pub(super) fn open_quote(mut raw: Vec<u8>, line: u64, path: &Path) -> Option<Failure> {
    let length = raw.len();
    raw.extend_from_slice(b"\nx\n");
    let rows = reader(raw.as_slice()).into_byte_records().count();
    if rows != 1 || length == 0 {
        return None;
    }
    raw.truncate(length);
    let ends = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
    let lead = raw.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
    let lead = lead.filter(|b| **b == b'\n').count();
    let mut cells = ByteRecord::new();
    // It was read a moment ago.
    let _ = reader(raw.as_slice()).read_byte_record(&mut cells);
    let closed = cells.len().saturating_sub(1);
    let before: usize = cells.iter().take(closed).map(ends).sum();
    let line = line + (lead + before) as u64;
    Some(setup(
        format!(
            "`{}` line {line}: the quote that opens there is never closed",
            path.display()
        ),
        "close that quote, or write it twice where it is part of the text; the rows below it are \
         swallowed by one cell",
    ))
}

/// The bytes of a range of a file, wherever it stands.
pub(super) fn bytes_of(file: &File, range: std::ops::Range<u64>) -> std::io::Result<Vec<u8>> {
    let length = range.end.saturating_sub(range.start);
    let mut raw = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    let mut there = 0;
    while let Some(rest) = raw.get_mut(there..).filter(|rest| !rest.is_empty()) {
        match read_at(file, rest, range.start + there as u64)? {
            0 => break,
            more => there += more,
        }
    }
    raw.truncate(there);
    Ok(raw)
}

/// A row as a record of the map.
pub(super) struct CsvRow<'a> {
    /// Its cells.
    pub cells: &'a ByteRecord,
    /// Where the columns are.
    pub layout: &'a Layout,
    /// The file.
    pub path: &'a Path,
    /// The open file, to count lines.
    pub file: &'a File,
}

impl CsvRow<'_> {
    /// The line on which the row starts. The parser's own position stands before the line ends
    /// that precede the row, so those are counted here.
    fn line(&self) -> u64 {
        let start = self.cells.position().map_or(1, Position::line);
        let offset = self.cells.position().map_or(0, Position::byte);
        let mut ends = [0; 64];
        let read = read_at(self.file, &mut ends, offset).unwrap_or(0);
        let skipped = ends
            .iter()
            .take(read)
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .filter(|b| **b == b'\n')
            .count();
        start + skipped as u64
    }
}

/// Reads at an offset, wherever the file stands.
#[cfg(unix)]
pub(super) fn read_at(file: &File, into: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

/// Reads at an offset and goes back to where the file stood.
#[cfg(not(unix))]
pub(super) fn read_at(file: &File, into: &mut [u8], offset: u64) -> std::io::Result<usize> {
    use std::io::{Seek, SeekFrom};
    let mut handle = file;
    let before = handle.stream_position()?;
    handle.seek(SeekFrom::Start(offset))?;
    let read = handle.read(into);
    handle.seek(SeekFrom::Start(before))?;
    read
}

impl Record for CsvRow<'_> {
    fn cell(&self, wanted: usize) -> Cell<'_> {
        match self.layout.position(wanted) {
            Some(at) => self.cells.get(at).map_or(Cell::Null, Cell::Csv),
            None => Cell::Absent,
        }
    }

    fn raw(&self) -> String {
        let lossy = |cell: &[u8]| Json::String(String::from_utf8_lossy(cell).into_owned());
        if self.cells.len() != self.layout.header.len() {
            return Json::Array(self.cells.iter().map(lossy).collect()).to_string();
        }
        let members = self.layout.header.iter().cloned();
        let object: Object<_, _> = members.zip(self.cells.iter().map(lossy)).collect();
        Json::Object(object).to_string()
    }

    fn place(&self) -> String {
        format!("`{}` line {}", self.path.display(), self.line())
    }
}
