//! What has arrived of the outbox's writes is confirmed, many in one transaction: the write waits no
//! longer, and the register knows what the system holds.
//!
//! A transaction costs what it costs whether it confirms one write or hundreds. While many calls
//! are under way, so that the next answers come in a moment, arrivals gather for a few
//! milliseconds. Until then their records count as under way. May know the outbox and registers;
//! must not know how calls are let out.

use std::num::NonZeroUsize;

use super::books::{Books, put};
use super::handed::Settled;
use super::letters::Given;
use super::outbox::BATCH;
use super::ports::{EntityIx, Idempotency, Stored, SystemIx, Write, WriteReport, WriteRequest};
use super::register::{How, Known};
use super::runner::Runner;
use crate::failpoint::{Point, reach};
use crate::time::{Instant, Millis};

/// Writes that gather at most, and for how long.
const GATHERED: usize = 512;
const GATHER_FOR: Millis = Millis(10);
/// Calls under way from which on arrivals gather.
pub(super) const CROWD: usize = 16;

/// What has arrived and is not confirmed yet, in the order in which it arrived.
#[derive(Default)]
pub(super) struct Arrivals {
    all: Vec<Arrival>,
    writes: usize,
}

/// A batch of the outbox that a system took, with what it said.
pub(super) struct Arrival {
    system: SystemIx,
    /// When.
    at: Instant,
    request: WriteRequest,
    report: WriteReport,
}

impl Arrivals {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        !self.all.is_empty()
    }

    /// Until when they may wait for others.
    pub fn wait_until(&self) -> Option<Instant> {
        self.all.first().map(|first| first.at + GATHER_FOR)
    }
}

