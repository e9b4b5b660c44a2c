//! Reading page by page.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, Row as SqlRow};
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use serde_json::{Map as Object, Value as Json};

use super::table::{Order, Table};
use super::{Open, failure, quoted};
use crate::connector::codec::{Binding, Cell, Record};
use crate::connector::cursor::{Mark, lower_text};
use crate::connector::failure::reject;
use crate::engine::ports::{Failure, MapIx, Page, ReadRequest};

/// Records in a page, whatever the request allows: a page is what memory holds.
const PAGE_ROWS_MAX: usize = 100_000;

/// A temporary copy of a view, read by its own rowid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    map: MapIx,
    /// Tells it from earlier copies.
    number: u64,
}

/// A part of a read: rows that have no cursor come first where one is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// All rows, in the table's own order.
    All,
    /// Rows without a cursor, in the table's own order.
    Unmarked,
    /// Rows not older than the lower bound, by cursor.
    Marked,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Token {
    part: Part,
    /// The last row's place in the order of its part; empty: before the first.
    after: Vec<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<u64>,
}

/// Reads a page.
pub(super) fn page(
    open: &mut Open,
    path: &Path,
    binding: &Binding,
    table: &Table,
    request: &ReadRequest,
) -> Result<Page, Failure> {
    let failed = |e: rusqlite::Error| failure(path, "read", &e);
    let by_change = request.since.is_some() && binding.cursor().is_some();
    let token = match &request.page {
        Some(text) => serde_json::from_str::<Token>(text).map_err(|_| stale(path, table))?,
        None => Token {
            part: if by_change { Part::Unmarked } else { Part::All },
            after: Vec::new(),
            // What changes while a whole table is read page by page may be passed already: the
            // next read by change has to start from before this one.
            cursor: match by_change {
                true => request.since.clone(),
                false => greatest(&open.connection, binding, table).map_err(failed)?,
            },
            snapshot: None,
        },
    };
    let source = match table.order {
        Order::Nothing => snapshot(open, path, binding, table, request, &token)?,
        _ => Source {
            from: format!("{} AS t", quoted(&table.name)),
            order: order_columns(&table.order),
            number: None,
        },
    };
    let reading = Reading {
        path,
        binding,
        table,
        source,
        since: request.since.as_deref(),
        limit: request.limit.clamp(1, PAGE_ROWS_MAX),
        // Rows of a view have no place of their own.
        locate: request.locate && table.order != Order::Nothing,
    };
    reading.page(&open.connection, token)
}

/// What is selected from.
struct Source {
    from: String,
    /// Expressions that tell rows apart, in order.
    order: Vec<String>,
    number: Option<u64>,
}

struct Reading<'a> {
    path: &'a Path,
    binding: &'a Binding,
    table: &'a Table,
    source: Source,
    since: Option<&'a str>,
    limit: usize,
    locate: bool,
}

impl Reading<'_> {
    fn page(&self, connection: &Connection, mut token: Token) -> Result<Page, Failure> {
        let mut page = Page::default();
        token.snapshot = self.source.number;
        loop {
            let left = self.limit - page.rows.len();
            self.part(connection, &mut token, left, &mut page)
                .map_err(|e| failure(self.path, "read", &e))?;
            if page.rows.len() >= self.limit {
                let text = serde_json::to_string(&token);
                page.next = Some(text.map_err(|_| stale(self.path, self.table))?);
                break;
            }
            if token.part != Part::Unmarked {
                break;
            }
            (token.part, token.after) = (Part::Marked, Vec::new());
        }
        page.cursor = token.cursor;
        Ok(page)
    }

    /// Reads on in one part, and notes in the token how far it came.
    fn part(
        &self,
        connection: &Connection,
        token: &mut Token,
        limit: usize,
        page: &mut Page,
    ) -> rusqlite::Result<()> {
        let (sql, bound) = self.select(token, limit);
        let mut statement = connection.prepare_cached(&sql)?;
        for (at, value) in bound.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value)?;
        }
        let wanted = self.binding.wanted().len();
        let places = self.order(token.part).len();
        let mut rows = statement.raw_query();
        let mut last = None;
        page.rows.reserve(limit.min(10_000));
        while let Some(row) = rows.next()? {
            let record = SqliteRow {
                reading: self,
                row,
                place: wanted + places - 1,
            };
            let mut decoded = self.binding.decode(&record);
            if self.locate {
                decoded.locator = locator(row, wanted + places - self.source.order.len())?;
            }
            page.rows.push(decoded);
            if page.rows.len() == self.limit {
                let after: rusqlite::Result<Vec<Json>> = (wanted..wanted + places)
                    .map(|at| row.get_ref(at).map(pack))
                    .collect();
                token.after = after?;
            }
            if token.part == Part::Marked
                && let Some(cursor) = self.binding.cursor()
            {
                last = cursor_text(row.get_ref(cursor)?).or(last);
            }
        }
        // The overlap shows older rows: the cursor never goes back because of them.
        let older = |known: &String| {
            last.as_deref()
                .is_none_or(|l| Mark::parse(l) < Mark::parse(known))
        };
        if !token.cursor.as_ref().is_some_and(older) {
            token.cursor = last.or(token.cursor.take());
        }
        Ok(())
    }

    fn order(&self, part: Part) -> Vec<String> {
        let mut order = Vec::new();
        if part == Part::Marked {
            order.push(self.cursor_column());
        }
        order.extend(self.source.order.iter().cloned());
        order
    }

    fn cursor_column(&self) -> String {
        let name = self.binding.cursor().map(|c| self.binding.name_of(c));
        column(name.unwrap_or_default())
    }

    fn select(&self, token: &Token, limit: usize) -> (String, Vec<Sql>) {
        let order = self.order(token.part).join(", ");
        let wanted: Vec<String> = self.binding.wanted().iter().map(|w| column(w)).collect();
        let mut bound = Vec::new();
        let mut conditions = Vec::new();
        if token.part == Part::Unmarked {
            conditions.push(format!("{} IS NULL", self.cursor_column()));
        }
        if !token.after.is_empty() {
            bound.extend(token.after.iter().map(unpack));
            let marks: Vec<String> = (1..=bound.len()).map(|n| format!("?{n}")).collect();
            conditions.push(format!("({order}) > ({})", marks.join(", ")));
        } else if token.part == Part::Marked {
            let since = self.since.unwrap_or_default();
            bound.push(lower(since, self.binding.overlap_ms()));
            conditions.push(format!("{} >= ?1", self.cursor_column()));
        }
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let sql = format!(
            "SELECT {}, {order} FROM {}{condition} ORDER BY {order} LIMIT {limit}",
            wanted.join(", "),
            self.source.from
        );
        (sql, bound)
    }
}

