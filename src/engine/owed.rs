//! What a route owes its receiver: the values shown, where the receiver is known to hold others.

use std::borrow::Cow;

use super::handed::HandedOver;
use super::ports::{FieldIx, SystemIx, key_parts};
use super::program::{EntityProgram, RouteProgram};
use super::register::{Gone, How, Known, Register};
use super::resolve::{Shown, shown};
use crate::value::Value;

/// What a route owes its receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// The fields that differ there, with the value shown, ascending.
    pub fields: Vec<(FieldIx, Value)>,
    /// When the record was deleted at the sender, where it is to be deleted at the receiver.
    pub deleted: Option<i64>,
}

/// The key's fields with their values, ascending.
pub fn key_values(entity: &EntityProgram, key: &str) -> Vec<(FieldIx, Value)> {
    let mut out: Vec<(FieldIx, Value)> = entity
        .keys
        .iter()
        .zip(key_parts(key))
        .map(|(field, part)| {
            let ty = &entity.fields[*field as usize].ty;
            let value = ty.read_text(&part).unwrap_or(Value::Text(part.into()));
            (*field, value)
        })
        .collect();
    out.sort_by_key(|(field, _)| *field);
    out
}

/// A record as one of its flows sees it: the values shown, else (nothing having reported one as
/// an origin) what the sender holds.
struct Sight<'a> {
    entity: &'a EntityProgram,
    register: &'a Register,
    sender: SystemIx,
    key: Vec<(FieldIx, Value)>,
}

impl<'a> Sight<'a> {
    /// `computes`: whether an expression is going to ask for the key.
    fn new(
        entity: &'a EntityProgram,
        register: &'a Register,
        route: &RouteProgram,
        key: &str,
    ) -> Self {
        let key = match route.computes {
            true => key_values(entity, key),
            false => Vec::new(),
        };
        Sight {
            entity,
            register,
            sender: route.from,
            key,
        }
    }

    /// The value that travels; `None` where there is none, or it is held for a person and may not
    /// be written.
    fn travelling(&self, ix: FieldIx, held_too: bool) -> Option<Cow<'a, Value>> {
        let field = self.entity.fields.get(ix as usize)?;
        let seen = self.register.field(ix).map(|f| shown(field.rule, f));
        match seen {
            Some(Shown::Value { value, .. }) => Some(value),
            Some(Shown::Held { agreed }) if held_too => agreed.map(|a| Cow::Borrowed(&a.value)),
            Some(Shown::Held { .. }) => None,
            Some(Shown::Absent) | None => {
                let known = self.register.view(self.sender)?.field(ix)?;
                Some(Cow::Borrowed(&known.value))
            }
        }
    }

    fn lookup(&self, ix: FieldIx) -> Option<Value> {
        match self.key.iter().find(|(k, _)| *k == ix) {
            Some((_, value)) => Some(value.clone()),
            None => self.travelling(ix, true).map(|v| v.into_owned()),
        }
    }
}

/// Whether origins differ on a field and a person has to choose.
pub fn is_held(entity: &EntityProgram, register: &Register, ix: FieldIx) -> bool {
    let program = entity.fields.get(ix as usize);
    let seen = program
        .zip(register.field(ix))
        .map(|(p, f)| shown(p.rule, f));
    matches!(seen, Some(Shown::Held { .. }))
}

/// Whether a route's condition lets a record through; one that cannot be told does not.
pub fn passes(
    entity: &EntityProgram,
    key: &str,
    register: &Register,
    route: &RouteProgram,
) -> bool {
    let Some(filter) = &route.filter else {
        return true;
    };
    let sight = Sight::new(entity, register, route, key);
    filter.truth(&|ix| sight.lookup(ix)).unwrap_or(false)
}

impl Sight<'_> {
    /// Whether a record's field may leave the sender with this value: it holds it, or a way on which
    /// the field comes there lets the record through.
    fn may_leave(&self, route: &RouteProgram, ix: FieldIx, value: &Value) -> bool {
        let conditional = &route.conditional;
        let Ok(at) = conditional.binary_search_by_key(&ix, |c| c.field) else {
            return true;
        };
        let view = self.register.view(self.sender);
        let held = view.and_then(|v| v.field(ix));
        if held.is_some_and(|k| k.value == *value) {
            return true;
        }
        let ways = &conditional[at].ways;
        ways.iter().any(|way| {
            let mut way = way.iter();
            way.all(|condition| condition.truth(&|ix| self.lookup(ix)).unwrap_or(false))
        })
    }
}

