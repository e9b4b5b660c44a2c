//! The real program in directories of its own: exit statuses, streams, formats.

mod check;
mod docs;
mod fmt;
mod other;
mod plan;
mod robust;
mod support;
