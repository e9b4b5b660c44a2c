//! A system in memory: records in its own terms, read and written through the maps of the plan.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Map as Object, Value as Json};

use super::limits::Meter;
use super::manner::Manner;
pub use super::native::Native;
use crate::catalog::{ChangeTime, Group};
use crate::connector::codec::Binding;
use crate::engine::ports::{
    EventPage, Failure, FieldIx, Idempotency, MapIx, Page, RawEvent, ReadRequest, Row, SystemIx,
    Write, WriteRequest,
};
use crate::plan;
use crate::time::{Instant, Millis};
use crate::value::Value;

/// The records of one map, by canonical key.
#[derive(Debug, Clone, Default)]
struct Table {
    records: BTreeMap<String, Native>,
    /// By change, so that a read by cursor costs what it gives.
    changes: BTreeSet<(i64, String)>,
}

/// An emulated system.
#[derive(Debug)]
pub struct Emulated {
    /// Its name in the policy.
    pub name: String,
    /// Its position in the plan.
    pub ix: SystemIx,
    /// How it behaves.
    pub manner: Manner,
    /// What was asked of its limits.
    pub meter: Meter,
    /// Down until then.
    pub down_until: Option<Instant>,
    /// Refuses every call for wrong credentials.
    pub locked: bool,
    /// Never answers what it is asked.
    pub hangs: bool,
    /// Calls it was asked, those that failed too.
    pub calls: u64,
    /// Of these, reads of records that its events only named.
    pub looked_up: u64,
    /// Takes every write and keeps what it holds: it held that already.
    pub still: bool,
    /// Whether its events are read from it rather than sent.
    pub followed: bool,
    maps: BTreeMap<MapIx, Arc<Mapped>>,
    tables: BTreeMap<MapIx, Table>,
    /// Events to be read, the first at position `dropped`.
    feed: VecDeque<RawEvent>,
    /// Events that were read and are no longer held: who asks for what comes after a position has
    /// what comes before it.
    dropped: usize,
    /// The last change time given out, in microseconds: no two changes of a system share one.
    last_change: i64,
}

/// A map with what the plan says beyond its columns.
#[derive(Debug)]
struct Mapped {
    binding: Binding,
    changed_at: Option<String>,
    deleted: Option<String>,
}

/// The maps of a plan, bound once for any number of worlds.
#[derive(Debug)]
pub struct Maps(Vec<(String, Arc<Mapped>)>);

impl Maps {
    /// Binds the maps of a plan; an error is one that cannot be bound.
    pub fn of(plan: &plan::Plan) -> Result<Self, Failure> {
        let mut maps = Vec::with_capacity(plan.maps.len());
        for (at, map) in plan.maps.iter().enumerate() {
            let bound = Mapped {
                binding: Binding::compile(plan, at as MapIx)?,
                changed_at: map.changed_at.clone(),
                deleted: map.deleted.clone(),
            };
            maps.push((map.system.clone(), Arc::new(bound)));
        }
        Ok(Maps(maps))
    }

    fn of_system(&self, system: &str) -> BTreeMap<MapIx, Arc<Mapped>> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, (name, _))| name == system)
            .map(|(at, (_, bound))| (at as MapIx, Arc::clone(bound)))
            .collect()
    }
}

impl Emulated {
    /// A system of a plan, empty.
    pub fn new(
        system: &plan::System,
        ix: SystemIx,
        maps: &Maps,
        manner: Manner,
        meter: Meter,
    ) -> Self {
        let maps = maps.of_system(&system.name);
        Emulated {
            name: system.name.clone(),
            ix,
            manner,
            meter,
            down_until: None,
            locked: false,
            hangs: false,
            calls: 0,
            looked_up: 0,
            still: false,
            followed: system.capabilities.events && system.connector != "webhook",
            tables: maps.keys().map(|ix| (*ix, Table::default())).collect(),
            maps,
            feed: VecDeque::new(),
            dropped: 0,
            last_change: i64::MIN,
        }
    }

