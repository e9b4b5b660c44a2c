//! The policy as a whole, its lookups, and what may be missing from it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::{
    Entity, EntityId, EnvVar, Field, FieldId, Ident, Map, MapId, Mode, ModeKind, MoneyPer, Said,
    Scenario, ScenarioId, Spanned, System, SystemId, Test,
};
use crate::finding::Code;
use crate::terms::{Impact, Priority};
use crate::text::Span;
use crate::time::{Calendar, Zone};

/// The resolved policy. What could not be read or resolved was reported and is `None` here, and
/// later phases pass it over in silence. Lists are in reading order: the root file, then what it
/// uses in order, depth first.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name; `None`: no `policy` item could be read.
    pub name: Option<Ident>,
    /// The whole `policy` item.
    pub span: Option<Span>,
    /// Its doc comment.
    pub doc: Option<Span>,
    /// Its time zone.
    pub zone: Zone,
    /// The coming year in that zone, with the gaps between starts once they were measured.
    pub calendar: Arc<Calendar>,
    /// The place of the zone's string, where it is written.
    pub zone_span: Option<Span>,
    /// Its currency, three capitals.
    pub currency: Arc<str>,
    /// The place of the currency, where it is written.
    pub currency_span: Option<Span>,
    /// The mode of a scenario that says none.
    pub unsure: Mode,
    /// What keeping one real-time scenario running costs.
    pub upkeep: Option<Said<MoneyPer>>,
    /// The URL that hears of breaches, dead letters and aborted runs.
    pub alert: Option<Said<EnvVar>>,
    /// Every `allow` of every block.
    pub allows: Vec<Allow>,
    /// The systems.
    pub systems: Vec<System>,
    /// The entities.
    pub entities: Vec<Entity>,
    /// The maps.
    pub maps: Vec<Map>,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// The tests.
    pub tests: Vec<Test>,
    /// What may be missing.
    pub gaps: Gaps,
    pub(super) index: Index,
}

/// Lookups by name; never iterated, so that nothing depends on their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    pub(super) systems: HashMap<Arc<str>, SystemId>,
    pub(super) entities: HashMap<Arc<str>, EntityId>,
    pub(super) scenarios: HashMap<Arc<str>, ScenarioId>,
    /// By entity.
    pub(super) fields: Vec<HashMap<Arc<str>, u32>>,
    pub(super) maps: HashMap<(EntityId, SystemId), MapId>,
}

/// What unreadable files and broken items may have declared.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    /// A file could not be read at all, or an item so broken that not even its name is known:
    /// anything may have been declared there.
    pub anything: bool,
    /// The first of the broken texts: a name that occurs in one, whole or not, may be declared
    /// there.
    texts: String,
    /// Every name in the broken texts.
    words: HashSet<Box<str>>,
    /// Whether a broken item may be a `map`.
    pub maps: bool,
    /// Whether a broken item may be the `policy`.
    pub policy: bool,
    /// Whether a broken item may be a scenario.
    pub scenarios: bool,
}

/// How many bytes of broken text are searched for parts of words.
const SEARCHED_BYTES: usize = 16 * 1024;

impl Gaps {
    /// Nothing missing but, where so, a file that could not be read.
    pub(super) fn unread(unread: bool) -> Self {
        Gaps {
            anything: unread,
            ..Gaps::default()
        }
    }

    /// Whether a name that nothing declares may be declared in what could not be read.
    pub fn may_declare(&self, name: &str) -> bool {
        self.anything || self.words.contains(name) || self.texts.contains(name)
    }

    /// Notes the text of a broken item or clause.
    pub(super) fn add(&mut self, text: &str) {
        // Only so much is searched for parts of words, so that a long broken text stays cheap.
        if self.texts.len() + text.len() <= SEARCHED_BYTES {
            self.texts.push_str(text);
            self.texts.push('\n');
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        self.words
            .extend(words.filter(|w| !w.is_empty()).map(Box::from));
    }

    /// Whether anything at all could not be read.
    pub fn is_empty(&self) -> bool {
        !self.anything && !self.maps && !self.policy && !self.scenarios && self.words.is_empty()
    }
}

impl Policy {
    /// A system.
    pub fn system(&self, id: SystemId) -> &System {
        // Ids are made only for items of these lists, which never shrink.
        &self.systems[id.index()]
    }

