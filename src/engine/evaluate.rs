//! What a change does to a record and what each destination is owed: pure functions over a
//! register. Nothing is written where a system is known to hold the shown value already, so echoes
//! and repeats end here.

use std::sync::Arc;

use super::ports::{FieldIx, SystemIx};
use super::program::{EntityProgram, RouteProgram};
use super::register::{Known, Register, Stamp};
use super::resolve::{Shown, disagree, leaves_out, shown};
use crate::value::Value;

/// How far a change time may lie in the future before it is taken for arrival: 5 minutes, in
/// microseconds. The same allowance is made for a system's clock when its report is compared with
/// the time of a write.
pub const TOLERANCE_US: i64 = 300_000_000;

/// A system's report of a record.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Who reports.
    pub system: SystemIx,
    /// Change time in microseconds; `None`: arrival counts.
    pub at: Option<i64>,
    /// The event or run that told of it.
    pub id: &'a Arc<str>,
    /// The fields shown.
    pub fields: &'a [(FieldIx, Value)],
    /// The key as the system writes it, where that differs.
    pub native_key: Option<&'a str>,
    /// Whether the record is gone.
    pub deleted: bool,
    /// Whether the whole record was read (a field that is as it was is then no change), rather
    /// than a change told by an event.
    pub snapshot: bool,
}

/// What a report did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Absorbed {
    /// Whether anything of the register changed.
    pub changed: bool,
    /// Whether a value that the world sees changed.
    pub shown_changed: bool,
    /// Whether the change time was too far in the future and arrival was taken.
    pub clamped: bool,
    /// Fields on which this report and another origin disagree, with the origin whose value
    /// holds.
    pub conflicts: Vec<(FieldIx, Option<SystemIx>)>,
    /// Fields whose reported value lost: the reporting system itself holds another one now.
    pub lost: Vec<FieldIx>,
}

/// Takes a report into a register; `now` in microseconds.
pub fn absorb(
    entity: &EntityProgram,
    register: &mut Register,
    report: &Report<'_>,
    now: i64,
) -> Absorbed {
    let mut out = Absorbed::default();
    let mut at = report.at.unwrap_or(now);
    if at > now.saturating_add(TOLERANCE_US) {
        at = now;
        out.clamped = true;
    }
    let view = register.view_mut(report.system);
    // A record shown under its canonical key has no other spelling any more.
    if view.native_key.as_deref() != report.native_key {
        view.native_key = report.native_key.map(str::to_owned);
        out.changed = true;
    }
    if report.deleted {
        if view.gone.is_none_or(|gone| gone < at) {
            view.gone = Some(at);
            view.known.clear();
            out.changed = true;
        }
        return out;
    }
    if view.gone.is_some_and(|gone| gone <= at) {
        view.gone = None;
        out.changed = true;
    }
    for (field, value) in report.fields {
        if !entity.keys.contains(field) {
            absorb_field(entity, register, report, at, (*field, value), &mut out);
        }
    }
    out
}

fn absorb_field(
    entity: &EntityProgram,
    register: &mut Register,
    report: &Report<'_>,
    at: i64,
    (ix, value): (FieldIx, &Value),
    out: &mut Absorbed,
) {
    let Some(field) = entity.fields.get(ix as usize) else {
        return;
    };
    let view = register.view_mut(report.system);
    let known = view.field(ix);
    let same = known.is_some_and(|k| k.value == *value);
    let echo = same && known.is_some_and(|k| k.written && at.saturating_add(TOLERANCE_US) >= k.at);
    // An event may tell of the time before a write; a whole record is read as it is now, also
    // where it was put back from a copy or where its change time does not count such writes.
    let stale = !report.snapshot && known.is_some_and(|k| k.written && at < k.at && !same);
    if !stale && !same {
        view.set(
            ix,
            Known {
                value: value.clone(),
                at,
                written: false,
            },
        );
        out.changed = true;
    }
    if echo || (report.snapshot && same) || !field.origins.contains(&report.system) {
        return;
    }
    let one_origin = field.origins.len() == 1;
    let slot = register.field_mut(ix);
    let before = shown(field.rule, slot).value().cloned();
    let stamp = Stamp {
        value: value.clone(),
        at,
        id: Arc::clone(report.id),
    };
    if !slot.merge(report.system, stamp) {
        return;
    }
    out.changed = true;
    let after = shown(field.rule, slot);
    out.shown_changed |= before.as_ref() != after.value();
    if one_origin || !disagree(field.rule, slot) {
        return;
    }
    let winner = match &after {
        Shown::Value { from, .. } => *from,
        _ => None,
    };
    if leaves_out(field.rule, slot, after.value()) {
        out.conflicts.push((ix, winner));
    }
    if after.value() != Some(value) && !matches!(after, Shown::Held { .. }) {
        out.lost.push(ix);
    }
}

