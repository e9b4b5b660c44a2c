//! SL05: what a system's connector can do, and how it is set up.

pub(super) mod sl0501_no_events;
pub(super) mod sl0502_no_upsert;
pub(super) mod sl0503_cannot_write;
pub(super) mod sl0504_literal_secret;
pub(super) mod sl0505_bad_option;
