//! What modes are judged by.

use crate::arithmetic::{Arithmetic, SystemFacts, SystemLoad};
use crate::graph::Graph;
use crate::model::{Policy, SystemId};

/// A policy with its graphs and its figures.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Its graphs.
    pub graph: &'a Graph,
    /// Its figures.
    pub arithmetic: &'a Arithmetic,
}

impl<'a> Ground<'a> {
    /// A system's name.
    pub fn name(&self, system: SystemId) -> &'a str {
        &self.policy.system(system).name.text
    }

    /// A system's facts and its load.
    pub fn at(&self, system: SystemId) -> Option<(&'a SystemFacts, &'a SystemLoad)> {
        let facts = self.arithmetic.facts(system)?;
        Some((facts, self.arithmetic.system(system)?))
    }
}
