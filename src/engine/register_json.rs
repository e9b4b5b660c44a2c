//! Registers as JSON text, as the store keeps them and `sqlite3` shows them.
//!
//! ```json
//! {"version": 3,
//!  "marks": [[1767571200000000, "evt_1"], [1767571260000000, ""]],
//!  "fields": {"opted_out": {"crm": [false, 0], "mailer": {"latest": [true, 1], "earliest": [false, 0], "false_at": 1767571200000000}}},
//!  "agreed": {"notes": ["x", 0]},
//!  "systems": {"crm": {"key": "Ada@example.com", "known": {"opted_out": 1, "score": [40, 0]}}}}
//! ```
//!
//! A mark is a change time (microseconds) and an event id, named by position. In `known` a bare
//! mark says that the value of the field's one origin was written then; a pair holds another value,
//! with `"w"` behind it where the runner sent it, or the time at which the system confirmed that. What an origin reported last is known of it and
//! not said twice; `null` takes that back. `gone` is the time of a deletion, a pair where the
//! runner sent it; `sent` are values written lately that others have taken the place of. Nothing depends on a rule, so that a changed policy reads what an older one
//! wrote.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::ports::{FieldIx, SystemIx};
use super::program::EntityProgram;
use super::register::{FieldRegister, Gone, How, Known, Origin, Register, Stamp, View};
use crate::value::Value;

/// A register that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored register cannot be read: {0}")]
pub struct BadRegister(pub String);

#[derive(Default)]
struct Marks(Vec<(i64, Arc<str>)>);

impl Marks {
    fn add(&mut self, at: i64, id: &Arc<str>) -> usize {
        // A record has a handful of marks: a scan beats a map.
        match self.0.iter().position(|(a, i)| *a == at && i == id) {
            Some(i) => i,
            None => {
                self.0.push((at, Arc::clone(id)));
                self.0.len() - 1
            }
        }
    }
}

impl Marks {
    /// A time that no event stands for.
    fn add_unnamed(&mut self, at: i64) -> usize {
        match self.0.iter().position(|(a, i)| *a == at && i.is_empty()) {
            Some(i) => i,
            None => {
                self.0.push((at, Arc::from("")));
                self.0.len() - 1
            }
        }
    }
}

/// Prints a register.
pub fn print(entity: &EntityProgram, register: &Register) -> String {
    let mut marks = Marks::default();
    let mut fields = String::with_capacity(512);
    let mut agreed = String::new();
    for (ix, field) in &register.fields {
        let Some(program) = entity.fields.get(*ix as usize) else {
            continue;
        };
        open_member(&mut fields, &program.name);
        fields.push('{');
        for (system, origin) in &field.origins {
            open_member(&mut fields, system_name(entity, *system));
            print_origin(&mut fields, origin, &mut marks);
        }
        fields.push('}');
        if let Some(stamp) = &field.agreed {
            open_member(&mut agreed, &program.name);
            print_stamp(&mut agreed, stamp, &mut marks);
        }
    }
    let mut systems = String::with_capacity(256);
    let mut members = String::with_capacity(128);
    for (system, view) in &register.systems {
        members.clear();
        print_view(&mut members, entity, register, (*system, view), &mut marks);
        if !members.is_empty() {
            open_member(&mut systems, system_name(entity, *system));
            push_all(&mut systems, &["{", &members, "}"]);
        }
    }
    let mut out = String::with_capacity(64 + fields.len() + systems.len());
    push_all(&mut out, &["{\"version\":"]);
    push_number(&mut out, register.version as i64);
    push_all(&mut out, &[",\"marks\":["]);
    for (i, (at, id)) in marks.0.iter().enumerate() {
        push_all(&mut out, &[if i > 0 { ",[" } else { "[" }]);
        push_number(&mut out, *at);
        push_all(&mut out, &[","]);
        push_text(&mut out, id);
        push_all(&mut out, &["]"]);
    }
    push_all(&mut out, &["],\"fields\":{", &fields, "}"]);
    if !agreed.is_empty() {
        push_all(&mut out, &[",\"agreed\":{", &agreed, "}"]);
    }
    push_all(&mut out, &[",\"systems\":{", &systems, "}}"]);
    out
}

