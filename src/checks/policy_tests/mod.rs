//! SL07: whether a policy's tests speak of what can exist.

pub(super) mod sl0701_bad_test;
mod values;
