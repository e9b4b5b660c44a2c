//! What a map's table looks like, and what to say where it is not as the map says.

use postgres::Error;

use super::binary::Wire;
use super::connect::{Address, Session};
use super::failure::statement;
use super::param::{Param, refs};
use super::quoted;
use crate::connector::codec::Binding;
use crate::connector::failure::setup;
use crate::engine::ports::Failure;
use crate::text::nearest;
use crate::value::Type;

/// A table or view.
#[derive(Debug, Clone)]
pub(super) struct Table {
    address: Address,
    /// Its name with its schema, as SQL takes it.
    pub sql: String,
    /// Its name as the map writes it.
    name: String,
    columns: Vec<Column>,
    /// Columns by which its rows can be told apart and put in order; none: it has no such key.
    pub order: Option<Vec<String>>,
    /// Whether an upsert can name exactly the map's key.
    pub unique_key: bool,
    /// Whether it is a table rather than a view.
    pub is_table: bool,
    /// Columns by which an index has all of its rows in order.
    leads: Vec<String>,
    /// Whether `MERGE` can write to it, which servers before version 15 do not know.
    pub merges: bool,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
    /// How its values stand in a binary `COPY`; none: not known here.
    pub wire: Option<Wire>,
    /// The type's own name, as SQL takes it.
    pub type_name: String,
    /// A value has to be given for a new row.
    needed: bool,
    /// The type or the collation may take two values for equal that are spelt otherwise.
    careless: bool,
}

/// How a column's values are spelt and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers.
    Int,
    /// Other numbers.
    Number,
    /// Times with a zone.
    Time,
    /// Times without one, which count as UTC.
    LocalTime,
    /// Days.
    Date,
    /// Arrays.
    Array,
    /// Documents as text, without an equality of their own.
    Json,
    /// Documents.
    Jsonb,
    /// Other types that have no equality of their own (`xml`, geometry).
    Incomparable,
    /// Texts and everything else that has a text form.
    Other,
}

impl Kind {
    fn of(typname: &str, category: &str) -> Kind {
        match (typname, category) {
            (_, "A") => Kind::Array,
            ("int2" | "int4" | "int8", _) => Kind::Int,
            (_, "N") => Kind::Number,
            ("timestamptz", _) => Kind::Time,
            ("timestamp", _) => Kind::LocalTime,
            ("date", _) => Kind::Date,
            ("json", _) => Kind::Json,
            ("jsonb", _) => Kind::Jsonb,
            ("xml", _) | (_, "G") => Kind::Incomparable,
            _ => Kind::Other,
        }
    }
}

impl Column {
    /// Its value in the spelling that records are read in.
    pub(super) fn shown(&self) -> String {
        let column = format!("t.{}", quoted(&self.name));
        match self.kind {
            Kind::Time => format!("replace({column}::text, '+00', 'Z')"),
            Kind::Array => format!("to_jsonb({column})::text"),
            _ => format!("{column}::text"),
        }
    }

    /// Its value as `COPY` is to spell it: as [`Column::shown`], but for times (see
    /// [`super::line::CopyLine`]), without a detour where the type's own spelling is that.
    pub(super) fn copied(&self) -> String {
        let plain = match self.kind {
            Kind::Int | Kind::Number | Kind::Date | Kind::Time | Kind::LocalTime => true,
            Kind::Json | Kind::Jsonb => true,
            Kind::Array | Kind::Incomparable => false,
            Kind::Other => matches!(&*self.type_name, "text" | "character varying" | "uuid"),
        };
        match plain {
            true => format!("t.{}", quoted(&self.name)),
            false => self.shown(),
        }
    }

    /// Its value for comparing, from the table or row named `of`.
    pub(super) fn comparable(&self, of: &str) -> String {
        let column = format!("{of}.{}", quoted(&self.name));
        match self.kind {
            // Else a change of case alone would never be written, and be owed for ever.
            _ if self.careless => format!("{column}::text COLLATE \"C\""),
            Kind::Json | Kind::Incomparable => format!("{column}::text"),
            _ => column,
        }
    }
}

