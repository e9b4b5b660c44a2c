//! How a runner that is under way heeds what people decide meanwhile (see [`super::decide`]).

use super::batch::BACKFILL;
use super::decide::{ASKED, backfill_asked, backfilled_key, paused};
use super::ports::{ScenarioIx, Stored};
use super::runner::Runner;

impl Runner<'_> {
    /// Looks at what people asked for since the last look.
    pub(super) fn heed(&mut self) -> Stored<()> {
        let asked = self.store.meta(ASKED)?;
        if asked == self.heeded {
            return Ok(());
        }
        self.heeded = asked;
        // They may have decided of records, too.
        self.recent.clear();
        self.resume_systems()?;
        let program = self.program;
        let paused = paused(program, &mut *self.store)?;
        let before = std::mem::replace(&mut self.paused, paused);
        for (i, scenario) in program.plan.scenarios.iter().enumerate() {
            let ix = i as ScenarioIx;
            let (was, is) = (before.contains(&ix), self.paused.contains(&ix));
            // What this runner entered between a person's word and now is held, or let go, too.
            if was != is {
                let due = (!is).then(|| self.world.now());
                self.store.hold_waiting(&scenario.name, due)?;
            }
        }
        self.backfills.clear();
        for (i, scenario) in program.plan.scenarios.iter().enumerate() {
            let ix = i as ScenarioIx;
            let asked = backfill_asked(&mut *self.store, &scenario.name)?;
            if let Some(asked) = asked.filter(|_| self.wanted(ix) && !self.paused.contains(&ix)) {
                self.backfills.push((ix, asked));
            }
        }
        Ok(())
    }

    /// Whether a backfill that was asked for could start now.
    pub(super) fn can_backfill(&self) -> bool {
        let free = |scenario| !self.runs.iter().any(|r| r.scenario == scenario);
        let repeats = self.runs.iter().any(|r| r.redo.is_some());
        !repeats && self.backfills.iter().any(|(s, _)| free(*s))
    }

    /// Starts the backfills that were asked for, each once its scenario has no run.
    pub(super) fn start_backfills(&mut self) -> Stored<()> {
        for (scenario, asked) in std::mem::take(&mut self.backfills) {
            if self.runs.iter().any(|r| r.scenario == scenario) {
                self.backfills.push((scenario, asked));
                continue;
            }
            self.start_run(scenario, BACKFILL)?;
            // Killed in between it starts once more, which writes nothing twice.
            let name = &self.program.plan.scenarios[scenario as usize].name;
            let key = backfilled_key(name);
            self.store.set_meta(&key, &asked.0.to_string())?;
        }
        Ok(())
    }
}
