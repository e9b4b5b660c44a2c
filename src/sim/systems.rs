//! The emulated systems together, with what is on its way from them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Object, Value as Json, json};

use super::emulated::{Emulated, Maps};
use super::limits::Meter;
use super::manner::Manner;
use super::shared::SharedStore;
use crate::catalog::{Entry, Group, Payload};
use crate::connector::event::{CHANGED, OBJECT, OWN};
use crate::engine::ports::{MapIx, RawEvent, ScenarioIx, Store as _, SystemIx, Write};
use crate::engine::program::Program;
use crate::engine::runner::position_key;
use crate::time::{Instant, Millis};
use crate::value::Value;

/// When an event that was not taken is sent again.
const SENT_AGAIN: Millis = Millis(1_000);

/// What people and other programs do in the systems, and what is to be noted of what the runner
/// does there.
pub trait Driver {
    /// When something happens next; `None`: never again.
    fn next(&self) -> Option<Instant>;
    /// Lets happen what falls due: the clock shows the time that [`Driver::next`] gave.
    fn act(&mut self, systems: &mut Systems);
    /// A call was answered.
    fn answered(&mut self, _: &Asked) {}
    /// A write took effect in a system. `systems` stands after it.
    fn applied(&mut self, _: &Applied<'_>, _: &mut Systems) {}
}

/// A call of the runner's and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The system.
    pub system: SystemIx,
    /// When it was asked.
    pub at: Instant,
    /// When it answered.
    pub answered: Instant,
    /// Whether it was a write.
    pub write: bool,
    /// The scenario, of a write.
    pub scenario: Option<ScenarioIx>,
    /// The map.
    pub map: MapIx,
    /// How many of the system's calls it was.
    pub calls: u64,
    /// Records written or shown.
    pub records: usize,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was carried out and the answer was lost.
    Unheard,
    /// It came when a limit left nothing: 429.
    Limited,
    /// The system was down, or failed.
    Failed,
    /// It was refused for good, or for wrong credentials.
    Refused,
}

/// A write that took effect.
#[derive(Debug)]
pub struct Applied<'a> {
    /// The system.
    pub system: SystemIx,
    /// The map.
    pub map: MapIx,
    /// The scenario.
    pub scenario: ScenarioIx,
    /// The write.
    pub write: &'a Write,
    /// When.
    pub at: Instant,
}

/// What is on its way from a system to the runner.
#[derive(Debug, Clone)]
enum Coming {
    /// An event.
    Event(RawEvent),
    /// One that only names its record, which has to be read yet.
    Reference { map: MapIx, key: String, told: Told },
}

/// What an event says of a change beside the record.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The event's name.
    pub name: Option<String>,
    /// The change time by the system's clock, microseconds.
    pub changed: i64,
    /// Whether the runner made it.
    pub own: bool,
    /// The columns that were set.
    pub columns: Vec<String>,
}

/// The emulated systems.
#[derive(Debug)]
pub struct Systems {
    /// The time.
    pub now: Instant,
    /// By position in the plan.
    pub all: Vec<Emulated>,
    /// Everything that is left to chance.
    pub rng: fastrand::Rng,
    /// Whether the runner is asked to stop.
    pub stopping: bool,
    /// The store that the runner works on.
    pub store: SharedStore,
    /// Maps whose changes somebody wants to hear of as they happen.
    heard: BTreeSet<MapIx>,
    coming: BTreeMap<(Instant, u64), (SystemIx, Coming)>,
    told: u64,
}

