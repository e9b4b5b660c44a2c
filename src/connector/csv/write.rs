//! Upserts and deletions by rewriting the file.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use csv::{ByteRecord, Reader};

use super::layout::{CsvRow, Layout, failure, open_quote, reader};
use crate::connector::codec::{Binding, Raw};
use crate::connector::failure::file as file_failure;
use crate::connector::file::{Rewrite, stamp, unchanged};
use crate::connector::upserts::{Change, Upserts, locator};
use crate::engine::ports::{Failure, Write, WriteReport};

/// Applies the writes to the file; when it returns, they are durable there.
pub(super) fn upsert(
    binding: &Binding,
    path: &Path,
    writes: &[Write],
) -> Result<WriteReport, Failure> {
    let mut upserts = Upserts::new(binding, writes);
    let existing = match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|m| m.len() > 0) => Some(file),
        Ok(_) => None,
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(file_failure("read", path, &e)),
    };
    match existing {
        Some(file) => change(&mut upserts, file, path)?,
        None => create(&mut upserts, path)?,
    }
    Ok(upserts.report())
}

/// A file on its way to its successor.
struct Copying<'a> {
    path: &'a Path,
    rewrite: Rewrite,
    layout: Layout,
    /// The same file as the parser's, to copy rows as they are.
    source: BufReader<File>,
    /// How much of it is copied or passed over.
    copied: u64,
    line_end: &'static [u8],
    /// Columns that the file lacks and gets.
    added: Vec<usize>,
    changed: bool,
}

/// Writes a file where there was none.
fn create(upserts: &mut Upserts<'_>, path: &Path) -> Result<(), Failure> {
    let mut rewrite = Rewrite::start(path)?;
    let mut header = ByteRecord::new();
    for name in upserts.binding().wanted() {
        header.push_field(name.as_bytes());
    }
    let layout = Layout::find(upserts.binding(), &header, path)?;
    let mut line = Vec::new();
    push_row(&mut line, header.iter(), b"\n");
    rewrite.write_all(&line).map_err(|e| rewrite.failure(&e))?;
    append(upserts, &mut rewrite, &layout, &[], b"\n")?;
    rewrite.commit()
}

/// Writes the successor of a file.
fn change(upserts: &mut Upserts<'_>, file: File, path: &Path) -> Result<(), Failure> {
    let binding = upserts.binding();
    let before = stamp(path)?;
    let source = File::open(path).map_err(|e| file_failure("read", path, &e))?;
    let mut reader = reader(file);
    let mut header = ByteRecord::new();
    reader
        .read_byte_record(&mut header)
        .map_err(|e| failure(&e, path))?;
    let layout = Layout::find(binding, &header, path)?;
    if binding.key_columns().any(|k| layout.position(k).is_none()) {
        layout.complete(binding, path)?;
    }
    let wanted = 0..binding.wanted().len();
    let mut copying = Copying {
        path,
        rewrite: Rewrite::start(path)?,
        added: wanted.filter(|w| layout.position(*w).is_none()).collect(),
        layout,
        source: BufReader::with_capacity(256 * 1024, source),
        copied: 0,
        line_end: b"\n",
        changed: false,
    };
    copying.header(binding, &header, reader.position().byte())?;
    copying.rows(&mut reader, upserts)?;
    copying.rest()?;
    let Copying {
        mut rewrite,
        layout,
        added,
        line_end,
        changed,
        ..
    } = copying;
    let appended = append(upserts, &mut rewrite, &layout, &added, line_end)?;
    if !changed && !appended {
        return Ok(());
    }
    unchanged(path, &before)?;
    rewrite.commit()
}

