//! Items that only got another name: found where one vanished, one appeared, and everything else of
//! the two is equal. The old plan is then read with the new names, so that nothing else of it seems
//! to change.

use std::collections::BTreeSet;

use super::words;
use crate::plan::{Entity, Expression, Field, Plan, Route, Scenario, System};

/// Old and new names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Renames {
    /// Systems.
    pub systems: Vec<(String, String)>,
    /// Entities.
    pub entities: Vec<(String, String)>,
    /// Fields, with the new name of their entity.
    pub fields: Vec<(String, String, String)>,
    /// Scenarios.
    pub scenarios: Vec<(String, String)>,
}

fn old_name<'n>(pairs: &'n [(String, String)], name: &'n str) -> &'n str {
    let found = pairs.iter().find(|(_, new)| new == name);
    found.map_or(name, |(old, _)| old)
}

impl Renames {
    /// Every old name with the new one.
    pub fn names(&self) -> Vec<(&str, &str)> {
        let pairs = [&self.systems, &self.entities, &self.scenarios];
        let pairs = pairs.into_iter().flatten().map(|(old, new)| (old, new));
        let fields = self.fields.iter().map(|(_, old, new)| (old, new));
        let all = pairs.chain(fields);
        all.map(|(old, new)| (old.as_str(), new.as_str())).collect()
    }

    /// A system's old name.
    pub fn system<'n>(&'n self, name: &'n str) -> &'n str {
        old_name(&self.systems, name)
    }

    /// An entity's old name.
    pub fn entity<'n>(&'n self, name: &'n str) -> &'n str {
        old_name(&self.entities, name)
    }

    /// A field's old name.
    pub fn field<'n>(&'n self, entity: &str, name: &'n str) -> &'n str {
        let mut fields = self.fields.iter();
        let found = fields.find(|(e, _, new)| e == entity && new == name);
        found.map_or(name, |(_, old, _)| old)
    }

    /// A scenario's old name.
    pub fn scenario<'n>(&'n self, name: &'n str) -> &'n str {
        old_name(&self.scenarios, name)
    }
}

/// Finds what was only renamed and reads the old plan with the new names.
pub(super) fn align(old: &mut Plan, new: &Plan) -> Renames {
    let mut renames = Renames {
        systems: pairs(&old.systems, &new.systems, |s| &s.name, same_system),
        ..Renames::default()
    };
    for (from, to) in &renames.systems {
        rename_system(old, from, to);
    }
    renames.entities = pairs(&old.entities, &new.entities, |e| &e.name, same_entity);
    for (from, to) in &renames.entities {
        rename_entity(old, from, to);
    }
    for entity in &new.entities {
        let Some(at) = old.entities.iter().position(|e| e.name == entity.name) else {
            continue;
        };
        for (from, to) in renamed_fields(old, new, at, entity) {
            rename_field(old, at, &from, &to);
            renames.fields.push((entity.name.clone(), from, to));
        }
    }
    let same = |a: &Scenario, b: &Scenario| same_scenario(a, b);
    renames.scenarios = pairs(&old.scenarios, &new.scenarios, |s| &s.name, same);
    for (from, to) in &renames.scenarios {
        rename_scenario(old, from, to);
    }
    old.systems.sort_by(|a, b| a.name.cmp(&b.name));
    old.entities.sort_by(|a, b| a.name.cmp(&b.name));
    let entities = old.entities.iter_mut();
    entities.for_each(|e| e.fields.sort_by(|a, b| a.name.cmp(&b.name)));
    old.maps
        .sort_by(|a, b| (&a.entity, &a.system).cmp(&(&b.entity, &b.system)));
    old.scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    renames
}