fn print_view(
    out: &mut String,
    entity: &EntityProgram,
    register: &Register,
    (system, view): (SystemIx, &View),
    marks: &mut Marks,
) {
    if let Some(key) = &view.native_key {
        open_member(out, "key");
        push_text(out, key);
    }
    if let Some(gone) = view.gone {
        open_member(out, "gone");
        match gone.sent {
            None => push_number(out, gone.at),
            Some(sent) => {
                out.push('[');
                push_number(out, gone.at);
                out.push(',');
                push_number(out, sent);
                out.push(']');
            }
        }
    }
    let before = out.len();
    open_member(out, "known");
    out.push('{');
    let opened = out.len();
    print_known(out, entity, register, (system, view), marks);
    match out.len() > opened {
        true => out.push('}'),
        false => out.truncate(before),
    }
    if !view.sent.is_empty() {
        open_member(out, "sent");
        print_sent(out, entity, view);
    }
}

fn print_known(
    out: &mut String,
    entity: &EntityProgram,
    register: &Register,
    (system, view): (SystemIx, &View),
    marks: &mut Marks,
) {
    for (ix, known) in &view.known {
        let Some(program) = entity.fields.get(*ix as usize) else {
            continue;
        };
        if said_by_origin(register, system, *ix, known) {
            continue;
        }
        open_member(out, &program.name);
        let mark = marks.add_unnamed(known.at);
        let said = register.field(*ix).and_then(sole);
        if known.how == How::Sent && said == Some(&known.value) {
            push_number(out, mark as i64);
            continue;
        }
        out.push('[');
        push_value(out, &known.value);
        out.push(',');
        push_number(out, mark as i64);
        match known.how {
            How::Reported => {}
            How::Sent => out.push_str(",\"w\""),
            How::Arrived(at) => {
                out.push(',');
                push_number(out, at);
            }
        }
        out.push(']');
    }
    for (ix, field) in &register.fields {
        if let (Some(program), Some(_), None) = (
            entity.fields.get(*ix as usize),
            field.origin(system),
            view.field(*ix),
        ) {
            open_member(out, &program.name);
            out.push_str("null");
        }
    }
}

fn print_sent(out: &mut String, entity: &EntityProgram, view: &View) {
    push_all(out, &["["]);
    let mut first = true;
    for (ix, value, at) in &view.sent {
        let Some(program) = entity.fields.get(*ix as usize) else {
            continue;
        };
        push_all(out, &[if first { "[" } else { ",[" }]);
        first = false;
        push_text(out, &program.name);
        push_all(out, &[","]);
        push_value(out, value);
        push_all(out, &[","]);
        push_number(out, *at);
        push_all(out, &["]"]);
    }
    push_all(out, &["]"]);
}

fn parse_sent(entity: &EntityProgram, json: &Json) -> Vec<(FieldIx, Value, i64)> {
    let one = |entry: &Json| {
        let ix = entity.field(entry.get(0)?.as_str()?)?;
        let value = stored(&entity.fields[ix as usize].ty, entry.get(1)?);
        Some((ix, value, entry.get(2)?.as_i64()?))
    };
    let entries = json.as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().filter_map(one).collect()
}

/// The value of a field that has one origin.
fn sole(field: &FieldRegister) -> Option<&Value> {
    match &field.origins[..] {
        [(_, origin)] => Some(&origin.latest.value),
        _ => None,
    }
}

fn said_by_origin(register: &Register, system: SystemIx, field: FieldIx, known: &Known) -> bool {
    let origin = register.field(field).and_then(|f| f.origin(system));
    origin.is_some_and(|o| {
        !known.how.written() && o.latest.value == known.value && o.latest.at == known.at
    })
}

