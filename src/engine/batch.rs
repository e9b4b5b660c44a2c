//! Scheduled runs: read → stage → checkpoint → write → commit cursor.
//!
//! Pages are streamed into the stage; conditions are held to every record on its way in. Only when
//! all is read and the checkpoint agrees does the first write go out (see [`super::chunk`]).
//! Progress is durable by chunk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::absent::makes_deletions;
use super::account::Account;
use super::books::Books;
use super::cause::{with_remedy, with_words};
use super::cursors::unsound;
use super::dispatch::Queued;
use super::evaluate::RUN_STAMP;
use super::filling::{Chunks, Fills};
use super::ports::{
    Answer, Call, FailureClass, MapIx, Page, ReadRequest, RunCounts, RunRecord, RunStatus,
    ScenarioIx, Stored, SystemIx,
};
use super::program::Source;
use super::runner::{Alert, Errand, Runner};
use super::stage::percent;
use super::steps::Step;
use crate::failpoint::{Point, reach};
use crate::plan;
use crate::time::Instant;

/// Records in one page of a read where the connector has no wish of its own.
const PAGE: usize = 10_000;
/// Times a page is asked for again before the run is given up.
const READ_ATTEMPTS: u32 = 3;

/// A run under way.
pub(crate) struct ActiveRun {
    /// The scenario.
    pub scenario: ScenarioIx,
    /// Its record as stored.
    pub record: RunRecord,
    /// Whether it compares what its destinations hold, as a hybrid's reconcile does and a backfill.
    pub reconcile: bool,
    /// Where it stands.
    pub phase: Phase,
    /// Sources still to be read; the first is being read.
    pub reads: VecDeque<Source>,
    /// Records shown by each source.
    pub rows: BTreeMap<Source, u64>,
    /// Rows staged so far (their order of reading).
    pub staged: i64,
    /// The id that stamps of this run carry.
    pub stamp: Arc<str>,
    /// Greatest cursors seen, by `entity/system`.
    pub cursors: BTreeMap<String, String>,
    /// Chunks handed out and not wholly confirmed: number, last key, batches outstanding.
    pub chunks: VecDeque<(u64, String, u32)>,
    /// Up to this key writes were committed by a runner that was killed before it could say that
    /// they arrived: they are written once more.
    pub redo: Option<String>,
    /// What was noted of it before a quota cut it short.
    pub noted: Option<String>,
    /// Whether a quota left it to a later runner.
    pub left: bool,
    /// Times the present page was asked for in vain.
    pub attempts: u32,
    /// Not to be tried again before.
    pub retry_at: Option<Instant>,
    /// Whether it is kept where its reading stands (see [`super::reading`]).
    pub kept: bool,
    /// The maps for which it has a bulk job open.
    pub jobs: BTreeSet<MapIx>,
    /// What has to agree at its end.
    pub account: Account,
}

/// What a run does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To ask for a page (`None`: the first).
    Ask(Option<String>),
    /// That page is under way.
    Reading(Option<String>),
    /// All is read; the checkpoint speaks next.
    Check,
    /// Chunks go out, from after this key.
    Write(Option<String>),
    /// Records that a full read no longer showed: the how-manieth entity, and from after which key.
    Absent(usize, Option<String>),
    /// Nothing more to hand out; confirmations are awaited.
    Drain,
    /// Over.
    Over,
}

