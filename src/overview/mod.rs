//! What pictures and pages show of a policy: plain data, put together and ready to be drawn.
//!
//! Rank 9. May use `model`, `graph`, `arithmetic` and `estimate`. Says what stands in a picture,
//! which flows share an arrow, which rows come first and what is left out of a large policy. Must
//! not know how any of it looks: forms are `render`'s.
//!
//! * [`Picture`]: systems and arrows, of a policy ([`picture`]) or of one field ([`way`]).
//! * [`Overview`]: what `report` shows.

mod bounds;
mod fields;
mod glance;
mod page;
mod picture;
mod usage;
mod way;

pub use bounds::{Bound, Bounded};
pub use fields::{FieldKind, FieldRow, PlaceAge};
pub use glance::{FirstOut, Sums};
pub use page::{Figures, Overview, Question, ScenarioRow, of};
pub use picture::{Age, Arrow, Moves, Node, Picture, Role, Tightest, picture};
pub use usage::{Part, Usage};
pub use way::way;

use crate::text::{Sources, Span};

/// The words of a `///` comment, its lines joined.
fn doc(sources: &Sources, span: Option<Span>) -> Option<String> {
    let text = sources.slice(span?);
    let lines = text.lines().map(|line| {
        let line = line.trim();
        line.strip_prefix("///").unwrap_or(line).trim()
    });
    let words: Vec<&str> = lines.filter(|l| !l.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}
