//! Which system gets which field, and who moves what, in both versions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::types::{About, Change, Hits, Where};
use crate::plan::{Entity, Field, Plan, Scenario};

/// Entity, field, receiving system.
type Receipt<'p> = (&'p str, &'p str, &'p str);

/// Who gets what, before and after. Looked up only, never walked, so that no order shows.
pub(super) struct Reach<'p> {
    old: HashSet<Receipt<'p>>,
    new: HashSet<Receipt<'p>>,
}

/// An entity of a plan, which has them in the order of their names.
fn entity<'p>(plan: &'p Plan, name: &str) -> Option<&'p Entity> {
    let place = plan
        .entities
        .binary_search_by(|e| e.name.as_str().cmp(name));
    place.ok().and_then(|at| plan.entities.get(at))
}

/// The keys of an entity, which always travel.
pub(super) fn keys<'p>(plan: &'p Plan, name: &str) -> &'p [String] {
    entity(plan, name).map_or(&[], |e| &e.keys)
}

/// A field of a plan, which has them in the order of their names.
pub(super) fn field<'p>(plan: &'p Plan, of: &str, name: &str) -> Option<&'p Field> {
    let fields = &entity(plan, of)?.fields;
    let place = fields.binary_search_by(|f| f.name.as_str().cmp(name));
    place.ok().and_then(|at| fields.get(at))
}

impl<'p> Reach<'p> {
    pub fn of(old: &'p Plan, new: &'p Plan) -> Self {
        Reach {
            old: receipts(old),
            new: receipts(new),
        }
    }

    /// Whether a system gets a field, before or after.
    pub fn gets(&self, after: bool, entity: &str, field: &str, system: &str) -> bool {
        let all = if after { &self.new } else { &self.old };
        all.contains(&(entity, field, system))
    }
}

fn receipts(plan: &Plan) -> HashSet<Receipt<'_>> {
    let mut all = HashSet::new();
    for route in plan.scenarios.iter().flat_map(|s| &s.routes) {
        let carried = keys(plan, &route.entity).iter().chain(&route.fields);
        all.extend(carried.map(|f| (route.entity.as_str(), f.as_str(), route.to.as_str())));
    }
    all
}

/// Fills in who is hit by each change, by what it is about: one walk over both plans.
pub(super) fn fill_hits(changes: &mut [Change], plans: [&Plan; 2]) {
    let mut wanted = Wanted::default();
    for change in changes.iter() {
        wanted.want(&change.about);
    }
    for plan in plans {
        for scenario in &plan.scenarios {
            wanted.take(plan, scenario);
        }
    }
    for change in changes {
        if let Some(found) = wanted.found(&change.about) {
            change.hits = Hits {
                systems: found.systems.iter().cloned().collect(),
                scenarios: found.scenarios.iter().cloned().collect(),
            };
        }
    }
}

#[derive(Debug, Default)]
struct Who {
    systems: BTreeSet<String>,
    scenarios: BTreeSet<String>,
}

impl Who {
    fn add(&mut self, scenario: &Scenario, system: &str) {
        if !self.systems.contains(system) {
            self.systems.insert(system.to_owned());
        }
        if !self.scenarios.contains(&scenario.name) {
            self.scenarios.insert(scenario.name.clone());
        }
    }
}

/// What changes are about, with who is hit.
#[derive(Debug, Default)]
struct Wanted {
    /// By entity, then field and where.
    fields: BTreeMap<String, BTreeMap<(String, Where), Who>>,
    entities: BTreeMap<String, Who>,
    systems: BTreeMap<String, Who>,
    scenarios: BTreeMap<String, Who>,
    maps: BTreeMap<(String, String), Who>,
}

impl Wanted {
    fn want(&mut self, about: &About) {
        match about.clone() {
            About::Nothing => {}
            About::Field(entity, field, place) => {
                let of_entity = self.fields.entry(entity).or_default();
                of_entity.entry((field, place)).or_default();
            }
            About::Entity(entity) => {
                self.entities.entry(entity).or_default();
            }
            About::System(system) => {
                self.systems.entry(system).or_default();
            }
            About::Scenario(scenario) => {
                self.scenarios.entry(scenario).or_default();
            }
            About::Map(entity, system) => {
                self.maps.entry((entity, system)).or_default();
            }
        }
    }

    fn found(&self, about: &About) -> Option<&Who> {
        match about {
            About::Nothing => None,
            About::Field(entity, field, place) => {
                let of_entity = self.fields.get(entity)?;
                of_entity.get(&(field.clone(), place.clone()))
            }
            About::Entity(entity) => self.entities.get(entity),
            About::System(system) => self.systems.get(system),
            About::Scenario(scenario) => self.scenarios.get(scenario),
            About::Map(entity, system) => self.maps.get(&(entity.clone(), system.clone())),
        }
    }

    fn take(&mut self, plan: &Plan, scenario: &Scenario) {
        for route in &scenario.routes {
            if let Some(fields) = self.fields.get_mut(&route.entity) {
                let read = route.filter.iter().flat_map(|f| &f.reads);
                let carried = keys(plan, &route.entity).iter().chain(&route.fields);
                let of_route: HashSet<&String> = carried.chain(read).collect();
                for ((field, place), who) in fields.iter_mut() {
                    if of_route.contains(field) && place.covers(&route.from, &route.to) {
                        who.add(scenario, &route.to);
                    }
                }
            }
            if let Some(who) = self.entities.get_mut(&route.entity) {
                who.add(scenario, &route.to);
            }
            if let Some(who) = self.scenarios.get_mut(&scenario.name) {
                who.add(scenario, &route.to);
            }
            for (end, other) in [(&route.from, &route.to), (&route.to, &route.from)] {
                if let Some(who) = self.systems.get_mut(end) {
                    who.add(scenario, other);
                }
                if !self.maps.is_empty()
                    && let Some(who) = self.maps.get_mut(&(route.entity.clone(), end.clone()))
                {
                    who.add(scenario, &route.to);
                }
            }
        }
        if let Some(clean) = &scenario.clean {
            let of_map = self
                .maps
                .get_mut(&(clean.entity.clone(), clean.system.clone()));
            let of_entity = self.entities.get_mut(&clean.entity);
            let of_scenario = self.scenarios.get_mut(&scenario.name);
            for who in [of_map, of_entity, of_scenario].into_iter().flatten() {
                who.add(scenario, &clean.system);
            }
        }
    }
}
