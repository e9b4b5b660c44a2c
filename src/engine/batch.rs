//! Scheduled runs: read → stage → checkpoint → write → commit cursor.
//!
//! Pages are streamed into the stage; conditions are held to every record on its way in. Only when
//! all is read and the checkpoint agrees does the first write go out (see [`super::chunk`]).
//! Progress is durable by chunk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::intake::key_values;
use super::ports::{
    Answer, Call, EntityIx, FailureClass, FieldIx, Page, Quarantined, ReadRequest, Row, RunCounts,
    RunRecord, RunStatus, ScenarioIx, Staged, Stored, SystemIx, key_text,
};
use super::program::{RequireProgram, Source};
use super::runner::{Errand, Runner};
use crate::plan::Keep;
use crate::time::Instant;
use crate::value::Value;

/// Records in one page of a read where the connector has no wish of its own.
const PAGE: usize = 10_000;
/// Times a read is tried again within a run.
const READ_ATTEMPTS: u32 = 3;

/// A run under way.
pub(crate) struct ActiveRun {
    /// The scenario.
    pub scenario: ScenarioIx,
    /// Its record as stored.
    pub record: RunRecord,
    /// Whether it is a hybrid's reconcile.
    pub reconcile: bool,
    /// Where it stands.
    pub phase: Phase,
    /// Sources still to be read; the first is being read.
    pub reads: VecDeque<Source>,
    /// Rows staged so far (their order of reading).
    pub staged: i64,
    /// The id that stamps of this run carry.
    pub stamp: Arc<str>,
    /// Greatest cursors seen, by `entity/system`.
    pub cursors: BTreeMap<String, String>,
    /// Chunks handed out and not wholly confirmed: number, last key, batches outstanding.
    pub chunks: VecDeque<(u64, String, u32)>,
    /// Writes that had to be left to the outbox.
    pub postponed: u64,
    /// Times the present read was tried.
    pub attempts: u32,
    /// Not to be tried again before.
    pub retry_at: Option<Instant>,
}

/// What a run does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To ask for a page (`None`: the first).
    Ask(Option<String>),
    /// A page is under way.
    Reading,
    /// All is read; the checkpoint speaks next.
    Check,
    /// Chunks go out, from after this key.
    Write(Option<String>),
    /// Nothing more to hand out; confirmations are awaited.
    Drain,
    /// Over.
    Over,
}

impl ActiveRun {
    /// What it does, in a word.
    pub fn doing(&self) -> &'static str {
        match self.phase {
            Phase::Ask(_) | Phase::Reading => "reading",
            Phase::Check => "checking",
            Phase::Write(_) | Phase::Drain | Phase::Over => "writing",
        }
    }
}

/// A staged record beside its place in the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// What it is a record of: rows of several entities may share a key.
    pub entity: EntityIx,
    /// The record's own key (in a clean run rows are staged by what they are deduplicated by).
    pub key: String,
    pub native_key: Option<String>,
    pub locator: Option<String>,
    pub changed_at: Option<i64>,
    pub deleted: bool,
    pub fields: Vec<(FieldIx, Value)>,
}

