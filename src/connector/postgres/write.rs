//! Upserts and deletions, one transaction a batch.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use postgres::Error;

use super::connect::Session;
use super::failure::{of_the_record, statement};
use super::group::{Action, Form, Group, Line, Single, sorted};
use super::line::CopyLine;
use super::param::{Param, refs};
use super::table::Table;
use super::{quoted, stage};
use crate::connector::codec::Binding;
use crate::engine::ports::{Failure, Write, WriteReport};
use crate::failpoint::{Point, reach};

/// Bytes of room that are kept from one batch to the next.
const ROOM_MAX: usize = 8 * 1024 * 1024;

/// Applies a batch; when it returns, it is durable. None: the table's columns are others than when
/// they were looked at, or (only where `doubts`) a value was refused that they may take by now;
/// nothing was applied, and what was made after them is forgotten.
pub(super) fn batch(
    session: &mut Session,
    binding: &Binding,
    table: &Table,
    writes: &[Write],
    doubts: bool,
) -> Result<Option<WriteReport>, Failure> {
    let address = session.address.clone();
    let failed = |e: Error| statement(&address, "write to", &e);
    let mut rejected = BTreeMap::new();
    let forms = match writes {
        [_] => &[Form::Text][..],
        _ => &[Form::Binary, Form::Text],
    };
    let (mut groups, mut singles, mut stages) = Default::default();
    for form in forms {
        rejected.clear();
        let room = std::mem::take(&mut session.room);
        let Some(found) = sorted(*form, binding, table, writes, room, &mut rejected) else {
            continue;
        };
        (groups, singles) = found;
        // A single record needs none.
        if writes.len() > 1 {
            let Some(made) = staged(session, &groups).map_err(failed)? else {
                continue;
            };
            stages = made;
        }
        break;
    }
    let alone = match (groups.as_slice(), writes) {
        ([group], [_]) => group.lines.first().map(|l| (group, l)),
        _ => None,
    };
    let known = if let Some((group, line)) = alone {
        let fits = group.alone(session, line, &mut rejected);
        fits.map(|fits| fits || !doubts)
    } else if !groups.is_empty() || !singles.is_empty() {
        let done = match begin(session, &groups, &stages) {
            Ok(true) => {
                transaction(session, &groups, &stages, &singles, &mut rejected).map(|()| true)
            }
            other => other,
        };
        if !matches!(done, Ok(true)) {
            // A connection that cannot even roll back is dialled anew.
            let _ = session.client.batch_execute("ROLLBACK");
        }
        done
    } else {
        Ok(true)
    };
    if !known.map_err(failed)? {
        session.unprepare();
        if alone.is_none() {
            session.unstage().map_err(failed)?;
        }
        return Ok(None);
    }
    let room = groups.first_mut().map(|g| std::mem::take(&mut g.data));
    session.room = room
        .filter(|room| room.capacity() <= ROOM_MAX)
        .unwrap_or_default();
    reach(Point::PostgresCommitted);
    Ok(Some(WriteReport {
        rejected: rejected.into_iter().collect(),
        calls: 1,
    }))
}

/// Begins a batch's transaction; whether the temporary tables are as their targets are now.
fn begin(session: &mut Session, groups: &[Group<'_>], stages: &[String]) -> Result<bool, Error> {
    let mut begin = "BEGIN; ".to_owned();
    if let Some(mark) = &session.mark {
        begin.push_str(&format!("{mark}; "));
    }
    // Else what a deferred constraint refuses would be told by the commit, of nobody.
    begin.push_str("SET CONSTRAINTS ALL IMMEDIATE");
    let asked = groups.iter().zip(stages);
    let asked: Vec<String> = asked
        .map(|(group, stage)| stage::outdated(stage, group.table))
        .collect();
    if asked.is_empty() {
        return session.client.batch_execute(&begin).map(|()| true);
    }
    // Together with what is sent anyway, so that the server is not waited for once more.
    let told = session
        .client
        .told(&format!("{begin}; SELECT {}", asked.join(" OR ")))?;
    Ok(told.as_deref() != Some("t"))
}

/// The temporary tables of groups; none where one has other types than the target had when it was
/// looked at, so that its tuples would be taken for others: lines are read by what there is.
fn staged(session: &mut Session, groups: &[Group<'_>]) -> Result<Option<Vec<String>>, Error> {
    let mut stages = Vec::with_capacity(groups.len());
    for group in groups {
        let (stage, wires) = stage::table(session, group.table, &group.columns)?;
        if !group.is_taken_by(wires) {
            return Ok(None);
        }
        stages.push(stage);
    }
    Ok(Some(stages))
}

fn transaction(
    session: &mut Session,
    groups: &[Group<'_>],
    stages: &[String],
    singles: &[Single],
    rejected: &mut BTreeMap<usize, String>,
) -> Result<(), Error> {
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

impl Group<'_> {
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
        if self.form == Form::Binary {
            // Nobody changes the table's columns before the transaction ends: this locks it.
            let shown = format!("SELECT {} FROM {}", self.named(), self.table.sql);
            let shown = session.client.prepare(&shown)?;
            if !self.is_taken_by(&stage::wires(&shown)) {
                session.not_empty(&self.table.sql);
                return Ok(false);
            }
        }
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
        let statements = self.statements(&format!("{stage} AS s"), &rows);
        // Prepared, each would wait for the server twice.
        session.client.batch_execute(&statements.join("; "))
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

    /// A single record: one statement, unless its transaction has to say who made it. False: it was
    /// refused because a value does not fit its column, as that was when the statement was prepared.
    fn alone(
        &self,
        session: &mut Session,
        line: &Line,
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<bool, Error> {
        let Some(mark) = &session.mark else {
            return self.one(session, line, rejected);
        };
        let begin = format!("BEGIN; {mark}");
        session.client.batch_execute(&begin)?;
        let done = self.one(session, line, rejected);
        // After a statement that was refused a commit takes all back.
        let end = session.client.batch_execute(match done {
            Ok(_) => "COMMIT",
            Err(_) => "ROLLBACK",
        });
        done.and_then(|fits| end.map(|()| fits))
    }

    /// A single record, without a transaction of its own making.
    fn one(
        &self,
        session: &mut Session,
        line: &Line,
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<bool, Error> {
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
            Ok(()) => Ok(true),
            Err(error) => match of_the_record(&error) {
                Some(why) => {
                    rejected.insert(line.at, why);
                    let code = error.code().map_or("", |code| code.code());
                    Ok(!code.starts_with("22"))
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
        let marks = (1..=self.columns.len()).map(|n| format!("${n}"));
        let marks: Vec<String> = marks.collect();
        format!(
            "INSERT INTO {} AS t ({}) VALUES ({})",
            self.table.sql,
            self.named(),
            marks.join(", ")
        )
    }
}

fn run(session: &mut Session, sql: &str, params: &[Param<'_>]) -> Result<u64, Error> {
    let prepared = session.prepare(sql)?;
    session.client.execute(&prepared, &refs(params))
}
