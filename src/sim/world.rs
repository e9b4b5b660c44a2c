//! The engine's outside under virtual time.

use std::collections::BTreeMap;

use super::systems::{Applied, Asked, Driver, Outcome, Systems, Told};
use crate::catalog::Payload;
use crate::engine::ports::{
    Answer, Call, Decoder, EventPage, Failure, FailureClass, Stored, SystemIx, World as Outside,
    WriteReport, WriteRequest,
};
use crate::engine::program::Program;
use crate::engine::runner::{Observer, Options, Runner};
use crate::time::Instant;

/// Events in one read of a followed feed.
const EVENTS_AT_ONCE: usize = 5_000;
/// So many looks at a clock that stands are a fault.
const TURNS_MAX: u32 = 5_000;

/// A world under virtual time. The clock moves only in [`World::wait`](Outside::wait), straight to
/// the next thing that happens.
#[derive(Debug)]
pub struct World<D> {
    /// The systems.
    pub systems: Systems,
    /// What happens in them.
    pub driver: D,
    /// Whether a read of a feed is answered only once there is something to tell, as a stream
    /// does; else at once.
    pub patient: bool,
    /// Share of answers that come a second time, 0 to 1.
    pub repeats: f64,
    /// Calls to each system that it takes beyond those that it carries out at a time.
    pub in_hand: u32,
    /// What went wrong with the world itself: the runner turned without moving. It is stopped then.
    pub fault: Option<String>,
    pending: BTreeMap<(Instant, u64), Pending>,
    /// Answers that come once more.
    again: BTreeMap<(Instant, u64), (u64, Answer)>,
    /// Reads of feeds that wait for something to tell.
    listening: BTreeMap<SystemIx, (u64, Option<String>)>,
    /// When each of the calls that a system takes at a time is done.
    lanes: Vec<Vec<Instant>>,
    asked: u64,
    turns: u32,
}

#[derive(Debug)]
struct Pending {
    ticket: u64,
    system: SystemIx,
    call: Call,
    at: Instant,
    /// Until when a limit refuses it.
    limited: Option<Instant>,
}

impl<D: Driver> World<D> {
    /// A world of systems and what happens in them.
    pub fn new(systems: Systems, driver: D) -> Self {
        let lanes = systems.all.iter();
        let lanes = lanes.map(|s| vec![systems.now; s.manner.at_a_time.max(1) as usize]);
        World {
            lanes: lanes.collect(),
            systems,
            driver,
            patient: true,
            repeats: 0.0,
            in_hand: 0,
            fault: None,
            pending: BTreeMap::new(),
            again: BTreeMap::new(),
            listening: BTreeMap::new(),
            asked: 0,
            turns: 0,
        }
    }

    /// Runs a runner of a program in it, on its store, until it ends; an error is one of the store
    /// (a runner that was killed).
    pub fn run(
        &mut self,
        program: &Program,
        decoder: &dyn Decoder,
        observer: &mut dyn Observer,
        options: Options,
    ) -> Stored<()> {
        let mut store = self.systems.store.clone();
        Runner::new(program, &mut store, self, decoder, observer, options)?.run()
    }

    /// What a killed runner leaves behind: of the calls under way some are still carried out, and
    /// nobody hears of it.
    pub fn runner_died(&mut self) {
        self.listening.clear();
        self.again.clear();
        for (_, pending) in std::mem::take(&mut self.pending) {
            if self.systems.rng.bool() && !matches!(pending.call, Call::Events(_)) {
                let _ = self.answer(pending);
            }
        }
        for (lanes, system) in self.lanes.iter_mut().zip(&self.systems.all) {
            *lanes = vec![self.systems.now; system.manner.at_a_time.max(1) as usize];
        }
        self.turns = 0;
    }

    fn put(&mut self, done: Instant, pending: Pending) {
        self.asked += 1;
        self.pending.insert((done, self.asked), pending);
    }

    /// The position after which a feed is asked; answered when there is something, or at once.
    fn listen(&mut self, ticket: u64, system: SystemIx, position: Option<String>) {
        let now = self.systems.now;
        let there = self.systems.get(system);
        let waits = self.patient
            && position.is_some()
            && !there.locked
            && !there.down(now)
            && there.untold(position.as_deref()) == 0;
        if waits && !self.systems.stopping {
            self.listening.insert(system, (ticket, position));
            return;
        }
        self.read_feed(ticket, system, position);
    }

    /// Has a read of a feed answered at once.
    fn read_feed(&mut self, ticket: u64, system: SystemIx, position: Option<String>) {
        let now = self.systems.now;
        self.put(
            now,
            Pending {
                ticket,
                system,
                call: Call::Events(position),
                at: now,
                limited: None,
            },
        );
    }

