//! Reading page by page through a cursor on the server.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use fallible_iterator::FallibleIterator as _;
use postgres::Error;
use postgres::Row as SqlRow;
use serde::{Deserialize, Serialize};
use serde_json::{Map as Object, Value as Json};

use super::connect::{Address, Session};
use super::failure::statement;
use super::param::{Param, refs};
use super::quoted;
use super::table::{Kind, Table};
use crate::connector::codec::{Binding, Cell, Record};
use crate::connector::cursor::{Mark, lower_text};
use crate::connector::failure::{reject, retry};
use crate::engine::ports::{Failure, MapIx, Page, ReadRequest};

/// Records in a page, whatever the request allows: a page is what memory holds.
const PAGE_ROWS_MAX: usize = 100_000;

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
    /// The last row's place in the order of its part, as text; empty: before the first.
    after: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A read whose next page is fetched while the last one is looked at, by a thread of its own. The
/// thread ends with the read, and where nobody wants its pages any more.
pub(super) struct Ahead {
    system: String,
    map: MapIx,
    since: Option<String>,
    /// What the last page said to go on with.
    next: Option<String>,
    pages: Receiver<Result<Page, Failure>>,
}

impl Ahead {
    /// Has the pages of a read fetched, one ahead.
    pub(super) fn of(
        mut reading: Reading,
        binding: Arc<Binding>,
        request: ReadRequest,
    ) -> Result<Ahead, Failure> {
        let system = reading.session.address.system().to_owned();
        let (map, since) = (request.map, request.since.clone());
        // A page is handed over when it is asked for.
        let (hand, pages) = sync_channel(0);
        let fetch = move || {
            for number in 0_u64.. {
                let page = reading.page(&binding, &request);
                // Between pages much time may have passed: whoever asks then connects anew.
                let gone = number > 0 && page.is_err() && reading.session.is_closed();
                let ends = !page.as_ref().is_ok_and(|page| page.next.is_some());
                if gone || hand.send(page).is_err() || ends {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name(format!("read {system}"));
        thread.spawn(fetch).map_err(|e| no_thread(&system, e))?;
        Ok(Ahead {
            system,
            map,
            since,
            next: None,
            pages,
        })
    }

    /// Whether it is the one that a request goes on with.
    pub(super) fn serves(&self, request: &ReadRequest) -> bool {
        self.map == request.map && self.since == request.since && self.next == request.page
    }

    /// Whether there are further pages.
    pub(super) fn goes_on(&self) -> bool {
        self.next.is_some()
    }

    /// The first page.
    pub(super) fn first(&mut self) -> Result<Page, Failure> {
        let page = self.page();
        page.unwrap_or_else(|| Err(no_thread(&self.system, "the reading ended early")))
    }

    /// The next page; none: its connection is gone.
    pub(super) fn page(&mut self) -> Option<Result<Page, Failure>> {
        let page = self.pages.recv().ok()?;
        self.next = page.as_ref().ok().and_then(|page| page.next.clone());
        Some(page)
    }
}

fn no_thread(system: &str, why: impl fmt::Display) -> Failure {
    retry(
        format!("`{system}` cannot be read now: {why}"),
        "the machine may be short of threads or memory; it is tried again by itself",
    )
}

/// A read that goes on from page to page, on a connection of its own.
pub(super) struct Reading {
    session: Session,
    since: Option<String>,
    locate: bool,
    table: Table,
    token: Token,
    /// Whether the server's cursor is open.
    open: bool,
}

impl Reading {
    /// Begins a read, or takes one up again where its last page ended.
    pub(super) fn start(
        address: &Address,
        schema: &mut Session,
        binding: &Binding,
        table: &Table,
        request: &ReadRequest,
    ) -> Result<Reading, Failure> {
        let by_change = request.since.is_some() && binding.cursor().is_some();
        let token = match &request.page {
            // Without an order of its own, only the transaction that is gone knew where it was.
            Some(_) if table.order.is_none() => return Err(stale(address, binding)),
            Some(text) => {
                let token = serde_json::from_str::<Token>(text);
                token.map_err(|_| stale(address, binding))?
            }
            None => Token {
                part: if by_change { Part::Unmarked } else { Part::All },
                after: Vec::new(),
                // What changes while a whole table is read page by page may be passed already:
                // the next read by change has to start from before this one.
                cursor: match by_change {
                    true => request.since.clone(),
                    false => greatest(schema, binding, table)
                        .map_err(|e| statement(address, "read from", &e))?,
                },
            },
        };
        let mut session = address.connect()?;
        let begun = session
            .client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        begun.map_err(|e| statement(address, "read from", &e))?;
        Ok(Reading {
            session,
            since: request.since.clone(),
            locate: request.locate && table.order.is_some(),
            table: table.clone(),
            token,
            open: false,
        })
    }

    /// The next page.
    pub(super) fn page(
        &mut self,
        binding: &Binding,
        request: &ReadRequest,
    ) -> Result<Page, Failure> {
        let limit = request.limit.clamp(1, PAGE_ROWS_MAX);
        let mut page = Page::default();
        loop {
            let left = limit - page.rows.len();
            let fetched = self.fetch(binding, left, &mut page);
            fetched.map_err(|e| statement(&self.session.address, "read from", &e))?;
            if page.rows.len() >= limit {
                page.next = serde_json::to_string(&self.token).ok();
                break;
            }
            if self.token.part != Part::Unmarked {
                break;
            }
            self.close();
            (self.token.part, self.token.after) = (Part::Marked, Vec::new());
        }
        if page.next.is_none() {
            // The connection goes with the reading; the transaction had better end first.
            let _ = self.session.client.batch_execute("COMMIT");
        }
        page.cursor.clone_from(&self.token.cursor);
        Ok(page)
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            let _ = self.session.client.batch_execute("CLOSE syncline_read");
        }
    }

    /// Reads on in one part, and notes in the token how far it came.
    fn fetch(&mut self, binding: &Binding, limit: usize, page: &mut Page) -> Result<(), Error> {
        if !self.open {
            let (sql, bound) = self.select(binding);
            let declare = format!("DECLARE syncline_read NO SCROLL CURSOR FOR {sql}");
            self.session.client.execute(&declare, &refs(&bound))?;
            self.open = true;
        }
        let fetch = format!("FETCH FORWARD {limit} FROM syncline_read");
        let wanted = binding.wanted().len();
        let places = self.order(binding).len();
        let keys = self.table.order.as_ref().map_or(0, Vec::len);
        page.rows.reserve(limit.min(PAGE_ROWS_MAX));
        // Row by row as they come: the server makes the next ones meanwhile.
        let mut rows = self.session.client.query_raw(&fetch, [""; 0])?;
        let (mut last, mut last_row) = (None, None);
        while let Some(row) = rows.next()? {
            let record = PgRow {
                binding,
                table: &self.table,
                row: &row,
            };
            let mut decoded = binding.decode(&record);
            if self.locate {
                let place = texts(&row, wanted + places - keys, keys);
                decoded.locator = serde_json::to_string(&place).ok();
            }
            page.rows.push(decoded);
            if self.token.part == Part::Marked
                && let Some(cursor) = binding.cursor()
            {
                last = text(&row, cursor).map(str::to_owned).or(last);
            }
            last_row = Some(row);
        }
        if let Some(row) = last_row {
            self.token.after = texts(&row, wanted, places);
        }
        // The overlap shows older rows: the cursor never goes back because of them.
        let older = |known: &String| {
            let newer = last.as_deref().map(Mark::parse);
            newer.is_none_or(|l| l < Mark::parse(known))
        };
        if !self.token.cursor.as_ref().is_some_and(older) {
            self.token.cursor = last.or(self.token.cursor.take());
        }
        Ok(())
    }

    /// The columns that rows of this part go by.
    fn order(&self, binding: &Binding) -> Vec<String> {
        let mut order = Vec::new();
        if self.token.part == Part::Marked {
            order.extend(binding.cursor().map(|c| binding.name_of(c).to_owned()));
        }
        order.extend(self.table.order.iter().flatten().cloned());
        order
    }

    fn select(&self, binding: &Binding) -> (String, Vec<Param<'static>>) {
        let column = |name: &String| format!("t.{}", quoted(name));
        let order = self.order(binding);
        let named: Vec<String> = order.iter().map(column).collect();
        let shown = binding.wanted().iter().chain(&order);
        let shown: Vec<String> = shown
            .map(|name| match self.table.column(name) {
                Some(found) => found.shown(),
                None => "NULL::text".to_owned(),
            })
            .collect();
        let cursor = binding.cursor().map(|c| binding.name_of(c).to_owned());
        let mut bound = Vec::new();
        let mut conditions = Vec::new();
        if self.token.part == Part::Unmarked
            && let Some(cursor) = &cursor
        {
            conditions.push(format!("{} IS NULL", column(cursor)));
        }
        if !self.token.after.is_empty() && self.table.order.is_some() {
            let after = self.token.after.iter();
            bound.extend(after.map(|text| Param(Some(text.clone().into()))));
            let marks: Vec<String> = (1..=bound.len()).map(|n| format!("${n}")).collect();
            conditions.push(format!("({}) > ({})", named.join(", "), marks.join(", ")));
        } else if self.token.part == Part::Marked
            && let Some(cursor) = &cursor
        {
            let (condition, lower) = self.lower(binding, cursor);
            conditions.push(condition);
            bound.push(lower);
        }
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let by = match named.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", named.join(", ")),
        };
        let sql = format!(
            "SELECT {} FROM {} AS t{condition}{by}",
            shown.join(", "),
            self.table.sql
        );
        (sql, bound)
    }

    /// The condition of a read by change, by what its column holds, and the bound.
    fn lower(&self, binding: &Binding, cursor: &str) -> (String, Param<'static>) {
        let since = self.since.as_deref().unwrap_or_default();
        let overlap = binding.overlap_ms();
        let column = format!("t.{}", quoted(cursor));
        let kind = self.table.column(cursor).map(|c| c.kind);
        let back = format!("interval '{overlap} milliseconds'");
        let owned = |text: String| Param(Some(text.into()));
        match kind {
            Some(Kind::Time) => (
                format!("{column} >= $1::text::timestamptz - {back}"),
                owned(since.to_owned()),
            ),
            Some(Kind::LocalTime) => (
                format!("{column} >= ($1::text::timestamptz AT TIME ZONE 'UTC') - {back}"),
                owned(since.to_owned()),
            ),
            Some(Kind::Date) => (
                format!("{column} >= (($1::text::timestamptz AT TIME ZONE 'UTC') - {back})::date"),
                owned(since.to_owned()),
            ),
            Some(Kind::Int | Kind::Number) => {
                let lower = match Mark::parse(since).back(overlap) {
                    Mark::Number(number) => number.to_string(),
                    _ => since.to_owned(),
                };
                (format!("{column} >= $1::text::numeric"), owned(lower))
            }
            _ => (format!("{column} >= $1"), owned(lower_text(since, overlap))),
        }
    }
}

fn greatest(
    session: &mut Session,
    binding: &Binding,
    table: &Table,
) -> Result<Option<String>, Error> {
    let Some(column) = binding
        .cursor()
        .and_then(|c| table.column(binding.name_of(c)))
    else {
        return Ok(None);
    };
    // The greatest row rather than `max`, which not every type has.
    let name = quoted(&column.name);
    let sql = format!(
        "SELECT {} FROM {} AS t WHERE t.{name} IS NOT NULL ORDER BY t.{name} DESC LIMIT 1",
        column.shown(),
        table.sql
    );
    let found = session.client.query_opt(&sql, &[])?;
    Ok(found.and_then(|row| text(&row, 0).map(str::to_owned)))
}

fn stale(address: &Address, binding: &Binding) -> Failure {
    reject(
        format!(
            "`{}`: the read of `{}` cannot go on where it ended",
            address.system(),
            binding.object()
        ),
        "read it again from the start, which the next run does by itself; a primary key on the \
         table lets a read go on after a lost connection",
    )
}

/// A cell as text; null where it is none.
fn text(row: &SqlRow, at: usize) -> Option<&str> {
    row.try_get::<_, Option<&str>>(at).ok().flatten()
}

fn texts(row: &SqlRow, from: usize, count: usize) -> Vec<String> {
    let cells = (from..from + count).map(|at| text(row, at));
    cells.map(|t| t.unwrap_or_default().to_owned()).collect()
}

/// A row as a record of the map: the wanted columns come first.
struct PgRow<'a> {
    binding: &'a Binding,
    table: &'a Table,
    row: &'a SqlRow,
}

