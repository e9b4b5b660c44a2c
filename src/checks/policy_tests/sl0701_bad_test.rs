//! SL0701 bad-test: a test sets or expects what cannot exist.
//!
//! Names that nothing declares are SL0003, and a start that is no instant is SL0007; what is left
//! is whether records, values and systems fit the policy.

use std::collections::HashSet;

use rayon::prelude::*;

use super::super::{Context, words};
use super::values;
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{
    Entity, Field, RecordRef, Ref, Spanned, StepKind, SystemId, Test, TestRecord, TestValue,
};
use crate::value::{Type, key_parts};

const CODE: Code = Code(701);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let used: HashSet<SystemId> = ctx
        .policy
        .scenarios
        .iter()
        .flat_map(|s| s.systems())
        .collect();
    ctx.policy
        .tests
        .par_iter()
        .flat_map_iter(|test| of_test(ctx, test, &used))
        .collect()
}

fn of_test(ctx: &Context, test: &Test, used: &HashSet<SystemId>) -> Vec<Finding> {
    let mut found = Vec::new();
    for step in &test.steps {
        match &step.what {
            StepKind::Given {
                record,
                values,
                systems,
            } => in_record(ctx, record, values, systems, true, &mut found),
            StepKind::Sets {
                system,
                record,
                values,
            } => {
                let systems = std::slice::from_ref(system);
                in_record(ctx, record, values, systems, true, &mut found);
            }
            StepKind::Expect {
                record,
                system,
                values,
            } => {
                let systems = std::slice::from_ref(system);
                in_record(ctx, record, values, systems, false, &mut found);
            }
            StepKind::Deletes { system, record } | StepKind::ExpectAbsent { system, record } => {
                found.extend(key_form(ctx, record));
                found.extend(no_map(ctx, record, system));
            }
            StepKind::Down { system, .. } => {
                found.extend(unused(ctx, system, used, "its being down changes nothing"));
            }
            StepKind::ExpectCalls { system, .. } => {
                found.extend(unused(ctx, system, used, "it is never called"));
            }
            StepKind::Event { system, .. } => found.extend(mute(ctx, system)),
            StepKind::ExpectDeadLetters { .. } => {}
        }
    }
    found
}

/// A record with its values in some systems. `sets`: they are given or set, not expected.
fn in_record(
    ctx: &Context,
    record: &RecordRef,
    values: &TestRecord,
    systems: &[Ref<SystemId>],
    sets: bool,
    found: &mut Vec<Finding>,
) {
    found.extend(key_form(ctx, record));
    let mut mapped: Vec<SystemId> = Vec::new();
    for system in systems {
        match no_map(ctx, record, system) {
            Some(finding) => found.push(finding),
            None => mapped.extend(system.id),
        }
    }
    for (name, value) in &values.fields {
        let Some(id) = name.id else { continue };
        let field = ctx.policy.field(id);
        let place = Place {
            ctx,
            field,
            name,
            value,
        };
        let wrong = match () {
            () if sets && field.derived.is_some() => Some(place.derived()),
            () if field.is_key => place.other_key(record),
            () => place.not_mapped(&mapped),
        };
        found.extend(wrong.or_else(|| place.misfit(sets)));
    }
}

/// A value of a record.
struct Place<'a> {
    ctx: &'a Context<'a>,
    field: &'a Field,
    name: &'a Ref<crate::model::FieldId>,
    value: &'a Spanned<TestValue>,
}

