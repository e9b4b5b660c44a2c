//! Registers that tell of one direction and no more: what one system said of each field, and when
//! another was sent it. They are most of a large store, and a run of a million records reads and
//! prints a million of them: so they are read and printed without being made, values staying the
//! JSON text that they are.

use super::{
    Marks, Spelt, Word, assemble, open_field, open_member, print_told_by, push_number, push_value,
    system_name,
};
use crate::engine::ports::{FieldIx, SystemIx};
use crate::engine::program::EntityProgram;
use crate::engine::register_json::read::typed;
use crate::value::{Type, Value};

/// Who speaks, and who is sent what it says.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The one origin of every field.
    pub from: SystemIx,
    /// The system that is sent them.
    pub to: SystemIx,
}

/// A value as JSON text with its change time and the event or run that told of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said<'d> {
    /// The value.
    pub text: &'d str,
    /// When; microseconds.
    pub at: i64,
    /// Who told.
    pub id: &'d str,
}

/// What is known of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told<'d> {
    /// The field.
    pub field: FieldIx,
    /// Its latest value.
    pub latest: Said<'d>,
    /// Its earliest value, where that is another one.
    pub first: Option<Said<'d>>,
    /// When the latest value was sent to the other system; microseconds.
    pub sent: i64,
}

/// A register of one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct OneWay<'d> {
    /// Its version.
    pub version: u64,
    /// What is known of the fields, ascending.
    pub fields: Vec<Told<'d>>,
}

/// Reads a register; none where it tells of anything else, or is not as [`print()`] would print it.
pub fn parse<'d>(entity: &EntityProgram, ends: Ends, text: &'d str) -> Option<OneWay<'d>> {
    let mut scan = Scan(text);
    scan.eat("{\"version\":")?;
    let version = u64::try_from(scan.number()?).ok()?;
    let marks = scan.marks()?;
    let mut fields: Vec<Told<'d>> = Vec::with_capacity(entity.fields.len());
    scan.eat(",\"said\":{")?;
    scan.told(entity, (ends.from, &marks), |field, latest| {
        let (first, sent) = (None, i64::MIN);
        fields.push(Told {
            field,
            latest,
            first,
            sent,
        });
        Some(())
    })?;
    fields.sort_by_key(|told| told.field);
    if fields.windows(2).any(|w| w[0].field == w[1].field) {
        return None;
    }
    if scan.eat(",\"first\":{").is_some() {
        scan.told(entity, (ends.from, &marks), |field, first| {
            let told = find(&mut fields, field)?;
            // Another order is what a clock that was set back leaves.
            let in_order = first.at < told.latest.at && told.first.is_none();
            told.first = Some(first).filter(|_| in_order);
            told.first.map(drop)
        })?;
    }
    scan.eat(",\"systems\":{")?;
    scan.sent(entity, (ends.to, &marks), &mut fields)?;
    scan.0.is_empty().then_some(OneWay { version, fields })
}

fn find<'f, 'd>(fields: &'f mut [Told<'d>], field: FieldIx) -> Option<&'f mut Told<'d>> {
    let at = fields
        .binary_search_by_key(&field, |told| told.field)
        .ok()?;
    fields.get_mut(at)
}

/// Prints a register; `tail` is room that is used again and again.
pub fn print(
    entity: &EntityProgram,
    ends: Ends,
    register: &OneWay<'_>,
    tail: &mut String,
) -> String {
    let mut marks = Marks::default();
    let from = system_name(entity, ends.from);
    tail.clear();
    tail.push_str(",\"said\":{");
    let latest = register.fields.iter();
    let latest = latest.filter_map(|t| word((entity, ends), t.field, t.latest));
    print_told_by(tail, from, latest, &mut marks);
    tail.push('}');
    if register.fields.iter().any(|told| told.first.is_some()) {
        tail.push_str(",\"first\":{");
        let first = register.fields.iter();
        let first = first.filter_map(|t| word((entity, ends), t.field, t.first?));
        print_told_by(tail, from, first, &mut marks);
        tail.push('}');
    }
    tail.push_str(",\"systems\":{");
    open_member(tail, system_name(entity, ends.to));
    tail.push('{');
    print_sent(tail, entity, &register.fields, &mut marks);
    tail.push_str("}}");
    assemble(register.version, &marks, tail)
}

fn word<'d>(
    (entity, ends): (&'d EntityProgram, Ends),
    field: FieldIx,
    said: Said<'d>,
) -> Option<Word<'d>> {
    Some(Word {
        program: entity.fields.get(usize::from(field))?,
        system: ends.from,
        at: said.at,
        id: said.id,
        value: Spelt::Json(said.text),
    })
}