fn print_origin(out: &mut String, origin: &Origin, marks: &mut Marks) {
    let (true_at, false_at) = implied(origin);
    if origin.earliest() == &origin.latest
        && origin.true_at == true_at
        && origin.false_at == false_at
    {
        return print_stamp(out, &origin.latest, marks);
    }
    push_all(out, &["{\"latest\":"]);
    print_stamp(out, &origin.latest, marks);
    push_all(out, &[",\"earliest\":"]);
    print_stamp(out, origin.earliest(), marks);
    for (name, at) in [
        (",\"true_at\":", origin.true_at),
        (",\"false_at\":", origin.false_at),
    ] {
        if let Some(at) = at {
            push_all(out, &[name]);
            push_number(out, at);
        }
    }
    push_all(out, &["}"]);
}

fn implied(origin: &Origin) -> (Option<i64>, Option<i64>) {
    let at = origin.latest.at;
    match origin.latest.value {
        Value::Bool(true) => (Some(at), None),
        Value::Bool(false) => (None, Some(at)),
        _ => (None, None),
    }
}

fn print_stamp(out: &mut String, stamp: &Stamp, marks: &mut Marks) {
    push_all(out, &["["]);
    push_value(out, &stamp.value);
    push_all(out, &[","]);
    push_number(out, marks.add(stamp.at, &stamp.id) as i64);
    push_all(out, &["]"]);
}

fn open_member(out: &mut String, name: &str) {
    // Nothing that is printed but the start of an object ends so.
    if !matches!(out.as_bytes().last(), None | Some(b'{')) {
        out.push(',');
    }
    push_text(out, name);
    out.push(':');
}

fn push_all(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|p| out.push_str(p));
}

fn push_number(out: &mut String, n: i64) {
    use std::fmt::Write;
    // Writing into a String cannot fail.
    let _ = write!(out, "{n}");
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => push_number(out, *i),
        Value::Text(t) => push_text(out, t),
        // Canonical JSON text is JSON already.
        Value::Json(t) => out.push_str(t),
        other => out.push_str(&other.to_json().to_string()),
    }
}

fn push_text(out: &mut String, text: &str) {
    let plain = |b: u8| b >= 0x20 && b != b'"' && b != b'\\';
    if text.bytes().all(plain) {
        push_all(out, &["\"", text, "\""]);
    } else {
        out.push_str(&Json::from(text).to_string());
    }
}

fn system_name(entity: &EntityProgram, system: SystemIx) -> &str {
    entity.systems.get(system as usize).map_or("?", |s| s)
}

/// Reads a register. Fields and systems that the plan no longer has are passed over.
pub fn parse(entity: &EntityProgram, text: &str) -> Result<Register, BadRegister> {
    let bad = |what: &str| BadRegister(what.to_owned());
    let doc: Json = serde_json::from_str(text).map_err(|e| BadRegister(e.to_string()))?;
    let marks = doc
        .get("marks")
        .and_then(Json::as_array)
        .ok_or_else(|| bad("no `marks`"))?;
    let marks: Option<Vec<(i64, Arc<str>)>> = marks
        .iter()
        .map(|m| Some((m.get(0)?.as_i64()?, Arc::from(m.get(1)?.as_str()?))))
        .collect();
    let marks = marks.ok_or_else(|| bad("a mark is not a pair"))?;
    let version = doc
        .get("version")
        .and_then(Json::as_u64)
        .ok_or_else(|| bad("no `version`"))?;
    let mut register = Register {
        version,
        ..Register::default()
    };
    let empty = Map::new();
    let member = |name: &str| doc.get(name).and_then(Json::as_object).unwrap_or(&empty);
    for (name, origins) in member("fields") {
        let Some(ix) = entity.field(name) else {
            continue;
        };
        let ty = &entity.fields[ix as usize].ty;
        for (system, origin) in origins.as_object().unwrap_or(&empty) {
            let Some(system) = system_ix(entity, system) else {
                continue;
            };
            let origin =
                parse_origin(ty, origin, &marks).ok_or_else(|| bad("an origin is no stamp"))?;
            let view = register.view_mut(system);
            let known = Known {
                value: origin.latest.value.clone(),
                at: origin.latest.at,
                how: How::Reported,
            };
            view.set(ix, known);
            let slot = register.field_mut(ix);
            slot.origins.push((system, origin));
            slot.origins.sort_by_key(|o| o.0);
        }
    }
    for (name, stamp) in member("agreed") {
        let Some(ix) = entity.field(name) else {
            continue;
        };
        let ty = &entity.fields[ix as usize].ty;
        let stamp = parse_stamp(ty, stamp, &marks).ok_or_else(|| bad("`agreed` is no stamp"))?;
        register.field_mut(ix).agreed = Some(stamp);
    }
    for (name, view) in member("systems") {
        let Some(system) = system_ix(entity, name) else {
            continue;
        };
        let slot = register.view_mut(system);
        slot.native_key = view.get("key").and_then(Json::as_str).map(str::to_owned);
        slot.gone = view.get("gone").and_then(parse_gone);
        if let Some(sent) = view.get("sent") {
            slot.sent = parse_sent(entity, sent);
        }
        for (field, known) in view
            .get("known")
            .and_then(Json::as_object)
            .unwrap_or(&empty)
        {
            let Some(ix) = entity.field(field) else {
                continue;
            };
            let known = match known {
                Json::Null => None,
                known => parse_known(entity, &register, ix, known, &marks)
                    .ok_or_else(|| bad("`known` is no mark"))?,
            };
            let view = register.view_mut(system);
            match known {
                Some(known) => view.set(ix, known),
                None => view.forget(ix),
            }
        }
    }
    Ok(register)
}

