//! What `explain scenario` and `explain field` say, for people.

mod field;
mod scenario;

pub use field::human as field;
pub use scenario::human as scenario;

use crate::estimate::Place;

/// Where something is written or comes from, as short as a cell asks.
fn place(place: &Place) -> String {
    match place {
        Place::Policy { file, line } => format!("{file}:{line}"),
        Place::Catalog { entry, page, date } => match (page, date) {
            (Some(_), Some(date)) => format!("catalog {entry}, {date}"),
            (Some(_), None) => format!("catalog {entry}"),
            (None, _) => format!("catalog {entry}, unverified"),
        },
        Place::Default { reason } | Place::Derived { reason } => reason.clone(),
    }
}

/// What to say of a policy with errors.
fn errors(count: u64) -> Option<String> {
    match count {
        0 => None,
        1 => Some(
            "The policy has an error, so this is what could be read of it: see `syncline check`."
                .to_owned(),
        ),
        many => Some(format!(
            "The policy has {many} errors, so this is what could be read of it: see `syncline \
             check`."
        )),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
