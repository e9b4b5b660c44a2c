//! What a first copy leaves in the register of a record, worked out from the record alone.
//!
//! A simulation begins where a runner has read everything once. Most of what that takes is the way
//! there: pages, stage, chunks. Here a record is taken through the same runs by the same rule as in
//! a chunk (see [`super::merge`]), without the way. That holds only for runs in which no record has
//! to do with another one, and none with a person; of all others nothing is said. May know what a
//! chunk's records are worked out by; must not know a store.

use super::batch::{BACKFILL, compares, stamp_of};
use super::evaluate::change_time;
use super::merge::{self, Ground, Shown, take_in};
use super::owed::is_held;
use super::ports::{EntityIx, FieldIx, MapIx, Row, RunRecord, RunStatus, ScenarioIx, SystemIx};
use super::program::{Program, Source};
use super::register::Register;
use super::register_json;
use super::stage::{Payload, absorbed_fields, held_to_checkpoint, unmet};
use crate::plan::Keep;
use crate::time::Instant;

/// The runs of a first copy, as far as a record's register follows from them.
pub struct FirstCopy<'p> {
    program: &'p Program,
    runs: Vec<Run<'p>>,
}

/// One run.
struct Run<'p> {
    ground: Ground<'p>,
    sources: Vec<Read>,
    /// Whether it only looks for repeats, and so leaves registers alone.
    cleans: bool,
}

/// What a run takes of one of its sources.
struct Read {
    source: Source,
    taken: Vec<FieldIx>,
    checked: bool,
}

impl<'p> FirstCopy<'p> {
    /// From the records of the runs, in their order, of which each read and wrote everything at
    /// `now`. `None`: what they leave of a record may hang on others.
    pub fn of(program: &'p Program, runs: &[RunRecord], now: Instant) -> Option<Self> {
        let runs = runs.iter().map(|run| Run::of(program, run, now));
        let runs = runs.collect::<Option<Vec<_>>>()?;
        Some(FirstCopy { program, runs })
    }

    /// The register of a record as it is stored; `row` shows the record as a map's system has it.
    /// An error: its register does not follow from the record alone.
    pub fn register<'r>(
        &self,
        (entity, key): (EntityIx, &str),
        row: impl Fn(MapIx) -> Option<&'r Row>,
    ) -> Result<Option<String>, NotAlone> {
        let names = &self.program.entities[usize::from(entity)];
        let mut register = Register::default();
        for run in &self.runs {
            let mut rows = Vec::with_capacity(run.sources.len());
            for read in run.sources.iter().filter(|r| r.source.entity == entity) {
                if let Some(row) = row(read.source.map) {
                    rows.push(run.shown(self.program, read, row)?);
                }
            }
            if run.cleans || rows.is_empty() {
                continue;
            }
            let came = take_in(
                &run.ground,
                &run.ground.stamp,
                (entity, key),
                &rows,
                &mut register,
            );
            let held = |f: &FieldIx| is_held(names, &register, *f);
            if !came.lost.is_empty()
                || !came.absorbed.conflicts.is_empty()
                || came.absorbed.manual.iter().any(held)
            {
                return Err(NotAlone);
            }
        }
        Ok((register.version > 0).then(|| register_json::print(names, &register)))
    }
}

/// A record's register does not follow from the record alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAlone;

impl<'p> Run<'p> {
    fn of(program: &'p Program, record: &RunRecord, now: Instant) -> Option<Self> {
        let ix = program.scenario_ix(&record.scenario)?;
        let plan = &program.plan.scenarios[usize::from(ix)];
        let scenario = &program.scenarios[usize::from(ix)];
        let reconcile = compares(plan, &record.why);
        let whole = reconcile || plan.scan_full || plan.clean.is_some() || record.why == BACKFILL;
        let read_all = whole || record.cursor_before.is_empty();
        let went_well = record.status == RunStatus::Done
            && record.note.is_none()
            && record.started == now
            && record.ended == Some(now);
        if !read_all || !went_well || !scenario.guard.is_empty() || finds_repeats(program, ix) {
            return None;
        }
        let mut sources = scenario.reads.clone();
        if reconcile {
            sources.extend(&scenario.reconcile_reads);
        }
        let sources = sources.into_iter().map(|source| Read {
            source,
            taken: absorbed_fields(program, (ix, reconcile), source),
            checked: held_to_checkpoint(program, (ix, reconcile), source),
        });
        let systems = 0..program.plan.systems.len() as SystemIx;
        let settled = systems.map(|s| merge::settled(program, record.started, s));
        Some(Run {
            ground: Ground {
                program,
                scenario: ix,
                stamp: stamp_of(record),
                now,
                settled: settled.collect(),
                redo: None,
                ahead: None,
                lanes: Vec::new(),
            },
            sources: sources.collect(),
            cleans: plan.clean.is_some(),
        })
    }

    /// A row as it comes out of the stage.
    fn shown(&self, program: &Program, read: &Read, row: &Row) -> Result<Shown, NotAlone> {
        let entity = read.source.entity;
        let names = &program.entities[usize::from(entity)];
        let require = &program.scenarios[usize::from(self.ground.scenario)].require;
        let kept_back = || read.checked && unmet(require, entity, names, row).is_some();
        if row.problem.is_some() || row.deleted || kept_back() {
            return Err(NotAlone);
        }
        let arrival = self.ground.now.0.saturating_mul(1_000);
        let (at, clamped) = change_time(row.changed_at, arrival);
        let payload = Payload::of(entity, row.clone(), (at, clamped), &read.taken);
        Ok(Shown {
            system: read.source.system,
            payload,
            waits: false,
        })
    }
}

/// Whether a scenario may find records that are repeats of others: it looks for them by something
/// else than the key, by which records differ, or takes one from two systems for a repeat.
fn finds_repeats(program: &Program, ix: ScenarioIx) -> bool {
    let scenario = &program.scenarios[usize::from(ix)];
    let Some(entity) = scenario.checked.filter(|_| !scenario.dedupe.is_empty()) else {
        return false;
    };
    let checkpoint = program.plan.scenarios[usize::from(ix)].checkpoint.as_ref();
    let dedupe = checkpoint.and_then(|c| c.dedupe.as_ref());
    let by_owner = dedupe.is_some_and(|d| d.keep == Keep::Owner);
    scenario.dedupe != program.entities[usize::from(entity)].keys
        || by_owner && scenario.reads.len() > 1
}
