//! Records of a batch by what they set, in the form in which a `COPY` takes them.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::{BufMut, BytesMut};

use super::binary::{self, Misfit, Wire};
use super::client::CopyIn;
use super::read::located;
use super::stage::{push_number, spell};
use super::table::{Column, Kind, Table};
use crate::connector::codec::{Binding, Raw};
use crate::engine::ports::Write;

/// Bytes of `COPY` that go to the server at once.
const COPY_BYTES: usize = 256 * 1024;

/// A deletion of one row by where it stands.
pub(super) struct Single {
    pub(super) at: usize,
    pub(super) sql: String,
    pub(super) place: Vec<String>,
}

/// What is done with the records of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Upsert,
    Delete,
}

/// How the records of a batch go to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines of a `COPY` in its text format, parameters of a statement.
    Text,
    /// Tuples of a binary `COPY`.
    Binary,
}

/// Writes that set the same columns.
pub(super) struct Group<'a> {
    pub(super) action: Action,
    pub(super) table: &'a Table,
    /// The key's columns, then those of fields.
    pub(super) columns: Vec<&'a str>,
    pub(super) keys: usize,
    pub(super) form: Form,
    /// The records as `COPY` takes them, without what begins a tuple.
    pub(super) data: BytesMut,
    /// Of each its position in the batch and where it is in `data`.
    pub(super) lines: Vec<Line>,
}

/// A record among those of its group.
pub(super) struct Line {
    /// Its position in the batch.
    pub(super) at: usize,
    /// Its line with its end, or the fields of its tuple.
    pub(super) data: Range<usize>,
}

/// Writes by what they set, the first group's records in `room`. What no column can take is
/// rejected here; none: one has to go in letters.
pub(super) fn sorted<'a>(
    form: Form,
    binding: &'a Binding,
    table: &'a Table,
    writes: &[Write],
    mut room: BytesMut,
    rejected: &mut BTreeMap<usize, String>,
) -> Option<(Vec<Group<'a>>, Vec<Single>)> {
    let wanted: Vec<usize> = binding.key_columns().collect();
    let keys: Vec<&str> = wanted.iter().map(|k| binding.name_of(*k)).collect();
    let columns: Vec<Option<&Column>> = (0..binding.wanted().len())
        .map(|w| table.column(binding.name_of(w)))
        .collect();
    room.clear();
    let mut groups: Vec<Group> = Vec::new();
    let mut singles = Vec::new();
    let mut shapes: Vec<Vec<usize>> = Vec::new();
    for (at, write) in writes.iter().enumerate() {
        let key = match binding.encode_key(write) {
            Ok(key) => key,
            Err(why) => {
                rejected.insert(at, why);
                continue;
            }
        };
        if let Some((sql, place)) = write.locator.as_deref().and_then(|l| located(table, l)) {
            singles.push(Single { at, sql, place });
            continue;
        }
        // A deletion has a shape that no upsert has.
        let shape = || {
            let deletion = write.delete.then_some(usize::MAX);
            let set = binding.columns_of(write).filter(|_| !write.delete);
            deletion.into_iter().chain(set)
        };
        let found = match shapes.iter().position(|s| s.iter().copied().eq(shape())) {
            Some(found) => found,
            None => {
                let fields = shape().filter(|wanted| *wanted != usize::MAX);
                let fields = fields.map(|wanted| binding.name_of(wanted));
                groups.push(Group {
                    action: if write.delete {
                        Action::Delete
                    } else {
                        Action::Upsert
                    },
                    table,
                    columns: keys.iter().copied().chain(fields).collect(),
                    keys: keys.len(),
                    form,
                    data: std::mem::take(&mut room),
                    lines: Vec::with_capacity(writes.len() - at),
                });
                shapes.push(shape().collect());
                groups.len() - 1
            }
        };
        let Some(group) = groups.get_mut(found) else {
            continue;
        };
        let key = wanted.iter().copied().zip(key).map(Ok);
        let cells = binding.cells(write).filter(|_| !write.delete);
        match group.add(at, key.chain(cells), &columns) {
            Ok(()) => {}
            Err(Misfit::Refused(why)) => {
                rejected.insert(at, why);
            }
            Err(Misfit::Letters) => return None,
        }
    }
    groups.retain(|group| !group.lines.is_empty());
    Some((groups, singles))
}

