//! What the integration tests share.

pub mod docs;
pub mod fixtures;
