//! The words and classes of failed calls, said in one way by every connector.

use std::io;
use std::path::Path;

use crate::engine::ports::{Failure, FailureClass};

/// The system is not as the policy says: no try will help before somebody mends it.
pub(super) fn setup(message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure {
        class: FailureClass::Setup,
        message: message.into(),
        remedy: Some(remedy.into()),
    }
}

/// The same call may well succeed later.
pub(super) fn retry(message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure {
        class: FailureClass::Retry { after_ms: None },
        message: message.into(),
        remedy: Some(remedy.into()),
    }
}

/// The connector panicked. What became of the call nobody knows.
pub(crate) fn panicked() -> Failure {
    retry(
        "the connector stopped unexpectedly",
        "this is a fault of Syncline; please report it",
    )
}

/// The same call would always end the same.
pub(super) fn reject(message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure {
        class: FailureClass::Reject,
        message: message.into(),
        remedy: Some(remedy.into()),
    }
}

/// A failed call on a file.
pub(super) fn file(doing: &str, path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    let message = format!("cannot {doing} `{shown}`: {}", words(error));
    match error.kind() {
        io::ErrorKind::NotFound => setup(
            message,
            format!("create `{shown}`, or correct the option `path` of the system"),
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => setup(
            message,
            format!("allow the user that runs Syncline to {doing} `{shown}`"),
        ),
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => setup(
            message,
            "give the option `path` a file, or a directory that holds one file for each map",
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            retry(
                message,
                "free some space on that disk; the file is as it was before",
            )
        }
        _ => retry(message, "look after that disk; nothing was changed there"),
    }
}

/// The system's words without the number that Rust appends.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text.get(..at).unwrap_or(&text).to_lowercase(),
        None => text,
    }
}