impl Group<'_> {
    /// Adds a record: its values in the order key, fields, each with its position among the wanted
    /// columns. One that no column can take adds nothing.
    fn add<'r>(
        &mut self,
        at: usize,
        values: impl Iterator<Item = Result<(usize, Raw<'r>), String>>,
        columns: &[Option<&Column>],
    ) -> Result<(), Misfit> {
        let start = self.data.len();
        let added = match self.form {
            Form::Text => self.add_line(values, columns),
            Form::Binary => self.add_tuple(values, columns),
        };
        if added.is_err() {
            self.data.truncate(start);
            return added;
        }
        let data = start..self.data.len();
        self.lines.push(Line { at, data });
        Ok(())
    }

    /// Whether columns of these types take its records for what they are.
    pub(super) fn is_taken_by(&self, wires: &[Option<Wire>]) -> bool {
        let wire = |name: &&str| self.table.column(name).and_then(|column| column.wire);
        self.form == Form::Text || self.columns.iter().map(wire).eq(wires.iter().copied())
    }

    fn add_line<'r>(
        &mut self,
        values: impl Iterator<Item = Result<(usize, Raw<'r>), String>>,
        columns: &[Option<&Column>],
    ) -> Result<(), Misfit> {
        let mut first = true;
        for value in values {
            let (wanted, raw) = value.map_err(Misfit::Refused)?;
            let column = columns.get(wanted).copied().flatten();
            let kind = column.map_or(Kind::Other, |column| column.kind);
            if !std::mem::take(&mut first) {
                self.data.put_u8(b'\t');
            }
            spell(&mut self.data, &raw, kind).map_err(Misfit::Refused)?;
        }
        self.data.put_u8(b'\n');
        Ok(())
    }

    fn add_tuple<'r>(
        &mut self,
        mut values: impl Iterator<Item = Result<(usize, Raw<'r>), String>>,
        columns: &[Option<&Column>],
    ) -> Result<(), Misfit> {
        values.try_for_each(|value| {
            let (wanted, raw) = value.map_err(Misfit::Refused)?;
            let column = columns.get(wanted).copied().flatten();
            let wire = column.and_then(|column| column.wire);
            wire.ok_or(Misfit::Letters)?.put(&mut self.data, &raw)
        })
    }

    /// Sends the records of a part by a `COPY` that has begun, each with its number before its
    /// fields where they are to be told apart. What the server has against it is told when the
    /// copy ends.
    pub(super) fn send(&self, writer: &mut CopyIn<'_>, part: Range<usize>, numbered: bool) {
        let mut chunk = BytesMut::with_capacity(COPY_BYTES + 4096);
        let fields = self.columns.len() + usize::from(numbered);
        // No table has more than 1,600 columns.
        let fields = i16::try_from(fields).unwrap_or(i16::MAX);
        if self.form == Form::Binary {
            chunk.put_slice(binary::HEADER);
        }
        let lines = self.lines.iter().enumerate();
        for (row, line) in lines.take(part.end).skip(part.start) {
            match self.form {
                Form::Text if numbered => {
                    push_number(&mut chunk, row as i64);
                    chunk.put_u8(b'\t');
                }
                Form::Text => {}
                Form::Binary => {
                    chunk.put_i16(fields);
                    if numbered {
                        chunk.put_i32(size_of::<i64>() as i32);
                        chunk.put_i64(row as i64);
                    }
                }
            }
            chunk.put_slice(self.data.get(line.data.clone()).unwrap_or_default());
            if chunk.len() >= COPY_BYTES {
                if writer.send(chunk.split().freeze()).is_err() {
                    return;
                }
                chunk.reserve(COPY_BYTES + 4096);
            }
        }
        if self.form == Form::Binary {
            chunk.put_i16(binary::TRAILER);
        }
        let _ = writer.send(chunk.freeze());
    }

    /// The statement that begins a `COPY`.
    pub(super) fn copy(&self, into: &str, columns: &str) -> String {
        let form = match self.form {
            Form::Text => "",
            Form::Binary => " (FORMAT binary)",
        };
        format!("COPY {into} ({columns}) FROM STDIN{form}")
    }
}