impl Place<'_> {
    fn path(&self) -> String {
        self.ctx.path(self.field.id)
    }

    fn finding(&self, message: String, mark: &str) -> Finding {
        Finding::new(CODE, self.name.span, message).mark(mark)
    }

    fn derived(&self) -> Finding {
        let mut found = self.finding(
            format!("`{}` is computed and cannot be set", self.path()),
            "no system holds it itself",
        );
        if let Some(derived) = &self.field.derived {
            found = words::label(found, derived.clause, "computed here");
        }
        let derivations = &self.ctx.graph.derivations;
        let inputs = derivations.inputs(self.ctx.policy, self.field.id);
        let names = inputs.iter().map(|i| &*self.ctx.policy.field(*i).name.text);
        found.help(match inputs.is_empty() {
            true => "leave it out".to_owned(),
            false => format!("set {} instead", words::names(names)),
        })
    }

    fn not_mapped(&self, systems: &[SystemId]) -> Option<Finding> {
        let (ctx, field) = (self.ctx, self.field);
        let lacks = systems.iter().filter_map(|s| {
            let map = ctx.policy.map_for(field.id.entity, *s)?;
            (!map.has(field.id.index) && !map.broken).then_some(map)
        });
        let lacks: Vec<_> = lacks.collect();
        let first = lacks.first()?;
        let entity = &ctx.policy.entity(field.id.entity).name;
        let names = words::systems(ctx, lacks.iter().map(|m| m.system.value));
        let message = match lacks.len() {
            1 => format!(
                "{names} holds no `{}`: its map does not name it",
                self.path()
            ),
            _ => format!(
                "{names} hold no `{}`: their maps do not name it",
                self.path()
            ),
        };
        let mut found = self.finding(message, "not mapped there");
        for map in &lacks {
            found = words::label(found, map.system.span, "this map does not name it");
        }
        let line = format!("field {} = \"…\"", field.name);
        Some(found.help(format!(
            "leave `{}` out here, or write `{line}` in `map {entity} in {}`",
            field.name,
            ctx.system(first.system.value)
        )))
    }

    /// A key's value is the one that the record is named by.
    fn other_key(&self, record: &RecordRef) -> Option<Finding> {
        let entity = self.ctx.policy.entity(self.field.id.entity);
        let position = entity.key_fields().position(|f| f.id == self.field.id)?;
        let parts = parts(entity, &record.key.text);
        let part = parts.get(position)?;
        let written = match &self.value.value {
            TestValue::Text(t) | TestValue::Name(t) => t.to_string(),
            TestValue::Number(n) => n.normalize().to_string(),
            TestValue::Bool(b) => b.to_string(),
            TestValue::List(_) | TestValue::Absent => {
                self.ctx.sources.slice(self.value.span).into()
            }
            TestValue::Unknown => return None,
        };
        (parts.len() == entity.key_fields().count() && *part != written).then(|| {
            self.finding(
                format!(
                    "the record `{}` cannot have another `{}` than its own",
                    record.key.text, self.field.name
                ),
                "part of the key",
            )
            .label(record.key.span, "the record is named here")
            .help("leave it out: the record's name says it")
        })
    }

    fn misfit(&self, sets: bool) -> Option<Finding> {
        let (ctx, field, value) = (self.ctx, self.field, self.value);
        if sets && value.value == TestValue::Absent && !field.optional && !field.is_key {
            return Some(self.never_absent());
        }
        let wrong = values::misfit(ctx, field.ty.as_ref()?, value)?;
        let written = short(ctx.sources.slice(wrong.span));
        let found = self
            .finding(
                format!("`{}` cannot hold {written}: {}", self.path(), wrong.why),
                "cannot hold this value",
            )
            .label(wrong.span, "this value")
            .label(field.type_span, "its type")
            .help(wrong.help);
        Some(match wrong.meant {
            Some(edit) => {
                let title = format!("write `{}`", edit.text);
                found.fix(title, Grade::Safe, vec![edit])
            }
            None => found,
        })
    }

    fn never_absent(&self) -> Finding {
        let field = self.field;
        let found = self
            .finding(
                format!("`{}` cannot be absent: every record has one", self.path()),
                "cannot be absent",
            )
            .label(field.type_span, "a type without `?`")
            .help(format!(
                "give it a value, or write `?` after the type of `{}`",
                field.name
            ));
        let end = Edit {
            span: crate::text::Span::point(field.type_span.file, field.type_span.end as usize),
            text: "?".to_owned(),
        };
        let title = format!("let `{}` be absent", field.name);
        found.fix(title, Grade::Review, vec![end])
    }
}

/// What stands in a message of a value as written.
fn short(written: &str) -> String {
    let text = written.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.chars().count() {
        0..=40 => format!("`{text}`"),
        _ => format!("`{}…`", text.chars().take(36).collect::<String>()),
    }
}

/// A record's name by the parts of its key; a key of one part may hold any text.
fn parts(entity: &Entity, key: &str) -> Vec<String> {
    match entity.key_fields().count() {
        0 | 1 => vec![key.to_owned()],
        _ => key_parts(key),
    }
}

