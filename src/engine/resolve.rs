//! The resolve rules: which value the world sees, as a pure function of a field's register.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::ports::SystemIx;
use super::register::{FieldRegister, Origin, Stamp};
use crate::terms::ResolveRule;
use crate::value::Value;

/// How a field's value is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The field's `resolve`; without one the owner's value is taken as by `owner_wins`, which for
    /// a single origin is that origin's latest.
    pub resolve: Option<ResolveRule>,
    /// Its system of record.
    pub owner: Option<SystemIx>,
}

/// What the world sees of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown<'a> {
    /// No origin ever reported it.
    Absent,
    /// A value.
    Value {
        /// The value.
        value: Cow<'a, Value>,
        /// The origin it came from; `None`: from several (a union), or from a person's choice.
        from: Option<SystemIx>,
        /// Its change time, microseconds.
        at: i64,
    },
    /// Origins differ and a person has to choose; nothing is written meanwhile.
    Held {
        /// The value agreed on before, which stays, where there is one.
        agreed: Option<&'a Stamp>,
    },
}

impl<'a> Shown<'a> {
    /// The value, also while it is held.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Shown::Value { value, .. } => Some(value),
            Shown::Held { agreed } => agreed.map(|a| &a.value),
            Shown::Absent => None,
        }
    }

    fn of(system: SystemIx, stamp: &'a Stamp) -> Self {
        Shown::Value {
            value: Cow::Borrowed(&stamp.value),
            from: Some(system),
            at: stamp.at,
        }
    }
}

/// The value shown to the world.
///
/// Ties of change time go to the owner, then to the system first by name (positions of systems in
/// a plan are in the order of their names).
pub fn shown(rule: Rule, field: &FieldRegister) -> Shown<'_> {
    if field.origins.is_empty() {
        return match &field.agreed {
            Some(agreed) => chosen(agreed),
            None => Shown::Absent,
        };
    }
    match rule.resolve {
        None | Some(ResolveRule::OwnerWins) => owner_wins(rule, field),
        Some(ResolveRule::LastWriteWins) => last(rule, field),
        Some(ResolveRule::FirstWriteWins) => first(rule, field),
        Some(ResolveRule::AnyTrue) => sticky(rule, field, true),
        Some(ResolveRule::AllTrue) => sticky(rule, field, false),
        Some(ResolveRule::Max) => extreme(rule, field, true),
        Some(ResolveRule::Min) => extreme(rule, field, false),
        Some(ResolveRule::Union) => union(field),
        Some(ResolveRule::Manual) => manual(rule, field),
    }
}

/// Whether origins disagree: their latest values are not all the same. A null is no opinion under
/// rules that look at all values (`any_true`, `all_true`, `max`, `min`, `union`).
pub fn disagree(rule: Rule, field: &FieldRegister) -> bool {
    let takes_sides = matches!(
        rule.resolve,
        None | Some(
            ResolveRule::OwnerWins
                | ResolveRule::LastWriteWins
                | ResolveRule::FirstWriteWins
                | ResolveRule::Manual
        )
    );
    let mut values = field
        .origins
        .iter()
        .map(|(_, o)| &o.latest.value)
        .filter(|v| takes_sides || !v.is_null());
    let first = values.next();
    values.any(|v| Some(v) != first)
}

/// Whether a disagreement is one that people should hear of: somebody's value is left out. Sets
/// are joined, and a gap that another origin fills is no loss; a value that a gap replaces is.
pub fn leaves_out(rule: Rule, field: &FieldRegister, shown: Option<&Value>) -> bool {
    let mut told = field
        .origins
        .iter()
        .map(|(_, o)| &o.latest.value)
        .filter(|v| !v.is_null());
    let first = told.next();
    match (rule.resolve, shown) {
        (Some(ResolveRule::Union), _) => false,
        (Some(ResolveRule::Manual), _) => true,
        (_, Some(Value::Null)) => first.is_some(),
        _ => told.any(|v| Some(v) != first),
    }
}

fn chosen(agreed: &Stamp) -> Shown<'_> {
    Shown::Value {
        value: Cow::Borrowed(&agreed.value),
        from: None,
        at: agreed.at,
    }
}

/// Owner before others, then the smaller position: greater is better.
fn precedence(rule: Rule, system: SystemIx) -> (bool, Reverse<SystemIx>) {
    (rule.owner == Some(system), Reverse(system))
}

fn owner_wins(rule: Rule, field: &FieldRegister) -> Shown<'_> {
    match rule.owner.and_then(|o| Some((o, field.origin(o)?))) {
        Some((owner, origin)) => Shown::of(owner, &origin.latest),
        None => last(rule, field),
    }
}

