//! How old each bounded field is in each system, by watermarks: up to when everything that its
//! origins said is known to have arrived. Not by whether a job ended well.

use std::collections::BTreeMap;

use super::ports::{Store, Stored, SystemIx};
use super::program::Program;
use crate::time::{Instant, Millis};

/// The age of a field in a system.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Age {
    /// `entity.field`.
    pub field: String,
    /// The system.
    pub system: String,
    /// Its bound.
    pub within: Millis,
    /// Its age now; absent: nothing has arrived yet.
    pub age: Option<Millis>,
}

impl Age {
    /// Whether the bound holds.
    pub fn holds(&self) -> bool {
        self.age.is_some_and(|age| age <= self.within)
    }
}

/// The age of every field that has a bound, in the plan's order. `heard`: systems whose events
/// come over HTTP and are listened to now.
pub fn ages(
    program: &Program,
    store: &mut dyn Store,
    now: Instant,
    heard: bool,
) -> Stored<Vec<Age>> {
    let waiting: BTreeMap<String, u64> = store.waiting_counts()?.into_iter().collect();
    let mut oldest: BTreeMap<String, Instant> = BTreeMap::new();
    for system in waiting.iter().filter(|(_, n)| **n > 0).map(|(s, _)| s) {
        if let Some(since) = store.waiting_since(system)? {
            oldest.insert(system.clone(), since);
        }
    }
    let mut marks = Marks {
        program,
        heard,
        now,
        seen: BTreeMap::new(),
    };
    let mut out = Vec::new();
    for entity in &program.plan.entities {
        for field in &entity.fields {
            for bound in &field.fresh {
                let Some(system) = program.system(&bound.system) else {
                    continue;
                };
                let names: Vec<&str> = match &field.derived {
                    Some(derived) => derived.reads.iter().map(String::as_str).collect(),
                    None => vec![&field.name],
                };
                let mut mark = Some(now);
                for name in names {
                    let arrived = marks.arrived(store, &entity.name, name, system)?;
                    mark = mark.zip(arrived).map(|(a, b)| a.min(b));
                }
                // What waits for the system has not arrived, whoever sent it.
                let mark = mark.map(|m| oldest.get(&bound.system).map_or(m, |o| m.min(*o)));
                out.push(Age {
                    field: format!("{}.{}", entity.name, field.name),
                    system: bound.system.clone(),
                    within: bound.within,
                    age: mark.map(|m| now.since(m)),
                });
            }
        }
    }
    Ok(out)
}

struct Marks<'a> {
    program: &'a Program,
    heard: bool,
    now: Instant,
    seen: BTreeMap<(String, String, SystemIx), Option<Instant>>,
}

impl Marks<'_> {
    /// Up to when everything that the field's origins said has arrived in a system.
    fn arrived(
        &mut self,
        store: &mut dyn Store,
        entity: &str,
        field: &str,
        system: SystemIx,
    ) -> Stored<Option<Instant>> {
        let slot = (entity.to_owned(), field.to_owned(), system);
        if let Some(mark) = self.seen.get(&slot) {
            return Ok(*mark);
        }
        // A cycle adds nothing: while a system is looked at it counts as never reached.
        self.seen.insert(slot.clone(), None);
        let program = self.program;
        let origins: Vec<SystemIx> = program
            .entity(entity)
            .and_then(|e| {
                let entity = &program.entities[e as usize];
                Some(entity.fields[entity.field(field)? as usize].origins.clone())
            })
            .unwrap_or_default();
        let mut by_origin: BTreeMap<SystemIx, Instant> = BTreeMap::new();
        for (plan, scenario) in program.plan.scenarios.iter().zip(&program.scenarios) {
            for (route, compiled) in plan.routes.iter().zip(&scenario.routes) {
                let carries = route.fields.iter().any(|f| f == field)
                    || compiled
                        .fields
                        .iter()
                        .any(|f| reads(program, compiled, *f, field));
                if route.entity != entity || compiled.to != system || !carries {
                    continue;
                }
                let Some(hop) = self.hop(store, plan, route)? else {
                    continue;
                };
                let from = compiled.from;
                let source = match origins.contains(&from) {
                    true => Some(hop),
                    false => self
                        .arrived(store, entity, field, from)?
                        .map(|m| m.min(hop)),
                };
                if let Some(mark) = source {
                    let best = by_origin.entry(from).or_insert(mark);
                    *best = (*best).max(mark);
                }
            }
        }
        // Every origin that leads here counts; the one seen longest ago sets the age.
        let mark = by_origin.values().min().copied();
        self.seen.insert(slot, mark);
        Ok(mark)
    }

    /// When a route last took everything over from its sender.
    fn hop(
        &self,
        store: &mut dyn Store,
        scenario: &crate::plan::Scenario,
        route: &crate::plan::Route,
    ) -> Stored<Option<Instant>> {
        let key = format!("read:{}/{}/{}", scenario.name, route.entity, route.from);
        let read = store.meta(&key)?.and_then(|t| t.parse().ok()).map(Instant);
        if !scenario.mode.realtime {
            return Ok(read);
        }
        let http = self
            .program
            .plan
            .systems
            .iter()
            .any(|s| s.name == route.from && s.connector == "webhook");
        let heard = match http && self.heard {
            true => Some(self.now),
            false => store
                .meta(&format!("heard:{}", route.from))?
                .and_then(|t| t.parse().ok())
                .map(Instant),
        };
        Ok(read.max(heard))
    }
}

fn reads(
    program: &Program,
    route: &super::program::RouteProgram,
    derived: super::ports::FieldIx,
    field: &str,
) -> bool {
    let entity = &program.entities[route.entity as usize];
    let program = &entity.fields[derived as usize];
    program.derived.as_ref().is_some_and(|d| {
        d.reads()
            .iter()
            .any(|f| entity.fields[*f as usize].name == field)
    })
}
