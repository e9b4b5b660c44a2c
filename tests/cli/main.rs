//! The real program in directories of its own: exit statuses, streams, formats.

mod check;
#[cfg(unix)]
mod ci;
mod diff;
mod docs;
mod estimate;
mod explain;
mod fix;
mod fmt;
mod formats;
mod graph;
mod optimize;
mod other;
mod plan;
mod report;
mod robust;
mod simulate;
mod support;
mod suppressions;
mod test;
