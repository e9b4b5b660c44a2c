//! Reading page by page.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Position, Reader};

use super::layout::{CsvRow, Layout, bytes_of, failure, open_quote, reader};
use crate::connector::codec::{Binding, Record};
use crate::connector::failure::{file as file_failure, setup};
use crate::connector::scan::{PAGE_ROWS_MAX, Scan};
use crate::connector::upserts::locator;
use crate::engine::ports::{Failure, Page, ReadRequest, Row};

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    path: PathBuf,
    reader: Reader<File>,
    layout: Layout,
    scan: Scan,
    /// Where the row starts that was read last.
    last: Option<Position>,
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
            return Err(io(std::io::ErrorKind::IsADirectory.into()));
        }
        let mut reader = reader(file);
        let mut header = ByteRecord::new();
        let any = reader.read_byte_record(&mut header);
        if !any.map_err(|e| failure(&e, path))? {
            let names = binding.wanted().join(",");
            return Err(setup(
                format!("`{}` is empty: it has no header line", path.display()),
                format!("write the columns' names into its first line: {names}"),
            ));
        }
        let layout = Layout::find(binding, &header, path)?;
        if let Err(missing) = layout.complete(binding, path) {
            let raw = bytes_of(reader.get_ref(), 0..reader.position().byte()).map_err(io)?;
            return Err(open_quote(raw, 1, path).unwrap_or(missing));
        }
        let mut scan = Scan::start(binding, request, &found);
        if let Some(place) = scan.resume(request, path)? {
            let mut position = Position::new();
            position.set_byte(place.byte).set_line(place.line);
            reader.seek(position).map_err(|e| failure(&e, path))?;
        }
        Ok(Reading {
            path: path.to_path_buf(),
            reader,
            layout,
            scan,
            last: None,
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
            .unchanged(&self.path, self.reader.get_ref(), request)?;
        page
    }

    fn rows(&mut self, binding: &Binding, request: &ReadRequest) -> Result<Page, Failure> {
        let limit = request.limit.clamp(1, PAGE_ROWS_MAX);
        let mut page = Page {
            rows: Vec::with_capacity(limit.min(4_096)),
            ..Page::default()
        };
        let mut cells = ByteRecord::new();
        loop {
            if page.rows.len() == limit {
                let at = self.reader.position();
                let there = self.reader.get_ref().metadata();
                if at.byte()
                    >= there
                        .map_err(|e| file_failure("read", &self.path, &e))?
                        .len()
                {
                    // Whoever goes on after the last row does not see how it ends.
                    self.closed()?;
                }
                page.next = Some(self.scan.pause(&self.path, at.byte(), at.line())?);
                break;
            }
            let more = self.reader.read_byte_record(&mut cells);
            if !more.map_err(|e| failure(&e, &self.path))? {
                self.closed()?;
                break;
            }
            self.last = cells.position().cloned();
            let mut row = self.row(binding, &cells);
            if request.locate
                && let Some(row) = &mut row
            {
                row.locator = Some(locator(&cells));
            }
            page.rows.extend(row);
        }
        page.cursor = self.scan.cursor();
        Ok(page)
    }

    /// Refuses a file whose last row has a quote that was never closed.
    fn closed(&self) -> Result<(), Failure> {
        let Some(last) = &self.last else {
            return Ok(());
        };
        let range = last.byte()..self.reader.position().byte();
        let raw = bytes_of(self.reader.get_ref(), range)
            .map_err(|e| file_failure("read", &self.path, &e))?;
        open_quote(raw, last.line(), &self.path).map_or(Ok(()), Err)
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
            if !self.scan.wants(cursor.as_deref()) {
                return None;
            }
        }
        Some(binding.decode(&record))
    }
}
