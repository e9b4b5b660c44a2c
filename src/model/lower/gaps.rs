//! What could not be read, so that nothing is concluded from its absence.

use std::collections::HashSet;

use super::Lowering;
use super::clauses::Read;
use super::names::Kind;
use crate::model::EntityId;
use crate::syntax::tree::{Clause, EntityClause, Item};
use crate::text::Span;

/// Declarations whose names could not be read: they may have declared any name of their kind.
#[derive(Default)]
pub(super) struct Unnamed {
    systems: bool,
    entities: bool,
    scenarios: bool,
    /// Fields of these.
    fields: HashSet<EntityId>,
    /// Fields of any entity: an `extend entity` without a name.
    extends: bool,
}

impl Unnamed {
    fn holds(&self, kind: Kind) -> bool {
        match kind {
            Kind::System => self.systems,
            Kind::Entity => self.entities,
            Kind::Scenario => self.scenarios,
            Kind::Field(entity) => self.extends || self.fields.contains(&entity),
        }
    }
}

impl<'a> Lowering<'a> {
    /// An item that could not be read; `named`: its name could be.
    pub(super) fn broken_item(&mut self, span: Span, keyword: Option<Span>, named: bool) {
        let text = self.text(span);
        let gaps = &mut self.policy.gaps;
        gaps.add(text);
        let keyword = keyword.map(|k| self.sources.slice(k));
        match keyword {
            Some("policy") => gaps.policy = true,
            Some("map") => gaps.maps = true,
            Some("scenario") => gaps.scenarios = true,
            Some("system" | "entity" | "extend" | "test" | "use") => {}
            Some(_) | None => {
                gaps.policy = true;
                gaps.maps = true;
                gaps.scenarios = true;
            }
        }
        match keyword.filter(|_| !named) {
            Some("system") => self.unnamed.systems = true,
            Some("entity") => self.unnamed.entities = true,
            Some("scenario") => self.unnamed.scenarios = true,
            Some("extend") => self.unnamed.extends = true,
            _ => {}
        }
    }

    /// A clause that could not be read.
    pub(super) fn broken_clause(&mut self, span: Span) {
        let text = self.text(span);
        self.policy.gaps.add(text);
    }

    /// Notes where a block lost a field together with its name.
    pub(super) fn unnamed_fields(&mut self, entity: EntityId, clauses: &[Clause<EntityClause>]) {
        let unnamed = clauses.iter().any(|clause| {
            if clause.kind.is_some() || self.text(clause.keyword) != "field" {
                return false;
            }
            let rest = self
                .text(clause.keyword.to(clause.span))
                .get("field".len()..);
            let name = rest.and_then(|rest| rest.trim_start().chars().next());
            !name.is_some_and(|c| c == '_' || c.is_alphabetic())
        });
        if unnamed {
            self.unnamed.fields.insert(entity);
        }
    }

    /// Whether a name that nothing declares may be declared in what could not be read.
    pub(super) fn may_be_declared(&self, kind: Kind, name: &str) -> bool {
        self.unnamed.holds(kind) || self.policy.gaps.may_declare(name)
    }

    /// Marks the clauses of an item as incomplete where the item ends too early: a clause follows
    /// it that stands in no block.
    pub(super) fn note_cut<C>(&self, item: &Item, read: &mut Read<'a, C>) {
        if self.cut.contains(&item.span) {
            read.broken.push("}");
        }
    }
}
