//! Records as the lines of `COPY`, and the temporary tables that take them.

use serde_json::Value as Json;

use super::connect::Session;
use super::quoted;
use super::table::{Kind, Table};
use crate::connector::codec::Raw;
use crate::value::Value;

/// A value in the spelling that a column of a kind takes; none is null.
pub(super) fn spelt<'r>(
    raw: &'r Raw<'_>,
    kind: Kind,
) -> Result<Option<std::borrow::Cow<'r, str>>, String> {
    let null = match raw {
        Raw::Value(value) => matches!(value.as_ref(), Value::Null),
        Raw::Json(json) => json.is_null(),
        Raw::Text(_) => false,
    };
    if null {
        return Ok(None);
    }
    let text = match (raw, kind) {
        (Raw::Value(value), Kind::Array) => match value.to_json() {
            Json::Array(parts) => array(&parts).into(),
            _ => raw.text(),
        },
        (Raw::Json(Json::Array(parts)), Kind::Array) => array(parts).into(),
        _ => raw.text(),
    };
    match text.contains('\0') {
        true => Err("PostgreSQL holds no text with the character U+0000".to_owned()),
        false => Ok(Some(text)),
    }
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

/// Appends a field of a line of `COPY` in its text format.
pub(super) fn field(line: &mut String, text: Option<&str>) {
    let Some(text) = text else {
        line.push_str("\\N");
        return;
    };
    if !text.contains(['\\', '\t', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            other => line.push(other),
        }
    }
}

/// The temporary table for records of a set of columns, made with its first use: each column of
/// the type that the target gives it, so that a value is refused where the target would refuse it.
/// Emptied with every transaction's end.
pub(super) fn table(
    session: &mut Session,
    target: &Table,
    columns: &[&str],
) -> Result<String, postgres::Error> {
    let named: Vec<String> = columns.iter().map(|c| quoted(c)).collect();
    let columns = named.join(", ");
    let shape = format!("{} ({columns})", target.sql);
    let number = match session.staged.iter().position(|s| *s == shape) {
        Some(found) => found,
        None => {
            let number = session.staged.len();
            session.client.batch_execute(&format!(
                "CREATE TEMP TABLE syncline_stage_{number} ON COMMIT DELETE ROWS AS \
                 SELECT 0::bigint AS syncline_row, {columns} FROM {} WITH NO DATA",
                target.sql
            ))?;
            session.staged.push(shape);
            number
        }
    };
    Ok(format!("pg_temp.syncline_stage_{number}"))
}

#[cfg(test)]
mod tests {
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
        field(&mut line, Some("a\tb\nc\r\\N"));
        assert_eq!(line, "a\\tb\\nc\\r\\\\N");
        line.clear();
        field(&mut line, None);
        assert_eq!(line, "\\N");
    }
}
