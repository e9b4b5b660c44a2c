//! SL08: what a policy says without effect.

pub(super) mod sl0801_unused_allow;
