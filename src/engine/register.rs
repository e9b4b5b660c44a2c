//! Registers: what each origin last said of each field of a record, and what each system is known
//! to hold. Merging changes is commutative, associative and idempotent, so that any order,
//! repetition or batching of the same changes ends in the same register.

use std::sync::Arc;

use super::ports::{FieldIx, SystemIx};
use crate::value::Value;

/// A value with when it was set and by which event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The value.
    pub value: Value,
    /// Change time, microseconds since 1970-01-01T00:00Z.
    pub at: i64,
    /// The event (or run) that told of it.
    pub id: Arc<str>,
}

impl Stamp {
    /// The order of one origin's stamps: by change time, ties by event id, then by value (so that
    /// even a sender that reuses ids has one answer).
    pub(super) fn rank(&self) -> (i64, &str, &Value) {
        (self.at, &self.id, &self.value)
    }
}

/// What one origin said of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its latest value.
    pub latest: Stamp,
    /// Its earliest value, where that is another one.
    earlier: Option<Stamp>,
    /// When it last set true.
    pub true_at: Option<i64>,
    /// When it last set false.
    pub false_at: Option<i64>,
}

impl Origin {
    /// From its first stamp.
    pub fn new(stamp: Stamp) -> Self {
        let (true_at, false_at) = truth(&stamp);
        Origin {
            latest: stamp,
            earlier: None,
            true_at,
            false_at,
        }
    }

    /// Takes one more stamp in; says whether anything changed.
    pub fn merge(&mut self, stamp: Stamp) -> bool {
        let (true_at, false_at) = truth(&stamp);
        let mut changed = raise(&mut self.true_at, true_at) | raise(&mut self.false_at, false_at);
        if stamp.rank() > self.latest.rank() {
            let before = std::mem::replace(&mut self.latest, stamp);
            self.earlier.get_or_insert(before);
            changed = true;
        } else if stamp.rank() < self.earliest().rank() {
            self.earlier = Some(stamp);
            changed = true;
        }
        changed
    }

    /// Its earliest value.
    pub fn earliest(&self) -> &Stamp {
        self.earlier.as_ref().unwrap_or(&self.latest)
    }

    /// Whether its earliest value is another one than its latest.
    pub fn has_changed(&self) -> bool {
        self.earlier.is_some()
    }

    /// From its parts.
    pub fn from_parts(
        latest: Stamp,
        earliest: Stamp,
        true_at: Option<i64>,
        false_at: Option<i64>,
    ) -> Self {
        let earlier = (earliest != latest).then_some(earliest);
        Origin {
            latest,
            earlier,
            true_at,
            false_at,
        }
    }
}

/// When a stamp says that its origin set true, and when false.
pub(super) fn truth(stamp: &Stamp) -> (Option<i64>, Option<i64>) {
    match stamp.value {
        Value::Bool(true) => (Some(stamp.at), None),
        Value::Bool(false) => (None, Some(stamp.at)),
        _ => (None, None),
    }
}

fn raise(slot: &mut Option<i64>, to: Option<i64>) -> bool {
    let higher = to > *slot;
    if higher {
        *slot = to;
    }
    higher
}

/// All that is known of one field of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldRegister {
    /// By origin, ascending.
    pub origins: Vec<(SystemIx, Origin)>,
    /// A person's choice in a conflict (`resolve manual`).
    pub agreed: Option<Stamp>,
}

impl FieldRegister {
    /// What an origin said.
    pub fn origin(&self, system: SystemIx) -> Option<&Origin> {
        find(&self.origins, system).map(|i| &self.origins[i].1)
    }

    /// Adds an origin that has said nothing yet.
    pub fn add(&mut self, system: SystemIx, origin: Origin) {
        let at = self.origins.partition_point(|o| o.0 < system);
        self.insert(at, system, origin);
    }

    fn insert(&mut self, at: usize, system: SystemIx, origin: Origin) {
        // Most fields have one origin for ever, and it is a large thing to keep empty places for.
        self.origins.reserve_exact(1);
        self.origins.insert(at, (system, origin));
    }

    /// Takes a change in; says whether the register changed.
    pub fn merge(&mut self, system: SystemIx, stamp: Stamp) -> bool {
        match self.origins.binary_search_by_key(&system, |o| o.0) {
            Ok(i) => self.origins[i].1.merge(stamp),
            Err(i) => {
                self.insert(i, system, Origin::new(stamp));
                true
            }
        }
    }
}

