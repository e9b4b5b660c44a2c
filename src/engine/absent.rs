//! What a full read did not show: records that a source no longer has, and records that a
//! destination should have and has not.
//!
//! Registers and stage are both in the order of keys, so that one pass over both finds the gaps.
//! What follows from a gap goes to the outbox in the transaction that notes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::batch::{ActiveRun, Phase};
use super::books::{Books, waits};
use super::chunk::CHUNK;
use super::evaluate::{Report, absorb, by_event_since};
use super::owed::forget;
use super::ports::{EntityIx, FieldIx, RunRecord, ScenarioIx, Stored, SystemIx};
use super::program::Source;
use super::register::{FieldRegister, How, Known, Register};
use super::register_json;
use super::runner::{Runner, damaged};
use super::stage::Payload;
use crate::failpoint::{Point, reach};
use crate::plan::Scenario;

/// What is made of a record that a system did not show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// It was deleted there, and deletions travel.
    Deleted,
    /// It is missing there and has to be put back.
    Missing,
}

/// Whether a gap in what a scenario reads may be a deletion that it passes on. What only shows recent
/// records, or has taken another's place, tells of none: a person's backfill alone makes none of a gap.
pub(super) fn makes_deletions(plan: &Scenario) -> bool {
    plan.propagate_deletes && (plan.mode.realtime || plan.scan_full)
}

