//! What goes out to each system and when: calls of runs queue here, waiting writes are taken from
//! the outbox, and both are let through in order of priority as far as the system's limits go.
//!
//! Each system has a queue of its own, so that one that is slow or down holds up nothing but
//! itself. What is spent of a limit is durable before the call goes out.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::batch::{ActiveRun, Phase};
use super::called::{Called, Keys};
use super::filling::Fills;
use super::limits::{Claimed, Held, Kind, Limits};
use super::ports::{
    Answer, Call, EntityIx, RunStatus, ScenarioIx, Stored, SystemIx, Waiting, Write, WriteRequest,
};
use super::runner::{Errand, Runner};
use crate::failpoint::{Point, reach};
use crate::terms::Priority;
use crate::time::{Instant, Millis};

/// Waits longer than this end an until-idle round, and make a run *partial*.
const LONG: Millis = Millis(60_000);

/// A call of a run that waits for its turn.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub errand: Errand,
    pub call: Call,
    /// The commit it follows from, which has to be durable first (see [`super::ports::Store::durable`]).
    pub after: u64,
    /// Whether further chunks of its run add to it.
    pub fills: Fills,
}

/// Writes of a batch up to which the outbox is read ahead, and how many are then read.
const FEW: usize = 100;
const AHEAD: usize = 1_000;

/// Of the calls to a system at most so many go out one after the other before a lower priority
/// has a turn.
const PASSES: u32 = 19;

/// What is known of a system's outbox while calls are let out of its queue.
#[derive(Debug, Clone, Copy, Default)]
struct Outbox {
    /// Whether anything waits.
    waits: bool,
    /// By priority, whether nothing more is due.
    dry: [bool; Priority::ALL.len()],
}

/// A call that may go: what for, what it is to the limits, and the call.
type Ready = (Errand, (Kind, u64), Call);

/// The way to one system.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub limits: Limits,
    /// Calls of runs by priority.
    pub(super) queue: [VecDeque<Queued>; Priority::ALL.len()],
    /// Calls under way.
    under_way: u32,
    /// Keys of records whose writes of the outbox are under way, by entity. Only asked, never listed.
    records: BTreeMap<EntityIx, HashSet<String>>,
    /// Batches of runs that are under way.
    called: Vec<Called>,
    /// By priority, due writes of the outbox (entity and key) in the order in which they go out,
    /// read ahead for systems that take few at a time. Only the order is taken from here: each is
    /// looked at again when it goes.
    ahead: [VecDeque<(String, String)>; Priority::ALL.len()],
    /// Whether a call of a run went last, so that it is the outbox's turn.
    run_went: bool,
    /// Whether a page of a run in the priority of consent went last, so that it is the turn of
    /// whatever else waits.
    page_went: bool,
    /// Calls that went since a lower priority had its turn, those of consent left out.
    passed: u32,
    /// Turns that lower priorities had.
    turns: u32,
    /// Until when the limits hold the first that they hold.
    held_until: Option<Instant>,
    /// Whether anything was spent that is not durable yet.
    spent: bool,
}

impl Gate {
    pub fn new(limits: Limits) -> Self {
        Gate {
            limits,
            queue: std::array::from_fn(|_| VecDeque::new()),
            under_way: 0,
            records: BTreeMap::new(),
            called: Vec::new(),
            ahead: std::array::from_fn(|_| VecDeque::new()),
            run_went: false,
            page_went: false,
            passed: 0,
            turns: 0,
            held_until: None,
            spent: false,
        }
    }

    /// Whether a call is under way.
    pub fn busy(&self) -> bool {
        self.under_way > 0
    }

    /// Whether a write of a record is under way.
    fn is_under_way(&self, entity: EntityIx, key: &str) -> bool {
        let keys = self.records.get(&entity);
        let mut called = self.called.iter().filter(|c| c.entity == entity);
        keys.is_some_and(|keys| keys.contains(key)) || called.any(|c| c.keys.has(key))
    }

    /// A write of the outbox is under way no longer.
    pub(super) fn settled(&mut self, entity: EntityIx, key: &str) {
        if let Some(keys) = self.records.get_mut(&entity) {
            keys.remove(key);
            if keys.is_empty() {
                self.records.remove(&entity);
            }
        }
    }

