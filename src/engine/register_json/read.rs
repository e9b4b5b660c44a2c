//! Reading a register: its JSON goes straight into what it stands for.

use std::borrow::Cow;
use std::cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::{BadRegister, sole};
use crate::engine::ports::{FieldIx, SystemIx};
use crate::engine::program::EntityProgram;
use crate::engine::register::{Echoes, Gone, How, Known, Origin, Register, Sent, Stamp};
use crate::value::{Type, Value};

/// Reads a register. Fields and systems that the plan no longer has are passed over.
pub fn parse(entity: &EntityProgram, text: &str) -> Result<Register, BadRegister> {
    let doc: Doc<'_> = serde_json::from_str(text).map_err(|e| BadRegister(e.to_string()))?;
    let ids = doc.marks.into_iter();
    let reading = Reading {
        entity,
        marks: ids.map(|(at, id)| (at, Arc::from(&*id.0))).collect(),
        next: cell::Cell::new(0),
    };
    let mut register = Register {
        version: doc.version,
        ..Register::default()
    };
    let told = |groups: &Vec<Said<'_>>| groups.iter().map(|g| g.1.0.len()).sum::<usize>();
    let told: usize = doc.said.0.iter().map(|(_, groups)| told(groups)).sum();
    let mut said = Vec::with_capacity(told);
    register.fields.reserve(told + doc.fields.0.len());
    for (system, groups) in doc.said.0 {
        let Some(system) = reading.system(&system) else {
            continue;
        };
        for Said(mark, values) in groups {
            for (name, cell) in values.0 {
                let Some(ix) = reading.field(&name) else {
                    continue;
                };
                let stamp = reading.stamp(ix, (cell, mark)).ok_or_else(|| bad(STAMP))?;
                add_origin(&mut register, ix, system, Origin::new(stamp));
                said.push((ix, system));
            }
        }
    }
    for (system, groups) in doc.first.0 {
        let Some(system) = reading.system(&system) else {
            continue;
        };
        for Said(mark, values) in groups {
            for (name, cell) in values.0 {
                let Some(ix) = reading.field(&name) else {
                    continue;
                };
                let stamp = reading.stamp(ix, (cell, mark)).ok_or_else(|| bad(STAMP))?;
                let mut origins = register.field_mut(ix).origins.iter_mut();
                let (_, origin) = origins
                    .find(|(origin, _)| *origin == system)
                    .ok_or_else(|| bad("`first` tells of a field that `said` does not"))?;
                origin.merge(stamp);
            }
        }
    }
    for (name, origins) in doc.fields.0 {
        let Some(ix) = reading.field(&name) else {
            continue;
        };
        for (system, origin) in origins.0 {
            let Some(system) = reading.system(&system) else {
                continue;
            };
            let origin = reading.origin(ix, origin).ok_or_else(|| bad(STAMP))?;
            add_origin(&mut register, ix, system, origin);
        }
    }
    for (name, StampDoc(cell, mark)) in doc.agreed.0 {
        let Some(ix) = reading.field(&name) else {
            continue;
        };
        let stamp = reading.stamp(ix, (cell, mark));
        let stamp = stamp.ok_or_else(|| bad("`agreed` is no stamp"))?;
        register.field_mut(ix).agreed = Some(stamp);
    }
    for (system, view) in doc.systems.0 {
        if let Some(system) = reading.system(&system) {
            reading.view(&mut register, system, view, &said)?;
        }
    }
    Ok(register)
}

const STAMP: &str = "an origin is no stamp";

fn bad(what: &str) -> BadRegister {
    BadRegister(what.to_owned())
}

/// What an origin said last is known of it.
fn add_origin(register: &mut Register, ix: FieldIx, system: SystemIx, origin: Origin) {
    let known = Known {
        value: origin.latest.value.clone(),
        at: origin.latest.at,
        how: How::Reported,
    };
    register.view_mut(system).set(ix, known);
    register.field_mut(ix).add(system, origin);
}

/// What is needed to read a part.
struct Reading<'p> {
    entity: &'p EntityProgram,
    marks: Vec<(i64, Arc<str>)>,
    /// The field after the one that was found last.
    next: cell::Cell<usize>,
}

