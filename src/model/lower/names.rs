//! Names: declaring them, finding what they stand for, reporting those that stand for nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::Lowering;
use super::items::Items;
use crate::model::report::{Bad, Known, Twice, bad_value, duplicate, unknown};
use crate::model::{EntityId, FieldId, Ident, Ref, ScenarioId, SystemId};
use crate::syntax::tree::Name;
use crate::text::Span;

impl<'a> Lowering<'a> {
    /// One shared copy of a text.
    pub(super) fn shared(&mut self, text: &'a str) -> Arc<str> {
        self.texts
            .entry(text)
            .or_insert_with(|| Arc::from(text))
            .clone()
    }

    pub(super) fn ident(&mut self, name: Name) -> Ident {
        Ident {
            span: name.0,
            text: self.shared(self.text(name.0)),
        }
    }

    /// Gives systems, entities and scenarios their ids; a name's second item is reported and
    /// stays without one.
    pub(super) fn declare(&mut self, items: &Items<'a>) {
        let systems = items.systems.iter().map(|(_, b)| b.name);
        let index = self.declare_all("system", systems.collect(), SystemId);
        self.policy.index.systems = index;
        let entities = items.entities.iter().map(|(_, b)| b.name);
        let index = self.declare_all("entity", entities.collect(), EntityId);
        self.policy.index.entities = index;
        let scenarios = items.scenarios.iter().map(|(_, s)| s.name);
        let index = self.declare_all("scenario", scenarios.collect(), ScenarioId);
        self.policy.index.scenarios = index;
        for (_, block) in &items.systems {
            if self.text(block.name.0) == "none" {
                self.report(bad_value(Bad {
                    at: block.name.0,
                    message: "a system cannot be called `none`".into(),
                    help: "give the system another name: `accepts none` means no system",
                    because: None,
                }));
            }
        }
    }

    fn declare_all<T: Copy>(
        &mut self,
        what: &str,
        names: Vec<Name>,
        id: impl Fn(u32) -> T,
    ) -> HashMap<Arc<str>, T> {
        let mut index = HashMap::with_capacity(names.len());
        let mut first: HashMap<&str, Span> = HashMap::with_capacity(names.len());
        for name in names {
            let text = self.text(name.0);
            match first.get(text) {
                Some(place) => self.report(duplicate(Twice {
                    what,
                    name: text,
                    first: *place,
                    later: name.0,
                    help: None,
                })),
                None => {
                    first.insert(text, name.0);
                    let next = index.len() as u32;
                    index.insert(self.shared(text), id(next));
                }
            }
        }
        index
    }

    pub(super) fn system_ref(&mut self, name: Name) -> Ref<SystemId> {
        let text = self.text(name.0);
        let id = self.policy.index.systems.get(text).copied();
        if id.is_none() && !self.policy.gaps.may_declare(text) {
            let known = self.policy.systems.iter();
            let known = known.map(|s| (s.name.text.clone(), s.name.span)).collect();
            let help = format!("declare it with `system {text} {{ connector NAME }}`");
            self.unknown_name("system", name.0, known, &help);
        }
        Ref { span: name.0, id }
    }

    /// Systems of a list; one that stands twice counts once.
    pub(super) fn system_refs(&mut self, names: &[Name]) -> Vec<Ref<SystemId>> {
        self.each_once("system", names)
            .into_iter()
            .map(|n| self.system_ref(n))
            .collect()
    }

    /// The names of a list, repeats reported and left out.
    pub(super) fn each_once(&mut self, what: &str, names: &[Name]) -> Vec<Name> {
        let mut kept: Vec<Name> = Vec::with_capacity(names.len());
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for name in names {
            let text = self.text(name.0);
            match seen.get(text) {
                Some(first) => self.report(duplicate(Twice {
                    what,
                    name: text,
                    first: *first,
                    later: name.0,
                    help: Some(format!("name `{text}` once")),
                })),
                None => {
                    seen.insert(text, name.0);
                    kept.push(*name);
                }
            }
        }
        kept
    }

    pub(super) fn entity_ref(&mut self, name: Name) -> Ref<EntityId> {
        let text = self.text(name.0);
        let id = self.policy.index.entities.get(text).copied();
        if id.is_none() && !self.policy.gaps.may_declare(text) {
            let known = self.policy.entities.iter();
            let known = known.map(|e| (e.name.text.clone(), e.name.span)).collect();
            let help = format!("declare it with `entity {text} {{ key FIELD }}`");
            self.unknown_name("entity", name.0, known, &help);
        }
        Ref { span: name.0, id }
    }

    /// A field of an entity; where the entity itself is not known, nothing more is said.
    pub(super) fn field_ref(&mut self, entity: Option<EntityId>, name: Name) -> Ref<FieldId> {
        let text = self.text(name.0);
        let Some(entity) = entity else {
            return Ref {
                span: name.0,
                id: None,
            };
        };
        let id = self.policy.field_named(entity, text);
        if id.is_none() && !self.policy.gaps.may_declare(text) {
            let known = self.field_places(entity);
            let owner = self.policy.entity(entity).name.text.clone();
            let help = format!("declare it in `entity {owner}` with `field {text}: TYPE`");
            self.unknown_name("field", name.0, known, &help);
        }
        Ref { span: name.0, id }
    }

    /// The fields of an entity with their places.
    pub(super) fn field_places(&self, entity: EntityId) -> Vec<(Arc<str>, Span)> {
        let fields = self.policy.entity(entity).fields.iter();
        fields.map(|f| (f.name.text.clone(), f.name.span)).collect()
    }

    pub(super) fn scenario_ref(
        &mut self,
        name: Name,
        known: &[(Arc<str>, Span)],
    ) -> Ref<ScenarioId> {
        let text = self.text(name.0);
        let id = self.policy.index.scenarios.get(text).copied();
        if id.is_none() && !self.policy.gaps.may_declare(text) {
            self.unknown_name(
                "scenario",
                name.0,
                known.to_vec(),
                "name a scenario of this policy",
            );
        }
        Ref { span: name.0, id }
    }

    fn unknown_name(&mut self, what: &str, at: Span, known: Vec<(Arc<str>, Span)>, help: &str) {
        let name = self.text(at);
        let candidates = known.iter().map(|(name, at)| Known {
            name,
            at: Some(*at),
        });
        let finding = unknown(what, name, at, candidates, help, false);
        self.report(finding);
    }
}
