//! The books of one transaction: registers and waiting writes, loaded and stored once each, and
//! what is owed to whom entered into them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::clock::Ahead;
use super::handed::{Calls, HandedOver};
use super::owed::{is_held, note_written, owed};
use super::ports::{
    Conflict, EntityIx, FieldIx, ScenarioIx, Store, Stored, SystemIx, Waiting, Write,
};
use super::program::{EntityProgram, Program};
use super::recent::Recent;
use super::register::{How, Register};
use super::register_json;
use super::runner::damaged;
use crate::time::Instant;

/// What the books are kept over.
pub(super) struct Office<'o> {
    pub program: &'o Program,
    pub store: &'o mut dyn Store,
    pub now: Instant,
    /// Scenarios that are paused: what they owe waits until they go on.
    pub paused: &'o BTreeSet<ScenarioIx>,
    /// Stamps that lie ahead of the clock.
    pub ahead: Option<Ahead>,
    /// Where a runner keeps registers that it will look at again.
    pub recent: Option<&'o mut Recent>,
    /// What the runner handed over, and since when it is at work (microseconds); `None`: none is.
    pub calls: Option<(&'o Calls, i64)>,
}

impl Office<'_> {
    /// The time in microseconds.
    pub fn now_us(&self) -> i64 {
        self.now.0.saturating_mul(1_000)
    }
}

/// A write to be entered for a destination.
pub(super) struct Order<'w> {
    pub scenario: ScenarioIx,
    pub entity: EntityIx,
    pub to: SystemIx,
    pub key: &'w str,
    /// Positions of the fields to send.
    pub fields: &'w [FieldIx],
    pub delete: bool,
    /// The record's version with it.
    pub version: u64,
}

/// Registers and waiting writes that one transaction touches.
#[derive(Default)]
pub(super) struct Books {
    registers: BTreeMap<(EntityIx, String), (Register, bool)>,
    waiting: BTreeMap<Slot, Waiting>,
    /// What was last looked up of what waits, and whether anything did.
    looked_up: Option<(Slot, Option<Waiting>)>,
}

/// A destination, an entity, a key.
type Slot = (SystemIx, EntityIx, String);

impl Books {
    /// A register, loaded once; with it whether it is to be stored.
    pub fn register(
        &mut self,
        office: &mut Office<'_>,
        entity: EntityIx,
        key: &str,
    ) -> Stored<&mut (Register, bool)> {
        match self.registers.entry((entity, key.to_owned())) {
            Entry::Occupied(slot) => Ok(slot.into_mut()),
            Entry::Vacant(slot) => {
                let recent = office.recent.as_deref_mut();
                let mut register = recall(office.program, office.store, recent, entity, key)?;
                if let Some(ahead) = office.ahead {
                    ahead.correct(office.now, &mut register);
                }
                Ok(slot.insert((register, false)))
            }
        }
    }

    /// Which of the values that a system is being sent of a record were handed to it.
    pub fn handed(
        &mut self,
        office: &mut Office<'_>,
        system: SystemIx,
        (entity, key): (EntityIx, &str),
    ) -> Stored<HandedOver> {
        let now = office.now_us();
        let Some((calls, since)) = office.calls else {
            return Ok(HandedOver::all(now));
        };
        let (register, _) = self.register(office, entity, key)?;
        let view = register.view(system);
        let mut sent = view
            .into_iter()
            .flat_map(|v| &v.known)
            .filter(|(_, k)| k.how == How::Sent)
            .peekable();
        let slot = (system, entity, key.to_owned());
        if sent.peek().is_none() && view.is_none_or(|v| v.gone.is_none()) {
            // Then what may wait all the same (a value that came back to what it was while it was
            // under way, or that the system has changed since, or that is held for a person) says
            // nothing that is still to be said: what is entered next takes its place.
            self.looked_up = Some((slot, None));
            return Ok(HandedOver::all(now));
        }
        if !sent.any(|(_, k)| k.at >= since) {
            return Ok(HandedOver::all(now));
        }
        let names = &office.program.entities[entity as usize];
        let fields_of = |waiting: &Waiting| {
            let fields = waiting.fields.iter();
            fields.filter_map(|f| names.field(f)).collect()
        };
        let waits = match self.waiting.get(&slot) {
            Some(waiting) => fields_of(waiting),
            None => {
                let to = office.program.system_name(system);
                let waiting = office.store.waiting(to, &names.name, key)?;
                let fields = waiting.as_ref().map(fields_of).unwrap_or_default();
                // It is mostly entered into next.
                self.looked_up = Some((slot, waiting));
                fields
            }
        };
        Ok(calls.of((system, entity), key, waits, (since, now)))
    }

