//! Upserts and deletions by rewriting the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use csv::{ByteRecord, Reader};

use super::layout::{CsvRow, Layout, failure, reader};
use crate::connector::codec::Binding;
use crate::connector::failure::{file as file_failure, setup};
use crate::connector::file::{Rewrite, stamp, unchanged};
use crate::engine::ports::{Failure, Write, WriteReport};

/// Applies the writes to the file; when it returns, they are durable there.
pub(super) fn upsert(
    binding: &Binding,
    path: &Path,
    writes: &[Write],
) -> Result<WriteReport, Failure> {
    let mut batch = Batch {
        binding,
        writes,
        by_key: writes
            .iter()
            .enumerate()
            .map(|(at, w)| (w.key.as_str(), at))
            .collect(),
        seen: vec![false; writes.len()],
        rejected: Vec::new(),
    };
    let existing = match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|m| m.len() > 0) => Some(file),
        Ok(_) => None,
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(file_failure("read", path, &e)),
    };
    match existing {
        Some(file) => batch.into_existing(file, path)?,
        None => batch.into_new(path)?,
    }
    batch.rejected.sort();
    Ok(WriteReport {
        rejected: batch.rejected,
        calls: 1,
    })
}

/// The writes of a call and what became of them.
struct Batch<'a> {
    binding: &'a Binding,
    writes: &'a [Write],
    by_key: HashMap<&'a str, usize>,
    seen: Vec<bool>,
    rejected: Vec<(usize, String)>,
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

impl<'a> Batch<'a> {
    fn into_new(&mut self, path: &Path) -> Result<(), Failure> {
        let mut rewrite = Rewrite::start(path)?;
        let mut header = ByteRecord::new();
        for name in self.binding.wanted() {
            header.push_field(name.as_bytes());
        }
        let layout = Layout::find(self.binding, &header, path)?;
        let mut line = Vec::new();
        push_row(&mut line, header.iter(), b"\n");
        rewrite.write_all(&line).map_err(|e| rewrite.failure(&e))?;
        self.append(&mut rewrite, &layout, &[], b"\n")?;
        rewrite.commit()
    }

    fn into_existing(&mut self, file: File, path: &'a Path) -> Result<(), Failure> {
        let io = |e| file_failure("read", path, &e);
        let before = stamp(path)?;
        let source = BufReader::with_capacity(256 * 1024, File::open(path).map_err(io)?);
        let mut reader = reader(file);
        let mut header = ByteRecord::new();
        reader
            .read_byte_record(&mut header)
            .map_err(|e| failure(&e, path))?;
        let layout = Layout::find(self.binding, &header, path)?;
        if self
            .binding
            .key_columns()
            .any(|k| layout.position(k).is_none())
        {
            layout.complete(self.binding, path)?;
        }
        let missing = 0..self.binding.wanted().len();
        let mut copying = Copying {
            path,
            rewrite: Rewrite::start(path)?,
            added: missing.filter(|w| layout.position(*w).is_none()).collect(),
            layout,
            source,
            copied: 0,
            line_end: b"\n",
            changed: false,
        };
        copying.header(self.binding, &header, reader.position().byte())?;
        self.rows(&mut reader, &mut copying)?;
        copying.rest()?;
        let Copying {
            mut rewrite,
            layout,
            added,
            line_end,
            changed,
            ..
        } = copying;
        let appended = self.append(&mut rewrite, &layout, &added, line_end)?;
        if !changed && !appended {
            return Ok(());
        }
        unchanged(path, &before)?;
        rewrite.commit()
    }

    /// Walks the file's rows and changes those that the batch names.
    fn rows(
        &mut self,
        reader: &mut Reader<File>,
        copying: &mut Copying<'_>,
    ) -> Result<(), Failure> {
        let mut cells = ByteRecord::new();
        let (mut start, mut line) = (0, 1);
        let mut end = reader.position().byte();
        loop {
            let more = reader.read_byte_record(&mut cells);
            if !more.map_err(|e| failure(&e, copying.path))? {
                return copying.closed(start..end, line);
            }
            (start, line) = (end, cells.position().map_or(1, csv::Position::line));
            end = reader.position().byte();
            let whole = cells.len() == copying.layout.header.len();
            let named = if whole {
                let record = CsvRow {
                    cells: &cells,
                    layout: &copying.layout,
                    path: copying.path,
                    file: reader.get_ref(),
                };
                let key = self.binding.decode_key_only(&record).ok();
                key.and_then(|k| self.by_key.get(k.as_str()).copied())
            } else {
                None
            };
            match named.and_then(|at| self.writes.get(at).map(|w| (at, w))) {
                Some((at, write)) => {
                    if let Some(seen) = self.seen.get_mut(at) {
                        *seen = true;
                    }
                    self.row(at, write, &cells, start..end, copying)?;
                }
                None if whole && !copying.added.is_empty() => {
                    copying.replace(start..end, Some(&cells_of(&cells)))?;
                }
                None => {}
            }
        }
    }

