//! Events into changes: each durable event is decoded, taken into the registers of the records it
//! names, and whatever destinations are owed for it is put into the outbox, all in one
//! transaction with the mark that the event is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::unmet;
use super::evaluate::{Owed, Report, absorb, note_written, owed};
use super::ports::{
    EntityIx, FieldIx, Quarantined, Row, ScenarioIx, Stored, StoredEvent, SystemIx, Waiting,
    key_parts,
};
use super::register::Register;
use super::register_json;
use super::runner::{Runner, damaged};
use crate::value::Value;

/// Events taken into one transaction.
const EVENTS_AT_ONCE: usize = 1_000;

/// Registers and waiting writes that one transaction touches, loaded and stored once each.
#[derive(Default)]
pub(super) struct Workset {
    registers: BTreeMap<(EntityIx, String), (Register, bool)>,
    waiting: BTreeMap<(SystemIx, EntityIx, String), Waiting>,
}

impl Runner<'_> {
    /// Takes what has arrived into the registers and the outbox.
    pub(super) fn take_events(&mut self) -> Stored<()> {
        loop {
            let events = self.store.pending_events(EVENTS_AT_ONCE)?;
            let Some(last) = events.last().map(|e| e.seq) else {
                return Ok(());
            };
            self.store.begin()?;
            let taken = self
                .take_all(&events)
                .and_then(|()| self.store.events_done(last));
            if let Err(error) = taken {
                // The first error is the one to tell of.
                let _ = self.store.rollback();
                return Err(error);
            }
            self.store.commit()?;
            if events.len() < EVENTS_AT_ONCE || !self.options.until_idle {
                return Ok(());
            }
        }
    }

    fn take_all(&mut self, events: &[StoredEvent]) -> Stored<()> {
        let mut work = Workset::default();
        for event in events {
            self.take_event(event, &mut work)?;
        }
        self.store_workset(work)
    }

    fn take_event(&mut self, event: &StoredEvent, work: &mut Workset) -> Stored<()> {
        let Some(system) = self.program.system(&event.system) else {
            return Ok(());
        };
        let decoded = match self.decoder.decode(event) {
            Ok(decoded) => decoded,
            Err(reason) => return self.keep_back(event, "", String::new(), reason),
        };
        let program = self.program;
        let matched: Vec<ScenarioIx> = program
            .realtime_from(system)
            .filter(|s| self.wanted(*s))
            .filter(|s| self.starts(*s, system, &decoded.name, &decoded.payload))
            .collect();
        for (map, row) in decoded.rows {
            let (entity, _) = program.map_ends(map);
            let carrying: Vec<ScenarioIx> = matched
                .iter()
                .copied()
                .filter(|s| {
                    let routes = &program.scenarios[*s as usize].routes;
                    routes
                        .iter()
                        .any(|r| r.entity == entity && r.from == system)
                })
                .collect();
            if carrying.is_empty() {
                continue;
            }
            for scenario in &carrying {
                self.tally(*scenario).counts.read += 1;
            }
            if let Some(reason) = row.problem {
                let name = program.plan.scenarios[carrying[0] as usize].name.clone();
                self.tally(carrying[0]).counts.quarantined += 1;
                self.keep_back(event, &name, row.key, reason)?;
                continue;
            }
            let passed = self.held_to_checkpoints(event, entity, &row, carrying)?;
            if !passed.is_empty() {
                self.take_row(event, system, entity, &row, &passed, work)?;
            }
        }
        Ok(())
    }

    /// The scenarios whose checkpoint a record passes; for each of the others it is kept back.
    /// There is no run that a single event could abort.
    fn held_to_checkpoints(
        &mut self,
        event: &StoredEvent,
        entity: EntityIx,
        row: &Row,
        carrying: Vec<ScenarioIx>,
    ) -> Stored<Vec<ScenarioIx>> {
        let program = self.program;
        let mut passed = Vec::with_capacity(carrying.len());
        for scenario in carrying {
            let require = &program.scenarios[scenario as usize].require;
            let names = &program.entities[entity as usize];
            let failed = (!row.deleted)
                .then(|| unmet(require, entity, names, row))
                .flatten();
            match failed {
                None => passed.push(scenario),
                Some((reason, _)) => {
                    let name = program.plan.scenarios[scenario as usize].name.clone();
                    self.tally(scenario).counts.quarantined += 1;
                    self.keep_back(event, &name, row.key.clone(), reason)?;
                }
            }
        }
        Ok(passed)
    }

    /// Whether an event starts a scenario.
    fn starts(
        &self,
        scenario: ScenarioIx,
        system: SystemIx,
        name: &Option<String>,
        payload: &serde_json::Value,
    ) -> bool {
        let Some(when) = &self.program.plan.scenarios[scenario as usize].when else {
            return true;
        };
        if self.program.system(&when.system) != Some(system) {
            return false;
        }
        if name.as_ref().is_some_and(|n| *n != when.event) {
            return false;
        }
        let condition = &self.program.scenarios[scenario as usize].when;
        condition
            .as_ref()
            .is_none_or(|c| c.truth(payload).unwrap_or(false))
    }

    fn take_row(
        &mut self,
        event: &StoredEvent,
        system: SystemIx,
        entity: EntityIx,
        row: &Row,
        scenarios: &[ScenarioIx],
        work: &mut Workset,
    ) -> Stored<()> {
        let program = self.program;
        let mut fields: Vec<(FieldIx, Value)> = Vec::new();
        for (field, value) in &row.fields {
            let carried = scenarios.iter().any(|s| {
                let routes = &program.scenarios[*s as usize].routes;
                routes
                    .iter()
                    .any(|r| r.entity == entity && r.from == system && r.absorbs.contains(field))
            });
            if carried {
                fields.push((*field, value.clone()));
            }
        }
        let id: Arc<str> = Arc::from(&*event.id);
        let report = Report {
            system,
            at: row
                .changed_at
                .or(Some(event.received_at.0.saturating_mul(1_000))),
            id: &id,
            fields: &fields,
            native_key: row.native_key.as_deref(),
            deleted: row.deleted,
            snapshot: false,
        };
        let now = self.world.now().0.saturating_mul(1_000);
        let program_entity = &program.entities[entity as usize];
        let (register, dirty) = self.register(work, entity, &row.key)?;
        let absorbed = absorb(program_entity, register, &report, now);
        *dirty |= absorbed.changed;
        let first = scenarios[0];
        if absorbed.shown_changed {
            self.tally(first).counts.changed += 1;
        }
        self.count_conflicts(first, entity, &absorbed.conflicts);
        for scenario in scenarios {
            self.owe_routes(*scenario, entity, &row.key, None, work)?;
        }
        for field in absorbed.lost {
            self.owe_correction(system, entity, field, &row.key, scenarios, work)?;
        }
        Ok(())
    }

    /// Notes who won each conflict.
    pub(super) fn count_conflicts(
        &mut self,
        scenario: ScenarioIx,
        entity: EntityIx,
        conflicts: &[(FieldIx, Option<SystemIx>)],
    ) {
        let program = self.program;
        let entity = &program.entities[entity as usize];
        for (field, winner) in conflicts {
            let field = format!("{}.{}", entity.name, entity.fields[*field as usize].name);
            let winner = winner.map(|w| program.system_name(w).to_owned());
            let tally = self.tally(scenario);
            tally.counts.conflicts += 1;
            *tally.winners.entry((field, winner)).or_default() += 1;
        }
    }

    /// A system whose report lost holds a value that the world does not see: the flows of other
    /// scenarios that carry the field there put it right, at once or at their next run.
    fn owe_correction(
        &mut self,
        system: SystemIx,
        entity: EntityIx,
        field: FieldIx,
        key: &str,
        done: &[ScenarioIx],
        work: &mut Workset,
    ) -> Stored<()> {
        let program = self.program;
        for (i, scenario) in program.scenarios.iter().enumerate() {
            let ix = i as ScenarioIx;
            let carries = scenario
                .routes
                .iter()
                .any(|r| r.entity == entity && r.to == system && r.fields.contains(&field));
            if !carries || done.contains(&ix) || !self.wanted(ix) {
                continue;
            }
            let plan = &program.plan.scenarios[i];
            if plan.mode.realtime {
                self.owe_routes(ix, entity, key, Some(system), work)?;
            } else {
                self.store
                    .put_owed(&plan.name, &program.entities[entity as usize].name, key)?;
            }
        }
        Ok(())
    }

    /// Puts what a scenario's routes owe for a record into the outbox; `only`: only to that
    /// system.
    pub(super) fn owe_routes(
        &mut self,
        scenario: ScenarioIx,
        entity: EntityIx,
        key: &str,
        only: Option<SystemIx>,
        work: &mut Workset,
    ) -> Stored<()> {
        let program = self.program;
        let propagate = program.plan.scenarios[scenario as usize].propagate_deletes;
        let key_values = key_values(&program.entities[entity as usize], key);
        for route in &program.scenarios[scenario as usize].routes {
            if route.entity != entity || only.is_some_and(|o| o != route.to) {
                continue;
            }
            let now = self.world.now().0.saturating_mul(1_000);
            let entity_program = &program.entities[entity as usize];
            let (register, dirty) = self.register(work, entity, key)?;
            let Some(due) = owed(entity_program, &key_values, register, route, propagate) else {
                continue;
            };
            note_written(register, route.to, &due, now);
            *dirty = true;
            let version = register.version + 1;
            self.put_in_outbox(scenario, entity, route.to, key, &due, version, work)?;
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the whole address of a waiting write"
    )]
    fn put_in_outbox(
        &mut self,
        scenario: ScenarioIx,
        entity: EntityIx,
        to: SystemIx,
        key: &str,
        due: &Owed,
        version: u64,
        work: &mut Workset,
    ) -> Stored<()> {
        let program = self.program;
        let now = self.world.now();
        let slot = (to, entity, key.to_owned());
        let names = &program.entities[entity as usize];
        if !work.waiting.contains_key(&slot) {
            let there = self
                .store
                .waiting(program.system_name(to), &names.name, key)?;
            let fresh = || Waiting {
                system: program.system_name(to).to_owned(),
                entity: names.name.clone(),
                key: key.to_owned(),
                scenario: String::new(),
                fields: Vec::new(),
                delete: false,
                version: 0,
                since: now,
                due: now,
                attempts: 0,
                error: None,
            };
            work.waiting
                .insert(slot.clone(), there.unwrap_or_else(fresh));
        }
        let Some(waiting) = work.waiting.get_mut(&slot) else {
            return Ok(());
        };
        waiting
            .scenario
            .clone_from(&program.plan.scenarios[scenario as usize].name);
        waiting.version = version;
        waiting.delete = due.delete;
        if due.delete {
            waiting.fields.clear();
        }
        for (field, _) in &due.fields {
            let name = &names.fields[*field as usize].name;
            if let Err(at) = waiting.fields.binary_search(name) {
                waiting.fields.insert(at, name.clone());
            }
        }
        Ok(())
    }

    /// A register, loaded once a transaction.
    pub(super) fn register<'w>(
        &mut self,
        work: &'w mut Workset,
        entity: EntityIx,
        key: &str,
    ) -> Stored<&'w mut (Register, bool)> {
        use std::collections::btree_map::Entry;
        match work.registers.entry((entity, key.to_owned())) {
            Entry::Occupied(slot) => Ok(slot.into_mut()),
            Entry::Vacant(slot) => {
                let register = load(self, entity, key)?;
                Ok(slot.insert((register, false)))
            }
        }
    }

    pub(super) fn store_workset(&mut self, work: Workset) -> Stored<()> {
        for ((entity, key), (mut register, dirty)) in work.registers {
            if dirty {
                register.version += 1;
                let program = &self.program.entities[entity as usize];
                let doc = register_json::print(program, &register);
                self.store.put_record(&program.name, &key, &doc)?;
            }
        }
        for waiting in work.waiting.values() {
            self.store.put_waiting(waiting)?;
        }
        Ok(())
    }

    fn keep_back(
        &mut self,
        event: &StoredEvent,
        scenario: &str,
        key: String,
        reason: String,
    ) -> Stored<()> {
        self.store.put_quarantined(&[Quarantined {
            run: 0,
            scenario: scenario.to_owned(),
            system: event.system.clone(),
            entity: String::new(),
            key,
            reason,
            record: event.body.clone(),
        }])
    }
}

/// Loads a register; a record never seen has an empty one.
pub(super) fn load(runner: &mut Runner<'_>, entity: EntityIx, key: &str) -> Stored<Register> {
    let program = &runner.program.entities[entity as usize];
    match runner.store.record(&program.name, key)? {
        Some(doc) => register_json::parse(program, &doc).map_err(damaged),
        None => Ok(Register::default()),
    }
}

/// The key's fields with their values.
pub(super) fn key_values(
    entity: &super::program::EntityProgram,
    key: &str,
) -> Vec<(FieldIx, Value)> {
    let mut out: Vec<(FieldIx, Value)> = entity
        .keys
        .iter()
        .zip(key_parts(key))
        .map(|(field, part)| {
            let ty = &entity.fields[*field as usize].ty;
            let value = ty.read_text(&part).unwrap_or(Value::Text(part));
            (*field, value)
        })
        .collect();
    out.sort_by_key(|(field, _)| *field);
    out
}