    /// Enters what a scenario's routes owe for a record; `only`: only to that system; `anew`: as
    /// if the receivers held nothing.
    pub fn owe(
        &mut self,
        office: &mut Office<'_>,
        scenario: ScenarioIx,
        (entity, key): (EntityIx, &str),
        only: Option<SystemIx>,
        anew: bool,
    ) -> Stored<()> {
        let program = office.program;
        let propagate = program.plan.scenarios[scenario as usize].propagate_deletes;
        let names = &program.entities[entity as usize];
        let routes = &program.scenarios[scenario as usize].routes;
        // Where a record comes back to one system, others may have it from there in turn.
        let rounds = if propagate { 2 } else { 1 };
        for route in (0..rounds).flat_map(|_| routes) {
            if route.entity != entity || only.is_some_and(|o| o != route.to) {
                continue;
            }
            let now = office.now_us();
            let (register, _) = self.register(office, entity, key)?;
            let Some(due) = owed(names, key, register, route, propagate, anew) else {
                continue;
            };
            let handed = self.handed(office, route.to, (entity, key))?;
            let (register, dirty) = self.register(office, entity, key)?;
            note_written(register, route, &due, now, &handed);
            *dirty = true;
            let version = register.version + 1;
            let fields: Vec<FieldIx> = due.fields.iter().map(|(f, _)| *f).collect();
            let order = Order {
                scenario,
                entity,
                to: route.to,
                key,
                fields: &fields,
                delete: due.deleted.is_some(),
                version,
            };
            self.enter(office, &order)?;
        }
        Ok(())
    }

    /// Enters a write beside what waits for the same record and destination already.
    pub fn enter(&mut self, office: &mut Office<'_>, order: &Order<'_>) -> Stored<&mut Waiting> {
        let program = office.program;
        let names = &program.entities[order.entity as usize];
        let to = program.system_name(order.to);
        let plan = &program.plan.scenarios[order.scenario as usize];
        let now = office.now;
        let slot = (order.to, order.entity, order.key.to_owned());
        let waiting = match self.waiting.entry(slot) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => {
                let there = match self.looked_up.take() {
                    Some((known, waiting)) if known == *slot.key() => waiting,
                    _ => office.store.waiting(to, &names.name, order.key)?,
                };
                slot.insert(there.unwrap_or_else(|| Waiting {
                    system: to.to_owned(),
                    entity: names.name.clone(),
                    key: order.key.to_owned(),
                    scenario: String::new(),
                    fields: Vec::new(),
                    delete: false,
                    version: 0,
                    since: now,
                    due: now,
                    attempts: 0,
                    error: None,
                    priority: plan.priority,
                }))
            }
        };
        waiting.scenario.clone_from(&plan.name);
        // `Priority` counts from the highest.
        waiting.priority = waiting.priority.min(plan.priority);
        if order.version > waiting.version {
            // A newer version is a new try.
            waiting.version = order.version;
            waiting.attempts = 0;
            waiting.due = match office.paused.contains(&order.scenario) {
                true => Instant(i64::MAX),
                false => now,
            };
        }
        waiting.delete = order.delete;
        if order.delete {
            waiting.fields.clear();
        }
        for field in order.fields {
            let name = &names.fields[*field as usize].name;
            if let Err(at) = waiting.fields.binary_search(name) {
                waiting.fields.insert(at, name.clone());
            }
        }
        Ok(waiting)
    }

    /// A system whose report lost holds a value that the world does not see: the flows of other
    /// scenarios that carry the field there put it right, at once or at their next run.
    pub fn correct(
        &mut self,
        office: &mut Office<'_>,
        system: SystemIx,
        (entity, key): (EntityIx, &str),
        lost: &[FieldIx],
        done: &[ScenarioIx],
    ) -> Stored<()> {
        let program = office.program;
        for (i, scenario) in program.scenarios.iter().enumerate() {
            let ix = i as ScenarioIx;
            let carries = scenario.routes.iter().any(|r| {
                r.entity == entity && r.to == system && lost.iter().any(|f| r.fields.contains(f))
            });
            if !carries || done.contains(&ix) {
                continue;
            }
            let plan = &program.plan.scenarios[i];
            if plan.mode.realtime {
                self.owe(office, ix, (entity, key), Some(system), false)?;
            } else {
                let name = &program.entities[entity as usize].name;
                office.store.put_owed(&plan.name, name, key)?;
            }
        }
        Ok(())
    }

    /// Whether any write was entered.
    pub fn has_entries(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Which systems are owed a write of which record.
    pub fn owing(&self) -> impl Iterator<Item = (SystemIx, EntityIx, &str)> {
        self.waiting.keys().map(|(s, e, key)| (*s, *e, &**key))
    }

    /// Stores everything. Records that are owed a write are kept at hand.
    pub fn close(self, office: &mut Office<'_>) -> Stored<()> {
        let mut owing: BTreeMap<(EntityIx, String), Vec<Waiting>> = BTreeMap::new();
        for ((_, entity, key), waiting) in self.waiting {
            office.store.put_waiting(&waiting)?;
            owing.entry((entity, key)).or_default().push(waiting);
        }
        for (record, (mut register, dirty)) in self.registers {
            let waiting = owing.remove(&record);
            if !dirty {
                continue;
            }
            let (entity, key) = &record;
            let names = &office.program.entities[*entity as usize];
            let bytes = put(names, office.store, key, &mut register)?;
            if let Some((recent, waiting)) = office.recent.as_mut().zip(waiting) {
                recent.keep(record, (register, bytes), waiting);
            }
        }
        Ok(())
    }
}