impl Runner<'_> {
    /// Starts a run of a scenario.
    pub(super) fn start_run(&mut self, scenario: ScenarioIx, why: &str) -> Stored<()> {
        let plan = &self.program.plan.scenarios[scenario as usize];
        let program = &self.program.scenarios[scenario as usize];
        let reconcile = plan.mode.realtime;
        let mut reads: VecDeque<Source> = program.reads.iter().copied().collect();
        if reconcile {
            reads.extend(program.reconcile_reads.iter().copied());
        }
        let now = self.world.now();
        let mut record = RunRecord {
            id: 0,
            scenario: plan.name.clone(),
            why: if reconcile {
                "reconcile".into()
            } else {
                why.to_owned()
            },
            started: now,
            ended: None,
            status: RunStatus::Reading,
            counts: RunCounts::default(),
            calls: BTreeMap::new(),
            cursor_before: BTreeMap::new(),
            cursor_after: BTreeMap::new(),
            confirmed: None,
            committed: None,
            note: None,
        };
        for source in &reads {
            let name = self.source_name(*source);
            if let Some(cursor) = self.store.meta(&cursor_key(&plan.name, &name))? {
                record.cursor_before.insert(name, cursor);
            }
        }
        self.store.begin()?;
        record.id = self.store.open_run(&record)?;
        self.store
            .set_meta(&format!("started:{}", plan.name), &now.0.to_string())?;
        self.store.commit()?;
        self.store.stage_open(record.id)?;
        self.runs.push(ActiveRun {
            scenario,
            reconcile,
            phase: Phase::Ask(None),
            reads,
            staged: 0,
            stamp: Arc::from(format!("run {}", record.id)),
            cursors: BTreeMap::new(),
            chunks: VecDeque::new(),
            postponed: 0,
            attempts: 0,
            retry_at: None,
            record,
        });
        Ok(())
    }

    /// `entity/system` of a source.
    pub(super) fn source_name(&self, source: Source) -> String {
        let entity = &self.program.entities[source.entity as usize].name;
        format!("{entity}/{}", self.program.system_name(source.system))
    }

    /// Moves every run on as far as it can go without an answer.
    pub(super) fn advance_runs(&mut self) -> Stored<()> {
        let mut i = 0;
        while i < self.runs.len() {
            let mut run = self.runs.remove(i);
            let advanced = self.advance(&mut run);
            let over = run.phase == Phase::Over;
            if !over {
                self.runs.insert(i, run);
                i += 1;
            }
            advanced?;
        }
        Ok(())
    }

    /// Whether a run could move on without an answer.
    pub(super) fn runs_can_move(&self) -> bool {
        let now = self.world.now();
        self.runs.iter().any(|run| match &run.phase {
            Phase::Ask(_) => run.retry_at.is_none_or(|at| at <= now),
            Phase::Check => true,
            Phase::Write(_) => run.chunks.len() < super::chunk::CHUNKS_AHEAD && self.in_window(run),
            Phase::Drain => run.chunks.is_empty(),
            Phase::Reading | Phase::Over => false,
        })
    }

    /// A window pauses and resumes a run; an until-idle round is asked for by a person, whom no
    /// window keeps waiting.
    pub(super) fn in_window(&self, run: &ActiveRun) -> bool {
        let window = &self.program.plan.scenarios[run.scenario as usize].window;
        self.options.until_idle
            || window
                .as_ref()
                .is_none_or(|w| w.contains(self.world.now(), self.program.zone))
    }

    fn advance(&mut self, run: &mut ActiveRun) -> Stored<()> {
        if self.world.stopping() && !matches!(run.phase, Phase::Drain | Phase::Reading) {
            return Ok(());
        }
        match run.phase.clone() {
            Phase::Ask(page) => self.ask(run, page),
            Phase::Check => self.check(run),
            Phase::Write(after) => {
                if run.chunks.len() < super::chunk::CHUNKS_AHEAD && self.in_window(run) {
                    self.write_chunk(run, after.as_deref())?;
                }
                Ok(())
            }
            Phase::Drain if run.chunks.is_empty() => self.end(run),
            Phase::Drain | Phase::Reading | Phase::Over => Ok(()),
        }
    }

    fn ask(&mut self, run: &mut ActiveRun, page: Option<String>) -> Stored<()> {
        if run.retry_at.is_some_and(|at| at > self.world.now()) {
            return Ok(());
        }
        let Some(source) = run.reads.front().copied() else {
            run.phase = Phase::Check;
            return Ok(());
        };
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let name = self.source_name(source);
        let full = run.reconcile || plan.scan_full || plan.clean.is_some();
        let has_cursor = self.program.plan.maps[source.map as usize].cursor.is_some();
        let since = run.record.cursor_before.get(&name).cloned();
        let limit = self.program.plan.systems[source.system as usize].read_page;
        let request = ReadRequest {
            map: source.map,
            since: since.filter(|_| !full && has_cursor),
            page,
            limit: limit.map_or(PAGE, |l| l as usize).clamp(1, PAGE),
            locate: plan.clean.is_some(),
        };
        run.phase = Phase::Reading;
        self.call(
            source.system,
            Errand::RunRead(run.record.id),
            Call::Read(request),
        );
        Ok(())
    }

    /// A page of a run has come, or has failed to.
    pub(super) fn run_read(&mut self, id: i64, system: SystemIx, answer: Answer) -> Stored<()> {
        let Some(i) = self.runs.iter().position(|r| r.record.id == id) else {
            return Ok(());
        };
        let mut run = self.runs.remove(i);
        let name = self.program.system_name(system).to_owned();
        *run.record.calls.entry(name.clone()).or_default() += 1;
        self.count_calls(run.scenario, system, 1);
        let taken = match answer {
            Answer::Page(page) => {
                run.attempts = 0;
                run.retry_at = None;
                self.systems[system as usize].failures = 0;
                self.stage_page(&mut run, page)
            }
            Answer::Failed(_, failure) => {
                run.attempts += 1;
                let again = matches!(failure.class, FailureClass::Retry { .. });
                self.failed(system, &failure, Some(run.scenario));
                if again && run.attempts <= READ_ATTEMPTS {
                    run.retry_at = Some(self.next_attempt(run.scenario, run.attempts, &failure));
                    // Pages before this one are staged already: only a whole read is one picture.
                    self.restart_read(&mut run)
                } else {
                    let remedy = failure.remedy.map(|r| format!("; {r}")).unwrap_or_default();
                    let note = format!("`{name}` could not be read: {}{remedy}", failure.message);
                    self.stop_run(&mut run, RunStatus::Failed, note)
                }
            }
            _ => Ok(()),
        };
        if run.phase != Phase::Over {
            self.runs.insert(i.min(self.runs.len()), run);
        }
        taken
    }

    fn restart_read(&mut self, run: &mut ActiveRun) -> Stored<()> {
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let program = &self.program.scenarios[run.scenario as usize];
        run.reads = program.reads.iter().copied().collect();
        if plan.mode.realtime {
            run.reads.extend(program.reconcile_reads.iter().copied());
        }
        self.tally(run.scenario).counts.read -= run.record.counts.read;
        self.tally(run.scenario).counts.quarantined -= run.record.counts.quarantined;
        run.record.counts = RunCounts::default();
        run.staged = 0;
        run.phase = Phase::Ask(None);
        self.store.stage_open(run.record.id)
    }

    fn stage_page(&mut self, run: &mut ActiveRun, page: Page) -> Stored<()> {
        let Some(source) = run.reads.front().copied() else {
            return Ok(());
        };
        let name = self.source_name(source);
        if let Some(cursor) = page.cursor {
            run.cursors.insert(name, cursor);
        }
        match page.next {
            // The next page is asked for before this one is worked on, so that both go on at once.
            Some(next) => self.ask(run, Some(next))?,
            None => {
                run.reads.pop_front();
                run.phase = Phase::Ask(None);
                if !run.reads.is_empty() {
                    self.ask(run, None)?;
                }
            }
        }
        let before = run.record.counts;
        let (staged, kept_back, abort) = self.sift(run, source, page.rows);
        self.store.stage_put(run.record.id, staged)?;
        self.store.put_quarantined(&kept_back)?;
        let counts = run.record.counts;
        let tally = &mut self.tally(run.scenario).counts;
        tally.read += counts.read - before.read;
        tally.quarantined += counts.quarantined - before.quarantined;
        match abort {
            Some(note) => self.stop_run(run, RunStatus::Aborted, note),
            None => Ok(()),
        }
    }

    /// Holds each record of a page to the checkpoint's conditions.
    fn sift(
        &mut self,
        run: &mut ActiveRun,
        source: Source,
        rows: Vec<Row>,
    ) -> (Vec<Staged>, Vec<Quarantined>, Option<String>) {
        let program = self.program;
        let scenario = &program.scenarios[run.scenario as usize];
        let plan = &program.plan.scenarios[run.scenario as usize];
        let entity = &program.entities[source.entity as usize];
        let absorbed = self.absorbed_fields(run, source);
        let mut staged = Vec::with_capacity(rows.len());
        let mut kept_back = Vec::new();
        let mut abort = None;
        for row in rows {
            run.record.counts.read += 1;
            let failed = match (&row.problem, row.deleted) {
                (Some(problem), _) => Some((problem.clone(), false)),
                (None, true) => None,
                (None, false) => unmet(&scenario.require, source.entity, entity, &row),
            };
            if let Some((reason, fatal)) = failed {
                run.record.counts.quarantined += 1;
                if fatal && abort.is_none() {
                    abort = Some(format!("record `{}`: {reason}", row.key));
                }
                kept_back.push(Quarantined {
                    run: run.record.id,
                    scenario: plan.name.clone(),
                    system: program.system_name(source.system).to_owned(),
                    entity: entity.name.clone(),
                    record: row.raw.clone().unwrap_or_else(|| shown_row(entity, &row)),
                    key: row.key,
                    reason,
                });
                continue;
            }
            let group = self.group_of(run, source.entity, &row);
            run.staged += 1;
            staged.push(stage(
                run,
                source,
                row,
                group,
                &absorbed,
                plan.clean.is_some(),
            ));
        }
        (staged, kept_back, abort)
    }

    /// The fields of a source that the run's routes take over; all for a clean.
    fn absorbed_fields(&self, run: &ActiveRun, source: Source) -> Vec<FieldIx> {
        let scenario = &self.program.scenarios[run.scenario as usize];
        let mut fields: Vec<FieldIx> = Vec::new();
        for route in scenario.routes.iter().filter(|r| r.entity == source.entity) {
            if route.from == source.system {
                fields.extend(&route.absorbs);
            }
            if route.to == source.system && run.reconcile {
                fields.extend(&route.fields);
            }
        }
        fields.extend(&scenario.dedupe);
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// What a record is deduplicated by; empty: it is like no other.
    fn group_of(&self, run: &ActiveRun, entity: EntityIx, row: &Row) -> String {
        let scenario = &self.program.scenarios[run.scenario as usize];
        let by = &scenario.dedupe;
        if by.is_empty() || scenario.checked != Some(entity) {
            return String::new();
        }
        let keys = &self.program.entities[entity as usize].keys;
        if by == keys {
            return row.key.clone();
        }
        let key = key_values(&self.program.entities[entity as usize], &row.key);
        let values: Vec<&Value> = by
            .iter()
            .filter_map(|f| {
                let held = row.fields.iter().chain(&key).find(|(ix, _)| ix == f);
                held.map(|(_, v)| v)
            })
            .collect();
        if values.len() < by.len() || values.iter().any(|v| v.is_null()) {
            return String::new();
        }
        key_text(values)
    }

    /// All is read: deduplicate, count, and let the checkpoint speak.
    fn check(&mut self, run: &mut ActiveRun) -> Stored<()> {
        let scenario = &self.program.scenarios[run.scenario as usize];
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let checkpoint = plan.checkpoint.as_ref();
        let counts = run.record.counts;
        if let Some(over) = checkpoint.and_then(|c| c.abort_over)
            && counts.quarantined as f64 > over * counts.read as f64
        {
            let note = format!(
                "{} of {} records were quarantined, over the {} that `abort` allows",
                counts.quarantined,
                counts.read,
                percent(over)
            );
            return self.stop_run(run, RunStatus::Aborted, note);
        }
        if let Some(dedupe) = checkpoint.and_then(|c| c.dedupe.as_ref())
            && plan.clean.is_none()
        {
            let owner = self.owner_of(run.scenario);
            let keep = dedupe.keep;
            let dropped = self
                .store
                .stage_drop_duplicates(run.record.id, keep, owner)?;
            run.record.counts.deduplicated += dropped;
            self.tally(run.scenario).counts.deduplicated += dropped;
        }
        if !scenario.guard.is_empty()
            && let Some(note) = self.guard(run)?
        {
            return self.stop_run(run, RunStatus::Aborted, note);
        }
        run.record.status = RunStatus::Writing;
        run.record.cursor_after = run.cursors.clone();
        self.store.put_run(&run.record)?;
        run.phase = Phase::Write(None);
        self.write_owed(run)
    }

    /// The system of record of the scenario's first entity, for `keep owner`.
    fn owner_of(&self, scenario: ScenarioIx) -> Option<SystemIx> {
        let route = self.program.scenarios[scenario as usize].routes.first()?;
        let entity = &self.program.entities[route.entity as usize];
        entity.fields.iter().find_map(|f| f.rule.owner)
    }

    /// Ends a run before its first write (or a read that failed): nothing is committed.
    pub(super) fn stop_run(
        &mut self,
        run: &mut ActiveRun,
        status: RunStatus,
        note: String,
    ) -> Stored<()> {
        run.record.status = status;
        run.record.ended = Some(self.world.now());
        self.tally(run.scenario).notes.push(note.clone());
        run.record.note = Some(note);
        run.phase = Phase::Over;
        self.store.put_run(&run.record)?;
        self.store.stage_drop(run.record.id)
    }

    /// Everything is confirmed (or left to the outbox): commit the cursors.
    fn end(&mut self, run: &mut ActiveRun) -> Stored<()> {
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let now = self.world.now();
        run.record.status = if run.postponed > 0 {
            RunStatus::Partial
        } else {
            RunStatus::Done
        };
        if run.postponed > 0 {
            run.record.note = Some(format!("{} writes wait in the outbox", run.postponed));
        }
        run.record.ended = Some(now);
        run.record.cursor_after = run.record.cursor_before.clone();
        run.record.cursor_after.extend(run.cursors.clone());
        self.store.begin()?;
        for (source, cursor) in &run.cursors {
            self.store
                .set_meta(&cursor_key(&plan.name, source), cursor)?;
        }
        for source in &self.program.scenarios[run.scenario as usize].reads {
            let key = format!("read:{}/{}", plan.name, self.source_name(*source));
            self.store
                .set_meta(&key, &run.record.started.0.to_string())?;
        }
        self.store.put_run(&run.record)?;
        self.store.commit()?;
        run.phase = Phase::Over;
        self.store.stage_drop(run.record.id)
    }

    /// Runs that a killed runner left: one that was reading starts over, one that was writing
    /// goes on after its last confirmed chunk.
    pub(super) fn resume_runs(&mut self) -> Stored<()> {
        for record in self.store.open_runs()? {
            let scenario = self.program.scenario_ix(&record.scenario);
            let staged = self.store.stage_len(record.id)? > 0;
            match scenario {
                Some(scenario) if record.status == RunStatus::Writing && staged => {
                    let after = record.confirmed.clone();
                    self.runs.push(ActiveRun {
                        scenario,
                        reconcile: record.why == "reconcile",
                        phase: Phase::Write(after),
                        reads: VecDeque::new(),
                        staged: 0,
                        stamp: Arc::from(format!("run {}", record.id)),
                        cursors: record.cursor_after.clone(),
                        chunks: VecDeque::new(),
                        postponed: 0,
                        attempts: 0,
                        retry_at: None,
                        record,
                    });
                }
                _ => {
                    let mut record = record;
                    record.status = RunStatus::Failed;
                    record.ended = Some(self.world.now());
                    record.note = Some("cut off before its first write; started anew".into());
                    self.store.put_run(&record)?;
                    self.store.stage_drop(record.id)?;
                    if let Some(scenario) = scenario.filter(|s| self.wanted(*s)) {
                        self.start_run(scenario, "resumed")?;
                    }
                }
            }
        }
        Ok(())
    }
}

