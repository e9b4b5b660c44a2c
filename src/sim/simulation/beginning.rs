//! Where a simulation begins: systems in step, and a runner that has read them.
//!
//! The runner gets to know its systems by reading them. Of many records the engine reads a sample,
//! so that all it notes beside registers (runs, cursors, starts) is its own; the registers of the
//! others are worked out record by record by the engine's rule for the same runs
//! ([`FirstCopy`]), and so are those of the sample, which have to agree. Where they do not, or a
//! record's register may hang on other records, the engine reads everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::conditions::Conditions;
use super::{BrokeOff, Simulation};
use crate::engine::first_copy::{FirstCopy, NotAlone};
use crate::engine::ports::{EntityIx, FieldIx, MapIx, Row, Store as _, SystemIx, key_text};
use crate::engine::program::Program;
use crate::engine::runner::Options;
use crate::plan::{Mode, Plan};
use crate::sim::columns::Columns;
use crate::sim::emulated::Emulated;
use crate::sim::shared::SharedStore;
use crate::sim::{Driver, Silent, Systems, World};
use crate::store::MemoryStore;
use crate::terms::ModeClass;
use crate::time::{Instant, Millis, Schedule};
use crate::value::Value;

/// Records of an entity that declares no volume.
const RECORDS: u64 = 1_000;
/// Records of an entity that are held at most, since they are held in memory.
const RECORDS_MOST: u64 = 1_000_000;
/// Records in a call, and calls at a time, while the runner gets to know its systems.
const AT_ONCE: u32 = 10_000;
/// Records of an entity that the engine reads where it does not read all.
const SAMPLE: usize = 48;
/// Records of all entities up to which it reads all.
const FEW: usize = 2_000;
/// Records that one thread works out at once.
const AT_LEAST: usize = 256;

/// How the runner gets to know its systems. Both ways end in the same registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The engine reads every record.
    All,
    /// It reads a sample.
    Sample,
}

impl Reading {
    /// The shorter way for records of these keys, by entity.
    pub(super) fn of(keys: &[Vec<String>]) -> Self {
        match keys.iter().map(Vec::len).sum::<usize>() {
            ..=FEW => Reading::All,
            _ => Reading::Sample,
        }
    }
}

/// Where an entity's records are kept: a system, its map, and the fields that it maps.
type Place = (SystemIx, MapIx, Vec<FieldIx>);

/// A record as it is made up: its key, when it changed, and its columns by place.
type MadeUp = (Arc<str>, Instant, Vec<Option<Columns>>);

/// Nothing happens but what the runner does.
struct Quiet;

impl Driver for Quiet {
    fn next(&self) -> Option<Instant> {
        None
    }

    fn act(&mut self, _: &mut Systems) {}
}

