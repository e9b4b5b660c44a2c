//! Raw record to row.

use compact_str::CompactString;
use serde_json::{Map as Object, Value as Json};

use super::{Binding, Cell, Column, Record};
use crate::engine::ports::{FieldIx, Row, key_text};
use crate::value::{Type, Value, parse_instant};

/// Longest record kept for a person, in bytes; a stray quote can make one of a whole file.
const RAW_BYTES_MAX: usize = 64 * 1024;

impl Binding {
    /// Reads a record. What does not fit makes the row's `problem`, never a failure.
    pub fn decode(&self, record: &impl Record) -> Row {
        let mut row = Row {
            key: CompactString::default(),
            native_key: None,
            locator: None,
            fields: Vec::with_capacity(self.fields.len()),
            changed_at: None,
            deleted: false,
            problem: None,
            raw: None,
        };
        let mut problem = self.decode_key(record, &mut row).err();
        for column in &self.fields {
            match column.read(record.cell(column.wanted)) {
                Ok(Some(value)) => row.fields.push((column.field, value)),
                Ok(None) => {}
                Err(why) => note(&mut problem, || self.at(column.wanted, &why)),
            }
        }
        if let Some(wanted) = self.changed_at {
            match read_time(record.cell(wanted)) {
                Ok(at) => row.changed_at = at,
                Err(why) => note(&mut problem, || self.at(wanted, &why)),
            }
        }
        if let Some(wanted) = self.deleted {
            match read_deleted(record.cell(wanted)) {
                Ok(deleted) => row.deleted = deleted,
                Err(why) => note(&mut problem, || self.at(wanted, &why)),
            }
        }
        if let Some(why) = problem {
            spoil(&mut row, record, &why);
        }
        row
    }

    /// Only the value of a field of a record; none where it is not shown, or does not fit.
    pub fn decode_field(&self, record: &impl Record, field: FieldIx) -> Option<Value> {
        let at = self.fields.binary_search_by_key(&field, |c| c.field).ok()?;
        let column = &self.fields[at];
        column.read(record.cell(column.wanted)).ok().flatten()
    }

    /// Only the canonical key of a record.
    pub fn decode_key_only(&self, record: &impl Record) -> Result<String, String> {
        let mut row = Row {
            key: CompactString::default(),
            native_key: None,
            locator: None,
            fields: Vec::new(),
            changed_at: None,
            deleted: false,
            problem: None,
            raw: None,
        };
        self.decode_key(record, &mut row).map(|()| row.key.into())
    }

    /// The row of a record that cannot be read at all.
    pub fn unreadable(&self, record: &impl Record, why: &str) -> Row {
        let mut row = Row {
            key: CompactString::default(),
            native_key: None,
            locator: None,
            fields: Vec::new(),
            changed_at: None,
            deleted: false,
            problem: None,
            raw: None,
        };
        spoil(&mut row, record, why);
        row
    }

    /// Reads a JSON object, as an event carries it. Columns that it lacks are not shown.
    pub fn row_from_json(&self, json: &Json) -> Row {
        let record = JsonRecord {
            binding: self,
            json,
            place: "the event's body",
        };
        match json {
            Json::Object(_) => self.decode(&record),
            _ => self.unreadable(&record, "it is no JSON object"),
        }
    }

    fn decode_key(&self, record: &impl Record, row: &mut Row) -> Result<(), String> {
        if let [column] = self.keys.as_slice() {
            let cell = record.cell(column.wanted);
            let value = self.key_part(column, cell)?;
            if let (Value::Int(_), true) = (&value, column.is_plain()) {
                // A number's text is its key.
                row.key = key_text([&value]).into();
                if cell.text().is_none_or(|shown| shown != row.key) {
                    row.native_key = Some(key_text([&Value::Text(shown(cell).into())]));
                }
                return Ok(());
            }
            if column.shown_differs(&value, cell) {
                row.native_key = Some(key_text([&Value::Text(shown(cell).into())]));
            }
            row.key = match value {
                // The common case: the text is the key, without another copy.
                Value::Text(text) if !text.contains(['|', '\\']) => text,
                other => key_text([&other]).into(),
            };
            return Ok(());
        }
        let mut parts = Vec::with_capacity(self.keys.len());
        let mut differs = false;
        for column in &self.keys {
            let cell = record.cell(column.wanted);
            let value = self.key_part(column, cell)?;
            differs |= column.shown_differs(&value, cell);
            parts.push(value);
        }
        row.key = key_text(&parts).into();
        if differs {
            let native: Vec<Value> = self
                .keys
                .iter()
                .map(|c| Value::Text(shown(record.cell(c.wanted)).into()))
                .collect();
            row.native_key = Some(key_text(&native));
        }
        Ok(())
    }

