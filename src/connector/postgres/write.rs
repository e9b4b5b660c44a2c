//! Upserts and deletions, one transaction a batch.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;

use bytes::{BufMut, BytesMut};
use postgres::{CopyInWriter, Error};

use super::binary::{self, Misfit};
use super::connect::Session;
use super::failure::{of_the_record, statement};
use super::line::CopyLine;
use super::param::{Param, refs};
use super::stage::{self, push_number, spell};
use super::table::{Column, Kind, Table};
use super::{quoted, read::located};
use crate::connector::codec::{Binding, Raw};
use crate::engine::ports::{Failure, Write, WriteReport};
use crate::failpoint::{Point, reach};

/// Bytes of `COPY` that go to the server at once.
const COPY_BYTES: usize = 256 * 1024;
/// Bytes of room that are kept from one batch to the next.
const ROOM_MAX: usize = 8 * 1024 * 1024;
/// Records from which on those that are there already are looked for first: below it the further
/// statement costs more than it saves.
const UPDATE_FIRST: usize = 512;

/// Applies a batch; when it returns, it is durable.
pub(super) fn batch(
    session: &mut Session,
    binding: &Binding,
    table: &Table,
    writes: &[Write],
) -> Result<WriteReport, Failure> {
    let address = session.address.clone();
    let failed = |e: Error| statement(&address, "write to", &e);
    let mut rejected = BTreeMap::new();
    let (mut groups, singles) = sorted(session, binding, table, writes, &mut rejected);
    let alone = match (groups.as_slice(), writes) {
        ([group], [_]) => group.lines.first().map(|l| (group, l)),
        _ => None,
    };
    if let Some((group, line)) = alone {
        group.alone(session, line, &mut rejected).map_err(failed)?;
    } else if !groups.is_empty() || !singles.is_empty() {
        let stages = groups.iter().map(|g| g.stage(session));
        let stages: Result<Vec<String>, Error> = stages.collect();
        let stages = stages.map_err(failed)?;
        let begin = match &session.mark {
            None => "BEGIN".to_owned(),
            Some(mark) => format!("BEGIN; {mark}"),
        };
        session.client.batch_execute(&begin).map_err(failed)?;
        let done = transaction(session, &groups, &stages, &singles, &mut rejected);
        if let Err(error) = done {
            // A connection that cannot even roll back is dialled anew.
            let _ = session.client.batch_execute("ROLLBACK");
            return Err(failed(error));
        }
    }
    let room = groups.first_mut().map(|g| std::mem::take(&mut g.data));
    session.room = room
        .filter(|room| room.capacity() <= ROOM_MAX)
        .unwrap_or_default();
    reach(Point::PostgresCommitted);
    Ok(WriteReport {
        rejected: rejected.into_iter().collect(),
        calls: 1,
    })
}

fn transaction(
    session: &mut Session,
    groups: &[Group<'_>],
    stages: &[String],
    singles: &[Single],
    rejected: &mut BTreeMap<usize, String>,
) -> Result<(), Error> {
    // Else what a deferred constraint refuses would be told by the commit, of nobody.
    session
        .client
        .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")?;
    for (group, stage) in groups.iter().zip(stages) {
        if !group.append(session)? {
            group.apply(session, stage, 0..group.lines.len(), rejected)?;
        }
    }
    for single in singles {
        let tried = savepoint(session, |session| {
            let prepared = session.prepare(&single.sql)?;
            let place: Vec<Param> = single.place.iter().map(|p| Param::text(p)).collect();
            session.client.execute(&prepared, &refs(&place)).map(|_| ())
        })?;
        if let Some(why) = tried {
            rejected.insert(single.at, why);
        }
    }
    reach(Point::PostgresWritten);
    session.client.batch_execute("COMMIT")
}

/// Runs a part of a transaction; what a record is refused for undoes that part alone.
fn savepoint(
    session: &mut Session,
    part: impl FnOnce(&mut Session) -> Result<(), Error>,
) -> Result<Option<String>, Error> {
    session.client.batch_execute("SAVEPOINT syncline_part")?;
    let refused = match part(session) {
        Ok(()) => None,
        Err(error) => match of_the_record(&error) {
            Some(why) => Some(why),
            None => return Err(error),
        },
    };
    session.client.batch_execute(match refused {
        None => "RELEASE SAVEPOINT syncline_part",
        Some(_) => "ROLLBACK TO SAVEPOINT syncline_part; RELEASE SAVEPOINT syncline_part",
    })?;
    Ok(refused)
}

/// A deletion of one row by where it stands.
struct Single {
    at: usize,
    sql: String,
    place: Vec<String>,
}

/// What is done with the records of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Upsert,
    Delete,
}

/// How the records of a batch go to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Lines of a `COPY` in its text format, parameters of a statement.
    Text,
    /// Tuples of a binary `COPY`.
    Binary,
}

