//! What every check is given.

use chrono::NaiveDate;
use rayon::prelude::*;

use crate::arithmetic::Arithmetic;
use crate::catalog::Entry;
use crate::finding::{Code, Finding};
use crate::graph::{Edge, Flow, Graph};
use crate::model::{Carried, Field, FieldId, Policy, Scenario, Sync, SystemId};
use crate::text::{Sources, Span};

/// What every check is given. Checks read it and change nothing, so they run side by side.
#[derive(Debug)]
pub struct Context<'a> {
    /// The texts, for positions and mends.
    pub sources: &'a Sources,
    /// The resolved policy.
    pub policy: &'a Policy,
    /// Its graphs.
    pub graph: &'a Graph,
    /// Its figures: calls, rates, waits, ages.
    pub arithmetic: Arithmetic,
    /// The day on which it is checked: what `until` is compared with.
    pub today: NaiveDate,
    /// The checks that are off unless asked for, as far as they are asked for.
    pub asked: &'a [Code],
    /// Whether a flow may be missing because a scenario, or a name in a `sync`, could not be read:
    /// then nothing may be concluded from a flow that is not there.
    pub flows_incomplete: bool,
}

impl<'a> Context<'a> {
    /// Puts together what the checks need.
    pub fn new(
        sources: &'a Sources,
        policy: &'a Policy,
        graph: &'a Graph,
        today: NaiveDate,
    ) -> Context<'a> {
        Context {
            sources,
            policy,
            graph,
            arithmetic: Arithmetic::of(policy, graph),
            today,
            asked: &[],
            flows_incomplete: flows_incomplete(policy),
        }
    }

    /// The same, with checks that are off unless asked for.
    pub fn asking(mut self, asked: &'a [Code]) -> Context<'a> {
        self.asked = asked;
        self
    }

    /// A system's name.
    pub fn system(&self, id: SystemId) -> &'a str {
        &self.policy.system(id).name.text
    }

    /// What the catalog knows of a system's connector; `None`: it has none that exists.
    pub fn entry(&self, id: SystemId) -> Option<&'a Entry> {
        self.policy.system(id).entry()
    }

    /// The blocks and fields in which an `allow` of a check stands. What is accepted in one must not
    /// accept what lies elsewhere, so a finding that speaks of many places is parted by these.
    pub fn blocks_of_allows(&self, code: Code) -> Vec<Span> {
        let allows = self.policy.allows.iter().filter(|a| a.check == Some(code));
        allows.filter_map(|a| a.covers).collect()
    }

    /// A field as messages name it, `contact.email`.
    pub fn path(&self, id: FieldId) -> String {
        self.policy.field_path(id)
    }

    /// The scenario of an edge.
    pub fn scenario(&self, edge: Edge) -> &'a Scenario {
        self.graph.flows.scenario(self.policy, edge.hop)
    }

    /// The `sync` clause of an edge.
    pub fn sync(&self, edge: Edge) -> &'a Sync {
        self.graph.flows.sync(self.policy, edge.hop)
    }

    /// Runs a check on every field that a scenario carries, side by side; what it finds comes in
    /// reading order of the fields.
    pub fn each_carried(
        &self,
        check: impl Fn(&'a Field, &'a Flow) -> Vec<Finding> + std::marker::Sync + Send,
    ) -> Vec<Finding> {
        self.each_field(|field| match self.graph.flows.of(field.id) {
            Some(flow) => check(field, flow),
            None => Vec::new(),
        })
    }

    /// Runs a check on every field, side by side; what it finds comes in reading order.
    pub fn each_field(
        &self,
        check: impl Fn(&'a Field) -> Vec<Finding> + std::marker::Sync + Send,
    ) -> Vec<Finding> {
        self.policy
            .entities
            .par_iter()
            .flat_map(|entity| entity.fields.par_iter())
            .flat_map_iter(check)
            .collect()
    }
}

fn flows_incomplete(policy: &Policy) -> bool {
    // A clause from a system to itself (SL0007) was meant for another system.
    let goes_somewhere = |sync: &Sync| {
        let mut pairs = sync
            .sources
            .iter()
            .flat_map(|s| sync.targets.iter().map(move |t| (s, t)));
        pairs.any(|(from, to)| from.id != to.id)
    };
    // One without any work (SL0006) was meant to have some.
    let does_nothing = |s: &Scenario| s.syncs.is_empty() && s.clean.is_none();
    let unresolved = |sync: &Sync| {
        !goes_somewhere(sync)
            || sync.entity.id.is_none()
            || sync
                .sources
                .iter()
                .chain(&sync.targets)
                .any(|s| s.id.is_none())
            || match &sync.carried {
                Carried::All(_) => false,
                Carried::Fields(fields) => fields.iter().any(|f| f.id.is_none()),
            }
    };
    policy.gaps.anything
        || policy.gaps.scenarios
        || policy
            .scenarios
            .iter()
            .any(|s| s.broken || does_nothing(s) || s.syncs.iter().any(unresolved))
}