fn system_ix(entity: &EntityProgram, name: &str) -> Option<SystemIx> {
    entity
        .systems
        .iter()
        .position(|s| s == name)
        .map(|i| i as SystemIx)
}

fn parse_stamp(ty: &crate::value::Type, json: &Json, marks: &[(i64, Arc<str>)]) -> Option<Stamp> {
    let (at, id) = marks.get(json.get(1)?.as_u64()? as usize)?;
    Some(Stamp {
        value: stored(ty, json.get(0)?),
        at: *at,
        id: Arc::clone(id),
    })
}

/// A stored value was held to the type when it was taken in; where a later policy has a narrower
/// type, it stays as it was rather than being lost.
fn stored(ty: &crate::value::Type, json: &Json) -> Value {
    match ty.read_json(json) {
        Ok(value) => value,
        Err(_) => match json {
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) if n.is_i64() => Value::Int(n.as_i64().unwrap_or_default()),
            Json::String(t) => Value::Text(t.clone()),
            other => Value::Json(crate::value::canonical(other)),
        },
    }
}

fn parse_origin(ty: &crate::value::Type, json: &Json, marks: &[(i64, Arc<str>)]) -> Option<Origin> {
    if json.is_array() {
        return parse_stamp(ty, json, marks).map(Origin::new);
    }
    Some(Origin::from_parts(
        parse_stamp(ty, json.get("latest")?, marks)?,
        parse_stamp(ty, json.get("earliest")?, marks)?,
        json.get("true_at").and_then(Json::as_i64),
        json.get("false_at").and_then(Json::as_i64),
    ))
}

fn parse_gone(json: &Json) -> Option<Gone> {
    let (at, sent) = match json.as_i64() {
        Some(at) => (at, None),
        None => (json.get(0)?.as_i64()?, Some(json.get(1)?.as_i64()?)),
    };
    Some(Gone { at, sent })
}

/// The outer `None`: what stands there is no mark; the inner one: the mark names a value that is
/// no longer to be had (a system left the policy), so that nothing is known.
fn parse_known(
    entity: &EntityProgram,
    register: &Register,
    ix: FieldIx,
    json: &Json,
    marks: &[(i64, Arc<str>)],
) -> Option<Option<Known>> {
    let program = &entity.fields[ix as usize];
    if let Some(mark) = json.as_u64() {
        let at = marks.get(mark as usize)?.0;
        let said = register.field(ix).and_then(sole);
        return Some(said.map(|value| Known {
            value: value.clone(),
            at,
            how: How::Sent,
        }));
    }
    let at = marks.get(json.get(1)?.as_u64()? as usize)?.0;
    let value = stored(&program.ty, json.get(0)?);
    Some(Some(Known {
        value,
        at,
        how: match json.get(2) {
            None => How::Reported,
            Some(how) => how.as_i64().map_or(How::Sent, How::Arrived),
        },
    }))
}