fn best<'a, K: Ord>(
    field: &'a FieldRegister,
    stamp: impl Fn(&'a Origin) -> &'a Stamp,
    key: impl Fn(SystemIx, &'a Stamp) -> K,
) -> Shown<'a> {
    match field.origins.iter().max_by_key(|(s, o)| key(*s, stamp(o))) {
        Some((system, origin)) => Shown::of(*system, stamp(origin)),
        None => Shown::Absent,
    }
}

fn last(rule: Rule, field: &FieldRegister) -> Shown<'_> {
    best(
        field,
        |o| &o.latest,
        |s, stamp| (stamp.at, precedence(rule, s)),
    )
}

fn first(rule: Rule, field: &FieldRegister) -> Shown<'_> {
    best(
        field,
        |o| o.earliest(),
        |s, stamp| (Reverse(stamp.at), precedence(rule, s)),
    )
}

/// `any_true` (sticky true) and `all_true` (sticky false): the sticky value holds where any origin
/// set it no earlier than the owner last set the other one; only the owner takes it back.
fn sticky(rule: Rule, field: &FieldRegister, holds: bool) -> Shown<'_> {
    let set = |o: &Origin| if holds { o.true_at } else { o.false_at };
    let unset = |o: &Origin| if holds { o.false_at } else { o.true_at };
    let taken_back = rule.owner.and_then(|o| field.origin(o)).and_then(unset);
    let winner = field
        .origins
        .iter()
        .filter_map(|(s, o)| Some((set(o)?, precedence(rule, *s), *s)))
        .filter(|(at, _, _)| taken_back.is_none_or(|back| *at >= back))
        .max();
    if let Some((at, _, system)) = winner {
        return Shown::Value {
            value: Cow::Owned(Value::Bool(holds)),
            from: Some(system),
            at,
        };
    }
    let other = field
        .origins
        .iter()
        .filter_map(|(s, o)| Some((rule.owner == Some(*s), unset(o)?, precedence(rule, *s), *s)))
        .max();
    if let Some((_, at, _, system)) = other {
        return Shown::Value {
            value: Cow::Owned(Value::Bool(!holds)),
            from: Some(system),
            at,
        };
    }
    // A sticky value that was taken back by nothing but an older one of its own kind cannot be:
    // what is left are explicit nulls.
    last(rule, field)
}

fn extreme(rule: Rule, field: &FieldRegister, greatest: bool) -> Shown<'_> {
    let candidates = field
        .origins
        .iter()
        .filter(|(_, o)| !o.latest.value.is_null());
    let order = |a: &&(SystemIx, Origin), b: &&(SystemIx, Origin)| {
        let by_value = a.1.latest.value.cmp(&b.1.latest.value);
        let by_value = if greatest {
            by_value
        } else {
            by_value.reverse()
        };
        by_value.then_with(|| precedence(rule, a.0).cmp(&precedence(rule, b.0)))
    };
    match candidates.max_by(order) {
        Some((system, origin)) => Shown::of(*system, &origin.latest),
        None => last(rule, field),
    }
}

fn union(field: &FieldRegister) -> Shown<'_> {
    let mut members: Vec<Value> = Vec::new();
    let mut any = false;
    let mut at = i64::MIN;
    for (_, origin) in &field.origins {
        at = at.max(origin.latest.at);
        if let Value::Set(set) = &origin.latest.value {
            any = true;
            members.extend(set.iter().cloned());
        }
    }
    let value = if any {
        Value::set(members)
    } else {
        Value::Null
    };
    Shown::Value {
        value: Cow::Owned(value),
        from: None,
        at,
    }
}

/// Only changes later than a person's choice count; while those differ, the choice stays.
fn manual(rule: Rule, field: &FieldRegister) -> Shown<'_> {
    let since = field.agreed.as_ref().map_or(i64::MIN, |a| a.at);
    // An origin that never had anything but a gap has said nothing: a record that others made there.
    let spoke = |o: &Origin| !(o.latest.value.is_null() && o.earliest().value.is_null());
    let origins = field.origins.iter();
    let mut changed = origins.filter(|(_, o)| o.latest.at > since && spoke(o));
    let Some((system, one)) = changed.next() else {
        return match &field.agreed {
            Some(agreed) => chosen(agreed),
            None => last(rule, field),
        };
    };
    let mut newest = (*system, &one.latest);
    for (system, origin) in changed {
        let stamp = &origin.latest;
        if stamp.value != one.latest.value {
            return Shown::Held {
                agreed: field.agreed.as_ref(),
            };
        }
        let key = |(s, stamp): (SystemIx, &Stamp)| (stamp.at, precedence(rule, s));
        if key((*system, stamp)) > key(newest) {
            newest = (*system, stamp);
        }
    }
    Shown::of(newest.0, newest.1)
}

#[cfg(test)]
#[path = "resolve_laws.rs"]
mod laws;
