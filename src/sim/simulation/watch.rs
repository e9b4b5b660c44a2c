//! What has changed and has not arrived yet, and how old it was when it did.

use std::collections::BTreeMap;

use super::ages::Ages;
use crate::engine::ports::{EntityIx, FieldIx, ScenarioIx, SystemIx};
use crate::time::Instant;
use crate::value::Value;

/// A change on its way to a system.
#[derive(Debug, Clone)]
struct OnItsWay {
    /// When it was made at its origin.
    made: Instant,
    /// Since when the system that passes it on last has it.
    since: Instant,
    /// What it is; `None`: whatever is written next (of a derived field).
    value: Option<Value>,
    /// The system that passes it on last.
    from: SystemIx,
}

/// A field in a system.
#[derive(Debug, Default)]
struct Place {
    on_the_way: BTreeMap<String, Vec<OnItsWay>>,
    ages: Ages,
}

/// All changes on their way. What it holds grows with what is on its way, not with what was.
#[derive(Debug, Default)]
pub(super) struct Watch {
    places: BTreeMap<(EntityIx, FieldIx, SystemIx), Place>,
    /// From a system's having it to the next one's, by scenario.
    delays: BTreeMap<ScenarioIx, Ages>,
    waiting: u64,
    /// Changes made before this are followed, but not counted.
    from: Instant,
}

/// Where a change is to go.
pub(super) struct Bound<'a> {
    pub entity: EntityIx,
    pub field: FieldIx,
    pub to: SystemIx,
    pub from: SystemIx,
    pub key: &'a str,
}

impl Watch {
    /// Counts the ages of changes made from then on.
    pub fn counting_from(from: Instant) -> Self {
        Watch {
            from,
            ..Watch::default()
        }
    }

    /// A change was made.
    pub fn made(&mut self, bound: &Bound<'_>, value: Option<Value>, at: Instant) {
        let place = (bound.entity, bound.field, bound.to);
        let place = self.places.entry(place).or_default();
        let change = OnItsWay {
            made: at,
            since: at,
            value,
            from: bound.from,
        };
        let key = bound.key.to_owned();
        place.on_the_way.entry(key).or_default().push(change);
        self.waiting += 1;
    }

    /// A system has been given a newer value by somebody else: what was on its way there no longer
    /// matters.
    pub fn overtaken(&mut self, (entity, field, system): (EntityIx, FieldIx, SystemIx), key: &str) {
        if let Some(place) = self.places.get_mut(&(entity, field, system))
            && let Some(gone) = place.on_the_way.remove(key)
        {
            self.waiting -= gone.len() as u64;
        }
    }

    /// A value was written.
    pub fn arrived(
        &mut self,
        (entity, field, system): (EntityIx, FieldIx, SystemIx),
        (key, value): (&str, &Value),
        (scenario, at): (ScenarioIx, Instant),
    ) {
        let Some(place) = self.places.get_mut(&(entity, field, system)) else {
            return;
        };
        let Some(list) = place.on_the_way.get_mut(key) else {
            return;
        };
        let fits = |change: &OnItsWay| change.value.as_ref().is_none_or(|v| v == value);
        let Some(last) = list.iter().rposition(fits) else {
            return;
        };
        // What was made before it has been overtaken by it: as good as there.
        for change in list.drain(..=last) {
            self.waiting -= 1;
            if change.made >= self.from {
                place.ages.add(at.since(change.made));
                let delays = self.delays.entry(scenario).or_default();
                delays.add(at.since(change.since));
            }
        }
        if list.is_empty() {
            place.on_the_way.remove(key);
        }
        self.passed_on((entity, field, system), (key, value), at);
    }

    /// A system that passes a value on has it from now.
    fn passed_on(
        &mut self,
        (entity, field, system): (EntityIx, FieldIx, SystemIx),
        (key, value): (&str, &Value),
        at: Instant,
    ) {
        let all = (entity, field, SystemIx::MIN)..=(entity, field, SystemIx::MAX);
        for (_, place) in self.places.range_mut(all) {
            let list = place.on_the_way.get_mut(key).into_iter().flatten();
            for change in list.filter(|c| c.from == system && c.value.as_ref() == Some(value)) {
                change.since = at;
            }
        }
    }

    /// How many changes are on their way.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// How many of a field have not arrived in a system.
    pub fn waiting_for(&self, place: (EntityIx, FieldIx, SystemIx)) -> u64 {
        let place = self.places.get(&place);
        place.map_or(0, |p| p.on_the_way.values().map(|l| l.len() as u64).sum())
    }

    /// How old a field's changes were when they arrived in a system.
    pub fn ages(&self, place: (EntityIx, FieldIx, SystemIx)) -> Option<&Ages> {
        self.places.get(&place).map(|p| &p.ages)
    }

    /// How long a scenario's hops took.
    pub fn delays(&self, scenario: ScenarioIx) -> Option<&Ages> {
        self.delays.get(&scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_value_brings_what_came_before_it() {
        let mut watch = Watch::default();
        let bound = |to, from| Bound {
            entity: 0,
            field: 1,
            to,
            from,
            key: "a",
        };
        for second in [0, 10] {
            let at = Instant(second * 1_000);
            watch.made(&bound(1, 0), Some(Value::Int(second)), at);
            watch.made(&bound(2, 1), Some(Value::Int(second)), at);
        }
        watch.arrived((0, 1, 1), ("a", &Value::Int(10)), (0, Instant(15_000)));
        watch.arrived((0, 1, 1), ("a", &Value::Int(99)), (0, Instant(16_000)));
        assert_eq!(watch.waiting(), 2);
        watch.arrived((0, 1, 2), ("a", &Value::Int(10)), (1, Instant(20_000)));
        let ages = watch.ages((0, 1, 2)).unwrap();
        assert_eq!((ages.mean(), ages.worst()), (Some(15.0), Some(20.0)));
        // The first of the two was never passed on by itself.
        assert_eq!(watch.delays(1).unwrap().mean(), Some(12.5));
        assert_eq!(watch.waiting(), 0);
        watch.made(&bound(1, 0), None, Instant(0));
        watch.overtaken((0, 1, 1), "a");
        assert_eq!(watch.waiting(), 0);
    }
}
