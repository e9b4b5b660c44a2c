//! SL0006 missing-clause: a block lacks what it cannot do without.

use crate::finding::{Code, Finding};
use crate::text::Span;

/// What is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Missing {
    /// A system's `connector`.
    Connector,
    /// An entity's `key`.
    Key,
    /// A scenario's `sync` or `clean`.
    Work,
    /// A scenario has both `sync` and `clean`, where one has to be chosen.
    Choice(Span, Span),
}

pub(in super::super) fn missing(what: Missing, name: &str, at: Span) -> Finding {
    let (message, help) = match what {
        Missing::Connector => (
            format!("the system `{name}` has no `connector`"),
            "add `connector NAME`, as in `connector postgres`",
        ),
        Missing::Key => (
            format!("the entity `{name}` has no `key`"),
            "add `key FIELD`, naming the field that identifies a record",
        ),
        Missing::Work => (
            format!("the scenario `{name}` neither syncs nor cleans"),
            "add `sync ENTITY(FIELD) from SYSTEM to SYSTEM`, or `clean ENTITY in SYSTEM`",
        ),
        Missing::Choice(..) => (
            format!("the scenario `{name}` both syncs and cleans"),
            "keep `clean` here and move `sync` into a scenario of its own, or the other way round",
        ),
    };
    let mark = match what {
        Missing::Connector => "nothing says how to reach it",
        Missing::Key => "nothing tells its records apart",
        Missing::Work => "has nothing to do",
        Missing::Choice(..) => "does two things",
    };
    let finding = Finding::new(Code(6), at, message).mark(mark).help(help);
    match what {
        Missing::Choice(sync, clean) => finding
            .label(sync, "syncs here")
            .label(clean, "cleans here"),
        _ => finding,
    }
}
