//! Runs that a killed runner left behind.

use super::account::Account;
use super::batch::{ActiveRun, BACKFILL, OPENING, Phase, digest_key};
use super::ports::{RunRecord, RunStatus, ScenarioIx, Stored};
use super::runner::Runner;
use crate::failpoint::{Point, reach};

impl Runner<'_> {
    /// Runs that a killed runner left: one that was writing goes on after its last confirmed
    /// chunk, one that was cut short while it read with its next page; any other that was reading
    /// starts over.
    pub(super) fn resume_runs(&mut self) -> Stored<()> {
        for record in self.store.open_runs()? {
            let scenario = self.program.scenario_ix(&record.scenario);
            if scenario.is_some_and(|s| !self.wanted(s)) {
                continue;
            }
            let digest = self.store.meta(&digest_key(&record.scenario))?;
            // A stage made by another plan names its fields and systems by that plan's positions.
            let same_plan = digest.as_ref() == Some(&self.program.plan.digest);
            let readable = same_plan && self.store.stage_len(record.id)? > 0;
            if let Some(scenario) = scenario.filter(|_| same_plan && !wrote(&record))
                && let Some(run) = self.taken_up(scenario, &record)?
            {
                self.observer.run_started(&run.record);
                self.runs.push(run);
                continue;
            }
            match scenario {
                Some(scenario) if wrote(&record) && readable => {
                    reach(Point::RunResuming);
                    self.observer.run_started(&record);
                    self.runs.push(ActiveRun {
                        phase: Phase::Write(record.confirmed.clone()),
                        cursors: record.cursor_after.clone(),
                        redo: record.committed.clone(),
                        account: Account::taken_over(&record),
                        ..ActiveRun::over(
                            record,
                            scenario,
                            &self.program.plan.scenarios[scenario as usize],
                        )
                    });
                }
                _ => self.start_over(scenario, record, same_plan)?,
            }
        }
        Ok(())
    }

    /// Ends a run whose stage is of no use, and starts it anew.
    fn start_over(
        &mut self,
        scenario: Option<ScenarioIx>,
        record: RunRecord,
        same_plan: bool,
    ) -> Stored<()> {
        let wrote = wrote(&record);
        if let Some(scenario) = scenario.filter(|_| wrote) {
            self.recover_unconfirmed(scenario, &record)?;
        }
        if wrote && !same_plan {
            self.recover_for_others(scenario, &record)?;
        }
        // What a run reads hangs on why it started.
        let kept = [OPENING, BACKFILL]
            .into_iter()
            .find(|why| *why == record.why);
        let why = kept.unwrap_or("resumed");
        let cut_off = match wrote {
            true => "cut off while it wrote, its stage lost; started anew",
            false => "cut off before its first write; started anew",
        };
        let record = RunRecord {
            status: RunStatus::Failed,
            ended: Some(self.world.now()),
            note: Some(cut_off.into()),
            goes_on: None,
            ..record
        };
        // In one transaction: killed in between, the scenario would not be started anew.
        match scenario {
            Some(scenario) => self.start_instead(scenario, why, Some(&record))?,
            None => self.store.put_run(&record)?,
        }
        self.observer.run_ended(&record);
        self.store.stage_drop(record.id)
    }
}

/// Whether a run had begun to write; one that a quota cut short says so by what it committed.
fn wrote(record: &RunRecord) -> bool {
    let cut_short = record.status == RunStatus::Partial && record.committed.is_some();
    record.status == RunStatus::Writing || cut_short
}
