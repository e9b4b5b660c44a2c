//! Records and events made so that the declared share of them meets the policy's conditions.
//!
//! Each record meets a condition with a declared share for good or does not; which is decided by its
//! number. What such a condition reads changes only into what leaves that as it is, and not at all
//! where there is nothing such. Whether a record meets one without a share is asked of its values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Object, Value as Json};

use super::values::{literals, mixed, tried, value};
use crate::engine::expression::{EventExpr, RecordExpr};
use crate::engine::ports::{EntityIx, FieldIx, ScenarioIx};
use crate::engine::program::Program;
use crate::value::Value;

/// Combinations of values that are tried until a condition holds.
const TRIED_MAX: usize = 8_192;
/// Records among which those that pass are chosen as if by chance; a power of two.
const BLOCK: u64 = 32;
/// Conditions of one entity that are told apart.
const CONDITIONS_MAX: usize = 16;

/// A condition of a route.
struct Condition<'p> {
    entity: EntityIx,
    expression: &'p RecordExpr,
    /// The share of records that meets it.
    passes: f64,
    declared: bool,
}

/// Values of a record's fields.
type Fields = Vec<(FieldIx, Value)>;

/// All conditions of a program over records, and those over events.
pub(super) struct Conditions<'p> {
    program: &'p Program,
    all: Vec<Condition<'p>>,
    /// By entity: its conditions.
    of: Vec<Vec<usize>>,
    /// By entity and what is wanted of its conditions, a bit each: values that bring it about.
    known: BTreeMap<(EntityIx, u32), Option<Fields>>,
    /// What could not be brought about, once each.
    pub notes: BTreeSet<String>,
}

impl<'p> Conditions<'p> {
    pub fn of(program: &'p Program) -> Self {
        let mut out = Conditions {
            program,
            all: Vec::new(),
            of: vec![Vec::new(); program.entities.len()],
            known: BTreeMap::new(),
            notes: BTreeSet::new(),
        };
        for (plan, scenario) in program.plan.scenarios.iter().zip(&program.scenarios) {
            for (said, route) in plan.routes.iter().zip(&scenario.routes) {
                let Some(expression) = &route.filter else {
                    continue;
                };
                let here = &mut out.of[usize::from(route.entity)];
                let same = |at: &usize| {
                    let known: &Condition = &out.all[*at];
                    known.expression.text() == expression.text()
                };
                if here.iter().any(same) || here.len() == CONDITIONS_MAX {
                    continue;
                }
                here.push(out.all.len());
                out.all.push(Condition {
                    entity: route.entity,
                    expression,
                    passes: said.passes.unwrap_or(1.0),
                    declared: said.passes.is_some(),
                });
            }
        }
        out
    }

    /// The number of the condition of a route, where it has one.
    pub fn number(&self, entity: EntityIx, text: &str) -> Option<usize> {
        let here = self.of.get(usize::from(entity))?;
        let same = |at: &&usize| self.all[**at].expression.text() == text;
        here.iter().find(same).copied()
    }

    /// Whether a condition with a declared share reads a field.
    pub fn keeps(&self, entity: EntityIx, field: FieldIx) -> bool {
        let here = &self.of[usize::from(entity)];
        here.iter().any(|at| {
            let condition = &self.all[*at];
            condition.declared && condition.expression.reads().contains(&field)
        })
    }

    /// The conditions with a declared share that read a field, with their numbers.
    pub fn declared_over(
        &self,
        entity: EntityIx,
        field: FieldIx,
    ) -> impl Iterator<Item = (usize, &'p RecordExpr)> {
        let here = self.of[usize::from(entity)].iter();
        here.filter_map(move |at| {
            let condition = &self.all[*at];
            let reads = condition.expression.reads().contains(&field);
            (condition.declared && reads).then_some((*at, condition.expression))
        })
    }

    /// Whether a record was made to meet a condition.
    pub fn meets(&self, condition: usize, number: u64) -> bool {
        passes(self.all[condition].passes, condition as u64, number)
    }

