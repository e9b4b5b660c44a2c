//! Stand-ins until merged.
pub use crate::catalog::Entry;
pub use crate::time::Schedule;
