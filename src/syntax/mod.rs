//! The language's surface: tree, parser, formatter.
//!
//! Rank 2. May use `text`, `terms`, `finding`. Must not know the model, the catalog or any check.

pub mod literal;
pub mod load;
pub mod markdown;
mod parse;
pub mod print;
mod scan;
pub mod tree;

pub use parse::{MAX_FINDINGS, parse, parse_range};
