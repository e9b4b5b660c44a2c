//! Dead letters: writes that were given up, kept until a newer version of their record arrives.

use super::books::put;
use super::outbox::positions;
use super::owed::forget;
use super::ports::{DeadLetter, EntityIx, FieldIx, ScenarioIx, Stored, SystemIx, Write};
use super::runner::{Alert, Runner};
use crate::failpoint::{Point, reach};
use crate::time::Instant;

/// A write that is given up.
pub(super) struct Given<'w> {
    pub scenario: ScenarioIx,
    pub attempts: u32,
    pub since: Instant,
    pub write: &'w Write,
}

impl Runner<'_> {
    /// Gives a write up: a dead letter keeps it, and the register forgets that the system was to
    /// hold it.
    pub(super) fn bury(
        &mut self,
        system: SystemIx,
        entity: EntityIx,
        given: &Given<'_>,
        error: &str,
    ) -> Stored<()> {
        let program = self.program;
        let names = &program.entities[entity as usize];
        let name = program.system_name(system);
        let write = given.write;
        let value = |(ix, value): &(FieldIx, crate::value::Value)| {
            let field = names.fields.get(*ix as usize)?;
            Some((field.name.clone(), value.to_json()))
        };
        let payload: serde_json::Map<_, _> = write.fields.iter().filter_map(value).collect();
        let scenario = &program.plan.scenarios[given.scenario as usize].name;
        let mut letter = DeadLetter {
            id: 0,
            system: name.to_owned(),
            entity: names.name.clone(),
            key: write.key.to_string(),
            scenario: scenario.clone(),
            payload: serde_json::Value::Object(payload).to_string(),
            error: error.to_owned(),
            attempts: given.attempts.max(1),
            first_at: given.since,
            last_at: self.world.now(),
        };
        letter.id = self.store.put_dead_letter(&letter)?;
        self.observer.alert(&Alert::DeadLetter(&letter));
        self.letters.insert((system, entity, write.key.to_string()));
        // What a newer write brings still holds; one that deletes says all.
        let newer = self.store.waiting(name, &names.name, &write.key)?;
        if !newer.as_ref().is_some_and(|newer| newer.delete) {
            let brought = newer.map_or(Vec::new(), |newer| positions(names, &newer.fields));
            let fields = write.fields.iter().map(|(f, _)| *f);
            let fields: Vec<FieldIx> = fields.filter(|f| !brought.contains(f)).collect();
            let mut register = self.register(entity, &write.key)?;
            forget(&mut register, system, &fields);
            put(names, &mut *self.store, &write.key, &mut register)?;
        }
        reach(Point::LetterBuried);
        Ok(())
    }

    /// A write arrived: the dead letter of an older version is over.
    pub(super) fn clear_letter(
        &mut self,
        system: SystemIx,
        entity: EntityIx,
        key: &str,
    ) -> Stored<()> {
        let slot = (system, entity, key.to_owned());
        if !self.letters.remove(&slot) {
            return Ok(());
        }
        let names = &self.program.entities[entity as usize].name;
        let name = self.program.system_name(system);
        self.store.clear_dead_letter(name, names, key)
    }
}
