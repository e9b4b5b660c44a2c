//! The runner: takes events in, starts what is due, moves runs on, sends what waits.
//!
//! One thread owns the store. Calls to systems are handed to the [`World`] and come back as
//! answers, so a slow system holds up nothing but itself. Every step leaves the store in a state
//! from which a killed runner goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use super::batch::{ActiveRun, Phase};
use super::books::Office;
use super::clock::Ahead;
use super::confirm::Arrivals;
use super::decide::PAUSE;
use super::dispatch::Gate;
use super::due::StartClock;
use super::filling::Chunks;
use super::handed::Calls;
use super::limits::Limits;
use super::ports::{
    Answer, Call, Decoder, EntityIx, RunCounts, RunRecord, ScenarioIx, Store, StoreError, Stored,
    SystemIx, World,
};
use super::program::Program;
use super::recent::Recent;
use super::steps::{Cause, Step};
use super::tries::Tries;
use crate::failpoint::{Point, reach};
use crate::terms::Priority;
use crate::time::{Instant, Millis};

/// How a runner runs.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Run every scheduled scenario once, drain, end.
    pub until_idle: bool,
    /// Only these scenarios; empty: all.
    pub only: BTreeSet<ScenarioIx>,
    /// Records that a run works out at once; none: as many as suit a batch of a database.
    pub chunk: Option<NonZeroUsize>,
    /// Calls under way from which on what has arrived waits a moment to be confirmed together; none:
    /// as many as make a crowd.
    pub crowd: Option<NonZeroUsize>,
}

/// Hears of progress; for progress bars and logs.
pub trait Observer {
    /// Something moved on.
    fn progress(&mut self, at: &Progress<'_>);
    /// How everything stands after a step; asked for very often.
    fn standing(&mut self, _at: &Standing<'_>) {}

    /// Whether [`Observer::step`] is listened to, so that telling it is worth the while.
    fn follows_steps(&self) -> bool {
        false
    }
    /// Something began or ended.
    fn step(&mut self, _: &Step<'_>) {}

    /// Something happened that a person should hear of.
    fn alert(&mut self, _: &Alert<'_>) {}
    /// A run began, anew or where a killed runner left it.
    fn run_started(&mut self, _: &RunRecord) {}
    /// A run is over.
    fn run_ended(&mut self, _: &RunRecord) {}
}

/// What a runner has counted, and which systems it cannot reach.
pub struct Standing<'a> {
    program: &'a Program,
    tallies: &'a BTreeMap<ScenarioIx, Tally>,
    systems: &'a [SystemState],
    /// Whether the runner now waits for something, or ends: it may be long until it is asked for
    /// again.
    pub pauses: bool,
}

impl Standing<'_> {
    /// What was counted since the runner started, by scenario, in the plan's order.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, &Tally)> {
        let scenarios = &self.program.plan.scenarios;
        self.tallies
            .iter()
            .filter_map(|(ix, tally)| Some((scenarios.get(*ix as usize)?.name.as_str(), tally)))
    }

    /// Bytes that systems keep for what follows them, where they tell, in the plan's order.
    pub fn held(&self) -> impl Iterator<Item = (&str, u64)> {
        let systems = self.systems.iter().zip(&self.program.plan.systems);
        systems.filter_map(|(state, system)| Some((system.name.as_str(), state.held_bytes?)))
    }

    /// The systems whose last call failed, in the plan's order.
    pub fn failing(&self) -> impl Iterator<Item = Failing<'_>> {
        let systems = self.systems.iter().zip(&self.program.plan.systems);
        systems.filter_map(|(state, system)| {
            let error = state.error.as_deref().filter(|_| state.failures > 0)?;
            Some(Failing {
                system: &system.name,
                error,
                auth: state.auth,
                paused: state.paused.map(|(since, _)| since),
            })
        })
    }

    /// The systems that have answered well since the runner started, in the plan's order.
    pub fn answered(&self) -> impl Iterator<Item = &str> {
        let systems = self.systems.iter().zip(&self.program.plan.systems);
        let answered = systems.filter(|(state, _)| state.answered.is_some());
        answered.map(|(_, system)| system.name.as_str())
    }
}

