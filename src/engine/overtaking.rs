//! Writes of one record of which the newer would go out first, where the older one queues for a run:
//! both wait in the outbox then, where they become one. Of one record nothing older is ever written
//! after something newer.
//!
//! Must not know how calls are let out (see [`super::dispatch`]).

use std::collections::BTreeSet;

use super::batch::ActiveRun;
use super::filling::Fills;
use super::ports::{Call, EntityIx, Stored, SystemIx, Waiting, Write, WriteRequest};
use super::runner::{Errand, Runner};

impl Runner<'_> {
    /// Takes older writes of records that are due out of the queues of runs and adds them to what
    /// waits; says whether there were any.
    pub(super) fn overtake(&mut self, system: SystemIx, due: &[Waiting]) -> Stored<bool> {
        let program = self.program;
        let keys: BTreeSet<(EntityIx, &str)> = due
            .iter()
            .filter_map(|w| Some((program.entity(&w.entity)?, &*w.key)))
            .collect();
        Ok(!self.leave_older(system, &keys, &|_| true)?.is_empty())
    }

    /// Before what a run owes goes into a system's queue: the queue keeps the order of writes, but
    /// other priorities may go first, and so may all others while a person or its window holds a
    /// scenario, which may come at any time. Where older writes of others queue there, both go to the
    /// outbox.
    pub(super) fn join_older(
        &mut self,
        run: &mut ActiveRun,
        system: SystemIx,
        request: &mut WriteRequest,
    ) -> Stored<()> {
        let program = self.program;
        let (entity, _) = program.map_ends(request.map);
        let mut any = false;
        for queued in self.gates[system as usize].queue.iter_mut().flatten() {
            if let Some((id, _, older)) = queued.of_run()
                && id != run.record.id
                && program.map_ends(older.map).0 == entity
            {
                any = true;
                // What is added to it now would be newer than what goes behind it.
                queued.fills = Fills::Not;
            }
        }
        if !any {
            return Ok(());
        }
        let keys = request.writes.iter().map(|w| (entity, &*w.key)).collect();
        let older = |older: &WriteRequest| older.scenario != run.scenario;
        let left = self.leave_older(system, &keys, &older)?;
        if left.is_empty() {
            return Ok(());
        }
        let writes = std::mem::take(&mut request.writes);
        let (joined, apart) = writes.into_iter().partition(|w| left.contains(&*w.key));
        request.writes = apart;
        let joined = WriteRequest {
            writes: joined,
            ..*request
        };
        run.record.counts.postponed += joined.writes.len() as u64;
        self.leave_to_outbox(&joined, None, self.world.now())
    }

    /// Queued writes of these records, if they are of such batches, wait in the outbox from now on;
    /// gives which they were.
    fn leave_older(
        &mut self,
        system: SystemIx,
        keys: &BTreeSet<(EntityIx, &str)>,
        of: &dyn Fn(&WriteRequest) -> bool,
    ) -> Stored<BTreeSet<String>> {
        let program = self.program;
        let mut taken = Vec::new();
        for queued in self.gates[system as usize].queue.iter_mut().flatten() {
            if let (Errand::RunWrite(run, _), Call::Write(request)) =
                (queued.errand, &mut queued.call)
                && of(request)
            {
                let (entity, _) = program.map_ends(request.map);
                let over = |w: &Write| keys.contains(&(entity, &w.key));
                if !request.writes.iter().any(over) {
                    continue;
                }
                let all = std::mem::take(&mut request.writes);
                let (older, rest) = all.into_iter().partition(over);
                request.writes = rest;
                let older = WriteRequest {
                    writes: older,
                    ..*request
                };
                taken.push((run, older));
            }
        }
        let now = self.world.now();
        let mut left = BTreeSet::new();
        for (run, request) in taken {
            self.count_left(run, request.writes.len() as u64);
            self.leave_to_outbox(&request, None, now)?;
            left.extend(request.writes.into_iter().map(|w| w.key.into()));
        }
        if !left.is_empty() {
            self.drop_empty(system);
        }
        Ok(left)
    }

    /// Batches of which nothing is left are done.
    fn drop_empty(&mut self, system: SystemIx) {
        let mut done = Vec::new();
        for queue in &mut self.gates[system as usize].queue {
            queue.retain(|queued| match &queued.call {
                Call::Write(request) if request.writes.is_empty() => {
                    done.push(queued.errand);
                    false
                }
                _ => true,
            });
        }
        for errand in done {
            self.batch_done(errand);
        }
    }
}
