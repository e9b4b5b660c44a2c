//! Events into changes: each durable event is decoded, taken into the registers of the records it
//! names, and whatever destinations are owed for it is put into the outbox, all in one
//! transaction with the mark that the event is done.

use std::sync::Arc;

use super::books::{Books, note_held};
use super::cause::without_values;
use super::evaluate::{Report, absorb, change_time};
use super::ports::{
    EntityIx, FieldIx, MapIx, Quarantined, Row, ScenarioIx, Stored, StoredEvent, SystemIx,
};
use super::runner::{Alert, Runner};
use super::stage::unmet;
use super::steps::Step;
use crate::failpoint::{Point, reach};
use crate::value::Value;

/// Events taken into one transaction: while it is open, nobody else appends.
const EVENTS_AT_ONCE: usize = 500;

impl Runner<'_> {
    /// Whether there is anything to take. A runner of some scenarios only leaves events alone where
    /// none of them moves by events; else it takes each for all that it concerns, since what was
    /// acknowledged must not be dropped.
    pub(super) fn events_to_take(&mut self) -> Stored<bool> {
        Ok(self.takes_events() && !self.store.pending_events(1)?.is_empty())
    }

    fn takes_events(&self) -> bool {
        let moves = |s: &ScenarioIx| {
            let scenario = self.program.plan.scenarios.get(*s as usize);
            scenario.is_some_and(|s| s.mode.realtime)
        };
        self.options.only.is_empty() || self.options.only.iter().any(moves)
    }

    /// Takes what has come in into the registers and the outbox. What has arrived is confirmed
    /// along with it: it mostly concerns records that came in a moment ago, and each transaction
    /// writes every page that it changes.
    pub(super) fn take_events(&mut self) -> Stored<()> {
        if !self.takes_events() {
            return Ok(());
        }
        loop {
            let events = self.store.pending_events(EVENTS_AT_ONCE)?;
            self.lags = events.len() == EVENTS_AT_ONCE;
            let Some(last) = events.last().map(|e| e.seq) else {
                return Ok(());
            };
            self.begin()?;
            let confirms = self.arrivals.any();
            let taken = self
                .confirm_all()
                .and_then(|_| self.take_all(&events))
                .and_then(|()| self.store.events_done(last));
            if let Err(error) = taken {
                // The first error is the one to tell of.
                let _ = self.roll_back();
                return Err(error);
            }
            if confirms {
                reach(Point::SendConfirming);
            }
            reach(Point::EventsWorkedOut);
            self.store.commit()?;
            if confirms {
                reach(Point::SendConfirmed);
            }
            reach(Point::EventsCommitted);
            if events.len() < EVENTS_AT_ONCE || !self.options.until_idle {
                return Ok(());
            }
        }
    }

    fn take_all(&mut self, events: &[StoredEvent]) -> Stored<()> {
        let mut books = Books::default();
        for event in events {
            self.observer.step(&Step::EventBegins(event));
            self.take_event(event, &mut books)?;
            self.observer.step(&Step::EventEnds);
        }
        if self.observer.follows_steps() {
            for (system, entity, key) in books.owing() {
                self.observer.step(&Step::Owed {
                    system,
                    entity,
                    key,
                });
            }
            self.observer.step(&Step::EventsEnd);
        }
        books.close(&mut self.office())
    }

    fn take_event(&mut self, event: &StoredEvent, books: &mut Books) -> Stored<()> {
        let Some(system) = self.program.system(&event.system) else {
            return Ok(());
        };
        let decoded = match self.decoder.decode(event) {
            Ok(decoded) => decoded,
            Err(reason) => return self.keep_back(event, "", String::new(), reason),
        };
        let program = self.program;
        let matched: Vec<ScenarioIx> = program
            .realtime_from(system)
            .filter(|s| self.starts(*s, system, &decoded.name, &decoded.payload))
            .collect();
        for (map, row) in spoken_of(decoded.rows) {
            let (entity, _) = program.map_ends(map);
            let carrying: Vec<ScenarioIx> = matched
                .iter()
                .copied()
                .filter(|s| {
                    let routes = &program.scenarios[*s as usize].routes;
                    routes
                        .iter()
                        .any(|r| r.entity == entity && r.from == system)
                })
                .collect();
            if carrying.is_empty() {
                continue;
            }
            for scenario in &carrying {
                self.tally(*scenario).counts.read += 1;
            }
            if let Some(reason) = row.problem {
                let name = program.plan.scenarios[carrying[0] as usize].name.clone();
                self.tally(carrying[0]).counts.quarantined += 1;
                self.keep_back(event, &name, row.key.into(), reason)?;
                continue;
            }
            let passed = self.held_to_checkpoints(event, entity, &row, carrying)?;
            if !passed.is_empty() {
                self.take_row(
                    event,
                    system,
                    (map, &row),
                    (decoded.own, decoded.changed.as_deref()),
                    &passed,
                    books,
                )?;
            }
        }
        Ok(())
    }

    /// The scenarios whose checkpoint a record passes; for each of the others it is kept back.
    /// There is no run that a single event could abort.
    fn held_to_checkpoints(
        &mut self,
        event: &StoredEvent,
        entity: EntityIx,
        row: &Row,
        carrying: Vec<ScenarioIx>,
    ) -> Stored<Vec<ScenarioIx>> {
        let program = self.program;
        let mut passed = Vec::with_capacity(carrying.len());
        for scenario in carrying {
            let require = &program.scenarios[scenario as usize].require;
            let names = &program.entities[entity as usize];
            let failed = (!row.deleted)
                .then(|| unmet(require, entity, names, row))
                .flatten();
            match failed {
                None => passed.push(scenario),
                Some((reason, _)) => {
                    let name = program.plan.scenarios[scenario as usize].name.clone();
                    self.tally(scenario).counts.quarantined += 1;
                    self.keep_back(event, &name, row.key.to_string(), reason)?;
                }
            }
        }
        Ok(passed)
    }

    /// Whether an event starts a scenario.
    fn starts(
        &self,
        scenario: ScenarioIx,
        system: SystemIx,
        name: &Option<String>,
        payload: &serde_json::Value,
    ) -> bool {
        let Some(when) = &self.program.plan.scenarios[scenario as usize].when else {
            return true;
        };
        if self.program.system(&when.system) != Some(system) {
            return false;
        }
        if name.as_ref().is_some_and(|n| *n != when.event) {
            return false;
        }
        let condition = &self.program.scenarios[scenario as usize].when;
        condition
            .as_ref()
            .is_none_or(|c| c.truth(payload).unwrap_or(false))
    }

    fn take_row(
        &mut self,
        event: &StoredEvent,
        system: SystemIx,
        (map, row): (MapIx, &Row),
        (own, changed): (Option<bool>, Option<&[String]>),
        scenarios: &[ScenarioIx],
        books: &mut Books,
    ) -> Stored<()> {
        let program = self.program;
        let (entity, _) = program.map_ends(map);
        self.observer.step(&Step::EventTaken {
            entity,
            key: &row.key,
            scenarios,
        });
        let carried = |field: &FieldIx| {
            let routes = scenarios
                .iter()
                .flat_map(|s| &program.scenarios[*s as usize].routes);
            let mut from_here = routes.filter(|r| r.entity == entity && r.from == system);
            from_here.any(|r| r.absorbs.contains(field))
        };
        let fields: Vec<(FieldIx, Value)> = row
            .fields
            .iter()
            .filter(|(field, _)| carried(field))
            .cloned()
            .collect();
        let changed = changed.map(|columns| self.fields_of(map, columns));
        let arrival = event.received_at.0.saturating_mul(1_000);
        let (at, clamped) = change_time(row.changed_at, arrival);
        let id: Arc<str> = Arc::from(&*event.id);
        let report = Report {
            system,
            at,
            timed: row.changed_at.is_some() && !clamped,
            id: &id,
            fields: &fields,
            native_key: row.native_key.as_deref(),
            deleted: row.deleted,
            read: None,
            whole: self.shows_all(map, row),
            own,
            changed: changed.as_deref(),
            handed: None,
        };
        let names = &program.entities[entity as usize];
        let mut office = self.office();
        let handed = books.handed(&mut office, system, (entity, &row.key))?;
        let report = Report {
            handed: Some(&handed),
            ..report
        };
        let (register, dirty) = books.register(&mut office, entity, &row.key)?;
        let absorbed = absorb(names, register, &report);
        *dirty |= absorbed.changed;
        let name = |s| program.system_name(s).to_owned();
        note_held(
            names,
            name,
            office.store,
            &row.key,
            register,
            &absorbed.manual,
        )?;
        let record = (entity, &*row.key);
        // What several flows carry goes with the highest priority of theirs.
        let mut by_priority = scenarios.to_vec();
        by_priority.sort_by_key(|s| program.plan.scenarios[*s as usize].priority);
        for scenario in &by_priority {
            books.owe(&mut office, *scenario, record, None, false)?;
        }
        if !absorbed.lost.is_empty() {
            books.correct(&mut office, system, record, &absorbed.lost, scenarios)?;
        }
        let first = scenarios.first().copied().unwrap_or_default();
        let tally = self.tally(first);
        tally.counts.changed += u64::from(absorbed.shown_changed);
        tally.clamped += u64::from(clamped);
        self.count_conflicts(first, entity, &absorbed.conflicts);
        Ok(())
    }

    /// The fields that a map has in some columns.
    fn fields_of(&self, map: MapIx, columns: &[String]) -> Vec<FieldIx> {
        let (entity, _) = self.program.map_ends(map);
        let names = &self.program.entities[entity as usize].fields;
        let mapped = self.program.plan.maps.get(usize::from(map));
        let mapped = mapped.into_iter().flat_map(|map| &map.fields);
        mapped
            .filter(|mapped| columns.contains(&mapped.column))
            .filter_map(|mapped| names.iter().position(|f| f.name == mapped.field))
            .map(|at| at as FieldIx)
            .collect()
    }

    /// Whether an event shows all that its map knows of a record, so that not each of its values has
    /// to be one that changed.
    fn shows_all(&self, map: MapIx, row: &Row) -> bool {
        let map = self.program.plan.maps.get(usize::from(map));
        let mapped = map.map_or(0, |map| map.fields.iter().filter(|f| !f.key).count());
        mapped > 1 && row.fields.len() >= mapped
    }

    /// Notes who won each conflict.
    pub(super) fn count_conflicts(
        &mut self,
        scenario: ScenarioIx,
        entity: EntityIx,
        conflicts: &[(FieldIx, Option<SystemIx>)],
    ) {
        let program = self.program;
        let entity = &program.entities[entity as usize];
        for (field, winner) in conflicts {
            let field = format!("{}.{}", entity.name, entity.fields[*field as usize].name);
            let winner = winner.map(|w| program.system_name(w).to_owned());
            let tally = self.tally(scenario);
            tally.counts.conflicts += 1;
            *tally.winners.entry((field, winner)).or_default() += 1;
        }
    }

    fn keep_back(
        &mut self,
        event: &StoredEvent,
        scenario: &str,
        key: String,
        reason: String,
    ) -> Stored<()> {
        self.observer.alert(&Alert::KeptBack {
            system: &event.system,
            event: &event.id,
            scenario,
            reason: without_values(&reason),
        });
        self.store.put_quarantined(&[Quarantined {
            run: 0,
            scenario: scenario.to_owned(),
            system: event.system.clone(),
            entity: String::new(),
            key,
            reason,
            record: event.body.clone(),
        }])
    }
}

/// An event is decoded for every entity that its system maps; it speaks of those whose key it
/// shows. Where it shows none at all, the first stands for it with its problem.
fn spoken_of(mut rows: Vec<(MapIx, Row)>) -> Vec<(MapIx, Row)> {
    let keyless = |row: &Row| row.problem.is_some() && row.key.is_empty();
    if rows.iter().all(|(_, row)| keyless(row)) {
        rows.truncate(1);
    } else {
        rows.retain(|(_, row)| !keyless(row));
    }
    rows
}
