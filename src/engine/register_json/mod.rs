//! Registers as JSON text, as the store keeps them and `sqlite3` shows them.
//!
//! ```json
//! {"version": 3,
//!  "marks": [[1767571200000000, "evt_1"], [1767571260000000, ""]],
//!  "said": {"crm": [[1, {"name": "Ada", "score": 40}]]},
//!  "first": {"crm": [[0, {"score": 39}]]},
//!  "fields": {"opted_out": {"crm": [false, 0], "mailer": {"latest": [true, 1], "earliest": [false, 0], "false_at": 1767571200000000}}},
//!  "agreed": {"notes": ["x", 0]},
//!  "systems": {"crm": {"key": "Ada@example.com"}, "mailer": {"holds": 1, "known": {"score": [39, 0]}}}}
//! ```
//!
//! A mark is a change time (microseconds) and an event id, named by position. A field stands under
//! `said` where one origin alone has spoken of it and there is no more to tell than its latest value
//! and its earliest, where that is another one: by origin and mark the latest values, and likewise the
//! earliest under `first`. All other fields stand under `fields`, by origin.
//!
//! In `known` a bare mark says that the value of the field's one origin was written then; a pair
//! holds another value, with `"w"` behind it where the runner sent it, or the time at which the
//! system confirmed that. `holds` says a bare mark of every field that another system `said` and
//! `known` does not name. What an origin reported last is known of it and not said twice; `null`
//! takes either back. `gone` is the time of a deletion, a pair where the runner sent it; `sent` are
//! values written lately that others have taken the place of, and `echoes` how often what is known was
//! handed over and told of. Nothing depends on a rule, so that a
//! changed policy reads what an older one wrote.

pub mod one_way;
mod read;

pub use read::parse;

use serde_json::Value as Json;

use crate::engine::ports::{FieldIx, SystemIx};
use crate::engine::program::{EntityProgram, FieldProgram};
use crate::engine::register::{
    Echoes, FieldRegister, How, Known, Origin, Register, Stamp, View, truth,
};
use crate::value::{Value, write_int};

/// A register that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored register cannot be read: {0}")]
pub struct BadRegister(pub String);

/// Change times with the events that told of them, each once.
#[derive(Default)]
struct Marks<'r>(Vec<(i64, &'r str)>);

impl<'r> Marks<'r> {
    fn add(&mut self, at: i64, id: &'r str) -> usize {
        // A record has a handful of marks: a scan beats a map.
        match self.0.iter().position(|(a, i)| *a == at && *i == id) {
            Some(i) => i,
            None => {
                self.0.push((at, id));
                self.0.len() - 1
            }
        }
    }

    /// A time that no event stands for.
    fn add_unnamed(&mut self, at: i64) -> usize {
        self.add(at, "")
    }
}

/// What an origin said of a field, on its way into a text.
#[derive(Clone, Copy)]
struct Word<'r> {
    program: &'r FieldProgram,
    system: SystemIx,
    at: i64,
    id: &'r str,
    value: Spelt<'r>,
}

