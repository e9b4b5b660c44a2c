//! Records as the lines of `COPY`, and the temporary tables that take them.

use std::fmt::Write;

use postgres::Statement;
use serde_json::Value as Json;

use super::binary::Wire;
use super::connect::Session;
use super::quoted;
use super::table::{Kind, Table};
use crate::connector::codec::Raw;
use crate::value::{Value, write_int};

/// What is said of a text that no column can take.
pub(super) const NO_NUL: &str = "PostgreSQL holds no text with the character U+0000";

/// Appends a value as a field of a line of `COPY`, in the spelling that a column of a kind takes.
pub(super) fn spell(line: &mut impl Write, raw: &Raw<'_>, kind: Kind) -> Result<(), String> {
    if let Raw::Value(value) = raw {
        match value.as_ref() {
            Value::Null => put(line, "\\N"),
            Value::Bool(true) => put(line, "true"),
            Value::Bool(false) => put(line, "false"),
            Value::Int(number) => push_number(line, *number),
            Value::Text(text) | Value::Json(text) if kind != Kind::Array => {
                return field(line, text);
            }
            Value::Decimal(_) | Value::Date(_) | Value::Datetime(_) => {
                // Writing into memory cannot fail; none of these holds what ends a field.
                let _ = value.write_to(line);
            }
            other => match (other.to_json(), kind) {
                (Json::Array(parts), Kind::Array) => return field(line, &array(&parts)),
                _ => return field(line, &raw.text()),
            },
        }
        return Ok(());
    }
    match raw {
        Raw::Json(Json::Null) => put(line, "\\N"),
        Raw::Json(Json::Array(parts)) if kind == Kind::Array => return field(line, &array(parts)),
        _ => return field(line, &raw.text()),
    }
    Ok(())
}

/// Appends letters: what lines are made in takes whatever there is memory for.
fn put(line: &mut impl Write, letters: &str) {
    let _ = line.write_str(letters);
}

/// Appends a number.
pub(super) fn push_number(line: &mut impl Write, number: i64) {
    // Writing into memory cannot fail.
    let _ = write_int(line, number);
}

/// An array as PostgreSQL writes it.
fn array(parts: &[Json]) -> String {
    let part = |json: &Json| match json {
        Json::Null => "NULL".to_owned(),
        Json::Array(inner) => array(inner),
        Json::String(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        other => format!(
            "\"{}\"",
            other.to_string().replace('\\', "\\\\").replace('"', "\\\"")
        ),
    };
    let parts: Vec<String> = parts.iter().map(part).collect();
    format!("{{{}}}", parts.join(","))
}

/// Appends a text as a field of a line of `COPY` in its text format.
fn field(line: &mut impl Write, text: &str) -> Result<(), String> {
    let special = |b: u8| matches!(b, 0 | b'\\' | b'\t' | b'\n' | b'\r');
    // All of it, without an end in the middle: that goes many bytes at a time.
    if !text.bytes().fold(false, |any, b| any | special(b)) {
        put(line, text);
        return Ok(());
    }
    for c in text.chars() {
        match c {
            '\0' => {
                return Err(NO_NUL.to_owned());
            }
            '\\' => put(line, "\\\\"),
            '\t' => put(line, "\\t"),
            '\n' => put(line, "\\n"),
            '\r' => put(line, "\\r"),
            other => put(line, other.encode_utf8(&mut [0; 4])),
        }
    }
    Ok(())
}

/// What the name of a temporary table begins with, before its number.
pub(super) const STAGE: &str = "syncline_stage_";

/// The temporary table for records of a set of columns, made with its first use: each column of
/// the type that the target gives it, so that a value is refused where the target would refuse it.
/// Emptied with every transaction's end. With it how its columns' values stand in a tuple: the
/// target may have other types than when it was looked at.
pub(super) fn table<'s>(
    session: &'s mut Session,
    target: &Table,
    columns: &[&str],
) -> Result<(String, &'s [Option<Wire>]), postgres::Error> {
    let named: Vec<String> = columns.iter().map(|c| quoted(c)).collect();
    let columns = named.join(", ");
    let shape = format!("{} ({columns})", target.sql);
    let number = match session.staged.iter().position(|(s, _)| *s == shape) {
        Some(found) => found,
        None => {
            let number = session.staged.len();
            session.client.batch_execute(&format!(
                "CREATE TEMP TABLE {STAGE}{number} ON COMMIT DELETE ROWS AS \
                 SELECT 0::bigint AS syncline_row, {columns} FROM {} WITH NO DATA",
                target.sql
            ))?;
            session.staged.push((shape, Vec::new()));
            let shown = format!("SELECT {columns} FROM pg_temp.{STAGE}{number}");
            let wires = wires(&session.client.prepare(&shown)?);
            if let Some((_, known)) = session.staged.last_mut() {
                *known = wires;
            }
            number
        }
    };
    let wires = session.staged.get(number).map(|(_, wires)| &wires[..]);
    let name = format!("pg_temp.{STAGE}{number}");
    Ok((name, wires.unwrap_or_default()))
}

/// Asks whether a target has a column of another type by now, or of one that takes more or less, than
/// the temporary table that was made after it: values would be rounded or refused as before.
pub(super) fn outdated(stage: &str, target: &Table) -> String {
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_attribute s JOIN pg_catalog.pg_attribute t \
           ON t.attrelid = '{}'::regclass AND t.attname = s.attname \
         WHERE s.attrelid = '{stage}'::regclass AND s.attname <> 'syncline_row' \
           AND (s.atttypid, s.atttypmod) IS DISTINCT FROM (t.atttypid, t.atttypmod))",
        target.sql.replace('\'', "''")
    )
}

/// How the values of a statement's columns stand in a tuple.
pub(super) fn wires(shown: &Statement) -> Vec<Option<Wire>> {
    let columns = shown.columns().iter();
    columns
        .map(|column| Wire::of_type(column.type_()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::line::CopyLine;
    use super::*;
    use serde_json::json;

    #[test]
    fn arrays_are_written_as_the_server_reads_them() {
        let written = |json: Json| match json {
            Json::Array(parts) => array(&parts),
            _ => String::new(),
        };
        assert_eq!(written(json!([])), "{}");
        assert_eq!(
            written(json!(["a\"b\\", "", "NULL", null, 1])),
            r#"{"a\"b\\","","NULL",NULL,"1"}"#
        );
    }

    #[test]
    fn lines_keep_what_would_end_them() {
        let mut line = String::new();
        let spelt = |line: &mut String, value: Value| {
            spell(line, &Raw::Value(Cow::Owned(value)), Kind::Other)
        };
        let text = Value::Text("a\tb\nc\r\\N".into());
        spelt(&mut line, text).expect("it has no U+0000");
        assert_eq!(line, "a\\tb\\nc\\r\\\\N");
        line.push('\t');
        spelt(&mut line, Value::Null).expect("a null is spelt");
        line.push('\n');
        let parted = CopyLine::of(&line);
        let read: Vec<_> = parted.fields().collect();
        assert_eq!(read, [Some("a\tb\nc\r\\N"), None]);
        spelt(&mut line, Value::Text("a\0".into())).expect_err("no column holds it");
    }
}