/// Compares what a route's receiver is known to hold with what it should. `None`: nothing is owed
/// (it holds it, or the filter keeps the record back, or its expression fails). `anew`: as if the
/// receiver held nothing.
pub fn owed(
    entity: &EntityProgram,
    key: &str,
    register: &Register,
    route: &RouteProgram,
    propagate_deletes: bool,
    anew: bool,
) -> Option<Owed> {
    let receiver = register.view(route.to);
    let sender_gone = register.view(route.from).and_then(|v| v.gone);
    let kept = sender_gone.is_some_and(|g| register.outlives(route.from, g));
    // Where the runner deleted it, it has it no more, and still what it last changed counts.
    if let Some(gone) = sender_gone.filter(|g| !(kept && g.sent.is_some())) {
        let holds = propagate_deletes && !kept;
        let there = receiver.is_some_and(|v| match v.gone {
            None => anew || !v.known.is_empty(),
            Some(gone) => anew && gone.sent.is_some(),
        });
        return (holds && there).then(|| Owed {
            fields: Vec::new(),
            deleted: Some(gone.at),
        });
    }
    // Where a record was deleted it is made again only for what changed later.
    if let Some(gone) = receiver.and_then(|v| v.gone)
        && !register.outlives(route.to, gone)
    {
        return None;
    }
    if !passes(entity, key, register, route) {
        return None;
    }
    let sight = Sight::new(entity, register, route, key);
    let receiver = receiver.filter(|v| v.gone.is_none() && !anew);
    let mut fields = Vec::with_capacity(route.fields.len());
    for ix in &route.fields {
        let Some(program) = entity.fields.get(*ix as usize) else {
            continue;
        };
        let value = match &program.derived {
            Some(derived) => derived
                .value(&program.ty, &|f| sight.lookup(f))
                .map(Cow::Owned),
            None => sight.travelling(*ix, false),
        };
        let Some(value) = value else { continue };
        let known = receiver.and_then(|v| v.field(*ix));
        if known.is_none_or(|k| k.value != *value) && sight.may_leave(route, *ix, &value) {
            fields.push((*ix, value.into_owned()));
        }
    }
    (!fields.is_empty()).then_some(Owed {
        fields,
        deleted: None,
    })
}

/// Notes that a system is being sent values: from here on it is known to hold them, since the
/// write waits durably until it is confirmed or given up (see [`forget`]).
///
/// `handed`: which of the values before were handed over.
pub fn note_written(
    register: &mut Register,
    route: &RouteProgram,
    owed: &Owed,
    now: i64,
    handed: &HandedOver,
) {
    let view = register.view_mut(route.to);
    if let Some(at) = owed.deleted {
        view.known.clear();
        let sent = Some(now);
        view.gone = Some(Gone { at, sent });
        return;
    }
    view.gone = None;
    let owed_more = owed.fields.len().saturating_sub(view.known.len());
    view.known.reserve(owed_more);
    for (field, value) in &owed.fields {
        let echoed = route.echoed.binary_search(field).is_ok();
        if !echoed && !view.sent.is_empty() {
            view.sent.retain(|s| s.field != *field);
        }
        let before = view.field(*field).filter(|_| echoed);
        let before = before.and_then(|k| handed.of(*field, k));
        let known = Known {
            value: value.clone(),
            at: now,
            how: How::Sent,
        };
        view.replace_sent(*field, known, before);
    }
}

/// Takes back what [`note_written`] noted, after a write was given up: the next change or
/// reconcile finds the difference again.
pub fn forget(register: &mut Register, to: SystemIx, fields: &[FieldIx]) {
    let view = register.view_mut(to);
    for field in fields {
        view.forget(*field);
    }
    if view.gone.is_some_and(|gone| gone.sent.is_some()) {
        view.gone = None;
    }
}