impl ActiveRun {
    /// What it does, in a word.
    pub fn doing(&self) -> &'static str {
        match self.phase {
            Phase::Ask(_) | Phase::Reading(_) => "reading",
            Phase::Check => "checking",
            Phase::Write(_) | Phase::Absent(..) | Phase::Drain | Phase::Over => "writing",
        }
    }

    /// Whether the run reads everything there is, so that what it is not shown is not there.
    pub fn reads_all(&self, plan: &plan::Scenario) -> bool {
        self.reconcile || plan.scan_full || self.record.why == BACKFILL
    }

    /// Whether it matters to the run which records are no longer there.
    pub fn tracks_presence(&self, plan: &plan::Scenario) -> bool {
        self.reconcile || (plan.scan_full && plan.propagate_deletes)
    }

    /// What a hybrid reads before the first event is taken.
    pub fn is_opening(&self) -> bool {
        self.record.why == OPENING
    }

    /// A batch is done with: confirmed, or left to the outbox. Chunks are confirmed from the front
    /// while they have nothing outstanding.
    pub(super) fn batch_done(&mut self, chunks: Chunks) {
        self.batch_taken(chunks);
        self.settle();
    }

    /// A batch is taken back before it went, so that its writes go with others.
    pub(super) fn batch_taken(&mut self, chunks: Chunks) {
        for slot in self.chunks.iter_mut().filter(|c| chunks.has(c.0)) {
            slot.2 = slot.2.saturating_sub(1);
        }
    }

    /// A batch is outstanding.
    pub(super) fn batch_queued(&mut self, chunks: Chunks) {
        for slot in self.chunks.iter_mut().filter(|c| chunks.has(c.0)) {
            slot.2 += 1;
        }
    }

    /// The number of the chunk that is handed out next.
    pub(super) fn next_chunk(&self) -> u64 {
        self.chunks.back().map_or(0, |(n, _, _)| n + 1)
    }

    /// Confirms chunks from the front while they have nothing outstanding.
    pub(super) fn settle(&mut self) {
        while self
            .chunks
            .front()
            .is_some_and(|(_, _, outstanding)| *outstanding == 0)
        {
            if let Some((_, last, _)) = self.chunks.pop_front() {
                self.record.confirmed = self.record.confirmed.take().max(Some(last));
            }
        }
    }

    pub(super) fn over(record: RunRecord, scenario: ScenarioIx, plan: &plan::Scenario) -> Self {
        ActiveRun {
            scenario,
            reconcile: compares(plan, &record.why),
            phase: Phase::Over,
            reads: VecDeque::new(),
            rows: BTreeMap::new(),
            staged: 0,
            stamp: stamp_of(&record),
            cursors: BTreeMap::new(),
            chunks: VecDeque::new(),
            redo: None,
            noted: None,
            left: false,
            attempts: 0,
            retry_at: None,
            kept: false,
            jobs: BTreeSet::new(),
            account: Account::new(),
            record,
        }
    }
}

/// Why a run started: see [`ActiveRun::is_opening`].
pub(super) const OPENING: &str = "opening";
/// Why a run started: see [`super::decide::backfill`].
pub(super) const BACKFILL: &str = "backfill";

/// Whether a run of a scenario reads its destinations, too, as far as they can be read: a hybrid's
/// does, and one that a person asked for, since what is known of a destination may not be so any
/// more (it was emptied, or another one has taken its place).
pub(super) fn compares(plan: &plan::Scenario, why: &str) -> bool {
    plan.mode.realtime || (why == BACKFILL && plan.clean.is_none())
}

