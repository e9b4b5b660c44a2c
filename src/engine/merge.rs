//! What a run makes of the records that it read: each is taken into its register, and what the
//! run's routes owe for it becomes writes.
//!
//! A record is worked out from what was staged of it and its stored register alone. So the records
//! of a chunk are worked out side by side, and only what comes of them is entered one after the
//! other, in their order (see [`super::chunk`]). Nothing here asks the store.

use std::sync::Arc;

use compact_str::CompactString;
use rayon::prelude::*;

use super::clock::Ahead;
use super::evaluate::{Absorbed, Report, absorb};
use super::handed::HandedOver;
use super::one_way::{Lane, Passed, Reading, Room};
use super::owed::{note_written, owed};
use super::ports::{
    EntityIx, FieldIx, Idempotency, MapIx, ScenarioIx, Staged, Stored, SystemIx, Write,
};
use super::program::Program;
use super::register::Register;
use super::register_json;
use super::runner::damaged;
use super::stage::Payload;
use crate::time::Instant;

/// Records that one thread takes at once: fewer cost more to hand out than to work out.
const AT_ONCE: usize = 64;

/// Rows whose records are worked out before what comes of them is entered: enough for all cores,
/// and few enough that memory stays flat.
pub(super) const PART: usize = 1_024;

/// What holds for every record of a chunk.
pub(super) struct Ground<'g> {
    pub program: &'g Program,
    pub scenario: ScenarioIx,
    /// The id that stamps of the run carry.
    pub stamp: Arc<str>,
    /// The time.
    pub now: Instant,
    /// By system: writes sent before this time would show in what was read; microseconds.
    pub settled: Vec<i64>,
    /// Up to this key everything is written once more.
    pub redo: Option<&'g str>,
    /// Stamps that lie ahead of the clock.
    pub ahead: Option<Ahead>,
    /// By entity, how its records may take the short way; without an entry they may not.
    pub lanes: Vec<Option<Lane<'g>>>,
}

/// Writes that were sent to a system before this time would show in what a run that started at
/// `started` reads of it; microseconds.
pub(super) fn settled(program: &Program, started: Instant, system: SystemIx) -> i64 {
    let lag = program.plan.systems[system as usize].visibility_lag;
    let started = started.0.saturating_sub(lag.0 as i64);
    started.saturating_mul(1_000)
}

/// A staged row of a record.
pub(super) struct Shown {
    pub system: SystemIx,
    pub payload: Payload,
    /// Whether a write of the record waits for that system.
    pub waits: bool,
}

/// A record as it was found: what is staged of it, and its register as stored.
pub(super) struct Found {
    pub rows: Vec<Shown>,
    pub doc: Option<String>,
}

impl Found {
    /// What it is a record of, and its key.
    pub fn name(&self) -> Option<(EntityIx, &str)> {
        let first = self.rows.first()?;
        Some((first.payload.entity, &first.payload.key))
    }
}

/// What became of a record.
pub(super) struct Merged {
    pub entity: EntityIx,
    pub key: CompactString,
    /// Its register as it is to be stored; none: it stays as it is.
    pub doc: Option<String>,
    /// Whether a value that the world sees changed.
    pub shown_changed: bool,
    /// What is owed, by destination map.
    pub writes: Vec<(MapIx, Write)>,
    /// Times that a route found a difference.
    pub owed: u64,
    /// What few records come to besides: most are handed on without room for it.
    pub besides: Option<Box<Besides>>,
}

/// What becomes of a record on which not all agree.
pub(super) struct Besides {
    /// The register, where a field of it may have come to be held for a person.
    pub held: Option<Register>,
    /// Fields under `resolve manual` that may have come to be held, or to be held no longer.
    pub manual: Vec<FieldIx>,
    /// Fields on which the origins disagree, with the origin whose value holds.
    pub conflicts: Vec<(FieldIx, Option<SystemIx>)>,
    /// Systems whose report of some fields lost.
    pub lost: Vec<(SystemIx, Vec<FieldIx>)>,
}

