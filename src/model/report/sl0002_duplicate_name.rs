//! SL0002 duplicate-name: one name stands for two things, or one clause stands twice.

use crate::finding::{Code, Edit, Finding, Grade};
use crate::text::Span;

/// What stands twice.
pub(in super::super) struct Twice<'a> {
    /// What it is, `system`; `entry`: a name in a list, `clause`: a clause of a block.
    pub(in super::super) what: &'a str,
    /// Its name or words, as written.
    pub(in super::super) name: &'a str,
    /// The first place, which is used.
    pub(in super::super) first: Span,
    /// The later place.
    pub(in super::super) later: Span,
    /// What to do, where it is not plain.
    pub(in super::super) help: Option<String>,
    /// What takes the later one away, where it says nothing but what the first says.
    pub(in super::super) same: Option<Edit>,
}

pub(in super::super) fn duplicate(twice: Twice<'_>) -> Finding {
    let Twice {
        what, name, first, ..
    } = twice;
    let message = match what {
        "entry" => format!("`{name}` is named twice here"),
        "clause" => format!("the clause `{name}` stands twice"),
        _ => format!("there are two {} `{name}`", plural(what)),
    };
    let help = twice.help.unwrap_or_else(|| match what {
        "clause" | "option" | "secret" => format!("keep one `{name}`"),
        "entry" => format!("name `{name}` once"),
        "map" => "keep one `map` for the pair, with the fields of both".to_owned(),
        _ => format!("remove one `{name}`, or give it another name"),
    });
    let found = Finding::new(Code(2), twice.later, message).label(first, "first here");
    match twice.same {
        Some(edit) => found
            .mark("the same again here")
            .help("remove this one: it says nothing that the first does not say")
            .fix("remove the repetition", Grade::Safe, vec![edit]),
        None => found.mark("again here").help(help),
    }
}

fn plural(what: &str) -> String {
    match what.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{what}s"),
    }
}
