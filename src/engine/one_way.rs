//! The short way for records that go one way: every field has the sender for its one origin, and one
//! receiver is sent what the sender says. Most batches move such records, by the million.
//!
//! What comes of a record is what [`super::evaluate`], [`super::owed`] and
//! [`super::register_json`] together make of it: a test holds the two ways against each other.
//! Whatever is not as plain as this takes the long way.

use super::evaluate::{TOLERANCE_US, by_event_since};
use super::ports::{EntityIx, FieldIx};
use super::program::{EntityProgram, Program, RouteProgram, ScenarioProgram};
use super::register_json::one_way::{Ends, OneWay, Said, Told, differs, parse, print, spell};
use super::stage::Payload;
use super::standing::RAISED_US;
use crate::terms::ResolveRule;
use crate::value::{Type, Value};

/// A route whose records may take the short way.
#[derive(Clone, Copy)]
pub(super) struct Lane<'p> {
    pub route: &'p RouteProgram,
    names: &'p EntityProgram,
    ends: Ends,
}

/// Room that a thread uses again for every record.
#[derive(Default)]
pub(super) struct Room {
    /// The values that were read, as registers spell them.
    spelt: String,
    /// Where each ends.
    ends: Vec<usize>,
    tail: String,
}

/// When and by which run a record was read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    /// The run.
    pub id: &'r str,
    /// The time, in microseconds.
    pub now: i64,
    /// Writes sent before this time would show in what was read; microseconds.
    pub settled: i64,
}

/// What became of a record.
pub(super) struct Passed {
    /// Its register; none: it stays as it is, and nothing is owed.
    pub doc: Option<String>,
    /// The register's version.
    pub version: u64,
}

/// By entity, the route of a scenario whose records may take the short way.
pub(super) fn lanes<'p>(
    program: &'p Program,
    scenario: &'p ScenarioProgram,
) -> Vec<Option<Lane<'p>>> {
    let lane = |entity: EntityIx, names: &'p EntityProgram| {
        let mut routes = scenario.routes.iter().filter(|r| r.entity == entity);
        let route = routes.next().filter(|_| routes.next().is_none())?;
        let plain = |f: &FieldIx| {
            let field = names.fields.get(usize::from(*f));
            field.is_some_and(|field| {
                let kept = [
                    None,
                    Some(ResolveRule::OwnerWins),
                    Some(ResolveRule::LastWriteWins),
                ];
                field.origins == [route.from] && kept.contains(&field.rule.resolve)
            })
        };
        let suits = !route.computes && route.echoed.is_empty() && route.fields.iter().all(plain);
        let ends = Ends {
            from: route.from,
            to: route.to,
        };
        (suits && !route.fields.is_empty()).then_some(Lane { route, names, ends })
    };
    let entities = program.entities.iter().enumerate();
    entities
        .map(|(ix, names)| lane(ix as EntityIx, names))
        .collect()
}

impl Lane<'_> {
    /// Takes a record that was read of the sender into its register; leaves of the payload's fields
    /// those that the receiver is owed. None where it has to take the long way: then nothing is
    /// changed.
    pub fn pass(
        &self,
        payload: &mut Payload,
        doc: Option<&str>,
        reading: Reading<'_>,
        room: &mut Room,
    ) -> Option<Passed> {
        let shown = payload.fields.iter().map(|(field, _)| field);
        if payload.deleted || payload.native_key.is_some() || !shown.eq(&self.route.fields) {
            return None;
        }
        room.spell(&payload.fields);
        match doc {
            None => Some(self.first(payload, reading, room)),
            Some(doc) => self.again(payload, doc, reading, room),
        }
    }

    /// A record of which nothing is known: all of it is news.
    fn first(&self, payload: &Payload, reading: Reading<'_>, room: &mut Room) -> Passed {
        let told = payload.fields.iter().zip(texts(&room.spelt, &room.ends));
        let fields = told.map(|((field, _), text)| Told {
            field: *field,
            latest: Said {
                text,
                at: payload.at,
                id: reading.id,
            },
            first: None,
            sent: reading.now,
        });
        let register = OneWay {
            version: 1,
            fields: fields.collect(),
        };
        self.printed(&register, &mut room.tail)
    }

    /// A record that was moved before.
    fn again(
        &self,
        payload: &mut Payload,
        doc: &str,
        reading: Reading<'_>,
        room: &mut Room,
    ) -> Option<Passed> {
        let mut register = parse(self.names, self.ends, doc)?;
        if !register
            .fields
            .iter()
            .map(|t| &t.field)
            .eq(&self.route.fields)
        {
            return None;
        }
        let mut changed = Vec::with_capacity(payload.fields.len());
        let shown = payload.fields.iter().zip(texts(&room.spelt, &room.ends));
        for (((field, value), text), told) in shown.zip(&mut register.fields) {
            let ty = &self.names.fields.get(usize::from(*field))?.ty;
            let differs = differs(ty, told.latest.text, (text, value));
            changed.push(differs);
            if differs {
                change(told, (ty, text, payload.at), reading)?;
            }
        }
        if !changed.contains(&true) {
            payload.fields.clear();
            return Some(Passed {
                doc: None,
                version: register.version,
            });
        }
        register.version += 1;
        let passed = self.printed(&register, &mut room.tail);
        let mut changed = changed.into_iter();
        payload.fields.retain(|_| changed.next().unwrap_or(false));
        Some(passed)
    }

    fn printed(&self, register: &OneWay<'_>, tail: &mut String) -> Passed {
        Passed {
            doc: Some(print(self.names, self.ends, register, tail)),
            version: register.version,
        }
    }
}

/// A field shows another value than before; none where that cannot be told in the short way: it may
/// be old, or all that was ever said is not the first and the latest value.
fn change<'d>(
    told: &mut Told<'d>,
    (ty, text, at): (&Type, &'d str, i64),
    reading: Reading<'d>,
) -> Option<()> {
    let before = told.latest;
    let told_later = at < before.at && before.at >= reading.settled;
    let by_its_own_clock = at.saturating_add(RAISED_US) < before.at
        && before.at.saturating_add(TOLERANCE_US) >= reading.settled;
    // When a bool was true between its first and its latest value is kept apart.
    let bool = *ty == Type::Bool || matches!(before.text, "true" | "false");
    let third = told.first.is_some() && bool && before.text != "null";
    let by_event = by_event_since(before.id, before.at, (reading.settled, at));
    if told_later || by_its_own_clock || by_event || third {
        return None;
    }
    told.first.get_or_insert(before);
    told.latest = Said {
        text,
        // A record read whole is as it is now, also where its change time was not raised with it.
        at: match before.at >= at {
            true => before.at.saturating_add(1),
            false => at,
        },
        id: reading.id,
    };
    told.sent = reading.now;
    Some(())
}

impl Room {
    fn spell(&mut self, fields: &[(FieldIx, Value)]) {
        self.spelt.clear();
        self.ends.clear();
        for (_, value) in fields {
            spell(&mut self.spelt, value);
            self.ends.push(self.spelt.len());
        }
    }
}

/// The texts that lie side by side in one, each ending where `ends` says.
fn texts<'t>(all: &'t str, ends: &'t [usize]) -> impl Iterator<Item = &'t str> {
    let mut begin = 0;
    ends.iter().map(move |end| {
        let text = all.get(begin..*end).unwrap_or_default();
        begin = *end;
        text
    })
}

#[cfg(test)]
#[path = "one_way_tests.rs"]
mod tests;
