//! Conditions that keep a record from a system: what a test that waits for it there has to be told.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::script::Place;
use crate::connector::decode::Events;
use crate::engine::owed::passes;
use crate::engine::ports::{Decoder as _, EntityIx, FieldIx, ScenarioIx, StoredEvent, SystemIx};
use crate::engine::program::{Program, RouteProgram};
use crate::engine::register::Register;
use crate::engine::why::tell;
use crate::time::Instant;

/// A condition that does not hold, so that its scenario does not carry a record on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// The scenario.
    pub scenario: String,
    /// The text between the backticks.
    pub condition: String,
    /// What it was asked of.
    pub of: Of,
}

/// What a condition was asked of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// A record: the fields that the condition reads with their values as JSON texts, `None`: no
    /// value.
    Record(Vec<(String, Option<String>)>),
    /// An event, `forms.submitted`.
    Event(String),
}

/// The conditions that keep a record from where a test looks for these fields of it; no fields: for
/// the record alone.
pub(super) fn of_record(
    program: &Program,
    place: &Place,
    register: &Register,
    fields: &[FieldIx],
) -> Vec<HeldBack> {
    let entity = &program.entities[usize::from(place.entity)];
    let mut out = Vec::new();
    for (plan, scenario) in program.plan.scenarios.iter().zip(&program.scenarios) {
        for route in ways(&scenario.routes, place, fields) {
            let sender = register.view(route.from);
            let Some(condition) = &route.filter else {
                continue;
            };
            // What the sender does not have goes nowhere, whatever the condition says.
            if sender.is_none_or(|view| view.gone.is_some())
                || passes(entity, &place.key, register, route)
            {
                continue;
            }
            let read = condition.reads().iter();
            let read = read.filter_map(|ix| seen(program, place, register, (route, *ix)));
            let held = HeldBack {
                scenario: plan.name.clone(),
                condition: condition.text().to_owned(),
                of: Of::Record(read.collect()),
            };
            if !out.contains(&held) {
                out.push(held);
            }
        }
    }
    out
}

/// The routes on which these fields of a record come to where a test looks.
fn ways<'p>(
    routes: &'p [RouteProgram],
    place: &Place,
    fields: &[FieldIx],
) -> impl Iterator<Item = &'p RouteProgram> {
    routes.iter().filter(move |route| {
        let carries = |ix: &FieldIx| route.fields.contains(ix);
        let here = route.entity == place.entity && route.to == place.system;
        here && (fields.is_empty() || fields.iter().any(carries))
    })
}

/// A field as a condition on a route sees it; `None`: a part of the key, which the test names.
fn seen(
    program: &Program,
    place: &Place,
    register: &Register,
    (route, ix): (&RouteProgram, FieldIx),
) -> Option<(String, Option<String>)> {
    let entity = &program.entities[usize::from(place.entity)];
    let told = tell(program, entity, &place.key, register, Some(ix), None);
    let field = told.fields.into_iter().next()?;
    // Of what no origin has reported, the sender's own value travels.
    let own = || Some(register.view(route.from)?.field(ix)?.value.to_json());
    let value = field.value.or_else(own).filter(|v| !v.is_null());
    Some((field.field, value.map(|v| v.to_string())))
}

/// The events that a test sends, as far as a scenario asks something of them.
pub(super) struct Sent<'p> {
    program: &'p Program,
    decoder: &'p Events,
    /// By scenario, entity and key: the last event, where its condition did not hold.
    stopped: BTreeMap<(ScenarioIx, EntityIx, String), Option<HeldBack>>,
}

impl<'p> Sent<'p> {
    pub fn new(program: &'p Program, decoder: &'p Events) -> Self {
        Sent {
            program,
            decoder,
            stopped: BTreeMap::new(),
        }
    }

    /// Takes note of an event.
    pub fn note(&mut self, at: Instant, system: SystemIx, name: &str, payload: &Json) {
        let event = StoredEvent {
            seq: 0,
            system: self.program.system_name(system).to_owned(),
            id: String::new(),
            body: json!({ "type": name, "data": payload }).to_string(),
            received_at: at,
        };
        // One that cannot be read starts nothing, whatever a condition says.
        let Ok(decoded) = self.decoder.decode(&event) else {
            return;
        };
        let plans = self.program.plan.scenarios.iter();
        for (ix, (plan, scenario)) in plans.zip(&self.program.scenarios).enumerate() {
            let (Some(when), Some(condition)) = (&plan.when, &scenario.when) else {
                continue;
            };
            if when.system != event.system || when.event != name {
                continue;
            }
            let stopped = (!condition.truth(&decoded.payload).unwrap_or(false)).then(|| HeldBack {
                scenario: plan.name.clone(),
                condition: when.filter.clone().unwrap_or_default(),
                of: Of::Event(format!("{}.{name}", when.system)),
            });
            for (map, row) in &decoded.rows {
                let (entity, _) = self.program.map_ends(*map);
                let record = (ix as ScenarioIx, entity, row.key.to_string());
                self.stopped.insert(record, stopped.clone());
            }
        }
    }

    /// The conditions on events that keep a record from where a test looks for these fields of it.
    pub fn held_back(&self, place: &Place, fields: &[FieldIx]) -> Vec<HeldBack> {
        let stopped = self.stopped.iter();
        let those = stopped.filter_map(|((scenario, entity, key), held)| {
            let routes = &self.program.scenarios[usize::from(*scenario)].routes;
            let meant = *entity == place.entity && *key == place.key;
            let carried = ways(routes, place, fields).next().is_some();
            held.clone().filter(|_| meant && carried)
        });
        those.collect()
    }
}