pub(super) fn cursor_key(scenario: &str, source: &str) -> String {
    format!("cursor:{scenario}/{source}")
}

pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The first condition that a record does not meet: why, and whether that aborts the run.
pub(super) fn unmet(
    require: &[RequireProgram],
    ix: EntityIx,
    entity: &super::program::EntityProgram,
    row: &Row,
) -> Option<(String, bool)> {
    let mut require = require.iter().filter(|r| r.entity == ix).peekable();
    require.peek()?;
    let key = key_values(entity, &row.key);
    let lookup = |field: FieldIx| {
        let held = row.fields.iter().chain(&key).find(|(ix, _)| *ix == field);
        held.map(|(_, v)| v.clone())
    };
    require.find_map(|r| match r.holds.truth(&lookup) {
        Ok(true) => None,
        Ok(false) => Some((format!("does not hold: {}", r.holds.text()), r.abort)),
        Err(error) => Some((
            format!("{} cannot be told: {error}", r.holds.text()),
            r.abort,
        )),
    })
}

fn stage(
    run: &ActiveRun,
    source: Source,
    row: Row,
    group: String,
    absorbed: &[FieldIx],
    clean: bool,
) -> Staged {
    let changed_at = row.changed_at;
    let mut fields = row.fields;
    fields.retain(|(f, _)| absorbed.binary_search(f).is_ok());
    let payload = Payload {
        entity: source.entity,
        key: row.key,
        native_key: row.native_key,
        locator: row.locator,
        changed_at,
        deleted: row.deleted,
        fields,
    };
    // A record that cannot be encoded cannot be made: every part has a fixed encoding.
    let encoded = postcard::to_stdvec(&payload).unwrap_or_default();
    let key = if clean && !group.is_empty() {
        group.clone()
    } else {
        payload.key
    };
    Staged {
        key,
        seq: run.staged,
        system: source.system,
        group,
        changed_at: changed_at.unwrap_or(i64::MIN),
        payload: encoded,
    }
}

fn shown_row(entity: &super::program::EntityProgram, row: &Row) -> String {
    let mut record = serde_json::Map::new();
    for (field, value) in &row.fields {
        if let Some(program) = entity.fields.get(*field as usize) {
            record.insert(program.name.clone(), value.to_json());
        }
    }
    serde_json::Value::Object(record).to_string()
}

/// Which of several staged records of one group stays: index into `rows`.
pub(super) fn kept(rows: &[Staged], keep: Keep, owner: Option<SystemIx>) -> usize {
    let newest = |i: &usize| (rows[*i].changed_at, rows[*i].seq);
    let indexes = 0..rows.len();
    let best = match keep {
        Keep::Newest => indexes.max_by_key(newest),
        Keep::Oldest => indexes.min_by_key(newest),
        Keep::Owner => indexes.max_by_key(|i| (Some(rows[*i].system) == owner, newest(i))),
    };
    best.unwrap_or(0)
}