impl Reading<'_> {
    /// A field by its name: mostly the one after the last.
    fn field(&self, name: &Name<'_>) -> Option<FieldIx> {
        let next = self.next.get();
        let there = self.entity.fields.get(next).filter(|f| f.name == name.0);
        let found = match there {
            Some(_) => next as FieldIx,
            None => self.entity.field(&name.0)?,
        };
        self.next.set(found as usize + 1);
        Some(found)
    }

    fn system(&self, name: &Name<'_>) -> Option<SystemIx> {
        let systems = &self.entity.systems;
        systems
            .iter()
            .position(|s| *s == name.0)
            .map(|i| i as SystemIx)
    }

    fn mark(&self, mark: u64) -> Option<&(i64, Arc<str>)> {
        self.marks.get(mark as usize)
    }

    /// `ix` is a field of the entity.
    fn value(&self, ix: FieldIx, cell: Cell<'_>) -> Value {
        stored(&self.entity.fields[ix as usize].ty, cell)
    }

    fn stamp(&self, ix: FieldIx, (cell, mark): (Cell<'_>, u64)) -> Option<Stamp> {
        let (at, id) = self.mark(mark)?;
        Some(Stamp {
            value: self.value(ix, cell),
            at: *at,
            id: Arc::clone(id),
        })
    }

    fn origin(&self, ix: FieldIx, doc: OriginDoc<'_>) -> Option<Origin> {
        let stamp = |StampDoc(cell, mark)| self.stamp(ix, (cell, mark));
        match doc {
            OriginDoc::Stamp(latest) => stamp(latest).map(Origin::new),
            OriginDoc::Parts(parts) => Some(Origin::from_parts(
                stamp(parts.latest)?,
                stamp(parts.earliest)?,
                parts.true_at,
                parts.false_at,
            )),
        }
    }

    fn view(
        &self,
        register: &mut Register,
        system: SystemIx,
        doc: ViewDoc<'_>,
        said: &[(FieldIx, SystemIx)],
    ) -> Result<(), BadRegister> {
        let slot = register.view_mut(system);
        slot.native_key = doc.key;
        slot.gone = doc.gone.map(|gone| gone.0);
        slot.sent = (doc.sent.into_iter())
            .filter_map(|SentDoc(name, cell, (from, until), echoes)| {
                let field = self.field(&name)?;
                Some(Sent {
                    field,
                    value: self.value(field, cell),
                    from,
                    until,
                    echoes,
                })
            })
            .collect();
        let echoes = doc.echoes.0.into_iter();
        slot.echoes = echoes
            .filter_map(|(name, echoes)| Some((self.field(&name)?, echoes.0)))
            .collect();
        slot.echoes.sort_by_key(|(field, _)| *field);
        if let Some(mark) = doc.holds {
            let at = self.mark(mark).ok_or_else(|| bad("`holds` is no mark"))?.0;
            let told_to = said.iter().filter(|(_, origin)| *origin != system);
            for (ix, _) in told_to {
                let known = as_told(register, *ix, at);
                known
                    .into_iter()
                    .for_each(|k| register.view_mut(system).set(*ix, k));
            }
        }
        for (name, known) in doc.known.0 {
            let Some(ix) = self.field(&name) else {
                continue;
            };
            let no_mark = || bad("`known` is no mark");
            let known = match known {
                KnownDoc::Nothing => None,
                // None where it names a value that is no longer to be had: its system left the
                // policy.
                KnownDoc::AsTold(mark) => {
                    let at = self.mark(mark).ok_or_else(no_mark)?.0;
                    as_told(register, ix, at)
                }
                KnownDoc::Other(cell, mark, how) => Some(Known {
                    at: self.mark(mark).ok_or_else(no_mark)?.0,
                    value: self.value(ix, cell),
                    how,
                }),
            };
            let view = register.view_mut(system);
            match known {
                Some(known) => view.set(ix, known),
                None => view.forget(ix),
            }
        }
        Ok(())
    }
}

/// What is known where the value of a field's one origin was written at a time.
fn as_told(register: &Register, ix: FieldIx, at: i64) -> Option<Known> {
    let value = register.field(ix).and_then(sole)?.clone();
    let how = How::Sent;
    Some(Known { value, at, how })
}