/// The rows in parts, each with all rows of its last key.
pub(super) fn parts(mut rows: &[Staged]) -> Vec<&[Staged]> {
    let mut parts = Vec::new();
    while !rows.is_empty() {
        let about = PART.min(rows.len());
        let last = rows[..about].last().map_or("", |row| &row.key);
        let more = rows[about..].iter().take_while(|row| row.key == last);
        let (part, rest) = rows.split_at(about + more.count());
        parts.push(part);
        rows = rest;
    }
    parts
}

/// The records of staged rows, in the rows' order; rows that only say that there is a record are
/// left out.
pub(super) fn records(rows: &[Staged]) -> Stored<Vec<Vec<Shown>>> {
    let decode = |row: &Staged| -> Stored<Option<Shown>> {
        let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
        Ok((!payload.present_only).then_some(Shown {
            system: row.system,
            payload,
            waits: false,
        }))
    };
    // Each to its place: a collection of unknown length grows, and is put together again.
    let mut decoded: Vec<Stored<Option<Shown>>> = Vec::new();
    let decoding = rows.par_iter().with_min_len(AT_ONCE).map(decode);
    decoding.collect_into_vec(&mut decoded);
    let decoded: Vec<Option<Shown>> = decoded.into_iter().collect::<Stored<_>>()?;
    let mut records: Vec<Vec<Shown>> = Vec::with_capacity(rows.len());
    let mut decoded = decoded.into_iter();
    for group in rows.chunk_by(|a, b| a.key == b.key) {
        if let [_] = group {
            // One row, as most records have, needs no room for more.
            records.extend(decoded.next().flatten().map(|row| vec![row]));
            continue;
        }
        let mut found: Vec<Shown> = decoded.by_ref().take(group.len()).flatten().collect();
        if found.len() > 1 {
            // Rows of different entities may share a key.
            found.sort_by_key(|row| row.payload.entity);
        }
        while let Some(first) = found.first().map(|row| row.payload.entity) {
            let end = found.partition_point(|row| row.payload.entity <= first);
            let rest = found.split_off(end);
            records.push(std::mem::replace(&mut found, rest));
        }
    }
    Ok(records)
}

/// What a thread works records out with.
struct Bench {
    /// The run's id: each thread counts those that hold its own, since one count for all would go
    /// back and forth between them with every field.
    stamp: Arc<str>,
    room: Room,
}

/// Works records out, all cores at once; what comes of them is in their order.
pub(super) fn merge_all(ground: &Ground<'_>, found: Vec<Found>) -> Stored<Vec<Merged>> {
    let found = found.into_par_iter().with_min_len(AT_ONCE);
    let bench = || Bench {
        stamp: Arc::from(&*ground.stamp),
        room: Room::default(),
    };
    let mut merged: Vec<Stored<Option<Merged>>> = Vec::new();
    let working = found.map_init(bench, |bench, mut record| {
        match pass(ground, &mut bench.room, &mut record) {
            Some(merged) => Ok(Some(merged)),
            None => merge(ground, &bench.stamp, record),
        }
    });
    working.collect_into_vec(&mut merged);
    merged.into_iter().filter_map(Stored::transpose).collect()
}

/// What becomes of a record that may take the short way (see [`super::one_way`]).
fn pass(ground: &Ground<'_>, room: &mut Room, found: &mut Found) -> Option<Merged> {
    let [
        Shown {
            system, payload, ..
        },
    ] = found.rows.as_mut_slice()
    else {
        return None;
    };
    let entity = payload.entity;
    let lane = ground.lanes.get(usize::from(entity))?.as_ref();
    let lane = lane.filter(|lane| lane.route.from == *system)?;
    let reading = Reading {
        id: &ground.stamp,
        now: ground.now.0.saturating_mul(1_000),
        settled: *ground.settled.get(usize::from(*system))?,
    };
    let Passed { doc, version } = lane.pass(payload, found.doc.as_deref(), reading, room)?;
    let changed = doc.is_some();
    let key = std::mem::take(&mut payload.key);
    let fields = std::mem::take(&mut payload.fields);
    let write = changed.then(|| {
        let write = upsert(&key, version);
        vec![(lane.route.to_map, Write { fields, ..write })]
    });
    Some(Merged {
        entity,
        key,
        doc,
        shown_changed: changed,
        writes: write.unwrap_or_default(),
        owed: u64::from(changed),
        besides: None,
    })
}

