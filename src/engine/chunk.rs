//! The writing half of a run: staged records in key order are merged into their registers, chunk by
//! chunk, and what destinations are owed goes out in batches.
//!
//! A chunk's registers are durable before its writes go out; while one chunk is being written and
//! the next one flushed, a third is worked out. A run that is killed in between writes the chunks that were
//! committed but not confirmed once more, whatever the registers say.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::batch::{ActiveRun, Phase};
use super::books::{Books, note_held, order_of, waits};
use super::dispatch::Queued;
use super::filling::Chunks;
use super::letters::Given;
use super::merge::{self, Besides, Found, Ground, Merged, Shown};
use super::one_way;
use super::ports::{
    Answer, Call, EntityIx, Failure, FailureClass, FieldIx, Idempotency, MapIx, ScenarioIx, Staged,
    Stored, SystemIx, Write, WriteReport, WriteRequest,
};
use super::register::Register;
use super::runner::{Errand, Runner};
use super::stage::Payload;
use super::steps::Step;
use crate::failpoint::{Point, reach};
use crate::time::Instant;
use crate::value::Value;

/// Records in one chunk: whole parts of [`super::merge`].
pub(super) const CHUNK: usize = 5 * merge::PART;
/// Chunks whose batches may be under way at once: one is written, one flushed, one waits for its
/// turn.
pub(super) const CHUNKS_AHEAD: usize = 3;

/// The writes of a chunk, by destination map.
pub(super) type Batches = BTreeMap<MapIx, Vec<Write>>;