impl Simulation<'_> {
    /// What a runner has stored that has got to know its systems in a way: for tests that hold one
    /// way to the other.
    pub fn known(&self, seed: u64, reading: Reading) -> Result<MemoryStore, BrokeOff> {
        let start = crate::sim::start_in(self.program.zone);
        let mut conditions = Conditions::of(&self.program);
        let (systems, keys) = self.in_step(&mut conditions, start, seed);
        let systems = self.get_to_know(systems, reading, &keys)?;
        let known = systems.store.inner().clone();
        Ok(known)
    }

    /// The systems, each with all records of what it maps, and the records' keys.
    pub(super) fn in_step(
        &self,
        conditions: &mut Conditions,
        start: Instant,
        seed: u64,
    ) -> (Systems, Vec<Vec<String>>) {
        let entry = |name: &str| self.entry(name);
        let before = Instant(start.0 - 1_000);
        let manner = |_: &str, manner| manner;
        let mut systems = Systems::new(&self.program, &self.maps, before, seed, entry, manner);
        let mut keys = Vec::new();
        for (e, entity) in self.program.plan.entities.iter().enumerate() {
            let e = e as EntityIx;
            let volume = entity.volume.as_ref().and_then(|v| v.records);
            let records = volume.unwrap_or(RECORDS).min(RECORDS_MOST);
            if volume.is_some_and(|said| said > RECORDS_MOST) {
                conditions.notes.insert(format!(
                    "of the declared records of `{}` only {RECORDS_MOST} are there: reads of all \
                     take fewer calls, and more changes meet the same record",
                    entity.name
                ));
            }
            conditions.decide(e, records);
            let places = places_of(&self.program, e);
            let made = made_up(
                (&self.program, conditions),
                (e, records),
                (&systems.all, &places),
                before,
            );
            keys.push(made.iter().map(|(key, _, _)| key.to_string()).collect());
            let mut all: Vec<Vec<(Arc<str>, Columns, Instant)>> = Vec::new();
            all.resize_with(places.len(), || Vec::with_capacity(made.len()));
            for (key, at, columns) in made {
                for (records, columns) in all.iter_mut().zip(columns) {
                    records.extend(columns.map(|columns| (Arc::clone(&key), columns, at)));
                }
            }
            for ((system, map, _), records) in places.iter().zip(all) {
                systems.get(*system).fill(*map, records);
            }
        }
        (systems, keys)
    }

    /// Lets the runner read everything once, in no time, without a limit and without a change.
    pub(super) fn get_to_know(
        &self,
        mut systems: Systems,
        reading: Reading,
        keys: &[Vec<String>],
    ) -> Result<Systems, BrokeOff> {
        let mut kept = Vec::new();
        for there in &mut systems.all {
            let mut manner = there.manner.clone();
            (manner.read, manner.write) = (Millis::ZERO, Millis::ZERO);
            (manner.failure, manner.echoes, manner.hidden) = (0.0, false, Millis::ZERO);
            let manner = std::mem::replace(&mut there.manner, manner);
            let meter = std::mem::take(&mut there.meter);
            there.still = true;
            kept.push((manner, meter));
        }
        // What happens later must not hang on by how many calls the systems were got to know.
        let rng = systems.rng.clone();
        let mut known = false;
        if reading == Reading::Sample {
            let sample = sample_of(keys);
            systems = self.read(systems, Some(&sample))?;
            known = self.fill_in(&mut systems, keys, &sample);
        }
        if !known {
            systems.store = SharedStore::default();
            systems = self.read(systems, None)?;
        }
        for (there, (manner, meter)) in systems.all.iter_mut().zip(kept) {
            (there.manner, there.meter) = (manner, meter);
            there.still = false;
            (there.calls, there.looked_up) = (0, 0);
        }
        systems.rng = rng;
        Ok(systems)
    }

    /// Lets the runner read once what the systems show: all, or a sample of it.
    fn read(
        &self,
        mut systems: Systems,
        sample: Option<&Arc<BTreeSet<String>>>,
    ) -> Result<Systems, BrokeOff> {
        for there in &mut systems.all {
            there.sample = sample.cloned();
        }
        let mut world = World::new(systems, Quiet);
        // Nobody tells of anything: a feed that waited for it would wait for ever.
        world.patient = false;
        let options = Options {
            until_idle: true,
            ..Options::default()
        };
        let ran = world.run(&self.quick, &self.decoder, &mut Silent, options);
        ran.map_err(|e| BrokeOff(e.message))?;
        if let Some(fault) = world.fault {
            return Err(BrokeOff(fault));
        }
        let mut systems = world.systems;
        for there in &mut systems.all {
            there.sample = None;
        }
        systems.stopping = false;
        Ok(systems)
    }

    /// Stores the registers of all records as the runs that read a sample would have left them;
    /// says whether it could.
    fn fill_in(
        &self,
        systems: &mut Systems,
        keys: &[Vec<String>],
        sample: &BTreeSet<String>,
    ) -> bool {
        let now = systems.now;
        let mut store = systems.store.inner();
        let (Ok(mut runs), true) = (store.runs(None, usize::MAX), is_quiet(&mut store)) else {
            return false;
        };
        runs.reverse();
        let copy = || FirstCopy::of(&self.quick, &runs, now);
        if copy().is_none() {
            return false;
        }
        for (e, keys) in keys.iter().enumerate() {
            let e = e as EntityIx;
            let maps: Vec<(SystemIx, MapIx)> = places_of(&self.program, e)
                .into_iter()
                .map(|(system, map, _)| (system, map))
                .collect();
            let all = &systems.all;
            // A thread has its own: what they share they would have to count together.
            let docs = keys
                .par_iter()
                .with_min_len(AT_LEAST)
                .map_init(copy, |copy, key| {
                    let copy = copy.as_ref().ok_or(NotAlone)?;
                    let row = |(system, map): &(SystemIx, MapIx)| {
                        Some((*map, all[usize::from(*system)].row(*map, key)?))
                    };
                    let rows: BTreeMap<MapIx, Row> = maps.iter().filter_map(row).collect();
                    copy.register((e, key), |map| rows.get(&map))
                });
            let Ok(docs) = docs.collect::<Result<Vec<Option<String>>, NotAlone>>() else {
                return false;
            };
            let name = &self.quick.entities[usize::from(e)].name;
            let mut known: Vec<(&String, Option<String>)> = keys.iter().zip(docs).collect();
            known.sort_unstable();
            for (key, doc) in known {
                if sample.contains(key) {
                    let read = store.record(name, key).unwrap_or_default();
                    debug_assert_eq!(read, doc, "{name} {key}");
                    if read != doc {
                        return false;
                    }
                } else if let Some(doc) = doc {
                    // A store in memory that nothing cuts off does not fail.
                    let _ = store.put_record(name, key, &doc);
                }
            }
        }
        true
    }
}

