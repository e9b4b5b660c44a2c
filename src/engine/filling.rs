//! Batches of a run that its next chunks fill up: a chunk seldom owes whole batches, and calls are
//! what systems count. Such a batch stays in its system's queue, where newer writes find it like any
//! other (see [`super::dispatch`]), until it is full or its run has no more to add.
//!
//! Must not know how calls are let out, nor what a chunk makes of its records.

use super::batch::{ActiveRun, Phase};
use super::chunk::CHUNKS_AHEAD;
use super::dispatch::Queued;
use super::ports::{Call, MapIx, Stored, SystemIx, WriteRequest};
use super::runner::{Errand, Runner};

/// Chunks over which one batch is filled at most: all of them are written once more where a runner
/// is killed before it is confirmed.
const OVER: u64 = 16;
/// Chunks that are not wholly confirmed at most, for the same reason.
const KEPT: u64 = 4 * OVER;
/// Writes up to which a batch is filled: it is kept in memory.
const FILLED: usize = 16_384;

/// The part of a whole batch that is worth a call of its own to a system that counts none.
const WORTH: usize = 4;

/// The chunks of a run from which the writes of one batch come, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    pub first: u64,
    pub last: u64,
}

impl Chunks {
    pub fn has(self, chunk: u64) -> bool {
        self.first <= chunk && chunk <= self.last
    }
}

/// Whether further chunks of its run add to a batch that queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fills {
    /// They do not.
    Not,
    /// While there is no room for it.
    Queueing,
    /// It waits for them.
    Waiting,
}

impl Queued {
    /// Of a batch of a run: the run, its chunks, and what is written.
    pub(super) fn of_run(&self) -> Option<(i64, Chunks, &WriteRequest)> {
        match (self.errand, &self.call) {
            (Errand::RunWrite(run, chunks), Call::Write(request)) => Some((run, chunks, request)),
            _ => None,
        }
    }
}

impl Runner<'_> {
    /// Takes the batch out of a system's queue that a run's next chunk may fill. There is none where
    /// another run has put writes of the same entity behind it (see [`super::overtaking`]).
    pub(super) fn take_filling(
        &mut self,
        run: &ActiveRun,
        (system, map): (SystemIx, MapIx),
    ) -> Option<(Chunks, WriteRequest)> {
        let priority = self.priority(run.scenario);
        let queue = &mut self.gates[system as usize].queue[priority as usize];
        let mine = |queued: &Queued| {
            let of_run = queued.of_run();
            of_run.is_some_and(|(id, _, request)| id == run.record.id && request.map == map)
        };
        let at = queue
            .iter()
            .rposition(|q| q.fills != Fills::Not && mine(q))?;
        match queue.remove(at)? {
            Queued {
                errand: Errand::RunWrite(_, chunks),
                call: Call::Write(request),
                ..
            } => Some((chunks, request)),
            _ => None,
        }
    }

    /// Whether a batch waits for further chunks of its run.
    pub(super) fn still_fills(&self, queued: &Queued) -> bool {
        let Some((id, ..)) = queued.of_run().filter(|_| queued.fills == Fills::Waiting) else {
            return false;
        };
        if self.at_work == Some(id) {
            return true;
        }
        self.runs.iter().any(|run| {
            run.record.id == id
                && matches!(run.phase, Phase::Write(_))
                // One that has as many as there may be has no more to add until this is done.
                && (run.chunks.len() as u64) < KEPT
                && !run.left
                && run.record.goes_on.is_none()
                && self.in_window(run)
        })
    }

    /// Whether it matters how many calls a system is sent. Whether a bulk job is worth its calls is
    /// told by what gathers.
    fn calls_count(&self, system: SystemIx) -> bool {
        let at = usize::from(system);
        self.gates[at].limits.any() || self.program.plan.systems[at].bulk.is_some()
    }

    /// Whether further chunks add to a batch of so many writes, of which so many fit. Where calls are
    /// not counted one that is worth a call goes as soon as there is room for it: its system would
    /// stand idle.
    pub(super) fn fills(
        &self,
        system: SystemIx,
        chunks: Chunks,
        (writes, limit): (usize, usize),
    ) -> Fills {
        if writes >= limit || limit > FILLED || chunks.last - chunks.first >= OVER {
            Fills::Not
        } else if writes < limit / WORTH || self.calls_count(system) {
            Fills::Waiting
        } else {
            Fills::Queueing
        }
    }

    /// Lets out what of earlier chunks has become durable, while a further one is worked out: systems
    /// would stand idle until that is done. A transaction is open, into which nothing of this may
    /// come: only where calls do not count, and nothing waits in the outbox.
    pub(super) fn let_out_meanwhile(&mut self) -> Stored<()> {
        if self.world.stopping() {
            return Ok(());
        }
        let durable = self.store.durable()?;
        for i in 0..self.gates.len() {
            let system = i as SystemIx;
            let goes = |queued: &Queued| {
                let of_run = queued.of_run().is_some() && queued.after <= durable;
                of_run && !self.still_fills(queued)
            };
            let queue = &self.gates[i].queue;
            if self.calls_count(system) || !queue.iter().flatten().any(goes) {
                continue;
            }
            let name = self.program.system_name(system);
            if self.store.waiting_since(name)?.is_none() {
                self.let_out(system)?;
            }
        }
        Ok(())
    }

    /// Whether a run may work out a further chunk, while those before it are written: as many are
    /// ahead as keep a system busy, counted by what goes out together.
    pub(super) fn has_room(&self, run: &ActiveRun) -> bool {
        let id = run.record.id;
        let under_way = self.errands.values().map(|(_, errand)| *errand);
        let queued = self
            .gates
            .iter()
            .flat_map(|gate| gate.queue.iter().flatten());
        let queued = queued
            .filter(|queued| queued.fills == Fills::Not)
            .map(|q| q.errand);
        let mut ahead: Vec<u64> = under_way
            .chain(queued)
            .filter_map(|errand| match errand {
                Errand::RunWrite(of, chunks) if of == id => Some(chunks.last),
                _ => None,
            })
            .collect();
        ahead.sort_unstable();
        ahead.dedup();
        ahead.len() < CHUNKS_AHEAD && (run.chunks.len() as u64) < KEPT
    }
}