    /// Answers the reads of feeds that have something to tell by now.
    fn wake_listeners(&mut self) {
        let now = self.systems.now;
        let stopping = self.systems.stopping;
        let due: Vec<SystemIx> = self
            .listening
            .iter()
            .filter(|(system, (_, position))| {
                let there = &self.systems.all[usize::from(**system)];
                stopping || there.untold(position.as_deref()) > 0 || there.down(now)
            })
            .map(|(system, _)| *system)
            .collect();
        for system in due {
            if let Some((ticket, position)) = self.listening.remove(&system) {
                self.read_feed(ticket, system, position);
            }
        }
    }

    fn answer(&mut self, pending: Pending) -> (u64, Answer) {
        let Pending {
            ticket,
            system,
            call,
            at,
            limited,
        } = pending;
        let now = self.systems.now;
        let (_, calls) = self.systems.get(system).manner.calls_of(&call);
        let (write, scenario, map, records) = match &call {
            Call::Events(position) => return (ticket, self.feed(system, position.as_deref())),
            Call::Read(request) => (false, None, request.map, 0),
            Call::Write(r) => (true, Some(r.scenario), r.map, r.writes.len()),
        };
        let mut asked = Asked {
            system,
            at,
            answered: now,
            write,
            scenario,
            map,
            calls,
            records,
            outcome: Outcome::Done,
        };
        let chance = self.systems.rng.f64();
        let answer = match self.fails(system, limited, chance) {
            Some((outcome, class, message)) => {
                asked.outcome = outcome;
                let unheard = matches!(outcome, Outcome::Failed)
                    && write
                    && !self.systems.get(system).down(now)
                    && self.systems.rng.f64() < self.systems.get(system).manner.loses_replies;
                let request = match call {
                    Call::Write(request) if unheard => {
                        asked.outcome = Outcome::Unheard;
                        match self.carry_out(system, (request, calls)) {
                            Answer::Written(request, _) | Answer::Failed(Some(request), _) => {
                                Some(request)
                            }
                            _ => None,
                        }
                    }
                    Call::Write(request) => Some(request),
                    Call::Read(_) | Call::Events(_) => None,
                };
                Answer::Failed(request, failure(class, &message))
            }
            None => match call {
                Call::Read(request) => {
                    let page = self.systems.get(system).read(&request, now);
                    asked.records = page.rows.len();
                    Answer::Page(page)
                }
                Call::Write(request) => {
                    let answer = self.carry_out(system, (request, calls));
                    if matches!(answer, Answer::Failed(..)) {
                        asked.outcome = Outcome::Refused;
                    }
                    answer
                }
                Call::Events(_) => Answer::Events(EventPage::default()),
            },
        };
        self.driver.answered(&asked);
        (ticket, answer)
    }

    fn fails(
        &mut self,
        system: SystemIx,
        limited: Option<Instant>,
        chance: f64,
    ) -> Option<(Outcome, FailureClass, String)> {
        let now = self.systems.now;
        let there = self.systems.get(system);
        let retry = |after_ms| FailureClass::Retry { after_ms };
        if there.down(now) {
            let message = format!("`{}` is down (503)", there.name);
            return Some((Outcome::Failed, retry(None), message));
        }
        if there.locked {
            let message = format!("`{}` refuses the credentials (401)", there.name);
            return Some((Outcome::Refused, FailureClass::Auth, message));
        }
        if let Some(until) = limited {
            let after = until.since(now).0;
            let message = format!("`{}` has no calls left (429)", there.name);
            return Some((Outcome::Limited, retry(Some(after)), message));
        }
        if chance < there.manner.failure {
            let message = format!("`{}` failed (500)", there.name);
            return Some((Outcome::Failed, retry(None), message));
        }
        None
    }

    fn feed(&mut self, system: SystemIx, position: Option<&str>) -> Answer {
        match self.fails(system, None, 1.0) {
            Some((_, class, message)) => Answer::Failed(None, failure(class, &message)),
            None => {
                let there = self.systems.get(system);
                Answer::Events(there.events(position, EVENTS_AT_ONCE))
            }
        }
    }

    fn carry_out(&mut self, system: SystemIx, (request, calls): (WriteRequest, u64)) -> Answer {
        let now = self.systems.now;
        let there = self.systems.get(system);
        let refuses = &there.manner.refuses;
        if request
            .writes
            .iter()
            .any(|w| refuses.whole.contains(&*w.key))
        {
            let failure = failure(FailureClass::Reject, "400 the batch is refused");
            return Answer::Failed(Some(request), failure);
        }
        if request
            .writes
            .iter()
            .any(|w| refuses.chokes.contains(&*w.key))
        {
            let class = FailureClass::Retry { after_ms: None };
            return Answer::Failed(Some(request), failure(class, "500"));
        }
        let mut report = WriteReport {
            rejected: Vec::new(),
            calls,
        };
        for (i, write) in request.writes.iter().enumerate() {
            let there = self.systems.get(system);
            match there.apply(&request, write, now) {
                Err(why) => report.rejected.push((i, why)),
                Ok(()) => {
                    let applied = Applied {
                        system,
                        map: request.map,
                        scenario: request.scenario,
                        write,
                        at: now,
                    };
                    self.driver.applied(&applied, &mut self.systems);
                    self.echo(system, &request, i);
                }
            }
        }
        Answer::Written(request, report)
    }

