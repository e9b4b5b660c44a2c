//! Upserts and deletions, one transaction a batch.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, Transaction, TransactionBehavior};
use serde_json::Value as Json;

use super::read::located;
use super::table::Table;
use super::{failure, quoted, words};
use crate::connector::codec::{Binding, Raw};
use crate::connector::failure::reject;
use crate::engine::ports::{Failure, Write, WriteReport};
use crate::failpoint::{Point, reach};
use crate::value::Value;

/// Times that a batch is begun anew because a record took the transaction with it.
const RESTARTS_MAX: usize = 16;

/// Applies a batch; when it returns, it is durable.
pub(super) fn batch(
    connection: &Connection,
    path: &Path,
    binding: &Binding,
    table: &Table,
    writes: &[Write],
) -> Result<WriteReport, Failure> {
    let mut rejected = BTreeMap::new();
    for _ in 0..RESTARTS_MAX {
        let attempt = Attempt {
            connection,
            path,
            binding,
            table,
        };
        if attempt.run(writes, &mut rejected)? {
            return Ok(WriteReport {
                rejected: rejected.into_iter().collect(),
                calls: 1,
            });
        }
    }
    let why = rejected.into_values().next_back().unwrap_or_default();
    Err(reject(
        format!("`{}`: records end the transaction: {why}", path.display()),
        "let the table's triggers and constraints refuse a record without `ROLLBACK`",
    ))
}

struct Attempt<'a> {
    connection: &'a Connection,
    path: &'a Path,
    binding: &'a Binding,
    table: &'a Table,
}

/// The statements of a batch; most batches have one shape.
struct Prepared<'c> {
    shapes: Vec<Shape<'c>>,
    last: usize,
    delete: Option<Statement<'c>>,
}

/// The statements for writes of one set of columns.
struct Shape<'c> {
    columns: Vec<usize>,
    insert: Statement<'c>,
    /// Whether `insert` by itself changes a row that is there.
    upserts: bool,
    /// Changes a row that is there; for a write of keys alone, finds it.
    update: Statement<'c>,
}

