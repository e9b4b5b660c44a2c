//! Checks: one table, one file per code, folders by family.
//!
//! Rank 6. May use everything below. A check reads the [`Context`] and gives back findings; it
//! changes nothing, knows no other check's findings and no output format. Where one fault must
//! show under one code only, the later check asks the earlier one's `faults` function.
//!
//! [`run`] runs the table, applies the `allow`s and sorts. Codes SL0001 to SL0008 and SL0405 are
//! found while a policy is read and resolved; their findings are handed in, since an `allow` may
//! accept them too.

mod alternatives;
mod context;
mod fix;
pub mod pages;
mod suppressions;
mod table;
mod words;

mod connectors;
mod freshness;
mod mapping;
mod ownership;
mod policy_tests;
mod protection;
mod quota;
mod tidiness;

pub(crate) use crate::choice::figures;
pub use context::Context;
pub(crate) use fix::set_mode;
pub use suppressions::{Suppression, suppressions};
pub use table::{CHECKS, Check};

use rayon::prelude::*;

use crate::finding::{self, Finding, Level};

/// Checks a policy: everything that `earlier` phases and the table's checks found, with the
/// `allow`s applied, in the order in which findings are shown. Checks that are off unless asked for
/// are left out where [`Context::asked`] does not name them.
pub fn run(ctx: &Context, earlier: Vec<Finding>) -> Vec<Finding> {
    let found: Vec<Vec<Finding>> = CHECKS.par_iter().map(|c| (c.run)(ctx)).collect();
    let mut findings = earlier;
    findings.extend(found.into_iter().flatten());
    tidiness::sl0801_unused_allow::apply(ctx, &mut findings);
    // Only now, so that an `allow` of a check that is off is not told to be of no use.
    findings.retain(|f| f.code.info().level != Level::Off || ctx.asked.contains(&f.code));
    finding::sort(&mut findings, ctx.sources);
    findings
}