/// Records of each entity that the engine reads in place of all: some of all kinds, the last one,
/// and the one with the greatest key.
fn sample_of(keys: &[Vec<String>]) -> Arc<BTreeSet<String>> {
    let mut sample: BTreeSet<String> = BTreeSet::new();
    for keys in keys {
        sample.extend(keys.iter().take(SAMPLE).cloned());
        sample.extend(keys.last().cloned());
        sample.extend(keys.iter().max().cloned());
    }
    Arc::new(sample)
}

/// Whether a store holds nothing of records but their registers.
fn is_quiet(store: &mut MemoryStore) -> bool {
    let none = |counts: Vec<(String, u64)>| counts.iter().all(|(_, n)| *n == 0);
    let runs = store.runs(None, usize::MAX).unwrap_or_default();
    let kept_back = |run: &crate::engine::ports::RunRecord| {
        store.quarantined(run.id, 1).is_ok_and(|q| q.is_empty())
            && store.owed(&run.scenario).is_ok_and(|owed| owed.is_empty())
    };
    runs.iter().all(kept_back)
        && store.waiting_counts().is_ok_and(none)
        && store.dead_letters().is_ok_and(|letters| letters.is_empty())
        && store.conflicts().is_ok_and(|held| held.is_empty())
}

/// Where an entity's records are kept: systems that can be read.
fn places_of(program: &Program, entity: EntityIx) -> Vec<Place> {
    let plan = &program.plan;
    let names = &program.entities[usize::from(entity)];
    let mut out = Vec::new();
    for (ix, system) in plan.systems.iter().enumerate() {
        let Some(map) = program.map_of(entity, ix as SystemIx) else {
            continue;
        };
        if !system.capabilities.read {
            continue;
        }
        let mapped = plan.maps[usize::from(map)].fields.iter();
        let fields = mapped.filter_map(|f| names.field(&f.field));
        let own = fields.filter(|ix| {
            !names.keys.contains(ix) && names.fields[usize::from(*ix)].derived.is_none()
        });
        out.push((ix as SystemIx, map, own.collect()));
    }
    out
}

/// So many records of an entity, the same in all places.
fn made_up(
    (program, conditions): (&Program, &Conditions),
    (e, records): (EntityIx, u64),
    (systems, places): (&[Emulated], &[Place]),
    before: Instant,
) -> Vec<MadeUp> {
    let names = &program.entities[usize::from(e)];
    // Never more than are held at most.
    let numbers = 0..u32::try_from(records).unwrap_or(u32::MAX);
    let numbers = numbers.into_par_iter().with_min_len(AT_LEAST);
    let made = numbers.map(u64::from).map(|number| {
        // Over the day before: a read that goes back a little meets few of them.
        let share = number as f64 / records as f64;
        let at = Instant(before.0 - 2 * 86_400_000 + (share * 86_400_000.0) as i64);
        let decided = conditions.decided(e, number);
        let value = |ix| conditions.at_first(decided, (e, number), ix);
        let parts: Vec<Value> = names.keys.iter().map(|ix| value(*ix)).collect();
        let key = key_text(&parts);
        let columns = places.iter().map(|(system, map, fields)| {
            let there = &systems[usize::from(*system)];
            let values: Vec<(FieldIx, Value)> = fields.iter().map(|f| (*f, value(*f))).collect();
            let columns = there.columns(*map, &key, values.clone());
            let columns = columns.or_else(|_| {
                // What its map cannot write is left out, field by field.
                let fits =
                    |v: &&(FieldIx, Value)| there.columns(*map, &key, vec![(*v).clone()]).is_ok();
                let fitting = values.iter().filter(fits).cloned().collect();
                there.columns(*map, &key, fitting)
            });
            columns.ok()
        });
        let columns = columns.collect();
        (Arc::from(key), at, columns)
    });
    made.collect()
}

/// The plan without what makes it slow, and with a read of everything for what moves by events
/// alone.
pub(super) fn quick(mut plan: Plan) -> Plan {
    for system in &mut plan.systems {
        system.limits.clear();
        system.vendor_limits.clear();
        (system.budget, system.failure) = (1.0, 0.0);
        (system.latency, system.visibility_lag) = (Millis::ZERO, Millis::ZERO);
        system.concurrency = 1;
        (system.write_batch, system.read_page) = (Some(AT_ONCE), Some(AT_ONCE));
        system.bulk = None;
    }
    for scenario in &mut plan.scenarios {
        scenario.batch = None;
        if scenario.mode.schedule.is_none() && scenario.when.is_none() {
            scenario.mode = Mode {
                class: ModeClass::Hybrid,
                schedule: Some(Schedule::Daily {
                    minutes_of_day: vec![0],
                }),
                ..scenario.mode.clone()
            };
        }
    }
    plan
}