impl Runner<'_> {
    /// Records of a chunk.
    pub(super) fn chunk(&self) -> usize {
        self.options.chunk.map_or(CHUNK, NonZeroUsize::get)
    }

    /// Works out the next chunk and hands its writes out.
    pub(super) fn write_chunk(&mut self, run: &mut ActiveRun, after: Option<&str>) -> Stored<()> {
        let rows = self.store.stage_after(run.record.id, after, self.chunk())?;
        let Some(last) = rows.last().map(|r| r.key.to_string()) else {
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
        self.begin()?;
        self.at_work = Some(run.record.id);
        let done = if clean {
            self.clean_chunk(run, &rows, &mut batches)
        } else {
            self.merge_chunk(run, &rows, after, &mut batches)
        };
        self.at_work = None;
        let committed = done.and_then(|()| {
            run.record.committed = run.record.committed.take().max(Some(last.clone()));
            self.store.put_run(&run.record)
        });
        if let Err(error) = committed {
            // The first error is the one to tell of.
            let _ = self.roll_back();
            return Err(error);
        }
        reach(Point::ChunkWorkedOut);
        let after = self.store.commit_behind()?;
        reach(Point::ChunkCommitted);
        if run.redo.as_ref().is_some_and(|redo| *redo <= last) {
            run.redo = None;
        }
        run.account.worked(rows.len(), &last);
        run.phase = Phase::Write(Some(last.clone()));
        self.hand_out(run, (last, after), batches)?;
        reach(Point::ChunkHandedOut);
        Ok(())
    }

    /// Queues a chunk's writes; `after`: the commit that has to be durable before they go out.
    fn hand_out(
        &mut self,
        run: &mut ActiveRun,
        (last, after): (String, u64),
        batches: Batches,
    ) -> Stored<()> {
        let number = run.next_chunk();
        run.chunks.push_back((number, last, 0));
        for (map, writes) in batches {
            run.account.owes(writes.len());
            let (_, system) = self.program.map_ends(map);
            let now = self.world.now();
            let mut request = WriteRequest {
                map,
                scenario: run.scenario,
                writes,
                job_calls: 0,
            };
            if !self.systems[system as usize].can_be_called(now) || self.given_up(system) {
                run.record.counts.postponed += request.writes.len() as u64;
                self.leave_to_outbox(&request, None, now)?;
            } else {
                self.join_older(run, system, &mut request)?;
                self.queue_batches(run, (system, request), number, after);
            }
        }
        run.settle();
        Ok(())
    }

    /// Queues what a chunk owes one destination in batches; the first takes up what the chunks
    /// before it left, and the last may be filled by the next chunk.
    fn queue_batches(
        &mut self,
        run: &mut ActiveRun,
        (system, mut request): (SystemIx, WriteRequest),
        number: u64,
        after: u64,
    ) {
        let map = request.map;
        let mut chunks = Chunks {
            first: number,
            last: number,
        };
        // Writes of earlier chunks come first, and the calls that a job began with.
        let (mut earlier, mut begun) = (0, 0);
        if let Some((before, filling)) = self.take_filling(run, (system, map)) {
            run.batch_taken(before);
            chunks.first = before.first;
            (earlier, begun) = (filling.writes.len(), filling.job_calls);
            let more = std::mem::replace(&mut request.writes, filling.writes);
            request.writes.extend(more);
        }
        let plan = &self.program.plan.systems[system as usize];
        let limit = plan.write_batch;
        // A job that is open takes what further chunks owe.
        let job = self.job_of(system, run.scenario).filter(|job| {
            run.jobs.contains(&map) || request.writes.len() > job.from_records as usize
        });
        let limit = self.program.scenarios[run.scenario as usize]
            .batch
            .or(job.map(|job| job.records).or(limit).map(|l| l as usize))
            .unwrap_or(usize::MAX)
            .max(1);
        while !request.writes.is_empty() {
            let rest = request.writes.split_off(limit.min(request.writes.len()));
            request.job_calls = match job {
                _ if begun > 0 => std::mem::take(&mut begun),
                Some(job) if run.jobs.insert(map) => 1 + u64::from(job.fixed_calls),
                Some(_) => 1,
                None => 0,
            };
            let next = WriteRequest {
                writes: rest,
                ..request
            };
            let batch = std::mem::replace(&mut request, next);
            run.batch_queued(chunks);
            let queued = Queued {
                errand: Errand::RunWrite(run.record.id, chunks),
                fills: self.fills(system, chunks, (batch.writes.len(), limit)),
                call: Call::Write(batch),
                after,
            };
            earlier = earlier.saturating_sub(limit);
            if earlier == 0 {
                chunks.first = number;
            }
            self.queue(run.scenario, system, queued);
        }
    }

    /// Writes that were sent before this time would show in what a run reads of a system;
    /// microseconds.
    pub(super) fn settled(&self, run: &ActiveRun, system: SystemIx) -> i64 {
        merge::settled(self.program, run.record.started, system)
    }

    fn merge_chunk(
        &mut self,
        run: &mut ActiveRun,
        rows: &[Staged],
        after: Option<&str>,
        batches: &mut Batches,
    ) -> Stored<()> {
        let systems = 0..self.program.plan.systems.len() as SystemIx;
        let redo = run.redo.clone();
        let scenario = &self.program.scenarios[run.scenario as usize];
        let ground = Ground {
            program: self.program,
            scenario: run.scenario,
            stamp: Arc::clone(&run.stamp),
            now: self.world.now(),
            settled: systems.map(|s| self.settled(run, s)).collect(),
            redo: redo.as_deref(),
            ahead: self.ahead,
            lanes: match redo.is_none() && self.ahead.is_none() {
                true => one_way::lanes(self.program, scenario),
                false => Vec::new(),
            },
        };
        let parts = merge::parts(rows);
        let decode = |n: usize| parts.get(n).map_or(Ok(Vec::new()), |p| merge::records(p));
        let last_of = |n: usize| parts.get(n).and_then(|p| p.last()).map(|row| &*row.key);
        let mut found = self.look_up(run, decode(0)?, (after, last_of(0)))?;
        let mut records = decode(1)?;
        let mut merged = Vec::new();
        for n in 0..parts.len() {
            if n > 0 {
                self.let_out_meanwhile()?;
            }
            // While one part is worked out, the one before it is entered, the registers of the one
            // after it are looked up, and a further one is taken out of the stage's form: they
            // share no record.
            let before = std::mem::take(&mut merged);
            let (mut worked_out, mut decoded) = (Ok(Vec::new()), Ok(Vec::new()));
            let looked_up = rayon::in_place_scope(|scope| {
                scope.spawn(|_| {
                    worked_out = merge::merge_all(&ground, found);
                    decoded = decode(n + 2);
                });
                self.enter_part(run, before, batches)?;
                self.look_up(run, records, (last_of(n), last_of(n + 1)))
            });
            (found, merged, records) = (looked_up?, worked_out?, decoded?);
        }
        self.enter_part(run, merged, batches)
    }

    /// Enters what became of records, in their order.
    fn enter_part(
        &mut self,
        run: &mut ActiveRun,
        merged: Vec<Merged>,
        batches: &mut Batches,
    ) -> Stored<()> {
        for same in merged.chunk_by(|a, b| a.entity == b.entity) {
            let Some(first) = same.first() else { continue };
            let docs = same
                .iter()
                .filter_map(|m| Some((&*m.key, m.doc.as_deref()?)));
            let docs: Vec<(&str, &str)> = docs.collect();
            let name = &self.program.entities[first.entity as usize].name;
            self.store.put_records(name, &docs)?;
            for (key, _) in docs {
                self.recent.take(first.entity, key);
            }
        }
        for record in merged {
            self.enter_merged(run, record, batches)?;
        }
        Ok(())
    }

    /// The registers of records, and which of them have writes that wait; their keys lie behind one
    /// and go up to another.
    fn look_up(
        &mut self,
        run: &ActiveRun,
        mut records: Vec<Vec<Shown>>,
        (after, last): (Option<&str>, Option<&str>),
    ) -> Stored<Vec<Found>> {
        let Some(last) = last else {
            return Ok(Vec::new());
        };
        let program = self.program;
        let mut waiting: Vec<SystemIx> = Vec::new();
        for system in 0..program.plan.systems.len() as SystemIx {
            if self
                .store
                .waiting_since(program.system_name(system))?
                .is_some()
            {
                waiting.push(system);
            }
        }
        if !waiting.is_empty() {
            for row in records.iter_mut().flatten() {
                let (entity, key) = (row.payload.entity, &row.payload.key);
                row.waits = waiting.contains(&row.system)
                    && waits(program, &mut *self.store, row.system, entity, key)?;
            }
        }
        let mut docs: Vec<Option<String>> = vec![None; records.len()];
        for entity in self.entities_of(run.scenario) {
            let name = &program.entities[entity as usize].name;
            let next = self.store.records_after(name, after, 1)?;
            // Often there is none between the chunk's first and last key.
            if next.first().is_none_or(|r| r.key.as_str() > last) {
                continue;
            }
            let firsts = records.iter().map(|rows| rows.first()).enumerate();
            let wanted = firsts.filter_map(|(i, first)| {
                let payload = &first?.payload;
                (payload.entity == entity).then_some((i, &*payload.key))
            });
            let (places, keys): (Vec<usize>, Vec<&str>) = wanted.unzip();
            let stored = self.store.records_of(name, &keys)?;
            for (place, doc) in places.into_iter().zip(stored) {
                docs[place] = doc;
            }
        }
        let found = records.into_iter().zip(docs);
        Ok(found.map(|(rows, doc)| Found { rows, doc }).collect())
    }

    /// Enters what became of a record, but for its register.
    fn enter_merged(
        &mut self,
        run: &mut ActiveRun,
        record: Merged,
        batches: &mut Batches,
    ) -> Stored<()> {
        let (entity, key) = (record.entity, record.key.as_str());
        if record.shown_changed {
            run.record.counts.changed += 1;
            self.tally(run.scenario).counts.changed += 1;
        }
        // What is written once more after a kill was counted before, or is no difference at all.
        let again = run.redo.as_deref().is_some_and(|redo| key <= redo);
        if run.reconcile && record.owed > 0 && !again {
            run.record.counts.drift += record.owed;
            self.tally(run.scenario).counts.drift += record.owed;
        }
        if let Some(besides) = &record.besides {
            self.enter_besides(run, (entity, key), besides)?;
        }
        for (map, write) in record.writes {
            batches.entry(map).or_default().push(write);
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

    /// Enters that not all agree on a record.
    fn enter_besides(
        &mut self,
        run: &mut ActiveRun,
        (entity, key): (EntityIx, &str),
        besides: &Besides,
    ) -> Stored<()> {
        let program = self.program;
        if let Some(register) = &besides.held {
            let names = &program.entities[entity as usize];
            let name = |s| program.system_name(s).to_owned();
            let fields = &besides.manual;
            note_held(names, name, &mut *self.store, key, register, fields)?;
        }
        if !besides.conflicts.is_empty() {
            run.record.counts.conflicts += besides.conflicts.len() as u64;
            self.count_conflicts(run.scenario, entity, &besides.conflicts);
        }
        if !besides.lost.is_empty() {
            let mut books = Books::default();
            let mut office = self.office();
            for (system, fields) in &besides.lost {
                let done = [run.scenario];
                books.correct(&mut office, *system, (entity, key), fields, &done)?;
            }
            books.close(&mut office)?;
        }
        Ok(())
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
        let (entity, key) = (payload.entity, &payload.key);
        let uncertain = merge::may_be_overruled(register, system, payload)
            && waits(self.program, &mut *self.store, system, entity, key)?;
        Ok(if uncertain { i64::MIN } else { settled })
    }

    /// A batch of a run has come back.
    pub(super) fn run_written(
        &mut self,
        id: i64,
        chunks: Chunks,
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
        run.batch_done(chunks);
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
        self.begin()?;
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
        self.begin()?;
        let mut office = self.office();
        for write in &request.writes {
            // Deletions of a clean name one of several records: the next clean finds them again.
            if write.locator.is_some() {
                continue;
            }
            let (register, _) = books.register(&mut office, entity, &write.key)?;
            let view = register.view(system);
            let gone = view.and_then(|view| view.gone);
            if write.delete != gone.is_some_and(|gone| gone.sent.is_some()) {
                // The record has gone, or come back, since: what follows from that waits already.
                continue;
            }
            let version = version_of(write, register, system);
            let fields: Vec<FieldIx> = write.fields.iter().map(|(f, _)| *f).collect();
            let mut order = order_of(request.scenario, system, entity, write, &fields, version);
            let (named, next) = (fields.len(), register.version + 1);
            let waiting = books.enter(&mut office, &order)?;
            if waiting.version == version && waiting.fields.len() > named {
                // What waited already goes along: that is another content, which has a key of its own.
                order.version = next;
                let (_, dirty) = books.register(&mut office, entity, &write.key)?;
                *dirty = true;
            }
            let waiting = books.enter(&mut office, &order)?;
            waiting.error = failure.map(|f| f.message.clone());
            waiting.due = waiting.due.max(due);
        }
        books.close(&mut office)?;
        self.store.commit()
    }
}

/// The version under which a write of a run goes on in the outbox: its own as long as it would say
/// the same once more, since it may have had its effect, and whoever got it knows it by that. That it
/// deletes what is to be gone still, or else writes what is to be there, is known already.
fn version_of(write: &Write, register: &Register, system: SystemIx) -> u64 {
    let view = register.view(system);
    let holds = |(field, value): &(FieldIx, Value)| {
        let known = view.and_then(|view| view.field(*field));
        known.is_some_and(|known| known.value == *value)
    };
    // A deletion has no fields.
    let same = write.fields.iter().all(holds);
    match write.idempotency {
        Idempotency::Version(version) if same => version,
        _ => register.version,
    }
}
