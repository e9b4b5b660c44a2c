//! The findings that belong to reading names and values: one file per code.

mod sl0002_duplicate_name;
mod sl0003_unknown_name;
mod sl0006_missing_clause;
mod sl0007_bad_value;
mod sl0008_policy_count;
mod sl0405_bad_expression;

pub(super) use sl0002_duplicate_name::{Twice, duplicate};
pub(super) use sl0003_unknown_name::{
    Known, Misdeclared, Unknown, misdeclared, unknown, unknown_but,
};
pub(super) use sl0006_missing_clause::{Missing, missing};
pub(super) use sl0007_bad_value::{Bad, bad_value};
pub(super) use sl0008_policy_count::{no_policy, second_policy};
pub(super) use sl0405_bad_expression::{Misfit, does_not_fit, faulty, no_such_field};
