//! What people decide: to send a dead letter's record once more, which value of a conflict holds,
//! that a scenario pauses, goes on or reads everything anew, that a paused system be tried again.
//! All only enter what follows into the store, whether or not a runner has it open; a runner carries
//! it out (see [`super::heed`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::books::{Books, Office};
use super::ports::{DeadLetter, EntityIx, FieldIx, ScenarioIx, Store, Stored};
use super::program::Program;
use super::register::Stamp;
use super::runner::{Trouble, position_key, resume_key};
use crate::time::Instant;
use crate::value::Value;

/// Pauses a scenario: nothing of it starts or goes out until it goes on. Events are still taken in,
/// and what they change waits as state. Says whether it went on before.
pub fn pause(store: &mut dyn Store, scenario: &str, now: Instant) -> Stored<bool> {
    in_transaction(store, |store| {
        if paused_since(store, scenario)?.is_some() {
            return Ok(false);
        }
        store.set_meta(&pause_key(scenario), &now.0.to_string())?;
        store.hold_waiting(scenario, None)?;
        asked(store)?;
        Ok(true)
    })
}

/// Lets a paused scenario go on: a start that it missed is made up once, what waits goes out. Says
/// whether it was paused.
pub fn unpause(store: &mut dyn Store, scenario: &str, now: Instant) -> Stored<bool> {
    in_transaction(store, |store| {
        if paused_since(store, scenario)?.is_none() {
            return Ok(false);
        }
        store.set_meta(&pause_key(scenario), "")?;
        store.hold_waiting(scenario, Some(now))?;
        asked(store)?;
        Ok(true)
    })
}

/// Since when a scenario is paused.
pub fn paused_since(store: &mut dyn Store, scenario: &str) -> Stored<Option<Instant>> {
    let text = store.meta(&pause_key(scenario))?;
    Ok(text.and_then(|t| t.parse().ok()).map(Instant))
}

/// Has a scenario read all that its sources hold, whatever its cursors say, and write what differs.
pub fn backfill(store: &mut dyn Store, scenario: &str, now: Instant) -> Stored<()> {
    in_transaction(store, |store| {
        store.set_meta(&backfill_key(scenario), &now.0.to_string())?;
        asked(store)
    })
}

/// Since when a backfill that was asked for has not been started.
pub fn backfill_asked(store: &mut dyn Store, scenario: &str) -> Stored<Option<Instant>> {
    let mut at =
        |key: String| -> Stored<Option<i64>> { Ok(store.meta(&key)?.and_then(|t| t.parse().ok())) };
    let wanted = at(backfill_key(scenario))?;
    let done = at(backfilled_key(scenario))?;
    Ok(wanted.filter(|at| Some(*at) > done).map(Instant))
}

/// Has a runner that is under way look at what was asked for.
pub fn asked(store: &mut dyn Store) -> Stored<()> {
    let before = store.meta(ASKED)?;
    let count: u64 = before.and_then(|t| t.parse().ok()).unwrap_or(0);
    store.set_meta(ASKED, &count.wrapping_add(1).to_string())
}

/// How often people asked for something: a runner looks at the rest only where this has changed.
pub const ASKED: &str = "asked";

/// What the names begin with under which it is kept since when a scenario is paused.
pub(super) const PAUSE: &str = "pause:";

pub(super) fn pause_key(scenario: &str) -> String {
    format!("{PAUSE}{scenario}")
}

fn backfill_key(scenario: &str) -> String {
    format!("backfill:{scenario}")
}

/// When the backfill was asked for that was started last.
pub(super) fn backfilled_key(scenario: &str) -> String {
    format!("backfilled:{scenario}")
}

/// Scenarios that are paused, as a plan numbers them.
pub(super) fn paused(program: &Program, store: &mut dyn Store) -> Stored<BTreeSet<ScenarioIx>> {
    let mut paused = BTreeSet::new();
    for (i, scenario) in program.plan.scenarios.iter().enumerate() {
        if paused_since(store, &scenario.name)?.is_some() {
            paused.insert(i as ScenarioIx);
        }
    }
    Ok(paused)
}