/// A column of the source. Qualified, since SQLite takes a lone quoted name that it does not know
/// for a text.
fn column(name: &str) -> String {
    format!("t.{}", quoted(name))
}

fn order_columns(order: &Order) -> Vec<String> {
    match order {
        Order::Rowid(word) => vec![format!("t.{word}")],
        Order::Key(names) => names.iter().map(|n| column(n)).collect(),
        // The copy's own, which `snapshot` names.
        Order::Nothing => Vec::new(),
    }
}

/// Where a row stands in its table's own order, as JSON; see [`located`].
fn locator(row: &SqlRow<'_>, first: usize) -> rusqlite::Result<Option<String>> {
    let columns = row.as_ref().column_count();
    let place: rusqlite::Result<Vec<Json>> = (first..columns)
        .map(|at| row.get_ref(at).map(pack))
        .collect();
    Ok(Some(Json::Array(place?).to_string()))
}

/// The condition that finds the row of a locator, and what it binds.
pub(super) fn located(table: &Table, locator: &str) -> Option<(String, Vec<Sql>)> {
    let place: Vec<Json> = serde_json::from_str(locator).ok()?;
    let columns: Vec<String> = match &table.order {
        Order::Rowid(word) => vec![(*word).to_string()],
        Order::Key(names) => names.iter().map(|n| quoted(n)).collect(),
        Order::Nothing => return None,
    };
    if columns.len() != place.len() {
        return None;
    }
    let terms: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| format!("{c} IS ?{}", i + 1))
        .collect();
    Some((terms.join(" AND "), place.iter().map(unpack).collect()))
}

fn greatest(
    connection: &Connection,
    binding: &Binding,
    table: &Table,
) -> rusqlite::Result<Option<String>> {
    let Some(cursor) = binding.cursor() else {
        return Ok(None);
    };
    let name = column(binding.name_of(cursor));
    let sql = format!("SELECT max({name}) FROM {} AS t", quoted(&table.name));
    connection.query_row(&sql, [], |row| Ok(cursor_text(row.get_ref(0)?)))
}

/// The copy of a view that the token speaks of, made with the first page.
fn snapshot(
    open: &mut Open,
    path: &Path,
    binding: &Binding,
    table: &Table,
    request: &ReadRequest,
    token: &Token,
) -> Result<Source, Failure> {
    let name = "temp.syncline_snapshot";
    let failed = |e: rusqlite::Error| failure(path, "read", &e);
    let current = open.snapshot.as_ref();
    let number = match (token.snapshot, current) {
        (Some(number), Some(held)) if held.number == number && held.map == request.map => number,
        (Some(_), _) => return Err(stale(path, table)),
        (None, _) => {
            let wanted: Vec<String> = binding
                .wanted()
                .iter()
                .map(|w| format!("{} AS {}", column(w), quoted(w)))
                .collect();
            open.snapshot = None;
            let sql = format!(
                "DROP TABLE IF EXISTS {name}; CREATE TEMP TABLE syncline_snapshot AS SELECT {} FROM main.{} AS t",
                wanted.join(", "),
                quoted(&table.name)
            );
            open.connection.execute_batch(&sql).map_err(failed)?;
            let number = fastrand::u64(..);
            open.snapshot = Some(Snapshot {
                map: request.map,
                number,
            });
            number
        }
    };
    let hidden = |word: &str| {
        binding
            .wanted()
            .iter()
            .any(|w| w.eq_ignore_ascii_case(word))
    };
    let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(|w| !hidden(w));
    Ok(Source {
        from: format!("{name} AS t"),
        order: vec![format!("t.{}", rowid.unwrap_or("rowid"))],
        number: Some(number),
    })
}