fn print_sent(
    out: &mut String,
    entity: &EntityProgram,
    fields: &[Told<'_>],
    marks: &mut Marks<'_>,
) {
    // As in a register that is printed the long way: the first tells for all that agree.
    let held = fields.first().map(|told| told.sent);
    let held = held.filter(|at| fields.iter().filter(|told| told.sent == *at).count() > 1);
    if let Some(at) = held {
        open_member(out, "holds");
        push_number(out, marks.add_unnamed(at) as i64);
    }
    let mut others = fields
        .iter()
        .filter(|told| Some(told.sent) != held)
        .peekable();
    if others.peek().is_none() {
        return;
    }
    open_member(out, "known");
    out.push('{');
    for told in others {
        if let Some(program) = entity.fields.get(usize::from(told.field)) {
            open_field(out, program);
            push_number(out, marks.add_unnamed(told.sent) as i64);
        }
    }
    out.push('}');
}

/// Whether a stored value is another one than `new`, which `text` spells.
pub fn differs(ty: &Type, stored: &str, (text, new): (&str, &Value)) -> bool {
    if stored == text {
        return false;
    }
    match new {
        // Both are spelt in the one way in which such values are.
        Value::Text(_) if stored.starts_with('"') && text.starts_with('"') => true,
        Value::Bool(_) if matches!(stored, "true" | "false") => true,
        Value::Int(_) if is_number(stored) => true,
        Value::Decimal(_) if inner(stored).is_some_and(is_number) => true,
        Value::Datetime(_) if is_spelt_like(stored, text) => true,
        // What was stored under another type may be the same in other letters.
        _ => typed(ty, stored).is_none_or(|stored| stored != *new),
    }
}

/// What stands between quotes.
fn inner(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// Whether it is a number as registers spell it: no other text means the same number.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, behind) = match unsigned.split_once('.') {
        Some((whole, behind)) => (whole, Some(behind)),
        None => (unsigned, None),
    };
    let first = digits(whole) && (whole.len() == 1 || !whole.starts_with('0'));
    first && text != "-0" && behind.is_none_or(|part| digits(part) && !part.ends_with('0'))
}

/// Whether two times in UTC have their digits at the same places: then other digits are another
/// time.
fn is_spelt_like(one: &str, other: &str) -> bool {
    let alike = |(a, b): (u8, u8)| a == b || a.is_ascii_digit() && b.is_ascii_digit();
    one.len() == other.len() && one.ends_with("Z\"") && one.bytes().zip(other.bytes()).all(alike)
}

/// Appends a value as registers spell it.
pub fn spell(out: &mut String, value: &Value) {
    push_value(out, value);
}

/// What is left of a text that is read.
struct Scan<'d>(&'d str);

impl<'d> Scan<'d> {
    fn eat(&mut self, what: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(what)?;
        Some(())
    }