/// What came of a dead letter that is to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// Its record waits to be sent.
    Waits,
    /// Nothing of it is owed any more: it is cleared.
    Over,
    /// The plan has no path any more that it could take: it stays.
    Stays,
}

/// Sends the present state of a dead letter's record down the path that the letter took, so that
/// an old payload never overwrites newer data. The letter is cleared when that arrives, or here
/// where nothing is to be sent any more.
pub fn replay(
    program: &Program,
    store: &mut dyn Store,
    now: Instant,
    letter: &DeadLetter,
) -> Stored<Replayed> {
    let ends = program
        .scenario_ix(&letter.scenario)
        .zip(program.entity(&letter.entity))
        .zip(program.system(&letter.system));
    let Some(((scenario, entity), system)) = ends else {
        return Ok(Replayed::Stays);
    };
    in_transaction(store, |store| {
        let paused = paused(program, store)?;
        let mut office = Office {
            program,
            store,
            now,
            paused: &paused,
            ahead: None,
            recent: None,
            calls: None,
        };
        let mut books = Books::default();
        let record = (entity, &*letter.key);
        books.owe(&mut office, scenario, record, Some(system), true)?;
        let sends = books.has_entries();
        books.close(&mut office)?;
        if !sends {
            store.clear_dead_letter(&letter.system, &letter.entity, &letter.key)?;
        }
        asked(store)?;
        Ok(match sends {
            true => Replayed::Waits,
            false => Replayed::Over,
        })
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
        let paused = paused(program, store)?;
        let mut office = Office {
            program,
            store,
            now,
            paused: &paused,
            ahead: None,
            recent: None,
            calls: None,
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
        store.clear_conflict(&names.name, key, name)?;
        asked(store)
    })
}

/// Forgets up to where a system's feed was taken, so that it begins anew. Says whether that was
/// known.
pub fn forget_position(store: &mut dyn Store, system: &str) -> Stored<bool> {
    in_transaction(store, |store| {
        let key = position_key(system);
        let known = store.meta(&key)?.is_some_and(|held| !held.is_empty());
        if known {
            store.set_meta(&key, "")?;
        }
        Ok(known)
    })
}

/// Forgets a dead letter: what it holds is not sent, unless its record changes.
pub fn discard(store: &mut dyn Store, letter: &DeadLetter) -> Stored<()> {
    in_transaction(store, |store| {
        store.clear_dead_letter(&letter.system, &letter.entity, &letter.key)
    })
}

/// Has a runner try a system at once that is paused or down: what it was that for is mended. Says
/// whether it was.
pub fn resume(store: &mut dyn Store, system: &str, now: Instant) -> Stored<bool> {
    in_transaction(store, |store| {
        let paused = system_paused(store, system)?.is_some();
        if !paused && system_down(store, system)?.is_none() {
            return Ok(false);
        }
        store.set_meta(&resume_key(system), &now.0.to_string())?;
        asked(store)?;
        Ok(true)
    })
}

/// Since when a system is paused for a person to mend something, and what it said: as its runner
/// knows, or knew when it ended.
pub fn system_paused(store: &mut dyn Store, system: &str) -> Stored<Option<(Instant, String)>> {
    noted(store, Trouble::Paused, system)
}

/// The same of a system that failed too often in a row, and is tried again now and then.
pub fn system_down(store: &mut dyn Store, system: &str) -> Stored<Option<(Instant, String)>> {
    noted(store, Trouble::Down, system)
}

fn noted(
    store: &mut dyn Store,
    trouble: Trouble,
    system: &str,
) -> Stored<Option<(Instant, String)>> {
    let text = store.meta(&trouble.key(system))?.unwrap_or_default();
    let noted = text.split_once(' ').and_then(|(since, error)| {
        let since = since.parse().ok()?;
        Some((Instant(since), error.to_owned()))
    });
    Ok(noted)
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