impl Record for PgRow<'_> {
    fn cell(&self, wanted: usize) -> Cell<'_> {
        match text(self.row, wanted) {
            Some(text) => Cell::Text(text),
            None => Cell::Null,
        }
    }

    fn raw(&self) -> String {
        let mut object = Object::new();
        for (at, name) in self.binding.wanted().iter().enumerate() {
            let shown = text(self.row, at).map_or(Json::Null, Json::from);
            object.insert(name.clone(), shown);
        }
        Json::Object(object).to_string()
    }

    fn place(&self) -> String {
        let keys = self.binding.key_columns();
        let keys: Vec<String> = keys
            .map(|k| {
                format!(
                    "{} = {}",
                    self.binding.name_of(k),
                    text(self.row, k).unwrap_or("null")
                )
            })
            .collect();
        format!("the row {} of {}", keys.join(", "), self.table.sql)
    }
}

/// The statement that deletes the row of a locator, and what it binds.
pub(super) fn located(table: &Table, locator: &str) -> Option<(String, Vec<String>)> {
    let place: Vec<String> = serde_json::from_str(locator).ok()?;
    let order = table.order.as_ref()?;
    if order.len() != place.len() {
        return None;
    }
    let terms = order.iter().enumerate();
    let terms: Vec<String> = terms
        .map(|(i, c)| format!("{} = ${}", quoted(c), i + 1))
        .collect();
    let sql = format!("DELETE FROM {} WHERE {}", table.sql, terms.join(" AND "));
    Some((sql, place))
}
