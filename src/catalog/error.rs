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

/// An error of a top-level key, at the last line that begins with it.
pub(super) fn at_key(yaml: &str, key: &str, message: String) -> EntryError {
    let begins = |line: &str| line.strip_prefix(key).is_some_and(|l| l.starts_with(':'));
    let line = yaml
        .lines()
        .zip(1u32..)
        .filter(|(line, _)| begins(line))
        .last();
    EntryError {
        message,
        line: line.map_or(1, |(_, number)| number),
        column: 1,
    }
}

/// An error of the YAML reader.
pub(super) fn of_yaml(error: &serde_yaml::Error, yaml: &str) -> EntryError {
    let message = plain(&error.to_string());
    // The reader has no place for a key that comes twice.
    if let Some(key) = quoted(&message, "repeated key `") {
        return at_key(yaml, key, message.clone());
    }
    let place = error.location();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).max(1);
    EntryError {
        message,
        line: place.as_ref().map_or(1, |p| number(p.line())),
        column: place.as_ref().map_or(1, |p| number(p.column())),
    }
}

/// What stands in backticks after `before`, which ends with the first backtick.
fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(before)?;
    rest.split_once('`').map(|(word, _)| word)
}

/// Takes the reader's own vocabulary out of a message.
fn plain(message: &str) -> String {
    let mut text = without_place(message);
    let words = [
        ("invalid type: ", "wrong kind of value: "),
        ("unknown field `", "unknown key `"),
        ("missing field `", "missing key `"),
        ("duplicate field `", "repeated key `"),
        ("unknown variant `", "unknown word `"),
        ("floating point", "number"),
        ("unit value", "nothing"),
        ("value: sequence", "value: a list"),
        ("value: map", "value: keys with values"),
    ];
    for (theirs, ours) in words {
        text = text.replace(theirs, ours);
    }
    let Some((found, expected)) = text.split_once(", expected ") else {
        return text;
    };
    if let Some(key) = quoted(found, "unknown key `") {
        let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return match crate::text::nearest(key, known.iter().copied()) {
            Some(near) => format!("{found}; did you mean `{near}`?"),
            None => format!("{found}; known are `{}`", known.join("`, `")),
        };
    }
    format!("{found}, expected {}", kind(expected))
}

/// A message without the place in its midst or at its end, which is kept apart.
fn without_place(message: &str) -> String {
    let Some((before, tail)) = message.split_once(" at line ") else {
        return message.to_owned();
    };
    let place = |c: char| c.is_ascii_digit() || " column".contains(c);
    format!("{before}{}", tail.trim_start_matches(place))
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