/// A system whose last call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing<'a> {
    /// The system.
    pub system: &'a str,
    /// Why, in words.
    pub error: &'a str,
    /// Whether its credentials were refused.
    pub auth: bool,
    /// Since when it is paused for a person to mend something.
    pub paused: Option<Instant>,
}

/// What a person should hear of.
#[derive(Debug, Clone, PartialEq)]
pub enum Alert<'a> {
    /// A system refuses the credentials, or is not set up as the policy says: it is paused, and
    /// tried again now and then.
    Paused {
        /// The system.
        system: &'a str,
        /// What it said.
        error: &'a str,
    },
    /// A paused system answers again.
    Resumed {
        /// The system.
        system: &'a str,
    },
    /// A system has failed so often in a row that it is taken to be down: it is tried with one call
    /// now and then.
    Down {
        /// The system.
        system: &'a str,
        /// What it said last.
        error: &'a str,
        /// When it is tried next.
        until: Instant,
    },
    /// A system that was down answers again.
    Up {
        /// The system.
        system: &'a str,
    },
    /// A runner that ends by itself waits for a paused system before it can go on.
    Awaited {
        /// The system.
        system: &'a str,
        /// What it said last.
        error: &'a str,
        /// When it is tried again.
        until: Instant,
    },
    /// An event was kept back: nothing is made of it.
    KeptBack {
        /// The system that sent it.
        system: &'a str,
        /// Its id.
        event: &'a str,
        /// The scenario that would have taken it; empty where it could not be read at all.
        scenario: &'a str,
        /// Why, without values of the record.
        reason: &'a str,
    },
    /// There is no room for the store: nothing moves, and nothing is taken, until there is.
    Full {
        /// What could not be written.
        error: &'a StoreError,
    },
    /// There is room again.
    Room,
    /// A write was given up.
    DeadLetter(&'a super::ports::DeadLetter),
    /// A run was stopped before its first write.
    Aborted {
        /// The scenario.
        scenario: &'a str,
        /// Why.
        note: &'a str,
    },
}

/// Where the runner stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress<'a> {
    /// The scenario at work, where one is.
    pub scenario: Option<&'a str>,
    /// What it does, in a word or two.
    pub doing: &'static str,
    /// What it has counted so far.
    pub counts: RunCounts,
    /// Writes that wait in all.
    pub waiting: u64,
}

/// What the runner counted since it started, for one scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records and writes.
    pub counts: RunCounts,
    /// Calls by system.
    pub calls: BTreeMap<String, u64>,
    /// Conflicts by field and winner (`None`: held for a person).
    pub winners: BTreeMap<(String, Option<String>), u64>,
    /// Notes of runs that did not end well.
    pub notes: Vec<String>,
    /// What runs that ended well ask a person to look at.
    pub hints: Vec<String>,
    /// Reports whose change time lay too far in the future, so that their arrival was taken.
    pub clamped: u64,
}

/// Why a system is not called for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A person has to mend something.
    Paused,
    /// It failed too often in a row.
    Down,
}

impl Trouble {
    const ALL: [Trouble; 2] = [Trouble::Paused, Trouble::Down];

    /// Where it is kept since when a system has it, and what it said.
    pub(super) fn key(self, system: &str) -> String {
        match self {
            Trouble::Paused => format!("paused:{system}"),
            Trouble::Down => format!("down:{system}"),
        }
    }
}

/// What a system's queue is up to.
#[derive(Debug, Clone, Default)]
pub(super) struct SystemState {
    /// Bytes that it keeps for what follows it, as last looked at.
    pub held_bytes: Option<u64>,
    /// Failures in a row.
    pub failures: u32,
    /// Its breaker is open: not to be called before this. Stays until it answers again.
    pub open_until: Option<Instant>,
    /// Since when it is paused for a person to mend something, and how often it was tried since.
    pub paused: Option<(Instant, u32)>,
    /// Since when it is taken to be down.
    pub down: Option<Instant>,
    /// What the store knows of it: since when, and what it said.
    pub noted: Option<(Trouble, Instant, String)>,
    /// Up to when it was last told that it is waited for.
    pub awaited: Option<Instant>,
    /// It asked not to be called before this. Answers of calls that were under way when it did say
    /// nothing else.
    pub rest_until: Option<Instant>,
    /// When it last answered well.
    pub answered: Option<Instant>,
    /// Attempts in vain of which it is not known whether it was up.
    pub tries: Tries,
    /// The last failure, in words.
    pub error: Option<String>,
    /// Whether it was that credentials were refused.
    pub auth: bool,
    /// At most so many writes in the next batch, after one was refused whole.
    pub narrow: Option<usize>,
    /// Whether its events are followed by position.
    pub follows: bool,
    /// Whether a read of its events is under way.
    pub following: bool,
    /// From where.
    pub followed_from: Option<String>,
    /// When its events were last read to their end.
    pub followed: Option<Instant>,
    /// Its events are not to be read again before this, after a failure.
    pub follow_after: Option<Instant>,
}

