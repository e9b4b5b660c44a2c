//! What went wrong, in two parts: a cause that holds no value of any record, and words that may.
//!
//! An error's first line is its cause. A destination's own words, a key, a cursor follow on further
//! lines. Logs and alerts tell the cause alone, and dead letters are grouped by it; the store and
//! the command line keep all of it.

use std::borrow::Cow;

/// The cause of an error: its first line.
pub fn cause(error: &str) -> &str {
    error.lines().next().unwrap_or_default()
}

/// An error of a cause, and of words that may hold values of records.
pub fn with_words(cause: &str, words: &str) -> String {
    format!("{}\n{words}", on_one_line(cause))
}

/// An error with its remedy, which stands beside the cause; what either says beyond its first line
/// stays below.
pub fn with_remedy(error: &str, remedy: Option<&str>) -> String {
    let Some(remedy) = remedy else {
        return error.to_owned();
    };
    followed_by(error, "; ", remedy)
}

/// An error whose cause goes on with another's.
pub fn followed_by(error: &str, between: &str, more: &str) -> String {
    let mut text = format!("{}{between}{}", cause(error), cause(more));
    for line in error.lines().skip(1).chain(more.lines().skip(1)) {
        text.push('\n');
        text.push_str(line);
    }
    text
}

/// All of an error on one line, for a person.
pub fn on_one_line(error: &str) -> Cow<'_, str> {
    if !error.contains(['\n', '\r']) {
        return Cow::Borrowed(error);
    }
    let lines: Vec<&str> = error
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Cow::Owned(lines.join(": "))
}

/// Why a record was kept back, as far as no value of it is told: up to the column or the condition.
pub fn without_values(reason: &str) -> &str {
    let upto = |at: usize| reason.get(..at).unwrap_or(reason);
    let (untold, column) = (" cannot be told", "column `");
    let named = reason.find(column);
    if let Some(at) = reason.find(untold)
        && named.is_none_or(|named| at < named)
    {
        return upto(at + untold.len());
    }
    let Some(at) = named.map(|at| at + column.len()) else {
        return reason;
    };
    let name = reason.get(at..).and_then(|rest| rest.find('`'));
    let end = name.map_or(at, |length| at + length + 1);
    match reason.get(end..) {
        Some(": the key is missing" | ": the key is empty") => reason,
        _ => upto(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_values_stays_below_the_cause() {
        let error = with_words("`x` answered 422", "no ada@x");
        assert_eq!(cause(&error), "`x` answered 422");
        let told = with_remedy(&error, Some("see to it\nthere are `a`, `b`"));
        assert_eq!(cause(&told), "`x` answered 422; see to it");
        assert_eq!(
            on_one_line(&told),
            "`x` answered 422; see to it: no ada@x: there are `a`, `b`"
        );
        assert_eq!(cause(&with_words("two\r\nlines", "w")), "two: lines");
        assert_eq!((cause(""), cause("plain")), ("", "plain"));
    }

    #[test]
    fn a_reason_in_a_log_names_the_column_and_no_value() {
        let told = [
            (
                "the event's body: column `age`: `ada@x` is no int(0..150)",
                "the event's body: column `age`",
            ),
            (
                "the event's body: column `email`: the key is missing",
                "the event's body: column `email`: the key is missing",
            ),
            (
                "contact.age > 3 cannot be told: no `ada@x` > 3",
                "contact.age > 3 cannot be told",
            ),
            (
                "the event's body: column `age`: `ada@x cannot be told` is no int",
                "the event's body: column `age`",
            ),
            ("the body is no JSON object", "the body is no JSON object"),
            ("a column `", "a column `"),
        ];
        for (reason, shown) in told {
            assert_eq!(without_values(reason), shown);
        }
    }
}
