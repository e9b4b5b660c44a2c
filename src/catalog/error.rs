//! What is wrong with an entry's file, in the words of who writes one.

/// An entry that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EntryError {
    /// What is wrong, with the path to the part where it is known: `events.names[2]: …`.
    pub message: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// An error that concerns the entry as a whole.
pub(super) fn of_whole(message: String) -> EntryError {
    EntryError {
        message,
        line: 1,
        column: 1,
    }
}

/// An error of the YAML reader.
pub(super) fn of_yaml(error: &serde_yaml::Error) -> EntryError {
    let place = error.location();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    EntryError {
        message: plain(&error.to_string()),
        line: place.as_ref().map_or(1, |p| number(p.line())),
        column: place.as_ref().map_or(1, |p| number(p.column())),
    }
}

/// Takes the reader's own vocabulary out of a message.
fn plain(message: &str) -> String {
    // The place is kept apart, and the message may name it in the middle.
    let mut text = message.to_owned();
    if let Some(at) = text.find(" at line ") {
        let tail = text.get(at + " at line ".len()..).unwrap_or_default();
        let place = |c: char| c.is_ascii_digit() || " column".contains(c);
        let end = tail.find(|c| !place(c)).unwrap_or(tail.len());
        let rest = tail.get(end..).unwrap_or_default().to_owned();
        text.truncate(at);
        text.push_str(&rest);
    }
    let words = [
        ("invalid type: ", "wrong kind of value: "),
        ("unknown field `", "unknown key `"),
        ("missing field `", "missing key `"),
        ("duplicate field `", "repeated key `"),
        ("unknown variant `", "unknown word `"),
        ("duplicate entry with key ", "repeated key "),
        ("floating point", "number"),
        ("unit value", "nothing"),
    ];
    for (theirs, ours) in words {
        text = text.replace(theirs, ours);
    }
    match text.split_once(", expected ") {
        Some((found, expected)) => format!("{found}, expected {}", kind(expected)),
        None => text,
    }
}

/// What was expected, without the names of types.
fn kind(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "i64" => "a whole number",
        "a sequence" => "a list",
        "a boolean" => "`true` or `false`",
        "a map" => "keys with values",
        _ if expected.starts_with("struct ") => "keys with values",
        _ if expected.starts_with("enum ") || expected.starts_with("variant ") => "a word",
        _ => expected,
    }
}
