//! The real program in directories of its own: exit statuses, streams, formats.

mod check;
#[cfg(unix)]
mod ci;
mod docs;
mod fix;
mod fmt;
mod formats;
mod other;
mod plan;
mod support;
mod suppressions;