impl<'a> Attempt<'a> {
    /// Runs the batch but for what is rejected already; `false`: a record ended the transaction,
    /// and has been added to the rejected.
    fn run(
        &self,
        writes: &[Write],
        rejected: &mut BTreeMap<usize, String>,
    ) -> Result<bool, Failure> {
        let failed = |e: rusqlite::Error| failure(self.path, "write", &e);
        let transaction =
            Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)
                .map_err(failed)?;
        let mut prepared = Prepared {
            shapes: Vec::new(),
            last: 0,
            delete: None,
        };
        for (at, write) in writes.iter().enumerate() {
            if rejected.contains_key(&at) {
                continue;
            }
            let encoded = self
                .binding
                .encode_key(write)
                .and_then(|key| Ok((key, self.binding.encode(write)?)));
            let done = match encoded {
                Ok((key, _)) if write.delete => match &write.locator {
                    Some(locator) => self.delete_at(locator, &key),
                    None => self.delete(&mut prepared, &key),
                },
                Ok((key, cells)) => self.upsert(&mut prepared, &key, &cells),
                Err(why) => {
                    rejected.insert(at, why);
                    continue;
                }
            };
            if let Err(error) = done {
                if !of_the_record(&error) {
                    return Err(failed(error));
                }
                rejected.insert(at, words(&error));
                if self.connection.is_autocommit() {
                    return Ok(false);
                }
            }
        }
        drop(prepared);
        reach(Point::SqliteWritten);
        transaction.commit().map_err(failed)?;
        reach(Point::SqliteCommitted);
        Ok(true)
    }

    /// Deletes the one row that a locator names, where it still has that key: a row id may have
    /// passed to another record since it was read.
    fn delete_at(&self, locator: &str, key: &[Raw<'_>]) -> rusqlite::Result<()> {
        let Some((condition, bound)) = located(self.table, locator) else {
            return Ok(());
        };
        let table = quoted(&self.table.name);
        let by_key = self.by_key(bound.len() + 1);
        let sql = format!("DELETE FROM {table} {by_key} AND {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        for (at, value) in bound.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value)?;
        }
        for (at, raw) in key.iter().enumerate() {
            statement.raw_bind_parameter(bound.len() + at + 1, raw)?;
        }
        statement.raw_execute().map(drop)
    }

    fn delete(&self, prepared: &mut Prepared<'a>, key: &[Raw<'_>]) -> rusqlite::Result<()> {
        let statement = match &mut prepared.delete {
            Some(statement) => statement,
            none => {
                let table = quoted(&self.table.name);
                let sql = format!("DELETE FROM {table} {}", self.by_key(1));
                none.insert(self.connection.prepare(&sql)?)
            }
        };
        execute(statement, &[], key).map(|_| ())
    }

    fn upsert(
        &self,
        prepared: &mut Prepared<'a>,
        key: &[Raw<'_>],
        cells: &[(usize, Raw<'_>)],
    ) -> rusqlite::Result<()> {
        let same = |s: &Shape<'_>| s.columns.iter().eq(cells.iter().map(|(w, _)| w));
        if !prepared.shapes.get(prepared.last).is_some_and(same) {
            prepared.last = match prepared.shapes.iter().position(same) {
                Some(found) => found,
                None => {
                    prepared.shapes.push(self.shape(cells)?);
                    prepared.shapes.len() - 1
                }
            };
        }
        match prepared.shapes.get_mut(prepared.last) {
            Some(shape) => shape.upsert(key, cells),
            None => Ok(()),
        }
    }

    fn keys(&self) -> Vec<String> {
        let names = self.binding.key_columns().map(|k| self.binding.name_of(k));
        names.map(quoted).collect()
    }

    /// `WHERE` over the key, its parameters numbered from `first`.
    fn by_key(&self, first: usize) -> String {
        let table = quoted(&self.table.name);
        let equal = |(at, key): (usize, String)| format!("{table}.{key} = ?{}", first + at);
        let conditions: Vec<String> = self.keys().into_iter().enumerate().map(equal).collect();
        format!("WHERE {}", conditions.join(" AND "))
    }

    fn shape(&self, cells: &[(usize, Raw<'_>)]) -> rusqlite::Result<Shape<'a>> {
        let table = quoted(&self.table.name);
        let names: Vec<&str> = cells
            .iter()
            .map(|(w, _)| self.binding.name_of(*w))
            .collect();
        let fields: Vec<String> = names.iter().map(|n| quoted(n)).collect();
        let keys = self.keys();
        let marks: Vec<String> = (1..=fields.len() + keys.len())
            .map(|n| format!("?{n}"))
            .collect();
        let plain = format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            [fields.as_slice(), keys.as_slice()].concat().join(", "),
            marks.join(", ")
        );
        let mut given = names.clone();
        given.extend(self.binding.key_columns().map(|k| self.binding.name_of(k)));
        let mut insert = None;
        // A row that lacks what the table needs fails before it conflicts: the row has to be
        // looked for first.
        if self.table.unique_key && !self.table.needs_more_than(&given) {
            let set: Vec<String> = fields
                .iter()
                .map(|f| format!("{f} = excluded.{f}"))
                .collect();
            let action = match set.is_empty() {
                true => "NOTHING".to_owned(),
                false => format!("UPDATE SET {}", set.join(", ")),
            };
            let upsert = format!("{plain} ON CONFLICT ({}) DO {action}", keys.join(", "));
            // An index under another collation than its columns' cannot be named here.
            insert = self.connection.prepare(&upsert).ok();
        }
        let upserts = insert.is_some();
        let insert = match insert {
            Some(insert) => insert,
            None => self.connection.prepare(&plain)?,
        };
        let by_key = self.by_key(fields.len() + 1);
        let update = match fields.is_empty() {
            true => format!("SELECT 1 FROM {table} {by_key} LIMIT 1"),
            false => {
                let set = fields.iter().enumerate();
                let set: Vec<String> = set.map(|(at, f)| format!("{f} = ?{}", at + 1)).collect();
                format!("UPDATE {table} SET {} {by_key}", set.join(", "))
            }
        };
        Ok(Shape {
            columns: cells.iter().map(|(w, _)| *w).collect(),
            insert,
            upserts,
            update: self.connection.prepare(&update)?,
        })
    }
}

impl Shape<'_> {
    fn upsert(&mut self, key: &[Raw<'_>], cells: &[(usize, Raw<'_>)]) -> rusqlite::Result<()> {
        if self.upserts {
            let Err(error) = execute(&mut self.insert, cells, key) else {
                return Ok(());
            };
            if !of_the_record(&error) {
                return Err(error);
            }
            // The new row that it tried first was refused; the one that is there may be fine.
            return match self.change(key, cells)? {
                true => Ok(()),
                false => Err(error),
            };
        }
        if self.change(key, cells)? {
            return Ok(());
        }
        execute(&mut self.insert, cells, key).map(|_| ())
    }

    /// Changes the row with that key; whether there is one.
    fn change(&mut self, key: &[Raw<'_>], cells: &[(usize, Raw<'_>)]) -> rusqlite::Result<bool> {
        if !cells.is_empty() {
            return Ok(execute(&mut self.update, cells, key)? > 0);
        }
        bind(&mut self.update, cells, key)?;
        let mut rows = self.update.raw_query();
        Ok(rows.next()?.is_some())
    }
}

fn bind(
    statement: &mut Statement<'_>,
    cells: &[(usize, Raw<'_>)],
    key: &[Raw<'_>],
) -> rusqlite::Result<()> {
    let raws = cells.iter().map(|(_, raw)| raw).chain(key);
    for (at, raw) in raws.enumerate() {
        statement.raw_bind_parameter(at + 1, raw)?;
    }
    Ok(())
}

fn execute(
    statement: &mut Statement<'_>,
    cells: &[(usize, Raw<'_>)],
    key: &[Raw<'_>],
) -> rusqlite::Result<usize> {
    bind(statement, cells, key)?;
    statement.raw_execute()
}

/// Whether the trouble is one record's, so that its siblings can go on.
fn of_the_record(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}

/// Truth as 0 or 1, numbers as numbers, decimals and times as text (a column of numeric affinity
/// makes numbers of the former), sets and documents as JSON text.
impl ToSql for Raw<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = |t: &'_ str| -> ToSqlOutput<'static> { t.to_owned().into() };
        Ok(match self {
            Raw::Value(value) => match value.as_ref() {
                Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
                Value::Bool(b) => i64::from(*b).into(),
                Value::Int(i) => (*i).into(),
                Value::Text(t) | Value::Json(t) => {
                    ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes()))
                }
                other => text(&other.to_string()),
            },
            Raw::Text(t) => ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes())),
            Raw::Json(Json::Null) => ToSqlOutput::Borrowed(ValueRef::Null),
            Raw::Json(Json::Bool(b)) => i64::from(*b).into(),
            Raw::Json(Json::Number(n)) => match (n.as_i64(), n.as_f64()) {
                (Some(i), _) => i.into(),
                (None, Some(f)) => f.into(),
                (None, None) => text(&n.to_string()),
            },
            Raw::Json(Json::String(t)) => ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes())),
            Raw::Json(other) => text(&other.to_string()),
        })
    }
}