impl SystemState {
    /// Why it is not called for now, and since when.
    fn trouble(&self) -> Option<(Trouble, Instant)> {
        match (self.paused, self.down) {
            (Some((since, _)), _) => Some((Trouble::Paused, since)),
            (None, Some(since)) => Some((Trouble::Down, since)),
            (None, None) => None,
        }
    }

    /// Not to be called before this.
    pub fn resting_until(&self) -> Option<Instant> {
        self.open_until.max(self.rest_until)
    }

    /// Whether it may be called.
    pub fn can_be_called(&self, now: Instant) -> bool {
        self.resting_until().is_none_or(|until| until <= now)
    }
}

/// What a ticket stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// A read of a run, by the run's number.
    RunRead(i64),
    /// A write of a run, with the chunks that it comes from.
    RunWrite(i64, Chunks),
    /// A write of the outbox.
    Send(SystemIx),
    /// A read of events.
    Follow(SystemIx),
}

impl Errand {
    /// The same in the words of those who follow the runner.
    fn cause(self) -> Cause {
        match self {
            Errand::RunRead(run) => Cause::Read(run),
            Errand::RunWrite(run, chunks) => Cause::Chunk(run, chunks.last),
            Errand::Send(_) => Cause::Outbox,
            Errand::Follow(_) => Cause::Feed,
        }
    }
}

/// How often a followed feed is looked at.
const FOLLOW_EVERY: Millis = Millis(1_000);
/// How long the loop sleeps when nothing is known to fall due.
const IDLE_WAIT: Millis = Millis(60_000);
/// How long a stop waits for calls in flight.
const STOP_WAIT: Millis = Millis(30_000);
/// How long the ids of events are remembered.
const REMEMBER_IDS: Millis = Millis(7 * 86_400_000);
/// How often ids are looked at for old ones.
const FORGET_EVERY: Millis = Millis(3_600_000);

/// The runner.
pub struct Runner<'a> {
    pub(super) program: &'a Program,
    pub(super) store: &'a mut dyn Store,
    pub(super) world: &'a mut dyn World,
    pub(super) decoder: &'a dyn Decoder,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) options: Options,
    pub(super) systems: Vec<SystemState>,
    /// The way to each system.
    pub(super) gates: Vec<Gate>,
    pub(super) runs: Vec<ActiveRun>,
    /// The run of which a chunk is worked out; it is not among `runs` then.
    pub(super) at_work: Option<i64>,
    pub(super) errands: BTreeMap<u64, (SystemIx, Errand)>,
    pub(super) next_ticket: u64,
    pub(super) tallies: BTreeMap<ScenarioIx, Tally>,
    /// Scheduled scenarios that an until-idle runner has yet to start, in order.
    pub(super) round: Vec<ScenarioIx>,
    /// Scenarios that a runner on a new store has to read before it takes the first event.
    pub(super) opening: Vec<ScenarioIx>,
    /// The one of them that is under way.
    pub(super) opened: Option<ScenarioIx>,
    pub(super) started: Instant,
    /// When each scenario starts next.
    pub(super) clock: StartClock,
    /// Records that have a dead letter.
    pub(super) letters: BTreeSet<(SystemIx, EntityIx, String)>,
    /// What was handed over and is not yet confirmed.
    pub(super) calls: Calls,
    /// What has arrived and is not yet confirmed.
    pub(super) arrivals: Arrivals,
    /// Registers that will be looked at again in a moment.
    pub(super) recent: Recent,
    /// Scenarios that a person has paused.
    pub(super) paused: BTreeSet<ScenarioIx>,
    /// Backfills that a person has asked for, with when, in the plan's order.
    pub(super) backfills: Vec<(ScenarioIx, Instant)>,
    /// What people asked for was last heeded as of this.
    pub(super) heeded: Option<String>,
    /// Up to which of the store's numbers commits were durable when last asked.
    pub(super) durable: u64,
    /// Whether more events wait than are taken at once.
    pub(super) lags: bool,
    /// When old ids of events were last forgotten.
    pub(super) forgot: Option<Instant>,
    /// When a stop was first seen to be asked for.
    pub(super) stop_seen: Option<Instant>,
    /// The clock when it was last looked at.
    pub(super) seen: Instant,
    /// Stamps that lie ahead of the clock since it was set back.
    pub(super) ahead: Option<Ahead>,
}

