//! Every `allow` of a policy: what it covers, and how many findings it accepts today.

use crate::finding::Finding;
use crate::model::{Allow, Policy};
use crate::text::Span;

/// An `allow` and what it does.
#[derive(Debug)]
pub struct Suppression<'a> {
    /// The clause.
    pub allow: &'a Allow,
    /// What it covers, as people call it: `field contact.email`.
    pub covers: String,
    /// How many of the findings it accepts.
    pub silences: usize,
}

/// The `allow`s of a policy in reading order, with what they do to its findings. One whose check
/// does not exist is left out: that is a finding of its own.
pub fn suppressions<'a>(policy: &'a Policy, findings: &[&Finding]) -> Vec<Suppression<'a>> {
    let allows = policy.allows.iter().filter(|a| a.check.is_some());
    let accepted = |allow: &Allow| {
        let accepts = |f: &&&Finding| f.accepted.iter().any(|a| a.allow == allow.span);
        findings.iter().filter(accepts).count()
    };
    allows
        .map(|allow| Suppression {
            allow,
            covers: allow
                .covers
                .map_or_else(|| "the whole policy".to_owned(), |span| name(policy, span)),
            silences: accepted(allow),
        })
        .collect()
}

/// What people call the block or field at a place.
fn name(policy: &Policy, span: Span) -> String {
    let mut declared = policy.fields().flat_map(|f| {
        let places = f.declared.iter().map(|d| d.span);
        places.map(move |place| (f, place))
    });
    if let Some((field, _)) = declared.find(|(_, place)| *place == span) {
        return format!("field {}", policy.field_path(field.id));
    }
    let mut maps = policy.maps.iter();
    if let Some(map) = maps.find(|m| m.span == span) {
        let entity = &policy.entity(map.entity.value).name;
        let system = &policy.system(map.system.value).name;
        return format!("map {entity} in {system}");
    }
    if let Some(scenario) = policy.scenarios.iter().find(|s| s.span.contains(span)) {
        let part = if scenario.span == span {
            ""
        } else {
            "the checkpoint of "
        };
        return format!("{part}scenario {}", scenario.name);
    }
    let named = [
        policy
            .systems
            .iter()
            .find(|s| s.span == span)
            .map(|s| format!("system {}", s.name)),
        policy
            .tests
            .iter()
            .find(|t| t.span == span)
            .map(|t| format!("test \"{}\"", t.title)),
        policy
            .entities
            .iter()
            .find(|e| e.span == span)
            .map(|e| format!("entity {}", e.name)),
    ];
    let found = named.into_iter().flatten().next();
    found.unwrap_or_else(|| extended(policy, span))
}

/// The entity that a block adds to: the one of the fields declared in it.
fn extended(policy: &Policy, block: Span) -> String {
    let inside = |f: &&crate::model::Field| f.declared.iter().any(|d| block.contains(d.span));
    match policy.fields().find(inside) {
        Some(field) => format!(
            "what extends entity {}",
            policy.entity(field.id.entity).name
        ),
        None => "its block".to_owned(),
    }
}
