//! Bulk jobs: which writes go out as one, where a system takes them.

use super::ports::{ScenarioIx, Stored, SystemIx, Waiting};
use super::runner::Runner;
use crate::plan::Bulk;
use crate::terms::Priority;
use crate::time::Instant;

impl Runner<'_> {
    /// The bulk job that a run of a scenario may take at a system. Who says `batch` keeps to it.
    pub(super) fn job_of(&self, system: SystemIx, scenario: ScenarioIx) -> Option<Bulk> {
        let own = self.program.scenarios.get(scenario as usize)?.batch;
        let bulk = self.program.plan.systems[system as usize].bulk;
        bulk.filter(|_| own.is_none())
    }

    /// The same for so many writes that a run has left to the outbox. What moves by event is
    /// written as it comes, and where a record at fault is looked for, plain writes find it.
    pub(super) fn job_left(
        &self,
        system: SystemIx,
        scenario: Option<ScenarioIx>,
        writes: usize,
    ) -> Option<Bulk> {
        let scenario = scenario?;
        let plan = self.program.plan.scenarios.get(scenario as usize)?;
        let narrow = self.systems[system as usize].narrow.is_some();
        let job = self.job_of(system, scenario)?;
        (!plan.mode.realtime && !narrow && writes > job.from_records as usize).then_some(job)
    }

    /// How many due writes a job would take, where the first of them are enough for one.
    pub(super) fn job_due(
        &mut self,
        system: SystemIx,
        priority: Priority,
        now: Instant,
    ) -> Stored<Option<usize>> {
        let Some(bulk) = self.program.plan.systems[system as usize].bulk else {
            return Ok(None);
        };
        let program = self.program;
        let name = program.system_name(system);
        let of = |due: &[Waiting]| {
            let first = due.first()?;
            let same = |w: &&Waiting| (&w.entity, &w.scenario) == (&first.entity, &first.scenario);
            let same = due.iter().take_while(same).count();
            Some((program.scenario_ix(&first.scenario), same))
        };
        let one = self.store.due_waiting(name, priority, now, 1)?;
        let Some((scenario, _)) = of(&one) else {
            return Ok(None);
        };
        if self.job_left(system, scenario, usize::MAX).is_none() {
            return Ok(None);
        }
        let enough = bulk.from_records as usize + 1;
        let due = self.store.due_waiting(name, priority, now, enough)?;
        let same = of(&due).map_or(0, |(_, same)| same);
        Ok((same >= enough).then_some(bulk.records as usize))
    }
}