    fn key_part(&self, column: &Column, cell: Cell<'_>) -> Result<Value, String> {
        let value = column
            .read(cell)
            .map_err(|why| self.at(column.wanted, &why))?;
        match value {
            None => Err(self.at(column.wanted, "the key is missing")),
            Some(Value::Null) => Err(self.at(column.wanted, "the key is empty")),
            Some(Value::Text(text)) if text.trim().is_empty() => {
                Err(self.at(column.wanted, "the key is empty"))
            }
            Some(value) => Ok(value),
        }
    }

    fn at(&self, wanted: usize, why: &str) -> String {
        format!("column `{}`: {why}", self.name_of(wanted))
    }
}

impl Column {
    /// The cell as a value of the field; none where the record does not show it.
    fn read(&self, cell: Cell<'_>) -> Result<Option<Value>, String> {
        if cell == Cell::Absent {
            return Ok(None);
        }
        if let Some(formula) = &self.read {
            let raw = cell.json();
            let read = match self.spellings.is_empty() {
                true => formula.read(&raw, &self.ty),
                false => formula
                    .read_raw(&raw)
                    .and_then(|json| self.read_plain(Cell::Json(&json))),
            };
            return match read {
                Ok(value) => Ok(Some(value)),
                // Nothing was there to compute with: there is nothing to show.
                Err(_) if raw.is_null() => Ok(Some(Value::Null)),
                Err(why) => Err(why),
            };
        }
        self.read_plain(cell).map(Some)
    }

    fn read_plain(&self, cell: Cell<'_>) -> Result<Value, String> {
        if !self.spellings.is_empty() {
            return self.read_spelling(cell);
        }
        let misfit = |m: crate::value::Misfit| m.to_string();
        match cell {
            _ if cell.is_null() => Ok(Value::Null),
            Cell::Absent | Cell::Null => Ok(Value::Null),
            Cell::Csv(bytes) | Cell::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.ty.read_text(text).map_err(misfit),
                Err(_) => Err(not_utf8(bytes)),
            },
            Cell::Text(text) => self.ty.read_text(text).map_err(misfit),
            Cell::Int(i) => self.read_int(i),
            Cell::Real(_) => self.ty.read_json(&cell.json()).map_err(misfit),
            Cell::Json(json) => self.ty.read_json(json).map_err(misfit),
        }
    }

    fn read_int(&self, i: i64) -> Result<Value, String> {
        match self.ty {
            Type::Int { .. } => self.ty.check(Value::Int(i)),
            Type::Bool if i == 0 || i == 1 => Ok(Value::Bool(i == 1)),
            Type::Json => Ok(Value::Json(i.to_string().into())),
            _ => self.ty.read_text(&i.to_string()),
        }
        .map_err(|m| m.to_string())
    }

    fn read_spelling(&self, cell: Cell<'_>) -> Result<Value, String> {
        let text = match cell {
            Cell::Csv(bytes) | Cell::Bytes(bytes) => std::str::from_utf8(bytes)
                .map_err(|_| not_utf8(bytes))?
                .into(),
            _ => match cell.text() {
                Some(text) => text,
                None => return Ok(Value::Null),
            },
        };
        let find = |wanted: &str| self.spellings.iter().find(|(_, raw)| raw == wanted);
        match find(&text).or_else(|| find(text.trim())) {
            Some((name, _)) => self.ty.read_text(name).map_err(|m| m.to_string()),
            // An empty cell is a spelling only where the map says so.
            None if text.trim().is_empty() => Ok(Value::Null),
            None => {
                let known: Vec<_> = self
                    .spellings
                    .iter()
                    .map(|(_, r)| format!("`{r}`"))
                    .collect();
                Err(format!(
                    "`{}` is none of the `values` of `{}`: {}",
                    short(&text),
                    self.name,
                    known.join(", ")
                ))
            }
        }
    }

    /// Whether neither spellings nor expressions stand between the cell and the value.
    fn is_plain(&self) -> bool {
        self.spellings.is_empty() && self.read.is_none() && self.write.is_none()
    }

    /// Whether the system shows the key in another way than Syncline would write it.
    fn shown_differs(&self, value: &Value, cell: Cell<'_>) -> bool {
        if self.is_plain() {
            match (value, cell) {
                // Text types keep the text as it is.
                (Value::Text(_), Cell::Csv(_) | Cell::Text(_) | Cell::Json(Json::String(_)))
                    if !matches!(self.ty, Type::Enum { .. }) =>
                {
                    return false;
                }
                (Value::Int(_), Cell::Int(_)) => return false,
                _ => {}
            }
        }
        match self.write(value) {
            Ok(raw) => cell.text().is_none_or(|shown| shown != raw.text()),
            Err(_) => true,
        }
    }
}

