//! Where a run that was cut short while it read goes on: kept when a quota holds its next page and
//! when the runner stops, and forgotten before the next page is staged. A runner that is killed
//! while pages come in reads anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::batch::{ActiveRun, Phase, compares};
use super::ports::{RunRecord, ScenarioIx, Stored};
use super::program::Source;
use super::runner::Runner;

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Reading {
    /// The run.
    run: i64,
    /// How many of its sources are read to their end.
    done: usize,
    /// The page that comes next of the source after them; `None`: its first.
    page: Option<String>,
    /// Records shown by each source so far.
    rows: Vec<u64>,
    /// Rows staged so far.
    staged: i64,
    /// Greatest cursors seen, by `entity/system`.
    cursors: BTreeMap<String, String>,
    /// What was noted before it was cut short.
    noted: Option<String>,
}

fn key(scenario: &str) -> String {
    format!("reading:{scenario}")
}

impl Runner<'_> {
    /// The sources of a run, in the order in which they are read.
    pub(super) fn sources_of(&self, scenario: ScenarioIx, reconcile: bool) -> Vec<Source> {
        let program = &self.program.scenarios[scenario as usize];
        let mut sources = program.reads.clone();
        if reconcile {
            sources.extend(program.reconcile_reads.iter().copied());
        }
        sources
    }

    /// Keeps where a run stands that reads.
    pub(super) fn keep_reading(&mut self, at: usize) -> Stored<()> {
        let Some(run) = self.runs.get_mut(at) else {
            return Ok(());
        };
        let (Phase::Ask(page) | Phase::Reading(page)) = &run.phase else {
            return Ok(());
        };
        let (scenario, page) = (run.scenario, page.clone());
        run.kept = true;
        let run = &self.runs[at];
        let sources = self.sources_of(scenario, run.reconcile);
        let shown = |source| run.rows.get(source).copied().unwrap_or_default();
        let reading = Reading {
            run: run.record.id,
            done: sources.len().saturating_sub(run.reads.len()),
            page,
            rows: sources.iter().map(shown).collect(),
            staged: run.staged,
            cursors: run.cursors.clone(),
            noted: run.noted.clone(),
        };
        // Plain numbers and texts always print.
        let text = serde_json::to_string(&reading).unwrap_or_default();
        let key = key(&self.program.plan.scenarios[scenario as usize].name);
        self.store.set_meta(&key, &text)
    }

    /// What was kept of a run is over with the next page.
    pub(super) fn forget_reading(&mut self, run: &mut ActiveRun) -> Stored<()> {
        match std::mem::take(&mut run.kept) {
            true => self.store.set_meta(&key(&run.record.scenario), ""),
            false => Ok(()),
        }
    }

    /// A run that was cut short while it read, as it was; `None` where nothing was kept of it, or
    /// its stage holds something else.
    pub(super) fn taken_up(
        &mut self,
        scenario: ScenarioIx,
        record: &RunRecord,
    ) -> Stored<Option<ActiveRun>> {
        let kept = self.store.meta(&key(&record.scenario))?;
        let kept = kept.and_then(|text| serde_json::from_str::<Reading>(&text).ok());
        let Some(kept) = kept.filter(|k| k.run == record.id) else {
            return Ok(None);
        };
        if self.store.stage_len(record.id)? != kept.staged.unsigned_abs() {
            return Ok(None);
        }
        let plan = &self.program.plan.scenarios[scenario as usize];
        let sources = self.sources_of(scenario, compares(plan, &record.why));
        let rows = sources.iter().copied().zip(kept.rows);
        Ok(Some(ActiveRun {
            phase: Phase::Ask(kept.page),
            rows: rows.filter(|(_, n)| *n > 0).collect(),
            reads: sources.into_iter().skip(kept.done).collect(),
            staged: kept.staged,
            cursors: kept.cursors,
            noted: kept.noted,
            kept: true,
            account: Account::new(),
            ..ActiveRun::over(record.clone(), scenario, plan)
        }))
    }
}