impl<'a> Runner<'a> {
    /// A runner over its seams. Unfinished runs of an earlier runner go on.
    pub fn new(
        program: &'a Program,
        store: &'a mut dyn Store,
        world: &'a mut dyn World,
        decoder: &'a dyn Decoder,
        observer: &'a mut dyn Observer,
        options: Options,
    ) -> Stored<Self> {
        let started = world.now();
        let systems = 0..program.plan.systems.len() as SystemIx;
        let mut runner = Runner {
            gates: systems.map(|s| Gate::new(Limits::of(program, s))).collect(),
            systems: vec![SystemState::default(); program.plan.systems.len()],
            program,
            store,
            world,
            decoder,
            observer,
            options,
            runs: Vec::new(),
            at_work: None,
            errands: BTreeMap::new(),
            next_ticket: 0,
            tallies: BTreeMap::new(),
            round: Vec::new(),
            opening: Vec::new(),
            opened: None,
            started,
            clock: StartClock::default(),
            letters: BTreeSet::new(),
            calls: Calls::default(),
            arrivals: Arrivals::default(),
            recent: Recent::default(),
            paused: BTreeSet::new(),
            backfills: Vec::new(),
            heeded: None,
            durable: 0,
            lags: false,
            forgot: None,
            stop_seen: None,
            seen: started,
            ahead: None,
        };
        runner.recall_clock()?;
        runner.forget_troubles()?;
        runner.heed()?;
        runner.take_up_what_was_set_aside()?;
        runner.recall_letters()?;
        runner.recall_spent()?;
        runner.note_first_sight()?;
        runner.mark_followed();
        runner.resume_runs()?;
        runner.plan_round();
        runner.plan_opening()?;
        Ok(runner)
    }

    /// Runs until it is idle (with `until_idle`) or until the world says to stop.
    pub fn run(&mut self) -> Stored<()> {
        loop {
            self.heed_clock()?;
            self.heed()?;
            if self.world.stopping() {
                self.stop_seen.get_or_insert(self.world.now());
                self.confirm()?;
            } else {
                if self.opening.is_empty() {
                    self.take_events()?;
                }
                if !self.gathers() {
                    self.confirm()?;
                }
                self.forget_old_ids()?;
                self.follow_feeds()?;
                self.start_due()?;
            }
            self.dispatch_chunks()?;
            self.advance_runs()?;
            self.dispatch()?;
            self.note_troubles()?;
            self.report();
            if self.finished()? {
                self.leave()?;
                // Whoever looks on sees the end too: the last answer may be what is to be told.
                self.show_standing(true);
                return Ok(());
            }
            self.store.read_together()?;
            let until = self.next_deadline()?;
            self.store.end_reading()?;
            self.tell_of_waits();
            let pauses = until > self.world.now();
            self.show_standing(pauses);
            let mut answers: Vec<(u64, Answer)> = self.world.wait(until).into_iter().collect();
            if !answers.is_empty() {
                // Whatever else has come in meanwhile, before the next look at the queues.
                while let Some(next) = self.world.wait(Instant(i64::MIN)) {
                    answers.push(next);
                }
                self.answered(answers)?;
            }
        }
    }

    fn show_standing(&mut self, pauses: bool) {
        self.observer.standing(&Standing {
            program: self.program,
            tallies: &self.tallies,
            systems: &self.systems,
            pauses,
        });
    }

