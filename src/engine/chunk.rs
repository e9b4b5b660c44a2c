//! The writing half of a run: staged records in key order are merged into their registers, chunk by
//! chunk, and what destinations are owed goes out in batches.
//!
//! A chunk's registers are committed before its writes go out, so that while one chunk is being
//! written the next is worked out. A run that is killed in between writes the chunks that were
//! committed but not confirmed once more, whatever the registers say.

use std::collections::BTreeMap;

use super::batch::{ActiveRun, Phase};
use super::books::{Books, load, note_held, order_of, put, waits};
use super::dispatch::Queued;
use super::evaluate::{Absorbed, Report, absorb};
use super::handed::HandedOver;
use super::letters::Given;
use super::outbox::idempotency_key;
use super::owed::{note_written, owed};
use super::ports::{
    Answer, Call, EntityIx, Failure, FailureClass, FieldIx, MapIx, ScenarioIx, Staged, Stored,
    SystemIx, Write, WriteReport, WriteRequest,
};
use super::register::Register;
use super::runner::{Errand, Runner, damaged};
use super::stage::Payload;
use super::steps::Step;
use crate::failpoint::{Point, reach};
use crate::time::Instant;

/// Records in one chunk.
pub(super) const CHUNK: usize = 10_000;
/// Chunks that may be under way at once.
pub(super) const CHUNKS_AHEAD: usize = 2;

/// The writes of a chunk, by destination map.
pub(super) type Batches = BTreeMap<MapIx, Vec<Write>>;

/// What holds for every record of a chunk.
struct Chunk {
    /// The time in microseconds.
    now: i64,
    /// By system: writes sent before this time would show in what was read.
    settled: Vec<i64>,
    /// Up to this key everything is written once more.
    redo: Option<String>,
    /// Entities of which no register lies between the chunk's first and last key.
    blank: Vec<EntityIx>,
}