/// Writes that set the same columns.
struct Group<'a> {
    action: Action,
    table: &'a Table,
    /// The key's columns, then those of fields.
    columns: Vec<&'a str>,
    keys: usize,
    form: Form,
    /// The records as `COPY` takes them, without what begins a tuple.
    data: BytesMut,
    /// Of each its position in the batch and where it is in `data`.
    lines: Vec<Line>,
}

/// A record among those of its group.
struct Line {
    /// Its position in the batch.
    at: usize,
    /// Its line with its end, or the fields of its tuple.
    data: Range<usize>,
}

/// Writes by what they set: as tuples where there are several and their columns take every value
/// so, else as text.
fn sorted<'a>(
    session: &mut Session,
    binding: &'a Binding,
    table: &'a Table,
    writes: &[Write],
    rejected: &mut BTreeMap<usize, String>,
) -> (Vec<Group<'a>>, Vec<Single>) {
    if writes.len() > 1 {
        let room = std::mem::take(&mut session.room);
        if let Some(sorted) = sorted_as(Form::Binary, binding, table, writes, room, rejected) {
            return sorted;
        }
        rejected.clear();
    }
    let room = std::mem::take(&mut session.room);
    // As text no value is one for letters.
    sorted_as(Form::Text, binding, table, writes, room, rejected).unwrap_or_default()
}

