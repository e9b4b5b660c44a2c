//! The outbox: what waits for each system goes out in batches, one at a time a system; failures
//! are tried again with exponential backoff and full jitter, poison becomes a dead letter, and a
//! system that is down is left alone without blaming the records.

use super::evaluate::forget;
use super::intake::load;
use super::ports::{
    Answer, Call, DeadLetter, EntityIx, Failure, FailureClass, FieldIx, ScenarioIx, Stored,
    SystemIx, Waiting, Write, WriteReport, WriteRequest,
};
use super::register_json;
use super::runner::{Errand, Runner};
use crate::time::{Instant, Millis};

/// Writes in a batch where neither scenario nor connector says.
const BATCH: usize = 1_000;
/// Until-idle runs give up on a system after so many failures in a row: it is down, what waits
/// stays durable for the next run.
const PATIENCE: u32 = 4;

impl Runner<'_> {
    /// Hands each idle system its next batch.
    pub(super) fn send_waiting(&mut self) -> Stored<()> {
        let now = self.world.now();
        for i in 0..self.systems.len() {
            let state = &self.systems[i];
            let open = state.open_until.is_some_and(|until| until > now);
            if state.sending || open || self.world.stopping() || self.given_up(i) {
                continue;
            }
            let system = i as SystemIx;
            let name = self.program.system_name(system).to_owned();
            let limit = self.batch_limit(system);
            let due = self.store.due_waiting(&name, now, limit)?;
            if let Some(request) = self.batch_of(system, due)? {
                self.systems[i].sending = true;
                self.call(system, Errand::Send(system), Call::Write(request));
            }
        }
        Ok(())
    }

    fn batch_limit(&self, system: SystemIx) -> usize {
        let batch = self.program.plan.systems[system as usize].write_batch;
        let batch = batch
            .map_or(BATCH * 10, |b| b as usize)
            .clamp(1, BATCH * 10);
        self.systems[system as usize]
            .narrow
            .unwrap_or(batch)
            .clamp(1, batch)
    }

    pub(super) fn given_up(&self, system: usize) -> bool {
        self.options.until_idle && self.systems[system].failures >= PATIENCE
    }

    /// The first record's entity and scenario make the batch; others wait for the next one.
    fn batch_of(&mut self, system: SystemIx, due: Vec<Waiting>) -> Stored<Option<WriteRequest>> {
        let Some(first) = due.first() else {
            return Ok(None);
        };
        let (entity_name, scenario_name) = (first.entity.clone(), first.scenario.clone());
        let program = self.program;
        let Some(entity) = program.entity(&entity_name) else {
            return self.drop_unknown(&due).map(|()| None);
        };
        let Some(map) = program.map_of(entity, system) else {
            return self.drop_unknown(&due).map(|()| None);
        };
        let scenario = program.scenario_ix(&scenario_name).unwrap_or_default();
        let mut writes = Vec::new();
        for waiting in due {
            if waiting.entity == entity_name && waiting.scenario == scenario_name {
                writes.push(self.write_of(system, entity, &waiting)?);
            }
        }
        Ok(Some(WriteRequest {
            map,
            scenario,
            writes,
        }))
    }

    /// What waits for an entity or a map that the present plan does not have stays until a plan
    /// that has it runs again; it only must not block the queue.
    fn drop_unknown(&mut self, due: &[Waiting]) -> Stored<()> {
        self.store.begin()?;
        for waiting in due {
            let later = Waiting {
                due: Instant(i64::MAX),
                ..waiting.clone()
            };
            self.store.put_waiting(&later)?;
        }
        self.store.commit()
    }

    fn write_of(&mut self, system: SystemIx, entity: EntityIx, waiting: &Waiting) -> Stored<Write> {
        let register = load(self, entity, &waiting.key)?;
        let program = &self.program.entities[entity as usize];
        let view = register.view(system);
        let mut fields = Vec::new();
        for name in &waiting.fields {
            let Some(ix) = program.field(name) else {
                continue;
            };
            if let Some(known) = view.and_then(|v| v.field(ix)) {
                fields.push((ix, known.value.clone()));
            }
        }
        fields.sort_by_key(|f| f.0);
        Ok(Write {
            key: waiting.key.clone(),
            native_key: view.and_then(|v| v.native_key.clone()),
            locator: None,
            fields,
            delete: waiting.delete,
            idempotency_key: idempotency_key(
                &waiting.scenario,
                &waiting.entity,
                &waiting.key,
                waiting.version,
                &waiting.system,
            ),
        })
    }

    /// An answer to a batch of the outbox.
    pub(super) fn sent(&mut self, system: SystemIx, answer: Answer) -> Stored<()> {
        self.systems[system as usize].sending = false;
        match answer {
            Answer::Written(request, report) => {
                let state = &mut self.systems[system as usize];
                state.failures = 0;
                state.error = None;
                state.open_until = None;
                state.narrow = None;
                self.confirm(system, &request, &report)
            }
            Answer::Failed(Some(request), failure) => self.postpone(system, &request, &failure),
            _ => Ok(()),
        }
    }

    fn confirm(
        &mut self,
        system: SystemIx,
        request: &WriteRequest,
        report: &WriteReport,
    ) -> Stored<()> {
        let program = self.program;
        let (entity, _) = program.map_ends(request.map);
        let entity_name = &program.entities[entity as usize].name;
        let name = program.system_name(system);
        self.store.begin()?;
        for (i, write) in request.writes.iter().enumerate() {
            if let Some((_, words)) = report.rejected.iter().find(|(at, _)| *at == i) {
                self.bury(system, entity, &write.key, words)?;
                self.tally(request.scenario).counts.failed += 1;
                continue;
            }
            // A newer version that came in meanwhile stays in the queue.
            let version = self.store.waiting(name, entity_name, &write.key)?;
            if let Some(waiting) = version {
                let sent = idempotency_key(
                    &waiting.scenario,
                    entity_name,
                    &write.key,
                    waiting.version,
                    name,
                );
                if sent == write.idempotency_key {
                    self.store
                        .take_waiting(name, entity_name, &write.key, waiting.version)?;
                }
            }
            self.store
                .clear_dead_letter(name, entity_name, &write.key)?;
            self.tally(request.scenario).counts.written += 1;
        }
        self.store.commit()?;
        self.count_calls(request.scenario, system, report.calls);
        Ok(())
    }

    pub(super) fn count_calls(&mut self, scenario: ScenarioIx, system: SystemIx, calls: u64) {
        let name = self.program.system_name(system).to_owned();
        *self.tally(scenario).calls.entry(name).or_default() += calls;
    }

    /// A batch that failed as a whole.
    fn postpone(
        &mut self,
        system: SystemIx,
        request: &WriteRequest,
        failure: &Failure,
    ) -> Stored<()> {
        let program = self.program;
        let (entity, _) = program.map_ends(request.map);
        self.count_calls(request.scenario, system, 1);
        if failure.class == FailureClass::Reject && request.writes.len() > 1 {
            // Split to find the record at fault; nobody waits for it.
            self.systems[system as usize].narrow = Some(request.writes.len() / 2);
            return Ok(());
        }
        let name = program.system_name(system);
        let entity_name = &program.entities[entity as usize].name;
        let outage = self.systems[system as usize].open_until.is_some();
        let limit = program
            .plan
            .scenarios
            .get(request.scenario as usize)
            .map_or(12, |s| s.retry.attempts);
        self.store.begin()?;
        for write in &request.writes {
            let Some(mut waiting) = self.store.waiting(name, entity_name, &write.key)? else {
                continue;
            };
            let attempt = waiting.attempts + u32::from(!outage);
            let fatal = failure.class == FailureClass::Reject || attempt >= limit;
            waiting.attempts = attempt;
            waiting.error = Some(failure.message.clone());
            waiting.due = self.next_attempt(request.scenario, attempt, failure);
            self.store.put_waiting(&waiting)?;
            if fatal {
                self.bury(system, entity, &write.key, &failure.message)?;
                self.tally(request.scenario).counts.failed += 1;
            }
        }
        self.store.commit()?;
        if failure.class != FailureClass::Reject {
            self.failed(system, failure, Some(request.scenario));
        }
        Ok(())
    }

    pub(super) fn next_attempt(
        &mut self,
        scenario: ScenarioIx,
        attempts: u32,
        failure: &Failure,
    ) -> Instant {
        let ceiling = self.program.backoff(scenario, attempts.max(1));
        // Full jitter: anywhere between nothing and the ceiling.
        let mut wait = (self.world.random() * ceiling.0 as f64) as u64;
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
        let default = crate::plan::Breaker {
            failures: 5,
            pause: Millis(30_000),
        };
        let breaker = scenario
            .and_then(|s| self.program.plan.scenarios.get(s as usize))
            .map_or(default, |s| s.breaker);
        let until_idle = self.options.until_idle;
        let state = &mut self.systems[system as usize];
        state.failures += 1;
        state.error = Some(match &failure.remedy {
            Some(remedy) => format!("{}; {remedy}", failure.message),
            None => failure.message.clone(),
        });
        let settled = matches!(failure.class, FailureClass::Auth | FailureClass::Setup);
        if settled {
            // Nothing but a person changes this: no use in trying on.
            state.failures = state.failures.max(PATIENCE);
        }
        if settled || (state.failures >= breaker.failures && !until_idle) {
            state.open_until = Some(now + breaker.pause);
        }
    }

    /// Gives a waiting write up: a dead letter keeps it, and the register forgets that the system
    /// was to hold it.
    pub(super) fn bury(
        &mut self,
        system: SystemIx,
        entity: EntityIx,
        key: &str,
        error: &str,
    ) -> Stored<()> {
        let program = self.program;
        let names = &program.entities[entity as usize];
        let name = program.system_name(system);
        let now = self.world.now();
        let Some(waiting) = self.store.waiting(name, &names.name, key)? else {
            return Ok(());
        };
        let mut register = load(self, entity, key)?;
        let fields: Vec<FieldIx> = waiting
            .fields
            .iter()
            .filter_map(|f| names.field(f))
            .collect();
        let view = register.view(system);
        let payload: serde_json::Map<_, _> = fields
            .iter()
            .filter_map(|f| {
                let known = view?.field(*f)?;
                Some((
                    names.fields[*f as usize].name.clone(),
                    known.value.to_json(),
                ))
            })
            .collect();
        self.store.put_dead_letter(&DeadLetter {
            id: 0,
            system: name.to_owned(),
            entity: names.name.clone(),
            key: key.to_owned(),
            scenario: waiting.scenario.clone(),
            payload: serde_json::Value::Object(payload).to_string(),
            error: error.to_owned(),
            attempts: waiting.attempts.max(1),
            first_at: waiting.since,
            last_at: now,
        })?;
        self.store
            .take_waiting(name, &names.name, key, waiting.version)?;
        forget(&mut register, system, &fields);
        register.version += 1;
        let doc = register_json::print(names, &register);
        self.store.put_record(&names.name, key, &doc)
    }

    /// Whether every system has nothing left to send, or is down.
    pub(super) fn nothing_more_to_send(&mut self) -> Stored<bool> {
        for i in 0..self.systems.len() {
            let name = self.program.system_name(i as SystemIx).to_owned();
            let next = self.store.next_due(&name)?;
            if next.is_some_and(|due| due.0 < i64::MAX) && !self.given_up(i) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Same effect, same key: a hash of scenario, record, version and destination.
pub fn idempotency_key(
    scenario: &str,
    entity: &str,
    key: &str,
    version: u64,
    destination: &str,
) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in [scenario, entity, key, destination] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(version.to_be_bytes());
    hash.finalize()
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect()
}