const TABLE: &str = "SELECT c.oid::text, n.nspname::text, c.relname::text, \
        (c.relkind IN ('r', 'p'))::text, \
        (c.relkind IN ('r', 'p') AND NOT c.relhasrules AND NOT c.relrowsecurity \
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) \
            AND current_setting('server_version_num')::int >= 150000)::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
      AND ((c.relname = $1 AND n.nspname = ANY (current_schemas(false))) \
        OR n.nspname || '.' || c.relname = $1) \
    ORDER BY array_position(current_schemas(false), n.nspname) NULLS LAST, n.nspname LIMIT 1";

const COLUMNS: &str = "SELECT a.attname::text, b.typname::text, b.typcategory::text, \
        (a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')::text, \
        format_type(a.atttypid, NULL), \
        CASE WHEN b.typtype = 'e' THEN 'text' \
            WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN b.typname::text ELSE '' END, \
        (b.typtype <> 'e' AND b.typnamespace <> 'pg_catalog'::regnamespace \
            OR EXISTS (SELECT FROM pg_catalog.pg_collation l \
                WHERE l.oid = a.attcollation AND NOT l.collisdeterministic))::text \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid \
    JOIN pg_catalog.pg_type b ON b.oid = CASE y.typtype WHEN 'd' THEN y.typbasetype ELSE y.oid END \
    WHERE a.attrelid = $1::text::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// Indexes that make their columns unique at once and over the whole table, the primary key first;
/// each column with whether it may be null.
const KEYS: &str = "SELECT i.indexrelid::text, a.attname::text, a.attnotnull::text \
    FROM pg_catalog.pg_index i \
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
    WHERE i.indrelid = $1::text::oid AND i.indisunique AND i.indimmediate AND i.indisvalid \
      AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts \
    ORDER BY i.indisprimary DESC, i.indexrelid, k.place";

/// First columns of the indexes that have all rows in order.
const LEADS: &str = "SELECT DISTINCT a.attname::text FROM pg_catalog.pg_index i \
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
    JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree' \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
    WHERE i.indrelid = $1::text::oid AND i.indisvalid AND i.indpred IS NULL ORDER BY 1";

impl Table {
    /// Looks at the map's table.
    pub(super) fn describe(session: &mut Session, binding: &Binding) -> Result<Table, Failure> {
        let address = session.address.clone();
        let failed = |e: Error| statement(&address, "read the schema of", &e);
        let found = rows(session, TABLE, binding.object(), 5).map_err(failed)?;
        let Some([oid, schema, relation, is_table, merges]) = found.first().map(Vec::as_slice)
        else {
            return Err(missing_table(session, binding).map_err(failed)?);
        };
        let columns = rows(session, COLUMNS, oid, 7).map_err(failed)?;
        let columns = columns.iter().filter_map(|row| match row.as_slice() {
            [name, typname, category, needed, type_name, wire, careless] => Some(Column {
                name: name.clone(),
                kind: Kind::of(typname, category),
                wire: Wire::of(wire),
                type_name: type_name.clone(),
                needed: needed == "true",
                careless: careless == "true",
            }),
            _ => None,
        });
        let keys = keys(session, oid).map_err(failed)?;
        let leads = rows(session, LEADS, oid, 1).map_err(failed)?;
        let order = keys.iter().find(|key| key.iter().all(|(_, full)| *full));
        let wanted: Vec<&str> = binding.key_columns().map(|k| binding.name_of(k)).collect();
        let covers = |key: &Vec<(String, bool)>| {
            key.len() == wanted.len() && key.iter().all(|(name, _)| wanted.contains(&name.as_str()))
        };
        Ok(Table {
            sql: format!("{}.{}", quoted(schema), quoted(relation)),
            name: binding.object().to_owned(),
            columns: columns.collect(),
            order: order.map(|key| key.iter().map(|(name, _)| name.clone()).collect()),
            unique_key: keys.iter().any(covers),
            is_table: is_table == "true",
            leads: leads.into_iter().flatten().collect(),
            merges: merges == "true",
            address,
        })
    }

    /// A column by its name.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Whether an index has all of its rows in the order of a column.
    pub(super) fn is_led_by(&self, name: &str) -> bool {
        self.leads.iter().any(|lead| lead == name)
    }

    /// Whether a new row needs a column that is not among `given`.
    pub(super) fn needs_more_than(&self, given: &[&str]) -> bool {
        let mut needed = self.columns.iter().filter(|c| c.needed);
        needed.any(|c| !given.contains(&c.name.as_str()))
    }