/// A value, or the JSON text that it is.
#[derive(Clone, Copy)]
enum Spelt<'r> {
    Value(&'r Value),
    Json(&'r str),
}

/// Prints a register.
pub fn print(entity: &EntityProgram, register: &Register) -> String {
    let mut marks = Marks::default();
    let plain = plain_fields(entity, register);
    let mut said = String::with_capacity(256);
    let latest = plain.iter().map(|p| p.word(&p.origin.latest));
    print_told(&mut said, entity, latest, &mut marks);
    let mut first = String::new();
    let changed = plain.iter().filter(|p| p.origin.has_changed());
    let earliest = changed.map(|p| p.word(p.origin.earliest()));
    print_told(&mut first, entity, earliest, &mut marks);
    let mut fields = String::new();
    let mut agreed = String::new();
    for (ix, field) in &register.fields {
        let Some(program) = entity.fields.get(*ix as usize) else {
            continue;
        };
        if plain.binary_search_by_key(ix, |p| p.field).is_err() {
            open_field(&mut fields, program);
            fields.push('{');
            for (system, origin) in &field.origins {
                open_member(&mut fields, system_name(entity, *system));
                print_origin(&mut fields, origin, &mut marks);
            }
            fields.push('}');
        }
        if let Some(stamp) = &field.agreed {
            open_field(&mut agreed, program);
            print_stamp(&mut agreed, stamp, &mut marks);
        }
    }
    let mut systems = String::with_capacity(256);
    let mut members = String::with_capacity(128);
    for (system, view) in &register.systems {
        members.clear();
        let said = (register, &plain[..]);
        print_view(&mut members, entity, said, (*system, view), &mut marks);
        if !members.is_empty() {
            open_member(&mut systems, system_name(entity, *system));
            push_all(&mut systems, &["{", &members, "}"]);
        }
    }
    let mut tail = String::with_capacity(
        64 + said.len() + first.len() + fields.len() + agreed.len() + systems.len(),
    );
    let told = [("said", &said), ("first", &first)];
    let more = [("fields", &fields), ("agreed", &agreed)];
    for (name, members) in told.into_iter().chain(more) {
        if !members.is_empty() {
            push_all(&mut tail, &[",\"", name, "\":{", members, "}"]);
        }
    }
    push_all(&mut tail, &[",\"systems\":{", &systems, "}"]);
    assemble(register.version, &marks, &tail)
}

/// The whole text: the marks are only known once all that names them is printed.
fn assemble(version: u64, marks: &Marks<'_>, tail: &str) -> String {
    let ids: usize = marks.0.iter().map(|(_, id)| id.len() + 28).sum();
    let mut out = String::with_capacity(48 + ids + tail.len());
    push_all(&mut out, &["{\"version\":"]);
    push_number(&mut out, version as i64);
    push_all(&mut out, &[",\"marks\":["]);
    for (i, (at, id)) in marks.0.iter().enumerate() {
        push_all(&mut out, &[if i > 0 { ",[" } else { "[" }]);
        push_number(&mut out, *at);
        push_all(&mut out, &[","]);
        push_text(&mut out, id);
        push_all(&mut out, &["]"]);
    }
    push_all(&mut out, &["]", tail, "}"]);
    out
}

/// A field of which one origin alone has spoken, and whose latest and earliest value say all of it.
struct Plain<'r> {
    field: FieldIx,
    program: &'r FieldProgram,
    system: SystemIx,
    origin: &'r Origin,
}

impl<'r> Plain<'r> {
    fn word(&self, stamp: &'r Stamp) -> Word<'r> {
        Word {
            program: self.program,
            system: self.system,
            at: stamp.at,
            id: &stamp.id,
            value: Spelt::Value(&stamp.value),
        }
    }
}

fn plain_fields<'r>(entity: &'r EntityProgram, register: &'r Register) -> Vec<Plain<'r>> {
    let mut out = Vec::with_capacity(register.fields.len());
    for (field, told) in &register.fields {
        if let ([(system, origin)], Some(program)) =
            (told.origins.as_slice(), entity.fields.get(*field as usize))
            && is_plain(origin)
        {
            out.push(Plain {
                field: *field,
                program,
                system: *system,
                origin,
            });
        }
    }
    out
}

/// By origin and mark what was told with it.
fn print_told<'r>(
    out: &mut String,
    entity: &EntityProgram,
    all: impl Iterator<Item = Word<'r>> + Clone,
    marks: &mut Marks<'r>,
) {
    // A record has a handful of origins and marks: walking them again beats sorting into lists.
    let mut systems: Vec<SystemIx> = Vec::new();
    for word in all.clone() {
        if !systems.contains(&word.system) {
            systems.push(word.system);
        }
    }
    for system in systems {
        let of_system = all.clone().filter(|w| w.system == system);
        print_told_by(out, system_name(entity, system), of_system, marks);
    }
}

/// The same of one origin.
fn print_told_by<'r>(
    out: &mut String,
    system: &str,
    all: impl Iterator<Item = Word<'r>> + Clone,
    marks: &mut Marks<'r>,
) {
    open_member(out, system);
    out.push('[');
    let told: Vec<usize> = all.clone().map(|w| marks.add(w.at, w.id)).collect();
    for (n, mark) in told.iter().enumerate() {
        if told.iter().take(n).any(|m| m == mark) {
            continue;
        }
        push_all(out, &[if n == 0 { "[" } else { ",[" }]);
        push_number(out, *mark as i64);
        push_all(out, &[",{"]);
        let words = all.clone().zip(&told).skip(n);
        for (word, _) in words.filter(|(_, m)| *m == mark) {
            open_field(out, word.program);
            match word.value {
                Spelt::Value(value) => push_value(out, value),
                Spelt::Json(text) => out.push_str(text),
            }
        }
        push_all(out, &["}]"]);
    }
    out.push(']');
}

