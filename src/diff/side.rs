//! One side of a comparison: a policy with its plan, a plan alone, or nothing.

use std::borrow::Cow;

use super::rename::Renames;
use super::types::{Holds, Place, Version};
use crate::estimate::Estimate;
use crate::finding::{Finding, Severity};
use crate::model::{self, Policy};
use crate::plan::Plan;
use crate::text::{Sources, Span};

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    /// What people call it.
    pub label: String,
    /// What the runner would be told.
    pub plan: Cow<'a, Plan>,
    /// The policy; none: a plan alone, or nothing.
    pub policy: Option<Source<'a>>,
    /// Whether there is nothing on this side.
    pub nothing: bool,
    /// Names of this side by those of the other, where an item was renamed.
    pub(super) renames: Renames,
}

/// A policy with what a plan does not hold.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// What it means.
    pub policy: &'a Policy,
    /// Its texts, named as people see them.
    pub sources: &'a Sources,
    /// What was found in it.
    pub findings: &'a [Finding],
    /// Its figures; none: it has errors that keep them from being known.
    pub estimate: Option<&'a Estimate>,
}

impl<'a> Side<'a> {
    /// A policy with its plan, which may be of a policy with errors, as far as it could be read.
    pub fn policy(label: impl Into<String>, plan: &'a Plan, source: Source<'a>) -> Self {
        Side {
            label: label.into(),
            plan: Cow::Borrowed(plan),
            policy: Some(source),
            nothing: false,
            renames: Renames::default(),
        }
    }

    /// A plan.
    pub fn plan(label: impl Into<String>, plan: &'a Plan) -> Self {
        Side {
            label: label.into(),
            plan: Cow::Borrowed(plan),
            policy: None,
            nothing: false,
            renames: Renames::default(),
        }
    }

    /// Nothing: all that the other side holds is new.
    pub fn nothing(label: impl Into<String>, other: &Side) -> Self {
        let plan = Plan {
            syncline_plan: other.plan.syncline_plan,
            policy: other.plan.policy.clone(),
            digest: String::new(),
            timezone: other.plan.timezone.clone(),
            alert: other.plan.alert.clone(),
            systems: Vec::new(),
            entities: Vec::new(),
            maps: Vec::new(),
            scenarios: Vec::new(),
        };
        Side {
            label: label.into(),
            plan: Cow::Owned(plan),
            policy: None,
            nothing: true,
            renames: Renames::default(),
        }
    }

