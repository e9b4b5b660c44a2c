//! PostgreSQL's errors, by what is to be done about them.

use postgres::Error;
use postgres::error::{DbError, SqlState};

use super::connect::Address;
use crate::connector::failure::{reject, retry, setup};
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
        None => lost(address, doing, &cause(error)),
    }
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

/// The server's own words with what it adds to them.
fn words(db: &DbError) -> String {
    match db.detail() {
        Some(detail) => format!("{} ({})", db.message(), detail.trim_end_matches('.')),
        None => db.message().to_owned(),
    }
}

/// The innermost reason of an error without an answer of the server.
fn cause(error: &Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}
