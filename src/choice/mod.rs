//! The choice of modes: which one each scenario should have, over all scenarios at once.
//!
//! Rank 5. May use everything below and, beside it, `arithmetic`, whose figures it stands on. Pure:
//! the same policy gives the same choice; where a search is to end early, its caller says when.
//! Knows no findings, no source text and no output form.
//!
//! * [`modes`]: the modes that a scenario could have; [`against_clauses`], [`late_hop`],
//!   [`overrun`], [`must_not_wait`]: what speaks against one.
//! * [`Problem`]: the choice as a whole, each scenario with its options.
//! * [`Problem::solve`]: the feasible assignment of least cost, among equals the simplest.
//! * [`settle`]: puts a mode in the place of each `mode auto`.
//! * [`figures`]: numbers as people read them.
//!
//! How it is solved: calls and peaks add up scenario by scenario, so quotas, burst limits and
//! prices are rows of a mixed-integer program. Waits in a queue, the length of a run, paths over
//! several scenarios and the reads that a system's own echo costs do not; for these the program
//! holds a lower bound at first. Each solution is held against the whole arithmetic. Where that
//! says that a bound breaks, or that it costs more, a row is added which says so of every
//! assignment that is no better in anything that matters there, and the program is solved again. It
//! ends when the arithmetic costs no more than the program's bound: then nothing can be better.

pub(crate) mod figures;
mod ground;
mod master;
mod modes;
mod problem;
mod reasons;
mod search;
mod settle;
mod truth;
mod words;

pub use ground::Ground;
pub use modes::{choices, daily, modes, text};
pub use problem::{Choice, Free, Pick, Problem, Slot, rank};
pub use reasons::{
    Overrun, against_clauses, bound, bounded, burst_share, late_hop, must_not_wait, overrun,
    quota_share, reached, says_how_late,
};
pub use search::{Limits, Outcome, Proof, Solved, Work};
pub use settle::{put, settle};
pub use truth::{Fault, Truth};