/// A stored value was held to the type when it was taken in; where a later policy has a narrower
/// type, it stays as it was rather than being lost.
fn stored(ty: &Type, cell: Cell<'_>) -> Value {
    let read = match (&cell, ty) {
        (Cell::Null, Type::Json) => ty.read_json(&Json::Null),
        (Cell::Null, _) => return Value::Null,
        (Cell::Bool(b), Type::Bool) => return Value::Bool(*b),
        (Cell::Int(i), Type::Int { .. }) => ty.check(Value::Int(*i)),
        (Cell::Text(text), Type::Json) => ty.read_json(&Json::from(&**text)),
        (Cell::Text(text), _) => ty.read_text(text),
        (Cell::Bool(b), _) => ty.read_json(&Json::from(*b)),
        (Cell::Int(i), _) => ty.read_json(&Json::from(*i)),
        (Cell::Other(json), _) => ty.read_json(json),
    };
    read.unwrap_or_else(|_| match cell {
        Cell::Null => Value::Null,
        Cell::Bool(b) => Value::Bool(b),
        Cell::Int(i) => Value::Int(i),
        Cell::Text(text) => Value::Text(text.into()),
        Cell::Other(json) => Value::Json(crate::value::canonical(&json).into()),
    })
}

/// A stored value from its JSON text; none where that is no JSON.
pub(super) fn typed(ty: &Type, text: &str) -> Option<Value> {
    let cell = serde_json::from_str(text).ok()?;
    Some(stored(ty, cell))
}

#[derive(Deserialize)]
struct Doc<'a> {
    version: u64,
    #[serde(borrow)]
    marks: Vec<(i64, Name<'a>)>,
    #[serde(borrow, default)]
    said: Members<'a, Vec<Said<'a>>>,
    #[serde(borrow, default)]
    first: Members<'a, Vec<Said<'a>>>,
    #[serde(borrow, default)]
    fields: Members<'a, Members<'a, OriginDoc<'a>>>,
    #[serde(borrow, default)]
    agreed: Members<'a, StampDoc<'a>>,
    #[serde(borrow, default)]
    systems: Members<'a, ViewDoc<'a>>,
}

/// A mark and the values told with it.
#[derive(Deserialize)]
struct Said<'a>(u64, #[serde(borrow)] Members<'a, Cell<'a>>);

/// A value and its mark.
#[derive(Deserialize)]
struct StampDoc<'a>(#[serde(borrow)] Cell<'a>, u64);

#[derive(Deserialize)]
struct OriginParts<'a> {
    #[serde(borrow)]
    latest: StampDoc<'a>,
    #[serde(borrow)]
    earliest: StampDoc<'a>,
    true_at: Option<i64>,
    false_at: Option<i64>,
}

enum OriginDoc<'a> {
    Stamp(StampDoc<'a>),
    Parts(OriginParts<'a>),
}

#[derive(Deserialize)]
struct ViewDoc<'a> {
    key: Option<String>,
    gone: Option<GoneDoc>,
    holds: Option<u64>,
    #[serde(borrow, default)]
    known: Members<'a, KnownDoc<'a>>,
    #[serde(borrow, default)]
    sent: Vec<SentDoc<'a>>,
    #[serde(borrow, default)]
    echoes: Members<'a, EchoesDoc>,
}

/// A field, a value, since when it was owed and when another took its place (in older registers
/// not told), and what came back of it.
struct SentDoc<'a>(Name<'a>, Cell<'a>, (i64, i64), Echoes);

struct EchoesDoc(Echoes);

enum KnownDoc<'a> {
    Nothing,
    AsTold(u64),
    Other(Cell<'a>, u64, How),
}

struct GoneDoc(Gone);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object in their order.
struct Members<'a, T>(Vec<(Name<'a>, T)>);

impl<T> Default for Members<'_, T> {
    fn default() -> Self {
        Members(Vec::new())
    }
}