/// Writes the records that the file did not have; whether there were any.
fn append(
    upserts: &mut Upserts<'_>,
    rewrite: &mut Rewrite,
    layout: &Layout,
    added: &[usize],
    line_end: &[u8],
) -> Result<bool, Failure> {
    let mut row: Vec<Cow<'_, str>> = vec![Cow::Borrowed(""); layout.header.len() + added.len()];
    let mut line = Vec::new();
    let mut from = 0;
    while let Some((cells, next)) = upserts.next_new(from) {
        row.fill(Cow::Borrowed(""));
        for (wanted, raw) in &cells {
            if let Some(cell) = place_of(layout, added, *wanted).and_then(|p| row.get_mut(p)) {
                *cell = Cow::Owned(raw.text().into_owned());
            }
        }
        line.clear();
        push_row(&mut line, row.iter().map(|c| c.as_bytes()), line_end);
        rewrite.write_all(&line).map_err(|e| rewrite.failure(&e))?;
        from = next;
    }
    Ok(from > 0)
}

impl Copying<'_> {
    /// Walks the file's rows and changes those that somebody writes.
    fn rows(
        &mut self,
        reader: &mut Reader<File>,
        upserts: &mut Upserts<'_>,
    ) -> Result<(), Failure> {
        let mut cells = ByteRecord::new();
        let (mut start, mut line) = (0, 1);
        let mut end = reader.position().byte();
        loop {
            let more = reader.read_byte_record(&mut cells);
            if !more.map_err(|e| failure(&e, self.path))? {
                return self.closed(start..end, line);
            }
            (start, line) = (end, cells.position().map_or(1, csv::Position::line));
            end = reader.position().byte();
            if cells.len() != self.layout.header.len() {
                continue;
            }
            let record = CsvRow {
                cells: &cells,
                layout: &self.layout,
                path: self.path,
                file: reader.get_ref(),
            };
            let key = upserts.binding().decode_key_only(&record).ok();
            match key.and_then(|k| upserts.meet(&k, || locator(&cells))) {
                Some(Change::Delete) => self.replace(start..end, None)?,
                Some(Change::Set(new)) => {
                    let row = self.set(&cells, &new);
                    let same = row.iter().map(|c| c.as_ref()).eq(cells.iter());
                    if !same {
                        self.replace(start..end, Some(&row))?;
                    }
                }
                Some(Change::Keep) | None if !self.added.is_empty() => {
                    let row = self.set(&cells, &[]);
                    self.replace(start..end, Some(&row))?;
                }
                Some(Change::Keep) | None => {}
            }
        }
    }

    /// Copies the header line, or writes it with the columns that are new.
    fn header(&mut self, binding: &Binding, header: &ByteRecord, end: u64) -> Result<(), Failure> {
        let raw = self.peek(0..end)?;
        if raw.ends_with(b"\r") || raw.ends_with(b"\r\n") {
            self.line_end = b"\r\n";
        }
        if self.added.is_empty() {
            return Ok(());
        }
        let names = self.added.iter().map(|w| binding.name_of(*w).as_bytes());
        let mut line = Vec::new();
        if raw.starts_with(b"\xef\xbb\xbf") {
            line.extend_from_slice(b"\xef\xbb\xbf");
        }
        push_row(&mut line, header.iter().chain(names), b"");
        line.extend_from_slice(ending(&raw, self.line_end));
        self.put(&line)?;
        self.skip_to(end)?;
        self.changed = true;
        Ok(())
    }

    /// A row of the file with the cells of a write, as wide as the new header.
    fn set<'r>(&self, cells: &'r ByteRecord, new: &[(usize, Raw<'_>)]) -> Vec<Cow<'r, [u8]>> {
        let mut row: Vec<Cow<'r, [u8]>> = cells.iter().map(Cow::Borrowed).collect();
        row.resize(
            self.layout.header.len() + self.added.len(),
            Cow::Borrowed(b""),
        );
        for (wanted, raw) in new {
            let place = place_of(&self.layout, &self.added, *wanted);
            if let Some(cell) = place.and_then(|p| row.get_mut(p)) {
                *cell = Cow::Owned(raw.text().as_bytes().to_vec());
            }
        }
        row
    }

    /// Puts a row, or nothing, in the place of a range of the file.
    fn replace(
        &mut self,
        range: std::ops::Range<u64>,
        row: Option<&[Cow<'_, [u8]>]>,
    ) -> Result<(), Failure> {
        self.copy_to(range.start)?;
        let raw = self.peek(range.clone())?;
        // The parser leaves the `\n` of `\r\n`, and empty lines, to the row that follows.
        let before = raw
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        let (lead, body) = raw.split_at(before);
        let tail = ending(body, b"");
        let mut line = Vec::new();
        match row {
            Some(row) => {
                line.extend_from_slice(lead);
                push_row(&mut line, row.iter().map(Cow::as_ref), tail);
            }
            None if tail.is_empty() => line.extend_from_slice(lead),
            None => {}
        }
        self.put(&line)?;
        self.changed = true;
        self.skip_to(range.end)
    }

    /// Copies what is left and ends its last line.
    fn rest(&mut self) -> Result<(), Failure> {
        io::copy(&mut self.source, &mut self.rewrite)
            .map_err(|e| file_failure("write", self.path, &e))?;
        if self.rewrite.ends_with(b"\r\n") {
            return Ok(());
        }
        self.put(self.line_end)
    }

    /// Refuses to append below a last row whose quote was never closed: what is appended would
    /// become part of its cell.
    fn closed(&mut self, last: std::ops::Range<u64>, line: u64) -> Result<(), Failure> {
        let raw = self.peek(last)?;
        open_quote(raw, line, self.path).map_or(Ok(()), Err)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.rewrite
            .write_all(bytes)
            .map_err(|e| self.rewrite.failure(&e))
    }

    fn copy_to(&mut self, until: u64) -> Result<(), Failure> {
        let length = until.saturating_sub(self.copied);
        let mut part = self.source.by_ref().take(length);
        io::copy(&mut part, &mut self.rewrite).map_err(|e| file_failure("write", self.path, &e))?;
        self.copied = until;
        Ok(())
    }

    fn skip_to(&mut self, until: u64) -> Result<(), Failure> {
        let by = i64::try_from(until.saturating_sub(self.copied)).unwrap_or(i64::MAX);
        self.source
            .seek_relative(by)
            .map_err(|e| file_failure("read", self.path, &e))?;
        self.copied = until;
        Ok(())
    }

    /// The bytes of a range that starts where copying stands or before; the place stays.
    fn peek(&mut self, range: std::ops::Range<u64>) -> Result<Vec<u8>, Failure> {
        let io = |e| file_failure("read", self.path, &e);
        let back = i64::try_from(self.copied).unwrap_or(i64::MAX);
        let start = i64::try_from(range.start).unwrap_or(i64::MAX);
        self.source.seek_relative(start - back).map_err(io)?;
        let length = range.end.saturating_sub(range.start);
        let mut raw = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(1 << 20));
        self.source
            .by_ref()
            .take(length)
            .read_to_end(&mut raw)
            .map_err(io)?;
        let behind = i64::try_from(raw.len()).unwrap_or(i64::MAX) + start - back;
        self.source.seek_relative(-behind).map_err(io)?;
        Ok(raw)
    }
}

/// The line end that closes `row`, which may stand without one.
fn ending<'a>(row: &'a [u8], otherwise: &'a [u8]) -> &'a [u8] {
    let text = row.len()
        - row
            .iter()
            .rev()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
    match row.get(text..) {
        Some(end) if !end.is_empty() => end,
        _ => otherwise,
    }
}

fn place_of(layout: &Layout, added: &[usize], wanted: usize) -> Option<usize> {
    layout.position(wanted).or_else(|| {
        let at = added.iter().position(|a| *a == wanted)?;
        Some(layout.header.len() + at)
    })
}

/// Appends a row, quoting only cells that need it.
fn push_row<'a>(line: &mut Vec<u8>, cells: impl Iterator<Item = &'a [u8]>, line_end: &[u8]) {
    let start = line.len();
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            line.push(b',');
        }
        if cell
            .iter()
            .any(|b| matches!(b, b'"' | b',' | b'\n' | b'\r'))
        {
            line.push(b'"');
            for byte in cell {
                if *byte == b'"' {
                    line.push(b'"');
                }
                line.push(*byte);
            }
            line.push(b'"');
        } else {
            line.extend_from_slice(cell);
        }
    }
    if line.len() == start {
        // A row of one empty cell would be an empty line, which is no row.
        line.extend_from_slice(b"\"\"");
    }
    line.extend_from_slice(line_end);
}