/// Takes what was read of one record into its register and works out what is owed for it.
fn merge(ground: &Ground<'_>, stamp: &Arc<str>, found: Found) -> Stored<Option<Merged>> {
    let Some((entity, key)) = found.name() else {
        return Ok(None);
    };
    let key = CompactString::from(key);
    let names = &ground.program.entities[entity as usize];
    let mut register = match &found.doc {
        Some(doc) => register_json::parse(names, doc).map_err(damaged)?,
        None => Register::default(),
    };
    if let Some(ahead) = ground.ahead {
        ahead.correct(ground.now, &mut register);
    }
    let came = take_in(ground, stamp, (entity, &key), &found.rows, &mut register);
    let doc = came.stored.then(|| register_json::print(names, &register));
    let all = came.absorbed;
    let disagree = !(all.manual.is_empty() && all.conflicts.is_empty() && came.lost.is_empty());
    Ok(Some(Merged {
        entity,
        key,
        doc,
        shown_changed: all.shown_changed,
        writes: came.writes,
        owed: came.owed,
        besides: disagree.then(|| {
            Box::new(Besides {
                held: (!all.manual.is_empty()).then_some(register),
                manual: all.manual,
                conflicts: all.conflicts,
                lost: came.lost,
            })
        }),
    }))
}

/// What came of a record's rows, but for its register.
pub(super) struct Came {
    /// Whether the register is another one now, and of the next version.
    pub stored: bool,
    pub absorbed: Absorbed,
    /// Systems whose report of some fields lost.
    pub lost: Vec<(SystemIx, Vec<FieldIx>)>,
    /// What is owed, by destination map.
    pub writes: Vec<(MapIx, Write)>,
    /// Times that a route found a difference.
    pub owed: u64,
}

/// Takes a record's rows into its register.
pub(super) fn take_in(
    ground: &Ground<'_>,
    stamp: &Arc<str>,
    (entity, key): (EntityIx, &str),
    rows: &[Shown],
    register: &mut Register,
) -> Came {
    let names = &ground.program.entities[entity as usize];
    let mut all = Absorbed::default();
    let mut lost: Vec<(SystemIx, Vec<FieldIx>)> = Vec::new();
    for row in rows {
        let settled = ground.settled[row.system as usize];
        let uncertain = row.waits && may_be_overruled(register, row.system, &row.payload);
        let read = if uncertain { i64::MIN } else { settled };
        let report = report_of(stamp, row.system, &row.payload, read);
        let absorbed = absorb(names, register, &report);
        all.changed |= absorbed.changed;
        all.shown_changed |= absorbed.shown_changed;
        all.manual.extend(absorbed.manual);
        all.conflicts.extend(absorbed.conflicts);
        if !absorbed.lost.is_empty() {
            lost.push((row.system, absorbed.lost));
        }
    }
    let (writes, owed) = owe(ground, entity, key, register);
    let stored = all.changed || owed > 0;
    register.version += u64::from(stored);
    Came {
        stored,
        absorbed: all,
        lost,
        writes,
        owed,
    }
}

/// Writes that the run's routes owe for a record, and how many routes owe any.
fn owe(
    ground: &Ground<'_>,
    entity: EntityIx,
    key: &str,
    register: &mut Register,
) -> (Vec<(MapIx, Write)>, u64) {
    let program = ground.program;
    let plan = &program.plan.scenarios[ground.scenario as usize];
    let names = &program.entities[entity as usize];
    let again = ground.redo.is_some_and(|redo| key <= redo);
    let now = ground.now.0.saturating_mul(1_000);
    let mut writes: Vec<(MapIx, Write)> = Vec::new();
    let mut any = 0;
    for route in &program.scenarios[ground.scenario as usize].routes {
        if route.entity != entity {
            continue;
        }
        let Some(due) = owed(names, key, register, route, plan.propagate_deletes, again) else {
            continue;
        };
        let native_key = register.view(route.to).and_then(|v| v.native_key.clone());
        note_written(register, route, &due, now, &HandedOver::default());
        any += 1;
        let newest = writes.iter_mut().find(|(map, _)| *map == route.to_map);
        match newest {
            // Two routes into one system make one write.
            Some((_, write)) => {
                write
                    .fields
                    .retain(|(f, _)| !due.fields.iter().any(|(g, _)| f == g));
                write.fields.extend(due.fields);
                write.fields.sort_by_key(|f| f.0);
                write.delete = due.deleted.is_some();
                if write.delete {
                    write.fields.clear();
                }
            }
            None => {
                let write = Write {
                    native_key,
                    fields: due.fields,
                    delete: due.deleted.is_some(),
                    ..upsert(key, register.version + 1)
                };
                writes.push((route.to_map, write));
            }
        }
    }
    (writes, any)
}