    /// Whether it is down.
    pub fn down(&self, now: Instant) -> bool {
        self.down_until.is_some_and(|until| until > now)
    }

    /// The binding of one of its maps.
    pub fn binding(&self, map: MapIx) -> Option<&Binding> {
        self.maps.get(&map).map(|m| &m.binding)
    }

    /// The records of one of its maps by canonical key, deleted ones too.
    pub fn records(&self, map: MapIx) -> impl Iterator<Item = (&str, &Native)> {
        let table = self.tables.get(&map);
        table
            .into_iter()
            .flat_map(|t| t.records.iter().map(|(key, held)| (key.as_str(), held)))
    }

    /// A record of one of its maps, a deleted one too.
    pub fn held(&self, map: MapIx, key: &str) -> Option<&Native> {
        self.tables.get(&map)?.records.get(key)
    }

    /// A record as the policy sees it; `None`: there is none.
    pub fn row(&self, map: MapIx, key: &str) -> Option<Row> {
        let held = self.tables.get(&map)?.records.get(key)?;
        (!held.deleted).then(|| self.shown(map, &held.cells))?
    }

    fn shown(&self, map: MapIx, cells: &Object<String, Json>) -> Option<Row> {
        let bound = self.maps.get(&map)?;
        Some(bound.binding.row_from_json(&Json::Object(cells.clone())))
    }

    /// Sets columns of a record; gives them all, with its key's. `cells` holds the key's columns
    /// too.
    pub fn set(
        &mut self,
        map: MapIx,
        key: &str,
        cells: Object<String, Json>,
        now: Instant,
    ) -> Option<&Native> {
        let (changed, visible) = (self.next_change(now), self.visible(now));
        let (stamp, hides) = (self.stamp(changed), visible > now);
        let bound = self.maps.get(&map)?;
        let table = self.tables.get_mut(&map)?;
        let held = table.records.entry(key.to_owned());
        let held = held.or_insert_with(|| Native::new(changed, visible));
        held.make_way(&mut table.changes, key, now, hides);
        if held.deleted {
            held.cells.clear();
            held.deleted = false;
        }
        held.cells.extend(cells);
        if let Some(column) = &bound.changed_at {
            held.cells.insert(column.clone(), stamp);
        }
        if let Some(column) = &bound.deleted {
            held.cells.insert(column.clone(), Json::Bool(false));
        }
        (held.changed, held.visible) = (changed, visible);
        table.changes.insert((changed, key.to_owned()));
        Some(held)
    }

    /// Deletes a record; whether there was one.
    pub fn delete(&mut self, map: MapIx, key: &str, now: Instant) -> bool {
        let (changed, visible) = (self.next_change(now), self.visible(now));
        let (stamp, hides) = (self.stamp(changed), visible > now);
        let (Some(bound), Some(table)) = (self.maps.get(&map), self.tables.get_mut(&map)) else {
            return false;
        };
        let Some(held) = table.records.get_mut(key).filter(|held| !held.deleted) else {
            return false;
        };
        let Some(column) = &bound.deleted else {
            held.leave(&mut table.changes, key);
            table.records.remove(key);
            return true;
        };
        held.make_way(&mut table.changes, key, now, hides);
        held.deleted = true;
        held.cells.insert(column.clone(), Json::Bool(true));
        if let Some(column) = &bound.changed_at {
            held.cells.insert(column.clone(), stamp);
        }
        (held.changed, held.visible) = (changed, visible);
        table.changes.insert((changed, key.to_owned()));
        true
    }

    /// A change time of its own for each change, so that a cursor tells them apart.
    fn next_change(&mut self, now: Instant) -> i64 {
        let now = now.0.saturating_add(self.manner.skew).saturating_mul(1_000);
        self.last_change = now.max(self.last_change.saturating_add(1));
        self.last_change
    }

    fn visible(&self, now: Instant) -> Instant {
        Instant(now.0.saturating_add(self.manner.hidden.0 as i64))
    }

