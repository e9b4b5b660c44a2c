//! A system in memory: records in its own terms, read and written through the maps of the plan.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Map as Object, Value as Json};

use super::columns::Columns;
use super::limits::Meter;
use super::manner::Manner;
use super::native::Changes;
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
use rayon::iter::Either;

/// The records of one map, by canonical key.
#[derive(Debug, Clone, Default)]
struct Table {
    records: BTreeMap<Arc<str>, Native>,
    /// By change, so that a read by cursor costs what it gives.
    changes: Changes,
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
    /// Of a read of all it shows only these keys' records.
    pub sample: Option<Arc<BTreeSet<String>>>,
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
    changed_at: Option<Arc<str>>,
    deleted: Option<Arc<str>>,
    /// The names of the columns by the codec's numbers.
    names: Vec<Arc<str>>,
}

impl Mapped {
    /// Sets the columns that say when a record changed, and whether it was deleted.
    fn mark(&self, cells: &mut Columns, changed: Json, deleted: bool) {
        if let Some(column) = &self.changed_at {
            cells.set(column, changed);
        }
        if let Some(column) = &self.deleted {
            cells.set(column, Json::Bool(deleted));
        }
    }

    /// The shared name of a column.
    fn name(&self, column: &str) -> Arc<str> {
        let known = self.names.iter().chain(&self.changed_at);
        let mut known = known.chain(&self.deleted);
        let found = known.find(|name| ***name == *column);
        found.map_or_else(|| Arc::from(column), Arc::clone)
    }
}

/// The maps of a plan, bound once for any number of worlds.
#[derive(Debug)]
pub struct Maps(Vec<(String, Arc<Mapped>)>);

