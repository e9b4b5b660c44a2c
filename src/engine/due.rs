//! What is due: schedules against the clock, `after` against what runs, missed starts made up once.

use super::batch::{OPENING, Phase};
use super::ports::{ScenarioIx, Stored};
use super::runner::Runner;
use crate::time::{Calendar, Instant, Millis};

/// When each scenario starts next, as far as it was worked out.
#[derive(Debug, Default)]
pub(super) struct StartClock(std::collections::BTreeMap<ScenarioIx, Option<Instant>>);

impl StartClock {
    /// A scenario was started: its next start is another one.
    pub fn forget(&mut self, scenario: ScenarioIx) {
        self.0.remove(&scenario);
    }
}

impl Runner<'_> {
    /// The order of an until-idle round: frequent flows before rare ones, so that what is rare
    /// sees what is fresh; ties by name.
    pub(super) fn plan_round(&mut self) {
        if !self.options.until_idle {
            return;
        }
        let calendar = Calendar::of_year(self.program.zone, self.started.date());
        let mut round: Vec<(Millis, ScenarioIx)> = Vec::new();
        for (i, scenario) in self.program.plan.scenarios.iter().enumerate() {
            let Some(schedule) = &scenario.mode.schedule else {
                continue;
            };
            // A run that was cut off while it wrote goes on with what was read then; only one that
            // has to read anew stands for the scenario's turn.
            let anew = self.runs.iter().any(|r| {
                r.scenario == i as ScenarioIx && matches!(r.phase, Phase::Ask(_)) && !r.is_opening()
            });
            let paused = self.paused.contains(&(i as ScenarioIx));
            if !self.wanted(i as ScenarioIx) || anew || paused {
                continue;
            }
            let gap = calendar
                .longest_gap(schedule, None)
                .unwrap_or(Millis(u64::MAX));
            round.push((gap, i as ScenarioIx));
        }
        round.sort();
        self.round = round.into_iter().map(|(_, s)| s).collect();
    }

    /// What has to be read before the first event is taken: a hybrid scenario starts from what its
    /// systems hold, so that an event never overwrites a value of theirs that nobody has looked at.
    /// In an until-idle round everything is due, so what such a scenario waits for goes before it.
    pub(super) fn plan_opening(&mut self) -> Stored<()> {
        let mut opening: Vec<ScenarioIx> = Vec::new();
        // One that was cut off goes on.
        if let Some(run) = self.runs.iter().find(|r| r.is_opening()) {
            opening.push(run.scenario);
            self.opened = Some(run.scenario);
        }
        for (i, scenario) in self.program.plan.scenarios.iter().enumerate() {
            let ix = i as ScenarioIx;
            let hybrid = scenario.mode.realtime && scenario.mode.schedule.is_some();
            let never = self
                .store
                .meta(&format!("started:{}", scenario.name))?
                .is_none();
            if hybrid && never && self.wanted(ix) {
                opening.push(ix);
            }
        }
        let mut at = 0;
        while let Some(scenario) = opening.get(at).copied() {
            for name in &self.program.plan.scenarios[scenario as usize].after {
                let other = self.program.scenario_ix(name);
                if let Some(other) =
                    other.filter(|o| self.round.contains(o) && !opening.contains(o))
                {
                    opening.push(other);
                }
            }
            at += 1;
        }
        // What is no hybrid has had its turn of the round then; a hybrid compares once more when
        // its events are taken.
        let scenarios = &self.program.plan.scenarios;
        self.round
            .retain(|s| !opening.contains(s) || scenarios[*s as usize].mode.realtime);
        self.opening = opening;
        Ok(())
    }

    /// One scenario of the opening at a time.
    fn start_next_of_opening(&mut self) -> Stored<()> {
        // A runner by the clock does not wait for a system that is down.
        let drained = !self.options.until_idle || self.nothing_more_to_send()?;
        if !self.runs.is_empty() || !drained {
            return Ok(());
        }
        // The one that was started last is over.
        if let Some(over) = self.opened.take() {
            self.opening.retain(|s| *s != over);
        }
        let ready = self
            .opening
            .iter()
            .position(|s| self.after_is_done(*s, &self.opening));
        let Some(scenario) = self.opening.get(ready.unwrap_or_default()).copied() else {
            return Ok(());
        };
        self.opened = Some(scenario);
        self.start_run(scenario, OPENING)
    }

    /// Starts what is due.
    pub(super) fn start_due(&mut self) -> Stored<()> {
        if !self.opening.is_empty() {
            self.start_next_of_opening()?;
        }
        // While a killed runner's writes are being repeated nothing reads what they write to.
        if !self.opening.is_empty() || self.runs.iter().any(|r| r.redo.is_some()) {
            return Ok(());
        }
        if self.options.until_idle {
            self.start_next_of_round()
        } else {
            self.start_backfills()?;
            self.start_by_clock()
        }
    }

    /// One scenario at a time, once the feeds are read, so that a round has one outcome.
    fn start_next_of_round(&mut self) -> Stored<()> {
        let unread = self.feeds_to_read() || self.events_to_take()?;
        if !self.runs.is_empty() || unread || !self.nothing_more_to_send()? {
            return Ok(());
        }
        if !self.backfills.is_empty() {
            return self.start_backfills();
        }
        let ready = self
            .round
            .iter()
            .position(|s| self.after_is_done(*s, &self.round));
        let Some(at) = ready.or((!self.round.is_empty()).then_some(0)) else {
            return Ok(());
        };
        let scenario = self.round.remove(at);
        self.start_run(scenario, "until-idle")
    }

    fn after_is_done(&self, scenario: ScenarioIx, still_to_come: &[ScenarioIx]) -> bool {
        let after = &self.program.plan.scenarios[scenario as usize].after;
        after
            .iter()
            .filter_map(|name| self.program.scenario_ix(name))
            .all(|other| {
                !still_to_come.contains(&other) && !self.runs.iter().any(|r| r.scenario == other)
            })
    }

    /// Since when a scenario's starts count, before it has had its first: since a runner first
    /// knew of it.
    pub(super) fn note_first_sight(&mut self) -> Stored<()> {
        let program = self.program;
        for scenario in &program.plan.scenarios {
            let key = format!("seen:{}", scenario.name);
            if scenario.mode.schedule.is_some() && self.store.meta(&key)?.is_none() {
                self.store.set_meta(&key, &self.started.0.to_string())?;
            }
        }
        Ok(())
    }

    /// The first start that a scenario has not had; it may lie in the past.
    fn next_of(&mut self, scenario: ScenarioIx) -> Stored<Option<Instant>> {
        if let Some(next) = self.clock.0.get(&scenario) {
            return Ok(*next);
        }
        let plan = &self.program.plan.scenarios[scenario as usize];
        let mut from = None;
        for kind in ["started", "seen"] {
            let text = self.store.meta(&format!("{kind}:{}", plan.name))?;
            from = from.or(text.and_then(|t| t.parse().ok()).map(Instant));
        }
        let from = from.unwrap_or(self.started);
        let next = plan.mode.schedule.as_ref().and_then(|schedule| {
            let from = self.counts_from(from, schedule);
            schedule.next_in(from, self.program.zone, plan.window.as_ref())
        });
        self.clock.0.insert(scenario, next);
        Ok(next)
    }

    /// Scheduled scenarios that could be started by the clock.
    fn by_clock(&self) -> Vec<ScenarioIx> {
        let scenarios = self.program.plan.scenarios.iter().enumerate();
        let ours = scenarios.filter(|(i, s)| {
            let ix = *i as ScenarioIx;
            let runs = self.runs.iter().any(|r| r.scenario == ix);
            let paused = self.paused.contains(&ix);
            s.mode.schedule.is_some() && self.wanted(ix) && !runs && !paused
        });
        ours.map(|(i, _)| i as ScenarioIx).collect()
    }

    fn start_by_clock(&mut self) -> Stored<()> {
        let now = self.world.now();
        let mut due: Vec<(ScenarioIx, bool)> = Vec::new();
        for ix in self.by_clock() {
            let Some(next) = self.next_of(ix)?.filter(|next| *next <= now) else {
                continue;
            };
            let plan = &self.program.plan.scenarios[ix as usize];
            let (zone, window) = (self.program.zone, plan.window.as_ref());
            // What was missed is made up inside the window too.
            if window.is_some_and(|w| !w.contains(now, zone)) {
                continue;
            }
            let schedule = plan.mode.schedule.as_ref();
            let second = schedule.and_then(|s| s.next_in(next, zone, window));
            let missed = next < self.started || second.is_some_and(|s| s <= now);
            due.push((ix, missed));
        }
        let waiting: Vec<ScenarioIx> = due.iter().map(|(s, _)| *s).collect();
        for (scenario, missed) in due {
            let others: Vec<ScenarioIx> =
                waiting.iter().copied().filter(|s| *s != scenario).collect();
            if self.after_is_done(scenario, &others) {
                self.start_run(scenario, if missed { "missed" } else { "schedule" })?;
            }
        }
        Ok(())
    }

    /// When the clock next has something to do: a start, or a window that opens.
    pub(super) fn next_start(&mut self) -> Stored<Option<Instant>> {
        if self.options.until_idle {
            return Ok(None);
        }
        let now = self.world.now();
        let zone = self.program.zone;
        let mut soonest: Option<Instant> = None;
        let starts = self.by_clock();
        let paused = self.runs.iter().map(|r| r.scenario);
        let mut windows: Vec<ScenarioIx> = paused.collect();
        for ix in starts {
            match self.next_of(ix)? {
                Some(next) if next > now => {
                    soonest = Some(soonest.map_or(next, |s| s.min(next)));
                }
                Some(_) => windows.push(ix),
                None => {}
            }
        }
        for ix in windows {
            let window = self.program.plan.scenarios[ix as usize].window.as_ref();
            let opens = window.filter(|w| !w.contains(now, zone));
            if let Some(opens) = opens.and_then(|w| w.next_open(now, zone)) {
                soonest = Some(soonest.map_or(opens, |s| s.min(opens)));
            }
        }
        Ok(soonest)
    }
}