/// Writes by what they set, the first group's records in `room`. What no column can take is
/// rejected here; none: one has to go in letters.
fn sorted_as<'a>(
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

    fn add_line<'r>(
        &mut self,
        values: impl Iterator<Item = Result<(usize, Raw<'r>), String>>,
        columns: &[Option<&Column>],
    ) -> Result<(), Misfit> {
        let mut line = String::new();
        for value in values {
            let (wanted, raw) = value.map_err(Misfit::Refused)?;
            let column = columns.get(wanted).copied().flatten();
            let kind = column.map_or(Kind::Other, |column| column.kind);
            if !line.is_empty() {
                line.push('\t');
            }
            spell(&mut line, &raw, kind).map_err(Misfit::Refused)?;
        }
        line.push('\n');
        self.data.put_slice(line.as_bytes());
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
    fn send(&self, writer: &mut CopyInWriter<'_>, part: Range<usize>, numbered: bool) {
        let mut chunk = BytesMut::with_capacity(COPY_BYTES + 4096);
        let fields = self.columns.len() + usize::from(numbered);
        // No table has more than 1,600 columns.
        let fields = i16::try_from(fields).unwrap_or(i16::MAX);
        let mut number = String::new();
        if self.form == Form::Binary {
            chunk.put_slice(binary::HEADER);
        }
        let lines = self.lines.iter().enumerate();
        for (row, line) in lines.take(part.end).skip(part.start) {
            match self.form {
                Form::Text if numbered => {
                    number.clear();
                    push_number(&mut number, row as i64);
                    number.push('\t');
                    chunk.put_slice(number.as_bytes());
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
                if writer.write_all(&chunk).is_err() {
                    return;
                }
                chunk.clear();
            }
        }
        if self.form == Form::Binary {
            chunk.put_i16(binary::TRAILER);
        }
        let _ = writer.write_all(&chunk);
    }

    /// The statement that begins a `COPY`.
    fn copy(&self, into: &str, columns: &str) -> String {
        let form = match self.form {
            Form::Text => "",
            Form::Binary => " (FORMAT binary)",
        };
        format!("COPY {into} ({columns}) FROM STDIN{form}")
    }

    /// Copies the records straight into a table that was empty when the connection first wrote to
    /// it, which costs the server half as much as an upsert; says whether it did. The first record
    /// that is there already, or is refused, ends that for the connection: from then on all goes
    /// the way that tells records apart.
    fn append(&self, session: &mut Session) -> Result<bool, Error> {
        let suits = self.action == Action::Upsert && self.table.is_table && self.upserts();
        if !suits || !session.fills(&self.table.sql)? {
            return Ok(false);
        }
        let copy = self.copy(&self.table.sql, &self.named());
        session.client.batch_execute("SAVEPOINT syncline_append")?;
        let mut writer = session.client.copy_in(&copy)?;
        self.send(&mut writer, 0..self.lines.len(), false);
        let done = match writer.finish() {
            Ok(_) => true,
            Err(error) if error.as_db_error().is_some() => {
                session.not_empty(&self.table.sql);
                false
            }
            Err(error) => return Err(error),
        };
        session.client.batch_execute(match done {
            true => "RELEASE SAVEPOINT syncline_append",
            false => "ROLLBACK TO SAVEPOINT syncline_append; RELEASE SAVEPOINT syncline_append",
        })?;
        Ok(done)
    }

    /// The columns as SQL lists them.
    fn named(&self) -> String {
        let named: Vec<String> = self.columns.iter().map(|c| quoted(c)).collect();
        named.join(", ")
    }

    fn stage(&self, session: &mut Session) -> Result<String, Error> {
        stage::table(session, self.table, &self.columns)
    }

    /// Applies a part of the group; what fails for a record's sake is tried by halves until the
    /// record is found.
    fn apply(
        &self,
        session: &mut Session,
        stage: &str,
        part: Range<usize>,
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<(), Error> {
        let refused = savepoint(session, |session| {
            self.attempt(session, stage, part.clone())
        })?;
        let Some(why) = refused else {
            return Ok(());
        };
        if part.len() <= 1 {
            let at = self.lines.get(part.start).map(|line| line.at);
            rejected.extend(at.map(|at| (at, why)));
            return Ok(());
        }
        let middle = part.start + part.len() / 2;
        self.apply(session, stage, part.start..middle, rejected)?;
        self.apply(session, stage, middle..part.end, rejected)
    }

    fn attempt(&self, session: &mut Session, stage: &str, part: Range<usize>) -> Result<(), Error> {
        let copy = self.copy(stage, &format!("syncline_row, {}", self.named()));
        let mut writer = session.client.copy_in(&copy)?;
        self.send(&mut writer, part.clone(), true);
        writer.finish()?;
        let rows = format!(
            "s.syncline_row >= {} AND s.syncline_row < {}",
            part.start, part.end
        );
        let source = format!("{stage} AS s");
        if self.updates_first(&part) && session.expects_rows(&self.table.sql) {
            let changed = session.client.execute(&self.update(&source, &rows), &[])?;
            let changed = usize::try_from(changed).unwrap_or(usize::MAX);
            session.found_rows(&self.table.sql, changed, part.len());
            if changed >= part.len() {
                return Ok(());
            }
        }
        for sql in self.statements(&source, &rows) {
            session.client.execute(&sql, &[])?;
        }
        Ok(())
    }

    /// Whether what is there already is changed by a statement of its own, before the one that
    /// adds what is not: where all is there, as in most runs, the second is not needed, and the
    /// server neither looks whether it may insert nor locks a row before it changes it. Triggers
    /// would tell the one from the other.
    fn updates_first(&self, part: &Range<usize>) -> bool {
        let sets = self.columns.len() > self.keys;
        let upsert = self.action == Action::Upsert && sets && self.upserts();
        upsert && self.table.is_plain && part.len() >= UPDATE_FIRST
    }

    /// Changes the rows that are there and not yet as they should be.
    fn update(&self, source: &str, rows: &str) -> String {
        format!(
            "UPDATE {} AS t SET {} FROM {source} WHERE {rows} AND {} AND {}",
            self.table.sql,
            self.set("s"),
            self.equal(),
            self.differs("s")
        )
    }

    /// Whether row and record have the same key.
    fn equal(&self) -> String {
        let equal = self.columns.iter().take(self.keys);
        let equal: Vec<String> = equal.map(|c| format!("t.{0} = s.{0}", quoted(c))).collect();
        equal.join(" AND ")
    }

    /// The statements that apply the records of `source`, named `s`.
    fn statements(&self, source: &str, rows: &str) -> Vec<String> {
        let target = &self.table.sql;
        let equal = self.equal();
        if self.action == Action::Delete {
            return vec![format!(
                "DELETE FROM {target} AS t USING {source} WHERE {rows} AND {equal}"
            )];
        }
        let named: Vec<String> = self.columns.iter().map(|c| quoted(c)).collect();
        let (named, shown) = (
            named.join(", "),
            named
                .iter()
                .map(|c| format!("s.{c}"))
                .collect::<Vec<_>>()
                .join(", "),
        );
        let insert = format!(
            "INSERT INTO {target} AS t ({named}) SELECT {shown} FROM {source} WHERE {rows}"
        );
        if self.upserts() {
            return vec![format!("{insert} {}", self.on_conflict())];
        }
        if self.table.merges {
            let update = match self.columns.len() > self.keys {
                false => String::new(),
                true => format!(
                    "WHEN MATCHED AND {} THEN UPDATE SET {} ",
                    self.differs("s"),
                    self.set("s")
                ),
            };
            return vec![format!(
                "MERGE INTO {target} AS t USING (SELECT * FROM {source} WHERE {rows}) AS s \
                 ON {equal} {update}WHEN NOT MATCHED THEN INSERT ({named}) VALUES ({shown})"
            )];
        }
        let mut statements = Vec::new();
        if self.columns.len() > self.keys {
            statements.push(self.update(source, rows));
        }
        statements.push(format!(
            "{insert} AND NOT EXISTS (SELECT FROM {target} AS t WHERE {equal})"
        ));
        statements
    }

    /// Whether one statement can do it. A row that lacks what the table needs fails before it
    /// conflicts: then the row has to be looked for first.
    fn upserts(&self) -> bool {
        self.table.unique_key && !self.table.needs_more_than(&self.columns)
    }

    fn on_conflict(&self) -> String {
        let keys = self.columns.iter().take(self.keys).map(|c| quoted(c));
        let keys: Vec<String> = keys.collect();
        let action = match self.columns.len() > self.keys {
            false => "NOTHING".to_owned(),
            true => format!(
                "UPDATE SET {} WHERE {}",
                self.set("excluded"),
                self.differs("excluded")
            ),
        };
        format!("ON CONFLICT ({}) DO {action}", keys.join(", "))
    }

    fn set(&self, from: &str) -> String {
        let fields = self.columns.iter().skip(self.keys);
        let set: Vec<String> = fields
            .map(|c| format!("{0} = {from}.{0}", quoted(c)))
            .collect();
        set.join(", ")
    }

    /// Whether the row is not yet as it should be.
    fn differs(&self, from: &str) -> String {
        let fields = self.columns.iter().skip(self.keys);
        let side = |of: &str| {
            let shown = fields.clone().map(|name| match self.table.column(name) {
                Some(column) => column.comparable(of),
                None => format!("{of}.{}", quoted(name)),
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        format!("({}) IS DISTINCT FROM ({})", side("t"), side(from))
    }

    /// A single record: one statement, unless its transaction has to say who made it.
    fn alone(
        &self,
        session: &mut Session,
        line: &Line,
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<(), Error> {
        let Some(mark) = &session.mark else {
            return self.one(session, line, rejected);
        };
        let begin = format!("BEGIN; {mark}");
        session.client.batch_execute(&begin)?;
        let done = self.one(session, line, rejected);
        // After a statement that was refused a commit takes all back.
        let end = session.client.batch_execute(match done {
            Ok(()) => "COMMIT",
            Err(_) => "ROLLBACK",
        });
        done.and(end)
    }

    /// A single record, without a transaction of its own making.
    fn one(
        &self,
        session: &mut Session,
        line: &Line,
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<(), Error> {
        let text = self.data.get(line.data.clone()).unwrap_or_default();
        // It was made of texts.
        let parted = CopyLine::of(std::str::from_utf8(text).unwrap_or_default());
        let params = parted.fields().map(|field| Param(field.map(Cow::Borrowed)));
        let params: Vec<Param> = params.collect();
        let done = match self.action {
            Action::Delete => {
                let sql = format!(
                    "DELETE FROM {} AS t WHERE {}",
                    self.table.sql,
                    self.by_key()
                );
                run(session, &sql, &params).map(|_| ())
            }
            Action::Upsert if self.upserts() => {
                let sql = format!("{} {}", self.insert_one(), self.on_conflict());
                run(session, &sql, &params).map(|_| ())
            }
            Action::Upsert => self.find_and_change(session, &params),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => match of_the_record(&error) {
                Some(why) => {
                    rejected.insert(line.at, why);
                    Ok(())
                }
                None => Err(error),
            },
        }
    }

    /// Changes the row where there is one, else adds it.
    fn find_and_change(&self, session: &mut Session, params: &[Param<'_>]) -> Result<(), Error> {
        let set = self.columns.iter().enumerate().skip(self.keys);
        let set: Vec<String> = set
            .map(|(at, c)| format!("{} = ${}", quoted(c), at + 1))
            .collect();
        let (by_key, target) = (self.by_key(), &self.table.sql);
        let found = match set.is_empty() {
            true => {
                let sql = format!("SELECT 1 FROM {target} AS t WHERE {by_key} LIMIT 1");
                run(session, &sql, params)?
            }
            false => {
                let sql = format!("UPDATE {target} AS t SET {} WHERE {by_key}", set.join(", "));
                run(session, &sql, params)?
            }
        };
        match found {
            0 => run(session, &self.insert_one(), params).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn by_key(&self) -> String {
        let keys = self.columns.iter().take(self.keys).enumerate();
        let keys: Vec<String> = keys
            .map(|(at, c)| format!("t.{} = ${}", quoted(c), at + 1))
            .collect();
        keys.join(" AND ")
    }

    fn insert_one(&self) -> String {
        let named: Vec<String> = self.columns.iter().map(|c| quoted(c)).collect();
        let marks: Vec<String> = (1..=named.len()).map(|n| format!("${n}")).collect();
        format!(
            "INSERT INTO {} AS t ({}) VALUES ({})",
            self.table.sql,
            named.join(", "),
            marks.join(", ")
        )
    }
}

fn run(session: &mut Session, sql: &str, params: &[Param<'_>]) -> Result<u64, Error> {
    let prepared = session.prepare(sql)?;
    session.client.execute(&prepared, &refs(params))
}