impl Runner<'_> {
    /// A batch of the outbox that a system took: it is up, and may be given wider ones again.
    pub(super) fn arrived(&mut self, system: SystemIx, request: WriteRequest, report: WriteReport) {
        self.is_up(system, true);
        let widest = self.program.plan.systems[system as usize].write_batch;
        let widest = widest.map_or(BATCH, |b| b as usize);
        let state = &mut self.systems[system as usize];
        let wider = state.narrow.map(|n| n.saturating_mul(2));
        state.narrow = wider.filter(|n| *n < widest);
        self.arrivals.writes += request.writes.len();
        self.arrivals.all.push(Arrival {
            system,
            at: self.world.now(),
            request,
            report,
        });
    }

    /// Whether what has arrived waits for more to be confirmed along with it. Runs ask what is known
    /// of records, and so find everything confirmed.
    pub(super) fn gathers(&self) -> bool {
        let crowd = self.options.crowd.map_or(CROWD, NonZeroUsize::get);
        let now = self.world.now();
        let until = self.arrivals.wait_until();
        self.errands.len() >= crowd
            && self.runs.is_empty()
            && self.arrivals.writes < GATHERED
            // A clock that was set back is no reason to wait.
            && until.is_some_and(|until| until > now && until <= now + GATHER_FOR)
    }

    /// Notes what has arrived, all in one transaction.
    pub(super) fn confirm(&mut self) -> Stored<()> {
        if !self.arrivals.any() {
            return Ok(());
        }
        self.begin()?;
        let owes = self.confirm_all()?;
        // What only says that something arrived may be forgotten with a lost power supply: it is
        // sent once more then, under the same key. What is owed anew goes out under a key of its
        // own, which has to stand for the same content ever after.
        reach(Point::SendConfirming);
        match owes {
            true => self.store.commit()?,
            false => self.store.commit_later()?,
        }
        reach(Point::SendConfirmed);
        Ok(())
    }

    /// The same in the open transaction. Says whether anything is owed anew.
    pub(super) fn confirm_all(&mut self) -> Stored<bool> {
        let mut owes = false;
        for arrival in std::mem::take(&mut self.arrivals).all {
            owes |= self.confirm_one(&arrival)?;
        }
        Ok(owes)
    }

    /// Says whether anything is owed anew.
    fn confirm_one(&mut self, arrival: &Arrival) -> Stored<bool> {
        let program = self.program;
        let (system, request) = (arrival.system, &arrival.request);
        let (entity, _) = program.map_ends(request.map);
        let entity_name = &program.entities[entity as usize].name;
        let name = program.system_name(system);
        let mut contested = Vec::new();
        for (i, write) in request.writes.iter().enumerate() {
            let calls = self.calls.settle((system, entity), &write.key);
            let tries = &mut self.systems[system as usize].tries;
            tries.settled(entity, &write.key);
            self.gates[system as usize].settled(entity, &write.key);
            if let Some((_, words)) = arrival.report.rejected.iter().find(|(at, _)| *at == i) {
                self.tally(request.scenario).counts.failed += 1;
                let waiting = self.store.waiting(name, entity_name, &write.key)?;
                if let Some(waiting) = waiting.filter(|w| self.is_of((write, request), w)) {
                    self.store.take_waiting(
                        name,
                        entity_name,
                        &write.key,
                        waiting.version,
                        None,
                    )?;
                    let given = Given {
                        scenario: request.scenario,
                        attempts: waiting.attempts + 1,
                        since: waiting.since,
                        write,
                    };
                    self.bury(system, entity, &given, words)?;
                }
                continue;
            }
            self.take_sent(system, entity, (write, request))?;
            self.clear_letter(system, entity, &write.key)?;
            self.tally(request.scenario).counts.written += 1;
            if self.note_arrived(system, entity, (write, &calls), arrival.at)? {
                contested.push(&*write.key);
            }
        }
        let mut books = Books::default();
        let mut office = self.office();
        for key in &contested {
            let record = (entity, *key);
            books.owe(&mut office, request.scenario, record, Some(system), false)?;
        }
        books.close(&mut office)?;
        self.count_calls(request.scenario, system, arrival.report.calls);
        Ok(!contested.is_empty())
    }

    /// A write that arrived waits no longer. A newer version that came in meanwhile does.
    fn take_sent(
        &mut self,
        system: SystemIx,
        entity: EntityIx,
        (write, request): (&Write, &WriteRequest),
    ) -> Stored<()> {
        let program = self.program;
        let (to, key) = (program.system_name(system), &write.key);
        let entity = &program.entities[entity as usize].name;
        let scenario = program.plan.scenarios.get(request.scenario as usize);
        if let Idempotency::Version(version) = &write.idempotency
            && let Some(scenario) = scenario
            && self
                .store
                .take_waiting(to, entity, key, *version, Some(&scenario.name))?
        {
            return Ok(());
        }
        let waiting = self.store.waiting(to, entity, key)?;
        if let Some(waiting) = waiting.filter(|w| self.is_of((write, request), w)) {
            self.store
                .take_waiting(to, entity, key, waiting.version, None)?;
        }
        Ok(())
    }

    /// A write has arrived: what the system tells of an earlier time is over from now on. Says
    /// whether the system reported another value while it was under way; which of the two it holds
    /// now nobody knows, so the write counts, and what is owed beyond it is sent once more.
    fn note_arrived(
        &mut self,
        system: SystemIx,
        entity: EntityIx,
        (write, calls): (&Write, &Settled),
        at: Instant,
    ) -> Stored<bool> {
        let program = self.program;
        // A clock may have been set back since.
        let at = at.min(self.world.now()).0.saturating_mul(1_000);
        let mut register = self.register(entity, &write.key)?;
        let view = register.view_mut(system);
        let mut contested = false;
        let mut changed = false;
        if let Some(gone) = view.gone.as_mut().filter(|g| g.sent.is_some()) {
            gone.sent = Some(at);
            changed = write.delete;
        }
        for (ix, value) in &write.fields {
            let Some(known) = view.field(*ix) else {
                continue;
            };
            // A newer value that waits already is not to be taken back.
            if known.value != *value && known.how.written() {
                continue;
            }
            let sent_at = if known.how.written() { known.at } else { at };
            let times = calls.times(*ix, known);
            contested |= known.value != *value;
            changed = true;
            let known = Known {
                value: value.clone(),
                at: sent_at,
                how: How::Arrived(at),
            };
            view.arrive(*ix, known, times);
        }
        if changed {
            let names = &program.entities[entity as usize];
            put(names, &mut *self.store, &write.key, &mut register)?;
        }
        Ok(contested)
    }
}
