//! Reading page by page what one `COPY` sends.

use postgres::Error;
use postgres_protocol::escape::escape_literal;
use serde::{Deserialize, Serialize};
use serde_json::{Map as Object, Value as Json};

use super::connect::{Address, Session};
use super::copy_out::CopyOut;
use super::failure::statement;
use super::line::CopyLine;
use super::quoted;
use super::table::{Kind, Table};
use crate::connector::codec::{Binding, Cell, Record};
use crate::connector::cursor::{Mark, lower_text};
use crate::connector::failure::reject;
use crate::engine::ports::{Failure, Page, ReadRequest};

/// Records in a page, whatever the request allows: a page is what memory holds.
const PAGE_ROWS_MAX: usize = 100_000;

/// Time that the server waits for a run to take its pages counts for a statement's time: a limit to
/// that, meant for statements that hang, would end every large read.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0";

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
    /// Rows without a cursor or not older than the lower bound, in the table's own order: where no
    /// index has them by cursor, the server would sort them all.
    Since,
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

/// A read that goes on from page to page, on a connection of its own.
pub(super) struct Reading {
    rows: CopyOut,
    since: Option<String>,
    locate: bool,
    /// Whether an earlier connection read the first pages. What has changed since then may lie
    /// before the place where this one goes on: the next read has to start from what that one saw.
    goes_on: bool,
    table: Table,
    token: Token,
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
                part: match by_change {
                    false => Part::All,
                    true if sorts(binding, table) => Part::Since,
                    true => Part::Unmarked,
                },
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
        let rows = CopyOut::connect(address)?;
        rows.run(BEGIN)?;
        Ok(Reading {
            rows,
            since: request.since.clone(),
            locate: request.locate && table.order.is_some(),
            goes_on: request.page.is_some(),
            table: table.clone(),
            token,
        })
    }

    /// What is read.
    pub(super) fn system(&self) -> &str {
        self.rows.address.system()
    }

    /// Hands over page after page, the last one without a token to go on with, as long as they are
    /// wanted. A failure comes with whether the connection is gone.
    pub(super) fn pages(
        mut self,
        binding: &Binding,
        request: &ReadRequest,
        mut hand: impl FnMut(Page) -> bool,
    ) -> Result<(), (Failure, bool)> {
        let limit = request.limit.clamp(1, PAGE_ROWS_MAX);
        let mut page = Page::default();
        loop {
            match self.copy(binding, limit, &mut page, &mut hand) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(failure) => return Err((failure, self.rows.is_closed())),
            }
            if self.token.part != Part::Unmarked {
                break;
            }
            (self.token.part, self.token.after) = (Part::Marked, Vec::new());
        }
        // The connection goes with the reading; the transaction had better end first.
        let _ = self.rows.run("COMMIT");
        page.cursor.clone_from(&self.token.cursor);
        hand(page);
        Ok(())
    }

    /// Reads one part, and notes in the token how far it came; says whether pages are still wanted.
    fn copy(
        &mut self,
        binding: &Binding,
        limit: usize,
        page: &mut Page,
        hand: &mut impl FnMut(Page) -> bool,
    ) -> Result<bool, Failure> {
        let (shown, places) = self.shown(binding);
        let sql = self.select(binding, &shown);
        let keys = self.table.order.as_ref().map_or(0, Vec::len);
        let keys = places[places.len() - keys..].to_vec();
        let kinds = shown.iter().map(|name| Some(self.table.column(name)?.kind));
        let times: Vec<bool> = kinds.map(|kind| kind == Some(Kind::Time)).collect();
        let by_cursor = binding.cursor().filter(|_| match self.token.part {
            Part::All | Part::Unmarked => false,
            Part::Marked => true,
            Part::Since => !self.goes_on,
        });
        let in_order = self.token.part == Part::Marked;
        let token = &mut self.token;
        let mut line = CopyLine::default();
        let mut last = None;
        let wanted_on = self.rows.rows(&sql, |text| {
            if page.rows.len() >= limit {
                page.next = serde_json::to_string(token).ok();
                page.cursor.clone_from(&token.cursor);
                if !hand(std::mem::take(page)) {
                    return false;
                }
            }
            line.take(text, &times);
            let record = PgRow {
                binding,
                table: &self.table,
                row: &line,
            };
            let mut decoded = binding.decode(&record);
            if self.locate {
                let place = texts(&line, &keys);
                decoded.locator = serde_json::to_string(&place).ok();
            }
            page.rows.push(decoded);
            if let Some(cursor) = by_cursor {
                note(&mut last, line.field(cursor), in_order);
            }
            if page.rows.len() >= limit {
                token.after = texts(&line, &places);
                token.came_to(last.take());
            }
            true
        })?;
        token.came_to(last);
        Ok(wanted_on)
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

    /// The columns that are read, the wanted ones first, and at which of them those of the order are.
    fn shown(&self, binding: &Binding) -> (Vec<String>, Vec<usize>) {
        let mut shown = binding.wanted().to_vec();
        let mut places = Vec::new();
        for name in self.order(binding) {
            let there = shown.iter().position(|s| *s == name);
            places.push(there.unwrap_or_else(|| {
                shown.push(name);
                shown.len() - 1
            }));
        }
        (shown, places)
    }

    fn select(&self, binding: &Binding, shown: &[String]) -> String {
        let column = |name: &String| format!("t.{}", quoted(name));
        let order = self.order(binding);
        let named: Vec<String> = order.iter().map(column).collect();
        let shown: Vec<String> = shown
            .iter()
            .map(|name| match self.table.column(name) {
                Some(found) => found.copied(),
                None => "NULL::text".to_owned(),
            })
            .collect();
        let cursor = binding.cursor().map(|c| binding.name_of(c).to_owned());
        let mut conditions = Vec::new();
        if self.token.part == Part::Unmarked
            && let Some(cursor) = &cursor
        {
            conditions.push(format!("{} IS NULL", column(cursor)));
        }
        if !self.token.after.is_empty() && self.table.order.is_some() {
            let after = self.token.after.iter().map(|text| escape_literal(text));
            let after: Vec<String> = after.collect();
            conditions.push(format!("({}) > ({})", named.join(", "), after.join(", ")));
        } else if self.token.part == Part::Marked
            && let Some(cursor) = &cursor
        {
            conditions.push(self.lower(binding, cursor));
        }
        if self.token.part == Part::Since
            && let Some(cursor) = &cursor
        {
            let lower = self.lower(binding, cursor);
            conditions.push(format!("({} IS NULL OR {lower})", column(cursor)));
        }
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let by = match named.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", named.join(", ")),
        };
        format!(
            "COPY (SELECT {} FROM {} AS t{condition}{by}) TO STDOUT",
            shown.join(", "),
            self.table.sql
        )
    }

    /// The condition of a read by change, by what its column holds.
    fn lower(&self, binding: &Binding, cursor: &str) -> String {
        let since = self.since.as_deref().unwrap_or_default();
        let overlap = binding.overlap_ms();
        let column = format!("t.{}", quoted(cursor));
        let kind = self.table.column(cursor).map(|c| c.kind);
        let back = format!("interval '{overlap} milliseconds'");
        let time = format!("{}::timestamptz", escape_literal(since));
        match kind {
            Some(Kind::Time) => format!("{column} >= {time} - {back}"),
            Some(Kind::LocalTime) => {
                format!("{column} >= ({time} AT TIME ZONE 'UTC') - {back}")
            }
            Some(Kind::Date) => {
                format!("{column} >= (({time} AT TIME ZONE 'UTC') - {back})::date")
            }
            Some(Kind::Int | Kind::Number) => {
                let lower = match Mark::parse(since).back(overlap) {
                    Mark::Number(number) => number.to_string(),
                    _ => since.to_owned(),
                };
                format!("{column} >= {}::numeric", escape_literal(&lower))
            }
            _ => {
                let lower = lower_text(since, overlap);
                format!("{column} >= {}", escape_literal(&lower))
            }
        }
    }
}