    /// Whether a write of any of these records is under way.
    fn any_under_way(&self, entity: EntityIx, writes: &[Write]) -> bool {
        let keys = self.records.get(&entity);
        let mut called = self.called.iter().filter(|c| c.entity == entity);
        keys.is_some_and(|keys| writes.iter().any(|w| keys.contains(&*w.key)))
            || called.any(|c| c.keys.has_any(writes))
    }

    /// How many records have a write under way.
    fn records_under_way(&self) -> usize {
        let called = self.called.iter().map(|c| c.keys.len());
        self.records.values().map(HashSet::len).sum::<usize>() + called.sum::<usize>()
    }

    /// Whether the next call of runs in the priority of consent is a page, and one went last.
    fn page_waits_its_turn(&self) -> bool {
        let next = self.queue[Priority::Consent as usize].front();
        self.page_went && next.is_some_and(|q| matches!(q.errand, Errand::RunRead(_)))
    }

    fn queued(&self) -> bool {
        self.queue.iter().any(|q| !q.is_empty())
    }
}

/// Where the spending of a system is kept.
fn spent_key(system: &str) -> String {
    format!("spent:{system}")
}

impl Runner<'_> {
    /// What earlier runners spent of each limit.
    pub(super) fn recall_spent(&mut self) -> Stored<()> {
        for (i, gate) in self.gates.iter_mut().enumerate() {
            if gate.limits.any()
                && let Some(text) = self
                    .store
                    .meta(&spent_key(&self.program.plan.systems[i].name))?
            {
                gate.limits.recall(&text);
            }
        }
        Ok(())
    }

    /// Puts a call of a run into its system's queue.
    pub(super) fn queue(&mut self, scenario: ScenarioIx, system: SystemIx, queued: Queued) {
        let priority = self.priority(scenario);
        self.gates[system as usize].queue[priority as usize].push_back(queued);
    }

    pub(super) fn priority(&self, scenario: ScenarioIx) -> Priority {
        let plan = self.program.plan.scenarios.get(scenario as usize);
        plan.map_or(Priority::Normal, |s| s.priority)
    }

    /// Lets out of every queue what may go.
    pub(super) fn dispatch(&mut self) -> Stored<()> {
        if self.world.stopping() {
            return Ok(());
        }
        loop {
            let settles = !self.runs_can_move();
            if settles {
                // There is nothing else to do while the disk is waited for.
                self.store.settle()?;
            }
            for i in 0..self.gates.len() {
                let system = i as SystemIx;
                self.leave_queued_of_down(system)?;
                let held = self.let_out(system)?;
                for (run, held) in held {
                    self.cut_short(run, system, &held)?;
                }
            }
            // A batch that is not durable yet fills no more, which may leave a run no room: then too
            // there is nothing else to do, and nobody would say when the disk is done.
            if settles || self.runs_can_move() {
                return Ok(());
            }
        }
    }

    /// Lets out what may go to systems for which chunks queue, before further ones are worked out, so
    /// that the systems do not wait for that. What a limit holds is told of by [`Self::dispatch`].
    pub(super) fn dispatch_chunks(&mut self) -> Stored<()> {
        let works = |run: &ActiveRun| matches!(run.phase, Phase::Write(_));
        if self.world.stopping() || !self.runs.iter().any(works) {
            return Ok(());
        }
        let chunk = |queued: &Queued| {
            queued.fills != Fills::Waiting && matches!(queued.errand, Errand::RunWrite(..))
        };
        for i in 0..self.gates.len() {
            let system = i as SystemIx;
            self.leave_queued_of_down(system)?;
            if self.gates[i].queue.iter().flatten().any(chunk) {
                self.let_out(system)?;
            }
        }
        Ok(())
    }

    /// Lets out of a system's queue what may go; gives the runs that a limit holds for long.
    pub(super) fn let_out(&mut self, system: SystemIx) -> Stored<Vec<(i64, Held)>> {
        let at = system as usize;
        let mut out = Vec::new();
        let mut held = Vec::new();
        self.gates[at].held_until = None;
        self.look()?;
        self.durable = self.store.durable()?;
        let mut outbox = self.outbox(system)?;
        let waits = outbox.waits || self.given_up(system);
        while let Some((errand, kind, call)) = self.next_call(system, &mut outbox, &mut held)? {
            let errand_of_run = matches!(errand, Errand::RunWrite(..));
            let now = self.world.now();
            let gate = &mut self.gates[at];
            gate.limits.spend(now, kind);
            gate.spent |= gate.limits.any();
            gate.under_way += 1;
            gate.run_went = !matches!(errand, Errand::Send(_));
            if let Call::Write(request) = &call {
                let (entity, _) = self.program.map_ends(request.map);
                let now = now.0.saturating_mul(1_000);
                let at = (errand_of_run && !waits).then_some(now);
                if errand_of_run {
                    let keys = Keys::of(&request.writes);
                    gate.called.push(Called { entity, keys, at });
                } else {
                    let keys = request.writes.iter().map(|w| w.key.to_string());
                    gate.records.entry(entity).or_default().extend(keys);
                }
                for write in request.writes.iter().filter(|_| at.is_none()) {
                    self.calls.note((system, entity), write, now);
                }
            }
            out.push((errand, call));
        }
        self.store.end_reading()?;
        self.keep_spent(system)?;
        for (errand, call) in out {
            reach(Point::CallSpent);
            self.call(system, errand, call);
        }
        self.world.calls_go();
        Ok(held)
    }

    fn outbox(&mut self, system: SystemIx) -> Stored<Outbox> {
        let name = &self.program.plan.systems[system as usize].name;
        let waits = self.store.waiting_since(name)?.is_some();
        Ok(Outbox {
            waits: waits && !self.given_up(system),
            ..Outbox::default()
        })
    }

    /// What is spent becomes durable, so that no restart spends it twice.
    pub(super) fn keep_spent(&mut self, system: SystemIx) -> Stored<()> {
        let gate = &mut self.gates[system as usize];
        if std::mem::take(&mut gate.spent) {
            let key = spent_key(&self.program.plan.systems[system as usize].name);
            self.store.set_meta(&key, &gate.limits.print())?;
        }
        Ok(())
    }

    /// The next call that may go to a system: by priority, but one in [`PASSES`] and one is that of
    /// a lower priority, so that none waits for ever. Consent goes before all of them, but for pages
    /// that are read to look for it: a reconcile has thousands of them, and nothing to tell yet.
    fn next_call(
        &mut self,
        system: SystemIx,
        outbox: &mut Outbox,
        held: &mut Vec<(i64, Held)>,
    ) -> Stored<Option<Ready>> {
        let at = system as usize;
        let now = self.world.now();
        if !self.systems[at].can_be_called(now) {
            return Ok(None);
        }
        // A system that was down is tried with one call.
        let probes = self.systems[at].open_until.is_some();
        let mut claimed = Claimed::default();
        let most = self.gates[at].limits.room(Priority::Consent);
        if self.gates[at].under_way >= most {
            let in_hand = self.may_take_in_hand(system, probes, outbox);
            let takes = self.gates[at].under_way < most + in_hand;
            let next = takes.then(|| self.next_in_hand(system, &mut claimed, held));
            return Ok(next.flatten());
        }
        for priority in Priority::ALL.iter().copied() {
            let room = self.gates[at].limits.room(priority);
            let room = if probes { 1 } else { room };
            if self.gates[at].under_way >= room {
                break;
            }
            if priority == Priority::Consent
                && self.gates[at].page_waits_its_turn()
                && let Some(found) = self.next_beside_pages(system, outbox, claimed, held)?
            {
                return Ok(Some(found));
            }
            if priority == Priority::Intent
                && self.gates[at].passed >= PASSES
                && let Some(found) = self.next_of_lower(system, outbox, claimed, held)?
            {
                return Ok(Some(found));
            }
            let found = self.next_by(system, priority, outbox, &mut claimed, held)?;
            if found.is_some() {
                let consent = priority == Priority::Consent;
                let page = matches!(found, Some((Errand::RunRead(_), _, _)));
                self.gates[at].passed += u32::from(!consent);
                self.gates[at].page_went = consent && page;
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Calls that the world may take in hand while as many as may be are under way: only where all is
    /// well and nothing else waits for the system, which would come after them.
    fn may_take_in_hand(&self, system: SystemIx, probes: bool, outbox: &Outbox) -> u32 {
        let lower_turn = self.gates[system as usize].passed >= PASSES;
        let fails = self.systems[system as usize].failures > 0;
        match probes || outbox.waits || fails || lower_turn {
            true => 0,
            false => self.world.in_hand(system),
        }
    }

    /// A batch of a run, where one is the first that queues for a system.
    fn next_in_hand(
        &mut self,
        system: SystemIx,
        claimed: &mut Claimed,
        held: &mut Vec<(i64, Held)>,
    ) -> Option<Ready> {
        let gate = &self.gates[system as usize];
        let mut queues = Priority::ALL.iter().copied();
        let priority = queues.find(|p| !gate.queue[*p as usize].is_empty())?;
        let at = self.first_queued(system as usize, priority)?;
        let queued = self.gates[system as usize].queue[priority as usize].get(at)?;
        if !matches!(queued.errand, Errand::RunWrite(..)) {
            return None;
        }
        let found = self.next_of_runs(system, priority, claimed, held)?;
        let gate = &mut self.gates[system as usize];
        gate.passed += u32::from(priority != Priority::Consent);
        gate.page_went = false;
        Some(found)
    }

    /// What goes between two pages of runs in the priority of consent: its writes, else a call of
    /// the priorities below, if there is any.
    fn next_beside_pages(
        &mut self,
        system: SystemIx,
        outbox: &mut Outbox,
        claimed: Claimed,
        held: &mut Vec<(i64, Held)>,
    ) -> Stored<Option<Ready>> {
        let at = system as usize;
        self.gates[at].page_went = false;
        let mut apart = claimed;
        if outbox.waits && !outbox.dry[Priority::Consent as usize] {
            let found = self.next_of_outbox(system, Priority::Consent, outbox, &mut apart)?;
            if let Some(request) = found {
                // The page has not had its turn by that.
                self.gates[at].page_went = true;
                let kind = self.kind_of(system, &request);
                return Ok(Some((Errand::Send(system), kind, Call::Write(request))));
            }
        }
        for priority in Priority::ALL.iter().copied().skip(1) {
            if self.gates[at].under_way >= self.gates[at].limits.room(priority) {
                break;
            }
            let found = self.next_by(system, priority, outbox, &mut apart, held)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The turn of the lower priorities, which those above them would else never leave one. What
    /// holds a lower one holds no higher one. It is over, whether or not one of them used it.
    fn next_of_lower(
        &mut self,
        system: SystemIx,
        outbox: &mut Outbox,
        claimed: Claimed,
        held: &mut Vec<(i64, Held)>,
    ) -> Stored<Option<Ready>> {
        let gate = &mut self.gates[system as usize];
        gate.passed = 0;
        gate.turns = gate.turns.wrapping_add(1);
        let lower = match gate.turns % 2 {
            1 => [Priority::Bulk, Priority::Normal],
            _ => [Priority::Normal, Priority::Bulk],
        };
        for priority in lower {
            let mut apart = claimed;
            let found = self.next_by(system, priority, outbox, &mut apart, held)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The next call of a priority; the outbox and the runs take turns.
    fn next_by(
        &mut self,
        system: SystemIx,
        priority: Priority,
        outbox: &mut Outbox,
        claimed: &mut Claimed,
        held: &mut Vec<(i64, Held)>,
    ) -> Stored<Option<Ready>> {
        let outbox_first = self.gates[system as usize].run_went;
        for of_outbox in [outbox_first, !outbox_first] {
            if of_outbox && outbox.waits && !outbox.dry[priority as usize] {
                let found = self.next_of_outbox(system, priority, outbox, claimed)?;
                if let Some(request) = found {
                    let kind = self.kind_of(system, &request);
                    return Ok(Some((Errand::Send(system), kind, Call::Write(request))));
                }
            } else if !of_outbox
                && let Some(found) = self.next_of_runs(system, priority, claimed, held)
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn next_of_outbox(
        &mut self,
        system: SystemIx,
        priority: Priority,
        outbox: &mut Outbox,
        claimed: &mut Claimed,
    ) -> Stored<Option<WriteRequest>> {
        let now = self.world.now();
        let kind = self.write_kind(system, 1);
        // A batch that turns out to be void leaves room for the next one.
        loop {
            if self.gates[system as usize].ahead[priority as usize].is_empty() {
                let name = &self.program.plan.systems[system as usize].name;
                let next = self.store.next_due(name, priority, None)?;
                if next.is_none_or(|due| due > now) {
                    outbox.dry[priority as usize] = true;
                    return Ok(None);
                }
            }
            let gate = &mut self.gates[system as usize];
            if let Err(held) = gate.limits.ask(now, kind, priority, *claimed) {
                claimed.by(&held);
                gate.hold(now, &held);
                return Ok(None);
            }
            let due = self.due_writes(system, priority, now, outbox)?;
            if due.is_empty() {
                outbox.dry[priority as usize] = true;
                return Ok(None);
            }
            let Some(request) = self.batch_of(system, due)? else {
                continue;
            };
            if request.job_calls > 0 {
                let kind = self.kind_of(system, &request);
                let gate = &mut self.gates[system as usize];
                if let Err(held) = gate.limits.ask(now, kind, priority, *claimed) {
                    claimed.by(&held);
                    gate.hold(now, &held);
                    return Ok(None);
                }
            }
            return Ok(Some(request));
        }
    }

    /// What is due of the outbox and not under way already. A record whose older write waits in
    /// the queue of a run overtakes it: the two become one.
    fn due_writes(
        &mut self,
        system: SystemIx,
        priority: Priority,
        now: Instant,
        outbox: &mut Outbox,
    ) -> Stored<Vec<Waiting>> {
        let job = self.job_due(system, priority, now)?;
        let limit = job.unwrap_or_else(|| self.batch_limit(system));
        let mut due = match limit {
            _ if job.is_some() => self.read_due(system, priority, now, limit)?,
            ..FEW => self.due_of_ahead(system, priority, now, limit)?,
            _ => self.read_due(system, priority, now, limit)?,
        };
        due.truncate(limit);
        if self.gates[system as usize].queued() && self.overtake(system, &due)? {
            // What was overtaken is due by its own priority.
            outbox.dry = Outbox::default().dry;
            let name = self.program.system_name(system).to_owned();
            for waiting in &mut due {
                let there = self.store.waiting(&name, &waiting.entity, &waiting.key)?;
                if let Some(there) = there {
                    *waiting = there;
                }
            }
        }
        Ok(due)
    }

    /// Due writes that are not under way, at least `wanted` where there are so many.
    fn read_due(
        &mut self,
        system: SystemIx,
        priority: Priority,
        now: Instant,
        wanted: usize,
    ) -> Stored<Vec<Waiting>> {
        let program = self.program;
        let gate = &self.gates[system as usize];
        let under_way = gate.records_under_way();
        let most = wanted + under_way;
        let name = program.system_name(system);
        let mut due = self.store.due_waiting(name, priority, now, most)?;
        if under_way > 0 {
            due.retain(|w| {
                let entity = program.entity(&w.entity);
                entity.is_none_or(|e| !gate.is_under_way(e, &w.key))
            });
        }
        Ok(due)
    }

    /// The same for few: which records come next is read ahead and kept, and each is looked at when
    /// it is its turn.
    fn due_of_ahead(
        &mut self,
        system: SystemIx,
        priority: Priority,
        now: Instant,
        wanted: usize,
    ) -> Stored<Vec<Waiting>> {
        let program = self.program;
        let mut due = Vec::new();
        let mut read = false;
        // Anew where something was written since, as when a batch was void.
        self.look()?;
        while due.len() < wanted {
            let gate = &mut self.gates[system as usize];
            let Some((entity, key)) = gate.ahead[priority as usize].pop_front() else {
                if read {
                    break;
                }
                read = true;
                let most = AHEAD + gate.records_under_way();
                let name = program.system_name(system);
                let more = self.store.due_records(name, priority, now, most)?;
                self.gates[system as usize].ahead[priority as usize].extend(more);
                continue;
            };
            let under_way = program
                .entity(&entity)
                .is_some_and(|e| gate.is_under_way(e, &key));
            let taken = |w: &Waiting| w.entity == entity && w.key == key;
            if under_way || due.iter().any(taken) {
                continue;
            }
            let there = self.waiting_of(system, &entity, &key)?;
            due.extend(there.filter(|w| w.due <= now && w.priority == priority));
        }
        Ok(due)
    }

    /// What waits for a record, from where it is kept at hand if it is: not any more then.
    fn waiting_of(&mut self, system: SystemIx, entity: &str, key: &str) -> Stored<Option<Waiting>> {
        let program = self.program;
        let name = program.system_name(system);
        let at_hand = program
            .entity(entity)
            .and_then(|e| self.recent.take_waiting(name, e, key));
        if at_hand.is_none() {
            return self.store.waiting(name, entity, key);
        }
        debug_assert_eq!(at_hand, self.store.waiting(name, entity, key)?);
        Ok(at_hand)
    }

    /// While a system is down its queued writes wait in the outbox, where newer ones replace them.
    fn leave_queued_of_down(&mut self, system: SystemIx) -> Stored<()> {
        let now = self.world.now();
        let down = !self.systems[system as usize].can_be_called(now) || self.given_up(system);
        match down {
            true => self.leave_queued(system, None),
            false => Ok(()),
        }
    }

    /// Queued writes (`only`: of that run) wait in the outbox from now on.
    fn leave_queued(&mut self, system: SystemIx, only: Option<i64>) -> Stored<()> {
        let now = self.world.now();
        let leaves = |queued: &Queued| match queued.errand {
            Errand::RunWrite(run, _) => only.is_none_or(|only| only == run),
            _ => false,
        };
        let mut left = VecDeque::new();
        for queue in &mut self.gates[system as usize].queue {
            let (mut out, kept) = std::mem::take(queue).into_iter().partition(leaves);
            left.append(&mut out);
            *queue = kept;
        }
        for queued in left {
            if let (Errand::RunWrite(run, _), Call::Write(request)) = (queued.errand, queued.call) {
                self.count_left(run, request.writes.len() as u64);
                self.leave_to_outbox(&request, None, now)?;
                self.batch_done(queued.errand);
            }
        }
        Ok(())
    }

    /// The runner goes: what queues is durable, and what was spent.
    pub(super) fn leave_all_queued(&mut self) -> Stored<()> {
        for i in 0..self.gates.len() {
            self.leave_queued(i as SystemIx, None)?;
            self.keep_spent(i as SystemIx)?;
        }
        Ok(())
    }

    pub(super) fn count_left(&mut self, run: i64, writes: u64) {
        if let Some(run) = self.runs.iter_mut().find(|r| r.record.id == run) {
            run.record.counts.postponed += writes;
        }
    }

    pub(super) fn batch_done(&mut self, errand: Errand) {
        if let Errand::RunWrite(run, chunks) = errand
            && let Some(run) = self.runs.iter_mut().find(|r| r.record.id == run)
        {
            run.batch_done(chunks);
        }
    }

    fn next_of_runs(
        &mut self,
        system: SystemIx,
        priority: Priority,
        claimed: &mut Claimed,
        held: &mut Vec<(i64, Held)>,
    ) -> Option<Ready> {
        let at = system as usize;
        let first = self.first_queued(at, priority)?;
        let next = self.gates[at].queue[priority as usize].get_mut(first)?;
        if next.after > self.durable {
            // It goes as soon as it is durable; what is added to it now would put that off.
            next.fills = Fills::Not;
            return None;
        }
        let queued = self.gates[at].queue[priority as usize].get(first)?;
        let kind = match &queued.call {
            Call::Write(request) => self.kind_of(system, request),
            _ => (Kind::Read, 1),
        };
        let now = self.world.now();
        let gate = &mut self.gates[at];
        let queued = gate.queue[priority as usize].get(first)?;
        // Writes of one record go out one after the other.
        if let Call::Write(request) = &queued.call {
            let (entity, _) = self.program.map_ends(request.map);
            if gate.any_under_way(entity, &request.writes) {
                return None;
            }
        }
        let errand = queued.errand;
        if let Err(wait) = gate.limits.ask(now, kind, priority, *claimed) {
            claimed.by(&wait);
            gate.hold(now, &wait);
            if let (Errand::RunRead(run) | Errand::RunWrite(run, _), true) =
                (errand, wait.until.since(now) > LONG)
            {
                held.push((run, wait));
            }
            return None;
        }
        let queued = gate.queue[priority as usize].remove(first)?;
        Some((queued.errand, kind, queued.call))
    }

    /// The first call of a queue whose run neither a person nor its window holds, and that no chunk is
    /// to fill up.
    fn first_queued(&self, at: usize, priority: Priority) -> Option<usize> {
        let queue = &self.gates[at].queue[priority as usize];
        let held = |id: i64| {
            let run = self.runs.iter().find(|r| r.record.id == id);
            run.is_some_and(|run| !self.in_window(run))
        };
        queue.iter().position(|queued| match queued.errand {
            Errand::RunRead(id) | Errand::RunWrite(id, _) => !held(id) && !self.still_fills(queued),
            Errand::Send(_) | Errand::Follow(_) => true,
        })
    }

    /// What a batch is to the limits, and how many of the vendor's calls.
    fn kind_of(&self, system: SystemIx, request: &WriteRequest) -> (Kind, u64) {
        match request.job_calls {
            0 => self.write_kind(system, request.writes.len()),
            calls => (Kind::Job, calls),
        }
    }

    /// The same of so many plain writes.
    fn write_kind(&self, system: SystemIx, writes: usize) -> (Kind, u64) {
        let plan = &self.program.plan.systems[system as usize];
        let calls = match plan.write_batch {
            None => 1,
            Some(batch) => (writes as u64).div_ceil(u64::from(batch.max(1))).max(1),
        };
        // Without an upsert a look-up comes first; files are written whole.
        let can = plan.capabilities;
        let each = match !can.upsert && can.read && plan.write_batch.is_some() {
            true => 2,
            false => 1,
        };
        (Kind::Write, calls * each)
    }

    /// A call has come back: there is room for another.
    pub(super) fn came_back(&mut self, system: SystemIx, errand: Errand, answer: &Answer) {
        if matches!(errand, Errand::Follow(_)) {
            return;
        }
        let now = self.world.now();
        let request = match answer {
            Answer::Written(request, _) | Answer::Failed(Some(request), _) => Some(request),
            _ => None,
        };
        let foreseen = request.map(|r| self.kind_of(system, r));
        // What the outbox sent is settled where it is confirmed.
        let settled = matches!(answer, Answer::Written(..)) && !matches!(errand, Errand::Send(_));
        let of_run = matches!(errand, Errand::RunWrite(..));
        let gate = &mut self.gates[system as usize];
        gate.under_way = gate.under_way.saturating_sub(1);
        // What the outbox sent stays under way until it is confirmed.
        let settles = of_run || !matches!(answer, Answer::Written(..));
        if let Some(request) = request.filter(|_| settles) {
            let (entity, _) = self.program.map_ends(request.map);
            // No record has two writes under way.
            let first = request.writes.first().filter(|_| of_run);
            let of_batch = |c: &Called| {
                c.entity == entity && first.is_some_and(|first| c.keys.has(&first.key))
            };
            let called = gate.called.iter().position(of_batch);
            let called = called.map(|at| gate.called.swap_remove(at));
            for write in request.writes.iter().filter(|_| !of_run) {
                gate.settled(entity, &write.key);
            }
            match called.and_then(|called| called.at) {
                Some(_) if settled => {}
                Some(at) => {
                    for write in &request.writes {
                        self.calls.note((system, entity), write, at);
                    }
                }
                None => {
                    for write in request.writes.iter().filter(|_| settled) {
                        self.calls.settle((system, entity), &write.key);
                    }
                }
            }
        }
        if let (Answer::Written(_, report), Some(foreseen)) = (answer, foreseen)
            && report.calls > foreseen.1
        {
            // More calls than foreseen were made: they count all the same.
            let (kind, calls) = foreseen;
            gate.limits.spend(now, (kind, report.calls - calls));
            gate.spent |= gate.limits.any();
        }
    }

    /// A quota is spent for a run's priority: the run is partial and says when it goes on. An
    /// until-idle round leaves it to a later one.
    fn cut_short(&mut self, id: i64, system: SystemIx, held: &Held) -> Stored<()> {
        let Some(at) = self.runs.iter().position(|r| r.record.id == id) else {
            return Ok(());
        };
        let scenario = self.runs[at].scenario;
        let note = format!(
            "`{}` of `{}` is spent as far as `{}` may: goes on at {}",
            held.limit,
            self.program.system_name(system),
            self.priority(scenario),
            self.program.zone.show(held.until)
        );
        let run = &mut self.runs[at];
        if run.left {
            return Ok(());
        }
        let before = run.record.goes_on.replace(held.until);
        if before.is_none() {
            run.noted = run.record.note.take();
            self.tallies
                .entry(scenario)
                .or_default()
                .notes
                .push(note.clone());
        }
        if before != Some(held.until) {
            run.record.status = RunStatus::Partial;
            run.record.note = Some(note);
            self.store.put_run(&run.record)?;
            self.keep_reading(at)?;
        }
        if self.options.until_idle {
            self.runs[at].left = true;
            self.leave_run(id)?;
        }
        Ok(())
    }

    /// A run waits for a later runner: its queued writes go to the outbox, its reads are dropped.
    fn leave_run(&mut self, id: i64) -> Stored<()> {
        for i in 0..self.gates.len() {
            self.leave_queued(i as SystemIx, Some(id))?;
            for queue in &mut self.gates[i].queue {
                queue.retain(|q| q.errand != Errand::RunRead(id));
            }
        }
        Ok(())
    }

    /// A run that was cut short has had an answer again.
    pub(super) fn goes_on(run: &mut ActiveRun) {
        // One that is left to a later runner stays as it was cut short, whatever still comes in.
        if !run.left && run.record.goes_on.take().is_some() {
            run.record.note = run.noted.take();
            run.record.status = match run.phase {
                Phase::Ask(_) | Phase::Reading(_) | Phase::Check => RunStatus::Reading,
                _ => RunStatus::Writing,
            };
        }
    }

    /// Whether what waits for a system is held for so long that an until-idle round leaves it.
    pub(super) fn held_for_long(&mut self, system: SystemIx, priority: Priority) -> bool {
        let kind = self.write_kind(system, 1);
        let now = self.world.now();
        let rests = self.systems[system as usize].rest_until;
        if rests.is_some_and(|until| until.since(now) > LONG) {
            return true;
        }
        let limits = &mut self.gates[system as usize].limits;
        let asked = limits.ask(now, kind, priority, Claimed::default());
        asked.is_err_and(|held| held.until.since(now) > LONG)
    }

    /// When something that waits for a system may go, as far as the clock decides it.
    pub(super) fn next_dispatch(&mut self, system: SystemIx) -> Stored<Option<Instant>> {
        let now = self.world.now();
        let at = system as usize;
        let gate = &self.gates[at];
        let rests = self.systems[at]
            .resting_until()
            .filter(|until| *until > now);
        let mut soonest = gate.held_until;
        if gate.queued() {
            soonest = sooner(soonest, rests);
        }
        if self.given_up(system) {
            return Ok(soonest);
        }
        let name = self.program.system_name(system).to_owned();
        for priority in Priority::ALL {
            // What is due and did not go waits for an answer, a limit or a rest. What comes after it
            // does not wait for it.
            let due = match rests {
                Some(rests) => {
                    let due = self.store.next_due(&name, *priority, None)?;
                    due.map(|due| due.max(rests))
                }
                None => self.store.next_due(&name, *priority, Some(now))?,
            };
            soonest = sooner(soonest, due);
        }
        Ok(soonest)
    }
}

impl Gate {
    /// What the limits hold is asked anew.
    pub(super) fn forget_hold(&mut self) {
        self.held_until = None;
    }

    fn hold(&mut self, now: Instant, held: &Held) {
        if held.until > now {
            self.held_until = sooner(self.held_until, Some(held.until));
        }
    }
}

fn sooner(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