/// What vanished with what appeared and is the same; only where neither has a second match.
fn pairs<T>(
    old: &[T],
    new: &[T],
    name: impl Fn(&T) -> &String,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(String, String)> {
    let names =
        |items: &[T]| -> BTreeSet<String> { items.iter().map(|i| name(i).clone()).collect() };
    let (before, after) = (names(old), names(new));
    let gone: Vec<&T> = old.iter().filter(|i| !after.contains(name(i))).collect();
    let come: Vec<&T> = new.iter().filter(|i| !before.contains(name(i))).collect();
    // So many at once are no renames that anybody could follow, and comparing them all is dear.
    if gone.len().saturating_mul(come.len()) > MOST_PAIRS {
        return Vec::new();
    }
    let mut found = Vec::new();
    for a in &gone {
        let mut fits = come.iter().filter(|b| same(a, b));
        let (Some(b), None) = (fits.next(), fits.next()) else {
            continue;
        };
        if gone.iter().filter(|other| same(other, b)).count() == 1 {
            found.push((name(a).clone(), name(b).clone()));
        }
    }
    found
}

/// The most pairs that are held against each other.
const MOST_PAIRS: usize = 40_000;

fn same_system(a: &System, b: &System) -> bool {
    let named = System {
        name: b.name.clone(),
        ..a.clone()
    };
    named == *b
}

/// Entities of the same fields, whatever their expressions call the entity.
fn same_entity(a: &Entity, b: &Entity) -> bool {
    let mut named = a.clone();
    named.name = b.name.clone();
    for derived in named.fields.iter_mut().filter_map(|f| f.derived.as_mut()) {
        rename_word(derived, &a.name, &b.name);
    }
    named == *b
}

fn same_scenario(a: &Scenario, b: &Scenario) -> bool {
    let bare = |s: &Scenario| {
        let mut s = s.clone();
        s.name.clear();
        s.title = None;
        s.reason.clear();
        s.at = b.at.clone();
        for route in &mut s.routes {
            route.id.clear();
            route.passes = None;
            route.at = b.at.clone();
        }
        s
    };
    // A clone of both for each pair would be dear where they plainly differ.
    a.mode == b.mode && a.routes.len() == b.routes.len() && bare(a) == bare(b)
}

/// Fields of an entity that only got another name: the same in everything, and under the same
/// columns, or the only two that could be meant.
fn renamed_fields(old: &Plan, new: &Plan, at: usize, entity: &Entity) -> Vec<(String, String)> {
    let Some(before) = old.entities.get(at) else {
        return Vec::new();
    };
    let same = |a: &Field, b: &Field| {
        let named = Field {
            name: b.name.clone(),
            ..a.clone()
        };
        named == *b && columns(old, entity, &a.name) == columns(new, entity, &b.name)
    };
    pairs(&before.fields, &entity.fields, |f| &f.name, same)
}

/// The columns of a field by system; a column of the field's own name counts as that.
fn columns<'p>(plan: &'p Plan, entity: &Entity, field: &str) -> Vec<(&'p str, Option<&'p str>)> {
    let maps = plan.maps.iter().filter(|m| m.entity == entity.name);
    maps.filter_map(|m| {
        let mapped = m.fields.iter().find(|f| f.field == field)?;
        let own = mapped.column == field;
        Some((&*m.system, (!own).then_some(&*mapped.column)))
    })
    .collect()
}

fn replace(name: &mut String, from: &str, to: &str) {
    if name == from {
        to.clone_into(name);
    }
}

fn rename_system(plan: &mut Plan, from: &str, to: &str) {
    for system in &mut plan.systems {
        replace(&mut system.name, from, to);
    }
    for field in plan.entities.iter_mut().flat_map(|e| &mut e.fields) {
        field.owner.iter_mut().for_each(|o| replace(o, from, to));
        field.accepts.iter_mut().for_each(|a| replace(a, from, to));
        field.accepts.sort();
        let bounds = field.fresh.iter_mut();
        bounds.for_each(|f| replace(&mut f.system, from, to));
        field.fresh.sort_by(|a, b| a.system.cmp(&b.system));
    }
    let maps = plan.maps.iter_mut();
    maps.for_each(|m| replace(&mut m.system, from, to));
    for scenario in &mut plan.scenarios {
        if let Some(when) = &mut scenario.when {
            replace(&mut when.system, from, to);
        }
        if let Some(clean) = &mut scenario.clean {
            replace(&mut clean.system, from, to);
        }
        for route in &mut scenario.routes {
            replace(&mut route.from, from, to);
            replace(&mut route.to, from, to);
        }
        order(scenario);
    }
}

