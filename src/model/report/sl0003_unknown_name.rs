//! SL0003 unknown-name: a name that neither the policy nor the catalog declares.

use crate::finding::{Code, Edit, Finding, Grade};
use crate::text::{Span, nearest};

/// A name that could have been meant.
pub(in super::super) struct Known<'a> {
    /// The name.
    pub(in super::super) name: &'a str,
    /// Where it is declared, if in the policy.
    pub(in super::super) at: Option<Span>,
}

/// A name that stands for nothing.
pub(in super::super) struct Unknown<'a> {
    /// What it would be, `system`.
    pub(in super::super) what: &'a str,
    /// The name.
    pub(in super::super) name: &'a str,
    /// Where it stands.
    pub(in super::super) at: Span,
    /// What to do where no other name is near.
    pub(in super::super) otherwise: &'a str,
    /// Whether it stands in quotes, which a mend keeps.
    pub(in super::super) quoted: bool,
}

/// `known`: every name that could have been meant.
pub(in super::super) fn unknown<'a>(
    unknown: Unknown<'_>,
    known: impl IntoIterator<Item = Known<'a>>,
) -> Finding {
    let known: Vec<Known<'a>> = known.into_iter().collect();
    let meant = nearest(unknown.name, known.iter().map(|k| k.name));
    let meant = meant.and_then(|meant| known.into_iter().find(|k| k.name == meant));
    unknown_but(unknown, meant)
}

/// `meant`: the one name that is near.
pub(in super::super) fn unknown_but(unknown: Unknown<'_>, meant: Option<Known<'_>>) -> Finding {
    let Unknown { what, name, at, .. } = unknown;
    let finding =
        Finding::new(Code(3), at, format!("there is no {what} `{name}`")).mark("not known");
    let Some(meant) = meant else {
        return finding.help(unknown.otherwise);
    };
    let write = format!("write `{}`", meant.name);
    let text = match unknown.quoted {
        true => format!("\"{}\"", meant.name),
        false => meant.name.to_owned(),
    };
    let edit = Edit { span: at, text };
    let finding = finding
        .help(write.clone())
        .fix(write, Grade::Safe, vec![edit]);
    match meant.at {
        Some(place) => finding.label(place, format!("`{}` is declared here", meant.name)),
        None => finding,
    }
}

/// How many uses of a misspelt declaration are shown.
const USES_SHOWN: usize = 3;

/// A declaration that is spelt otherwise than every place that means it.
pub(in super::super) struct Misdeclared<'a> {
    /// What it is, `system`.
    pub(in super::super) what: &'a str,
    /// The name as it is used.
    pub(in super::super) used: &'a str,
    /// Where it is used.
    pub(in super::super) uses: &'a [Span],
    /// The name as it is declared.
    pub(in super::super) declared: &'a str,
    /// Where it is declared.
    pub(in super::super) at: Span,
}

/// The one finding about a misspelt declaration.
pub(in super::super) fn misdeclared(slip: Misdeclared<'_>) -> Finding {
    let Misdeclared {
        what,
        used,
        uses,
        declared,
        at,
    } = slip;
    let count = uses.len();
    let message =
        format!("{count} places name the {what} `{used}`, but it is declared as `{declared}`");
    let mut finding = Finding::new(Code(3), at, message).mark("named nowhere as it is spelt here");
    let shown = if count > USES_SHOWN + 1 {
        USES_SHOWN
    } else {
        count
    };
    for (n, place) in uses.iter().take(shown).enumerate() {
        let more = count - shown;
        finding = match more > 0 && n + 1 == shown {
            true => finding.label(
                *place,
                format!("`{used}` is named here, and at {more} more places"),
            ),
            false => finding.label(*place, format!("`{used}` is named here")),
        };
    }
    let text = used.to_owned();
    finding
        .help(format!(
            "write `{used}` here, or `{declared}` at all of those places"
        ))
        .fix(
            format!("write `{used}`"),
            Grade::Review,
            vec![Edit { span: at, text }],
        )
}