    /// What runs have confirmed is durable before the runner goes.
    fn leave(&mut self) -> Stored<()> {
        reach(Point::StopLeaving);
        self.leave_all_queued()?;
        self.leave_clock()?;
        for at in 0..self.runs.len() {
            self.store.put_run(&self.runs[at].record)?;
            self.keep_reading(at)?;
        }
        Ok(())
    }

    fn recall_letters(&mut self) -> Stored<()> {
        for letter in self.store.dead_letters()? {
            let system = self.program.system(&letter.system);
            if let Some((system, entity)) = system.zip(self.program.entity(&letter.entity)) {
                self.letters.insert((system, entity, letter.key));
            }
        }
        Ok(())
    }

    fn forget_old_ids(&mut self) -> Stored<()> {
        let now = self.world.now();
        if self.forgot.is_some_and(|at| now.since(at) < FORGET_EVERY) {
            return Ok(());
        }
        self.forgot = Some(now);
        let before = now.0.saturating_sub(REMEMBER_IDS.0 as i64);
        self.store.forget_event_ids(Instant(before))
    }

    /// A person has mended what a system was paused for, or what it was down for: it is tried at
    /// once.
    pub(super) fn resume_systems(&mut self) -> Stored<()> {
        let now = self.world.now();
        for (i, state) in self.systems.iter_mut().enumerate() {
            let Some((trouble, since)) = state.trouble() else {
                continue;
            };
            let key = resume_key(&self.program.plan.systems[i].name);
            let asked: Option<i64> = self.store.meta(&key)?.and_then(|t| t.parse().ok());
            if asked.is_none_or(|at| at < since.0) {
                continue;
            }
            // Once for each time that it was asked for.
            let anew = now + Millis(1);
            match trouble {
                Trouble::Paused => {
                    state.paused = Some((anew, 0));
                    state.failures = 0;
                }
                Trouble::Down => state.down = Some(anew),
            }
            state.open_until = Some(now);
            state.rest_until = None;
            state.follow_after = None;
            let system = i as SystemIx;
            for run in &mut self.runs {
                if run.reads.front().is_some_and(|read| read.system == system) {
                    run.retry_at = None;
                }
            }
        }
        Ok(())
    }

    /// A runner that starts tries every system, whatever the one before it took it for.
    fn forget_troubles(&mut self) -> Stored<()> {
        for system in &self.program.plan.systems {
            for trouble in Trouble::ALL {
                let key = trouble.key(&system.name);
                if self.store.meta(&key)?.is_some_and(|text| !text.is_empty()) {
                    self.store.set_meta(&key, "")?;
                }
            }
        }
        Ok(())
    }

