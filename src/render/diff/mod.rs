//! A comparison of two versions in the forms in which people and programs read it.

mod human;
mod markdown;
mod words;

pub use human::human;
pub use markdown::markdown;

use crate::diff::Diff;

/// For programs: one JSON object.
pub fn json(diff: &Diff) -> String {
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(diff).unwrap_or_default();
    text.push('\n');
    text
}