    fn row(
        &mut self,
        at: usize,
        write: &Write,
        cells: &ByteRecord,
        range: std::ops::Range<u64>,
        copying: &mut Copying<'_>,
    ) -> Result<(), Failure> {
        if write.delete {
            return copying.replace(range, None);
        }
        let mut row = cells_of(cells);
        match self.binding.encode(write) {
            Ok(new) => copying.set(&mut row, &new),
            Err(why) => self.rejected.push((at, why)),
        }
        let same = copying.added.is_empty() && row.iter().map(Vec::as_slice).eq(cells.iter());
        if same {
            return Ok(());
        }
        copying.replace(range, Some(&row))
    }

    /// Writes the records that the file did not have; whether there were any.
    fn append(
        &mut self,
        rewrite: &mut Rewrite,
        layout: &Layout,
        added: &[usize],
        line_end: &[u8],
    ) -> Result<bool, Failure> {
        let columns = layout.header.len() + added.len();
        let mut line = Vec::new();
        let mut any = false;
        for (at, write) in self.writes.iter().enumerate() {
            if write.delete || self.seen.get(at).is_some_and(|s| *s) {
                continue;
            }
            let encoded = self
                .binding
                .encode_key(write)
                .and_then(|key| Ok((key, self.binding.encode(write)?)));
            let (key, cells) = match encoded {
                Ok(encoded) => encoded,
                Err(why) => {
                    self.rejected.push((at, why));
                    continue;
                }
            };
            let mut row = vec![Vec::new(); columns];
            let keys = self.binding.key_columns().zip(key.iter());
            for (wanted, raw) in keys.chain(cells.iter().map(|(w, r)| (*w, r))) {
                if let Some(cell) = place_of(layout, added, wanted).and_then(|p| row.get_mut(p)) {
                    *cell = raw.text().as_bytes().to_vec();
                }
            }
            line.clear();
            push_row(&mut line, row.iter().map(Vec::as_slice), line_end);
            rewrite.write_all(&line).map_err(|e| rewrite.failure(&e))?;
            any = true;
        }
        Ok(any)
    }
}

impl Copying<'_> {
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

    /// Sets the cells of a write in a row of the file.
    fn set(&self, row: &mut Vec<Vec<u8>>, cells: &[(usize, crate::connector::codec::Raw<'_>)]) {
        row.resize(self.layout.header.len() + self.added.len(), Vec::new());
        for (wanted, raw) in cells {
            let place = place_of(&self.layout, &self.added, *wanted);
            if let Some(cell) = place.and_then(|p| row.get_mut(p)) {
                *cell = raw.text().as_bytes().to_vec();
            }
        }
    }

    /// Puts a row, or nothing, in the place of a range of the file.
    fn replace(
        &mut self,
        range: std::ops::Range<u64>,
        row: Option<&Vec<Vec<u8>>>,
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
                let missing =
                    (self.layout.header.len() + self.added.len()).saturating_sub(row.len());
                let blank = std::iter::repeat_n(&b""[..], missing);
                push_row(&mut line, row.iter().map(Vec::as_slice).chain(blank), tail);
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
        if self.rewrite.ends_line() {
            return Ok(());
        }
        self.put(self.line_end)
    }

    /// Refuses to append below a last row whose quote was never closed: what is appended would
    /// become part of its cell.
    fn closed(&mut self, last: std::ops::Range<u64>, line: u64) -> Result<(), Failure> {
        let mut raw = self.peek(last)?;
        raw.extend_from_slice(b"\nx\n");
        let rows = reader(raw.as_slice()).into_byte_records().count();
        if rows != 1 || raw == b"\nx\n" {
            return Ok(());
        }
        Err(setup(
            format!(
                "`{}`: the quote that opens at or after line {line} is never closed",
                self.path.display()
            ),
            "close that quote; the rows below it are swallowed by one cell",
        ))
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

fn cells_of(cells: &ByteRecord) -> Vec<Vec<u8>> {
    cells.iter().map(<[u8]>::to_vec).collect()
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