fn stale(path: &Path, table: &Table) -> Failure {
    reject(
        format!(
            "`{}`: the read of `{}` cannot go on where it ended",
            path.display(),
            table.name
        ),
        "read it again from the start; the next run does so by itself",
    )
}

/// A cursor as text: numbers in digits, texts as they are.
fn cursor_text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Integer(i) => Some(i.to_string()),
        ValueRef::Real(f) => Some(format!("{f:?}")),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).ok(),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// The lower bound of a read by change, of the type that its column holds.
fn lower(since: &str, overlap_ms: u64) -> Sql {
    let number = match Mark::parse(since).back(overlap_ms) {
        Mark::Number(number) => number,
        _ => return Sql::Text(lower_text(since, overlap_ms)),
    };
    if since.parse::<i64>().is_ok_and(|i| i.to_string() == since) {
        return match number.floor().to_i64() {
            Some(i) => Sql::Integer(i),
            None => Sql::Text(since.to_owned()),
        };
    }
    if since
        .parse::<f64>()
        .is_ok_and(|f| format!("{f:?}") == since)
    {
        // A hair lower, since the way through decimal digits may round.
        return match number.to_f64() {
            Some(f) => Sql::Real(f.next_down()),
            None => Sql::Text(since.to_owned()),
        };
    }
    Sql::Text(since.to_owned())
}

fn pack(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(i) => Json::from(i),
        ValueRef::Real(f) => serde_json::json!({ "real": f.to_bits() }),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Json::from(text),
            Err(_) => serde_json::json!({ "bytes": STANDARD.encode(text), "text": true }),
        },
        ValueRef::Blob(bytes) => serde_json::json!({ "bytes": STANDARD.encode(bytes) }),
    }
}

fn unpack(json: &Json) -> Sql {
    match json {
        Json::Number(n) => Sql::Integer(n.as_i64().unwrap_or_default()),
        Json::String(text) => Sql::Text(text.clone()),
        Json::Object(parts) => match (parts.get("real"), parts.get("bytes")) {
            (Some(bits), _) => Sql::Real(f64::from_bits(bits.as_u64().unwrap_or_default())),
            (_, Some(Json::String(bytes))) => Sql::Blob(STANDARD.decode(bytes).unwrap_or_default()),
            _ => Sql::Null,
        },
        _ => Sql::Null,
    }
}

/// A row as a record of the map: the wanted columns come first.
struct SqliteRow<'a> {
    reading: &'a Reading<'a>,
    row: &'a SqlRow<'a>,
    /// The column that tells the row from others.
    place: usize,
}

impl Record for SqliteRow<'_> {
    fn cell(&self, wanted: usize) -> Cell<'_> {
        match self.row.get_ref(wanted) {
            Ok(ValueRef::Null) => Cell::Null,
            Ok(ValueRef::Integer(i)) => Cell::Int(i),
            Ok(ValueRef::Real(f)) => Cell::Real(f),
            Ok(ValueRef::Text(text)) => match std::str::from_utf8(text) {
                Ok(text) => Cell::Text(text),
                Err(_) => Cell::Bytes(text),
            },
            Ok(ValueRef::Blob(bytes)) => Cell::Bytes(bytes),
            Err(_) => Cell::Absent,
        }
    }

    fn raw(&self) -> String {
        let wanted = self.reading.binding.wanted();
        let members = wanted.iter().enumerate();
        let object: Object<_, _> = members
            .map(|(at, name)| (name.clone(), self.cell(at).json()))
            .collect();
        Json::Object(object).to_string()
    }

    fn place(&self) -> String {
        let table = &self.reading.table.name;
        let place = self.row.get_ref(self.place).ok().and_then(cursor_text);
        let (path, place) = (self.reading.path.display(), place.unwrap_or_default());
        match &self.reading.table.order {
            Order::Nothing => format!("`{path}`, `{table}` row {place}"),
            Order::Rowid(_) => format!("`{path}`, `{table}` rowid {place}"),
            Order::Key(_) => format!("`{path}`, `{table}` key `{place}`"),
        }
    }
}