    /// The system tells of what was written there, as of any change.
    fn echo(&mut self, system: SystemIx, request: &WriteRequest, at: usize) {
        let write = &request.writes[at];
        let now = self.systems.now;
        let there = self.systems.get(system);
        if !there.manner.echoes {
            return;
        }
        let cells = there.cells(request.map, &write.key, &write.fields);
        let Ok(mut cells) = cells else { return };
        let columns = cells.keys().cloned().collect();
        let mut changed = now.0 * 1_000;
        if let Some(held) = there
            .held(request.map, &write.key)
            .filter(|_| !write.delete)
        {
            changed = held.changed;
            if there.manner.payload == Payload::Full {
                cells = held.cells.object();
            }
        }
        let told = Told {
            name: write.delete.then(|| "deleted".to_owned()),
            changed,
            own: true,
            columns,
        };
        self.systems
            .tell_change(system, request.map, &write.key, cells, told);
    }
}

fn failure(class: FailureClass, message: &str) -> Failure {
    Failure {
        class,
        message: message.into(),
        remedy: None,
    }
}

impl<D: Driver> Outside for World<D> {
    fn now(&self) -> Instant {
        self.systems.now
    }

    fn call(&mut self, ticket: u64, system: SystemIx, call: Call) {
        let now = self.systems.now;
        if let Call::Events(position) = call {
            return self.listen(ticket, system, position);
        }
        let chance = self.systems.rng.f64();
        let there = self.systems.get(system);
        let (what, calls) = there.manner.calls_of(&call);
        there.calls += calls;
        let takes = there.takes((what, calls), chance);
        let limited = there.meter.ask(now, what, calls).err();
        let hangs = there.hangs;
        let lanes = &mut self.lanes[usize::from(system)];
        let done = match lanes.iter_mut().min() {
            // A refusal by a limit takes no place.
            Some(lane) if limited.is_none() => {
                let start = (*lane).max(now);
                *lane = match hangs {
                    true => Instant(i64::MAX),
                    false => Instant(start.0.saturating_add(takes.0 as i64)),
                };
                *lane
            }
            _ => now,
        };
        self.put(
            done,
            Pending {
                ticket,
                system,
                call,
                at: now,
                limited,
            },
        );
    }

    fn wait(&mut self, until: Instant) -> Option<(u64, Answer)> {
        self.wake_listeners();
        let before = self.systems.now;
        let call = self.pending.keys().next().copied();
        let coming = self.systems.next();
        let act = self.driver.next();
        let again = self.again.keys().next().copied();
        let calls = call.into_iter().chain(again).map(|(at, _)| at);
        let soonest = calls.chain(coming).chain(act).min();
        if until > before {
            let next = soonest.map_or(until, |at| at.min(until));
            self.systems.now = before.max(next);
        }
        let now = self.systems.now;
        self.turns = if now > before { 0 } else { self.turns + 1 };
        if self.turns > TURNS_MAX && !self.systems.stopping {
            self.fault = Some("the runner turns without moving".to_owned());
            self.systems.stopping = true;
        }
        if let Some(slot) = call.filter(|(at, _)| *at <= now && Some(*at) == soonest) {
            let pending = self.pending.remove(&slot)?;
            self.turns = 0;
            let (ticket, answer) = self.answer(pending);
            if self.repeats > 0.0 && self.systems.rng.f64() < self.repeats {
                self.asked += 1;
                let later = Instant(now.0 + self.systems.rng.i64(0..10_000));
                self.again
                    .insert((later, self.asked), (ticket, answer.clone()));
            }
            return Some((ticket, answer));
        }
        if let Some(slot) = again.filter(|(at, _)| *at <= now && Some(*at) == soonest) {
            return self.again.remove(&slot);
        }
        if coming.is_some_and(|at| at <= now && Some(at) == soonest) {
            self.turns = 0;
            self.systems.arrive();
            self.wake_listeners();
            return None;
        }
        if act.is_some_and(|at| at <= now) {
            self.turns = 0;
            self.driver.act(&mut self.systems);
        }
        None
    }

    fn in_hand(&self, _: SystemIx) -> u32 {
        self.in_hand
    }

    fn random(&mut self) -> f64 {
        self.systems.rng.f64()
    }

    fn stopping(&self) -> bool {
        self.systems.stopping
    }
}
