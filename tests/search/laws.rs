//! The laws: what holds after every history, and at every write.

use std::collections::BTreeMap;

use syncline::engine::ports::{FieldIx, MapIx, Store, SystemIx};
use syncline::sim::{Applied, Systems};
use syncline::value::Value;

use crate::case::{Case, KEYS, Rule, SYSTEMS};
use crate::play::{Script, key};
use crate::truth::{self, Said};

/// What was written last, to hold the order of writes.
#[derive(Default)]
pub struct Order {
    /// By system, key and flow: time and order of the change that the last write carried.
    last: BTreeMap<(SystemIx, String, usize), (i64, usize)>,
    /// By system, key and flow: until when anybody had said true when true was written.
    yes: BTreeMap<(SystemIx, String, usize), i64>,
}

impl Order {
    /// Per-record order, and consent: no write carries an older state than the one before it, and
    /// none takes a consent's true back but for the owner's word.
    pub fn hold(
        &mut self,
        rules: &[Rule],
        said: &[Vec<Vec<Said>>],
        applied: &Applied<'_>,
    ) -> Vec<String> {
        let mut broken = Vec::new();
        let write = applied.write;
        let Some(ix) = (0..KEYS).find(|ix| key(*ix) == write.key) else {
            return vec![format!("a write of `{}`, which nobody set", write.key)];
        };
        for (field, value) in &write.fields {
            let flow = usize::from(*field);
            let Some(rule) = rules.get(flow) else {
                continue;
            };
            let said = &said[flow][ix];
            let slot = (applied.system, write.key.to_string(), flow);
            let place = || format!("{}.f{flow} of {}", SYSTEMS[usize::from(slot.0)], slot.1);
            match rule {
                Rule::Owned => {
                    let Some(change) = said.iter().find(|s| s.value == *value) else {
                        broken.push(format!(
                            "{}: {value} was written, and nobody set it",
                            place()
                        ));
                        continue;
                    };
                    let now = (change.at, change.seq);
                    let before = self.last.insert(slot.clone(), now);
                    if before.is_some_and(|before| before > now) {
                        broken.push(format!(
                            "{}: {value} was written after a newer one",
                            place()
                        ));
                    }
                }
                Rule::AnyTrue if *value == Value::Bool(true) => {
                    let yes = said.iter().filter(|s| s.value == Value::Bool(true));
                    if let Some(latest) = yes.map(|s| s.at).max() {
                        self.yes.insert(slot, latest);
                    } else {
                        broken.push(format!("{}: true was written, and nobody set it", place()));
                    }
                }
                Rule::AnyTrue => {
                    let Some(yes) = self.yes.get(&slot) else {
                        continue;
                    };
                    let first = said.iter().filter(|s| s.value == Value::Bool(true));
                    let first = first.map(|s| s.at).min().unwrap_or(*yes);
                    let owner = said
                        .iter()
                        .any(|s| s.origin == 0 && s.value == Value::Bool(false) && s.at > first);
                    if !owner {
                        broken.push(format!(
                            "{}: true was taken back, and not by its owner",
                            place()
                        ));
                    }
                }
                _ => {}
            }
        }
        broken
    }
}

/// Nothing acknowledged is lost, every system holds what the rule says, nothing is left over, no
/// limit was met.
pub fn at_the_end(case: &Case, script: &mut Script, systems: &mut Systems, store: &mut dyn Store) {
    let mut broken = Vec::new();
    for (flow, what) in case.flows.iter().enumerate() {
        for ix in 0..KEYS {
            let said = &script.said[flow][ix];
            let mut expected = truth::values(what.rule, said);
            expected.extend(safe_side(case, what.rule, said).map(Some));
            for system in case.receivers(flow) {
                let there = &systems.all[system];
                let row = there.row(system as MapIx, &key(ix));
                let fields = row.map(|row| row.fields).unwrap_or_default();
                let held = fields.iter().find(|(f, _)| *f == flow as FieldIx);
                let held = held.map(|(_, v)| v.clone());
                // What one system holds the others have to hold too.
                match expected.contains(&held) {
                    true => expected = vec![held],
                    false => {
                        let show = |v: &Option<Value>| {
                            v.as_ref().map_or("nothing".to_owned(), Value::to_string)
                        };
                        let expected: Vec<String> = expected.iter().map(show).collect();
                        broken.push(format!(
                            "{}.f{flow} of {} is {}, and {} by {:?} of {said:?}",
                            SYSTEMS[system],
                            key(ix),
                            show(&held),
                            expected.join(" or "),
                            what.rule
                        ));
                    }
                }
            }
        }
    }
    for system in &systems.all {
        for limit in system.meter.limits().iter().filter(|l| l.exceeded > 0) {
            broken.push(format!(
                "{}: {} calls went over {} in {} ms",
                system.name, limit.exceeded, limit.allows, limit.per.0
            ));
        }
    }
    let waiting = store.waiting_counts().unwrap();
    if waiting.iter().any(|(_, n)| *n > 0) {
        broken.push(format!("still waiting: {waiting:?}"));
    }
    for letter in store.dead_letters().unwrap() {
        broken.push(format!(
            "given up: {} in {} after {}: {}",
            letter.key, letter.system, letter.attempts, letter.error
        ));
    }
    script.broken.extend(broken);
}

/// What may hold though the owner took it back since: a value that must not be lost, which an event
/// about something else showed before its own came. From when it is nobody knows then, and it counts
/// as of that event.
fn safe_side(case: &Case, rule: Rule, said: &[Said]) -> Option<Value> {
    let kept = match rule {
        Rule::AnyTrue => Value::Bool(true),
        Rule::AllTrue => Value::Bool(false),
        _ => return None,
    };
    let shown = said
        .iter()
        .any(|s| s.value == kept && case.troubles[s.origin].whole);
    shown.then_some(kept)
}
