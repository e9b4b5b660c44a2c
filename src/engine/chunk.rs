//! The writing half of a run: staged records in key order are merged into their registers, chunk by
//! chunk, and what destinations are owed goes out in batches.
//!
//! A chunk's registers are committed before its writes go out, so that while one chunk is being
//! written the next is worked out. A run that is killed in between writes the chunks that were
//! committed but not confirmed once more, whatever the registers say.

use std::collections::BTreeMap;

use super::batch::{ActiveRun, Payload, Phase, kept, percent};
use super::evaluate::{Report, absorb, forget, note_written, owed};
use super::intake::{Workset, key_values, load};
use super::outbox::idempotency_key;
use super::ports::{
    Answer, Call, EntityIx, Failure, FieldIx, MapIx, ScenarioIx, Staged, Stored, SystemIx, Waiting,
    Write, WriteReport, WriteRequest,
};
use super::register::Register;
use super::register_json;
use super::resolve::shown;
use super::runner::{Errand, Runner, damaged};
use crate::value::Value;

/// Records in one chunk.
pub(super) const CHUNK: usize = 10_000;
/// Chunks that may be under way at once.
pub(super) const CHUNKS_AHEAD: usize = 2;

/// The writes of a chunk, by destination map.
type Batches = BTreeMap<MapIx, Vec<Write>>;