    /// What an earlier plan had no entity or map for waits with what was paused: this one may have it.
    /// What a scenario holds that this plan does not have nobody could let go on.
    fn take_up_what_was_set_aside(&mut self) -> Stored<()> {
        let program = self.program;
        let almost = Some(Instant(i64::MAX - 1));
        for system in &program.plan.systems {
            let mut held = false;
            for priority in Priority::ALL {
                held |= self
                    .store
                    .next_due(&system.name, *priority, almost)?
                    .is_some();
            }
            if !held {
                continue;
            }
            let now = self.world.now();
            for (i, scenario) in program.plan.scenarios.iter().enumerate() {
                if !self.paused.contains(&(i as ScenarioIx)) {
                    self.store.hold_waiting(&scenario.name, Some(now))?;
                }
            }
            for (key, _) in self.store.meta_with_prefix(PAUSE)? {
                let name = key.strip_prefix(PAUSE).unwrap_or_default();
                if program.scenario_ix(name).is_none() {
                    self.store.hold_waiting(name, Some(now))?;
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// Has the store know which systems are paused or down, for those who look at it: since when
    /// first, and what each said last.
    fn note_troubles(&mut self) -> Stored<()> {
        for (state, system) in self.systems.iter_mut().zip(&self.program.plan.systems) {
            let trouble = state.trouble();
            let error = state.error.as_deref().unwrap_or_default();
            let (before, since) = match (&state.noted, trouble) {
                (None, None) => continue,
                (Some((noted, since, said)), Some((trouble, _))) if *noted == trouble => {
                    if said == error {
                        continue;
                    }
                    (None, Some(*since))
                }
                (noted, _) => (noted.as_ref().map(|noted| noted.0), None),
            };
            if let Some(before) = before {
                self.store.set_meta(&before.key(&system.name), "")?;
            }
            state.noted = trouble.map(|(trouble, began)| {
                let since = since.unwrap_or(began);
                (trouble, since, error.to_owned())
            });
            if let Some((trouble, since, error)) = &state.noted {
                let text = format!("{} {error}", since.0);
                self.store.set_meta(&trouble.key(&system.name), &text)?;
            }
        }
        Ok(())
    }

    /// A runner that ends by itself does not stand still in silence: what it waits for is told,
    /// once each time.
    fn tell_of_waits(&mut self) {
        if !self.options.until_idle || !self.errands.is_empty() {
            return;
        }
        let now = self.world.now();
        let asking = self
            .runs
            .iter()
            .filter(|r| matches!(r.phase, Phase::Ask(_)));
        for source in asking.filter_map(|run| run.reads.front()) {
            let state = &mut self.systems[source.system as usize];
            let until = state.resting_until().filter(|until| *until > now);
            if until.is_none() || state.awaited == until {
                continue;
            }
            state.awaited = until;
            if let Some((until, error)) = until.zip(state.error.as_deref()) {
                self.observer.alert(&Alert::Awaited {
                    system: self.program.system_name(source.system),
                    error,
                    until,
                });
            }
        }
    }

    /// What the books of a transaction are kept over.
    pub(super) fn office(&mut self) -> Office<'_> {
        Office {
            program: self.program,
            store: &mut *self.store,
            now: self.world.now(),
            paused: &self.paused,
            ahead: self.ahead,
            recent: Some(&mut self.recent),
            calls: Some((&self.calls, self.started.0.saturating_mul(1_000))),
        }
    }

    /// An answer that is no failure shows that a system is up.
    pub(super) fn count_answer(&mut self, system: SystemIx, answer: &Answer) {
        if !matches!(answer, Answer::Failed(..)) {
            self.is_up(system, matches!(answer, Answer::Written(..)));
        }
    }

    /// A system has answered, and perhaps taken a write.
    pub(super) fn is_up(&mut self, system: SystemIx, wrote: bool) {
        let until_idle = self.options.until_idle;
        let state = &mut self.systems[system as usize];
        state.failures = 0;
        state.tries.answered();
        state.error = None;
        let was_down = state.open_until.take().is_some();
        state.down = None;
        let resumed = state.paused.take().is_some();
        state.answered = Some(self.world.now());
        if until_idle && wrote {
            // What was written there may have followers of its own.
            state.followed = None;
        }
        let system = self.program.system_name(system);
        match (resumed, was_down) {
            (true, _) => self.observer.alert(&Alert::Resumed { system }),
            (false, true) => self.observer.alert(&Alert::Up { system }),
            (false, false) => {}
        }
    }

    /// What was counted, by scenario.
    pub fn tallies(&self) -> &BTreeMap<ScenarioIx, Tally> {
        &self.tallies
    }

    /// Systems that could not be reached at the end, with the last failure.
    pub fn troubles(&self) -> Vec<(String, String)> {
        let named = self.systems.iter().enumerate().filter_map(|(i, s)| {
            let error = s.error.clone().filter(|_| s.failures > 0)?;
            Some((self.program.system_name(i as SystemIx).to_owned(), error))
        });
        named.collect()
    }

    pub(super) fn wanted(&self, scenario: ScenarioIx) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&scenario)
    }

    pub(super) fn tally(&mut self, scenario: ScenarioIx) -> &mut Tally {
        self.tallies.entry(scenario).or_default()
    }

    pub(super) fn call(&mut self, system: SystemIx, errand: Errand, call: Call) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.errands.insert(ticket, (system, errand));
        self.observer.step(&Step::CallBegins {
            ticket,
            system,
            cause: errand.cause(),
            call: &call,
        });
        self.world.call(ticket, system, call);
    }

