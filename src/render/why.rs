//! Who won a record's fields and why, for people.

use std::fmt::Write;

use crate::engine::cause::on_one_line;
use crate::engine::why::{FieldStory, Holding, RecordStory};

/// The story of a record.
pub fn record(story: &RecordStory) -> String {
    let mut out = format!("{} (version {})\n", story.record, story.version);
    for field in &story.fields {
        out.push('\n');
        out.push_str(&of_field(field));
    }
    out
}

/// The story of a field: its value, why, what each origin said, what each system holds.
pub fn of_field(field: &FieldStory) -> String {
    let value = field
        .value
        .as_ref()
        .map_or("nothing".to_owned(), ToString::to_string);
    let mut out = format!("{} = {value}\n  {}\n", field.field, field.because);
    for said in &field.said {
        let mark = if said.won { "won " } else { "lost" };
        let by = match said.by.is_empty() {
            true => String::new(),
            false => format!(", {}", said.by),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "  {mark} `{}` said {} at {}{by}",
            said.system, said.value, said.at
        );
    }
    for held in &field.held {
        let when = match held.how {
            Holding::Waits => "waits to be written since",
            Holding::Written => "written at",
            Holding::Reported => "reported at",
        };
        let after = match (&held.tried, held.in_step) {
            (Some(tried), _) => format!(" ({})", on_one_line(tried)),
            (None, true) => String::new(),
            (None, false) => " (differs)".to_owned(),
        };
        let (system, value, at) = (&held.system, &held.value, &held.at);
        let _ = writeln!(out, "  in   `{system}`: {value} {when} {at}{after}");
    }
    out
}
