//! What a policy's tests came to: one file for each form.

mod human;
mod json;
mod junit;

pub use human::human;
pub use json::{json, schema};
pub use junit::junit;

use crate::render::Position;
use crate::render::style::count;
use crate::sim::trial::{Coverage, Difference, Differs, Misfit, Trial, Uncovered, Unmet};
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
        Difference::Missing { record, system, .. } => {
            vec![format!("`{system}` has no {record}")]
        }
        Difference::Present { record, system } => vec![format!("`{system}` has {record}")],
        Difference::Values { fields, .. } => fields.iter().map(differs).collect(),
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