/// The order for a write of a run.
pub(super) fn order_of<'w>(
    scenario: ScenarioIx,
    to: SystemIx,
    entity: EntityIx,
    write: &'w Write,
    fields: &'w [FieldIx],
    version: u64,
) -> Order<'w> {
    Order {
        scenario,
        entity,
        to,
        key: &write.key,
        fields,
        delete: write.delete,
        version,
    }
}

/// Loads a register; a record never seen has an empty one.
pub(super) fn load(
    program: &Program,
    store: &mut dyn Store,
    entity: EntityIx,
    key: &str,
) -> Stored<Register> {
    load_sized(program, store, entity, key).map(|(register, _)| register)
}

/// The same with the bytes that it has as text.
pub(super) fn load_sized(
    program: &Program,
    store: &mut dyn Store,
    entity: EntityIx,
    key: &str,
) -> Stored<(Register, usize)> {
    let names = &program.entities[entity as usize];
    let Some(doc) = store.record(&names.name, key)? else {
        return Ok((Register::default(), 0));
    };
    let register = register_json::parse(names, &doc).map_err(damaged)?;
    Ok((register, doc.len()))
}

/// The same in a transaction, from where a runner keeps it if it does: it is not there any more then.
pub(super) fn recall(
    program: &Program,
    store: &mut dyn Store,
    recent: Option<&mut Recent>,
    entity: EntityIx,
    key: &str,
) -> Stored<Register> {
    let Some(kept) = recent.and_then(|recent| recent.take(entity, key)) else {
        return load(program, store, entity, key);
    };
    debug_assert_eq!(kept, load(program, store, entity, key)?);
    Ok(kept)
}

/// Stores a register as its next version; gives the bytes that it has as text.
pub(super) fn put(
    names: &EntityProgram,
    store: &mut dyn Store,
    key: &str,
    register: &mut Register,
) -> Stored<usize> {
    register.version += 1;
    let doc = register_json::print(names, register);
    store.put_record(&names.name, key, &doc)?;
    Ok(doc.len())
}

/// Keeps the list of conflicts that wait for a person in step with a register.
pub(super) fn note_held(
    names: &EntityProgram,
    system_name: impl Fn(SystemIx) -> String,
    store: &mut dyn Store,
    key: &str,
    register: &Register,
    fields: &[FieldIx],
) -> Stored<()> {
    for ix in fields {
        let (Some(program), Some(field)) = (names.fields.get(*ix as usize), register.field(*ix))
        else {
            continue;
        };
        if !is_held(names, register, *ix) {
            store.clear_conflict(&names.name, key, &program.name)?;
            continue;
        }
        let said = field
            .origins
            .iter()
            .map(|(system, o)| (system_name(*system), o.latest.value.to_json()));
        let values: serde_json::Map<String, serde_json::Value> = said.collect();
        // What came last made them differ.
        let since = field.origins.iter().map(|(_, o)| o.latest.at).max();
        store.put_conflict(&Conflict {
            entity: names.name.clone(),
            key: key.to_owned(),
            field: program.name.clone(),
            values: serde_json::Value::Object(values).to_string(),
            since: Instant(since.unwrap_or_default().div_euclid(1_000)),
        })?;
    }
    Ok(())
}

/// Whether a write of a record waits for a system.
pub(super) fn waits(
    program: &Program,
    store: &mut dyn Store,
    system: SystemIx,
    entity: EntityIx,
    key: &str,
) -> Stored<bool> {
    let names = &program.entities[entity as usize].name;
    let found = store.waiting(program.system_name(system), names, key)?;
    Ok(found.is_some())
}