    /// What a condition without a declared share reads, to be asked of a record's values; none: it
    /// declares its share, or reads what no origin says as it is.
    pub fn asks(&self, condition: usize) -> Option<&'p RecordExpr> {
        let condition = &self.all[condition];
        let entity = &self.program.entities[usize::from(condition.entity)];
        let plain = |ix: &FieldIx| {
            let derived = entity.fields[usize::from(*ix)].derived.is_some();
            !derived && !entity.keys.contains(ix)
        };
        let plainly = condition.expression.reads().iter().all(plain);
        (!condition.declared && plainly).then_some(condition.expression)
    }

    /// What is wanted of a record's conditions, a bit each.
    fn wanted(&self, entity: EntityIx, number: u64) -> u32 {
        let bits = self.of[usize::from(entity)].iter().enumerate();
        bits.fold(0u32, |mask, (bit, at)| {
            mask | u32::from(self.meets(*at, number)) << bit
        })
    }

    /// Finds the values that the conditions of so many records ask for.
    pub fn decide(&mut self, entity: EntityIx, records: u64) {
        if self.of[usize::from(entity)].is_empty() {
            return;
        }
        for number in 0..records {
            let wanted = self.wanted(entity, number);
            if !self.known.contains_key(&(entity, wanted)) {
                self.find(entity, wanted);
            }
        }
    }

    /// The values of a record's fields that its conditions decide, as far as they were found (see
    /// [`Conditions::decide`]).
    pub fn decided(&self, entity: EntityIx, number: u64) -> &[(FieldIx, Value)] {
        if self.of[usize::from(entity)].is_empty() {
            return &[];
        }
        let known = self.known.get(&(entity, self.wanted(entity, number)));
        known.and_then(Option::as_deref).unwrap_or_default()
    }

    fn find(&mut self, entity: EntityIx, wanted: u32) {
        let found = self.search(entity, wanted);
        if found.is_none() {
            let name = &self.program.entities[usize::from(entity)].name;
            self.notes.insert(format!(
                "no made-up `{name}` meets, and fails, its conditions as their shares say: more or \
                 fewer records pass than declared"
            ));
        }
        self.known.insert((entity, wanted), found);
    }

    fn search(&self, entity: EntityIx, wanted: u32) -> Option<Vec<(FieldIx, Value)>> {
        let names = &self.program.entities[usize::from(entity)];
        let here = &self.of[usize::from(entity)];
        let texts: Vec<&str> = here
            .iter()
            .map(|at| self.all[*at].expression.text())
            .collect();
        let texts = texts.join(" ");
        let reads = here.iter().flat_map(|at| self.all[*at].expression.reads());
        let reads: BTreeSet<FieldIx> = reads.copied().collect();
        let choices: Vec<(FieldIx, Vec<Value>)> = reads
            .into_iter()
            .filter(|ix| names.fields[usize::from(*ix)].derived.is_none())
            .map(|ix| (ix, tried(&names.fields[usize::from(ix)].ty, &texts)))
            .collect();
        let sizes: Vec<usize> = choices.iter().map(|c| c.1.len()).collect();
        combinations(&sizes).find_map(|at| {
            let values: Vec<(FieldIx, Value)> = choices
                .iter()
                .zip(&at)
                .map(|((ix, values), at)| (*ix, values[*at].clone()))
                .collect();
            let all_hold = here.iter().enumerate().all(|(bit, at)| {
                let condition = &self.all[*at];
                debug_assert_eq!(condition.entity, entity);
                holds(condition.expression, &values) == (wanted >> bit & 1 == 1)
            });
            all_hold.then_some(values)
        })
    }

    /// The value that a field of a record has at the beginning.
    pub fn at_first(
        &self,
        decided: &[(FieldIx, Value)],
        (entity, number): (EntityIx, u64),
        ix: FieldIx,
    ) -> Value {
        let names = &self.program.entities[usize::from(entity)];
        let field = &names.fields[usize::from(ix)];
        if let Some(at) = names.keys.iter().position(|key| *key == ix) {
            // One part tells records apart, whatever the others have room for.
            return value(&field.ty, if at == 0 { number } else { number / 7 });
        }
        match decided.iter().find(|(f, _)| *f == ix) {
            Some((_, value)) => value.clone(),
            None => value(&field.ty, mixed(number, u64::from(ix)) >> 16),
        }
    }

    /// What an event of a scenario says beside its record, so that its condition holds, or does
    /// not.
    pub fn payload(&mut self, scenario: ScenarioIx, holds: bool) -> Object<String, Json> {
        let plan = &self.program.plan.scenarios[usize::from(scenario)];
        let text = plan.when.as_ref().and_then(|w| w.filter.as_deref());
        let condition = &self.program.scenarios[usize::from(scenario)].when;
        let (Some(text), Some(condition)) = (text, condition) else {
            return Object::new();
        };
        let found = payload(condition, text, holds);
        if found.is_none() && holds {
            self.notes.insert(format!(
                "no made-up event meets the condition of `{}`: it is never started by one",
                plan.name
            ));
        }
        found.unwrap_or_default()
    }
}