impl Maps {
    /// Binds the maps of a plan; an error is one that cannot be bound.
    pub fn of(plan: &plan::Plan) -> Result<Self, Failure> {
        let mut maps = Vec::with_capacity(plan.maps.len());
        for (at, map) in plan.maps.iter().enumerate() {
            let binding = Binding::compile(plan, at as MapIx)?;
            let names = binding.names().map(Arc::from).collect();
            let bound = Mapped {
                binding,
                changed_at: map.changed_at.as_deref().map(Arc::from),
                deleted: map.deleted.as_deref().map(Arc::from),
                names,
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
            sample: None,
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
            .flat_map(|t| t.records.iter().map(|(key, held)| (&**key, held)))
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

    /// A field of a record as the policy sees it; `None`: there is no such record, or it does not
    /// show the field.
    pub fn value(&self, map: MapIx, key: &str, field: FieldIx) -> Option<Value> {
        let held = self.held(map, key).filter(|held| !held.deleted)?;
        held.cells.value(&self.maps.get(&map)?.binding, field)
    }

    fn shown(&self, map: MapIx, cells: &Columns) -> Option<Row> {
        Some(cells.row(&self.maps.get(&map)?.binding))
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
        let bound = self.maps.get(&map)?;
        let mut columns = Columns::with_room(cells.len());
        for (name, json) in cells {
            columns.set(&bound.name(&name), json);
        }
        let table = self.tables.get(&map)?;
        let known = table.records.get_key_value(key);
        let key = known.map_or_else(|| Arc::from(key), |(key, _)| Arc::clone(key));
        self.set_columns(map, key, columns, now)
    }

    fn set_columns(
        &mut self,
        map: MapIx,
        key: Arc<str>,
        columns: Columns,
        now: Instant,
    ) -> Option<&Native> {
        let (changed, visible) = (self.next_change(now), self.visible(now));
        let (stamp, hides) = (self.stamp(changed), visible > now);
        let bound = self.maps.get(&map)?;
        let table = self.tables.get_mut(&map)?;
        let held = table.records.entry(Arc::clone(&key));
        let held = held.or_insert_with(|| Native::new(changed, visible));
        held.make_way(&mut table.changes, &key, now, hides);
        if held.deleted {
            held.cells.clear();
            held.deleted = false;
        }
        match held.cells == Columns::default() {
            true => held.cells = columns,
            false => columns.into_iter().for_each(|(n, j)| held.cells.set(&n, j)),
        }
        bound.mark(&mut held.cells, stamp, false);
        (held.changed, held.visible) = (changed, visible);
        table.changes.insert((changed, key));
        Some(held)
    }

    /// Fills one of its maps with records and the times at which they changed, one after the other.
    pub(super) fn fill(&mut self, map: MapIx, records: Vec<(Arc<str>, Columns, Instant)>) {
        let mut keys: Vec<&Arc<str>> = records.iter().map(|(key, _, _)| key).collect();
        keys.sort_unstable();
        let apart = keys.windows(2).all(|two| two[0] != two[1]);
        let empty = self.tables.get(&map).is_some_and(|t| t.records.is_empty());
        let Some(bound) = self.maps.get(&map).cloned().filter(|_| apart && empty) else {
            for (key, columns, at) in records {
                self.set_columns(map, key, columns, at);
            }
            return;
        };
        let mut changes = Vec::with_capacity(records.len());
        let mut natives = Vec::with_capacity(records.len());
        for (key, columns, at) in records {
            let (changed, visible) = (self.next_change(at), self.visible(at));
            let mut held = Native::new(changed, visible);
            held.cells = columns;
            bound.mark(&mut held.cells, self.stamp(changed), false);
            changes.push((changed, Arc::clone(&key)));
            natives.push((key, held));
        }
        // Trees made of all at once are dense, and cost less than one entry after the other.
        let table = Table {
            records: natives.into_iter().collect(),
            changes: changes.into_iter().collect(),
        };
        self.tables.insert(map, table);
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
        let key: Arc<str> = Arc::from(key);
        if bound.deleted.is_none() {
            held.leave(&mut table.changes, &key);
            table.records.remove(&key);
            return true;
        }
        held.make_way(&mut table.changes, &key, now, hides);
        held.deleted = true;
        bound.mark(&mut held.cells, stamp, true);
        (held.changed, held.visible) = (changed, visible);
        table.changes.insert((changed, key));
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
        Ok(self.columns(map, key, fields.to_vec())?.object())
    }

    /// The same, kept small.
    pub(super) fn columns(
        &self,
        map: MapIx,
        key: &str,
        fields: Vec<(FieldIx, Value)>,
    ) -> Result<Columns, String> {
        let write = Write {
            key: key.into(),
            native_key: None,
            locator: None,
            fields,
            delete: false,
            idempotency: Idempotency::default(),
        };
        self.written(map, &write)
    }

    /// The columns of a write.
    fn written(&self, map: MapIx, write: &Write) -> Result<Columns, String> {
        let Some(bound) = self.maps.get(&map) else {
            return Err(format!("`{}` has no such map", self.name));
        };
        let binding = &bound.binding;
        let key = binding.encode_key(write)?;
        // Two more may say when the record changed, and whether it was deleted.
        let mut cells = Columns::with_room(key.len() + write.fields.len() + 2);
        for (at, raw) in binding.key_columns().zip(&key) {
            cells.set(&bound.names[at], raw.json());
        }
        for (at, raw) in binding.encode(write)? {
            cells.set(&bound.names[at], raw.json());
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
        if self.manner.refuses.alone.contains(&*write.key) {
            return Err("422 this record is not taken".to_owned());
        }
        if self.still {
            return Ok(());
        }
        if write.delete {
            self.delete(request.map, &write.key, now);
            return Ok(());
        }
        let columns = self.written(request.map, write)?;
        self.set_columns(request.map, Arc::from(&*write.key), columns, now);
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
        let from = match after.as_deref() {
            None => Bound::Unbounded,
            Some(key) => Bound::Excluded(key),
        };
        let mut page = Page {
            cursor: Some(cursor.to_string()),
            ..Page::default()
        };
        let mut last = None;
        let to = Bound::<&str>::Unbounded;
        let all = match &self.sample {
            None => Either::Left(table.records.range::<str, _>((from, to))),
            Some(keys) => {
                let keys = keys.range::<str, _>((from, to));
                Either::Right(keys.filter_map(|key| table.records.get_key_value(&**key)))
            }
        };
        for (key, held) in all {
            if page.rows.len() == request.limit {
                page.next = last.map(|key: &Arc<str>| {
                    PageToken {
                        changed: cursor,
                        key: key.to_string(),
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
            None => Bound::Included((from, Arc::from(""))),
            Some(token) => Bound::Excluded((token.changed, Arc::from(&*token.key))),
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
                key: key.to_string(),
            });
        }
        page.cursor = Some(cursor.to_string());
        page
    }

    fn row_of(&self, request: &ReadRequest, key: &str, cells: &Columns) -> Option<Row> {
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
            held_bytes: None,
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
            key: key.into(),
        }
    }
}
