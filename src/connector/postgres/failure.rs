//! PostgreSQL's errors, by what is to be done about them.

use postgres::Error;
use postgres::error::{DbError, SqlState};

use super::connect::Address;
use crate::connector::failure::{reject, retry, setup};
use crate::engine::cause::with_words;
use crate::engine::ports::{Failure, FailureClass};

/// A connection that did not come about.
pub(super) fn connection(address: &Address, error: &Error) -> Failure {
    let at = address.shown();
    let system = address.system();
    match error.as_db_error() {
        Some(db) => of_server(address, "connect to", db),
        None => match cause(error) {
            why if why.contains("certificate") || why.contains("TLS") => setup(
                format!("`{system}`: cannot connect to {at} with TLS: {why}"),
                "the server has to show a certificate that this machine trusts for that name; \
                 `?sslmode=disable` in the secret `url` goes without",
            ),
            why if why.contains("password missing") => auth(
                format!("`{system}`: {at} asks for a password and the secret `url` has none"),
                "write the secret as postgres://user:password@host:5432/database",
            ),
            why => retry(
                format!("`{system}`: cannot connect to {at}: {why}"),
                "start the server, or correct the host and port in the secret `url`",
            ),
        },
    }
}

/// A statement that failed and concerns no single record.
pub(super) fn statement(address: &Address, doing: &str, error: &Error) -> Failure {
    match error.as_db_error() {
        Some(db) => of_server(address, doing, db),
        None if cause(error) == cause(&Error::__private_api_timeout()) => silence(address, doing),
        None => lost(address, doing, &cause(error)),
    }
}

/// The server took what it was sent and has not answered.
pub(super) fn silence(address: &Address, doing: &str) -> Failure {
    let (system, at) = (address.system(), address.shown());
    retry(
        format!("`{system}`: cannot {doing} {at}: it has not answered for too long"),
        "see what keeps the server (its disk, a process that hangs, what pg_stat_activity says); \
         the call was given up, and what may have arrived of it is safe to send again",
    )
}

/// A table whose columns became others while it was looked at.
pub(super) fn altered(address: &Address) -> Failure {
    let (system, at) = (address.system(), address.shown());
    retry(
        format!("`{system}`: cannot write to {at}: the table's columns are being altered"),
        "nothing was changed by this call; it is tried again by itself",
    )
}

/// The machine has no room for a connection.
pub(super) fn no_runtime(address: &Address, error: &std::io::Error) -> Failure {
    retry(
        format!("`{}` cannot be reached now: {error}", address.system()),
        "the machine may be short of open files; it is tried again by itself",
    )
}

/// What came is no text.
pub(super) fn garbled(address: &Address) -> Failure {
    lost(address, "read from", "what it sent is not UTF-8")
}

fn lost(address: &Address, doing: &str, why: &str) -> Failure {
    let (system, at) = (address.system(), address.shown());
    retry(
        format!("`{system}`: cannot {doing} {at}: {why}"),
        "the connection was lost; it is dialled again with the next try",
    )
}

fn of_server(address: &Address, doing: &str, db: &DbError) -> Failure {
    let (system, at) = (address.system(), address.shown());
    let message = format!("`{system}`: cannot {doing} {at}: {}", words(db));
    let code = db.code().code();
    match code.get(..2).unwrap_or_default() {
        "28" => auth(message, "correct user and password in the secret `url`"),
        "3D" => setup(
            message,
            "create the database, or correct its name in the secret `url`",
        ),
        "40" => retry(
            message,
            "another transaction was in the way; it is tried again",
        ),
        "53" | "54" => retry(
            message,
            "free what the server is short of: disk, memory or connections",
        ),
        "55" => retry(
            message,
            "another session holds a lock: let it finish, or end it",
        ),
        "57" | "58" | "08" | "XX" => retry(
            message,
            "look after the server; nothing was changed by this call",
        ),
        "25" => setup(
            message,
            "the server takes no writes: point the secret `url` at the primary",
        ),
        "0A" => setup(message, "PostgreSQL cannot do this with that table"),
        "42" if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE => setup(
            message,
            "grant the user of the secret `url` SELECT, INSERT, UPDATE and DELETE on the table, \
             and TEMPORARY on the database",
        ),
        "42" => setup(message, "compare the map with the table's columns"),
        "22" | "23" | "44" => reject(message, "correct the record, or the table's constraint"),
        _ => retry(
            message,
            "look after the server; nothing was changed by this call",
        ),
    }
}

fn auth(message: String, remedy: &str) -> Failure {
    Failure {
        class: FailureClass::Auth,
        message,
        remedy: Some(remedy.to_owned()),
    }
}

