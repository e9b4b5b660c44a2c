//! SL0404 may-truncate: a text that may be longer than the place that it is written to.
//!
//! Where nothing says how long a text gets, only a short place is worth a word: names and titles
//! outgrow 255 characters so rarely that a finding for each would be noise.

use rayon::prelude::*;

use super::super::{Context, words};
use crate::catalog::ObjectField;
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Field, FieldId, Map, MappedField, Sync};
use crate::value::Type;

const CODE: Code = Code(404);

/// The longest place for which a text without a declared length is reported.
const SHORT_PLACE_MAX: u32 = 255;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .maps
        .par_iter()
        .flat_map_iter(|map| of_map(ctx, map))
        .collect()
}

/// How long what is written gets.
enum Length<'a> {
    /// As long as its type allows.
    Declared(u32),
    /// No type says.
    Open,
    /// An enum's longest word there.
    Word(u32, &'a str),
}

fn of_map(ctx: &Context, map: &Map) -> Vec<Finding> {
    let system = map.system.value;
    let Some(object) = ctx.entry(system).and_then(|e| e.object(&map.object)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for mapped in &map.fields {
        let id = FieldId {
            entity: map.entity.value,
            index: mapped.field,
        };
        let field = ctx.policy.field(id);
        let Some((place, takes)) = object
            .field(&mapped.column)
            .and_then(|p| Some((p, p.max_length()?)))
        else {
            continue;
        };
        let Some(length) = length(field, mapped).filter(|l| exceeds(l, takes)) else {
            continue;
        };
        let syncs = words::syncs_into(ctx, field, system);
        if !syncs.is_empty() && !fits_at_origins(ctx, field, takes) {
            found.push(finding(
                ctx,
                &Fault {
                    map,
                    mapped,
                    field,
                    place,
                    takes,
                    length,
                    syncs,
                },
            ));
        }
    }
    found
}

struct Fault<'a> {
    map: &'a Map,
    mapped: &'a MappedField,
    field: &'a Field,
    place: &'a ObjectField,
    /// The characters of the longest text that the place takes.
    takes: u32,
    length: Length<'a>,
    syncs: Vec<&'a Sync>,
}

/// `None`: it is no text, or an expression makes of it what it likes.
fn length<'a>(field: &'a Field, mapped: &'a MappedField) -> Option<Length<'a>> {
    if mapped.write().is_some() {
        return None;
    }
    match field.ty.as_ref()? {
        Type::Text { max: Some(max) } => Some(Length::Declared(*max)),
        Type::Text { max: None } => Some(Length::Open),
        Type::Enum { values } => {
            let spelled = values.iter().map(|value| {
                let mut pairs = mapped.values().into_iter().flat_map(|v| &v.pairs);
                pairs
                    .find(|(name, _)| *name.text == **value)
                    .map_or(value.as_str(), |(_, raw)| &*raw.text)
            });
            let longest = spelled.max_by_key(|raw| raw.chars().count())?;
            let length = u32::try_from(longest.chars().count()).unwrap_or(u32::MAX);
            Some(Length::Word(length, longest))
        }
        // Addresses and numbers have a length of their own that no type here can shorten.
        _ => None,
    }
}

fn exceeds(length: &Length, takes: u32) -> bool {
    match length {
        Length::Declared(n) | Length::Word(n, _) => *n > takes,
        Length::Open => takes <= SHORT_PLACE_MAX,
    }
}

/// Whether every system that a value may come from holds no longer one itself.
fn fits_at_origins(ctx: &Context, field: &Field, takes: u32) -> bool {
    if !field.is_data() || field.origins_unknown() {
        return false;
    }
    let origins = field.origins();
    let fits = |system: &crate::model::SystemId| {
        let map = ctx.policy.map_for(field.id.entity, *system)?;
        let mapped = map.field(field.id.index).filter(|m| m.read().is_none())?;
        let object = ctx.entry(*system)?.object(&map.object)?;
        Some(object.field(&mapped.column)?.max_length()? <= takes)
    };
    !origins.is_empty() && origins.iter().all(|s| fits(s) == Some(true))
}

fn finding(ctx: &Context, fault: &Fault) -> Finding {
    let (field, takes) = (fault.field, fault.takes);
    let path = ctx.path(field.id);
    let system = ctx.system(fault.map.system.value);
    let place = &fault.place.name;
    let (message, label) = match &fault.length {
        Length::Declared(n) => (
            format!(
                "`{path}` may have {n} characters, but `{place}` in `{system}` takes only {takes}"
            ),
            format!("up to {n} characters"),
        ),
        Length::Open => (
            format!(
                "`{path}` may be of any length, but `{place}` in `{system}` takes only {takes} \
                 characters"
            ),
            "of any length".to_owned(),
        ),
        Length::Word(n, word) => (
            format!(
                "`{path}` may be written as `{word}`, which has {n} characters, but `{place}` in \
                 `{system}` takes only {takes}"
            ),
            "the values".to_owned(),
        ),
    };
    let mut found = Finding::new(CODE, fault.mapped.span, message)
        .mark(format!("takes {takes} characters"))
        .label(field.type_span, label);
    for sync in &fault.syncs {
        found = words::label(found, sync.clause, format!("goes to `{system}` here"));
    }
    mend(found, fault)
}

fn mend(found: Finding, fault: &Fault) -> Finding {
    let (field, takes) = (fault.field, fault.takes);
    if let Length::Word(..) = fault.length {
        return found.help("give each value a shorter word in `values`");
    }
    let text = format!("text({takes}){}", if field.optional { "?" } else { "" });
    // A null goes through `write` too, and has no size.
    let guard = if field.optional {
        "value == null || "
    } else {
        ""
    };
    let found = found.help(format!(
        "declare `{}: {text}` where no value is longer, or cut it in this map with write \
         `{guard}value.size() <= {takes} ? value : value.substring(0, {takes})`",
        field.name
    ));
    found.fix(
        format!("let `{}` have at most {takes} characters", field.name),
        Grade::Review,
        vec![Edit {
            span: field.type_span,
            text,
        }],
    )
}