    /// Errors that keep the policy from being planned.
    pub fn errors(&self) -> impl Iterator<Item = &'a Finding> {
        let findings = self.policy.as_ref().map_or(&[][..], |p| p.findings);
        findings.iter().filter(|f| f.severity == Severity::Error)
    }

    pub(super) fn version(&self) -> Version {
        Version {
            label: self.label.clone(),
            holds: match (&self.policy, self.nothing) {
                (_, true) => Holds::Nothing,
                (Some(_), false) => Holds::Policy,
                (None, false) => Holds::Plan,
            },
            digest: (!self.nothing).then(|| self.plan.digest.clone()),
            errors: self.errors().count(),
        }
    }

    /// Where a span stands.
    pub(super) fn place(&self, span: Span) -> Option<Place> {
        let sources = self.policy.as_ref()?.sources;
        Some(Place {
            file: sources.file(span.file).path.clone(),
            line: sources.start(span).line,
        })
    }

    fn at(&self, find: impl FnOnce(&'a Policy) -> Option<Span>) -> Option<Place> {
        let policy = self.policy.as_ref()?.policy;
        self.place(find(policy)?)
    }

    /// Where the policy as a whole, or a clause of it, stands.
    pub(super) fn head(&self, clause: impl FnOnce(&Policy) -> Option<Span>) -> Option<Place> {
        self.at(|p| clause(p).or(p.name.as_ref().map(|n| n.span)))
    }

    /// Where a system, or a clause of it, stands.
    pub(super) fn system(
        &self,
        name: &str,
        clause: impl FnOnce(&model::System) -> Option<Span>,
    ) -> Option<Place> {
        let name = self.renames.system(name);
        self.at(|p| {
            let system = p.system(p.system_named(name)?);
            clause(system).or(Some(system.name.span))
        })
    }

    /// Where an entity, or a clause of it, stands.
    pub(super) fn entity(
        &self,
        name: &str,
        clause: impl FnOnce(&model::Entity) -> Option<Span>,
    ) -> Option<Place> {
        let name = self.renames.entity(name);
        self.at(|p| {
            let entity = p.entity(p.entity_named(name)?);
            clause(entity).or(Some(entity.name.span))
        })
    }

    /// Where a field, or what holds for it, is said.
    pub(super) fn field(
        &self,
        entity: &str,
        name: &str,
        clause: impl FnOnce(&model::Field) -> Option<Span>,
    ) -> Option<Place> {
        let name = self.renames.field(entity, name);
        let entity = self.renames.entity(entity);
        self.at(|p| {
            let field = p.field(p.field_named(p.entity_named(entity)?, name)?);
            clause(field).or(Some(field.name.span))
        })
    }

    /// Where a map, or a clause of it, stands.
    pub(super) fn map(
        &self,
        entity: &str,
        system: &str,
        clause: impl FnOnce(&model::Map) -> Option<Span>,
    ) -> Option<Place> {
        let (entity, system) = (self.renames.entity(entity), self.renames.system(system));
        self.at(|p| {
            let map = p.map_for(p.entity_named(entity)?, p.system_named(system)?)?;
            clause(map).or(Some(map.span))
        })
    }

    /// Where a map says a field.
    pub(super) fn mapped(&self, entity: &str, system: &str, field: &str) -> Option<Place> {
        let name = self.renames.field(entity, field);
        let own = self.renames.entity(entity);
        let policy = self.policy.as_ref()?.policy;
        let index = policy.field_named(policy.entity_named(own)?, name)?.index;
        self.map(entity, system, |m| m.field(index).map(|f| f.span))
    }

    /// Where a scenario, or a clause of it, stands; a plan knows the scenario's own line.
    pub(super) fn scenario(
        &self,
        name: &str,
        clause: impl FnOnce(&model::Scenario) -> Option<Span>,
    ) -> Option<Place> {
        let own = self.renames.scenario(name);
        if self.policy.is_none() {
            let found = self.plan.scenarios.iter().find(|s| s.name == name)?;
            return Some(Place {
                file: found.at.file.clone(),
                line: found.at.line,
            });
        }
        self.at(|p| {
            let scenario = p.scenario(p.scenario_named(own)?);
            clause(scenario).or(Some(scenario.name.span))
        })
    }

    /// Where the clause stands by which a scenario carries an entity from a system to another.
    pub(super) fn flow(&self, scenario: &str, entity: &str, from: &str, to: &str) -> Option<Place> {
        if self.policy.is_none() {
            let found = self.plan.scenarios.iter().find(|s| s.name == scenario)?;
            let mut routes = found.routes.iter();
            let route = routes.find(|r| r.entity == entity && r.from == from && r.to == to)?;
            return Some(Place {
                file: route.at.file.clone(),
                line: route.at.line,
            });
        }
        let policy = self.policy.as_ref()?.policy;
        let entity = policy.entity_named(self.renames.entity(entity))?;
        let from = policy.system_named(self.renames.system(from))?;
        let to = policy.system_named(self.renames.system(to))?;
        self.scenario(scenario, |s| {
            let mut hops = s.hops.iter();
            let hop =
                hops.find(|h| h.entity == entity && h.from.value == from && h.to.value == to)?;
            s.syncs.get(hop.sync as usize).map(|sync| sync.clause)
        })
    }
}
