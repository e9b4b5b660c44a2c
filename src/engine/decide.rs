//! What people decide: to send a dead letter's record once more, which value of a conflict holds,
//! and that a paused system be tried again. All only enter what follows into the store; a runner carries it out.

use std::sync::Arc;

use super::books::{Books, Office};
use super::ports::{DeadLetter, EntityIx, FieldIx, ScenarioIx, Store, Stored};
use super::program::Program;
use super::register::Stamp;
use super::runner::resume_key;
use crate::time::Instant;
use crate::value::Value;

/// Sends the present state of a dead letter's record down the path that the letter took, so that
/// an old payload never overwrites newer data. The letter is cleared when that arrives, or here
/// where nothing is to be sent any more; says whether something is.
pub fn replay(
    program: &Program,
    store: &mut dyn Store,
    now: Instant,
    letter: &DeadLetter,
) -> Stored<bool> {
    let ends = program
        .scenario_ix(&letter.scenario)
        .zip(program.entity(&letter.entity))
        .zip(program.system(&letter.system));
    let Some(((scenario, entity), system)) = ends else {
        return Ok(false);
    };
    in_transaction(store, |store| {
        let mut office = Office {
            program,
            store,
            now,
        };
        let mut books = Books::default();
        let record = (entity, &*letter.key);
        books.owe(&mut office, scenario, record, Some(system), true)?;
        let sends = books.has_entries();
        books.close(&mut office)?;
        if !sends {
            store.clear_dead_letter(&letter.system, &letter.entity, &letter.key)?;
        }
        Ok(sends)
    })
}

/// Settles a conflict (`resolve manual`): the value holds until an origin changes its own again,
/// and every flow that carries the field takes it where it goes.
pub fn choose(
    program: &Program,
    store: &mut dyn Store,
    now: Instant,
    (entity, key, field): (EntityIx, &str, FieldIx),
    value: Value,
    by: &str,
) -> Stored<()> {
    let names = &program.entities[entity as usize];
    in_transaction(store, |store| {
        let mut office = Office {
            program,
            store,
            now,
        };
        let mut books = Books::default();
        let now_us = office.now_us();
        let (register, dirty) = books.register(&mut office, entity, key)?;
        let slot = register.field_mut(field);
        let said = slot.origins.iter().map(|(_, o)| o.latest.at).max();
        slot.agreed = Some(Stamp {
            value,
            // A choice is made of what there is, whatever the clocks of the origins say.
            at: said.map_or(now_us, |at| at.max(now_us)),
            id: Arc::from(by),
        });
        *dirty = true;
        for (i, scenario) in program.scenarios.iter().enumerate() {
            let carries =
                |r: &super::program::RouteProgram| r.entity == entity && r.fields.contains(&field);
            if !scenario.routes.iter().any(carries) {
                continue;
            }
            let plan = &program.plan.scenarios[i];
            if plan.mode.realtime {
                books.owe(&mut office, i as ScenarioIx, (entity, key), None, false)?;
            } else {
                office.store.put_owed(&plan.name, &names.name, key)?;
            }
        }
        books.close(&mut office)?;
        let name = names.fields.get(field as usize).map_or("", |f| &f.name);
        store.clear_conflict(&names.name, key, name)
    })
}

/// Has a runner try a paused system at once: what it was paused for is mended.
pub fn resume(store: &mut dyn Store, system: &str, now: Instant) -> Stored<()> {
    store.set_meta(&resume_key(system), &now.0.to_string())
}

fn in_transaction<T>(
    store: &mut dyn Store,
    act: impl FnOnce(&mut dyn Store) -> Stored<T>,
) -> Stored<T> {
    store.begin()?;
    let done = act(store).and_then(|value| store.commit().map(|()| value));
    if done.is_err() {
        // The first error is the one to tell of.
        let _ = store.rollback();
    }
    done
}