impl Runner<'_> {
    /// One step over an entity's registers, from after a key.
    pub(super) fn mark_absent(
        &mut self,
        run: &mut ActiveRun,
        entity_at: usize,
        after: Option<String>,
    ) -> Stored<()> {
        let program = self.program;
        let plan = &program.plan.scenarios[run.scenario as usize];
        let entities = self.entities_of(run.scenario);
        let entity = entities.get(entity_at).copied();
        let Some(entity) = entity.filter(|_| run.tracks_presence(plan)) else {
            run.phase = Phase::Drain;
            return Ok(());
        };
        let watched = self.watched(run, entity)?;
        let name = &program.entities[entity as usize].name;
        let records = match watched.is_empty() {
            true => Vec::new(),
            false => self.store.records_after(name, after.as_deref(), CHUNK)?,
        };
        let Some(upto) = records.last().map(|r| r.key.clone()) else {
            run.phase = Phase::Absent(entity_at + 1, None);
            return Ok(());
        };
        let present = self.present(run, entity, after.as_deref(), &upto)?;
        let mut books = Books::default();
        self.begin()?;
        for record in records {
            for (system, gap) in &watched {
                if present.contains(&(record.key.clone(), *system)) {
                    continue;
                }
                let names = &program.entities[entity as usize];
                let register = register_json::parse(names, &record.doc).map_err(damaged)?;
                if self.was_there(run, *system, (entity, &record.key), &register, *gap)? {
                    self.close_gap(run, *system, (entity, &record.key), *gap, &mut books)?;
                }
            }
        }
        books.close(&mut self.office())?;
        reach(Point::AbsentWorkedOut);
        self.store.commit()?;
        run.phase = Phase::Absent(entity_at, Some(upto));
        Ok(())
    }

    /// The systems of which the run has read every record of an entity, and what a gap there means.
    fn watched(&mut self, run: &ActiveRun, entity: EntityIx) -> Stored<Vec<(SystemIx, Gap)>> {
        let program = self.program;
        let plan = &program.plan.scenarios[run.scenario as usize];
        let scenario = &program.scenarios[run.scenario as usize];
        let mut sources: Vec<Source> = scenario.reads.clone();
        if run.reconcile {
            sources.extend(&scenario.reconcile_reads);
        }
        let mut out = Vec::new();
        let unreadable = self.unreadable(run, entity)?;
        for source in sources.iter().filter(|s| s.entity == entity) {
            // A record whose key could not be read may be any of those that seem to be missing.
            if unreadable.contains(&source.system) {
                continue;
            }
            let routes = || scenario.routes.iter().filter(|r| r.entity == entity);
            if makes_deletions(plan) && routes().any(|r| r.from == source.system) {
                out.push((source.system, Gap::Deleted));
            } else if run.reconcile && routes().any(|r| r.to == source.system) {
                out.push((source.system, Gap::Missing));
            }
        }
        Ok(out)
    }

    /// The systems that showed a record without a readable key: their markers come first.
    fn unreadable(&mut self, run: &ActiveRun, entity: EntityIx) -> Stored<BTreeSet<SystemIx>> {
        let mut out = BTreeSet::new();
        for row in self.store.stage_after(run.record.id, None, 1)? {
            let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
            if row.key.is_empty() && payload.present_only && payload.entity == entity {
                out.insert(row.system);
            }
        }
        Ok(out)
    }

    /// Which records of an entity were shown by whom, over a range of keys.
    fn present(
        &mut self,
        run: &ActiveRun,
        entity: EntityIx,
        after: Option<&str>,
        upto: &str,
    ) -> Stored<BTreeSet<(String, SystemIx)>> {
        let mut out = BTreeSet::new();
        let mut at = after.map(str::to_owned);
        loop {
            let rows = self
                .store
                .stage_after(run.record.id, at.as_deref(), CHUNK)?;
            for row in &rows {
                let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
                if payload.entity == entity {
                    out.insert((row.key.to_string(), row.system));
                }
            }
            match rows.into_iter().next_back() {
                Some(last) if last.key.as_str() < upto => at = Some(last.key.into()),
                _ => return Ok(out),
            }
        }
    }

    /// Whether a system had a record before the run read it, beyond what the runner may still be
    /// about to write.
    fn was_there(
        &mut self,
        run: &ActiveRun,
        system: SystemIx,
        (entity, key): (EntityIx, &str),
        register: &Register,
        gap: Gap,
    ) -> Stored<bool> {
        let Some(view) = register.view(system) else {
            return Ok(false);
        };
        let settled = self.settled(run, system);
        let had = view.gone.is_none() && !view.known.is_empty();
        let is_fresh = |(_, k): &(FieldIx, Known)| k.settled_at() >= settled;
        // Its own events tell by its own clock, which may be behind.
        let told = |(_, field): &(FieldIx, FieldRegister)| {
            let own = field.origin(system).map(|own| &own.latest);
            own.is_some_and(|told| by_event_since(&told.id, told.at, (settled, i64::MIN)))
        };
        let fresh = match gap {
            Gap::Deleted => view.known.iter().any(is_fresh) || register.fields.iter().any(told),
            // A field that this very run sends does not bring the others back.
            Gap::Missing => view.known.iter().all(is_fresh),
        };
        let program = self.program;
        Ok(had && !fresh && !waits(program, &mut *self.store, system, entity, key)?)
    }

    fn close_gap(
        &mut self,
        run: &mut ActiveRun,
        system: SystemIx,
        (entity, key): (EntityIx, &str),
        gap: Gap,
        books: &mut Books,
    ) -> Stored<()> {
        let program = self.program;
        let names = &program.entities[entity as usize];
        let started = run.record.started.0.saturating_mul(1_000);
        let mut office = self.office();
        let (register, dirty) = books.register(&mut office, entity, key)?;
        *dirty = true;
        match gap {
            Gap::Deleted => {
                let id: Arc<str> = Arc::clone(&run.stamp);
                let report = Report {
                    system,
                    at: started,
                    timed: false,
                    id: &id,
                    fields: &[],
                    native_key: None,
                    deleted: true,
                    read: Some(started),
                    whole: false,
                    own: None,
                    changed: None,
                    handed: None,
                };
                absorb(names, register, &report);
                books.owe(&mut office, run.scenario, (entity, key), None, false)?;
            }
            Gap::Missing => {
                let known: Vec<FieldIx> = register
                    .view(system)
                    .map(|v| v.known.iter().map(|(f, _)| *f).collect())
                    .unwrap_or_default();
                forget(register, system, &known);
                let (scenario, record) = (run.scenario, (entity, key));
                books.owe(&mut office, scenario, record, Some(system), false)?;
                // Other flows put back what they carry there.
                books.correct(&mut office, system, record, &known, &[scenario])?;
            }
        }
        run.record.counts.drift += u64::from(run.reconcile);
        let tally = &mut self.tally(run.scenario).counts;
        tally.drift += u64::from(run.reconcile);
        if gap == Gap::Deleted {
            tally.changed += 1;
            run.record.counts.changed += 1;
        }
        Ok(())
    }

    /// A source that was read whole and showed nothing, where it had records before. What has no
    /// cursor is read whole each time.
    pub(super) fn silent_source(&mut self, run: &ActiveRun) -> Stored<Option<String>> {
        let program = self.program;
        let plan = &program.plan.scenarios[run.scenario as usize];
        for source in &program.scenarios[run.scenario as usize].reads {
            let by_change = program.plan.maps[usize::from(source.map)].cursor.is_some()
                && run
                    .record
                    .cursor_before
                    .contains_key(&self.source_name(*source));
            if by_change && !run.reads_all(plan) {
                continue;
            }
            let shown = run.rows.get(source).copied().unwrap_or_default();
            if shown == 0 && self.had_records(run, *source)? {
                return Ok(Some(format!(
                    "`{}` shows no `{}` at all, where it had some before",
                    program.system_name(source.system),
                    program.entities[source.entity as usize].name
                )));
            }
        }
        Ok(None)
    }

    /// Whether a source is known to have had any record: one that it showed, or that it was sent
    /// before the run and does not wait for any more.
    fn had_records(&mut self, run: &ActiveRun, source: Source) -> Stored<bool> {
        let program = self.program;
        let names = &program.entities[source.entity as usize];
        let settled = self.settled(run, source.system);
        let mut after: Option<String> = None;
        loop {
            let records = self
                .store
                .records_after(&names.name, after.as_deref(), CHUNK)?;
            for record in &records {
                let register = register_json::parse(names, &record.doc).map_err(damaged)?;
                let view = register.view(source.system);
                let Some(view) = view.filter(|view| view.gone.is_none()) else {
                    continue;
                };
                if view.known.iter().any(|(_, known)| !known.how.written()) {
                    return Ok(true);
                }
                let sent = view.known.iter().any(|(_, k)| k.settled_at() < settled);
                let (system, entity) = (source.system, source.entity);
                if sent && !waits(program, &mut *self.store, system, entity, &record.key)? {
                    return Ok(true);
                }
            }
            match records.into_iter().next_back() {
                Some(last) => after = Some(last.key),
                None => return Ok(false),
            }
        }
    }

    /// A run was cut off while it wrote and its stage is lost: what it had committed and not seen
    /// confirmed is told by the time at which the registers say that it was written.
    pub(super) fn recover_unconfirmed(
        &mut self,
        scenario: ScenarioIx,
        record: &RunRecord,
    ) -> Stored<()> {
        let program = self.program;
        let since = record.started.0.saturating_mul(1_000);
        for entity in self.entities_of(scenario) {
            self.among_committed(record, entity, |runner, books, key, register| {
                for route in &program.scenarios[scenario as usize].routes {
                    let sent = register.view(route.to).is_some_and(|v| {
                        v.known
                            .iter()
                            .any(|(_, k)| k.how.written() && k.at >= since)
                            || v.gone.and_then(|g| g.sent).is_some_and(|at| at >= since)
                    });
                    if route.entity == entity && sent {
                        let (to, key) = (Some(route.to), (entity, key));
                        books.owe(&mut runner.office(), scenario, key, to, true)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The same where the plan is another one since: what the scenario does not carry any more is
    /// owed by whichever flow carries it now.
    pub(super) fn recover_for_others(
        &mut self,
        scenario: Option<ScenarioIx>,
        record: &RunRecord,
    ) -> Stored<()> {
        let program = self.program;
        let since = record.started.0.saturating_mul(1_000);
        let own = scenario.map_or(&[][..], |s| &program.scenarios[s as usize].routes);
        for entity in 0..program.entities.len() as EntityIx {
            self.among_committed(record, entity, |runner, books, key, register| {
                for (system, view) in &register.systems {
                    let carries = |field: &FieldIx| {
                        let mut routes = own.iter().filter(|r| r.entity == entity);
                        routes.any(|r| r.to == *system && r.fields.contains(field))
                    };
                    let known = view.known.iter();
                    let sent = known.filter(|(_, k)| k.how == How::Sent && k.at >= since);
                    let lost = sent.map(|(field, _)| *field).filter(|f| !carries(f));
                    let lost: Vec<FieldIx> = lost.collect();
                    if lost.is_empty() || waits(program, &mut *runner.store, *system, entity, key)?
                    {
                        continue;
                    }
                    let mut office = runner.office();
                    let (register, dirty) = books.register(&mut office, entity, key)?;
                    forget(register, *system, &lost);
                    *dirty = true;
                    books.correct(&mut office, *system, (entity, key), &lost, &[])?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Goes over the registers of what a run had committed and not seen confirmed.
    fn among_committed(
        &mut self,
        record: &RunRecord,
        entity: EntityIx,
        mut act: impl FnMut(&mut Self, &mut Books, &str, &Register) -> Stored<()>,
    ) -> Stored<()> {
        let Some(upto) = &record.committed else {
            return Ok(());
        };
        let names = &self.program.entities[entity as usize];
        let mut after = record.confirmed.clone();
        loop {
            let records = self
                .store
                .records_after(&names.name, after.as_deref(), CHUNK)?;
            let mut books = Books::default();
            self.begin()?;
            for found in records.iter().filter(|r| r.key <= *upto) {
                let register = register_json::parse(names, &found.doc).map_err(damaged)?;
                act(self, &mut books, &found.key, &register)?;
            }
            books.close(&mut self.office())?;
            self.store.commit()?;
            match records.into_iter().next_back() {
                Some(last) if last.key < *upto => after = Some(last.key),
                _ => return Ok(()),
            }
        }
    }
}