/// How it is known what a system holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The system showed it.
    Reported,
    /// The runner is writing it, or has handed it over with a run.
    Sent,
    /// The runner wrote it, and the system confirmed that at this time (microseconds).
    Arrived(i64),
}

impl How {
    /// Whether the runner wrote it.
    pub fn written(self) -> bool {
        self != How::Reported
    }
}

/// A value that a system is known to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The value.
    pub value: Value,
    /// Since when: the report's change time, or when it was written; microseconds.
    pub at: i64,
    /// How it is known.
    pub how: How,
}

impl Known {
    /// What tells of an earlier time than this is older; microseconds.
    pub fn settled_at(&self) -> i64 {
        match self.how {
            How::Arrived(at) => at.max(self.at),
            How::Reported | How::Sent => self.at,
        }
    }
}

/// That a system no longer has a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// When it was deleted: in the time of the system that began it; microseconds.
    pub at: i64,
    /// When the runner sent the deletion there; `None`: the system itself showed it as deleted.
    pub sent: Option<i64>,
}

/// A value that the runner wrote and that another has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The field.
    pub field: FieldIx,
    /// The value.
    pub value: Value,
    /// Since when it was owed: it may have been applied from then on; microseconds.
    pub from: i64,
    /// When another took its place; microseconds.
    pub until: i64,
    /// What came back of it.
    pub echoes: Echoes,
}

/// How often a value that was written was handed over, and how often the system told of it since:
/// each call has at most one echo, and who tells of the value more often speaks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echoes {
    /// Calls that handed it over; `None`: nobody knows any more.
    pub calls: Option<u32>,
    /// Events that told of it.
    pub seen: u32,
    /// The change time of the earliest of them, by the system's clock; microseconds.
    pub first: i64,
    /// The change time of the latest of them, by the system's clock; microseconds.
    pub last: i64,
    /// The latest time at which the system showed, beside a change of something else, what it had
    /// said itself before: either the write had not arrived, or it took that back.
    pub against: Option<i64>,
}

impl Default for Echoes {
    /// Handed over once, and nothing came back.
    fn default() -> Self {
        Echoes {
            calls: Some(1),
            seen: 0,
            first: i64::MAX,
            last: i64::MIN,
            against: None,
        }
    }
}

impl Echoes {
    /// The system told of it at this time (microseconds).
    pub fn note(&mut self, at: i64) {
        self.seen = self.seen.saturating_add(1);
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }

    /// When the system said itself what the runner wrote there too: it told of it more often than it
    /// was handed over. Who sets a value after the write finds it there already, so that the
    /// earliest is the system's own.
    pub fn said_too(&self) -> Option<i64> {
        let over = self.calls.is_some_and(|calls| self.seen > calls);
        over.then_some(self.first)
    }

    /// Whether another echo may come.
    pub fn may_come(&self) -> bool {
        self.calls.is_none_or(|calls| self.seen < calls)
    }
}

/// How a value that waits or has arrived was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed {
    /// From when on it may come back; microseconds.
    pub from: i64,
    /// Until when it may have been handed over; microseconds.
    pub until: i64,
    /// Calls that are not counted in the register yet; `None`: nobody knows.
    pub calls: Option<u32>,
}

/// For how long a written value is remembered after another took its place, microseconds.
const REMEMBER_US: i64 = 3_600_000_000;
/// How many of them at most.
const REMEMBER: usize = 16;

/// What one system is known to hold of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The key as the system writes it, where that differs.
    pub native_key: Option<String>,
    /// By field, ascending.
    pub known: Vec<(FieldIx, Known)>,
    /// Values written lately that others have taken the place of: when they come back as events,
    /// late, they are echoes and no changes.
    pub sent: Vec<Sent>,
    /// What came back of the values that it is known to hold, by field, ascending; without an entry
    /// nothing did.
    pub echoes: Vec<(FieldIx, Echoes)>,
    /// Whether the record is gone there.
    pub gone: Option<Gone>,
}

impl View {
    /// What is known of a field.
    pub fn field(&self, field: FieldIx) -> Option<&Known> {
        find(&self.known, field).map(|i| &self.known[i].1)
    }

    /// Sets it; a value written before is remembered for a while.
    pub fn replace(&mut self, field: FieldIx, known: Known) {
        let handed = self.field(field).map(|before| Handed {
            from: before.at,
            until: before.settled_at(),
            calls: match before.how {
                How::Sent => None,
                // Counted as they were answered.
                How::Reported | How::Arrived(_) => Some(0),
            },
        });
        self.replace_sent(field, known, handed);
    }