impl Runner<'_> {
    /// Works out the next chunk and hands its writes out.
    pub(super) fn write_chunk(&mut self, run: &mut ActiveRun, after: Option<&str>) -> Stored<()> {
        let rows = self.store.stage_after(run.record.id, after, CHUNK)?;
        let Some(last) = rows.last().map(|r| r.key.clone()) else {
            run.redo = None;
            run.phase = Phase::Absent(0, None);
            return Ok(());
        };
        let begins = Step::ChunkBegins(run.record.id, run.next_chunk());
        self.observer.step(&begins);
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
        reach(Point::ChunkWorkedOut);
        self.store.commit()?;
        reach(Point::ChunkCommitted);
        if run.redo.as_ref().is_some_and(|redo| *redo <= last) {
            run.redo = None;
        }
        run.account.worked(rows.len(), &last);
        run.phase = Phase::Write(Some(last.clone()));
        self.hand_out(run, last, batches)?;
        reach(Point::ChunkHandedOut);
        Ok(())
    }

    fn hand_out(&mut self, run: &mut ActiveRun, last: String, batches: Batches) -> Stored<()> {
        let number = run.next_chunk();
        let now = self.world.now();
        let mut outstanding = 0;
        for (map, mut writes) in batches {
            run.account.owes(writes.len());
            let (_, system) = self.program.map_ends(map);
            let limit = self.program.plan.systems[system as usize].write_batch;
            let limit = self.program.scenarios[run.scenario as usize]
                .batch
                .or(limit.map(|l| l as usize))
                .unwrap_or(usize::MAX)
                .max(1);
            let down = !self.systems[system as usize].can_be_called(now) || self.given_up(system);
            while !writes.is_empty() {
                let rest = match down {
                    true => Vec::new(),
                    false => writes.split_off(limit.min(writes.len())),
                };
                let request = WriteRequest {
                    map,
                    scenario: run.scenario,
                    writes,
                };
                if down {
                    run.record.counts.postponed += request.writes.len() as u64;
                    self.leave_to_outbox(&request, None, now)?;
                } else {
                    let queued = Queued {
                        errand: Errand::RunWrite(run.record.id, number),
                        call: Call::Write(request),
                    };
                    self.queue(run.scenario, system, queued);
                    outstanding += 1;
                }
                writes = rest;
            }
        }
        run.chunks.push_back((number, last, outstanding));
        run.settle();
        Ok(())
    }

    /// Writes that were sent before this time would show in what a run reads of a system;
    /// microseconds.
    pub(super) fn settled(&self, run: &ActiveRun, system: SystemIx) -> i64 {
        let lag = self.program.plan.systems[system as usize].visibility_lag;
        let started = run.record.started.0.saturating_sub(lag.0 as i64);
        started.saturating_mul(1_000)
    }

    fn merge_chunk(
        &mut self,
        run: &mut ActiveRun,
        rows: &[Staged],
        after: Option<&str>,
        batches: &mut Batches,
    ) -> Stored<()> {
        let systems = 0..self.program.plan.systems.len() as SystemIx;
        let mut chunk = Chunk {
            now: self.world.now().0.saturating_mul(1_000),
            settled: systems.map(|s| self.settled(run, s)).collect(),
            redo: run.redo.clone(),
            blank: Vec::new(),
        };
        let last = rows.last().map_or("", |r| r.key.as_str());
        for entity in self.entities_of(run.scenario) {
            let name = &self.program.entities[entity as usize].name;
            let next = self.store.records_after(name, after, 1)?;
            if next.first().is_none_or(|r| r.key.as_str() > last) {
                chunk.blank.push(entity);
            }
        }
        let mut found: Vec<(SystemIx, Payload)> = Vec::new();
        for group in rows.chunk_by(|a, b| a.key == b.key) {
            found.clear();
            for row in group {
                let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
                if !payload.present_only {
                    found.push((row.system, payload));
                }
            }
            // Rows of different entities may share a key.
            found.sort_by_key(|(_, p)| p.entity);
            for record in found.chunk_by(|a, b| a.1.entity == b.1.entity) {
                self.merge_record(run, &chunk, record, batches)?;
            }
        }
        Ok(())
    }

    /// The entities that a run moves, ascending.
    pub(super) fn entities_of(&self, scenario: ScenarioIx) -> Vec<EntityIx> {
        let routes = &self.program.scenarios[scenario as usize].routes;
        let mut entities: Vec<EntityIx> = routes.iter().map(|r| r.entity).collect();
        entities.sort_unstable();
        entities.dedup();
        entities
    }

    /// Takes what was read of one record into its register and works out what is owed for it.
    fn merge_record(
        &mut self,
        run: &mut ActiveRun,
        chunk: &Chunk,
        rows: &[(SystemIx, Payload)],
        batches: &mut Batches,
    ) -> Stored<()> {
        let Some((_, first)) = rows.first() else {
            return Ok(());
        };
        let program = self.program;
        let (entity, key) = (first.entity, first.key.as_str());
        let names = &program.entities[entity as usize];
        let mut register = match chunk.blank.contains(&entity) {
            true => Register::default(),
            false => load(program, &mut *self.store, entity, key)?,
        };
        if let Some(ahead) = self.ahead {
            ahead.correct(self.world.now(), &mut register);
        }
        let mut all = Absorbed::default();
        let mut lost: Vec<(SystemIx, Vec<FieldIx>)> = Vec::new();
        for (system, payload) in rows {
            let settled = chunk.settled[*system as usize];
            let read = self.overrules(&register, *system, payload, settled)?;
            let report = report_of(run, *system, payload, read);
            let absorbed = absorb(names, &mut register, &report);
            all.changed |= absorbed.changed;
            all.shown_changed |= absorbed.shown_changed;
            all.manual.extend(absorbed.manual);
            all.conflicts.extend(absorbed.conflicts);
            if !absorbed.lost.is_empty() {
                lost.push((*system, absorbed.lost));
            }
        }
        let again = chunk.redo.as_deref().is_some_and(|redo| key <= redo);
        let owes = self.owe_chunk(
            run,
            (entity, key),
            &mut register,
            (again, chunk.now),
            batches,
        );
        if all.changed || owes {
            put(names, &mut *self.store, key, &mut register)?;
        }
        if !all.manual.is_empty() {
            let name = |s| program.system_name(s).to_owned();
            note_held(names, name, &mut *self.store, key, &register, &all.manual)?;
        }
        self.count_merged(run, entity, &all);
        if !lost.is_empty() {
            let mut books = Books::default();
            let mut office = self.office();
            for (system, fields) in &lost {
                let done = [run.scenario];
                books.correct(&mut office, *system, (entity, key), fields, &done)?;
            }
            books.close(&mut office)?;
        }
        Ok(())
    }

    fn count_merged(&mut self, run: &mut ActiveRun, entity: EntityIx, all: &Absorbed) {
        if all.shown_changed {
            run.record.counts.changed += 1;
            self.tally(run.scenario).counts.changed += 1;
        }
        if !all.conflicts.is_empty() {
            run.record.counts.conflicts += all.conflicts.len() as u64;
            self.count_conflicts(run.scenario, entity, &all.conflicts);
        }
    }

    /// The time before which writes would show in a record that was read; the least number where
    /// one that differs from it still waits, so that nothing can be told.
    pub(super) fn overrules(
        &mut self,
        register: &Register,
        system: SystemIx,
        payload: &Payload,
        settled: i64,
    ) -> Stored<i64> {
        let Some(view) = register.view(system) else {
            return Ok(settled);
        };
        let differs = payload.fields.iter().any(|(f, value)| {
            view.field(*f)
                .is_some_and(|k| k.how.written() && k.value != *value)
        });
        let deleted = view.gone.is_some_and(|g| g.sent.is_some()) && !payload.deleted;
        let program = self.program;
        let uncertain = (differs || deleted || payload.deleted)
            && waits(
                program,
                &mut *self.store,
                system,
                payload.entity,
                &payload.key,
            )?;
        Ok(if uncertain { i64::MIN } else { settled })
    }

    /// Writes that the run's routes owe for a record; says whether there are any.
    fn owe_chunk(
        &mut self,
        run: &mut ActiveRun,
        (entity, key): (EntityIx, &str),
        register: &mut Register,
        (again, now): (bool, i64),
        batches: &mut Batches,
    ) -> bool {
        let program = self.program;
        let plan = &program.plan.scenarios[run.scenario as usize];
        let names = &program.entities[entity as usize];
        let mut any = false;
        for route in &program.scenarios[run.scenario as usize].routes {
            if route.entity != entity {
                continue;
            }
            let Some(due) = owed(names, key, register, route, plan.propagate_deletes, again) else {
                continue;
            };
            let native_key = register.view(route.to).and_then(|v| v.native_key.clone());
            note_written(register, route.to, &due, now, &HandedOver::default());
            any = true;
            if run.reconcile {
                run.record.counts.drift += 1;
                self.tally(run.scenario).counts.drift += 1;
            }
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
                    write.delete = due.deleted.is_some();
                    if write.delete {
                        write.fields.clear();
                    }
                }
                None => list.push(Write {
                    key: key.to_owned(),
                    native_key,
                    locator: None,
                    fields: due.fields,
                    delete: due.deleted.is_some(),
                    idempotency_key: idempotency_key(
                        &plan.name,
                        &names.name,
                        key,
                        register.version + 1,
                        program.system_name(route.to),
                    ),
                }),
            }
        }
        any
    }

    /// A batch of a run has come back.
    pub(super) fn run_written(
        &mut self,
        id: i64,
        chunk: u64,
        system: SystemIx,
        answer: Answer,
    ) -> Stored<()> {
        self.count_answer(system, &answer);
        let Some(i) = self.runs.iter().position(|r| r.record.id == id) else {
            return Ok(());
        };
        let mut run = self.runs.remove(i);
        Self::goes_on(&mut run);
        let done = match answer {
            Answer::Written(request, report) => {
                self.run_confirmed(&mut run, system, &request, &report)
            }
            Answer::Failed(Some(request), failure) => {
                self.run_postponed(&mut run, system, &request, &failure)
            }
            _ => Ok(()),
        };
        run.batch_done(chunk);
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
        let rejected = report.rejected.len().min(request.writes.len()) as u64;
        let written = request.writes.len() as u64 - rejected;
        run.record.counts.written += written;
        run.record.counts.failed += rejected;
        let name = self.program.system_name(system).to_owned();
        *run.record.calls.entry(name).or_default() += report.calls;
        self.count_calls(run.scenario, system, report.calls);
        let tally = &mut self.tally(run.scenario).counts;
        tally.written += written;
        tally.failed += rejected;
        if report.rejected.is_empty() && self.letters.is_empty() {
            return Ok(());
        }
        let (entity, _) = self.program.map_ends(request.map);
        let now = self.world.now();
        self.store.begin()?;
        for (i, write) in request.writes.iter().enumerate() {
            match report.rejected.iter().find(|(at, _)| *at == i) {
                None => self.clear_letter(system, entity, &write.key)?,
                Some((_, words)) => {
                    let given = Given {
                        scenario: run.scenario,
                        attempts: 1,
                        since: now,
                        write,
                    };
                    self.bury(system, entity, &given, words)?;
                }
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
        self.failed(system, failure, Some(run.scenario));
        let name = self.program.system_name(system).to_owned();
        *run.record.calls.entry(name).or_default() += 1;
        self.count_calls(run.scenario, system, 1);
        let due = match failure.class {
            // The record at fault is to be found at once.
            FailureClass::Reject => self.world.now(),
            _ => self.next_attempt(run.scenario, 1, failure),
        };
        run.record.counts.postponed += request.writes.len() as u64;
        self.leave_to_outbox(request, Some(failure), due)
    }

    /// Writes of a run wait in the outbox from now on.
    pub(super) fn leave_to_outbox(
        &mut self,
        request: &WriteRequest,
        failure: Option<&Failure>,
        due: Instant,
    ) -> Stored<()> {
        let (entity, system) = self.program.map_ends(request.map);
        let mut books = Books::default();
        self.store.begin()?;
        let mut office = self.office();
        for write in &request.writes {
            // Deletions of a clean name one of several records: the next clean finds them again.
            if write.locator.is_some() {
                continue;
            }
            let (register, _) = books.register(&mut office, entity, &write.key)?;
            let version = register.version;
            let fields: Vec<FieldIx> = write.fields.iter().map(|(f, _)| *f).collect();
            let order = order_of(request.scenario, system, entity, write, &fields, version);
            let waiting = books.enter(&mut office, &order)?;
            waiting.error = failure.map(|f| f.message.clone());
            waiting.due = waiting.due.max(due);
        }
        books.close(&mut office)?;
        self.store.commit()
    }
}

/// What a staged row reports; `read`: see [`Report::read`].
pub(super) fn report_of<'r>(
    run: &'r ActiveRun,
    system: SystemIx,
    payload: &'r Payload,
    read: i64,
) -> Report<'r> {
    Report {
        system,
        at: payload.at,
        timed: payload.timed,
        id: &run.stamp,
        fields: &payload.fields,
        native_key: payload.native_key.as_deref(),
        deleted: payload.deleted,
        read: Some(read),
        whole: false,
        handed: None,
    }
}
