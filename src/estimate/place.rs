//! Where a figure comes from, for those who read it.

use super::types::Place;
use crate::arithmetic::Origin;
use crate::text::{Sources, Span};

/// A line of the policy.
pub(super) fn line(sources: &Sources, span: Span) -> Place {
    let file = sources.file(span.file);
    Place::Policy {
        file: file.path.clone(),
        line: file.line_of(span.start),
    }
}

/// Where a figure of the arithmetic comes from.
pub(super) fn of(sources: &Sources, origin: &Origin) -> Place {
    match origin {
        Origin::Policy(span) => line(sources, *span),
        Origin::Catalog { entry, source } => Place::Catalog {
            entry: entry.clone(),
            page: source.as_ref().map(|s| s.page.clone()),
            date: source.as_ref().map(|s| s.date.to_string()),
        },
        Origin::Default(reason) => default(reason),
    }
}

/// A figure that nobody says.
pub(super) fn default(reason: &str) -> Place {
    Place::Default {
        reason: reason.to_owned(),
    }
}