    /// A change time as finely as the system tells it, in microseconds; `None`: not at all.
    pub fn tells(&self, changed: i64) -> Option<i64> {
        let unit = match self.manner.change_time {
            ChangeTime::Seconds => 1_000_000,
            ChangeTime::Milliseconds => 1_000,
            ChangeTime::Arrival => return None,
        };
        Some(changed - changed.rem_euclid(unit))
    }

    /// A change time as the system writes it into a column.
    fn stamp(&self, changed: i64) -> Json {
        let shown = self.tells(changed).unwrap_or(changed);
        Json::String(Value::Datetime(shown).to_string())
    }

    /// The columns of the policy's values: the key's, and those of `fields`. An error names what
    /// the system could not hold.
    pub fn cells(
        &self,
        map: MapIx,
        key: &str,
        fields: &[(FieldIx, Value)],
    ) -> Result<Object<String, Json>, String> {
        let write = Write {
            key: key.to_owned(),
            native_key: None,
            locator: None,
            fields: fields.to_vec(),
            delete: false,
            idempotency: Idempotency::default(),
        };
        self.written(map, &write)
    }

    /// The columns of a write.
    fn written(&self, map: MapIx, write: &Write) -> Result<Object<String, Json>, String> {
        let Some(bound) = self.maps.get(&map) else {
            return Err(format!("`{}` has no such map", self.name));
        };
        let binding = &bound.binding;
        let key = binding.encode_key(write)?;
        let mut cells: Object<String, Json> = binding
            .key_columns()
            .zip(&key)
            .map(|(at, raw)| (binding.name_of(at).to_owned(), raw.json()))
            .collect();
        for (at, raw) in binding.encode(write)? {
            cells.insert(binding.name_of(at).to_owned(), raw.json());
        }
        Ok(cells)
    }

    /// Carries out one write of a batch; an error is why it is refused.
    pub(super) fn apply(
        &mut self,
        request: &WriteRequest,
        write: &Write,
        now: Instant,
    ) -> Result<(), String> {
        if self.manner.refuses.alone.contains(&write.key) {
            return Err("422 this record is not taken".to_owned());
        }
        if self.still {
            return Ok(());
        }
        if write.delete {
            self.delete(request.map, &write.key, now);
            return Ok(());
        }
        let cells = self.written(request.map, write)?;
        self.set(request.map, &write.key, cells, now);
        Ok(())
    }

    /// A page: of all records in the order of keys, or of those changed since a cursor in the
    /// order of change.
    pub(super) fn read(&self, request: &ReadRequest, now: Instant) -> Page {
        let (Some(bound), Some(table)) =
            (self.maps.get(&request.map), self.tables.get(&request.map))
        else {
            return Page::default();
        };
        let token = request.page.as_deref().map(PageToken::parse);
        match &request.since {
            None => self.read_all(request, table, token, now),
            Some(since) => {
                let overlap = (bound.binding.overlap_ms() as i64).saturating_mul(1_000);
                let since: i64 = since.parse().unwrap_or(i64::MIN);
                let from = since.saturating_sub(overlap);
                self.read_changes(request, table, (since, from), token, now)
            }
        }
    }

    fn read_all(
        &self,
        request: &ReadRequest,
        table: &Table,
        token: Option<PageToken>,
        now: Instant,
    ) -> Page {
        // What changes while the pages are read must be found by the next read, so the cursor is
        // that of the beginning.
        let first = || {
            let seen = table.changes.iter().rev();
            let mut seen = seen.filter(|(changed, key)| {
                let held = table.records.get(key);
                held.is_some_and(|held| held.shown_of(*changed, now).is_some())
            });
            seen.next().map_or(0, |(changed, _)| *changed)
        };
        let (cursor, after) = match token {
            None => (first(), None),
            Some(token) => (token.changed, Some(token.key)),
        };
        let from = match &after {
            None => Bound::Unbounded,
            Some(key) => Bound::Excluded(key.clone()),
        };
        let mut page = Page {
            cursor: Some(cursor.to_string()),
            ..Page::default()
        };
        let mut last = None;
        for (key, held) in table.records.range((from, Bound::Unbounded)) {
            if page.rows.len() == request.limit {
                page.next = last.map(|key: &String| {
                    PageToken {
                        changed: cursor,
                        key: key.clone(),
                    }
                    .text()
                });
                break;
            }
            page.rows.extend(self.row_of(request, key, &held.cells));
            last = Some(key);
        }
        page
    }