impl Runner<'_> {
    /// Works out the next chunk and hands its writes out.
    pub(super) fn write_chunk(&mut self, run: &mut ActiveRun, after: Option<&str>) -> Stored<()> {
        let rows = self.store.stage_after(run.record.id, after, CHUNK)?;
        let Some(last) = rows.last().map(|r| r.key.clone()) else {
            self.mark_absent(run, after, None)?;
            run.phase = Phase::Drain;
            return Ok(());
        };
        let clean = self.program.plan.scenarios[run.scenario as usize]
            .clean
            .is_some();
        let mut batches = Batches::new();
        self.store.begin()?;
        let done = if clean {
            self.clean_chunk(run, &rows, &mut batches)
        } else {
            self.merge_chunk(run, &rows, after, &mut batches)
        };
        let committed = done.and_then(|()| {
            run.record.committed = run.record.committed.take().max(Some(last.clone()));
            self.store.put_run(&run.record)
        });
        if let Err(error) = committed {
            // The first error is the one to tell of.
            let _ = self.store.rollback();
            return Err(error);
        }
        self.store.commit()?;
        run.phase = Phase::Write(Some(last.clone()));
        self.hand_out(run, last, batches);
        Ok(())
    }

    fn hand_out(&mut self, run: &mut ActiveRun, last: String, batches: Batches) {
        let number = run.chunks.back().map_or(0, |(n, _, _)| n + 1);
        let mut outstanding = 0;
        for (map, writes) in batches {
            let (_, system) = self.program.map_ends(map);
            let limit = self.program.plan.systems[system as usize].write_batch;
            let limit = self.program.scenarios[run.scenario as usize]
                .batch
                .or(limit.map(|l| l as usize))
                .unwrap_or(usize::MAX)
                .max(1);
            let mut writes = writes;
            while !writes.is_empty() {
                let rest = writes.split_off(limit.min(writes.len()));
                let request = WriteRequest {
                    map,
                    scenario: run.scenario,
                    writes,
                };
                let errand = Errand::RunWrite(run.record.id, number);
                self.call(system, errand, Call::Write(request));
                outstanding += 1;
                writes = rest;
            }
        }
        run.chunks.push_back((number, last, outstanding));
        settle(run);
    }

    fn merge_chunk(
        &mut self,
        run: &mut ActiveRun,
        rows: &[Staged],
        after: Option<&str>,
        batches: &mut Batches,
    ) -> Stored<()> {
        // Between what was confirmed and what was committed a killed run cannot know what arrived.
        let redo = run.record.committed.clone();
        for group in rows.chunk_by(|a, b| a.key == b.key) {
            let again = redo
                .as_ref()
                .is_some_and(|committed| group[0].key <= *committed);
            self.merge_record(run, group, again, batches)?;
        }
        let last = rows.last().map(|r| r.key.as_str());
        self.mark_absent(run, after, last)
    }

    /// The entities that a run moves; staged rows of different entities share the order of keys.
    fn entities_of(&self, scenario: ScenarioIx) -> Vec<EntityIx> {
        let routes = &self.program.scenarios[scenario as usize].routes;
        let mut entities: Vec<EntityIx> = routes.iter().map(|r| r.entity).collect();
        entities.sort_unstable();
        entities.dedup();
        entities
    }

    fn merge_record(
        &mut self,
        run: &mut ActiveRun,
        rows: &[Staged],
        again: bool,
        batches: &mut Batches,
    ) -> Stored<()> {
        let program = self.program;
        for entity in self.entities_of(run.scenario) {
            let key = &rows[0].key;
            let names = &program.entities[entity as usize];
            let mut register = load(self, entity, key)?;
            let mut changed = false;
            let mut shown_changed = false;
            let mut seen = false;
            for row in rows {
                let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
                if payload.entity != entity {
                    continue;
                }
                seen = true;
                let report = Report {
                    system: row.system,
                    at: payload.changed_at,
                    id: &run.stamp,
                    fields: &payload.fields,
                    native_key: payload.native_key.as_deref(),
                    deleted: payload.deleted,
                    snapshot: true,
                };
                let now = self.world.now().0.saturating_mul(1_000);
                let absorbed = absorb(names, &mut register, &report, now);
                changed |= absorbed.changed;
                shown_changed |= absorbed.shown_changed;
                run.record.counts.conflicts += absorbed.conflicts.len() as u64;
                self.count_conflicts(run.scenario, entity, &absorbed.conflicts);
                self.owe_elsewhere(run.scenario, entity, key, row.system, &absorbed.lost)?;
            }
            if !seen {
                continue;
            }
            if shown_changed {
                run.record.counts.changed += 1;
                self.tally(run.scenario).counts.changed += 1;
            }
            if again {
                forget_receivers(program, run.scenario, entity, &mut register);
            }
            let owes = self.owe_chunk(run, entity, key, &mut register, batches);
            if changed || owes {
                register.version += 1;
                let doc = register_json::print(names, &register);
                self.store.put_record(&names.name, key, &doc)?;
            }
        }
        Ok(())
    }

    /// Writes that the run's routes owe for a record; says whether there are any.
    fn owe_chunk(
        &mut self,
        run: &mut ActiveRun,
        entity: EntityIx,
        key: &str,
        register: &mut Register,
        batches: &mut Batches,
    ) -> bool {
        let program = self.program;
        let plan = &program.plan.scenarios[run.scenario as usize];
        let names = &program.entities[entity as usize];
        let key_values = key_values(names, key);
        let now = self.world.now().0.saturating_mul(1_000);
        let mut any = false;
        for route in &program.scenarios[run.scenario as usize].routes {
            if route.entity != entity {
                continue;
            }
            let due = owed(names, &key_values, register, route, plan.propagate_deletes);
            let Some(due) = due else { continue };
            let native_key = register.view(route.to).and_then(|v| v.native_key.clone());
            note_written(register, route.to, &due, now);
            any = true;
            if run.reconcile {
                run.record.counts.drift += 1;
                self.tally(run.scenario).counts.drift += 1;
            }
            let version = register.version + 1;
            let list = batches.entry(route.to_map).or_default();
            let newest = list.last_mut().filter(|w: &&mut Write| w.key == key);
            match newest {
                // Two routes into one system make one write.
                Some(write) => {
                    write
                        .fields
                        .retain(|(f, _)| !due.fields.iter().any(|(g, _)| f == g));
                    write.fields.extend(due.fields);
                    write.fields.sort_by_key(|f| f.0);
                    write.delete = due.delete;
                }
                None => list.push(Write {
                    key: key.to_owned(),
                    native_key,
                    locator: None,
                    fields: due.fields,
                    delete: due.delete,
                    idempotency_key: idempotency_key(
                        &plan.name,
                        &names.name,
                        key,
                        version,
                        program.system_name(route.to),
                    ),
                }),
            }
        }
        any
    }

    /// Lost values are put right by the flows that carry the field back.
    fn owe_elsewhere(
        &mut self,
        scenario: ScenarioIx,
        entity: EntityIx,
        key: &str,
        system: SystemIx,
        lost: &[FieldIx],
    ) -> Stored<()> {
        let program = self.program;
        for (i, other) in program.scenarios.iter().enumerate() {
            let carries = other.routes.iter().any(|r| {
                r.entity == entity && r.to == system && lost.iter().any(|f| r.fields.contains(f))
            });
            if carries && i != scenario as usize && self.wanted(i as ScenarioIx) {
                let name = &program.plan.scenarios[i].name;
                self.store
                    .put_owed(name, &program.entities[entity as usize].name, key)?;
            }
        }
        Ok(())
    }

    /// Records that other flows left to this scenario to put right.
    pub(super) fn write_owed(&mut self, run: &mut ActiveRun) -> Stored<()> {
        let name = &self.program.plan.scenarios[run.scenario as usize].name;
        let owed = self.store.owed(name)?;
        if owed.is_empty() {
            return Ok(());
        }
        let mut work = Workset::default();
        self.store.begin()?;
        for (entity, key) in &owed {
            if let Some(entity) = self.program.entity(entity) {
                self.owe_routes(run.scenario, entity, key, None, &mut work)?;
            }
        }
        self.store_workset(work)?;
        // Durable in the outbox from here on; what is owed later is for the next run.
        self.store.clear_owed(name)?;
        self.store.commit()
    }

    /// A full read shows which records a source no longer has: where deletions travel, they are
    /// taken as deleted there. `after` and `upto` bound the keys of the present chunk.
    fn mark_absent(
        &mut self,
        run: &mut ActiveRun,
        after: Option<&str>,
        upto: Option<&str>,
    ) -> Stored<()> {
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let full = plan.scan_full || run.reconcile;
        if !plan.propagate_deletes || !full {
            return Ok(());
        }
        let ours = upto.is_none();
        if ours {
            self.store.begin()?;
        }
        let mut batches = Batches::new();
        for source in self.program.scenarios[run.scenario as usize].reads.clone() {
            self.mark_absent_of(run, source, after, upto, &mut batches)?;
        }
        if ours {
            self.store.commit()?;
        }
        if !batches.is_empty() {
            let last = upto.or(after).unwrap_or_default().to_owned();
            self.hand_out(run, last, batches);
        }
        Ok(())
    }

    fn mark_absent_of(
        &mut self,
        run: &mut ActiveRun,
        source: super::program::Source,
        after: Option<&str>,
        upto: Option<&str>,
        batches: &mut Batches,
    ) -> Stored<()> {
        let program = self.program;
        let names = &program.entities[source.entity as usize];
        let mut at = after.map(str::to_owned);
        loop {
            let records = self
                .store
                .records_after(&names.name, at.as_deref(), CHUNK)?;
            let Some(last) = records.last().map(|r| r.key.clone()) else {
                return Ok(());
            };
            let present = self
                .store
                .stage_after(run.record.id, at.as_deref(), CHUNK * 2)?;
            let horizon = present.last().map(|r| r.key.clone());
            for record in records {
                if upto.is_some_and(|u| record.key.as_str() > u) {
                    return Ok(());
                }
                let beyond = horizon.as_ref().is_some_and(|h| record.key > *h);
                if beyond && present.len() >= CHUNK {
                    break;
                }
                let shown_there = present
                    .iter()
                    .any(|r| r.key == record.key && r.system == source.system);
                let mut register = register_json::parse(names, &record.doc).map_err(damaged)?;
                let held = register
                    .view(source.system)
                    .is_some_and(|v| v.gone.is_none() && !v.known.is_empty());
                if shown_there || !held {
                    continue;
                }
                let now = self.world.now().0.saturating_mul(1_000);
                let report = Report {
                    system: source.system,
                    at: Some(now),
                    id: &run.stamp,
                    fields: &[],
                    native_key: None,
                    deleted: true,
                    snapshot: true,
                };
                absorb(names, &mut register, &report, now);
                self.owe_chunk(run, source.entity, &record.key, &mut register, batches);
                register.version += 1;
                let doc = register_json::print(names, &register);
                self.store.put_record(&names.name, &record.key, &doc)?;
            }
            at = Some(last);
        }
    }

    /// A clean: of each group of records one stays, the others are deleted where they stand.
    fn clean_chunk(
        &mut self,
        run: &mut ActiveRun,
        rows: &[Staged],
        batches: &mut Batches,
    ) -> Stored<()> {
        let program = self.program;
        let plan = &program.plan.scenarios[run.scenario as usize];
        let Some(source) = program.scenarios[run.scenario as usize]
            .reads
            .first()
            .copied()
        else {
            return Ok(());
        };
        let keep = plan
            .checkpoint
            .as_ref()
            .and_then(|c| c.dedupe.as_ref())
            .map(|d| d.keep);
        let Some(keep) = keep else { return Ok(()) };
        for group in rows.chunk_by(|a, b| a.key == b.key && !a.group.is_empty()) {
            let stays = kept(group, keep, None);
            for (i, row) in group.iter().enumerate() {
                if i == stays {
                    continue;
                }
                let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
                let stays: Payload =
                    postcard::from_bytes(&group[stays].payload).map_err(damaged)?;
                run.record.counts.deduplicated += 1;
                self.tally(run.scenario).counts.deduplicated += 1;
                if payload.locator.is_none() && payload.key == stays.key {
                    // By its key alone the system would take the one that stays for it.
                    continue;
                }
                let locator = payload.locator.clone().unwrap_or_default();
                batches.entry(source.map).or_default().push(Write {
                    idempotency_key: idempotency_key(
                        &plan.name,
                        &program.entities[source.entity as usize].name,
                        &format!("{}#{locator}", payload.key),
                        run.record.id as u64,
                        program.system_name(source.system),
                    ),
                    key: payload.key,
                    native_key: payload.native_key,
                    locator: payload.locator,
                    fields: Vec::new(),
                    delete: true,
                });
            }
        }
        Ok(())
    }

    /// Counts, before the first write, on how many records each guarded field would change.
    pub(super) fn guard(&mut self, run: &mut ActiveRun) -> Stored<Option<String>> {
        let program = self.program;
        let guards = &program.scenarios[run.scenario as usize].guard;
        let Some(entity) = program.scenarios[run.scenario as usize].checked else {
            return Ok(None);
        };
        let names = &program.entities[entity as usize];
        let mut carried = 0u64;
        let mut changes = vec![0u64; guards.len()];
        let mut after: Option<String> = None;
        loop {
            let rows = self
                .store
                .stage_after(run.record.id, after.as_deref(), CHUNK)?;
            let Some(last) = rows.last().map(|r| r.key.clone()) else {
                break;
            };
            for group in rows.chunk_by(|a, b| a.key == b.key) {
                carried += 1;
                let before = load(self, entity, &group[0].key)?;
                let mut register = before.clone();
                for row in group {
                    let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
                    if payload.entity != entity {
                        continue;
                    }
                    let report = Report {
                        system: row.system,
                        at: payload.changed_at,
                        id: &run.stamp,
                        fields: &payload.fields,
                        native_key: None,
                        deleted: payload.deleted,
                        snapshot: true,
                    };
                    let now = self.world.now().0.saturating_mul(1_000);
                    absorb(names, &mut register, &report, now);
                }
                for (i, (field, _)) in guards.iter().enumerate() {
                    let was = seen(names, &before, *field);
                    changes[i] += u64::from(was.is_some() && was != seen(names, &register, *field));
                }
            }
            after = Some(last);
        }
        let tripped = guards
            .iter()
            .zip(&changes)
            .find(|((_, over), changed)| **changed as f64 > over * carried as f64);
        Ok(tripped.map(|((field, over), changed)| {
            format!(
                "the run would change `{}.{}` on {changed} of {carried} records, over the {} that `guard` allows",
                names.name,
                names.fields[*field as usize].name,
                percent(*over)
            )
        }))
    }

    /// A batch of a run has come back.
    pub(super) fn run_written(
        &mut self,
        id: i64,
        chunk: u64,
        system: SystemIx,
        answer: Answer,
    ) -> Stored<()> {
        let Some(i) = self.runs.iter().position(|r| r.record.id == id) else {
            return Ok(());
        };
        let mut run = self.runs.remove(i);
        let done = match answer {
            Answer::Written(request, report) => {
                self.systems[system as usize].failures = 0;
                self.run_confirmed(&mut run, system, &request, &report)
            }
            Answer::Failed(Some(request), failure) => {
                self.run_postponed(&mut run, system, &request, &failure)
            }
            _ => Ok(()),
        };
        if let Some(slot) = run.chunks.iter_mut().find(|(n, _, _)| *n == chunk) {
            slot.2 = slot.2.saturating_sub(1);
        }
        settle(&mut run);
        self.runs.insert(i.min(self.runs.len()), run);
        done
    }

    fn run_confirmed(
        &mut self,
        run: &mut ActiveRun,
        system: SystemIx,
        request: &WriteRequest,
        report: &WriteReport,
    ) -> Stored<()> {
        let rejected = report.rejected.len() as u64;
        let written = request.writes.len() as u64 - rejected.min(request.writes.len() as u64);
        run.record.counts.written += written;
        run.record.counts.failed += rejected;
        let name = self.program.system_name(system).to_owned();
        *run.record.calls.entry(name).or_default() += report.calls;
        self.count_calls(run.scenario, system, report.calls);
        let tally = &mut self.tally(run.scenario).counts;
        tally.written += written;
        tally.failed += rejected;
        if report.rejected.is_empty() {
            return Ok(());
        }
        let (entity, _) = self.program.map_ends(request.map);
        self.store.begin()?;
        for (at, words) in &report.rejected {
            if let Some(write) = request.writes.get(*at) {
                let waiting = self.waiting_of(run.scenario, system, entity, write);
                self.store.put_waiting(&waiting)?;
                self.bury(system, entity, &write.key, words)?;
            }
        }
        self.store.commit()
    }

    /// A batch that failed is left to the outbox, which has all the patience.
    fn run_postponed(
        &mut self,
        run: &mut ActiveRun,
        system: SystemIx,
        request: &WriteRequest,
        failure: &Failure,
    ) -> Stored<()> {
        let (entity, _) = self.program.map_ends(request.map);
        self.failed(system, failure, Some(run.scenario));
        self.count_calls(run.scenario, system, 1);
        self.store.begin()?;
        for write in &request.writes {
            // Deletions of a clean name one of several records: the next clean finds them again.
            if write.locator.is_some() {
                continue;
            }
            let mut waiting = self.waiting_of(run.scenario, system, entity, write);
            waiting.error = Some(failure.message.clone());
            waiting.due = self.next_attempt(run.scenario, 1, failure);
            self.store.put_waiting(&waiting)?;
            run.postponed += 1;
        }
        self.store.commit()
    }

    fn waiting_of(
        &mut self,
        scenario: ScenarioIx,
        system: SystemIx,
        entity: EntityIx,
        write: &Write,
    ) -> Waiting {
        let now = self.world.now();
        let names = &self.program.entities[entity as usize];
        let mut fields: Vec<String> = write
            .fields
            .iter()
            .map(|(f, _)| names.fields[*f as usize].name.clone())
            .collect();
        fields.sort_unstable();
        Waiting {
            system: self.program.system_name(system).to_owned(),
            entity: names.name.clone(),
            key: write.key.clone(),
            scenario: self.program.plan.scenarios[scenario as usize].name.clone(),
            fields,
            delete: write.delete,
            version: load(self, entity, &write.key).map_or(0, |r| r.version),
            since: now,
            due: now,
            attempts: 1,
            error: None,
        }
    }
}

/// Confirms chunks from the front while they have nothing outstanding.
fn settle(run: &mut ActiveRun) {
    while run
        .chunks
        .front()
        .is_some_and(|(_, _, outstanding)| *outstanding == 0)
    {
        if let Some((_, last, _)) = run.chunks.pop_front() {
            run.record.confirmed = run.record.confirmed.take().max(Some(last));
        }
    }
}

fn forget_receivers(
    program: &super::program::Program,
    scenario: ScenarioIx,
    entity: EntityIx,
    register: &mut Register,
) {
    for route in &program.scenarios[scenario as usize].routes {
        if route.entity == entity {
            forget(register, route.to, &route.fields);
        }
    }
}

fn seen(
    entity: &super::program::EntityProgram,
    register: &Register,
    field: FieldIx,
) -> Option<Value> {
    let program = entity.fields.get(field as usize)?;
    shown(program.rule, register.field(field)?).value().cloned()
}
