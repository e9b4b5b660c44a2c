//! What a policy's tests came to: one file for each form.

mod human;
mod json;
mod junit;

pub use human::human;
pub use json::{json, schema};
pub use junit::junit;

use std::fmt::Write;

use crate::engine::why::FieldStory;
use crate::render::style::count;
use crate::render::{Position, why};
use crate::sim::trial::{
    Coverage, Difference, Differs, HeldBack, Misfit, Of, Trial, Uncovered, Unmet,
};
use crate::text::{Sources, Span};

/// Everything there is to show.
pub struct Results<'a> {
    /// The policy's name.
    pub policy: &'a str,
    /// Its texts.
    pub sources: &'a Sources,
    /// What became of each test, in the order of the policy.
    pub trials: &'a [Trial],
    /// Tests that a filter left out.
    pub left_out: usize,
    /// What no test touches; `None` where tests were left out, since nothing is known then.
    pub coverage: Option<&'a Coverage>,
}

impl Results<'_> {
    fn failed(&self) -> usize {
        self.trials.iter().filter(|t| !t.passed()).count()
    }

    /// File and place of a span.
    fn place(&self, span: Span) -> (&str, Position) {
        let file = self.sources.file(span.file);
        let at = file.position(span.start);
        let position = Position {
            line: at.line,
            column: at.column,
            offset: span.start,
        };
        (&file.path, position)
    }

    /// The first line of what stands at a span.
    fn first_line(&self, span: Span) -> &str {
        let text = self.sources.slice(span);
        text.lines().next().unwrap_or_default().trim_end()
    }
}

/// The kinds of coverage with their names.
fn kinds(coverage: &Coverage) -> [(&'static str, &Uncovered); 4] {
    [
        ("scenarios", &coverage.scenarios),
        ("fields", &coverage.fields),
        ("rules", &coverage.rules),
        ("origins", &coverage.origins),
    ]
}

/// What is wrong, in a line for each thing.
fn lines(unmet: &Unmet) -> Vec<String> {
    match &unmet.what {
        Difference::Missing {
            record,
            system,
            held_back: held,
            ..
        } => {
            let missing = format!("`{system}` has no {record}");
            std::iter::once(missing)
                .chain(held.iter().map(held_back))
                .collect()
        }
        Difference::Present { record, system } => vec![format!("`{system}` has {record}")],
        Difference::Values {
            fields,
            held_back: held,
            ..
        } => {
            let fields = fields.iter().map(differs);
            fields.chain(held.iter().map(held_back)).collect()
        }
        Difference::Calls {
            system,
            at_most,
            made,
        } => vec![format!(
            "`{system}` got {}, and {at_most} is the most",
            count(*made as usize, "call")
        )],
        Difference::DeadLetters { at_most, letters } => {
            let mut lines = vec![format!(
                "{} given up, and {at_most} is the most",
                count(letters.len(), "write")
            )];
            lines.extend(letters.iter().map(|l| {
                format!(
                    "{} \"{}\" in `{}` ({}): {}",
                    l.entity, l.key, l.system, l.scenario, l.error
                )
            }));
            lines
        }
        Difference::Unfit(Misfit { message, help }) => {
            let help = help.iter().map(|help| format!("help: {help}"));
            std::iter::once(message.clone()).chain(help).collect()
        }
        Difference::Fault(why) => vec![format!(
            "the runner stopped: {why}; this is a fault of Syncline's own, please report it"
        )],
    }
}

fn differs(field: &Differs) -> String {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "no value".to_owned());
    format!(
        "{}: expected {}, found {}",
        field.field,
        or_none(&field.expected),
        or_none(&field.actual)
    )
}

/// Which condition keeps a record back, in the words of the policy.
fn held_back(held: &HeldBack) -> String {
    let of = match &held.of {
        Of::Event(name) => format!(" for the event `{name}`"),
        Of::Record(read) => {
            let read = read.iter().map(|(field, value)| match value {
                Some(value) => format!("{field} = {value}"),
                None => format!("{field} = nothing"),
            });
            let read: Vec<String> = read.collect();
            match read.is_empty() {
                true => String::new(),
                false => format!(" ({})", read.join(", ")),
            }
        }
    };
    format!(
        "`{}` holds it back: `{}` is not true{of}",
        held.scenario, held.condition
    )
}

/// What the runner knows of a field that was looked for in a system: also that it knows of nothing
/// there, which the story of a record passes over.
fn story(story: &FieldStory, system: &str) -> String {
    let mut out = why::of_field(story);
    if story.held.is_empty() {
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "  in   `{system}`: nothing, as far as the runner knows"
        );
    }
    out
}