    /// An entity.
    pub fn entity(&self, id: EntityId) -> &Entity {
        &self.entities[id.index()]
    }

    /// A field.
    pub fn field(&self, id: FieldId) -> &Field {
        &self.entities[id.entity.index()].fields[id.index as usize]
    }

    /// A map.
    pub fn map(&self, id: MapId) -> &Map {
        &self.maps[id.index()]
    }

    /// A scenario.
    pub fn scenario(&self, id: ScenarioId) -> &Scenario {
        &self.scenarios[id.index()]
    }

    /// The system of a name.
    pub fn system_named(&self, name: &str) -> Option<SystemId> {
        self.index.systems.get(name).copied()
    }

    /// The entity of a name.
    pub fn entity_named(&self, name: &str) -> Option<EntityId> {
        self.index.entities.get(name).copied()
    }

    /// The scenario of a name.
    pub fn scenario_named(&self, name: &str) -> Option<ScenarioId> {
        self.index.scenarios.get(name).copied()
    }

    /// The field of a name in an entity.
    pub fn field_named(&self, entity: EntityId, name: &str) -> Option<FieldId> {
        let index = *self.index.fields.get(entity.index())?.get(name)?;
        Some(FieldId { entity, index })
    }

    /// The map of a pair.
    pub fn map_of(&self, entity: EntityId, system: SystemId) -> Option<MapId> {
        self.index.maps.get(&(entity, system)).copied()
    }

    /// The map of a pair.
    pub fn map_for(&self, entity: EntityId, system: SystemId) -> Option<&Map> {
        self.map_of(entity, system).map(|id| self.map(id))
    }

    /// Whether a system maps a field.
    pub fn maps_field(&self, field: FieldId, system: SystemId) -> bool {
        self.map_for(field.entity, system)
            .is_some_and(|m| m.has(field.index))
    }

    /// `entity.field`, as messages name a field.
    pub fn field_path(&self, id: FieldId) -> String {
        format!("{}.{}", self.entity(id.entity).name, self.field(id).name)
    }

    /// Whose calls go first where a scenario does not say it, if it had a mode: consent where a
    /// carried field has that class, then intent, then bulk by the clock.
    pub(super) fn default_priority(&self, scenario: &Scenario, mode: &ModeKind) -> Priority {
        let consent = |id: &FieldId| self.field(*id).has_class("consent");
        if scenario.hops.iter().any(|h| h.fields.iter().any(consent)) {
            return Priority::Consent;
        }
        match (scenario.impact(), mode) {
            (Some(Impact::LostLead | Impact::LateFollowup), _) => Priority::Intent,
            (_, ModeKind::Scheduled(_)) => Priority::Bulk,
            _ => Priority::Normal,
        }
    }

    /// Whose calls go first if a scenario had a mode.
    pub fn priority_as(&self, scenario: &Scenario, mode: &ModeKind) -> Priority {
        match scenario.priority_clause {
            Some(_) => scenario.priority,
            None => self.default_priority(scenario, mode),
        }
    }

    /// Every field of every entity, in reading order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.entities.iter().flat_map(|e| &e.fields)
    }
}

/// `allow CODE STRING [until DATE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The whole clause.
    pub span: Span,
    /// The check as written.
    pub written: Ident,
    /// The check; `None`: there is none of that name (reported).
    pub check: Option<Code>,
    /// Why.
    pub reason: Ident,
    /// The last day on which it holds.
    pub until: Option<Spanned<NaiveDate>>,
    /// The block or field that it covers; `None`: the whole policy.
    pub covers: Option<Span>,
}