fn shown(cell: Cell<'_>) -> String {
    cell.text().map(|t| t.into_owned()).unwrap_or_default()
}

fn note(problem: &mut Option<String>, why: impl FnOnce() -> String) {
    if problem.is_none() {
        *problem = Some(why());
    }
}

fn spoil(row: &mut Row, record: &impl Record, why: &str) {
    row.problem = Some(format!("{}: {why}", record.place()));
    let mut raw = record.raw();
    if raw.len() > RAW_BYTES_MAX {
        let mut end = RAW_BYTES_MAX;
        while !raw.is_char_boundary(end) {
            end -= 1;
        }
        raw.truncate(end);
        // What is cut is no JSON any more: it is kept as a JSON string.
        raw = Json::String(raw + "…").to_string();
    }
    row.raw = Some(raw);
}

fn not_utf8(bytes: &[u8]) -> String {
    format!(
        "`{}` is not UTF-8 text",
        short(&String::from_utf8_lossy(bytes))
    )
}

fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn read_time(cell: Cell<'_>) -> Result<Option<i64>, String> {
    let text = match cell {
        Cell::Csv(bytes) | Cell::Bytes(bytes) => std::str::from_utf8(bytes)
            .map_err(|_| not_utf8(bytes))?
            .into(),
        _ => match cell.text() {
            Some(text) => text,
            None => return Ok(None),
        },
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    parse_instant(&text)
        .map(Some)
        .ok_or_else(|| format!("`{}` is no time", short(&text)))
}

fn read_deleted(cell: Cell<'_>) -> Result<bool, String> {
    let Some(text) = cell.text() else {
        return Ok(false);
    };
    match Type::Bool.read_text(&text) {
        Ok(Value::Bool(b)) => Ok(b),
        Ok(_) => Ok(false),
        Err(_) if parse_instant(&text).is_some() => Ok(true),
        Err(_) => Err(format!("`{}` is neither a bool nor a time", short(&text))),
    }
}

/// A JSON object as a record; a column is a member of that name.
pub(in crate::connector) struct JsonRecord<'a> {
    /// Whose columns are wanted.
    pub binding: &'a Binding,
    /// The object.
    pub json: &'a Json,
    /// Where it stands.
    pub place: &'a str,
}

impl Record for JsonRecord<'_> {
    fn cell(&self, wanted: usize) -> Cell<'_> {
        let name = self.binding.name_of(wanted);
        match self
            .json
            .as_object()
            .and_then(|o: &Object<_, _>| o.get(name))
        {
            Some(json) => Cell::Json(json),
            None => Cell::Absent,
        }
    }

    fn raw(&self) -> String {
        self.json.to_string()
    }

    fn place(&self) -> String {
        self.place.to_owned()
    }
}
