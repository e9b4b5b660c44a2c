//! CEL expressions: compiling, references, types, evaluation.
//!
//! Rank 1. May use `text`, `terms`, `value`. Knows nothing of entities, scenarios or spans: places
//! are byte offsets inside the expression's own text.

/// A compiled expression.
#[derive(Debug)]
pub struct Program;