    /// Answers in the order in which they came; what the outbox sent is confirmed many at a time.
    fn answered(&mut self, answers: Vec<(u64, Answer)>) -> Stored<()> {
        for (ticket, answer) in answers {
            let Some((system, errand)) = self.errands.remove(&ticket) else {
                continue;
            };
            self.observer.step(&Step::CallEnds {
                ticket,
                answer: &answer,
            });
            self.came_back(system, errand, &answer);
            if matches!(errand, Errand::Send(_)) {
                reach(Point::SendAnswered);
            }
            let answer = match (errand, answer) {
                (Errand::Send(_), Answer::Written(request, report)) => {
                    self.arrived(system, request, report);
                    continue;
                }
                (_, answer) => answer,
            };
            self.confirm()?;
            match errand {
                Errand::Send(system) => self.not_sent(system, answer)?,
                Errand::Follow(system) => self.followed(system, answer)?,
                Errand::RunRead(run) => {
                    reach(Point::RunRead);
                    self.run_read(run, system, answer)?;
                }
                Errand::RunWrite(run, chunks) => {
                    reach(Point::RunAnswered);
                    self.run_written(run, chunks, system, answer)?;
                }
            }
        }
        Ok(())
    }

    /// Systems whose events come by reading: those with events that are not heard over HTTP.
    fn mark_followed(&mut self) {
        for (i, system) in self.program.plan.systems.iter().enumerate() {
            let heard = system.connector == "webhook";
            let used = self
                .program
                .realtime_from(i as SystemIx)
                .any(|s| self.options.only.is_empty() || self.options.only.contains(&s));
            self.systems[i].follows = system.capabilities.events && !heard && used;
        }
    }

    /// Feeds keep what is not read of them. While the runner lags behind what has come in they are left
    /// alone: what is posted would else wait behind all that they have to tell.
    fn follow_feeds(&mut self) -> Stored<()> {
        if self.lags {
            return Ok(());
        }
        let now = self.world.now();
        for i in 0..self.systems.len() {
            let state = &self.systems[i];
            let rested = match (state.followed, self.options.until_idle) {
                (None, _) => state.follow_after.is_none_or(|at| at <= now),
                (Some(_), true) => false,
                (Some(at), false) => now.0 >= at.0.saturating_add(FOLLOW_EVERY.0 as i64),
            };
            if !state.follows || state.following || !state.can_be_called(now) || !rested {
                continue;
            }
            if self.is_tried(i) || self.given_up(i as SystemIx) {
                continue;
            }
            self.systems[i].following = true;
            let key = position_key(&self.program.plan.systems[i].name);
            // An empty one was forgotten.
            let position = self.store.meta(&key)?;
            self.systems[i].followed_from.clone_from(&position);
            self.call(
                i as SystemIx,
                Errand::Follow(i as SystemIx),
                Call::Events(position.filter(|held| !held.is_empty())),
            );
        }
        Ok(())
    }

    /// Whether a system that was down is being tried: with one call, whose answer is waited for.
    fn is_tried(&self, system: usize) -> bool {
        self.systems[system].open_until.is_some() && self.gates[system].busy()
    }

