//! A test's steps as they happen, and what is found when it looks.

use std::collections::{BTreeSet, VecDeque};

use super::held_back::{HeldBack, Sent, of_record};
use super::script::{Act, Bound, Place, Script, Timed, same, show};
use super::{Difference, Differs, Unmet, letters};
use crate::connector::decode::Events;
use crate::engine::ports::{FieldIx, MapIx, ScenarioIx, Store as _};
use crate::engine::program::Program;
use crate::engine::register::Register;
use crate::engine::register_json;
use crate::engine::why::{FieldStory, note_waiting, tell};
use crate::sim::{Applied, Driver, Systems};
use crate::text::Span;
use crate::time::Instant;
use crate::value::Value;

/// The driver of a test.
pub(super) struct Steps<'p> {
    program: &'p Program,
    acts: VecDeque<Timed>,
    bounds: Vec<(Span, Bound)>,
    /// When it ends.
    pub ended: Instant,
    over: bool,
    /// What did not come to be.
    pub unmet: Vec<Unmet>,
    /// What was written: scenario, map, field.
    pub wrote: BTreeSet<(ScenarioIx, MapIx, Option<FieldIx>)>,
    sent: Sent<'p>,
}

impl<'p> Steps<'p> {
    pub fn new((program, decoder): (&'p Program, &'p Events), script: Script) -> Self {
        Steps {
            program,
            acts: script.acts.into(),
            bounds: script.bounds,
            ended: script.end,
            over: false,
            unmet: Vec::new(),
            wrote: BTreeSet::new(),
            sent: Sent::new(program, decoder),
        }
    }

    fn look(&mut self, clause: Span, what: Option<Difference>) {
        self.unmet.extend(what.map(|what| Unmet { clause, what }));
    }

    fn record(&self, place: &Place) -> (String, String) {
        let entity = &self.program.entities[usize::from(place.entity)].name;
        let system = self.program.system_name(place.system).to_owned();
        (format!("{entity} \"{}\"", place.key), system)
    }

    fn holds(
        &self,
        place: &Place,
        values: &[(FieldIx, Value)],
        systems: &mut Systems,
    ) -> Option<Difference> {
        let (record, system) = self.record(place);
        let row = systems.get(place.system).row(place.map, &place.key);
        let Some(row) = row else {
            let wanted: Vec<FieldIx> = values.iter().map(|(ix, _)| *ix).collect();
            let fields = wanted.iter();
            let why = fields.filter_map(|ix| self.story(place, *ix, systems));
            return Some(Difference::Missing {
                record,
                system,
                why: why.collect(),
                held_back: self.held_back(place, &wanted, systems),
            });
        };
        let names = &self.program.entities[usize::from(place.entity)];
        let mut fields = Vec::new();
        let mut differ = Vec::new();
        for (ix, expected) in values {
            let actual = row.fields.iter().find(|(f, _)| f == ix).map(|(_, v)| v);
            if !same(actual, expected) {
                differ.push(*ix);
                fields.push(Differs {
                    field: names.fields[usize::from(*ix)].name.clone(),
                    expected: (!expected.is_null()).then(|| show(expected)),
                    actual: actual.filter(|v| !v.is_null()).map(show),
                    why: self.story(place, *ix, systems),
                });
            }
        }
        (!fields.is_empty()).then_some(Difference::Values {
            record,
            system,
            fields,
            held_back: self.held_back(place, &differ, systems),
        })
    }

    fn lacks(&self, place: &Place, systems: &mut Systems) -> Option<Difference> {
        let there = systems.get(place.system).row(place.map, &place.key);
        let (record, system) = self.record(place);
        there.map(|_| Difference::Present { record, system })
    }

    /// The conditions that keep these fields of a record from where it is looked for.
    fn held_back(&self, place: &Place, fields: &[FieldIx], systems: &Systems) -> Vec<HeldBack> {
        let mut out = self.sent.held_back(place, fields);
        if let Some(register) = self.register(place, systems) {
            out.extend(of_record(self.program, place, &register, fields));
        }
        out
    }

    /// What the runner keeps of a record; `None`: nothing.
    fn register(&self, place: &Place, systems: &Systems) -> Option<Register> {
        let names = &self.program.entities[usize::from(place.entity)];
        let doc = systems.store.inner().record(&names.name, &place.key);
        register_json::parse(names, &doc.ok()??).ok()
    }

    /// What the runner knows of a field; `None`: nothing of the record.
    fn story(&self, place: &Place, field: FieldIx, systems: &Systems) -> Option<FieldStory> {
        let names = &self.program.entities[usize::from(place.entity)];
        let register = self.register(place, systems)?;
        let system = Some(place.system);
        let mut story = tell(
            self.program,
            names,
            &place.key,
            &register,
            Some(field),
            system,
        );
        let at = self.program.system_name(place.system);
        let mut store = systems.store.inner();
        if let Ok(Some(waiting)) = store.waiting(at, &names.name, &place.key) {
            note_waiting(&mut story, &waiting);
        }
        story.fields.into_iter().next()
    }

    fn end(&mut self, systems: &mut Systems) {
        for (clause, bound) in std::mem::take(&mut self.bounds) {
            let difference = match bound {
                Bound::Calls(system, at_most) => {
                    let made = systems.get(system).calls;
                    (made > at_most).then(|| Difference::Calls {
                        system: self.program.system_name(system).to_owned(),
                        at_most,
                        made,
                    })
                }
                Bound::DeadLetters(at_most) => {
                    let letters = letters(&systems.store);
                    let more = letters.len() as u64 > at_most;
                    more.then_some(Difference::DeadLetters { at_most, letters })
                }
            };
            self.look(clause, difference);
        }
        self.over = true;
        systems.stopping = true;
    }
}

impl Driver for Steps<'_> {
    fn next(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        Some(self.acts.front().map_or(self.ended, |timed| timed.at))
    }

    fn act(&mut self, systems: &mut Systems) {
        let Some(Timed { clause, act, .. }) = self.acts.pop_front() else {
            return self.end(systems);
        };
        match act {
            Act::Sets(place, cells) => {
                systems.sets(place.system, place.map, &place.key, cells, None);
            }
            Act::Deletes(place) => systems.deletes(place.system, place.map, &place.key),
            Act::Down(system, lasts) => {
                let until = Instant(systems.now.0.saturating_add(lasts.0 as i64));
                let there = systems.get(system);
                there.down_until = there.down_until.max(Some(until));
            }
            Act::Sends(system, name, payload) => {
                self.sent.note(systems.now, system, &name, &payload);
                systems.sends(system, &name, payload);
            }
            Act::Holds(place, values) => {
                let found = self.holds(&place, &values, systems);
                self.look(clause, found);
            }
            Act::Lacks(place) => {
                let found = self.lacks(&place, systems);
                self.look(clause, found);
            }
        }
    }

    fn applied(&mut self, applied: &Applied<'_>, _: &mut Systems) {
        let fields = applied.write.fields.iter().map(|(ix, _)| Some(*ix));
        for field in fields.chain([None]) {
            self.wrote.insert((applied.scenario, applied.map, field));
        }
    }
}