fn rename_entity(plan: &mut Plan, from: &str, to: &str) {
    for entity in plan.entities.iter_mut().filter(|e| e.name == from) {
        to.clone_into(&mut entity.name);
        for derived in entity.fields.iter_mut().filter_map(|f| f.derived.as_mut()) {
            rename_word(derived, from, to);
        }
    }
    let maps = plan.maps.iter_mut();
    maps.for_each(|m| replace(&mut m.entity, from, to));
    for scenario in &mut plan.scenarios {
        if let Some(clean) = &mut scenario.clean {
            replace(&mut clean.entity, from, to);
        }
        for route in scenario.routes.iter_mut().filter(|r| r.entity == from) {
            to.clone_into(&mut route.entity);
            route
                .filter
                .iter_mut()
                .for_each(|f| rename_word(f, from, to));
        }
        for require in scenario.checkpoint.iter_mut().flat_map(|c| &mut c.require) {
            rename_word(&mut require.expression, from, to);
        }
        order(scenario);
    }
}

fn rename_field(plan: &mut Plan, at: usize, from: &str, to: &str) {
    let Some(entity) = plan.entities.get_mut(at) else {
        return;
    };
    let name = entity.name.clone();
    entity.keys.iter_mut().for_each(|k| replace(k, from, to));
    for field in &mut entity.fields {
        replace(&mut field.name, from, to);
        let derived = field.derived.iter_mut();
        derived.for_each(|d| rename_read(d, &name, from, to));
    }
    for map in plan.maps.iter_mut().filter(|m| m.entity == name) {
        for field in map.fields.iter_mut().filter(|f| f.field == from) {
            // A column of the field's own name goes with it, as `same_names` has it.
            replace(&mut field.column, from, to);
            to.clone_into(&mut field.field);
        }
        map.fields.sort_by(|a, b| a.field.cmp(&b.field));
    }
    for scenario in &mut plan.scenarios {
        let mut touches = scenario.clean.as_ref().is_some_and(|c| c.entity == name);
        for route in scenario.routes.iter_mut().filter(|r| r.entity == name) {
            touches = true;
            route.fields.iter_mut().for_each(|f| replace(f, from, to));
            route.fields.sort();
            let filter = route.filter.iter_mut();
            filter.for_each(|f| rename_read(f, &name, from, to));
        }
        if let Some(checkpoint) = scenario.checkpoint.as_mut().filter(|_| touches) {
            let dedupe = checkpoint.dedupe.iter_mut().flat_map(|d| &mut d.by);
            dedupe.for_each(|f| replace(f, from, to));
            let guards = checkpoint.guard.iter_mut();
            guards.for_each(|g| replace(&mut g.field, from, to));
            for require in &mut checkpoint.require {
                rename_read(&mut require.expression, &name, from, to);
            }
        }
        order(scenario);
    }
}

fn rename_scenario(plan: &mut Plan, from: &str, to: &str) {
    for scenario in &mut plan.scenarios {
        replace(&mut scenario.name, from, to);
        scenario.after.iter_mut().for_each(|a| replace(a, from, to));
        scenario.after.sort();
    }
}

fn rename_word(expression: &mut Expression, from: &str, to: &str) {
    expression.cel = words::rename(&expression.cel, from, to, None);
}

fn rename_read(expression: &mut Expression, entity: &str, from: &str, to: &str) {
    if expression.reads.iter().any(|r| r == from) {
        expression.cel = words::rename(&expression.cel, from, to, Some(entity));
        expression
            .reads
            .iter_mut()
            .for_each(|r| replace(r, from, to));
        expression.reads.sort();
    }
}

/// Routes in the order in which a plan has them.
fn order(scenario: &mut Scenario) {
    let key = |r: &Route| {
        let cel = r.filter.as_ref().map(|f| f.cel.clone());
        (
            r.entity.clone(),
            r.from.clone(),
            r.to.clone(),
            r.fields.clone(),
            cel,
        )
    };
    if !scenario.routes.is_sorted_by_key(key) {
        scenario.routes.sort_by_cached_key(key);
    }
}
