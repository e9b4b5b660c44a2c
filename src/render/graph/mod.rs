//! Flow graphs: for GraphViz, for Mermaid, and as pictures.
//!
//! Where boxes and lines stand is the layout library's work; forms only write down what they are
//! handed.

mod dot;
mod layout;
mod legend;
mod mermaid;
mod svg;
mod words;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

pub(super) use legend::legend;
pub(super) use svg::inline;
pub(super) use words::{class_name, of_bound, plain};
