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

/// `quoted`: the name stands in quotes, which a mend keeps.
pub(in super::super) fn unknown<'a>(
    what: &str,
    name: &str,
    at: Span,
    known: impl IntoIterator<Item = Known<'a>>,
    otherwise: &str,
    quoted: bool,
) -> Finding {
    let known: Vec<Known<'a>> = known.into_iter().collect();
    let finding = Finding::new(Code(3), at, format!("there is no {what} `{name}`"));
    let Some(meant) = nearest(name, known.iter().map(|k| k.name)) else {
        return finding.mark("not known").help(otherwise);
    };
    let text = if quoted {
        format!("\"{meant}\"")
    } else {
        meant.to_owned()
    };
    let mut finding = finding
        .mark("not known")
        .help(format!("write `{meant}`"))
        .fix(
            format!("write `{meant}`"),
            Grade::Safe,
            vec![Edit { span: at, text }],
        );
    if let Some(place) = known.iter().find(|k| k.name == meant).and_then(|k| k.at) {
        finding = finding.label(place, format!("`{meant}` is declared here"));
    }
    finding
}