impl Runner<'_> {
    /// Starts a run of a scenario.
    pub(super) fn start_run(&mut self, scenario: ScenarioIx, why: &str) -> Stored<()> {
        self.start_instead(scenario, why, None)
    }

    /// The same, and has another run end with it.
    pub(super) fn start_instead(
        &mut self,
        scenario: ScenarioIx,
        why: &str,
        ends: Option<&RunRecord>,
    ) -> Stored<()> {
        let plan = &self.program.plan.scenarios[scenario as usize];
        let reconcile = plan.mode.realtime;
        let reads = self.sources_of(scenario, compares(plan, why));
        let reads: VecDeque<Source> = reads.into();
        let now = self.world.now();
        let why = match reconcile && why != OPENING && why != BACKFILL {
            true => "reconcile",
            false => why,
        };
        let mut record = RunRecord {
            id: 0,
            scenario: plan.name.clone(),
            why: why.to_owned(),
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
            goes_on: None,
        };
        for source in &reads {
            let name = self.source_name(*source);
            if let Some(cursor) = self.store.meta(&cursor_key(&plan.name, &name))? {
                record.cursor_before.insert(name, cursor);
            }
        }
        self.begin()?;
        if let Some(ends) = ends {
            self.store.put_run(ends)?;
        }
        record.id = self.store.open_run(&record)?;
        let digest = &self.program.plan.digest;
        self.store.set_meta(&digest_key(&plan.name), digest)?;
        self.store
            .set_meta(&format!("started:{}", plan.name), &now.0.to_string())?;
        self.store.commit()?;
        reach(Point::RunOpened);
        self.store.stage_open(record.id)?;
        self.observer.run_started(&record);
        self.clock.forget(scenario);
        self.runs.push(ActiveRun {
            phase: Phase::Ask(None),
            reads,
            ..ActiveRun::over(record, scenario, plan)
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
            let open = run.chunks.front().map(|(number, _, _)| *number);
            self.observer.step(&Step::ChunksEnded(run.record.id, open));
            let advanced = match run.left {
                // Open in the store, for whoever comes next.
                true if self.answers_awaited(&run) => Ok(()),
                true => {
                    run.phase = Phase::Over;
                    self.store.put_run(&run.record)
                }
                false => self.advance(&mut run),
            };
            let over = run.phase == Phase::Over;
            if !over {
                self.runs.insert(i, run);
                i += 1;
            }
            advanced?;
        }
        Ok(())
    }

    fn answers_awaited(&self, run: &ActiveRun) -> bool {
        self.errands.values().any(|(_, errand)| match errand {
            Errand::RunRead(id) | Errand::RunWrite(id, _) => *id == run.record.id,
            Errand::Send(_) | Errand::Follow(_) => false,
        })
    }

    /// Whether a run could move on without an answer.
    pub(super) fn runs_can_move(&self) -> bool {
        let moving = |run: &&ActiveRun| !run.left || !self.answers_awaited(run);
        self.runs.iter().filter(moving).any(|run| match &run.phase {
            _ if run.left => true,
            Phase::Ask(_) => self.may_ask(run),
            Phase::Write(_) => self.has_room(run) && self.in_window(run),
            Phase::Check | Phase::Absent(..) => self.in_window(run),
            Phase::Drain => run.chunks.is_empty(),
            Phase::Reading(_) | Phase::Over => false,
        })
    }

    /// When a run that waits for its next attempt at a page may have it.
    pub(super) fn next_read(&self) -> Option<Instant> {
        let now = self.world.now();
        let waits = self
            .runs
            .iter()
            .filter(|r| matches!(r.phase, Phase::Ask(_)));
        let times = waits.filter_map(|run| {
            let system = run.reads.front().map(|s| s.system);
            let open = system.and_then(|s| self.systems[s as usize].resting_until());
            // What lies behind keeps nobody waiting.
            run.retry_at.max(open).filter(|at| *at > now)
        });
        times.min()
    }

    /// A window, or a person, pauses and resumes a run; neither an until-idle round, which a person asked for,
    /// nor what events wait for is kept waiting, and what a killed runner left open is closed.
    pub(super) fn in_window(&self, run: &ActiveRun) -> bool {
        let window = &self.program.plan.scenarios[run.scenario as usize].window;
        let open = |w: &crate::time::Window| w.contains(self.world.now(), self.program.zone);
        self.options.until_idle
            || run.is_opening()
            || run.redo.is_some()
            || !self.paused.contains(&run.scenario) && window.as_ref().is_none_or(open)
    }

    fn may_ask(&self, run: &ActiveRun) -> bool {
        let now = self.world.now();
        let system = run.reads.front().map(|s| s.system);
        run.retry_at.is_none_or(|at| at <= now)
            && system.is_none_or(|s| self.systems[s as usize].can_be_called(now))
            && self.in_window(run)
    }

    fn advance(&mut self, run: &mut ActiveRun) -> Stored<()> {
        if self.world.stopping() && run.phase != Phase::Drain {
            return Ok(());
        }
        match run.phase.clone() {
            Phase::Ask(page) => {
                self.ask(run, page);
                Ok(())
            }
            Phase::Check if self.in_window(run) => {
                self.observer.step(&Step::CheckBegins(run.record.id));
                let checked = self.check(run);
                self.observer.step(&Step::CheckEnds(run.record.id));
                checked
            }
            Phase::Write(after) => {
                if self.has_room(run) && self.in_window(run) {
                    self.write_chunk(run, after.as_deref())?;
                }
                Ok(())
            }
            Phase::Absent(entity, after) if self.in_window(run) => {
                self.mark_absent(run, entity, after)
            }
            Phase::Drain if run.chunks.is_empty() => self.end(run),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, run: &mut ActiveRun, page: Option<String>) {
        run.phase = Phase::Ask(page.clone());
        let Some(source) = run.reads.front().copied() else {
            run.phase = Phase::Check;
            return;
        };
        if self.world.stopping() || !self.may_ask(run) {
            return;
        }
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let name = self.source_name(source);
        let full = run.reads_all(plan) || plan.clean.is_some();
        let has_cursor = self.program.plan.maps[source.map as usize].cursor.is_some();
        let since = run.record.cursor_before.get(&name).cloned();
        let limit = self.program.plan.systems[source.system as usize].read_page;
        let request = ReadRequest {
            map: source.map,
            since: since.filter(|_| !full && has_cursor),
            page: page.clone(),
            limit: limit.map_or(PAGE, |l| l as usize).clamp(1, PAGE),
            locate: plan.clean.is_some(),
        };
        run.phase = Phase::Reading(page);
        let queued = Queued {
            errand: Errand::RunRead(run.record.id),
            call: Call::Read(request),
            after: 0,
            fills: Fills::Not,
        };
        self.queue(run.scenario, source.system, queued);
    }

    /// A page of a run has come, or has failed to.
    pub(super) fn run_read(&mut self, id: i64, system: SystemIx, answer: Answer) -> Stored<()> {
        self.count_answer(system, &answer);
        let Some(i) = self.runs.iter().position(|r| r.record.id == id) else {
            return Ok(());
        };
        let mut run = self.runs.remove(i);
        Self::goes_on(&mut run);
        let name = self.program.system_name(system).to_owned();
        *run.record.calls.entry(name.clone()).or_default() += 1;
        self.count_calls(run.scenario, system, 1);
        let taken = match answer {
            Answer::Page(page) => {
                if std::mem::take(&mut run.attempts) > 0 {
                    run.record.note = None;
                }
                run.retry_at = None;
                self.stage_page(&mut run, page)
            }
            Answer::Failed(_, failure) => {
                run.attempts += 1;
                let again = matches!(failure.class, FailureClass::Retry { .. });
                self.failed(system, &failure, Some(run.scenario));
                let error = with_remedy(&failure.message, failure.remedy.as_deref());
                let note = format!("`{name}` could not be read: {error}");
                // By the clock a run waits for a system that is away, as what it writes does.
                if again && (run.attempts <= READ_ATTEMPTS || !self.options.until_idle) {
                    if run.attempts == READ_ATTEMPTS + 1 {
                        run.record.note = Some(note);
                        self.store.put_run(&run.record)?;
                    }
                    run.retry_at = Some(self.next_attempt(run.scenario, run.attempts, &failure));
                    if let Phase::Reading(page) = &run.phase {
                        run.phase = Phase::Ask(page.clone());
                    }
                    Ok(())
                } else {
                    // Not every system lets another runner go on in the middle.
                    let anew = run.kept && failure.class == FailureClass::Reject;
                    let scenario = run.scenario;
                    let asked = run.record.why == BACKFILL;
                    let why = if asked { BACKFILL } else { "resumed" };
                    self.stop_run(&mut run, RunStatus::Failed, note)?;
                    if anew {
                        self.start_run(scenario, why)?;
                    }
                    Ok(())
                }
            }
            _ => Ok(()),
        };
        if run.phase != Phase::Over {
            self.runs.insert(i.min(self.runs.len()), run);
        }
        taken
    }

    fn stage_page(&mut self, run: &mut ActiveRun, page: Page) -> Stored<()> {
        let Some(source) = run.reads.front().copied() else {
            return Ok(());
        };
        self.forget_reading(run)?;
        let name = self.source_name(source);
        if let Some(cursor) = page.cursor {
            run.cursors.insert(name, cursor);
        }
        let shown = page.rows.len();
        *run.rows.entry(source).or_default() += shown as u64;
        // The next page is asked for before this one is worked on, so that both go on at once.
        if page.next.is_none() {
            run.reads.pop_front();
        }
        self.ask(run, page.next);
        self.let_out(source.system)?;
        let before = run.record.counts;
        let sifted = self.sift(run, source, page.rows);
        let kept = sifted.staged.len() - sifted.markers + sifted.kept_back.len();
        run.account.read(shown, kept);
        self.store.stage_put(run.record.id, sifted.staged)?;
        self.store.put_quarantined(&sifted.kept_back)?;
        reach(Point::RunStaged);
        let counts = run.record.counts;
        let tally = self.tally(run.scenario);
        tally.counts.read += counts.read - before.read;
        tally.counts.quarantined += counts.quarantined - before.quarantined;
        tally.clamped += sifted.clamped;
        match sifted.abort {
            Some(note) => self.stop_run(run, RunStatus::Aborted, note),
            None => Ok(()),
        }
    }

    /// All is read: deduplicate, count, and let the checkpoint speak.
    fn check(&mut self, run: &mut ActiveRun) -> Stored<()> {
        reach(Point::RunChecking);
        // A run that ended well has written what it read: rows that the stage lost are told of.
        let left = self.store.stage_len(run.record.id)?;
        if left != run.staged.unsigned_abs() {
            let note = format!("of {} records that were staged {left} are left", run.staged);
            return self.stop_run(run, RunStatus::Failed, note);
        }
        let scenario = &self.program.scenarios[run.scenario as usize];
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let checkpoint = plan.checkpoint.as_ref();
        let kept_back = run.record.counts.quarantined;
        let held = |source: &Source| self.held_to_checkpoint(run, *source);
        let rows = run.rows.iter().filter(|(source, _)| held(source));
        let read: u64 = rows.map(|(_, rows)| rows).sum();
        if let Some(over) = checkpoint.and_then(|c| c.abort_over)
            && kept_back as f64 > over * read as f64
        {
            let note = format!(
                "{kept_back} of {read} records were quarantined, over the {} that `abort` allows",
                percent(over)
            );
            return self.stop_run(run, RunStatus::Aborted, note);
        }
        if let Some(note) = self.silent_source(run)? {
            if run.tracks_presence(plan) && makes_deletions(plan) {
                return self.stop_run(run, RunStatus::Aborted, note);
            }
            run.record.note = Some(note);
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
        // Before the run counts as writing: one that is cut off here reads anew.
        self.enter_owed(run.scenario)?;
        run.record.status = RunStatus::Writing;
        run.record.cursor_after = run.cursors.clone();
        reach(Point::RunChecked);
        self.store.put_run(&run.record)?;
        reach(Point::RunWriting);
        run.phase = Phase::Write(None);
        Ok(())
    }

    /// Records that other flows left to this scenario to put right go to the outbox.
    fn enter_owed(&mut self, scenario: ScenarioIx) -> Stored<()> {
        let name = &self.program.plan.scenarios[scenario as usize].name;
        let owed = self.store.owed(name)?;
        if owed.is_empty() {
            return Ok(());
        }
        let mut books = Books::default();
        self.begin()?;
        let mut office = self.office();
        for (entity, key) in &owed {
            if let Some(entity) = office.program.entity(entity) {
                books.owe(&mut office, scenario, (entity, key), None, false)?;
            }
        }
        books.close(&mut office)?;
        self.store.clear_owed(name)?;
        self.store.commit()
    }

    /// The system of record of the scenario's first entity, for `keep owner`.
    fn owner_of(&self, scenario: ScenarioIx) -> Option<SystemIx> {
        let route = self.program.scenarios[scenario as usize].routes.first()?;
        let entity = &self.program.entities[route.entity as usize];
        entity.fields.iter().find_map(|f| f.rule.owner)
    }

    /// Ends a run before its first write (or a read that failed): nothing is committed.
    fn stop_run(&mut self, run: &mut ActiveRun, status: RunStatus, note: String) -> Stored<()> {
        Self::goes_on(run);
        run.record.status = status;
        run.record.ended = Some(self.world.now());
        self.tally(run.scenario).notes.push(note.clone());
        if status == RunStatus::Aborted {
            let scenario = &self.program.plan.scenarios[run.scenario as usize].name;
            self.observer.alert(&Alert::Aborted {
                scenario,
                note: &note,
            });
        }
        run.record.note = Some(note);
        run.phase = Phase::Over;
        self.store.put_run(&run.record)?;
        self.observer.run_ended(&run.record);
        self.store.stage_drop(run.record.id)
    }

    /// Says whether a run's counts agree. Where they do not its cursors stay: the next one reads the
    /// same once more.
    fn close_account(&mut self, run: &mut ActiveRun) -> bool {
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        // A run that cleans works on the repeats too: it deletes them.
        let dropped = match plan.clean {
            Some(_) => 0,
            None => run.record.counts.deduplicated,
        };
        let kept = run.staged.unsigned_abs().saturating_sub(dropped);
        let Some(what) = run.account.disagreement(&run.record, kept) else {
            return true;
        };
        run.cursors.clear();
        run.record.status = RunStatus::Partial;
        let note = with_remedy(
            &format!("its counts do not agree: {what}"),
            Some(&format!(
                "this is a fault of Syncline, please report it, and read everything anew with \
                 `syncline backfill {}`",
                plan.name
            )),
        );
        self.tally(run.scenario).notes.push(note.clone());
        run.record.note = Some(note);
        false
    }

    /// Everything is confirmed (or left to the outbox): commit the cursors.
    fn end(&mut self, run: &mut ActiveRun) -> Stored<()> {
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let now = self.world.now();
        Self::goes_on(run);
        run.record.status = RunStatus::Done;
        let postponed = run.record.counts.postponed;
        if postponed > 0 {
            run.record.status = RunStatus::Partial;
            run.record.note = Some(match postponed {
                1 => "1 write was left to the outbox".to_owned(),
                n => format!("{n} writes were left to the outbox"),
            });
        }
        let agrees = self.close_account(run);
        self.hold_unsound_cursors(run);
        run.record.ended = Some(now);
        run.record.cursor_after = run.record.cursor_before.clone();
        run.record.cursor_after.extend(run.cursors.clone());
        self.begin()?;
        for (source, cursor) in &run.cursors {
            self.store
                .set_meta(&cursor_key(&plan.name, source), cursor)?;
        }
        let reads = self.program.scenarios[run.scenario as usize].reads.iter();
        // Of a run that does not add up nobody knows what it has brought.
        for source in reads.filter(|_| agrees) {
            let key = format!("read:{}/{}", plan.name, self.source_name(*source));
            self.store
                .set_meta(&key, &run.record.started.0.to_string())?;
        }
        self.store.put_run(&run.record)?;
        reach(Point::CursorEntered);
        self.store.commit()?;
        reach(Point::CursorCommitted);
        self.observer.run_ended(&run.record);
        run.phase = Phase::Over;
        self.store.stage_drop(run.record.id)
    }
}

impl Runner<'_> {
    /// Leaves a cursor where it was if later changes could not exceed the new one, and says so.
    fn hold_unsound_cursors(&mut self, run: &mut ActiveRun) {
        let now = self.world.now();
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let reads = &self.program.scenarios[run.scenario as usize].reads;
        for source in self.sources_of(run.scenario, run.reconcile) {
            let name = self.source_name(source);
            let Some(cursor) = run.cursors.get(&name) else {
                continue;
            };
            let before = run.record.cursor_before.get(&name).map(String::as_str);
            let map = self.program.plan.maps.get(usize::from(source.map));
            let Some(why) = unsound(map, before, cursor, now) else {
                continue;
            };
            let entity = &self.program.entities[usize::from(source.entity)].name;
            let (stays, at) = match before {
                Some(before) => (
                    "the one before stays",
                    format!(", the one before `{before}`"),
                ),
                None => ("none is kept", String::new()),
            };
            // A cursor is a value of some record.
            let hint = with_words(
                &format!(
                    "the greatest cursor that `{}` showed for {entity} {why}: {stays}, and what \
                     changed since is read again each time; mend that record",
                    self.program.system_name(source.system)
                ),
                &format!("that cursor is `{cursor}`{at}"),
            );
            run.cursors.remove(&name);
            // What is read whole each time misses nothing by that.
            if reads.contains(&source) && !plan.scan_full && plan.clean.is_none() {
                run.record.note.get_or_insert_with(|| hint.clone());
                self.tally(run.scenario).hints.push(hint);
            }
        }
    }
}

/// The id that stamps of a run carry.
pub(super) fn stamp_of(record: &RunRecord) -> Arc<str> {
    Arc::from(format!("{RUN_STAMP}{}", record.id))
}

fn cursor_key(scenario: &str, source: &str) -> String {
    format!("cursor:{scenario}/{source}")
}

/// Where the digest of the plan is kept with which a scenario's last run was started.
pub(super) fn digest_key(scenario: &str) -> String {
    format!("planned:{scenario}")
}