    /// So many bytes.
    fn take(&mut self, bytes: usize) -> Option<&'d str> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<i64> {
        let digit = |b: u8| b.is_ascii_digit() || b == b'-';
        let end = self.0.bytes().position(|b| !digit(b))?;
        self.take(end)?.parse().ok()
    }

    /// A string, with its quotes.
    fn string(&mut self) -> Option<&'d str> {
        let bytes = self.0.as_bytes();
        let mut at = 1;
        bytes.first().filter(|b| **b == b'"')?;
        loop {
            match bytes.get(at)? {
                b'"' => return self.take(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    /// A value that holds no others.
    fn value(&mut self) -> Option<&'d str> {
        match self.0.as_bytes().first()? {
            b'"' => self.string(),
            b'[' | b'{' => None,
            _ => {
                let end = self.0.bytes().position(|b| matches!(b, b',' | b'}'))?;
                self.take(end)
            }
        }
    }

    fn marks(&mut self) -> Option<Vec<(i64, &'d str)>> {
        self.eat(",\"marks\":[[")?;
        let mut marks = Vec::with_capacity(4);
        loop {
            let at = self.number()?;
            self.eat(",")?;
            let id = self.string()?.strip_prefix('"')?.strip_suffix('"')?;
            if id.contains('\\') {
                return None;
            }
            marks.push((at, id));
            if self.eat("]]").is_some() {
                return Some(marks);
            }
            self.eat("],[")?;
        }
    }

    /// A mark's position, and what it says.
    fn mark(&mut self, marks: &[(i64, &'d str)]) -> Option<(i64, &'d str)> {
        let mark = usize::try_from(self.number()?).ok()?;
        marks.get(mark).copied()
    }

    /// The field whose name comes next: mostly the one at `next`.
    fn field(&mut self, entity: &EntityProgram, next: usize) -> Option<FieldIx> {
        let mut later = entity.fields.iter().enumerate().skip(next);
        let (ix, program) = later.find(|(_, f)| self.0.starts_with(&*f.member))?;
        self.eat(&program.member)?;
        FieldIx::try_from(ix).ok()
    }

    fn system(&mut self, entity: &EntityProgram, system: SystemIx) -> Option<()> {
        self.eat("\"")?;
        self.eat(system_name(entity, system))?;
        self.eat("\":")
    }

    /// What a system said, by mark, to the end of the object.
    fn told(
        &mut self,
        entity: &EntityProgram,
        (system, marks): (SystemIx, &[(i64, &'d str)]),
        mut take: impl FnMut(FieldIx, Said<'d>) -> Option<()>,
    ) -> Option<()> {
        self.system(entity, system)?;
        self.eat("[[")?;
        loop {
            let (at, id) = self.mark(marks)?;
            self.eat(",{")?;
            let mut next = 0;
            loop {
                let field = self.field(entity, next)?;
                let text = self.value()?;
                take(field, Said { text, at, id })?;
                if self.eat("}]").is_some() {
                    break;
                }
                self.eat(",")?;
                next = usize::from(field) + 1;
            }
            if self.eat("]}").is_some() {
                return Some(());
            }
            self.eat(",[")?;
        }
    }

    /// When the other system was sent each field, to the end of the text.
    fn sent(
        &mut self,
        entity: &EntityProgram,
        (system, marks): (SystemIx, &[(i64, &'d str)]),
        fields: &mut [Told<'d>],
    ) -> Option<()> {
        self.system(entity, system)?;
        self.eat("{")?;
        let held = self.eat("\"holds\":").is_some();
        if held {
            let (at, _) = self.mark(marks)?;
            fields.iter_mut().for_each(|told| told.sent = at);
            if self.eat("}}}").is_some() {
                return Some(());
            }
            self.eat(",")?;
        }
        self.eat("\"known\":{")?;
        let mut named = 0;
        let mut next = 0;
        loop {
            let field = self.field(entity, next)?;
            let (at, _) = self.mark(marks)?;
            find(fields, field)?.sent = at;
            named += 1;
            next = usize::from(field) + 1;
            if self.eat("}}}}").is_some() {
                break;
            }
            self.eat(",")?;
        }
        (held || named == fields.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    /// Two values of a type, near each other more often than not.
    fn pair() -> impl Strategy<Value = (Type, Value, Value)> {
        let near = (
            -1_200_i64..1_200,
            prop_oneof![Just(1_i64), Just(10), Just(1_000_000)],
        );
        let numbers = (near.clone(), near, 0_u32..4, 0_u32..4, any::<i64>());
        numbers.prop_flat_map(|((a, by), (b, times), scale, other, far)| {
            let (a, b) = (a * by, b * times);
            let int = Type::Int {
                min: None,
                max: None,
            };
            let decimal = Type::Decimal {
                precision: 28,
                scale: 9,
            };
            let far = far % 4_000_000_000_000_000;
            prop_oneof![
                Just((int.clone(), Value::Int(a), Value::Int(b))),
                Just((int, Value::Int(a), Value::Int(a))),
                Just((
                    decimal.clone(),
                    Value::Decimal(Decimal::new(a, scale)),
                    Value::Decimal(Decimal::new(b, other)),
                )),
                Just((
                    decimal,
                    Value::Decimal(Decimal::new(a, scale)),
                    Value::Decimal(Decimal::new(a * 10, scale + 1)),
                )),
                Just((Type::Datetime, Value::Datetime(a), Value::Datetime(b))),
                Just((
                    Type::Datetime,
                    Value::Datetime(far),
                    Value::Datetime(far + b)
                )),
                Just((Type::Bool, Value::Bool(a > b), Value::Bool(a > 0))),
                Just((Type::Bool, Value::Null, Value::Bool(a > 0))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_told_by_letters_is_what_the_values_say((ty, stored, new) in pair()) {
            let (mut old, mut text) = (String::new(), String::new());
            spell(&mut old, &stored);
            spell(&mut text, &new);
            prop_assert_eq!(differs(&ty, &old, (&text, &new)), stored != new, "{} {}", old, text);
        }
    }

    #[test]
    fn what_another_type_or_hand_wrote_is_read() {
        let decimal = Type::Decimal {
            precision: 9,
            scale: 2,
        };
        let four = Value::Decimal(Decimal::new(4, 0));
        for (stored, differs_from_four) in [
            ("\"4.0\"", false),
            ("\"04\"", false),
            ("4", false),
            ("\"4.1\"", true),
            ("null", true),
        ] {
            assert_eq!(
                differs(&decimal, stored, ("\"4\"", &four)),
                differs_from_four,
                "{stored}"
            );
        }
        let at = Value::Datetime(1_767_571_200_000_000);
        for (stored, is_other) in [
            ("\"2026-01-05T01:00:00+01:00\"", false),
            ("\"2026-01-05T00:00:00.0Z\"", false),
            ("\"2026-01-05T00:00:01Z\"", true),
        ] {
            let text = ("\"2026-01-05T00:00:00Z\"", &at);
            assert_eq!(differs(&Type::Datetime, stored, text), is_other, "{stored}");
        }
    }
}