/// What a route owes its receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// The fields that differ there, with the value shown, ascending.
    pub fields: Vec<(FieldIx, Value)>,
    /// Whether the record is to be deleted there.
    pub delete: bool,
}

/// The value of a field on a route: the one shown, else (nothing having reported it as an origin)
/// what the sender holds.
fn travelling(
    entity: &EntityProgram,
    register: &Register,
    sender: SystemIx,
    field: FieldIx,
) -> Option<Value> {
    let program = entity.fields.get(field as usize)?;
    let seen = register.field(field).map(|f| shown(program.rule, f));
    match seen {
        Some(Shown::Value { value, .. }) => Some(value.into_owned()),
        Some(Shown::Held { agreed }) => agreed.map(|a| a.value.clone()),
        Some(Shown::Absent) | None => register.view(sender)?.field(field).map(|k| k.value.clone()),
    }
}

/// Compares what a route's receiver is known to hold with what it should. `None`: nothing is owed
/// (it holds it, or the filter keeps the record back, or its expression fails).
pub fn owed(
    entity: &EntityProgram,
    key: &[(FieldIx, Value)],
    register: &Register,
    route: &RouteProgram,
    propagate_deletes: bool,
) -> Option<Owed> {
    let receiver = register.view(route.to);
    let gone = register.view(route.from).is_some_and(|v| v.gone.is_some());
    if gone {
        let there = receiver.is_some_and(|v| v.gone.is_none() && !v.known.is_empty());
        let delete = propagate_deletes && there;
        return delete.then(|| Owed {
            fields: Vec::new(),
            delete: true,
        });
    }
    let lookup = |field: FieldIx| match key.iter().find(|(k, _)| *k == field) {
        Some((_, value)) => Some(value.clone()),
        None => travelling(entity, register, route.from, field),
    };
    if let Some(filter) = &route.filter
        && !filter.truth(&lookup).unwrap_or(false)
    {
        return None;
    }
    let mut fields = Vec::new();
    for ix in &route.fields {
        let Some(program) = entity.fields.get(*ix as usize) else {
            continue;
        };
        let value = match &program.derived {
            Some(derived) => derived.value(&program.ty, &lookup),
            None if held(entity, register, *ix) => None,
            None => lookup(*ix),
        };
        let Some(value) = value else { continue };
        let known = receiver
            .filter(|v| v.gone.is_none())
            .and_then(|v| v.field(*ix));
        if known.is_none_or(|k| k.value != value) {
            fields.push((*ix, value));
        }
    }
    (!fields.is_empty()).then_some(Owed {
        fields,
        delete: false,
    })
}

fn held(entity: &EntityProgram, register: &Register, field: FieldIx) -> bool {
    let Some(program) = entity.fields.get(field as usize) else {
        return false;
    };
    let seen = register.field(field).map(|f| shown(program.rule, f));
    matches!(seen, Some(Shown::Held { .. }))
}

/// Notes that a system is being sent values: from here on it is known to hold them, since the
/// write waits durably until it is confirmed or given up (see [`forget`]).
pub fn note_written(register: &mut Register, to: SystemIx, owed: &Owed, now: i64) {
    let view = register.view_mut(to);
    if owed.delete {
        view.known.clear();
        view.gone = Some(now);
        return;
    }
    view.gone = None;
    for (field, value) in &owed.fields {
        view.set(
            *field,
            Known {
                value: value.clone(),
                at: now,
                written: true,
            },
        );
    }
}

/// Takes back what [`note_written`] noted, after a write was given up: the next change or
/// reconcile finds the difference again.
pub fn forget(register: &mut Register, to: SystemIx, fields: &[FieldIx]) {
    let view = register.view_mut(to);
    for field in fields {
        view.forget(*field);
    }
}