/// Whether a record's name is one that the entity's key can have.
fn key_form(ctx: &Context, record: &RecordRef) -> Option<Finding> {
    let entity = ctx.policy.entity(record.entity.id?);
    let key: Vec<&Field> = entity.key_fields().collect();
    let said = entity.key.as_ref()?;
    if entity.broken || key.is_empty() {
        return None;
    }
    let parts = parts(entity, &record.key.text);
    let shape = key.iter().map(|f| &*f.name.text).collect::<Vec<_>>();
    let shape = shape.join("|");
    let name = &record.key.text;
    let new = |message: String| {
        Finding::new(CODE, record.key.span, message)
            .mark("names no record")
            .label(said.clause, format!("the key of `{}`", entity.name))
    };
    if parts.len() != key.len() {
        let has = match parts.len() {
            1 => "one part".to_owned(),
            n => format!("{n} parts"),
        };
        let message = format!(
            "`{name}` has {has}, but the key of `{}` has {}",
            entity.name,
            key.len()
        );
        return Some(
            new(message).help(format!("write it as `\"{shape}\"`, with a value for each")),
        );
    }
    let bad = key.iter().zip(&parts).find(|(f, part)| !is_key(f, part))?;
    let (field, part) = bad;
    let wanted = field.ty.as_ref().map_or(String::new(), Type::describe);
    let what = match part.trim().is_empty() {
        true => format!("the `{}` in the name `{name}` is empty", field.name),
        false => format!(
            "`{part}` cannot be the `{}` of a record: it is no `{wanted}`",
            field.name
        ),
    };
    Some(new(what).label(field.type_span, "its type").help(format!(
        "name the record by a value of its `{}`",
        field.name
    )))
}

fn is_key(field: &Field, part: &str) -> bool {
    match &field.ty {
        Some(ty) => !part.trim().is_empty() && ty.read_text(part).is_ok(),
        None => true,
    }
}

/// A system that knows nothing of the record's entity.
fn no_map(ctx: &Context, record: &RecordRef, system: &Ref<SystemId>) -> Option<Finding> {
    let (entity, id) = (ctx.policy.entity(record.entity.id?), system.id?);
    let gaps = &ctx.policy.gaps;
    if ctx.policy.map_of(entity.id, id).is_some() || gaps.maps || gaps.anything {
        return None;
    }
    let name = ctx.system(id);
    let entity_name = &entity.name;
    Some(
        Finding::new(
            CODE,
            system.span,
            format!("`{name}` holds no `{entity_name}`: there is no map for it"),
        )
        .mark("not mapped there")
        .label(entity_name.span, format!("`{entity_name}` is declared here"))
        .help(format!(
            "name a system that maps `{entity_name}`, or write `map {entity_name} in {name} {{ … }}`"
        )),
    )
}

/// A system that no scenario uses; `so`: what that means for the step.
fn unused(
    ctx: &Context,
    system: &Ref<SystemId>,
    used: &HashSet<SystemId>,
    so: &str,
) -> Option<Finding> {
    let id = system.id?;
    if ctx.flows_incomplete || used.contains(&id) {
        return None;
    }
    let name = &ctx.policy.system(id).name;
    let found = Finding::new(
        CODE,
        system.span,
        format!("no scenario uses `{name}`, so {so}"),
    );
    Some(
        found
            .mark("takes no part")
            .label(name.span, format!("`{name}` is declared here"))
            .help("name a system of some scenario, or remove this line"),
    )
}

/// A system that sends no events.
fn mute(ctx: &Context, system: &Ref<SystemId>) -> Option<Finding> {
    let id = system.id?;
    let connector = ctx.policy.system(id).connector.as_ref()?;
    if ctx.entry(id)?.capabilities.events {
        return None;
    }
    let name = ctx.system(id);
    let found = Finding::new(CODE, system.span, format!("`{name}` sends no events"));
    let kind = &connector.written;
    Some(
        found
            .mark("sends none")
            .label(connector.clause, format!("`{kind}` has no change events"))
            .help(format!(
                "write what happens there as `{name} sets …`, or name a system that sends events"
            )),
    )
}