impl Token {
    /// The overlap shows older rows: the cursor never goes back because of them.
    fn came_to(&mut self, last: Option<String>) {
        let older = |known: &String| {
            let newer = last.as_deref().map(Mark::parse);
            newer.is_none_or(|l| l < Mark::parse(known))
        };
        if !self.cursor.as_ref().is_some_and(older) {
            self.cursor = last.or(self.cursor.take());
        }
    }
}

/// Notes a cursor, in memory that is there; where they do not come in order, the greatest.
fn note(last: &mut Option<String>, cursor: Option<&str>, in_order: bool) {
    let Some(cursor) = cursor else { return };
    if !in_order
        && let Some(last) = last
        && Mark::parse(cursor) <= Mark::parse(last)
    {
        return;
    }
    let last = last.get_or_insert_default();
    last.clear();
    last.push_str(cursor);
}

/// Whether the server would have to sort the rows to hand them over by cursor, and what is newer
/// can be told without it.
fn sorts(binding: &Binding, table: &Table) -> bool {
    let column = binding.cursor().map(|c| binding.name_of(c));
    let Some(column) = column.and_then(|name| table.column(name)) else {
        return false;
    };
    let told = matches!(
        column.kind,
        Kind::Int | Kind::Time | Kind::LocalTime | Kind::Date
    );
    told && !table.is_led_by(&column.name)
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
    Ok(found.and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten()))
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

fn texts(line: &CopyLine, places: &[usize]) -> Vec<String> {
    let fields = places.iter().map(|at| line.field(*at));
    fields.map(|t| t.unwrap_or_default().to_owned()).collect()
}

/// A row as a record of the map: the wanted columns come first.
struct PgRow<'a> {
    binding: &'a Binding,
    table: &'a Table,
    row: &'a CopyLine,
}

impl Record for PgRow<'_> {
    fn cell(&self, wanted: usize) -> Cell<'_> {
        match self.row.field(wanted) {
            Some(text) => Cell::Text(text),
            None => Cell::Null,
        }
    }

    fn raw(&self) -> String {
        let mut object = Object::new();
        for (at, name) in self.binding.wanted().iter().enumerate() {
            let shown = self.row.field(at).map_or(Json::Null, Json::from);
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
                    self.row.field(k).unwrap_or("null")
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