    fn followed(&mut self, system: SystemIx, answer: Answer) -> Stored<()> {
        self.count_answer(system, &answer);
        let now = self.world.now();
        let name = self.program.system_name(system).to_owned();
        let state = &mut self.systems[system as usize];
        state.following = false;
        match answer {
            Answer::Events(page) => {
                state.follow_after = None;
                state.held_bytes = page.held_bytes.or(state.held_bytes);
                if !page.more {
                    // What has just told of something may have more to tell: only a silent feed is
                    // left alone for a while, so that a change right after another waits no longer.
                    let silent = page.events.is_empty() || self.options.until_idle;
                    state.followed = silent.then_some(now);
                }
                self.begin()?;
                self.store.append_events(&name, &page.events, now)?;
                let key = position_key(&name);
                // A person may have had it forgotten meanwhile.
                let from = &self.systems[system as usize].followed_from;
                if let Some(position) = &page.position
                    && self.store.meta(&key)? == *from
                {
                    self.store.set_meta(&key, position)?;
                }
                self.store
                    .set_meta(&format!("heard:{name}"), &now.0.to_string())?;
                if !page.events.is_empty() {
                    reach(Point::FeedGathered);
                }
                self.store.commit()?;
                if !page.events.is_empty() {
                    reach(Point::FeedDurable);
                }
            }
            Answer::Failed(_, failure) => {
                self.failed(system, &failure, None);
                let again = self.next_attempt(0, self.systems[system as usize].failures, &failure);
                let state = &mut self.systems[system as usize];
                state.follow_after = Some(again);
                // What is followed by the clock waits as long.
                if !self.options.until_idle {
                    state.followed = None;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the feeds of some system are still to be read by an until-idle runner.
    pub(super) fn feeds_to_read(&self) -> bool {
        (0..self.systems.len()).any(|i| {
            let state = &self.systems[i];
            state.follows && state.followed.is_none() && !self.given_up(i as SystemIx)
        })
    }

    fn finished(&mut self) -> Stored<bool> {
        if let Some(asked) = self.stop_seen {
            let patience = self.world.now().since(asked) >= STOP_WAIT;
            return Ok(self.errands.is_empty() || patience);
        }
        if !self.options.until_idle {
            return Ok(false);
        }
        let idle = self.round.is_empty()
            && self.opening.is_empty()
            && self.backfills.is_empty()
            && self.runs.is_empty()
            && self.errands.is_empty()
            && !self.events_to_take()?
            && !self.feeds_to_read();
        Ok(idle && self.nothing_more_to_send()?)
    }

    fn next_deadline(&mut self) -> Stored<Instant> {
        let now = self.world.now();
        if let Some(asked) = self.stop_seen {
            return Ok(asked + STOP_WAIT);
        }
        let opened = self.opening.is_empty();
        let to_start = self.options.until_idle
            && self.runs.is_empty()
            && !(self.round.is_empty() && self.backfills.is_empty() && opened)
            && self.errands.is_empty()
            && !(opened && self.feeds_to_read())
            && self.nothing_more_to_send()?;
        let to_take = opened && self.events_to_take()?;
        let to_backfill = !self.options.until_idle && opened && self.can_backfill();
        // The next scenario of the opening starts as soon as the one before it is over.
        let to_open = !self.options.until_idle && !opened && self.runs.is_empty();
        if to_start || to_open || to_backfill || to_take || self.runs_can_move() {
            return Ok(now);
        }
        let mut until = now + IDLE_WAIT;
        until = until.min(self.next_start()?.unwrap_or(until));
        until = until.min(self.next_read().unwrap_or(until));
        until = until.min(self.arrivals.wait_until().unwrap_or(until));
        for i in 0..self.systems.len() {
            let state = &self.systems[i];
            let rests = state.resting_until().unwrap_or(now);
            let asks = state.follows && !state.following && !self.is_tried(i);
            if asks && !self.given_up(i as SystemIx) {
                let next = match state.followed {
                    Some(_) if self.options.until_idle => until,
                    Some(at) => at + FOLLOW_EVERY,
                    None => state.follow_after.unwrap_or(now),
                };
                until = until.min(next.max(rests));
            }
            until = until.min(self.next_dispatch(i as SystemIx)?.unwrap_or(until));
        }
        // A moment ahead at the least: what is due now and did not move waits for an answer.
        Ok(until.max(now))
    }

    fn report(&mut self) {
        let at = match self.runs.first() {
            Some(run) => Progress {
                scenario: self
                    .program
                    .plan
                    .scenarios
                    .get(run.scenario as usize)
                    .map(|s| &*s.name),
                doing: run.doing(),
                counts: run.record.counts,
                waiting: 0,
            },
            None => Progress {
                scenario: None,
                doing: "sending what waits",
                counts: RunCounts::default(),
                waiting: 0,
            },
        };
        self.observer.progress(&at);
    }
}

/// Where it is kept when a person last asked that a system be tried again.
pub(super) fn resume_key(system: &str) -> String {
    format!("resume:{system}")
}

/// Where it is kept up to where a system's feed was taken.
pub(crate) fn position_key(system: &str) -> String {
    format!("position:{system}")
}

/// An error of the store that says what was being read.
pub(super) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError {
        message: what.to_string(),
        remedy: Some("the store holds something this version cannot read; restore a copy, or start a new store with `--store`".into()),
        full: false,
    }
}