    /// Refuses a table that lacks a wanted column.
    pub(super) fn complete(&self, binding: &Binding) -> Result<(), Failure> {
        let has = |wanted: &str| self.column(wanted).is_some();
        let mut missing = (0..binding.wanted().len()).filter(|w| !has(binding.name_of(*w)));
        let Some(first) = missing.next() else {
            return Ok(());
        };
        let wanted = binding.name_of(first);
        let alter = format!(
            "ALTER TABLE {} ADD COLUMN {} {}",
            self.sql,
            quoted(wanted),
            type_for(binding.type_of(first))
        );
        let names = self.columns.iter().map(|c| c.name.as_str());
        let remedy = match nearest(wanted, names) {
            Some(near) => format!("the table has `{near}`: map that, or add the column: {alter}"),
            None => format!("add the column: {alter}"),
        };
        Err(setup(
            format!(
                "`{}`: table `{}` has no column `{wanted}`",
                self.address.system(),
                self.name
            ),
            remedy,
        ))
    }
}

/// Rows of one statement about a name, all columns as text; nulls as empty.
fn rows(
    session: &mut Session,
    sql: &str,
    about: &str,
    width: usize,
) -> Result<Vec<Vec<String>>, Error> {
    let prepared = session.prepare(sql)?;
    let found = session
        .client
        .query(&prepared, &refs(&[Param::text(about)]))?;
    let cells = found.iter().map(|row| {
        let cell = |at| {
            row.try_get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        (0..width).map(cell).collect()
    });
    cells.collect()
}

/// Each unique key: its columns, and whether each has a value in every row.
fn keys(session: &mut Session, oid: &str) -> Result<Vec<Vec<(String, bool)>>, Error> {
    let mut keys: Vec<(String, Vec<(String, bool)>)> = Vec::new();
    for row in rows(session, KEYS, oid, 3)? {
        let [index, column, full] = row.as_slice() else {
            continue;
        };
        let part = (column.clone(), full == "true");
        match keys.last_mut() {
            Some((last, parts)) if last == index => parts.push(part),
            _ => keys.push((index.clone(), vec![part])),
        }
    }
    Ok(keys.into_iter().map(|(_, parts)| parts).collect())
}

const TABLES: &str = "SELECT CASE WHEN n.nspname = ANY (current_schemas(false)) \
        THEN c.relname ELSE n.nspname || '.' || c.relname END::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' \
      AND n.nspname <> 'information_schema' AND $1 <> '' ORDER BY 1 LIMIT 10000";

fn missing_table(session: &mut Session, binding: &Binding) -> Result<Failure, Error> {
    let names = rows(session, TABLES, binding.object(), 1)?;
    let names = names.iter().flatten().map(String::as_str);
    let create = creation(binding);
    let remedy = match nearest(binding.object(), names) {
        Some(near) => format!("the database has `{near}`: map that, or create the table: {create}"),
        None => format!("create the table: {create}"),
    };
    Ok(setup(
        format!(
            "`{}`: the database {} has no table `{}`",
            session.address.system(),
            session.address.shown(),
            binding.object()
        ),
        remedy,
    ))
}

/// A statement that creates the map's table.
fn creation(binding: &Binding) -> String {
    let wanted = binding.wanted().iter().enumerate();
    let mut parts: Vec<String> = wanted
        .map(|(at, name)| format!("{} {}", quoted(name), type_for(binding.type_of(at))))
        .collect();
    let keys: Vec<String> = binding
        .key_columns()
        .map(|k| quoted(binding.name_of(k)))
        .collect();
    parts.push(format!("PRIMARY KEY ({})", keys.join(", ")));
    let table: Vec<String> = binding.object().splitn(2, '.').map(quoted).collect();
    format!("CREATE TABLE {} ({})", table.join("."), parts.join(", "))
}

/// The type that suits a field; a column that holds none is a time.
fn type_for(ty: Option<&Type>) -> String {
    match ty {
        Some(Type::Bool) => "boolean".into(),
        Some(Type::Int { .. }) => "bigint".into(),
        Some(Type::Decimal { precision, scale }) => format!("numeric({precision}, {scale})"),
        Some(Type::Date) => "date".into(),
        Some(Type::Datetime) | None => "timestamptz".into(),
        Some(Type::Json) => "jsonb".into(),
        Some(Type::Set { of }) => format!("{}[]", type_for(Some(of))),
        Some(_) => "text".into(),
    }
}
