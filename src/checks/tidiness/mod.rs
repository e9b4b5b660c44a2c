//! SL08: what a policy says without effect.

mod rename;
pub(super) mod sl0801_unused_allow;
pub(super) mod sl0802_unused_item;
pub(super) mod sl0803_naming;
pub(super) mod sl0804_no_doc;
