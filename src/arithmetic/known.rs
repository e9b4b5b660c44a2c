//! Figures with where they come from, so that every result can be traced to its inputs.

use crate::catalog::Source;
use crate::text::Span;

/// Where a figure comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// The policy says it there.
    Policy(Span),
    /// The catalog entry of that name says it; none as source: unverified.
    Catalog {
        /// The entry's name.
        entry: String,
        /// Where the catalog has it from.
        source: Option<Source>,
    },
    /// Nobody says it; why this figure is taken.
    Default(&'static str),
}

impl Origin {
    /// Whether the figure is no more than a guess: a default, or a catalog figure without source.
    pub fn is_guess(&self) -> bool {
        match self {
            Origin::Policy(_) => false,
            Origin::Catalog { source, .. } => source.is_none(),
            Origin::Default(_) => true,
        }
    }
}

/// A figure and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<T> {
    /// The figure.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

impl<T> Known<T> {
    /// A figure that the policy says.
    pub fn said(value: T, span: Span) -> Self {
        Known {
            value,
            origin: Origin::Policy(span),
        }
    }

    /// A figure that nobody says.
    pub fn default(value: T, why: &'static str) -> Self {
        Known {
            value,
            origin: Origin::Default(why),
        }
    }

    /// The same figure in another shape.
    pub fn map<U>(self, shape: impl FnOnce(T) -> U) -> Known<U> {
        Known {
            value: shape(self.value),
            origin: self.origin,
        }
    }
}