impl Systems {
    /// The systems of a program, empty, at a time. `entry` knows their catalog entries, `manner`
    /// may change how each behaves.
    pub fn new<'e>(
        program: &Program,
        maps: &Maps,
        now: Instant,
        seed: u64,
        entry: impl Fn(&str) -> Option<&'e Entry>,
        manner: impl Fn(&str, Manner) -> Manner,
    ) -> Self {
        let plan = &program.plan;
        let mut all = Vec::with_capacity(plan.systems.len());
        for (ix, system) in plan.systems.iter().enumerate() {
            let manner = manner(&system.name, Manner::of(system, entry(&system.name)));
            let meter = Meter::of(system, program.zone);
            all.push(Emulated::new(system, ix as SystemIx, maps, manner, meter));
        }
        let heard = plan.maps.iter().enumerate().filter(|(_, map)| {
            plan.scenarios.iter().any(|s| {
                s.mode.realtime
                    && s.routes
                        .iter()
                        .any(|r| r.entity == map.entity && r.from == map.system)
            })
        });
        Systems {
            now,
            all,
            rng: fastrand::Rng::with_seed(seed),
            stopping: false,
            store: SharedStore::default(),
            heard: heard.map(|(ix, _)| ix as MapIx).collect(),
            coming: BTreeMap::new(),
            told: 0,
        }
    }

    /// A system.
    pub fn get(&mut self, system: SystemIx) -> &mut Emulated {
        &mut self.all[usize::from(system)]
    }

    /// Whether all that any system told was taken in and worked out, and nothing waits to be
    /// written.
    pub fn at_rest(&mut self) -> bool {
        let mut store = self.store.inner();
        let untold = self.all.iter().filter(|there| there.followed).any(|there| {
            let position = store.meta(&position_key(&there.name)).unwrap_or_default();
            there.untold(position.as_deref()) > 0
        });
        let waits = |counts: Vec<(String, u64)>| counts.iter().any(|(_, n)| *n > 0);
        self.coming.is_empty()
            && !untold
            && store
                .pending_events(1)
                .is_ok_and(|events| events.is_empty())
            && store.waiting_counts().is_ok_and(|counts| !waits(counts))
    }

    /// A person or another program changes a record in a system, which tells of it. `cells` are
    /// columns, the key's too; `name` the event's, where it is to have one. Gives the change time in
    /// microseconds by the system's clock, as finely as it knows it.
    pub fn sets(
        &mut self,
        system: SystemIx,
        map: MapIx,
        key: &str,
        cells: Object<String, Json>,
        name: Option<&str>,
    ) -> Option<i64> {
        self.sets_saying(system, map, key, cells, (name, &Object::new()))
    }

    /// The same with an event that says more than the record's columns.
    pub(super) fn sets_saying(
        &mut self,
        system: SystemIx,
        map: MapIx,
        key: &str,
        cells: Object<String, Json>,
        (name, more): (Option<&str>, &Object<String, Json>),
    ) -> Option<i64> {
        let now = self.now;
        let changed_cells = cells.clone();
        let columns = cells.keys().cloned().collect();
        let there = &mut self.all[usize::from(system)];
        let held = there.set(map, key, cells, now)?;
        let changed = held.changed;
        let whole = held.cells.object();
        let mut cells = match there.manner.payload {
            Payload::Full => whole,
            Payload::Changed => changed_cells,
            Payload::Reference => Object::new(),
        };
        cells.extend(
            more.iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let change = Told {
            name: name.map(str::to_owned),
            changed,
            own: false,
            columns,
        };
        self.tell_change(system, map, key, cells, change);
        Some(changed)
    }

    /// A person or another program deletes a record in a system, which tells of it.
    pub fn deletes(&mut self, system: SystemIx, map: MapIx, key: &str) {
        let now = self.now;
        let there = &mut self.all[usize::from(system)];
        let Ok(cells) = there.cells(map, key, &[]) else {
            return;
        };
        if there.delete(map, key, now) && self.heard.contains(&map) {
            let told = Told {
                name: Some("deleted".to_owned()),
                changed: now.0 * 1_000,
                own: false,
                columns: Vec::new(),
            };
            let body = self.body(system, map, cells, &told);
            self.send(system, body);
        }
    }

    /// A system sends an event with this body as its payload.
    pub fn sends(&mut self, system: SystemIx, name: &str, payload: Json) {
        let at = self.now;
        let mut body = json!({ "type": name, "data": payload });
        self.stamp(system, &mut body, at.0 * 1_000);
        self.send(system, body);
    }

    /// What a system tells of a change of its own or of the runner's.
    pub(super) fn tell_change(
        &mut self,
        system: SystemIx,
        map: MapIx,
        key: &str,
        cells: Object<String, Json>,
        told: Told,
    ) {
        if !self.heard.contains(&map) {
            return;
        }
        if self.all[usize::from(system)].manner.payload == Payload::Reference {
            let coming = Coming::Reference {
                map,
                key: key.to_owned(),
                told,
            };
            let after = self.all[usize::from(system)].manner.event;
            self.put(system, after, coming);
            return;
        }
        let body = self.body(system, map, cells, &told);
        self.send(system, body);
    }

    fn body(&self, system: SystemIx, map: MapIx, cells: Object<String, Json>, told: &Told) -> Json {
        let mut body = json!({});
        if let Some(name) = &told.name {
            body["type"] = json!(name);
        }
        let there = &self.all[usize::from(system)];
        if let Some(binding) = there.binding(map) {
            body[OBJECT] = json!(binding.object());
        }
        if there.manner.says_whose {
            body[OWN] = json!(told.own);
            body[CHANGED] = json!(told.columns);
        }
        body["data"] = Json::Object(cells);
        self.stamp(system, &mut body, told.changed);
        body
    }

    /// The event's own time, as finely as the system tells it.
    fn stamp(&self, system: SystemIx, body: &mut Json, changed: i64) {
        if let Some(shown) = self.all[usize::from(system)].tells(changed) {
            body["timestamp"] = json!(Value::Datetime(shown).to_string());
        }
    }

    /// Sends an event; perhaps twice, perhaps never, as the system does.
    fn send(&mut self, system: SystemIx, body: Json) {
        let event = RawEvent {
            id: self.id(),
            body: body.to_string(),
        };
        let manner = &self.all[usize::from(system)].manner;
        let (loses, repeats) = (manner.loses_events, manner.repeats);
        if loses > 0.0 && self.rng.f64() < loses {
            return;
        }
        if repeats > 0.0 && self.rng.f64() < repeats {
            self.put_event(system, event.clone());
        }
        self.put_event(system, event);
    }

    /// Ids grow as texts do, so that of two changes of one time the later one wins.
    fn id(&self) -> String {
        format!("e{:07}", self.told)
    }

    fn put_event(&mut self, system: SystemIx, event: RawEvent) {
        let manner = &self.all[usize::from(system)].manner;
        let mut after = manner.event;
        if manner.event_spread > Millis::ZERO {
            after = Millis(after.0 + self.rng.u64(0..=manner.event_spread.0));
        }
        self.put(system, after, Coming::Event(event));
    }

    fn put(&mut self, system: SystemIx, after: Millis, coming: Coming) {
        self.told += 1;
        let at = Instant(self.now.0.saturating_add(after.0 as i64));
        self.coming.insert((at, self.told), (system, coming));
    }

    /// When the next of what is on its way arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.coming.keys().next().map(|(at, _)| *at)
    }

    /// Takes in what has arrived by now. What the store does not take is sent again later, as a
    /// sender does whose delivery was not acknowledged.
    pub(super) fn arrive(&mut self) {
        while let Some(slot) = self.coming.keys().next().copied() {
            if slot.0 > self.now {
                break;
            }
            let Some((system, coming)) = self.coming.remove(&slot) else {
                break;
            };
            let now = self.now;
            let there = &mut self.all[usize::from(system)];
            // A system that is down sends nothing until it is back.
            if let Some(until) = there.down_until.filter(|until| *until > now) {
                self.coming.insert((until, slot.1), (system, coming));
                continue;
            }
            match coming {
                Coming::Event(event) if there.followed => there.tell(event),
                Coming::Event(event) => {
                    let name = there.name.clone();
                    let taken = self
                        .store
                        .append_events(&name, std::slice::from_ref(&event), now);
                    if taken.is_err() {
                        self.put(system, SENT_AGAIN, Coming::Event(event));
                    }
                }
                Coming::Reference { map, key, told } => {
                    self.look_up(slot, system, (map, key, told));
                }
            }
        }
    }

    /// Reads the record that an event only named: a call, which goes by the system's limits.
    fn look_up(
        &mut self,
        slot: (Instant, u64),
        system: SystemIx,
        (map, key, told): (MapIx, String, Told),
    ) {
        let now = self.now;
        let there = &mut self.all[usize::from(system)];
        if let Err(until) = there.meter.ask(now, Group::Read, 1) {
            let again = Coming::Reference { map, key, told };
            self.coming.insert((until, slot.1), (system, again));
            return;
        }
        there.calls += 1;
        there.looked_up += 1;
        let takes = there.manner.read;
        let Some(held) = there.held(map, &key).filter(|held| !held.deleted) else {
            return;
        };
        let cells = held.cells.object();
        let body = self.body(system, map, cells, &told);
        let event = RawEvent {
            id: self.id(),
            body: body.to_string(),
        };
        self.put(system, takes, Coming::Event(event));
    }
}