    /// The same where it is known how the value before was handed over; `None`: never, so that it
    /// has no echo.
    pub fn replace_sent(&mut self, field: FieldIx, known: Known, handed: Option<Handed>) {
        let before = self.field(field);
        let again = before.is_some_and(|b| b.value == known.value);
        let written = before.filter(|b| b.how.written() && !again);
        if let Some((value, handed)) = written.map(|b| b.value.clone()).zip(handed) {
            // A write may have waited long for a system that was away.
            let until = known.at.max(handed.from).max(handed.until);
            let horizon = until.saturating_sub(REMEMBER_US);
            self.sent.retain(|sent| sent.until >= horizon);
            let echoes = self.echoes_with(field, handed.calls);
            self.sent.push(Sent {
                field,
                value,
                from: handed.from,
                until,
                echoes,
            });
            let over = self.sent.len().saturating_sub(REMEMBER);
            self.sent.drain(..over);
        }
        if !again {
            self.forget_echoes(field);
        } else if known.how == How::Sent {
            // Written anew: by how many calls in all is not kept.
            let echoes = Echoes {
                calls: None,
                ..self.echoes_with(field, None)
            };
            *slot_or(&mut self.echoes, field, echoes) = echoes;
        }
        self.set(field, known);
    }

    /// What came back of the value that it is known to hold of a field.
    pub fn echoes(&self, field: FieldIx) -> Option<&Echoes> {
        find(&self.echoes, field).map(|i| &self.echoes[i].1)
    }

    /// The same with calls that are not counted yet.
    pub(super) fn echoes_with(&self, field: FieldIx, calls: Option<u32>) -> Echoes {
        let before = self.echoes(field);
        let settled = before.map_or(Some(0), |e| e.calls);
        let calls = settled.zip(calls).map(|(a, b)| a.saturating_add(b));
        Echoes {
            // A value that was written was handed over once at the least.
            calls: calls.map(|calls| calls.max(1)),
            ..before.copied().unwrap_or_default()
        }
    }

    /// What was written has arrived, by so many calls; `None`: nobody knows by how many.
    pub fn arrive(&mut self, field: FieldIx, known: Known, calls: Option<u32>) {
        let again = self.field(field).is_some_and(|b| b.value == known.value);
        let echoes = match again {
            true => self.echoes_with(field, calls),
            // Another value was told of meanwhile, and took its place for a while.
            false => {
                let same = |s: &Sent| s.field == field && s.value == known.value;
                let before = self.sent.iter().rposition(same);
                let before = before.map(|i| self.sent.remove(i).echoes);
                Echoes {
                    calls,
                    ..before.unwrap_or_default()
                }
            }
        };
        self.forget_echoes(field);
        if echoes != Echoes::default() {
            *slot_or(&mut self.echoes, field, echoes) = echoes;
        }
        self.set(field, known);
    }

    /// The system told of the value that it is known to hold at this time (microseconds).
    pub fn told_of(&mut self, field: FieldIx, at: i64) {
        let none = Echoes {
            calls: Some(0),
            ..Echoes::default()
        };
        slot_or(&mut self.echoes, field, none).note(at);
    }

    /// When the system said itself what it is known to hold, which the runner wrote there too (see
    /// [`Echoes::said_too`]). `calls`: those that are not counted yet.
    pub fn said_too(&self, field: FieldIx, calls: Option<u32>) -> Option<i64> {
        self.field(field).filter(|known| known.how.written())?;
        self.echoes_with(field, calls).said_too()
    }

    /// The system showed at this time (microseconds) what it had said itself before, rather than the
    /// value that it is known to hold.
    pub fn told_against(&mut self, field: FieldIx, at: i64) {
        let none = Echoes {
            calls: Some(0),
            ..Echoes::default()
        };
        let echoes = slot_or(&mut self.echoes, field, none);
        echoes.against = echoes.against.max(Some(at));
    }

    fn forget_echoes(&mut self, field: FieldIx) {
        if let Some(i) = find(&self.echoes, field) {
            self.echoes.remove(i);
        }
    }

    /// Sets it.
    pub fn set(&mut self, field: FieldIx, known: Known) {
        match self.known.binary_search_by_key(&field, |k| k.0) {
            Ok(i) => self.known[i].1 = known,
            Err(i) => self.known.insert(i, (field, known)),
        }
    }

    /// Forgets it: the next comparison finds a difference.
    pub fn forget(&mut self, field: FieldIx) {
        if let Some(i) = find(&self.known, field) {
            self.known.remove(i);
        }
        self.forget_echoes(field);
    }
}

