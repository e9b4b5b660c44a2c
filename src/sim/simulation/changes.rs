//! Changes that count: which record changes, and into what.

use super::conditions::holds;
use super::load::Load;
use super::values::value;
use super::ways::Way;
use crate::engine::ports::{EntityIx, FieldIx, MapIx, SystemIx, key_text};
use crate::engine::program::Program;
use crate::sim::Systems;
use crate::terms::ResolveRule;
use crate::value::Value;

/// Records looked at for one in which a change would count.
const TRIES: usize = 24;

impl Load<'_> {
    /// A record and new values for its fields that count against what other origins say.
    pub(super) fn choose(
        &mut self,
        systems: &mut Systems,
        (entity, system): (EntityIx, SystemIx),
        fields: &[FieldIx],
    ) -> Option<(usize, Vec<(FieldIx, Value)>)> {
        let program = self.program;
        let names = &program.entities[usize::from(entity)];
        let first_only = |ix: &FieldIx| {
            let rule = names.fields[usize::from(*ix)].rule;
            match rule.resolve {
                Some(ResolveRule::FirstWriteWins) => true,
                None | Some(ResolveRule::OwnerWins) => {
                    rule.owner.is_some_and(|owner| owner != system)
                }
                _ => false,
            }
        };
        if fields.iter().any(first_only) {
            // Only of a record that nobody has yet does this origin's word count.
            let number = self.new_record(entity);
            let values = fields
                .iter()
                .map(|ix| (*ix, self.another(entity, *ix, None)));
            let values: Vec<_> = values.collect();
            return Some((number, values));
        }
        let kept = |ix: &FieldIx| self.conditions.keeps(entity, *ix);
        let (kept, free): (Vec<FieldIx>, Vec<FieldIx>) = fields.iter().partition(|ix| kept(ix));
        for _ in 0..TRIES {
            let known = self.keys[usize::from(entity)].len();
            if known == 0 {
                return None;
            }
            let number = self.rng.usize(0..known);
            let mut values = Vec::with_capacity(fields.len());
            for ix in &free {
                values.extend(self.next_value(systems, (entity, system), number, *ix));
            }
            if values.len() < free.len() {
                continue;
            }
            for ix in &kept {
                values.extend(self.value_within(systems, (entity, system), number, *ix));
            }
            if !values.is_empty() || fields.is_empty() {
                return Some((number, values));
            }
        }
        None
    }

    /// The next value of a field that a condition with a declared share reads: one with which the
    /// record meets its conditions as before; none: there is none among those tried.
    fn value_within(
        &mut self,
        systems: &mut Systems,
        (entity, system): (EntityIx, SystemIx),
        number: usize,
        ix: FieldIx,
    ) -> Option<(FieldIx, Value)> {
        for _ in 0..TRIES {
            let (_, next) = self.next_value(systems, (entity, system), number, ix)?;
            let stays = self.conditions.declared_over(entity, ix).all(|(at, read)| {
                let reads = read.reads().iter();
                let others = reads
                    .filter(|f| **f != ix)
                    .filter_map(|f| Some((*f, self.shown(systems, entity, number, *f)?)));
                let mut values: Vec<(FieldIx, Value)> = others.collect();
                values.push((ix, next.clone()));
                holds(read, &values) == self.conditions.meets(at, number as u64)
            });
            if stays {
                return Some((ix, next));
            }
        }
        None
    }

    fn new_record(&mut self, entity: EntityIx) -> usize {
        let program = self.program;
        let names = &program.entities[usize::from(entity)];
        let number = self.keys[usize::from(entity)].len();
        let parts: Vec<Value> = names
            .keys
            .iter()
            .map(|ix| self.conditions.at_first(&[], (entity, number as u64), *ix))
            .collect();
        self.keys[usize::from(entity)].push(key_text(&parts));
        number
    }

    /// A value that the field does not have and that its rule lets count; `None`: there is none in
    /// this record.
    fn next_value(
        &mut self,
        systems: &mut Systems,
        (entity, system): (EntityIx, SystemIx),
        number: usize,
        ix: FieldIx,
    ) -> Option<(FieldIx, Value)> {
        let program = self.program;
        let names = &program.entities[usize::from(entity)];
        let field = &names.fields[usize::from(ix)];
        let shown = self.shown(systems, entity, number, ix);
        let (rule, owner) = (field.rule.resolve, field.rule.owner == Some(system));
        let next = match (rule, &shown) {
            (Some(ResolveRule::AnyTrue), Some(Value::Bool(true))) if !owner => return None,
            (Some(ResolveRule::AllTrue), Some(Value::Bool(false))) if !owner => return None,
            (Some(ResolveRule::AnyTrue), None) if !owner => Value::Bool(true),
            (Some(ResolveRule::AllTrue), None) if !owner => Value::Bool(false),
            (Some(ResolveRule::Max), Some(known)) => field.ty.check(next_to(known, 1)?).ok()?,
            (Some(ResolveRule::Min), Some(known)) => field.ty.check(next_to(known, -1)?).ok()?,
            (Some(ResolveRule::Union), Some(Value::Set(known))) => {
                let mut members = known.clone();
                if let Value::Set(more) = self.another(entity, ix, None) {
                    members.extend(more);
                }
                Value::set(members)
            }
            _ => self.another(entity, ix, shown.as_ref()),
        };
        (shown.as_ref() != Some(&next)).then_some((ix, next))
    }

    /// A value of a field other than this one, where its type has one.
    fn another(&mut self, entity: EntityIx, ix: FieldIx, not: Option<&Value>) -> Value {
        let program = self.program;
        let ty = &program.entities[usize::from(entity)].fields[usize::from(ix)].ty;
        self.made += 1;
        // Small types would otherwise see their values in a fixed turn.
        self.made += self.rng.u64(0..3);
        let mut made = value(ty, self.made);
        for _ in 0..4 {
            if not != Some(&made) {
                break;
            }
            self.made += 1;
            made = value(ty, self.made);
        }
        made
    }

    /// What a record's field is in the eyes of its origins.
    pub(super) fn shown(
        &self,
        systems: &mut Systems,
        entity: EntityIx,
        number: usize,
        ix: FieldIx,
    ) -> Option<Value> {
        let key = &self.keys[usize::from(entity)][number];
        let field = &self.program.entities[usize::from(entity)].fields[usize::from(ix)];
        let mut found: Option<Value> = None;
        for origin in &field.origins {
            let map: Option<MapIx> = self.program.map_of(entity, *origin);
            let value = map.and_then(|map| systems.get(*origin).value(map, key, ix));
            let stronger = match (field.rule.resolve, &value) {
                (Some(ResolveRule::AnyTrue), Some(Value::Bool(b))) => *b,
                (Some(ResolveRule::AllTrue), Some(Value::Bool(b))) => !*b,
                (Some(ResolveRule::Max), value) => *value > found,
                (Some(ResolveRule::Min), Some(value)) => {
                    found.as_ref().is_none_or(|known| value < known)
                }
                _ => field.rule.owner == Some(*origin),
            };
            if found.is_none() || (stronger && value.is_some()) {
                found = value.or(found);
            }
        }
        found
    }
}

/// Whether a value has come back to what the system still holds: nothing is owed.
pub(super) fn back(
    program: &Program,
    (entity, way): (EntityIx, &Way),
    (key, field, value): (&str, FieldIx, &Value),
    systems: &mut Systems,
) -> bool {
    if way.field != field {
        return false;
    }
    let map = program.map_of(entity, way.to);
    let held = map.and_then(|map| systems.get(way.to).value(map, key, field));
    held.is_some_and(|held| held == *value)
}

/// The next greater or smaller value.
fn next_to(value: &Value, by: i64) -> Option<Value> {
    match value {
        Value::Int(n) => n.checked_add(by).map(Value::Int),
        Value::Decimal(n) => n.checked_add(by.into()).map(Value::Decimal),
        Value::Datetime(n) => n.checked_add(by * 1_000_000).map(Value::Datetime),
        Value::Date(day) => {
            let days = crate::time::Date::signed_duration_since(*day, crate::time::Date::default());
            let next = i32::try_from(days.num_days() + by).ok()?;
            let epoch = chrono::Datelike::num_days_from_ce(&crate::time::Date::default());
            crate::time::Date::from_num_days_from_ce_opt(epoch + next).map(Value::Date)
        }
        _ => None,
    }
}
