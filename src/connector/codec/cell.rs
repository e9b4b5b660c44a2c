//! Raw cells and records, as each kind of system shows them.

use std::borrow::Cow;

use serde_json::Value as Json;

/// A raw cell, borrowed from where it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// The record does not show the column.
    Absent,
    /// The system's own null.
    Null,
    /// Bytes that claim to be text (a CSV cell): empty ones are null.
    Csv(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A JSON value.
    Json(&'a Json),
}

/// A raw record, asked by the position of a column among
/// [`Binding::wanted`](super::Binding::wanted).
pub trait Record {
    /// A cell.
    fn cell(&self, wanted: usize) -> Cell<'_>;
    /// The record as JSON text, for people; only asked where it has a problem.
    fn raw(&self) -> String;
    /// Where the record stands (`line 12 of …`), for messages.
    fn place(&self) -> String;
}

impl<'a> Cell<'a> {
    /// The cell as text, where it is a scalar and readable; null and absent have none.
    pub(in crate::connector) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Cell::Absent | Cell::Null | Cell::Csv([]) => None,
            Cell::Csv(bytes) | Cell::Bytes(bytes) => {
                std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
            }
            Cell::Text(text) => Some(Cow::Borrowed(text)),
            Cell::Int(i) => Some(Cow::Owned(i.to_string())),
            Cell::Real(f) => Some(Cow::Owned(f.to_string())),
            Cell::Json(Json::Null) => None,
            Cell::Json(Json::String(text)) => Some(Cow::Borrowed(text)),
            Cell::Json(other) => Some(Cow::Owned(other.to_string())),
        }
    }

    /// The cell as JSON; bytes that are no text lose what cannot be shown.
    pub(in crate::connector) fn json(self) -> Json {
        match self {
            Cell::Absent | Cell::Null | Cell::Csv([]) => Json::Null,
            Cell::Csv(bytes) | Cell::Bytes(bytes) => {
                Json::String(String::from_utf8_lossy(bytes).into_owned())
            }
            Cell::Text(text) => Json::String(text.to_owned()),
            Cell::Int(i) => Json::from(i),
            Cell::Real(f) => Json::from(f),
            Cell::Json(json) => json.clone(),
        }
    }

    /// Whether it is null in any system's way.
    pub(in crate::connector) fn is_null(self) -> bool {
        matches!(self, Cell::Null | Cell::Csv([]) | Cell::Json(Json::Null))
    }
}
