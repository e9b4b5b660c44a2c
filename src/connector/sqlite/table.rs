//! What a map's table looks like, and what to say where it is not as the map says.

use std::path::Path;

use rusqlite::Connection;

use super::{failure, quoted};
use crate::connector::codec::Binding;
use crate::connector::failure::setup;
use crate::engine::ports::Failure;
use crate::text::nearest;
use crate::value::Type;

/// A table or view.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name as the map writes it.
    pub name: String,
    columns: Vec<Column>,
    /// How its rows can be told apart while paging.
    pub order: Order,
    /// Whether a unique index covers exactly the map's key.
    pub unique_key: bool,
}

/// What tells rows apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// The rowid, under a name that no column hides.
    Rowid(&'static str),
    /// The columns of the primary key.
    Key(Vec<String>),
    /// Nothing (a view).
    Nothing,
}

#[derive(Debug)]
struct Column {
    name: String,
    /// A value has to be given for a new row.
    needed: bool,
    /// Place in the primary key, from 1; 0 for none.
    primary: i64,
}

impl Table {
    /// Looks at the map's table.
    pub(super) fn describe(
        connection: &Connection,
        path: &Path,
        binding: &Binding,
    ) -> Result<Table, Failure> {
        let failed = |e: rusqlite::Error| failure(path, "read the schema of", &e);
        let name = binding.object();
        let kind = kind(connection, name).map_err(failed)?;
        let Some((kind, without_rowid)) = kind else {
            return Err(missing_table(connection, path, binding).map_err(failed)?);
        };
        let columns = columns(connection, name).map_err(failed)?;
        let hidden = |word: &str| columns.iter().any(|c| c.name.eq_ignore_ascii_case(word));
        let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(|w| !hidden(w));
        let mut primary: Vec<_> = columns.iter().filter(|c| c.primary > 0).collect();
        primary.sort_by_key(|c| c.primary);
        let primary: Vec<String> = primary.into_iter().map(|c| c.name.clone()).collect();
        let order = match rowid {
            _ if kind == "view" => Order::Nothing,
            Some(rowid) if !without_rowid => Order::Rowid(rowid),
            _ if !primary.is_empty() => Order::Key(primary.clone()),
            _ => Order::Nothing,
        };
        let keys: Vec<&str> = binding.key_columns().map(|k| binding.name_of(k)).collect();
        let unique_key = same_columns(&keys, &primary)
            || unique_indexes(connection, name)
                .map_err(failed)?
                .iter()
                .any(|index| same_columns(&keys, index));
        Ok(Table {
            name: name.to_owned(),
            columns,
            order,
            unique_key,
        })
    }

    /// Whether a new row needs a column that is not among `given`.
    pub(super) fn needs_more_than(&self, given: &[&str]) -> bool {
        self.columns
            .iter()
            .any(|c| c.needed && !given.iter().any(|g| g.eq_ignore_ascii_case(&c.name)))
    }

    /// Refuses a table that lacks a wanted column.
    pub(super) fn complete(&self, path: &Path, binding: &Binding) -> Result<(), Failure> {
        let has = |wanted: &str| {
            self.columns
                .iter()
                .any(|c| c.name.eq_ignore_ascii_case(wanted))
        };
        let mut missing = (0..binding.wanted().len()).filter(|w| !has(binding.name_of(*w)));
        let Some(first) = missing.next() else {
            return Ok(());
        };
        let wanted = binding.name_of(first);
        let alter = format!(
            "ALTER TABLE {} ADD COLUMN {} {}",
            quoted(&self.name),
            quoted(wanted),
            affinity(binding.type_of(first))
        );
        let remedy = match nearest(wanted, self.columns.iter().map(|c| c.name.as_str())) {
            Some(near) => format!("the table has `{near}`: map that, or add the column: {alter}"),
            None => format!("add the column: {alter}"),
        };
        Err(setup(
            format!(
                "`{}`: table `{}` has no column `{wanted}`",
                path.display(),
                self.name
            ),
            remedy,
        ))
    }
}

fn kind(connection: &Connection, name: &str) -> rusqlite::Result<Option<(String, bool)>> {
    let sql = "SELECT type, wr FROM pragma_table_list(?1) WHERE schema = 'main'";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([name])?;
    rows.next()?
        .map(|row| Ok((row.get(0)?, row.get::<_, i64>(1)? != 0)))
        .transpose()
}

fn columns(connection: &Connection, name: &str) -> rusqlite::Result<Vec<Column>> {
    let sql = "SELECT name, \"notnull\", dflt_value IS NULL, pk, lower(type) = 'integer' \
               FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([name], |row| {
        let (primary, integer): (i64, bool) = (row.get(3)?, row.get(4)?);
        Ok(Column {
            name: row.get(0)?,
            // An integer primary key fills itself.
            needed: row.get(1)? && row.get(2)? && !(primary > 0 && integer),
            primary,
        })
    })?;
    rows.collect()
}

fn unique_indexes(connection: &Connection, name: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let sql =
        "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND partial = 0 ORDER BY seq";
    let mut statement = connection.prepare(sql)?;
    let names = statement
        .query_map([name], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut indexes = Vec::new();
    for index in names {
        let mut statement =
            connection.prepare("SELECT coalesce(name, '') FROM pragma_index_info(?1)")?;
        let columns = statement.query_map([&index], |row| row.get(0))?;
        indexes.push(columns.collect::<rusqlite::Result<Vec<String>>>()?);
    }
    Ok(indexes)
}

fn same_columns(keys: &[&str], index: &[String]) -> bool {
    let covers = |key: &&str| index.iter().any(|c| c.eq_ignore_ascii_case(key));
    !keys.is_empty() && keys.len() == index.len() && keys.iter().all(covers)
}

fn missing_table(
    connection: &Connection,
    path: &Path,
    binding: &Binding,
) -> rusqlite::Result<Failure> {
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type <> 'shadow' \
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let names = statement
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let create = creation(binding);
    let remedy = match nearest(binding.object(), names.iter().map(String::as_str)) {
        Some(near) => format!("the file has `{near}`: map that, or create the table: {create}"),
        None => format!("create the table: {create}"),
    };
    Ok(setup(
        format!("`{}` has no table `{}`", path.display(), binding.object()),
        remedy,
    ))
}

/// A statement that creates the map's table.
pub(super) fn creation(binding: &Binding) -> String {
    let keys: Vec<usize> = binding.key_columns().collect();
    let columns: Vec<String> = binding
        .wanted()
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let null = if keys.contains(&at) { " NOT NULL" } else { "" };
            format!("{} {}{null}", quoted(name), affinity(binding.type_of(at)))
        })
        .collect();
    let keys: Vec<String> = keys.iter().map(|k| quoted(binding.name_of(*k))).collect();
    format!(
        "CREATE TABLE {} ({}, PRIMARY KEY ({}))",
        quoted(binding.object()),
        columns.join(", "),
        keys.join(", ")
    )
}

fn affinity(ty: Option<&Type>) -> &'static str {
    match ty {
        Some(Type::Bool | Type::Int { .. }) => "INTEGER",
        Some(Type::Decimal { .. }) => "NUMERIC",
        _ => "TEXT",
    }
}
