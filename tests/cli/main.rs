//! The real program in directories of its own: exit statuses, streams, formats.

mod check;
mod docs;
mod fix;
mod fmt;
mod formats;
mod other;
mod plan;
mod support;
mod suppressions;
