//! What is due: schedules against the clock, `after` against what runs, missed starts made up once.

use super::ports::{ScenarioIx, Stored};
use super::runner::Runner;
use crate::time::{Calendar, Instant, Millis};

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
            let under_way = self.runs.iter().any(|r| r.scenario == i as ScenarioIx);
            if !self.wanted(i as ScenarioIx) || under_way {
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
        if !self.runs.is_empty() || !self.nothing_more_to_send()? {
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
        self.start_run(scenario, "opening")
    }

    /// Starts what is due.
    pub(super) fn start_due(&mut self) -> Stored<()> {
        if !self.opening.is_empty() {
            self.start_next_of_opening()?;
        }
        if !self.opening.is_empty() {
            return Ok(());
        }
        if self.options.until_idle {
            self.start_next_of_round()
        } else {
            self.start_by_clock()
        }
    }

    /// One scenario at a time, once the feeds are read, so that a round has one outcome.
    fn start_next_of_round(&mut self) -> Stored<()> {
        let reading = self
            .systems
            .iter()
            .any(|s| s.follows && s.followed.is_none() && s.failures < 3);
        let unread = reading || !self.store.pending_events(1)?.is_empty();
        if !self.runs.is_empty() || unread || !self.nothing_more_to_send()? {
            return Ok(());
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

    fn start_by_clock(&mut self) -> Stored<()> {
        let now = self.world.now();
        let mut due: Vec<(ScenarioIx, bool)> = Vec::new();
        for (i, scenario) in self.program.plan.scenarios.iter().enumerate() {
            let ix = i as ScenarioIx;
            let Some(schedule) = &scenario.mode.schedule else {
                continue;
            };
            if !self.wanted(ix) || self.runs.iter().any(|r| r.scenario == ix) {
                continue;
            }
            let key = format!("started:{}", scenario.name);
            let last = self
                .store
                .meta(&key)?
                .and_then(|t| t.parse().ok())
                .map(Instant);
            // A scenario never seen starts at its first time after the runner has.
            let from = last.unwrap_or(self.started);
            let next = schedule.next_in(from, self.program.zone, scenario.window.as_ref());
            let Some(next) = next.filter(|next| *next <= now) else {
                continue;
            };
            let second = schedule.next_in(next, self.program.zone, scenario.window.as_ref());
            due.push((ix, second.is_some_and(|s| s <= now)));
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
}
