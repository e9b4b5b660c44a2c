//! The outbox: what waits for each system goes out in batches; failures
//! are tried again with exponential backoff and full jitter, poison becomes a dead letter, and a
//! system that is down is left alone without blaming the records.

use super::books::{load_sized, put};
use super::cause::with_remedy;
use super::letters::Given;
use super::owed::{forget, is_held, passes};
use super::ports::{
    Answer, EntityIx, Failure, FailureClass, FieldIx, Idempotency, ScenarioIx, Stored, SystemIx,
    Waiting, Write, WriteRequest,
};
use super::program::full_jitter;
use super::register::Register;
use super::runner::{Alert, Runner};
use crate::failpoint::{Point, reach};
use crate::terms::Priority;
use crate::time::{Instant, Millis};

/// Writes in a batch where neither scenario nor connector says.
pub(super) const BATCH: usize = 10_000;
/// Until-idle runs give up on a system after so many failures in a row: it is down, what waits
/// stays durable for the next run.
const PATIENCE: u32 = 4;
/// A system that a person has to mend is tried again after pauses that double up to this.
const PAUSE_MOST: Millis = Millis(15 * 60_000);

impl Runner<'_> {
    pub(super) fn batch_limit(&self, system: SystemIx) -> usize {
        let batch = self.program.plan.systems[system as usize].write_batch;
        let batch = batch.map_or(BATCH, |b| b as usize).clamp(1, BATCH);
        self.systems[system as usize]
            .narrow
            .unwrap_or(batch)
            .clamp(1, batch)
    }

    /// Whether an until-idle runner leaves a system to its next run.
    pub(super) fn given_up(&self, system: SystemIx) -> bool {
        self.options.until_idle && self.systems[system as usize].failures >= PATIENCE
    }

    /// The first record's entity and scenario make the batch; others wait for the next one.
    pub(super) fn batch_of(
        &mut self,
        system: SystemIx,
        due: Vec<Waiting>,
    ) -> Stored<Option<WriteRequest>> {
        let Some(first) = due.first() else {
            return Ok(None);
        };
        let (entity_name, scenario_name) = (first.entity.clone(), first.scenario.clone());
        // What waits may be what a person asked for since the last transaction.
        self.look()?;
        let program = self.program;
        let entity = program.entity(&entity_name);
        let map = entity.and_then(|e| program.map_of(e, system));
        let (Some(entity), Some(map)) = (entity, map) else {
            return self.set_aside(&due, &entity_name).map(|()| None);
        };
        let scenario = program.scenario_ix(&scenario_name);
        let limit = scenario.and_then(|s| program.scenarios[s as usize].batch);
        let most = self.batch_limit(system);
        let mut writes = Vec::new();
        let mut void = Vec::new();
        for waiting in due {
            let one = waiting.entity == entity_name && waiting.scenario == scenario_name;
            if !one || limit.is_some_and(|l| writes.len() >= l.max(1)) {
                continue;
            }
            match self.write_of(system, entity, scenario, &waiting)? {
                Some(write) => writes.push(write),
                None => void.push(waiting),
            }
        }
        self.drop_void(system, entity, &void)?;
        let job = self.job_left(system, scenario, writes.len());
        if job.is_none() {
            // More was read than a plain write takes.
            writes.truncate(most);
        }
        let request = WriteRequest {
            map,
            scenario: scenario.unwrap_or_default(),
            writes,
            job_calls: job.map_or(0, |job| 1 + u64::from(job.fixed_calls)),
        };
        Ok((!request.writes.is_empty()).then_some(request))
    }

    /// What waits for an entity or a map that the present plan does not have stays until a plan
    /// that has it runs again; it only must not block the queue.
    fn set_aside(&mut self, due: &[Waiting], entity: &str) -> Stored<()> {
        self.begin()?;
        for waiting in due.iter().filter(|w| w.entity == entity) {
            let later = Waiting {
                due: Instant(i64::MAX),
                ..waiting.clone()
            };
            self.store.put_waiting(&later)?;
        }
        self.store.commit()
    }

    /// Waiting writes of which nothing is left to send: the destination deleted the record, or the
    /// flow's condition no longer lets it through.
    fn drop_void(&mut self, system: SystemIx, entity: EntityIx, void: &[Waiting]) -> Stored<()> {
        if void.is_empty() {
            return Ok(());
        }
        let program = self.program;
        let names = &program.entities[entity as usize];
        let name = program.system_name(system);
        self.begin()?;
        for waiting in void {
            let (key, version) = (&waiting.key, waiting.version);
            let there = self
                .store
                .take_waiting(name, &names.name, key, version, None)?;
            if !there {
                // What a person has entered since has something to say.
                continue;
            }
            let fields: Vec<FieldIx> = positions(names, &waiting.fields);
            let mut register = self.register(entity, &waiting.key)?;
            forget(&mut register, system, &fields);
            put(names, &mut *self.store, &waiting.key, &mut register)?;
        }
        self.store.commit()
    }

    /// What a waiting write sends now: state, not history.
    fn write_of(
        &mut self,
        system: SystemIx,
        entity: EntityIx,
        scenario: Option<ScenarioIx>,
        waiting: &Waiting,
    ) -> Stored<Option<Write>> {
        let program = self.program;
        let names = &program.entities[entity as usize];
        // As new as what waits, at the least (see `batch_of`); a person may decide meanwhile, and what
        // that makes waiting goes out next.
        let (mut register, mut bytes) = match self.recent.take_sized(entity, &waiting.key) {
            Some(kept) => kept,
            None => load_sized(program, &mut *self.store, entity, &waiting.key)?,
        };
        let asked = positions(names, &waiting.fields);
        // What has come to be held for a person meanwhile is not written.
        let held_of = |register: &Register| -> Vec<FieldIx> {
            let asked = asked.iter().copied();
            asked.filter(|ix| is_held(names, register, *ix)).collect()
        };
        let mut held = held_of(&register);
        if !held.is_empty() {
            // As it is now: what a person decided meanwhile is not to be written over.
            self.begin()?;
            (register, bytes) = load_sized(program, &mut *self.store, entity, &waiting.key)?;
            held = held_of(&register);
            if !held.is_empty() {
                forget(&mut register, system, &held);
                put(names, &mut *self.store, &waiting.key, &mut register)?;
            }
            self.store.commit()?;
        }
        let view = register.view(system);
        let mut fields = Vec::new();
        for ix in asked {
            if let Some(known) = view.and_then(|v| v.field(ix)) {
                fields.push((ix, known.value.clone()));
            }
        }
        fields.sort_by_key(|f| f.0);
        let routes = scenario.map_or(&[][..], |s| &program.scenarios[s as usize].routes);
        let mut into = routes
            .iter()
            .filter(|r| r.entity == entity && r.to == system)
            .peekable();
        // State, not history: one that is there again is deleted no more.
        let delete = waiting.delete && view.is_some_and(|view| view.gone.is_some());
        let let_through =
            into.peek().is_none() || into.any(|r| passes(names, &waiting.key, &register, r));
        if !delete && (fields.is_empty() || !let_through) {
            return Ok(None);
        }
        let native_key = view.and_then(|v| v.native_key.clone());
        if held.is_empty() {
            // It is looked at once more when the write has arrived.
            let record = (entity, waiting.key.clone());
            self.recent.keep_sent(record, (register, bytes));
        }
        Ok(Some(Write {
            key: waiting.key.as_str().into(),
            native_key,
            locator: None,
            fields,
            delete,
            idempotency: match scenario {
                Some(_) => Idempotency::Version(waiting.version),
                // The present plan does not have it.
                None => Idempotency::Key(key_of(waiting)),
            },
        }))
    }

    /// A batch of the outbox that failed as a whole.
    pub(super) fn not_sent(&mut self, system: SystemIx, answer: Answer) -> Stored<()> {
        self.count_answer(system, &answer);
        match answer {
            Answer::Failed(Some(request), failure) => self.postpone(system, &request, &failure),
            _ => Ok(()),
        }
    }

    pub(super) fn count_calls(&mut self, scenario: ScenarioIx, system: SystemIx, calls: u64) {
        let name = self.program.system_name(system).to_owned();
        *self.tally(scenario).calls.entry(name).or_default() += calls;
    }

    /// A batch that failed as a whole: it is split to find the record at fault, and only a record
    /// that fails on its own, while the system is up, uses up its attempts.
    fn postpone(
        &mut self,
        system: SystemIx,
        request: &WriteRequest,
        failure: &Failure,
    ) -> Stored<()> {
        self.count_calls(request.scenario, system, 1);
        let alone = request.writes.len() == 1;
        let refused = failure.class == FailureClass::Reject;
        if !refused {
            self.failed(system, failure, Some(request.scenario));
        }
        let in_vain = self.systems[system as usize].failures;
        let retries = matches!(failure.class, FailureClass::Retry { .. });
        // One failure is tried again as it was: most are nobody's fault. Where the system may be
        // down, one record then shows whether it is.
        if !alone && (refused || (retries && in_vain > 1)) {
            let narrow = if refused { request.writes.len() / 2 } else { 1 };
            self.systems[system as usize].narrow = Some(narrow);
        }
        if refused && !alone {
            return Ok(());
        }
        let down = self.systems[system as usize].open_until.is_some();
        let counts = alone && retries && !down;
        // An open breaker holds back the system, not each record for itself: when it closes,
        // priority decides what goes first.
        let due = match self.systems[system as usize].open_until {
            Some(_) => self.world.now(),
            None => self.next_attempt(request.scenario, in_vain, failure),
        };
        self.begin()?;
        for write in &request.writes {
            self.postpone_one(system, request, write, (counts, due), failure)?;
        }
        reach(Point::SendPostponing);
        self.store.commit()
    }

    fn postpone_one(
        &mut self,
        system: SystemIx,
        request: &WriteRequest,
        write: &Write,
        (counts, due): (bool, Instant),
        failure: &Failure,
    ) -> Stored<()> {
        let program = self.program;
        let (entity, _) = program.map_ends(request.map);
        let name = program.system_name(system);
        let entity_name = &program.entities[entity as usize].name;
        let waiting = self.store.waiting(name, entity_name, &write.key)?;
        self.recent.take(entity, &write.key);
        // A newer version that came in meanwhile has its own first try.
        let Some(mut waiting) = waiting.filter(|w| self.is_of((write, request), w)) else {
            return Ok(());
        };
        let state = &mut self.systems[system as usize];
        let (proved, open) = match counts {
            true => state.tries.failed((entity, &write.key), waiting.version),
            false => (0, 0),
        };
        waiting.attempts = waiting.attempts.saturating_add(proved);
        let attempts = waiting.attempts.saturating_add(open);
        let refused = failure.class == FailureClass::Reject;
        let scenario = program.plan.scenarios.get(request.scenario as usize);
        let limit = scenario.map_or(12, |s| s.retry.attempts);
        // A system that has answered nothing since the record came to wait may be down.
        let up = self.systems[system as usize]
            .answered
            .is_some_and(|at| at >= waiting.since);
        if refused || (counts && attempts >= limit && up) {
            self.store
                .take_waiting(name, entity_name, &write.key, waiting.version, None)?;
            self.tally(request.scenario).counts.failed += 1;
            let tries = &mut self.systems[system as usize].tries;
            tries.settled(entity, &write.key);
            let given = Given {
                scenario: request.scenario,
                attempts: attempts + u32::from(refused),
                since: waiting.since,
                write,
            };
            return self.bury(system, entity, &given, &failure.message);
        }
        waiting.error = Some(failure.message.clone());
        waiting.due = due.max(match counts {
            true => self.next_attempt(request.scenario, attempts, failure),
            false => due,
        });
        if self.paused.contains(&request.scenario) {
            waiting.due = Instant(i64::MAX);
        }
        self.store.put_waiting(&waiting)
    }

    pub(super) fn next_attempt(
        &mut self,
        scenario: ScenarioIx,
        attempts: u32,
        failure: &Failure,
    ) -> Instant {
        let ceiling = self.program.backoff(scenario, attempts.max(1));
        let mut wait = full_jitter(ceiling, self.world.random()).0;
        if let FailureClass::Retry {
            after_ms: Some(asked),
        } = failure.class
        {
            wait = wait.max(asked);
        }
        self.world.now() + Millis(wait)
    }

    /// Counts a failure of a system and opens its breaker where there were too many in a row.
    pub(super) fn failed(
        &mut self,
        system: SystemIx,
        failure: &Failure,
        scenario: Option<ScenarioIx>,
    ) {
        let now = self.world.now();
        let default = plan_breaker();
        let breaker = scenario
            .and_then(|s| self.program.plan.scenarios.get(s as usize))
            .map_or(default, |s| s.breaker);
        let until_idle = self.options.until_idle;
        let state = &mut self.systems[system as usize];
        state.failures = state.failures.saturating_add(1);
        state.error = Some(with_remedy(&failure.message, failure.remedy.as_deref()));
        state.auth = failure.class == FailureClass::Auth;
        let settled = matches!(failure.class, FailureClass::Auth | FailureClass::Setup);
        if settled {
            // Nothing but a person changes this: no use in trying on.
            state.failures = state.failures.max(PATIENCE);
        }
        if settled {
            let (since, tries) = state.paused.unwrap_or((now, 0));
            let pause = breaker.pause.times(1 << tries.min(20)).min(PAUSE_MOST);
            state.paused = Some((since, tries + 1));
            state.open_until = Some(now + pause.max(breaker.pause));
            if tries == 0 {
                let alert = Alert::Paused {
                    system: self.program.system_name(system),
                    error: state.error.as_deref().unwrap_or_default(),
                };
                self.observer.alert(&alert);
            }
        } else if (state.open_until.is_some() || state.failures >= breaker.failures) && !until_idle
        {
            // One that is tried shows by one call that it is not up, whatever the patience of the
            // scenario that tried it.
            let until = now + breaker.pause;
            state.open_until = Some(until);
            state.tries.down();
            // What it was paused for is mended, as a person said, and this is something else.
            state.paused.take_if(|(_, tries)| *tries == 0);
            if state.paused.is_none() && state.down.is_none() {
                state.down = Some(now);
                let alert = Alert::Down {
                    system: self.program.system_name(system),
                    error: state.error.as_deref().unwrap_or_default(),
                    until,
                };
                self.observer.alert(&alert);
            }
        }
        if let FailureClass::Retry {
            after_ms: Some(asked),
        } = failure.class
        {
            state.rest_until = state.rest_until.max(Some(now + Millis(asked)));
        }
    }

    /// Whether a write is that of what waits, as it waits now.
    pub(super) fn is_of(&self, (write, request): (&Write, &WriteRequest), there: &Waiting) -> bool {
        match &write.idempotency {
            Idempotency::Key(key) => *key == key_of(there),
            Idempotency::Version(version) => {
                let scenario = self.program.scenario_ix(&there.scenario);
                *version == there.version && scenario == Some(request.scenario)
            }
        }
    }

    /// Whether every system has nothing left to send, or is down.
    pub(super) fn nothing_more_to_send(&mut self) -> Stored<bool> {
        for i in 0..self.systems.len() {
            let name = self.program.system_name(i as SystemIx).to_owned();
            for priority in Priority::ALL {
                let next = self.store.next_due(&name, *priority, None)?;
                let sends = next.is_some_and(|due| due.0 < i64::MAX);
                if sends
                    && !self.given_up(i as SystemIx)
                    && !self.held_for_long(i as SystemIx, *priority)
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

fn plan_breaker() -> crate::plan::Breaker {
    crate::plan::Breaker {
        failures: 5,
        pause: Millis(30_000),
    }
}

pub(super) fn positions(names: &super::program::EntityProgram, fields: &[String]) -> Vec<FieldIx> {
    fields.iter().filter_map(|f| names.field(f)).collect()
}

fn key_of(waiting: &Waiting) -> String {
    idempotency_key(
        &waiting.scenario,
        &waiting.entity,
        &waiting.key,
        waiting.version,
        &waiting.system,
    )
}

/// The key of a write (see [`Idempotency`]).
pub fn idempotency_key(
    scenario: &str,
    entity: &str,
    key: &str,
    version: u64,
    destination: &str,
) -> String {
    use sha2::{Digest, Sha256};
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut hash = Sha256::new();
    for part in [scenario, entity, key, destination] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(version.to_be_bytes());
    let mut out = String::with_capacity(32);
    for byte in hash.finalize().iter().take(16) {
        // A nibble is less than 16.
        out.push(HEX[usize::from(byte >> 4)] as char);
        out.push(HEX[usize::from(byte & 15)] as char);
    }
    out
}
