//! Why a record is as it is: who won each field, by which rule, what lost, and what each system is
//! known to hold. A pure reading of the register and of the writes that wait.

use serde::Serialize;

use super::ports::{FieldIx, SystemIx, Waiting};
use super::program::{EntityProgram, Program};
use super::register::{How, Known, Register};
use super::resolve::{Shown, shown};

/// The whole story of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordStory {
    /// `entity:key`.
    pub record: String,
    /// Its version.
    pub version: u64,
    /// By field name.
    pub fields: Vec<FieldStory>,
}

/// The story of a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldStory {
    /// Its name.
    pub field: String,
    /// The value shown to the world; absent: none, or held for a person.
    pub value: Option<serde_json::Value>,
    /// Why this value.
    pub because: String,
    /// What each origin said, the winner first.
    pub said: Vec<Said>,
    /// What each system is known to hold.
    pub held: Vec<Held>,
}

/// What an origin said last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// The origin.
    pub system: String,
    /// The value.
    pub value: serde_json::Value,
    /// When, RFC 3339.
    pub at: String,
    /// The event or run that told of it.
    pub by: String,
    /// Whether it won.
    pub won: bool,
}

/// What a system is known to hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The system.
    pub system: String,
    /// The value.
    pub value: serde_json::Value,
    /// Since when, RFC 3339: when the system confirmed it, as far as that is kept.
    pub at: String,
    /// How that is known.
    pub how: Holding,
    /// Of a write that waits: how often it was tried, and what came of the last try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// Whether it is the value shown.
    pub in_step: bool,
}

/// How it is known what a system holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holding {
    /// Syncline wrote it.
    Written,
    /// The system reported it.
    Reported,
    /// It does not hold it yet: the write still waits for it.
    Waits,
}

/// Microseconds as RFC 3339.
pub fn instant(us: i64) -> String {
    crate::value::Value::Datetime(us).to_string()
}

/// Tells the story of a record; `field` and `system` narrow it.
pub fn tell(
    program: &Program,
    entity: &EntityProgram,
    key: &str,
    register: &Register,
    field: Option<FieldIx>,
    system: Option<SystemIx>,
) -> RecordStory {
    let mut fields = Vec::new();
    for (i, field_program) in entity.fields.iter().enumerate() {
        let ix = i as FieldIx;
        if field.is_some_and(|f| f != ix) || entity.keys.contains(&ix) {
            continue;
        }
        let held = held(program, entity, register, ix, system);
        let known = register.field(ix);
        if known.is_none() && held.is_empty() && field.is_none() {
            continue;
        }
        let (value, because, winner) = match known {
            Some(known) => reason(program, entity, ix, known),
            None if field_program.derived.is_some() => {
                (None, "derived: computed where it is sent".to_owned(), None)
            }
            None => (None, "no origin has reported it".to_owned(), None),
        };
        let mut said: Vec<Said> = known
            .iter()
            .flat_map(|k| &k.origins)
            .map(|(origin, o)| Said {
                system: program.system_name(*origin).to_owned(),
                value: o.latest.value.to_json(),
                at: instant(o.latest.at),
                by: o.latest.id.to_string(),
                won: winner == Some(*origin),
            })
            .collect();
        said.sort_by_key(|s| !s.won);
        fields.push(FieldStory {
            field: field_program.name.clone(),
            value,
            because,
            said,
            held,
        });
    }
    RecordStory {
        record: format!("{}:{key}", entity.name),
        version: register.version,
        fields,
    }
}

/// What a write that waits changes in the story of its record: its system does not hold yet what
/// it is to be told.
pub fn note_waiting(story: &mut RecordStory, waiting: &Waiting) {
    let sent = |field: &&mut FieldStory| waiting.fields.contains(&field.field);
    for field in story.fields.iter_mut().filter(sent) {
        let here = |held: &&mut Held| held.system == waiting.system && held.how == Holding::Written;
        for held in field.held.iter_mut().filter(here) {
            held.how = Holding::Waits;
            held.in_step = false;
            held.at = instant(waiting.since.0.saturating_mul(1_000));
            held.tried = Some(match (waiting.attempts, &waiting.error) {
                (_, Some(error)) => error.clone(),
                (0, None) => "not tried yet".to_owned(),
                (1, None) => "tried once".to_owned(),
                (n, None) => format!("tried {n} times"),
            });
        }
    }
}

/// When a system came to hold a value, microseconds.
fn since(known: &Known) -> i64 {
    match known.how {
        How::Arrived(at) => at,
        How::Reported | How::Sent => known.at,
    }
}

fn held(
    program: &Program,
    entity: &EntityProgram,
    register: &Register,
    field: FieldIx,
    system: Option<SystemIx>,
) -> Vec<Held> {
    let rule = entity.fields[field as usize].rule;
    let seen = register.field(field).map(|f| shown(rule, f));
    let value = seen.as_ref().and_then(|s| s.value());
    register
        .systems
        .iter()
        .filter(|(s, _)| system.is_none_or(|only| only == *s))
        .filter_map(|(s, view)| {
            let known = view.field(field)?;
            Some(Held {
                system: program.system_name(*s).to_owned(),
                value: known.value.to_json(),
                at: instant(since(known)),
                how: match known.how.written() {
                    true => Holding::Written,
                    false => Holding::Reported,
                },
                tried: None,
                in_step: value.is_none_or(|v| *v == known.value),
            })
        })
        .collect()
}

fn reason(
    program: &Program,
    entity: &EntityProgram,
    ix: FieldIx,
    known: &super::register::FieldRegister,
) -> (Option<serde_json::Value>, String, Option<SystemIx>) {
    let field = &entity.fields[ix as usize];
    let rule = match (field.rule.resolve, field.origins.len()) {
        (_, 0 | 1) => "its only origin".to_owned(),
        (Some(rule), _) => format!("`resolve {rule}`"),
        (None, _) => "the owner's value".to_owned(),
    };
    match shown(field.rule, known) {
        Shown::Value { value, from, at } => {
            let chosen = known.agreed.as_ref().filter(|a| a.at == at);
            let said = match (from, chosen) {
                (Some(system), _) => {
                    let system = program.system_name(system);
                    format!("{rule}: `{system}` set it at {}", instant(at))
                }
                (None, Some(choice)) => {
                    format!("{rule}: {} chose it at {}", choice.id, instant(at))
                }
                (None, None) => format!("{rule}: several origins set it at {}", instant(at)),
            };
            (Some(value.to_json()), said, from)
        }
        Shown::Held { agreed } => {
            let value = agreed.map(|a| a.value.to_json());
            (
                value,
                format!("{rule}: origins differ, a person has to choose"),
                None,
            )
        }
        Shown::Absent => (None, "no origin has reported it".to_owned(), None),
    }
}