    fn read_changes(
        &self,
        request: &ReadRequest,
        table: &Table,
        (since, from): (i64, i64),
        token: Option<PageToken>,
        now: Instant,
    ) -> Page {
        let start = match &token {
            None => Bound::Included((from, String::new())),
            Some(token) => Bound::Excluded((token.changed, token.key.clone())),
        };
        let mut cursor = token.map_or(since, |token| token.changed.max(since));
        let mut page = Page::default();
        let mut last = None;
        for (changed, key) in table.changes.range((start, Bound::Unbounded)) {
            let held = table.records.get(key);
            let Some(cells) = held.and_then(|held| held.shown_of(*changed, now)) else {
                continue;
            };
            if page.rows.len() == request.limit {
                page.next = last.map(|token: PageToken| token.text());
                break;
            }
            cursor = cursor.max(*changed);
            page.rows.extend(self.row_of(request, key, cells));
            last = Some(PageToken {
                changed: *changed,
                key: key.clone(),
            });
        }
        page.cursor = Some(cursor.to_string());
        page
    }

    fn row_of(
        &self,
        request: &ReadRequest,
        key: &str,
        cells: &Object<String, Json>,
    ) -> Option<Row> {
        let mut row = self.shown(request.map, cells)?;
        row.locator = request.locate.then(|| key.to_owned());
        Some(row)
    }

    /// Adds an event to be read.
    pub(super) fn tell(&mut self, event: RawEvent) {
        self.feed.push_back(event);
    }

    /// Events after a position.
    pub(super) fn events(&mut self, position: Option<&str>, limit: usize) -> EventPage {
        let from: usize = position.and_then(|p| p.parse().ok()).unwrap_or(0);
        let had = from.saturating_sub(self.dropped).min(self.feed.len());
        self.feed.drain(..had);
        self.dropped += had;
        let events: Vec<RawEvent> = self.feed.iter().take(limit).cloned().collect();
        EventPage {
            position: Some((self.dropped + events.len()).to_string()),
            more: events.len() < self.feed.len(),
            events,
        }
    }

    /// How many events there are to be read after a position.
    pub(super) fn untold(&self, position: Option<&str>) -> usize {
        let from: usize = position.and_then(|p| p.parse().ok()).unwrap_or(0);
        let told = self.dropped + self.feed.len();
        told.saturating_sub(from.max(self.dropped))
    }

    /// How long a call takes; a bulk job as long as the calls that it stands for, one after the
    /// other.
    pub(super) fn takes(&self, (what, calls): (Group, u64), chance: f64) -> Millis {
        let whole = match what {
            Group::Read => self.manner.read,
            Group::Write => self.manner.write,
            Group::Bulk => self.manner.write.times(calls),
        };
        let shorter = whole.0 as f64 * self.manner.spread.clamp(0.0, 1.0) * chance;
        Millis(whole.0 - (shorter as u64).min(whole.0))
    }
}

/// Where a page ended.
struct PageToken {
    /// Of a read of all: the cursor at its beginning. Of a read of changes: the last change.
    changed: i64,
    key: String,
}

impl PageToken {
    fn text(&self) -> String {
        format!("{} {}", self.changed, self.key)
    }

    fn parse(text: &str) -> Self {
        let (changed, key) = text.split_once(' ').unwrap_or((text, ""));
        PageToken {
            changed: changed.parse().unwrap_or(0),
            key: key.to_owned(),
        }
    }
}