/// Whether the trouble is one record's, so that its siblings can go on: its data do not fit
/// (classes 22 and 23), a view's check refuses it (44), a trigger raised an exception (P0001), or
/// it meets another record of its batch in one row (21).
pub(super) fn of_the_record(error: &Error) -> Option<String> {
    let db = error.as_db_error()?;
    let code = db.code().code();
    let of_data = ["21", "22", "23", "44", "P0"]
        .iter()
        .any(|c| code.starts_with(c));
    of_data.then(|| words(db))
}

/// What the server says, the cause before the words that may hold values (see
/// [`crate::engine::cause`]): what it adds for detail shows rows and keys.
fn words(db: &DbError) -> String {
    let names = [
        db.schema(),
        db.table(),
        db.column(),
        db.datatype(),
        db.constraint(),
    ];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    let told = without_values(db.code().code(), db.routine(), &names, db.message());
    let detail = db.detail().map(|detail| detail.trim_end_matches('.'));
    match (told == db.message(), detail) {
        (true, None) => told,
        (true, Some(detail)) => with_words(&told, detail),
        (false, None) => with_words(&told, db.message()),
        (false, Some(detail)) => with_words(&told, &format!("{} ({detail})", db.message())),
    }
}

/// A message of the server without values of the record. `names`: what of its schema the server
/// says that it speaks of; `routine`: where in the server it comes from.
fn without_values(code: &str, routine: Option<&str>, names: &[&str], message: &str) -> String {
    // `RAISE` and its like: words of whoever wrote the function, whatever code they gave them.
    let raised = ["exec_stmt_raise", "PLy_", "plperl_", "pltcl_"];
    let raised = routine.is_some_and(|r| raised.iter().any(|by| r.starts_with(by)));
    if raised || code.starts_with("P0") {
        return format!("a function or trigger of the database refuses it ({code})");
    }
    // Data that do not fit are shown within the message itself, and so is a search text that cannot
    // be read; elsewhere what is quoted is a name.
    if !code.starts_with("22") && code != "42601" {
        return message.to_owned();
    }
    let told = masked(message, names);
    match told.is_ascii() {
        true => told,
        // Other languages quote by other marks.
        false => format!("a value does not fit ({code})"),
    }
}

/// A message from whose first quoted text that is no name to its last one all is left out (a value
/// may hold quotes), and bytes that are spelt out too.
fn masked(message: &str, names: &[&str]) -> String {
    let quotes: Vec<usize> = message.match_indices('"').map(|(at, _)| at).collect();
    let quoted = |pair: &[usize]| match pair {
        [from, to] => message.get(from + 1..*to),
        _ => None,
    };
    let unknown = quotes
        .chunks(2)
        .find(|pair| quoted(pair).is_none_or(|text| !names.contains(&text)));
    let told = match (unknown.and_then(|pair| pair.first()), quotes.last()) {
        (Some(from), Some(to)) => {
            let before = message.get(..*from).unwrap_or_default();
            let after = message.get(to + 1..).unwrap_or_default();
            format!("{before}\"...\"{after}")
        }
        _ => message.to_owned(),
    };
    let words = told
        .split_whitespace()
        .map(|word| match word.starts_with("0x") {
            true => "...",
            false => word,
        });
    words.collect::<Vec<&str>>().join(" ")
}

/// The innermost reason of an error without an answer of the server.
fn cause(error: &Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_refusal_names_constraints_and_no_values() {
        let told = [
            (
                (
                    "23505",
                    "duplicate key value violates unique constraint \"one_email\"",
                ),
                "duplicate key value violates unique constraint \"one_email\"",
            ),
            (
                ("22P02", "invalid input syntax for type integer: \"a\"da\""),
                "invalid input syntax for type integer: \"...\"",
            ),
            (
                (
                    "22003",
                    "value \"99999999999\" is out of range for type integer",
                ),
                "value \"...\" is out of range for type integer",
            ),
            (
                (
                    "22021",
                    "invalid byte sequence for encoding \"UTF8\": 0xc3 0x28",
                ),
                "invalid byte sequence for encoding \"...\": ... ...",
            ),
            (
                ("22001", "value too long for type character varying(3)"),
                "value too long for type character varying(3)",
            ),
            (
                ("22P02", "ungültige Eingabesyntax für Typ integer: »ada«"),
                "a value does not fit (22P02)",
            ),
            (
                ("22P02", "column \"age\" takes no \"ada\""),
                "column \"age\" takes no \"...\"",
            ),
        ];
        for ((code, message), cause) in told {
            assert_eq!(without_values(code, None, &["age"], message), cause);
        }
    }

    #[test]
    fn what_a_function_raises_is_its_authors_words_whatever_code_it_has() {
        let raised = Some("exec_stmt_raise");
        for (code, routine) in [("P0001", None), ("23505", raised), ("42501", raised)] {
            let told = without_values(code, routine, &[], "no ada@x");
            assert!(!told.contains("ada"), "{told}");
        }
    }
}