/// Whether a condition holds over a record's values; not where it cannot be told.
pub(super) fn holds(condition: &RecordExpr, values: &[(FieldIx, Value)]) -> bool {
    let lookup = |ix: FieldIx| {
        let found = values.iter().find(|(f, _)| *f == ix);
        found.map(|(_, v)| v).filter(|v| !v.is_null())
    };
    condition.holds(lookup).unwrap_or(false)
}

/// Whether a record is one of the share that passes: of any first so many records as many do as the
/// share says, to a few, and which they are differs from condition to condition.
fn passes(share: f64, condition: u64, number: u64) -> bool {
    let among = BLOCK - 1;
    let turned = number ^ mixed(number / BLOCK, condition ^ 0x5eed);
    let place = (number & !among) | (turned & among);
    let before = |n: u64| (n as f64 * share).floor();
    before(place + 1) > before(place)
}

/// A payload for which a condition holds, or does not.
fn payload(condition: &EventExpr, text: &str, holds: bool) -> Option<Object<String, Json>> {
    let paths = paths(text);
    let mut choices: Vec<Json> = literals(text).into_iter().map(Json::String).collect();
    let numbers = literals(text).into_iter();
    let numbers = numbers.filter_map(|l| l.parse::<serde_json::Number>().ok());
    choices.extend(numbers.map(Json::Number));
    choices.extend([
        true.into(),
        false.into(),
        0.into(),
        1_000_000.into(),
        "other".into(),
    ]);
    let sizes = vec![choices.len(); paths.len()];
    combinations(&sizes).find_map(|at| {
        let mut payload = Object::new();
        for (path, at) in paths.iter().zip(&at) {
            set(&mut payload, path, choices[*at].clone());
        }
        let truth = condition.truth(&Json::Object(payload.clone()));
        (truth.unwrap_or(false) == holds).then_some(payload)
    })
}

/// The members of `event` that an expression reads, as far as it names them plainly.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut out: BTreeSet<Vec<String>> = BTreeSet::new();
    for (at, _) in text.match_indices("event.") {
        let rest = &text[at + "event.".len()..];
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        let mut path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if after.starts_with('(') {
            path.pop();
        }
        if !path.is_empty() && path.iter().all(|p| !p.is_empty()) {
            out.insert(path);
        }
    }
    out.into_iter().collect()
}

fn set(object: &mut Object<String, Json>, path: &[String], value: Json) {
    match path {
        [] => {}
        [last] => {
            object.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = object
                .entry(first.clone())
                .or_insert_with(|| Object::new().into());
            if let Json::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Every choice of one out of each of so many, up to a bound.
fn combinations(sizes: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let all = sizes.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
    let all = all.unwrap_or(usize::MAX).min(TRIED_MAX);
    (0..all).map(move |number| {
        let mut rest = number;
        sizes
            .iter()
            .map(|size| {
                let at = rest % size;
                rest /= size;
                at
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_records_pass_as_the_share_says() {
        for share in [0.0, 0.005, 0.3, 0.5, 0.9, 1.0] {
            for records in [32u64, 500, 1_000, 5_000] {
                let passed = |c| (0..records).filter(|n| passes(share, c, *n)).count();
                let wanted = records as f64 * share;
                for condition in 0..4 {
                    let off = (passed(condition) as f64 - wanted).abs();
                    assert!(off <= 5.0, "{share} of {records}: {off} off");
                }
            }
        }
        // Two conditions of one share do not let the same records through.
        let both = (0..10_000).filter(|n| passes(0.3, 0, *n) && passes(0.3, 1, *n));
        let both = both.count();
        assert!((700..1_100).contains(&both), "{both}");
    }

    #[test]
    fn payloads_meet_conditions() {
        for text in [
            r#"event.form == "demo""#,
            r#"event.lead.score >= 50 && event.lead.kind == "new""#,
            "event.paid",
            r#"event.name.startsWith("A")"#,
        ] {
            let condition = EventExpr::compile(text).unwrap();
            for holds in [true, false] {
                let found = payload(&condition, text, holds);
                let found = found.unwrap_or_else(|| panic!("{text} {holds}"));
                let truth = condition.truth(&Json::Object(found)).unwrap_or(false);
                assert_eq!(truth, holds, "{text}");
            }
        }
    }
}
