//! Names: declaring them, finding what they stand for, reporting those that stand for nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::Lowering;
use super::items::Items;
use crate::model::report::{Bad, Known, Twice, Unknown, bad_value, duplicate, unknown_but};
use crate::model::{EntityId, FieldId, Ident, Ref, ScenarioId, SystemId};
use crate::syntax::tree::Name;
use crate::text::{Span, nearest};

/// A declared name with its place.
pub(super) type Place = (Arc<str>, Span);

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
            text: self.shared(self.spelt(name.0)),
        }
    }

    /// Gives systems, entities and scenarios their ids; a name's second item is reported and
    /// stays without one.
    pub(super) fn declare(&mut self, items: &Items<'a>) {
        let systems = items.systems.iter().map(|(_, b)| b.name);
        let (index, names) = self.declare_all("system", systems.collect(), SystemId);
        self.policy.index.systems = index;
        self.names.systems = names;
        let entities = items.entities.iter().map(|(_, b)| b.name);
        let (index, names) = self.declare_all("entity", entities.collect(), EntityId);
        self.policy.index.entities = index;
        self.names.entities = names;
        let scenarios = items.scenarios.iter().map(|(_, s)| s.name);
        let (index, names) = self.declare_all("scenario", scenarios.collect(), ScenarioId);
        self.policy.index.scenarios = index;
        self.names.scenarios = names;
        for (_, block) in &items.systems {
            if self.text(block.name.0) == "none" {
                self.report(bad_value(Bad {
                    at: block.name.0,
                    message: "a system cannot be called `none`".into(),
                    help: "give the system another name: `accepts none` means no system",
                    because: None,
                    mend: None,
                }));
            }
        }
    }

    fn declare_all<T: Copy>(
        &mut self,
        what: &str,
        names: Vec<Name>,
        id: impl Fn(u32) -> T,
    ) -> (HashMap<Arc<str>, T>, Vec<Place>) {
        let mut index = HashMap::with_capacity(names.len());
        let mut places = Vec::with_capacity(names.len());
        let mut first: HashMap<&str, Span> = HashMap::with_capacity(names.len());
        for name in names {
            let text = self.spelt(name.0);
            match first.get(text) {
                Some(place) => self.report(duplicate(Twice {
                    what,
                    name: text,
                    first: *place,
                    later: name.0,
                    help: None,
                    same: None,
                })),
                None => {
                    first.insert(text, name.0);
                    let next = index.len() as u32;
                    let text = self.shared(text);
                    index.insert(text.clone(), id(next));
                    places.push((text, name.0));
                }
            }
        }
        (index, places)
    }

    pub(super) fn system_ref(&mut self, name: Name) -> Ref<SystemId> {
        let text = self.text(name.0);
        let id = self.policy.index.systems.get(text).copied();
        if id.is_none() {
            let help = format!("declare it with `system {text} {{ connector NAME }}`");
            self.unknown_name(Kind::System, name.0, &help);
        }
        Ref { span: name.0, id }
    }

    /// Systems of a list; one that stands twice counts once.
    pub(super) fn system_refs(&mut self, names: &[Name]) -> Vec<Ref<SystemId>> {
        self.each_once(names)
            .into_iter()
            .map(|n| self.system_ref(n))
            .collect()
    }

    /// The names of a list, repeats reported and left out.
    pub(super) fn each_once(&mut self, names: &[Name]) -> Vec<Name> {
        let mut kept: Vec<Name> = Vec::with_capacity(names.len());
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for name in names {
            let text = self.text(name.0);
            match seen.get(text) {
                Some(first) => self.report(duplicate(Twice {
                    what: "entry",
                    name: text,
                    first: *first,
                    later: name.0,
                    help: None,
                    same: self.without_entry(name.0),
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
        if id.is_none() {
            let help = format!("declare it with `entity {text} {{ key FIELD }}`");
            self.unknown_name(Kind::Entity, name.0, &help);
        }
        Ref { span: name.0, id }
    }

    /// A field of an entity; where the entity itself is not known, nothing more is said.
    pub(super) fn field_ref(&mut self, entity: Option<EntityId>, name: Name) -> Ref<FieldId> {
        let text = self.text(name.0);
        let id = entity.and_then(|entity| self.policy.field_named(entity, text));
        if let (None, Some(entity)) = (id, entity) {
            let owner = self.policy.entity(entity).name.text.clone();
            let help = format!("declare it in `entity {owner}` with `field {text}: TYPE`");
            self.unknown_name(Kind::Field(entity), name.0, &help);
        }
        Ref { span: name.0, id }
    }

    pub(super) fn scenario_ref(&mut self, name: Name) -> Ref<ScenarioId> {
        let text = self.text(name.0);
        let id = self.policy.index.scenarios.get(text).copied();
        if id.is_none() {
            self.unknown_name(Kind::Scenario, name.0, "name a scenario of this policy");
        }
        Ref { span: name.0, id }
    }

    /// The fields of an entity with their places.
    pub(super) fn field_places(&self, entity: EntityId) -> Vec<Place> {
        let fields = self.policy.entity(entity).fields.iter();
        fields.map(|f| (f.name.text.clone(), f.name.span)).collect()
    }

    /// Reports a name, unless it may be declared in what could not be read.
    fn unknown_name(&mut self, kind: Kind, at: Span, otherwise: &str) {
        let name = self.text(at);
        if self.may_be_declared(kind, name) {
            return;
        }
        self.missed(kind, at);
        let what = match kind {
            Kind::Field(entity) => {
                format!("field of `{}` called", self.policy.entity(entity).name)
            }
            _ => kind.noun().to_owned(),
        };
        let meant = self.meant(kind, name);
        let unknown = Unknown {
            what: &what,
            name,
            at,
            otherwise,
            quoted: false,
        };
        let meant = meant.as_ref().map(|(name, at)| Known {
            name,
            at: Some(*at),
        });
        self.report(unknown_but(unknown, meant));
    }

    /// The one declared name that is near; the same slip is looked up once.
    pub(super) fn meant(&mut self, kind: Kind, name: &'a str) -> Option<Place> {
        if let Some(meant) = self.meant.get(&(kind, name)) {
            return meant.clone();
        }
        if self.meant.len() >= MOST_SUGGESTIONS {
            return None;
        }
        let known: Vec<Place> = match kind {
            Kind::System => self.names.systems.clone(),
            Kind::Entity => self.names.entities.clone(),
            Kind::Scenario => self.names.scenarios.clone(),
            Kind::Field(entity) => self.field_places(entity),
        };
        let meant = nearest(name, known.iter().map(|(n, _)| &**n))
            .and_then(|meant| known.iter().find(|(n, _)| **n == *meant))
            .cloned();
        self.meant.insert((kind, name), meant.clone());
        meant
    }
}

/// Slips for which a near name is looked for; a text with more is not a policy with slips.
const MOST_SUGGESTIONS: usize = 1_000;

/// A kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    System,
    Entity,
    Scenario,
    /// A field of an entity.
    Field(EntityId),
}

impl Kind {
    /// What a thing of the kind is called.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Kind::System => "system",
            Kind::Entity => "entity",
            Kind::Scenario => "scenario",
            Kind::Field(_) => "field",
        }
    }
}

/// The declared names of each kind with their places, in reading order.
#[derive(Default)]
pub(super) struct Declared {
    systems: Vec<Place>,
    entities: Vec<Place>,
    scenarios: Vec<Place>,
}