/// A write of a record of a version that sets nothing yet.
fn upsert(key: &str, version: u64) -> Write {
    Write {
        key: key.into(),
        native_key: None,
        locator: None,
        fields: Vec::new(),
        delete: false,
        idempotency: Idempotency::Version(version),
    }
}

/// Whether a record that was read differs from what was written there in a way that a write which
/// still waits would explain: then nothing can be told from it.
pub(super) fn may_be_overruled(register: &Register, system: SystemIx, payload: &Payload) -> bool {
    let Some(view) = register.view(system) else {
        return false;
    };
    let differs = payload.fields.iter().any(|(f, value)| {
        view.field(*f)
            .is_some_and(|k| k.how.written() && k.value != *value)
    });
    let deleted = view.gone.is_some_and(|g| g.sent.is_some()) && !payload.deleted;
    differs || deleted || payload.deleted
}

/// What a staged row reports; `read`: see [`Report::read`].
pub(super) fn report_of<'r>(
    stamp: &'r Arc<str>,
    system: SystemIx,
    payload: &'r Payload,
    read: i64,
) -> Report<'r> {
    Report {
        system,
        at: payload.at,
        timed: payload.timed,
        id: stamp,
        fields: &payload.fields,
        native_key: payload.native_key.as_deref(),
        deleted: payload.deleted,
        read: Some(read),
        whole: false,
        own: None,
        changed: None,
        handed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, seq: i64, entity: EntityIx, present_only: bool) -> Staged {
        let payload = Payload {
            entity,
            key: key.into(),
            native_key: None,
            locator: None,
            at: seq,
            timed: true,
            deleted: false,
            present_only,
            fields: Vec::new(),
        };
        Staged {
            key: key.into(),
            seq,
            system: 0,
            group: CompactString::default(),
            changed_at: seq,
            payload: postcard::to_allocvec(&payload).expect("it has an encoding"),
        }
    }

    #[test]
    fn rows_of_one_key_stay_together_and_entities_apart() {
        let rows = [
            row("a", 1, 1, false),
            row("a", 2, 0, false),
            row("a", 3, 1, false),
            row("b", 4, 0, true),
            row("c", 5, 2, true),
            row("c", 6, 2, false),
        ];
        let found = records(&rows).expect("all can be read");
        let found: Vec<Vec<(EntityIx, i64)>> = found
            .iter()
            .map(|r| r.iter().map(|s| (s.payload.entity, s.payload.at)).collect())
            .collect();
        assert_eq!(found, [vec![(0, 2)], vec![(1, 1), (1, 3)], vec![(2, 6)]]);
        let torn = Staged {
            payload: vec![0xff],
            ..row("d", 7, 0, false)
        };
        assert!(records(&[torn]).is_err());
    }

    #[test]
    fn a_part_ends_with_a_key() {
        let mut rows: Vec<Staged> = (0..PART)
            .map(|n| row(&format!("{n:05}"), n as i64, 0, false))
            .collect();
        let lengths = |rows: &[Staged]| parts(rows).iter().map(|p| p.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&rows), [PART]);
        assert!(lengths(&[]).is_empty());
        let last = rows[PART - 1].key.clone();
        rows.extend((0..3).map(|n| row(&last, n, 0, false)));
        rows.push(row("x", 0, 0, false));
        assert_eq!(lengths(&rows), [PART + 3, 1]);
    }
}