/// A stored value before its type is known.
enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    Other(Json),
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Members<'a, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Of<'a, T>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for Of<'a, T> {
            type Value = Members<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Of(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Cell<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
                Ok(Cell::Null)
            }

            fn visit_bool<E>(self, b: bool) -> Result<Cell<'de>, E> {
                Ok(Cell::Bool(b))
            }

            fn visit_i64<E>(self, i: i64) -> Result<Cell<'de>, E> {
                Ok(Cell::Int(i))
            }

            fn visit_u64<E>(self, u: u64) -> Result<Cell<'de>, E> {
                Ok(i64::try_from(u).map_or_else(|_| Cell::Other(Json::from(u)), Cell::Int))
            }

            fn visit_f64<E>(self, f: f64) -> Result<Cell<'de>, E> {
                Ok(Cell::Other(Json::from(f)))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Cell<'de>, A::Error> {
                let seq = serde::de::value::SeqAccessDeserializer::new(seq);
                Json::deserialize(seq).map(Cell::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cell<'de>, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Json::deserialize(map).map(Cell::Other)
            }
        }
        from.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OriginDoc<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OriginDoc<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a stamp, or an origin's parts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OriginDoc<'de>, A::Error> {
                let seq = serde::de::value::SeqAccessDeserializer::new(seq);
                StampDoc::deserialize(seq).map(OriginDoc::Stamp)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OriginDoc<'de>, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                OriginParts::deserialize(map).map(OriginDoc::Parts)
            }
        }
        from.deserialize_any(Either)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for KnownDoc<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = KnownDoc<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mark, a value with its mark, or null")
            }

            fn visit_unit<E>(self) -> Result<KnownDoc<'de>, E> {
                Ok(KnownDoc::Nothing)
            }

            fn visit_u64<E>(self, mark: u64) -> Result<KnownDoc<'de>, E> {
                Ok(KnownDoc::AsTold(mark))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<KnownDoc<'de>, A::Error> {
                let short = || A::Error::custom("`known` is no mark");
                let cell = seq.next_element()?.ok_or_else(short)?;
                let mark = seq.next_element()?.ok_or_else(short)?;
                let how = match seq.next_element::<Cell<'de>>()? {
                    None => How::Reported,
                    Some(Cell::Int(at)) => How::Arrived(at),
                    Some(_) => How::Sent,
                };
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(KnownDoc::Other(cell, mark, how))
            }
        }
        from.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for SentDoc<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = SentDoc<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field, a value, one or two times and what came back")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SentDoc<'de>, A::Error> {
                let short = || A::Error::custom("`sent` lacks a field, a value or a time");
                let name = seq.next_element()?.ok_or_else(short)?;
                let cell = seq.next_element()?.ok_or_else(short)?;
                let from = seq.next_element()?.ok_or_else(short)?;
                let until = seq.next_element()?.unwrap_or(from);
                let echoes = seq
                    .next_element()?
                    .map_or_else(Echoes::default, |e: EchoesDoc| e.0);
                Ok(SentDoc(name, cell, (from, until), echoes))
            }
        }
        from.deserialize_seq(Any)
    }
}

impl<'de> Deserialize<'de> for EchoesDoc {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = EchoesDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("calls, events that told, and up to three times")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<EchoesDoc, A::Error> {
                let short = || A::Error::custom("`echoes` lacks a number");
                let none = Echoes::default();
                Ok(EchoesDoc(Echoes {
                    calls: seq.next_element()?.ok_or_else(short)?,
                    seen: seq.next_element()?.ok_or_else(short)?,
                    first: seq.next_element()?.unwrap_or(none.first),
                    last: seq.next_element()?.unwrap_or(none.last),
                    against: seq.next_element()?,
                }))
            }
        }
        from.deserialize_seq(Any)
    }
}

impl<'de> Deserialize<'de> for GoneDoc {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = GoneDoc;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time, or a pair of times")
            }

            fn visit_i64<E>(self, at: i64) -> Result<GoneDoc, E> {
                Ok(GoneDoc(Gone { at, sent: None }))
            }

            fn visit_u64<E: Error>(self, at: u64) -> Result<GoneDoc, E> {
                self.visit_i64(i64::try_from(at).map_err(E::custom)?)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<GoneDoc, A::Error> {
                let short = || A::Error::custom("`gone` is no pair of times");
                let at = seq.next_element()?.ok_or_else(short)?;
                let sent = Some(seq.next_element()?.ok_or_else(short)?);
                Ok(GoneDoc(Gone { at, sent }))
            }
        }
        from.deserialize_any(Any)
    }
}