fn print_view(
    out: &mut String,
    entity: &EntityProgram,
    said: (&Register, &[Plain<'_>]),
    (system, view): (SystemIx, &View),
    marks: &mut Marks<'_>,
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
    let held = holds(said.1, system, view);
    if let Some(at) = held {
        open_member(out, "holds");
        push_number(out, marks.add_unnamed(at) as i64);
    }
    let before = out.len();
    open_member(out, "known");
    out.push('{');
    let opened = out.len();
    print_known(out, entity, said, (system, view, held), marks);
    match out.len() > opened {
        true => out.push('}'),
        false => out.truncate(before),
    }
    if !view.sent.is_empty() {
        open_member(out, "sent");
        print_sent(out, entity, view);
    }
    let told = |f: FieldIx| entity.fields.get(f as usize);
    if view.echoes.iter().any(|(f, _)| told(*f).is_some()) {
        open_member(out, "echoes");
        out.push('{');
        for (field, echoes) in &view.echoes {
            if let Some(program) = told(*field) {
                open_field(out, program);
                print_echoes(out, echoes);
            }
        }
        out.push('}');
    }
}

/// When most of what others alone have told was written to a system; none where it is shorter to
/// say so field by field.
fn holds(plain: &[Plain<'_>], system: SystemIx, view: &View) -> Option<i64> {
    let (mut at, mut as_told, mut unknown) = (None, 0, 0);
    for field in plain.iter().filter(|p| p.system != system) {
        match view.field(field.field) {
            None => unknown += 1,
            Some(known) if known.how == How::Sent && known.value == field.origin.latest.value => {
                as_told += usize::from(*at.get_or_insert(known.at) == known.at);
            }
            Some(_) => {}
        }
    }
    at.filter(|_| as_told > 1 && as_told > unknown)
}

fn print_known(
    out: &mut String,
    entity: &EntityProgram,
    (register, plain): (&Register, &[Plain<'_>]),
    (system, view, held): (SystemIx, &View, Option<i64>),
    marks: &mut Marks<'_>,
) {
    let is_said = |ix: FieldIx| plain.binary_search_by_key(&ix, |p| p.field).is_ok();
    for (ix, known) in &view.known {
        let Some(program) = entity.fields.get(*ix as usize) else {
            continue;
        };
        let field = register.field(*ix);
        let origin = field.and_then(|f| f.origin(system));
        if origin.is_some_and(|o| is_report(o, known)) {
            continue;
        }
        let said = field.and_then(sole);
        let as_told = known.how == How::Sent && said == Some(&known.value);
        if as_told && origin.is_none() && held == Some(known.at) && is_said(*ix) {
            continue;
        }
        open_field(out, program);
        let mark = marks.add_unnamed(known.at);
        if as_told {
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
        let implied = match held {
            None => field.origin(system).is_some(),
            Some(_) => field.origin(system).is_some() || is_said(*ix),
        };
        if let (Some(program), true) = (
            entity.fields.get(*ix as usize),
            implied && view.field(*ix).is_none(),
        ) {
            open_field(out, program);
            out.push_str("null");
        }
    }
}

fn print_sent(out: &mut String, entity: &EntityProgram, view: &View) {
    push_all(out, &["["]);
    let mut first = true;
    for sent in &view.sent {
        let Some(program) = entity.fields.get(sent.field as usize) else {
            continue;
        };
        push_all(out, &[if first { "[" } else { ",[" }]);
        first = false;
        push_text(out, &program.name);
        push_all(out, &[","]);
        push_value(out, &sent.value);
        push_all(out, &[","]);
        push_number(out, sent.from);
        push_all(out, &[","]);
        push_number(out, sent.until);
        if sent.echoes != Echoes::default() {
            push_all(out, &[","]);
            print_echoes(out, &sent.echoes);
        }
        push_all(out, &["]"]);
    }
    push_all(out, &["]"]);
}

/// Calls (`null` where nobody knows), events that told of it, between which times they did, and when
/// the system last told against it.
fn print_echoes(out: &mut String, echoes: &Echoes) {
    push_all(out, &["["]);
    match echoes.calls {
        Some(calls) => push_number(out, calls.into()),
        None => push_all(out, &["null"]),
    }
    push_all(out, &[","]);
    push_number(out, echoes.seen.into());
    if echoes.seen > 0 || echoes.against.is_some() {
        push_all(out, &[","]);
        push_number(out, echoes.first);
        push_all(out, &[","]);
        push_number(out, echoes.last);
    }
    if let Some(against) = echoes.against {
        push_all(out, &[","]);
        push_number(out, against);
    }
    push_all(out, &["]"]);
}

/// The value of a field that has one origin.
fn sole(field: &FieldRegister) -> Option<&Value> {
    match &field.origins[..] {
        [(_, origin)] => Some(&origin.latest.value),
        _ => None,
    }
}

/// Whether what is known is what an origin itself said last.
fn is_report(origin: &Origin, known: &Known) -> bool {
    let latest = &origin.latest;
    !known.how.written() && latest.at == known.at && latest.value == known.value
}

/// Whether a stamp says all there is to say of an origin.
fn is_stamp(origin: &Origin) -> bool {
    !origin.has_changed() && is_plain(origin)
}

/// Whether the latest and the earliest stamp say all there is to say of an origin.
fn is_plain(origin: &Origin) -> bool {
    let (latest, earliest) = (&origin.latest, origin.earliest());
    let (now, then) = (truth(latest), truth(earliest));
    if !origin.has_changed() {
        return (origin.true_at, origin.false_at) == now;
    }
    // A clock that was set back may have put them the other way round.
    let in_order = latest.rank() >= earliest.rank();
    in_order && origin.true_at == now.0.max(then.0) && origin.false_at == now.1.max(then.1)
}

fn print_origin<'r>(out: &mut String, origin: &'r Origin, marks: &mut Marks<'r>) {
    if is_stamp(origin) {
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

fn print_stamp<'r>(out: &mut String, stamp: &'r Stamp, marks: &mut Marks<'r>) {
    push_all(out, &["["]);
    push_value(out, &stamp.value);
    push_all(out, &[","]);
    push_number(out, marks.add(stamp.at, &stamp.id) as i64);
    push_all(out, &["]"]);
}

fn open_member(out: &mut String, name: &str) {
    part_members(out);
    push_text(out, name);
    out.push(':');
}

fn open_field(out: &mut String, program: &FieldProgram) {
    part_members(out);
    out.push_str(&program.member);
}

fn part_members(out: &mut String) {
    // Nothing that is printed but the start of an object ends so.
    if !matches!(out.as_bytes().last(), None | Some(b'{')) {
        out.push(',');
    }
}

fn push_all(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|p| out.push_str(p));
}

fn push_number(out: &mut String, n: i64) {
    // Writing into a String cannot fail.
    let _ = write_int(out, n);
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => push_number(out, *i),
        Value::Text(t) => push_text(out, t),
        // Canonical JSON text is JSON already.
        Value::Json(t) => out.push_str(t),
        // Nothing of these has to be escaped.
        Value::Decimal(_) | Value::Date(_) | Value::Datetime(_) => {
            out.push('"');
            // Writing into a String cannot fail.
            let _ = value.write_to(out);
            out.push('"');
        }
        Value::Set(_) => out.push_str(&value.to_json().to_string()),
    }
}

fn push_text(out: &mut String, text: &str) {
    let special = |b: u8| (b < 0x20) | (b == b'"') | (b == b'\\');
    // All of it, without an end in the middle: that goes many bytes at a time.
    if !text.bytes().fold(false, |any, b| any | special(b)) {
        push_all(out, &["\"", text, "\""]);
    } else {
        out.push_str(&Json::from(text).to_string());
    }
}

fn system_name(entity: &EntityProgram, system: SystemIx) -> &str {
    entity.systems.get(system as usize).map_or("?", |s| s)
}