/// The register of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    /// Grows with every change that is stored.
    pub version: u64,
    /// By field, ascending.
    pub fields: Vec<(FieldIx, FieldRegister)>,
    /// By system, ascending.
    pub systems: Vec<(SystemIx, View)>,
}

impl Register {
    /// Drops what says nothing of a system, as a register that is stored does.
    pub(super) fn drop_empty_views(&mut self) {
        self.systems.retain(|(_, view)| *view != View::default());
    }

    /// A field's register.
    pub fn field(&self, field: FieldIx) -> Option<&FieldRegister> {
        find(&self.fields, field).map(|i| &self.fields[i].1)
    }

    /// A field's register, made where there is none.
    pub fn field_mut(&mut self, field: FieldIx) -> &mut FieldRegister {
        slot(&mut self.fields, field)
    }

    /// What a system is known to hold.
    pub fn view(&self, system: SystemIx) -> Option<&View> {
        find(&self.systems, system).map(|i| &self.systems[i].1)
    }

    /// Whether a change after a deletion keeps the record: one of any origin but the system that
    /// deleted it.
    pub fn outlives(&self, system: SystemIx, gone: Gone) -> bool {
        let stamps = self.fields.iter().flat_map(|(_, f)| &f.origins);
        stamps
            .filter(|(origin, _)| gone.sent.is_some() || *origin != system)
            .any(|(_, o)| o.latest.at > gone.at)
    }

    /// The latest time for which a system is known to have had the record.
    pub fn last_had(&self, system: SystemIx) -> i64 {
        let stamps = self.fields.iter().filter_map(|(_, f)| f.origin(system));
        let shown = stamps.map(|o| o.latest.at);
        let known = self.view(system).into_iter().flat_map(|v| &v.known);
        shown
            .chain(known.map(|(_, k)| k.settled_at()))
            .max()
            .unwrap_or(i64::MIN)
    }

    /// Stamps after `latest` were made by a clock that was ahead by so much: they are put back,
    /// all in their order; microseconds.
    pub fn take_back(&mut self, latest: i64, by: i64) {
        let right = |at: &mut i64| {
            if *at > latest {
                *at = at.saturating_sub(by);
            }
        };
        for (_, field) in &mut self.fields {
            for (_, origin) in &mut field.origins {
                right(&mut origin.latest.at);
                origin.earlier.iter_mut().for_each(|s| right(&mut s.at));
                origin.true_at.iter_mut().for_each(right);
                origin.false_at.iter_mut().for_each(right);
            }
            field.agreed.iter_mut().for_each(|s| right(&mut s.at));
        }
        for (_, view) in &mut self.systems {
            for (_, known) in &mut view.known {
                right(&mut known.at);
                if let How::Arrived(at) = &mut known.how {
                    right(at);
                }
            }
            for sent in &mut view.sent {
                right(&mut sent.from);
                right(&mut sent.until);
            }
            let sent = view.sent.iter_mut().map(|s| &mut s.echoes);
            for echoes in sent.chain(view.echoes.iter_mut().map(|(_, e)| e)) {
                if echoes.seen > 0 {
                    right(&mut echoes.first);
                    right(&mut echoes.last);
                }
                echoes.against.iter_mut().for_each(right);
            }
            if let Some(gone) = &mut view.gone {
                right(&mut gone.at);
                gone.sent.iter_mut().for_each(right);
            }
        }
    }

    /// What a system is known to hold, made where there is none.
    pub fn view_mut(&mut self, system: SystemIx) -> &mut View {
        slot(&mut self.systems, system)
    }
}

fn find<K: Ord + Copy + Into<usize>, V>(list: &[(K, V)], key: K) -> Option<usize> {
    // Most lists hold every position, but perhaps the key's, so that it is where it says.
    let at: usize = key.into();
    let there = [at, at.wrapping_sub(1)].into_iter();
    let mut there = there.filter(|at| list.get(*at).is_some_and(|e| e.0 == key));
    there
        .next()
        .or_else(|| list.binary_search_by_key(&key, |e| e.0).ok())
}

fn slot<K: Ord + Copy, V: Default>(list: &mut Vec<(K, V)>, key: K) -> &mut V {
    slot_or(list, key, V::default())
}

fn slot_or<K: Ord + Copy, V>(list: &mut Vec<(K, V)>, key: K, first: V) -> &mut V {
    let at = match list.binary_search_by_key(&key, |e| e.0) {
        Ok(i) => i,
        Err(i) => {
            list.insert(i, (key, first));
            i
        }
    };
    &mut list[at].1
}
